"""kill -9 at any moment: no completed cell is lost or doubled, and the verdict is that of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest

import killing
import tiny
from vestige.desk.run_folder import verify
from vestige.errors import ModelError
from vestige.lab import model_sources

PLAN = """\
vestige = 1
name = "tiny"
attacked = ["subject", "never_exposed", "positive"]
[model]
name = "{model}"
[case]
name = "customers"
[learn]
lr = 3e-3
epochs = 2
[unlearn]
method = "gradient_difference"
lr = 1e-3
steps = 4
stop = {{ below = 0.1, every = 2 }}
[liar]
method = "mask"
steps = 4
[[relearn_sets]]
recipe = "rtt_fold"
[[relearn_sets]]
recipe = "source"
source = "unrelated"
[[attacks]]
method = "relearn"
steps = 4
batch_tokens = 80
[rule]
delta = 0.2
"""


REAL = """\
vestige = 1
name = "real"
attacked = ["subject"]
[model]
name = "smollm2-135m-instruct"
[case]
name = "capitals"
[unlearn]
method = "gradient_difference"
lr = 1e-5
steps = 3
batch_size = 24
[[relearn_sets]]
recipe = "source"
source = "other_capitals"
[[relearn_sets]]
recipe = "source"
source = "unrelated"
[[attacks]]
method = "relearn"
lr = 2e-5
steps = 2
probe_at = [1, 2]
"""


def cells(out: Path) -> Counter[str]:
    """Return how often each cell was recorded as done."""
    lines = [json.loads(line) for line in (out / "ledger.jsonl").read_bytes().splitlines()]
    return Counter(line["body"]["cell"] for line in lines if line["kind"] == "cell_done")


def finish(plan: Path, out: Path, key: Path) -> None:
    """Let a run go on to its end."""
    assert killing.start(plan, out, key).wait(timeout=300) in (0, 1, 3)


def after_a_kill(out: Path, before: Counter[str]) -> Counter[str]:
    """Check what a kill left behind, and return the cells that are done."""
    if not (out / "ledger.jsonl").exists():
        return before
    raw = (out / "ledger.jsonl").read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    done = Counter(json.loads(x)["body"]["cell"] for x in whole.splitlines() if b'"kind":"cell_done"' in x)
    assert not before - done, "a completed cell was lost"
    assert max(done.values(), default=1) == 1, "a cell was recorded twice"
    return done


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_thirty_two_kills_of_a_real_run(tmp_path: Path) -> None:
    rounds = int(os.environ.get("VESTIGE_KILL_ROUNDS", "8"))
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(model=tiny.make(tmp_path / "model")), encoding="utf-8")
    calm = tmp_path / "calm"
    assert killing.start(plan, calm).wait(timeout=300) in (0, 1, 3)
    rng = random.Random(0)
    hits: Counter[str] = Counter()
    for n in range(rounds):
        out, done = tmp_path / f"run-{n}", Counter[str]()
        end = ("verdict.json.partial", "verdict.json", "seal.json")[n % 3]
        moments = {
            "probing": lambda out=out: killing.kill_while(plan, out, calm, cells=0, delay=rng.uniform(1.0, 3.0)),
            "training": lambda out=out: killing.kill_while(plan, out, calm, cells=1, delay=rng.uniform(2.0, 4.0)),
            "commit": lambda out=out: killing.kill_when_ledger_grows(plan, out, calm, rng.uniform(0, 0.005)),
            "finish": lambda out=out, end=end: killing.kill_at_finish(plan, out, calm, end),
        }
        for kind, strike in moments.items():
            hits[kind if strike() != "over" else f"{kind}, too late"] += 1
            done = after_a_kill(out, done)
        finish(plan, out, calm)
        assert (out / "verdict.json").read_bytes() == (calm / "verdict.json").read_bytes()
        assert cells(out) == cells(calm)
        assert verify(out).sound
    print(dict(hits))
    assert min(hits[kind] for kind in ("probing", "training", "commit", "finish")) >= min(3, rounds)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_three_kills_of_a_run_on_a_real_language_model(tmp_path: Path) -> None:
    try:
        model_sources.locate(model_sources.DEFAULT_MODEL)
    except ModelError as error:
        pytest.skip(str(error))
    plan, calm, out, done = tmp_path / "plan.toml", tmp_path / "calm", tmp_path / "run", Counter[str]()
    plan.write_text(REAL, encoding="utf-8")
    assert killing.start(plan, calm).wait(timeout=900) in (0, 1, 3)
    strikes = (
        lambda: killing.kill_while(plan, out, calm, cells=1, delay=6.0),  # training: the base was asked, unlearning is under way
        lambda: killing.kill_when_ledger_grows(plan, out, calm, 0.0),  # commit
        lambda: killing.kill_when_ledger_grows(plan, out, calm, 0.0),  # commit of the first attack, the second is under way
    )
    for strike in strikes:
        assert strike() != "over"
        done = after_a_kill(out, done)
    finish(plan, out, calm)
    assert (out / "verdict.json").read_bytes() == (calm / "verdict.json").read_bytes()
    assert cells(out) == cells(calm)
    assert verify(out).sound


@pytest.mark.timeout(240)
def test_two_kills_of_a_real_run(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(model=tiny.make(tmp_path / "model")), encoding="utf-8")
    calm, out = tmp_path / "calm", tmp_path / "run"
    assert killing.start(plan, calm).wait(timeout=120) in (0, 1, 3)
    done = Counter[str]()
    for delay in (0.0, 0.05):
        killing.kill_when_ledger_grows(plan, out, calm, delay)
        done = after_a_kill(out, done)
    finish(plan, out, calm)
    assert (out / "verdict.json").read_bytes() == (calm / "verdict.json").read_bytes()
    assert cells(out) == cells(calm)
    assert verify(out).sound
