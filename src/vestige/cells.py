"""Cells, the planned units of work; arms, the roles they play; and the graph that holds both. `graph` makes them from a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vestige.plan import Stop
from vestige.records import Probe, Row


@dataclass(frozen=True, slots=True)
class Ask:
    """Probes to be asked of a cell's model at a step ("end": whenever the action ends)."""

    step: int | Literal["end"]
    kind: Literal["choice", "greedy"]
    probes: tuple[Probe, ...]


@dataclass(frozen=True)
class Cell:
    """One planned unit of work. `action` is None for a model that is loaded (`model` names it) or only looked into.

    `beside` names the cells, by role, whose states are looked at together with the one it starts from.
    """

    digest: str
    label: str
    name: str
    action: Any
    model: str | None
    parent: str | None
    steps_as: str | None
    data: Mapping[str, tuple[Row, ...]]
    seed: int
    stop: Stop | None
    stop_probes: tuple[Probe, ...]
    asks: tuple[Ask, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arm:
    """A cell in its role: an arm at rest (no attack) or one (attack, relearn set, fold) of it.

    `set` names the arm: the relearn set, and the attack too where a plan has more than one; the attack alone where it trains on no text.
    """

    cell: str
    role: str
    seed: int
    attack: str | None = None
    set: str | None = None
    relearn_set: str | None = None
    fold: int = 0


@dataclass
class Graph:
    """Cells in an order in which they can be computed, their roles, and the audits they serve."""

    cells: dict[str, Cell] = field(default_factory=dict)
    arms: list[Arm] = field(default_factory=list)
    audits: list[dict[str, Any]] = field(default_factory=list)

    def children(self, digest: str) -> list[Cell]:
        """Return the cells that need the state of a cell: they start from it, or look at theirs beside it."""
        return [c for c in self.cells.values() if c.parent == digest or digest in c.beside.values()]


def size_of(cell: Cell) -> float:
    """Return the expected work of a cell, in characters read or trained (training counts threefold)."""
    asked = sum(len(p.prompt) for a in cell.asks for p in a.probes)
    # A task vector learns for `learn_steps`; the `steps` that it walks afterwards train nothing.
    steps: int = getattr(cell.action, "learn_steps", getattr(cell.action, "steps", 0))
    rows = [r for rows in cell.data.values() for r in rows]
    mean = sum(len(r.text) for r in rows) / max(1, len(rows))
    if hasattr(cell.action, "batch_tokens"):
        trained = float(steps * cell.action.batch_tokens * 4)
    elif hasattr(cell.action, "epochs"):
        trained = float(cell.action.epochs * mean * len(rows))
    else:
        trained = float(steps * getattr(cell.action, "batch_size", 0) * mean * len(cell.data))
    return 3 * trained + asked + 500.0
