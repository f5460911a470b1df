"""Exact shares and leak@k: by hand, at their limits, and against enumeration."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest
from scipy import stats

from vestige.desk.stats.exact_binomial import Share, share
from vestige.desk.stats.leak_at_k import Leak, leak_at_k
from vestige.records import Missing


def leak(scores: list[float], k: int) -> Leak:
    found = leak_at_k(scores, k)
    assert isinstance(found, Leak)
    return found


def test_a_share_by_hand() -> None:
    # 0 of 10: (1 - p)^10 = 0.025 at p = 0.3084971; 10 of 10: its mirror.
    assert share(0, 10) == Share(0.0, 0.0, pytest.approx(0.3084971, abs=1e-7), 10)
    assert share(10, 10) == Share(1.0, pytest.approx(0.6915029, abs=1e-7), 1.0, 10)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (3, 17), (64, 128)])
def test_a_share_is_scipys(hits: int, n: int) -> None:
    exact = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    found = share(hits, n)
    assert isinstance(found, Share)
    assert (found.low, found.high) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_no_draws_are_no_share() -> None:
    assert share(0, 0) == Missing("no draws")


@pytest.mark.parametrize(("hits", "n"), [(3, 2), (-1, 2)])
def test_an_impossible_count_is_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{hits} hits of {n} draws; expected 0 to {n}"):
        share(hits, n)


def test_leak_at_k_of_hits_by_hand() -> None:
    # 1 hit in 4 samples: of the C(4, 2) = 6 pairs, 3 hold it. 1 - C(3, 2)/C(4, 2) = 1/2; at k = 1 the share, at k = n the maximum.
    assert [leak([0.0, 0.0, 1.0, 0.0], k).value for k in (1, 2, 4)] == [0.25, 0.5, 1.0]


def test_leak_at_k_is_the_mean_of_the_maximum_of_all_subsets() -> None:
    rng = random.Random(4)
    scores = [rng.random() for _ in range(7)]
    for k in range(1, 8):
        subsets = [max(s) for s in combinations(scores, k)]
        assert leak(scores, k).value == pytest.approx(sum(subsets) / len(subsets))


def test_bounds_of_hits_are_those_of_the_share() -> None:
    # None of 128: p <= 1 - 0.025^(1/128) = 0.0284077, and 1 - (1 - p)^8 = 1 - 0.025^(8/128) = 0.2059.
    found = leak([0.0] * 128, 8)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025 ** (8 / 128))
    sure = leak([1.0] * 128, 8)
    assert (sure.value, sure.high) == (1.0, 1.0)
    assert sure.low == pytest.approx(1 - (1 - 0.025 ** (1 / 128)) ** 8)


def test_the_band_of_graded_scores_by_hand() -> None:
    # Four samples at 1/2, k = 2, e = sqrt(ln(40)/8) = 0.6790511. F is 0 below 1/2 and 1 above it.
    # Moved up: e below, 1 above: low = 1 - (e^2/2 + 1/2) = 0.2694448. Moved down: 0, 1 - e: high = 1 - (1 - e)^2/2 = 0.9484959.
    found = leak([0.5] * 4, 2)
    e = math.sqrt(math.log(40) / 8)
    assert e == pytest.approx(0.6790511, abs=1e-6)
    assert (found.value, found.low, found.high) == (0.5, pytest.approx((1 - e * e) / 2), pytest.approx(1 - (1 - e) ** 2 / 2))


def test_graded_bounds_hold_the_truth() -> None:
    # Uniform scores: E[max of 5] = 5/6. Distribution-free bounds are wide, so that misses are rarer than the 5 % allowed.
    rng = random.Random(6)
    found = [leak([rng.random() for _ in range(64)], 5) for _ in range(300)]
    assert sum(not f.low <= 5 / 6 <= f.high for f in found) <= 15
    assert all(f.low <= f.value <= f.high for f in found)
    assert sum(f.value for f in found) / 300 == pytest.approx(5 / 6, abs=0.01)


def test_what_leaks_cannot_be_told_from() -> None:
    assert leak_at_k([], 1) == Missing("0 samples; leak@1 needs 1 or more")
    assert leak_at_k([0.0] * 3, 4) == Missing("3 samples; leak@4 needs 4 or more")
    assert leak_at_k([0.0, 1.5], 1) == Missing("a score is 1.5; expected a number from 0 to 1")
    assert isinstance(leak_at_k([0.0, math.nan], 1), Missing)
    with pytest.raises(ValueError, match="k = 0"):
        leak_at_k([0.0], 0)


def test_hits_and_misses_have_exact_bounds_at_the_level_asked_for() -> None:
    # 1 of 4 at k = 1 is a share: Clopper-Pearson 0.0063 to 0.8059; at alpha = 0.1, 0.0260 to 0.6795.
    found = leak([1.0, 0.0, 0.0, 0.0], 1)
    assert (found.value, found.low, found.high) == (0.25, pytest.approx(0.0063094, abs=1e-6), pytest.approx(0.8058796, abs=1e-6))
    assert (found.k, found.n) == (1, 4)
    loose = leak_at_k([1.0, 0.0, 0.0, 0.0], 1, alpha=0.1)
    assert isinstance(loose, Leak)
    expected = share(1, 4, alpha=0.1)
    assert isinstance(expected, Share)
    assert (loose.low, loose.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_all_hits_have_exact_bounds_too() -> None:
    # 5 of 5: the lower bound of the share is 0.025^(1/5) = 0.4782; of the most of two, 1 - (1 - 0.4782)^2 = 0.7277.
    found = leak([1.0] * 5, 2)
    assert (found.low, found.high) == (pytest.approx(1 - (1 - 0.025**0.2) ** 2), 1.0)
