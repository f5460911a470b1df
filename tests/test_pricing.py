"""What a plan will take, before any weight is loaded."""

from __future__ import annotations

import copy
import json
import tomllib
from dataclasses import replace
from typing import Any

import pytest

from vestige import plan_power
from vestige.cases.customers import Customers
from vestige.errors import ModelError
from vestige.plan import resolve
from vestige.plans import text_of
from vestige.pricing import price, tree
from vestige.runner import graph_of


def document(name: str = "customers") -> dict[str, Any]:
    return tomllib.loads(text_of(name))


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("vestige.lab.models.load", refuse)
    monkeypatch.setattr("vestige.lab.model_sources.locate", refuse)  # not even looked for: a known name has a pinned digest
    monkeypatch.setattr("vestige.workers.Pool.give", refuse)


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("name", ["customers", "capitals"])
def test_the_built_in_plans_are_priced_without_a_model(name: str) -> None:
    priced = price(resolve(document(name)))
    assert json.loads(json.dumps(priced)) == priced
    assert priced["plan"] == name
    assert priced["digest"] == resolve(document(name)).digest()
    assert priced["seconds"] > 0
    assert all(c["seconds"] > 0 and c["probes_asked"] > 0 for c in priced["cells"] if c["label"].split()[0] not in ("base", "taught"))


def test_every_cell_of_the_graph_is_priced_once() -> None:
    plan = resolve(document())
    graph, _ = graph_of(plan, Customers(values_seed=10, forget=24)())
    priced = price(plan)
    assert [c["cell"] for c in priced["cells"]] == list(graph.cells)
    # 1 base, 1 original, 2 twins, 1 subject, 1 sham, 1 liar, 1 broken, and 5 attacked roles x 6 folds of 4 sets.
    assert len(priced["cells"]) == 8 + 5 * 6
    assert priced["audits"] == [
        "unlearned: subject against never_exposed",
        "twin: never_exposed against never_exposed_2",
        "liar: positive against never_exposed",
        "broken: broken against never_exposed",
    ]


def test_tokens_are_those_of_the_plan() -> None:
    priced = price(resolve(document()))
    tokens = {c["label"]: c["tokens_trained"] for c in priced["cells"]}
    # An attack: 8 steps of 160 tokens. A loaded model and noise train nothing.
    assert tokens["subject · rtt_fold/0 · seed 0"] == 8 * 160
    assert tokens["base · smollm2-135m-instruct"] == tokens["broken · noise · seed 0"] == 0
    # Learning: ten epochs over all rows of the forgotten and the kept, at four characters a token.
    case = Customers(values_seed=10, forget=24)()
    letters = sum(len(r.text) for r in case.forget + case.retain)
    assert tokens["original · learn · seed 0"] == pytest.approx(10 * letters / 4, abs=1)
    assert priced["tokens_trained"] == sum(tokens.values())


def test_probes_and_relearn_sets_are_counted() -> None:
    priced = price(resolve(document()))
    # 96 to forget and 96 more in other words, 64 each to retain and as decoys, 24 of general knowledge.
    assert priced["probes"] == 2 * 96 + 2 * 64 + 24
    assert priced["relearn_sets"] == [
        {"name": "rtt_fold", "folds": 2, "rows": [48, 48]},
        {"name": "other_attributes", "folds": 2, "rows": [48, 48]},
        {"name": "new_customers", "folds": 1, "rows": [64]},
        {"name": "unrelated", "folds": 1, "rows": [64]},
    ]


def test_more_workers_take_less_time_and_more_seeds_more() -> None:
    base = document()

    def seconds(**changes: Any) -> int:
        return int(price(resolve({**copy.deepcopy(base), **changes}))["seconds"])

    one, two = seconds(run={"workers": 1}), seconds(run={"workers": 2})
    assert one == pytest.approx(2 * two, abs=1)
    three_seeds = seconds(seeds={"values": [0, 1, 2]})
    assert 2.5 * two < three_seeds <= 3 * two  # only the base model is shared


