"""Scores of one record: by hand, at the ends, and where there is nothing to score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from synthetic import candidates
from vestige.desk import metrics
from vestige.desk.metrics import answer_logp, choice, ranks_last, says, score
from vestige.desk.metrics.model_utility import PARTS
from vestige.desk.tokens import with_lengths
from vestige.errors import DataError
from vestige.records import Answer, Candidate, Missing, ScoreTokens


def among(true: Sequence[float], *wrong: Sequence[float]) -> list[dict[str, Any]]:
    """Return candidates with the given token log-probabilities."""
    named = [("true", true), *((f"wrong:{i}", w) for i, w in enumerate(wrong))]
    return [{"candidate": name, "logp": list(logp)} for name, logp in named]


# ---- choice: s = (k p - 1) / (k - 1)


def test_certain_is_one() -> None:
    assert choice(among([0.0], [-800.0], [-800.0])) == 1.0


def test_chance_is_zero_and_ties_are_chance() -> None:
    for k in (2, 3, 8):
        assert choice(among(*[[-3.0]] * k)) == pytest.approx(0.0, abs=1e-15)


def test_excluded_is_minus_one_over_k_minus_one() -> None:
    for k in (2, 4, 8):
        assert choice(among([-900.0], *[[-1.0]] * (k - 1))) == pytest.approx(-1 / (k - 1))


def test_choice_by_hand() -> None:
    # p proportional to 0.4, 0.2, 0.2: p = 0.5; k = 3: (1.5 - 1) / 2 = 0.25.
    assert choice(among([math.log(0.4)], [math.log(0.2)], [math.log(0.2)])) == pytest.approx(0.25)


def test_tokens_are_summed_not_averaged() -> None:
    # Sums -2 and -3: p = 1 / (1 + e^-1) = 0.731059; k = 2: 2p - 1 = 0.462117. (Means -1 and -3 would give 0.761594.)
    assert choice(among([-1.0, -1.0], [-3.0])) == pytest.approx(0.462117, abs=1e-6)


def test_aliases_are_no_candidates_of_a_choice() -> None:
    alias = {"candidate": "alias:0", "logp": [-0.1]}
    assert choice([*among([-1.0], [-2.0]), alias]) == choice(among([-1.0], [-2.0]))


def test_very_small_probabilities_do_not_underflow() -> None:
    assert choice(among([-5000.0], [-5001.0])) == pytest.approx(math.tanh(0.5))


@pytest.mark.parametrize("score_", [-0.3, -0.1, 0.0, 0.3, 0.99])
def test_planted_scores_are_read_back(score_: float) -> None:
    # The synthetic ledgers of these tests plant a score by inverting s.
    assert choice(candidates(score_)) == pytest.approx(score_, abs=1e-8)


@pytest.mark.parametrize("bad", [[math.nan], [math.inf], [-math.inf], [-math.inf, math.inf], [-1.0, math.nan], []])
def test_what_is_no_number_is_missing(bad: list[float]) -> None:
    for seen in (among(bad, [-1.0]), among([-1.0], bad), among([-1.0], [-2.0], bad)):
        for metric in (choice, ranks_last):
            found = metric(seen)
            assert isinstance(found, Missing)
            assert "no finite log-probability" in found.reason


@pytest.mark.parametrize("seen", [[], among([-1.0]), among([-1.0], [-2.0])[1:], [*among([-1.0], [-2.0]), *among([-1.0])]])
def test_a_choice_needs_one_true_answer_and_others(seen: list[dict[str, Any]]) -> None:
    assert isinstance(choice(seen), Missing)
    assert isinstance(ranks_last(seen), Missing)


# ---- imprint: ranks last


def test_last_is_strictly_last() -> None:
    assert ranks_last(among([-3.0], [-1.0], [-2.0])) == 1.0
    assert ranks_last(among([-2.0], [-1.0], [-2.0])) == 0.0  # shares the last place
    assert ranks_last(among([-2.0], [-1.0], [-3.0])) == 0.0
    assert ranks_last(among([-1.0, -1.5], [-2.0])) == 1.0  # by the sum over tokens


# ---- log-probability of the answer


def test_answer_logp_is_the_mean_over_tokens() -> None:
    assert answer_logp(among([-1.0, -2.0, -4.5], [-9.0])) == pytest.approx(-2.5)


@pytest.mark.parametrize("seen", [[], among([]), among([math.nan]), among([-math.inf]), among([math.inf, -math.inf])])
def test_answer_logp_is_missing_without_a_finite_true_answer(seen: list[dict[str, Any]]) -> None:
    assert isinstance(answer_logp(seen), Missing)


# ---- keyword


@pytest.mark.parametrize(
    ("text", "expected", "hit"),
    [
        ("She lives in Lisbon.", ["Lisbon"], True),
        ("LISBON!", [" Lisbon"], True),  # the leading space of a continuation is not part of the word
        ("Ｌｉｓｂｏｎ", ["Lisbon"], True),  # full width, by NFKC
        ("Lisbonese", ["Lisbon"], False),  # not a word of its own
        ("a tiger", ["ti"], False),
        ("The capital is Kyiv.", ["Kiev", "Kyiv"], True),  # an alias
        ("The capital is Odesa.", ["Kiev", "Kyiv"], False),
        ("", ["Lisbon"], False),
        ("anything", [], False),
        ("anything", ["", "  "], False),  # an empty keyword is never found
        ("彼女は東京に住んでいます", ["東京"], True),  # Japanese has no spaces between words
        ("彼女は東京に住んでいます", [" 東京"], True),
        ("ﾄｳｷｮｳです", ["トウキョウ"], True),  # half-width katakana
        ("彼女は京都に住んでいます", ["東京"], False),
        ("New\n  York it is", ["New York"], True),  # runs of white space are one space
    ],
)
def test_keyword(text: str, expected: list[str], hit: bool) -> None:
    assert says(text, expected) is hit


# ---- the score that stop rules look at


def tokens(probe: str, value: float) -> ScoreTokens:
    made: list[Mapping[str, Any]] = list(candidates(value))
    return ScoreTokens(probe, tuple(Candidate(c["candidate"], tuple(c["logp"]), (0,), (1.0,), (1.0,)) for c in made))


def test_score_is_the_mean_choice() -> None:
    assert score([tokens("a", 0.2), tokens("b", 0.6)]) == pytest.approx(0.4)


def test_score_refuses_what_it_cannot_score() -> None:
    with pytest.raises(DataError, match="'b' cannot be scored by choice: not a choice"):
        score([tokens("a", 0.2), Answer("b", "text", "eos")])
    with pytest.raises(DataError, match="'c' cannot be scored by choice: a choice needs one true"):
        score([ScoreTokens("c", ())])
    with pytest.raises(DataError, match="no probe to score"):
        score([])


def test_the_table_names_every_score_of_candidates() -> None:
    assert set(metrics.TABLE) == {"choice", "answer_logp", "imprint"}
    assert metrics.TABLE["imprint"] is ranks_last


# ---- what every score of a table promises


def record() -> list[dict[str, Any]]:
    """Return a record with all that a record can hold."""
    named = [("true", 3), ("alias:0", 2), ("wrong:0", 4), ("wrong:1", 1)]
    made = [
        {
            "candidate": name,
            "logp": [-0.5 * (i + t + 1) for t in range(n)],
            "top1": [t % 2 for t in range(n)],
            "sd": [1.5] * n,
            "entropy": [0.7] * n,
        }
        for i, (name, n) in enumerate(named)
    ]
    return with_lengths(made, {name: "word " * n for name, n in named})


@pytest.mark.parametrize("name", metrics.TOKENS)
def test_a_score_of_tokens_is_one_number_whatever_the_order(name: str) -> None:
    metric, given = metrics.TOKENS[name], record()
    value = metric(given)
    assert isinstance(value, float)
    assert math.isfinite(value)
    assert given == record()  # what is recorded is not changed
    assert metric(given[::-1]) == pytest.approx(value)
    assert metric([c for c in given if c["candidate"] != "alias:0"]) == value  # an alias is not the answer


@pytest.mark.parametrize("name", metrics.TOKENS)
def test_a_score_of_tokens_is_missing_without_numbers(name: str) -> None:
    metric = metrics.TOKENS[name]
    assert isinstance(metric([]), Missing)
    assert isinstance(metric([c for c in record() if c["candidate"] != "true"]), Missing)
    for bad in (math.nan, math.inf, -math.inf):
        broken = [{key: [bad] * len(v) if isinstance(v, list) else v for key, v in c.items()} for c in record()]
        assert isinstance(metric(broken), Missing)
    empty = [{key: [] if isinstance(v, list) else v for key, v in c.items()} for c in record()]
    assert isinstance(metric(empty), Missing)


@pytest.mark.parametrize("name", metrics.TOKENS)
def test_an_answer_of_one_token_has_a_score(name: str) -> None:
    short = [{key: v[:1] if isinstance(v, list) else v for key, v in c.items()} for c in record()]
    assert isinstance(metrics.TOKENS[name](short), float)


SAME = ("she lives in old Lisbon by the sea", "彼女は東京に住んでいます")
LIKENESS = ("keyword", *(n for n in metrics.TEXTS if n.startswith("rouge")), "longest_run_share", "exact_match")


@pytest.mark.parametrize("name", metrics.TEXTS)
def test_a_score_of_a_text_is_one_number_in_any_language(name: str) -> None:
    for text in SAME:
        value = metrics.TEXTS[name](text, [f" {text}"])
        assert isinstance(value, float)
        assert value == 1.0 or name not in LIKENESS
        changed = metrics.TEXTS[name]("something else is said here", [f" {text}"])
        assert isinstance(changed, float)
        assert changed < 1.0 or name not in LIKENESS


@pytest.mark.parametrize("name", [n for n in metrics.TEXTS if n not in ("repetition", "word_entropy")])
def test_a_score_against_no_text_is_missing(name: str) -> None:
    for expected in ([], [""], [" "]):
        assert isinstance(metrics.TEXTS[name]("she lives in old Lisbon", expected), Missing)


@pytest.mark.parametrize("name", metrics.TEXTS)
def test_an_empty_answer_has_a_defined_score(name: str) -> None:
    value = metrics.TEXTS[name]("", ["Lisbon"])
    told = {"repetition", "word_entropy", "off_language", "rouge_1_precision", "rouge_l_precision"}
    assert isinstance(value, Missing) if name in told else value == 0.0


@pytest.mark.parametrize("name", metrics.SETS)
def test_a_number_of_sets_in_which_all_is_missing_is_missing(name: str) -> None:
    gone = [Missing("shredded")] * 3
    for members, others in ((gone, gone), (gone, [1.0]), ([1.0], gone), ([], [])):
        assert isinstance(metrics.SETS[name](members, others), Missing)


def test_membership_scores_have_one_sign() -> None:
    likely, unlikely = record(), [{**c, "logp": [x - 5 for x in c["logp"]]} for c in record()]
    for metric in metrics.MEMBERSHIP.values():
        assert metric(likely) < metric(unlikely)  # type: ignore[operator]


def test_every_part_of_model_utility_is_a_score() -> None:
    assert {*PARTS} <= {*metrics.TOKENS, *metrics.TEXTS}
