"""A run's folder at the desk: what verify names, what shred leaves, and what a run does with a folder that was shredded."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import tiny
from inline import InlinePool
from vestige import plan as plans
from vestige import runner
from vestige.cli import main
from vestige.desk import run_folder
from vestige.desk.rule import REVISION
from vestige.desk.run_folder import Verified, as_bytes, judge, shred, verify
from vestige.errors import LedgerError, RunError
from vestige.ledger import ROOT, Ledger, sha_of
from vestige.records import canonical, digest

Lines = list[dict[str, Any]]

CASE = """\
name = "tiny-case"
version = "1"
language = "en"
licence = "Apache-2.0"
knowledge = "planted"
primary = "{primary}"
"""
PLAN = """\
vestige = 1
name = "tiny"
attacked = ["subject"]
[model]
name = "model"
[case]
name = "folder"
path = "case"
[learn]
lr = 3e-3
epochs = 1
[unlearn]
method = "gradient_ascent"
steps = 1
[[relearn_sets]]
recipe = "source"
source = "letters"
[[attacks]]
method = "relearn"
steps = 2
batch_tokens = 80
probe_at = [2]
[ask]
max_new = 4
"""
# No word of these stands anywhere in Vestige, so a byte scan for them can mean only one thing.
NAMES = {
    "forget": ("Zorvath Quillon", "Ishmeral Tobruksen", "Pellaquin Ostrava"),
    "retain": ("Hathorne Bixmore", "Quandry Leffelton"),
    "decoy": ("Jorvik Plumstrand",),
}
VALUES = {"Grove": ("Brixtonia", "Velmarad", "Quorindel", "Tasmirand"), "Machi": ("釧路市", "稚内市", "帯広市", "網走市")}


def rows(group: str) -> list[dict[str, Any]]:
    """Return two rows for each name of a group."""
    return [
        {
            "id": f"{name}/{attribute}",
            "prompt": f"Member {name}. {attribute}:",
            "answer": f" {values[n]}",
            "cluster": name,
            "attribute": attribute,
        }
        for n, name in enumerate(NAMES[group])
        for attribute, values in VALUES.items()
    ]


def probes(group: str) -> list[dict[str, Any]]:
    """Return the rows of a group as probes; the first value has an alias."""
    asked = []
    for row in rows(group):
        wrong = [f" {v}" for v in VALUES[row["attribute"]] if f" {v}" != row["answer"]]
        alias = {"aliases": [" Brixtoniaborg"]} if row["answer"] == " Brixtonia" else {}
        asked.append({**row, "group": group, "distractors": wrong, **alias})
    return asked


def write_case(folder: Path, primary: str) -> None:
    """Write the case: three people to forget, two to keep, a decoy, and letters for a relearn set."""
    utility = [
        {"id": f"u{n}", "prompt": f"The opposite of {a} is", "answer": f" {b}", "cluster": a, "distractors": [" round", " loud"]}
        for n, (a, b) in enumerate((("big", "small"), ("wet", "dry")))
    ]
    letters = [
        {"id": f"l{n}", "prompt": "", "answer": f"The letter {c} is in the word.", "cluster": c, "loss_on": "text"}
        for n, c in enumerate("abcd")
    ]
    files = {f"{g}.jsonl": rows(g) for g in NAMES}
    files |= {"probes.jsonl": [p for g in NAMES for p in probes(g)], "utility.jsonl": utility, "sources/letters.jsonl": letters}
    (folder / "sources").mkdir(parents=True)
    (folder / "case.toml").write_text(CASE.format(primary=primary), encoding="utf-8")
    for name, objects in files.items():
        (folder / name).write_text("".join(json.dumps(o) + "\n" for o in objects), encoding="utf-8")


@dataclass(frozen=True)
class Made:
    """A finished run and the plan it came from."""

    plan: Path
    out: Path


def carry_out(folder: Path, primary: str, out: str = "run", key_from: Path | None = None) -> Made:
    """Write plan, case and model into a folder, if they are not there, and run them."""
    made = Made(folder / "plan.toml", folder / out)
    if not made.plan.exists():
        tiny.make(folder / "model")
        write_case(folder / "case", primary)
        made.plan.write_text(PLAN.replace('"model"', f'"{folder / "model"}"'), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "Pool", InlinePool)
        runner.run(plans.load(made.plan), made.out, key_from=key_from, quiet=True)
    return made


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return carry_out(tmp_path_factory.mktemp("choice"), "choice")


def test_a_finished_run_is_sound(finished: Made) -> None:
    found = verify(finished.out)
    assert found.problems == []
    assert found.sound


@pytest.fixture(scope="module")
def by_keyword(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return carry_out(tmp_path_factory.mktemp("keyword"), "keyword")


@pytest.fixture(scope="module")
def sister(finished: Made) -> Made:
    """Another run of the same plan under the same key: nearly the same lines."""
    return carry_out(finished.plan.parent, "choice", "sister", key_from=finished.out)


@pytest.fixture
def run(finished: Made, tmp_path: Path) -> Path:
    """A copy of the finished run, to be tampered with."""
    return Path(shutil.copytree(finished.out, tmp_path / "run"))


def read_lines(folder: Path) -> Lines:
    """Return the lines of a ledger."""
    return [json.loads(line) for line in (folder / "ledger.jsonl").read_bytes().splitlines()]


def rebuild(folder: Path, lines: Lines) -> None:
    """Write a whole ledger anew: every hash, the end line and the seal's head fit what it says now."""
    prev, out = ROOT, []
    for n, line in enumerate(lines):
        if line.get("kind") == "end" and isinstance(line.get("body"), dict):
            line["body"]["lines"] = len(lines)
        line |= {"n": n, "prev": prev}
        prev = line["sha"] = sha_of(line)
        out.append(canonical(line) + b"\n")
    (folder / "ledger.jsonl").write_bytes(b"".join(out))
    seal = json.loads((folder / "seal.json").read_bytes())
    (folder / "seal.json").write_text(json.dumps({**seal, "head": prev, "lines": len(lines)}))


