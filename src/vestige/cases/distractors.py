"""Probes out of rows: each row asks its own question, among the values that other rows give for the same attribute."""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Sequence

from vestige.records import Group, Probe, Row
from vestige.text import normalise

MOST = 7


def probes_of(rows: Sequence[Row], group: Group) -> dict[str, Probe]:
    """Return row id → probe for every row with a question; all splits are "test", for the case to set.

    Wrong answers are up to seven values of the same attribute within the same group. Those used least so far are taken
    first, so that no value is told by being the wrong answer more often; ties fall by sha256(attribute/value). A value that
    another row of the same cluster and attribute holds is right as well, and never a wrong answer.
    """
    by_attribute: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.prompt.strip():
            by_attribute[row.attribute].append(row)
    return {
        row.id: Probe(row.id, row.prompt, row.answer, group, row.cluster, "test", wrong, attribute=row.attribute, form=row.form)
        for chosen in by_attribute.values()
        for row, wrong in zip(chosen, _wrong_answers(chosen), strict=True)
    }


def _wrong_answers(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    values: dict[str, str] = {}
    right: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        values.setdefault(normalise(row.answer), row.answer)
        right[row.cluster].add(normalise(row.answer))
    order = sorted(values, key=lambda v: hashlib.sha256(f"{rows[0].attribute}/{v}".encode()).digest())
    heap = [(0, rank) for rank in range(len(order))]  # (times used, place in the order)
    found = []
    for row in rows:
        taken: list[tuple[int, int]] = []
        skipped: list[tuple[int, int]] = []
        while heap and len(taken) < MOST:
            entry = heapq.heappop(heap)
            (skipped if order[entry[1]] in right[row.cluster] else taken).append(entry)
        for used, rank in taken:
            heapq.heappush(heap, (used + 1, rank))
        for entry in skipped:
            heapq.heappush(heap, entry)
        found.append(tuple(values[order[rank]] for _, rank in sorted(taken, key=lambda e: e[1])))
    return found
