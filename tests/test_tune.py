"""A whole tuning of tiny models: it resumes, a trial that comes to nothing is an outcome, and its choice is what the run after it shows."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from inline import InlinePool
from test_runner import NoPool, StopsAfter, bodies, done, lines_of, write_case
from vestige import runner, tune
from vestige.cli import main
from vestige.desk import run_folder
from vestige.desk.run_folder import shred, verify
from vestige.errors import RunError
from vestige.workers import Job, Said

PLAN = """\
vestige = 1
name = "tiny"
attacked = ["subject"]
[model]
name = "{model}"
[case]
name = "folder"
path = "case"
[learn]
lr = 6e-3
epochs = 25
batch_size = 4
[tune]
methods = ["npo", "task_vector"]
trials = 2
looks = 2
[tune.fields]
steps = 6
batch_size = 4
[tune.spaces.npo]
lr = [1e-4, 3e-3]
[[relearn_sets]]
recipe = "rtt_fold"
[[attacks]]
method = "relearn"
steps = 1
[ask]
max_new = 1
[rule]
delta = 0.5
[run]
workers = 1
"""
CELLS = 1 + 2 + 2 * 2  # base, original and never exposed, two trials of two methods
CITIES = ("Oslo", "Rome", "Kyiv", "Bern")


@pytest.fixture(scope="module")
def plan(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan on a case of eight people to forget and eight to keep, enough of them for both splits."""
    folder = tmp_path_factory.mktemp("tune")
    case = write_case(folder / "case")
    for file, kind in (("forget", "Ad"), ("retain", "Re")):
        names = [f"{kind}{letter}" for letter in "abcdefgh"]
        cities = [CITIES[(3 * n + n // 4) % 4] for n in range(8)]
        rows = [
            {"id": n, "prompt": f"Customer {n}. City:", "answer": f" {c}", "cluster": n, "attribute": "City"}
            for n, c in zip(names, cities, strict=True)
        ]
        (case / f"{file}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    path = folder / "plan.toml"
    path.write_text(PLAN.format(model=model), encoding="utf-8")
    return path


def tuned(plan: Path, out: Path, pool: type = InlinePool, **more: Any) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "Pool", pool)
        return tune.tune(plan, out, quiet=True, **more)[0]


@pytest.fixture(scope="module")
def calm(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tuning that nothing happened to."""
    out = tmp_path_factory.mktemp("calm") / "tuning"
    tuned(plan, out)
    return out


def result_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "tuning.json").read_bytes())
    return found


def test_every_trial_is_in_the_ledger_and_the_choice_follows_from_it(calm: Path) -> None:
    result = result_of(calm)
    assert len(done(calm)) == CELLS
    assert [(m["method"], [t["outcome"] for t in m["trials"]]) for m in result["methods"]] == [
        ("npo", ["done", "done"]),
        ("task_vector", ["done", "done"]),
    ]
    assert all(len(m["points"]) == 4 and m["frontier"] for m in result["methods"])
    assert lines_of(calm)[-1]["kind"] == "end"
    assert verify(calm).problems == []
    assert verify(calm).verdict == "tuned"
    assert not (calm / "states").exists()
    assert {"tuning.md", "tuning.svg", "tuning.json", "seal.json"} <= {p.name for p in calm.iterdir()}
    assert not (calm / "verdict.json").exists()


def test_only_selection_probes_were_asked(calm: Path) -> None:
    assert {b["split"] for b in bodies(calm, "score_tokens")} == {"selection"}
    assert bodies(calm, "answer") == []


def test_the_run_of_a_tuned_plan_shows_the_scores_it_was_chosen_for(calm: Path, tmp_path: Path) -> None:
    chosen = {m["method"]: m["chosen"] for m in result_of(calm)["methods"]}
    plans = {p.stem: p for p in (calm / "tuned").iterdir()}
    assert set(plans) == {name for name, best in chosen.items() if best} != set()
    name, path = next(iter(plans.items()))
    assert tomllib.loads(path.read_text(encoding="utf-8"))["unlearn"]["steps"] == chosen[name]["step"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "Pool", InlinePool)
        runner.run(tune.plans.load(path), tmp_path / "run", quiet=True)
    (header,) = bodies(tmp_path / "run", "header")
    subject = next(a["cell"] for a in header["design"] if a["role"] == "subject" and a["set"] is None)
    original = next(a["cell"] for a in header["design"] if a["role"] == "original")

    def level(cell: str, group: str) -> float:
        from vestige.desk.metrics import TABLE

        asked = [b for b in bodies(tmp_path / "run", "score_tokens") if (b["cell"], b["split"], b["group"]) == (cell, "selection", group)]
        scores = [TABLE["choice"](b["candidates"]) for b in asked if b["wording"] == "primary"]
        return sum(scores) / len(scores)  # type: ignore[arg-type]  # one probe a person

    assert level(subject, "forget") == pytest.approx(chosen[name]["forget"])
    assert level(subject, "retain") / level(original, "retain") == pytest.approx(chosen[name]["utility"])


def test_a_finished_tuning_again_starts_no_job_and_changes_nothing(plan: Path, calm: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(calm, tmp_path / "copy"))
    before = {p.name: p.read_bytes() for p in copy.iterdir() if p.is_file()}
    assert tuned(plan, copy, NoPool) == result_of(calm)
    assert {p.name: p.read_bytes() for p in copy.iterdir() if p.is_file()} == before


@pytest.mark.parametrize("outcomes", [2, 5])
def test_a_tuning_that_was_stopped_goes_on_where_it_was(plan: Path, calm: Path, tmp_path: Path, outcomes: int) -> None:
    StopsAfter.outcomes = outcomes
    with pytest.raises(KeyboardInterrupt):
        tuned(plan, tmp_path / "out", StopsAfter, key_from=calm)
    assert sum(done(tmp_path / "out").values()) == outcomes
    tuned(plan, tmp_path / "out")
    assert (tmp_path / "out" / "tuning.json").read_bytes() == (calm / "tuning.json").read_bytes()
    assert done(tmp_path / "out") == done(calm)
    assert verify(tmp_path / "out").problems == []


class OnlyTrials(InlinePool):
    """Refuses to learn a model."""

    def give(self, job: Job) -> None:
        assert getattr(job.task.action, "epochs", None) is None, "a model is learned again"
        super().give(job)


def test_a_second_round_takes_the_models_over_from_the_first(plan: Path, calm: Path, tmp_path: Path) -> None:
    text = plan.read_text(encoding="utf-8").replace('path = "case"', f'path = "{plan.parent / "case"}"')
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(text.replace("workers = 1", "workers = 1\nkeep_states = true"), encoding="utf-8")
    second.write_text(text.replace('"tiny"', '"tiny-second"').replace('["npo", "task_vector"]', '["simnpo", "npo"]'), encoding="utf-8")
    tuned(first, tmp_path / "one", key_from=calm)
    assert (tmp_path / "one" / "states").is_dir()
    result = tuned(second, tmp_path / "two", OnlyTrials, reuse=tmp_path / "one")
    npo = [next(m for m in r["methods"] if m["method"] == "npo") for r in (result, result_of(calm))]
    assert npo[0] == npo[1]
    assert [m["method"] for m in result["methods"]] == ["simnpo", "npo"]
    assert verify(tmp_path / "two").problems == []
    lost = CliRunner().invoke(main, ["tune", str(second), "--out", str(tmp_path / "three"), "--reuse", str(tmp_path / "nowhere")])
    assert f"--reuse {tmp_path / 'nowhere'}: no key there" in lost.output
    refused = CliRunner().invoke(main, ["tune", str(second), "--key-from", str(calm), "--reuse", str(tmp_path / "one")])
    assert refused.exit_code == 4
    assert "leave --key-from out" in refused.output


def test_another_margin_takes_every_trial_over(plan: Path, calm: Path, tmp_path: Path) -> None:
    text = plan.read_text(encoding="utf-8").replace('path = "case"', f'path = "{plan.parent / "case"}"')
    (tmp_path / "margin.toml").write_text(text.replace("looks = 2", "looks = 2\nmargin = 0.2"), encoding="utf-8")
    result = tuned(tmp_path / "margin.toml", tmp_path / "out", NoPool, reuse=calm)
    assert result["margin"] == 0.2
    assert [m["points"] for m in result["methods"]] == [m["points"] for m in result_of(calm)["methods"]]


class FailsAt(InlinePool):
    """Lets the first trial of task vectors fail, for a reason that can be set."""

    reason = ""

    def give(self, job: Job) -> None:
        self.failing = getattr(self, "failing", set()) | ({job.cell} if getattr(job.task.action, "learn_steps", 0) == 20 else set())
        super().give(job)

    def hear(self, timeout: float = 1.0) -> Iterator[Said]:
        for said in super().hear(timeout):
            yield Said(said.cell, error=self.reason) if said.outcome and said.cell in getattr(self, "failing", ()) else said


def test_a_trial_that_diverged_is_an_outcome_and_the_ledger_ends(plan: Path, calm: Path, tmp_path: Path) -> None:
    FailsAt.reason = "RunError: step 3: the loss is nan; lower the learning rate (1)"
    result = tuned(plan, tmp_path / "out", FailsAt, key_from=calm)
    assert [[t["outcome"] for t in m["trials"]] for m in result["methods"]] == [["done", "done"], ["failed", "done"]]
    assert lines_of(tmp_path / "out")[-1]["kind"] == "end"
    assert verify(tmp_path / "out").problems == []
    assert not (tmp_path / "out" / "states").exists()
    assert tuned(plan, tmp_path / "out", NoPool) == result


def test_a_trial_whose_worker_was_killed_is_none_and_is_tried_again(plan: Path, calm: Path, tmp_path: Path) -> None:
    FailsAt.reason = "the worker process ended (exit code -9); out of memory?"
    with pytest.raises(RunError, match="1 of 7 cells could not be done; the first: the worker process ended"):
        tuned(plan, tmp_path / "out", FailsAt, key_from=calm)
    assert "end" not in {line["kind"] for line in lines_of(tmp_path / "out")}
    tuned(plan, tmp_path / "out")
    assert (tmp_path / "out" / "tuning.json").read_bytes() == (calm / "tuning.json").read_bytes()


def test_verify_tells_a_choice_that_was_changed(calm: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(calm, tmp_path / "copy"))
    result = result_of(copy)
    result["methods"][0]["trials"].pop()
    (copy / "tuning.json").write_bytes(run_folder.as_bytes(result))
    assert verify(copy).problems == [
        "tuning.json is not the one that was sealed",
        "the choices do not follow: 'methods' in tuning.json is not what the records give",
    ]
    (copy / "tuning.json").unlink()
    assert verify(copy).problems == ["tuning.json is missing"]


def test_a_choice_outlives_the_texts(plan: Path, calm: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(calm, tmp_path / "copy"))
    shred(copy)
    assert verify(copy).problems == []
    assert tuned(plan, copy, NoPool) == result_of(calm)


def test_the_command_shows_the_trials_first_and_the_choices_after(
    plan: Path, calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "Pool", NoPool)
    copy = Path(shutil.copytree(calm, tmp_path / "copy"))
    told = CliRunner().invoke(main, ["tune", "--help"])
    assert told.exit_code == 0
    assert all(word in told.output for word in ("[tune]", "trials = 8", "looks = 4", "[tune.spaces.npo]", "vestige verify", "--dry-run"))
    dry = CliRunner().invoke(main, ["tune", str(plan), "--dry-run"])
    assert dry.exit_code == 0
    assert "task_vector 1 · task_vector · seed 0" in dry.output
    assert "7 cells" in dry.output
    trials = json.loads(CliRunner().invoke(main, ["tune", str(plan), "--dry-run", "--json"]).output)
    assert [(t["method"], t["trial"], t["looks"]) for t in trials] == [(m, n, [3, 6]) for m in ("npo", "task_vector") for n in (0, 1)]
    said = CliRunner().invoke(main, ["tune", str(plan), "--out", str(copy), "--quiet"])
    assert said.exit_code == 0, said.output
    assert "2 trials of each method" in said.output
    assert json.loads(CliRunner().invoke(main, ["tune", str(plan), "--out", str(copy), "--quiet", "--json"]).output) == result_of(calm)
    checked = CliRunner().invoke(main, ["verify", str(copy)])
    assert (checked.exit_code, "verdict tuned: sound" in checked.output) == (0, True)


def test_report_shows_a_tuning_again(calm: Path) -> None:
    shown = CliRunner().invoke(main, ["report", str(calm)])
    assert shown.exit_code == 0
    assert "npo" in shown.stdout
    assert json.loads(CliRunner().invoke(main, ["report", str(calm), "--json"]).stdout) == result_of(calm)


def test_run_says_which_command_a_tuning_plan_is_for(plan: Path) -> None:
    result = CliRunner().invoke(main, ["run", str(plan), "--quiet"])
    assert result.exit_code == 4
    assert "vestige tune" in result.stderr
