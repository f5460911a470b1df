"""Relearn sets: folds that never train on what they ask, no answer in any of them, and equal budgets (law 7)."""

from __future__ import annotations

import itertools
import random
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import tiny
from vestige import leaks, plan
from vestige.cases.capitals import Capitals, countries
from vestige.cases.customers import Customers
from vestige.cases.folder import Folder
from vestige.errors import DataError
from vestige.lab import models
from vestige.lab.attacks.relearn import Relearn
from vestige.lab.batches import by_tokens, encode_rows
from vestige.lab.models import LanguageModel
from vestige.plans import text_of
from vestige.recipe_request import Request
from vestige.records import Case, Group, Probe, RelearnSet, Row, digest
from vestige.relearn_sets import TABLE
from vestige.relearn_sets.other_attributes import OtherAttributes
from vestige.relearn_sets.rtt_fold import RttFold
from vestige.relearn_sets.source import SourceRows
from vestige.text import words

NAMES = tuple(c.name for c in countries())
EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "customers"


def cases() -> list[Case]:
    """Return both built-in cases, capitals for models that know everything, or half of it."""
    half = random.Random(0).sample(NAMES, 60) * 2
    known = [Capitals(block=b).after_screening(NAMES * 2) for b in range(4)] + [Capitals().after_screening(half)]
    return [Customers()(), Folder(str(EXAMPLE))(), *known]


def sets_of(case: Case, group: Group = "forget") -> list[RelearnSet]:
    """Return every relearn set that the case can give."""
    made = [RttFold()(case, Request(group)), *(SourceRows(name)(case, Request(group)) for name in case.sources)]
    rows = case.decoy if group == "decoy" else case.forget
    return [*made, OtherAttributes()(case, Request(group))] if len({r.attribute for r in rows}) > 1 else made


CASES = cases()
PAIRS = [(case, made) for case in CASES for made in sets_of(case)]
PAIR_IDS = [f"{n}-{case.name}-{made.name}" for n, (case, made) in enumerate(PAIRS)]


@pytest.mark.parametrize(("case", "made"), PAIRS, ids=PAIR_IDS)
def test_every_forget_probe_is_asked_in_exactly_one_fold(case: Case, made: RelearnSet) -> None:
    asked = Counter(probe for fold in made.folds for probe in fold.asks)
    assert asked == Counter({p.id: 1 for p in case.asked("forget", wording="*")})


@pytest.mark.parametrize(("case", "made"), PAIRS, ids=PAIR_IDS)
def test_no_set_holds_an_answer(case: Case, made: RelearnSet) -> None:
    probes = case.asked("forget", wording="*")
    for found in leaks.check(made, probes):
        assert found.leaked == ()
        assert len(found.clean) + len(found.suspect) > 0


@pytest.mark.parametrize(("case", "made"), PAIRS, ids=PAIR_IDS)
def test_no_row_of_a_set_ties_an_asked_answer_to_its_own_cluster(case: Case, made: RelearnSet) -> None:
    """The leak check again, without its code: no row names both who is asked about and what is true of them."""
    probes = {p.id: p for p in case.asked("forget", wording="*")}
    for fold in made.folds:
        texts = [f" {' '.join(words(row.text))} " for row in fold.rows]
        for probe in (probes[i] for i in fold.asks):
            needles = [f" {' '.join(words(t))} " for t in (probe.cluster, probe.answer)]
            assert not any(all(n in text for n in needles) for text in texts), probe.id


@pytest.mark.parametrize(("case", "made"), PAIRS, ids=PAIR_IDS)
def test_a_set_is_the_same_every_time_and_has_rows_in_every_fold(case: Case, made: RelearnSet) -> None:
    again = next(s for s in sets_of(case) if s.name == made.name)
    assert digest(again) == digest(made)
    assert all(fold.rows and fold.asks for fold in made.folds)


@pytest.mark.parametrize(("case", "made"), PAIRS, ids=PAIR_IDS)
def test_selection_and_test_probes_are_asked_in_every_fold(case: Case, made: RelearnSet) -> None:
    """The step is chosen on selection clusters: a fold without any would be reported at a step chosen elsewhere."""
    split = {p.id: p.split for p in case.asked("forget", wording="*")}
    for fold in made.folds:
        assert {split[i] for i in fold.asks} == {"selection", "test"}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_the_halves_of_rtt_are_disjoint_and_go_both_ways(case: Case) -> None:
    made = RttFold()(case)
    trained = [{r.cluster for r in f.rows} for f in made.folds]
    cluster = {p.id: p.cluster for p in case.asked("forget", wording="*")}
    asked = [{cluster[i] for i in f.asks} for f in made.folds]
    assert len(made.folds) == 2
    assert not trained[0] & trained[1]
    assert trained == asked[::-1]
    assert trained[0] | trained[1] == {r.cluster for r in case.forget}
    assert abs(len(trained[0]) - len(trained[1])) <= 1


def test_the_halves_of_rtt_are_balanced_over_the_splits() -> None:
    # Sixteen customers, four of them selecting: two and six in each half.
    case = Customers()()
    split = {p.cluster: p.split for p in case.asked("forget")}
    for fold in RttFold()(case).folds:
        assert Counter(split[c] for c in {r.cluster for r in fold.rows}) == {"selection": 2, "test": 6}


