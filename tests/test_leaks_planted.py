"""Leaks planted by a generator that knows nothing of the check, and rows that only look like leaks.

The generator (`leak_generator`) was committed before the check was written; seed 0 is the one it was developed on. The figures in
docs/leak-check.md come from a seed that nobody had looked at (tools/write_leak_table.py).
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import leak_generator
from vestige import leak_search
from vestige.leak_search import Finding, Searcher
from vestige.records import Probe, Row
from vestige.text import fold
from vestige.traced import Traced

BARS = {"exact": 0.99, "normalised": 0.99, "alias": 0.90, "format": 0.90}


def asked(probe: leak_generator.Probe) -> Probe:
    aliases = tuple(f" {alias}" for alias in probe.aliases)
    return Probe(probe.id, probe.prompt, f" {probe.answer}", "forget", probe.cluster, "test", aliases=aliases, attribute=probe.attribute)


def finding(probe: leak_generator.Probe, text: str) -> Finding | None:
    found = Searcher([asked(probe)]).findings(Row("r", "", text, ""))
    return found[0] if found else None


def recall(seed: int, per_kind: int) -> dict[str, float]:
    """Return the share of planted leaks found, family by family."""
    planted = list(leak_generator.planted(seed, per_kind))
    found = [one.family for one in planted if (hit := finding(one.probe, one.row_text)) and hit.leaked]
    return {family: found.count(family) / n for family, n in Counter(one.family for one in planted).items()}


def test_planted_leaks_are_found_in_every_family() -> None:
    shares = recall(seed=0, per_kind=4)
    assert shares.keys() == BARS.keys()
    for family, share in shares.items():
        assert share >= BARS[family], (family, share)


def test_the_span_lies_on_the_planted_answer() -> None:
    for one in leak_generator.planted(seed=1, per_kind=2):
        hit = finding(one.probe, one.row_text)
        if hit and hit.leaked:
            # Frames that repeat no part of the answer: the find overlaps what was planted.
            assert hit.span[0] < one.span[1], one
            assert one.span[0] < hit.span[1], one


def test_near_misses_are_not_leaked() -> None:
    leaked = Counter(n.kind for n in leak_generator.negatives(seed=0, count=540) if (hit := finding(n.probe, n.row_text)) and hit.leaked)
    assert leaked.total() <= 5, leaked


def test_a_rule_that_asked_for_the_subject_too_would_miss_every_bar() -> None:
    """Why a bare mention is a leak (docs/leak-check.md): this is the most that such a rule could find."""
    planted = list(leak_generator.planted(seed=0, per_kind=10))
    named = Counter(one.family for one in planted if fold(one.probe.cluster) in fold(one.row_text))
    shares = {family: named[family] / n for family, n in Counter(one.family for one in planted).items()}
    assert all(shares[family] < bar - 0.05 for family, bar in BARS.items()), shares


def test_without_one_spelling_the_normalised_leaks_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is one that only the spelling meets: comparing words as they stand misses most of the family."""

    def as_it_stands(text: str, *, trace: bool = False) -> Traced:
        return Traced.of(text) if trace else Traced(text)

    monkeypatch.setattr(leak_search, "spelt_words", as_it_stands)
    assert recall(seed=0, per_kind=2)["normalised"] < 0.5


# -- real text ---------------------------------------------------------------------------------------------------------------


def real_rows(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (source, text) of WikiText-2, MMLU questions with their options, and the rows TOFU retains."""
    for name in ("valid", "test"):
        yield from (("wikitext2", t) for t in (folder / "wikitext2" / f"{name}.txt").read_text("utf-8").split("\n") if t.strip())
    for path in sorted((folder / "mmlu" / "test").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            yield from (("mmlu", " ".join(row[:5])) for row in csv.reader(file))
    for line in (folder / "tofu" / "retain95.json").read_text("utf-8").splitlines():
        if line.strip():
            entry = json.loads(line)
            yield "tofu", f"{entry['question']} {entry['answer']}"


@pytest.mark.slow
def test_real_text_raises_an_alarm_for_at_most_one_pair_in_a_hundred() -> None:
    folder = os.environ.get("VESTIGE_DATA")
    if not folder:
        pytest.skip("VESTIGE_DATA names no folder with wikitext2, mmlu and tofu")
    probes = [asked(one.probe) for one in leak_generator.planted(seed=0, per_kind=4)]
    searcher, rows, alarms = Searcher(probes), Counter[str](), Counter[str]()
    for source, text in real_rows(Path(folder)):
        rows[source] += 1
        alarms[source] += sum(f.leaked for f in searcher.findings(Row("r", "", text, "")))
    assert min(rows.values()) > 3_000
    for source, n in rows.items():
        assert alarms[source] / (n * len(probes)) <= 0.01, source
