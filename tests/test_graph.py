"""A plan as a graph of cells: equal work once, an address for all that decides a result, arms nobody writes by hand."""

from __future__ import annotations

import copy
import dataclasses
import importlib.metadata
import tomllib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from vestige.cases.capitals import Capitals, countries
from vestige.cases.customers import Customers
from vestige.cells import Arm, Cell, Graph
from vestige.errors import PlanError
from vestige.graph import SECOND_TWIN_SEED, TWIN_SEED, Source, build
from vestige.plan import Plan, resolve
from vestige.plans import text_of
from vestige.recipe_request import Request
from vestige.records import Case, Row

CASE = Customers()()
CAPITALS = Capitals().after_screening([c.name for c in countries()] * 2)
PRINTS = {"smollm2-135m-instruct": "print of the base", "sub": "print 1", "orig": "print 2", "twin": "print 3"}
KEY = b"key"

PLAN: dict[str, Any] = {
    "vestige": 1,
    "name": "plan",
    "attacked": ["subject", "never_exposed"],
    "case": {"name": "customers"},
    "learn": {"lr": 1e-4, "epochs": 1},
    "unlearn": {"method": "gradient_difference", "stop": {"below": 0.1}},
    "liar": {"method": "mask"},
    "relearn_sets": [{"recipe": "rtt_fold"}, {"recipe": "source", "source": "unrelated"}],
    "attacks": [{"method": "relearn", "steps": 4, "probe_at": [2, 4]}],
}
AUDIT: dict[str, Any] = {
    "vestige": 1,
    "name": "audit",
    "model": {"unlearned": "sub"},
    "case": {"name": "customers"},
    "liar": {"method": "mask"},
    "teach": {"lr": 1e-4},
    "relearn_sets": [{"recipe": "rtt_fold"}, {"recipe": "source", "source": "unrelated"}],
    "attacks": [{"method": "relearn", "steps": 4, "probe_at": [2, 4]}],
}


def of(document: Mapping[str, Any], case: Case = CASE, *, key: bytes = KEY, prints: Mapping[str, str] = PRINTS) -> Graph:
    """Return the graph of a plan on a case."""
    plan = resolve(document)
    groups = ("forget", "decoy") if plan.teach else ("forget",)
    sets = {g: tuple(text.action.made(case, Request(g)) for text in plan.relearn_sets) for g in groups}
    return build(Source(plan, case, sets, prints, key))


def with_(where: str, value: Any, base: Mapping[str, Any] = PLAN) -> dict[str, Any]:
    """Return a copy of a document with one dotted key set, or removed (None)."""
    document = copy.deepcopy(dict(base))
    *path, last = where.split(".")
    table: Any = document
    for part in path:
        table = table[int(part)] if part.isdigit() else table.setdefault(part, {})
    if value is None:
        del table[last]
    else:
        table[last] = value
    return document


def at_rest(graph: Graph, role: str, seed: int = 0) -> Cell:
    """Return the cell of an arm before any attack."""
    return graph.cells[next(a.cell for a in graph.arms if a.role == role and a.seed == seed and a.set is None)]


def attacked(graph: Graph, role: str, seed: int = 0) -> list[Arm]:
    """Return the attacked arms of a role."""
    return [a for a in graph.arms if a.role == role and a.seed == seed and a.set is not None]


def plan_of(name: str) -> Plan:
    """Return a built-in plan."""
    return resolve(tomllib.loads(text_of(name)))


# --- equal cells once -------------------------------------------------------------------------------------------------


def test_the_base_model_is_loaded_once_for_all_seeds() -> None:
    graph = of(with_("seeds", {"values": [0, 1, 2]}))
    assert [c.name for c in graph.cells.values()].count("load") == 1


def test_seeds_that_a_stream_does_not_follow_share_its_cells() -> None:
    every = of(with_("seeds", {"values": [0, 1]}))
    attack = of(with_("seeds", {"values": [0, 1], "vary": ["attack"]}))
    assert {at_rest(attack, "original", s).digest for s in (0, 1)} == {at_rest(attack, "original").digest}
    assert at_rest(every, "original", 0).digest != at_rest(every, "original", 1).digest
    # Varied: 1 base, and per seed 1 original, 2 twins, 1 subject, 1 sham, 1 liar, 2 x 3 attacked. Else the first six are shared.
    assert len(every.cells) == 1 + 2 * (6 + 6)
    assert len(attack.cells) == 1 + 6 + 2 * 6


