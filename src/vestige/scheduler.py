"""Give out the cells of a run as they become ready, those most others wait for first, and write down what comes back."""

from __future__ import annotations

import shutil

from vestige.cells import Cell, size_of
from vestige.lab.cell import Outcome, Question, Task
from vestige.lab.tracing import Kept, Material, Rest, StateTrace, Trace
from vestige.run_traces import material, reading_lines, rest, state_traces_of, trace_lines, traces_of
from vestige.session import Session
from vestige.workers import Job, Said


def carry_out(session: Session) -> None:
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


def _ready(session: Session) -> list[Cell]:
    """Return the cells that can start now, those most others wait for first."""
    ready = []
    for cell in session.graph.cells.values():
        if cell.digest in session.given or cell.digest in session.failed or not _wanted(session, cell):
            continue
        starts = [c for c in (cell.parent, *cell.beside.values()) if c]
        waits_for = [*starts, cell.steps_as] if cell.steps_as else starts
        if all(_available(session, c, needs_state=c in starts) for c in waits_for):
            ready.append(cell)
    return sorted(ready, key=lambda c: -_waiting(session, c))


def _wanted(session: Session, cell: Cell) -> bool:
    """A cell is wanted if it is not done, or if its state is gone and an undone cell starts from it."""
    if cell.digest not in session.done:
        return True
    needed = any(_wanted(session, c) for c in session.graph.children(cell.digest))
    return needed and not _has_state(session, cell)


def _has_state(session: Session, cell: Cell) -> bool:
    return cell.model is not None or session.state_folder(cell.digest).is_dir()


def _available(session: Session, digest: str, *, needs_state: bool) -> bool:
    cell = session.graph.cells[digest]
    return digest in session.done and (not needs_state or _has_state(session, cell)) and digest not in session.given


def _waiting(session: Session, cell: Cell) -> float:
    """Return the longest chain of work that waits for a cell, itself included."""
    return size_of(cell) + max((_waiting(session, c) for c in session.graph.children(cell.digest)), default=0.0)


def _job(session: Session, cell: Cell) -> Job:
    parent = session.graph.cells[cell.parent] if cell.parent else None
    start = cell.model or _where(session, cell.parent or "")
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
        *_at_rest(session, cell),
    )
    start_digest = session.states[parent.digest][0] if parent else None
    save_to = session.state_folder(cell.digest) if cell.action and session.graph.children(cell.digest) else None
    return Job(cell.digest, task, start, start_digest, session.plan.models.device, save_to)


def _looks(session: Session, cell: Cell, *, remake: bool) -> tuple[tuple[tuple[str, Trace], ...], tuple[Material, ...]]:
    """Return the traces to be taken before a cell acts, and what they look at: one material for each of its arms."""
    arms = () if remake else session.traced.get(cell.digest, ())
    return traces_of(session.plan) if arms else (), tuple(material(session.case, session.sets, cell, arm) for arm in arms)


def _where(session: Session, digest: str) -> str:
    """Return the model that a cell is, or the folder in which its state is kept."""
    return session.graph.cells[digest].model or str(session.state_folder(digest))


def _at_rest(session: Session, cell: Cell) -> tuple[tuple[tuple[str, StateTrace], ...], Rest | None]:
    """Return the traces of a cell that only looks into a state, and what they look at."""
    if cell.digest not in session.looks:
        return (), None
    others = {role: Kept(_where(session, c), session.states[c][0]) for role, c in cell.beside.items()}
    return state_traces_of(session.plan), rest(session.case, own=session.states[cell.parent or ""][0], others=others)


def _heard(session: Session, said: Said) -> None:
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


def _done(session: Session, cell: Cell, outcome: Outcome) -> None:
    session.given.discard(cell.digest)
    if cell.digest in session.done:
        if outcome.state != session.states[cell.digest][0]:
            session.failed[cell.digest] = "made again, it came out different"
            session.recorder.failed(cell, "made again, its weights differ from those recorded: another machine or library?")
        return
    if outcome.traces:
        # Committed with the cell: a cell that is done has its traces.
        parent = session.states[session.graph.cells[cell.parent or ""].digest][0]
        for arm, values in zip(session.traced[cell.digest], outcome.traces, strict=True):
            for line in trace_lines(arm, parent, values, traces_of(session.plan)):
                session.recorder.ledger.add("measurement", line)
    if cell.digest in session.looks:
        for line in reading_lines(session.looks[cell.digest], session.states, outcome.readings, state_traces_of(session.plan)):
            session.recorder.ledger.add("measurement", line)
    session.recorder.done(cell, outcome, kept=session.plan.run.keep_states)
    session.states[cell.digest] = (outcome.state, outcome.spent.steps)
    session.done.add(cell.digest)
    _drop_states(session)


def _drop_states(session: Session) -> None:
    """Delete the weights that no cell needs any more."""
    if session.plan.run.keep_states:
        return
    for digest in session.done:
        if session.state_folder(digest).is_dir() and all(c.digest in session.done for c in session.graph.children(digest)):
            shutil.rmtree(session.state_folder(digest))
