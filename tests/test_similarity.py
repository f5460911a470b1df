"""The measures of likeness, against numbers worked by hand."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from vestige import similarity
from vestige.records import Missing, Probe, Row


def row(text: str, cluster: str = "", prompt: str = "") -> Row:
    return Row(text, prompt, text, cluster)


def probe(prompt: str, answer: str = " yes", cluster: str = "", **more: tuple[str, ...]) -> Probe:
    return Probe(prompt, prompt, answer, "forget", cluster, "test", **more)


def test_character_similarity_is_one_minus_edits_over_the_longer_length() -> None:
    # kitten → sitting: k→s, e→i, +g, 3 edits; the longer has 7 characters: 1 − 3/7.
    # kitten → mitten: 1 edit of 6: 1 − 1/6. The mean over the two probes is (4/7 + 5/6) / 2.
    got = similarity.character_similarity([row("kitten")], [probe("sitti", "ng"), probe("mitten", "")])
    assert got[0] == pytest.approx((4 / 7 + 5 / 6) / 2)


def test_a_template_keeps_the_pattern_and_masks_names_titles_numbers_and_dates() -> None:
    asked = 'When did Mara Lindqvist publish "The Long Winter" in Oslo, and was it before 06/30/1975?'
    assert similarity.template(asked, ["Mara Lindqvist"]) == "When did ▢ publish ▢ in ▢, and was it before ▢?"


def test_a_template_masks_names_in_small_letters_and_without_spaces() -> None:
    assert similarity.template("what does mara eat?", ["Mara"]) == "what does ▢ eat?"
    assert similarity.template("田中一郎さんの好きな本は『雪国』ですか。", ["田中一郎"]) == "▢さんの好きな本は▢ですか。"


def test_a_short_name_is_masked_as_a_word_and_not_inside_words() -> None:
    assert similarity.template("is it a city?", ["it"]) == "is ▢ a city?"


def test_the_same_question_about_others_has_the_same_template_and_another_question_has_not() -> None:
    asked = [probe("What do Hina Ameen's parents do?", cluster="Hina Ameen")]
    rows = [row(" x", "Li Wu", "What do Li Wu's parents do?"), row(" x", "Li Wu", "Does Li Wu write?")]
    same, other = similarity.template_similarity(rows, asked)
    assert same == 1.0
    # "What do ▢'s parents do?" (23) against "Does ▢ write?" (13): at best 1 − 10/23.
    assert other < 1 - 10 / 23


def test_the_nearest_template_is_named() -> None:
    asked = [probe("Who is Ann?", cluster="Ann"), probe("Where was Ann born?", cluster="Ann")]
    _, which = similarity.nearest_templates([row(" x", "Bo", "Where was Bo born?"), row(" x", "Bo", "Who is Bo?")], asked)
    assert which == ["Where was ▢ born?", "Who is ▢?"]


def test_relevance_is_bm25_as_a_share_of_its_bound() -> None:
    # Two rows of two words, so |r| / mean |r| = 1 and the denominator is f + 1.2; f = 1: 1 / 2.2.
    # idf("a") = log(1 + (2 − 1 + ½) / (1 + ½)) = log 2, likewise "c"; "e" is nowhere: log(1 + 2.5 / 0.5) = log 6.
    bound = 2 * math.log(2) + math.log(6)
    got = similarity.relevance(
        [
            row("a b"),
            row("c c"),
        ],
        [probe("a c e")],
    )
    # row 2: "c" twice: 2 / 3.2.
    assert got == pytest.approx([math.log(2) / 2.2 / bound, math.log(2) * 2 / 3.2 / bound])


def test_relevance_counts_a_longer_row_for_less() -> None:
    # Lengths 1 and 3, mean 2: norms 1.2 (¼ + ¾ · ½) = 0.75 and 1.2 (¼ + ¾ · 3/2) = 1.65; both hold the only word once.
    got = similarity.relevance([row("a"), row("a b c")], [probe("a")])
    assert got == pytest.approx([1 / 1.75, 1 / 2.65])


def test_relevance_is_to_the_nearest_question() -> None:
    asked = [probe("about lobsters"), probe("about planets")]
    lobster, neither = similarity.relevance([row("lobsters live long"), row("nothing else here")], asked)
    assert lobster > 0
    assert neither == 0


def test_relevance_works_in_a_script_without_spaces() -> None:
    rows = [row("田中一郎は京都で本屋を開いた。"), row("今日は天気がとても良いです。")]
    about, other = similarity.relevance(rows, [probe("田中一郎の本屋はどこですか。")])
    assert about > 3 * other


def test_answer_overlap_counts_only_what_the_question_does_not_say() -> None:
    # Beyond "where does ann live", "Ann lives in Oslo" says lives, in, oslo, each in the one answer: equal weights. 2 of 3.
    asked = [probe("Where does Ann live?", " Ann lives in Oslo")]
    assert similarity.answer_overlap([row("in Oslo it rains"), row("Ann")], asked) == pytest.approx([2 / 3, 0])


def test_answer_overlap_weighs_a_word_by_how_few_answers_hold_it() -> None:
    # "red" is in both of two answers: log(1 + ½/2½) = log 1.2; "cat" and "dog" in one: log(1 + 1½/1½) = log 2.
    asked = [probe("?", " red cat"), probe("?", " red dog")]
    total = math.log(1.2) + math.log(2)
    assert similarity.answer_overlap([row("red"), row("cat")], asked) == pytest.approx([math.log(1.2) / total, math.log(2) / total])


def test_answer_overlap_looks_at_aliases_and_at_keywords_first() -> None:
    assert similarity.answer_overlap([row("Byzantium")], [probe("?", " Istanbul", aliases=(" Byzantium",))]) == [1.0]
    assert similarity.answer_overlap([row("it is")], [probe("?", " it is Istanbul", keywords=("Istanbul",))]) == [0.0]


def test_answer_overlap_is_missing_where_answers_say_nothing_new() -> None:
    (got,) = similarity.answer_overlap([row("yes")], [probe("Is it yes?", " yes")])
    assert isinstance(got, Missing)


def test_topics_are_what_a_row_is_filed_under_and_what_it_names() -> None:
    rows = [row("He writes.", "Ann Lee"), row("I met bo ode, and ann leeson."), row("田中一郎は元気。")]
    assert similarity.topics(rows, ["Ann Lee", "Bo Ode", "田中一郎"]) == [{"Ann Lee"}, {"Bo Ode"}, {"田中一郎"}]


def test_covariates_say_what_each_value_is_a_mean_of() -> None:
    asked = [probe("Who is Ann?", " a poet", "Ann")]
    got = similarity.covariates([row("Ann is well.", "Ann"), row("It rains.", "rain")], asked, len)
    assert tuple(got) == similarity.COVARIATES
    assert got["rows"] == 2
    assert got["tokens"] == len("Ann is well.") + len("It rains.")
    assert got["on_topic"] == 0.5
    assert isinstance(got["embedding"], Missing)
    assert isinstance(got["v_information"], Missing)


def test_covariates_take_an_embedding_and_v_information() -> None:
    def embed(texts: list[str]) -> np.ndarray:
        return np.array([[1.0, 0.0] if "Ann" in t else [0.6, 0.8] for t in texts])

    asked = [probe("Who is Ann?", cluster="Ann")]
    rows = [row("Ann"), row("Bo"), row("Cy")]
    got = similarity.covariates(rows, asked, len, embed=embed, v_information=lambda r, p: [2.0, Missing("not asked"), 1.0])
    # Cosines 1, 0.6, 0.6; information known for two of three rows.
    assert got["embedding"] == pytest.approx(2.2 / 3)
    assert got["v_information"] == 1.5


def test_covariates_of_nothing_are_missing() -> None:
    assert all(isinstance(v, Missing) for v in similarity.covariates([], [probe("Who?")], len).values())
    assert isinstance(similarity.covariates([row("a")], [probe("?!")], len)["relevance"], Missing)


def test_relevance_in_covariates_does_not_depend_on_the_other_rows() -> None:
    asked = [probe("Who is Ann?", cluster="Ann"), probe("Where is Bo?", cluster="Bo")]
    one = similarity.covariates([row("Ann sings.")], asked, len)["relevance"]
    two = similarity.covariates([row("Ann sings.")] * 5, asked, len)["relevance"]
    assert one == pytest.approx(two)


def data(name: str) -> list[dict[str, str]]:
    folder = os.environ.get("VESTIGE_DATA")
    if not folder:
        pytest.skip("set VESTIGE_DATA to a folder with tofu/ to run this on real data")
    return [json.loads(line) for line in (Path(folder) / "tofu" / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_tofu_shows_the_published_gap_between_topical_and_syntactic_text() -> None:
    # Yoon et al. 2026 give Sim 0.2349 for other questions about the authors and 0.4513 for "full name" questions about others.
    # Their exact selection is not published; ours lies within 0.03 of both.
    forget = [Row(r["question"], r["question"], " " + r["answer"], "") for r in data("forget05.json")]
    others = [Row(r["question"], r["question"], " " + r["answer"], "") for r in data("retain95.json")]
    asked = [probe(r.prompt, r.answer) for r in forget if "full name" in r.prompt]
    topic = similarity.character_similarity([r for r in forget if "full name" not in r.prompt], asked).mean()
    syntax = similarity.character_similarity([r for r in others if "full name" in r.prompt], asked).mean()
    assert topic == pytest.approx(0.2349, abs=0.03)
    assert syntax == pytest.approx(0.4513, abs=0.03)
