"""What predicts recovery, on ledgers in which every level and covariate is planted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from synthetic import At, Run
from vestige.desk.predictors import (
    FEWEST_STATES,
    Point,
    StatePoint,
    beyond_rest,
    over_folds,
    points,
    predictions,
    rest_prediction,
    state_predictions,
    states,
)
from vestige.desk.run_folder import judge, verify
from vestige.desk.stats.rank_correlation import Correlation
from vestige.errors import LedgerError
from vestige.records import Missing
from vestige.similarity import COVARIATES

SETS = ("a", "b", "c", "d", "e")
# At rest the unlearned model is at 0.03. What each set brings back by step 4 rises from a to e; template similarity rises
# along but for d and e, relevance falls all the way.
LEVELS = {("subject", name): {2: 0.05, 4: 0.13 + 0.1 * n} for n, name in enumerate(SETS)}
TEMPLATE = dict(zip(SETS, (0.1, 0.2, 0.3, 0.5, 0.4), strict=True))


def stored(**more: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return covariates of every set; those that are not named are missing."""
    named = {"template": TEMPLATE, "relevance": {name: 1 - 0.1 * n for n, name in enumerate(SETS)}, **more}
    lacking = {name: {"reason": f"no {name}"} for name in COVARIATES}
    return {s: {**lacking, **{name: values[s] for name, values in named.items() if s in values}} for s in SETS}


def run(folder: Path, **changes: Any) -> Path:
    fields = {"sets": SETS, "levels": LEVELS, "covariates": stored(), "test": 5, "selection": 5}
    return Run(**{**fields, **changes}).write(folder)


def recovery(found: list[Point]) -> dict[tuple[str, int], Any]:
    return {(p.set, p.seed): p.recovery for p in found}


def test_a_point_is_the_rise_on_test_clusters_at_the_step_chosen_on_selection_clusters(tmp_path: Path) -> None:
    found = points(run(tmp_path / "run"))
    assert [(p.set, p.seed) for p in found] == [(s, seed) for seed in (0, 1) for s in SETS]
    assert {p.step for p in found} == {4}
    for n, name in enumerate(SETS):
        assert recovery(found)[name, 0] == pytest.approx(0.1 + 0.1 * n)


def test_the_step_is_not_chosen_on_test_clusters(tmp_path: Path) -> None:
    """Test clusters are best at step 4, selection clusters at step 2: what counts is test at step 2."""

    def tweak(at: At, score: float) -> float:
        return 0.6 if at.set == "a" and at.role == "subject" and at.split == "selection" and at.step == 2 else score

    a = next(p for p in points(run(tmp_path / "run", tweak=tweak)) if p.set == "a")
    assert a.step == 2
    assert a.recovery == pytest.approx(0.05 - 0.03)


def test_of_equal_steps_the_earliest_is_taken(tmp_path: Path) -> None:
    found = points(run(tmp_path / "run", levels={("subject", s): 0.3 for s in SETS}, jitter=0.0))
    assert {p.step for p in found} == {2}


def test_leaked_probes_are_set_apart(tmp_path: Path) -> None:
    def tweak(at: At, score: float) -> float:
        return 0.99 if at.probe == "forget-test-0-0" and at.set == "a" else score

    leaky, apart = (points(run(tmp_path / n, tweak=tweak, jitter=0.0, leaked=found)) for n, found in LEAKS)
    assert recovery(leaky)["a", 0] == pytest.approx((0.96 + 4 * 0.1) / 5)
    assert recovery(apart)["a", 0] == pytest.approx(0.1)


LEAKS: tuple[tuple[str, dict[str, tuple[str, ...]]], ...] = (("leaky", {}), ("apart", {"a": ("forget-test-0-0",)}))


def test_a_point_with_a_probe_that_was_not_answered_is_missing(tmp_path: Path) -> None:
    def tweak(at: At, score: float) -> float | None:
        return None if (at.set, at.role, at.seed, at.split, at.index) == ("b", "subject", 1, "test", 0) else score

    found = points(run(tmp_path / "run", tweak=tweak))
    assert recovery(found)["b", 1] == Missing("1 test probes have no choice score there")
    assert recovery(found)["b", 0] == pytest.approx(0.2)
    assert predictions(found)["template"].missing == 1


def test_each_covariate_is_ranked_against_recovery(tmp_path: Path) -> None:
    # Jitter is 0, so that both seeds agree. d and e are swapped in template: ranks by twos; 1 - 6 (1 + 1) / (5 x 24) = 0.9.
    found = predictions(points(run(tmp_path / "run", jitter=0.0)))
    template, relevance = found["template"].correlation, found["relevance"].correlation
    assert isinstance(template, Correlation)
    assert isinstance(relevance, Correlation)
    assert template.rho == pytest.approx(0.9)
    assert (template.n, template.groups) == (10, 5)
    assert isinstance(template.interval, tuple)
    assert relevance.rho == pytest.approx(-1)
    assert found["embedding"].correlation == Missing("no embedding")
    assert found["embedding"].missing == 10


