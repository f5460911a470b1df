"""docs/methods.md holds what is kept in benchmarks/results, absent cells say so, and the bar is counted as it is stated."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from synthetic import Run
from vestige.desk.run_folder import judge


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = Path(__file__).parents[1] / "tools" / "write_methods.py"
    spec = importlib.util.spec_from_file_location("write_methods", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_page_holds_the_results_that_are_kept(tool: ModuleType) -> None:
    page = tool.PAGE.read_text(encoding="utf-8")
    assert tool.written(page) == page


def test_a_run_is_kept_with_what_the_tables_need(tool: ModuleType, tmp_path: Path) -> None:
    folder = Run(test=17, seeds=(1, 2)).write(tmp_path / "npo")
    judge(folder)
    kept = tool.gathered(folder)
    assert kept["seeds"] == [1, 2]
    assert {name: round(level["value"], 2) for name, level in kept["levels"].items()} == {
        "forget": 0.03,
        "control": 0.02,
        "retain": 0.88,
        "retain_before": 0.9,
        "utility": 0.88,
        "utility_before": 0.9,
    }
    assert tool.strongest(kept)["set"] == "hints"
    assert tool.reaches(kept)
    tuning = {"methods": [{"method": "npo"}, {"method": "rmu"}], "delta": 0.2}
    lines = tool.compared(tuning, {"npo": kept}, {"methods": {"npo": {"peak_mib": 2700.0}}}).splitlines()
    assert lines[0].startswith("1 of 2 methods have been run on the seeds 1, 2; 1 of them reach the bar")
    assert [len(line.split(" | ")) for line in lines[2:]] == [14] * 4
    assert lines[4].startswith("| `npo` | 0.03 (")
    assert lines[4].endswith("| 2,700 | yes |")
    assert lines[5] == "| `rmu` | " + " | ".join(["missing"] * 13) + " |"


@pytest.mark.parametrize(
    ("changed", "reached"),
    [
        ({}, True),
        ({"forget": 0.3}, True),  # just at the control + delta
        ({"forget": 0.31}, False),
        ({"retain": 0.72}, True),  # 0.72 / 0.9
        ({"retain": 0.71}, False),
        ({"control": None}, False),
    ],
)
def test_the_bar_is_a_low_forget_score_with_most_of_the_retain_score(tool: ModuleType, changed: dict[str, Any], reached: bool) -> None:
    levels = {"forget": 0.1, "control": 0.1, "retain": 0.9, "retain_before": 0.9, "utility": 0.7, "utility_before": 0.8} | changed
    run = {"delta": 0.2, "levels": {k: None if v is None else {"value": v} for k, v in levels.items()}}
    assert tool.reaches(run) is reached


def test_rounding_and_unrelated_text_are_no_relearn_set_to_be_the_strongest(tool: ModuleType) -> None:
    attacks = [
        {"set": "quantise", "attack": "quantise", "on_selection": 0.9},
        {"set": "unrelated (relearn)", "attack": "relearn", "on_selection": 0.8},
        {"set": "rtt_fold (relearn)", "attack": "relearn", "on_selection": 0.3},
        {"set": "new_customers (relearn)", "attack": "relearn", "on_selection": 0.4},
        {"set": "other_attributes (relearn)", "attack": "relearn", "on_selection": None},
    ]
    assert tool.strongest({"attacks": attacks})["set"] == "new_customers (relearn)"
    assert tool.strongest({"attacks": attacks[:2]}) is None
