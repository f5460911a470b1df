"""Run the cells that are missing, record them, judge the ledger. With its parts, the one place that sees both wings.

One process writes the ledger; workers of one thread each carry out cells. A cell's lines are committed together, so
a run that is killed at any moment goes on where it was: run the same command again.
"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vestige.blobs import Blobs
from vestige.cells import Graph, size_of
from vestige.desk import metrics, run_folder
from vestige.errors import PlanError, RunError, UsageError
from vestige.graph import Source, build
from vestige.lab import model_sources
from vestige.ledger import Ledger
from vestige.plan import Plan
from vestige.progress import Progress
from vestige.recording import Recorder
from vestige.records import Case, Missing, plain
from vestige.run_relearn_sets import check_set, helpers_of
from vestige.scheduler import carry_out
from vestige.screening import case_of_run
from vestige.session import Interrupted, Session, StopsGently
from vestige.taking_over import take_over
from vestige.v_information import Score
from vestige.workers import Pool
from vestige.written_sets import PRICED, Sets, sets_of


def run(plan: Plan, folder: Path, *, key_from: Path | None = None, reuse: Path | None = None, quiet: bool = False) -> dict[str, Any]:
    """Carry out `plan` in `folder` and return the verdict; again = resume; finished = no-op.

    `reuse` is another run, whose key is taken and whose equal cells are not computed again.

    Raises:
        RunError: a cell failed, the disk is full, or another process writes this run; Interrupted: Ctrl-C.
        PlanError: the folder belongs to another plan, or a model or the case changed since. UsageError: no key in `key_from`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder / "ledger.jsonl")
    try:
        _refuse_other_plan(ledger, plan, folder)
        blobs = _texts(folder, ledger, "--reuse" if reuse else "--key-from", reuse or key_from)
        finished = bool(ledger.lines) and ledger.lines[-1]["kind"] == "end"
        if not (finished and blobs.shredded):
            _work(plan, folder, Recorder(ledger, blobs, plan.ask), quiet, reuse, finished=finished)
    finally:
        ledger.close()
    return run_folder.judge(folder)


def _texts(folder: Path, ledger: Ledger, option: str, key_from: Path | None) -> Blobs:
    """Open the texts of a run. One that has begun never gets another key: its ids would mean nothing any more."""
    if key_from is not None and not (key_from / "key").is_file():
        raise UsageError(f"{option} {key_from}: no key there; expected the folder of a run whose texts were not shredded")
    if not ledger.lines:
        return Blobs.create(folder, key_from)
    blobs = Blobs(folder)
    if key_from is not None and blobs.key != Blobs(key_from).key:
        raise UsageError(f"{option} {key_from}: {folder} has begun with another key; leave the option out, or choose another --out")
    return blobs


def _header(ledger: Ledger) -> Mapping[str, Any] | None:
    return next((line["body"] for line in ledger.lines if line["kind"] == "header"), None)


def _refuse_other_plan(ledger: Ledger, plan: Plan, folder: Path) -> None:
    header = _header(ledger)
    if header and header["plan_digest"] != plan.digest():
        now = plain(plan.described())
        keys = [k for k in sorted({*now, *header["plan"]}) if now.get(k) != header["plan"].get(k)]
        raise PlanError(f"{folder} holds the run of another plan (it differs in: {', '.join(keys)}); choose another --out")


def _refuse_other_inputs(session: Session) -> None:
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


def _work(plan: Plan, folder: Path, recorder: Recorder, quiet: bool, reuse: Path | None, *, finished: bool) -> None:
    """Do what is left of a run; of a finished one, only make sure that it is still the run of this plan."""
    progress = Progress(total=1.0, quiet=quiet)
    pool = Pool(plan.run.workers, metrics.score)
    try:
        case = case_of_run(plan, recorder, pool, progress)
        helpers, score = helpers_of(plan, case, recorder, pool, progress)
        graph, sets = graph_of(plan, case, recorder.blobs.key, sets_of(plan, case, helpers))
        session = Session(folder, plan, case, graph, recorder, pool, progress, sets)
        _refuse_other_inputs(session)
        if finished:
            return
        _begin(session, helpers.count, score)
        if reuse:
            progress.note(f"{take_over(session, reuse)} cells are taken over from {reuse}")
        progress.total = sum(size_of(c) for c in graph.cells.values() if c.digest not in session.done)
        with StopsGently(session):
            carry_out(session)
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


def _begin(session: Session, count: Callable[[str], int], score: Score | Missing) -> None:
    """Write the header and the leak checks of a new run, or read what a former session did."""
    lines = session.recorder.ledger.lines
    if not any(line["kind"] == "header" for line in lines):
        for group, chosen in session.sets.items():
            for relearn_set in chosen:
                check_set(session, relearn_set, group, count, score)
        session.recorder.header(session.plan, session.case, session.graph, environment())
    for line in lines:
        if line["kind"] == "cell_done":
            session.done.add(line["body"]["cell"])
        elif line["kind"] == "state":
            session.states[line["body"]["cell"]] = (line["body"]["digest"], line["body"]["step"])
    reused = sum(1 for c in session.graph.cells if c in session.done)
    if reused:
        session.progress.note(f"resuming: {reused} of {len(session.graph.cells)} cells are done")


def _finish(session: Session) -> None:
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


__all__ = ["Interrupted", "environment", "graph_of", "run"]
