"""What a plan will take, before any weight is loaded: cells, tokens, time."""

from __future__ import annotations

from typing import Any

from vestige import plan_power
from vestige.cells import Cell, size_of
from vestige.plan import Plan
from vestige.runner import graph_of

# Measured on one core of a 2-core AMD EPYC (bf16 training, fp32 probing) with SmolLM2-135M; other models: by size.
_CHARS_PER_SECOND = 1_500.0
_CHARS_PER_TOKEN = 4.0
_OVERHEAD_S = 3.0


def price(plan: Plan) -> dict[str, Any]:
    """Return the cells of a plan with their expected tokens and seconds."""
    made = plan.case.made
    screened = hasattr(made, "screen")
    case = made.after_screening(tuple(p.cluster for p in made.screen())) if screened else made()
    graph, sets = graph_of(plan, case)
    cells = [_row(cell) for cell in graph.cells.values()]
    seconds = sum(c["seconds"] for c in cells)
    notes = ["times are estimates for SmolLM2-135M on cores like those of the README's table"]
    if screened:
        notes.append("the case is made after asking the model what it knows; here as if all passed")
    if plan.writer:
        notes.append("what a model is to write is not written yet; its relearn sets are shown with a stand-in of the longest texts allowed")
    if any(text.tokens for text in plan.relearn_sets):
        notes.append("budgets in tokens are kept by an estimate from characters; the run counts with the model's own tokenizer")
    if plan.traces.names or plan.leaks.v_information:
        notes.append("what traces and V-information take is not counted")
    return {
        "plan": plan.name,
        "digest": plan.digest(),
        "case": case.name,
        "probes": len(case.probes),
        "sees": plan_power.sees(case, plan.rule),
        "relearn_sets": [{"name": s.name, "folds": len(s.folds), "rows": [len(f.rows) for f in s.folds]} for s in sets["forget"]],
        "cells": cells,
        "audits": [f"{a['name']}: {a['subject']} against {a['control'] or 'chance and unrelated text'}" for a in graph.audits],
        "tokens_trained": sum(c["tokens_trained"] for c in cells),
        "seconds": round(seconds / plan.run.workers),
        "workers": plan.run.workers,
        "notes": notes,
    }


def _row(cell: Cell) -> dict[str, Any]:
    size = size_of(cell)
    asked = sum(len(p.prompt) for a in cell.asks for p in a.probes)
    return {
        "cell": cell.digest,
        "label": cell.label,
        "parent": cell.parent,
        "tokens_trained": round(max(0.0, size - asked - 500.0) / 3 / _CHARS_PER_TOKEN),
        "probes_asked": sum(len(a.probes) for a in cell.asks),
        "seconds": round(_OVERHEAD_S + size / _CHARS_PER_SECOND, 1),
    }


def tree(priced: dict[str, Any]) -> str:
    """Return the cells as an indented tree with their prices."""
    lines = [f"plan {priced['plan']} ({priced['digest'][:12]}), case {priced['case']}, {priced['probes']} probes"]
    for root in (c for c in priced["cells"] if c["parent"] is None):
        lines += _branch(root, priced["cells"], 0)
    lines += ["", *(f"audit {a}" for a in priced["audits"])]
    lines += plan_power.lines(priced["sees"])
    seconds, workers = priced["seconds"], priced["workers"]
    took = f"{seconds} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    lines.append(
        f"{len(priced['cells'])} cells, {priced['tokens_trained']:,} tokens to train, about {took} with "
        f"{workers} {'worker' if workers == 1 else 'workers'}; no weights were loaded"
    )
    return "\n".join(lines + [f"note: {note}" for note in priced["notes"]])


def _branch(cell: dict[str, Any], cells: list[dict[str, Any]], depth: int) -> list[str]:
    line = f"{'  ' * depth}{cell['label']}  ({cell['tokens_trained']:,} tokens, {cell['probes_asked']} probes, ~{cell['seconds']:.0f} s)"
    lines = [line]
    for child in (c for c in cells if c["parent"] == cell["cell"]):
        lines += _branch(child, cells, depth + 1)
    return lines
