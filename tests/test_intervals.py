"""Estimates over clusters, against hand-worked numbers and scipy."""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest
from scipy import stats

from vestige.desk.levels import Clusters
from vestige.desk.stats.intervals import (
    ALPHA,
    Estimate,
    as_json,
    cp_high,
    cp_low,
    distinct,
    effective,
    estimate,
    n_min,
    student_t,
)
from vestige.records import Missing


def single(*values: float) -> dict[str, list[float]]:
    """Return one probe per cluster."""
    return {str(i): [v] for i, v in enumerate(values)}


def found(clusters: dict[str, list[float]], **options: float) -> Estimate:
    value = estimate(clusters, **options)  # type: ignore[arg-type]
    assert isinstance(value, Estimate)
    return value


# ---- Student's t


def test_t_interval_by_hand() -> None:
    # Mean 0.25; deviations -0.15 -0.05 0.05 0.15, squares 0.0225 0.0025 0.0025 0.0225, sum 0.05, variance 0.05/3;
    # standard error sqrt(0.05/3/4) = 0.0645497; t(0.975, 3) = 3.182446 (table); half width 0.205426.
    value = found(single(0.1, 0.2, 0.3, 0.4))
    assert value.method == "t"
    assert (value.value, value.n, value.n_eff) == (pytest.approx(0.25), 4, 4.0)
    assert (value.low, value.high) == (pytest.approx(0.25 - 0.205426, abs=1e-6), pytest.approx(0.25 + 0.205426, abs=1e-6))


@pytest.mark.parametrize("seed", range(5))
def test_t_interval_is_scipys(seed: int) -> None:
    rng = random.Random(seed)
    values = [rng.gauss(0.2, 0.3) for _ in range(12)]
    value = found(single(*values))
    low, high = stats.t.interval(0.95, 11, loc=fmean(values), scale=stats.sem(values))
    assert (value.low, value.high) == (pytest.approx(low), pytest.approx(high))


def test_alpha_is_per_side() -> None:
    values = single(0.1, 0.2, 0.3, 0.4, 0.6)
    low, high = stats.t.interval(0.80, 4, loc=0.32, scale=stats.sem([0.1, 0.2, 0.3, 0.4, 0.6]))
    value = found(values, alpha=0.1)
    assert (value.low, value.high) == (pytest.approx(low), pytest.approx(high))
    assert student_t(0.025, 10) == pytest.approx(2.228139, abs=1e-6)  # table


def test_clusters_count_once_however_many_probes_they_have() -> None:
    # Cluster means 1, 0, 0.5, 0.25: the ten probes of the first weigh no more than the one of the second.
    value = found({"a": [1.0] * 10, "b": [0.0], "c": [0.5, 0.5], "d": [0.0, 0.5]})
    assert value.value == pytest.approx((1 + 0 + 0.5 + 0.25) / 4)
    assert value.n == 4
    assert found({"a": [1.0], "b": [0.0], "c": [0.5], "d": [0.25]}).low == value.low


def test_t_covers_at_its_nominal_rate() -> None:
    # 2000 draws of 12 normal clusters: coverage 0.95, standard error sqrt(0.95 x 0.05 / 2000) = 0.0049; three of them.
    rng = random.Random(7)
    hits = 0
    for _ in range(2000):
        value = found(single(*(rng.gauss(0.3, 0.2) for _ in range(12))))
        hits += value.low <= 0.3 <= value.high
    assert abs(hits / 2000 - 0.95) < 0.0147


# ---- Clopper-Pearson, where t has nothing to work on


def test_none_of_ten_is_not_shown_to_be_below_a_fifth() -> None:
    # (1 - p)^10 = 0.025 at p = 1 - 0.025^(1/10) = 0.30850: a percentile bootstrap of ten zeros would say [0, 0].
    for signed in (True, False):
        value = found(single(*[0.0] * 10), signed=signed)
        assert value.method == "clopper_pearson"
        assert value.high == pytest.approx(0.3085, abs=5e-5)
        assert not value.high < 0.2
    assert found(single(*[0.0] * 10), signed=False).low == 0.0


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (1, 10), (2, 10), (0, 17), (9, 10), (10, 10), (1, 2)])
def test_shares_have_scipys_exact_interval(hits: int, n: int) -> None:
    exact = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert (cp_low(hits / n, n, ALPHA), cp_high(hits / n, n, ALPHA)) == (pytest.approx(exact.low), pytest.approx(exact.high))


