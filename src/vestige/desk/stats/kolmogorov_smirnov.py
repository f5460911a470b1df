"""Two-sample Kolmogorov-Smirnov test: are two sets of scores from one distribution?

Papers: Smirnov 1939, "On the Estimation of the Discrepancy between Empirical Curves of Distribution for Two Independent Samples";
Hodges 1958, "The Significance Probability of the Smirnov Two-Sample Test", for the exact p-value that scipy gives for sets of up to
10,000.
    D = sup_x |F_first(x) - F_second(x)|, in [0, 1]; two-sided. `at` is the score at which they lie farthest apart, and
    `sign` is 1 where the first has more at or below it (its scores are lower there), else -1.

The scores must be independent: give one score a cluster. A large p does not show that the two are alike (see `equivalence`), and
with enough scores even an honest retrain is told from its twin (see `three_samples`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from vestige.records import Missing


@dataclass(frozen=True, slots=True)
class Compared:
    """The greatest distance between two distributions, its p-value, where it is and which lies lower; and both sizes."""

    distance: float
    p: float
    at: float
    sign: int
    sizes: tuple[int, int]


def two_samples(first: Sequence[float], second: Sequence[float]) -> Compared | Missing:
    """Return the test of two sets of scores; Missing where one is empty or holds what is no number."""
    sizes = len(first), len(second)
    if not all(sizes):
        return Missing(f"{sizes[0]} and {sizes[1]} scores; both sets are needed")
    if not all(map(math.isfinite, [*first, *second])):
        return Missing("a score is not a finite number")
    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the exact sum does not come out, and scipy takes the limit
        found = ks_2samp(first, second)
    return Compared(float(found.statistic), float(found.pvalue), float(found.statistic_location), int(found.statistic_sign), sizes)
