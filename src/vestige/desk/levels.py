"""Levels and differences of levels, paired by probe and grouped by cluster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vestige.desk.evidence import AT_REST, Evidence, Place, Value
from vestige.desk.metrics import SHARES, UNBOUNDED
from vestige.desk.stats import intervals, widened
from vestige.desk.stats.intervals import Estimate
from vestige.records import Missing

# Digits to which means are compared: sums of equal shares in another order differ in the last bits.
TIE = 9


@dataclass(frozen=True)
class Question:
    """What is compared: a score of one probe group, on one split."""

    score: str
    group: str
    split: str = "test"
    wording: str = "primary"


@dataclass(frozen=True)
class Clusters:
    """Values by cluster, and how many probes gave none; `signed` says that values may be negative.

    `minus` is a known constant, such as chance: it shifts an estimate and its interval, and adds nothing to its width.
    """

    values: dict[str, list[float]]
    missing: int
    signed: bool = True
    minus: float = 0.0
    bounded: bool = True

    def estimate(self, *, alpha: float, scale: float = 1.0) -> Estimate | Missing:
        """Return the estimate over clusters."""
        estimate = widened.estimate if self.bounded else intervals.estimate
        found = estimate(self.values, alpha=alpha, signed=self.signed, scale=scale, missing=self.missing)
        if isinstance(found, Missing) or not self.minus:
            return found
        shift = self.minus / scale
        return replace(found, value=found.value - shift, low=found.low - shift, high=found.high - shift)

    @property
    def mean(self) -> float | Missing:
        """The mean over clusters, without an interval; one probe without a record, and it cannot be told."""
        if self.missing:
            return Missing(f"{self.missing} probes have no record there")
        means = [sum(v) / len(v) for v in self.values.values() if v]
        return sum(means) / len(means) - self.minus if means else Missing("no data")


def combine(evidence: Evidence, question: Question, terms: Sequence[tuple[float, Place]], *, minus: float = 0.0) -> Clusters:
    """Return sum of weight x score over `terms`, per probe, grouped by cluster; `minus` is a constant for the estimate to shift by.

    A probe counts only where every term has a value; every other expected probe is counted as missing. Probes that
    leaked into the relearn set of any term are set apart: neither counted nor missing.
    """
    tables = [
        evidence.values(place, score=question.score, group=question.group, split=question.split, wording=question.wording)
        for _, place in terms
    ]
    leaked = set().union(*(evidence.leaks.get((place.set or "", question.group), set()) for _, place in terms))
    clusters: dict[str, list[float]] = defaultdict(list)
    missing = 0
    for probe in evidence.expected(question.group, question.split, question.wording):
        if probe in leaked:
            continue
        values: list[Value] = [table.get(probe, Missing("not asked")) for table in tables]
        numbers = [v for v in values if not isinstance(v, Missing)]
        if len(numbers) < len(values):
            missing += 1
            continue
        total = sum(weight * v for (weight, _), v in zip(terms, numbers, strict=True))
        clusters[evidence.probes[probe]["cluster"]].append(total)
    signed = question.score not in SHARES or any(weight < 0 for weight, _ in terms)
    return Clusters(dict(clusters), missing, signed, minus, question.score not in UNBOUNDED)


def paired(evidence: Evidence, question: Question, places: Sequence[Place]) -> tuple[list[dict[str, list[float]]], int]:
    """Return the scores by cluster at each place, of the same probes in one order, and how many probes lack one of them."""
    found = [combine(evidence, question, [(float(i == j), place) for j, place in enumerate(places)]) for i in range(len(places))]
    return [clusters.values for clusters in found], found[0].missing


def at_rest(role: str) -> Place:
    """Return the place of an arm before any attack."""
    return Place(role, None, AT_REST)
