"""Traces in a run: the unlearned model is looked into just before each attack on it, by the worker that attacks it.

The forget rows of a trace are those asked about along the fold: rows whose own question is asked there, or, where no probe has a row's
question, rows of a cluster (and attribute) that is asked about. A row's keywords are what those probes expect. So a fold made of other
forget rows is not compared with itself. One number per (unlearned state, attack, relearn set, fold): arms that share a cell, which is
one text trained on in one way, are looked at each by itself, since other forget rows may be asked about along each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vestige.cells import Arm, Cell, Graph
from vestige.lab.traces import TABLE
from vestige.lab.tracing import Material, Trace
from vestige.lab.train import Trained
from vestige.leaks import asks_about
from vestige.plan import Plan
from vestige.records import Case, Missing, Probe, RelearnSet, Row
from vestige.written_sets import Sets


def traces_of(plan: Plan) -> tuple[tuple[str, Trace], ...]:
    """Return the traces that a plan asks for, by name."""
    return tuple((name, TABLE[name]()) for name in plan.traces.names)


def traced_arms(plan: Plan, graph: Graph) -> dict[str, list[Arm]]:
    """Return the cells before which the unlearned model is looked into, with every arm that each is."""
    found: dict[str, list[Arm]] = {}
    for arm in graph.arms if plan.traces.names else ():
        if arm.role == "subject" and arm.attack:
            found.setdefault(arm.cell, []).append(arm)
    return found


def material(case: Case, sets: Sets, cell: Cell, arm: Arm) -> Material:
    """Return what the traces before an attack look at."""
    chosen = next(s for s in sets["forget"] if s.name == arm.relearn_set)
    rows = tuple(_asked_rows(case, chosen, arm.fold))
    train: Trained = "all_but_embeddings" if getattr(cell.action, "adapter_rank", 0) else cell.action.train
    return Material(chosen.folds[arm.fold].rows, tuple(row for row, _ in rows), tuple(words for _, words in rows), train)


def _asked_rows(case: Case, chosen: RelearnSet, fold: int) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Yield the forget rows asked about along a fold, each with what is expected."""
    asked, by_cluster = set(chosen.folds[fold].asks), defaultdict[str, list[Probe]](list)
    for probe in case.asked("forget", wording="*"):
        by_cluster[probe.cluster].append(probe)
    for row in case.forget:
        near = [p for p in by_cluster[row.cluster] if asks_about(p, row)]
        own = [p for p in near if p.prompt == row.prompt] or near
        if words := tuple(dict.fromkeys(text for p in own if p.id in asked for text in p.expected)):
            yield row, words


def trace_lines(arm: Arm, state: str, values: Mapping[str, float | Missing], traces: Iterable[tuple[str, Trace]]) -> list[dict[str, Any]]:
    """Return the ledger lines of what was seen in a state before an attack."""
    return [
        {
            "name": "trace",
            "trace": name,
            "semantics": trace.semantics,
            "cell": arm.cell,
            "state": state,
            "seed": arm.seed,
            "attack": arm.attack,
            "set": arm.relearn_set,
            "group": "forget",
            "fold": arm.fold,
            "value": None if isinstance(value := values[name], Missing) else value,
            "missing": value.reason if isinstance(value, Missing) else None,
        }
        for name, trace in traces
    ]
