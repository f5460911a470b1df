"""The leak check: an answer that stands in a row is found in every disguise, and a shared value is told from a leak."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestige import leaks
from vestige.cases.customers import Customers
from vestige.leaks import FoldLeaks
from vestige.records import Fold, Probe, RelearnSet, Row
from vestige.relearn_sets.source import SourceRows
from vestige.text import words

PROBE = Probe("p", "Mara Lindqvist. City:", " Oslo", "forget", "Mara Lindqvist", "test", attribute="City")


def row(text: str, *, cluster: str = "", attribute: str = "", name: str = "r") -> Row:
    """Return a row that says `text`."""
    return Row(name, "", text, cluster, "text", attribute=attribute)


def found(rows: Sequence[Row], *probes: Probe) -> FoldLeaks:
    """Check probes against one fold."""
    (result,) = leaks.check(RelearnSet("s", "source", (Fold(tuple(rows), tuple(p.id for p in probes)),)), probes)
    return result


def verdict(text: str, answer: str = " Oslo", **about: str) -> str:
    """Return clean, suspect or leaked for one probe and one row."""
    result = found([row(text, **about)], dataclasses.replace(PROBE, answer=answer))
    (word,) = [w for w in ("clean", "suspect", "leaked") if getattr(result, w) == ("p",)]
    return word


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("She moved to Oslo.", " Oslo"),
        ("oslo", "Oslo"),
        ("OSLO!", " Oslo"),
        ("Ｏｓｌｏ", " Oslo"),
        ("Ósló", " Oslo"),
        ("Os\u200blo", " Oslo"),
        ("O\u0336s\u0336l\u0336o", " Oslo"),
        ("(Oslo's)", " Oslo"),
        ("in New-York,", " New York"),
        ("in new\nyork", " New-York"),
        ("die STRASSE", " Straße"),
        ("ISTANBUL", " İstanbul"),
        ("彼は東京に住む", "東京"),
        ("東 京", "東京"),
        ("ﾄｳｷｮｳ", "トウキョウ"),
        ("ト・ウ・キョウ", "トウキョウ"),
        ("서울은 크다", " 서울"),
        ("อยู่กรุงเทพครับ", "กรุงเทพ"),
        ("वह दिल्ली में", " दिल्ली"),
        ("aged 42.", " 42"),
        ("④②", " 42"),
        ("rated ★★ here", " ★★"),
        ("＋", " +"),
    ],
)
def test_an_answer_in_a_row_is_leaked(text: str, answer: str) -> None:
    assert verdict(text, answer) == "leaked"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("She moved to Rome.", " Oslo"),
        ("Oslofjord and NewOslo", " Oslo"),
        ("York is new", " New York"),
        ("New is not York", " New York"),
        ("京東", "東京"),
        ("東の京", "東京"),
        ("ば", "は"),
        ("दुल्लु", " दिल्ली"),
        ("425", " 42"),
        ("rated ★ ★", " ★★"),
        ("anything", " "),
        ("", " Oslo"),
    ],
)
def test_a_row_without_the_answer_is_clean(text: str, answer: str) -> None:
    assert verdict(text, answer) == "clean"


def test_prompt_and_answer_of_a_row_are_read_as_one_text() -> None:
    assert found([Row("r", "She lives in Os", "lo.", "x")], PROBE).leaked == ("p",)


def test_an_answer_spread_over_two_rows_is_clean() -> None:
    assert found([row("New"), row("York")], dataclasses.replace(PROBE, answer=" New York")).clean == ("p",)


def test_an_alias_leaks_like_the_answer_and_the_finding_names_it() -> None:
    probe = dataclasses.replace(PROBE, aliases=(" Kristiania", " オスロ"))
    for text, alias in (("once KRISTIANIA", "Kristiania"), ("今のオスロ市", "オスロ")):
        result = found([row("nothing", name="a"), row(text, name="b")], probe)
        assert result.leaked == ("p",)
        assert [(f.probe, f.row, f.matched, f.leaked) for f in result.findings] == [("p", "b", alias, True)]


def test_distractors_are_no_answers() -> None:
    assert found([row("Rome")], dataclasses.replace(PROBE, distractors=(" Rome",))).clean == ("p",)


@pytest.mark.parametrize(
    ("about", "word"),
    [
        ({"attribute": "City", "cluster": "Tobin Varga"}, "suspect"),
        ({"attribute": "City", "cluster": "Mara Lindqvist"}, "leaked"),
        ({"attribute": "Pet", "cluster": "Tobin Varga"}, "leaked"),
        ({"attribute": "", "cluster": "Tobin Varga"}, "leaked"),
    ],
)
def test_only_the_same_attribute_of_somebody_else_may_share_a_value(about: dict[str, str], word: str) -> None:
    assert verdict("Customer Tobin Varga. City: Oslo", **about) == word


@pytest.mark.parametrize("name", ["Mara Lindqvist", "MARA  LINDQVIST", "Mára Lindqvíst", "Mara-Lindqvist", "Ｍａｒａ Lindqvist"])
def test_a_shared_value_in_a_row_that_names_the_cluster_is_leaked(name: str) -> None:
    text = f"Customer Tobin Varga, like {name}. City: Oslo"
    assert verdict(text, attribute="City", cluster="Tobin Varga") == "leaked"


def test_two_things_without_an_attribute_do_not_share_one() -> None:
    probe = dataclasses.replace(PROBE, attribute="")
    assert found([row("Oslo", cluster="Tobin Varga")], probe).leaked == ("p",)


def test_one_leak_outweighs_any_number_of_shared_values() -> None:
    shared = [row("City: Oslo", cluster=f"c{n}", attribute="City", name=f"s{n}") for n in range(3)]
    result = found([*shared, row("Oslo", name="bad")], PROBE)
    assert (result.clean, result.suspect, result.leaked) == ((), (), ("p",))
    assert [(f.row, f.leaked) for f in result.findings] == [("s0", False), ("s1", False), ("s2", False), ("bad", True)]


def test_each_fold_answers_for_its_own_rows_and_probes() -> None:
    other = dataclasses.replace(PROBE, id="q", answer=" Rome")
    folds = (Fold((row("Oslo"),), ("q",)), Fold((row("Oslo Rome"),), ("p",)), Fold((), ("p", "q")), Fold((row("Rome"),), ()))
    result = leaks.check(RelearnSet("s", "source", folds), [PROBE, other])
    assert [(f.clean, f.leaked) for f in result] == [(("q",), ()), ((), ("p",)), (("p", "q"), ()), ((), ())]


WORDS = st.lists(st.sampled_from(["a", "b", "ab", "東", "é"]), max_size=5).map(" ".join)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=4), WORDS)
def test_the_index_finds_what_reading_every_row_finds(texts: list[str], answer: str) -> None:
    rows = [row(text, name=str(n)) for n, text in enumerate(texts)]
    needle = words(answer)

    def holds(hay: list[str]) -> bool:
        return bool(needle) and any(hay[i : i + len(needle)] == needle for i in range(len(hay)))

    expected = [r.id for r in rows if holds(words(r.text))]
    # Answers in another form (inflected, re-spaced) are found as well, so there may be more.
    assert set(expected) <= {f.row for f in found(rows, dataclasses.replace(PROBE, answer=answer)).findings}


@settings(deadline=None)
@given(WORDS, st.sampled_from([" Oslo", " 東京", " New York", " ★"]), WORDS)
def test_a_planted_answer_is_always_leaked(before: str, answer: str, after: str) -> None:
    assert verdict(f"{before}{answer} {after}", answer) == "leaked"


def test_the_built_in_customers_have_one_clean_and_one_sharing_source() -> None:
    case = Customers()()
    probes = case.asked("forget", wording="*")
    (unrelated,) = leaks.check(SourceRows("unrelated")(case), probes)
    (sharing,) = leaks.check(SourceRows("new_customers")(case), probes)
    ids = {p.id for p in probes}
    assert (set(unrelated.clean), unrelated.suspect, unrelated.leaked) == (ids, (), ())
    # Every value is some new customer's too, by design; none of their rows names a forgotten one.
    assert (sharing.clean, set(sharing.suspect), sharing.leaked) == ((), ids, ())
    (own,) = leaks.check(RelearnSet("own", "source", (Fold(case.forget, tuple(ids)),)), probes)
    assert set(own.leaked) == ids
