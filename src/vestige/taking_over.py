"""Take over what another run of the same key has done: equal cells are computed once, across runs too.

A cell's address holds everything that decides its result, but not what it is asked. So a cell is taken over where the other run asked it at
least what this one asks, in the same way ([ask]), and where no trace is to be read before it. Its lines are written anew as they stand,
without what was not asked here. Its weights are copied if the other run kept them (`keep_states`), and made again if not; links would be
overwritten with this run's when it is shredded.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vestige import ledger
from vestige.blobs import Blobs
from vestige.cells import Cell
from vestige.errors import UsageError
from vestige.records import plain
from vestige.session import Session

Body = Mapping[str, Any]
_ASKED = {"score_tokens": "choice", "answer": "greedy"}


@dataclass
class _Done:
    """The lines of one cell of the other run."""

    state: Body = field(default_factory=dict)
    done: Body = field(default_factory=dict)
    records: dict[tuple[Any, str, str], tuple[str, Body]] = field(default_factory=dict)


def take_over(session: Session, folder: Path) -> int:
    """Write the cells that the run in `folder` has done into this one, one commit a cell; return how many.

    Raises:
        UsageError: the other run has another key or other [ask] settings. LedgerError: its ledger is damaged.
    """
    other = Blobs(folder)
    if other.shredded or other.key != session.recorder.blobs.key:
        raise UsageError(f"--reuse {folder}: that run has another key; equal cells are found under one key only, so choose a new --out")
    lines = ledger.read_sound(folder / "ledger.jsonl")
    asked = next((line["body"]["plan"]["ask"] for line in lines if line["kind"] == "header"), None)
    if asked != plain(session.plan.described()["ask"]):
        raise UsageError(f"--reuse {folder}: [ask] differs between the two plans, so no answer of that run would be one of this")
    found = _cells(lines)
    able = [c for c in session.graph.cells.values() if c.digest not in session.done and _covered(session, c, found.get(c.digest))]
    for cell in able:
        _write(session, cell, found[cell.digest], other)
    for cell in able:
        kept = folder / "states" / cell.digest
        if kept.is_dir() and any(c.digest not in session.done for c in session.graph.children(cell.digest)):
            shutil.copytree(kept, session.state_folder(cell.digest), dirs_exist_ok=True)
    return len(able)


def _cells(lines: list[ledger.Line]) -> dict[str, _Done]:
    found: dict[str, _Done] = defaultdict(_Done)
    for line in lines:
        kind, body = line["kind"], line["body"]
        if kind == "state":
            found[body["cell"]].state = body
        elif kind == "cell_done":
            found[body["cell"]].done = body
        elif kind in _ASKED:
            found[body["cell"]].records[body["step"], _ASKED[kind], body["probe"]] = (kind, body)
    return found


def _covered(session: Session, cell: Cell, found: _Done | None) -> bool:
    """Whether everything that a cell is to give was given there."""
    if found is None or not found.done or cell.digest in session.looks or cell.digest in session.traced:
        return False
    return all(key in found.records for key in _due(session, cell))


def _due(session: Session, cell: Cell) -> list[tuple[Any, str, str]]:
    return [(ask.step, ask.kind, session.recorder.keyed(p.id)) for ask in cell.asks for p in ask.probes]


def _write(session: Session, cell: Cell, found: _Done, other: Blobs) -> None:
    """Write the lines of a cell as `Recorder.done` would have."""
    put = session.recorder.ledger.add
    put("state", {**found.state, "kept": session.plan.run.keep_states})
    for key in _due(session, cell):
        kind, body = found.records[key]
        for ref in (body["prompt"], *(body[name] for name in ("text",) if name in body), *body.get("expected", ())):
            session.recorder.blobs.put(other.get(ref) or "")
        put(kind, body)
    put("cell_done", {**found.done, "asks": [[ask.step, ask.kind, len(ask.probes)] for ask in cell.asks]})
    session.recorder.commit()
    session.states[cell.digest] = (found.state["digest"], found.state["step"])
    session.done.add(cell.digest)
