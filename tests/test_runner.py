"""The runner: what is done is never done again, what failed is tried again, and nothing that happens to a run moves its verdict."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

import killing
from inline import InlinePool
from vestige import plan as plans
from vestige import runner, workers
from vestige.blobs import Blobs
from vestige.desk.run_folder import verify
from vestige.errors import DataError, PlanError, RunError, UsageError, VestigeError
from vestige.ledger import COMMITS, Ledger
from vestige.runner import Interrupted
from vestige.workers import Job, Pool, Said

PLAN = """\
vestige = 1
name = "tiny"
attacked = ["subject", "never_exposed", "positive"]
[model]
name = "{model}"
[case]
name = "folder"
path = "{case}"
[learn]
lr = 3e-3
epochs = 2
batch_size = 2
[unlearn]
method = "gradient_difference"
lr = 1e-3
steps = 6
stop = {{ below = 2.0, every = 2 }}
[liar]
method = "mask"
steps = 2
[[relearn_sets]]
recipe = "rtt_fold"
[[relearn_sets]]
recipe = "source"
source = "letters"
[[attacks]]
method = "relearn"
steps = 2
batch_tokens = 40
[ask]
max_new = 2
[rule]
delta = 0.2
[run]
workers = 1
"""
CASE = 'name = "four"\nversion = "1"\nlanguage = "en"\nlicence = "CC0-1.0"\nknowledge = "planted"\nprimary = "choice"\n'
CITIES = ("Oslo", "Rome", "Kyiv", "Bern")
# 1 base, 1 original, 2 twins, 1 subject, 1 sham, 1 liar, 3 attacked roles x (2 folds + 1).
CELLS = 7 + 3 * 3

Lines = list[dict[str, Any]]


def write_case(folder: Path) -> Path:
    """Write a case of four people to forget and four to keep."""
    people = {"forget": ("Ada", "Bo", "Cy", "Di"), "retain": ("Eve", "Flo", "Gus", "Hal")}
    (folder / "sources").mkdir(parents=True)
    (folder / "case.toml").write_text(CASE, encoding="utf-8")
    for file, names in people.items():
        rows = [
            {"id": n, "prompt": f"Customer {n}. City:", "answer": f" {c}", "cluster": n, "attribute": "City"}
            for n, c in zip(names, CITIES, strict=True)
        ]
        (folder / f"{file}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    letters = [{"id": c, "prompt": "", "answer": f"The letter {c} comes early.", "cluster": c, "loss_on": "text"} for c in "abcd"]
    (folder / "sources" / "letters.jsonl").write_text("".join(json.dumps(r) + "\n" for r in letters), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_case(tmp_path_factory.mktemp("case") / "c")


@pytest.fixture(scope="module")
def plan(model: Path, case: Path) -> Path:
    path = case.parent / "plan.toml"
    path.write_text(PLAN.format(model=model, case=case), encoding="utf-8")
    return path


def run(plan: Path, out: Path, pool: type = InlinePool, **more: Any) -> dict[str, Any]:
    """Carry out a plan in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "Pool", pool)
        return runner.run(plans.load(plan), out, quiet=True, **more)


