"""Holm's step-down correction, as lower bounds.

Paper: Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6, 65-70. The i-th
smallest of m p-values (i = 0, 1, ...) is judged at alpha / (m - i); at the first that is not below, testing stops and
the rest stand at that level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

LowerBound = Callable[[float], float]

_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Adjusted:
    """One test after correction: the level it was judged at, its lower bound there, and whether that is above 0."""

    level: float
    low: float
    rejected: bool


def holm(tests: Mapping[str, LowerBound], *, alpha: float) -> dict[str, Adjusted]:
    """Correct one-sided tests given as functions from a level to the lower bound at that level."""
    order = sorted(tests, key=lambda name: (p_value(tests[name]), name))
    results: dict[str, Adjusted] = {}
    level, going = alpha, True
    for i, name in enumerate(order):
        if going:
            level = alpha / (len(order) - i)
        low = tests[name](level)
        going = going and low > 0
        results[name] = Adjusted(level, low, going)
    return results


def p_value(low: LowerBound) -> float:
    """Return the smallest level at which the lower bound is above 0, by bisection (1.0 if there is none below 1/2)."""
    left, right = _TINY, 0.5
    if low(left) > 0:
        return left
    if low(right) <= 0:
        return 1.0
    while right - left > _TINY and right / left > 1 + 1e-9:
        middle = (left * right) ** 0.5
        left, right = (left, middle) if low(middle) > 0 else (middle, right)
    return right
