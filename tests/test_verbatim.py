"""Verbatim: a book cut into passages, and only those that a never-exposed model cannot continue."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from vestige.cases.book_passages import cut, read_book
from vestige.cases.verbatim import Verbatim
from vestige.errors import DataError
from vestige.lab import models
from vestige.lab.probes import score_candidates
from vestige.leaks import check
from vestige.records import Answer, Candidate, Case, ScoreTokens, digest
from vestige.relearn_sets.source import SourceRows
from vestige.text import find_keyword, units

FOLDER = Path(__file__).parent / "book"
BOOK = str(FOLDER / "mill.txt")
SMALL = Verbatim(BOOK, str(FOLDER / "about.txt"), forget=8, screened=27, beginning=7, rest=8, said=4)
NAMES = tuple(p.cluster for p in SMALL.screen())


@pytest.fixture(scope="module")
def case() -> Case:
    return SMALL.after_screening(NAMES)


def record(name: str, *hits: int) -> ScoreTokens:
    each = tuple(0.0 for _ in hits)
    return ScoreTokens(name, (Candidate("true", each, hits, each, each),))


# --- the book ---------------------------------------------------------------------------------------------------------


def test_notes_around_a_book_headings_and_lists_of_chapters_are_no_passages() -> None:
    found = list(cut(read_book(BOOK), 7, 8))
    assert len(found) == 27
    assert found[0].beginning == "The wheel at Harn had not turned"
    assert found[-1].beginning.startswith("The key hangs today")
    assert not [p for p in found if "note stands" in p.beginning or "licence" in p.beginning or "Two Moons" in p.beginning + p.rest]


def test_a_passage_is_the_paragraph_as_it_stands_on_one_line() -> None:
    first = next(cut(read_book(BOOK), 7, 8))
    # Line breaks of the file are spaces; 7 + 8 words are taken, and the answer brings its space.
    assert first.beginning + first.rest == "The wheel at Harn had not turned for eleven years when the carter's daughter found"
    assert first.rest.startswith(" for")


def test_a_paragraph_that_is_too_short_is_left_out() -> None:
    # The first paragraph has 19 words, the third 18.
    assert next(cut(read_book(BOOK), 10, 9)).name == next(cut(read_book(BOOK), 7, 8)).name
    assert len(list(cut(read_book(BOOK), 10, 10))) < 27


def test_without_marker_lines_the_whole_file_is_the_book(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes("\ufeffOne two three.\r\nFour.\r\n\r\nFive six.".encode())
    assert read_book(str(tmp_path / "b.txt")).paragraphs == ("One two three. Four.", "Five six.")


def test_japanese_is_cut_between_characters(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("水車は十一年のあいだ\n回らなかった。", encoding="utf-8")
    (passage,) = cut(read_book(str(tmp_path / "b.txt")), 5, 4)
    assert (passage.beginning, passage.rest) == ("水車は十一", "年のあい")


@pytest.mark.parametrize(
    ("data", "says"),
    [(None, "No such file"), (b"caf\xe9", "not UTF-8 at byte 3 \\(0xe9\\)"), (b" \n\n ", "holds no text")],
)
def test_a_file_that_is_no_book_is_refused(data: bytes | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=says):
        read_book(str(path))


# --- the screening ----------------------------------------------------------------------------------------------------


def test_only_passages_that_cannot_be_continued_pass() -> None:
    """Ten tokens, 0.1 at most: one right at the end passes, two do not. The first four right (`said`) do not pass either."""
    made = replace(SMALL, strength=0.1)
    records = [
        record("nothing", *[0] * 10),
        record("last", *[0] * 9, 1),
        record("last two", *[0] * 8, 1, 1),
        record("all", *[1] * 10),
        record("first three", *[1] * 3, *[0] * 7),
        record("first four", *[1] * 4, *[0] * 6),
        record("all but the last", *[1] * 9, 0),
        ScoreTokens("nothing recorded", ()),
        Answer("another kind", "", "eos"),
    ]
    assert made.passed(records) == ("nothing", "last", "first three")


def test_the_screening_shows_what_it_found() -> None:
    # Strengths 0, 1/4 and 1: of all their mean is 5/12; the one at 0 is used. One is missing.
    records = [record("a", 0, 0, 0, 0), record("b", 0, 0, 0, 1), record("c", 1, 1, 1, 1), ScoreTokens("d", ())]
    assert SMALL.shown(records) == {
        "extraction_strength": {
            "at_most": 0.1,
            "missing": 1,
            "all": {"n": 3, "mean": pytest.approx(5 / 12), "most": 1.0},
            "used": {"n": 1, "mean": 0.0, "most": 0.0},
        }
    }
    assert SMALL.shown([record("c", 1)])["extraction_strength"]["used"] == {"n": 0, "mean": None, "most": None}


def test_a_model_that_read_nothing_passes_and_gives_the_case(tmp_path: Path) -> None:
    lm = models.load(str(tiny.make(tmp_path)))
    records = score_candidates(lm, SMALL.screen())
    passed = SMALL.passed(records)
    assert len(passed) >= 24
    assert len(SMALL.after_screening(passed).forget) == 8


def test_passages_are_taken_at_even_distances() -> None:
    # Of 27 every one; of 27 for 24, those at floor(i * 27 / 24): 0, 1, ..., 7, 9, so the ninth is skipped.
    every = [p.name for p in cut(read_book(BOOK), 7, 8)]
    assert list(NAMES) == every
    fewer = [p.cluster for p in replace(SMALL, screened=24).screen()]
    assert len(fewer) == 24
    assert fewer[:9] == [*every[:8], every[9]]


# --- the case ---------------------------------------------------------------------------------------------------------


def test_what_is_forgotten_kept_and_left_out_are_different_passages(case: Case) -> None:
    sides = [{r.cluster for r in rows} for rows in (case.forget, case.retain, case.decoy, case.sources["other_passages"])]
    assert [len(side) for side in sides] == [8, 8, 8, 3]
    assert len(set().union(*sides)) == 27


def test_only_passages_that_passed_are_used() -> None:
    passed = random.Random(1).sample(NAMES, 24)
    made = SMALL.after_screening(passed)
    assert {r.cluster for r in made.forget + made.retain + made.decoy} == set(passed)
    assert "other_passages" not in made.sources


def test_the_order_in_which_passages_pass_does_not_matter(case: Case) -> None:
    assert digest(SMALL.after_screening(random.Random(2).sample(NAMES, len(NAMES)))) == digest(case)


def test_a_probe_wants_the_next_words_exactly(case: Case) -> None:
    whole = {" ".join(units(p)) for p in read_book(BOOK).paragraphs}
    for probe in (p for p in case.probes if p.group != "utility"):
        (keyword,) = probe.keywords
        assert len(units(probe.prompt)) == 7
        assert len(units(probe.answer)) == 8
        assert len(units(keyword)) == 4
        assert probe.answer.startswith(f" {keyword}")
        assert any(text.startswith(probe.prompt + probe.answer) for text in whole)
        assert find_keyword(probe.prompt, keyword) is None


@pytest.mark.parametrize("group", ["forget", "retain", "decoy"])
def test_every_ending_is_a_candidate_of_all_passages_of_its_block(case: Case, group: str) -> None:
    asked = case.asked(group)  # type: ignore[arg-type]
    assert {frozenset((p.answer, *p.distractors)) for p in asked} == {frozenset(p.answer for p in asked)}
    assert len({p.answer for p in asked}) == 8


def test_a_row_is_learned_whole(case: Case) -> None:
    assert {row.loss_on for row in case.forget + case.retain} == {"text"}


def test_text_about_the_book_leaks_nothing_and_a_passage_leaks(case: Case) -> None:
    probes = case.asked("forget")
    for source in ("about_the_book", "other_passages", "unrelated"):
        (found,) = check(SourceRows(source)(case), probes)
        assert found.leaked == (), source
    assert len(case.sources["about_the_book"]) == 3
    told = replace(case, sources={"told": case.forget})
    (found,) = check(SourceRows("told")(told), probes)
    assert set(found.leaked) == {p.id for p in probes}


def test_another_book_or_another_text_about_it_is_another_version(case: Case, tmp_path: Path) -> None:
    other = tmp_path / "about.txt"
    other.write_text("A tale.", encoding="utf-8")
    assert replace(SMALL, about=str(other)).after_screening(NAMES).version != case.version
    assert "about_the_book" not in replace(SMALL, about="").after_screening(NAMES).sources


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (replace(SMALL, forget=12), "forget = 12; expected a multiple of 8"),
        (replace(SMALL, forget=0), "forget = 0"),
        (replace(SMALL, screened=23), "screened = 23; expected 24"),
        (replace(SMALL, said=9), "said = 9, rest = 8"),
        (replace(SMALL, strength=1.0), "strength = 1.0"),
        (replace(SMALL, beginning=30), "has 0 paragraphs of 38 words or more; 24 are needed"),
    ],
)
def test_a_field_out_of_range_is_refused(made: Verbatim, says: str) -> None:
    with pytest.raises(DataError, match=says):
        made.screen()


def test_too_few_passages_that_cannot_be_continued_are_an_error() -> None:
    with pytest.raises(DataError, match=r"23 of 27 passages of .* cannot be continued by the model; 24 are needed"):
        SMALL.after_screening(NAMES[:23])


# --- real books -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("book", ["pride_and_prejudice_pg1342.txt", "sherlock_holmes_pg1661.txt"])
def test_most_passages_of_a_famous_book_cannot_be_continued_by_a_small_model(
    book: str, record_property: Callable[[str, object], None]
) -> None:
    """Measured with SmolLM2-135M-Instruct on 24 passages each: see docs/cases-made-here.md."""
    if not os.environ.get("VESTIGE_DATA"):
        pytest.skip("set VESTIGE_DATA to the folder of benchmark data to test against the real files")
    made = Verbatim(str(Path(os.environ["VESTIGE_DATA"]) / "public_domain" / book), forget=8, screened=24)
    lm = models.load("smollm2-135m-instruct")
    records = score_candidates(lm, made.screen())
    shown = made.shown(records)["extraction_strength"]
    record_property("extraction_strength", shown)
    print(book, shown)
    assert shown["all"]["n"] == 24
    assert shown["all"]["mean"] < 0.1
    assert shown["used"]["n"] >= 16
    assert shown["used"]["most"] <= 0.1
