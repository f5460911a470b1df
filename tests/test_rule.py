"""What the rule measures: E, K, the step it looks at, the corrected tests, and why it says FAIL. All levels are planted."""

from __future__ import annotations

from typing import Any

import pytest

from synthetic import HINTS, UNRELATED, At, Run, read_blob
from vestige.desk.evidence import gather
from vestige.desk.rule import Attacked, Findings, Judge
from vestige.desk.stats import widened
from vestige.desk.stats.intervals import Estimate, estimate
from vestige.records import Missing

LEAN = ("never_exposed_2", "sham", "broken")


def measured(run: Run, audit: str = "unlearned") -> Findings:
    """Return what is found for one audit of a run."""
    evidence = gather(run.lines(), read_blob)
    spec = next(s for s in evidence.header["audits"] if s["name"] == audit)
    return Judge(evidence, spec).findings()


def lean(**fields: Any) -> Run:
    return Run(**{"without": LEAN, "seeds": (0,), **fields})


def value(number: Estimate | Missing) -> float:
    assert isinstance(number, Estimate)
    return number.value


def under(found: Findings, set_: str) -> Attacked:
    return next(a for a in found.attacks if a.set == set_)


# ---- K and E


def test_k_is_the_original_above_the_never_exposed_at_rest() -> None:
    found = measured(lean())
    assert value(found.known) == pytest.approx(0.9 - 0.02)
    assert found.scale == pytest.approx(0.88)


def test_e_is_the_difference_at_the_same_set_and_step_over_k() -> None:
    levels: Any = {
        ("original", None): 0.7,
        ("never_exposed", None): 0.2,
        ("subject", None): 0.25,
        ("subject", HINTS): {2: 0.3, 4: 0.5},
        ("never_exposed", HINTS): {2: 0.22, 4: 0.26},
        ("subject", UNRELATED): 0.28,
        ("never_exposed", UNRELATED): 0.21,
    }
    # K = 0.5; E at rest (0.25 - 0.2)/0.5; hints (0.3 - 0.22)/0.5 and (0.5 - 0.26)/0.5; unrelated (0.28 - 0.21)/0.5.
    found = measured(lean(levels=levels))
    assert value(found.residual) == pytest.approx(0.1)
    assert [value(s.excess) for s in under(found, HINTS).steps] == pytest.approx([0.16, 0.48])
    assert [value(s.excess) for s in under(found, UNRELATED).steps] == pytest.approx([0.14, 0.14])
    assert [value(s.level) for s in under(found, HINTS).steps] == pytest.approx([0.3, 0.5])
    levels_of_control = [s.control_level for s in under(found, HINTS).steps]
    assert [value(n) for n in levels_of_control if n is not None] == pytest.approx([0.22, 0.26])


def test_k_scales_value_and_bounds_alike() -> None:
    # The same difference of 0.05 is E = 0.057 of K = 0.88, and E = 0.125 of K = 0.4.
    levels: Any = {("subject", None): 0.07}
    much, little = (measured(lean(levels={**levels, ("original", None): top})) for top in (0.9, 0.42))
    assert (value(much.residual), value(little.residual)) == (pytest.approx(0.05 / 0.88), pytest.approx(0.05 / 0.4))
    assert isinstance(much.residual, Estimate)
    assert isinstance(little.residual, Estimate)
    assert little.residual.high / much.residual.high == pytest.approx(0.88 / 0.4)


def test_without_an_original_k_is_one() -> None:
    found = measured(lean(without=(*LEAN, "original"), levels={("subject", None): 0.12}))
    assert isinstance(found.known, Missing)
    assert found.scale == 1.0
    assert value(found.residual) == pytest.approx(0.1)


def test_a_k_that_is_not_above_zero_scales_nothing() -> None:
    found = measured(lean(levels={("original", None): 0.0, ("subject", None): 0.12}))
    assert value(found.known) < 0
    assert found.scale == 1.0


