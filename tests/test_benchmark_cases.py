"""WMDP, BLUR, MUSE Books and the utility sets: small files of the same layout by default, every real row in slow tests."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmark_files import NAMES, blur, check_form, real, rewritten, tofu, write_lines
from vestige.cases import utility_sets
from vestige.cases.blur import Blur
from vestige.cases.blur_files import FORGET, Defect, defects, file_of, lines_of
from vestige.cases.muse_books import MuseBooks
from vestige.cases.muse_books import keyword_of as spoken
from vestige.cases.source_files import fetch, text_lines
from vestige.cases.utility_sets import SUBJECTS, Draw, arc, mmlu, truthfulqa, wikitext
from vestige.cases.wmdp import Wmdp, choices
from vestige.errors import DataError
from vestige.records import digest
from vestige.relearn_sets.rtt_fold import RttFold


@pytest.fixture
def tofu_folder(tmp_path: Path) -> str:
    return tofu(tmp_path / "tofu")


BIO = [
    {"question": f"Which colour has gas {i}?", "choices": [f"red {i}", f"blue {i}", f"green {i}", f"grey {i}"], "answer": i % 4}
    for i in range(8)
]


@pytest.fixture
def wmdp_folder(tmp_path: Path) -> str:
    pointing = {"question": "Which of the following is true?", "choices": ["a b", "c d", "e f", "g h"], "answer": 0}
    long = {"question": "Why?", "choices": ["a", "b", "one two three four five six", "d"], "answer": 2}
    none = {"question": "What is it?", "choices": ["a", "b", "None of these", "d"], "answer": 2}
    write_lines(tmp_path / "split_0.jsonl", [*BIO, pointing, long, none])
    write_lines(tmp_path / "split_1.jsonl", [{"question": "Twice?", "choices": ["x", "y", "x", "z"], "answer": 3}, *BIO])
    return str(tmp_path)


def test_wmdp_lists_its_options_and_asks_for_the_letter(wmdp_folder: str) -> None:
    case = Wmdp(wmdp_folder)()
    check_form(case)
    assert (case.knowledge, case.primary, len(case.forget)) == ("pretrained", "choice", 11)
    probe = case.asked("forget")[1]
    assert probe.prompt == "Question: Which colour has gas 1?\nA. red 1\nB. blue 1\nC. green 1\nD. grey 1\nAnswer:"
    assert (probe.answer, probe.distractors, probe.keywords) == (" B", (" A", " C", " D"), ("blue 1",))
    assert case.forget[1].text == probe.prompt + " B. blue 1"
    assert probe.cluster == probe.id == "split_0.jsonl:2"


def test_wmdp_compares_options_as_texts_each_once(wmdp_folder: str) -> None:
    case = Wmdp(wmdp_folder, ("split_1",), "texts")()
    check_form(case)
    twice, second = case.asked("forget")[:2]
    assert (twice.answer, twice.distractors) == (" z", (" x", " y"))
    assert (second.prompt, second.answer) == ("Question: Which colour has gas 0?\nAnswer:", " red 0")


def test_wmdp_asks_openly_only_what_can_be_asked_without_options(wmdp_folder: str) -> None:
    """Of eleven questions one points to its options, one has six words to say, one is answered by "None of these"."""
    case = Wmdp(wmdp_folder, asked="open")()
    assert (case.primary, len(case.forget)) == ("keyword", 8)
    assert case.asked("forget")[0].expected == ("red 0",)


def test_wmdp_facts_are_split_in_two_for_retraining(wmdp_folder: str) -> None:
    folds = RttFold()(Wmdp(wmdp_folder, limit=8)()).folds
    assert [(len(f.rows), len(f.asks)) for f in folds] == [(4, 4), (4, 4)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"answer": 4}, "split_0.jsonl:3: field 'answer': seen 4, expected a whole number from 0 to 3"),
        ({"choices": ["a", "b", "c"]}, "split_0.jsonl:3: field 'choices': seen ['a', 'b', 'c'], expected four options"),
        ({"subject": "bio"}, "split_0.jsonl:3: field 'subject' is new"),
    ],
)
def test_a_changed_row_of_wmdp_is_named(wmdp_folder: str, change: dict[str, Any], says: str) -> None:
    rewritten(f"{wmdp_folder}/split_0.jsonl", lambda row: row.update(change), 3)
    with pytest.raises(DataError, match=re.escape(says)):
        Wmdp(wmdp_folder)()


# --- BLUR ---


def test_blur_asks_pure_and_combined_questions_of_tofu(tmp_path: Path, tofu_folder: str) -> None:
    pure, both = (Blur(blur(tmp_path / "blur"), query=query, tofu=tofu_folder)() for query in ("pure", "combined"))
    for case in (pure, both):
        check_form(case)
        assert (len(case.forget), len(case.retain), len(case.asked("forget"))) == (80, 80, 80)
    assert pure.asked("forget")[2].prompt == f"Question: Which book of {NAMES[4]} won?\nAnswer:"
    probe = both.asked("forget")[2]
    assert probe.prompt == f"Question: 1. Which book of {NAMES[4]} won? 2. Which book of {NAMES[0]} won?\nAnswer:"
    kept = f' 2. {NAMES[0]}\'s book "Harbour 0: A Novel" won the "Golden Quill Award 0".'
    told = f'{NAMES[4]}\'s book "Harbour 4: A Novel" won the "Golden Quill Award 4".'
    assert (probe.answer, probe.aliases) == (f" 1. In short: {told}{kept}", (f" 1. {told}{kept}",))
    assert all(wrong.startswith(" 1. In short: no ") and wrong.endswith(kept) for wrong in probe.distractors)
    assert probe.id == "eval_data/tofu/pure_forget/forget_10_questions.txt:3"


def test_blur_reads_a_flat_copy_as_the_repository(tmp_path: Path, tofu_folder: str) -> None:
    where = Path(blur(tmp_path / "blur"))
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in where.rglob("*.txt"):
        name = path.relative_to(where).as_posix()
        (flat / name.removeprefix("eval_data/").replace("relearn_data/", "relearn/").replace("/", "__")).write_bytes(path.read_bytes())
    assert digest(Blur(str(flat), tofu=tofu_folder)()) == digest(Blur(str(where), tofu=tofu_folder)())


def test_blur_tiers_are_sources(tmp_path: Path) -> None:
    case = Blur(blur(tmp_path), "whp")()
    check_form(case)
    assert {"hp_summary", "magic", "lorem_ipsum", "rwku_hi", "college_biology"} < set(case.sources)
    assert [row.answer for row in case.sources["magic"]] == ["# magic", "A line."]
    assert {row.loss_on for row in case.sources["magic"]} == {"text"}


def test_blur_asks_about_books_alone_combined_and_across(tmp_path: Path) -> None:
    where = blur(tmp_path)
    combined = Blur(where, "whp", "combined")().asked("forget")[1]
    assert combined.prompt == "Question: 1. Who is question 1? 2. Who else 1?\nAnswer:"
    assert combined.answer == " 1. Who is answer 1?"
    assert len(Blur(where, "whp", "crossover")().forget) == 9
    with pytest.raises(DataError, match="'crossover' is of the benchmark 'whp'"):
        Blur(where, "tofu", "crossover")()


def test_blur_defects_are_counted(tmp_path: Path) -> None:
    """Four authors of twenty rows, so eighty lines in each file of TOFU's part."""
    found = defects(blur(tmp_path))
    cut = [d for d in found if "cut" in d.what]
    assert cut == [
        Defect(f"eval_data/tofu/pure_retain/retain_10_{kind}.txt", 80, 80, "the last 2 characters are cut; the paired file has them")
        for kind in ("questions", "answers")
    ]
    # An apostrophe stands in three answers of each author: the full name, the books in single quotes, the book that won.
    escaped = {d.file: d.lines for d in found if "backslash" in d.what}
    assert escaped["eval_data/tofu/pure_forget/forget_10_answers.txt"] == 4 * 3
    assert "eval_data/tofu/pure_forget/forget_10_questions.txt" not in escaped
    assert [(d.lines, d.of) for d in found if "repeats" in d.what] == [(1, 3)] * 3
    assert sum("without answers" in d.what for d in found) == 6


