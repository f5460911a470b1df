"""A number read from a whole set of scores, which says how many of them it had and how many were missing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from vestige.records import Missing


@dataclass(frozen=True, slots=True)
class Counted:
    """A number from `n` scores; `missing` more were to be had."""

    value: float
    n: int
    missing: int


def known(scores: Iterable[float | Missing]) -> tuple[list[float], int]:
    """Return the scores that are finite numbers, and how many are not."""
    everything = list(scores)
    found = [x for x in everything if not isinstance(x, Missing) and math.isfinite(x)]
    return found, len(everything) - len(found)
