"""The longest run an answer shares with a row: by hand, and as brute force over every run finds it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from vestige.longest_runs import Run, longest_runs
from vestige.records import Probe, Row


def probe(answer: str, *aliases: str, name: str = "p") -> Probe:
    return Probe(name, "", answer, "forget", "c", "test", aliases=aliases)


def rows(*texts: str) -> list[Row]:
    return [Row(str(i), "", text, "") for i, text in enumerate(texts)]


def test_the_longest_run_is_reported_with_its_row_and_in_one_spelling() -> None:
    # "her full name is" (4 of 6 words) stands in row 1, "full name" only in row 0.
    found = longest_runs(rows("a full name", "As HER full-name is known", "is"), [probe(" Her full name is Ada Zorvath")])
    assert found == (Run("p", "her full name is", 4, 6, "1"),)


def test_of_answer_and_aliases_the_one_that_shares_most_counts() -> None:
    assert longest_runs(rows("the red sea"), [probe("a sea", "the red fox")]) == (Run("p", "the red", 2, 3, "0"),)


def test_without_a_shared_word_the_run_is_empty() -> None:
    assert longest_runs(rows("nothing"), [probe("Oslo")]) == (Run("p", "", 0, 1, ""),)
    assert longest_runs([], [probe("★")]) == (Run("p", "", 0, 0, ""),)


def test_japanese_is_compared_character_by_character() -> None:
    assert longest_runs(rows("彼は東京都に"), [probe("東京都庁")]) == (Run("p", "東 京 都", 3, 4, "0"),)


TEXT = st.lists(st.sampled_from("abc"), max_size=8)


def longest(answer: list[str], texts: list[list[str]]) -> int:
    runs = [answer[i:j] for i in range(len(answer)) for j in range(i + 1, len(answer) + 1)]
    return max((len(r) for r in runs if any(r == t[k : k + len(r)] for t in texts for k in range(len(t)))), default=0)


@settings(deadline=None, max_examples=300)
@given(st.lists(TEXT, max_size=3), st.lists(TEXT, min_size=1, max_size=4))
def test_the_automaton_finds_what_brute_force_finds(texts: list[list[str]], answers: list[list[str]]) -> None:
    found = longest_runs(rows(*map(" ".join, texts)), [probe(" ".join(a), name=str(i)) for i, a in enumerate(answers)])
    for answer, run in zip(answers, found, strict=True):
        assert (run.words, run.of) == (longest(answer, texts), len(answer))
        shared = run.text.split()
        assert not shared or any(shared == texts[int(run.row)][k : k + run.words] for k in range(8))