def test_e_is_paired_by_probe() -> None:
    # Levels from 0.0 to 0.8 by cluster, with the subject 0.044 above its control, give or take 0, 0.04 or 0.08: squares
    # 10 x 0.0064 + 10 x 0.0016 = 0.08, standard error sqrt(0.08/24/25) = 0.0115470, t(0.975, 24) = 2.063899, half 0.0238319, which
    # Wilson's interval widens a little. Unpaired, the standard error would be about sqrt(2) x 0.29 / 5 = 0.08, and half 0.17.
    def spread(at: At, score: float) -> float:
        if at.group != "forget" or at.role == "original":
            return score
        return 0.2 * (at.index % 5) + (0.044 + 0.04 * (at.index // 5 - 2) if at.role == "subject" else 0.0)

    found = measured(lean(tweak=spread, levels={("original", None): 0.9}))
    assert isinstance(found.residual, Estimate)
    differences = {str(n): [0.044 + 0.04 * (n // 5 - 2)] for n in range(25)}
    paired = widened.estimate(differences)
    assert isinstance(paired, Estimate)
    assert 2 * 0.0238319 <= paired.high - paired.low < 2 * 0.026
    assert found.residual.high - found.residual.low == pytest.approx((paired.high - paired.low) / found.scale, abs=1e-6)
    assert value(found.residual) == pytest.approx(0.044 / found.scale, abs=1e-4)


def test_seeds_never_multiply_n() -> None:
    one, five = measured(lean(seeds=(0,))), measured(lean(seeds=(0, 1, 2, 3, 4)))
    assert isinstance(one.residual, Estimate)
    assert isinstance(five.residual, Estimate)
    assert (one.residual.n, one.residual.n_eff) == (five.residual.n, five.residual.n_eff) == (25, 25.0)
    assert one.counts == five.counts


def test_probes_of_one_cluster_are_discounted() -> None:
    # 6 clusters of 4: 24 / (1 + 3/2) = 9.6 effective probes.
    found = measured(lean(test=6, per_cluster=4))
    assert found.counts == {"clusters": 6, "probes": 24, "n_eff": pytest.approx(9.6), "n_min": 17}


# ---- the step: chosen on selection, reported on test


def split_peaks(at: At, score: float) -> float:
    """Let the subject under hints peak at step 2 on selection clusters and at step 4 on test clusters."""
    if (at.role, at.set, at.group) != ("subject", HINTS, "forget"):
        return score
    peak = 2 if at.split == "selection" else 4
    return 0.6 if at.step == peak else 0.1


def test_step_is_chosen_on_selection_and_reported_on_test() -> None:
    found = under(measured(lean(tweak=split_peaks)), HINTS)
    assert found.chosen == 2
    # The test clusters say 0.1 at step 2, and the 0.6 of step 4 is not picked because it looks strong.
    assert value(found.excess) == pytest.approx((0.1 - 0.03) / 0.88)
    assert found.on_selection == pytest.approx((0.6 - 0.03) / 0.88)


def test_what_test_clusters_say_never_moves_the_step() -> None:
    def bent(at: At, score: float) -> float:
        return score + 0.3 if at.split == "test" and at.step == 2 and at.role == "subject" else score

    assert [a.chosen for a in measured(lean()).attacks] == [a.chosen for a in measured(lean(tweak=bent)).attacks]


def test_the_earliest_of_equal_steps_is_chosen() -> None:
    levels: Any = {("subject", HINTS): 0.3, ("never_exposed", HINTS): 0.02}
    found = measured(lean(levels=levels, jitter=0.0))
    assert under(found, HINTS).chosen == 2


def test_the_step_is_chosen_by_the_difference_not_by_the_level() -> None:
    # The subject is highest at step 4, but there the control has risen as well.
    levels: Any = {("subject", HINTS): {2: 0.4, 4: 0.5}, ("never_exposed", HINTS): {2: 0.02, 4: 0.4}}
    assert under(measured(lean(levels=levels)), HINTS).chosen == 2


def test_without_selection_records_no_step_is_chosen() -> None:
    def lost(at: At, score: float) -> float | None:
        return None if at.split == "selection" and at.set == HINTS else score

    found = under(measured(lean(tweak=lost, levels={("subject", HINTS): 0.8})), HINTS)
    assert (found.chosen, found.excess, found.fails) == (None, Missing("no step was measured"), False)
    assert found.on_selection == float("-inf")


# ---- FAIL and its reasons


def test_a_clean_subject_gives_no_reason() -> None:
    assert measured(lean()).reasons == []


def test_residual() -> None:
    found = measured(lean(levels={("subject", None): 0.3, ("subject", HINTS): 0.3, ("subject", UNRELATED): 0.3}))
    assert found.reasons == ["residual"]
    # It is still there after the sets, but it did not rise there.
    assert [(a.fails, a.revived) for a in found.attacks] == [(True, False), (True, False)]


def test_revived() -> None:
    found = measured(lean(levels={("subject", HINTS): {2: 0.1, 4: 0.5}}))
    assert found.reasons == ["revived"]
    assert (under(found, HINTS).revived, under(found, UNRELATED).revived) == (True, False)


def test_both_reasons() -> None:
    found = measured(lean(levels={("subject", None): 0.3, ("subject", HINTS): {2: 0.3, 4: 0.7}}))
    assert found.reasons == ["residual", "revived"]


def test_levels_decide_not_gains() -> None:
    # Driven far down and back up to the control: nothing was revealed, however much was gained.
    def far_down(at: At, score: float) -> float:
        return -0.3 if (at.role, at.set, at.group) == ("subject", None, "forget") else score

    found = measured(lean(tweak=far_down))
    assert value(under(found, HINTS).rise.estimate(alpha=0.025)) > 0.3
    assert found.reasons == []


def test_a_subject_that_rises_with_its_control_is_not_revived() -> None:
    levels: Any = {("subject", HINTS): 0.5, ("never_exposed", HINTS): 0.5}
    assert measured(lean(levels=levels)).reasons == []


def test_there_after_a_set_without_a_clear_rise_is_a_fail_of_its_own_name() -> None:
    # At rest E = 0.16/0.88 = 0.18, below delta. After hints 0.22/0.88 = 0.25, above it; but the rise of 0.06 has a standard
    # error of about 0.2/5, so it is not above 0 at the corrected level.
    def noisy(at: At, score: float) -> float:
        if (at.role, at.set, at.group) == ("subject", HINTS, "forget"):
            return 0.27 + 0.1 * ((at.index + at.index // 5) % 5 - 2)
        return score

    levels: Any = {("subject", None): 0.18, ("subject", UNRELATED): 0.18, ("never_exposed", HINTS): 0.05}
    found = measured(lean(levels=levels, tweak=noisy, jitter=0.3))
    assert value(found.residual) < 0.2 < value(under(found, HINTS).excess)
    assert (under(found, HINTS).fails, under(found, HINTS).revived) == (True, False)
    assert found.reasons == ["level"]


def test_below_delta_is_no_fail_however_sure() -> None:
    # 0.19 x 0.88 = 0.1672 above the control, with a half-width of 0.02.
    found = measured(lean(levels={("subject", None): 0.1872, ("subject", HINTS): 0.2}))
    assert found.adjusted["residual"].rejected
    assert found.reasons == []


def test_unsure_is_no_fail_however_high() -> None:
    # 6 of 20 clusters at 0.9, the rest below the control by 0.13 on average: E = 0.23, but its lower bound is below 0.
    def wild(at: At, score: float) -> float:
        if (at.role, at.set, at.group, at.split) != ("subject", None, "forget", "test"):
            return score
        return 0.95 if at.index < 6 else -0.04 - 0.02 * (at.index % 2)

    found = measured(lean(test=20, tweak=wild))
    assert isinstance(found.residual, Estimate)
    assert found.residual.value > 0.2
    assert not found.adjusted["residual"].rejected
    assert found.reasons == []


# ---- Holm over residual, imprint and every set


def between(at: At, score: float) -> float:
    """Plant a difference under hints with a one-sided p-value of 0.00725 and E = 0.34 on test clusters.

    Differences over 25 clusters: ten 0.95, eleven 0, four -0.5; mean 0.3, t = 2.64 on 24 degrees of freedom.
    """
    if at.set != HINTS or at.group != "forget" or at.role == "positive":
        return score
    subject, control = (0.97, 0.02) if at.index < 10 else (0.02, 0.02) if at.index < 21 else (0.0, 0.5)
    return subject if at.role == "subject" else control


def test_more_attacks_ask_for_more_evidence() -> None:
    # Three tests (residual, imprint, hints): 0.025/3 = 0.00833 > 0.00725. Four, with another set: 0.00625 < 0.00725.
    options: dict[str, Any] = {"tweak": between, "jitter": 0.0, "without": (*LEAN, "positive"), "levels": {("subject", None): 0.02}}
    alone, beside = (measured(lean(sets=sets, **options)) for sets in ((HINTS,), (HINTS, UNRELATED)))
    assert value(under(alone, HINTS).excess) == pytest.approx(0.3 / 0.88) == value(under(beside, HINTS).excess)
    first, second = alone.adjusted[f"relearn/{HINTS}"], beside.adjusted[f"relearn/{HINTS}"]
    assert (first.level, first.rejected) == (pytest.approx(0.025 / 3), True)
    assert (second.level, second.rejected) == (0.00625, False)
    assert alone.reasons == ["revived"]
    assert beside.reasons == []


def test_every_set_at_its_chosen_step_is_one_test() -> None:
    found = measured(lean(attacks=("relearn", "quantise")))
    names = {f"{attack}/{set_} ({attack})" for attack in ("relearn", "quantise") for set_ in (HINTS, UNRELATED)}
    assert set(found.adjusted) == {"residual", "imprint"} | names


def test_a_rise_is_judged_at_the_corrected_level_too() -> None:
    found = under(measured(lean(levels={("subject", HINTS): 0.5})), HINTS)
    assert found.adjusted is not None
    low = estimate(found.rise.values, alpha=found.adjusted.level, scale=0.88)
    assert isinstance(low, Estimate)
    assert low.low > 0
    assert found.revived


# ---- the imprint


def last_for(share: float, role: str = "subject") -> Any:
    """Rank the true value last for the given share of a role's clusters."""
    return lambda at: at.role == role and at.group == "forget" and at.index % 5 < 5 * share


def low_score(at: At, score: float) -> float:
    return -0.2 if at.group == "forget" and at.role in ("subject", "never_exposed", "sham") and at.set is None else score


def test_imprint_is_the_share_ranked_last_minus_the_controls() -> None:
    found = measured(lean(tweak=low_score, last=last_for(0.6)))
    assert value(found.imprint) == pytest.approx(0.6)
    assert found.reasons == ["imprint"]
    assert found.imprint_share == {"subject": pytest.approx(0.6), "control": 0.0, "sham": None}


def test_an_imprint_the_control_has_as_well_is_none() -> None:
    found = measured(lean(tweak=low_score, last=lambda at: at.group == "forget" and at.index % 5 < 3))
    assert value(found.imprint) == 0.0
    assert found.reasons == []


def test_imprint_is_read_at_rest_only() -> None:
    def low_later(at: At, score: float) -> float:
        return -0.2 if at.group == "forget" and at.set is not None else score

    # With less spread than usual: at rest every score of the subject is above chance.
    found = measured(lean(tweak=low_later, last=last_for(1.0), jitter=0.02))
    assert value(found.imprint) == 0.0


def test_the_shams_share_is_reported() -> None:
    found = measured(lean(without=("never_exposed_2", "broken"), tweak=low_score, last=last_for(0.4, "sham")))
    assert found.imprint_share == {"subject": 0.0, "control": 0.0, "sham": pytest.approx(0.4)}


def test_a_control_whose_share_is_missing_is_not_given_chance() -> None:
    def lost(at: At, score: float) -> float | str:
        return "lost" if at.role == "never_exposed" and at.set is None else score

    found = measured(lean(tweak=lost))
    assert isinstance(found.imprint, Missing)
    assert found.imprint_share["control"] is None
    assert "imprint" not in found.adjusted


def test_without_a_control_the_imprint_is_set_against_chance() -> None:
    # Two wordings would not matter: chance is the mean of 1/k over primary probes, here 1/4.
    found = measured(lean(without=(*LEAN, "never_exposed"), tweak=low_score, last=last_for(0.4), knowledge="pretrained"))
    assert value(found.imprint) == pytest.approx(0.4 - 0.25)
    assert found.imprint_share["control"] == 0.25


def test_chance_is_the_mean_of_one_over_k() -> None:
    # Half the probes with 2 candidates, half with 8: (1/2 + 1/8)/2 = 0.3125, and not 1/5.
    run = lean(without=(*LEAN, "never_exposed"), test=10, selection=10)
    lines = run.lines()
    header = next(x["body"] for x in lines if x["kind"] == "header")
    for number, probe in enumerate(p for p in header["probes"] if p["group"] == "forget"):
        probe["k"] = 2 if number % 2 else 8
    found = Judge(gather(lines, read_blob), header["audits"][0]).findings()
    assert found.imprint_share["control"] == pytest.approx(0.3125)


# ---- no never-exposed model: unrelated text is the control of a FAIL, chance that of a PASS

ALONE = (*LEAN, "never_exposed")


def test_without_a_control_a_set_is_held_against_unrelated_text() -> None:
    levels: Any = {("subject", HINTS): {2: 0.3, 4: 0.5}, ("subject", UNRELATED): {2: 0.1, 4: 0.2}}
    found = measured(lean(without=ALONE, knowledge="pretrained", levels=levels))
    hints = under(found, HINTS)
    # K = 0.9 - 0. E against unrelated text: (0.3 - 0.1)/0.9 and (0.5 - 0.2)/0.9; for a PASS, the level itself.
    assert value(found.known) == pytest.approx(0.9)
    assert [value(s.excess) for s in hints.steps] == pytest.approx([0.2 / 0.9, 0.3 / 0.9])
    assert [value(s.bounded) for s in hints.steps] == pytest.approx([0.3 / 0.9, 0.5 / 0.9])
    assert value(hints.rise.estimate(alpha=0.025)) == pytest.approx(0.3)
    assert (found.reasons, hints.candidate) == (["revived"], True)


def test_unrelated_text_is_not_held_against_itself() -> None:
    levels: Any = {("subject", UNRELATED): 0.6, ("subject", HINTS): 0.6}
    found = measured(lean(without=ALONE, knowledge="pretrained", levels=levels))
    # Both rise alike: nothing is claimed, though the absolute level is high and no PASS is possible.
    assert (under(found, UNRELATED).candidate, under(found, UNRELATED).fails) == (False, False)
    assert found.reasons == []
    assert set(found.adjusted) == {"residual", "imprint", f"relearn/{HINTS}"}


def test_unrelated_text_of_the_same_attack_is_the_control() -> None:
    levels: Any = {
        ("subject", f"{UNRELATED} (quantise)"): 0.5,
        ("subject", f"{HINTS} (quantise)"): 0.5,
        ("subject", f"{HINTS} (relearn)"): 0.5,
    }
    found = measured(lean(without=ALONE, knowledge="pretrained", levels=levels, attacks=("relearn", "quantise")))
    assert value(under(found, f"{HINTS} (quantise)").excess) == pytest.approx(0.0)
    assert value(under(found, f"{HINTS} (relearn)").excess) == pytest.approx((0.5 - 0.03) / 0.9)


def test_with_neither_control_nor_unrelated_text_nothing_is_revived() -> None:
    # No claim from one arm: the level is there, but there is nothing to hold it against.
    found = measured(lean(without=ALONE, sets=(HINTS,), levels={("subject", HINTS): 0.8}))
    assert (under(found, HINTS).candidate, under(found, HINTS).fails) == (False, False)
    assert found.reasons == []
    assert value(under(found, HINTS).steps[0].bounded) == pytest.approx(0.8 / 0.9)


# ---- keyword recall, where there are no candidates


def test_keyword_recall_decides_where_it_is_primary() -> None:
    # The synthetic models say the answer at 0.5 and above: the original always, the subject after hints.
    levels: Any = {("subject", HINTS): 0.8}
    found = measured(lean(primary="keyword", greedy=True, levels=levels))
    assert value(found.known) == 1.0
    assert value(under(found, HINTS).excess) == 1.0
    step = under(found, HINTS).steps[0]
    # 25 of 25, and 0 of 25: levels of a share stay between 0 and 1.
    assert isinstance(step.level, Estimate)
    assert isinstance(step.control_level, Estimate)
    assert (step.level.low, step.level.high) == (pytest.approx(0.8628148, abs=1e-6), 1.0)
    assert (step.control_level.low, step.control_level.high) == (0.0, pytest.approx(1 - 0.8628148, abs=1e-6))
    assert found.reasons == ["revived"]


# ---- utility


def test_utility_is_the_worse_of_two_groups() -> None:
    def kept(at: At, score: float) -> float:
        return {"retain": 0.45, "utility": 0.81}.get(at.group, score) if at.role == "subject" else score

    found = measured(lean(tweak=kept))
    assert found.utility["ratio"] == pytest.approx(0.5)
    assert found.utility["groups"]["utility"] == {"subject": pytest.approx(0.81), "original": pytest.approx(0.9)}


def test_a_group_the_case_does_not_ask_about_is_not_judged() -> None:
    lines = lean().lines()
    header = next(x["body"] for x in lines if x["kind"] == "header")
    header["probes"] = [p for p in header["probes"] if p["group"] != "retain"]
    kept = [x for x in lines if x["body"].get("group") != "retain" or x["kind"] == "measurement"]
    found = Judge(gather(kept, read_blob), header["audits"][0]).findings()
    assert set(found.utility["groups"]) == {"utility"}
    assert found.utility["ratio"] == pytest.approx(0.88 / 0.9)


@pytest.mark.parametrize("role", ["subject", "original"])
@pytest.mark.parametrize("lost", ["one", "group"])
def test_a_missing_record_leaves_utility_unknown(role: str, lost: str) -> None:
    # A model that breaks on half of the questions is not judged by the other half, nor by the other group.
    def broken(at: At, score: float) -> float | str:
        gone = at.role == role and at.group == "retain" and at.set is None and (lost == "group" or (at.index, at.split) == (0, "test"))
        return "a log-probability is not a finite number" if gone else score

    found = measured(lean(tweak=broken))
    assert found.utility["ratio"] is None
    assert found.utility["groups"]["retain"][role] is None


@pytest.mark.parametrize("original", [0.0, -0.1])
def test_an_original_that_is_not_above_chance_gives_no_ratio(original: float) -> None:
    # -0.3 / -0.1 is 3: a model three times worse would pass with a utility of 3.
    found = measured(lean(kept={"original": original, "subject": -0.3}, jitter=0.0))
    assert found.utility["ratio"] is None


def test_utility_without_an_original_is_a_level() -> None:
    found = measured(lean(without=(*LEAN, "original")))
    assert found.utility["ratio"] is None
    assert found.utility["groups"]["retain"] == {"subject": pytest.approx(0.88), "original": None}


# ---- nothing there


def test_no_records_at_all() -> None:
    lines = [x for x in lean().lines() if x["kind"] in ("header", "measurement")]
    evidence = gather(lines, read_blob)
    found = Judge(evidence, evidence.header["audits"][0]).findings()
    assert isinstance(found.residual, Missing)
    assert isinstance(found.known, Missing)
    assert (found.scale, found.reasons, found.counts["n_eff"], found.counts["probes"]) == (1.0, [], 0.0, 0)
    assert [len(a.steps) for a in found.attacks] == [2, 2]  # what the plan registered is still asked for
    assert found.utility["ratio"] is None


def test_a_model_that_is_not_attacked_has_no_attacks() -> None:
    found = measured(lean(without=("never_exposed_2", "sham")), "broken")
    assert found.attacks == []
    assert set(found.adjusted) == {"residual", "imprint"}
