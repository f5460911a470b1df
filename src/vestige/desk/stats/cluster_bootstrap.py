"""Bootstrap of any statistic by drawing whole clusters (facts, people), never single probes.

Papers: Field and Welsh 2007, "Bootstrapping clustered data", J. R. Statist. Soc. B 69, 369-390 (the cluster bootstrap); Efron 1987,
"Better Bootstrap Confidence Intervals", J. Am. Stat. Assoc. 82, 171-185: bias-corrected and accelerated (BCa) bounds, `alpha` a
side, by scipy.

With fewer than some 20 clusters it is short, and where clusters do not differ it is a point: there it is Missing. No verdict rests
on it; it is for statistics that have no other interval, such as ratios and harmonic means.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from vestige.desk.stats.cluster_means import cluster_means
from vestige.desk.stats.intervals import ALPHA
from vestige.records import Missing

Clusters = Sequence[Sequence[float]]
Statistic = Callable[[Clusters], float]
TwoGroups = Callable[[Clusters, Clusters], float]
_DRAWS = 2_000


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """A statistic of `n` clusters with its BCa interval."""

    value: float
    low: float
    high: float
    n: int


def mean_of_means(clusters: Sequence[Sequence[float]]) -> float:
    """Return the mean of cluster means."""
    return fmean(fmean(values) for values in clusters)


def bootstrap(
    clusters: Mapping[str, Sequence[float]],
    statistic: Statistic = mean_of_means,
    *,
    alpha: float = ALPHA,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Bootstrapped | Missing:
    """Return the statistic with its interval; Missing where there are too few clusters, or a draw gives no number or none differs."""
    means = cluster_means(clusters)
    if isinstance(means, Missing):
        return means
    kept = [values for values in clusters.values() if values]
    return _bootstrapped([kept], lambda groups: statistic(groups[0]), alpha=alpha, draws=draws, seed=seed)


def bootstrap_two(
    first: Mapping[str, Sequence[float]],
    second: Mapping[str, Sequence[float]],
    statistic: TwoGroups,
    *,
    alpha: float = ALPHA,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Bootstrapped | Missing:
    """Return a statistic of two groups of clusters, each drawn by itself, with its interval; Missing as for one group."""
    for means in (cluster_means(first), cluster_means(second)):
        if isinstance(means, Missing):
            return means
    kept = [[values for values in group.values() if values] for group in (first, second)]
    return _bootstrapped(kept, lambda groups: statistic(groups[0], groups[1]), alpha=alpha, draws=draws, seed=seed)


def _bootstrapped(
    kept: Sequence[Clusters], statistic: Callable[[Sequence[Clusters]], float], *, alpha: float, draws: int, seed: int
) -> Bootstrapped | Missing:
    """Return the statistic of one or two groups of clusters with its interval."""
    value, n = statistic(kept), sum(map(len, kept))
    if not math.isfinite(value):
        return Missing("the statistic of all clusters is not a finite number")

    def of(*which: NDArray[np.int_]) -> float:
        return statistic([[group[i] for i in chosen] for group, chosen in zip(kept, which, strict=True)])

    drawn, interval = _draw([len(group) for group in kept], of, alpha=alpha, draws=draws, seed=seed)
    lost = int((~np.isfinite(drawn)).sum())
    if lost:
        return Missing(f"{lost} of {draws} draws of clusters give no finite number")
    if np.ptp(drawn) < 1e-12 or not all(map(math.isfinite, interval)):
        return Missing(f"every draw of {n} clusters gives the same; a bootstrap would call that certain")
    return Bootstrapped(value, *interval, n)


def _draw(
    sizes: Sequence[int], statistic: Callable[..., float], *, alpha: float, draws: int, seed: int
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return the statistic of every draw and its BCa bounds (NaN where the draws do not differ)."""
    from scipy.stats import bootstrap as draw

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore")
        found = draw(
            tuple(map(np.arange, sizes)),
            statistic,
            n_resamples=draws,
            vectorized=False,
            confidence_level=1 - 2 * alpha,
            method="BCa",
            random_state=np.random.default_rng(seed),
        )
    return found.bootstrap_distribution, (float(found.confidence_interval.low), float(found.confidence_interval.high))
