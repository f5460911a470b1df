"""Tests over clusters: bootstrap, permutation, Kolmogorov-Smirnov, equivalence, three samples. By hand, and what none can tell."""

from __future__ import annotations

import math
import random
from statistics import fmean, harmonic_mean
from typing import Any

import numpy as np
import pytest
from scipy import stats

from vestige.desk.stats.cluster_bootstrap import Bootstrapped, bootstrap, bootstrap_two
from vestige.desk.stats.cluster_means import cluster_means
from vestige.desk.stats.equivalence import Equivalence, equivalent
from vestige.desk.stats.kolmogorov_smirnov import Compared, two_samples
from vestige.desk.stats.paired_permutation import Permuted, paired_permutation
from vestige.desk.stats.three_samples import Closer, closer
from vestige.records import Missing

Clusters = dict[str, list[float]]
DEGENERATE: list[tuple[Clusters, str]] = [
    ({}, "0 cluster"),
    ({"a": [0.1, 0.2]}, "1 cluster"),
    ({"a": [0.1], "b": []}, "1 cluster"),
    ({"a": [0.1], "b": [math.nan]}, "not a finite number"),
    ({"a": [0.1], "b": [math.inf]}, "not a finite number"),
]


def single(*values: float) -> Clusters:
    return {str(i): [v] for i, v in enumerate(values)}


@pytest.mark.parametrize(("clusters", "says"), DEGENERATE)
def test_no_test_over_clusters_answers_from_nothing(clusters: Clusters, says: str) -> None:
    answers: list[Any] = [
        cluster_means(clusters),
        bootstrap(clusters),
        paired_permutation(clusters),
        equivalent(clusters, 0.1),
        closer(clusters, clusters, clusters),
    ]
    assert all(isinstance(a, Missing) and says in a.reason for a in answers)


# ---- bootstrap


def boot(clusters: Clusters, **options: Any) -> Bootstrapped:
    found = bootstrap(clusters, **options)
    assert isinstance(found, Bootstrapped)
    return found


def test_two_clusters_are_drawn_as_four_pairs() -> None:
    # 0 and 1: means of draws 0, 1/2, 1/2, 1 with probability 1/4 each: both 2.5 % quantiles are the ends, whatever BCa shifts.
    found = boot(single(0.0, 1.0))
    assert (found.value, found.low, found.high, found.n) == (0.5, 0.0, 1.0, 2)


def test_repeated_probes_of_a_cluster_make_nothing_narrower() -> None:
    rng = random.Random(1)
    values = [rng.random() for _ in range(12)]
    once, often = boot(single(*values)), boot({str(i): [v] * 25 for i, v in enumerate(values)})
    assert (often.low, often.high) == (pytest.approx(once.low), pytest.approx(once.high))


def test_spread_clusters_have_about_ts_interval() -> None:
    rng = random.Random(3)
    values = [rng.gauss(0.4, 0.1) for _ in range(40)]
    found = boot(single(*values))
    low, high = stats.t.interval(0.95, 39, loc=fmean(values), scale=stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.006), pytest.approx(high, abs=0.006))


def test_any_statistic_of_clusters_can_be_drawn_and_is_the_same_every_time() -> None:
    clusters = single(0.2, 0.4, 0.5, 0.7, 0.9)
    found = boot(clusters, statistic=lambda parts: harmonic_mean([x for part in parts for x in part]))
    assert found.value == pytest.approx(5 / (1 / 0.2 + 1 / 0.4 + 1 / 0.5 + 1 / 0.7 + 1 / 0.9))
    assert found.low < found.value < found.high
    assert boot(clusters, seed=1) == boot(clusters, seed=1) != boot(clusters, seed=2)


def test_the_level_is_a_side() -> None:
    clusters = single(*(0.05 * i for i in range(15)))
    narrow, wide = boot(clusters, alpha=0.1), boot(clusters, alpha=0.005)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_clusters_that_do_not_differ_are_not_called_certain() -> None:
    found = bootstrap(single(*[0.0] * 18))
    assert found == Missing("every draw of 18 clusters gives the same; a bootstrap would call that certain")


def test_a_statistic_that_some_draws_lack_is_missing() -> None:
    def ratio(parts: Any) -> float:
        low = sum(x < 0.5 for part in parts for x in part)
        return 1 / low if low else math.nan

    found = bootstrap(single(0.1, 0.9, 0.9), ratio)
    assert isinstance(found, Missing)
    assert "of 2000 draws of clusters give no finite number" in found.reason
    assert bootstrap(single(0.9, 0.8), ratio) == Missing("the statistic of all clusters is not a finite number")


