"""V-information: the shortlist, what the model is asked, and values that nothing replaces, worked by hand with a table for a model."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pytest

from vestige import leaks
from vestige.errors import DataError
from vestige.records import Candidate, Fold, Missing, Probe, RelearnSet, Row, ScoreTokens
from vestige.v_information import Told, informs, shortlist, told

OSLO = Probe("oslo", "Where is Mara?", " Oslo", "forget", "Mara", "test", distractors=(" Rome",), aliases=(" Christiania",))
ROME = Probe("rome", "Where is Tobin?", " Rome", "forget", "Tobin", "test")


def row(name: str, text: str) -> Row:
    return Row(name, "", text, "")


class Table:
    """A model that scores the answer by a table from prompt to token log-probabilities, and remembers what it was asked."""

    def __init__(self, logp: dict[str, tuple[float, ...]]) -> None:
        self.logp, self.asked = logp, list[Probe]()

    def __call__(self, probes: Sequence[Probe]) -> list[ScoreTokens]:
        self.asked += probes
        ones = (0.0,)
        return [
            ScoreTokens(p.id, (Candidate("true", self.logp[p.prompt], (1,), ones, ones), Candidate("wrong:0", (-9.0,), (0,), ones, ones)))
            for p in probes
            if p.prompt in self.logp
        ]


def test_the_value_is_the_log_probability_with_the_row_less_that_without() -> None:
    # Tokens of the answer: −2 and −1 alone, −0.5 and −0.25 with the row: −0.75 − (−3) = 2.25 nats.
    model = Table({"Where is Mara?": (-2.0, -1.0), "Mara moved.\nWhere is Mara?": (-0.5, -0.25)})
    assert told([row("r", "Mara moved. ")], [OSLO], model) == [Told("r", "oslo", 2.25)]


def test_the_model_is_asked_for_the_answer_alone_and_once_without_any_row() -> None:
    model = Table({})
    told([row("a", "Mara moved"), row("b", "Mara stayed")], [OSLO], model)
    assert [p.prompt for p in model.asked].count("Where is Mara?") == 1
    assert len(model.asked) == 3
    assert {(p.answer, p.distractors, p.aliases) for p in model.asked} == {(" Oslo", (), ())}


def test_what_the_model_does_not_score_is_missing_never_zero() -> None:
    model = Table({"Where is Mara?": (-1.0,)})
    assert told([row("r", "Mara")], [OSLO], model) == [Told("r", "oslo", Missing("the model gave no score for the answer"))]
    model = Table({"Mara\nWhere is Mara?": (-1.0,)})
    assert told([row("r", "Mara")], [OSLO], model) == [Told("r", "oslo", Missing("the model gave no score for the answer"))]


def test_without_a_never_exposed_model_every_value_is_missing() -> None:
    assert told([row("r", "Mara")], [OSLO], None) == [Told("r", "oslo", Missing("no never-exposed model was given"))]


def test_a_row_too_long_for_a_prompt_is_missing_and_not_asked() -> None:
    model = Table({})
    (value,) = told([row("r", "Mara " * 1_000)], [OSLO], model)
    assert value.nats == Missing("the row has 5000 characters; at most 4000 are put before a question")
    assert model.asked == []


def test_scores_of_other_probes_are_refused() -> None:
    with pytest.raises(DataError, match="'else', which it was not asked"):
        told([row("r", "Mara")], [OSLO], lambda probes: [ScoreTokens("else", ())])


def test_the_shortlist_takes_the_rows_that_share_most_and_leaves_out_those_that_share_nothing() -> None:
    rows = [row("none", "unrelated words"), row("one", "Mara left"), row("two", "Mara is in Oslo"), row("other", "Tobin in Rome")]
    # "is" and "where" are asked of both; Mara, Oslo, is: row 2 shares most with the first probe, row 1 only Mara.
    assert shortlist(rows, [OSLO, ROME]) == [(2, 0), (1, 0), (3, 1), (2, 1)]


def test_the_shortlist_is_cut_at_its_length_and_ties_go_to_the_earlier_row() -> None:
    rows = [row(str(i), "Mara left") for i in range(30)]
    assert shortlist(rows, [OSLO]) == [(i, 0) for i in range(20)]
    assert shortlist(rows, [OSLO], most=2) == [(0, 0), (1, 0)]
    assert shortlist([], [OSLO]) == shortlist(rows, []) == []


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    # "is" stands in all four rows: log(1 + 4/4) = 0.69; "mara" in one: log(1 + 4/1) = 1.61.
    rows = [row("a", "it is"), row("b", "this is"), row("c", "mara is"), row("d", "that is")]
    assert shortlist(rows, [OSLO], most=1) == [(2, 0)]


def test_recipes_and_covariates_get_what_a_row_tells_most_about() -> None:
    model = Table(
        {
            "Where is Mara?": (-3.0,),
            "Where is Tobin?": (-3.0,),
            "Where they are\nWhere is Mara?": (-1.0,),
            "Where they are\nWhere is Tobin?": (-2.5,),
        }
    )
    # Two nats about Mara's city, half a nat about Tobin's: the larger.
    values = informs(model)([row("r", "Where they are"), row("s", "unrelated")], [OSLO, ROME])
    assert values == [2.0, Missing("not among the 20 rows that share most words with any probe")]


def test_a_known_value_is_not_hidden_by_a_missing_one() -> None:
    model = Table({"Where is Mara?": (-3.0,), "Where they are\nWhere is Mara?": (-1.0,)})
    assert informs(model)([row("r", "Where they are")], [OSLO, ROME]) == [2.0]
    assert informs(model)([row("r", "Where they are")], [ROME, OSLO]) == [2.0]


def test_a_telling_row_makes_a_probe_suspect_and_a_silent_one_does_not() -> None:
    fold = Fold((row("hint", "Mara loves fjords"), row("idle", "Mara sleeps")), ("oslo",))
    model = Table({"Where is Mara?": (-4.0,), "Mara loves fjords\nWhere is Mara?": (-0.5,), "Mara sleeps\nWhere is Mara?": (-3.5,)})
    (found,) = leaks.check(RelearnSet("s", "source", (fold,)), [OSLO], score=model)
    assert (found.clean, found.suspect, found.leaked) == ((), ("oslo",), ())
    assert [(f.row, f.kind, f.span) for f in found.findings] == [("hint", "V-information", (0, 17))]
    assert {(t.row, t.nats) for t in found.told} == {("hint", 3.5), ("idle", 0.5)}


@pytest.mark.slow
def test_a_real_model_is_told_more_by_a_row_that_holds_the_answer() -> None:
    from vestige.cases.customers import Customers
    from vestige.lab import models
    from vestige.lab.probes import score_candidates

    model = models.load("smollm2-135m-instruct")
    probes = Customers()().asked("forget")[:8]
    own = [row(f"own/{p.id}", f"Customer {p.cluster}. {p.attribute}:{p.answer}") for p in probes]
    pairs = told(own, probes, functools.partial(score_candidates, model))
    held = [t.nats for t in pairs if t.row == f"own/{t.probe}" and not isinstance(t.nats, Missing)]
    others = [t.nats for t in pairs if t.row != f"own/{t.probe}" and not isinstance(t.nats, Missing)]
    assert len(held) == len(probes)
    assert min(held) > 1
    assert sum(held) / len(held) > 2 + sum(others) / len(others)
