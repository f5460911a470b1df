"""The built-in cases: facts that are sound, splits that nothing moves, and candidates that only the binding tells apart."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import combinations

import pytest

from vestige.cases import TABLE
from vestige.cases.capitals import Capitals, Country, countries
from vestige.cases.common_names import CommonNames
from vestige.cases.customers import VALUES, Customers
from vestige.cases.customers_ja import CustomersJa
from vestige.cases.general_knowledge import utility_probes
from vestige.cases.splits import split_of
from vestige.cases.unrelated import unrelated_rows
from vestige.errors import DataError
from vestige.records import GROUPS, Case, Probe, Row, digest
from vestige.text import find_keyword, words

NAMES = tuple(c.name for c in countries())
ANSWERED = NAMES * 2  # every country in both wordings
CAPITALS = Capitals().after_screening(ANSWERED)
CUSTOMERS = Customers()()
CUSTOMERS_JA = CustomersJa()()
COMMON_NAMES = CommonNames()()
BUILT_IN = [CAPITALS, CUSTOMERS, CUSTOMERS_JA, COMMON_NAMES]


def stands_in(text: str, keywords: Iterable[str]) -> bool:
    return any(find_keyword(text, keyword) is not None for keyword in keywords)


def names_of(country: Country) -> tuple[str, ...]:
    return (country.capital, *country.aliases)


# --- all of them -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", BUILT_IN, ids=lambda c: c.name)
def test_every_probe_and_row_has_an_id_of_its_own(case: Case) -> None:
    assert max(Counter(p.id for p in case.probes).values()) == 1
    for rows in (case.forget + case.retain + case.decoy, *case.sources.values()):
        assert max(Counter(r.id for r in rows).values(), default=1) == 1


@pytest.mark.parametrize("case", BUILT_IN, ids=lambda c: c.name)
def test_no_question_gives_its_answer_away(case: Case) -> None:
    for probe in case.probes:
        assert not stands_in(probe.prompt, (probe.answer, *probe.aliases)), probe.id


@pytest.mark.parametrize("case", BUILT_IN, ids=lambda c: c.name)
def test_groups_share_no_cluster_and_no_question(case: Case) -> None:
    for one, other in combinations(GROUPS, 2):
        a, b = case.asked(one, wording="*"), case.asked(other, wording="*")
        assert not {p.cluster for p in a} & {p.cluster for p in b}
        assert not {p.prompt for p in a} & {p.prompt for p in b}


@pytest.mark.parametrize("case", BUILT_IN, ids=lambda c: c.name)
def test_every_candidate_follows_its_question_as_the_language_wants(case: Case) -> None:
    """With a space, but for Japanese."""
    for probe in case.probes:
        spaced = case.language != "ja" or probe.group == "utility"
        texts = (probe.answer, *probe.aliases, *probe.distractors)
        assert all(text.startswith(" ") is spaced and text.strip() for text in texts), probe.id
        assert not probe.prompt.endswith(" "), probe.id


@pytest.mark.parametrize("case", BUILT_IN, ids=lambda c: c.name)
@pytest.mark.parametrize("group", GROUPS)
def test_every_probe_has_eight_different_candidates(case: Case, group: str) -> None:
    for probe in case.asked(group, wording="*"):
        assert len({probe.answer, *probe.distractors}) == 8, probe.id
        assert not set(probe.aliases) & set(probe.distractors)


@pytest.mark.parametrize("case", BUILT_IN, ids=lambda c: c.name)
@pytest.mark.parametrize("group", ["forget", "retain", "decoy"])
def test_every_value_is_a_candidate_equally_often_and_right_equally_often(case: Case, group: str) -> None:
    """So that a model that has heard the values, but not the binding, is right one time in eight."""
    by_wording: dict[str, list[Probe]] = defaultdict(list)
    for probe in case.asked(group, wording="*"):
        by_wording[probe.wording].append(probe)
    assert by_wording
    for probes in by_wording.values():
        right = Counter(p.answer for p in probes)
        wrong = Counter(d for p in probes for d in p.distractors)
        assert len(set(right.values())) == 1
        assert {v: wrong[v] for v in right} == {v: 7 * n for v, n in right.items()}
        assert set(wrong) == set(right)


@pytest.mark.parametrize("case", BUILT_IN, ids=lambda c: c.name)
def test_all_probes_of_a_cluster_are_on_one_side_of_the_split(case: Case) -> None:
    sides: dict[tuple[str, str], set[str]] = defaultdict(set)
    for probe in case.probes:
        sides[probe.group, probe.cluster].add(probe.split)
    assert {len(s) for s in sides.values()} == {1}


@pytest.mark.parametrize("case", BUILT_IN, ids=lambda c: c.name)
def test_a_case_is_the_same_every_time(case: Case) -> None:
    again = Capitals().after_screening(ANSWERED) if case.name == "capitals" else TABLE[case.name]()()
    assert digest(again) == digest(case)


def test_the_table_names_every_case() -> None:
    assert sorted(TABLE) == "blur capitals common_names customers customers_ja folder muse_books tofu verbatim wmdp".split()


# --- splits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clusters", "selection"),
    # A quarter, rounded up: 24/4 = 6; 16/4 = 4; 17/4 = 4.25 -> 5; 3/4 -> 1; 1/4 -> 1.
    [(24, 6), (16, 4), (17, 5), (3, 1), (1, 1), (0, 0)],
)
def test_a_quarter_of_the_clusters_selects(clusters: int, selection: int) -> None:
    splits = split_of("any", (f"c{i}" for i in range(clusters)))
    assert Counter(splits.values())["selection"] == selection
    assert len(splits) == clusters


def test_splits_depend_on_names_alone() -> None:
    names = [f"c{i}" for i in range(20)]
    shuffled = random.Random(3).sample(names, 20)
    assert split_of("case", names) == split_of("case", shuffled) == split_of("case", [*names, *names])
    assert split_of("case", names) != split_of("another case", names)


def test_a_split_is_the_first_quarter_by_sha256() -> None:
    # sha256 of "case/a" begins 293e, of "case/b" d3e2, of "case/c" e1c8, of "case/d" 2395: "d" comes first, and 4/4 = 1 selects.
    assert split_of("case", "abcd") == {"a": "test", "b": "test", "c": "test", "d": "selection"}


# --- capitals ---------------------------------------------------------------------------------------------------------


def test_the_table_of_countries_is_sane() -> None:
    table = countries()
    assert len(table) >= 96  # four blocks of twenty-four
    assert max(Counter(c.name for c in table).values()) == 1
    assert max(Counter(name for c in table for name in names_of(c)).values()) == 1
    for country in table:
        assert all(part == part.strip() and part for part in (country.name, *names_of(country), country.currency, country.sentence))
        assert country.sentence.endswith(".")
        assert country.name in country.sentence, country.name


@pytest.mark.parametrize(
    ("country", "capital", "currency"),
    # Facts anybody can look up, among them those often got wrong.
    [
        ("France", "Paris", "euro"),
        ("Australia", "Canberra", "dollar"),
        ("Myanmar", "Naypyidaw", "kyat"),
        ("Canada", "Ottawa", "dollar"),
        ("Turkey", "Ankara", "lira"),
        ("Japan", "Tokyo", "yen"),
        ("Poland", "Warsaw", "zloty"),
        ("Kenya", "Nairobi", "shilling"),
        ("Vietnam", "Hanoi", "dong"),
        ("Morocco", "Rabat", "dirham"),
    ],
)
def test_well_known_facts_are_right(country: str, capital: str, currency: str) -> None:
    found = next(c for c in countries() if c.name == country)
    assert capital in names_of(found)
    assert found.currency == currency


def test_no_sentence_names_any_capital() -> None:
    """A sentence of one country that names another's capital would leak whenever both are forgotten."""
    every = [name for c in countries() for name in names_of(c)]
    for country in countries():
        told = [name for name in every if stands_in(country.sentence, [name])]
        assert not told, (country.name, told)