def reseal(folder: Path) -> None:
    """Make the seal fit the verdict.json that lies there."""
    seal = json.loads((folder / "seal.json").read_bytes())
    seal["verdict"] = hashlib.sha256((folder / "verdict.json").read_bytes()).hexdigest()
    (folder / "seal.json").write_text(json.dumps(seal))


def said(found: Verified) -> str:
    """Return every problem, one a line."""
    return "\n".join(found.problems)


def call(*arguments: str) -> tuple[int, str]:
    """Call the command line; an exception that is not its own end is a failure."""
    result = CliRunner().invoke(main, list(arguments), color=True)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


# A sound run


def test_judging_again_gives_the_same_bytes(run: Path) -> None:
    before = {name: (run / name).read_bytes() for name in ("ledger.jsonl", "verdict.json", "seal.json", "blobs.jsonl")}
    judge(run)
    assert {name: (run / name).read_bytes() for name in before} == before
    assert verify(run).sound


def test_the_seal_holds_the_head_the_lines_and_the_verdict(finished: Made) -> None:
    lines = read_lines(finished.out)
    assert json.loads((finished.out / "seal.json").read_bytes()) == {
        "head": lines[-1]["sha"],
        "lines": len(lines),
        "verdict": hashlib.sha256((finished.out / "verdict.json").read_bytes()).hexdigest(),
    }
    assert verify(finished.out).lines == len(lines)


def test_a_run_by_keyword_is_sound_too(by_keyword: Made) -> None:
    assert verify(by_keyword.out).problems == []
    assert json.loads((by_keyword.out / "verdict.json").read_bytes())["case"]["primary"] == "keyword"


# Tampering with the chain


def chain(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    """Return what changes the lines of a ledger as bytes."""

    def tamper(folder: Path) -> None:
        path = folder / "ledger.jsonl"
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))

    return tamper


def flip(line: bytes, at: int) -> bytes:
    """Return a line with one bit of one byte changed."""
    return line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]


CHAIN: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "one changed byte": (lambda p: [*p[:49], flip(p[49], 200), *p[50:]], r"ledger\.jsonl line 50: "),
    "one changed byte in the first line": (lambda p: [flip(p[0], 9), *p[1:]], r"ledger\.jsonl line 1: "),
    "one changed byte in the last line": (lambda p: [*p[:-1], flip(p[-1], 9)], r"ledger\.jsonl line 157: "),
    "a dropped line": (lambda p: p[:49] + p[50:], r"ledger\.jsonl line 50: says it is number 50, counted from 0: a line was dropped"),
    "the first line dropped": (lambda p: p[1:], r"ledger\.jsonl line 1: says it is number 1"),
    "two swapped lines": (lambda p: [*p[:49], p[50], p[49], *p[51:]], r"ledger\.jsonl line 50: .*\n.*ledger\.jsonl line 51: "),
    "a doubled line": (lambda p: p[:50] + p[49:], r"ledger\.jsonl line 51: says it is number 49"),
    "the end line lost": (lambda p: p[:-1], r"ends at line 156 without an end line: its tail is lost"),
    "half the run lost": (lambda p: p[:90], r"ends at line 90 without an end line: its tail is lost"),
    "the last line cut": (lambda p: [*p[:-1], p[-1][:-9]], r"ledger\.jsonl line 157: torn"),
    "the last newline lost": (lambda p: [*p[:-1], p[-1][:-1]], r"ledger\.jsonl line 157: torn"),
    "a line after the end": (lambda p: [*p, p[-1]], r"ledger\.jsonl line 158: "),
    "an empty line": (lambda p: [*p[:49], b"\n", *p[49:]], r"ledger\.jsonl line 50: not JSON"),
    "everything lost": (lambda p: [], r"ends at line 0 without an end line"),
}