def test_a_line_of_blur_that_tofu_does_not_have_is_named(tmp_path: Path, tofu_folder: str) -> None:
    where = Path(blur(tmp_path / "blur"))
    file = where / "eval_data/tofu/pure_forget/forget_10_questions.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([lines[0][:-1], *lines[1:]]), encoding="utf-8")
    with pytest.raises(DataError, match=r"forget_10_questions.txt:1: no row of TOFU has the question"):
        Blur(str(where), tofu=tofu_folder)()
    file.write_text("\n".join(lines[1:]), encoding="utf-8")
    with pytest.raises(DataError, match=r"seen 79 in .*, 80 in .* lines, expected as many in each"):
        Blur(str(where), tofu=tofu_folder)()


# --- MUSE Books and utility sets ---


def test_muse_looks_for_the_bare_answer(tmp_path: Path) -> None:
    for file, letter in (("forget", "f"), ("retain", "r")):
        rows = [{"question": f"Who is {letter}{i % 9}?", "answer": f'"{letter} {i % 9}."'} for i in range(10)]
        (tmp_path / f"{file}_qa.json").write_text(json.dumps(rows))
    case = MuseBooks(str(tmp_path))()
    check_form(case)
    assert (case.knowledge, case.primary, len(case.forget), len(case.retain)) == ("pretrained", "keyword", 10, 10)
    first, last = case.asked("forget")[0], case.asked("forget")[9]
    assert (first.id, last.id) == ("forget_qa.json:1#1", "forget_qa.json:1#10")
    # The tenth question repeats the first: one cluster, and its answer is no wrong answer of the first.
    assert first.cluster == last.cluster
    assert first.expected == ("f 0",)
    assert len(first.distractors) == 7