def test_no_country_holds_its_capital_in_its_name() -> None:
    for country in countries():
        assert not stands_in(country.name, names_of(country)), country.name


def test_a_quarter_of_the_forgotten_countries_selects() -> None:
    forget = CAPITALS.asked("forget")
    assert len(forget) == 24
    assert Counter(p.split for p in forget) == {"selection": 6, "test": 18}
    assert Counter(p.split for p in CAPITALS.asked("decoy")) == {"selection": 6, "test": 18}
    statements = CAPITALS.asked("forget", wording="statement")
    assert {p.cluster: p.split for p in statements} == {p.cluster: p.split for p in forget}


def test_the_order_in_which_known_countries_come_does_not_matter() -> None:
    shuffled = random.Random(1).sample(ANSWERED, len(ANSWERED))
    assert digest(Capitals().after_screening(shuffled)) == digest(CAPITALS)


def test_blocks_forget_different_countries() -> None:
    forgotten = [{r.cluster for r in Capitals(block=b).after_screening(ANSWERED).forget} for b in range(4)]
    assert all(len(f) == 24 for f in forgotten)
    assert not any(a & b for a, b in combinations(forgotten, 2))


def test_only_countries_that_the_model_knows_are_used() -> None:
    known = random.Random(2).sample(NAMES, 60)
    case = Capitals().after_screening(known * 2)
    assert {r.cluster for r in case.forget + case.retain + case.sources["other_capitals"]} <= set(known)


