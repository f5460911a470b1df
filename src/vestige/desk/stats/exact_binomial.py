"""Exact bounds of a share: hits among independent draws.

Paper: Clopper and Pearson 1934, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial", Biometrika 26,
404-413:
    low = BetaInv(alpha; h, n - h + 1),   high = BetaInv(1 - alpha; h + 1, n - h),   alpha a side.
As the bound of leakage in sampled answers: Scholten, Günnemann and Schwinn 2025, arXiv 2410.03523. Never covers less than it says;
0 hits of n end at 1 - alpha^(1/n). The draws must be independent: samples of one prompt are, questions about one person are not.
"""

from __future__ import annotations

from dataclasses import dataclass

from vestige.desk.stats.intervals import ALPHA, cp_high, cp_low
from vestige.records import Missing


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `n` with its exact interval."""

    value: float
    low: float
    high: float
    n: int


def share(hits: int, n: int, *, alpha: float = ALPHA) -> Share | Missing:
    """Return hits / n with its interval; Missing for n = 0.

    Raises:
        ValueError: more hits than draws, or fewer than none.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n} draws; expected 0 to {n}")
    if n == 0:
        return Missing("no draws")
    return Share(hits / n, cp_low(hits / n, n, alpha), cp_high(hits / n, n, alpha), n)