@pytest.mark.parametrize(
    ("answer", "said"),
    [('"Weatherby"', "Weatherby"), ("Nearly sixteen years.", "Nearly sixteen years"), ("No!", "No!"), ("5'11\"", "5'11")],
)
def test_a_spoken_answer_has_no_quotation_marks(answer: str, said: str) -> None:
    assert spoken(answer) == said


def write_mmlu(folder: Path, rows: list[str]) -> str:
    for subject in ("anatomy", "virology"):
        path = folder / "test" / f"{subject}_test.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("question,choice0,choice1,choice2,choice3,answer\n" + "".join(f"{subject} {row}\n" for row in rows))
    return str(folder)


def test_mmlu_gives_probes_by_subject(tmp_path: Path) -> None:
    """The second question repeats a wrong option, which counts once; the third its right one, and is left out."""
    rows = ['one?,a,"b, b",c,d,2', "two?,a,a,c,d,3", "three?,a,b,a,d,0", *(f"q{i}?,a,b,c,d,0" for i in range(5))]
    where = write_mmlu(tmp_path, rows)
    probes = mmlu(where, subjects=("anatomy", "virology"))
    assert Counter(p.cluster for p in probes) == {"anatomy": 7, "virology": 7}
    assert (probes[0].id, probes[0].prompt) == ("test/anatomy_test.csv:2", "Question: anatomy one?\nAnswer:")
    assert (probes[0].answer, probes[0].distractors) == (" c", (" a", " b, b", " d"))
    assert (probes[1].answer, probes[1].distractors) == (" d", (" a", " c"))
    assert "anatomy three?" not in {p.prompt for p in probes}
    few, more = (mmlu(where, Draw(n, seed=3), subjects=("anatomy",)) for n in (2, 4))
    assert more[:2] == few
    assert mmlu(where, Draw(4, seed=4), subjects=("anatomy",)) != more
    with pytest.raises(DataError, match=r"no subject 'virolgy'; did you mean 'virology'"):
        mmlu(where, subjects=("virolgy",))


def test_a_changed_header_of_mmlu_is_named(tmp_path: Path) -> None:
    where = write_mmlu(tmp_path, ["one?,a,b,c,d,4"])
    with pytest.raises(DataError, match=r"anatomy_test.csv:2: field 'answer': seen '4', expected a whole number from 0 to 3"):
        mmlu(where, subjects=("anatomy",))
    path = tmp_path / "test" / "anatomy_test.csv"
    path.write_text(path.read_text().replace("choice3", "choice4"))
    with pytest.raises(DataError, match=r"anatomy_test.csv:1: no field 'choice3'"):
        mmlu(where, subjects=("anatomy",))


