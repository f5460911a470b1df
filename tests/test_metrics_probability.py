"""Likelihood, normalised probability, truth ratio and multiple choice: by hand, at the ends, and broken on purpose."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from metric_cases import NO_NUMBERS, Cases, agrees, among, logs
from vestige.desk import tokens
from vestige.desk.metrics import answer_logp
from vestige.desk.metrics.answer_probability import nll, normalised_probability, probability, summed_nll
from vestige.desk.metrics.multiple_choice import accuracy, accuracy_per_byte, accuracy_per_token
from vestige.desk.metrics.truth_ratio import (
    log_truth_ratio,
    truth_ratio,
    truth_ratio_closeness,
    truth_ratio_geometric,
    truth_ratio_margin,
    truth_ratio_reciprocal,
    truth_share,
)
from vestige.records import Missing

# Two tokens of 1/2 and 1/8: sqrt(1/16) = 1/4 each; one token of 1/2: 1/2; three of 1/10: 1/10.
QUARTER, HALF, TENTH = logs(1 / 2, 1 / 8), logs(1 / 2), logs(1 / 10, 1 / 10, 1 / 10)
MIXED = among(QUARTER, HALF, TENTH, alias=logs(0.9))

# -(log 1/2 + log 1/8) / 2 = log 4.  -log 1/2 = log 2.
NLL: Cases = [((MIXED,), math.log(4)), ((among(HALF),), math.log(2)), ((among([0.0, 0.0]),), 0.0)]
# -(log 1/2 + log 1/8) = log 16.
SUMMED: Cases = [((MIXED,), math.log(16)), ((among(HALF),), math.log(2))]
PROBABILITY: Cases = [((MIXED,), 1 / 4), ((among(HALF),), 1 / 2), ((among([0.0, 0.0]),), 1.0)]
# 1/4 / (1/4 + 1/2 + 1/10) = 5/17. Four alike: 1/4, however unlikely all of them are.
NORMALISED: Cases = [((MIXED,), 5 / 17), ((among(*[[-900.0]] * 4),), 1 / 4), ((among([0.0], [-900.0]),), 1.0)]
# (1/2 + 1/10) / 2 / (1/4) = 1.2. All alike: 1. Certain against 1/2: 1/2.
RATIO: Cases = [((MIXED,), 1.2), ((among([-40.0], [-40.0], [-40.0]),), 1.0), ((among([0.0], HALF),), 0.5)]
# sqrt(1/2 x 1/10) / (1/4) = sqrt(0.05) x 4 = 0.894427190999916: on the other side of 1.
GEOMETRIC: Cases = [((MIXED,), 4 * math.sqrt(0.05)), ((among([-40.0], [-40.0], [-40.0]),), 1.0)]
RECIPROCAL: Cases = [((MIXED,), 1 / (4 * math.sqrt(0.05))), ((among([0.0], HALF),), 2.0)]
# min(1.2, 1/1.2) = 5/6; of 1/2: 1/2. e^-900 and e^900 both are as good as 0.
CLOSENESS: Cases = [((MIXED,), 5 / 6), ((among([0.0], HALF),), 0.5), ((among([-900.0], [0.0]),), 0.0), ((among([0.0], [-900.0]),), 0.0)]
# max(0, 1 - 1.2) = 0; 1 - 1/2 = 1/2.
MARGIN: Cases = [((MIXED,), 0.0), ((among([0.0], HALF),), 0.5), ((among([0.0], [-900.0]),), 1.0), ((among([-900.0], [0.0]),), 0.0)]
# 1 / (1 + 1.2) = 5/11; 1 / (1 + 1/2) = 2/3.
SHARE: Cases = [((MIXED,), 5 / 11), ((among([0.0], HALF),), 2 / 3), ((among([-900.0], [0.0]),), 0.0), ((among([0.0], [-900.0]),), 1.0)]
# Sums: log 1/16 is below log 1/2 (wrong); means: 1/4 is below 1/2 (wrong). Two of 0.6 sum to 0.36 < 1/2, but their mean is 0.6 > 1/2.
LONG = among(logs(0.6, 0.6), HALF)
SUMS: Cases = [((MIXED,), 0.0), ((LONG,), 0.0), ((among(HALF, HALF, TENTH),), 1 / 2), ((among(HALF, QUARTER, TENTH),), 1.0)]
MEANS: Cases = [((MIXED,), 0.0), ((LONG,), 1.0), ((among(HALF, HALF, HALF, TENTH),), 1 / 3), ((among(HALF, QUARTER, TENTH),), 1.0)]
# In bytes: log 0.36 / 10 = -0.102 against log 0.5 / 2 = -0.347 (right), or against log 0.5 / 8 = -0.087 (wrong).
BYTES: Cases = [
    ((tokens.with_lengths(LONG, {"true": "0123456789", "wrong:0": "ab"}),), 1.0),
    ((tokens.with_lengths(LONG, {"true": "0123456789", "wrong:0": "abcdefgh"}),), 0.0),
]

WORKED: dict[str, tuple[Callable[..., float | Missing], Cases]] = {
    "nll": (nll, NLL),
    "summed_nll": (summed_nll, SUMMED),
    "probability": (probability, PROBABILITY),
    "normalised_probability": (normalised_probability, NORMALISED),
    "truth_ratio": (truth_ratio, RATIO),
    "truth_ratio_geometric": (truth_ratio_geometric, GEOMETRIC),
    "truth_ratio_reciprocal": (truth_ratio_reciprocal, RECIPROCAL),
    "truth_ratio_closeness": (truth_ratio_closeness, CLOSENESS),
    "truth_ratio_margin": (truth_ratio_margin, MARGIN),
    "truth_share": (truth_share, SHARE),
    "accuracy": (accuracy, SUMS),
    "accuracy_per_token": (accuracy_per_token, MEANS),
    "accuracy_per_byte": (accuracy_per_byte, BYTES),
}


@pytest.mark.parametrize("name", WORKED)
def test_metrics_agree_with_what_was_worked_out_by_hand(name: str) -> None:
    metric, cases = WORKED[name]
    for given, due in cases:
        assert metric(*given) == pytest.approx(due, rel=1e-9, abs=1e-12)


def mean_p(candidates: Any, name: str = "true") -> float:
    return next(math.exp(sum(c["logp"]) / len(c["logp"])) for c in candidates if c["candidate"] == name)


def wrongs(candidates: Any) -> list[float]:
    return [mean_p(candidates, c["candidate"]) for c in candidates if c["candidate"].startswith("wrong:")]


def everyone_else(candidates: Any) -> list[float]:
    return [mean_p(candidates, c["candidate"]) for c in candidates if c["candidate"] != "true"]


BROKEN: dict[str, tuple[Cases, Callable[[Any], float]]] = {
    "the sum for the mean": (NLL, lambda c: -sum(c[0]["logp"])),
    "the first token left out": (NLL, lambda c: -sum(c[0]["logp"][1:]) / len(c[0]["logp"])),
    "the sign of the NLL": (NLL, lambda c: sum(c[0]["logp"]) / len(c[0]["logp"])),
    "the mean for the sum": (SUMMED, lambda c: -sum(c[0]["logp"]) / len(c[0]["logp"])),
    "an arithmetic mean over tokens": (PROBABILITY, lambda c: sum(map(math.exp, c[0]["logp"])) / len(c[0]["logp"])),
    "a probability that is not normalised by length": (PROBABILITY, lambda c: math.exp(sum(c[0]["logp"]))),
    "the alias for the answer": (PROBABILITY, lambda c: mean_p(c, "alias:0") if len(c) > 1 else mean_p(c)),
    "the alias among the wrong answers": (NORMALISED, lambda c: mean_p(c) / (mean_p(c) + sum(everyone_else(c)))),
    "1e-10 in the denominator": (NORMALISED, lambda c: mean_p(c) / (mean_p(c) + sum(wrongs(c)) + 1e-10)),
    "the alias in the ratio": (RATIO, lambda c: sum(everyone_else(c)) / len(everyone_else(c)) / mean_p(c)),
    "the geometric mean in the ratio": (RATIO, lambda c: math.prod(wrongs(c)) ** (1 / len(wrongs(c))) / mean_p(c)),
    "the sum of the wrong answers": (RATIO, lambda c: sum(wrongs(c)) / mean_p(c)),
    "1e-10 in the ratio": (RATIO, lambda c: sum(wrongs(c)) / len(wrongs(c)) / (mean_p(c) + 1e-10)),
    "the arithmetic mean in the geometric ratio": (GEOMETRIC, lambda c: sum(wrongs(c)) / len(wrongs(c)) / mean_p(c)),
    "one side of the closeness": (CLOSENESS, lambda c: min(1.0, sum(wrongs(c)) / len(wrongs(c)) / max(mean_p(c), 1e-300))),
    "a margin below 0": (MARGIN, lambda c: 1 - sum(wrongs(c)) / len(wrongs(c)) / max(mean_p(c), 1e-300)),
    "the share of the sum": (SHARE, lambda c: mean_p(c) / (mean_p(c) + sum(wrongs(c)))),
    "means for sums in the choice": (SUMS, lambda c: float(mean_p(c) > max(wrongs(c)))),
    "ties that are lost": (MEANS, lambda c: float(mean_p(c) > max(wrongs(c)))),
    "ties that are won": (MEANS, lambda c: float(mean_p(c) >= max(wrongs(c)))),
    "tokens for bytes": (BYTES, lambda c: float(mean_p(c) > max(wrongs(c)))),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_metric_that_is_broken_would_be_seen(how: str) -> None:
    cases, broken = BROKEN[how]
    assert not agrees(broken, cases)


PER_TRUE_ANSWER = [nll, summed_nll, probability, answer_logp]
AGAINST_WRONG = [metric for name, (metric, _) in WORKED.items() if name not in ("nll", "summed_nll", "probability")]


@pytest.mark.parametrize("bad", NO_NUMBERS)
@pytest.mark.parametrize("metric", [*PER_TRUE_ANSWER, *AGAINST_WRONG, log_truth_ratio])
def test_what_is_no_number_is_missing(metric: Callable[..., float | Missing], bad: list[float]) -> None:
    found = metric(among(bad, [-1.0]))
    assert found == Missing("candidate true has no finite log-probability")
    if metric not in PER_TRUE_ANSWER:
        assert metric(among([-1.0], [-2.0], bad)) == Missing("candidate wrong:1 has no finite log-probability")


@pytest.mark.parametrize("metric", AGAINST_WRONG)
@pytest.mark.parametrize("seen", [[], among([-1.0]), among([-1.0], alias=[-1.0]), among([-1.0], [-2.0])[1:], [*among([-1.0]), *MIXED]])
def test_a_comparison_needs_one_true_answer_and_others(metric: Callable[..., float | Missing], seen: Any) -> None:
    assert isinstance(metric(seen), Missing)


@pytest.mark.parametrize("metric", PER_TRUE_ANSWER)
def test_an_answer_that_is_not_there_is_missing(metric: Callable[..., float | Missing]) -> None:
    assert metric([]) == Missing("needs one true candidate; seen 0")
    assert metric([*among([-1.0]), *among([-1.0])]) == Missing("needs one true candidate; seen 2")


def test_another_candidate_can_be_asked_for() -> None:
    # The alias of MIXED has one token of 0.9.
    assert probability(MIXED, candidate="alias:0") == pytest.approx(0.9)
    assert nll(MIXED, candidate="alias:0") == pytest.approx(-math.log(0.9))
    assert summed_nll(MIXED, candidate="wrong:1") == pytest.approx(3 * math.log(10))
    assert nll(MIXED, candidate="alias:1") == Missing("needs one alias:1 candidate; seen 0")


def test_a_ratio_beyond_floats_is_missing_and_its_logarithm_is_not() -> None:
    lost, sure = among([-2000.0], [-1.0]), among([-1.0], [-2000.0])
    assert log_truth_ratio(lost) == 1999.0
    assert truth_ratio(lost) == Missing("the truth ratio is e^1999, more than a number holds")
    assert truth_ratio_reciprocal(sure) == Missing("the reciprocal truth ratio is e^1999, more than a number holds")
    assert truth_ratio(sure) == 0.0  # below the smallest float: as near 0 as a number is
    assert (truth_ratio_closeness(lost), truth_ratio_margin(lost), truth_share(lost)) == (0.0, 0.0, 0.0)


def test_the_geometric_ratio_is_never_above_the_definition() -> None:
    for wrong in ([HALF, TENTH], [HALF], [TENTH, QUARTER, HALF]):
        seen = among(QUARTER, *wrong)
        assert truth_ratio_geometric(seen) <= truth_ratio(seen) + 1e-12  # type: ignore[operator]
    assert truth_ratio_geometric(among(QUARTER, HALF)) == truth_ratio(among(QUARTER, HALF))


def test_answer_logp_is_the_nll_with_its_sign_turned() -> None:
    assert answer_logp(MIXED) == -nll(MIXED)  # type: ignore[operator]


def test_accuracy_per_byte_needs_lengths() -> None:
    assert accuracy_per_byte(LONG) == Missing("candidate true has no length in bytes")
    empty = tokens.with_lengths(LONG, {"true": "x", "wrong:0": ""})
    assert accuracy_per_byte(empty) == Missing("candidate wrong:0 has no length in bytes")


def test_lengths_are_of_utf8_and_of_what_zlib_makes_of_it() -> None:
    # 東京 takes three bytes a character. zlib: 2 bytes of header and 4 of checksum around the data, so a short text grows.
    (true, _) = tokens.with_lengths(among([-1.0], [-1.0]), {"true": "東京"})
    assert true["bytes"] == 6
    assert true["zlib_bytes"] > 6 + 6
    (long,) = tokens.with_lengths(among([-1.0]), {"true": "a" * 1000})
    assert long["zlib_bytes"] < 30
