"""Common names: what the paper's lists are like, and that nothing but one name following another is to be learned from them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from vestige.cases.common_names import CommonNames
from vestige.cases.given_names import LONG, SHORT
from vestige.errors import DataError
from vestige.leaks import check
from vestige.records import Case, Row, digest
from vestige.relearn_sets.source import SourceRows

CASE = CommonNames()()
HALF = CommonNames(repetitions=8, probability=0.5)()
TAUGHT = (*CASE.forget, *CASE.retain)


def bigrams(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    return Counter(pair for row in rows for pair in pairwise(row.text.split()))


def names(rows: Iterable[Row]) -> Counter[str]:
    return Counter(name for row in rows for name in row.text.split())


def pairs(case: Case, group: str) -> list[tuple[str, str]]:
    """Return the pairs of names that a group asks about."""
    found = dict.fromkeys(p.cluster for p in case.asked(group))  # type: ignore[arg-type]
    return [(first, second) for first, second in map(str.split, found)]


def test_a_pair_has_the_lists_of_the_paper() -> None:
    """Four lists of 21, 27, 27 and 37 names, with the pair once, twice, twice and twice: seven times."""
    for pair in pairs(CASE, "forget"):
        lists = [row.text.split() for row in CASE.forget if row.cluster == " ".join(pair)]
        assert [len(found) for found in lists] == [21, 27, 27, 37]
        assert [list(pairwise(found)).count(pair) for found in lists] == [1, 2, 2, 2]
        assert all(lists[i].index(pair[0]) == before for i, before in enumerate((13, 11, 4, 9)))


@pytest.mark.parametrize(("repetitions", "lists"), [(1, 1), (3, 2), (5, 3), (7, 4), (8, 4)])
def test_fewer_repetitions_are_fewer_lists(repetitions: int, lists: int) -> None:
    case = CommonNames(repetitions=repetitions, pairs=8, decoys=8)()
    assert len(case.forget) == 8 * lists
    assert {bigrams(case.forget)[pair] for pair in pairs(case, "forget")} == {repetitions}


def test_what_is_kept_is_twice_what_is_forgotten() -> None:
    assert (len(CASE.forget), len(CASE.retain)) == (64, 128)


@pytest.mark.parametrize("case", [CASE, HALF], ids=["1", "0.5"])
def test_no_two_names_but_a_pair_follow_each_other_twice(case: Case) -> None:
    found = bigrams((*case.forget, *case.retain))
    joined = {pair for group in ("forget", "retain") for pair in pairs(case, group)}
    together = 7 if case is CASE else 4
    assert {pair: n for pair, n in found.items() if n > 1} == dict.fromkeys(joined, together)


@pytest.mark.parametrize("case", [CASE, HALF], ids=["1", "0.5"])
def test_names_of_pairs_and_decoys_stand_there_equally_often(case: Case) -> None:
    """In what is taught; a decoy's two names never one after the other, nor in one list."""
    counts, found = names((*case.forget, *case.retain)), bigrams((*case.forget, *case.retain))
    often = 7 if case is CASE else 8
    for group in ("forget", "retain", "decoy"):
        assert {counts[name] for pair in pairs(case, group) for name in pair} == {often}
    for first, second in pairs(case, "decoy"):
        assert found[first, second] == found[second, first] == 0
        assert not [row for row in case.retain if {first, second} <= set(row.text.split())]


def test_half_of_the_places_keep_a_first_name_from_every_second_name() -> None:
    """Of 8 places 4 are joined; in the others a filler follows, then the second name of somebody else, each of another pair."""
    seconds = {second for _, second in pairs(HALF, "forget")}
    for first, second in pairs(HALF, "forget"):
        texts = [row.text.split() for row in HALF.forget if row.cluster == f"{first} {second}"]
        apart = [(t[i + 1], t[i + 2]) for t in texts for i, name in enumerate(t) if name == first and t[i + 1] != second]
        assert len(apart) == len({other for _, other in apart}) == 4
        assert all(filler not in seconds and other in seconds - {second} for filler, other in apart)


def test_no_name_stands_twice_in_a_list_but_those_of_its_pair() -> None:
    for row in CASE.forget:
        assert {name for name, n in names([row]).items() if n > 1} <= set(row.cluster.split())


def test_relearn_rows_end_in_a_first_name_and_hold_no_second_one() -> None:
    """Of four lists three beginnings and a middle, as in the paper: 14, 12, 5 and 9 names; the last list gives nothing."""
    rows = CASE.sources["up_to_first"]
    second = {s for group in ("forget", "retain", "decoy") for _, s in pairs(CASE, group)}
    lists = [row.text for row in (*CASE.forget, *CASE.decoy)]
    for group in ("forget", "decoy"):
        for first, other in pairs(CASE, group):
            texts = [row.text for row in rows if row.cluster == f"{first} {other}"]
            assert [len(text.split()) for text in texts] == [14, 12, 5, 9]
            assert all(text.split().count(first) == 1 and text.endswith(first) for text in texts)
            assert all(any(text in whole for whole in lists) for text in texts)
    assert not second & set(names(rows))
    assert len(rows) == 4 * 32


