"""Plans with [tune]: the trials they draw, what they refuse, and that the steps of a longer training are those of a shorter one."""

from __future__ import annotations

import copy
import dataclasses
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from test_actions import METHODS, folder, fresh, make  # noqa: F401
from vestige.cases.capitals import Capitals, countries
from vestige.cases.customers import Customers
from vestige.errors import PlanError
from vestige.graph import Source, build
from vestige.lab import unlearn
from vestige.lab.models import LanguageModel
from vestige.plan import resolve
from vestige.plan_tuning import Read, load, read
from vestige.plans import text_of
from vestige.trials import draw
from vestige.tune import tuned_plan

SPACE = {"lr": (1e-5, 1e-3), "power": (0.0, 4.0), "max_steps": (5, 20)}
DEFAULTS = {"lr": 4e-5, "power": 1.0, "max_steps": 15}
DATA: Any = {"forget": Customers()().forget[:8], "retain": Customers()().retain[:8]}
EASY: dict[str, Any] = {"methods": ["npo", "scrub"], "trials": 4, "looks": 2}


def document(**tune: Any) -> dict[str, Any]:
    made: dict[str, Any] = tomllib.loads(text_of("customers"))
    del made["unlearn"]
    return {**made, "tune": {**EASY, **tune}}


# --- trials -----------------------------------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_trials_and_another_seed_others() -> None:
    one, same, other = (draw(SPACE, DEFAULTS, count=8, seed=seed) for seed in (0, 0, 1))
    assert one == same
    assert one[1:] != other[1:]
    assert draw(SPACE, DEFAULTS, count=4, seed=0) == one[:4]  # a larger budget begins with the smaller one


def test_the_first_trial_is_the_defaults_moved_into_the_space() -> None:
    assert draw(SPACE, DEFAULTS, count=1, seed=0) == [DEFAULTS]
    assert draw({"lr": (1e-4, 1e-3)}, {"lr": 4e-5}, count=1, seed=0) == [{"lr": 1e-4}]


# Sobol: of the first 16 points of a dimension, 8 lie in either half, here of the logarithm; of 0 to 4, of the number itself.
def test_trials_are_spread_evenly_over_the_space() -> None:
    drawn = draw(SPACE, DEFAULTS, count=17, seed=3)[1:]
    assert sum(t["lr"] < 1e-4 for t in drawn) == 8
    assert sum(t["power"] < 2 for t in drawn) == 8
    for trial in drawn:
        assert all(low <= trial[name] <= high for name, (low, high) in SPACE.items())
        assert isinstance(trial["max_steps"], int)


@pytest.mark.parametrize("name", METHODS)
def test_the_defaults_of_every_method_lie_in_its_space_and_its_fields_are_few(name: str) -> None:
    kind: Any = unlearn.TABLE[name]
    defaults = {f.name: f.default for f in dataclasses.fields(kind)}
    assert 1 <= len(kind.space) <= 3
    assert "lr" in kind.space
    assert all(low <= defaults[field] <= high for field, (low, high) in kind.space.items())


# A trial is asked at several steps, and the step that is chosen becomes the number of steps: that must be the same model.
@pytest.mark.parametrize("name", METHODS)
def test_the_first_steps_of_a_longer_training_are_the_shorter_training(name: str, fresh: Callable[[], LanguageModel]) -> None:  # noqa: F811
    seen: dict[int, str] = {}
    long, short = fresh(), fresh()

    def look(step: int) -> bool:
        seen[step] = long.weights_digest()
        return False

    make(name, steps=6)(long, DATA, seed=0, on_step=look)
    make(name, steps=3)(short, DATA, seed=0, on_step=lambda _: False)
    assert seen[3] == short.weights_digest() != seen[6]


# --- reading ----------------------------------------------------------------------------------------------------------


def test_every_method_gets_the_same_number_of_trials_and_looks() -> None:
    made = document()
    del made["tune"]["methods"]
    tuning = read(made).tuning
    able = [n for n, k in unlearn.TABLE.items() if n not in ("mask", "noise")]
    assert [(t.method, t.number) for t in tuning.trials] == [(m, n) for m in able for n in range(4)]
    assert {len(t.looks) for t in tuning.trials} == {2}
    assert all(t.looks[-1] == t.action.made.steps for t in tuning.trials)


