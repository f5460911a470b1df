"""Recovery: what share of that which was lost is back, by itself and beyond what a model that never knew picks up.

With levels S paired by cluster (a score after the attack, before it, and the original's):
    recovery = mean(S(after) - S(before)) / mean(S(original) - S(before))
    excess   = mean[(S(after) - S(before)) - (C(after) - C(before))] / mean(S(original) - S(before)),
C being the control under the same relearn set. 0 is nothing, 1 is all; below 0 the attack took more away. A model that lost nothing
has nothing to recover: Missing. (The verdict rests on levels, not on these: a model driven far down that climbs back has revealed
nothing.)

Interval: Fieller 1954, "Some Problems in Interval Estimation", J. R. Statist. Soc. B 16, 175-185, for a ratio of two means of the
same clusters: all rho with |N - rho D| <= t sqrt((s_NN - 2 rho s_ND + rho^2 s_DD) / C). It has an end only where D itself is told
from 0. Where fewer than three clusters differ in N, the exact interval of `intervals`, with D taken as a constant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import covariance, fmean, variance

from vestige.desk.stats.intervals import ALPHA, Estimate, distinct, estimate, student_t
from vestige.records import Missing

Levels = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Recovered:
    """A share of what was lost, with its interval, over `n` clusters."""

    value: float
    low: float
    high: float
    n: int


def recovery(before: Levels, after: Levels, original: Levels, *, alpha: float = ALPHA) -> Recovered | Missing:
    """Return the share of what was lost that is back; each maps a cluster to its level."""
    rows = _paired(before, after, original)
    if isinstance(rows, Missing):
        return rows
    return _ratio([a - b for b, a, _ in rows], [o - b for b, _, o in rows], alpha)


def excess_recovery(
    before: Levels, after: Levels, original: Levels, *, control: tuple[Levels, Levels], alpha: float = ALPHA
) -> Recovered | Missing:
    """Return the recovery beyond the control's, `control` being its levels before and after the same attack."""
    rows = _paired(before, after, original, *control)
    if isinstance(rows, Missing):
        return rows
    return _ratio([(a - b) - (ca - cb) for b, a, _, cb, ca in rows], [o - b for b, _, o, *_ in rows], alpha)


def _paired(*levels: Levels) -> list[tuple[float, ...]] | Missing:
    """Return one row of levels a cluster, in the order given."""
    names = [set(part) for part in levels]
    odd = sorted(names[0].union(*names) - names[0].intersection(*names))
    if odd:
        return Missing(f"{len(odd)} clusters do not have every level, {odd[0]!r} for one")
    rows = [tuple(part[c] for part in levels) for c in sorted(names[0])]
    if not all(math.isfinite(x) for row in rows for x in row):
        return Missing("a level is not a finite number")
    if len(rows) < 2:
        return Missing(f"{len(rows)} cluster with data; two or more are needed")
    return rows


def _ratio(gained: Sequence[float], lost: Sequence[float], alpha: float) -> Recovered | Missing:
    """Return mean(gained) / mean(lost) by Fieller."""
    n, up, down = len(gained), fmean(gained), fmean(lost)
    k = student_t(alpha, n - 1) ** 2 / n
    a = down * down - k * variance(lost)
    if down <= 0 or a <= 0:
        return Missing(f"what was lost, {down:.3f}, is not told from nothing: there is nothing to recover")
    if distinct(gained) < 3:
        exact = estimate({str(i): [g] for i, g in enumerate(gained)}, alpha=alpha, scale=down)
        assert isinstance(exact, Estimate)  # two or more clusters, all of them numbers
        return Recovered(exact.value, exact.low, exact.high, n)
    b, c = up * down - k * covariance(gained, lost), up * up - k * variance(gained)
    root = math.sqrt(max(0.0, b * b - a * c))
    return Recovered(up / down, (b - root) / a, (b + root) / a, n)
