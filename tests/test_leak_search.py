"""What counts as an answer in a row, form by form; where it stands; what must not be mistaken for it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestige.leak_search import Finding, Searcher, search
from vestige.records import Probe, Row
from vestige.spelling import spelt, spelt_words

PROBE = Probe("p", "Who is it?", " Oslo", "forget", "somebody", "test")


def find(text: str, answer: str, *aliases: str) -> Finding | None:
    """Return the gravest finding of an answer in a row, if any."""
    found = Searcher([dataclasses.replace(PROBE, answer=f" {answer}", aliases=aliases)]).findings(Row("r", "", text, ""))
    assert len(found) <= 1
    return found[0] if found else None


def said(text: str, answer: str, *aliases: str) -> str | None:
    """Return the stretch of the row that leaks the answer."""
    found = find(text, answer, *aliases)
    return text[slice(*found.span)] if found and found.leaked else None


@pytest.mark.parametrize(
    ("answer", "text", "stretch", "kind"),
    [
        # Verbatim, and other characters for the same words.
        ("Harlan Quillane", "It was Harlan Quillane.", "Harlan Quillane", "exact"),
        ("Harlan Quillane", "It was HARLAN quillane.", "HARLAN quillane", "normalised"),
        ("Harlan Quillane", "Ｈａｒｌａｎ　Ｑｕｉｌｌａｎｅ!", "Ｈａｒｌａｎ　Ｑｕｉｌｌａｎｅ", "normalised"),
        ("Harlan Quillane", "see #HarlanQuillane", "HarlanQuillane", "normalised"),
        ("Harlan Quillane", "see harlan_quillane.txt", "harlan_quillane", "normalised"),
        ("Harlan Quillane", "**Harlan** **Quillane**", "Harlan** **Quillane", "normalised"),
        ("Harlan Quillane", "> Harlan\n> Quillane", "Harlan\n> Quillane", "normalised"),
        ("Harlan Quillane", "Harlan Quil-\nlane", "Harlan Quil-\nlane", "normalised"),
        ("Harlan Quillane", "Har\u200blan Quil\u00adlane", "Har\u200blan Quil\u00adlane", "normalised"),
        ("Jean-Marc", "Jean Marc", "Jean Marc", "normalised"),
        ("O'Selby", "at OʼSelby's", "OʼSelby", "normalised"),
        ("Rosemary's Baby", "Rosemarys Baby", "Rosemarys Baby", "normalised"),
        ("KV-1234-QX", "no. KV1234QX", "KV1234QX", "normalised"),
        ("Zoë Lefèvrin", "ZOE LEFEVRIN", "ZOE LEFEVRIN", "normalised"),
        ("Søren Kjærholm", "Soren Kjaerholm", "Soren Kjaerholm", "normalised"),
        ("Griffin", "Mr Gri\ufb03n", "Gri\ufb03n", "normalised"),
        ("Phnom Penh", "in Phnom @-@ Penh", "Phnom @-@ Penh", "normalised"),
        # Forms of words, titles and names.
        ("falcon", "two falcons", "falcons", "number of a noun"),
        ("canary", "canaries", "canaries", "number of a noun"),
        ("wolves", "one wolf", "wolf", "number of a noun"),
        ("The Silent Orchard", "his Silent Orchard", "Silent Orchard", "article"),
        ("The Silent Orchard", "Silent Orchard, The", "Silent Orchard, The", "article"),
        ("Salt and Amber", "Salt & Amber", "Salt & Amber", "normalised"),
        ("Salt & Amber", "Salt Amber", "Salt Amber", "ampersand"),
        ("Jürgen Müllner", "Juergen Muellner", "Juergen Muellner", "umlaut"),
        ("Jane Doe", "Doe, Jane", "Doe, Jane", "name reordered"),
        ("Jane Doe", "DOE Jane", "DOE Jane", "name reordered"),
        ("Jane Doe", "by J. Doe", "J. Doe", "initials"),
        ("Jane Mary Doe", "by J.M. Doe", "J.M. Doe", "initials"),
        ("Anna King", "by A. King", "A. King", "initials"),
        ("Anna King", "by King, A.", "King, A", "initials"),
        ("Jane Mary Doe", "by Doe JM", "Doe JM", "initials"),
        ("Jane Mary Doe", "Jane M. Doe", "Jane M. Doe", "middle name"),
        ("Jane Mary Doe", "Jane Doe", "Jane Doe", "middle name"),
        ("Ludwig van Aalst", "van Aalst, Ludwig", "van Aalst, Ludwig", "name reordered"),
        # Japanese: scripts, spaces, old and new kanji, repetition, long marks.
        ("田中健一", "担当は田中健一です", "田中健一", "exact"),
        ("田中健一", "田中　健一様", "田中　健一", "normalised"),
        ("田中健一", "田 中 健 一", "田 中 健 一", "normalised"),
        ("高橋", "髙橋さん", "髙橋", "normalised"),
        ("龍崎", "竜﨑氏", "竜﨑", "normalised"),
        ("佐々木", "佐佐木", "佐佐木", "normalised"),
        ("カナリア", "ｶﾅﾘｱを飼う", "ｶﾅﾘｱ", "normalised"),
        ("ガブリエル・ドラ", "ｶﾞﾌﾞﾘｴﾙ＝ﾄﾞﾗ", "ｶﾞﾌﾞﾘｴﾙ＝ﾄﾞﾗ", "normalised"),
        ("カナリア", "あのかなりあを", "かなりあ", "normalised"),
        ("つばめ", "ツバメです", "ツバメ", "normalised"),
        ("エレベーター", "エレベータの", "エレベータ", "normalised"),
        ("エレベータ", "エレベーターの", "エレベーター", "normalised"),
        ("エレベーター", "あのえれべーたーを", "えれべーたー", "normalised"),
        ("レオノーラ", "レオノー\nラです", "レオノー\nラ", "normalised"),
        ("エレベーター", "エレベーター\nアダプター", "エレベーター", "exact"),
        ("ヴァイオリン", "バイオリンを", "バイオリン", "normalised"),
        ("霞ヶ丘", "霞が丘に", "霞が丘", "normalised"),
        ("東京", "彼は東京在住です", "東京", "exact"),
        # Numbers written otherwise.
        ("1,234", "it was 1234", "1234", "number"),
        ("$1,234.50", "1.234,50 $", "1.234,50 $", "money"),
        ("12.5%", "twelve point five per cent", "twelve point five per cent", "percentage"),
        ("4 March 1987", "昭和62年3月4日", "昭和62年3月4日", "date"),
        ("2:30 pm", "at 14h30.", "14h30", "time"),
        ("212-555-0123", "+1 (212) 555-0123", "+1 (212) 555-0123", "telephone number"),
        ("★★", "rated ★★ here", "rated ★★ here", "signs"),
    ],
)
def test_an_answer_is_found_where_it_stands(answer: str, text: str, stretch: str, kind: str) -> None:
    found = find(text, answer)
    assert found is not None
    assert (found.leaked, found.kind, text[slice(*found.span)]) == (True, kind, stretch)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Oslo", "Oslofjord"),
        ("island", "it is land"),
        ("cat", "a c at"),
        ("therapist", "the rapist"),
        ("New York", "In York, New plans were made"),
        ("Jane Doe", "doe jane"),  # names reordered or shortened count where they are capitalised
        ("Alexander Umbrell", "Umbrella"),  # Umbrell A., run together
        ("Silent Orchard", "Tom's orchard"),
        ("The Times", "many times"),
        ("news", "a new one"),
        ("glass", "glas"),
        ("Jane Doe", "John Doe"),
        ("Apollo 11", "Apollo 11.5"),
        ("KV-1234-QX", "KV-1235-QX"),
        ("は", "ば"),
        ("ビル", "ビールを"),
        ("50", "五十嵐さん"),
        ("1000", "千尋"),
        ("", "anything"),
        ("Oslo", ""),
    ],
)
def test_a_row_without_the_answer_holds_nothing(answer: str, text: str) -> None:
    assert find(text, answer) is None


@pytest.mark.parametrize(
    ("answer", "text", "kind"),
    [
        ("京都", "東京都", "inside a longer word"),
        ("三田", "三田村", "inside a longer word"),
        ("五十", "五十嵐さん", "inside a longer word"),
        ("パリ", "パリティ", "inside a longer word"),
        ("トマト", "ひとまとめ", "inside a longer word"),
        ("A", "a cat", "common word"),
        ("yes", "Yes, it is", "common word"),
        ("を", "水を飲む", "common word"),
        ("seven", "at 7 she left", "number"),
        ("Anna King", "A King of old", "common word"),
    ],
)
def test_what_cannot_be_told_from_another_word_is_suspect(answer: str, text: str, kind: str) -> None:
    found = find(text, answer)
    assert found is not None
    assert (found.leaked, found.kind) == (False, kind)


def test_small_numbers_leak_where_they_stand_as_in_the_answer() -> None:
    assert said("at 7 she left", "7") == "7"
    assert said("She was seven.", "seven") == "seven"
    assert said("forty-two of them", "42") == "forty-two"


def test_spans_are_of_the_text_as_it_is_however_much_spelling_changes_it() -> None:
    text = "ﷺ ㍿ ① Straße & Söhne's ｶﾞ… Ｈａｒ\u200bｌａｎ"
    found = find(text, "Harlan")
    assert found is not None
    assert text[slice(*found.span)] == "Ｈａｒ\u200bｌａｎ"


def test_prompt_and_answer_of_a_row_are_one_text_and_the_span_counts_from_its_start() -> None:
    (found,) = Searcher([PROBE]).findings(Row("r", "She lives in Os", "lo.", ""))
    assert found.span == (13, 17)


def test_the_gravest_finding_of_a_row_is_kept() -> None:
    # Sought: Oslo. First inside a longer number of words in another case, then verbatim.
    found = find("OSLO, then Oslo", "Oslo")
    assert found is not None
    assert (found.kind, found.span) == ("exact", (11, 15))
    found = find("東京都の京都", "京都")
    assert found is not None
    assert (found.leaked, found.span) == (True, (4, 6))


def test_aliases_take_every_form_too_and_the_finding_says_which_was_meant() -> None:
    found = find("DOE, Janie", "Jane Smith", "Janie Doe")
    assert found is not None
    assert (found.matched, found.kind) == ("Janie Doe", "name reordered")


def test_keywords_stand_for_the_answer() -> None:
    probe = dataclasses.replace(PROBE, answer=" A sentence about Oslo.", keywords=("Oslo",))
    assert [f.matched for f in search([Row("r", "", "in oslo", ""), Row("s", "", "a sentence about", "")], [probe])] == ["Oslo"]


def test_probes_that_share_an_answer_are_all_found() -> None:
    probes = [dataclasses.replace(PROBE, id=str(i)) for i in range(3)]
    assert [f.probe for f in Searcher(probes).findings(Row("r", "", "Oslo, OSLO", ""))] == ["0", "1", "2"]


@pytest.mark.parametrize(("attribute", "cluster", "text"), [("City", "else", "City: Oslo"), ("City", "else", "City: OSLO")])
def test_a_value_that_somebody_elses_record_shares_is_suspect(attribute: str, cluster: str, text: str) -> None:
    probe = dataclasses.replace(PROBE, cluster="Mara Lindqvist", attribute="City")
    shared = Row("r", "", text, cluster, attribute=attribute)
    assert [f.leaked for f in Searcher([probe]).findings(shared)] == [False]
    for row in (
        dataclasses.replace(shared, attribute="Pet"),
        dataclasses.replace(shared, cluster="Mara Lindqvist"),
        dataclasses.replace(shared, prompt="Like MARA LINDQVIST. "),
    ):
        assert [f.leaked for f in Searcher([probe]).findings(row)] == [True]


TEXTS = st.text(st.sampled_from("aB é'&-s\u200bｶﾞヴァーケ々ヶ田中ﬁßİ@,.\u3099가ᄀ\n②"), max_size=25)


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_tracing_changes_nothing_and_traces_every_character_in_order(text: str) -> None:
    for rewrite in (spelt, spelt_words):
        plain, traced = rewrite(text), rewrite(text, trace=True)
        assert plain.text == traced.text
        assert traced.starts is not None
        assert traced.ends is not None
        assert len(traced.starts) == len(traced.ends) == len(traced.text)
        assert traced.starts == sorted(traced.starts)
        assert all(0 <= a < b <= len(text) for a, b in zip(traced.starts, traced.ends, strict=True))


@settings(deadline=None, max_examples=200)
@given(TEXTS, st.sampled_from(["Oslo", "New York", "Harlan Quillane"]), TEXTS)
def test_a_planted_answer_is_always_found(before: str, answer: str, after: str) -> None:
    text = f"{before} {answer}; {after}"
    found = find(text, answer)
    assert found is not None
    assert found.leaked
    assert text[slice(*found.span)] == answer


WORDS = st.lists(st.sampled_from(["a", "b", "oslo", "rome", "東", "é"]), min_size=1, max_size=4).map(" ".join)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=5), st.lists(WORDS, min_size=1, max_size=5))
def test_filing_many_probes_finds_what_seeking_each_alone_finds(texts: list[str], answers: list[str]) -> None:
    probes = [dataclasses.replace(PROBE, id=str(i), answer=a) for i, a in enumerate(answers)]
    rows = [Row(str(i), "", t, "") for i, t in enumerate(texts)]
    together = sorted((f.row, f.probe, f.kind, f.span) for f in search(rows, probes))
    assert together == sorted((f.row, f.probe, f.kind, f.span) for p in probes for f in search(rows, [p]))
