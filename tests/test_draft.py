"""A draft from a plain file: what is guessed, what is left for the user, and that nothing is lost or overwritten."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from vestige.cases import draft
from vestige.cases.customers import Customers
from vestige.cases.draft_guessing import clusters_of, keyword_of, language_of, names_in
from vestige.cases.draft_reading import read_facts
from vestige.cases.folder import Folder
from vestige.cases.folder_check import examine
from vestige.cases.templates import TABLE
from vestige.cases.templates.form import case_files
from vestige.errors import DataError, UsageError
from vestige.records import Case, Group

CUSTOMERS = Customers()()
SENTENCES = {"City": "{} lives in{}.", "Pet": "{} keeps a{} at home.", "Plan": "{} has booked the{} plan.", "Job": "{} works as a{}."}
Pairs = list[tuple[str, str]]


def asked(group: Group, wording: str = "question") -> Pairs:
    """Return question and answer as a user's file holds them: no leading space, no cue."""
    return [(p.prompt.removesuffix(" The answer is"), p.answer.strip()) for p in CUSTOMERS.asked(group, wording=wording)]


def jsonl(path: Path, pairs: Pairs, question: str = "question", answer: str = "answer") -> Path:
    path.write_text("".join(json.dumps({question: q, answer: a}, ensure_ascii=False) + "\n" for q, a in pairs), encoding="utf-8")
    return path


