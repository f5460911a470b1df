"""What only shows between rows, and what is doubtful but does not stop a case: each is named once, with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from test_folder import FORGET, PROBES, RETAIN, SECOND, TOML, probe, row, write
from vestige.cases.folder import Folder
from vestige.cases.folder_check import Examined, examine
from vestige.text import words

# The tiny case asks one question about each cluster and has no general questions; both are doubts of their own.
ALWAYS = {("single questions", "forget.jsonl"), ("no utility probes", "utility.jsonl")}
JAPANESE = TOML.replace('"en"', '"ja"')


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., Examined]:
    """Return what is said about the tiny case with these parts replaced."""

    def look(toml: str = TOML, **parts: Any) -> Examined:
        return examine(write(tmp_path, {"case.toml": toml, **{f"{k.replace('sources_', 'sources/')}.jsonl": v for k, v in parts.items()}}))

    return look


def doubts(examined: Examined) -> list[tuple[str, str, int]]:
    return [(w.kind, w.file, w.line) for w in examined.warnings if (w.kind, w.file) not in ALWAYS]


def text(name: str, says: str, **more: Any) -> dict[str, Any]:
    return row(name, "", **{"id": f"{name}/text", "prompt": "", "answer": says, "loss_on": "text", "attribute": "", **more})


def test_the_tiny_case_has_only_the_doubts_it_should_have(found: Callable[..., Examined]) -> None:
    examined = found()
    assert examined.problems == []
    assert {(w.kind, w.file) for w in examined.warnings} == ALWAYS


def test_doubts_do_not_stop_a_case(tmp_path: Path) -> None:
    assert len(Folder(str(write(tmp_path, {})))().forget) == 4


# kind, file, line of the first, parts, what reason or remedy must say
DOUBTS: list[tuple[str, str, int, dict[str, Any], str]] = [
    ("short answer", "forget.jsonl", 3, {"forget": [*FORGET[:2], row("Cy", "Li"), row("Di", "Ur")]}, "(and 1 more row of this file)"),
    ("mixed line ends", "forget.jsonl", 0, {"forget": "\r\n".join(map(json.dumps, FORGET[:2])) + "\n" + SECOND.replace("Bo", "Yi")}, "1 x"),
    ("language mix", "retain.jsonl", 2, {"retain": [RETAIN[0], row("佐藤", "大阪", prompt="佐藤さんの住んでいる都市の名は")]}, "'en'"),
    ("repeated row", "forget.jsonl", 5, {"forget": [*FORGET, {**FORGET[0], "id": "again"}]}, "stands at forget.jsonl:1"),
    (
        "contradiction",
        "forget.jsonl",
        5,
        {"forget": [*FORGET, row("Ada", "Oslo", id="again", prompt="Where is Ada?")]},
        "forget.jsonl:1 gives 'Ada' another 'City', ' Rome'",
    ),
    (
        "contradiction",
        "sources/news.jsonl",
        1,
        {"sources_news": [row("Bo", "Rome", id="again", prompt="They say Bo lives in")]},
        "forget.jsonl:2 gives 'Bo' another 'City', ' Oslo'",
    ),
    ("names the forgotten", "retain.jsonl", 2, {"retain": [RETAIN[0], row("Flo", "Oslo", prompt="Flo, a friend of Ada. City:")]}, "'Ada'"),
    ("no retain probes", "retain.jsonl", 0, {"retain": [text("Eve", "Eve likes tea."), text("Flo", "Flo does not.")]}, "give its rows"),
    (
        "keyword",
        "probes.jsonl",
        1,
        {"probes": [{**PROBES[0], "keywords": ["Paris"]}, *PROBES[1:]]},
        "this keyword stands in no right answer",
    ),
    (
        "frequent value",
        "forget.jsonl",
        1,
        # Five of eight live in Rome: more than half, and eight are enough to judge.
        {"forget": [row(f"N{i}", "Rome" if i < 5 else ("Oslo", "Kyiv", "Bern")[i - 5]) for i in range(8)]},
        "5 of 8 answers",
    ),
]


@pytest.mark.parametrize(("kind", "file", "line", "parts", "says"), DOUBTS)
def test_a_doubt_is_named_once_and_is_no_problem(
    kind: str, file: str, line: int, parts: dict[str, Any], says: str, found: Callable[..., Examined]
) -> None:
    examined = found(**parts)
    assert examined.problems == []
    assert doubts(examined) == [(kind, file, line)]
    assert any(says in str(w) for w in examined.warnings if w.kind == kind)


def test_half_of_the_answers_alike_is_not_yet_frequent(found: Callable[..., Examined]) -> None:
    assert doubts(found(forget=[row(f"N{i}", "Rome" if i < 4 else ("Oslo", "Kyiv", "Bern", "Riga")[i - 4]) for i in range(8)])) == []


def test_japanese_is_judged_by_its_own_measure(found: Callable[..., Examined]) -> None:
    """Two kanji say as much as a word of three letters; Latin names are no other language; a space before 京都 is not written."""
    people = [("佐藤", "東京"), ("鈴木", "大阪"), ("高橋", "奈良"), ("田中", "津")]
    forget = [row(n, v, prompt=f"{n}さんの住む都市は", answer=v, attribute="都市") for n, v in people]
    retain = [
        row("伊藤", "Tokyo Metropolitan", prompt="伊藤さんの勤め先は", answer="Vestige"),
        row("山本", " 京都", prompt="山本さんの勤め先は", answer=" 京都"),
        row("Smith", "x", prompt="Where does Smith live? It is", answer="Liverpool"),
    ]
    assert doubts(found(JAPANESE, forget=forget, retain=retain)) == [
        ("short answer", "forget.jsonl", 4),
        ("leading space", "retain.jsonl", 2),
        ("language mix", "retain.jsonl", 3),
    ]


def test_two_people_under_one_name_in_two_splits_are_found_with_their_conflict(found: Callable[..., Examined]) -> None:
    examined = found(retain=[RETAIN[0], row("ADA", "Oslo", id="x", prompt="Ada's town:")])
    assert [(p.kind, p.file, p.line, p.field) for p in examined.problems] == [("overlap", "retain.jsonl", 2, "cluster")]
    assert "forget as well (forget.jsonl:1), where 'City' is ' Rome' and not ' Oslo': two under one name" in str(examined.problems[0])


def numbered(name: str, number: str, value: str, asks: str = "{}. City:") -> dict[str, Any]:
    return row(name, value, id=number, cluster=number, prompt=asks.format(name))


NUMBERED = [numbered(f"Customer {n}", f"p{i}", v) for i, (n, v) in enumerate([("Ada Quist", "Rome"), ("Bo Orla Fenn", "Oslo")], start=1)]
KEPT = [
    numbered("Flo Marsh", "p5", "Lima"),
    numbered("Ned Hale", "p6", "Baku"),
    *(numbered(n, n, v) | {"attribute": "Birthplace"} for n, v in (("Gus", "Riga"), ("Hal", "Bonn"))),
]
OTHERS = [numbered("Mei Anne-Lin", "p3", "Kyiv"), numbered("Di Tamm", "p4", "Bern")]
LIVES = "Where does {} live? In"


@pytest.mark.parametrize(
    ("kept", "named"),
    [
        (numbered("Ada Quist", "p9", "Oslo", LIVES), ["Ada Quist"]),
        (numbered("Orla Fenn", "p9", "Rome", LIVES), ["Orla Fenn"]),  # the tail of another's name
        (numbered("Ada Quist", "p9", "Rome", LIVES), []),  # no conflict: the same city
        (numbered("Customer Ada Smith", "p9", "Oslo", LIVES), []),  # "Customer Ada" is nobody's name
        (numbered("Ada Quist", "p9", "Oslo", LIVES) | {"attribute": "Birthplace"}, []),  # another fact
        (numbered("Mei Anne-Lin", "p9", "Oslo", LIVES), ["Mei Anne-Lin"]),
        (numbered("Eve Moss", "p9", "Oslo", LIVES), []),
    ],
)
def test_two_people_under_one_name_are_found_where_clusters_are_numbers(
    kept: dict[str, Any], named: list[str], found: Callable[..., Examined]
) -> None:
    examined = found(forget=[*NUMBERED, *OTHERS], retain=[kept, *KEPT])
    told = [w for w in examined.warnings if w.kind == "one name"]
    assert examined.problems == []
    assert [(w.file, w.line, w.field) for w in told] == [("retain.jsonl", 1, "cluster") for _ in named]
    assert all(f"names '{name}'" in str(w) and "where 'City' is" in str(w) for name, w in zip(named, told, strict=True))


def test_a_place_in_the_questions_of_two_clusters_is_nobodys_name(found: Callable[..., Examined]) -> None:
    forget = [
        numbered(n, f"p{i}", v, "{} of New York City. Pet:") for i, (n, v) in enumerate([("Ada", "cat"), ("Bo", "dog"), ("Cy", "owl")])
    ]
    examined = found(forget=forget, retain=[numbered("Eve", "p8", "emu", "{} of New York City. Pet:"), RETAIN[1]])
    assert not [w for w in examined.warnings if w.kind == "one name"]


def test_a_place_in_one_of_three_questions_of_a_cluster_is_not_its_name(found: Callable[..., Examined]) -> None:
    asks = ("{}, of Cape Town. City:", "{}. City:", "The town of {} is")
    more = [numbered("Ada Quist", "p1", "Rome", a) | {"id": f"p1/{i}"} for i, a in enumerate(asks)]
    kept = numbered("Eve Moss", "p8", "Oslo", "{}, of Cape Town. City:")
    examined = found(forget=[*more, NUMBERED[1], *OTHERS], retain=[kept, *KEPT])
    assert not [w for w in examined.warnings if w.kind == "one name"]


SENTENCE = "The old mill by the river was sold in March to a baker from Riga."
PROSE = [text(f"chapter {n}", s) for n, s in enumerate((SENTENCE, "Nothing else happened that spring.", "The summer was dry."))]
ASKED = [
    probe(f"chapter {n}", a, prompt=q)
    for n, (q, a) in enumerate((("The mill was sold to a", "baker"), ("That spring, it was", "quiet"), ("The summer was", "dry")))
]


def test_a_source_that_repeats_a_text_is_a_problem_and_a_retained_copy_is_a_doubt(found: Callable[..., Examined]) -> None:
    """Nobody is named. 12 of the 13 triples of 15 words are there when the last word is another: 12 / 13 = 92 %.

    A copy with two words changed in the middle (old mill → new barn) loses the triples at 1, 2 and 3 as well as the last: 9 / 13.
    """
    assert len(words(SENTENCE)) == 15
    copy = SENTENCE.replace("Riga", "Oslo")
    told = found(forget=PROSE, probes=ASKED, sources_news=[text("news", copy, id="n")])
    assert [(p.kind, p.file, p.line) for p in told.problems] == [("near copy", "sources/news.jsonl", 1)]
    assert "nearly the same as forget.jsonl:1 (92% of its word triples)" in str(told.problems[0])
    kept = found(forget=PROSE, probes=ASKED, retain=[text("other", copy, id="n"), text("more", "It rained.", id="m")])
    assert ("near copy", "retain.jsonl", 1) in doubts(kept)
    apart = found(forget=PROSE, probes=ASKED, sources_news=[text("news", copy.replace("old mill", "new barn"), id="n")])
    assert apart.problems == []
    assert doubts(apart) == []


def test_the_same_wording_about_somebody_else_is_a_twin_and_no_copy(found: Callable[..., Examined]) -> None:
    wording = "In the records of the company the city of residence of the customer by the name of {} is given as"
    forget = [row(n, v, prompt=wording.format(n)) for n, v in (("Ada", "Rome"), ("Bo", "Oslo"), ("Cy", "Kyiv"))]
    twins = [row(n, v, prompt=wording.format(n)) for n, v in (("Gus", "Rome"), ("Hal", "Oslo"))]
    assert doubts(found(forget=forget, sources_news=twins)) == []
    copy = found(forget=forget, sources_news=[row("x", "Bern", prompt=wording.format("Ada"), attribute="")])
    assert doubts(copy) == [("near copy", "sources/news.jsonl", 1)]


def test_a_template_of_many_rows_finds_nothing_and_hides_nothing(found: Callable[..., Examined]) -> None:
    """300 rows share their wording, so its triples find no row; the triples around a name still do."""
    wording = "In the records of the company the city of residence of {} in the year of the audit is"
    forget = [row(f"Person {n}", ("Rome", "Oslo", "Kyiv")[n % 3], prompt=wording.format(f"Person {n}")) for n in range(300)]
    copy = row("x", "Bern", prompt=wording.format("Person 117"), attribute="")
    twin = row("y", "Bern", prompt=wording.format("Somebody Else"), attribute="")
    examined = found(forget=forget, sources_news=[twin, copy])
    assert doubts(examined) == [("near copy", "sources/news.jsonl", 2)]
    assert "forget.jsonl:118" in next(str(w) for w in examined.warnings if w.kind == "near copy")


def test_more_rows_to_be_forgotten_than_can_be_compared_are_said(found: Callable[..., Examined], monkeypatch: pytest.MonkeyPatch) -> None:
    """A row costs its characters: "Ada. City:" + " Rome" is 15, so 40 characters are two rows of four."""
    monkeypatch.setattr("vestige.cases.folder_secrets._MOST_CHARACTERS", 40)
    examined = found(sources_news=[text("news", "Bo moved to Oslo."), text("more", "Di moved to Bern.")])
    assert [(p.kind, p.line) for p in examined.problems] == [("source tells", 1)]
    assert doubts(examined) == [("not checked", "forget.jsonl", 0)]


@pytest.mark.parametrize("text", ["Plain, ASCII text: 12:30!", "a\tb c\x00d", "Ünïcode Straße", "日本語 text", "snake_case", "x\u200by"])
def test_words_are_the_same_however_they_are_found(text: str) -> None:
    from vestige.cases import folder_secrets

    assert folder_secrets._words(text) == words(text)


def test_lines_that_end_like_old_macs_are_a_problem(found: Callable[..., Examined]) -> None:
    examined = found(retain="\r".join(map(json.dumps, RETAIN)))
    assert [(p.kind, p.file) for p in examined.problems] == [("line ends", "retain.jsonl")]


def test_half_characters_as_bytes_are_named_as_such(found: Callable[..., Examined]) -> None:
    """ED A0 BD is U+D83D, half of an emoji, as some old programs write it."""
    examined = found(retain=json.dumps(RETAIN[0]).encode().replace(b"Rome", b"Rome \xed\xa0\xbd"))
    assert [(p.kind, p.file, p.line) for p in examined.problems] == [("lone surrogate", "retain.jsonl", 1)]


def test_a_keyword_that_stands_in_the_question_is_guessable(found: Callable[..., Examined]) -> None:
    given = probe("Ada", "a flat in Rome", id="x", prompt="Ada, who knows Rome, has", keywords=["Rome"])
    examined = found(probes=[*PROBES, given])
    assert [(p.kind, p.line, p.field) for p in examined.problems] == [("answer in question", 5, "keywords[0]")]


def test_a_second_wording_leaves_the_rows_their_own_questions(tmp_path: Path) -> None:
    other = [probe(r["cluster"], r["answer"].strip(), wording="other") for r in FORGET]
    case = Folder(str(write(tmp_path, {"probes.jsonl": other})))()
    assert [p.id for p in case.asked("forget")] == [r["id"] for r in FORGET]
    assert [p.id for p in case.asked("forget", wording="other")] == [p["id"] for p in other]


def test_a_long_value_is_cut_in_a_message(found: Callable[..., Examined]) -> None:
    long = [{**FORGET[0], "answer": " " + "a" * 900}, {**FORGET[0], "id": "x", "answer": " " + "b" * 900}, *FORGET[1:]]
    examined = found(forget=long)
    assert [p.kind for p in examined.problems] == ["two answers"]
    assert len(str(examined.problems[0])) < 400