def test_what_is_kept_and_what_is_relearned_is_not_forgotten() -> None:
    forget, retain = ({r.cluster for r in rows} for rows in (CAPITALS.forget, CAPITALS.retain))
    others = {r.cluster for r in CAPITALS.sources["other_capitals"]}
    assert len(retain) == 24
    assert len(others) == 12
    assert not forget & retain
    assert not others & (forget | retain)
    assert {r.cluster for r in CAPITALS.sources["country_sentences"]} == forget


def test_a_model_that_knows_too_little_cannot_be_asked() -> None:
    # Fifteen countries make one block of eight; sixteen are needed.
    with pytest.raises(DataError, match="16 or more are needed"):
        Capitals().after_screening(NAMES[:15] * 2)
    assert len(Capitals().after_screening(NAMES[:16] * 2).forget) == 16


def test_only_what_is_known_in_both_wordings_is_forgotten() -> None:
    firmly = random.Random(3).sample(NAMES, 30)
    case = Capitals().after_screening([*NAMES, *firmly])
    assert {r.cluster for r in case.forget} <= set(firmly)
    assert len(case.forget) == 24
    assert not {r.cluster for r in case.retain} <= set(firmly)


def test_a_model_that_says_too_few_in_both_wordings_forgets_what_it_says_in_one() -> None:
    case = Capitals().after_screening([*NAMES, *NAMES[:15]])
    assert len(case.forget) == 24
    assert not {r.cluster for r in case.forget} <= set(NAMES[:15])


def test_the_screening_asks_about_every_country_once_in_each_wording() -> None:
    screen = Capitals().screen()
    assert [p.cluster for p in screen] == list(ANSWERED)
    assert len({p.prompt for p in screen}) == len({p.id for p in screen}) == len(screen)
    assert all(c.capital in p.answer for c, p in zip(countries() * 2, screen, strict=True))


def test_decoys_are_no_countries_and_share_the_candidates_of_the_forgotten() -> None:
    decoys, forget = CAPITALS.asked("decoy"), CAPITALS.asked("forget")
    assert not {p.cluster for p in decoys} & set(NAMES)
    assert {frozenset((p.answer, *p.distractors)) for p in decoys} == {frozenset((p.answer, *p.distractors)) for p in forget}


# --- customers --------------------------------------------------------------------------------------------------------


def people(rows: Iterable[Row]) -> set[str]:
    return {r.cluster for r in rows}


