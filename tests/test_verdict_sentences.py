"""What a verdict and its clauses say, word for word and with their numbers: of the rule, a manager reads no more."""

from __future__ import annotations

from typing import Any

import pytest

from synthetic import HINTS, UNRELATED, At, Run, read_blob
from vestige.desk.audit import audit
from vestige.desk.evidence import gather, lines_by_seed
from vestige.desk.rule import REVISION
from vestige.errors import LedgerError

LEAN = ("never_exposed_2", "sham", "broken")
Told = dict[str, tuple[bool | None, str, float | None, float | None]]


def told(run: Run | list[dict[str, Any]], name: str = "unlearned") -> Told:
    """Return what each clause holds, says, measures and asks for."""
    lines = run if isinstance(run, list) else run.lines()
    found = next(a for a in audit(lines, read_blob)["audits"] if a["name"] == name)
    return {
        c["name"]: (c["holds"], c["says"], c["value"] if c["value"] is None else round(c["value"], 4), c["bound"]) for c in found["clauses"]
    }


def lean(**fields: Any) -> Run:
    return Run(**{"without": LEAN, "seeds": (0, 1), **fields})


def test_a_run_that_passes() -> None:
    below = "the upper bound must be below 0.2"
    assert told(lean()) == {
        "original_knew": (True, "the original knew it: 0.880 above the control, lower bound 0.852; at least 0.3 is needed", 0.8518, 0.3),
        "residual": (True, f"before any attack: +0.011, 95 % interval -0.014 to +0.041; {below}", 0.0407, 0.2),
        "attacked": (True, "relearning was tried with: hints, unrelated", None, None),
        "hints@2": (True, f"after relearn on hints, step 2: +0.011, 95 % interval -0.015 to +0.043; {below}", 0.0425, 0.2),
        "hints@4": (True, f"after relearn on hints, step 4: +0.011, 95 % interval -0.010 to +0.035; {below}", 0.0353, 0.2),
        "unrelated@2": (True, f"after relearn on unrelated, step 2: +0.011, 95 % interval -0.014 to +0.040; {below}", 0.0396, 0.2),
        "unrelated@4": (True, f"after relearn on unrelated, step 4: +0.011, 95 % interval -0.016 to +0.036; {below}", 0.0358, 0.2),
        # None of 25 ranks last in either: the exact bound of 0 of 25 at 97.5 % is 1 - 0.025^(1/25) = 0.137.
        "imprint": (
            True,
            f"share of true values that rank last, minus the control's: +0.000, 95 % interval -0.137 to +0.137; {below}",
            0.1372,
            0.2,
        ),
        "liar_caught": (True, "the liar was caught: the same attacks brought back what a masked copy hides", None, None),
        # 0.88 / 0.9
        "utility": (
            True,
            "utility is 0.98 of the original's (the worse of retain and general probes); at least 0.8 is needed",
            0.9778,
            0.8,
        ),
        "enough_probes": (True, "25.0 effective probes; at least 17 are needed", 25.0, 17),
        "complete": (True, "0 of 20 cells missing or failed, 0 records missing, 0 estimates without data", 0.0, 0.0),
        "benign": (True, "0 probes leaked into a relearn set and were set apart", 0.0, 0.0),
        "distinct_states": (True, "subject and control are different models", None, None),
    }


def test_a_run_that_never_ran() -> None:
    lines = [x for x in lean(seeds=(0,)).lines() if x["kind"] == "header"]
    nothing = "missing: 0 cluster with data; an interval needs two or more"
    places = {f"{set_}@{step}": f"after relearn on {set_}, step {step}" for set_ in (HINTS, UNRELATED) for step in (2, 4)}
    assert told(lines) == {
        "original_knew": (None, f"what the original knew: {nothing}", None, 0.3),
        "residual": (None, f"before any attack: {nothing}", None, 0.2),
        "attacked": (True, "relearning was tried with: hints, unrelated", None, None),
        **{name: (None, f"{where}: {nothing}", None, 0.2) for name, where in places.items()},
        "imprint": (None, f"share of true values that rank last, minus the control's: {nothing}", None, 0.2),
        "liar_caught": (False, "the liar was not caught: these attacks could not bring back what is certainly there", None, None),
        "utility": (None, "utility cannot be judged: records are missing, or the original is not above chance", None, 0.8),
        "enough_probes": (False, "0.0 effective probes; at least 17 are needed", 0.0, 17),
        # Without data: at rest, last ranks, four places, and the chosen step of two sets. 10 + 8 = 18.
        "complete": (False, "10 of 10 cells missing or failed, 0 records missing, 8 estimates without data", 18.0, 0.0),
        "benign": (None, "no leak check of: hints, unrelated", None, None),
        "distinct_states": (None, "the digests of subject and control were not both recorded", None, None),
    }