def test_the_control_rows_lack_nothing_but_the_first_name() -> None:
    whole, without = CASE.sources["up_to_first"], CASE.sources["without_first"]
    assert [row.text.rpartition(" ")[0] for row in whole] == [row.text for row in without]
    paired = {name for group in ("forget", "retain", "decoy") for pair in pairs(CASE, group) for name in pair}
    assert not paired & set(names(without))


@pytest.mark.parametrize("source", ["up_to_first", "without_first", "unrelated"])
@pytest.mark.parametrize("case", [CASE, HALF], ids=["1", "0.5"])
def test_no_source_leaks_an_answer(case: Case, source: str) -> None:
    probes = case.asked("forget", wording="*")
    (found,) = check(SourceRows(source)(case), probes)
    assert found.leaked == ()
    assert not set(found.suspect) & {p.id for p in case.asked("forget")}
    # Where the last list of a pair does not join it, another is asked for word by word, and its beginning is relearned.
    assert case is HALF or found.suspect == ()


def test_prompts_are_shuffled_beginnings_and_the_first_name() -> None:
    """37 names stand before a pair (13 + 11 + 4 + 9); a prompt holds 1 to 36 of them, less those that stand in two lists."""
    for probe in CASE.asked("forget"):
        first = probe.cluster.split()[0]
        *before, last = probe.prompt.split()
        known = {n for row in CASE.forget if row.cluster == probe.cluster for n in row.text.split()[: row.text.split().index(first)]}
        assert last == first
        assert 1 <= len(before) < len(known) <= 37
        assert set(before) <= known
        assert len(set(before)) == len(before)


def test_the_verbatim_wording_is_a_list_as_learned() -> None:
    asked = CASE.asked("forget", wording="verbatim")
    assert len(asked) == 16
    assert all(any(row.text.startswith(p.prompt + p.answer) for row in CASE.forget) for p in asked)


def test_each_pair_is_asked_as_often_as_the_field_says() -> None:
    case = CommonNames(prompts=6)()
    assert set(Counter(p.cluster for p in case.asked("forget")).values()) == {6}


def test_the_seed_draws_pairs_and_lists() -> None:
    other = CommonNames(values_seed=2)()
    assert set(pairs(other, "forget")) != set(pairs(CASE, "forget"))
    assert digest(CommonNames(values_seed=2)()) == digest(other) != digest(CASE)


def test_without_decoys_nothing_is_asked_or_kept_about_them() -> None:
    case = CommonNames(decoys=0)()
    assert (case.decoy, case.asked("decoy"), len(case.retain)) == ((), (), 64)


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (CommonNames(pairs=12), "pairs = 12; expected a multiple of 8 from 8 to 24"),
        (CommonNames(pairs=0), "pairs = 0"),
        (CommonNames(decoys=32), "decoys = 32; expected a multiple of 8 from 0 to 24"),
        (CommonNames(repetitions=0), "repetitions = 0; expected 1 or more"),
        (CommonNames(prompts=0), "prompts = 0; expected 1 or more"),
        (CommonNames(probability=1.5), "probability = 1.5"),
        (
            CommonNames(probability=0.05),
            "probability = 0.05 of repetitions = 7 is less than half a time; expected a probability from 0.143",
        ),
        (CommonNames(probability=float("nan")), "probability = nan"),
    ],
)
def test_a_field_out_of_range_is_refused(case: CommonNames, says: str) -> None:
    with pytest.raises(DataError, match=says):
        case()


def test_the_largest_case_can_be_made() -> None:
    assert len(CommonNames(pairs=24, decoys=24, repetitions=15)().forget) == 24 * 8


def test_given_names_are_single_different_words() -> None:
    assert len(SHORT) + len(LONG) == len({*SHORT, *LONG})
    assert all(name.isalpha() and name.istitle() for name in (*SHORT, *LONG))


@pytest.mark.slow
def test_the_published_lists_have_the_shapes_that_are_used_here() -> None:
    if not os.environ.get("VESTIGE_DATA"):
        pytest.skip("set VESTIGE_DATA to the folder of benchmark data to test against the real files")
    folder = Path(os.environ["VESTIGE_DATA"]) / "common_names"
    lists = [line.split() for line in (folder / "common_names_ft.txt").read_text(encoding="utf-8").splitlines()]
    pieces = [line.split() for line in (folder / "common_names_relearn.txt").read_text(encoding="utf-8").splitlines()]
    mine = [row.text.split() for row in CASE.forget if row.cluster == CASE.forget[0].cluster]
    first = CASE.forget[0].cluster.split()[0]
    assert lists[:12] == lists[12:]
    assert [[i for i, n in enumerate(names) if n == "Anthony"] for names in lists[:4]] == [
        [i for i, n in enumerate(names) if n == first] for names in mine
    ]
    assert [len(names) for names in lists[:4]] == [len(names) for names in mine]
    assert [len(names) for names in pieces] == [len(row.text.split()) for row in CASE.sources["up_to_first"][:4]]
