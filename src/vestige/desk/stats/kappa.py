"""Agreement of two judges beyond chance.

Papers: Cohen 1960, Educational and Psychological Measurement 20, 37-46:
    kappa = (p_o - p_e) / (1 - p_e),   p_o = share of equal judgements,   p_e = sum_i p_i. p_.i
Fleiss, Cohen and Everitt 1969, Psychological Bulletin 72, 323-327, large-sample variance for the interval:
    Var = [sum_i p_ii (1 - (p_i. + p_.i)(1 - kappa))^2 + (1 - kappa)^2 sum_{i != j} p_ij (p_.i + p_j.)^2
           - (kappa - p_e (1 - kappa))^2] / (n (1 - p_e)^2)

1 where both always agree, 0 where they agree as often as by chance. Where both give one and the same class throughout, p_e = 1 and kappa is
not defined. The interval takes judgements for independent and is short where several are about one person.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from vestige.desk.stats.intervals import ALPHA
from vestige.records import Missing


@dataclass(frozen=True, slots=True)
class Kappa:
    """Kappa of `n` pairs with its interval, and the share of equal judgements."""

    value: float
    low: float
    high: float
    agreement: float
    n: int


def kappa(pairs: Iterable[tuple[bool, bool]], *, alpha: float = ALPHA) -> Kappa | Missing:
    """Return Cohen's kappa of two judges' yes and no; Missing without pairs, or where both say one thing throughout."""
    counts = Counter(pairs)
    n = counts.total()
    if not n:
        return Missing("no answer has both judgements")
    p = {(i, j): counts[i, j] / n for i in (True, False) for j in (True, False)}
    rows, columns = ({i: p[i, True] + p[i, False] for i in (True, False)}, {j: p[True, j] + p[False, j] for j in (True, False)})
    agreed, chance = p[True, True] + p[False, False], sum(rows[i] * columns[i] for i in (True, False))
    if chance >= 1:
        return Missing("both judges give one and the same judgement throughout: agreement beyond chance is not defined")
    k = (agreed - chance) / (1 - chance)
    same = sum(p[i, i] * (1 - (rows[i] + columns[i]) * (1 - k)) ** 2 for i in (True, False))
    other = (1 - k) ** 2 * sum(p[i, not i] * (columns[i] + rows[not i]) ** 2 for i in (True, False))
    variance = (same + other - (k - chance * (1 - k)) ** 2) / (n * (1 - chance) ** 2)
    half = NormalDist().inv_cdf(1 - alpha) * math.sqrt(max(0.0, variance))
    return Kappa(k, max(-1.0, k - half), min(1.0, k + half), agreed, n)