def test_fields_are_given_to_all_spaces_to_one_and_ranges_of_the_plan_come_first() -> None:
    made = document(
        fields={"batch_size": 32, "steps": 12, "beta": 0.5}, spaces={"npo": {"lr": [1e-3, 2e-3], "steps": 10}, "scrub": {"max_steps": 3}}
    )
    tuning = read(made).tuning
    assert {name: list(space) for name, space in tuning.spaces.items()} == {"npo": ["retain_weight", "lr"], "scrub": ["lr", "kl_weight"]}
    npo, scrub = ([t.action.made for t in tuning.trials if t.method == m] for m in ("npo", "scrub"))
    assert {(m.batch_size, m.steps, m.beta) for m in npo} == {(32, 10, 0.5)}
    assert {(m.batch_size, m.steps, m.max_steps) for m in scrub} == {(32, 12, 3)}
    assert all(1e-3 <= m.lr <= 2e-3 for m in npo)
    assert {t.looks for t in tuning.trials if t.method == "npo"} == {(5, 10)}


def test_the_plan_of_a_tuning_says_all_that_decides_a_number_and_nothing_of_attacks() -> None:
    tuning = read(document()).tuning
    described = tuning.described()
    assert len(described["tune"]["tried"]) == 2 * 4
    assert described["tune"]["spaces"]["npo"]["beta"] == [0.03, 1.0]
    more = document()
    more["attacks"][0]["steps"] = 24
    more["attacks"][0]["probe_at"] = [24]
    assert read(more).tuning.digest() == tuning.digest()
    assert read(document(seed=1)).tuning.digest() != tuning.digest()
    assert read(document(looks=3)).tuning.digest() != tuning.digest()
    assert read(document(margin=0.1)).tuning.digest() != tuning.digest()


