"""One case in JSON Lines, CSV and Parquet; the faults of each format; a data set on the hub; a file larger than memory."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from test_folder import FORGET, PROBES, RETAIN, TOML, probe, row, write
from vestige.cases import folder_files
from vestige.cases.folder import Folder
from vestige.cases.folder_check import check, examine
from vestige.errors import DataError
from vestige.records import digest

MORE = [
    probe("Ada", "Rome", id="Ada/other", prompt='Ada, who says "hm",\nlives in', wording="other", aliases=[" Roma", " Rome, IT"]),
    probe("Bo", "Oslo", id="Bo/other", prompt="Bo has", answer=" a flat in Oslo", wording="other", keywords=["Oslo"], form="chat"),
]
FILES: dict[str, list[dict[str, Any]]] = {
    "forget": FORGET,
    "retain": RETAIN,
    "probes": [*PROBES, *MORE],
    "sources/news": [row("s", "", prompt="", answer="Prices rose, again.", loss_on="text")],
}


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as CSV; lists are JSON in their cells."""
    names = list(dict.fromkeys(name for r in rows for name in r))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({k: json.dumps(v) if isinstance(v, list) else v for k, v in r.items()} for r in rows)
    return out.getvalue()


def in_csv(folder: Path, files: dict[str, list[dict[str, Any]]]) -> Path:
    return write(folder, {"forget.jsonl": None, "retain.jsonl": None, **{f"{part}.csv": as_csv(rows) for part, rows in files.items()}})


def in_parquet(folder: Path, files: dict[str, list[dict[str, Any]]]) -> Path:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    write(folder, {"forget.jsonl": None, "retain.jsonl": None})
    for part, rows in files.items():
        (folder / part).parent.mkdir(exist_ok=True)
        parquet.write_table(arrow.Table.from_pylist(_even(rows)), folder / f"{part}.parquet")
    return folder


