"""A finished run of schema v1, kept as it was written: whatever changes in Vestige, its ledger can be read and judged.

`run_v1/` is the run of tests/test_runner.py (four invented people, a tiny random model), made at revision 2 of the rule.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vestige.blobs import Blobs
from vestige.desk.evidence import gather
from vestige.desk.levels import Question, at_rest, combine
from vestige.desk.rule import REVISION
from vestige.desk.run_folder import judge, verify
from vestige.ledger import read

RUN = Path(__file__).parent / "run_v1"
MADE_AT = 2
# A score of (p - 1/4) / (3/4) with p near 0: the tiny model learned to be sure of another answer than the true one.
LEVELS = {"original": -0.333297200086659, "subject": -0.3333254694370103}


def test_its_chain_is_whole_and_its_verdict_follows_or_only_the_rule_is_newer() -> None:
    found = verify(RUN)
    assert found.lines == 229
    if REVISION == MADE_AT:
        assert found.problems == []
    else:
        assert found.problems[0].startswith(f"verdict.json was judged by revision {MADE_AT} of the rule")
        assert not any(word in problem for problem in found.problems for word in ("ledger.jsonl", "blobs.jsonl", "seal.json"))


def test_its_records_give_the_same_levels() -> None:
    lines, damage = read(RUN / "ledger.jsonl")
    assert not damage
    evidence = gather(lines, Blobs(RUN).get)
    measured = {
        role: combine(evidence, Question("choice", "forget", "test"), [(1.0, at_rest(role))]).mean for role in ("original", "subject")
    }
    written = json.loads((RUN / "verdict.json").read_text(encoding="utf-8"))["audits"][0]
    assert written["reasons"] == ["original_never_knew"]
    assert measured == pytest.approx(LEVELS, abs=1e-9)


def test_it_is_judged_and_shown_anew(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(RUN, tmp_path / "run"))
    assert judge(copy)["verdict"] == "INCONCLUSIVE"
    assert "<html" in (copy / "report.html").read_text(encoding="utf-8")
