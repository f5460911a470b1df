"""Power before the run: by hand, at the limits, and against draws."""

from __future__ import annotations

import math
import random

import pytest

from vestige.desk.stats.intervals import Estimate, estimate, n_min, student_t
from vestige.desk.stats.power import Design, at_least, below, clusters_for_pass, clusters_for_width, half_width
from vestige.records import Missing


def test_sigma_by_hand() -> None:
    # p = 0.5, q = 0.1: 0.25 + 0.09 = 0.34; four probes with icc 0.5: x (1 + 3 x 0.5) / 4 = 0.625.
    assert Design(10, 1, 0.5, 0.1).sigma == pytest.approx(math.sqrt(0.34))
    assert Design(10, 4, 0.5, 0.1, icc=0.5).sigma == pytest.approx(math.sqrt(0.34 * 0.625))
    assert Design(10, 4, 0.5, 0.1, icc=1.0).sigma == pytest.approx(math.sqrt(0.34))  # four times the same question
    assert Design(10, 4, 0.5, 0.1, icc=0.0).sigma == pytest.approx(math.sqrt(0.34 / 4))


def test_clusters_for_five_points() -> None:
    # sigma 0.5: t sqrt(0.25 / C) <= 0.05. With C = 387: t = 1.96614, 0.049973; with 386: 0.050038.
    design = Design(2, 1, 0.5)
    assert clusters_for_width(design, 0.05) == 387
    assert half_width(design.of(387)) <= 0.05 < half_width(design.of(386))
    assert half_width(design.of(387)) == pytest.approx(student_t(0.025, 386) * 0.5 / math.sqrt(387))


def test_where_nothing_is_seen_the_exact_bound_counts() -> None:
    # None of n ends below 0.05 from 72 on, below 0.2 from 17 on; four probes a cluster count for 1.6.
    assert clusters_for_width(Design(2, 1, 0.0), 0.05) == n_min(0.05) == 72
    assert clusters_for_pass(Design(2, 1, 0.0), 0.2) == 17
    assert clusters_for_pass(Design(2, 4, 0.0), 0.2) == 11  # 11 x 1.6 = 17.6
    assert (below(Design(17, 1, 0.0), 0.2), below(Design(16, 1, 0.0), 0.2)) == (1.0, 0.0)
    assert at_least(Design(17, 1, 0.0), 0.2) == 0.0
    # All of n against none: the lower bound is above 0 from n_min(1/2) = 6 on.
    assert (at_least(Design(6, 1, 1.0), 0.2), at_least(Design(5, 1, 1.0), 0.2)) == (1.0, 0.0)
    assert below(Design(50, 1, 1.0), 0.2) == 0.0


def test_at_the_edge_of_delta_a_pass_has_the_probability_alpha() -> None:
    # With E = delta, P(x + t s / sqrt(C) < delta) = P(T < -t) = 0.025, whatever sigma.
    for clusters in (5, 20, 80):
        assert below(Design(clusters, 1, 0.3, 0.1), 0.2) == pytest.approx(0.025, abs=2e-4)
        assert at_least(Design(clusters, 1, 0.3, 0.3), 0.0) == pytest.approx(0.025, abs=2e-4)


def test_more_clusters_and_more_probes_never_do_worse() -> None:
    grid = [[below(Design(c, m, 0.1, 0.1, icc=0.3), 0.2) for c in (10, 20, 40, 80)] for m in (1, 4, 16)]
    assert all(row == sorted(row) for row in grid)
    assert all(list(column) == sorted(column) for column in zip(*grid, strict=True))
    assert grid[-1][-1] > 0.99


def test_a_fail_needs_the_level_and_the_evidence() -> None:
    # So many clusters that the mean decides alone: at E = delta one half, well above it all.
    assert at_least(Design(5000, 1, 0.3, 0.1), 0.2) == pytest.approx(0.5, abs=0.01)
    assert at_least(Design(500, 1, 0.4, 0.1), 0.2) > 0.99
    assert at_least(Design(10, 1, 0.4, 0.1), 0.2) < at_least(Design(40, 1, 0.4, 0.1), 0.2)


