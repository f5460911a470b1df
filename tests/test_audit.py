"""Ledger to verdict: words, reasons and sentences, on ledgers whose truth is planted."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from synthetic import HINTS, UNRELATED, At, Run, read_blob
from vestige.desk.audit import audit
from vestige.desk.run_folder import judge, verify

LEAN = ("never_exposed_2", "sham", "broken")
ALONE = (*LEAN, "never_exposed")


def lean(**fields: Any) -> Run:
    return Run(**{"without": LEAN, **fields})


def judged(run: Run) -> dict[str, Any]:
    return audit(run.lines(), read_blob)


def header(lines: list[dict[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = next(x["body"] for x in lines if x["kind"] == "header")
    return body


def word(verdict: dict[str, Any], name: str) -> tuple[str, list[str]]:
    found = next(a for a in verdict["audits"] if a["name"] == name)
    return found["verdict"], found["reasons"]


# ---- planted truth


def test_every_model_gets_the_word_it_deserves() -> None:
    verdict = judged(Run(levels={("subject", HINTS): 0.6}))
    assert word(verdict, "unlearned") == ("FAIL", ["revived"])
    assert word(verdict, "twin") == ("PASS", [])
    assert word(verdict, "liar") == ("FAIL", ["revived"])
    assert word(verdict, "broken") == ("INCONCLUSIVE", ["attacked", "utility"])
    assert (verdict["verdict"], verdict["reasons"]) == ("FAIL", ["revived"])  # the first audit gives the run's


def test_a_true_removal_passes() -> None:
    verdict = judged(lean())
    assert (verdict["verdict"], verdict["reasons"], verdict["provisional"]) == ("PASS", [], False)
    assert verdict["claim"] == (
        "Less than 20% of what the original knew remains beyond a model that never saw the data, before and after relearning with "
        "hints, unrelated, up to the budget tried."
    )


def test_a_broken_model_never_passes_even_when_it_is_attacked() -> None:
    # Chance everywhere, under every set: nothing remains, and nothing can be said by it.
    verdict = judged(lean(levels={("subject", HINTS): 0.02, ("subject", UNRELATED): 0.02}, kept={"subject": 0.02}))
    assert (verdict["verdict"], verdict["reasons"]) == ("INCONCLUSIVE", ["utility"])
    assert verdict["claim"] == "No verdict: utility."


def test_residual_fails() -> None:
    levels: Any = {("subject", None): 0.4, ("subject", HINTS): 0.4, ("subject", UNRELATED): 0.4}
    verdict = judged(lean(levels=levels))
    assert (verdict["verdict"], verdict["reasons"]) == ("FAIL", ["residual"])
    assert verdict["claim"].startswith("The model still shows 43% (95 % interval 41% to 46%) of what the original knew, before any attack.")


def avoided(at: At, score: float) -> float:
    return -0.2 if at.group == "forget" and at.role in ("subject", "never_exposed") and at.set is None else score


def test_imprint_fails() -> None:
    verdict = judged(lean(tweak=avoided, last=lambda at: at.role == "subject" and at.index % 5 < 3))
    assert (verdict["verdict"], verdict["reasons"]) == ("FAIL", ["imprint"])
    assert "read off as the ones it ranks last" in verdict["claim"]


def test_all_reasons_are_given_and_told() -> None:
    def low(at: At, score: float) -> float:
        return 0.4 if (at.role, at.group, at.set) == ("subject", "forget", None) and at.index % 5 > 2 else avoided(at, score)

    levels: Any = {("subject", HINTS): 0.9}
    verdict = judged(lean(tweak=low, last=lambda at: at.role == "subject" and at.index % 5 < 3, levels=levels, test=50))
    assert (verdict["verdict"], verdict["reasons"]) == ("FAIL", ["residual", "revived", "imprint"])
    assert verdict["claim"].count(".") >= 3


def test_one_seed_is_provisional_whatever_the_word() -> None:
    for levels in ({}, {("subject", HINTS): 0.6}):
        verdict = judged(lean(seeds=(0,), levels=levels))
        assert verdict["provisional"] is True
        assert [a["provisional"] for a in verdict["audits"]] == [True, True]
    assert judged(lean(seeds=(0, 1)))["provisional"] is False


# ---- claims say no more than the evidence


def test_revived_names_the_set_that_did_most_on_selection_clusters() -> None:
    # On test clusters "unrelated" looks stronger; that is not what a set is chosen by.
    def tweak(at: At, score: float) -> float:
        if at.role != "subject" or at.group != "forget" or at.set is None:
            return score
        strong = {(HINTS, "selection"), (UNRELATED, "test")}
        return score + (0.7 if (at.set, at.split) in strong else 0.5)

    verdict = judged(lean(tweak=tweak))
    assert verdict["reasons"] == ["revived"]
    assert f"after relearning with {HINTS} (2 steps)" in verdict["claim"]


def test_revived_never_names_a_set_that_only_kept_the_level() -> None:
    # Under hints the subject is at 0.27, spread so widely that it has not surely risen from 0.18; selection clusters make it the
    # strongest all the same. Under unrelated text it is at 0.45, and surely has.
    def tweak(at: At, score: float) -> float:
        if (at.role, at.set, at.group) == ("subject", HINTS, "forget"):
            return 0.9 if at.split == "selection" else 0.27 + 0.1 * ((at.index + at.index // 5) % 5 - 2)
        return score

    levels: Any = {("subject", None): 0.18, ("subject", UNRELATED): 0.45}
    verdict = judged(lean(levels=levels, tweak=tweak, jitter=0.3))
    found = {a["set"]: (a["fails"], a["revived"]) for a in verdict["audits"][0]["attacks"]}
    assert found == {HINTS: (True, False), UNRELATED: (True, True)}
    assert verdict["reasons"] == ["revived"]
    assert f"after relearning with {UNRELATED}" in verdict["claim"]


def test_level_says_that_it_is_there_and_not_that_it_came_back() -> None:
    def noisy(at: At, score: float) -> float:
        if (at.role, at.set, at.group) == ("subject", HINTS, "forget"):
            return 0.27 + 0.1 * ((at.index + at.index // 5) % 5 - 2)
        return score

    levels: Any = {("subject", None): 0.18, ("subject", UNRELATED): 0.18}
    verdict = judged(lean(levels=levels, tweak=noisy, jitter=0.3))
    assert verdict["reasons"] == ["level"]
    assert "is there, beyond a model that never saw the data, after relearning with hints" in verdict["claim"]


PRETRAINED: dict[str, Any] = {"without": ALONE, "knowledge": "pretrained"}


def test_pretrained_knowledge_fails_with_the_limited_sentence() -> None:
    verdict = judged(lean(**PRETRAINED, levels={("subject", HINTS): {2: 0.2, 4: 0.6}}))
    assert (verdict["verdict"], verdict["reasons"]) == ("FAIL", ["revived"])
    # (0.6 - 0.03) / 0.9 = 0.63, beyond the level after unrelated text, which stayed at 0.03.
    assert verdict["claim"].startswith("Text without the answers revived it beyond unrelated text: 63% (")
    assert "never saw the data" not in verdict["claim"]
    assert any("pre-trained" in limit for limit in verdict["limits"])


def test_pretrained_knowledge_passes_on_the_absolute_level_only() -> None:
    verdict = judged(lean(**PRETRAINED))
    assert verdict["verdict"] == "PASS"
    assert "remains beyond chance" in verdict["claim"]
    # The same level after hints and after unrelated text: no more than unrelated text, but more than delta over chance.
    high = judged(lean(**PRETRAINED, levels={("subject", HINTS): 0.25, ("subject", UNRELATED): 0.25}))
    assert high["verdict"] == "INCONCLUSIVE"
    assert high["reasons"] == ["hints@2", "hints@4", "unrelated@2", "unrelated@4"]


def test_the_liar_of_a_run_without_a_control_is_held_against_unrelated_text() -> None:
    levels: Any = {("positive", UNRELATED): {2: 0.4, 4: 0.7}}
    verdict = judged(lean(**PRETRAINED, levels=levels))
    # It comes back with any text at all, so nothing shows that these texts jog a memory.
    assert word(verdict, "liar") == ("INCONCLUSIVE", word(verdict, "liar")[1])
    assert verdict["reasons"] == ["liar_caught"]


def test_no_control_and_no_unrelated_text_is_no_claim() -> None:
    verdict = judged(lean(without=ALONE, sets=(HINTS,), levels={("subject", HINTS): 0.6}))
    assert verdict["verdict"] == "INCONCLUSIVE"
    assert any("only absolute levels are judged" in limit for limit in verdict["limits"])


def test_without_an_original_no_share_of_what_it_knew_is_claimed() -> None:
    options: dict[str, Any] = {"without": (*LEAN, "original"), "utility_min": 0.5}
    for levels in ({}, {("subject", HINTS): 0.6}, {("subject", None): 0.6}):
        verdict = judged(lean(**options, levels=levels))
        assert verdict["verdict"] in ("PASS", "FAIL")
        assert "what the original knew" not in verdict["claim"]
        assert "of a full score (no original was at hand)" in verdict["claim"]
        assert any("No original model" in limit for limit in verdict["limits"])


@pytest.mark.parametrize("levels", [{}, {("subject", HINTS): 0.6}])
def test_an_asserted_lineage_caps_every_claim(levels: Any) -> None:
    lines = lean(levels=levels).lines()
    header(lines)["audits"][0]["asserted_lineage"] = True
    assert audit(lines, read_blob)["claim"].endswith("(The model's lineage is asserted, not shown.)")


def test_limits_name_sets_and_steps() -> None:
    limits = judged(lean())["limits"]
    assert limits[0].startswith("Only these relearn sets were tried: hints, unrelated; up to 4 steps.")
    assert any("choice among candidate answers" in limit for limit in limits)
    assert not any("choice among" in limit for limit in judged(lean(primary="keyword", greedy=True))["limits"])
    lines = lean().lines()
    header(lines)["audits"][0]["attacked"] = False
    assert "tried: none; up to 0 steps" in audit(lines, read_blob)["limits"][0]


# ---- what the verdict holds


def test_attacks_show_every_step_and_the_chosen_one() -> None:
    found = next(a for a in judged(lean(levels={("subject", HINTS): {2: 0.1, 4: 0.6}}))["audits"] if a["name"] == "unlearned")
    hints = next(a for a in found["attacks"] if a["set"] == HINTS)
    assert [s["step"] for s in hints["steps"]] == [2, 4]
    assert (hints["chosen"], hints["fails"], hints["revived"], hints["candidate"]) == (4, True, True, True)
    assert hints["excess"] == hints["steps"][1]["excess"]
    assert hints["adjusted_low"] == found["holm"]["relearn/hints"]["low"] < hints["excess"]["value"]
    # Risen from 0.03 to 0.6 while the control rose from 0.02 to 0.05.
    assert hints["rise"]["value"] == pytest.approx(0.57 - 0.03)


def test_missing_numbers_are_given_as_reasons_and_never_as_numbers() -> None:
    lines = lean(**PRETRAINED).lines()
    verdict = audit([x for x in lines if x["kind"] in ("header", "measurement")], read_blob)
    found = verdict["audits"][0]
    assert (verdict["verdict"], verdict["reasons"][0]) == ("INCONCLUSIVE", "original_knew")
    assert set(found["residual"]) == set(found["known"]) == {"missing_reason"}
    assert found["holm"]["residual"] == {"level": 0.025, "low": None, "rejected": False}
    hints = found["attacks"][0]
    assert (hints["chosen"], hints["adjusted_low"]) == (None, None)
    assert [(s["selection"], set(s["excess"])) for s in hints["steps"]] == [(None, {"missing_reason"})] * 2
    assert all(arm["state"] is None and arm["steps"] is None for arm in verdict["arms"])
    json.dumps(verdict, allow_nan=False)


def test_levels_of_every_role_group_wording_and_score() -> None:
    verdict = judged(lean(greedy=True, statements=True, jitter=0.04))
    at_rest = {(x["role"], x["group"], x["wording"], x["score"]) for x in verdict["levels"] if x["set"] is None}
    assert {("subject", g, "primary", "choice") for g in ("forget", "decoy", "retain", "utility")} <= at_rest
    assert ("original", "forget", "statement", "keyword") in at_rest
    one = next(x for x in verdict["levels"] if (x["role"], x["set"], x["step"], x["score"]) == ("subject", HINTS, 4, "choice"))
    assert one["estimate"]["value"] == pytest.approx(0.06)
    assert one["estimate"]["n"] == 25  # test clusters only


def test_a_log_probability_has_no_exact_interval() -> None:
    # Five clusters at one value: t has nothing to work on, and a number of nats is no share.
    verdict = judged(lean(jitter=0.0, seeds=(0,)))
    flat = next(x for x in verdict["levels"] if (x["role"], x["score"], x["group"]) == ("original", "answer_logp", "forget"))
    assert "a log-probability has no bounds" in flat["estimate"]["missing_reason"]
    spread = next(
        x for x in judged(lean(seeds=(0,)))["levels"] if (x["score"], x["role"], x["group"]) == ("answer_logp", "original", "forget")
    )
    assert spread["estimate"]["low"] < spread["estimate"]["value"] < spread["estimate"]["high"] < 0


def test_arms_carry_states_and_budgets() -> None:
    arms = judged(lean(tokens={HINTS: 123}))["arms"]
    hints = next(a for a in arms if (a["role"], a["set"], a["seed"]) == ("subject", HINTS, 1))
    assert (hints["state"], hints["steps"], hints["tokens_trained"]) == ("state of subject/hints/0/1", 4, 123)


def test_the_verdict_is_a_function_of_the_records() -> None:
    lines = lean(folds=2).lines()
    first = audit(lines, read_blob)
    rest = [x for x in lines if x["kind"] != "header"]
    random.Random(1).shuffle(rest)
    again = audit([next(x for x in lines if x["kind"] == "header"), *rest], read_blob)
    assert json.dumps(again, sort_keys=True) == json.dumps(first, sort_keys=True)
    assert "seconds" not in json.dumps(first)


def test_folds_are_put_together() -> None:
    # Each probe is asked in one fold only; the estimates are over all of them.
    verdict = judged(lean(folds=2))
    assert (verdict["verdict"], verdict["audits"][0]["attacks"][0]["excess"]["n"]) == ("PASS", 25)


def test_a_written_run_is_judged_and_verified(tmp_path: Path) -> None:
    folder = lean(greedy=True, seeds=(0,)).write(tmp_path / "run")
    verdict = judge(folder)
    assert (verdict["verdict"], verdict["provisional"]) == ("PASS", True)
    assert verify(folder).problems == []
