"""Attacks that train on no text: one arm each, held against the control after the same attack, without tokens to be equal in."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from inline import InlinePool
from synthetic import HINTS, UNRELATED, Run, read_blob
from test_graph import CASE, attacked, of, with_
from test_runner import PLAN as TINY_PLAN
from test_runner import bodies, write_case
from test_runner import run as run_plan
from vestige import plan as plans
from vestige.cells import Arm, Graph, size_of
from vestige.desk.audit import audit
from vestige.desk.evidence import gather
from vestige.desk.predictors import points
from vestige.desk.rule import Judge
from vestige.desk.run_folder import verify
from vestige.errors import PlanError
from vestige.lab.attacks.quantise import Quantise
from vestige.plan import resolve
from vestige.recipe_request import Request
from vestige.run_traces import material, traced_arms

torch.set_num_threads(1)

RELEARN = {"method": "relearn", "steps": 4, "probe_at": [2, 4]}
QUANTISE = {"method": "quantise", "bits": 4}
LEAN = ("never_exposed_2", "sham", "broken")
NAME = f"{HINTS} (quantise)"


def graph(*attacks: dict[str, Any], **more: Any) -> Graph:
    return of({**with_("attacks", list(attacks)), **more})


def without_text(found: Graph) -> list[Arm]:
    return [a for a in found.arms if a.attack and a.relearn_set is None]


# --- the graph --------------------------------------------------------------------------------------------------------


def test_it_is_done_once_for_an_arm_and_not_once_for_every_set_and_fold() -> None:
    found = graph(RELEARN, QUANTISE)
    assert [(a.role, a.attack, a.set, a.fold) for a in without_text(found)] == [
        ("subject", "quantise", "quantise", 0),
        ("never_exposed", "quantise", "quantise", 0),
    ]
    assert [c.name for c in found.cells.values()].count("quantise") == 2
    cell = found.cells[without_text(found)[0].cell]
    assert cell.data == {}
    assert {p.id for a in cell.asks for p in a.probes if p.group == "forget"} == {p.id for p in CASE.asked("forget", wording="*")}
    assert {a.step for a in cell.asks} == {1}


def test_beside_it_the_cells_of_relearning_are_what_they_were() -> None:
    alone = {a.cell for a in attacked(graph(RELEARN), "subject")}
    assert {a.cell for a in attacked(graph(RELEARN, QUANTISE), "subject") if a.relearn_set} == alone


def test_two_of_them_are_told_apart_by_number() -> None:
    found = graph(QUANTISE, {"method": "quantise", "bits": 8}, attacked=["subject"])
    assert [(a.attack, a.set) for a in without_text(found)] == [("quantise 1", "quantise 1"), ("quantise 2", "quantise 2")]
    assert len({a.cell for a in without_text(found)}) == 2


def test_it_trains_no_token_and_is_not_traced() -> None:
    found = graph(RELEARN, QUANTISE)
    cell = found.cells[without_text(found)[0].cell]
    assert size_of(cell) == sum(len(p.prompt) for a in cell.asks for p in a.probes) + 500
    plan = resolve({**with_("attacks", [RELEARN, QUANTISE]), "traces": {"names": ["gradient_cosine"]}})
    assert set(traced_arms(plan, found)) == {a.cell for a in attacked(found, "subject") if a.relearn_set}


def test_a_task_vector_is_priced_by_the_steps_that_it_learns() -> None:
    def trained(**fields: Any) -> float:
        found = of(with_("unlearn", {"method": "task_vector", **fields}))
        cell = next(c for c in found.cells.values() if c.name == "task_vector" and c.label.startswith("subject"))
        return size_of(dataclasses.replace(cell, asks=())) - 500

    assert trained(learn_steps=10, steps=5) == trained(learn_steps=10, steps=50) == pytest.approx(trained(learn_steps=20, steps=5) / 2)


@pytest.mark.parametrize(
    ("trained", "seen"), [("lora_4", "all_but_embeddings"), ("lora", "all_but_embeddings"), ("last_block", "last_block")]
)
def test_a_trace_looks_at_weights_that_are_there_before_the_attack(trained: str, seen: str) -> None:
    plan = resolve({**with_("attacks", [{**RELEARN, "train": trained}]), "traces": {"names": ["gradient_cosine"]}})
    found = graph({**RELEARN, "train": trained})
    sets = {"forget": tuple(text.action.made(CASE, Request("forget")) for text in plan.relearn_sets)}
    arm = attacked(found, "subject")[0]
    assert material(CASE, sets, found.cells[arm.cell], arm).train == seen


# --- ranges of the fields of methods ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "key", "bad"),
    [
        ("task_vector", "learn_steps", 0),
        ("altpo", "alternates", 0),
        ("rmu", "steering", 0.0),
        ("undial", "strength", -1.0),
        ("rmu", "layer", -1),
        ("scrub", "max_steps", -1),
        ("scrub", "kl_weight", -0.5),
        ("wga", "power", -1.0),
        ("simnpo", "gamma", -0.1),
    ],
)
def test_a_field_that_can_mean_nothing_is_refused(method: str, key: str, bad: float) -> None:
    with pytest.raises(PlanError, match=rf"'unlearn.{key}': expected .*seen {bad}"):
        resolve(with_("unlearn", {"method": method, key: bad}))


def test_a_group_size_below_nothing_is_refused() -> None:
    with pytest.raises(PlanError, match="group_size"):
        resolve(with_("attacks", [{**QUANTISE, "group_size": -1}]))
    assert resolve(with_("attacks", [{**QUANTISE, "group_size": 0}])).attacks[0].action.made == Quantise()


# --- the rule ---------------------------------------------------------------------------------------------------------


def lines(**fields: Any) -> list[dict[str, Any]]:
    """Return a run with two relearn sets and one attack without text, which spent no token."""
    tokens = {NAME: 0, **fields.pop("tokens", {})}
    run = Run(**{"without": LEAN, "attacks": ("relearn", "quantise"), "tokens": tokens, **fields})
    found = run.lines()
    header = next(x["body"] for x in found if x["kind"] == "header")
    header["design"] = [a for a in header["design"] if a["set"] != f"{UNRELATED} (quantise)"]
    for arm in header["design"]:
        if arm["set"] == NAME:
            arm |= {"set": "quantise", "relearn_set": None}
    return found


def judged(found: list[dict[str, Any]]) -> dict[str, Any]:
    return next(a for a in audit(found, read_blob)["audits"] if a["name"] == "unlearned")


def clause(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(c for c in found["clauses"] if c["name"] == name)


def test_a_run_with_it_passes_where_it_brings_nothing_back() -> None:
    found = judged(lines())
    assert found["verdict"] == "PASS"
    assert [a["set"] for a in found["attacks"]] == [f"{HINTS} (relearn)", f"{UNRELATED} (relearn)", "quantise"]
    assert clause(found, "benign")["holds"] is True  # there is no text to be checked
    assert clause(found, "quantise@4")["says"].startswith("after quantise: ")
    assert clause(found, "attacked")["says"].endswith("; attacks without text were tried: quantise")
    assert f"after relearning with {HINTS} (relearn), {UNRELATED} (relearn), quantise, up to" in found["claim"]


def test_what_it_brings_back_beyond_the_control_is_revived() -> None:
    found = judged(lines(levels={("subject", NAME): 0.5, ("never_exposed", NAME): 0.05}))
    assert (found["verdict"], found["reasons"]) == ("FAIL", ["revived"])
    assert found["claim"].endswith("came back, beyond a model that never saw the data, after quantise.")


def test_its_control_is_the_control_after_the_same_attack() -> None:
    found = judged(lines(levels={("subject", NAME): 0.5, ("never_exposed", NAME): 0.5}))
    attack = next(a for a in found["attacks"] if a["set"] == "quantise")
    assert attack["steps"][-1]["control_level"]["value"] == pytest.approx(0.5, abs=0.02)
    assert found["verdict"] == "PASS"


def test_without_a_control_it_is_held_to_the_absolute_level_and_to_no_text() -> None:
    # Nobody attacked a never-exposed model; the unrelated set belongs to relearning. So it can block a PASS, and can prove nothing.
    made = lines(without=(*LEAN, "never_exposed"), knowledge="pretrained", levels={("subject", NAME): 0.5})
    header = next(x["body"] for x in made if x["kind"] == "header")
    judge = Judge(gather(made, read_blob), header["audits"][0])
    attack = next(a for a in judge.findings().attacks if a.set == "quantise")
    assert (attack.candidate, attack.fails) == (False, False)
    assert clause(judged(made), "quantise@4")["holds"] is False
    header["audits"][0]["unrelated"] = None  # no unrelated set at all: still nothing stands in for one
    assert not judge.findings().attacks[-1].candidate


def test_a_plan_of_nothing_else_says_so() -> None:
    made = lines(levels={("positive", NAME): 0.05})
    header = next(x["body"] for x in made if x["kind"] == "header")
    header["design"] = [a for a in header["design"] if a["set"] in (None, "quantise")]
    found = judged(made)
    assert (found["verdict"], found["reasons"]) == ("INCONCLUSIVE", ["liar_caught"])  # rounding alone does not bring it back here
    assert clause(found, "attacked")["says"] == "attacks without text were tried: quantise"
    assert audit(made, read_blob)["limits"][0].startswith("Only these relearn sets were tried: none; up to 0 steps. Beside them: quantise.")


def test_the_flag_of_unequal_budgets_does_not_count_it() -> None:
    def raised(found: list[dict[str, Any]]) -> set[str]:
        return {f["name"] for f in audit(found, read_blob)["flags"]}

    assert "unequal_tokens" not in raised(lines())
    assert "unequal_tokens" in raised(lines(tokens={f"{HINTS} (relearn)": 200}))


# --- a whole run ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny_run(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantised")
    case = write_case(folder / "case")
    plan = folder / "plan.toml"
    text = TINY_PLAN.format(model=model, case=case).replace("[ask]", '[[attacks]]\nmethod = "quantise"\nbits = 4\n[ask]')
    plan.write_text(text + '[traces]\nnames = ["loss_ratio"]\n', encoding="utf-8")
    run_plan(plan, folder / "run")
    assert plans.load(plan).attacks[1].probe_at == (1,)
    return folder / "run"


def test_a_whole_run_quantises_every_attacked_arm_once_and_its_control_too(tiny_run: Path) -> None:
    (header,) = bodies(tiny_run, "header")
    cells = {a["role"]: a["cell"] for a in header["design"] if a["attack"] == "quantise"}
    assert set(cells) == {"subject", "never_exposed", "positive"}
    states = {b["cell"]: b for b in bodies(tiny_run, "state")}
    rest = {a["role"]: a["cell"] for a in header["design"] if a["set"] is None}
    for role, cell in cells.items():
        assert states[cell]["parents"] == {"start": rest[role]}
        assert states[cell]["action"] == {"name": "quantise", "bits": 4, "group_size": 0}
        assert (states[cell]["step"], states[cell]["tokens_trained"]) == (1, 0)
        assert states[cell]["weights"] != states[rest[role]]["weights"]
    assert len([job for job in InlinePool.jobs if job.cell in cells.values()]) == 3
    assert verify(tiny_run).problems == []


def test_its_verdict_reads_the_control_after_rounding(tiny_run: Path) -> None:
    verdict = json.loads((tiny_run / "verdict.json").read_bytes())
    found = next(a for a in verdict["audits"] if a["name"] == "unlearned")
    attack = next(a for a in found["attacks"] if a["set"] == "quantise")
    assert [s["step"] for s in attack["steps"]] == [1]
    asked = [x for x in verdict["levels"] if (x["group"], x["wording"], x["score"]) == ("forget", "primary", "choice")]
    levels = {(x["role"], x["set"], x["step"]): x["estimate"] for x in asked}
    assert attack["steps"][0]["control_level"] == levels["never_exposed", "quantise", 1]
    assert not [f for f in verdict["flags"] if f["name"] == "unequal_tokens" and "quantise" in f["says"]]
    assert "quantise" in (tiny_run / "report.html").read_text(encoding="utf-8")


def test_what_predicts_recovery_by_text_has_no_point_without_text(tiny_run: Path) -> None:
    assert {p.set for p in points(tiny_run)} == {"rtt_fold (relearn)", "letters (relearn)"}
    traced = {b["attack"] for b in bodies(tiny_run, "measurement") if b["name"] == "trace"}
    assert traced == {"relearn"}
