"""What a run cost: seconds, steps and tokens per cell. Timings go into the report, never into the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def costs(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per role and relearn set, seconds and tokens summed over folds and seeds."""
    design: list[Mapping[str, Any]] = []
    done: dict[str, Mapping[str, Any]] = {}
    for line in lines:
        if line["kind"] == "header" and not design:
            design = line["body"]["design"]
        elif line["kind"] == "cell_done":
            done[line["body"]["cell"]] = line["body"]
    rows: dict[tuple[str, str | None], dict[str, Any]] = {}
    counted: set[str] = set()
    for arm in design:
        if arm["cell"] not in done or arm["cell"] in counted:
            continue
        counted.add(arm["cell"])
        cell = done[arm["cell"]]
        empty = {"role": arm["role"], "set": arm["set"], "seconds": 0.0, "steps": 0, "tokens_trained": 0}
        row = rows.setdefault((arm["role"], arm["set"]), empty)
        for key in ("seconds", "steps", "tokens_trained"):
            row[key] += cell[key]
    return list(rows.values())