# ---- paired permutation


def permuted(clusters: Clusters, **options: Any) -> Permuted:
    found = paired_permutation(clusters, **options)
    assert isinstance(found, Permuted)
    return found


def test_permutation_by_hand() -> None:
    # 0.3, 0.2, 0.1: of the 8 sign patterns one reaches the sum 0.6: p = 1/8. With -0.1 for 0.1, sum 0.4: two reach it (0.6, 0.4).
    assert permuted(single(0.3, 0.2, 0.1)) == Permuted(pytest.approx(0.2), 0.125, 0.125, 3, True)
    assert permuted(single(0.3, 0.2, -0.1)).p == 0.25
    assert permuted(single(0.3, 0.2, -0.1), alternative="two-sided").p == 0.5
    assert permuted(single(0.3, 0.2, -0.1), alternative="less").p == 7 / 8  # the seven at or below it
    assert permuted(single(0.3, 0.2, 0.1), alternative="two-sided").least == 0.25


def test_a_cluster_changes_sign_as_a_whole() -> None:
    # Ten equal probes in each of three clusters are three differences: p = 1/8, not 1/2^30.
    assert permuted({str(i): [0.2] * 10 for i in range(3)}).p == 0.125


def test_no_difference_at_all_is_no_evidence() -> None:
    assert permuted(single(0.0, 0.0, 0.0, 0.0)).p == 1.0


def test_many_clusters_are_sampled_and_never_give_zero() -> None:
    found = permuted(single(*[0.1] * 40), draws=999)
    assert (found.exact, found.p, found.least) == (False, 1 / 1000, 1 / 1000)
    assert permuted(single(*[0.1] * 40), draws=999) == found


def test_permutation_holds_its_level() -> None:
    # 8 normal differences around 0, 400 draws, at 5 %: standard error sqrt(0.05 x 0.95 / 400) = 0.0109; three of them.
    rng = random.Random(9)
    p = [permuted(single(*(rng.gauss(0, 1) for _ in range(8)))).p for _ in range(400)]
    assert sum(x <= 0.05 for x in p) / 400 < 0.05 + 0.033


# ---- Kolmogorov-Smirnov


def test_two_samples_by_hand() -> None:
    # 1 2 3 4 against 3 4 5 6: F is 1/2 at 2, G is 0: D = 1/2. All of one below the other: D = 1, p = 2 / C(8, 4) = 1/35.
    found = two_samples([1, 2, 3, 4], [3, 4, 5, 6])
    assert isinstance(found, Compared)
    assert (found.distance, found.at, found.sign, found.sizes) == (0.5, 2, 1, (4, 4))
    apart = two_samples([5, 6, 7, 8], [1, 2, 3, 4])
    assert isinstance(apart, Compared)
    assert (apart.distance, apart.p, apart.sign) == (1.0, pytest.approx(1 / 35), -1)


def test_one_sample_against_itself() -> None:
    found = two_samples([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
    assert isinstance(found, Compared)
    assert (found.distance, found.p) == (0.0, 1.0)


def test_two_constant_sets_are_told_apart_or_not() -> None:
    same, other = two_samples([0.5] * 9, [0.5] * 9), two_samples([0.5] * 9, [0.6] * 9)
    assert isinstance(same, Compared)
    assert isinstance(other, Compared)
    assert (same.p, other.distance) == (1.0, 1.0)
    assert other.p == pytest.approx(2 / math.comb(18, 9))


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ([], [1.0], "0 and 1 scores; both sets are needed"),
        ([1.0], [], "1 and 0 scores; both sets are needed"),
        ([1.0, math.nan], [1.0], "a score is not a finite number"),
    ],
)
def test_what_cannot_be_compared(first: list[float], second: list[float], says: str) -> None:
    assert two_samples(first, second) == Missing(says)


# ---- equivalence


def equivalence(clusters: Clusters, margin: float, **options: float) -> Equivalence:
    found = equivalent(clusters, margin, **options)
    assert isinstance(found, Equivalence)
    return found


def test_equivalence_is_two_one_sided_t_tests() -> None:
    rng = random.Random(8)
    values = [rng.gauss(0.02, 0.12) for _ in range(20)]
    lower = stats.ttest_1samp(values, -0.1, alternative="greater").pvalue
    upper = stats.ttest_1samp(values, 0.1, alternative="less").pvalue
    found = equivalence(single(*values), 0.1)
    assert found.p == pytest.approx(max(lower, upper), rel=1e-6)
    assert found.holds == (found.p < 0.025)


