"""Paired permutation test over clusters: could the sign of every cluster's difference have been either?

Papers: Fisher 1935, "The Design of Experiments", §21; Phipson and Smyth 2010, arXiv 1603.05766, for p-values of drawn permutations,
which are never 0. Under the null hypothesis subject and control are exchangeable within a cluster, so the C differences of cluster
means keep their size and take either sign; p is the share of the 2^C sign patterns whose mean is at least the one seen (two-sided:
twice the smaller side, at most 1). All patterns are tried where there are no more of them than `draws`, else `draws` of them, drawn
from a fixed seed. By scipy.

All probes of a cluster change sign together: with few clusters the smallest p that can be had is 1 / 2^C, given as `least`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vestige.desk.stats.cluster_means import cluster_means
from vestige.records import Missing

Alternative = Literal["greater", "less", "two-sided"]


@dataclass(frozen=True, slots=True)
class Permuted:
    """The mean difference, its p-value, the smallest p-value that `n` clusters allow, and whether all patterns were tried."""

    value: float
    p: float
    least: float
    n: int
    exact: bool


def paired_permutation(
    differences: Mapping[str, Sequence[float]], *, alternative: Alternative = "greater", draws: int = 10_000, seed: int = 0
) -> Permuted | Missing:
    """Return the p-value of the mean of paired differences by cluster; Missing as for any mean of clusters.

    Differences that are all 0 have p = 1: every pattern is as extreme as the one seen.
    """
    means = cluster_means(differences)
    if isinstance(means, Missing):
        return means
    from scipy.stats import permutation_test

    def mean(x: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(np.mean(x, axis=axis))

    exact = 2 ** len(means) <= draws
    chance = np.random.default_rng(seed)
    options = {"permutation_type": "samples", "vectorized": True, "n_resamples": draws, "alternative": alternative, "random_state": chance}
    p = float(permutation_test((np.array(means),), mean, **options).pvalue)
    sides = 2 if alternative == "two-sided" else 1
    least = sides / (2 ** len(means) if exact else draws + 1)
    return Permuted(fmean(means), p, min(1.0, least), len(means), exact)