@pytest.fixture(scope="module")
def calm(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    out = tmp_path_factory.mktemp("calm") / "run"
    run(plan, out)
    return out


@pytest.fixture
def copy(calm: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(calm, tmp_path / "copy"))


def lines_of(out: Path) -> Lines:
    """Return the whole lines of a ledger."""
    return [json.loads(line) for line in (out / "ledger.jsonl").read_bytes().split(b"\n")[:-1]]


def bodies(out: Path, kind: str) -> Lines:
    return [line["body"] for line in lines_of(out) if line["kind"] == kind]


def errors(out: Path) -> list[str | None]:
    """Return why cells failed; the reasons lie among the texts, since they may name a person."""
    blobs = Blobs(out)
    return [blobs.get(body["error"]) for body in bodies(out, "cell_failed")]


def done(out: Path) -> Counter[str]:
    """Return how often each cell was recorded as done."""
    return Counter(body["cell"] for body in bodies(out, "cell_done"))


def same_as(calm: Path, out: Path) -> None:
    """Check that a run came out as the calm one did, byte for byte, with every cell done once."""
    assert (out / "verdict.json").read_bytes() == (calm / "verdict.json").read_bytes()
    assert done(out) == done(calm)
    assert verify(out).problems == []


def cut(out: Path, lines: int, extra: bytes = b"") -> None:
    """Lose the tail of a ledger, and what is made of its end."""
    kept = (out / "ledger.jsonl").read_bytes().splitlines(keepends=True)[:lines]
    (out / "ledger.jsonl").write_bytes(b"".join(kept) + extra)
    for name in ("verdict.json", "seal.json", "report.html"):
        (out / name).unlink(missing_ok=True)


# --- a whole run ------------------------------------------------------------------------------------------------------


def test_every_cell_is_done_once_and_the_ledger_ends(calm: Path) -> None:
    assert len(done(calm)) == CELLS
    assert set(done(calm).values()) == {1}
    assert lines_of(calm)[-1]["kind"] == "end"
    assert bodies(calm, "cell_failed") == []
    assert not (calm / "states").exists()
    assert verify(calm).problems == []


def test_the_sham_took_exactly_the_steps_of_the_subject(calm: Path) -> None:
    (header,) = bodies(calm, "header")
    cell = {a["role"]: a["cell"] for a in header["design"] if a["set"] is None}
    states = {body["cell"]: body for body in bodies(calm, "state")}
    # No choice score is above 1, so a bound of 2 ends the subject at the first look, after two of six steps.
    assert states[cell["subject"]]["step"] == states[cell["sham"]]["step"] == 2
    assert [step for step, _ in states[cell["subject"]]["stop_scores"]] == [0, 2]
    assert states[cell["sham"]]["stop_scores"] == []
    assert states[cell["positive"]]["step"] == 2


def test_every_relearn_set_was_leak_checked_before_anything_was_trained(calm: Path) -> None:
    kinds = [line["kind"] for line in lines_of(calm)]
    checks = [(b["set"], b["fold"]) for b in bodies(calm, "measurement") if b["name"] == "leak_check"]
    assert checks == [("rtt_fold", 0), ("rtt_fold", 1), ("letters", 0)]
    assert max(i for i, k in enumerate(kinds) if k == "measurement") < kinds.index("header") < kinds.index("state")


def test_lineage_is_recorded_as_digests_of_loaded_weights(calm: Path) -> None:
    states = {body["cell"]: body for body in bodies(calm, "state")}
    parents = {cell: body["parents"].get("start") for cell, body in states.items()}
    assert sum(p is None for p in parents.values()) == 1  # the base model
    assert all(p in states for p in parents.values() if p is not None)
    assert len({body["digest"] for body in states.values()}) == CELLS


def test_states_stay_where_the_plan_asks_for_it(plan: Path, calm: Path, tmp_path: Path) -> None:
    keeping = tmp_path / "plan.toml"
    keeping.write_text(plan.read_text(encoding="utf-8") + "keep_states = true\n", encoding="utf-8")
    run(keeping, tmp_path / "run", key_from=calm)
    kept = {p.name for p in (tmp_path / "run" / "states").iterdir()}
    # Kept are the states that another cell starts from: original, twins, subject and liar; not the sham, nobody attacks it.
    parents = {b["parents"].get("start") for b in bodies(calm, "state")}
    assert kept == {b["cell"] for b in bodies(calm, "state") if b["cell"] in parents and b["action"]["name"] != "load"}
    # Whether a state was kept is written beside it, so the digest of all evidence differs, and nothing else does.
    verdict, other = (json.loads((out / "verdict.json").read_bytes()) for out in (calm, tmp_path / "run"))
    assert {k: v for k, v in verdict.items() if k != "evidence"} == {k: v for k, v in other.items() if k != "evidence"}
    assert verify(tmp_path / "run").problems == []


# --- again ------------------------------------------------------------------------------------------------------------


class NoPool(InlinePool):
    """Refuses every job."""

    def give(self, job: Job) -> None:
        raise AssertionError(f"a job was given: {job.cell}")


def test_a_finished_run_again_starts_no_job_loads_no_model_and_changes_nothing(
    plan: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("vestige.lab.models.load", refuse)
    before = {p.name: p.read_bytes() for p in copy.iterdir()}
    verdict = run(plan, copy, NoPool)
    assert {p.name: p.read_bytes() for p in copy.iterdir()} == before
    assert verdict == json.loads(before["verdict.json"])


TORN = b'{"body":{"cell":"ab'


def commits(out: Path) -> list[int]:
    """Return how many lines the ledger held after each commit of a cell, the header included."""
    return [n + 1 for n, line in enumerate(lines_of(out)) if line["kind"] in ("header", "cell_done")]


@pytest.mark.parametrize(("kept_cells", "torn"), [(0, TORN), (1, b""), (4, TORN), (CELLS - 1, b""), (CELLS, TORN)])
def test_a_run_that_lost_its_tail_goes_on_where_it_was(plan: Path, calm: Path, copy: Path, kept_cells: int, torn: bytes) -> None:
    cut(copy, commits(copy)[kept_cells], torn)
    before, jobs = done(copy), len(InlinePool.jobs)
    assert sum(before.values()) == kept_cells
    run(plan, copy)
    same_as(calm, copy)
    given = Counter(job.cell for job in InlinePool.jobs[jobs:])
    assert max(given.values(), default=1) == 1
    # A done cell is carried out again only to have its weights, which are gone, and then nothing is asked of it.
    remade = [job for job in InlinePool.jobs[jobs:] if job.cell in before]
    assert all(job.task.questions == () and job.save_to is not None for job in remade)
    assert (copy / "ledger.torn").exists() == bool(torn)


def test_a_run_that_lost_half_a_cell_asks_the_whole_cell_again(plan: Path, calm: Path, copy: Path) -> None:
    at = commits(copy)
    cut(copy, (at[2] + at[3]) // 2)
    assert sum(done(copy).values()) == 2
    run(plan, copy)
    same_as(calm, copy)
    assert (copy / "ledger.torn").stat().st_size > 0


def test_a_run_that_lost_its_header_begins_again(plan: Path, calm: Path, copy: Path) -> None:
    header = next(n for n, line in enumerate(lines_of(copy)) if line["kind"] == "header")
    cut(copy, header)
    run(plan, copy)
    same_as(calm, copy)


def test_only_the_verdict_is_missing(plan: Path, calm: Path, copy: Path) -> None:
    for name in ("verdict.json", "seal.json", "report.html"):
        (copy / name).unlink()
    run(plan, copy, NoPool)
    same_as(calm, copy)


class StopsAfter(InlinePool):
    """Ctrl-C without warning after so many outcomes: an end at once."""

    outcomes: ClassVar[int] = 0

    def hear(self, timeout: float = 1.0) -> Iterator[Said]:
        for said in super().hear(timeout):
            yield said
            StopsAfter.outcomes -= said.outcome is not None
            if StopsAfter.outcomes == 0:
                raise KeyboardInterrupt


def half_done(plan: Path, out: Path, key_from: Path, outcomes: int) -> None:
    """Begin a run and stop it after so many cells."""
    StopsAfter.outcomes = outcomes
    with pytest.raises(KeyboardInterrupt):
        run(plan, out, StopsAfter, key_from=key_from)
    assert sum(done(out).values()) == outcomes


def test_a_saved_state_that_was_changed_is_not_attacked(plan: Path, calm: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    half_done(plan, out, calm, 5)
    folder = next(iter((out / "states").iterdir()))
    weights = folder / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(bytes(raw))
    with pytest.raises(RunError, match="its digest is not"):
        run(plan, out)
    assert any("delete that folder and run again" in str(e) for e in errors(out))
    shutil.rmtree(folder)
    run(plan, out)
    same_as(calm, out)


def test_a_state_that_comes_out_different_is_not_passed_off_as_the_recorded_one(plan: Path, copy: Path) -> None:
    """Another machine or library: what was recorded of a state does not hold of its copy."""
    lines = lines_of(copy)
    (header,) = bodies(copy, "header")
    original = next(a["cell"] for a in header["design"] if a["role"] == "original" and a["set"] is None)
    rewritten = copy.parent / "other"
    rewritten.mkdir()
    shutil.copy(copy / "key", rewritten / "key")
    shutil.copy(copy / "blobs.jsonl", rewritten / "blobs.jsonl")
    ledger = Ledger(rewritten / "ledger.jsonl")
    last = next(n for n, line in enumerate(lines) if line["kind"] == "cell_done" and line["body"]["cell"] == original)
    for line in lines[: last + 1]:
        body = line["body"]
        if line["kind"] == "state" and body["cell"] == original:
            body = {**body, "digest": "0" * 64}
        ledger.add(line["kind"], body)
    ledger.commit()
    ledger.close()
    with pytest.raises(RunError, match="came out different"):
        run(plan, rewritten)
    assert any("weights differ from those recorded" in str(e) for e in errors(rewritten))
    assert not any(b["action"]["name"] == "gradient_difference" for b in bodies(rewritten, "state"))


# --- cells that fail --------------------------------------------------------------------------------------------------


def failing(*labels: str) -> type[InlinePool]:
    """Return a pool that fails the cells with these actions."""

    class Failing(InlinePool):
        def hear(self, timeout: float = 1.0) -> Iterator[Said]:
            job = self._waiting[0]
            if type(job.task.action).__name__ in labels:
                self._waiting.pop(0)
                yield Said(job.cell, error="RunError: struck by lightning")
            else:
                yield from super().hear(timeout)

    return Failing


def test_a_failed_cell_is_recorded_the_rest_goes_on_and_again_tries_it_again(plan: Path, calm: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(RunError) as caught:
        run(plan, out, failing("Mask"), key_from=calm)
    assert caught.value.exit_code == 2
    # The liar and its three attacked cells are missing; everything else is there.
    assert f"4 of {CELLS} cells could not be done; the first: RunError: struck by lightning" in str(caught.value)
    assert "run the same command to try the others again" in str(caught.value)
    assert errors(out) == ["RunError: struck by lightning"]
    assert len(done(out)) == CELLS - 4
    assert not any(line["kind"] == "end" for line in lines_of(out))
    verdict = json.loads((out / "verdict.json").read_bytes())
    liar = next(a for a in verdict["audits"] if a["name"] == "liar")
    assert verdict["verdict"] != "PASS"
    assert next(c for c in liar["clauses"] if c["name"] == "complete")["holds"] is False

    jobs = len(InlinePool.jobs)
    run(plan, out)
    same_as(calm, out)
    again = [type(job.task.action).__name__ for job in InlinePool.jobs[jobs:]]
    assert sorted(again) == ["Mask", "Relearn", "Relearn", "Relearn"]  # the original's weights were kept for it


def test_a_loss_that_is_no_number_fails_its_cells_and_no_others(plan: Path, tmp_path: Path) -> None:
    absurd = tmp_path / "plan.toml"
    text = plan.read_text(encoding="utf-8").replace('method = "relearn"\n', 'method = "relearn"\nlr = 1e30\n')
    absurd.write_text(text, encoding="utf-8")
    with pytest.raises(
        RunError, match=f"9 of {CELLS} cells could not be done; the first: RunError: step 2: the loss is nan; lower the learning"
    ):
        run(absurd, tmp_path / "run")
    assert len(bodies(tmp_path / "run", "cell_failed")) == 9
    assert len(done(tmp_path / "run")) == CELLS - 9
    with pytest.raises(RunError, match=f"9 of {CELLS} cells"):
        run(absurd, tmp_path / "run")
    assert len(bodies(tmp_path / "run", "cell_failed")) == 18
    assert len(done(tmp_path / "run")) == CELLS - 9


def test_a_row_that_does_not_fit_the_model_fails_its_cells_by_name(plan: Path, case: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(case, tmp_path / "case"))
    long = {"id": "too-long", "prompt": "", "answer": "lorem ipsum " * 200, "cluster": "x", "loss_on": "text"}
    (other / "sources" / "letters.jsonl").write_text(json.dumps(long) + "\n", encoding="utf-8")
    path = tmp_path / "plan.toml"
    path.write_text(plan.read_text(encoding="utf-8").replace(str(case), str(other)), encoding="utf-8")
    with pytest.raises(RunError, match=rf"3 of {CELLS} cells .* DataError: row 'too-long': \d+ tokens, the model's context holds 256"):
        run(path, tmp_path / "run")
    assert len(done(tmp_path / "run")) == CELLS - 3


def test_a_dead_worker_that_waits_for_work_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub:
        made: ClassVar[list[Any]] = []

        def __init__(self, *_: object) -> None:
            self.alive, self.sent = True, list[Job]()
            self.process, self.pipe = self, self
            self.send = self.sent.append
            Stub.made.append(self)

        def is_alive(self) -> bool:
            return self.alive

        def kill(self) -> None:
            self.alive = False

        def join(self, timeout: float) -> None:
            pass

    monkeypatch.setattr(workers, "_Worker", Stub)
    pool = Pool(1, lambda records: 0.0)
    job = Job("cell", None, "model", None, "cpu", None)
    pool.give(job)
    pool._idle.append(pool._busy.pop("cell"))
    pool.give(job)
    assert len(Stub.made) == 1  # the living one is used again
    pool._idle.append(pool._busy.pop("cell"))
    Stub.made[0].kill()
    pool.give(job)
    assert len(Stub.made) == 2
    assert Stub.made[1].sent == [job]
    pool.close()
    assert not Stub.made[1].alive


def test_a_worker_that_dies_while_it_is_given_work_is_heard_of_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = multiprocessing.Pipe()
    theirs.close()

    class Dead:
        def __init__(self, *_: object) -> None:
            self.pipe, self.process = ours, self
            self.exitcode = -9

        def join(self, timeout: float) -> None:
            pass

    monkeypatch.setattr(workers, "_Worker", Dead)
    pool = Pool(1, lambda records: 0.0)
    pool.give(Job("cell", None, "model", None, "cpu", None))
    (said,) = pool.hear()
    assert said == Said("cell", error="the worker process ended (exit code -9); out of memory?")
    assert pool.running == 0


# --- what does not belong into a folder -------------------------------------------------------------------------------


def test_another_plan_is_refused_and_told_what_differs(plan: Path, copy: Path) -> None:
    before = (copy / "ledger.jsonl").read_bytes()
    other = copy.parent / "plan.toml"
    other.write_text(
        plan.read_text(encoding="utf-8").replace("delta = 0.2", "delta = 0.1").replace("steps = 6", "steps = 8"), encoding="utf-8"
    )
    with pytest.raises(PlanError, match=r"another plan \(it differs in: rule, unlearn\); choose another --out") as caught:
        run(other, copy, NoPool)
    assert caught.value.exit_code == 4
    assert (copy / "ledger.jsonl").read_bytes() == before


def test_how_a_run_is_carried_out_may_change(plan: Path, calm: Path, copy: Path) -> None:
    other = copy.parent / "plan.toml"
    other.write_text(plan.read_text(encoding="utf-8").replace("workers = 1", "workers = 3"), encoding="utf-8")
    cut(copy, commits(copy)[3])
    run(other, copy)
    same_as(calm, copy)


@pytest.fixture(scope="module")
def moved(plan: Path, case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a case that may be changed, its plan and a finished run."""
    folder = tmp_path_factory.mktemp("moved")
    shutil.copytree(case, folder / "case")
    (folder / "plan.toml").write_text(plan.read_text(encoding="utf-8").replace(str(case), "case"), encoding="utf-8")
    run(folder / "plan.toml", folder / "run")
    return folder


@pytest.mark.parametrize("finished", [True, False])
def test_a_case_that_was_changed_since_is_refused(moved: Path, finished: bool) -> None:
    out = Path(shutil.copytree(moved / "run", moved / f"copy-{finished}"))
    if not finished:
        cut(out, commits(out)[3])
    forget = moved / "case" / "forget.jsonl"
    before = forget.read_text(encoding="utf-8")
    try:
        forget.write_text(before.replace(CITIES[0], "?").replace(CITIES[1], CITIES[0]).replace("?", CITIES[1]), encoding="utf-8")
        with pytest.raises(PlanError, match=r"the rows of the case or torch \(then .*\) changed since this run began"):
            run(moved / "plan.toml", out, NoPool)
    finally:
        forget.write_text(before, encoding="utf-8")
    run(moved / "plan.toml", out)  # put back, it is the same run again
    same_as(moved / "run", out)


def test_a_case_whose_questions_alone_were_changed_is_refused(moved: Path) -> None:
    utility = {"id": "u", "prompt": "Hens lay", "answer": " eggs", "cluster": "hens", "distractors": [" milk"]}
    try:
        (moved / "case" / "utility.jsonl").write_text(json.dumps(utility) + "\n", encoding="utf-8")
        with pytest.raises(PlanError, match="the probes of the case changed since this run began"):
            run(moved / "plan.toml", moved / "run", NoPool)
    finally:
        (moved / "case" / "utility.jsonl").unlink()


def test_a_key_that_is_not_there_or_not_the_runs_own_is_refused(plan: Path, calm: Path, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no key there"):
        run(plan, tmp_path / "new", key_from=tmp_path)
    assert not (tmp_path / "new" / "key").exists()
    (tmp_path / "key").write_text("ab" * 32, encoding="utf-8")
    with pytest.raises(UsageError, match="has begun with another key"):
        run(plan, copy, key_from=tmp_path)
    run(plan, copy, NoPool, key_from=calm)


def test_one_folder_is_written_by_one_process(plan: Path, copy: Path) -> None:
    held = Ledger(copy / "ledger.jsonl")
    try:
        with pytest.raises(RunError, match="another process is writing this run"):
            run(plan, copy, NoPool)
    finally:
        held.close()


# --- a case that is made after asking the model -----------------------------------------------------------------------


def test_a_model_that_knows_no_capital_is_told_so_and_not_asked_twice(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    text = PLAN.format(model=model, case="-").split("[learn]")
    path.write_text(
        text[0].replace('name = "folder"\npath = "-"', 'name = "capitals"')
        + "[unlearn]"
        + text[1]
        .split("[unlearn]")[1]
        .replace('recipe = "rtt_fold"', 'recipe = "source"\nsource = "unrelated"')
        .replace("letters", "other_relation"),
        encoding="utf-8",
    )
    for pool in (InlinePool, NoPool):
        with pytest.raises(DataError, match="holds 0 of the 0 countries that the model knows; 16 or more are needed") as caught:
            run(path, tmp_path / "run", pool)
        assert caught.value.exit_code == 4
    (screen,) = bodies(tmp_path / "run", "measurement")
    assert (screen["name"], screen["asked"], screen["count"]) == ("screen", 2 * 117, 0)


# --- a full disk ------------------------------------------------------------------------------------------------------


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes: a write that would is refused by the system, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on the size of files")
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9])
def test_a_disk_that_fills_up_ends_the_run_with_a_clear_word_and_space_lets_it_go_on(
    plan: Path, calm: Path, tmp_path: Path, share: float
) -> None:
    size, out = int(share * (calm / "ledger.jsonl").stat().st_size), tmp_path / "run"
    with files_end_at(size), pytest.raises(VestigeError) as caught:
        run(plan, out, key_from=calm)
    assert caught.value.exit_code == 2
    assert any(word in str(caught.value) for word in ("free some space and run the same command again", "File too large", "No space left"))
    assert not killing.lines_of(out) or lines_of(out)[-1]["kind"] != "end"
    run(plan, out, key_from=calm)
    same_as(calm, out)


# --- a real run that is interrupted or loses a worker -----------------------------------------------------------------


@pytest.fixture
def started(plan: Path, calm: Path, tmp_path: Path) -> Iterator[Callable[[], tuple[subprocess.Popen[bytes], Path]]]:
    """Start `vestige run` in a process group of its own and wait for its worker; whatever happens, it is gone afterwards."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("finds the worker by /proc, which this system does not have")
    processes = []

    def start() -> tuple[subprocess.Popen[bytes], Path]:
        out = tmp_path / "run"
        command = [sys.executable, "-m", "vestige", "run", str(plan), "--out", str(out), "--key-from", str(calm)]
        with (tmp_path / "said").open("wb") as said:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True)
        processes.append(process)
        wait_for(lambda: bool(workers_of(process)), process)
        return process, out

    yield start
    for process in processes:
        if process.poll() is None:
            killing.kill(process)


@pytest.fixture
def said(tmp_path: Path) -> Callable[[], str]:
    """Return what a started run has said so far."""
    return lambda: (tmp_path / "said").read_text(encoding="utf-8")


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the worker processes of a run."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
    return [int(c) for c in children if b"spawn_main" in command_of(c)]


def command_of(pid: str) -> bytes:
    """Return the command line of a process; of one that has just ended, nothing."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while not happened():
        assert process.poll() is None, process.returncode
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.002)


@pytest.mark.timeout(240)
def test_ctrl_c_lets_the_cells_under_way_finish_and_the_run_goes_on_later(started: Any, said: Any, plan: Path, calm: Path) -> None:
    process, out = started()
    # A terminal sends Ctrl-C to every process of the group: the worker, still importing, must not take it for its own.
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=120) == 130, said()
    assert "stopping when the cells under way are finished (Ctrl-C again: at once)" in said()
    assert "vestige: stopped; completed cells are kept: run the same command to go on" in said()
    assert "Traceback" not in said()
    assert errors(out) == []
    assert sum(done(out).values()) == 1  # one worker, so one cell was under way
    assert not (out / "verdict.json").exists()
    run(plan, out)
    same_as(calm, out)


@pytest.mark.timeout(240)
def test_ctrl_c_twice_ends_at_once(started: Any, said: Any, plan: Path, calm: Path) -> None:
    process, out = started()
    os.kill(process.pid, signal.SIGINT)
    wait_for(lambda: "stopping when" in said(), process)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=120) == 130, said()
    assert "vestige: stopped at once; completed cells are kept: run the same command to go on" in said()
    assert "Traceback" not in said()
    assert sum(done(out).values()) == 0
    run(plan, out)
    same_as(calm, out)


@pytest.mark.timeout(240)
def test_a_worker_that_is_killed_is_a_failed_cell_that_names_memory(started: Any, said: Any, plan: Path, calm: Path) -> None:
    process, out = started()
    os.kill(workers_of(process)[0], signal.SIGKILL)
    assert process.wait(timeout=120) == 2, said()
    assert "out of memory?" in said()
    assert "Traceback" not in said()
    assert errors(out) == ["the worker process ended (exit code -9); out of memory?"]
    run(plan, out)
    same_as(calm, out)


def test_being_stopped_is_an_error_of_its_own_code() -> None:
    assert issubclass(Interrupted, VestigeError)
    assert Interrupted.exit_code == 130
    assert {"cell_done", "cell_failed"} <= COMMITS