def test_p_and_the_interval_agree_at_every_margin() -> None:
    values = single(*(0.08 * ((i * 7) % 11 - 5) / 5 for i in range(22)))
    margins = [0.01 * i for i in range(1, 12)]
    found = [equivalence(values, m) for m in margins]
    assert [f.holds for f in found] == [f.p < 0.025 for f in found] == [f.estimate.high < m for f, m in zip(found, margins, strict=True)]
    assert {f.holds for f in found} == {True, False}
    assert [f.p for f in found] == sorted((f.p for f in found), reverse=True)


def test_no_difference_in_a_few_clusters_is_no_equivalence() -> None:
    # None of 10 differ: the exact interval reaches 0.308. None of 40: 1 - 0.025^(1/40) = 0.0881, within 0.1.
    assert not equivalence(single(*[0.0] * 10), 0.2).holds
    many = equivalence(single(*[0.0] * 40), 0.1)
    assert many.holds
    assert many.p == pytest.approx(0.9**40, rel=1e-6)  # (1 - 0.1)^40 is the level at which "none of 40" ends at 0.1


def test_a_difference_beyond_the_margin_has_p_one() -> None:
    assert equivalence(single(0.3, 0.4, 0.5, 0.6, 0.35), 0.1).p == 1.0


def test_a_margin_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="a margin of 0"):
        equivalent(single(0.0, 0.1), 0.0)


# ---- three samples


def nearer(subject: Clusters, twin: Clusters, original: Clusters) -> Closer:
    found = closer(subject, twin, original)
    assert isinstance(found, Closer)
    return found


def test_closer_by_hand() -> None:
    # Subject 0.2, twin 0.1, original 0.9: |0.2 - 0.9| - |0.2 - 0.1| = 0.6; the other way round -0.6.
    subject, twin, original = ({str(i): [x] for i in range(20)} for x in (0.2, 0.1, 0.9))
    found = nearer(subject, twin, original)
    assert (found.to, found.difference.value) == ("twin", pytest.approx(0.6))
    assert nearer(subject, original, twin).to == "original"
    assert nearer(subject, twin, twin).to == "neither"


def test_an_honest_retrain_is_closer_to_the_twin_though_told_apart_from_it() -> None:
    # Two trainings differ by 0.1 everywhere: a paired test tells subject and twin apart, and the subject is still the twin's.
    rng = random.Random(2)
    twin = {str(i): [rng.uniform(0.0, 0.2)] for i in range(30)}
    subject = {c: [v[0] + 0.1] for c, v in twin.items()}
    original = {c: [0.9] for c in twin}
    assert permuted({c: [subject[c][0] - twin[c][0]] for c in twin}).p < 0.001
    assert nearer(subject, twin, original).to == "twin"


def test_a_few_clusters_between_the_two_are_neither() -> None:
    subject = single(0.5, 0.5, 0.5, 0.5)
    assert nearer(subject, single(0.1, 0.2, 0.8, 0.3), single(0.9, 0.8, 0.2, 0.7)).to == "neither"


def test_samples_that_were_not_asked_the_same_are_not_compared() -> None:
    says = "subject, twin and original were not asked the same probes"
    assert closer(single(0.1, 0.2), single(0.1), single(0.1, 0.2)) == Missing(says)
    assert closer({"a": [0.1]}, {"a": [0.1, 0.2]}, {"a": [0.1]}) == Missing(says)


# ---- bootstrap of two groups


def gap(first: Any, second: Any) -> float:
    return fmean(fmean(values) for values in first) - fmean(fmean(values) for values in second)


def test_two_groups_are_each_drawn_by_themselves() -> None:
    # The second group is one constant: what its draws add to the difference is 0, so the bounds are the first group's less 0.5.
    first = single(*[x / 20 for x in range(20)])
    alone, both = bootstrap(first, seed=1), bootstrap_two(first, single(0.5, 0.5, 0.5), gap, seed=1)
    assert isinstance(alone, Bootstrapped)
    assert isinstance(both, Bootstrapped)
    assert both.value == pytest.approx(alone.value - 0.5)
    assert (both.low, both.high) == pytest.approx((alone.low - 0.5, alone.high - 0.5), abs=0.02)
    assert both.n == 23


