"""Estimates with intervals over clusters (people, countries), never over repeated questions about one of them.

Two-sided Student t over cluster means, `alpha` a side. Where the variance is zero, or fewer than three clusters differ
from the most common value, t has nothing to work on and a bootstrap would return a point; then Clopper-Pearson is
used with an effective number of probes n_eff = n / (1 + (m - 1) / 2), m probes per cluster (intra-cluster correlation
1/2). For differences d in [-1, 1] with P = mean max(d, 0) and N = mean max(-d, 0):
    [CP_low(P) - CP_high(N), CP_high(P) - CP_low(N)],
and for levels, which cannot be negative, [CP_low(P), CP_high(P)]. 0 of 10 gives an upper bound of 0.308.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, multimode, variance
from typing import Any, Literal

from vestige.records import Missing

ALPHA = 0.025
_DISTINCT = 1e-9


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `n` clusters with a two-sided interval; `n_eff` is the effective number of probes."""

    value: float
    low: float
    high: float
    n: int
    n_eff: float
    method: Literal["t", "clopper_pearson"]
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
    if distinct(means) >= 3 and variance(means) > 0:
        half = student_t(alpha, len(means) - 1) * math.sqrt(variance(means) / len(means))
        low, high, method = value - half, value + half, "t"
    else:
        low, high = exact(means, n_eff, alpha=alpha, signed=signed)
        method = "clopper_pearson"
    return Estimate(value / scale, low / scale, high / scale, len(means), n_eff, method, missing)  # type: ignore[arg-type]


def distinct(means: Sequence[float]) -> int:
    """Return how many clusters differ from the most common value (all but one, where no value repeats)."""
    rounded = [round(m / _DISTINCT) for m in means]
    common = multimode(rounded)[0]
    return sum(1 for m in rounded if m != common)


def effective(clusters: Mapping[str, Sequence[float]]) -> float:
    """Return n_eff = n / (1 + (m - 1) / 2) of n probes, m to a cluster."""
    sizes = [len(v) for v in clusters.values() if v]
    n = sum(sizes)
    return n / (1 + (n / len(sizes) - 1) / 2) if sizes else 0.0


def exact(means: Sequence[float], n_eff: float, *, alpha: float, signed: bool) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a mean of bounded scores."""
    up = min(1.0, fmean(max(m, 0.0) for m in means))
    down = min(1.0, fmean(max(-m, 0.0) for m in means))
    if not signed:
        return cp_low(up, n_eff, alpha), cp_high(up, n_eff, alpha)
    return (
        cp_low(up, n_eff, alpha) - cp_high(down, n_eff, alpha),
        cp_high(up, n_eff, alpha) - cp_low(down, n_eff, alpha),
    )


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
