"""Membership inference, model utility and forget quality: by hand, at the ends, against libraries, and broken on purpose."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from metric_cases import NO_NUMBERS, Cases, agrees
from vestige.desk import tokens
from vestige.desk.counted import Counted, known
from vestige.desk.metrics.forget_quality import forget_quality
from vestige.desk.metrics.membership import auc, min_k, min_k_plus_plus, privacy, privleak, privleak_both_sided, reference_loss, zlib_ratio
from vestige.desk.metrics.model_utility import PARTS, SETS, harmonic_mean, model_utility
from vestige.errors import DataError
from vestige.records import Missing


def seen(logp: list[float], sd: list[float] | None = None, entropy: list[float] | None = None, **more: Any) -> list[dict[str, Any]]:
    """Return the true answer of a record, with an alias that is likelier."""
    true = {"candidate": "true", "logp": logp, "sd": sd or [1.0] * len(logp), "entropy": entropy or [1.0] * len(logp), **more}
    return [{"candidate": "alias:0", "logp": [-0.1], "sd": [1.0], "entropy": [1.0]}, true]


# ---- scores of one answer

FIVE = [-1.0, -9.0, -2.0, -4.0, -3.0]
# 0.4 of 5 tokens is 2: -9 and -4, on average -6.5. 0.4 of one or of two tokens is less than one: the lowest alone.
MIN_K: Cases = [((seen(FIVE),), 6.5), ((seen([-2.0]),), 2.0), ((seen([-1.0, -3.0]),), 3.0)]
# z = (log p + entropy) / sd: (-1 + 2) / 1 = 1, (-9 + 2) / 2 = -3.5, (-2 + 1) / 1 = -1, (-4 + 2) / 0.5 = -4, (-3 + 1) / 2 = -1; the lowest
# two are -4 and -3.5, where the token of the lowest log p has -3.5. Of a certain token, z = 0, and one of (-1 + 2) / 1 = 1: 0.
Z = seen(FIVE, [1.0, 2.0, 1.0, 0.5, 2.0], [2.0, 2.0, 1.0, 2.0, 1.0])
CERTAIN = seen([0.0, -1.0], [0.0, 1.0], [0.0, 2.0])
PLUS: Cases = [((Z,), 3.75), ((CERTAIN,), 0.0), ((seen([-2.0], [0.5], [1.0]),), 2.0)]
# A loss of 3.8 over 19 bytes is 0.2.
ZLIB: Cases = [((seen(FIVE, zlib_bytes=19),), 0.2)]
# 3.8 against 2: 1.8 more. The reference's alias does not count.
REFERENCE: Cases = [((seen(FIVE), seen([-1.0, -3.0])), 1.8), ((seen([-1.0]), seen([-1.0])), 0.0)]

SCORES: dict[str, tuple[Callable[..., float | Missing], Cases]] = {
    "min_k": (min_k, MIN_K),
    "min_k_plus_plus": (min_k_plus_plus, PLUS),
    "zlib_ratio": (zlib_ratio, ZLIB),
    "reference_loss": (reference_loss, REFERENCE),
}


@pytest.mark.parametrize("name", SCORES)
def test_scores_agree_with_what_was_worked_out_by_hand(name: str) -> None:
    metric, cases = SCORES[name]
    for given, due in cases:
        assert metric(*given) == pytest.approx(due)


def lowest(values: list[float], count: int) -> float:
    return -sum(sorted(values)[:count]) / count


def z_of(c: Any, least: float = 0.0) -> list[float]:
    rows = zip(c[1]["logp"], c[1]["sd"], c[1]["entropy"], strict=True)
    return [(x + h) / max(sd, least) if max(sd, least) else 0.0 for x, sd, h in rows]


BROKEN: dict[str, tuple[Cases, Callable[..., float]]] = {
    "the highest tokens": (MIN_K, lambda c: -sum(sorted(c[1]["logp"])[-max(1, int(0.4 * len(c[1]["logp"]))) :])),
    "the first tokens": (MIN_K, lambda c: -sum(c[1]["logp"][: max(1, int(0.4 * len(c[1]["logp"])))])),
    "rounded up": (MIN_K, lambda c: lowest(c[1]["logp"], math.ceil(0.4 * len(c[1]["logp"]) + 0.5))),
    "all tokens": (MIN_K, lambda c: lowest(c[1]["logp"], len(c[1]["logp"]))),
    "the alias for the answer": (MIN_K, lambda c: 0.1),
    "Min-K % for ++": (PLUS, min_k),
    "no mean in z": (
        PLUS,
        lambda c: lowest([x / (s or 1) for x, s in zip(c[1]["logp"], c[1]["sd"], strict=True)], 2 if len(c[1]["sd"]) > 4 else 1),
    ),
    "the sign of the mean in z": (
        PLUS,
        lambda c: lowest([(x - h) / (s or 1) for x, s, h in zip(c[1]["logp"], c[1]["sd"], c[1]["entropy"], strict=True)], 2),
    ),
    "no spread in z": (
        PLUS,
        lambda c: lowest([x + h for x, h in zip(c[1]["logp"], c[1]["entropy"], strict=True)], max(1, int(0.4 * len(c[1]["sd"])))),
    ),
    "z of the lowest log p, in order of log p": (PLUS, lambda c: -sum(z for _, z in sorted(zip(c[1]["logp"], z_of(c), strict=True))[:1])),
    "the summed loss over zlib": (ZLIB, lambda c: -sum(c[1]["logp"]) / c[1]["zlib_bytes"]),
    "the reference the other way round": (REFERENCE, lambda c, r: reference_loss(r, c)),  # type: ignore[dict-item,return-value]
    "the reference's alias": (REFERENCE, lambda c, r: -sum(c[1]["logp"]) / len(c[1]["logp"]) - 0.1),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_score_that_is_broken_would_be_seen(how: str) -> None:
    cases, broken = BROKEN[how]
    assert not agrees(broken, cases)


def test_the_share_of_tokens_is_not_cut_short_by_rounding() -> None:
    # 0.29 x 100 is 28.999... in floats. The 29 lowest of 0, -1, ..., -99 are -99 to -71, on average -85; 28 would give -85.5.
    falling = seen([-float(i) for i in range(100)])
    assert min_k(falling, share=0.29) == 85.0
    assert min_k(falling, share=1.0) == 49.5
    assert min_k(falling, share=0.0) == 99.0  # one token at least


def test_a_certain_token_has_a_z_of_0_since_its_limit_is() -> None:
    # p = 1 - e on the token, e on one other: mu = (1-e) log(1-e) + e log e, sigma = sqrt(e (1-e)) (log(1-e) - log e), and
    # z = (log p - mu) / sigma = e (log(1-e) - log e) / sigma = sqrt(e / (1-e)), which falls to 0 with e.
    for e in (1e-2, 1e-4, 1e-8):
        mean = (1 - e) * math.log1p(-e) + e * math.log(e)
        spread = math.sqrt(e * (1 - e)) * (math.log1p(-e) - math.log(e))
        z = min_k_plus_plus(seen([math.log1p(-e)], [spread], [-mean]))
        assert z == pytest.approx(-math.sqrt(e / (1 - e)), rel=1e-6)
    assert min_k_plus_plus(seen([0.0], [0.0], [-0.0])) == 0.0


def test_a_distribution_without_spread_has_no_z() -> None:
    # Every token of the vocabulary equally likely: 0/0, and nothing tells the answer's tokens from others.
    flat = seen([-math.log(8)], [0.0], [math.log(8)])
    assert min_k_plus_plus(flat) == Missing("the vocabulary has no spread around a token of log-probability -2.07944")


@pytest.mark.parametrize("bad", NO_NUMBERS)
def test_scores_of_what_is_no_number_are_missing(bad: list[float]) -> None:
    what = Missing("candidate true has no finite log-probability")
    assert (
        min_k(seen(bad))
        == min_k_plus_plus(seen(bad))
        == zlib_ratio(seen(bad, zlib_bytes=9))
        == reference_loss(seen(bad), seen([-1.0]))
        == what
    )
    assert reference_loss(seen([-1.0]), seen(bad)) == Missing("the reference: candidate true has no finite log-probability")
    if bad:
        assert min_k_plus_plus(seen([-1.0] * len(bad), bad)) == Missing("candidate true has no finite sd")
        assert min_k_plus_plus(seen([-1.0] * len(bad), None, bad)) == Missing("candidate true has no finite entropy")


def test_scores_of_no_answer_are_missing() -> None:
    for metric in (min_k, min_k_plus_plus, zlib_ratio):
        assert metric([]) == Missing("needs one true candidate; seen 0")
    assert zlib_ratio(seen([-1.0])) == Missing("candidate true has no length under zlib")


def test_another_candidate_can_be_scored() -> None:
    assert min_k(seen(FIVE), candidate="alias:0") == 0.1
    assert min_k_plus_plus(seen(FIVE), candidate="alias:0") == pytest.approx(-0.9)
    assert reference_loss(seen(FIVE), seen(FIVE), candidate="alias:0") == 0.0
    japanese = tokens.with_lengths(seen([-3.0]), {"true": "東京" * 40})
    assert 0 < zlib_ratio(japanese) < 3.0 / 12  # type: ignore[operator]


# ---- two sets of scores

# Of the 2 x 3 pairs, 3 is above 1 and 2 (2), 2 above 1 and equal to 2 (1.5), 0 below both (0): 3.5 / 6.
AUC: Cases = [(([1.0, 2.0], [3.0, 2.0, 0.0]), 3.5 / 6), (([1.0], [2.0]), 1.0), (([2.0], [1.0]), 0.0), (([1.0, 1.0], [1.0]), 0.5)]


def area(members: Any, others: Any) -> float:
    found = auc(members, others)
    assert isinstance(found, Counted)
    return found.value


def test_auc_is_the_share_of_pairs_in_order() -> None:
    assert agrees(area, AUC)


@pytest.mark.parametrize(
    "broken",
    [
        lambda m, o: 1 - area(m, o),
        lambda m, o: sum(a < b for a, b in product(m, o)) / len(m) / len(o),
        lambda m, o: sum(a <= b for a, b in product(m, o)) / len(m) / len(o),
        lambda m, o: float(sum(m) / len(m) < sum(o) / len(o)),
    ],
)
def test_an_auc_that_is_broken_would_be_seen(broken: Any) -> None:
    assert not agrees(broken, AUC)


def tied(n: int, seed: int) -> list[float]:
    """Return scores of which many are equal."""
    chance = random.Random(seed)
    return [chance.randint(0, 20) / 4 for _ in range(n)]


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 40), (200, 100)])
def test_auc_agrees_with_scipys_rank_sum(n: int, m: int) -> None:
    from scipy.stats import mannwhitneyu

    members, others = tied(n, 1), tied(m, 2)
    assert area(members, others) == pytest.approx(mannwhitneyu(others, members).statistic / n / m, abs=1e-12)


@pytest.mark.slow
def test_auc_agrees_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    for seed in range(50):
        members, others = tied(40 + seed, seed), tied(60, seed + 1000)
        labels = [0] * len(members) + [1] * len(others)
        assert area(members, others) == pytest.approx(metrics.roc_auc_score(labels, members + others), abs=1e-12)


def test_missing_scores_are_counted_and_left_out() -> None:
    gone = Missing("shredded")
    assert auc([1.0, gone, math.nan], [2.0, gone]) == Counted(1.0, 2, 3)
    assert auc([gone], [2.0]) == Missing("0 members (1 missing) and 1 others (0 missing); both are needed")
    assert isinstance(auc([], []), Missing)
    assert forget_quality([1.0, gone], [1.0]) == Counted(1.0, 2, 1)
    assert forget_quality([gone, math.inf], [1.0]) == Missing("0 unlearned (2 missing) and 1 retained (0 missing) ratios; both are needed")
    assert known([1.0, gone, -math.inf]) == ([1.0], 2)


# Nothing told apart, as by the reference: 0. All memory left, AUC 1: -100, whatever the reference. Gone too far, AUC 0: r / (1 - r) in
# percent, 100 at 1/2 and 900 at 0.9. From 0.6 to 0.7: -0.1 / 0.4 = -25 %.
PRIVLEAK: Cases = [
    ((0.5, 0.5), 0.0),
    ((1.0, 0.5), -100.0),
    ((1.0, 0.9), -100.0),
    ((0.0, 0.5), 100.0),
    ((0.0, 0.9), 900.0),
    ((0.7, 0.6), -25.0),
]
# 0.1 of the 0.4 above; 0.15 of the 0.6 below; the ends are 1 and -1 whatever the reference.
BOTH: Cases = [
    ((0.5, 0.5), 0.0),
    ((0.7, 0.6), 0.25),
    ((0.45, 0.6), -0.25),
    ((1.0, 0.9), 1.0),
    ((0.0, 0.9), -1.0),
    ((1.0, 1.0), 0.0),
    ((0.0, 0.0), 0.0),
]
# 1 - 0.15/0.6 on both sides; 1 - 0.5/0.4 is below 0.
PRIVACY: Cases = [((0.6, 0.6), 1.0), ((0.75, 0.6), 0.75), ((0.45, 0.6), 0.75), ((0.9, 0.4), 0.0), ((0.0, 0.5), 0.0)]


def test_privleak_agrees_with_what_was_worked_out_by_hand() -> None:
    assert agrees(privleak, PRIVLEAK)
    assert agrees(privleak_both_sided, BOTH)
    assert agrees(privacy, PRIVACY)


@pytest.mark.parametrize(
    ("cases", "broken"),
    [
        (PRIVLEAK, lambda a, r: -privleak(a, r)),  # type: ignore[operator]
        (PRIVLEAK, lambda a, r: 100 * (a - r) / r),  # no flip of the AUC
        (PRIVLEAK, lambda a, r: privleak(a, 0.5)),
        (BOTH, lambda a, r: -(privleak(a, r) or 0) / 100 if r < 1 else 0.0),  # type: ignore[operator]
        (BOTH, lambda a, r: abs(privleak_both_sided(a, r))),
        (PRIVACY, lambda a, r: min(1.0, max(0.0, 1 - (a - r) / r))),  # one side
    ],
)
def test_a_privleak_that_is_broken_would_be_seen(cases: Cases, broken: Any) -> None:
    assert not agrees(broken, cases)


def test_privleak_has_no_reference_of_its_own() -> None:
    assert isinstance(privleak(0.5, 1.0), Missing)
    assert isinstance(privacy(0.5, 0.0), Missing)


# ---- model utility

# 3 / (1/1 + 1/0.5 + 1/0.25) = 3/7; the mean would be 7/12.
HARMONIC: Cases = [(([1.0, 0.5, 0.25],), 3 / 7), (([0.3] * 9,), 0.3), (([1.0, 0.0],), 0.0), (([0.2],), 0.2)]


def nine(**changed: Any) -> dict[tuple[str, str], float | Missing]:
    """Return nine numbers, 1/2 but for those named set__part."""
    return {(s, p): changed.get(f"{s}__{p}", 0.5) for s in SETS for p in PARTS}


def test_the_harmonic_mean_agrees_with_what_was_worked_out_by_hand() -> None:
    assert agrees(harmonic_mean, HARMONIC)
    assert not agrees(lambda x: sum(x) / len(x), HARMONIC)
    assert not agrees(lambda x: math.prod(x) ** (1 / len(x)), HARMONIC)
    assert not agrees(lambda x: len(x) / sum(1 / (v + 1e-3) for v in x), HARMONIC)


def test_model_utility_is_the_harmonic_mean_of_nine() -> None:
    # Eight of 1/2 and one of 1/10: 9 / (8 x 2 + 10) = 9/26. With the arithmetic mean, 0.456.
    assert model_utility(nine(world_facts__rouge_l_recall=0.1)) == pytest.approx(9 / 26)
    assert model_utility(nine(retain__probability=0.0)) == 0.0


def test_model_utility_agrees_with_scipy() -> None:
    from scipy.stats import hmean

    chance = random.Random(0)
    values = [chance.random() for _ in range(9)]
    keys = list(nine())
    assert model_utility(dict(zip(keys, values, strict=True))) == pytest.approx(hmean(values))


def test_model_utility_is_missing_where_one_of_the_nine_is() -> None:
    assert model_utility(nine(retain__probability=Missing("shredded"))) == Missing("retain/probability: shredded")
    eight = nine()
    del eight["world_facts", "truth_ratio_margin"]
    assert model_utility(eight) == Missing("world_facts/truth_ratio_margin: not given")
    assert harmonic_mean([]) == Missing("a mean of no numbers")


def test_model_utility_refuses_what_it_cannot_mean() -> None:
    with pytest.raises(DataError, match=r"seen -0\.1"):
        model_utility(nine(retain__probability=-0.1))
    with pytest.raises(DataError, match="seen nan"):
        model_utility(nine(retain__probability=math.nan))
    with pytest.raises(DataError, match="no number 'retain/rouge'; did you mean 'retain/rouge_l_recall'"):
        model_utility({**nine(), ("retain", "rouge"): 0.1})


# ---- forget quality

# Sets of n that do not overlap have 2 of the C(2n, n) orders as far apart: n = 3: 2/20; n = 1: 2/2.
# {1, 3} and {2, 4}: D = 1/2, which every order of 2 and 2 reaches: 1.
APART: Cases = [
    (([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]), 0.1),
    (([1.0], [2.0]), 1.0),
    (([1.0, 3.0], [2.0, 4.0]), 1.0),
    ((tied(30, 1), tied(30, 1)), 1.0),
]


def p_value(ours: Any, theirs: Any) -> float:
    found = forget_quality(ours, theirs)
    assert isinstance(found, Counted)
    return found.value


def test_forget_quality_agrees_with_what_was_worked_out_by_hand() -> None:
    assert agrees(p_value, APART)


def test_the_worst_forget_quality_of_forget10_is_the_published_one() -> None:
    # 2 / C(800, 400): what gradient ascent scores in OpenUnlearning's tables, 1.06e-239.
    assert p_value(range(400), range(400, 800)) == pytest.approx(2 / math.comb(800, 400), rel=1e-9)
    assert f"{p_value(range(400), range(400, 800)):.2e}" == "1.06e-239"


def test_forget_quality_sees_ranks_alone() -> None:
    ours, theirs = tied(40, 3), [x + 0.6 for x in tied(50, 4)]
    assert 0 < p_value(ours, theirs) < 0.5
    for change in (math.exp, lambda x: -x, lambda x: x**3):
        assert p_value(map(change, ours), map(change, theirs)) == pytest.approx(p_value(ours, theirs), rel=1e-9)


def test_a_forget_quality_that_is_broken_would_be_seen() -> None:
    from scipy.stats import ks_2samp, mannwhitneyu

    assert not agrees(lambda a, b: ks_2samp(a, b).statistic, APART)
    assert not agrees(lambda a, b: ks_2samp(a, b, alternative="less").pvalue, APART)
    assert not agrees(lambda a, b: ks_2samp(a, b, method="asymp").pvalue, APART)
    assert not agrees(lambda a, b: mannwhitneyu(a, b).pvalue, APART)
