"""The area under the ROC curve from two small groups, with an interval that is honest where the groups do not overlap.

Papers: Hanley and McNeil 1982, Radiology 143, 29-36 (variance of the area A for groups of m and n):
    Var(A) = A (1 - A) [1 + (n - 1) (1 - A) / (2 - A) + (m - 1) A / (1 + A)] / (m n)
Newcombe 2006, Statistics in Medicine 25, 559-573, method 5: the limits are the A that solve |a - A| = z sqrt(Var(A)), the variance taken
at A, not at the estimate a, and m - 1 and n - 1 both replaced by (m + n) / 2 - 1. So a = 1 has a lower limit below 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from vestige.desk.stats.intervals import ALPHA
from vestige.records import Missing

_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Area:
    """An area under the ROC curve with its interval, from `above` and `below` many."""

    value: float
    low: float
    high: float
    above: int
    below: int


def area(above: Sequence[float], below: Sequence[float], *, alpha: float = ALPHA) -> Area | Missing:
    """Return P(one of `above` > one of `below`) + P(equal) / 2 with its two-sided interval; `alpha` a side."""
    m, n = len(above), len(below)
    if not m or not n:
        return Missing(f"groups of {m} and {n}; both are needed")
    found = sum((x > y) + (x == y) / 2 for x in above for y in below) / (m * n)
    z = NormalDist().inv_cdf(1 - alpha)
    return Area(found, _limit(found, 0.0, m, n, z), _limit(found, 1.0, m, n, z), m, n)


def _limit(found: float, end: float, m: int, n: int, z: float) -> float:
    """Return where |found - A| outgrows z standard deviations at A, between the estimate and an end of the scale."""
    inside, outside = found, end
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if abs(found - middle) <= z * math.sqrt(_variance(middle, m, n)):
            inside = middle
        else:
            outside = middle
    return inside


def _variance(a: float, m: int, n: int) -> float:
    more = (m + n) / 2 - 1
    return a * (1 - a) * (1 + more * ((1 - a) / (2 - a) + a / (1 + a))) / (m * n)
