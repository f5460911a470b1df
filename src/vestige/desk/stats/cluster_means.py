"""The means of clusters, checked: what every test over clusters starts from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from vestige.records import Missing


def cluster_means(clusters: Mapping[str, Sequence[float]]) -> list[float] | Missing:
    """Return one mean a cluster, empty ones left out; Missing for a value that is no number or for fewer than two clusters."""
    means = [fmean(values) for values in clusters.values() if values]
    if not all(map(math.isfinite, means)):
        return Missing("a score is not a finite number")
    if len(means) < 2:
        return Missing(f"{len(means)} cluster with data; two or more are needed")
    return means
