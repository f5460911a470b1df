"""Equivalence with a margin: two one-sided tests (TOST) over clusters.

Paper: Schuirmann 1987, "A Comparison of the Two One-Sided Tests Procedure and the Power Approach for Assessing the Equivalence of
Average Bioavailability", J. Pharmacokinet. Biopharm. 15, 657-680. Equivalent at `alpha` where both mean <= -margin and mean >=
margin are rejected at alpha, which is where the interval with alpha a side lies within (-margin, margin). p is the larger of the
two, found as the smallest alpha at which the interval does; 1 where none below 1/2 does.

A difference that is not significant is no equivalence: it may be that too little was asked. The interval is that of `intervals`, so where
fewer than three clusters differ it is exact and has a width: "no difference in two clusters" is not equivalent to anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vestige.desk.stats.holm import p_value
from vestige.desk.stats.intervals import ALPHA, Estimate, estimate
from vestige.records import Missing


@dataclass(frozen=True, slots=True)
class Equivalence:
    """A mean difference with its interval, the margin, p, and whether the interval lies within the margin."""

    estimate: Estimate
    margin: float
    p: float
    holds: bool


def equivalent(differences: Mapping[str, Sequence[float]], margin: float, *, alpha: float = ALPHA) -> Equivalence | Missing:
    """Return whether paired differences by cluster are within the margin of 0; Missing as for any estimate.

    Raises:
        ValueError: the margin is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"a margin of {margin}; expected more than 0")
    found = estimate(differences, alpha=alpha)
    if isinstance(found, Missing):
        return found
    p = p_value(lambda level: _room(estimate(differences, alpha=level), margin))
    return Equivalence(found, margin, p, _room(found, margin) > 0)


def _room(value: Estimate | Missing, margin: float) -> float:
    """Return how far the interval stays within the margin; below 0 where it does not."""
    return min(value.low + margin, margin - value.high) if isinstance(value, Estimate) else -margin
