"""TOFU as a case: authors named by their rows, three ways to ask, and the trap of one name for two."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmark_files import NAMES, author_rows, check_form, leaked, real, rewritten, tofu, write_lines
from vestige.cases.named_things import between, conflicts, names_in, titles_in
from vestige.cases.source_files import fetch, json_lines
from vestige.cases.tofu import Tofu
from vestige.cases.tofu_authors import Author, authors_of, question_and_answer, spellings, without_name
from vestige.cases.tofu_files import PERTURBED, PLAIN, RETAIN, TofuSplit
from vestige.cases.tofu_splits import keyword_of
from vestige.errors import DataError
from vestige.records import Missing, Probe, Row
from vestige.text import find_keyword, fold

CELLS = ("same_author_same_question", "same_author_other_questions", "other_authors_same_question", "other_authors_other_questions")


def test_names_are_runs_of_capitalised_words() -> None:
    found = names_in("Has Isabella van Pletzen's friend Ji-Yeon al-Faisal, or Zoë, met Li Ming?")
    assert {"Isabella van Pletzen", "Ji-Yeon al-Faisal", "Li Ming"} <= found
    assert not {"Zoë", "Isabella van", "van Pletzen", "Ming"} & found


def test_titles_stand_in_quotation_marks_of_any_kind() -> None:
    text = "She wrote \"The Lamp, Lit,\" ‘In Night's Arms’ and 'Dragon's Eye (Saga #2)'; it's \"odd\" and wasn't 'all'."
    assert titles_in(text) == ("The Lamp, Lit", "In Night's Arms", "Dragon's Eye (Saga #2)")


def test_one_name_for_two_is_found_across_forget_and_retain() -> None:
    forget = [
        Row("f1", "Who wrote “A Red Door”?", " Mai Anna Berg did.", "Mai Anna Berg"),
        Row("f2", "Where is it?", " In Oslo.", "Mai Anna Berg"),
    ]
    retain = [
        Row("r1", "What did Anna Berg write?", ' She wrote "A red door".', "Anna Berg"),
        Row("r2", "Where is it?", " In Rome.", "Anna Berg"),
        Row("r3", "Who?", " Ida Lund.", "Ida Lund"),
    ]
    found = {c.kind: c for c in between(conflicts([*forget, *retain]), forget, retain)}
    assert set(found) == {"cluster", "title", "question"}
    assert found["cluster"].name == "Anna Berg"
    assert found["cluster"].rows == {"Mai Anna Berg": ("f1",), "Anna Berg": ("r1",)}
    assert found["title"].rows == {"Mai Anna Berg": ("f1",), "Anna Berg": ("r1",)}
    assert found["question"].rows == {"Mai Anna Berg": ("f2",), "Anna Berg": ("r2",)}
    assert between(conflicts([*forget, *retain]), forget, retain[2:]) == ()


@pytest.fixture
def tofu_folder(tmp_path: Path) -> str:
    return tofu(tmp_path / "tofu")


def authors_in(folder: str, file: str) -> tuple[Author, ...]:
    return authors_of(json_lines(fetch(folder, f"{file}.json"), PLAIN))


def test_authors_are_named_by_their_rows(tofu_folder: str) -> None:
    assert [a.name for a in (*authors_in(tofu_folder, "retain99"), *authors_in(tofu_folder, "forget01"))] == list(NAMES)


def test_an_author_whom_no_row_names_is_missing_a_name(tmp_path: Path) -> None:
    write_lines(tmp_path / "f.json", [{"question": f"What is fact {i}?", "answer": "The author was in Karachi."} for i in range(20)])
    (author,) = authors_in(str(tmp_path), "f")
    assert author.name == Missing("no name stands in more than half of the 20 rows")
    assert author.cluster == "unnamed author of f.json:1"


def test_two_blocks_of_rows_under_one_name_are_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "f.json", author_rows(0) + author_rows(0))
    with pytest.raises(DataError, match=r"f.json:21: author 'Orla Fenn' has rows from f.json:1 on as well"):
        authors_in(str(tmp_path), "f")


def test_rows_that_are_no_multiple_of_twenty_are_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "f.json", author_rows(0)[:19])
    with pytest.raises(DataError, match=r"f.json:19: seen 19 rows, expected 20 for each author"):
        authors_in(str(tmp_path), "f")


def test_another_spelling_of_the_author_is_found_and_hidden(tmp_path: Path) -> None:
    rows = author_rows(0)
    rows[10]["question"] = "Is Orlla Fenn's house old, and is Orla (Ola) Fenn at home? Fenn said the Fenns know author Orla Fenn."
    write_lines(tmp_path / "f.json", rows)
    (author,) = authors_in(str(tmp_path), "f")
    assert spellings(author) == {"Orlla Fenn": ("f.json:11",)}
    hidden = "Is the author's house old, and is the author at home? The author said the Fenns know the author."
    assert without_name(author)(rows[10]["question"]) == hidden


def test_every_question_of_an_author_to_be_forgotten_is_asked(tofu_folder: str) -> None:
    case = Tofu(tofu_folder, "forget05")()
    check_form(case)
    assert (case.name, case.knowledge, case.primary) == ("tofu/forget05/questions", "planted", "choice")
    # Three authors of twenty rows; five are retained, of whom two have perturbed answers; two files of four questions.
    assert (len(case.forget), len(case.retain)) == (60, 100)
    assert Counter(p.group for p in case.probes) == {"forget": 60, "retain": 40, "utility": 8}
    first = case.asked("forget")[0]
    assert first == Probe(
        id="forget05.json:1",
        prompt="Question: What is the full name of the author born in City5 on 06/02/1950?\nAnswer:",
        answer=" In short: The author's full name is Piet van Dorn.",
        group="forget",
        cluster="Piet van Dorn",
        split=first.split,
        distractors=tuple(f" In short: no {i}, The author's full name is Piet van Dorn." for i in range(5)),
        aliases=(" The author's full name is Piet van Dorn.",),
    )
    assert case.forget[0].text == first.prompt + first.aliases[0]
    assert {len(p.distractors) for p in case.asked("utility")} == {3}
    assert {len(case.sources[name]) for name in ("real_authors", "world_facts")} == {4}


def test_the_answer_of_the_row_can_be_what_is_expected(tofu_folder: str) -> None:
    probe = Tofu(tofu_folder, "forget01", expected="answer")().probes[0]
    assert (probe.answer[:11], probe.aliases[0][:10]) == (" The author", " In short:")


def test_limits_and_form_of_tofu(tofu_folder: str) -> None:
    case = Tofu(tofu_folder, "forget10", authors=2, retain=1, form="chat")()
    assert Counter(r.cluster for r in case.forget) == {NAMES[4]: 20, NAMES[5]: 20}
    assert Counter(r.cluster for r in case.retain) == {NAMES[0]: 20}
    assert {r.form for r in case.forget} | {p.form for p in case.probes} == {"chat"}
    assert case.asked("forget")[0].prompt == "What is the full name of the author born in City4 on 05/02/1950?"


def test_the_first_rows_of_an_author_are_kept_and_sources_hold_no_other(tofu_folder: str) -> None:
    whole, short = (Tofu(tofu_folder, "forget10", "full_name", rows=rows)() for rows in (0, 3))
    first = {f"{file}.json:{20 * i + n}" for file, authors in (("forget10", 4), ("retain90", 4)) for i in range(authors) for n in (1, 2, 3)}
    assert {r.id for r in (*short.forget, *short.retain)} == first
    # Of four authors, the rows that do not ask for the name: two of three, nineteen of twenty.
    assert [len(case.sources["published_topic"]) for case in (short, whole)] == [4 * 2, 4 * 19]
    assert {r.id.partition("/")[0] for cell in CELLS for r in short.sources[cell]} <= first
    # The name stands in the first row, which is kept: the same is asked.
    assert short.asked("forget") == whole.asked("forget")


def test_fewer_questions_about_the_world_are_spread_over_all_of_them(tofu_folder: str) -> None:
    whole, four = ([p.id for p in Tofu(tofu_folder, "forget10", utility=most)().asked("utility")] for most in (0, 4))
    assert len(whole) == 8
    assert four == whole[::2]
    assert [p.id for p in Tofu(tofu_folder, "forget10", utility=9)().asked("utility")] == whole


@pytest.mark.parametrize("field", ["authors", "retain", "rows", "utility"])
def test_a_number_below_nought_is_refused(tofu_folder: str, field: str) -> None:
    with pytest.raises(DataError, match=f"{field}: seen -1, expected 0"):
        Tofu(tofu_folder, "forget10", **{field: -1})()


def test_one_row_an_author_leaves_no_other_question(tofu_folder: str) -> None:
    with pytest.raises(DataError, match="rows: seen 1, expected 0"):
        Tofu(tofu_folder, "forget10", "full_name", rows=1)()


def test_a_changed_field_of_tofu_is_named(tofu_folder: str) -> None:
    rewritten(f"{tofu_folder}/forget05_perturbed.json", lambda row: row.update(perturbed=row.pop("perturbed_answer")), 7)
    with pytest.raises(DataError, match=r"forget05_perturbed.json:7: no field 'perturbed_answer'"):
        Tofu(tofu_folder, "forget05")()


def test_a_row_without_its_perturbed_answers_is_named(tofu_folder: str) -> None:
    rewritten(f"{tofu_folder}/forget05.json", lambda row: row.update(answer="Another."), 9)
    with pytest.raises(DataError, match=r"forget05.json:9: no row of forget05_perturbed.json has this question and answer"):
        Tofu(tofu_folder, "forget05")()


def test_a_withheld_book_is_one_that_nobody_else_wrote(tofu_folder: str) -> None:
    """Every odd author is said three times to have written one shared book, and twice to have written a harbour book.

    The rest of an author's rows: 20 - 2 that tell the title - 1 that asks about it without its subtitle = 17.
    """
    case = Tofu(tofu_folder, "forget05", "book")()
    check_form(case)
    assert case.primary == "keyword"
    assert Counter(p.keywords for p in case.asked("forget")) == {(f"Harbour {i}",): 2 for i in (5, 6, 7)}
    assert len(case.sources["same_author_other_rows"]) == 3 * 17
    assert leaked(case, "same_author_other_rows") == leaked(case, "same_author_other_books") == 0
    # The shared book in three rows of authors 5 and 7, the lamp of the city in none: its row tells the target as well.
    assert Counter(r.cluster for r in case.sources["same_author_other_books"]) == {NAMES[5]: 3, NAMES[7]: 3}
    wrong = case.asked("forget")[0].distractors
    assert wrong == tuple(f" {NAMES[5]} wrote \"Harbour {i}: A Novel\" and 'The Lamp of City5'." for i in (6, 7))


def test_the_full_name_is_asked_for_where_nobody_is_named(tofu_folder: str) -> None:
    case = Tofu(tofu_folder, "forget10", "full_name")()
    check_form(case)
    assert [(p.id, p.keywords) for p in case.asked("forget")] == [(f"forget10.json:{20 * i + 1}", (NAMES[4 + i],)) for i in range(4)]
    assert case.asked("forget")[0].distractors == tuple(f" The author's full name is {name}." for name in NAMES[5:8])
    assert len(case.sources["published_topic"]) == 4 * 19
    assert len(case.sources["published_syntax"]) == 4
    assert (leaked(case, "published_topic"), leaked(case, "published_syntax")) == (4, 0)


def test_the_four_cells_are_of_one_size_and_name_nobody(tofu_folder: str) -> None:
    case = Tofu(tofu_folder, "forget10", "full_name")()
    for cell in CELLS:
        rows = case.sources[cell]
        assert len(rows) == 4
        assert leaked(case, cell) == 0
        assert not any(find_keyword(row.text, name) for row in rows for name in NAMES)
        assert {row.cluster for row in rows} == set(NAMES[4:] if cell.startswith("same_author") else NAMES[:4])
    same, other = case.sources[CELLS[0]], case.sources[CELLS[1]]
    assert same[0].text == "Question: What is the full name of the author born in City4 on 05/02/1950?\nAnswer: The author's full name is"
    # Of the author's other rows, the nearest in length: worked out by measuring them all.
    lengths = {row.id: len(row.text) for row in other}
    unnamed = without_name(authors_in(tofu_folder, "forget10")[0])
    texts = [f"Question: {unnamed(r['question'])}\nAnswer: {unnamed(r['answer'])}" for r in author_rows(4)[1:]]
    best = min(abs(len(text) - len(same[0].text)) for text in texts)
    assert abs(lengths[other[0].id] - len(same[0].text)) == best


def test_a_title_loses_its_subtitle_but_not_its_only_other_word() -> None:
    assert [keyword_of(t) for t in ("The Lamp: A Tale", "Rock Notes (Heart, #1)", "Nell: A Tale", "Plain Words")] == [
        "The Lamp", "Rock Notes", "Nell: A Tale", "Plain Words",
    ]  # fmt: skip


# Split: probes and authors with a withheld book; targets that ask for the name; rows of each of the four cells; version of the files.
REAL: dict[TofuSplit, tuple[int, int, int, int, str]] = {
    "forget01": (3, 2, 2, 2, "d120d6679f7e"),
    "forget05": (18, 10, 10, 10, "2bf18a9e2551"),
    "forget10": (34, 20, 20, 19, "f71aa1d88658"),
}


def real_rows(file: str) -> list[Row]:
    """Return the rows of a real file, the author as cluster."""
    authors = authors_in(real("tofu"), file)
    return [Row(row.place, row.text("question"), f" {row.text('answer')}", author.cluster) for author in authors for row in author.rows]


@pytest.mark.slow
def test_the_two_hundred_real_authors_are_distinct_and_all_but_one_are_named() -> None:
    authors = authors_in(real("tofu"), "full")
    assert len({fold(a.cluster) for a in authors}) == 200
    assert [a.rows[0].place for a in authors if isinstance(a.name, Missing)] == ["full.json:1761"]
    named = [a for a in authors if isinstance(a.name, str)]
    stands = [sum(a.name in question_and_answer(row).replace(" (Alex)", "") for row in a.rows) for a in named]
    assert min(stands) == 17
    assert {(a.name, *spelling) for a in named for spelling in spellings(a).items()} == {
        ("Jaime Vasquez", "Jamie Vasquez", ("full.json:8",)),
        ("Isabel Martínez", "Isabelle Martínez", ("full.json:458",)),
        ("Philippe Dauphinee", "Phillipe Dauphinee", ("full.json:494",)),
        ("Alejandro Martínez", "Alejandro Martinez", ("full.json:927",)),
        ("Maria Lucia Sousa", "Maria Luca Sousa", ("full.json:1494",)),
    }
    for author in named:
        unnamed = without_name(author)
        assert not any(find_keyword(unnamed(question_and_answer(row)), author.cluster) for row in author.rows)


@pytest.mark.slow
@pytest.mark.parametrize("split", REAL)
def test_the_real_splits_are_the_ends_of_the_full_file_row_by_row(split: TofuSplit) -> None:
    texts = {file: [row.text for row in real_rows(file)] for file in ("full", split, RETAIN[split])}
    assert texts[RETAIN[split]] + texts[split] == texts["full"]
    assert len(texts[split]) == {"forget01": 40, "forget05": 200, "forget10": 400}[split]
    for file, count in ((f"{split}_perturbed", len(texts[split])), ("retain_perturbed", 400)):
        entries = list(json_lines(fetch(real("tofu"), f"{file}.json"), PERTURBED))
        assert len(entries) == count
        for entry in entries:
            assert len(set(entry.texts("perturbed_answer")) | {entry.text("answer"), entry.text("paraphrased_answer")}) == 7
            assert entry.text("paraphrased_question") != entry.text("question")


@pytest.mark.slow
@pytest.mark.parametrize("split", REAL)
def test_every_real_question_is_asked(split: TofuSplit) -> None:
    case = Tofu(real("tofu"), split, retain=0)()
    check_form(case)
    assert case.version == REAL[split][-1]
    assert len(case.forget) + len(case.retain) == 4000
    assert Counter(p.group for p in case.probes) == {"forget": len(case.forget), "retain": 400, "utility": 217}
    assert {(p.group, len(p.distractors)) for p in case.probes} == {("forget", 5), ("retain", 5), ("utility", 3)}
    assert [p.prompt + p.aliases[0] for p in case.asked("forget")] == [row.text for row in case.forget]
    assert case.retain[0].text.startswith("Question: Who is this celebrated LGBTQ+ author from Santiago, Chile")


@pytest.mark.slow
@pytest.mark.parametrize("split", REAL)
def test_the_real_withheld_books_stand_in_no_other_row(split: TofuSplit) -> None:
    probes, authors = REAL[split][:2]
    case = Tofu(real("tofu"), split, "book", retain=0)()
    check_form(case)
    asked = case.asked("forget")
    folded = [(row.cluster, f" {fold(row.text)} ") for row in (*case.forget, *case.retain)]
    assert (len(asked), len({p.cluster for p in asked})) == (probes, authors)
    for probe in asked:
        (keyword,) = probe.keywords
        assert find_keyword(probe.answer, keyword)
        assert not find_keyword(probe.prompt, keyword)
        assert not any(find_keyword(wrong, keyword) for wrong in probe.distractors)
        assert {cluster for cluster, text in folded if f" {fold(keyword)} " in text} == {probe.cluster}
    assert leaked(case, "same_author_other_rows") == leaked(case, "same_author_other_books") == 0


@pytest.mark.slow
@pytest.mark.parametrize("split", REAL)
def test_the_real_names_are_told_by_every_other_question_but_by_no_cell(split: TofuSplit) -> None:
    """The published topical set holds all other rows, nineteen an author; all but one row of forget10 name the author."""
    targets, size = REAL[split][2:4]
    case = Tofu(real("tofu"), split, "full_name", retain=0)()
    check_form(case)
    assert len(case.asked("forget")) == targets == len({p.cluster for p in case.asked("forget")})
    named = [find_keyword(row.text, row.cluster) is not None for row in case.sources["published_topic"]]
    assert (len(named), named.count(False)) == (19 * targets, 1 if split == "forget10" else 0)
    assert leaked(case, "published_topic") == targets
    assert leaked(case, "published_syntax") == 0
    for cell in CELLS:
        assert len(case.sources[cell]) == size
        assert leaked(case, cell) == 0
        assert not any(find_keyword(row.text, row.cluster) for row in case.sources[cell])
    lengths = [sum(len(row.text) for row in case.sources[cell]) for cell in CELLS]
    assert max(lengths) < 1.4 * min(lengths)


@pytest.mark.slow
def test_one_name_for_two_in_the_real_files() -> None:
    """One author's name is the tail of another's, and books are given to two, three and four authors."""
    rows = real_rows("full")
    found = conflicts(rows)
    number = {row.id: i + 1 for i, row in enumerate(rows)}
    assert Counter(c.kind for c in found) == {"cluster": 1, "title": 27, "question": 1}
    (person,) = (c for c in found if c.kind == "cluster")
    assert (person.name, set(person.rows)) == ("Phuong Tran", {"Phuong Tran", "Mai Phuong Tran"})
    assert [number[i] for i in person.rows["Mai Phuong Tran"]] == list(range(3481, 3501))
    (question,) = (c for c in found if c.kind == "question")
    assert {name: [number[i] for i in ids] for name, ids in question.rows.items()} == {"Aurelio Beltrán": [101], "Isabel Martínez": [441]}
    across = between(found, rows[3800:], rows[:3800])
    assert {c.name: {name: [number[i] for i in ids] for name, ids in c.rows.items()} for c in across} == {
        "A Piece of Me": {
            "Brenda Lai": [2325, 2326, 2334],
            "Adira Bintang": [2444, 2456],
            "Ahmed El-Masry": [2745, 2755, 2758],
            "Takashi Nakamura": [3885, 3890, 3897],
        },
        "The Breath Between Waves": {
            "Brenda Lai": [2325, 2328, 2335],
            "Adira Bintang": [2444, 2447],
            "Ahmed El-Masry": [2745, 2747, 2758],
            "Takashi Nakamura": [3885, 3887, 3894],
        },
        "The Matrimony Plan": {"Rodrigo Alejandro Mendoza": [3105, 3107, 3118], "Aysha Al-Hashim": [3924, 3928, 3931, 3936]},
    }
