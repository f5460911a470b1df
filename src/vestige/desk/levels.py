"""Levels and differences of levels, paired by probe and grouped by cluster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from vestige.desk.evidence import AT_REST, Evidence, Place, Value
from vestige.desk.stats.intervals import Estimate, estimate
from vestige.records import Missing


@dataclass(frozen=True)
class Question:
    """What is compared: a score of one probe group, on one split."""

    score: str
    group: str
    split: str = "test"
    wording: str = "primary"


@dataclass(frozen=True)
class Clusters:
    """Values by cluster, and how many probes gave none."""

    values: dict[str, list[float]]
    missing: int

    def estimate(self, *, alpha: float, signed: bool = True, scale: float = 1.0) -> Estimate | Missing:
        """Return the estimate over clusters."""
        return estimate(self.values, alpha=alpha, signed=signed, scale=scale, missing=self.missing)

    @property
    def mean(self) -> float | Missing:
        """The mean over clusters, without an interval."""
        means = [sum(v) / len(v) for v in self.values.values() if v]
        return sum(means) / len(means) if means else Missing("no data")


def combine(evidence: Evidence, question: Question, terms: Sequence[tuple[float, Place]], *, minus: float = 0.0) -> Clusters:
    """Return sum of weight x score over `terms`, minus a constant, per probe, grouped by cluster.

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
        clusters[evidence.probes[probe]["cluster"]].append(total - minus)
    return Clusters(dict(clusters), missing)


def at_rest(role: str) -> Place:
    """Return the place of an arm before any attack."""
    return Place(role, None, AT_REST)
