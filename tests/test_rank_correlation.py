"""Spearman's rho, worked by hand, and an interval whose unit is the group."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from vestige.desk.stats.rank_correlation import Correlation, partial, spearman
from vestige.records import Missing

NEARLY = [(1.0, 10.0), (2.0, 20.0), (3.0, 40.0), (4.0, 30.0), (5.0, 50.0)]


def alone(pairs: list[tuple[float, float]]) -> dict[str, list[tuple[float, float]]]:
    return {str(n): [pair] for n, pair in enumerate(pairs)}


def found(groups: dict[str, list[tuple[float, float]]]) -> Correlation:
    value = spearman(groups)
    assert isinstance(value, Correlation)
    return value


def test_rho_is_that_of_the_ranks() -> None:
    # Two neighbours are swapped: 1 - 6 (1 + 1) / (5 (25 - 1)) = 0.9.
    value = found(alone(NEARLY))
    assert value.rho == pytest.approx(0.9)
    assert (value.n, value.groups) == (5, 5)
    assert found(alone([(x, -y) for x, y in NEARLY])).rho == pytest.approx(-0.9)


def test_ties_take_their_mean_rank() -> None:
    # Ranks 1.5 1.5 3.5 3.5 against 1 2 3 4: products of deviations 1.5 + 0.5 + 0.5 + 1.5 = 4; 4 / sqrt(4 x 5) = 0.894.
    assert found(alone([(1, 1), (1, 2), (2, 3), (2, 4)])).rho == pytest.approx(0.8944, abs=1e-4)


def test_the_interval_holds_rho_and_is_the_same_every_time() -> None:
    value = found(alone(NEARLY))
    assert isinstance(value.interval, tuple)
    low, high = value.interval
    assert -1 <= low < 0.9 < high <= 1
    assert found(alone(NEARLY)).interval == value.interval


def test_more_seeds_of_the_same_sets_make_no_interval_narrower() -> None:
    """Five equal pairs in each group change nothing; taken for 25 independent pairs they would."""
    five = {name: pairs * 5 for name, pairs in alone(NEARLY).items()}
    assert found(five).n == 25
    once, again = found(alone(NEARLY)).interval, found(five).interval
    twenty_five = found(alone(NEARLY * 5)).interval
    assert isinstance(once, tuple)
    assert isinstance(twenty_five, tuple)
    assert again == pytest.approx(once)
    assert twenty_five[1] - twenty_five[0] < (once[1] - once[0]) / 2


def test_draws_that_say_nothing_widen_the_interval() -> None:
    # One group of four has another covariate: it is in no draw of (3/4)^4 = 32 %, more than 2.5 %, so both bounds are open.
    assert found(alone([(1, 1), (1, 2), (1, 3), (2, 4)])).interval == (-1, 1)


def test_a_perfect_order_has_no_interval_rather_than_a_point() -> None:
    value = found(alone([(1, 1), (2, 2), (3, 3), (4, 4)]))
    assert value.rho == pytest.approx(1)
    assert value.interval == Missing("every order of 4 sets drawn is the same; they are too few to say how sure that is")


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ({}, "0 distinct relearn sets; at least 4 are needed"),
        (alone(NEARLY[:3]), "3 distinct relearn sets; at least 4 are needed"),
        ({"a": NEARLY, "b": [], "c": NEARLY}, "2 distinct relearn sets; at least 4 are needed"),
        (alone([(7.0, y) for _, y in NEARLY]), "the covariate is the same everywhere"),
        (alone([(x, 0.0) for x, _ in NEARLY]), "the recovery is the same everywhere"),
    ],
)
def test_what_cannot_be_told_says_why(groups: Any, says: str) -> None:
    assert spearman(groups) == Missing(says)


def test_the_interval_is_drawn_from_a_fixed_seed() -> None:
    pairs = alone([(x, y + 3 * ((7 * i) % 5)) for i, (x, y) in enumerate(NEARLY * 2)])
    assert found(pairs) == found(pairs)


def test_a_draw_without_two_values_counts_as_the_worst_on_either_side() -> None:
    # Of four groups, three have one covariate: 3^4 / 4^4 = 32 % of the draws hold one value only.
    value = found({"a": [(0.0, 1.0)], "b": [(0.0, 2.0)], "c": [(0.0, 3.0)], "d": [(1.0, 4.0)]})
    assert value.interval == (-1.0, 1.0)


# ---- with a third number held still


def test_partial_by_hand() -> None:
    # x: 1 2 3 4 5, y: 2 1 4 3 5, z: 1 3 2 5 4. Squared rank differences: xy 4 (rho 1 - 24/120 = .8), xz 4 (.8),
    # yz 1 + 4 + 4 + 4 + 1 = 14 (1 - 84/120 = .3). (.8 - .24) / sqrt(.36 x .91) = .56 / .5724 = .978.
    value = partial({str(i): [t] for i, t in enumerate([(1, 2, 1), (2, 1, 3), (3, 4, 2), (4, 3, 5), (5, 5, 4)])})
    assert isinstance(value, Correlation)
    assert value.rho == pytest.approx(0.56 / math.sqrt(0.36 * 0.91))
    assert (value.n, value.groups) == (5, 5)


def test_partial_is_the_correlation_of_what_a_line_through_the_ranks_leaves() -> None:
    chance = np.random.default_rng(3)
    rows = chance.normal(size=(40, 3)) @ np.array([[1.0, 0.4, 0.7], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    ranks = np.argsort(np.argsort(rows, axis=0), axis=0) + 1.0
    line = np.stack([np.ones(40), ranks[:, 2]], axis=1)
    left = [ranks[:, side] - line @ np.linalg.lstsq(line, ranks[:, side], rcond=None)[0] for side in (0, 1)]
    value = partial({str(i): [tuple(row)] for i, row in enumerate(rows.tolist())})
    assert isinstance(value, Correlation)
    assert value.rho == pytest.approx(np.corrcoef(*left)[0, 1])
    assert isinstance(value.interval, tuple)
    assert value.interval[0] < value.rho < value.interval[1]


def test_a_covariate_that_only_follows_the_third_number_tells_nothing_beyond_it() -> None:
    chance = np.random.default_rng(0)
    third = chance.normal(size=300)
    x, y = third + 0.5 * chance.normal(size=300), third + 0.5 * chance.normal(size=300)
    rows = list(zip(x.tolist(), y.tolist(), third.tolist(), strict=True))
    both, beyond = spearman(alone([r[:2] for r in rows])), partial({str(i): [r] for i, r in enumerate(rows)})
    assert isinstance(both, Correlation)
    assert isinstance(beyond, Correlation)
    assert both.rho > 0.7
    assert abs(beyond.rho) < 0.15


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(1, 2, 0), (2, 1, 0), (3, 4, 0), (4, 3, 0)], "the number held still is the same everywhere"),
        (
            [(1, 2, 10), (2, 1, 20), (3, 4, 30), (4, 3, 40)],
            "the number held still and one of the other two are in one and the same order: nothing is left to correlate",
        ),
    ],
)
def test_what_is_left_of_nothing_says_so(rows: Any, says: str) -> None:
    assert partial({str(i): [row] for i, row in enumerate(rows)}) == Missing(says)


def test_two_nearly_equal_orders_leave_enough_to_correlate() -> None:
    third = list(range(400))
    first, second = [1, 0, *third[2:]], [*third[:5], 6, 5, *third[7:]]  # each differs from the third in one pair
    found = partial({str(i): [row] for i, row in enumerate(zip(first, second, third, strict=True))})
    assert isinstance(found, Correlation)
    assert abs(found.rho) < 0.01