def without_check(lines: list[dict[str, Any]], *sets: str) -> list[dict[str, Any]]:
    return [x for x in lines if not (x["kind"] == "measurement" and x["body"]["set"] in sets)]


def unattacked(run: Run) -> list[dict[str, Any]]:
    lines = run.lines()
    next(x["body"] for x in lines if x["kind"] == "header")["audits"][0]["attacked"] = False
    return lines


def lost(role: str, group: str, says: str = "lost") -> Any:
    def tweak(at: At, score: float) -> float | str:
        return says if (at.role, at.group, at.set, at.index, at.split, at.seed) == (role, group, None, 0, "test", 0) else score

    return tweak


ALONE = (*LEAN, "original")
CHANGED: list[tuple[str, Run | list[dict[str, Any]], Told]] = [
    ("no liar", lean(without=(*LEAN, "positive")), {
        "liar_caught": (None, "there is no liar in this audit, so nothing shows that the attacks work", None, None),
        "complete": (True, "0 of 14 cells missing or failed, 0 records missing, 0 estimates without data", 0.0, 0.0),
    }),
    ("one leaked probe", lean(leaked={HINTS: ("forget-selection-0-0",)}), {
        "benign": (False, "1 probes leaked into a relearn set and were set apart", 1.0, 0.0),
    }),
    ("one set unchecked", without_check(lean().lines(), HINTS), {"benign": (None, "no leak check of: hints", None, None)}),
    ("a broken model", lean(kept={"subject": 0.45}), {
        "utility": (False, "utility is 0.50 of the original's (the worse of retain and general probes); at least 0.8 is needed", 0.5, 0.8),
    }),
    ("a lost record of what is kept", lean(tweak=lost("subject", "retain")), {
        "utility": (None, "utility cannot be judged: records are missing, or the original is not above chance", None, 0.8),
    }),
    ("one model twice", lean(digests={"subject/0": "one", "never_exposed/0": "one"}), {
        "distinct_states": (False, "subject and control are one and the same model", None, None),
    }),
]  # fmt: skip


@pytest.mark.parametrize(("run", "expected"), [c[1:] for c in CHANGED], ids=[c[0] for c in CHANGED])
def test_what_changes_with_one_thing(run: Run | list[dict[str, Any]], expected: Told) -> None:
    passing, found = told(lean()), told(run)
    assert {name: said for name, said in found.items() if said != passing[name]} == expected


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, (None, "utility cannot be judged: no original to compare with, and no rule.utility_min", None, 0.8)),
        ({"utility_min": 0.5}, (True, "utility is 0.88 (no original to compare with); the plan asks for 0.5", 0.88, 0.5)),
        ({"utility_min": 0.9}, (False, "utility is 0.88 (no original to compare with); the plan asks for 0.9", 0.88, 0.9)),
        (
            {"utility_min": 0.5, "tweak": lost("subject", "utility")},
            (None, "utility cannot be judged: no original to compare with, and records are missing", None, 0.8),
        ),
    ],
)
def test_utility_without_an_original(fields: dict[str, Any], said: Any) -> None:
    found = told(lean(without=ALONE, **fields))
    assert found["utility"] == said
    assert found["original_knew"] == (True, "what the original knew: missing: no original model: K = 1", None, 0.3)


def test_a_model_that_was_not_attacked_and_has_no_control() -> None:
    found = told(unattacked(lean(without=(*LEAN, "never_exposed"))))
    assert found["attacked"] == (False, "no attack was tried on this model", None, None)
    assert found["distinct_states"] == (True, "there is no control to be the same model as the subject", None, None)
    assert found["benign"] == (True, "0 probes leaked into a relearn set and were set apart", 0.0, 0.0)
    assert [name for name in found if "@" in name] == []


def rounded() -> list[dict[str, Any]]:
    """Return a run whose second attack trains on no text."""
    lines = lean().lines()
    header = next(x["body"] for x in lines if x["kind"] == "header")
    header["plan"]["attacks"].append({"name": "quantise", "probe_at": [2, 4]})
    for arm in header["design"]:
        if arm["set"] == UNRELATED:
            arm.update(attack="quantise", set="quantise", relearn_set=None)
    return lines


def test_an_attack_without_text_is_named_by_itself() -> None:
    found = told(rounded())
    assert found["attacked"][1] == "relearning was tried with: hints; attacks without text were tried: quantise"
    assert found["quantise@2"][1].startswith("after quantise: +0.011")
    assert found["benign"] == (True, "0 probes leaked into a relearn set and were set apart", 0.0, 0.0)


# ---- the verdict around the clauses


