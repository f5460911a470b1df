"""Holm's correction, by hand: the i-th smallest p-value is judged at alpha / (m - i), and the first that fails stops all."""

from __future__ import annotations

from statistics import NormalDist

import pytest

from vestige.desk.stats.holm import Adjusted, LowerBound, holm, p_value

NORMAL = NormalDist()


def test_of(p: float) -> LowerBound:
    """Return the lower bound of a normal mean of standard error 1 that has the one-sided p-value `p`."""
    z = NORMAL.inv_cdf(1 - p)
    return lambda alpha: z - NORMAL.inv_cdf(1 - alpha)


test_of.__test__ = False  # type: ignore[attr-defined]


def holm_of(alpha: float = 0.025, **p: float) -> dict[str, Adjusted]:
    return holm({name: test_of(value) for name, value in p.items()}, alpha=alpha)


def rejected(found: dict[str, Adjusted]) -> set[str]:
    return {name for name, a in found.items() if a.rejected}


def test_levels_by_hand() -> None:
    # m = 3: 0.001 at 0.025/3, 0.01 at 0.025/2, 0.04 at 0.025.
    found = holm_of(b=0.01, c=0.04, a=0.001)
    assert [found[n].level for n in "abc"] == [pytest.approx(0.025 / 3), 0.0125, 0.025]
    assert rejected(found) == {"a", "b"}
    assert (found["a"].low > 0, found["b"].low > 0, found["c"].low > 0) == (True, True, False)


def test_bounds_are_at_the_adjusted_level() -> None:
    # z(0.99) = 2.326348; z(1 - 0.025/2) = 2.241403: the bound of p = 0.01 as the first of two is 0.084945.
    found = holm_of(a=0.01, b=0.5)
    assert found["a"].low == pytest.approx(0.084945, abs=1e-6)


def test_the_first_that_fails_stops_the_rest() -> None:
    # 0.02 is not below 0.0125; 0.021 would be below 0.025, but is not judged there any more.
    found = holm_of(a=0.001, b=0.02, c=0.021)
    assert rejected(found) == {"a"}
    assert found["b"].level == found["c"].level == 0.0125


def test_holm_is_stricter_than_no_correction_and_looser_than_bonferroni() -> None:
    p = {"a": 0.004, "b": 0.006, "c": 0.011, "d": 0.02}
    # Bonferroni rejects below 0.00625: a, b. Holm: 0.00625, 0.00833, 0.0125, 0.025: all.
    assert rejected(holm_of(**p)) == {"a", "b", "c", "d"}
    # One more test that fails raises every step: 0.005, 0.00625, 0.00833, where c fails.
    assert rejected(holm_of(**p, e=0.9)) == {"a", "b"}


def test_one_test_is_not_corrected() -> None:
    found = holm_of(a=0.024)
    assert found["a"] == Adjusted(0.025, pytest.approx(found["a"].low), True)
    assert rejected(holm_of(a=0.026)) == set()


def test_no_tests_no_results() -> None:
    assert holm({}, alpha=0.025) == {}


def test_a_test_without_data_is_never_rejected_and_counts() -> None:
    # p = 0.02 alone would be below 0.025; beside one without data it is judged at 0.0125.
    found = holm({"a": test_of(0.02), "none": lambda alpha: float("-inf")}, alpha=0.025)
    assert rejected(found) == set()
    assert found["none"].low == float("-inf")


def test_order_does_not_depend_on_how_tests_are_given() -> None:
    p = {"a": 0.001, "b": 0.02, "c": 0.02, "d": 0.3}
    assert holm_of(**p) == holm_of(**dict(reversed(p.items())))


@pytest.mark.parametrize("p", [0.001, 0.0124, 0.2, 0.49])
def test_p_value_is_found_by_bisection(p: float) -> None:
    assert p_value(test_of(p)) == pytest.approx(p, rel=1e-6)


def test_p_value_at_the_ends() -> None:
    assert p_value(test_of(0.6)) == 1.0  # not above 0 at any level up to a half
    assert p_value(lambda alpha: float("-inf")) == 1.0
    assert p_value(lambda alpha: 1.0) == 1e-12  # above 0 at every level that is looked at


def test_a_p_value_near_the_smallest_level_ends_the_search() -> None:
    assert p_value(lambda alpha: 1.0 if alpha > 1.0000000005e-12 else -1.0) == pytest.approx(1e-12, rel=1e-3)
