"""The verdicts of the leak check, fold by fold, and dropping what leaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from vestige import leaks
from vestige.errors import DataError
from vestige.records import Fold, Probe, RelearnSet, Row

MARA = Probe("mara", "Customer Mara Lindqvist. City:", " Oslo", "forget", "Mara Lindqvist", "test", attribute="City")
TOBIN = Probe("tobin", "Customer Tobin Varga. City:", " Rome", "forget", "Tobin Varga", "test", attribute="City")


def row(name: str, text: str, cluster: str = "", attribute: str = "") -> Row:
    return Row(name, "", text, cluster, attribute=attribute)


def set_of(*folds: tuple[Sequence[Row], Sequence[Probe]]) -> RelearnSet:
    return RelearnSet("s", "source", tuple(Fold(tuple(rows), tuple(p.id for p in asked)) for rows, asked in folds))


def test_each_fold_answers_for_its_own_rows_and_probes() -> None:
    made = set_of(([row("a", "in OSLO")], [MARA, TOBIN]), ([row("b", "in OSLO")], [TOBIN]), ([], [MARA]))
    found = leaks.check(made, [MARA, TOBIN])
    assert [(f.clean, f.suspect, f.leaked) for f in found] == [(("tobin",), (), ("mara",)), (("tobin",), (), ()), (("mara",), (), ())]
    assert [(f.probe, f.row, f.kind, f.span) for f in found[0].findings] == [("mara", "a", "normalised", (3, 7))]


def test_a_shared_value_is_suspect_and_one_leak_outweighs_it() -> None:
    shared = row("new", "Customer Elke Holm. City: Oslo", "Elke Holm", "City")
    (found,) = leaks.check(set_of(([shared], [MARA])), [MARA])
    assert (found.clean, found.suspect, found.leaked) == ((), ("mara",), ())
    (found,) = leaks.check(set_of(([shared, row("bad", "She lives in oslo.")], [MARA])), [MARA])
    assert (found.clean, found.suspect, found.leaked) == ((), (), ("mara",))


def test_runs_are_reported_for_every_probe_asked() -> None:
    (found,) = leaks.check(set_of(([row("a", "Rome wasn't built")], [MARA, TOBIN])), [MARA, TOBIN])
    assert [(run.probe, run.words, run.of, run.row) for run in found.runs] == [("mara", 0, 1, ""), ("tobin", 1, 1, "a")]


def test_a_row_that_nearly_repeats_a_probe_is_suspect() -> None:
    probe = dataclasses.replace(MARA, prompt="In which city does the customer called Mara Lindqvist live these days, if we may ask?")
    # 16 words of question and one of answer make 15 runs of three; only the last holds the answer: J = 14 / 16.
    (found,) = leaks.check(set_of(([row("a", probe.prompt + " Unknown")], [probe])), [probe])
    assert (found.suspect, [f.kind for f in found.findings]) == (("mara",), ["near-duplicate"])
    (found,) = leaks.check(set_of(([row("a", "In which city does the customer called Mara live?")], [probe])), [probe])
    assert found.clean == ("mara",)


def test_a_row_that_nearly_repeats_a_forget_row_makes_suspect_who_is_asked_about_it() -> None:
    forget = row("f", "Mara Lindqvist moved north when she was nine years old and liked it", "Mara Lindqvist", "City")
    copy = row("a", "MARA LINDQVIST moved north when she was nine years old and liked it!")
    pet = dataclasses.replace(MARA, id="pet", answer=" falcon", attribute="Pet")
    (found,) = leaks.check(set_of(([copy], [MARA, TOBIN, pet])), [MARA, TOBIN, pet], forget=[forget])
    assert (found.clean, found.suspect) == (("tobin", "pet"), ("mara",))


def test_a_row_that_means_the_same_is_suspect_where_texts_can_be_embedded() -> None:
    def embed(texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([[1.0, 0.0] if "Mara" in t or "she" in t else [0.0, 1.0] for t in texts])

    (found,) = leaks.check(set_of(([row("a", "she dwells up north")], [MARA, TOBIN])), [MARA, TOBIN], embed=embed)
    assert (found.clean, found.suspect) == (("tobin",), ("mara",))
    assert [(f.kind, f.row) for f in found.findings] == [("meaning", "a")]


def test_leaking_rows_are_dropped_and_suspect_ones_kept() -> None:
    shared = row("new", "Customer Elke Holm. City: Oslo", "Elke Holm", "City")
    made = set_of(([shared, row("bad", "Ｏｓｌｏ"), row("good", "Bern")], [MARA]), ([row("other", "Oslo")], [TOBIN]))
    kept = leaks.without_leaks(made, [MARA, TOBIN])
    assert [[r.id for r in fold.rows] for fold in kept.folds] == [["new", "good"], ["other"]]
    assert [fold.asks for fold in kept.folds] == [("mara",), ("tobin",)]
    assert not any(found.leaked for found in leaks.check(kept, [MARA, TOBIN]))


def test_a_fold_without_a_row_left_is_refused() -> None:
    with pytest.raises(DataError, match="'s': each of the 1 rows of a fold leaks an answer"):
        leaks.without_leaks(set_of(([row("bad", "Oslo")], [MARA])), [MARA])