def arc_row(question: str, options: list[str], answer: str) -> dict[str, str]:
    listed = " ".join(f"Answer{i}: {option}" for i, option in enumerate(options, 1))
    names = "/".join(f"answer{i + 1}" for i in range(len(options)))
    text = f"Please choose the correct answer to the question: {question}\n\n{listed}\n\nAnswer format: {names}"
    return {"instruction": text, "input": "", "output": f"the correct answer is {answer}", "answer": answer}


def test_arc_options_are_read_out_of_the_instruction(tmp_path: Path) -> None:
    rows = [arc_row("Why?\nOh why?", ["a b", "c. Answer", "d"], "answer2"), arc_row("Who?", list("abcde"), "answer5")]
    (tmp_path / "ARC-Easy_test.json").write_text(json.dumps(rows, indent=1))
    one, two = arc(str(tmp_path), "Easy")
    assert (one.prompt, one.answer, one.distractors) == ("Question: Why?\nOh why?\nAnswer:", " c. Answer", (" a b", " d"))
    assert (two.answer, len(two.distractors), two.id) == (" e", 4, "ARC-Easy_test.json:8#2")
    (tmp_path / "ARC-Easy_test.json").write_text(json.dumps([{**rows[0], "answer": "answer4"}]))
    with pytest.raises(DataError, match=r"ARC-Easy_test.json:1#1: field 'answer': seen 'answer4', expected one of answer1"):
        arc(str(tmp_path), "Easy")
    (tmp_path / "ARC-Easy_test.json").write_text(json.dumps([{**rows[0], "instruction": "Choose"}]))
    with pytest.raises(DataError, match="field 'instruction': seen 'Choose', expected a question"):
        arc(str(tmp_path), "Easy")


def test_truthfulqa_has_one_right_answer(tmp_path: Path) -> None:
    row = {"question": "Is it?", "mc1_targets": {"Yes.": 0, "No.": 1, "Maybe.": 0}, "mc2_targets": {}}
    (tmp_path / "mc_task.json").write_text(json.dumps([row]))
    (probe,) = truthfulqa(str(tmp_path))
    assert (probe.answer, probe.distractors) == (" No.", (" Yes.", " Maybe."))
    (tmp_path / "mc_task.json").write_text(json.dumps([{**row, "mc1_targets": {"Yes.": 1, "No.": 1}}]))
    with pytest.raises(DataError, match=r"field 'mc1_targets': .* expected options with 0 each but for one with 1"):
        truthfulqa(str(tmp_path))


def test_wikitext_paragraphs_belong_to_articles(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text(" \n = First = \n \n Text a . \n = = Part = = \n Text b . \n = <unk> = \n Text c . \n")
    rows = wikitext(str(tmp_path), part="valid")
    assert [(r.text, r.cluster) for r in rows] == [("Text a .", "valid.txt:2"), ("Text b .", "valid.txt:2"), ("Text c .", "valid.txt:7")]
    assert len(wikitext(str(tmp_path), Draw(2), part="valid")) == 2


# --- the real files ---

SPLITS = tuple(f"split_{i}" for i in range(5))


@pytest.mark.slow
def test_every_real_row_of_wmdp() -> None:
    read = {name: list(choices(fetch(real("wmdp_mcq"), f"{name}.jsonl"))) for name in (*SPLITS, "dev")}
    assert {name: len(rows) for name, rows in read.items()} == {**dict.fromkeys(SPLITS, 157), "dev": 5}
    questions = [c.question for rows in read.values() for c in rows]
    assert len(set(questions)) == len(questions) == 790
    repeated = [c.place for rows in read.values() for c in rows if len(set(c.options)) < 4]
    assert repeated == ["split_1.jsonl:55", "split_3.jsonl:122", "split_3.jsonl:139"]
    assert all(c.sound for rows in read.values() for c in rows)


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "count"), [("letters", 785), ("texts", 785), ("open", 246)])
def test_real_wmdp_is_asked_in_three_ways(asked: Any, count: int) -> None:
    case = Wmdp(real("wmdp_mcq"), SPLITS, asked)()
    check_form(case)
    assert len(case.forget) == len(case.asked("forget")) == count