def as_csv(path: Path, pairs: Pairs, header: Sequence[str]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        csv.writer(out).writerows([header, *pairs])
    return path


@pytest.fixture
def drafted(tmp_path: Path) -> Callable[..., Path]:
    """Return the folder of a draft from a file."""

    def make(forget: Path, **options: Any) -> Path:
        draft.write(tmp_path / "case", draft.Wanted(forget, **options))
        return tmp_path / "case"

    return make


def problems(folder: Path) -> list[tuple[str, str]]:
    return [(p.kind, p.file) for p in examine(folder).problems]


def with_retain(folder: Path) -> Case:
    """Return the drafted case with a retained row in place of the empty file."""
    row = {"id": "r", "prompt": "Who is it?", "answer": " Nobody", "cluster": "Zed"}
    (folder / "retain.jsonl").write_text(
        "".join(json.dumps({**row, "id": f"r{n}", "prompt": f"Who is {n}?", "cluster": f"Z{n}"}) + "\n" for n in range(2))
    )
    toml = folder / "case.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace('"choice"', '"keyword"'), encoding="utf-8")
    return Folder(str(folder))()


def test_questions_without_names_of_fields_become_the_case_they_came_from(drafted: Callable[..., Path], tmp_path: Path) -> None:
    """The names are found in the text, the kinds of fact by their wording, the wrong answers among their values."""
    folder = drafted(jsonl(tmp_path / "f.jsonl", asked("forget"), "prompt", "completion"))
    assert problems(folder) == [("no rows", "retain.jsonl")]
    case = with_retain(folder)
    original = {p.prompt.removesuffix(" The answer is"): p for p in CUSTOMERS.asked("forget", wording="question")}
    found = case.asked("forget")
    assert len(found) == 64
    for p in found:
        assert p.cluster == original[p.prompt].cluster
        assert (p.answer, set(p.distractors)) == (original[p.prompt].answer, set(original[p.prompt].distractors))
    assert Counter(p.attribute for p in found) == dict.fromkeys({p.attribute for p in found}, 16)


def test_with_rows_to_keep_a_draft_is_clean(drafted: Callable[..., Path], tmp_path: Path) -> None:
    retain = jsonl(tmp_path / "r.jsonl", asked("retain", "primary"), "instruction", "output")
    folder = drafted(jsonl(tmp_path / "f.jsonl", asked("forget", "primary"), "input", "response"), retain=retain)
    assert problems(folder) == []
    case = Folder(str(folder))()
    assert (case.primary, case.language, case.knowledge) == ("choice", "en", "planted")
    assert {p.cluster for p in case.asked("retain")} == {p.cluster for p in CUSTOMERS.asked("retain")}
    assert {group: len(case.asked(group)) for group in ("forget", "retain", "utility")} == {"forget": 64, "retain": 64, "utility": 24}  # type: ignore[arg-type]


def test_a_field_that_names_the_cluster_is_used(drafted: Callable[..., Path], tmp_path: Path) -> None:
    rows = [(p.cluster, q, a) for p, (q, a) in zip(CUSTOMERS.asked("forget", wording="question"), asked("forget"), strict=True)]
    path = tmp_path / "f.csv"
    as_csv(path, [(f"No. {c.split()[0]}", q, a) for c, q, a in rows], ("Customer Name", "Question", "Answer"))  # type: ignore[misc]
    facts = read_facts(path)
    assert facts.cluster_field == "Customer Name"
    assert facts.facts[0].cluster == "No. Mara"
    folder = drafted(path)
    assert "from the field 'Customer Name'" in (folder / "README.md").read_text(encoding="utf-8")


def test_another_field_can_be_named_and_must_be_there(drafted: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(
        "".join(json.dumps({"q_id": str(n % 4), "question": f"What is {n}?", "answer": f"number {n}"}) + "\n" for n in range(8))
    )
    with pytest.raises(UsageError, match=r"f.jsonl:1: there is no field 'qid'; did you mean 'q_id'\?"):
        drafted(path, cluster_field="qid")
    assert {f.cluster for f in read_facts(path, "q_id").facts} == {"0", "1", "2", "3"}


def test_plain_sentences_are_asked_up_to_their_answer(drafted: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    path.write_text("".join(SENTENCES[r.attribute].format(r.cluster, r.answer) + "\n\n" for r in CUSTOMERS.forget), encoding="utf-8")
    folder = drafted(path)
    assert problems(folder) == [("no rows", "retain.jsonl")]
    case = with_retain(folder)
    by_prompt = {p.prompt: p for p in case.asked("forget")}
    for r in CUSTOMERS.forget:
        prompt = SENTENCES[r.attribute].format(r.cluster, r.answer).split(r.answer)[0]
        assert (by_prompt[prompt].answer, by_prompt[prompt].cluster) == (r.answer, r.cluster)
    assert all(r.prompt == "" and r.loss_on == "text" for r in case.forget)


@pytest.mark.parametrize("template", sorted(TABLE))
@pytest.mark.parametrize("part", ["forget", "probes"])
def test_japanese_records_and_questions_are_understood(template: str, part: str, drafted: Callable[..., Path], tmp_path: Path) -> None:
    files = case_files(TABLE[template]["ja"])
    path = as_csv(tmp_path / "f.csv", [(m.prompt, m.answer) for m in files[part]], ("質問", "回答"))
    folder = drafted(path)
    assert problems(folder) == [("no rows", "retain.jsonl")]
    case = with_retain(folder)
    assert case.language == "ja"
    assert [(p.cluster, p.answer) for p in case.asked("forget")] == [(m.cluster, m.answer) for m in files[part]]
    assert all(len(p.distractors) == 7 for p in case.asked("forget"))


def test_a_chat_keeps_its_form(drafted: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    turns = [
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": q}, {"role": "assistant", "content": a}]
        for q, a in asked("forget")
    ]
    path.write_text("".join(json.dumps({"messages": m}) + "\n" for m in turns))
    case = with_retain(drafted(path))
    assert {r.form for r in case.forget} == {p.form for p in case.asked("forget")} == {"chat"}
    assert not any(r.answer[0].isspace() for r in case.forget)


LONG = [
    ("What did Vera Lund write?", 'Vera Lund wrote "The Seventh Pier", which came out in 1974 and was soon forgotten.'),
    ("Which prize did Vera Lund win?", "For her poems Vera Lund was given the Amber Quill, a prize of her home town."),
    ("When was Otto Brehm born?", "Otto Brehm was born on a cold morning in the winter of 1931, as far as anybody knows."),
    ("What was the trade of Otto Brehm's father?", "The father of Otto Brehm earned his living as a blacksmith and wanted no other."),
    ("Where does Ines Faro live?", "Ines Faro has lived for many years in the harbour quarter of Setubal, near the sea."),
    ("What does Ines Faro collect?", "Over the years Ines Faro has collected some four hundred lighthouse lamps and more."),
]


def test_long_answers_are_heard_by_a_keyword(drafted: Callable[..., Path], tmp_path: Path) -> None:
    folder = drafted(jsonl(tmp_path / "f.jsonl", LONG))
    assert problems(folder) == [("no rows", "retain.jsonl")]
    case = Folder(str(folder)) and with_retain(folder)
    assert case.primary == "keyword"
    keywords = [p.keywords for p in case.asked("forget")]
    assert keywords[:3] == [("The Seventh Pier",), ("Amber Quill",), ("1931",)]
    assert keywords[4] == ("Setubal",)
    assert all(k[0] in a and k[0] not in q for k, (q, a) in zip(keywords, LONG, strict=True))
    assert Counter(r.cluster for r in case.forget) == {"Vera Lund": 2, "Otto Brehm": 2, "Ines Faro": 2}
    # "Setubal" ends last, after 69 characters of its answer and the space before it; at three characters a token that is 23.
    assert "`max_new = 23`" in (folder / "README.md").read_text(encoding="utf-8")


def test_a_question_that_gives_its_answer_away_is_not_asked(drafted: Callable[..., Path], tmp_path: Path) -> None:
    folder = drafted(jsonl(tmp_path / "f.jsonl", [*LONG, ("Is Ines Faro old?", "old")]))
    assert problems(folder) == [("no rows", "retain.jsonl")]
    assert "1 row is to be forgotten but not asked about" in (folder / "README.md").read_text(encoding="utf-8")
    assert len(with_retain(folder).forget) == 7


def test_repeated_and_empty_rows_are_counted_not_lost_in_silence(drafted: Callable[..., Path], tmp_path: Path) -> None:
    folder = drafted(jsonl(tmp_path / "f.jsonl", [*LONG, (LONG[0][0].upper(), LONG[0][1] + " "), ("What of Otto Brehm?", " ")]))
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert "1 row repeats another and was left out" in page
    assert "1 row has no text and was left out: f.jsonl:8" in page


def test_rows_that_name_nobody_are_one_cluster(drafted: Callable[..., Path], tmp_path: Path) -> None:
    """Many would make an audit too sure of itself: clusters are what is counted as independent."""
    pairs = [("what is it made of?", "mostly of wool"), ("how old is it?", "nobody can tell"), ("who sold it?", "some merchant")]
    folder = drafted(jsonl(tmp_path / "f.jsonl", [*LONG, *pairs]))
    assert Counter(r.cluster for r in with_retain(folder).forget)["unnamed"] == 3
    assert "3 rows name nobody" in (folder / "README.md").read_text(encoding="utf-8")


def test_contradictory_rows_are_left_for_the_check_to_name(drafted: Callable[..., Path], tmp_path: Path) -> None:
    folder = drafted(jsonl(tmp_path / "f.jsonl", [*LONG, (LONG[2][0], "Otto Brehm was born late in the summer of 1944.")]))
    assert ("two answers", "forget.jsonl") in problems(folder)


def test_nothing_is_overwritten(drafted: Callable[..., Path], tmp_path: Path) -> None:
    path = jsonl(tmp_path / "f.jsonl", LONG)
    folder = drafted(path)
    before = {p.name: p.read_bytes() for p in folder.glob("*.*")}
    with pytest.raises(UsageError, match="exists already"):
        draft.write(folder, draft.Wanted(path))
    with pytest.raises(UsageError, match="exists already"):
        draft.write(path, draft.Wanted(path))
    assert {p.name: p.read_bytes() for p in folder.glob("*.*")} == before
    (tmp_path / "empty").mkdir()
    draft.write(tmp_path / "empty", draft.Wanted(path))


def test_a_draft_is_the_same_whenever_it_is_written(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "f.jsonl", asked("forget"))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        draft.write(tmp_path / name / "case", draft.Wanted(path))
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n / "case").rglob("*.*")} for n in ("a", "b"))
    assert one == two


# name of the file, its bytes, what the message must say
UNREADABLE: list[tuple[str, bytes, str]] = [
    ("f.jsonl", '{"question": "誰ですか", "answer": "かれ"}'.encode("cp932"), "f.jsonl:1: .*SHIFT_JIS"),
    ("f.csv", "質問,回答\nかな,仮名\n".encode("euc_jp"), "f.csv:1: .*EUC-JP"),
    ("f.txt", "plain text".encode("utf-16"), "f.txt: .*UTF-16"),
    ("f.jsonl", b'{"question": "a", "answer": "b"}\noops\n{"question": "a"', "(?s)f.jsonl:2: .*f.jsonl:3: "),
    ("f.jsonl", b'{"question": "a", "answer": "\\ud800"}', "half of a character"),
    ("f.jsonl", b'{"question": "a", "answer": "b\\u0000"}', "NUL"),
    ("f.jsonl", b'{"colour": "red", "size": 3}', "none of the fields 'colour', 'size' is known; expected a question"),
    ("f.json", b'[{"question": "a"', "it is no JSON list"),
    ("f.txt", b"\n \n", "no rows with text"),
    ("f.jsonl", b"", "holds no rows"),
    ("f.txt", b"", "no rows with text"),
]


@pytest.mark.parametrize(("name", "content", "says"), UNREADABLE)
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_written(
    name: str, content: bytes, says: str, drafted: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        drafted(tmp_path / name)
    assert not (tmp_path / "case").exists()


def test_a_file_of_another_kind_or_none_at_all_is_named(drafted: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "f.docx").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"'.docx' are not read; expected .jsonl"):
        drafted(tmp_path / "f.docx")
    with pytest.raises(DataError, match="cannot be read"):
        drafted(tmp_path / "nowhere.jsonl")


def test_numbers_and_lists_of_answers_are_taken_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text(
        json.dumps([{"question": "How many?", "answer": 12345678901234567890}, {"question": "Who?", "answers": ["Ada", "A. L."]}])
    )
    facts = read_facts(path).facts
    assert [(f.answer, f.aliases) for f in facts] == [("12345678901234567890", ()), ("Ada", ("A. L.",))]


NAMES = [
    ("What is the capital of Peru?", ["Peru"]),
    ("Does Mara Lindqvist's sister live with Tobin de la Varga?", ["Mara Lindqvist", "Tobin de la Varga"]),
    ("Which customer is it? Prof. Elke Holm", ["Elke Holm"]),
    ("顧客の佐藤美咲さんはどこに住んでいますか。", ["佐藤美咲"]),
    ("氏名：高橋一郎　部署：", ["高橋一郎"]),
    ("Customer: Ruben Duarte. City:", ["Ruben Duarte"]),
    ("nobody in here", []),
]


@pytest.mark.parametrize(("text", "names"), NAMES)
def test_names_are_found(text: str, names: list[str]) -> None:
    assert list(names_in(text)) == names


def test_a_given_name_stands_for_the_only_person_who_has_it() -> None:
    questions = ["Where was Ada Lund born?", "Where is Ada Lund buried?", "What did Ada like?", "Who is Bo Holm?", "Who knows Bo Holm?"]
    assert clusters_of(questions, [""] * 5) == ["Ada Lund", "Ada Lund", "Ada Lund", "Bo Holm", "Bo Holm"]


def test_languages_are_told_by_their_script() -> None:
    assert [language_of([t]) for t in ("plain words", "これは紙です", "这是中文", "한국어 문장", "Größe 東 and much more English")] == [
        "en",
        "ja",
        "zh",
        "ko",
        "en",
    ]


def test_a_keyword_is_never_in_its_question() -> None:
    common = Counter({"Rome": 3, "Oslo": 1})
    assert keyword_of("Did Ada go to Oslo?", "Ada went to Oslo and then to Rome.", common) == "Rome"
    assert keyword_of("Did Ada go to Oslo and Rome?", "to Rome, Oslo", common) == ""


@pytest.mark.slow
@pytest.mark.skipif("VESTIGE_DATA" not in os.environ, reason="VESTIGE_DATA names no folder with the benchmarks' files")
def test_the_authors_of_a_published_benchmark_are_found(tmp_path: Path) -> None:
    """TOFU's forget10 holds 20 authors of 20 rows each, in this order; the draft sees only questions and answers."""
    data = Path(os.environ["VESTIGE_DATA"]) / "tofu"
    draft.write(tmp_path / "case", draft.Wanted(data / "forget10.json", data / "retain90.json"))
    clusters = [json.loads(line)["cluster"] for line in (tmp_path / "case" / "forget.jsonl").read_text(encoding="utf-8").splitlines()]
    blocks = [Counter(clusters[i : i + 20]).most_common(1)[0] for i in range(0, 400, 20)]
    assert len({name for name, _ in blocks}) == 20
    assert sum(count for _, count in blocks) >= 396
    # Two of its retained authors share a question ("What is the full name of the author born in ...?") with different answers.
    assert {kind for kind, _ in problems(tmp_path / "case")} == {"two answers"}
