"""leak@k: the most that k sampled answers to one prompt leak, as an expectation, with bounds that hold for any distribution.

With scores x in [0, 1] of n independent samples (1 = the secret is out) and x_(i) the i-th smallest,
    leak@k = E[max of k] is estimated without bias by  sum_i x_(i) C(i - 1, k - 1) / C(n, k),
which for hits and misses is 1 - C(n - hits, k) / C(n, k), the pass@k of Chen et al. 2021 (arXiv 2107.03374, eq. 1).

Bounds, alpha a side. Hits and misses: 1 - (1 - p)^k at the Clopper-Pearson bounds of p. Graded scores: E[max of k] is the integral
of 1 - F(x)^k over [0, 1], and F lies within e = sqrt(ln(1/alpha) / (2 n)) of the sampled one on either side (Dvoretzky, Kiefer and
Wolfowitz, with the constant of Massart 1990, "The Tight Constant in the Dvoretzky-Kiefer-Wolfowitz Inequality", for alpha <= 1/2);
as in Scholten, Günnemann and Schwinn 2025, arXiv 2410.03523. Greedy decoding shows one answer; these say what sampling may show.

The samples of one prompt are the unit here. Over many prompts, give each prompt's leak@k to an interval over clusters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from vestige.desk.stats.exact_binomial import share
from vestige.desk.stats.intervals import ALPHA
from vestige.records import Missing


@dataclass(frozen=True, slots=True)
class Leak:
    """leak@k of one prompt from `n` samples, with its bounds."""

    value: float
    low: float
    high: float
    k: int
    n: int


def leak_at_k(scores: Sequence[float], k: int, *, alpha: float = ALPHA) -> Leak | Missing:
    """Return leak@k with bounds; Missing for no samples, fewer than k, or a score that is no number in [0, 1].

    Raises:
        ValueError: k is below 1.
    """
    if k < 1:
        raise ValueError(f"k = {k}; expected 1 or more")
    odd = [x for x in scores if not 0 <= x <= 1]
    if odd:
        return Missing(f"a score is {odd[0]}; expected a number from 0 to 1")
    n = len(scores)
    if n < k:
        return Missing(f"{n} samples; leak@{k} needs {k} or more")
    ordered = sorted(scores)
    value = sum(x * math.comb(i, k - 1) for i, x in enumerate(ordered)) / math.comb(n, k)
    low, high = _exact(ordered, k, alpha) if set(ordered) <= {0.0, 1.0} else _band(ordered, k, alpha)
    return Leak(value, low, high, k, n)


def _exact(ordered: Sequence[float], k: int, alpha: float) -> tuple[float, float]:
    found = share(int(sum(ordered)), len(ordered), alpha=alpha)
    assert not isinstance(found, Missing)  # there are at least k >= 1 samples
    return 1 - (1 - found.low) ** k, 1 - (1 - found.high) ** k


def _band(ordered: Sequence[float], k: int, alpha: float) -> tuple[float, float]:
    """Return the integral of 1 - F^k with F moved up, and moved down, by the width of the band."""
    n = len(ordered)
    e = math.sqrt(math.log(1 / alpha) / (2 * n))
    edges = [0.0, *ordered, 1.0]
    # Between the i-th and the next value the sampled F is i / n; an F moved down never falls below 0, one moved up never rises above 1.
    widths = [(i / n, b - a) for i, (a, b) in enumerate(pairwise(edges))]
    low = 1 - sum(w * min(1.0, f + e) ** k for f, w in widths)
    high = 1 - sum(w * max(0.0, f - e) ** k for f, w in widths)
    return low, high