@pytest.mark.parametrize(("subject", "control"), [(0.5, 0.5), (0.5, 0.3), (0.4, 0.4)])
def test_power_is_that_of_draws(subject: float, control: float) -> None:
    # 1500 draws of 40 clusters of four probes without clustering; standard error at most 1.3 points, three of them.
    rng = random.Random(7)
    passed = failed = 0
    for _ in range(1500):
        differences = {str(i): [float(rng.random() < subject) - float(rng.random() < control) for _ in range(4)] for i in range(40)}
        found = estimate(differences)
        assert isinstance(found, Estimate)
        passed += found.high < 0.15
        failed += found.value >= 0.15 and found.low > 0
    design = Design(40, 4, subject, control, icc=0.0)
    assert passed / 1500 == pytest.approx(below(design, 0.15), abs=0.039)
    assert failed / 1500 == pytest.approx(at_least(design, 0.15), abs=0.06)  # levels of 1/160: ties at exactly delta


def test_clusters_for_a_pass_reach_the_power_and_one_less_does_not() -> None:
    design = Design(2, 4, 0.1, 0.1, icc=0.5)
    needed = clusters_for_pass(design, 0.2, power=0.8)
    assert isinstance(needed, int)
    assert below(design.of(needed), 0.2) >= 0.8 > below(design.of(needed - 1), 0.2)


def test_what_no_number_of_clusters_shows() -> None:
    assert clusters_for_pass(Design(2, 1, 0.3, 0.1), 0.2) == Missing("a difference of 0.2 is not below 0.2: no number of clusters shows it")
    assert clusters_for_width(Design(2, 1, 0.5), 0.001) == Missing("10000 clusters of 1 do not give a half width of 0.001")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ((1, 1, 0.5), "1 clusters of 1 probes"),
        ((5, 0, 0.5), "5 clusters of 0 probes"),
        ((5, 1, 1.5), "subject = 1.5; expected 0 to 1"),
        ((5, 1, 0.5, -0.1), "control = -0.1"),
        ((5, 1, 0.5, 0.1, math.nan), "icc = nan"),
    ],
)
def test_what_is_no_design_is_refused(fields: tuple[float, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Design(*fields)  # type: ignore[arg-type]


def test_a_level_reaches_every_number() -> None:
    # At alpha = 0.1 a side "none of n" ends below 0.2 from 11 on (0.8^11 = 0.086), below 0.05 from 45 on (0.95^45 = 0.0994), and "all of n"
    # begins above 1/2 from 4 on (0.5^4 = 0.0625).
    nothing, everything = Design(2, 1, 0.0), Design(2, 1, 1.0)
    assert (below(nothing.of(11), 0.2, alpha=0.1), below(nothing.of(10), 0.2, alpha=0.1)) == (1.0, 0.0)
    assert (at_least(everything.of(4), 0.2, alpha=0.1), at_least(everything.of(3), 0.2, alpha=0.1)) == (1.0, 0.0)
    assert clusters_for_width(nothing, 0.05, alpha=0.1) == 45
    assert clusters_for_pass(nothing, 0.2, alpha=0.1) == 11
    spread = Design(2, 1, 0.1, 0.1)
    strict, loose = clusters_for_pass(spread, 0.2), clusters_for_pass(spread, 0.2, alpha=0.1)
    assert isinstance(strict, int)
    assert isinstance(loose, int)
    assert loose < strict


def test_without_any_spread_what_is_planned_is_compared_with_delta_itself() -> None:
    both = Design(50, 1, 1.0, 1.0)  # everything in either arm: a difference of 0
    assert (below(both, 0.2), at_least(both, 0.2)) == (1.0, 0.0)
    all_of_it = Design(50, 1, 1.0)
    assert (below(all_of_it, 1.0), at_least(all_of_it, 1.0)) == (0.0, 1.0)


def test_another_number_of_clusters_is_all_that_changes() -> None:
    assert Design(10, 4, 0.3, 0.1, 0.7).of(20) == Design(20, 4, 0.3, 0.1, 0.7)


def test_what_cannot_be_reached_is_named() -> None:
    found = clusters_for_pass(Design(2, 1, 0.5, 0.5), 0.001)
    assert isinstance(found, Missing)
    assert found.reason == "10000 clusters of 1 do not give a power of 0.8"


@pytest.mark.parametrize("fewest", [2, 3, 4, 5, 7, 8, 9])
def test_the_fewest_clusters_are_found_wherever_they_lie(fewest: int) -> None:
    design = Design(2, 1, 0.5)
    assert clusters_for_width(design, half_width(design.of(fewest))) == fewest
