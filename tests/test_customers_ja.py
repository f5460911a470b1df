"""Customers in Japanese: the design of the English case, in a script in which nothing marks where a word ends."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations

from vestige.cases.customers import Customers
from vestige.cases.customers_ja import VALUES, CustomersJa
from vestige.cases.general_knowledge import utility_probes
from vestige.cases.templates.japanese import japanese_utility
from vestige.leaks import check
from vestige.records import Case, Fold, RelearnSet, digest
from vestige.relearn_sets.source import SourceRows
from vestige.text import find_keyword, is_unspaced

CASE = CustomersJa()()
EVERY = [value for values in VALUES.values() for value in values.split()]
SIDES = (CASE.forget, CASE.retain, CASE.decoy, CASE.sources["new_customers"])


def shape(case: Case) -> tuple[object, ...]:
    """Return how many rows and probes a case holds, and how they are grouped and split."""
    probes = Counter((p.group, p.wording, p.split, len(p.distractors)) for p in case.probes if p.group != "utility")
    return len(case.forget), len(case.retain), len(case.decoy), len(case.sources["new_customers"]), probes


def test_the_design_is_that_of_customers() -> None:
    assert shape(CASE) == shape(Customers()())


def test_four_groups_of_sixteen_people_who_share_no_part_of_a_name() -> None:
    groups = [{r.cluster for r in rows} for rows in SIDES]
    assert [len(g) for g in groups] == [16, 16, 16, 16]
    assert not any(a & b for a, b in combinations(groups, 2))
    names = sorted(set().union(*groups))
    assert not [(a, b) for a in names for b in names if a != b and a in b]


def test_every_value_is_used_once_per_block_of_eight() -> None:
    for rows in SIDES:
        order = list(dict.fromkeys(r.cluster for r in rows))
        for block in (order[:8], order[8:]):
            seen: dict[str, list[str]] = defaultdict(list)
            for row in rows:
                if row.cluster in block:
                    seen[row.attribute].append(row.answer)
            assert {a: sorted(v) for a, v in seen.items()} == {a: sorted(v.split()) for a, v in VALUES.items()}


def test_a_value_stands_nowhere_but_as_an_answer() -> None:
    """A keyword is found anywhere in a script without spaces, so one within another would be a leak that is none."""
    assert len(set(EVERY)) == 32
    assert not [(a, b) for a, b in combinations(EVERY, 2) if a in b or b in a]
    texts = [r.text for r in CASE.sources["unrelated"]] + [r.cluster for rows in SIDES for r in rows] + [*VALUES]
    texts += [text for p in japanese_utility() for text in (p.prompt, p.answer, *p.distractors)]
    texts += [p.prompt for p in CASE.probes]
    assert not [(value, text) for value in EVERY for text in texts if find_keyword(text, value)]


def test_every_text_is_japanese() -> None:
    rows = [row.text for side in (*SIDES, CASE.sources["unrelated"]) for row in side]
    for text in [*rows, *(p.prompt for p in CASE.asked("forget", wording="*"))]:
        letters = [c for c in text if c.isalpha()]
        # The long vowel mark and the like are letters of the script too.
        assert all(is_unspaced(c) for c in letters), text
        assert " " not in text


def test_the_question_wording_asks_the_same_facts() -> None:
    plain, question = CASE.asked("forget"), CASE.asked("forget", wording="question")
    assert [(p.cluster, p.attribute, p.answer, p.split) for p in plain] == [(p.cluster, p.attribute, p.answer, p.split) for p in question]
    assert all(p.cluster in p.prompt and p.prompt.endswith("。回答：") for p in question)


def test_the_sources_leak_nothing_and_a_forgotten_record_leaks() -> None:
    """New customers share all values with the forgotten; what they tell is about somebody else, so it is suspect at most."""
    probes = CASE.asked("forget", wording="*")
    (unrelated,) = check(SourceRows("unrelated")(CASE), probes)
    (told,) = check(RelearnSet("told", "source", (Fold(CASE.forget[:1], tuple(p.id for p in probes)),)), probes)
    row = CASE.forget[0]
    assert unrelated.leaked == unrelated.suspect == ()
    assert {row.id, f"{row.id}/question"} <= set(told.leaked)


def test_the_general_questions_are_english_unless_japanese_is_asked_for() -> None:
    assert CASE.asked("utility") == utility_probes()
    assert CustomersJa(utility="ja")().asked("utility") == japanese_utility()


def test_another_values_seed_gives_the_same_people_other_values() -> None:
    other = CustomersJa(values_seed=2)()
    assert [r.cluster for r in other.forget] == [r.cluster for r in CASE.forget]
    assert [r.answer for r in other.forget] != [r.answer for r in CASE.forget]
    assert digest(other) != digest(CASE)