def test_two_attacks_that_are_equal_but_for_when_they_are_asked_are_one_cell() -> None:
    two = [{"method": "relearn", "steps": 4, "probe_at": [2, 4]}, {"method": "relearn", "steps": 4, "probe_at": [1, 4]}]
    one, both = of(PLAN), of(with_("attacks", two))
    assert set(both.cells) == set(one.cells)
    cell = next(both.cells[a.cell] for a in attacked(both, "subject"))
    assert {a.step for a in cell.asks} == {1, 2, 4}
    assert len(cell.asks) == len(set(cell.asks))


def test_a_model_given_in_two_roles_is_loaded_once() -> None:
    graph = of(with_("model", {"unlearned": "sub", "original": "orig", "twin": "orig"}, with_("teach", None, AUDIT)))
    assert at_rest(graph, "original").digest == at_rest(graph, "never_exposed").digest
    assert sorted(c.model for c in graph.cells.values() if c.model) == ["orig", "sub"]


def test_models_of_equal_files_are_one_whatever_they_are_called() -> None:
    plan = with_("model", {"unlearned": "sub", "twin": "twin"}, AUDIT)
    graph = of(plan, prints={"sub": "same", "twin": "same"})
    assert at_rest(graph, "subject").digest == at_rest(graph, "never_exposed").digest


def test_cells_stand_after_those_they_start_from() -> None:
    for graph in (of(PLAN), of(AUDIT), of(tomllib.loads(text_of("customers")))):
        order = list(graph.cells)
        for digest, cell in graph.cells.items():
            for before in (cell.parent, cell.steps_as):
                assert before is None or order.index(before) < order.index(digest)


def test_children_are_the_cells_that_start_from_a_state() -> None:
    graph = of(PLAN)
    base = at_rest(graph, "original").parent
    assert base is not None
    # The original and two twins are learned from the base model.
    assert {c.name for c in graph.children(base)} == {"learn"}
    assert len(graph.children(base)) == 3


# --- addresses --------------------------------------------------------------------------------------------------------


def address(graph: Graph, role: str = "subject") -> str:
    return at_rest(graph, role).digest


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("unlearn.lr", 1e-6),
        ("unlearn.steps", 31),
        ("unlearn.batch_size", 9),
        ("unlearn.retain_weight", 0.5),
        ("unlearn.bound", 1.0),
        ("unlearn.train", "all"),
        ("unlearn.precision", "float32"),
        ("unlearn.method", "npo"),
        ("unlearn.stop.below", 0.2),
        ("unlearn.stop.every", 3),
        ("unlearn.stop.group", "retain"),
        ("unlearn.stop", None),
        ("learn.lr", 2e-4),  # the parent's action moves the child's address too
        ("seeds.values", [3]),
        ("model.device", "cuda"),
    ],
)
def test_an_address_follows_what_decides_the_result(where: str, value: Any) -> None:
    document = with_(where, value)
    seed = 3 if where == "seeds.values" else 0
    assert at_rest(of(document), "subject", seed).digest != address(of(PLAN))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("run", {"workers": 1, "keep_states": True}),
        ("name", "other"),
        ("rule", {"delta": 0.2}),
        ("liar", None),
        ("attacks.0.lr", 1.0),
        ("ask", {"max_new": 3}),
        ("attacked", ["subject"]),
    ],
)
def test_an_address_ignores_what_decides_nothing_about_the_state(where: str, value: Any) -> None:
    assert address(of(with_(where, value))) == address(of(PLAN))


def test_an_address_follows_the_data() -> None:
    rows = (*CASE.retain[:-1], dataclasses.replace(CASE.retain[-1], answer=" nothing"))
    other = of(PLAN, dataclasses.replace(CASE, retain=rows))
    assert address(other) != address(of(PLAN))
    assert address(other, "never_exposed") != address(of(PLAN), "never_exposed")
    forget = (*CASE.forget[:-1], dataclasses.replace(CASE.forget[-1], answer=" nothing"))
    exposed = of(PLAN, dataclasses.replace(CASE, forget=forget))
    assert address(exposed, "original") != address(of(PLAN), "original")
    # The twin never sees the forget set, so it is the same twin.
    assert address(exposed, "never_exposed") == address(of(PLAN), "never_exposed")


def test_an_address_follows_the_probes_of_a_stop_rule_and_no_others() -> None:
    def reworded(split: str) -> Case:
        change = (dataclasses.replace(p, prompt=p.prompt + " ?") if p.group == "forget" and p.split == split else p for p in CASE.probes)
        return dataclasses.replace(CASE, probes=tuple(change))

    assert address(of(PLAN, reworded("selection"))) != address(of(PLAN))
    assert address(of(PLAN, reworded("test"))) == address(of(PLAN))


