"""The table of sizes in docs/leak-check.md: what the benchmark measured goes in, and what it did not is named."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

SPEC = importlib.util.spec_from_file_location("sizes", Path(__file__).parent.parent / "benchmarks" / "leak_check.py")
assert SPEC
assert SPEC.loader
sizes: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(sizes)


def test_the_table_holds_what_was_measured_and_names_what_was_not() -> None:
    took = {"answers": 2.84, "near_duplicates": 0.4}
    results = [{"stage": s, "rows": 10_000, "probes": 500, "seconds": t, "peak_rss_mib": 80 + n} for n, (s, t) in enumerate(took.items())]
    about, *lines = sizes.table(results).splitlines()
    assert about.startswith("500 probes; Python 3.")
    assert lines == [
        "",
        "| rows | answers | near duplicates | longest runs | peak memory |",
        "|---|---|---|---|---|",
        "| 10,000 | 2.8 s | 0.4 s | not run | 81 MiB |",
        "",
        "Not run this time: 100,000, 1,000,000 rows.",
    ]


def test_every_stage_finds_planted_answers_and_the_document_has_its_place() -> None:
    probes = sizes._probes(20)
    found = {name: stage(sizes._rows(400, probes), probes) for name, stage in sizes._STAGES.items()}
    assert found["answers"] >= 4  # one row in a hundred holds an answer
    page = sizes.DOCUMENT.read_text(encoding="utf-8")
    assert page.count(sizes.BEGIN) == page.count(sizes.END) == 1
    assert page.index(sizes.BEGIN) < page.index(sizes.END)
