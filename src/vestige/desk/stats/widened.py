"""Estimates whose interval is, on each side, the wider of Student's t and Wilson's score interval over clusters.

Papers: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference", J. Am. Stat. Assoc. 22, 209-212; its use
with an effective sample size estimated from clusters: Korn and Graubard 1998, "Confidence Intervals for Proportions with Small Expected
Number of Positive Counts Estimated from Survey Data", Survey Methodology 24, 193-201 (there with Clopper-Pearson); the combination
of two parts: Newcombe 1998, "Improved Confidence Intervals for the Difference between Binomial Proportions Based on Paired Data",
Statist. Med. 17, 2635-2650, method 10.

Why: where few clusters hold something, their mean and their spread rise together, so that t is short where the mean came out low.
With 40 clusters of four probes at a rate of 0.1, the upper bound of t lies below the truth in 6 to 8 of 100 draws, where 2.5 are
promised: each is a false PASS. Wilson takes the spread that belongs to the bound, not to the mean: mu is within the bounds if
    |mean - mu| <= t sqrt(V mu (1 - mu) / C),    V = variance of the C cluster means / (mean (1 - mean)),
a quadratic in mu. Differences d in [-1, 1] are taken apart, P = mean max(d, 0) and N = mean max(-d, 0), each gets its bounds, and
    low  = P - N - sqrt(p^2 - 2 r p n + n^2),   p = P - low(P),  n = high(N) - N,
with r the correlation of the two parts over clusters; high likewise. Around a difference of 0 with few clusters this alone is too short
(a part that nobody shows has no width), and there t is right: hence the wider of the two on each side. Levels have no N.

Fewer than three clusters that lie away from the median: as in `intervals`, unchanged. Values beyond -1 and 1 count as the end, for the
parts. Not for scores without bounds, such as log-probabilities. `docs/coverage.md` holds both intervals' coverage, cell by cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, variance

from vestige.desk.stats import intervals
from vestige.desk.stats.intervals import ALPHA, Estimate, student_t
from vestige.records import Missing


def estimate(
    clusters: Mapping[str, Sequence[float]], *, alpha: float = ALPHA, signed: bool = True, scale: float = 1.0, missing: int = 0
) -> Estimate | Missing:
    """Return the mean of cluster means with its interval, divided by `scale`; the contract of `intervals.estimate`."""
    plain = intervals.estimate(clusters, alpha=alpha, signed=signed, scale=scale, missing=missing)
    if isinstance(plain, Missing) or plain.method != "t":
        return plain
    low, high = parts([fmean(values) for values in clusters.values() if values], alpha=alpha)
    return replace(plain, low=min(plain.low, low / scale), high=max(plain.high, high / scale), method="t_wilson")


def parts(means: Sequence[float], *, alpha: float) -> tuple[float, float]:
    """Return the bounds of the mean of values in [-1, 1], one-sided at alpha each, from those of its positive and negative part."""
    above, below = ([min(1.0, max(sign * m, 0.0)) for m in means] for sign in (1, -1))
    t, n = student_t(alpha, len(means) - 1), len(means)
    up, down = fmean(above), fmean(below)
    low_up, high_up = score_bounds(up, variance(above), n, t)
    low_down, high_down = score_bounds(down, variance(below), n, t)
    spread = math.sqrt(variance(above) * variance(below))
    # The parts are never above 0 together, so their covariance is minus the product of their means (over n - 1, like the variances).
    r = -up * down * n / (n - 1) / spread if spread > 0 else 0.0
    return up - down - _joint(up - low_up, high_down - down, r), up - down + _joint(high_up - up, down - low_down, r)


def score_bounds(mean: float, spread: float, n: int, t: float) -> tuple[float, float]:
    """Return Wilson's bounds of a mean in [0, 1] of n values with the variance `spread`, at the quantile t."""
    if spread == 0 or not 0 < mean < 1:
        return mean, mean
    k = t * t * spread / (n * mean * (1 - mean))
    half = math.sqrt(k * mean * (1 - mean) + k * k / 4) / (1 + k)
    centre = (mean + k / 2) / (1 + k)
    return centre - half, centre + half


def _joint(a: float, b: float, r: float) -> float:
    return math.sqrt(max(0.0, a * a + b * b - 2 * r * a * b))