def test_other_attributes_train_on_the_same_people_and_ask_for_the_rest() -> None:
    case = Customers()()
    made = OtherAttributes()(case)
    attribute = {p.id: p.attribute for p in case.asked("forget", wording="*")}
    trained = [{r.attribute for r in f.rows} for f in made.folds]
    asked = [{attribute[i] for i in f.asks} for f in made.folds]
    assert trained == [{"City", "Job"}, {"Pet", "Plan"}]  # two and two, in the order of the alphabet
    assert trained == asked[::-1]
    assert all({r.cluster for r in f.rows} == {r.cluster for r in case.forget} for f in made.folds)


def test_a_source_is_trained_as_it_is() -> None:
    case = Customers()()
    made = SourceRows("new_customers")(case)
    assert made.name == "new_customers"
    assert [f.rows for f in made.folds] == [case.sources["new_customers"]]


@pytest.mark.parametrize("made", sets_of(Customers()(), "decoy"), ids=lambda s: s.name)
def test_decoys_are_relearned_and_asked_in_the_same_way(made: RelearnSet) -> None:
    case = Customers()()
    assert Counter(i for f in made.folds for i in f.asks) == Counter({p.id: 1 for p in case.asked("decoy")})
    forgotten = {r.id for r in case.forget}
    assert not any(r.id in forgotten for f in made.folds for r in f.rows)
    assert all(found.leaked == () for found in leaks.check(made, case.asked("decoy")))


def small(clusters: int, attributes: str) -> Case:
    """Return a case of so many people with these attributes."""
    who = [f"p{i}" for i in range(clusters)]
    rows = tuple(Row(f"{c}/{a}", f"{c} {a}:", " x", c, attribute=a) for c in who for a in attributes)
    probes = tuple(Probe(r.id, r.prompt, r.answer, "forget", r.cluster, "test", attribute=r.attribute) for r in rows)
    return Case("small", "1", "en", "CC0-1.0", "planted", "keyword", rows, (), probes)


def test_what_a_case_cannot_give_is_refused_with_the_reason() -> None:
    with pytest.raises(DataError, match="1 forget clusters with probes; it needs two"):
        RttFold()(small(1, "ab"))
    with pytest.raises(DataError, match="have 1 attributes; it needs two"):
        OtherAttributes()(small(3, "a"))
    with pytest.raises(DataError, match="no source 'unrelate'; did you mean 'unrelated'"):
        SourceRows("unrelate")(Customers()())


def test_an_odd_number_of_people_is_halved_as_evenly_as_it_goes() -> None:
    sizes = sorted(len({r.cluster for r in f.rows}) for f in RttFold()(small(5, "ab")).folds)
    assert sizes == [2, 3]


def test_an_odd_number_of_attributes_is_asked_both_ways_too() -> None:
    made = OtherAttributes()(small(2, "abc"))
    assert [len({r.attribute for r in f.rows}) for f in made.folds] == [1, 2]
    assert sorted(i for f in made.folds for i in f.asks) == sorted(f"p{n}/{a}" for n in range(2) for a in "abc")


def test_the_table_names_every_recipe() -> None:
    named = """partial_forget rtt_fold other_attributes public_text syntactic_twins topical two_by_two paraphrases general_knowledge
    relevance_tiers low_mutual_information retain unrelated lorem_ipsum shuffled_tokens masked_answers source"""
    assert set(TABLE) == set(named.split())


# --- law 7: equal steps, trained tokens within 5 % --------------------------------------------------------------------


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return models.load(str(tiny.make(tmp_path_factory.mktemp("tiny"))))


def built_in(name: str) -> tuple[Case, plan.Plan]:
    resolved = plan.resolve(tomllib.loads(text_of(name)))
    made = resolved.case.made
    return (made.after_screening(NAMES * 2) if name == "capitals" else made()), resolved


@pytest.mark.parametrize("name", ["capitals", "customers"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_sets_of_a_built_in_plan_train_on_equal_tokens(name: str, seed: int, lm: LanguageModel) -> None:
    """The tokenizer of the tiny model splits these texts more finely than a real one: rows are longer, the test harder."""
    case, resolved = built_in(name)
    attack = resolved.attacks[0].action.made
    tokens = {}
    for choice in resolved.relearn_sets:
        for number, fold in enumerate(choice.action.made(case).folds):
            stream = by_tokens(encode_rows(lm, fold.rows), attack.batch_tokens, seed=seed)
            steps = [sum(len(r.ids) for r in batch) for batch in itertools.islice(stream, attack.steps)]
            assert min(steps) > 0
            tokens[f"{choice.action.described()}/{number}"] = sum(steps)
    assert max(tokens.values()) <= 1.05 * min(tokens.values()), tokens


def test_the_attack_counts_the_same_tokens_that_its_batches_hold(lm: LanguageModel, tmp_path: Path) -> None:
    case, _ = built_in("customers")
    attack = Relearn(steps=3, batch_tokens=200)
    fresh = models.load(str(tiny.make(tmp_path)))
    rows = SourceRows("unrelated")(case).folds[0].rows
    spent = attack(fresh, {"relearn": rows}, seed=4, on_step=lambda step: False)
    batches = list(itertools.islice(by_tokens(encode_rows(lm, rows), 200, seed=4), 3))
    assert spent.steps == 3
    assert spent.tokens_trained == sum(len(r.ids) for batch in batches for r in batch)