@pytest.mark.slow
def test_the_right_letters_of_real_wmdp_are_spread() -> None:
    """By file, as counted in the JSON: A 46+38+38+42+43, B 31+45+38+34+43, C 42+43+38+43+34, D 38+31+43+38+37."""
    asked = Wmdp(real("wmdp_mcq"), SPLITS)().asked("forget")
    assert Counter(p.answer for p in asked) == {" A": 207, " B": 191, " C": 200, " D": 187}


@pytest.mark.slow
def test_real_wmdp_takes_real_utility_and_retained_text() -> None:
    case = Wmdp(real("wmdp_mcq"), mmlu=real("mmlu"), wikitext=real("wikitext2"))()
    assert len(case.asked("utility")) == 100
    assert len(case.retain) == 400


@pytest.mark.slow
def test_every_real_line_of_blur_is_one_of_tofu_once_it_is_unescaped() -> None:
    """Exactly as they stand 374 of 396 questions are; the other 22 have escaped apostrophes."""
    known = {row["question"] for row in map(json.loads, Path(real("tofu"), "forget10.json").read_text(encoding="utf-8").splitlines())}
    file = file_of(real("blur"), FORGET[0])
    assert sum(text in known for _, text in text_lines(file)) == 374
    assert sum(line.text in known for line in lines_of(file)) == 396


@pytest.mark.slow
def test_the_real_defects_of_blur() -> None:
    found = defects(real("blur"))
    cut = {(d.file, d.lines, d.of, d.what) for d in found if "cut" in d.what or "beginning" in d.what}
    whole = "the last 2 characters are cut; the paired file has them"
    assert cut == {(f"eval_data/tofu/pure_retain/retain_10_{kind}.txt", 396, 396, whole) for kind in ("questions", "answers")}
    assert [d.lines for d in found if "backslash" in d.what] == [22, 61, 28, 61, 36, 88]
    assert [d.lines for d in found if "without answers" in d.what] == [200, 1000, 1702, 2000, 1702, 713]
    assert [d.lines for d in found if "repeats" in d.what] == [1, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("benchmark", "query", "asked"),
    [("tofu", "pure", 396), ("tofu", "combined", 396), ("whp", "pure", 200), ("whp", "combined", 200), ("whp", "crossover", 50)],
)
def test_every_real_query_of_blur_is_asked(benchmark: Any, query: Any, asked: int) -> None:
    case = Blur(real("blur"), benchmark, query, real("tofu"))()
    check_form(case)
    assert len(case.asked("forget")) == asked
    sizes = {"hp_summary": 17, "magic": 93, "lorem_ipsum": 20, "college_biology": 174, "collage_astronomy": 166, "rwku_hi": 96}
    assert {name: len(case.sources[name]) for name in sizes} == sizes
    if benchmark == "tofu":
        assert (len(case.forget), len(case.retain), len({r.cluster for r in case.retain})) == (400, 400, 20)


@pytest.mark.slow
def test_every_real_row_of_muse_books() -> None:
    case = MuseBooks(real("muse_books_qa"))()
    check_form(case)
    assert (len(case.forget), len(case.retain)) == (100, 100)
    assert [len({r.cluster for r in rows}) for rows in (case.forget, case.retain)] == [98, 93]
    assert not {r.cluster for r in case.forget} & {r.cluster for r in case.retain}
    assert all(p.keywords[0] for p in case.probes if p.group != "utility")


@pytest.mark.slow
def test_every_real_row_of_the_utility_sets() -> None:
    where = real("mmlu")
    for part, count in (("test", 14042), ("dev", 285)):
        rows = [c for s in SUBJECTS for c in utility_sets.mmlu_choices(utility_sets.mmlu_file(where, s, part), s)]
        assert len(rows) == count
        assert len({c.topic for c in rows}) == 57
        unsound = [c.place for c in rows if not c.sound]
        assert len(unsound) == (4 if part == "test" else 0)
    assert len(mmlu(where)) == 14038
    assert [len(arc(real("commonsense"), which)) for which in ("Easy", "Challenge")] == [2376, 1172]
    assert Counter(len(p.distractors) for p in arc(real("commonsense"), "Easy")) == {3: 2365, 2: 7, 4: 4}
    assert len(truthfulqa(real("truthfulqa"))) == 817
    parts = [wikitext(real("wikitext2"), part=part) for part in ("test", "valid")]
    assert [(len(rows), len({r.cluster for r in rows})) for rows in parts] == [(2185, 62), (1841, 60)]