@pytest.mark.parametrize("p", [0.02, 0.05, 0.1, 0.3, 0.5])
def test_exact_interval_never_covers_less_than_it_says(p: float) -> None:
    # No simulation: the probability of every outcome of 20 draws at which the interval holds p.
    covered = sum(stats.binom.pmf(k, 20, p) for k in range(21) if cp_low(k / 20, 20, ALPHA) <= p <= cp_high(k / 20, 20, ALPHA))
    assert covered >= 0.95


def test_fewer_than_three_clusters_that_differ_fall_back() -> None:
    eight = [0.0] * 8
    assert found(single(*eight, 1.0), signed=False).method == "clopper_pearson"
    two = found(single(*eight, 1.0, 1.0), signed=False)
    exact = stats.binomtest(2, 10).proportion_ci(0.95, method="exact")
    assert (two.method, two.low, two.high) == ("clopper_pearson", pytest.approx(exact.low), pytest.approx(exact.high))
    assert found(single(*eight, 1.0, 1.0, 1.0), signed=False).method == "t"


def test_differing_is_counted_from_the_median() -> None:
    assert distinct([0.0, 0.0, 0.0]) == 0
    assert distinct([0.0, 0.0, 0.3, 0.4]) == 2
    assert distinct([0.1, 0.2, 0.3]) == 2  # none repeats: all but one differ
    assert distinct([0.1, 0.2, 0.3, 0.4]) == 3
    assert distinct([0.5, 0.5 + 1e-12]) == 0  # rounding noise is no difference
    assert distinct([0.04, -0.04, 0.0, 0.06, -0.06]) == 2  # and neither is what is not material
    assert distinct([0.0, 0.0, 1.0, 1.0]) == distinct([0.0, 0.0, -1.0, -1.0]) == 2  # two middle values: the one nearer to 0
    assert found(single(0.1, 0.2, 0.3)).method == "clopper_pearson"


def test_rounding_noise_does_not_make_a_point_interval() -> None:
    # Ten clusters at 0 but for the last bits: t would give an interval of width 1e-12, and pass.
    value = found(single(*(i * 1e-12 for i in range(10))))
    assert value.method == "clopper_pearson"
    assert value.high > 0.3


@pytest.mark.parametrize("noise", [1e-4, 0.01])
def test_noise_does_not_pass_for_certainty(noise: float) -> None:
    # Each of 18 people is wholly back with probability 0.2. The upper bound may lie below 0.2 in 2.5 of 100 draws; of 1000,
    # the standard error is sqrt(0.025 x 0.975 / 1000) = 0.0049; three of them. With t in all draws it does in 9 to 10 of 100.
    rng = random.Random(11)
    low = 0
    for _ in range(1000):
        low += found(single(*((rng.random() < 0.2) + rng.gauss(0.0, noise) for _ in range(18)))).high < 0.2
    assert low / 1000 < 0.025 + 3 * 0.0049


def test_clusters_that_lie_close_together_show_where_they_lie() -> None:
    # 18 clusters at 0.6 -0.02, 0 and +0.02, six of each: M = 0.6, P = (6 x 0.02 / 18) / 0.4 = 1/60, N = 1/240 of the room of 1.6.
    # Beta quantiles: CP_low and CP_high of 1/60 of 18 (0.3), and of 1/240 of 18 (0.075).
    value = found(single(*[0.58, 0.6, 0.62] * 6))
    up = stats.beta.ppf(0.025, 0.3, 18.7), stats.beta.ppf(0.975, 1.3, 17.7)
    down = stats.beta.ppf(0.025, 0.075, 18.925), stats.beta.ppf(0.975, 1.075, 17.925)
    assert (value.method, value.value) == ("clopper_pearson", pytest.approx(0.6))
    assert value.low == pytest.approx(0.6 + 0.4 * up[0] - 1.6 * down[1])
    assert value.high == pytest.approx(0.6 + 0.4 * up[1] - 1.6 * down[0])
    assert 0.25 < value.low < value.high < 0.75
    # The other way round, the interval is mirrored; with an even number of distinct values as well.
    other = found(single(*[-0.58, -0.6, -0.62] * 6))
    assert (other.low, other.high) == (pytest.approx(-value.high), pytest.approx(-value.low))
    one, two = found(single(0.3, 0.31, 0.32, 0.33)), found(single(-0.3, -0.31, -0.32, -0.33))
    assert (two.low, two.high) == (pytest.approx(-one.high), pytest.approx(-one.low))


