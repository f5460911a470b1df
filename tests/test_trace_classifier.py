"""The classifier of traces: it finds what is planted, and nothing where nothing is."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from synthetic import Run
from vestige.desk.stats.auc_interval import Area
from vestige.desk.trace_classifier import Classified, Traced, classify, of_what, traced
from vestige.records import Missing


def states(groups: int, shift: float, *, seed: int = 0) -> list[Traced]:
    """An unlearned state and another of each group; the first of three features lies `shift` standard deviations higher in the former."""
    draw = random.Random(seed)
    return [
        Traced(f"run {group}", unlearned, {"a": draw.gauss(shift * unlearned, 1), "b": draw.gauss(0, 1), "c": draw.gauss(5, 0.01)})
        for group in range(groups)
        for unlearned in (True, False)
    ]


def test_what_is_planted_is_found() -> None:
    found = classify(states(20, 8.0))
    assert isinstance(found, Classified)
    assert (found.groups.value, found.ranks.value, found.features) == (1.0, 1.0, ("a", "b", "c"))
    # 20 of 20 groups: the exact lower limit is .025^(1/20) = .832.
    assert found.groups.low == pytest.approx(0.025 ** (1 / 20))


def test_nothing_is_found_in_noise() -> None:
    found = [classify(states(20, 0.0, seed=seed)) for seed in range(200)]
    areas = [f.ranks for f in found if isinstance(f, Classified)]
    assert len(areas) == 200
    # Leaving one out leans below 1/2: a state's own noise is missing from the mean of its kind.
    assert 0.4 < sum(a.value for a in areas) / 200 < 0.5
    # 2.5 of 100 are promised; 5 of 200, and 11 or more with probability .01 (binomial).
    assert sum(a.low > 0.5 for a in areas) <= 10


def test_a_state_is_nearer_to_the_mean_it_belongs_to_by_hand() -> None:
    # Left out: run 0, at 0.2. Others: unlearned at 1 and 1, not at 0 and 0: mean .5, sd .5. Its own is -.6, the means are +1
    # and -1: .16 to the mean of those not unlearned, 2.56 to the other. So it is not unlearned.
    made = [Traced("run 0", False, {"a": 0.2}), *(Traced(f"run {i}", bool(i % 2), {"a": float(i % 2)}) for i in (1, 2, 3, 4))]
    found = classify(made)
    assert isinstance(found, Classified)
    assert found.groups.value == 1.0


def test_a_state_never_has_a_part_in_the_means_it_is_judged_by() -> None:
    """Two groups, each with a feature of its own level: within a group nothing parts the states, and across groups it misleads."""
    made = [Traced(f"run {g}", u, {"a": 10.0 * g + (1 if u else 0) * (-1) ** g}) for g in (0, 1) for u in (True, False)]
    found = classify(made)
    assert isinstance(found, Classified)
    assert found.groups.value == 0.0


def test_one_kind_of_state_or_no_common_reading_is_missing() -> None:
    assert isinstance(classify([]), Missing)
    assert isinstance(classify([Traced("r", True, {"a": 1.0}), Traced("s", True, {"a": 2.0})]), Missing)
    assert isinstance(classify([Traced("r", True, {"a": 1.0}), Traced("s", False, {"b": 2.0})]), Missing)


def test_forgotten_clusters_are_told_from_retained_ones_where_they_score_lower(tmp_path: Path) -> None:
    run = Run(levels={("subject", None): {0: 0.1}}, sets=(), jitter=0.02)
    run.write(tmp_path)
    found = dict(of_what(tmp_path))
    assert isinstance(found["subject"], Area)
    assert found["subject"].value > 0.9
    assert traced(tmp_path) == []
