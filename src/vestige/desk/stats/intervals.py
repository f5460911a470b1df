"""Estimates with intervals over clusters (people, countries), never over repeated questions about one of them.

Two-sided Student t over cluster means, `alpha` a side. Where fewer than three clusters lie more than 0.05 from the median,
t has nothing to work on, and a bootstrap would return a point; then Clopper-Pearson is used on what lies above and below
the median M, in shares of the room there is, with an effective number of probes n_eff = n / (1 + (m - 1) / 2), m probes
per cluster (intra-cluster correlation 1/2). For differences in [-1, 1], with P = mean max(d - M, 0) / (1 - M) and
N = mean max(M - d, 0) / (M + 1):
    [M + (1 - M) CP_low(P) - (1 + M) CP_high(N), M + (1 - M) CP_high(P) - (1 + M) CP_low(N)],
and for levels, which cannot be negative, M in place of 1 + M. At M = 0 these are the exact bounds of a share: 0 of 10 gives
an upper bound of 0.308. Values beyond the range count as its end, for the median and for each of P and N.

Why 0.05: scores are continuous, and noise of 1e-4 around "none of 18 people" is not certainty. Where each of 18 people is
wholly back with probability 0.2, the upper bound lies below 0.2 in 2 of 100 simulations with normal noise of 1e-4 or 0.01
(0.5 with 24 people, none with 12, none at a probability of 0.1); with t wherever three clusters differ at all, in 9 to 10.
Why the median: clusters that all lie near 0.6 show 0.6, and the doubt is about others that may lie elsewhere. 18 of them
within 0.02 of 0.6 give 0.29 to 0.69 or less; around 0, with four probes each, an upper bound of at most 0.14.

Known limits: with noise of 0.03 t comes back and misses in 4 of 100, with 0.05 in 10: t is not made for a rare whole
return among spread clusters. And 1/2 is an assumption: where all four probes of a person come back together, up to 8 of
100 are missed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median_high, median_low, variance
from typing import Any, Literal

from vestige.records import Missing

ALPHA = 0.025
# Farther from the median than this, a cluster differs.
_MATERIAL = 0.05


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `n` clusters with a two-sided interval; `n_eff` is the effective number of probes."""

    value: float
    low: float
    high: float
    n: int
    n_eff: float
    method: Literal["t", "clopper_pearson", "t_wilson"]
    missing: int = 0


def estimate(
    clusters: Mapping[str, Sequence[float]], *, alpha: float = ALPHA, signed: bool = True, scale: float = 1.0, missing: int = 0
) -> Estimate | Missing:
    """Return the mean of cluster means with its interval, divided by `scale` (taken as a constant).

    `clusters` maps a cluster to the scores (or paired differences) of its probes; `signed` says that they may be
    negative. Fewer than two clusters, or a value that is no number: Missing.
    """
    means = [fmean(values) for values in clusters.values() if values]
    if not all(map(math.isfinite, means)):
        return Missing("a score is not a finite number")
    if len(means) < 2:
        return Missing(f"{len(means)} cluster with data; an interval needs two or more")
    value, n_eff = fmean(means), effective(clusters)
    if distinct(means) >= 3:
        half = student_t(alpha, len(means) - 1) * math.sqrt(variance(means) / len(means))
        low, high, method = value - half, value + half, "t"
    else:
        low, high = exact(means, n_eff, alpha=alpha, signed=signed)
        method = "clopper_pearson"
    return Estimate(value / scale, low / scale, high / scale, len(means), n_eff, method, missing)  # type: ignore[arg-type]


def distinct(means: Sequence[float]) -> int:
    """Return how many clusters lie materially away from the middle one."""
    centre = middle(means)
    return sum(1 for m in means if abs(m - centre) > _MATERIAL)


def middle(means: Sequence[float]) -> float:
    """Return the median; of two middle values, the one nearer to 0, so that mirrored data have mirrored intervals."""
    return min(median_low(means), median_high(means), key=abs)


def effective(clusters: Mapping[str, Sequence[float]]) -> float:
    """Return n_eff = n / (1 + (m - 1) / 2) of n probes, m to a cluster."""
    sizes = [len(v) for v in clusters.values() if v]
    n = sum(sizes)
    return n / (1 + (n / len(sizes) - 1) / 2) if sizes else 0.0


def exact(means: Sequence[float], n_eff: float, *, alpha: float, signed: bool) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of what lies above and below the middle cluster, of scores in [-1, 1] or [0, 1]."""
    least = -1.0 if signed else 0.0
    centre = min(1.0, max(least, middle(means)))
    above, below = 1.0 - centre, centre - least
    up = _share(fmean(max(m - centre, 0.0) for m in means), above)
    down = _share(fmean(max(centre - m, 0.0) for m in means), below)
    return (
        centre + above * cp_low(up, n_eff, alpha) - below * cp_high(down, n_eff, alpha),
        centre + above * cp_high(up, n_eff, alpha) - below * cp_low(down, n_eff, alpha),
    )


def _share(part: float, whole: float) -> float:
    return min(1.0, part / whole) if whole > 0 else 0.0


def cp_low(share: float, n: float, alpha: float) -> float:
    """Return the lower Clopper-Pearson bound of a share of n, one-sided at alpha."""
    from scipy.special import betaincinv

    return 0.0 if share <= 0 else float(betaincinv(share * n, (1 - share) * n + 1, alpha))


def cp_high(share: float, n: float, alpha: float) -> float:
    """Return the upper Clopper-Pearson bound of a share of n, one-sided at alpha."""
    from scipy.special import betaincinv

    return 1.0 if share >= 1 else float(betaincinv(share * n + 1, (1 - share) * n, 1 - alpha))


def student_t(alpha: float, df: int) -> float:
    """Return the upper alpha quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 1 - alpha))


def n_min(delta: float, alpha: float = ALPHA) -> int:
    """Return the fewest effective probes with which "none of n" has an upper bound below delta."""
    n = math.ceil(math.log(alpha) / math.log(1 - delta))
    return n + 1 if 1 - alpha ** (1 / n) >= delta else n


def as_json(value: Estimate | Missing) -> dict[str, Any]:
    """Return an estimate as verdict.json holds it."""
    if isinstance(value, Missing):
        return {"missing_reason": value.reason}
    return {k: getattr(value, k) for k in ("value", "low", "high", "n", "n_eff", "method", "missing")}