def test_the_price_of_capitals_says_what_it_could_not_know() -> None:
    assert any("as if all passed" in note for note in price(resolve(document("capitals")))["notes"])
    assert not any("as if it knew" in note for note in price(resolve(document()))["notes"])


def test_the_tree_shows_who_starts_from_whom() -> None:
    priced = price(resolve(document()))
    lines = tree(priced).splitlines()
    depth = {line.strip().split("  (")[0]: (len(line) - len(line.lstrip())) // 2 for line in lines if " tokens, " in line and "~" in line}
    assert set(depth) == {c["label"] for c in priced["cells"]}
    assert depth["base · smollm2-135m-instruct"] == 0
    assert depth["original · learn · seed 0"] == 1
    assert depth["subject · gradient_difference · seed 0"] == 2
    assert depth["subject · unrelated/0 · seed 0"] == 3
    assert "no weights were loaded" in lines[-2]
    assert lines[-1].startswith("note: ")


@pytest.mark.parametrize(("workers", "word"), [(1, "1 worker;"), (3, "3 workers;")])
def test_one_worker_is_no_workers(workers: int, word: str) -> None:
    assert word in tree(price(resolve({**document(), "run": {"workers": workers}})))


@pytest.mark.parametrize(("seconds", "says"), [(4, "about 4 s "), (119, "about 119 s "), (150, "about 2 min "), (7200, "about 120 min ")])
def test_short_times_are_in_seconds(seconds: int, says: str) -> None:
    priced = {**price(resolve(document())), "seconds": seconds}
    assert says in tree(priced)


def test_a_model_that_is_not_there_is_an_error_of_the_price_already() -> None:
    with pytest.raises(ModelError, match="no such folder"):
        price(resolve({**document(), "model": {"name": "not/there/at/all"}}))


def test_a_plan_says_what_its_test_clusters_can_show() -> None:
    # 18 people of four probes, 72 / (1 + 3 / 2) = 28.8 effective ones. sigma^2 = (0.25 + 0.09) (1 + 3 / 2) / 4 = 0.2125, Student's t of 17
    # degrees of freedom at 0.025 is 2.1098: half width 2.1098 x 0.46098 / sqrt(18) = 0.2292. Of nothing: 1 - 0.025^(1 / 28.8) = 0.1202.
    found = price(resolve(document()))["sees"]
    assert (found["test_clusters"], found["test_probes"], found["n_eff"], found["n_min"]) == (18, 72, 28.8, 17)
    assert found["half_width"] == pytest.approx(0.2292, abs=1e-4)
    assert found["half_width_of_nothing"] == pytest.approx(0.1202, abs=1e-4)
    # t sigma / sqrt(C) <= 0.05 with t near 1.967: C >= (1.967 x 0.46098 / 0.05)^2 = 328.9.
    assert found["clusters_for_within"] == 329


def test_the_tree_says_it_in_words() -> None:
    shown = tree(price(resolve(document())))
    assert (
        "18 test clusters, 72 probes: a difference shows to within ±23 points (subject at 50%, control at 10%); 329 clusters to see"
        in shown
    )
    assert "the upper bound is 12 points; 28.8 effective probes, a PASS needs 17: enough" in shown


def test_too_few_probes_for_a_pass_are_said_before_the_run() -> None:
    # At delta = 0.05 it takes 72 (docs of the rule).
    assert "28.8 effective probes, a PASS needs 72: NOT enough" in tree(price(resolve({**document(), "rule": {"delta": 0.05}})))


def test_one_cluster_shows_nothing() -> None:
    case = Customers(values_seed=10, forget=24)()
    probes = tuple(replace(p, cluster="one") if p.group == "forget" else p for p in case.probes)
    found = plan_power.sees(replace(case, probes=probes), resolve(document()).rule)
    assert plan_power.lines(found) == ["1 test clusters, 72 probes: 1 test clusters; an interval needs two or more"]