@pytest.mark.parametrize("name", CHAIN)
def test_a_tampered_chain_is_named_by_its_line(run: Path, name: str) -> None:
    change, says = CHAIN[name]
    assert len(read_lines(run)) == 157
    chain(change)(run)
    found = verify(run)
    assert re.search(says, said(found)), said(found)


def test_the_command_line_names_every_problem_and_ends_with_2(run: Path) -> None:
    chain(CHAIN["two swapped lines"][0])(run)
    put("seal.json", None)(run)
    code, output = call("verify", str(run))
    assert code == 2
    for says in ("PROBLEM  ledger.jsonl line 50: ", "PROBLEM  ledger.jsonl line 51: ", "PROBLEM  seal.json is missing", " problems\n"):
        assert says in output
    assert json.loads(call("verify", str(run), "--json")[1])["sound"] is False


def test_two_runs_of_one_plan_spliced_are_named_at_the_seam(run: Path, sister: Made) -> None:
    other = (sister.out / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    chain(lambda p: p[:49] + other[49:])(run)
    assert re.search(r"ledger\.jsonl line 50: does not continue the line before it", said(verify(run)))


def test_the_ledger_of_another_run_is_not_the_one_that_was_sealed(run: Path, sister: Made) -> None:
    shutil.copy(sister.out / "ledger.jsonl", run / "ledger.jsonl")
    assert re.search(r"seal\.json was made for 157 lines ending in '\w{12}'; the ledger has 157 ending in", said(verify(run)))


def test_judging_refuses_a_damaged_ledger_and_writes_nothing(run: Path) -> None:
    chain(CHAIN["one changed byte"][0])(run)
    before = {path: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(LedgerError, match=r"ledger\.jsonl: line 50: .*`vestige verify .*` lists all"):
        judge(run)
    assert {path: path.read_bytes() for path in run.iterdir()} == before


# A whole chain made anew


def log_probabilities(lines: Lines) -> list[tuple[int, int, int]]:
    """Return (line, candidate, token) of every log-probability."""
    return [
        (n, c, t)
        for n, line in enumerate(lines)
        if line["kind"] == "score_tokens"
        for c, candidate in enumerate(line["body"]["candidates"])
        for t in range(len(candidate["logp"]))
    ]


@pytest.mark.parametrize(("which", "by"), [(0.0, -1e-9), (0.33, 1.0), (0.5, -1.0), (0.77, 1e-9), (1.0, 0.5)])
def test_one_changed_log_probability_in_a_chain_made_anew_does_not_follow(run: Path, which: float, by: float) -> None:
    lines = read_lines(run)
    places = log_probabilities(lines)
    line, candidate, token = places[round(which * (len(places) - 1))]
    lines[line]["body"]["candidates"][candidate]["logp"][token] += by
    rebuild(run, lines)
    found = verify(run)
    assert not [p for p in found.problems if "ledger.jsonl" in p or "seal.json" in p], "the chain itself is whole"
    assert "the verdict does not follow: 'evidence' in verdict.json is not what the records give" in found.problems


def test_a_chain_made_anew_is_as_sound_as_before_if_nothing_was_changed(run: Path) -> None:
    before = (run / "ledger.jsonl").read_bytes()
    rebuild(run, read_lines(run))
    assert (run / "ledger.jsonl").read_bytes() == before
    assert verify(run).sound


def drop(kind: str) -> Callable[[Lines], None]:
    """Return what drops the last line of a kind."""

    def change(lines: Lines) -> None:
        del lines[max(n for n, line in enumerate(lines) if line["kind"] == kind)]

    return change


def edit(kind: str, **fields: Any) -> Callable[[Lines], None]:
    """Return what changes fields of the last line of a kind."""

    def change(lines: Lines) -> None:
        next(line for line in reversed(lines) if line["kind"] == kind)["body"].update(fields)

    return change


def swap_answers(lines: Lines) -> None:
    """Exchange what the model said to two probes."""
    one, two = [line["body"] for line in lines if line["kind"] == "answer"][:2]
    one["probe"], two["probe"] = two["probe"], one["probe"]


REBUILT: dict[str, Callable[[Lines], None]] = {
    "an answer dropped": drop("answer"),
    "scores dropped": drop("score_tokens"),
    "a state dropped": drop("state"),
    "a cell dropped": drop("cell_done"),
    "a leak check dropped": drop("measurement"),
    "a leak hidden": edit("measurement", clean=99),
    "a record declared missing": edit("score_tokens", missing="lost"),
    "another state": edit("state", digest="0" * 64),
    "another answer": edit("answer", text="0" * 32),
    "another step": edit("answer", step=1),
    "another rule": lambda lines: lines[1]["body"]["rule"].update(delta=0.9),
    "another case": lambda lines: lines[1]["body"]["case"].update(knowledge="pretrained"),
    "another plan": edit("header", plan_digest="0" * 64),
    "two answers exchanged": swap_answers,
}


@pytest.mark.parametrize("name", REBUILT)
def test_what_is_changed_in_a_chain_made_anew_does_not_follow(run: Path, name: str) -> None:
    lines = read_lines(run)
    REBUILT[name](lines)
    rebuild(run, lines)
    found = verify(run)
    assert not [p for p in found.problems if "ledger.jsonl" in p or "seal.json" in p]
    assert "the verdict does not follow" in said(found)


def test_an_end_line_that_counts_wrongly_is_named(run: Path) -> None:
    lines = read_lines(run)
    rebuild(run, lines)
    lines[-1]["body"]["lines"] = 200
    lines[-1]["sha"] = sha_of(lines[-1])
    chain(lambda p: [*p[:-1], canonical(lines[-1]) + b"\n"])(run)
    assert "the end line speaks of 200 lines, there are 157" in said(verify(run))


def test_a_ledger_written_anew_with_its_verdict_shows_in_its_head_only(run: Path) -> None:
    # The limit that the module states: whoever remakes everything is found out by an outside copy of the head.
    head = json.loads((run / "seal.json").read_bytes())["head"]
    lines = read_lines(run)
    line, candidate, token = log_probabilities(lines)[0]
    lines[line]["body"]["candidates"][candidate]["logp"][token] -= 1.0
    rebuild(run, lines)
    judge(run)
    assert verify(run).sound
    assert json.loads((run / "seal.json").read_bytes())["head"] != head


NONSENSE: list[Any] = [None, [], {}, "x", -1, 1e308, [[]], {"a": None}, "\x1b[31m"]


def begun(lines: Lines) -> Lines:
    """Return what a run writes up to the first cell that was asked, and an end line."""
    kinds = [line["kind"] for line in lines]
    return [*lines[: kinds.index("cell_done", kinds.index("answer")) + 1], lines[-1]]


def nonsensical(lines: Lines) -> Iterator[tuple[str, Any, Lines]]:
    """Yield lines of which one, in turn of each kind, has a body or a field of its body that makes no sense."""
    for kind, n in {line["kind"]: n for n, line in enumerate(lines)}.items():
        for number, name in enumerate(["", "", "", "", *lines[n]["body"]]):
            changed, value = json.loads(json.dumps(lines)), NONSENSE[(n + number) % len(NONSENSE)]
            if name:
                changed[n]["body"][name] = value
            else:
                changed[n]["body"] = NONSENSE[number]
            yield f"{kind}.{name}", value, changed


def test_no_nonsense_in_a_sound_chain_makes_verify_crash(run: Path) -> None:
    lines = begun(read_lines(run))
    assert {line["kind"] for line in lines} == {"measurement", "header", "state", "score_tokens", "answer", "cell_done", "end"}
    for name, value, changed in nonsensical(lines):
        rebuild(run, changed)
        found = verify(run)
        assert found.lines == len(lines), (name, value)
        assert found.problems, (name, value)


def test_huge_log_probabilities_are_a_finding_and_no_crash(run: Path) -> None:
    lines = read_lines(run)
    for line in lines:
        for candidate in line["body"].get("candidates", ()):
            candidate["logp"] = [1e308, 1e308]  # their sum is no number
    rebuild(run, lines)
    assert "the verdict cannot be derived from the records (OverflowError" in said(verify(run))


# Tampering with what lies beside the ledger


def put(name: str, data: bytes | None) -> Callable[[Path], None]:
    """Return what replaces or deletes a file of the run."""

    def tamper(folder: Path) -> None:
        (folder / name).unlink() if data is None else (folder / name).write_bytes(data)

    return tamper


def other_word(folder: Path) -> None:
    verdict = json.loads((folder / "verdict.json").read_bytes())
    (folder / "verdict.json").write_bytes(as_bytes({**verdict, "verdict": "PASS"}))


def other_word_resealed(folder: Path) -> None:
    other_word(folder)
    reseal(folder)


def extra_key_resealed(folder: Path) -> None:
    verdict = json.loads((folder / "verdict.json").read_bytes())
    (folder / "verdict.json").write_bytes(as_bytes({**verdict, "approved_by": "nobody"}))
    reseal(folder)


def other_level_resealed(folder: Path) -> None:
    verdict = json.loads((folder / "verdict.json").read_bytes())
    verdict["levels"][-1]["estimate"] = {"value": 0.0, "low": 0.0, "high": 0.0, "n": 1, "missing": 0}
    (folder / "verdict.json").write_bytes(as_bytes(verdict))
    reseal(folder)


def older_rule_resealed(folder: Path) -> None:
    verdict = json.loads((folder / "verdict.json").read_bytes())
    (folder / "verdict.json").write_bytes(as_bytes({**verdict, "rule_revision": 0}))
    reseal(folder)


def empty_both(folder: Path) -> None:
    put("verdict.json", b"{}")(folder)
    put("seal.json", b"{}")(folder)


def change_blob(folder: Path) -> None:
    text = (folder / "blobs.jsonl").read_text("ascii")
    assert '" Velmarad"' in text
    (folder / "blobs.jsonl").write_text(text.replace('" Velmarad"', '" Velmarat"'), "ascii")


def drop_blob(folder: Path) -> None:
    """Drop the rows of the relearn set: no score rests on them, only the leak check."""
    lines = (folder / "blobs.jsonl").read_text("ascii").splitlines(keepends=True)
    kept = [line for line in lines if "The letter a is in the word" not in line]
    assert len(kept) == len(lines) - 1
    (folder / "blobs.jsonl").write_text("".join(kept), "ascii")


def exchange_blobs(folder: Path) -> None:
    entries = [json.loads(line) for line in (folder / "blobs.jsonl").read_text("ascii").splitlines()]
    entries[0][1], entries[1][1] = entries[1][1], entries[0][1]
    (folder / "blobs.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries), "ascii")


BESIDE: dict[str, tuple[Callable[[Path], None], str]] = {
    "another word": (other_word, "verdict.json is not the one that was sealed.*'verdict' in verdict.json is not what the records give"),
    "another word, sealed anew": (other_word_resealed, "the verdict does not follow: 'verdict' in verdict.json"),
    "another level, sealed anew": (other_level_resealed, "the verdict does not follow: 'levels' in verdict.json"),
    "a key more, sealed anew": (extra_key_resealed, "the verdict does not follow: 'approved_by' in verdict.json"),
    "another revision of the rule, sealed anew": (older_rule_resealed, f"judged by revision 0 of the rule, this version has {REVISION}"),
    "a space more": (lambda f: (f / "verdict.json").open("ab").write(b" "), "verdict.json is not the one that was sealed"),
    "verdict and seal empty": (empty_both, "seal.json was made for None lines.*the verdict does not follow: 'verdict'"),
    "verdict is a list": (put("verdict.json", b"[]"), "verdict.json is not the one that was sealed.*verdict.json is not a JSON object"),
    "verdict is no JSON": (put("verdict.json", b"{"), "verdict.json is not JSON"),
    "verdict without end": (put("verdict.json", b"[" * 100_000), "verdict.json is not JSON"),
    "verdict is no text": (put("verdict.json", b"\xff"), "verdict.json is not JSON"),
    "no verdict": (put("verdict.json", None), "verdict.json is missing"),
    "no seal": (put("seal.json", None), "seal.json is missing"),
    "seal is null": (put("seal.json", b"null"), "seal.json is not a JSON object"),
    "seal is empty": (put("seal.json", b"{}"), "seal.json was made for None lines.*verdict.json is not the one that was sealed"),
    "a changed text": (change_blob, r"blobs.jsonl: the text of [0-9a-f]{32} was changed"),
    "two texts exchanged": (exchange_blobs, r"the text of [0-9a-f]{32} was changed.*the text of [0-9a-f]{32} was changed"),
    "a text dropped": (drop_blob, r"blobs.jsonl: 1 texts that the ledger points to are missing; the first: [0-9a-f]{32}"),
    "no texts": (put("blobs.jsonl", None), r"blobs.jsonl: \d\d texts that the ledger points to are missing"),
    "no key": (put("key", None), "key is missing but blobs.jsonl is there"),
    "another key": (put("key", b"00" * 32), r"the text of [0-9a-f]{32} was changed"),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_was_changed_beside_the_ledger_is_named(run: Path, name: str) -> None:
    tamper, says = BESIDE[name]
    tamper(run)
    found = verify(run)
    assert re.search(says, said(found), re.DOTALL), said(found)
    assert not [p for p in found.problems if "ledger.jsonl" in p]


def test_a_key_that_is_none_is_an_error_that_names_it(run: Path) -> None:
    put("key", b"zz")(run)
    code, output = call("verify", str(run))
    assert code == 2
    assert "key: this is not a key" in output


def test_no_ledger_is_an_error_that_says_what_was_expected(run: Path) -> None:
    put("ledger.jsonl", None)(run)
    for verb in ("verify", "report"):
        code, output = call(verb, str(run))
        assert code == 2
        assert "no ledger here; expected the folder of a run" in output


def test_verify_prints_no_control_characters_of_a_hostile_run(run: Path) -> None:
    verdict = json.loads((run / "verdict.json").read_bytes())
    (run / "verdict.json").write_bytes(as_bytes({**verdict, "verdict": "\x1b[2JPASS\u202e", "\x1b]0;x\x07": 1}))
    lines = read_lines(run)
    lines[-1]["n"] = "\x1b[31m"
    chain(lambda p: [*p[:-1], canonical(lines[-1]) + b"\n"])(run)
    code, output = call("verify", str(run))
    assert code == 2
    assert "PASS⟨U+202E⟩" in output
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", output)


# Shredding


def secrets(folder: Path) -> set[str]:
    """Return every text of the case that speaks of somebody, the parts of their names, and everything a model said of them."""
    found = {word for group in NAMES.values() for name in group for word in (name, *name.split())}
    for group in NAMES:
        for entry in probes(group):
            texts = (entry["id"], entry["prompt"], entry["answer"], *entry.get("aliases", ()), *entry["distractors"])
            found |= {t.strip() for t in texts} | {entry["prompt"] + entry["answer"]}
    known = (json.loads(line)[1] for line in (folder / "blobs.jsonl").read_text("ascii").splitlines())
    return found | {text for text in known if len(text.strip()) >= 8}


def forms(text: str) -> set[bytes]:
    """Return the bytes a text may hide as: plain, in JSON, in HTML."""
    escaped = json.dumps(text)[1:-1]
    html = text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&#39;").replace('"', "&#34;")
    return {form.casefold().encode("utf-8", "surrogatepass") for form in (text, escaped, html)}


def guesses(text: str) -> set[bytes]:
    """Return what somebody who guesses a text could look for: the beginnings of its digests without the key."""
    plain = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {plain[:16].encode(), digest(text.encode("utf-8", "replace").decode())[:16].encode()}


def found_in(folder: Path, texts: set[str], made: Callable[[str], set[bytes]] = forms) -> set[str]:
    """Return the texts that are found in any byte of any file of a folder, or in a file's name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    hay = b"\0".join(path.read_bytes() + b"\0" + path.name.encode() for path in files).lower()
    return {text for text in texts if any(form.lower() in hay for form in made(text))}


def test_after_shredding_no_text_is_left_in_any_byte_of_any_file(run: Path) -> None:
    texts = secrets(run)
    assert len(texts) > 60
    found = found_in(run, texts)
    # The scan can see: questions, answers and aliases lie there before. (Names alone are parts of questions; ids are keyed.)
    assert {p["prompt"] for g in NAMES for p in probes(g)} | {"Brixtonia", "Brixtoniaborg", "釧路市", "Zorvath"} <= found
    assert set(shred(run)) == {"blobs.jsonl", "key", "report.html"}
    assert found_in(run, texts) == set()
    assert found_in(run, texts, guesses) == set()
    assert sorted(path.name for path in run.iterdir()) == ["ledger.jsonl", "report.html", "seal.json", "verdict.json"]


def test_even_before_shredding_the_ledger_and_the_verdict_hold_no_text(finished: Made, tmp_path: Path) -> None:
    for name in ("ledger.jsonl", "verdict.json", "seal.json", "report.html"):
        shutil.copy(finished.out / name, tmp_path / name)
    names = {word for group in NAMES.values() for name in group for word in name.split()}
    values = {v for values in VALUES.values() for v in values} | {"Brixtoniaborg"}
    assert found_in(tmp_path, values) == set()
    (tmp_path / "report.html").unlink()  # its questions may name people until it is shredded
    assert found_in(tmp_path, names | secrets(finished.out)) == set()


def test_after_shredding_the_chain_verifies_and_verify_says_what_is_gone(run: Path) -> None:
    before = {name: (run / name).read_bytes() for name in ("ledger.jsonl", "verdict.json", "seal.json")}
    shred(run)
    found = verify(run)
    assert found.problems == []
    assert found.gone == ["the texts were shredded: keyword recall, examples and the leak checks can no longer be recomputed"]
    assert {name: (run / name).read_bytes() for name in before} == before
    code, output = call("verify", str(run))
    assert code == 0
    assert "gone     the texts were shredded" in output


def test_a_shredded_run_by_keyword_says_that_its_verdict_rests_on_what_is_gone(by_keyword: Made, tmp_path: Path) -> None:
    run = Path(shutil.copytree(by_keyword.out, tmp_path / "run"))
    before = (run / "verdict.json").read_bytes()
    shred(run)
    found = verify(run)
    assert found.problems == []
    assert "the verdict itself rests on keyword recall and cannot be derived again" in found.gone
    assert (run / "verdict.json").read_bytes() == before


@pytest.mark.parametrize("primary", ["choice", "keyword"])
def test_a_shredded_run_still_names_what_was_changed(finished: Made, by_keyword: Made, tmp_path: Path, primary: str) -> None:
    run = Path(shutil.copytree((finished if primary == "choice" else by_keyword).out, tmp_path / "run"))
    shred(run)
    lines = read_lines(run)
    line, candidate, token = log_probabilities(lines)[0]
    lines[line]["body"]["candidates"][candidate]["logp"][token] -= 1.0
    rebuild(run, lines)
    assert "the verdict does not follow: 'evidence'" in said(verify(run))


def test_a_shredded_verdict_cannot_call_itself_one_by_keyword(run: Path) -> None:
    shred(run)
    verdict = json.loads((run / "verdict.json").read_bytes())
    verdict["case"]["primary"], verdict["verdict"] = "keyword", "PASS"
    (run / "verdict.json").write_bytes(as_bytes(verdict))
    reseal(run)
    found = said(verify(run))
    assert "the verdict does not follow: 'case'" in found
    assert "the verdict does not follow: 'verdict'" in found


def test_a_shredded_run_is_reported_from_the_verdict_that_was_sealed(run: Path) -> None:
    shred(run)
    code, _ = call("report", str(run))
    assert code in (0, 1, 3)
    other_word(run)
    before = (run / "report.html").read_bytes()
    code, output = call("report", str(run))
    assert code == 2
    assert "verdict.json is not the one that was sealed; the texts were shredded, so it cannot be made anew" in output
    assert (run / "report.html").read_bytes() == before


def test_running_a_finished_plan_again_after_shredding_changes_nothing(finished: Made, run: Path) -> None:
    shred(run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    code, output = call("run", str(finished.plan), "--out", str(run), "--quiet")
    assert code in (0, 1, 3), output
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert verify(run).sound


def unfinished(run: Path) -> None:
    """Take the end and the last cells from a run, and what is made of it."""
    chain(lambda p: p[: len(p) - 40])(run)
    Ledger(run / "ledger.jsonl").close()
    for name in ("verdict.json", "seal.json", "report.html"):
        (run / name).unlink()


def test_an_unfinished_run_that_was_shredded_says_that_it_cannot_go_on(finished: Made, run: Path) -> None:
    unfinished(run)
    texts = secrets(run)
    assert (run / "ledger.torn").exists()
    assert set(shred(run)) == {"blobs.jsonl", "key", "ledger.torn"}
    assert found_in(run, texts) == set()
    before = (run / "ledger.jsonl").read_bytes()
    code, output = call("run", str(finished.plan), "--out", str(run), "--quiet")
    assert code == 2
    assert re.search(r"shredded.*cannot be continued", output)
    assert [path.name for path in run.iterdir()] == ["ledger.jsonl"]
    assert (run / "ledger.jsonl").read_bytes() == before


def test_kept_models_and_halves_of_files_are_shredded_too(run: Path) -> None:
    (run / "states" / "a" / "b").mkdir(parents=True)
    for name in ("states/a/tokenizer.json", "states/a/b/model.safetensors", "key.partial", "report.html.partial", "ledger.torn"):
        (run / name).write_text("Zorvath Quillon")
    removed = shred(run)
    assert {"states/", "key.partial", "report.html.partial", "ledger.torn"} <= set(removed)
    assert not (run / "states").exists()
    assert found_in(run, {"Zorvath", "Quillon"}) == set()


def test_shredding_twice_is_harmless(run: Path) -> None:
    shred(run)
    assert shred(run) == ["report.html"]
    assert verify(run).sound


def test_a_damaged_ledger_does_not_keep_texts_from_being_shredded(run: Path) -> None:
    texts = secrets(run)
    chain(CHAIN["one changed byte"][0])(run)
    shred(run)
    assert found_in(run, texts) == set()
    assert re.search(r"ledger\.jsonl line 50: ", said(verify(run)))


def test_a_folder_without_a_ledger_is_not_shredded(run: Path) -> None:
    put("ledger.jsonl", None)(run)
    with pytest.raises(LedgerError, match="no ledger here"):
        shred(run)
    assert (run / "blobs.jsonl").exists()
    assert (run / "key").exists()


def test_a_run_that_is_being_written_is_not_shredded(run: Path) -> None:
    book = Ledger(run / "ledger.jsonl")
    with pytest.raises(RunError, match="another process is writing this run"):
        shred(run)
    book.close()
    assert (run / "blobs.jsonl").exists()


def test_why_a_cell_failed_is_a_text_that_can_be_shredded(finished: Made, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    shutil.copytree(finished.plan.parent / "case", tmp_path / "case")
    plan.write_text(finished.plan.read_text("utf-8"), "utf-8")
    # This row is longer than the model's context of 256 tokens; the error names it, and with it a person.
    long = {**rows("forget")[0], "prompt": "Member Zorvath Quillon. " + "x " * 300}
    path = tmp_path / "case" / "forget.jsonl"
    path.write_text("".join(json.dumps(o) + "\n" for o in (long, *rows("forget")[1:])), "utf-8")
    with pytest.raises(RunError, match="row 'Zorvath Quillon/Grove'"):
        carry_out(tmp_path, "choice")
    run = tmp_path / "run"
    assert [line for line in read_lines(run) if line["kind"] == "cell_failed"]
    (run / "report.html").unlink()
    assert "Zorvath" in found_in(run, {"Zorvath"})
    shred(run)
    assert found_in(run, {"Zorvath", "Quillon"}) == set()


# A full disk


def test_a_run_on_a_full_disk_says_so_and_goes_on_where_it_was(finished: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    out = finished.plan.parent / "full"
    real, left = Ledger.commit, [4]

    def commit(book: Ledger) -> None:
        left[0] -= 1
        with pytest.MonkeyPatch.context() as patch:
            if left[0] == 0:
                patch.setattr("vestige.ledger.os.fsync", no_space)
            real(book)

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "commit", commit)
        with pytest.raises(RunError, match=r"could not write \(No space left on device\); free some space and run the same command again"):
            carry_out(finished.plan.parent, "choice", "full", key_from=finished.out)
    assert not (out / "verdict.json").exists()
    carry_out(finished.plan.parent, "choice", "full", key_from=finished.out)
    assert (out / "verdict.json").read_bytes() == (finished.out / "verdict.json").read_bytes()
    cells = [line["body"]["cell"] for line in read_lines(out) if line["kind"] == "cell_done"]
    assert len(cells) == len(set(cells))
    assert verify(out).sound


def test_a_folder_where_nothing_can_be_written_keeps_the_old_verdict(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (run / "verdict.json").read_bytes()

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("vestige.blobs.os.fsync", no_space)
        code, output = call("report", str(run))
    assert code == 2
    assert "could not write (No space left on device); free some space" in output
    assert (run / "verdict.json").read_bytes() == before


def test_the_desk_module_names_every_file_it_knows() -> None:
    documented = set(re.findall(r"\b\w+\.(?:jsonl|json|html|torn)\b|\bkey\b", run_folder.__doc__ or ""))
    assert {"ledger.jsonl", "blobs.jsonl", "key", "verdict.json", "seal.json", "report.html"} <= documented