def test_a_covariate_known_for_some_sets_counts_only_those(tmp_path: Path) -> None:
    known = {s: 0.1 * n for n, s in enumerate(SETS) if s != "e"}
    found = predictions(points(run(tmp_path / "run", covariates=stored(v_information=known))))["v_information"]
    assert isinstance(found.correlation, Correlation)
    assert (found.correlation.n, found.correlation.groups, found.missing) == (8, 4, 2)


def test_the_same_set_in_two_runs_is_one_set_and_another_text_of_that_name_is_not(tmp_path: Path) -> None:
    one, again = points(run(tmp_path / "one")), points(run(tmp_path / "again", block=1))
    other = points(run(tmp_path / "other", covariates=stored(tokens={"a": 800.0})))
    assert {p.identity for p in one} == {p.identity for p in again}
    assert {p.set for p in other if p.identity not in {p.identity for p in one}} == {"a"}
    both = predictions([*one, *again])["template"].correlation
    assert isinstance(both, Correlation)
    assert (both.n, both.groups) == (20, 5)


def test_sets_of_several_attacks_are_points_of_one_set(tmp_path: Path) -> None:
    found = points(run(tmp_path / "run", attacks=("relearn", "relearn 2"), seeds=(0,)))
    assert len(found) == 10
    assert len({p.identity for p in found}) == 5


def test_v_information_stands_in_a_line_of_its_own_where_a_plan_asks_for_it(tmp_path: Path) -> None:
    def measured(name: str, nats: Any) -> dict[str, Any]:
        return {"name": "v_information", "set": name, "group": "forget", "fold": 0, "covariate": nats}

    folder = Run(sets=SETS, levels=LEVELS, covariates=stored(), test=5, selection=5).write(
        tmp_path / "run", [measured(s, 0.5 * n if s != "e" else {"reason": "too long"}) for n, s in enumerate(SETS)]
    )
    found = {p.set: p.covariates["v_information"] for p in points(folder)}
    assert found == {"a": 0.0, "b": 0.5, "c": 1.0, "d": 1.5, "e": Missing("too long")}


def test_folds_are_averaged_and_a_missing_one_makes_a_mean_missing() -> None:
    lacking = dict.fromkeys(COVARIATES, Missing("none"))
    made = over_folds([{**lacking, "rows": 3.0, "tokens": 10.0}, {**lacking, "rows": 5.0}])
    assert made["rows"] == 4.0
    assert made["tokens"] == Missing("none")


def test_recall_by_keyword_counts_where_it_is_primary(tmp_path: Path) -> None:
    def tweak(at: At, score: float) -> float:
        return 0.9 if at.role == "subject" and at.set == "a" and at.index < 2 and at.step == 4 else 0.0

    found = points(run(tmp_path / "run", primary="keyword", greedy=True, tweak=tweak))
    assert recovery(found)["a", 0] == pytest.approx(2 / 5)
    assert recovery(found)["b", 0] == 0


