"""Model utility: one number for what is to be kept, which is low if any part of it is.

Paper: Maini et al. 2024, arXiv 2401.06121, §3 (TOFU): the harmonic mean n / sum_i 1/x_i of nine numbers in [0, 1]: probability, ROUGE-L
recall and the truth ratio's margin max(0, 1 - R), each on retained authors, real authors and world facts. One 0 makes it 0.
Deviation: a number that is missing makes it Missing; a mean of eight is not TOFU's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from vestige.errors import DataError, nearest
from vestige.records import Missing

SETS = ("retain", "real_authors", "world_facts")
PARTS = ("probability", "rouge_l_recall", "truth_ratio_margin")


def harmonic_mean(values: Sequence[float]) -> float | Missing:
    """Return the harmonic mean of numbers that are not negative; 0 if any is 0.

    Raises:
        DataError: a number is negative or not finite.
    """
    bad = [x for x in values if not math.isfinite(x) or x < 0]
    if bad:
        raise DataError(f"a harmonic mean is of finite numbers from 0 up; seen {bad[0]}")
    if not values:
        return Missing("a mean of no numbers")
    return len(values) / math.fsum(1 / x for x in values) if all(values) else 0.0


def model_utility(numbers: Mapping[tuple[str, str], float | Missing]) -> float | Missing:
    """Return TOFU's model utility, from its nine numbers by (set, part).

    Raises:
        DataError: a number that is none of the nine, or one that is negative or not finite.
    """
    due = [(set_, part) for set_ in SETS for part in PARTS]
    for key in numbers:
        if key not in due:
            raise DataError(f"model utility has no number {'/'.join(key)!r}; {nearest('/'.join(key), map('/'.join, due))}")
    values: list[float] = []
    for key in due:
        value = numbers.get(key, Missing("not given"))
        if isinstance(value, Missing):
            return Missing(f"{'/'.join(key)}: {value.reason}")
        values.append(value)
    return harmonic_mean(values)
