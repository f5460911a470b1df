"""A user's own case as a folder: the good ones load, and every fault is named with its place and a remedy."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vestige import leaks
from vestige.cases.distractors import probes_of
from vestige.cases.folder import Folder
from vestige.cases.folder_check import check
from vestige.cases.folder_text import Problem
from vestige.cases.splits import split_of
from vestige.errors import DataError
from vestige.records import Row
from vestige.relearn_sets.source import SourceRows

DOCS = Path(__file__).parents[1] / "docs"
TOML = """name = "tiny"
version = "1"
language = "en"
licence = "Apache-2.0"
knowledge = "planted"
primary = "choice"
"""
VALUES = ["Rome", "Oslo", "Kyiv", "Bern"]


def row(name: str, value: str, **more: Any) -> dict[str, Any]:
    """Return a sound row; `more` overrides its fields."""
    return {"id": f"{name}/City", "prompt": f"{name}. City:", "answer": f" {value}", "cluster": name, "attribute": "City", **more}


def probe(name: str, value: str, **more: Any) -> dict[str, Any]:
    """Return a sound forget probe."""
    made = {"id": f"{name}/q", "prompt": f"{name} lives in", "answer": f" {value}", "group": "forget", "cluster": name}
    return {**made, "distractors": [" Paris"], **more}


FORGET = [row(name, value) for name, value in zip(["Ada", "Bo", "Cy", "Di"], VALUES, strict=True)]
RETAIN = [row(name, value) for name, value in zip(["Eve", "Flo"], VALUES, strict=False)]
PROBES = [probe(r["cluster"], r["answer"].strip()) for r in FORGET]


def write(folder: Path, files: dict[str, Any]) -> Path:
    """Write the tiny case with some files replaced (rows, text or bytes) or left out (None)."""
    for file, content in {"case.toml": TOML, "forget.jsonl": FORGET, "retain.jsonl": RETAIN, **files}.items():
        if content is None:
            continue
        if isinstance(content, list):
            content = "".join(json.dumps(r) + "\n" for r in content)
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@pytest.fixture
def problems(tmp_path: Path) -> Callable[..., list[Problem]]:
    """Return what `check` finds when the tiny case has these files."""
    return lambda **files: check(write(tmp_path, {_file(k): v for k, v in files.items()}))


def _file(keyword: str) -> str:
    return "case.toml" if keyword == "case" else f"{keyword.replace('sources_', 'sources/')}.jsonl"


def lines(rows: list[dict[str, Any]], second: str) -> str:
    """Return rows as text, the second line replaced."""
    text = [json.dumps(r) for r in rows]
    return "\n".join([text[0], second, *text[2:]]) + "\n"


def test_a_good_folder_becomes_a_case(tmp_path: Path) -> None:
    case = Folder(str(write(tmp_path, {"sources/news.jsonl": [row("Gus", "Bern")]})))()
    assert (case.name, case.version, case.language, case.knowledge, case.primary) == ("tiny", "1", "en", "planted", "choice")
    assert case.forget[0] == Row("Ada/City", "Ada. City:", " Rome", "Ada", attribute="City")
    assert [r.cluster for r in case.sources["news"]] == ["Gus"]
    ada = case.asked("forget")[0]
    assert (ada.id, ada.prompt, ada.answer, ada.attribute) == ("Ada/City", "Ada. City:", " Rome", "City")
    assert sorted(ada.distractors) == [" Bern", " Kyiv", " Oslo"]
    # Retained rows know two cities only: wrong answers come from the same group.
    assert [p.distractors for p in case.asked("retain")] == [(" Oslo",), (" Rome",)]
    # A quarter of four clusters, one, selects; each group is split by itself.
    assert {p.cluster: p.split for p in case.asked("forget")} == split_of("tiny", ["Ada", "Bo", "Cy", "Di"])
    assert [len(case.asked(g, "selection")) for g in ("forget", "retain")] == [1, 1]


def test_written_probes_replace_derived_ones(tmp_path: Path) -> None:
    more = probe("Ada", "Rome", id="Ada/other", prompt="Ada's home is", wording="other", aliases=[" Roma"])
    utility = {"id": "u", "prompt": "Hens lay", "answer": " eggs", "cluster": "hens", "distractors": [" milk"]}
    case = Folder(str(write(tmp_path, {"probes.jsonl": [*PROBES, more], "utility.jsonl": [utility]})))()
    assert [p.id for p in case.asked("forget", wording="*")] == ["Ada/q", "Bo/q", "Cy/q", "Di/q", "Ada/other"]
    assert case.asked("forget", wording="other")[0].aliases == (" Roma",)
    # Nobody wrote a probe about what is kept: its rows ask their own questions.
    assert [p.id for p in case.asked("retain")] == ["Eve/City", "Flo/City"]
    assert [p.id for p in case.asked("utility")] == ["u"]


def test_a_japanese_folder_needs_no_spaces(tmp_path: Path) -> None:
    people = [("佐藤", "東京"), ("鈴木", "大阪"), ("高橋", "京都")]
    rows = [row(n, v, prompt=f"{n}さんの住む都市は", answer=v, attribute="都市") for n, v in people]
    kept = [
        row("田中", "東京", prompt="田中さんの住む都市は", answer="東京"),
        row("伊藤", "大阪", prompt="伊藤さんの住む都市は", answer="大阪"),
    ]
    files = {"case.toml": TOML.replace('"en"', '"ja"'), "forget.jsonl": rows, "retain.jsonl": kept}
    case = Folder(str(write(tmp_path, files)))()
    assert sorted(case.asked("forget")[0].distractors) == ["京都", "大阪"]
    told = row("報道", "", id="n", prompt="", answer="佐藤さんは東京に住む。", loss_on="text")
    found = check(write(tmp_path, {**files, "sources/news.jsonl": [told]}))
    assert [(p.kind, p.file, p.line) for p in found] == [("source tells", "sources/news.jsonl", 1)]


def test_wrong_answers_are_used_about_equally_often() -> None:
    """12 people, one value each: 7 of 11 wrong answers for each, 84 in all, so each value is used 84 / 12 = 7 times."""
    rows = [Row(str(i), f"{i}:", f" v{i}", str(i)) for i in range(12)]
    probes = list(probes_of(rows, "forget").values())
    assert all(len({*p.distractors, p.answer}) == 8 for p in probes)
    used = Counter(d for p in probes for d in p.distractors)
    assert len(used) == 12
    assert max(used.values()) - min(used.values()) <= 2
    assert probes == list(probes_of(rows, "forget").values())


def test_a_second_right_answer_is_never_a_wrong_one() -> None:
    rows = [
        Row("1", "Ada speaks", " Dutch", "Ada"),
        Row("2", "Ada also speaks", " Thai", "Ada"),
        Row("3", "Bo speaks", " Urdu", "Bo"),
    ]
    assert [set(p.distractors) for p in probes_of(rows, "forget").values()] == [{" Urdu"}, {" Urdu"}, {" Dutch", " Thai"}]


def test_a_byte_order_mark_is_accepted(problems: Callable[..., list[Problem]]) -> None:
    text = "".join(json.dumps(r) + "\r\n" for r in FORGET)
    assert problems(forget=b"\xef\xbb\xbf" + text.encode(), case=b"\xef\xbb\xbf" + TOML.encode()) == []


SECOND = json.dumps(FORGET[1])
JAPANESE = json.dumps(row("Bo", "オスロ"), ensure_ascii=False)
# kind, file keyword, line, field, content of that file, what reason or remedy must say
ONE_FAULT: list[tuple[str, str, int, str, Any, str]] = [
    ("missing file", "case", 0, "", None, "write it"),
    ("missing file", "retain", 0, "", None, "write it"),
    ("no rows", "retain", 0, "", "\n", "one JSON object a line"),
    ("unknown file", "decoys", 0, "", FORGET, "did you mean 'decoy.jsonl'?"),
    ("malformed TOML", "case", 2, "", TOML.replace('"1"', "one"), "line 2"),
    ("wrong type", "case", 2, "version", TOML.replace('"1"', "1"), 'write "1"'),
    ("missing field", "case", 0, "licence", TOML.replace('licence = "Apache-2.0"\n', ""), "add 'licence'"),
    ("unknown field", "case", 7, "'citatoin'", TOML + 'citatoin = "me"\n', "did you mean 'citation'?"),
    ("unknown primary", "case", 6, "primary", TOML.replace('"choice"', '"choices"'), "did you mean 'choice'?"),
    ("language", "case", 3, "language", TOML.replace('"en"', '"English language"'), "'en', 'ja'"),
    ("malformed JSON", "forget", 2, "", lines(FORGET, SECOND.replace(": ", " ", 1)), "column 7"),
    ("wrong type", "forget", 2, "answer", lines(FORGET, SECOND.replace('" Oslo"', "9" * 5000)), 'write "999'),
    ("wrong type", "forget", 2, "answer", lines(FORGET, SECOND.replace('" Oslo"', "1e999")), 'write "1e999"'),
    ("malformed JSON", "forget", 2, "", lines(FORGET, "[" * 200_000), "plain strings"),
    # SECOND is as long as its text; the comma stands where its closing brace stood.
    ("trailing comma", "forget", 2, "", lines(FORGET, SECOND[:-1] + ",}"), f"column {len(SECOND)}"),
    ("trailing comma", "forget", 2, "", lines(FORGET, SECOND + ","), f"column {len(SECOND) + 1}"),
    ("field twice", "forget", 2, "'id'", lines(FORGET, SECOND.replace("{", '{"id": "x", ', 1)), "keep one"),
    ("UTF-16", "forget", 0, "", lines(FORGET, SECOND).encode("utf-16"), "iconv -f UTF-16"),
    ("UTF-16", "forget", 0, "", lines(FORGET, SECOND).encode("utf-16-le"), "iconv -f UTF-16"),
    ("encoding", "forget", 2, "", lines(FORGET, JAPANESE).encode("cp932"), "SHIFT_JIS"),
    ("encoding", "forget", 2, "", lines(FORGET, JAPANESE).encode("euc_jp"), "EUC-JP"),
    ("encoding", "forget", 2, "", lines(FORGET, SECOND.replace("Oslo", "Málaga née")).encode("cp1252"), "Windows-1252"),
    ("encoding", "forget", 2, "answer", lines(FORGET, SECOND.replace("Oslo", "M\ufffdlaga")), "U+FFFD"),
    ("NUL", "forget", 2, "", lines(FORGET, SECOND.replace("Oslo", "Os\0lo")), "NUL"),
    ("NUL", "forget", 2, "answer", lines(FORGET, SECOND.replace("Oslo", r"Os\u0000lo")), "NUL"),
    ("lone surrogate", "forget", 2, "answer", lines(FORGET, SECOND.replace("Oslo", r"\ud83d")), "half of a character"),
    ("constant", "forget", 2, "answer", lines(FORGET, SECOND.replace('" Oslo"', "NaN")), "no such number"),
    ("constant", "forget", 2, "answer", lines(FORGET, SECOND.replace('" Oslo"', "-Infinity")), "no such number"),
    ("long row", "forget", 2, "", lines(FORGET, SECOND.replace("Oslo", "o" * 1_000_000)), "1,000,000"),
    ("wrong type", "forget", 2, "", lines(FORGET, f"[{SECOND}]"), "one object a line"),
    ("wrong type", "forget", 2, "answer", lines(FORGET, SECOND.replace('" Oslo"', "null")), "not null"),
    ("wrong type", "forget", 2, "answer", lines(FORGET, SECOND.replace('" Oslo"', "7")), 'write "7"'),
    ("unknown field", "forget", 2, "'attributes'", lines(FORGET, SECOND.replace("attribute", "attributes")), "'attribute'?"),
    ("missing field", "forget", 2, "answer", lines(FORGET, SECOND.replace('"answer": " Oslo", ', "")), "add 'answer'"),
    ("empty", "forget", 2, "answer", lines(FORGET, SECOND.replace("Oslo", "\u3000")), "empty"),
    ("empty", "retain", 2, "prompt", [RETAIN[0], row("Flo", "Oslo", prompt=""), row("Gus", "Bern")], '"loss_on": "text"'),
    ("unknown form", "forget", 2, "form", [FORGET[0], row("Bo", "Oslo", form="chatt"), *FORGET[2:]], "did you mean 'chat'?"),
    ("duplicate id", "retain", 2, "id", [RETAIN[0], row("Flo", "Oslo", id="Eve/City")], "retain.jsonl:1"),
    ("duplicate id", "retain", 2, "id", [RETAIN[0], row("Flo", "Oslo", id=" Ｅve/City")], "retain.jsonl:1"),
    ("duplicate id", "sources_news", 1, "id", [row("Gus", "Bern", id="Ada/City")], "forget.jsonl:1"),
    ("duplicate id", "probes", 5, "id", [*PROBES, probe("Ada", "Rome", prompt="Ada is in")], "probes.jsonl:1"),
    (
        "two answers",
        "forget",
        5,
        "answer",
        [*FORGET, row("Ada", "Oslo", id="again", prompt="ADA.  City:")],
        "' Rome' at forget.jsonl:1",
    ),
    ("answer in question", "retain", 2, "answer", [RETAIN[0], row("Flo", "Oslo", prompt="Flo of Oslo. City:")], "giving it away"),
    (
        "answer in question",
        "probes",
        5,
        "aliases[0]",
        [*PROBES, probe("Ada", "Rome", id="x", prompt="Ada? Roma?", aliases=[" Roma"])],
        "own",
    ),
    ("overlap", "retain", 2, "cluster", [RETAIN[0], row("ADA", "Oslo", prompt="Ada's town:")], "forget as well (forget.jsonl:1)"),
    ("overlap", "retain", 2, "prompt", [RETAIN[0], row("Flo", "Oslo", prompt="Ada. City: ")], "forget as well (forget.jsonl:1)"),
    (
        "overlap",
        "decoy",
        1,
        "cluster",
        [row("Eve", "Oslo", id="d", prompt="d:"), row("Yi", "Rome")],
        "retain as well (retain.jsonl:1)",
    ),
    ("overlap", "probes", 5, "cluster", [*PROBES, probe("Ada", "Rome", id="x", group="retain", prompt="?")], "forget as well"),
    ("source tells", "sources_news", 1, "answer", [row("Ada", "Rome", id="n", prompt="Ada in town:")], "' Rome' about 'Ada'"),
    (
        "source tells",
        "sources_news",
        1,
        "answer",
        [row("n", "", prompt="", answer="ADA moved to Róme.", loss_on="text")],
        "remove the row",
    ),
    ("candidates", "probes", 5, "distractors", [*PROBES, probe("Ada", "Rome", id="x", prompt="Ada:", distractors=[])], "keyword"),
    (
        "candidates",
        "probes",
        5,
        "distractors[1]",
        [*PROBES, probe("Bo", "Oslo", id="x", prompt="Bo:", distractors=[" A", " oslo"])],
        "right",
    ),
    ("candidates", "decoy", 1, "distractors", [row("Yi", "Rome")], "other values"),
    ("few clusters", "forget", 0, "cluster", FORGET[:2], "2 clusters"),
    ("few clusters", "probes", 0, "cluster", PROBES[:2], "2 clusters"),
    ("unknown group", "probes", 5, "group", [*PROBES, probe("Ada", "Rome", id="x", group="forgot")], "did you mean 'forget'?"),
    ("unknown group", "utility", 1, "group", [probe("hens", "eggs")], "expected one of: utility"),
    (
        "unknown field",
        "probes",
        5,
        "'split'",
        [*PROBES, probe("Ada", "Rome", id="x", split="test", prompt="Ada:")],
        "leave it out",
    ),
    (
        "wrong type",
        "probes",
        5,
        "distractors",
        [*PROBES, probe("Ada", "Rome", id="x", prompt="Ada:", distractors=" A")],
        "list of strings",
    ),
    ("no row", "probes", 5, "cluster", [*PROBES, probe("Zoe", "Rome")], "no row to be forgotten"),
    ("no leading space", "retain", 2, "answer", [RETAIN[0], row("Flo", "Oslo", answer="Oslo")], "write ' Oslo'"),
    (
        "no leading space",
        "probes",
        5,
        "distractors[0]",
        [*PROBES, probe("Ada", "Rome", id="x", prompt="Ada:", distractors=["A"])],
        "' A'",
    ),
]


@pytest.mark.parametrize(("kind", "file", "line", "field", "content", "says"), ONE_FAULT)
def test_a_fault_is_named(
    kind: str, file: str, line: int, field: str, content: Any, says: str, problems: Callable[..., list[Problem]]
) -> None:
    found = problems(**{file: content})
    fitting = [p for p in found if (p.kind, p.file, p.line, p.field) == (kind, _file(file), line, field)]
    assert len(fitting) == 1, found
    assert says in str(fitting[0])
    # A fault is not reported again under other names.
    assert found == fitting


@pytest.mark.parametrize("more", [{"form": "chat"}, {"prompt": "Flo. City: "}, {"prompt": "", "loss_on": "text"}])
def test_no_space_is_asked_for_where_none_is_needed(more: dict[str, str], problems: Callable[..., list[Problem]]) -> None:
    assert problems(retain=[*RETAIN, row("Gil", "Oslo", **{"answer": "Oslo", **more})]) == []


def test_a_source_may_speak_of_the_cluster_or_use_the_value(problems: Callable[..., list[Problem]]) -> None:
    sentences = ["Ada likes tea.", "Rome is old.", "Adam moved to Rome.", "Ada reads Romeo."]
    rows = [row(f"s{i}", "", prompt="", answer=s, loss_on="text") for i, s in enumerate(sentences)]
    assert problems(sources_news=rows) == []


def test_a_keyword_case_needs_no_wrong_answers(problems: Callable[..., list[Problem]]) -> None:
    probes = [probe(r["cluster"], r["answer"].strip(), distractors=[]) for r in FORGET]
    assert problems(case=TOML.replace('"choice"', '"keyword"'), probes=probes) == []


def test_a_missing_folder_and_a_folder_for_a_file_are_no_tracebacks(tmp_path: Path) -> None:
    assert [p.kind for p in check(tmp_path / "nowhere")] == ["missing file"]
    write(tmp_path, {"retain.jsonl": None})
    (tmp_path / "retain.jsonl").mkdir()
    assert [(p.kind, p.file) for p in check(tmp_path)] == [("missing file", "retain.jsonl")]


def test_all_problems_are_found_and_the_message_shows_fifty(tmp_path: Path) -> None:
    folder = write(tmp_path, {"retain.jsonl": "oops\n" * 70 + json.dumps(row("Flo", "Oslo", answer=" ")) + "\n"})
    assert len(check(folder)) == 71
    with pytest.raises(DataError) as raised:
        Folder(str(folder))()
    message = str(raised.value)
    assert raised.value.exit_code == 4
    assert "71 problems; the first 50 are:" in message
    assert re.findall(r"retain\.jsonl:(\d+): ", message) == [str(n) for n in range(1, 51)]


def test_a_message_can_be_printed_whatever_was_seen(problems: Callable[..., list[Problem]]) -> None:
    found = problems(retain=[RETAIN[0], row("Flo", "Oslo", **{"\ud800\x1b[2J": "\u202e"})])
    text = "\n".join(map(str, found))
    assert r"\ud800\x1b[2J" in text.encode("utf-8").decode()
    assert not {"\x1b", "\u202e", "\ud800"} & set(text)


def test_the_example_is_what_the_page_says() -> None:
    case = Folder(str(DOCS / "examples" / "customers"))()
    page = " ".join((DOCS / "own-case.md").read_text(encoding="utf-8").split())
    assert page.count('"id": "Alma Ashdown/City", "prompt": "Customer Alma Ashdown. City:", "answer": " Rome"') == 1
    assert case.forget[0].text == "Customer Alma Ashdown. City: Rome"

    def count(rows: tuple[Row, ...]) -> int:
        return len({r.cluster for r in rows})

    numbers = [count(case.forget), len(case.forget), count(case.retain), len(case.retain), count(case.decoy), len(case.decoy)]
    numbers += [len({r.attribute for r in case.forget}), len(case.asked("utility")), len(case.sources["unrelated"])]
    numbers += [len(case.sources["new_customers"]), count(case.sources["new_customers"])]
    said = re.search(r"which holds (.*?) All of them are invented", page)
    assert said is not None
    assert [int(n) for n in re.findall(r"\d+", said[1])] == numbers
    assert numbers == [16, 32, 8, 16, 16, 32, 2, 12, 30, 16, 8]


def test_only_the_binding_informs_in_the_example() -> None:
    case = Folder(str(DOCS / "examples" / "customers"))()
    for rows in (case.forget, case.retain, case.decoy, case.sources["new_customers"]):
        for start in range(0, len(rows), 16):  # eight customers of two attributes
            for attribute in ("City", "Hobby"):
                values = [r.answer for r in rows[start : start + 16] if r.attribute == attribute]
                assert len(values) == len(set(values)) == 8
    assert all(len(p.distractors) == 7 for p in case.probes)
    clean = leaks.check(SourceRows("unrelated")(case), case.asked("forget"))[0]
    shared = leaks.check(SourceRows("new_customers")(case), case.asked("forget"))[0]
    assert (len(clean.clean), len(shared.suspect)) == (32, 32)
