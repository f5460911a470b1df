"""A run takes over what another run of the same key has done: what comes out is what would have come out, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner

from inline import InlinePool
from test_runner import CELLS, PLAN, NoPool, bodies, done, write_case
from vestige import plan as plans
from vestige import runner
from vestige.cli import main
from vestige.desk.run_folder import shred, verify
from vestige.errors import UsageError

# With another method, what is made anew is the subject, its sham, and the three arms in which the subject is attacked.
NEW = 5


def run(plan: Path, out: Path, pool: type = InlinePool, **more: Any) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "Pool", pool)
        return runner.run(plans.load(plan), out, quiet=True, **more)


class Counts(InlinePool):
    """A pool that remembers what it was given."""

    jobs: ClassVar[list[Any]] = []

    def give(self, job: Any) -> None:
        Counts.jobs.append(job)
        super().give(job)


@pytest.fixture(scope="module")
def two(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A plan, and the same with another method."""
    folder = tmp_path_factory.mktemp("plans")
    text = (
        PLAN.format(model=model, case=write_case(folder / "case"))
        .replace("workers = 1", "workers = 1\nkeep_states = true")
        .replace("batch_tokens = 40", "batch_tokens = 40\nprobe_at = [2]")
    )
    first, second = folder / "first.toml", folder / "second.toml"
    first.write_text(text, encoding="utf-8")
    second.write_text(text.replace('method = "gradient_difference"', 'method = "npo"'), encoding="utf-8")
    return first, second


@pytest.fixture(scope="module")
def finished(two: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    run(two[0], out)
    return out


def test_what_is_equal_is_taken_over_and_the_verdict_is_that_of_a_run_by_itself(
    two: tuple[Path, Path], finished: Path, tmp_path: Path
) -> None:
    alone, taken = tmp_path / "alone", tmp_path / "taken"
    run(two[1], alone, key_from=finished)
    Counts.jobs = []
    run(two[1], taken, pool=Counts, reuse=finished)
    assert len(Counts.jobs) == NEW  # nothing is learned again: the weights of what the new cells start from were kept
    assert (taken / "verdict.json").read_bytes() == (alone / "verdict.json").read_bytes()
    assert done(taken) == done(alone)
    assert len(done(taken)) == CELLS
    assert verify(taken).problems == []


def test_without_kept_weights_they_are_made_again_and_must_come_out_the_same(
    two: tuple[Path, Path], finished: Path, tmp_path: Path
) -> None:
    bare = Path(shutil.copytree(finished, tmp_path / "bare", ignore=shutil.ignore_patterns("states")))
    out = tmp_path / "out"
    Counts.jobs = []
    run(two[1], out, pool=Counts, reuse=bare)
    assert len(Counts.jobs) == NEW + 2  # the original and the twin, from which subject and sham start
    assert done(out).total() == CELLS
    assert verify(out).problems == []


def test_the_other_run_is_left_as_it_was(two: tuple[Path, Path], finished: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}
    run(two[1], tmp_path / "out", reuse=finished)
    shred(tmp_path / "out")
    assert {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()} == before


def test_the_same_plan_takes_everything_over_and_starts_no_worker(two: tuple[Path, Path], finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(two[0], out, pool=NoPool, reuse=finished)
    assert (out / "verdict.json").read_bytes() == (finished / "verdict.json").read_bytes()
    assert sorted(map(str, bodies(out, "answer"))) == sorted(map(str, bodies(finished, "answer")))


def test_a_cell_that_was_asked_less_is_not_taken_over(two: tuple[Path, Path], finished: Path, tmp_path: Path) -> None:
    """One more probe step: the nine attacked arms were asked less than that, the arms at rest were not."""
    plan = two[0].parent / "more.toml"
    plan.write_text(two[0].read_text(encoding="utf-8").replace("probe_at = [2]", "probe_at = [1, 2]"), encoding="utf-8")
    out = tmp_path / "out"
    Counts.jobs = []
    run(plan, out, pool=Counts, reuse=finished)
    assert len(Counts.jobs) == 9
    assert verify(out).problems == []


def test_another_key_other_asking_and_a_shredded_run_are_refused(two: tuple[Path, Path], finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(two[0], out, reuse=finished)
    other = tmp_path / "other"
    run(two[1], other)
    with pytest.raises(UsageError, match="another key"):
        run(two[1], other, reuse=finished)
    asks = two[0].parent / "asks.toml"
    asks.write_text(two[0].read_text(encoding="utf-8").replace("max_new = 2", "max_new = 3"), encoding="utf-8")
    with pytest.raises(UsageError, match=r"\[ask\] differs"):
        run(asks, tmp_path / "asks", reuse=finished)
    shred(out)
    with pytest.raises(UsageError, match="no key there"):
        run(two[1], tmp_path / "third", reuse=out)


def test_a_key_comes_with_what_is_reused(two: tuple[Path, Path], finished: Path) -> None:
    told = CliRunner().invoke(main, ["run", str(two[0]), "--key-from", str(finished), "--reuse", str(finished)])
    assert told.exit_code == 4
    assert "leave --key-from out" in told.output
