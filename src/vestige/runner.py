"""Run the cells that are missing, record them, judge the ledger. The one file that sees both wings.

One process writes the ledger; workers of one thread each carry out cells. A cell's lines are committed together, so
a run that is killed at any moment goes on where it was: run the same command again.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import FrameType
from typing import Any

from vestige.blobs import Blobs
from vestige.cells import Arm, Cell, Graph, size_of
from vestige.desk import metrics, run_folder
from vestige.errors import DataError, PlanError, RunError, UsageError
from vestige.graph import Source, build
from vestige.lab import model_sources
from vestige.lab.cell import Outcome, Question, Task
from vestige.lab.models import LanguageModel, without_weights
from vestige.lab.tracing import Material, Trace
from vestige.ledger import Ledger
from vestige.never_exposed import NeverExposed, never_exposed
from vestige.plan import Plan
from vestige.progress import Progress
from vestige.recording import Recorder
from vestige.recording_relearn import record_v_information
from vestige.records import Answer, Case, Group, Missing, RelearnSet, plain
from vestige.run_traces import material, trace_lines, traced_arms, traces_of
from vestige.target import Target
from vestige.v_information import Score, informs
from vestige.workers import Job, Pool, Said, outcome_of
from vestige.written_sets import PRICED, Helpers, Kept, Sets, sets_of


class Interrupted(RunError):
    """The user stopped the run; running it again goes on."""

    exit_code = 130


@dataclass
class _Session:
    """A run folder that is being worked on."""

    folder: Path
    plan: Plan
    case: Case
    graph: Graph
    recorder: Recorder
    pool: Pool
    progress: Progress
    sets: Sets
    done: set[str] = field(default_factory=set)
    states: dict[str, tuple[str, int]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    stopping: bool = False

    @cached_property
    def traced(self) -> Mapping[str, Arm]:
        """The cells before which the unlearned model is looked into, with the arm each is."""
        return traced_arms(self.plan, self.graph)

    def state_folder(self, cell: str) -> Path:
        """Return where a cell's model is kept while other cells need it."""
        return self.folder / "states" / cell


