"""docs/methods.md holds what is kept in benchmarks/results, absent cells say so, and the bar is counted as it is stated."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from synthetic import Run
from vestige.desk.run_folder import judge
from vestige.plan_tuning import load


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
    assert tool.drawn() == tool.FIGURE.read_text(encoding="utf-8")


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
    tuning = {"methods": [{"method": "npo", "trials": []}, {"method": "rmu", "trials": []}], "delta": 0.2}
    lines = tool.compared([tuning], {"npo": kept}, {"methods": {"npo": {"peak_mib": 2700.0}}}).splitlines()
    assert lines[0].startswith("1 of 2 methods have been run on seeds that chose nothing; 1 of them reach the bar")
    assert "0.02 (" in lines[0]
    assert ") on the seeds 1, 2) + 0.2" in lines[0]
    assert [len(line.split(" | ")) for line in lines[2:]] == [15] * 5
    assert lines[4].startswith("| `npo` | 1, 2 | 0.03 (")
    assert lines[4].endswith("| 2,700 | yes |")
    assert lines[5] == "| `rmu` | " + " | ".join(["missing"] * 14) + " |"
    # Kept 0.88 of 0.9; E at rest is that of a second model that never saw it.
    assert lines[6].startswith("| retrained without them | 1, 2 | 0.02 (")
    assert lines[6].split(" | ")[3:7:3] == ["0.98", "−0.01 (−0.05 to 0.03)"]
    # A run with a margin is a row of its own; its method counts once, and reaches the bar if either does.
    poor = {**kept, "levels": {**kept["levels"], "forget": {"value": 0.9, "low": 0.8, "high": 1.0}}}
    lines = tool.compared([tuning], {"npo": poor, "npo-margin": {**kept, "seeds": [4, 5]}}, {}).splitlines()
    assert lines[0].startswith("1 of 2 methods have been run on seeds that chose nothing; 1 of them reach the bar")
    assert "; 0.02 (" in lines[0]
    assert lines[0].endswith("Only at a second try: `npo`.")
    assert [line.split(" | ")[:2] for line in lines[4:6]] == [["| `npo`", "1, 2"], ["| `npo`, with a margin of 0.1", "4, 5"]]
    assert [line.split(" | ")[-1] for line in lines[4:6]] == ["no |", "yes |"]
    with pytest.raises(ValueError, match=r"runs of no method that was tuned: \['rmu-third'\]"):
        tool.compared([tuning], {"rmu-third": kept}, {})
    # Adapters are a method of their own, whichever tuning tried them; a second round is said to be one.
    adapters = {"methods": [{"method": "npo", "trials": [{"fields": {"train": "lora"}}]}], "delta": 0.2}
    lines = tool.compared([tuning, adapters], {"npo": poor, "npo-lora": kept, "rmu-second": kept}, {}).splitlines()
    assert lines[0].startswith("3 of 3 methods have been run on seeds that chose nothing; 2 of them reach the bar")
    assert lines[0].endswith("Only at a second try: `rmu`.")
    labels = ["| `npo`", "| `rmu`, second round", "| `npo` by LoRA", "| retrained without them"]
    assert [line.split(" | ")[0] for line in lines[4:]] == labels
    assert tool._label("npo-lora-second") == "`npo` by LoRA, second round"


def test_the_choice_score_tells_every_e_whichever_score_decides_the_verdict(tool: ModuleType, tmp_path: Path) -> None:
    found = []
    for primary in ("choice", "keyword"):
        judge(folder := Run(test=17, seeds=(1, 2), primary=primary).write(tmp_path / primary))
        found.append(tool.gathered(folder))
    by_choice, by_keyword = found
    verdict = json.loads((tmp_path / "keyword" / "verdict.json").read_bytes())
    audit = next(a for a in verdict["audits"] if a["name"] == "unlearned")
    assert by_keyword["residual"] == by_choice["residual"] != audit["residual"]
    assert by_keyword["attacks"] == by_choice["attacks"]
    assert by_keyword["retrain"]["residual"] == by_choice["retrain"]["residual"]


@pytest.mark.parametrize(
    ("changed", "reached"),
    [
        ({}, True),
        ({"forget": 0.3}, True),  # just at the control + delta
        ({"forget": 0.31}, False),
        ({"retain": 0.72}, True),  # 0.72 / 0.9
        ({"retain": 0.71}, False),
        ({"control": None}, None),
        ({"utility": None}, True),
        ({"retain_before": 0.0}, None),
    ],
)
def test_the_bar_is_a_low_forget_score_with_most_of_the_retain_score(
    tool: ModuleType, changed: dict[str, Any], reached: bool | None
) -> None:
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


def test_a_case_that_was_not_tuned_says_so(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tool.PAGE.read_text(encoding="utf-8")
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    found = tool.written(page)
    assert found.count("Not tuned yet.") == 3 * len(tool.CASES) + 1
    assert found.count("Not measured yet.") == 3


def test_what_is_kept_gives_the_page(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tuning").mkdir()
    space = {"lr": [1e-5, 1e-4]}
    fields = {"lr": 2e-5, "steps": 8, "batch_size": 16}
    good = {"trial": 0, "step": 8, "forget": 0.1, "utility": 0.9, "kept": {"retain": 0.95, "utility": 0.9}}
    tried = {"trials": [{"fields": fields}], "points": [good], "frontier": [[0, 8]], "space": space}
    methods = [{**tried, "method": "npo", "chosen": {**good, "fields": fields}, "why_not": None}]
    methods.append({**tried, "method": "rmu", "chosen": None, "why_not": "no point forgot"})
    tuning = {"run": "first", "methods": methods, "budget": {"looks": 1}, "delta": 0.2, "floor": 0.19}
    (tmp_path / "tuning" / "tuning.json").write_text(json.dumps(tuning), encoding="utf-8")
    judge(Run(test=17, seeds=(1, 2)).write(tmp_path / "runs" / "npo"))
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    tool.keep("tofu", tmp_path / "runs", [tmp_path / "tuning"])
    text = tool.written(tool.PAGE.read_text(encoding="utf-8"))
    assert "| `npo` | 1 | 1 × 1 | 0.19 | 0 | lr 2e-05, steps 8 | 0.10 | 0.90 | 0.95 |" in text
    assert "| `rmu` | 1 | 1 × 1 | 0.19 | 0 | no point forgot |  |  |  |" in text
    assert "- `rmu`, round 1 (1 settings): 0.10 / 0.90" in text
    assert "- `npo`" not in text.split("tofu frontiers")[1]
    # What comes later is kept beside it, and a tuning that was made again stands where the first stood.
    again = {**tuning, "methods": methods[:1]}
    (tmp_path / "tuning" / "tuning.json").write_text(json.dumps(again), encoding="utf-8")
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "tuning.json").write_text(json.dumps({**tuning, "run": "second", "methods": methods[1:]}), encoding="utf-8")
    judge(Run(test=17, seeds=(4, 5)).write(tmp_path / "more" / "npo-margin"))
    tool.keep("tofu", tmp_path / "more", [tmp_path / "second", tmp_path / "tuning"])
    assert [t["run"] for t in json.loads((tmp_path / "tuned_tofu.json").read_bytes())] == ["first", "second"]
    assert sorted(json.loads((tmp_path / "methods_tofu.json").read_bytes())) == ["npo", "npo-margin"]


def test_a_longer_attack_stands_beside_the_short_one(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge(Run(test=17, seeds=(4, 5)).write(tmp_path / "longer" / "rmu-second"))
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    tool.keep(tool.LONGER, tmp_path / "longer", [])
    assert not (tmp_path / "tuned_customers_longer.json").exists()
    runs = json.loads((tmp_path / "methods_customers_longer.json").read_bytes())
    alone = tool.outlasted(runs, {}).splitlines()
    assert alone[2].startswith("| `rmu`, second round | 4, 5 | ")
    assert alone[2].endswith(" | hints | missing |")
    beside = tool.outlasted(runs, runs).splitlines()[2].split(" | ")
    hints = alone[0].split(" | ").index("E after `hints`")
    assert beside[-1].removesuffix(" |") == beside[hints]


def test_a_choice_made_anew_takes_what_lies_below_the_floor_by_its_margin(tool: ModuleType) -> None:
    points = [{"trial": 0, "step": 4, "forget": 0.2, "utility": 0.99}, {"trial": 1, "step": 2, "forget": 0.1, "utility": 0.9}]
    points.append({"trial": 1, "step": 4, "forget": {"missing_reason": "lost"}, "utility": 1.0})
    method = {"points": points, "trials": [{"trial": n, "fields": {"lr": n, "steps": 4}} for n in (0, 1)]}
    tuning = {"control": 0.0, "delta": 0.2}
    assert tool.rechosen(tuning, method, 0.0) == {**points[0], "fields": {"lr": 0, "steps": 4}}
    assert tool.rechosen(tuning, method, 0.1) == {**points[1], "fields": {"lr": 1, "steps": 2}}
    assert tool.rechosen(tuning, method, 0.15).endswith("score is 0.100, asked is 0.050, the floor 0.200 less a margin of 0.15")


def test_a_tuning_from_before_the_margin_is_still_the_same_plan(tool: ModuleType) -> None:
    kept = tool._kept("tuned_customers.json", [])[0]
    assert "margin" not in kept
    assert load(tool.ROOT / "benchmarks" / "tune_customers.toml").tuning.digest() == kept["plan_digest"]


def _chosen(tool: ModuleType, tunings: list[Any], method: str, name: str) -> dict[str, Any]:
    tried = [(t, m) for t in tunings for m in t["methods"] if m["method"] == method]
    if name.endswith("-margin"):
        again: dict[str, Any] = tool.rechosen(*tried[0], tool.MARGIN)
        return again
    of_it = "-methods" + name.removeprefix(method)  # a second round may be named further: -second-rmu
    found = [m["chosen"] for t, m in tried if f"{t['run'].removesuffix('-tune')}-".partition(f"{of_it}-")[1]]
    assert found, f"no tuning {of_it} tried {method}"
    chosen: dict[str, Any] = found[0]
    return chosen


def test_trials_step_by_step_stand_in_the_order_of_their_last_field(tool: ModuleType) -> None:
    trials = [{"trial": n, "fields": {"lr": 0.1 * (n + 1), "strength": s}} for n, s in enumerate((9.0, 2.0))]
    kept = {"retain": 0.9, "utility": {"missing_reason": "lost"}}
    points = [{"trial": n, "step": step, "forget": 0.5 - step / 10, "kept": kept} for n in (0, 1) for step in (2, 1)]
    tuning = {"methods": [{"method": "undial", "space": {"lr": [], "strength": []}, "trials": trials, "points": points}]}
    assert tool.step_by_step(tuning, ["scrub", "undial"]).splitlines()[2:] == [
        "| method | fields | forget | retain, share | general questions, share |",
        "| --- | --- | --- | --- | --- |",
        "| `undial` | lr 0.2, strength 2 | 0.40 → 0.30 | 0.90 → 0.90 | missing → missing |",
        "| `undial` | lr 0.1, strength 9 | 0.40 → 0.30 | 0.90 → 0.90 | missing → missing |",
    ]


@pytest.mark.parametrize(
    ("case", "folder", "kept"),
    [("customers", "methods", "customers"), ("customers", "methods_longer", "customers_longer"), ("tofu", "methods_tofu", "tofu")],
)
def test_the_plans_that_were_run_hold_what_tuning_chose(tool: ModuleType, case: str, folder: str, kept: str) -> None:
    tunings, runs = tool._kept(f"tuned_{case}.json", []), tool._kept(f"methods_{kept}.json", {})
    if not (tool.ROOT / "benchmarks" / folder).is_dir():
        pytest.skip(f"benchmarks/{folder}: no plan was chosen yet")
    plans = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in (tool.ROOT / "benchmarks" / folder).glob("*.toml")}
    assert not runs.keys() - plans.keys()
    for name, plan in plans.items():
        fields = plan["unlearn"]
        best = _chosen(tool, tunings, fields["method"], name)
        assert fields == {"method": fields["method"], **{k: v for k, v in best["fields"].items() if v is not None}}, name
        assert 0 not in plan["seeds"]["values"], "seed 0 chose the settings"
        if run := runs.get(name):
            assert run["seeds"] == plan["seeds"]["values"]
            # Runs that were kept before this was written do not say what they ran.
            assert {k: v for k, v in (run.get("unlearn") or {}).items() if v is not None and k != "name"}.items() <= fields.items(), name
