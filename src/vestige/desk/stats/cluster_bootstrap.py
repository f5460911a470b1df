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

Statistic = Callable[[Sequence[Sequence[float]]], float]
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
    value = statistic(kept)
    if not math.isfinite(value):
        return Missing("the statistic of all clusters is not a finite number")
    drawn, interval = _draw(len(kept), lambda which: statistic([kept[i] for i in which]), alpha=alpha, draws=draws, seed=seed)
    lost = int((~np.isfinite(drawn)).sum())
    if lost:
        return Missing(f"{lost} of {draws} draws of clusters give no finite number")
    if np.ptp(drawn) < 1e-12 or not all(map(math.isfinite, interval)):
        return Missing(f"every draw of {len(kept)} clusters gives the same; a bootstrap would call that certain")
    return Bootstrapped(value, *interval, len(kept))


def _draw(
    n: int, statistic: Callable[[NDArray[np.int_]], float], *, alpha: float, draws: int, seed: int
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return the statistic of every draw and its BCa bounds (NaN where the draws do not differ)."""
    from scipy.stats import bootstrap as draw

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore")
        found = draw(
            (np.arange(n),),
            statistic,
            n_resamples=draws,
            vectorized=False,
            confidence_level=1 - 2 * alpha,
            method="BCa",
            random_state=np.random.default_rng(seed),
        )
    return found.bootstrap_distribution, (float(found.confidence_interval.low), float(found.confidence_interval.high))
