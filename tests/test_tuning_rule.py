"""The tuning rule on planted records: what is chosen, the frontier, and what `verify` counts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

import pytest

from synthetic import candidates
from vestige.desk.report import tuning as pages
from vestige.desk.tuning import Point, chosen, doubts, frontier, of_tuning, recount, tuned
from vestige.errors import LedgerError
from vestige.records import Missing

Lines = list[dict[str, Any]]
# Scores of (forget, retain, utility) by arm and step. Never exposed 0.1 and delta 0.2: the floor is 0.3.
BEST = (0.9, 0.8, 0.6)
LEVELS: dict[str, dict[Any, tuple[float, float, float] | None]] = {
    "original": {"end": BEST},
    "never_exposed": {"end": (0.1, 0.8, 0.6)},
    "a 0": {2: (0.5, 0.8, 0.6), 4: (0.3, 0.72, 0.57)},  # shares 0.9 and 0.95: utility 0.9, at the floor
    "a 1": {2: (0.2, 0.76, 0.48), 4: (0.05, 0.4, 0.3)},  # 0.95 and 0.8: utility 0.8
    "b 0": {2: (0.7, 0.8, 0.6), 4: (0.6, 0.4, 0.6)},
    "b 1": {2: (0.4, 0.72, 0.6), 4: (0.8, 0.1, 0.1)},
}
GROUPS = ("forget", "retain", "utility")


def made(levels: Mapping[str, Mapping[Any, Any]] = LEVELS, *, failed: tuple[str, ...] = (), control: bool = True) -> Lines:
    """Return the lines of a tuning of methods a and b, two trials each, asked at steps 2 and 4."""
    trials = [
        {"method": m, "trial": n, "action": {"name": m, "lr": 0.1 * (n + 1), "steps": 4}, "looks": [2, 4]} for m in "ab" for n in (0, 1)
    ]
    tune = {"methods": ["a", "b"], "trials": 2, "looks": 2, "seed": 0, "spaces": {"a": {"lr": [0.1, 1.0]}, "b": {"lr": [0.1, 1.0]}}}
    roles = [r for r in levels if control or r != "never_exposed"]
    probes = [_probe(g, c, n, split) for g in GROUPS for split in ("selection", "test") for c, n in (("x", 0), ("x", 1), ("y", 0))]
    header = {
        "run": "tiny-tune",
        "case": {"name": "planted"},
        "plan": {"tune": {**tune, "tried": trials}},
        "plan_digest": "0",
        "rule": {"delta": 0.2},
        "probes": probes,
        "design": [{"role": r, "cell": f"cell {r}", "seed": 0, "attack": None, "set": None} for r in roles],
    }
    lines: Lines = [{"kind": "header", "body": header}]
    actions = {f"{t['method']} {t['trial']}": dict(t["action"]) for t in trials}
    for role in roles:
        if role in failed:
            lines.append({"kind": "cell_failed", "body": {"cell": f"cell {role}", "error": "ref"}})
            continue
        lines.append({"kind": "state", "body": {"cell": f"cell {role}", "action": actions.get(role, {"name": "learn"})}})
        for step, scores in levels[role].items():
            lines += [_record(role, step, p, dict(zip(GROUPS, scores, strict=True))) for p in probes if p["split"] == "selection"]
        lines.append({"kind": "cell_done", "body": {"cell": f"cell {role}"}})
    return lines


def _probe(group: str, cluster: str, number: int, split: str) -> dict[str, Any]:
    about = {"group": group, "split": split, "wording": "primary", "k": 4, "cluster": f"{group}-{split}-{cluster}"}
    return {"probe": f"{group}-{split}-{cluster}-{number}", **about}


def _record(role: str, step: Any, probe: Mapping[str, Any], scores: Mapping[str, float]) -> dict[str, Any]:
    # Cluster x has two probes, 0.1 above and below the level, y has one at it: the mean over clusters is the level.
    shift = {"x-0": 0.1, "x-1": -0.1}.get(probe["probe"][-3:], 0.0)
    body = {"cell": f"cell {role}", "step": step, "probe": probe["probe"], "missing": None}
    return {"kind": "score_tokens", "body": {**body, "candidates": candidates(scores[probe["group"]] + shift)}}


def method(result: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(m for m in result["methods"] if m["method"] == name)
    return found


# --- levels -----------------------------------------------------------------------------------------------------------


def test_a_point_is_its_forget_score_and_the_worse_of_two_shares_of_the_original() -> None:
    found = method(tuned(made()), "a")["points"][1]
    assert (found["trial"], found["step"]) == (0, 4)
    assert found["forget"] == pytest.approx(0.3)
    assert found["kept"] == {"retain": pytest.approx(0.72 / 0.8), "utility": pytest.approx(0.57 / 0.6)}
    assert found["utility"] == pytest.approx(0.9)


def test_clusters_count_alike_however_many_probes_they_have() -> None:
    lines = made()
    for line in lines:
        if line["kind"] == "score_tokens" and (line["body"]["cell"], line["body"]["probe"][-1]) == ("cell a 0", "1"):
            line["body"]["candidates"] = candidates(0.9)
    # Forget at step 2: cluster x is (0.6 + 0.9) / 2 = 0.75, y is 0.5; their mean is 0.625, the mean of probes 0.667.
    assert method(tuned(lines), "a")["points"][0]["forget"] == pytest.approx(0.625)


def test_the_floor_is_the_control_plus_delta_and_chance_plus_delta_without_one() -> None:
    with_control, without = tuned(made()), tuned(made(control=False))
    assert (with_control["control_is"], with_control["floor"]) == ("never_exposed", pytest.approx(0.3))
    assert (without["control_is"], without["floor"]) == ("chance", pytest.approx(0.2))


# --- the choice -------------------------------------------------------------------------------------------------------


def test_chosen_is_the_least_loss_among_those_at_the_floor_with_its_step_as_number_of_steps() -> None:
    best = method(tuned(made()), "a")["chosen"]
    # At 0.3 or below: trial 0 step 4 (utility 0.9), trial 1 step 2 (0.8), trial 1 step 4 (0.5). Trial 0 step 2 keeps all, but is at 0.5.
    assert (best["trial"], best["step"]) == (0, 4)
    lower = copy.deepcopy(LEVELS)
    lower["a 0"][4] = (0.31, 0.72, 0.57)
    best = method(tuned(made(lower)), "a")["chosen"]
    assert (best["trial"], best["step"], best["fields"]) == (1, 2, {"lr": pytest.approx(0.2), "steps": 2})


def test_where_nothing_reaches_the_floor_nothing_is_chosen_and_the_frontier_shows_how_near_it_came() -> None:
    found = method(tuned(made()), "b")
    assert found["chosen"] is None
    assert found["why_not"] == "no point forgot to the floor: the lowest forget score is 0.400, the floor 0.300"
    # b 1 step 2 (0.4, 0.9) and b 0 step 2 (0.7, 1.0); (0.6, 0.5) and (0.8, ...) lose to them in both.
    assert found["frontier"] == [[1, 2], [0, 2]]


def point(trial: int, step: int, forget: float | Missing, utility: float | Missing) -> Point:
    return Point(trial, step, forget, utility, {})


def test_of_equals_the_nearest_to_the_control_then_the_earlier() -> None:
    far, near = point(0, 4, -0.3, 0.9), point(1, 4, 0.05, 0.9)
    assert chosen([far, near], 0.1, 0.2, 0.0) == near
    assert chosen([point(1, 2, 0.1, 0.9), point(0, 4, 0.1, 0.9), point(0, 2, 0.1, 0.9)], 0.1, 0.2, 0.0) == point(0, 2, 0.1, 0.9)


def test_a_margin_leaves_the_edge_of_the_floor_out() -> None:
    edge, below = point(0, 2, 0.3, 0.99), point(1, 2, 0.25, 0.9)
    assert chosen([edge, below], 0.1, 0.2, 0.0) == edge
    assert chosen([edge, below], 0.1, 0.2, 0.05) == below
    assert chosen([edge, below], 0.1, 0.2, 0.1) == Missing(
        "no point forgot far enough: the lowest forget score is 0.250, asked is 0.200, the floor 0.300 less a margin of 0.1"
    )


def test_the_margin_is_the_plans_and_older_plans_had_none() -> None:
    lines = made()
    assert tuned(lines)["margin"] == 0.0
    lines[0]["body"]["plan"]["tune"]["margin"] = 0.05
    found = tuned(lines)
    # Trial 0 step 4 lies at the floor; trial 1 step 2, at 0.2, is the best of what is left.
    assert (found["margin"], method(found, "a")["chosen"]["trial"], method(found, "a")["chosen"]["step"]) == (0.05, 1, 2)
    assert found["floor"] == pytest.approx(0.3)
    assert "at most 0.25 (the never-exposed model's 0.10 + 0.2 - 0.05 of margin)" in pages.text(found)
    without, with_it = (pages.figure(result) for result in (tuned(made()), found))
    assert (without.count('stroke-dasharray="4 3"'), without.count('stroke-dasharray="1 3"')) == (2, 0)  # a panel a method
    assert (with_it.count('stroke-dasharray="4 3"'), with_it.count('stroke-dasharray="1 3"')) == (2, 2)
    assert "dotted: 0.05 below it" in with_it


def test_what_cannot_be_told_is_never_chosen() -> None:
    lost = Missing("lost")
    assert chosen([point(0, 2, 0.0, lost), point(0, 4, lost, 1.0)], 0.1, 0.2, 0.0) == Missing("no trial gave both scores: lost")
    assert chosen([], 0.1, 0.2, 0.0) == Missing("no trial gave both scores: none was done")
    assert chosen([point(0, 2, 0.0, 1.0)], lost, 0.2, 0.0) == lost
    assert frontier([point(0, 2, 0.0, lost), point(0, 4, 0.2, 0.5)]) == [point(0, 4, 0.2, 0.5)]


def test_a_missing_record_makes_its_points_missing_and_no_other() -> None:
    lines = made()
    lost = next(x for x in lines if x["kind"] == "score_tokens" and x["body"]["cell"] == "cell a 0" and x["body"]["step"] == 4)
    lost["body"]["missing"], lost["body"]["candidates"] = "a log-probability is not a finite number", []
    found = method(tuned(lines), "a")
    assert "not a finite number" in found["points"][1]["forget"]["missing_reason"]
    assert (found["chosen"]["trial"], found["chosen"]["step"]) == (1, 2)


def test_an_original_that_is_not_above_chance_gives_no_share() -> None:
    lines = made({**LEVELS, "original": {"end": (0.9, -0.1, 0.6)}})
    found = method(tuned(lines), "a")
    assert found["points"][0]["utility"] == {"missing_reason": "the original is not above chance on retain probes"}
    assert found["why_not"].endswith("the original is not above chance on retain probes")


def test_test_probes_have_no_say() -> None:
    lines = made()
    extra = [copy.deepcopy(x) for x in lines if x["kind"] == "score_tokens"]
    for line in extra:
        line["body"] |= {"probe": line["body"]["probe"].replace("selection", "test"), "candidates": candidates(-0.3)}
    assert tuned([*lines[:1], *extra, *lines[1:]]) == tuned(lines)


def test_no_header_of_a_tuning_is_an_error() -> None:
    assert not of_tuning([{"kind": "header", "body": {"plan": {}}}])
    with pytest.raises(LedgerError, match="no header of a tuning"):
        tuned([])


# --- counting again ---------------------------------------------------------------------------------------------------


def test_a_trial_that_failed_counts_as_tried_and_is_not_chosen() -> None:
    lines = made(failed=("a 0",))
    assert list(recount(lines)) == []
    found = method(tuned(lines), "a")
    assert [t["outcome"] for t in found["trials"]] == ["failed", "done"]
    assert found["chosen"]["trial"] == 1


def edit(change: Callable[[dict[str, Any]], Any]) -> Lines:
    lines = copy.deepcopy(made())
    change(lines[0]["body"])
    return lines


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (edit(lambda h: h["plan"]["tune"]["tried"].pop()), "b: 1 trials are in the plan; the budget of every method named is 2"),
        (edit(lambda h: h["plan"]["tune"]["methods"].remove("b")), "b: 2 trials are in the plan"),
        (edit(lambda h: h["plan"]["tune"]["tried"][0]["looks"].insert(0, 1)), "a 0: asked at the steps [1, 2, 4]; expected at most 2"),
        (edit(lambda h: h["plan"]["tune"]["tried"][0]["looks"].pop()), "a 0: asked at the steps [2]"),
        (edit(lambda h: h["plan"]["tune"]["tried"][0]["action"].update(lr=0.3)), "a 0: what was carried out is not what the plan says"),
        (edit(lambda h: h["design"].pop(2)), "a 0: neither done nor failed"),
        (edit(lambda h: h["design"].append({"role": "a 2", "cell": "cell a 1"})), "a 2: an arm that is no trial of the plan"),
        ([x for x in made() if x["body"].get("cell") != "cell b 1"], "b 1: neither done nor failed"),
    ],
)
def test_an_unequal_budget_is_told(lines: Lines, says: str) -> None:
    assert any(found.startswith(says) for found in recount(lines))
    assert any(found.startswith(says) for found in doubts(tuned(lines), lines))


def test_a_choice_that_does_not_follow_is_told() -> None:
    lines, written = made(), tuned(made())
    assert list(doubts(written, lines)) == []
    method(written, "a")["chosen"]["trial"] = 1
    assert list(doubts(written, lines)) == ["the choices do not follow: 'methods' in tuning.json is not what the records give"]
    assert "by revision 0 of the rule" in next(doubts({**tuned(lines), "rule_revision": 0}, lines))
    broken = [x if x["kind"] != "header" else {"kind": "header", "body": {"plan": {"tune": {}}}} for x in lines]
    assert [d for d in doubts(tuned(lines), broken) if d.startswith("the choices cannot be derived")]


# --- for people -------------------------------------------------------------------------------------------------------


def test_the_pages_name_every_method_every_point_and_the_floor() -> None:
    result = tuned(made(failed=("b 0",)))
    said, page = pages.text(result), pages.markdown(result)
    assert "at most 0.30 (the never-exposed model's 0.10 + 0.2)" in said
    assert "no point forgot to the floor" in said
    assert "2 (1 failed)" in said
    assert [page.count(f"\n| {n} | ") for n in (0, 1)] == [2, 4]  # trial 0 of b gave no point
    assert "Trial 0: failed (steps 4, lr 0.1)." in page
    assert "| trial | step | forget | retain, share | utility, share | the worse | fields |" in page
    drawn = ElementTree.fromstring(pages.figure(result))
    circles = [e for e in drawn.iter() if e.tag.endswith("circle")]
    assert len(circles) == 6 + 1  # six points and one ring
    assert pages.figure(tuned(made(failed=("a 0", "a 1", "b 0", "b 1"))))
