"""Files of published data sets: one digest from a folder and from the hub, rows one at a time, errors that name the place."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from benchmark_files import hub, real, tofu
from vestige.cases.source_files import Entry, SourceFile, csv_rows, fetch, json_lines, json_list, located, text_lines, version_of
from vestige.errors import DataError

Reader = Callable[[SourceFile, Iterable[str]], Iterator[Entry]]
FIELDS = ("question", "answer")
GOOD = b'{"question": "q", "answer": "a"}\n'


def fetched(folder: Path, content: bytes, name: str = "rows.jsonl") -> SourceFile:
    """Write a file and fetch it."""
    (folder / name).write_bytes(content)
    return fetch(str(folder), name)


def run(code: str, home: Path, **environment: str) -> str:
    """Run code in a process of its own, whose cache of the hub is empty, and return what it prints."""
    settings = {**os.environ, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    done = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_hub_id_and_a_folder_give_one_digest_and_one_case(tmp_path: Path) -> None:
    folder = tofu(tmp_path / "files")
    code = (
        "from vestige.cases.source_files import fetch\nfrom vestige.cases.tofu import Tofu\nfrom vestige.records import digest\n"
        f"for where in ('someone/TOFU', {folder!r}): print(fetch(where, 'forget01.json').sha256, digest(Tofu(where, 'forget01')()))"
    )
    with hub(Path(folder), "someone/TOFU") as address:
        said = run(code, tmp_path / "home", HF_ENDPOINT=address).splitlines()
    assert len(said) == 2
    assert said[0] == said[1]


def test_a_file_that_the_hub_does_not_have_is_named(tmp_path: Path) -> None:
    code = (
        "from vestige.cases.source_files import fetch\nfrom vestige.errors import DataError\n"
        "try: fetch('someone/TOFU', 'forget02.json')\nexcept DataError as error: print(error)"
    )
    with hub(Path(tofu(tmp_path / "files")), "someone/TOFU") as address:
        said = run(code, tmp_path / "home", HF_ENDPOINT=address)
    assert "'forget02.json' at revision 'main'" in said
    assert "check id, file and revision" in said


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    code = (
        "from vestige.cases.source_files import fetch\nfrom vestige.errors import DataError\n"
        "try: fetch('someone/TOFU', 'forget01.json')\nexcept DataError as error: print(error)"
    )
    said = run(code, tmp_path / "home", HF_HUB_OFFLINE="1")
    assert "no such folder here" in said
    assert "go online once, or give the path of a local folder that holds the file" in said


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "a//b", "./a", "a\\b", "", "~/a", "a\nb"])
def test_a_name_that_leads_out_of_the_data_set_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="not the name of a file within a data set"):
        fetch(str(tmp_path), name)


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="leads out of its folder"):
        fetch(str(tmp_path / "data"), "rows.jsonl")


def test_a_missing_file_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "forget10.json").write_text("{}")
    with pytest.raises(DataError, match=r"forget01\.json: no such file; did you mean 'forget10\.json'"):
        fetch(str(tmp_path), "forget01.json")


@pytest.mark.parametrize("source", ["nowhere", "a/b/c", "a/..", "../a", "-a/b", "https://host/a"])
def test_what_is_neither_folder_nor_id_is_refused(source: str) -> None:
    with pytest.raises(DataError, match="neither a folder here nor the id of a hub data set"):
        fetch(source, "rows.jsonl")


def test_a_plan_means_a_folder_beside_it_or_a_hub_id(tmp_path: Path) -> None:
    (tmp_path / "data" / "tofu").mkdir(parents=True)
    assert located("data/tofu", tmp_path) == str(tmp_path / "data" / "tofu")
    assert located("locuslab/TOFU", tmp_path) == "locuslab/TOFU"
    assert located("../elsewhere", tmp_path) == str(tmp_path.parent / "elsewhere")


def test_a_version_follows_bytes_and_names_but_not_places(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    a, b = fetched(tmp_path / "one", GOOD), fetched(tmp_path / "two", GOOD)
    c = fetched(tmp_path / "two", GOOD + GOOD, "more.jsonl")
    assert a.path != b.path
    assert version_of([a, c]) == version_of([c, b])
    assert version_of([a]) != version_of([c])
    assert len(version_of([a])) == 12


CHANGED: list[tuple[Reader, bytes, str]] = [
    (json_lines, GOOD + b'{"question": "q", "answers": "a"}\n', r"rows:2: no field 'answer'; seen 'question', 'answers', expected"),
    (json_lines, b'{"question": "q", "answer": "a", "id": 1}\n', r"rows:1: field 'id' is new: expected question, answer"),
    (json_list, b'[\n {"question": "q", "answer": "a"},\n {"query": "q", "answer": "a"}]', r"rows:3: no field 'question'; seen 'query'"),
    (csv_rows, b"question,reply\nq,a\n", r"rows:1: no field 'answer'; seen 'question', 'reply'"),
    (csv_rows, b'question,answer\n"q\nq",a\nq\n', r"rows:4: seen 1 fields, expected the 2 of the header"),
    (csv_rows, b"", r"rows:1: no field 'question'"),
    (json_lines, b"[1]\n", r"rows:1: seen \[1\], expected an object with the fields question, answer"),
    (json_list, b'{"question": 1}', r"rows:1: seen .*, expected a JSON list"),
    (json_lines, GOOD + GOOD[:-3] + b"\n", r"rows:2: not JSON at column"),
    (json_list, b'[\n{"question": "q" "answer": 1}]', r"rows:2: not JSON at column 18"),
    (json_lines, b'{"question": NaN, "answer": "a"}\n', r"rows:1: not usable JSON: JSON has no number NaN"),
    (json_lines, b'{"answer": "a", "question": "q", "answer": "b"}\n', r"rows:1: not usable JSON: a name stands twice"),
    (json_lines, b"[" * 100_000 + b"\n", r"rows:1: not usable JSON"),
    (json_lines, GOOD + "Málaga\n".encode("latin-1"), r"rows:2: the bytes b'\\xe1' are not UTF-8"),
    (json_lines, b'{"question": "' + b"q" * 1_000_000 + b'"}\n', r"rows:1: a line of more than 1,000,000 bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("reader", "content", "says"), CHANGED)
def test_a_changed_or_broken_file_is_an_error_that_names_line_and_field(tmp_path: Path, reader: Reader, content: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        list(reader(fetched(tmp_path, content, "rows"), FIELDS))


def test_a_value_of_another_type_is_named_when_it_is_asked_for() -> None:
    entry = Entry("f", 3, {"t": " ", "n": 4, "list": ["a", ""], "b": True, "good": "2"})
    asked: list[tuple[Callable[[], object], str]] = [
        (lambda: entry.text("t"), "f:3: field 't': seen ' ', expected a text that is not empty"),
        (lambda: entry.text("n"), "f:3: field 'n': seen 4, expected a text"),
        (lambda: entry.texts("list"), "expected a list of texts"),
        (lambda: entry.texts("t"), "expected a list of texts"),
        (lambda: entry.index("n", 4), "seen 4, expected a whole number from 0 to 3"),
        (lambda: entry.index("b", 4), "seen True, expected a whole number"),
    ]
    for ask, says in asked:
        with pytest.raises(DataError, match=re.escape(says)):
            ask()
    assert entry.index("good", 4) == 2


def test_rows_know_the_line_they_begin_on(tmp_path: Path) -> None:
    """The list opens on line 1; its objects begin on lines 2, 2 and 5, for the second is spread over lines 2 to 4."""
    spread = b'[\n{"question": "[,]", "answer": "1"}, {"question": "q",\n\n"answer": "2"},\n{"question": "q", "answer": "3"}\n]\n'
    listed = list(json_list(fetched(tmp_path, spread, "list.json"), FIELDS))
    assert [e.place for e in listed] == ["list.json:2#1", "list.json:2#2", "list.json:5#3"]
    assert [e.text("answer") for e in listed] == ["1", "2", "3"]
    lined = json_lines(fetched(tmp_path, b"\xef\xbb\xbf" + GOOD + b"\r\n" + GOOD), FIELDS)
    assert [e.place for e in lined] == ["rows.jsonl:1", "rows.jsonl:3"]
    table = csv_rows(fetched(tmp_path, b'question,answer\r\n"two\nlines",a\r\nq,b', "t.csv"), FIELDS)
    assert [(e.line, e.text("question"), e.text("answer")) for e in table] == [(2, "two\nlines", "a"), (4, "q", "b")]


def test_text_lines_keep_everything_but_the_line_end(tmp_path: Path) -> None:
    assert list(text_lines(fetched(tmp_path, b" a \r\n\nb"))) == [(1, " a "), (2, ""), (3, "b")]


@pytest.mark.slow
def test_every_real_file_has_the_published_digest() -> None:
    """SOURCES.md beside the data gives the sha256 of every file as it was copied; MMLU's 57 subjects have two files each.

    18 of TOFU, 6 of WMDP, 2 of names, 23 of BLUR, 3 books, 2 of WikiText, 2 of TruthfulQA, 6 of common sense, 3 of MT-Bench, 2 of MUSE.
    """
    table = (Path(real("SOURCES.md"))).read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\S+) \| .* \| ([0-9a-f]{64}) \|$", table, re.MULTILINE)
    sums = (Path(real("mmlu/SHA256SUMS"))).read_text(encoding="utf-8")
    mmlu = re.findall(r"^([0-9a-f]{64}) [ *](?:\./)?(?:mmlu/)?(\S+)$", sums, re.MULTILINE)
    assert (len(listed), len(mmlu)) == (67, 114)
    for name, sha256 in [*listed, *((f"mmlu/{name}", sha256) for sha256, name in mmlu)]:
        assert fetch(real("."), name).sha256 == sha256, name


@pytest.mark.slow
def test_the_real_tofu_has_one_digest_from_a_folder_and_from_a_hub(tmp_path: Path) -> None:
    folder = real("tofu")
    code = (
        "from vestige.cases.tofu import Tofu\nfrom vestige.records import digest\n"
        f"for where in ('locuslab/TOFU', {folder!r}): print(digest(Tofu(where, 'forget05')()))"
    )
    with hub(Path(folder), "locuslab/TOFU") as address:
        said = run(code, tmp_path / "home", HF_ENDPOINT=address).splitlines()
    assert len(set(said)) == 1


@pytest.mark.slow
def test_a_gigabyte_of_rows_streams_within_a_quarter_of_a_gigabyte_of_memory(tmp_path: Path) -> None:
    block = b"".join(json.dumps({"question": f"q{i}", "answer": "x" * 970}).encode() + b"\n" for i in range(1000))
    with (tmp_path / "rows.jsonl").open("wb") as stream:
        rows = 0
        while stream.tell() < 1 << 30:
            stream.write(block)
            rows += 1000
    code = (
        "import re\nfrom pathlib import Path\nfrom vestige.cases.source_files import fetch, json_lines\n"
        f"rows = sum(1 for _ in json_lines(fetch({str(tmp_path)!r}, 'rows.jsonl'), ('question', 'answer')))\n"
        # ru_maxrss also counts what the process held that started this one.
        "print(rows, re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    counted, kilobytes = map(int, run(code, tmp_path / "home").split())
    (tmp_path / "rows.jsonl").unlink()
    assert counted == rows
    assert kilobytes < 256 * 1024
