"""Traces of arms at rest in a run: which states are looked into, beside which, what is written, and that nothing else changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tiny
from test_runner import bodies, cut, lines_of, run
from test_written_sets import design, named, write_plan
from vestige import plan as plans
from vestige.desk.predictors import state_predictions, states
from vestige.desk.run_folder import verify
from vestige.lab.traces import AT_REST
from vestige.records import Missing, Row
from vestige.run_traces import rest

NAMES = [*AT_REST, "loss_ratio"]
TRACED = f"\n[traces]\nnames = {list(NAMES)!r}\n".replace("'", '"')
SETS = '[[relearn_sets]]\nrecipe = "rtt_fold"\n'
READINGS = [reading for kind in AT_REST.values() for reading in kind.readings]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def looked(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which arms at rest are looked into, and beside it one without, under the same key."""
    folder = tmp_path_factory.mktemp("looked")
    run(write_plan(folder, model, sets=SETS), folder / "run-plain")
    run(write_plan(folder, model, sets=SETS, more=TRACED), folder / "run", key_from=folder / "run-plain")
    return folder


def at_rest(out: Path) -> Iterator[dict[str, Any]]:
    yield from (arm for arm in design(out) if arm["set"] is None)


def test_every_arm_at_rest_is_looked_into_once_by_every_trace(looked: Path) -> None:
    lines = named(looked / "run", "state_trace")
    arms = list(at_rest(looked / "run"))
    assert {a["role"] for a in arms} >= {"original", "never_exposed", "subject", "sham"}
    assert sorted((b["role"], b["seed"], b["cell"], b["trace"]) for b in lines) == sorted(
        (a["role"], a["seed"], a["cell"], name) for a in arms for name in READINGS
    )
    assert {b["trace"] for b in named(looked / "run", "trace")} == {"loss_ratio"}
    assert verify(looked / "run").problems == []


def test_each_is_looked_at_beside_the_original_and_the_twin_of_its_seed(looked: Path) -> None:
    states = {b["cell"]: b["digest"] for b in bodies(looked / "run", "state")}
    roles = {a["role"]: states[a["cell"]] for a in at_rest(looked / "run")}
    for body in named(looked / "run", "state_trace"):
        assert body["state"] == roles[body["role"]]
        assert body["beside"] == {role: roles[role] for role in AT_REST[body["of"]["name"]].beside}  # type: ignore[attr-defined]


def test_the_original_beside_itself_has_not_moved_and_an_unlearned_model_has(looked: Path) -> None:
    seen = {(b["role"], b["trace"]): b for b in named(looked / "run", "state_trace")}
    assert seen["original", "weight_delta_norm"]["value"] == 0.0
    assert seen["original", "cka"]["value"] == pytest.approx(1.0, abs=1e-9)
    assert seen["original", "patching_depth"]["value"] == 0.0
    assert seen["original", "weight_delta_top_share"]["missing"] == "no matrix of a decoder block moved"
    assert seen["subject", "weight_delta_norm"]["value"] > 0
    assert seen["subject", "cka"]["value"] < 1 - 1e-6
    assert len(seen["subject", "cka"]["blocks"]) == 2
    assert seen["subject", "weight_delta_norm"]["of"] == {"name": "weight_delta", "semantics": 1}
    assert seen["subject", "cka"]["of"] == {"name": "cka", "semantics": 1, "rows": 64}


def test_looking_leaves_every_state_as_it_was_and_every_other_cell_as_without(looked: Path) -> None:
    with_, without = ({b["cell"]: b["digest"] for b in bodies(looked / name, "state")} for name in ("run", "run-plain"))
    assert {cell: with_[cell] for cell in without} == without
    looks = [b for b in bodies(looked / "run", "state") if b["cell"] not in without]
    assert {b["action"]["name"] for b in looks} == {"traces"}
    assert {(b["parents"]["start"], b["digest"]) for b in looks} == {(a["cell"], without[a["cell"]]) for a in at_rest(looked / "run")}
    assert named(looked / "run-plain", "state_trace") == []
    assert not (looked / "run" / "states").exists()


def test_a_look_that_was_cut_off_is_taken_again_with_the_states_it_needs(looked: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(looked / "run", tmp_path / "run"))
    first = next(n for n, line in enumerate(lines_of(out)) if line["body"].get("name") == "state_trace")
    cut(out, first + 1)  # a reading is on disk, its cell is not
    run(looked / "plan.toml", out)
    assert (out / "verdict.json").read_bytes() == (looked / "run" / "verdict.json").read_bytes()
    assert verify(out).problems == []


def test_of_an_audit_without_original_and_twin_what_needs_them_is_missing(model: Path, tmp_path: Path) -> None:
    path = write_plan(tmp_path, model, sets=SETS, more=TRACED)
    text = path.read_text(encoding="utf-8")
    unlearned = tiny.make(tmp_path / "unlearned", seed=3)
    head, tail = text.split("[model]", 1)
    tail = tail[tail.index("[case]") :]
    kept = "\n".join(part for part in (head, f'[model]\nunlearned = "{unlearned}"\n', without(tail, "learn", "unlearn", "liar", "broken")))
    path.write_text(kept, encoding="utf-8")
    run(path, tmp_path / "run")
    seen = {(b["role"], b["trace"]): b for b in named(tmp_path / "run", "state_trace")}
    assert {role for role, _ in seen} == {"subject"}
    assert seen["subject", "cka"]["missing"] == "there is no state 'original' to set beside this one"
    assert seen["subject", "curvature"]["value"] is not None


def without(text: str, *tables: str) -> str:
    """Return a plan's text without these tables."""
    parts = ("\n" + text).split("\n[")
    gone = tuple(f"{t}]" for t in tables) + tuple(f"{t}." for t in tables)
    return "\n[".join(p for p in parts if not p.startswith(gone))


def test_rows_are_asked_for_what_any_probe_expects_of_them(looked: Path) -> None:
    case = plans.load(looked / "plan.toml").case.made()
    looked_at = rest(case, own="", others={})
    assert looked_at.keywords == tuple((row.answer,) for row in case.forget)
    assert all(isinstance(row, Row) for row in looked_at.retain)
    assert looked_at.retain == case.retain


def test_the_desk_reads_a_point_for_every_attacked_arm(looked: Path) -> None:
    found = {p.role: p for p in states(looked / "run")}
    assert set(found) == {"subject", "never_exposed", "positive"}
    assert all(tuple(p.traces) == tuple(READINGS) for p in found.values())
    lines = {(b["role"], b["trace"]): b for b in named(looked / "run", "state_trace")}
    assert found["subject"].traces["weight_delta_norm"] == lines["subject", "weight_delta_norm"]["value"]
    assert isinstance(found["subject"].recovery, float)
    assert state_predictions(list(found.values()))["cka"].correlation == Missing("3 distinct states; at least 20 are needed")