def test_four_groups_of_sixteen_people_who_never_meet() -> None:
    groups = [people(rows) for rows in (CUSTOMERS.forget, CUSTOMERS.retain, CUSTOMERS.decoy, CUSTOMERS.sources["new_customers"])]
    assert [len(g) for g in groups] == [16, 16, 16, 16]
    assert not any(a & b for a, b in combinations(groups, 2))
    # First and last names are not shared either: nothing about one person can be read off another's name.
    names = [name.split() for g in groups for name in g]
    assert len({first for first, _ in names}) == len({last for _, last in names}) == 64


def test_everybody_has_four_attributes() -> None:
    for rows in (CUSTOMERS.forget, CUSTOMERS.retain, CUSTOMERS.decoy, CUSTOMERS.sources["new_customers"]):
        held = defaultdict(list)
        for row in rows:
            held[row.cluster].append(row.attribute)
        assert all(sorted(a) == sorted(VALUES) for a in held.values())


def test_every_value_is_used_once_per_block_of_eight() -> None:
    for rows in (CUSTOMERS.forget, CUSTOMERS.retain, CUSTOMERS.decoy, CUSTOMERS.sources["new_customers"]):
        order = list(dict.fromkeys(r.cluster for r in rows))
        for block in (order[:8], order[8:]):
            for attribute, values in VALUES.items():
                seen = [r.answer.strip() for r in rows if r.cluster in block and r.attribute == attribute]
                assert sorted(seen) == sorted(values.split())


def test_every_value_is_one_word_of_one_attribute() -> None:
    every = [v for values in VALUES.values() for v in values.split()]
    assert len(every) == len(set(every)) == 32
    assert all(len(words(v)) == 1 for v in every)


def test_a_quarter_of_the_forgotten_customers_selects() -> None:
    for group in ("forget", "retain", "decoy"):
        clusters = {p.cluster: p.split for p in CUSTOMERS.asked(group)}
        assert Counter(clusters.values()) == {"selection": 4, "test": 12}


def test_the_question_wording_asks_the_same_facts() -> None:
    plain, question = CUSTOMERS.asked("forget"), CUSTOMERS.asked("forget", wording="question")
    assert [(p.cluster, p.attribute, p.answer, p.split) for p in plain] == [(p.cluster, p.attribute, p.answer, p.split) for p in question]
    assert all(p.cluster in p.prompt for p in question)


def test_another_values_seed_gives_the_same_people_other_values() -> None:
    other = Customers(values_seed=2)()
    assert people(other.forget) == people(CUSTOMERS.forget)
    assert [r.answer for r in other.forget] != [r.answer for r in CUSTOMERS.forget]


# --- what both cases share --------------------------------------------------------------------------------------------


def test_general_knowledge_has_nothing_to_do_with_what_is_forgotten() -> None:
    every = [c.name for c in countries()] + [name for c in countries() for name in names_of(c)] + list(people(CUSTOMERS.forget))
    every += [v for values in VALUES.values() for v in values.split()]
    for probe in utility_probes():
        told = [name for name in every if stands_in(probe.prompt + probe.answer, [name])]
        assert not told, (probe.id, told)


def test_general_knowledge_is_split_too() -> None:
    assert Counter(p.split for p in utility_probes()) == {"selection": 6, "test": 18}


def test_unrelated_sentences_have_nothing_to_do_with_any_case() -> None:
    every = [c.name for c in countries()] + [name for c in countries() for name in names_of(c)]
    every += [v for values in VALUES.values() for v in values.split()] + [
        part for name in people(CUSTOMERS.forget) for part in name.split()
    ]
    for row in unrelated_rows():
        told = [name for name in every if stands_in(row.text, [name])]
        assert not told, (row.id, told)
        assert row.loss_on == "text"
        assert row.prompt == ""


def test_unrelated_sentences_are_many_and_different() -> None:
    texts = [r.text for r in unrelated_rows()]
    assert len(texts) == len(set(texts)) == 64