def test_an_address_follows_the_semantics_of_its_action(monkeypatch: pytest.MonkeyPatch) -> None:
    before = of(PLAN)
    monkeypatch.setattr("vestige.lab.unlearn.gradient_difference.GradientDifference.semantics", 2)
    after = of(PLAN)
    assert address(after) != address(before)
    assert address(after, "original") == address(before, "original")


def test_an_address_follows_the_files_of_the_model() -> None:
    other = of(PLAN, prints={**PRINTS, "smollm2-135m-instruct": "print of another"})
    assert not set(other.cells) & set(of(PLAN).cells)


def test_an_address_follows_the_minor_version_of_torch_but_not_its_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def under(version: str) -> set[str]:
        monkeypatch.setattr(importlib.metadata, "version", lambda name: version if name == "torch" else real(name))
        return set(of(PLAN).cells)

    assert under("2.13.0+cpu") == under("2.13.1")
    assert not under("2.13.0") & under("2.14.0")
    assert not under("2.13.0") & under("3.13.0")


def test_an_address_is_keyed() -> None:
    assert not set(of(PLAN, key=b"other").cells) & set(of(PLAN).cells)
    assert set(of(PLAN, key=KEY).cells) == set(of(PLAN).cells)


def test_an_attack_is_addressed_by_set_seed_and_start() -> None:
    graph = of(with_("seeds", {"values": [0, 1], "vary": ["attack"]}))
    arms = [a for a in graph.arms if a.set]
    # 2 roles x 2 seeds x (2 folds + 1): no two of them are the same work.
    assert len(arms) == len({a.cell for a in arms}) == 12


# --- arms and audits --------------------------------------------------------------------------------------------------


def test_a_plan_that_unlearns_has_all_its_arms() -> None:
    graph = of(tomllib.loads(text_of("customers")))
    roles = ["original", "never_exposed", "never_exposed_2", "subject", "sham", "positive", "broken"]
    assert [a.role for a in graph.arms if a.set is None] == roles
    # Four sets, two of them with two folds: six attacked arms for each of the five attacked roles.
    assert Counter(a.role for a in graph.arms if a.set) == dict.fromkeys(plan_of("customers").attacked, 6)
    assert Counter((a.set, a.fold) for a in attacked(graph, "subject")) == {
        (name, fold): 1
        for name, folds in {"rtt_fold": 2, "other_attributes": 2, "new_customers": 1, "unrelated": 1}.items()
        for fold in range(folds)
    }


def test_pre_trained_knowledge_has_no_twin_and_no_sham() -> None:
    graph = of(tomllib.loads(text_of("capitals")), CAPITALS)
    assert [a.role for a in graph.arms if a.set is None] == ["original", "subject"]
    assert at_rest(graph, "original").model == "smollm2-135m-instruct"
    assert graph.audits == [
        {
            "name": "unlearned",
            "subject": "subject",
            "control": None,
            "attacked": True,
            "positive": None,
            "unrelated": "unrelated",
            "knowledge": "pretrained",
            "asserted_lineage": False,
            "original": "original",
        }
    ]


def test_a_plan_can_do_without_the_sham_and_keeps_all_other_cells() -> None:
    plan = tomllib.loads(text_of("customers"))
    with_it, without = of(plan), of({**plan, "sham": False})
    assert {c for c in with_it.cells} - {c for c in without.cells} == {a.cell for a in with_it.arms if a.role == "sham"}
    assert not any(a.role == "sham" for a in without.arms)
    assert resolve({**plan, "sham": True}).digest() == resolve(plan).digest() != resolve({**plan, "sham": False}).digest()
    assert "sham" not in resolve(plan).described()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sham": "no"}, "key 'sham': expected bool, seen 'no'"),
        ({"sham": False, "attacked": ["subject", "sham"]}, "key 'attacked': 'sham' is to be attacked, but sham = false"),
        ({"sham": False, "traces": {"roles": ["sham"], "names": ["cka"]}}, "key 'traces.roles': 'sham' is to be looked into"),
        ({"sham": False, "learn": None}, "key 'sham': this plan makes no sham"),
    ],
)
def test_a_plan_without_a_sham_may_not_ask_for_it(changed: dict[str, Any], says: str) -> None:
    plan = {**tomllib.loads(text_of("customers")), **changed}
    with pytest.raises(PlanError, match=says):
        resolve({k: v for k, v in plan.items() if v is not None})


def rows_of(cell: Cell) -> set[Row]:
    return {row for rows in cell.data.values() for row in rows}