def run(plan: Plan, folder: Path, *, key_from: Path | None = None, quiet: bool = False) -> dict[str, Any]:
    """Carry out `plan` in `folder` and return the verdict; again = resume; finished = no-op.

    Raises:
        RunError: a cell failed, the disk is full, or another process writes this run; Interrupted: Ctrl-C.
        PlanError: the folder belongs to another plan, or a model or the case changed since. UsageError: no key in `key_from`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder / "ledger.jsonl")
    try:
        _refuse_other_plan(ledger, plan, folder)
        blobs = _texts(folder, ledger, key_from)
        finished = bool(ledger.lines) and ledger.lines[-1]["kind"] == "end"
        if not (finished and blobs.shredded):
            _work(plan, folder, Recorder(ledger, blobs, plan.ask), quiet, finished=finished)
    finally:
        ledger.close()
    return run_folder.judge(folder)


def _texts(folder: Path, ledger: Ledger, key_from: Path | None) -> Blobs:
    """Open the texts of a run. One that has begun never gets another key: its ids would mean nothing any more."""
    if key_from is not None and not (key_from / "key").is_file():
        raise UsageError(f"--key-from {key_from}: no key there; expected the folder of a run whose texts were not shredded")
    if not ledger.lines:
        return Blobs.create(folder, key_from)
    blobs = Blobs(folder)
    if key_from is not None and blobs.key != Blobs(key_from).key:
        raise UsageError(f"--key-from {key_from}: {folder} has begun with another key; leave the option out, or choose another --out")
    return blobs


def _header(ledger: Ledger) -> Mapping[str, Any] | None:
    return next((line["body"] for line in ledger.lines if line["kind"] == "header"), None)


def _refuse_other_plan(ledger: Ledger, plan: Plan, folder: Path) -> None:
    header = _header(ledger)
    if header and header["plan_digest"] != plan.digest():
        now = plain(plan.described())
        keys = [k for k in sorted({*now, *header["plan"]}) if now.get(k) != header["plan"].get(k)]
        raise PlanError(f"{folder} holds the run of another plan (it differs in: {', '.join(keys)}); choose another --out")


def _refuse_other_inputs(session: _Session) -> None:
    """A plan names models and a case by path or name; what is there may have changed since the run began."""
    header = _header(session.recorder.ledger)
    if header is None:
        return
    if header["design"] != [plain(arm) for arm in session.graph.arms]:
        raise PlanError(
            f"{session.folder}: a model, the rows of the case or torch (then {header['environment']['torch']}) changed since this run "
            "began; choose another --out"
        )
    if header["probes"] != [session.recorder.about(p) for p in session.case.probes]:
        raise PlanError(f"{session.folder}: the probes of the case changed since this run began; choose another --out")


def _work(plan: Plan, folder: Path, recorder: Recorder, quiet: bool, *, finished: bool) -> None:
    """Do what is left of a run; of a finished one, only make sure that it is still the run of this plan."""
    progress = Progress(total=1.0, quiet=quiet)
    pool = Pool(plan.run.workers, metrics.score)
    try:
        case = _case(plan, recorder, pool, progress)
        helpers, score = _helpers(plan, case, recorder, pool, progress)
        graph, sets = graph_of(plan, case, recorder.blobs.key, sets_of(plan, case, helpers))
        session = _Session(folder, plan, case, graph, recorder, pool, progress, sets)
        _refuse_other_inputs(session)
        if finished:
            return
        _begin(session, helpers.count, score)
        with _stops_gently(session):
            _carry_out(session)
    finally:
        pool.close()
        progress.end()
    _finish(session)


def graph_of(plan: Plan, case: Case, key: bytes = b"", sets: Sets | None = None) -> tuple[Graph, Sets]:
    """Return the cells of a plan and its relearn sets by probe group; without `sets`, as they can be told before anything is loaded."""
    chosen = sets_of(plan, case, PRICED) if sets is None else sets
    models = [m for m in (plan.models.name, plan.models.unlearned, plan.models.original, plan.models.twin) if m]
    if plan.audits_a_checkpoint:
        models.remove(plan.models.name)
    fingerprints = {m: model_sources.fingerprint(m) for m in models}
    return build(Source(plan, case, chosen, fingerprints, key)), chosen


def _helpers(plan: Plan, case: Case, recorder: Recorder, pool: Pool, progress: Progress) -> tuple[Helpers, Score | Missing]:
    """Return what helps to make the relearn sets, and what scores answers under a model that was never exposed to them."""

    @cache
    def tokenizer() -> LanguageModel:
        return without_weights(plan.models.unlearned or plan.models.name)

    def count(text: str) -> int:
        return len(tokenizer().tokenizer(text, add_special_tokens=False)["input_ids"])

    @cache
    def writer() -> Target:
        assert plan.writer is not None
        progress.note(f"a relearn set is being written by {plan.writer.local or plan.writer.model}")
        return plan.writer.opened(plan.models.device)

    found = never_exposed(plan, case)
    score = found if isinstance(found, Missing) else NeverExposed(found, plan, lambda job: outcome_of(pool, job))
    inform = informs(score) if plan.leaks.v_information else None
    return Helpers(count, writer, inform, Kept(recorder, plan, case)), score


def _case(plan: Plan, recorder: Recorder, pool: Pool, progress: Progress) -> Case:
    """Make the case; one of pre-trained knowledge first asks the model what it knows."""
    made = plan.case.made
    if not hasattr(made, "screen"):
        return made()  # type: ignore[no-any-return]
    found = [line["body"] for line in recorder.ledger.lines if line["body"].get("name") == "screen"]
    if not found:
        progress.note(f"asking {plan.models.name} what it knows")
        found = [_screen(plan, recorder, pool)]
    text = recorder.blobs.get(found[0]["known"])
    if text is None:
        raise RunError("the list of what the model knows was shredded; this run cannot be continued")
    return made.known_to_model(tuple(json.loads(text)))  # type: ignore[no-any-return]


def _screen(plan: Plan, recorder: Recorder, pool: Pool) -> dict[str, Any]:
    made = plan.case.made
    kind = getattr(made, "screen_kind", "greedy")
    task = Task(None, {}, 0, (Question("end", kind, made.screen()),), plan.ask.max_new, plan.ask.precision)
    return _note_screened(made, outcome_of(pool, Job("screen", task, _screened(plan), None, plan.models.device, None)), recorder)


def _screened(plan: Plan) -> str:
    """Return the model that a case is screened on: the original, or a never-exposed one where nothing may be known yet."""
    models = plan.models
    if not hasattr(plan.case.made, "passed"):
        return models.original or models.unlearned or models.name
    start = models.twin if plan.audits_a_checkpoint else models.name
    if not start:
        raise PlanError(f"case {plan.case.name!r} is screened on a model that was never exposed; name one as model.twin")
    return start


def _note_screened(made: Any, outcome: Outcome, recorder: Recorder) -> dict[str, Any]:
    records = [r for _, _, found in outcome.records for r in found]
    if hasattr(made, "passed"):
        known, shown = list(made.passed(records)), made.shown(records)
    else:
        answers = {r.probe: r for r in records if isinstance(r, Answer)}
        known, shown = [p.cluster for p in made.screen() if metrics.says(answers[p.id].text, p.expected)], {}
    body = {"name": "screen", "asked": len(records), "count": len(known), "known": recorder.blobs.put(json.dumps(known)), **shown}
    recorder.ledger.add("measurement", body)
    recorder.commit()
    return body


def _begin(session: _Session, count: Callable[[str], int], score: Score | Missing) -> None:
    """Write the header and the leak checks of a new run, or read what a former session did."""
    lines = session.recorder.ledger.lines
    if not any(line["kind"] == "header" for line in lines):
        for group, chosen in session.sets.items():
            for relearn_set in chosen:
                _check(session, relearn_set, group, count, score)
        session.recorder.header(session.plan, session.case, session.graph, environment())
    for line in lines:
        if line["kind"] == "cell_done":
            session.done.add(line["body"]["cell"])
        elif line["kind"] == "state":
            session.states[line["body"]["cell"]] = (line["body"]["digest"], line["body"]["step"])
    reused = sum(1 for c in session.graph.cells if c in session.done)
    if reused:
        session.progress.note(f"resuming: {reused} of {len(session.graph.cells)} cells are done")
    session.progress.total = sum(size_of(c) for c in session.graph.cells.values() if c.digest not in session.done)


def _check(session: _Session, chosen: RelearnSet, group: Group, count: Callable[[str], int], score: Score | Missing) -> None:
    """Write what the leak check finds in a relearn set, what may predict its effect, and, if asked for, how much its rows tell."""
    recorder, probes = session.recorder, session.case.asked(group, wording="*")
    suspect, leaked = recorder.leak_check(chosen, group, probes, count=count)
    session.progress.note(f"leak check  {chosen.name} ({group}): {leaked} leaked, {suspect} suspect")
    if session.plan.leaks.v_information:
        telling = record_v_information(recorder, chosen, group, probes, score)
        says = score.reason if isinstance(score, Missing) else f"{len(telling)} suspect"
        session.progress.note(f"V-information  {chosen.name} ({group}): {says}")


def _carry_out(session: _Session) -> None:
    """Give out cells as they become ready until none is left that can be done."""
    while True:
        if not session.stopping:
            for cell in _ready(session)[: session.pool.free]:
                session.given.add(cell.digest)
                session.pool.give(_job(session, cell))
        if not session.pool.running:
            return
        for said in session.pool.hear():
            _heard(session, said)


def _ready(session: _Session) -> list[Cell]:
    """Return the cells that can start now, those most others wait for first."""
    ready = []
    for cell in session.graph.cells.values():
        if cell.digest in session.given or cell.digest in session.failed or not _wanted(session, cell):
            continue
        waits_for = [c for c in (cell.parent, cell.steps_as) if c]
        if all(_available(session, c, needs_state=c == cell.parent) for c in waits_for):
            ready.append(cell)
    return sorted(ready, key=lambda c: -_waiting(session, c))


def _wanted(session: _Session, cell: Cell) -> bool:
    """A cell is wanted if it is not done, or if its state is gone and an undone cell starts from it."""
    if cell.digest not in session.done:
        return True
    needed = any(_wanted(session, c) for c in session.graph.children(cell.digest))
    return needed and not _has_state(session, cell)


def _has_state(session: _Session, cell: Cell) -> bool:
    return cell.model is not None or session.state_folder(cell.digest).is_dir()


def _available(session: _Session, digest: str, *, needs_state: bool) -> bool:
    cell = session.graph.cells[digest]
    return digest in session.done and (not needs_state or _has_state(session, cell)) and digest not in session.given


def _waiting(session: _Session, cell: Cell) -> float:
    """Return the longest chain of work that waits for a cell, itself included."""
    return size_of(cell) + max((_waiting(session, c) for c in session.graph.children(cell.digest)), default=0.0)


def _job(session: _Session, cell: Cell) -> Job:
    parent = session.graph.cells[cell.parent] if cell.parent else None
    start = cell.model or (parent.model if parent and parent.model else str(session.state_folder(parent.digest if parent else "")))
    remake = cell.digest in session.done
    questions = () if remake else tuple(Question(a.step, a.kind, a.probes) for a in cell.asks)
    stop = cell.stop
    task = Task(
        cell.action,
        cell.data,
        cell.seed,
        questions,
        session.plan.ask.max_new,
        session.plan.ask.precision,
        session.states[cell.steps_as][1] if cell.steps_as else None,
        stop.below if stop else None,
        stop.every if stop else 1,
        cell.stop_probes,
        *_looks(session, cell, remake=remake),
    )
    start_digest = session.states[parent.digest][0] if parent else None
    save_to = session.state_folder(cell.digest) if cell.action and session.graph.children(cell.digest) else None
    return Job(cell.digest, task, start, start_digest, session.plan.models.device, save_to)


def _looks(session: _Session, cell: Cell, *, remake: bool) -> tuple[tuple[tuple[str, Trace], ...], Material | None]:
    """Return the traces to be taken before a cell acts, and what they look at."""
    arm = None if remake else session.traced.get(cell.digest)
    return (traces_of(session.plan), material(session.case, session.sets, cell, arm)) if arm else ((), None)


def _heard(session: _Session, said: Said) -> None:
    cell = session.graph.cells[said.cell]
    size = size_of(cell)
    if said.error is not None:
        session.failed[cell.digest] = said.error
        session.recorder.failed(cell, said.error)
        session.progress.note(f"FAILED  {cell.label}: {said.error}")
    elif said.outcome is not None:
        _done(session, cell, said.outcome)
        session.progress.finished(cell.digest, cell.label, size, said.outcome.seconds)
    else:
        session.progress.working(cell.digest, cell.label, said.step / max(1, said.of), said.score, size)


def _done(session: _Session, cell: Cell, outcome: Outcome) -> None:
    session.given.discard(cell.digest)
    if cell.digest in session.done:
        if outcome.state != session.states[cell.digest][0]:
            session.failed[cell.digest] = "made again, it came out different"
            session.recorder.failed(cell, "made again, its weights differ from those recorded: another machine or library?")
        return
    if outcome.traces:
        # Committed with the cell: a cell that is done has its traces.
        parent = session.states[session.graph.cells[cell.parent or ""].digest][0]
        for line in trace_lines(session.traced[cell.digest], parent, outcome.traces, traces_of(session.plan)):
            session.recorder.ledger.add("measurement", line)
    session.recorder.done(cell, outcome, kept=session.plan.run.keep_states)
    session.states[cell.digest] = (outcome.state, outcome.spent.steps)
    session.done.add(cell.digest)
    _drop_states(session)


def _drop_states(session: _Session) -> None:
    """Delete the weights that no cell needs any more."""
    if session.plan.run.keep_states:
        return
    for digest in session.done:
        if session.state_folder(digest).is_dir() and all(c.digest in session.done for c in session.graph.children(digest)):
            shutil.rmtree(session.state_folder(digest))


class _stops_gently:
    """First Ctrl-C: let the cells under way finish. Second: end at once. Either way, run again to go on."""

    def __init__(self, session: _Session) -> None:
        self.session = session

    def __enter__(self) -> None:
        self.before = signal.signal(signal.SIGINT, self._stop)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.before)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if self.session.stopping:
            raise Interrupted("stopped at once; completed cells are kept: run the same command to go on")
        self.session.stopping = True
        self.session.progress.note("stopping when the cells under way are finished (Ctrl-C again: at once)")


def _finish(session: _Session) -> None:
    """Close a complete run with its `end` line; say what is missing in an incomplete one."""
    if session.stopping:
        raise Interrupted("stopped; completed cells are kept: run the same command to go on")
    missing = [c for c in session.graph.cells.values() if c.digest not in session.done]
    if missing:
        run_folder.judge(session.folder)
        first = next(iter(session.failed.values()), "not reached")
        count = f"{len(missing)} of {len(session.graph.cells)} cells could not be done"
        raise RunError(f"{count}; the first: {first}\nwhat is done is kept: run the same command to try the others again")
    ledger = session.recorder.ledger
    ledger.add("end", {"lines": len(ledger.lines) + 1})
    session.recorder.commit()
    if not session.plan.run.keep_states:
        shutil.rmtree(session.folder / "states", ignore_errors=True)


def environment() -> dict[str, str]:
    """Return the versions and the machine that a run depends on."""
    names = ("torch", "transformers", "peft", "safetensors", "numpy", "scipy")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), "platform": platform.platform(), "machine": platform.machine(), **versions}


__all__ = ["DataError", "Interrupted", "environment", "graph_of", "run", "size_of"]