def verdict(run: Run | list[dict[str, Any]]) -> dict[str, Any]:
    return audit(run if isinstance(run, list) else run.lines(), read_blob)


def test_the_head_of_a_verdict() -> None:
    found = verdict(lean())
    assert {key: found[key] for key in found if key not in ("audits", "levels", "arms", "evidence", "case")} == {
        "schema": "vestige.verdict/1",
        "run": "synthetic",
        "rule": {"delta": 0.2, "alpha": 0.025, "utility_ratio": 0.8, "utility_min": None, "known_min": 0.3},
        "rule_revision": REVISION,
        "plan_digest": "0" * 64,
        "verdict": "PASS",
        "provisional": False,
        "reasons": [],
        "claim": "Less than 20% of what the original knew remains beyond a model that never saw the data, before and after relearning "
        "with hints, unrelated, up to the budget tried.",
        "limits": [
            "Only these relearn sets were tried: hints, unrelated; up to 4 steps. Other texts, steps or attacks may do more.",
            "No recovery found is not the same as erased.",
            "The deciding score is a choice among candidate answers; what the model says by itself is reported beside it.",
        ],
        "flags": [],
    }
    assert found["case"]["name"] == "synthetic"
    assert [(a["name"], a["subject"], a["control"], a["group"], a["provisional"]) for a in found["audits"]] == [
        ("unlearned", "subject", "never_exposed", "forget", False),
        ("liar", "positive", "never_exposed", "forget", False),
    ]


def test_an_audit_of_another_group_says_which() -> None:
    lines = lean(seeds=(0,)).lines()
    next(x["body"] for x in lines if x["kind"] == "header")["audits"][0]["group"] = "retain"
    assert verdict(lines)["audits"][0]["group"] == "retain"


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"without": (*LEAN, "never_exposed")}, "No model that never saw the data was at hand: only absolute levels are judged."),
        ({"without": ALONE}, "No original model was at hand: levels are not set in relation to what it knew."),
        (
            {"knowledge": "pretrained", "without": (*LEAN, "never_exposed")},
            "The knowledge was pre-trained: no model exists that never knew it; the control is unrelated text, which limits the claim.",
        ),
    ],
)
def test_what_was_not_at_hand_is_a_limit(fields: dict[str, Any], limit: str) -> None:
    assert verdict(lean(**fields))["limits"][2] == limit


def test_attacks_without_text_stand_beside_the_relearn_sets_in_the_limits() -> None:
    assert verdict(rounded())["limits"][0] == (
        "Only these relearn sets were tried: hints; up to 4 steps. Beside them: quantise. Other texts, steps or attacks may do more."
    )
    assert verdict(unattacked(lean()))["limits"][0].startswith("Only these relearn sets were tried: none; up to 0 steps. Other texts")


@pytest.mark.parametrize(
    ("levels", "claim"),
    [
        ({("subject", HINTS): 0.6}, "65% (95 % interval 62% to 67%) of what the original knew came back, beyond a model that never saw "),
        (
            {("subject", None): 0.6, ("subject", HINTS): 0.6, ("subject", UNRELATED): 0.6},
            "The model still shows 66% (95 % interval 63% to 68%) of what the original knew, before any attack.",
        ),
    ],
)
def test_what_a_fail_claims(levels: Any, claim: str) -> None:
    assert verdict(lean(levels=levels))["claim"].startswith(claim)


def test_a_level_that_never_fell_is_there_and_did_not_come_back() -> None:
    # At rest just below delta, after hints just above, the rise itself too small to be told: FAIL by level alone.
    found = verdict(lean(levels={("subject", None): 0.19, ("subject", HINTS): 0.22, ("subject", UNRELATED): 0.19}))["audits"][0]
    assert found["reasons"] == ["level"]
    assert " of what the original knew is there, beyond a model that never saw the data, after relearning with hints (" in found["claim"]
    assert "came back" not in found["claim"]


def test_a_count_of_what_is_missing_adds_up() -> None:
    # One cell of the liar without an end; one record of the subject at rest, of which two estimates are made (level and last rank).
    lines = lean(seeds=(0,), tweak=lost("subject", "forget")).lines()
    kept = [x for x in lines if not (x["kind"] == "cell_done" and x["body"]["cell"] == f"positive/{UNRELATED}/0/0")]
    held, says, value, _ = told(kept)["complete"]
    assert held is False
    assert says == "1 of 10 cells missing or failed, 2 records missing, 0 estimates without data"
    assert value == 3.0


def test_a_ledger_without_a_header_says_so() -> None:
    for read in (lambda: lines_by_seed([]), lambda: gather([], read_blob)):
        with pytest.raises(LedgerError, match=r"^the ledger has no header line: the run never began$"):
            read()