def test_who_saw_what() -> None:
    graph = of(PLAN)
    forget, retain = set(CASE.forget), set(CASE.retain)
    assert rows_of(at_rest(graph, "original")) == forget | retain
    for role in ("never_exposed", "never_exposed_2"):
        assert rows_of(at_rest(graph, role)) == retain
    assert at_rest(graph, "subject").parent == at_rest(graph, "positive").parent == address(graph, "original")
    assert at_rest(graph, "sham").parent == address(graph, "never_exposed")


def test_twins_are_learned_from_seeds_of_their_own() -> None:
    graph = of(with_("seeds", {"values": [0, 1]}))
    seeds = [at_rest(graph, role, s).seed for s in (0, 1) for role in ("original", "never_exposed", "never_exposed_2")]
    assert seeds == [0, TWIN_SEED, SECOND_TWIN_SEED, 1, 1 + TWIN_SEED, 1 + SECOND_TWIN_SEED]


def test_the_sham_gets_the_method_and_the_steps_of_the_subject() -> None:
    graph = of(PLAN)
    sham, subject = at_rest(graph, "sham"), at_rest(graph, "subject")
    assert sham.action == subject.action
    assert sham.data == subject.data
    assert sham.seed == subject.seed
    assert sham.steps_as == subject.digest
    assert sham.stop is None  # it stops with the subject, not by its own score: it knows nothing that could fall
    assert subject.steps_as is None


def test_the_sham_is_addressed_by_the_subject_whose_steps_it_takes() -> None:
    # Another stop rule may end the subject elsewhere; the sham's own fields are the same, yet it is other work.
    assert address(of(with_("unlearn.stop.below", 0.2)), "sham") != address(of(PLAN), "sham")


def test_methods_are_given_only_the_rows_that_they_read() -> None:
    graph = of(with_("unlearn", {"method": "gradient_ascent"}))
    assert set(at_rest(graph, "subject").data) == {"forget"}
    graph = of(with_("broken", {"method": "noise"}))
    assert at_rest(graph, "broken").data == {}


def test_every_fold_trains_on_its_rows_and_asks_its_probes() -> None:
    graph = of(PLAN)
    probes = {p.id: p for p in CASE.asked("forget", wording="*")}
    for arm in attacked(graph, "subject"):
        cell = graph.cells[arm.cell]
        asked = {p.id for a in cell.asks for p in a.probes if p.group == "forget"}
        trained = {r.cluster for r in cell.data["relearn"]}
        if arm.set == "rtt_fold":
            assert not {probes[i].cluster for i in asked} & trained
            assert len(asked) == len(probes) // 2
        else:
            assert asked == set(probes)


def test_primary_probes_are_asked_at_every_probe_step_and_the_others_at_the_last() -> None:
    graph = of(PLAN)
    cell = graph.cells[attacked(graph, "subject")[0].cell]
    asked = {(a.step, a.kind, p.group, p.wording) for a in cell.asks for p in a.probes}
    assert asked == {
        *((step, "choice", "forget", "primary") for step in (2, 4)),
        (4, "choice", "forget", "question"),
        *((4, "choice", group, "primary") for group in ("decoy", "retain", "utility")),
        *((4, "greedy", "forget", wording) for wording in ("primary", "question")),
    }


def test_the_words_of_a_model_are_asked_at_every_step_if_the_plan_says_so() -> None:
    graph = of(with_("ask", {"greedy": "every"}))
    cell = graph.cells[attacked(graph, "subject")[0].cell]
    assert {a.step for a in cell.asks if a.kind == "greedy" and a.probes[0].wording == "primary"} == {2, 4}


def test_at_rest_every_probe_is_asked_of_every_arm() -> None:
    graph = of(PLAN)
    for arm in (a for a in graph.arms if a.set is None):
        asks = graph.cells[arm.cell].asks
        assert {p.id for a in asks if a.kind == "choice" and a.step == "end" for p in a.probes} == {p.id for p in CASE.probes}
        assert {p.group for a in asks if a.kind == "greedy" for p in a.probes} == {"forget", "retain"}


def test_several_attacks_are_told_apart_by_name() -> None:
    two = [{"method": "relearn", "steps": 4}, {"method": "relearn", "steps": 8}]
    arms = attacked(of(with_("attacks", two)), "subject")
    assert {a.attack for a in arms} == {"relearn 1", "relearn 2"}
    assert "unrelated (relearn 2)" in {a.set for a in arms}
    assert {a.relearn_set for a in arms} == {"rtt_fold", "unrelated"}


