"""The area under the ROC curve of two small groups and its interval, by hand."""

from __future__ import annotations

import math

import pytest

from vestige.desk.stats.auc_interval import Area, area
from vestige.records import Missing


def test_an_area_counts_pairs_and_half_of_the_ties() -> None:
    # 2 > 1, 2 = 2 (1/2), 3 > 1, 3 > 2: 3.5 of 4.
    found = area([2, 3], [1, 2])
    assert isinstance(found, Area)
    assert found.value == 3.5 / 4
    mirrored = area([1, 2], [2, 3])
    assert isinstance(mirrored, Area)
    assert (mirrored.value, mirrored.low, mirrored.high) == pytest.approx((1 - found.value, 1 - found.high, 1 - found.low))
    assert isinstance(area([], [1.0]), Missing)


def test_a_limit_of_an_area_is_where_the_estimate_is_just_196_standard_deviations_away() -> None:
    found = area([2, 3, 4, 5, 6, 7], [1, 1, 1, 1, 1, 1])
    assert isinstance(found, Area)
    assert (found.value, found.high) == (1.0, 1.0)
    # At the limit L: 1 - L = 1.96 sqrt(L (1 - L) (1 + 5 ((1 - L)/(2 - L) + L/(1 + L))) / 36), with 5 = (6 + 6)/2 - 1.
    low = found.low
    sd = math.sqrt(low * (1 - low) * (1 + 5 * ((1 - low) / (2 - low) + low / (1 + low))) / 36)
    assert 1 - low == pytest.approx(1.959964 * sd, rel=1e-6)
    assert 0.6 < low < 0.75


@pytest.mark.parametrize(("m", "n"), [(3, 8), (8, 3), (2, 2)])
@pytest.mark.parametrize("alpha", [0.025, 0.05])
def test_both_limits_of_an_area_within_the_scale_solve_the_equation(m: int, n: int, alpha: float) -> None:
    # One value of the upper group lies below one of the lower: m n - 1 pairs of m n are in order.
    found = area([0.5, *range(2, m + 1)], [1.0, *([0.0] * (n - 1))], alpha=alpha)
    assert isinstance(found, Area)
    assert (found.value, found.above, found.below) == ((m * n - 1) / (m * n), m, n)
    z, more = {0.025: 1.959964, 0.05: 1.644854}[alpha], (m + n) / 2 - 1
    for limit in (found.low, found.high):
        sd = math.sqrt(limit * (1 - limit) * (1 + more * ((1 - limit) / (2 - limit) + limit / (1 + limit))) / (m * n))
        assert abs(found.value - limit) == pytest.approx(z * sd, rel=1e-6)
    assert found.low < found.value < found.high < 1


def test_an_empty_group_is_named_by_its_size() -> None:
    assert area([], [1.0, 2.0]) == Missing("groups of 0 and 2; both are needed")
    assert area([1.0], []) == Missing("groups of 1 and 0; both are needed")