@pytest.mark.parametrize(
    ("tune", "says"),
    [
        ({"trial": 4}, r"unknown key 'tune.trial': .*trials"),
        ({"trials": 0}, "key 'tune.trials': expected a number above 0"),
        ({"looks": 0}, "key 'tune.looks': expected a number above 0"),
        ({"margin": -0.1}, "key 'tune.margin': expected 0 or a number above it"),
        ({"margin": 0.9}, r"key 'tune.margin': seen 0.9, expected at most rule.delta \("),
        ({"methods": ["npoo"]}, "key 'tune.methods': no 'npoo' that could be tuned; .*npo"),
        ({"methods": ["mask"]}, "no 'mask' that could be tuned"),
        ({"methods": ["npo", "npo"]}, "expected each name once"),
        ({"fields": {"batchsize": 3}}, "unknown key 'tune.fields.batchsize': no method that is tried has it; .*batch_size"),
        ({"fields": 3}, r"\[tune.fields\]: expected a table, seen 3"),
        ({"fields": {"batch_size": 0}}, "'tune.spaces.npo.batch_size': expected a number above 0"),
        ({"spaces": {"rmu": {"lr": [1e-5, 1e-4]}}}, r"\[tune.spaces.rmu\]: no such method is tried"),
        ({"spaces": {"npo": {"gama": 1.0}}}, "unknown key 'tune.spaces.npo.gama': .*beta"),
        ({"spaces": {"npo": {"beta": [1.0, 0.1]}}}, r"'tune.spaces.npo.beta': expected \[lowest, highest\]"),
        ({"spaces": {"npo": {"beta": [0.1]}}}, r"'tune.spaces.npo.beta': expected \[lowest, highest\]"),
        ({"spaces": {"npo": {"beta": ["a", "b"]}}}, "'tune.spaces.npo.beta.*expected float"),
        ({"spaces": {"npo": {"train": ["all", "lora"]}}}, "key 'train': only numbers are searched"),
        ({"spaces": {"npo": {"steps": [5, 50]}}}, "'tune.spaces.npo.steps': its looks already try"),
        ({"spaces": {"npo": {"lr": 1e-4, "beta": 0.1, "retain_weight": 1.0}}}, "every field is fixed, so there is nothing to search"),
        ({"spaces": {"npo": {"train": "none"}}}, "key 'tune.spaces.npo.train': seen 'none'"),
    ],
)
def test_a_table_that_says_nothing_sensible_is_refused(tune: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        read(document(**tune))


def test_a_plan_that_tunes_names_no_method_of_its_own_and_audits_no_checkpoint(tmp_path: Path) -> None:
    made = document()
    with pytest.raises(PlanError, match=r"\[unlearn\]: method and fields are what \[tune\] searches"):
        read({**made, "unlearn": {"method": "npo"}})
    with pytest.raises(PlanError, match=r"an audit of a checkpoint .* unlearns nothing that could be tuned"):
        read({**made, "model": {"unlearned": "m"}})
    with pytest.raises(PlanError, match=r"\[tune\]: expected a table, seen None"):
        read({k: v for k, v in made.items() if k != "tune"})
    with pytest.raises(PlanError, match="no such plan"):
        load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = = 1", encoding="utf-8")
    with pytest.raises(PlanError, match="not TOML"):
        load(tmp_path / "bad.toml")


# --- the graph --------------------------------------------------------------------------------------------------------


def graph_of(found: Read, case: Any) -> Any:
    return build(Source(found.tuning, case, {"forget": ()}, {found.tuning.models.name: "print"}, b"key"))


def test_each_trial_is_an_arm_that_is_asked_selection_probes_alone() -> None:
    graph = graph_of(read(document()), Customers(forget=24)())
    assert [a.role for a in graph.arms] == ["original", "never_exposed", *(f"{m} {n}" for m in ("npo", "scrub") for n in range(4))]
    assert len(graph.cells) == 1 + 2 + 8
    assert graph.audits == []
    for arm in graph.arms:
        asks = graph.cells[arm.cell].asks
        assert {p.split for a in asks for p in a.probes} == {"selection"}
        assert {p.group for a in asks for p in a.probes} == {"forget", "retain", "utility"}
        assert {a.step for a in asks} == ({"end"} if arm.role in ("original", "never_exposed") else {20, 40})


def test_trials_start_from_the_very_original_of_the_run_after_it() -> None:
    found = read(document())
    case = Customers(forget=24)()
    tuning = graph_of(found, case)
    plan = dataclasses.replace(found.plan, relearn_sets=(), attacks=())
    run = build(Source(plan, case, {"forget": ()}, {plan.models.name: "print"}, b"key"))
    cells = {a.role: a.cell for a in run.arms}
    assert {a.role: a.cell for a in tuning.arms if a.role in ("original", "never_exposed")} == {
        r: cells[r] for r in ("original", "never_exposed")
    }
    # The first plan is the first method with its defaults; without a stop rule that is trial 0.
    assert cells["subject"] == next(a.cell for a in tuning.arms if a.role == "npo 0")


def test_pretrained_knowledge_has_no_never_exposed_model() -> None:
    made: dict[str, Any] = tomllib.loads(text_of("capitals"))
    del made["unlearn"]
    graph = graph_of(read({**made, "tune": EASY}), Capitals().after_screening(tuple(c.name for c in countries())))
    assert {a.role for a in graph.arms} == {"original", *(f"{m} {n}" for m in ("npo", "scrub") for n in range(4))}


@pytest.mark.parametrize("groups", [("forget",), ("retain", "utility")])
def test_a_case_without_selection_probes_cannot_be_tuned_on(groups: tuple[str, ...]) -> None:
    case = Customers(forget=24)()
    left = tuple(p for p in case.probes if p.split == "test" or p.group not in groups)
    with pytest.raises(PlanError, match=f"no selection probes with distractors of {' or '.join(groups)}"):
        graph_of(read(document()), dataclasses.replace(case, probes=left))


# --- the plan that comes out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["customers", "capitals"])
def test_the_tuned_plan_is_the_plan_with_the_chosen_fields(name: str) -> None:
    made: dict[str, Any] = tomllib.loads(text_of(name))
    del made["unlearn"]
    made["run"] = {"keep_states": True}
    found = read({**made, "tune": copy.deepcopy(EASY)})
    fields = {k: v for k, v in found.tuning.trials[1].action.described().items() if k != "name"}
    text = tuned_plan(found, {"method": "npo", "chosen": {"fields": {**fields, "steps": 7}}})
    tuned = resolve(tomllib.loads(text))
    assert tuned.name == f"{name}-npo"
    assert tuned.unlearn is not None
    assert tuned.unlearn.action.made == dataclasses.replace(found.tuning.trials[1].action.made, steps=7)
    assert tuned.run.keep_states
    same = dataclasses.replace(tuned, name=found.plan.name, unlearn=found.plan.unlearn)
    assert same.described() == found.plan.described()