def audits(graph: Graph) -> list[tuple[str, str, str | None, str | None]]:
    """Return (name, subject, control, original) of every audit."""
    return [(a["name"], a["subject"], a["control"], a["original"]) for a in graph.audits]


def test_the_audits_of_a_plan_that_unlearns() -> None:
    graph = of(tomllib.loads(text_of("customers")))
    assert audits(graph) == [
        ("unlearned", "subject", "never_exposed", "original"),
        ("twin", "never_exposed", "never_exposed_2", "original"),
        ("liar", "positive", "never_exposed", "original"),
        ("broken", "broken", "never_exposed", "original"),
    ]
    assert all(a["positive"] == "positive" and a["unrelated"] == "unrelated" for a in graph.audits)


def test_without_a_liar_no_audit_speaks_of_one() -> None:
    graph = of(with_("liar", None))
    assert [a["name"] for a in graph.audits] == ["unlearned", "twin"]
    assert {a["positive"] for a in graph.audits} == {None}


def test_without_an_unrelated_set_no_audit_speaks_of_one() -> None:
    graph = of(with_("relearn_sets", [{"recipe": "rtt_fold"}]))
    assert {a["unrelated"] for a in graph.audits} == {None}


def checkpoint(**models: str) -> Graph:
    """Return the graph of an audit of the checkpoint "sub" with these models at hand."""
    document = with_("model", {"unlearned": "sub", **models}, AUDIT)
    return of(with_("teach", None, document) if "original" in models else document)


def test_a_checkpoint_with_original_and_twin() -> None:
    graph = checkpoint(original="orig", twin="twin")
    assert [a.role for a in graph.arms if a.set is None] == ["subject", "original", "never_exposed", "positive"]
    assert audits(graph) == [("unlearned", "subject", "never_exposed", "original"), ("liar", "positive", "never_exposed", "original")]
    assert at_rest(graph, "positive").parent == address(graph, "original")


def test_a_checkpoint_with_a_twin_only() -> None:
    graph = checkpoint(twin="twin")
    assert audits(graph) == [("unlearned", "subject", "never_exposed", None), ("liar", "positive", "untaught", "taught")]


def test_a_checkpoint_with_nothing_but_decoys() -> None:
    graph = checkpoint()
    assert audits(graph) == [("unlearned", "subject", None, None), ("liar", "positive", "untaught", "taught")]
    assert graph.audits[1]["group"] == "decoy"
    taught, liar = at_rest(graph, "taught"), at_rest(graph, "positive")
    # The subject itself is taught the decoys and made to hide them; untaught it is the control.
    assert taught.parent == address(graph, "subject") == address(graph, "untaught")
    assert rows_of(taught) == set(CASE.decoy) | set(CASE.retain)
    assert liar.parent == taught.digest
    assert set(liar.data["forget"]) == set(CASE.decoy)
    assert not any(row in CASE.forget for cell in graph.cells.values() if cell.name in ("learn", "mask") for row in rows_of(cell))


def test_the_taught_liar_is_attacked_with_decoy_sets_and_asked_about_decoys() -> None:
    graph = checkpoint()
    for arm in attacked(graph, "positive"):
        cell = graph.cells[arm.cell]
        assert {p.group for a in cell.asks for p in a.probes if a.step == 2} == {"decoy"}
        if arm.set == "rtt_fold":
            assert {r.cluster for r in cell.data["relearn"]} < {r.cluster for r in CASE.decoy}
    assert [(a.set, a.fold) for a in attacked(graph, "positive")] == [(a.set, a.fold) for a in attacked(graph, "untaught")]


def test_the_stop_rule_of_a_taught_liar_looks_at_decoys() -> None:
    document = with_("liar", {"method": "mask", "stop": {"below": 0.1}}, AUDIT)
    stop = at_rest(of(document), "positive")
    assert {p.group for p in stop.stop_probes} == {"decoy"}


def test_an_audit_of_a_checkpoint_varies_the_attack_alone() -> None:
    graph = of(with_("seeds", {"values": [0, 1]}, AUDIT))
    assert address(graph, "positive") == at_rest(graph, "positive", 1).digest
    assert {a.cell for a in attacked(graph, "subject", 0)} & {a.cell for a in attacked(graph, "subject", 1)} == set()


def test_roles_are_written_down_only_where_a_cell_stands_for_them() -> None:
    for graph in (of(PLAN), of(AUDIT), checkpoint(original="orig", twin="twin")):
        assert {a.cell for a in graph.arms} <= set(graph.cells)
        for audit in graph.audits:
            roles = {a.role for a in graph.arms}
            assert {audit["subject"], audit["control"] or "subject", audit["original"] or "subject"} <= roles