def test_a_ledger_of_before_is_read_verified_and_says_that_it_has_no_covariates(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", covariates=None)
    judge(folder)
    assert verify(folder).problems == []
    found = points(folder)
    assert recovery(found)["e", 0] == pytest.approx(0.5)
    assert predictions(found)["template"].correlation == Missing("this ledger was written before covariates were stored")


def test_a_ledger_with_covariates_is_sound(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    judge(folder)
    assert verify(folder).problems == []


def test_a_run_that_is_not_there_broken_or_without_an_attack_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger here"):
        points(tmp_path)
    with pytest.raises(LedgerError, match="no unlearned model was attacked"):
        points(run(tmp_path / "calm", sets=()))
    folder = run(tmp_path / "broken")
    data = (folder / "ledger.jsonl").read_bytes()
    (folder / "ledger.jsonl").write_bytes(data.replace(b'"rows":1', b'"rows":2', 1))
    with pytest.raises(LedgerError, match="line 1: its content does not match"):
        points(folder)


def trace(set_: str, seed: int, value: float | None, fold: int = 0) -> dict[str, Any]:
    about = {"name": "trace", "trace": "gradient_cosine", "set": set_, "attack": "relearn", "seed": seed, "group": "forget", "fold": fold}
    return {**about, "value": value, "missing": None if value is not None else "a zero gradient"}


def test_what_was_traced_in_the_model_is_a_covariate_of_its_set_and_seed(tmp_path: Path) -> None:
    """Cosines fall from a to e while recovery rises: rho = -1, over ten pairs of five sets. A line written again replaces the first."""
    lines = [trace("a", 0, 5.0), *(trace(s, seed, 0.9 - 0.1 * n) for n, s in enumerate(SETS) for seed in (0, 1))]
    folder = Run(sets=SETS, levels=LEVELS, covariates=stored(), test=5, selection=5, jitter=0.0).write(tmp_path / "run", lines)
    found = predictions(points(folder))["gradient_cosine"]
    assert isinstance(found.correlation, Correlation)
    assert found.correlation.rho == pytest.approx(-1.0)
    assert (found.correlation.n, found.missing) == (10, 0)


def test_a_trace_that_could_not_be_taken_is_missing_and_one_not_asked_for_too(tmp_path: Path) -> None:
    lines = [trace(s, seed, None) for s in SETS for seed in (0, 1)]
    traced = points(Run(sets=SETS, levels=LEVELS, covariates=stored(), test=5, selection=5).write(tmp_path / "one", lines))
    assert predictions(traced)["gradient_cosine"].correlation == Missing("a zero gradient")
    both = predictions([*traced, *points(run(tmp_path / "two"))])
    assert both["gradient_cosine"].missing == 20
    assert "gradient_cosine" not in predictions(points(run(tmp_path / "three")))


# --- traces of states -------------------------------------------------------------------------------------------------


def reading(role: str, seed: int, value: float | None, name: str = "cka") -> dict[str, Any]:
    about = {"name": "state_trace", "trace": name, "role": role, "seed": seed, "state": f"state of {role}/{seed}", "blocks": []}
    return {**about, "value": value, "missing": None if value is not None else "no original"}


def looked_into(folder: Path, lines: list[dict[str, Any]], **changes: Any) -> Path:
    fields = {"sets": ("a", "b"), "levels": RISES, "test": 5, "selection": 5, "jitter": 0.0, "seeds": (0, 1)}
    return Run(**{**fields, **changes}).write(folder, lines)


# The subject stands at 0.03 at rest and rises by 0.1 and 0.3 at its best step, by 0.2 on average; the liar from 0.05 by 0.4 and 0.6: 0.5.
RISES = {
    ("subject", "a"): {2: 0.13, 4: 0.03},
    ("subject", "b"): {2: 0.03, 4: 0.33},
    ("positive", "a"): {2: 0.05, 4: 0.45},
    ("positive", "b"): {2: 0.05, 4: 0.65},
}


def test_a_state_is_a_point_with_what_all_sets_brought_back_on_average(tmp_path: Path) -> None:
    lines = [reading(role, seed, 0.5 + seed) for role in ("subject", "positive", "original") for seed in (0, 1)]
    found = {(p.role, p.seed): p for p in states(looked_into(tmp_path / "run", lines))}
    assert set(found) == {(role, seed) for role in ("subject", "positive") for seed in (0, 1)}  # the original is not attacked
    assert found["subject", 0].recovery == pytest.approx(0.2)
    assert found["positive", 1].recovery == pytest.approx(0.5)
    assert found["positive", 1].traces == {"cka": 1.5}
    assert found["positive", 1].state == "state of positive/1"
    assert (found["subject", 0].rest, found["positive", 1].rest) == (pytest.approx(0.03), pytest.approx(0.05))


class WithoutText(Run):
    """A run in which the attack that stands as set "b" trains on no text."""

    def design(self) -> list[dict[str, Any]]:
        return [{**arm, "relearn_set": None if arm["set"] == "b" else arm["relearn_set"]} for arm in super().design()]


def test_an_attack_that_trains_on_no_text_is_no_relearning(tmp_path: Path) -> None:
    folder = WithoutText(sets=("a", "b"), levels=RISES, test=5, selection=5, jitter=0.0, seeds=(0,)).write(
        tmp_path / "run", [reading("subject", 0, 0.5)]
    )
    assert [p.recovery for p in states(folder)] == [pytest.approx(0.1)]


def test_a_set_without_an_answer_makes_the_recovery_of_its_state_missing(tmp_path: Path) -> None:
    def tweak(at: At, score: float) -> float | None:
        return None if (at.set, at.role, at.seed, at.split, at.index) == ("b", "subject", 1, "test", 0) else score

    lines = [reading("subject", seed, 0.5) for seed in (0, 1)]
    found = {p.seed: p.recovery for p in states(looked_into(tmp_path / "run", lines, tweak=tweak))}
    assert found[0] == pytest.approx(0.2)
    assert found[1] == Missing("1 test probes have no choice score there")


def test_a_reading_written_again_replaces_the_first_and_one_that_failed_is_missing(tmp_path: Path) -> None:
    lines = [reading("subject", 0, 9.0), reading("subject", 0, 0.5), reading("subject", 0, None, "uds"), reading("subject", 1, 0.5)]
    first = states(looked_into(tmp_path / "run", lines))[0]
    assert first.traces == {"cka": 0.5, "uds": Missing("no original")}


def test_a_run_without_traces_of_states_says_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no attacked arm was looked into at rest"):
        states(looked_into(tmp_path / "run", []))


def pairs(n: int, **more: Any) -> list[StatePoint]:
    """Return states whose recovery rises with `cka` and falls with `uds`."""
    return [StatePoint("run", "subject", k, f"state {k}", 0.1 * k, {"cka": 1.0 + k, "uds": -2.0 * k, **more}) for k in range(n)]


def test_a_trace_is_ranked_against_recovery_from_twenty_states_on() -> None:
    found = state_predictions(pairs(FEWEST_STATES))
    assert FEWEST_STATES == 20
    for name, rho in (("cka", 1.0), ("uds", -1.0)):
        correlation = found[name].correlation
        assert isinstance(correlation, Correlation)
        assert correlation.rho == pytest.approx(rho)
        assert (correlation.n, correlation.groups) == (20, 20)
    few = Missing("19 distinct states; at least 20 are needed")
    assert {p.correlation for p in state_predictions(pairs(19)).values()} == {few}


# 24 states, of which the fourth part swap neighbours (0 with 1, 4 with 5, ...): six swaps of ranks one apart, sum of d² = 12,
# rho = 1 - 6 · 12 / (24 · 575) = 0.99478.
def test_a_trace_that_is_not_in_perfect_order_has_an_interval() -> None:
    swapped = [k ^ 1 if k % 4 < 2 else k for k in range(24)]
    found = [StatePoint("run", "subject", k, f"state {k}", float(k), {"cka": float(other)}) for k, other in enumerate(swapped)]
    correlation = state_predictions(found)["cka"].correlation
    assert isinstance(correlation, Correlation)
    assert correlation.rho == pytest.approx(1 - 6 * 12 / (24 * 575))
    assert isinstance(correlation.interval, tuple)
    assert correlation.interval[0] < correlation.rho <= correlation.interval[1] <= 1


def test_one_state_under_several_seeds_is_one_state() -> None:
    twice = [StatePoint("run", "subject", k, f"state {k // 2}", 0.1 * k, {"cka": float(k)}) for k in range(38)]
    assert state_predictions(twice)["cka"].correlation == Missing("19 distinct states; at least 20 are needed")


def test_a_trace_that_some_runs_did_not_take_is_missing_there() -> None:
    both = [*pairs(20), *(StatePoint("other", "subject", 0, f"other {k}", 0.1, {"pca_shift": 1.0}) for k in range(3))]
    found = state_predictions(both)
    assert found["cka"].missing == 3
    assert found["pca_shift"].correlation == Missing("3 distinct states; at least 20 are needed")
    lacking = state_predictions([StatePoint("run", "subject", 0, "s", 0.1, {"uds": Missing("no original")})])
    assert lacking["uds"].correlation == Missing("no original")


def test_a_trace_that_follows_the_score_at_rest_tells_nothing_beyond_it() -> None:
    # What is left at rest decides what comes back; "cka" follows it up to a wobble, "uds" goes its own way and adds to recovery.
    found = []
    for k in range(30):
        traces: dict[str, Any] = {"cka": 2.0 * k + 3 * (k * 5 % 4), "uds": k * 7 % 5}
        found.append(StatePoint("run", "subject", k, f"state {k}", 3.0 * k + 8 * traces["uds"], traces, -1.0 * k))
    rest, plain, beyond = rest_prediction(found).correlation, state_predictions(found), beyond_rest(found)
    assert isinstance(rest, Correlation)
    assert rest.rho < -0.8
    by_name = {name: (plain[name].correlation, beyond[name].correlation) for name in ("cka", "uds")}
    rho = {name: [c.rho for c in both if isinstance(c, Correlation)] for name, both in by_name.items()}
    assert rho["cka"][0] > 0.8
    assert abs(rho["cka"][1]) < 0.3
    assert rho["uds"][1] > rho["uds"][0] + 0.2


def test_without_the_score_at_rest_there_is_nothing_to_hold_still() -> None:
    found = pairs(20)
    assert rest_prediction(found).correlation == beyond_rest(found)["cka"].correlation == Missing("the score at rest was not read")
    assert beyond_rest(found[:19])["uds"].missing == 19