@pytest.mark.parametrize(("clusters", "says"), DEGENERATE)
def test_two_groups_need_two_clusters_each(clusters: Clusters, says: str) -> None:
    for pair in ((clusters, single(0.1, 0.2)), (single(0.1, 0.2), clusters)):
        found = bootstrap_two(*pair, gap)
        assert isinstance(found, Missing)
        assert says in found.reason


def test_two_groups_are_drawn_from_a_fixed_seed() -> None:
    groups = single(*[x / 20 for x in range(20)]), single(*[(x * 7 % 11) / 11 for x in range(11)])
    found = [bootstrap_two(*groups, gap, draws=200, **fields) for fields in ({}, {}, {"seed": 0}, {"seed": 1})]
    assert found[0] == found[1] == found[2] != found[3]


# ---- what is passed on


def test_a_level_reaches_every_interval_over_clusters() -> None:
    differences = single(0.3, -0.2, 0.1, 0.25, -0.1, 0.4, 0.05, -0.3)
    for test in (
        lambda a: equivalent(differences, 0.3, alpha=a),
        lambda a: closer(single(*[0.0] * 8), single(*[0.3] * 8), differences, alpha=a),
    ):
        found: list[Any] = [test(a) for a in (0.2, 0.01)]
        (wide, narrow) = (getattr(f, "estimate", None) or f.difference for f in reversed(found))
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_the_margin_is_handed_back_and_an_interval_that_ends_on_it_is_not_within() -> None:
    differences = single(0.3, -0.2, 0.1, 0.25, -0.1, 0.4, 0.05, -0.3)
    found = equivalent(differences, 0.5)
    assert isinstance(found, Equivalence)
    assert (found.margin, found.holds) == (0.5, True)
    on_the_edge = equivalent(differences, max(abs(found.estimate.low), found.estimate.high))
    assert isinstance(on_the_edge, Equivalence)
    assert not on_the_edge.holds


def test_what_is_drawn_is_drawn_from_a_fixed_seed() -> None:
    many = single(*(math.sin(3 * i) + 0.2 for i in range(18)))
    drawn: list[Any] = [paired_permutation(many, draws=500) for _ in range(3)] + [paired_permutation(many, draws=500, seed=0)]
    assert len({p.p for p in drawn}) == 1
    assert not drawn[0].exact
    other = paired_permutation(many, draws=500, seed=1)
    assert isinstance(other, Permuted)
    assert other.p != drawn[0].p
    assert boot(many) == boot(many, seed=0) != boot(many, seed=1)
    assert boot(many, draws=50) != boot(many)


def test_all_patterns_are_tried_up_to_the_number_of_draws() -> None:
    # Four clusters have 16 patterns; the one seen is the most extreme: p = 1/16, two-sided 2/16, all of them at 16 draws and not at 15.
    found = [paired_permutation(single(0.1, 0.2, 0.3, 0.4), draws=draws) for draws in (16, 15)]
    assert [f.exact for f in found if isinstance(f, Permuted)] == [True, False]
    assert found[0] == Permuted(pytest.approx(0.25), 1 / 16, 1 / 16, 4, True)
    both = paired_permutation(single(0.1, 0.2, 0.3, 0.4), alternative="two-sided")
    assert both == Permuted(pytest.approx(0.25), 2 / 16, 2 / 16, 4, True)
    one_draw = paired_permutation(single(0.1, 0.2, 0.3, 0.4), alternative="two-sided", draws=1)
    assert isinstance(one_draw, Permuted)
    assert one_draw.least == 1.0  # 2 / (1 + 1)


def test_bca_bounds_are_those_of_scipy() -> None:
    values = [0.1, 0.2, 0.15, 0.9, 0.4, 0.35, 0.05, 0.6]
    theirs = stats.bootstrap((values,), fmean, n_resamples=400, vectorized=False, method="BCa", random_state=np.random.default_rng(0))
    assert (boot(single(*values), draws=400).low, boot(single(*values), draws=400).high) == pytest.approx(tuple(theirs.confidence_interval))


def test_where_the_interval_touches_nothing_neither_is_closer() -> None:
    # All differences are 0: neither model is nearer, and the exact interval holds 0.
    same = closer(single(*[0.5] * 20), single(*[0.3] * 20), single(*[0.7] * 20))
    assert isinstance(same, Closer)
    assert same.to == "neither"
    assert cluster_means({"a": [0.1], "b": [math.nan]}) == Missing("a score is not a finite number")
