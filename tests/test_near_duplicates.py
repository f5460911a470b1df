"""Near-duplicates: Jaccard similarity by hand, and the index against comparing everything with everything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestige.near_duplicates import NearDuplicates, shingles


def test_shingles_are_three_words_or_characters_in_a_row() -> None:
    assert shingles("One two, three FOUR") == {("one", "two", "three"), ("two", "three", "four")}
    assert shingles("東京都庁") == {("東", "京", "都"), ("京", "都", "庁")}
    assert shingles("one two") == {("one", "two")}
    assert shingles("…") == frozenset()


def test_similarity_is_shared_shingles_over_all_of_them() -> None:
    # a b c d e f: abc bcd cde def. a b c d e x: abc bcd cde dex. Shared 3, together 5.
    assert list(NearDuplicates(["a b c d e f", "u v w"], least=0.6).of("A b c d e x")) == [(0, 3 / 5)]
    assert list(NearDuplicates(["a b c d e f"], least=0.61).of("a b c d e x")) == []


def test_the_same_text_in_another_dress_has_similarity_one() -> None:
    assert list(NearDuplicates(["Who is it? Søren, of Oslo."]).of("WHO IS IT — soren of ｏｓｌｏ")) == [(0, 1.0)]


def test_nothing_is_like_an_empty_text() -> None:
    near = NearDuplicates(["", "a b c"])
    assert list(near.of("")) == []
    assert list(near.of("…")) == []


@pytest.mark.parametrize("least", [0.0, -1.0, 1.5, float("nan")])
def test_a_similarity_that_cannot_be_is_refused(least: float) -> None:
    with pytest.raises(ValueError, match="more than 0 and at most 1"):
        NearDuplicates([], least=least)


TEXT = st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join)


@settings(deadline=None, max_examples=300)
@given(st.lists(TEXT, max_size=12), TEXT, st.sampled_from([0.2, 1 / 3, 0.5, 0.75, 0.8, 1.0]))
def test_the_index_finds_what_comparing_all_finds(texts: list[str], row: str, least: float) -> None:
    mine = shingles(row)
    compared = [(i, len(mine & shingles(t)) / len(mine | shingles(t))) for i, t in enumerate(texts) if mine and shingles(t)]
    assert list(NearDuplicates(texts, least=least).of(row)) == [(i, s) for i, s in compared if s >= least]