def test_all_at_one_value_leave_what_none_of_them_leaves_open() -> None:
    # None of 18 lies elsewhere: at most 1 - 0.025^(1/18) = 0.185302 of clusters do, at 1 or at -1 (at 0, for levels).
    value = found(single(*[0.6] * 18))
    assert (value.low, value.high) == (pytest.approx(0.6 - 1.6 * 0.185302, abs=1e-6), pytest.approx(0.6 + 0.4 * 0.185302, abs=1e-6))
    assert found(single(*[0.6] * 18), signed=False).low == pytest.approx(0.6 * (1 - 0.185302), abs=1e-6)


def test_nearly_identical_twins_are_shown_to_be_close() -> None:
    # 18 people, four probes each, all differences within 0.02: 28.8 effective probes, and "none of 28.8" ends at 0.12.
    rng = random.Random(3)
    for _ in range(50):
        value = found({str(i): [rng.uniform(-0.02, 0.02)] * 4 for i in range(18)})
        assert value.method == "clopper_pearson"
        assert -0.2 < value.low < -0.1
        assert 0.1 < value.high < 0.2


def test_difference_by_hand() -> None:
    # Ten differences, nine 0 and one 1: P = 0.1, N = 0.
    # CP of 1 in 10: [0.0025286, 0.4450161]; of 0 in 10: [0, 0.3084971].
    # [CP_low(P) - CP_high(N), CP_high(P) - CP_low(N)] = [0.0025286 - 0.3084971, 0.4450161 - 0].
    value = found(single(*[0.0] * 9, 1.0))
    assert (value.low, value.high) == (pytest.approx(-0.3059685, abs=1e-6), pytest.approx(0.4450161, abs=1e-6))
    # The other way round, the interval is mirrored.
    other = found(single(*[0.0] * 9, -1.0))
    assert (other.low, other.high) == (pytest.approx(-value.high), pytest.approx(-value.low))


def test_all_and_nothing() -> None:
    # Ten of ten: (p)^10 = 0.025 at p = 0.6915029; minus the upper bound of none of ten.
    value = found(single(*[1.0] * 10))
    assert (value.low, value.high) == (pytest.approx(0.6915029 - 0.3084971, abs=1e-6), 1.0)
    assert found(single(*[1.0] * 10), signed=False).low == pytest.approx(0.6915029, abs=1e-6)
    assert found(single(*[-1.0] * 10)).low == -1.0


def test_differences_beyond_one_are_bounded_towards_no_claim() -> None:
    # A rise minus a rise can reach 2; the share is cut at 1, so that no lower bound gets above that of "all of ten".
    assert found(single(*[2.0] * 10)).low == found(single(*[1.0] * 10)).low


# ---- effective number of probes


def test_effective_number_by_hand() -> None:
    assert effective({}) == 0.0
    assert effective(single(*[0.0] * 10)) == 10.0
    # 12 clusters of 4: 48 / (1 + 3/2) = 19.2.
    assert effective({str(i): [0.0] * 4 for i in range(12)}) == pytest.approx(19.2)
    # 3 and 1, mean size 2: 4 / (1 + 1/2); an empty cluster is none.
    assert effective({"a": [0.0] * 3, "b": [0.0], "c": []}) == pytest.approx(4 / 1.5)


