"""Traces in a run: the unlearned model is looked into just before each attack on it, and every arm at rest once, beside other states.

Before an attack, the worker that attacks looks. The forget rows of such a trace are those asked about along the fold: rows whose own
question is asked there, or, where no probe has a row's question, rows of a cluster (and attribute) that is asked about. A row's keywords
are what those probes expect. So a fold made of other forget rows is not compared with itself. One number per (unlearned state,
attack, relearn set, fold): arms that share a cell, which is one text trained on in one way, are looked at each by itself, since
other forget rows may be asked about along each.

An arm at rest is looked into in a cell of its own, which starts from the arm's state and needs those set beside it, of the same seed. It
changes nothing: its state is the arm's. It looks at all forget and retain rows of the case; keywords are those of any probe.
"""

from __future__ import annotations

import hmac
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from vestige.cells import Arm, Cell, Graph
from vestige.lab.traces import AT_REST, BEFORE_ATTACK
from vestige.lab.tracing import Kept, Material, Reading, Rest, StateTrace, Trace
from vestige.lab.train import Trained
from vestige.leaks import asks_about
from vestige.plan import Plan
from vestige.records import Case, Missing, Probe, RelearnSet, Row, canonical, digest, plain
from vestige.written_sets import Sets


def traces_of(plan: Plan) -> tuple[tuple[str, Trace], ...]:
    """Return the traces before an attack that a plan asks for, by name."""
    return tuple((name, BEFORE_ATTACK[name]()) for name in plan.traces.names if name in BEFORE_ATTACK)


def state_traces_of(plan: Plan) -> tuple[tuple[str, StateTrace], ...]:
    """Return the traces of arms at rest that a plan asks for, by name."""
    return tuple((name, AT_REST[name]()) for name in plan.traces.names if name in AT_REST)


def traced_arms(plan: Plan, graph: Graph) -> dict[str, list[Arm]]:
    """Return the cells before which the unlearned model is looked into, with every arm that each is."""
    found: dict[str, list[Arm]] = {}
    for arm in graph.arms if traces_of(plan) else ():
        if arm.role == "subject" and arm.relearn_set and hasattr(graph.cells[arm.cell].action, "train"):
            found.setdefault(arm.cell, []).append(arm)
    return found


def material(case: Case, sets: Sets, cell: Cell, arm: Arm) -> Material:
    """Return what the traces before an attack look at."""
    chosen = next(s for s in sets["forget"] if s.name == arm.relearn_set)
    rows = tuple(_asked_rows(case, chosen, arm.fold))
    # Adapters sit on every matrix but the embeddings; their own weights do not exist before the attack.
    adapted = getattr(cell.action, "adapter_rank", 0) or cell.action.train.startswith("lora")
    train: Trained = "all_but_embeddings" if adapted else cell.action.train
    return Material(chosen.folds[arm.fold].rows, tuple(row for row, _ in rows), tuple(words for _, words in rows), train)


def _asked_rows(case: Case, chosen: RelearnSet, fold: int) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Yield the forget rows asked about along a fold, each with what is expected."""
    asked, by_cluster = set(chosen.folds[fold].asks), defaultdict[str, list[Probe]](list)
    for probe in case.asked("forget", wording="*"):
        by_cluster[probe.cluster].append(probe)
    for row in case.forget:
        if words := _expected(row, by_cluster[row.cluster], asked):
            yield row, words


def _expected(row: Row, probes: Iterable[Probe], asked: Collection[str] | None = None) -> tuple[str, ...]:
    """Return what the probes of a row's cluster that ask about it expect; of those `asked` alone, where that is given."""
    near = [p for p in probes if asks_about(p, row)]
    own = [p for p in near if p.prompt == row.prompt] or near
    return tuple(dict.fromkeys(text for p in own if asked is None or p.id in asked for text in p.expected))


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
            **_written(values[name]),
        }
        for name, trace in traces
    ]


@dataclass(frozen=True)
class Look:
    """A cell in which a state is looked into, and the arms at rest that the state is."""

    cell: Cell
    arms: tuple[Arm, ...]


def looks_of(plan: Plan, case: Case, graph: Graph, key: bytes) -> dict[str, Look]:
    """Return the cells in which the arms at rest are looked into, by digest."""
    found: dict[str, Look] = {}
    traces = state_traces_of(plan)
    at_rest = [arm for arm in graph.arms if arm.attack is None] if traces else []
    needed = dict.fromkeys(role for _, trace in traces for role in trace.beside)
    about = [[name, trace.semantics, plain(trace)] for name, trace in traces], digest([case.forget, case.retain, case.decoy, case.probes])
    for arm in at_rest:
        if plan.traces.roles and arm.role not in plan.traces.roles:
            continue
        beside = {role: other.cell for role in needed for other in at_rest if (other.role, other.seed) == (role, arm.seed)}
        address = hmac.new(key, canonical([arm.cell, beside, *about]), sha256).hexdigest()[: len(arm.cell)]
        cell = Cell(address, f"traces · {arm.role} · seed {arm.seed}", "traces", None, None, arm.cell, None, {}, 0, None, (), beside=beside)
        found[address] = Look(cell, (*(found[address].arms if address in found else ()), arm))
    return found


def rest(case: Case, *, own: str, others: Mapping[str, Kept]) -> Rest:
    """Return what the traces of a state look at: rows of the case, and the states beside it."""
    by_cluster = defaultdict[str, list[Probe]](list)
    for probe in case.asked("forget", wording="*"):
        by_cluster[probe.cluster].append(probe)
    words = (_expected(row, by_cluster[row.cluster]) for row in case.forget)
    return Rest(case.forget, tuple(words), case.retain, own, others, case.decoy)


def reading_lines(
    look: Look,
    states: Mapping[str, tuple[str, int]],
    readings: Mapping[str, Mapping[str, Reading]],
    traces: Iterable[tuple[str, StateTrace]],
) -> Iterator[dict[str, Any]]:
    """Yield the ledger lines of what was seen in a state at rest, one for each reading and arm."""
    beside = {role: states[cell][0] for role, cell in look.cell.beside.items()}
    for arm in look.arms:
        for name, trace in traces:
            for reading, seen in readings[name].items():
                yield {
                    "name": "state_trace",
                    "trace": reading,
                    "of": {"name": name, "semantics": trace.semantics, **plain(trace)},
                    "cell": arm.cell,
                    "state": states[arm.cell][0],
                    "role": arm.role,
                    "seed": arm.seed,
                    "beside": {role: beside[role] for role in trace.beside if role in beside},
                    **_written(seen.value),
                    "blocks": [_written(value) for value in seen.blocks],
                }


def _written(value: float | Missing) -> dict[str, Any]:
    """Return a number as a line holds it, or why there is none."""
    if isinstance(value, Missing):
        return {"value": None, "missing": value.reason}
    if not math.isfinite(value):
        return {"value": None, "missing": "the number is not finite"}
    return {"value": value, "missing": None}
