"""Extraction strength, worked by hand."""

from __future__ import annotations

import pytest

from vestige.extraction_strength import extraction_strength, strength_of
from vestige.records import Candidate, Missing, ScoreTokens


@pytest.mark.parametrize(
    ("hits", "strength"),
    # The run of hits at the end, over all: k* = 0 -> 1 - 0/4; k* = 1 -> 1 - 1/4; k* = 3 -> 1 - 3/4; k* = 4 = T -> 0.
    [
        ((1, 1, 1, 1), 1.0),
        ((0, 1, 1, 1), 0.75),
        ((1, 1, 0, 1), 0.25),
        ((1, 1, 1, 0), 0.0),  # all but the last: an implementation that stops at k = T - 1 says 1/4 here
        ((0, 0, 0, 0), 0.0),
        ((0,), 0.0),
        ((1,), 1.0),
    ],
)
def test_extraction_strength_is_the_run_of_hits_at_the_end(hits: tuple[int, ...], strength: float) -> None:
    assert extraction_strength(hits) == strength


def test_an_answer_without_tokens_has_none() -> None:
    assert isinstance(extraction_strength(()), Missing)


def candidate(name: str, *hits: int) -> Candidate:
    each = tuple(0.0 for _ in hits)
    return Candidate(name, each, hits, each, each)


def test_only_the_true_answer_of_a_record_counts() -> None:
    assert strength_of(ScoreTokens("p", (candidate("wrong:0", 1, 1), candidate("true", 0, 1)))) == 0.5
    assert isinstance(strength_of(ScoreTokens("p", (candidate("wrong:0", 1, 1),))), Missing)