def test_repeated_questions_about_one_cluster_count_less() -> None:
    # 5 clusters of 3: n_eff = 15 / 2 = 7.5, upper bound 1 - 0.025^(1/7.5) = 0.388506, and not that of 15 (0.218019).
    value = found({str(i): [0.0] * 3 for i in range(5)})
    assert value.n_eff == pytest.approx(7.5)
    assert value.high == pytest.approx(1 - 0.025 ** (1 / 7.5), abs=1e-9)
    assert value.high == pytest.approx(0.388506, abs=1e-5)


@pytest.mark.parametrize(("delta", "least"), [(0.2, 17), (0.1, 36), (0.05, 72)])
def test_least_number_of_probes(delta: float, least: int) -> None:
    assert n_min(delta) == least
    assert cp_high(0.0, least, ALPHA) < delta <= cp_high(0.0, least - 1, ALPHA)


@pytest.mark.parametrize(("delta", "alpha"), [(0.5, 0.025), (0.3, 0.01), (0.15, 0.05), (0.5, 0.125)])
def test_least_number_is_least_at_any_level(delta: float, alpha: float) -> None:
    # The last pair: 0.5^3 is exactly 0.125, so that three give an upper bound of exactly delta, which is not below it.
    least = n_min(delta, alpha)
    assert 1 - alpha ** (1 / least) < delta <= 1 - alpha ** (1 / (least - 1))
    assert n_min(0.5, 0.125) == 4


# ---- scale, shift and what is missing


def test_scale_divides_value_and_bounds() -> None:
    plain, scaled = found(single(0.1, 0.2, 0.3, 0.4)), found(single(0.1, 0.2, 0.3, 0.4), scale=0.5)
    assert (scaled.value, scaled.low, scaled.high) == (plain.value / 0.5, plain.low / 0.5, plain.high / 0.5)
    exact = found(single(*[0.0] * 10), scale=0.5)
    assert exact.high == pytest.approx(2 * 0.3084971, abs=1e-6)


def test_a_known_constant_shifts_and_does_not_widen() -> None:
    # None of 20 ranks last where chance is 1/8: [0, 0.168434] - 0.125.
    value = Clusters(single(*[0.0] * 20), 0, signed=False, minus=0.125).estimate(alpha=ALPHA)
    assert isinstance(value, Estimate)
    assert (value.value, value.low, value.high) == (-0.125, -0.125, pytest.approx(0.168434 - 0.125, abs=1e-6))
    shifted = Clusters(single(0.1, 0.2, 0.3, 0.4), 0, minus=0.05).estimate(alpha=ALPHA, scale=0.5)
    still = Clusters(single(0.1, 0.2, 0.3, 0.4), 0).estimate(alpha=ALPHA, scale=0.5)
    assert isinstance(shifted, Estimate)
    assert isinstance(still, Estimate)
    assert (shifted.low, shifted.high) == (pytest.approx(still.low - 0.1), pytest.approx(still.high - 0.1))
    assert isinstance(Clusters({}, 3, minus=0.1).estimate(alpha=ALPHA), Missing)


def test_missing_probes_are_counted_beside_the_estimate() -> None:
    assert found(single(0.1, 0.2), missing=3).missing == 3


@pytest.mark.parametrize("clusters", [{}, {"a": []}, {"a": [0.0] * 50}, {"a": [0.0] * 50, "b": []}])
def test_one_cluster_has_no_interval(clusters: dict[str, list[float]]) -> None:
    value = estimate(clusters)
    assert isinstance(value, Missing)
    assert "an interval needs two" in value.reason


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rest", [[0.0] * 20, [0.01 * i for i in range(20)], []])
def test_a_value_that_is_no_number_gives_no_estimate(bad: float, rest: list[float]) -> None:
    assert isinstance(estimate(single(bad, *rest)), Missing)


def test_as_json_holds_every_field_or_the_reason() -> None:
    value = found(single(*[0.0] * 10))
    assert set(as_json(value)) == {"value", "low", "high", "n", "n_eff", "method", "missing"}
    assert as_json(Missing("why")) == {"missing_reason": "why"}