def _even(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows that all have the same fields: a table's schema is that of its first row."""
    names = dict.fromkeys(name for r in rows for name in r)
    return [{name: r.get(name) for name in names} for r in rows]


@pytest.fixture
def lines(tmp_path: Path) -> str:
    """Return the digest of the case as JSON Lines."""
    folder = tmp_path / "lines"
    folder.mkdir()
    return digest(Folder(str(write(folder, {f"{part}.jsonl": rows for part, rows in FILES.items()})))())


def test_csv_gives_the_case_that_json_lines_give(lines: str, tmp_path: Path) -> None:
    assert digest(Folder(str(in_csv(tmp_path, FILES)))()) == lines


def test_parquet_gives_the_case_that_json_lines_give(lines: str, tmp_path: Path) -> None:
    assert digest(Folder(str(in_parquet(tmp_path, FILES)))()) == lines


def test_formats_may_be_mixed_but_one_part_has_one_file(lines: str, tmp_path: Path) -> None:
    write(tmp_path, {f"{part}.jsonl": rows for part, rows in FILES.items()} | {"retain.jsonl": None, "retain.csv": as_csv(RETAIN)})
    assert digest(Folder(str(tmp_path))()) == lines
    (tmp_path / "forget.csv").write_text(as_csv(FORGET), encoding="utf-8")
    assert [(p.kind, p.file) for p in check(tmp_path)] == [("part twice", "forget.jsonl")]


def test_a_cluster_field_may_have_another_name(lines: str, tmp_path: Path) -> None:
    renamed = {part: [{("author" if k == "cluster" else k): v for k, v in r.items()} for r in rows] for part, rows in FILES.items()}
    toml = TOML + 'cluster_field = "author"\n'
    folder = write(tmp_path, {"case.toml": toml, **{f"{part}.jsonl": rows for part, rows in renamed.items()}})
    assert digest(Folder(str(folder))()) == lines
    eve, flo = renamed["retain"]
    write(tmp_path, {"case.toml": toml, "forget.jsonl": renamed["forget"], "retain.jsonl": [eve, flo, {**eve, "id": "x", "author": "ADA"}]})
    assert ("overlap", "retain.jsonl", 3, "author") in [(p.kind, p.file, p.line, p.field) for p in check(tmp_path)]
    write(tmp_path, {"case.toml": toml, "forget.jsonl": renamed["forget"], "retain.jsonl": [eve, flo, {**eve, "id": "x", "author": " "}]})
    assert ("empty", "retain.jsonl", 3, "author") in [(p.kind, p.file, p.line, p.field) for p in check(tmp_path)]


def test_a_cluster_field_cannot_be_a_field_with_another_meaning(tmp_path: Path) -> None:
    found = check(write(tmp_path, {"case.toml": TOML + 'cluster_field = "answer"\n'}))
    assert [(p.kind, p.file, p.line) for p in found] == [("cluster field", "case.toml", 7)]


HEADER = "id,prompt,answer,cluster,attribute\r\n"
SOUND = "Eve/City,Eve. City:, Rome,Eve,City\r\n"
# kind, line, field, text of retain.csv, what reason or remedy must say
CSV_FAULTS: list[tuple[str, int, str, str | bytes, str]] = [
    ("no rows", 0, "", "", "write a header"),
    ("no rows", 0, "", HEADER + ",,,,\r\n", "write a header"),
    ("separator", 1, "", (HEADER + SOUND).replace(",", ";"), "save the file with commas"),
    ("missing field", 1, "answer", "id,prompt,cluster\r\na,b,c\r\n", "add 'answer'"),
    ("unknown field", 1, "'answers'", HEADER.replace("attribute", "answers") + SOUND, "did you mean 'answer'?"),
    ("field twice", 1, "'id'", "id," + HEADER + "x," + SOUND, "keep one"),
    ("cells", 3, "", HEADER + SOUND + "Flo/City,Flo, in Oslo. City:, Oslo,Flo,City\r\n", "6 cells, the header has 5"),
    ("empty", 3, "answer", HEADER + SOUND + "Flo/City,Flo. City:,,Flo,City\r\n", "write something"),
    ("malformed CSV", 3, "", HEADER + SOUND + 'Flo/City,"Flo. City:, Oslo,Flo,City\r\n', "not closed"),
    # The first row is two lines long, so the second begins at line 4.
    ("cells", 4, "", HEADER + SOUND.replace("Eve. City:", '"Eve.\nCity:"') + "one\r\n", "1 cells"),
    ("encoding", 3, "", (HEADER + SOUND + SOUND.replace("Eve", "フロ")).encode("cp932"), "SHIFT_JIS"),
    ("UTF-16", 0, "", (HEADER + SOUND).encode("utf-16"), "iconv"),
    ("long row", 3, "", HEADER + SOUND + f'x,"{"a" * 600_000}\n",{"b" * 600_000},c,d\r\n', "1,000,000"),
    ("malformed CSV", 3, "", HEADER + SOUND + "a" * 2_000_000 + "\r\n", "more than 1,000,000"),
]


@pytest.mark.parametrize(("kind", "line", "field", "content", "says"), CSV_FAULTS)
def test_a_fault_of_a_csv_file_is_named(kind: str, line: int, field: str, content: str | bytes, says: str, tmp_path: Path) -> None:
    toml = TOML.replace('"choice"', '"keyword"')
    found = check(write(tmp_path, {"case.toml": toml, "retain.jsonl": None, "retain.csv": content}))
    assert [(p.kind, p.file, p.line, p.field) for p in found] == [(kind, "retain.csv", line, field)]
    assert says in str(found[0])


def test_a_list_in_a_csv_cell_is_json(tmp_path: Path) -> None:
    text = as_csv(PROBES).replace('[""', "[").replace('""]', "]")
    found = check(write(tmp_path, {"probes.csv": text}))
    assert {(p.kind, p.line, p.field) for p in found} >= {("malformed JSON", 2, "distractors"), ("malformed JSON", 5, "distractors")}


def test_a_parquet_column_of_numbers_or_of_another_name_is_a_fault(tmp_path: Path) -> None:
    bad = [{**r, "answer": number, "note": "x"} for r, number in zip(RETAIN, (1.5, float("nan")), strict=True)]
    found = check(in_parquet(tmp_path, {"forget": FORGET, "retain": bad}))
    assert [(p.kind, p.line, p.field) for p in found] == [
        ("unknown field", 0, "'note'"),
        ("wrong type", 1, "answer"),
        ("constant", 2, "answer"),
    ]


def test_a_damaged_parquet_file_is_no_traceback(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    found = check(write(tmp_path, {"retain.jsonl": None, "retain.parquet": b"PAR1 but no more"}))
    assert [(p.kind, p.file) for p in found] == [("malformed Parquet", "retain.parquet")]


def test_without_pyarrow_a_parquet_file_names_the_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    found = check(write(tmp_path, {"retain.jsonl": None, "retain.parquet": b"PAR1"}))
    assert [(p.kind, p.file) for p in found] == [("pyarrow", "retain.parquet")]
    assert "pip install pyarrow" in found[0].remedy


@pytest.mark.parametrize("name", ["forget.json", "retain.tsv", "sources/news.txt"])
def test_a_file_of_another_kind_is_not_passed_over_in_silence(name: str, tmp_path: Path) -> None:
    found = check(write(tmp_path, {name: "x\n"}))
    assert [(p.kind, p.file) for p in found] == [("unknown file", name)]


def test_a_hub_data_set_of_the_same_layout_is_the_same_case(lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's client is replaced: it answers with a folder, as the real one does, and says what it was asked for."""
    hub = pytest.importorskip("huggingface_hub")
    snapshot = write(tmp_path / "lines", {})
    asked: list[Any] = []

    def download(name: str, **options: Any) -> str:
        asked.append((name, options["repo_type"], options["revision"]))
        assert {"case.toml", "*.jsonl", "sources/*.parquet"} <= set(options["allow_patterns"])
        return str(snapshot)

    monkeypatch.setattr(hub, "snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    assert digest(Folder("someone/our-case", revision="v2")()) == lines
    assert asked == [("someone/our-case", "dataset", "v2")]


def test_a_hub_that_cannot_be_reached_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")

    def download(*_: Any, **__: Any) -> str:
        raise OSError("no network")

    monkeypatch.setattr(hub, "snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"someone/our-case: no such folder here.*no network"):
        folder_files.materialise("someone/our-case")


def test_a_folder_that_is_here_is_never_looked_for_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "someone" / "our-case").mkdir(parents=True)
    assert folder_files.materialise("someone/our-case") == Path("someone/our-case")


CHECKER = """
import resource, sys
from vestige.cases.folder_check import examine
found = examine(sys.argv[1])
print(found.counts.rows["retain"], len(found.problems), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def _write_bulk(folder: Path, size: int) -> int:
    """Write a case with `size` bytes of retained rows; return how many."""
    write(folder, {"retain.jsonl": ""})
    pad = "and so it went on and on for a while " * 10
    count = done = 0
    with (folder / "retain.jsonl").open("w", encoding="utf-8") as out:
        while done < size:
            line = json.dumps(row(f"Person {count}", ("Rome", "Oslo")[count % 2], prompt=f"Person {count} {pad}City:")) + "\n"
            done += out.write(line)
            count += 1
    return count


def _peak(folder: Path) -> tuple[int, int, int]:
    """Return rows, problems and peak memory (MiB) of a check in a process of its own."""
    done = subprocess.run([sys.executable, "-c", CHECKER, str(folder)], capture_output=True, text=True, check=True, env={**os.environ})
    rows, problems, peak = map(int, done.stdout.split())
    return rows, problems, peak


def test_memory_does_not_grow_with_the_length_of_rows(tmp_path: Path) -> None:
    """8 MB of rows, if kept as objects, would be 40 MB and more; what is kept of them is 46 bytes for each of some 16,000 rows."""
    small, large = tmp_path / "small", tmp_path / "large"
    for folder in (small, large):
        folder.mkdir()
    _write_bulk(small, 100_000)
    count = _write_bulk(large, 8_000_000)
    least, most = _peak(small), _peak(large)
    assert most[:2] == (count, 0)
    assert most[2] - least[2] < 16


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_gigabyte_of_json_lines_is_checked_within_a_gigabyte_of_memory(tmp_path: Path) -> None:
    count = _write_bulk(tmp_path, 1_000_000_000)
    rows, problems, peak = _peak(tmp_path)
    assert (rows, problems) == (count, 0)
    assert peak < 1024


def test_more_problems_than_anyone_reads_are_counted(tmp_path: Path) -> None:
    examined = examine(write(tmp_path, {"retain.jsonl": "oops\n" * 10_050 + json.dumps(RETAIN[0]) + "\n" + json.dumps(RETAIN[1])}))
    assert (len(examined.problems), examined.more) == (10_000, 50)
    with pytest.raises(DataError, match="10,050 problems; the first 50 are:"):
        Folder(str(tmp_path))()
