"""Spearman's rank correlation of pairs that come in groups, with an interval that resamples whole groups.

Paper: Spearman, "The Proof and Measurement of Association between Two Things", 1904: Pearson's correlation of the ranks, ties at
their mean rank; in [-1, 1], positive where both rise together. The interval is the percentile cluster bootstrap (Field and Welsh,
"Bootstrapping clustered data", 2007): as many groups as there are, drawn with replacement, each with all of its pairs; the bounds
are the 2.5 % and 97.5 % quantiles of 1,000 draws. Pairs of one group (the seeds of a relearn set) share what is not chance, so the
groups are the unit, and `n` pairs never count for more than the groups they come from.

`partial` is the same with a third number held still (Kendall 1942, "Partial rank correlation", Biometrika 32, with Spearman's rho):
    rho_xy.z = (rho_xy - rho_xz rho_yz) / sqrt((1 - rho_xz^2) (1 - rho_yz^2))
which is the correlation of what a straight line through the ranks of z leaves of the ranks of x and of y.

A draw in which one side has a single value says nothing: it counts as -1 for the lower bound and as +1 for the upper. Where all draws
agree (a perfect order) the bootstrap has nothing to work on, and the interval is missing rather than a point.

With few groups a percentile interval is a little too narrow. On simulated sets of three seeds (covariate, effect of the set and noise
normal, half of the recovery's unexplained variance between sets) it held the true rho in 93 to 96 of 100 cases, with 6, 12
and 24 sets, where rho was 0 and where it was 0.69 (300 cases of each, 500 draws).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestige.records import Missing

FEWEST = 4
"""Groups below which no correlation is given."""
_DRAWS = 1_000
_SEED = 0
# What rounding leaves of 1 - rho^2 where rho is 1.
_NOTHING = 1e-12

Pair = tuple[float, float]
Triple = tuple[float, float, float]
Rho = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True, slots=True)
class Correlation:
    """Rho with its 95 % interval (low, high), over `n` pairs in `groups` groups."""

    rho: float
    interval: tuple[float, float] | Missing
    n: int
    groups: int


def spearman(groups: Mapping[str, Sequence[Pair]]) -> Correlation | Missing:
    """Return the rank correlation of the pairs of all groups; Missing for fewer than four groups or a side that does not vary."""
    return _correlation(groups, ("covariate", "recovery"), _rho)


def partial(groups: Mapping[str, Sequence[Triple]]) -> Correlation | Missing:
    """Return the rank correlation of the first two of each triple with the third held still; Missing as above."""
    return _correlation(groups, ("covariate", "recovery", "number held still"), _partial_rho)


def _correlation(groups: Mapping[str, Sequence[tuple[float, ...]]], names: Sequence[str], rho: Rho) -> Correlation | Missing:
    parts = [np.array(rows, dtype=np.float64) for rows in groups.values() if rows]
    if len(parts) < FEWEST:
        return Missing(f"{len(parts)} distinct relearn sets; at least {FEWEST} are needed")
    rows = np.concatenate(parts)
    for side, name in enumerate(names):
        if np.ptp(rows[:, side]) == 0:
            return Missing(f"the {name} is the same everywhere")
    found = rho(rows)
    if np.isnan(found):
        return Missing(f"the {names[2]} and one of the other two are in one and the same order: nothing is left to correlate")
    return Correlation(found, _interval(parts, rho), len(rows), len(parts))


def _rho(pairs: NDArray[np.float64]) -> float:
    """Return Spearman's rho of pairs (N, 2), neither side of which is constant."""
    return float(_ranked(pairs)[0, 1])


def _partial_rho(rows: NDArray[np.float64]) -> float:
    """Return the partial rho of triples (N, 3), no side of which is constant; nan where the third is in the order of one of the others."""
    rho = _ranked(rows)
    xy, xz, yz = rho[0, 1], rho[0, 2], rho[1, 2]
    left = 1 - xz**2, 1 - yz**2
    return float((xy - xz * yz) / np.sqrt(left[0] * left[1])) if min(left) > _NOTHING else float("nan")


def _ranked(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlations (K, K) of the ranks of rows (N, K)."""
    from scipy.stats import rankdata

    found: NDArray[np.float64] = np.corrcoef(rankdata(rows, axis=0), rowvar=False)
    return found


def _interval(parts: Sequence[NDArray[np.float64]], rho: Rho) -> tuple[float, float] | Missing:
    chance = np.random.default_rng(_SEED)
    draws = (np.concatenate([parts[i] for i in chance.integers(len(parts), size=len(parts))]) for _ in range(_DRAWS))
    found = np.array([rho(drawn) if np.ptp(drawn, axis=0).all() else np.nan for drawn in draws])
    told = found[~np.isnan(found)]
    if len(told) and np.ptp(told) < 1e-12:
        return Missing(f"every order of {len(parts)} sets drawn is the same; they are too few to say how sure that is")
    low, high = np.quantile(np.nan_to_num(found, nan=-1.0), 0.025), np.quantile(np.nan_to_num(found, nan=1.0), 0.975)
    return float(low), float(high)
