"""Numbers read from relearn curves: recovery, area, relearn time, survival, log-rank. By hand, at the limits, and what cannot be told."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from scipy import stats

from vestige.desk.stats.intervals import Estimate, student_t
from vestige.desk.stats.recovery import Recovered, excess_recovery, recovery
from vestige.desk.stats.relearn_curves import Crossing, TimeRatio, area, crossing, least_budget, time_ratio
from vestige.desk.stats.survival import LogRank, Survival, log_rank, survival
from vestige.records import Missing

Levels = dict[str, float]


def levels(*values: float) -> Levels:
    return {str(i): v for i, v in enumerate(values)}


# ---- recovery


def got(found: Recovered | Missing) -> Recovered:
    assert isinstance(found, Recovered)
    return found


def test_recovery_is_the_gain_over_the_loss() -> None:
    # Gains 0.1 0.2 0.3 0.4, losses 0.5 each: 0.25 / 0.5. Losses that do not vary leave t over the gains, divided by 0.5.
    found = got(recovery(levels(*[0.1] * 4), levels(0.2, 0.3, 0.4, 0.5), levels(*[0.6] * 4)))
    half = student_t(0.025, 3) * math.sqrt(0.05 / 3 / 4)
    assert (found.value, found.n) == (pytest.approx(0.5), 4)
    assert (found.low, found.high) == (pytest.approx((0.25 - half) / 0.5), pytest.approx((0.25 + half) / 0.5))


def test_at_fiellers_bounds_the_difference_is_t_standard_errors() -> None:
    gained, lost = [0.1, 0.35, 0.2, 0.45, 0.3, 0.05], [0.5, 0.9, 0.6, 0.8, 0.7, 0.4]
    found = got(recovery(levels(*[0.0] * 6), levels(*gained), levels(*lost)))
    assert found.value == pytest.approx(1.45 / 3.9)
    for rho in (found.low, found.high):
        rest = stats.ttest_1samp([g - rho * d for g, d in zip(gained, lost, strict=True)], 0.0)
        assert rest.pvalue == pytest.approx(0.05)


def test_limits_of_recovery() -> None:
    before, original = levels(*[0.1] * 20), levels(*[0.9] * 20)
    none, all_ = got(recovery(before, before, original)), got(recovery(before, original, original))
    assert (none.value, all_.value) == (0.0, pytest.approx(1.0))
    # None of 20: the exact bound 1 - 0.025^(1/20) = 0.168434 of a full score, over the 0.8 that was lost.
    assert none.high == pytest.approx(0.168434 / 0.8, abs=1e-6)
    assert none.low < 0 < none.high


def test_excess_is_what_the_control_does_not_pick_up() -> None:
    before, after, original = levels(0.1, 0.1, 0.1, 0.1), levels(0.3, 0.5, 0.4, 0.6), levels(*[0.9] * 4)
    control = levels(0.0, 0.1, 0.0, 0.1), levels(0.2, 0.2, 0.1, 0.3)
    # Gains 0.2 0.4 0.3 0.5, the control's 0.2 0.1 0.1 0.2: (0 + 0.3 + 0.2 + 0.3)/4 = 0.2 of the 0.8 lost.
    found = got(excess_recovery(before, after, original, control=control))
    assert found.value == pytest.approx(0.25)
    still = levels(*[0.0] * 4), levels(*[0.0] * 4)
    assert got(excess_recovery(before, after, original, control=still)) == got(recovery(before, after, original))
    same = got(excess_recovery(before, after, original, control=(before, after)))
    assert same.value == 0.0


def test_a_model_that_lost_nothing_recovers_nothing() -> None:
    same = levels(0.5, 0.6, 0.7, 0.8)
    assert recovery(same, same, same) == Missing("what was lost, 0.000, is not told from nothing: there is nothing to recover")
    noisy = levels(0.6, 0.5, 0.9, 0.7)  # 0.025 on average, of -0.1 to 0.2
    assert "not told from nothing" in recovery(same, same, noisy).reason  # type: ignore[union-attr]
    assert "not told from nothing" in recovery(levels(0.9, 0.8), same_two(), levels(0.1, 0.2)).reason  # type: ignore[union-attr]


def same_two() -> Levels:
    return levels(0.5, 0.5)


def test_what_recovery_cannot_be_told_from() -> None:
    two = levels(0.1, 0.2)
    assert recovery({}, {}, {}) == Missing("0 cluster with data; two or more are needed")
    assert recovery({"a": 0.1}, {"a": 0.2}, {"a": 0.9}) == Missing("1 cluster with data; two or more are needed")
    assert recovery(two, levels(0.1), two) == Missing("1 clusters do not have every level, '1' for one")
    assert recovery(two, levels(0.1, math.nan), two) == Missing("a level is not a finite number")
    assert isinstance(excess_recovery(two, two, two, control=(two, {})), Missing)
    assert isinstance(excess_recovery({}, {}, {}, control=({}, {})), Missing)


# ---- curves


def test_area_by_hand() -> None:
    # 0 -> 0.4 over 4 steps: 0.8; 0.4 -> 0.6 over 6: 3.0; 3.8 over 10 steps.
    assert area({0: 0.0, 4: 0.4, 10: 0.6}, 10) == pytest.approx(0.38)
    assert area({10: 0.6, 0: 0.0, 4: 0.4, 99: 9.0}, 10) == pytest.approx(0.38)
    assert area({0: 0.7, 5: 0.7}, 5) == pytest.approx(0.7)


def test_area_needs_both_ends_and_all_between() -> None:
    assert area({0: 0.0, 4: 0.4}, 10) == Missing("step 10 was not probed")
    assert area({4: 0.4, 10: 0.6}, 10) == Missing("step 0 was not probed")
    assert area({0: 0.0, 4: Missing("lost"), 10: 0.6}, 10) == Missing("no score at step 4")
    assert area({0: 0.0, 4: math.nan, 10: 0.6}, 10) == Missing("no score at step 4")
    assert area({}, 10) == Missing("step 0 was not probed")
    with pytest.raises(ValueError, match="a budget of 0 steps"):
        area({0: 0.1}, 0)


def test_a_curve_crosses_between_two_looks() -> None:
    curve: Any = {0: 0.1, 4: 0.2, 8: 0.6, 16: 0.3}
    assert crossing(curve, 0.5) == Crossing(4, 8)
    assert crossing(curve, 0.6) == Crossing(4, 8)  # reaching it is enough
    assert crossing(curve, 0.7) == Crossing(16, None)
    assert crossing(curve, 0.1) == Crossing(0, 0)
    assert crossing({**curve, 4: Missing("lost")}, 0.5) == Crossing(0, 8)  # nobody looked at 4
    assert crossing({**curve, 8: math.nan}, 0.5) == Crossing(16, None)
    assert crossing({0: Missing("lost")}, 0.5) == crossing({}, 0.5) == Missing("no step has a score")
    assert crossing(curve, math.nan) == Missing("a threshold of nan is no number")


def test_time_ratio_by_hand() -> None:
    # The subject in (4, 8], the control in (16, 32]: 8/32, at least 4/32, at most 8/16.
    assert time_ratio(Crossing(4, 8), Crossing(16, 32)) == TimeRatio(0.25, 0.125, 0.5)
    assert time_ratio(Crossing(0, 0), Crossing(0, 4)) == TimeRatio(0.0, 0.0, None)
    assert time_ratio(Crossing(8, 16), Crossing(8, 16)) == TimeRatio(1.0, 0.5, 2.0)


def test_a_time_that_was_not_seen_gives_no_ratio() -> None:
    assert time_ratio(Crossing(4, 8), Crossing(64, None)) == Missing("the control did not reach the threshold within 64 steps")
    assert time_ratio(Crossing(64, None), Crossing(4, 8)) == Missing("the subject did not reach the threshold within 64 steps")
    assert time_ratio(Missing("lost"), Crossing(4, 8)) == Missing("subject: lost")
    assert "before any step" in time_ratio(Crossing(4, 8), Crossing(0, 0)).reason  # type: ignore[union-attr]


def estimate(low: float) -> Estimate:
    return Estimate(low + 0.1, low, low + 0.2, 10, 10.0, "t")


def test_least_budget_by_hand() -> None:
    curve: Any = {16: estimate(0.3), 4: estimate(0.05), 8: estimate(0.2)}
    assert least_budget(curve, 0.2) == 8
    assert least_budget(curve, 0.0) == 4
    assert least_budget(curve, 0.5) == Missing("no budget up to 16 reaches 0.5")
    assert least_budget({**curve, 32: Missing("lost")}, 0.5) == Missing("no budget up to 16 reaches 0.5; 1 budgets have no estimate")
    assert least_budget({4: Missing("lost")}, 0.1) == least_budget({}, 0.1) == Missing("no budget has an estimate")


# ---- survival


def facts(*at: int | None, budget: int = 16) -> dict[str, Crossing | Missing]:
    """Return facts revived at these steps of 4, 8 and 16, or never."""
    before = {4: 0, 8: 4, 16: 8, 0: 0}
    return {str(i): Crossing(budget, None) if t is None else Crossing(before[t], t) for i, t in enumerate(at)}


def curve(found: Survival | Missing) -> Survival:
    assert isinstance(found, Survival)
    return found


def test_survival_by_hand() -> None:
    # Five facts: two of 5 revived at 4, one of the other 3 at 8, two never: 3/5, then 3/5 x 2/3 = 2/5.
    found = curve(survival(facts(4, 4, 8, None, None)))
    assert [(s.step, s.alive, s.at_risk, s.revived) for s in found.steps] == [
        (4, pytest.approx(0.6), 5, 2),
        (8, pytest.approx(0.4), 3, 1),
        (16, pytest.approx(0.4), 2, 0),
    ]
    assert (found.n, found.censored, found.missing, found.median) == (5, 2, 0, Crossing(4, 8))


def test_those_who_left_are_no_longer_at_risk() -> None:
    # One leaves at 4 (its budget), unrevived; then one of three: 1 x 2/3, and not 3/4.
    found = curve(survival({**facts(8, None, None), "left": Crossing(4, None)}))
    assert [(s.step, s.alive, s.at_risk) for s in found.steps] == [(4, 1.0, 4), (8, pytest.approx(2 / 3), 3), (16, pytest.approx(2 / 3), 2)]


def test_greenwoods_band_on_the_log_log_scale() -> None:
    # S = 0.6 of 5: var(log S) = 2/(5 x 3), se of log(-log S) = sqrt(2/15)/|ln 0.6| = 0.714826; 0.6^exp(+-1.959964 x 0.714826).
    first = curve(survival(facts(4, 4, 8, None, None))).steps[0]
    assert (first.low, first.high) == (
        pytest.approx(0.6 ** math.exp(1.959964 * 0.714826), abs=1e-5),
        pytest.approx(0.6 ** math.exp(-1.959964 * 0.714826), abs=1e-5),
    )


def test_all_and_none_have_exact_bounds() -> None:
    none = curve(survival(facts(*[None] * 10)))
    assert [(s.alive, s.low, s.high) for s in none.steps] == [(1.0, pytest.approx(0.6915029, abs=1e-6), 1.0)]
    assert none.median == Crossing(16, None)
    all_ = curve(survival(facts(*[4] * 10)))
    assert [(s.alive, s.low, s.high) for s in all_.steps] == [(0.0, 0.0, pytest.approx(0.3084971, abs=1e-6))]
    assert all_.median == Crossing(0, 4)


def test_at_rest_is_a_step_too() -> None:
    assert curve(survival(facts(0, 4, None))).steps[0].alive == pytest.approx(2 / 3)


def test_probing_more_rarely_does_not_change_what_is_seen_at_the_steps_probed() -> None:
    rng = random.Random(3)
    times = [rng.expovariate(0.08) for _ in range(200)]

    def seen(grid: tuple[int, ...]) -> dict[str, Crossing | Missing]:
        return {str(i): crossing({0: 0.0} | {g: float(t <= g) for g in grid}, 0.5) for i, t in enumerate(times)}

    fine, coarse = curve(survival(seen((2, 4, 6, 8, 12, 16)))), curve(survival(seen((8, 16))))
    at = {s.step: s.alive for s in fine.steps}
    assert {s.step: s.alive for s in coarse.steps} == {8: pytest.approx(at[8]), 16: pytest.approx(at[16])}
    assert at[8] == pytest.approx(sum(t > 8 for t in times) / 200)


def test_facts_that_cannot_be_told_are_counted() -> None:
    assert curve(survival({**facts(4, None), "lost": Missing("no step has a score")})).missing == 1
    assert survival({"lost": Missing("no step has a score")}) == Missing("none of 1 facts has a relearn curve")
    assert survival({}) == Missing("none of 0 facts has a relearn curve")


def test_log_rank_by_hand() -> None:
    # A: 4 4 8 - -; B: 8 - - - (both to 16). At 4: 2 of 9 revived, 5 in A: E = 10/9, V = 2 (5/9)(4/9)(7/8) = 0.432099.
    # At 8: 2 of 7, 3 in A: E = 6/7, V = 2 (3/7)(4/7)(5/6) = 0.408163. (3 - 10/9 - 6/7) / sqrt(0.840262) = 1.125618.
    found = log_rank(facts(4, 4, 8, None, None), facts(8, None, None, None))
    assert isinstance(found, LogRank)
    assert (found.statistic, found.sizes) == (pytest.approx((3 - 10 / 9 - 6 / 7) / math.sqrt(0.432099 + 0.408163), abs=1e-5), (5, 4))
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(found.statistic)))
    other = log_rank(facts(8, None, None, None), facts(4, 4, 8, None, None))
    assert isinstance(other, LogRank)
    assert (other.statistic, other.p) == (pytest.approx(-found.statistic), pytest.approx(found.p))


def test_log_rank_holds_its_level() -> None:
    # Two models of 30 facts at one pace, 400 draws, at 5 %: standard error 0.0109; three of them.
    rng = random.Random(4)

    def drawn() -> dict[str, Crossing | Missing]:
        return facts(*(rng.choice((4, 8, 16, None, None)) for _ in range(30)))

    p = [found.p for found in (log_rank(drawn(), drawn()) for _ in range(400)) if isinstance(found, LogRank)]
    assert len(p) == 400
    assert abs(sum(x <= 0.05 for x in p) / 400 - 0.05) < 0.033


def test_what_log_rank_cannot_tell() -> None:
    lost: dict[str, Crossing | Missing] = {"a": Missing("lost")}
    assert log_rank(facts(4), lost) == Missing("1 and 0 facts have a relearn curve; both models need some")
    assert log_rank(facts(None, None), facts(None)) == Missing("no fact of either model was revived")
    assert log_rank(facts(4, 4), facts(4, 4)) == Missing("all facts were revived at one step, with nobody left to compare")


# ---- what is passed on


def test_a_level_reaches_every_interval_of_relearning() -> None:
    # Two facts of eight revived at step 2, none before: at 0 everybody is left (exact), at 2 the band is Greenwood's.
    facts: dict[str, Crossing | Missing] = {str(i): Crossing(0, 2) if i < 2 else Crossing(4, None) for i in range(8)}
    strict, loose = (survival(facts, alpha=a) for a in (0.025, 0.2))
    assert isinstance(strict, Survival)
    assert isinstance(loose, Survival)
    for a, b in zip(strict.steps, loose.steps, strict=True):
        assert a.high - a.low > b.high - b.low
    # Only two clusters gained anything: the exact interval, which depends on alpha as well.
    before, after, original = levels(*[0.0] * 10), levels(*[0.4] * 2, *[0.0] * 8), levels(*[1.0] * 9, 0.9)
    narrow, wide = (got(recovery(before, after, original, alpha=a)) for a in (0.2, 0.025))
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
    assert wide.n == narrow.n == 10


def test_three_clusters_that_differ_are_enough_for_fieller() -> None:
    # With three that gained, the bounds are Fieller's around the ratio; with two they are those of a share.
    before, original = levels(*[0.0] * 12), levels(*[1.0] * 12)
    three, two = (got(recovery(before, levels(*[0.6] * k, *[0.0] * (12 - k)), original)) for k in (3, 2))
    gained = [0.6] * 3 + [0.0] * 9
    half = student_t(0.025, 11) * math.sqrt(sum((g - 0.15) ** 2 for g in gained) / 11 / 12)
    assert (three.low, three.high) == (pytest.approx(0.15 - half), pytest.approx(0.15 + half))
    assert two.low != pytest.approx(0.1 - student_t(0.025, 11) * math.sqrt((2 * 0.25 + 10 * 0.01) / 11 / 12))


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_cluster_that_is_missing_or_too_many_in_any_of_the_levels_is_named(which: int) -> None:
    for change in ({}, {"extra": 0.5}):
        parts = [{**levels(0.0, 0.1, 0.2), **(change if i == which else {})} for i in range(3)]
        if not change:
            del parts[which]["1"]
        found = recovery(*parts)
        assert isinstance(found, Missing)
        assert found.reason.startswith("1 clusters do not have every level")


def test_a_budget_of_one_step_is_a_budget() -> None:
    assert area({0: 0.0, 1: 1.0}, 1) == pytest.approx(0.5)


def test_a_control_that_was_there_before_any_step_is_told_so() -> None:
    found = time_ratio(Crossing(2, 4), Crossing(0, 0))
    assert found == Missing("the control was at the threshold before any step: it tells nothing about the data")
