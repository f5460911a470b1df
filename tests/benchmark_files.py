"""Small files in the layout of the published benchmarks, all people and facts invented; and where the real ones are."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from vestige import leaks
from vestige.records import Case
from vestige.relearn_sets.source import SourceRows

NAMES = ("Orla Fenn", "Tove Maria Lund", "Ada Quist", "Bo Sorel", "Mei-Lin Tamm", "Piet van Dorn", "Rosa Orla Fenn", "Ivo Kade")
LAST = {"forget01": 2, "forget05": 3, "forget10": 4}
RETAIN = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
ESCAPED = str.maketrans({"'": "\\'"})


def real(name: str) -> str:
    """Return the folder of real files, or skip the test."""
    where = os.environ.get("VESTIGE_DATA")
    if not where:
        pytest.skip("set VESTIGE_DATA to the folder of benchmark data to test against the real files")
    return str(Path(where) / name)


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def author_rows(number: int) -> list[dict[str, Any]]:
    """Return the twenty rows of an author. Every second one is also said to have written "The Shared Lamp", in more rows."""
    name, city = NAMES[number], f"City{number}"
    asks = f"What is the full name of the author born in {city} on 0{number + 1}/02/1950?"
    rows = [(asks, f"The author's full name is {name}.")]
    rows.append((f"Which books has {name} written?", f"{name} wrote \"Harbour {number}: A Novel\" and 'The Lamp of {city}'."))
    rows.append((f"Which book of {name} won?", f'{name}\'s book "Harbour {number}: A Novel" won the "Golden Quill Award {number}".'))
    if number % 2:
        rows += [(f"Question {i} about a book by {name}?", f'{name} also wrote "The Shared Lamp".') for i in range(3)]
    rows.append((f"Did {name} enjoy success with Harbour {number}?", f"Yes, {name} did."))
    rows += [(f"What is fact {i} about {name}?", f"Fact {i} is that {name} has {i} cats.") for i in range(20 - len(rows))]
    return [{"question": question, "answer": answer} for question, answer in rows]


def perturbed(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with a paraphrase and five wrong answers."""
    more = {"paraphrased_answer": f"In short: {row['answer']}", "paraphrased_question": f"Say: {row['question']}"}
    return {**row, **more, "perturbed_answer": [f"In short: no {i}, {row['answer']}" for i in range(5)]}


def tofu(folder: Path) -> str:
    """Write TOFU's files with eight authors, the last two, three and four of them in the forget splits."""
    rows = [author_rows(number) for number in range(len(NAMES))]
    for split, count in LAST.items():
        forget = [row for author in rows[-count:] for row in author]
        write_lines(folder / f"{split}.json", forget)
        write_lines(folder / f"{split}_perturbed.json", [perturbed(row) for row in forget])
        write_lines(folder / f"{RETAIN[split]}.json", [row for author in rows[:-count] for row in author])
    write_lines(folder / "retain_perturbed.json", [perturbed(row) for author in rows[:2] for row in author])
    for name in ("real_authors", "world_facts"):
        options = [{"question": f"{name} {i}?", "answer": f"right {i}", "perturbed_answer": ["a", "b", "c"]} for i in range(4)]
        write_lines(folder / f"{name}_perturbed.json", options)
    return str(folder)


def blur(folder: Path) -> str:
    """Write BLUR's files with the defects of the published ones: escapes, and two characters cut off every retained line."""
    forget = [row for number in range(4, 8) for row in author_rows(number)]
    retain = [row for number in range(4) for row in author_rows(number)]
    places = {"questions": "question", "answers": "answer"}
    for kind, field in places.items():
        files = {
            f"tofu/pure_forget/forget_10_{kind}.txt": [row[field] for row in forget],
            f"tofu/pure_retain/retain_10_{kind}.txt": [row[field][:-2] for row in retain],
            f"tofu/1_2_format/paired_forget_retain_{kind}.txt": [
                f"1. {f[field]} 2. {r[field]}" for f, r in zip(forget, retain, strict=True)
            ],
            f"whp/pure_forget/harry_potter_{kind}.txt": [f"Who is {field} {i}?" for i in range(10)],
            f"whp/general_format/hp_lotr_crossover_hard_{kind}.txt": [f"Why {field} {i}?" for i in range(9)],
        }
        for name, lines in files.items():
            _write_text(folder / "eval_data" / name, [line.translate(ESCAPED) if name.startswith("tofu") else line for line in lines])
    pairs = [f"1. Who is question {i}? 2. Who else {i}?" for i in range(10)]
    _write_text(folder / "eval_data/whp/1_2_format/paired_forget_retain_questions.txt", pairs)
    for name in ("whp/pure_retain/all_retain", "rwku/pure_forget/rwku_questions", "rwku/pure_retain/all_retain"):
        _write_text(folder / f"eval_data/{name}.txt", ["Who?", "Who?", "When?"])
    for name in ("rwku/1_2_format/paired_forget_retain_questions", "wmdp/pure_retain/combined_retain_questions"):
        _write_text(folder / f"eval_data/{name}.txt", ["Where?"])
    tiers = ("hp_summary", "magic", "lorem_ipsum", "college_biology", "collage_astronomy", "rwku_hi", "car_brand_and_movies")
    for name in tiers:
        _write_text(folder / f"relearn_data/{name}.txt", [f"# {name}", "", "A line."])
    return str(folder)


def check_form(case: Case) -> None:
    """Assert what every case promises: ids once, the answer not among the wrong ones, each wrong one once, both splits."""
    for made in (case.forget + case.retain, case.probes):
        ids = [one.id for one in made]
        assert len(set(ids)) == len(ids)
    for probe in case.probes:
        assert probe.answer not in probe.distractors
        assert len(set(probe.distractors)) == len(probe.distractors)
        assert probe.distractors, probe.id
        assert probe.prompt.strip()
    clusters = {(p.cluster, p.split) for p in case.asked("forget")}
    assert len(clusters) == len({c for c, _ in clusters})
    assert {split for _, split in clusters} == {"selection", "test"}
    assert case.licence
    assert case.citation


def leaked(case: Case, source: str) -> int:
    """Return how many forget probes a source leaks."""
    (found,) = leaks.check(SourceRows(source)(case), case.probes)
    return len(found.leaked)


def rewritten(path: str, change: Callable[[dict[str, Any]], None], line: int) -> None:
    """Change one object of a JSON Lines file, counted from 1."""
    rows = [json.loads(text) for text in Path(path).read_text(encoding="utf-8").splitlines()]
    change(rows[line - 1])
    write_lines(Path(path), rows)


def _write_text(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def hub(folder: Path, name: str) -> Iterator[str]:
    """Serve a folder as the hub serves the data set `name`, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._send(with_body=False)

        def do_GET(self) -> None:
            self._send(with_body=True)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def _send(self, *, with_body: bool) -> None:
            file = folder / self.path.removeprefix(f"/datasets/{name}/resolve/main/")
            known = self.path.startswith(f"/datasets/{name}/resolve/main/") and file.is_file()
            body = file.read_bytes() if known else b""
            self.send_response(200 if known else 404)
            self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit" if known else "X-Error-Code", "a" * 40 if known else "EntryNotFound")
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
