"""Text is compared the same way everywhere: what counts as the same, what counts as a word, what is safe to print."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vestige.text import find_keyword, fold, is_unspaced, keyword_hit, masked, normalise, terminal_safe, words

CALM = settings(deadline=None)  # a busy machine is no failure
ANYTHING = st.text(st.characters(), max_size=40)
# Characters that have fooled text comparisons before, more often than chance would draw them.
TRAPS = "aZ5 .-ßẞİıſΣςŉǰΐﬁㅎ가がガｶﾞ東〇々・ー฿กุำเ\u0301\u0307\u0345\u200b\u200d\u00ad\ufe0f\u034f\u20e3´¨½№㍿Ⅷदि्ल\n\t\u3000"
TRICKY = st.text(st.sampled_from(TRAPS), max_size=12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Oslo", "OSLO"),
        ("Ｏｓｌｏ", "Oslo"),
        ("５", "5"),
        ("ｵｽﾛ", "オスロ"),
        ("ｶﾞ", "ガ"),
        ("か\u3099", "が"),
        ("Cafe\u0301", "Café"),
        ("ﬁn", "fin"),
        ("Straße", "STRASSE"),
        ("ẞ", "ß"),
        ("ΟΔΟΣ", "οδος"),
        ("ΟΔΟΣ", "οδοσ"),
        ("K", "k"),
        ("\u212a", "k"),  # the Kelvin sign
        ("a \t\n\u3000 b", "a b"),
        ("  a  ", "a"),
    ],
)
def test_normalise_sees_the_same_text(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Café", "Cafe"), ("İstanbul", "Istanbul"), ("ı", "i"), ("東京", "东京"), ("は", "ば"), ("a b", "ab")]
)
def test_normalise_keeps_different_texts_apart(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


def test_a_capital_i_with_a_dot_becomes_two_characters() -> None:
    # Unicode folds U+0130 to "i" and a combining dot, which no composed character stands for.
    assert normalise("İ") == "i\u0307"


@CALM
@given(st.one_of(ANYTHING, TRICKY))
@example("\u0345α")
@example("ŉ ΐ ´a")
def test_normalise_and_fold_are_idempotent(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
    assert fold(fold(text)) == fold(text)
    assert fold(normalise(text)) == fold(text)


@CALM
@given(st.one_of(ANYTHING, TRICKY))
def test_width_and_composition_never_matter(text: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert normalise(unicodedata.normalize(form, text)) == normalise(text)


@pytest.mark.parametrize(
    ("disguised", "plain"),
    [
        ("Café", "cafe"),
        ("São-Tomé", "sao tome"),
        ("O'Brien,  Ltd.", "o brien ltd"),
        ("İstanbul", "istanbul"),
        ("Os\u200blo", "oslo"),
        ("Os\u00adlo", "oslo"),
        ("Os\u034flo\ufe0f", "oslo"),
        ("O\u20dds\u0336l\u0338o", "oslo"),
        ("Os\x00lo", "oslo"),
        ("①②", "12"),
        ("東京・大阪", "東京 大阪"),
        ("ガ", "ガ"),
        ("이름", "이름"),
    ],
)
def test_fold_undoes_disguises(disguised: str, plain: str) -> None:
    assert fold(disguised) == plain


@pytest.mark.parametrize(("one", "other"), [("は", "ば"), ("カ", "ガ"), ("दिल्ली", "दुल्लु"), ("กา", "กิ"), ("가", "각")])
def test_fold_keeps_the_marks_that_are_letters(one: str, other: str) -> None:
    # Voicing marks of kana and vowel signs of Hindi and Thai make another word; they are no decoration.
    assert fold(one) != fold(other)


@CALM
@given(st.one_of(ANYTHING, TRICKY))
def test_fold_leaves_words_and_single_spaces_only(text: str) -> None:
    folded = fold(text)
    assert folded == " ".join(folded.split())
    assert all(c == " " or c.isalnum() or unicodedata.category(c).startswith("M") for c in folded)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Oslo is big.", ["oslo", "is", "big"]),
        ("東京", ["東", "京"]),
        ("Tokyo東京2020年", ["tokyo", "東", "京", "2020", "年"]),
        ("オスロ", ["オ", "ス", "ロ"]),
        ("서울은", ["서", "울", "은"]),
        ("กรุง", ["ก", "ร", "ุ", "ง"]),
        ("नई दिल्ली", ["नई", "दिलली"]),  # the virama is folded away like an accent, the vowel signs stay
        ("--- ...", []),
        ("", []),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@CALM
@given(st.one_of(ANYTHING, TRICKY))
def test_words_lose_nothing_of_the_folded_text(text: str) -> None:
    assert "".join(words(text)) == fold(text).replace(" ", "")
    assert all(len(w) == 1 or not any(map(is_unspaced, w)) for w in words(text))


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("She lives in Oslo.", "Oslo"),
        ("oslo", "OSLO"),
        ("It is (Oslo)!", " Oslo"),
        ("Oslo's harbour", "Oslo"),
        ("Ｉｎ　Ｏｓｌｏ", "oslo"),
        ("Oslolo, then Oslo", "Oslo"),
        ("die STRASSE dort", "Straße"),
        ("in New \n York now", "new york"),
        ("彼は東京都に住む", "東京"),
        ("ｵｽﾛに住む", "オスロ"),
        ("オスロOslo市", "Oslo"),
        ("15月", "15"),
        ("เขาอยู่กรุงเทพครับ", "กรุงเทพ"),
        ("서울에서 삽니다", "서울"),
        ("वह दिल्ली में है", "दिल्ली"),
        ("\u2764\ufe0fOslo", "Oslo"),  # a heart and its variation selector: no letter stands before the word
        ("Cafe\u0301 Noir", "café"),
        ("costs $5.", "$5"),
        ("aa aaa", "aaa"),
    ],
)
def test_keyword_is_found(text: str, keyword: str) -> None:
    span = find_keyword(text, keyword)
    assert span is not None
    assert normalise(text)[slice(*span)] == normalise(keyword)
    assert keyword_hit(text, ["nowhere", keyword])


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("Oslofjord", "Oslo"),
        ("NewOslo", "Oslo"),
        ("Oslo2", "Oslo"),
        ("Café", "Cafe"),
        ("Cafe\u0323", "Cafe"),
        ("Straße", "ss"),
        ("Straße", "strass"),
        ("İstanbul", "İ"),
        ("İstanbul", "i"),
        ("दिल्ली", "दि"),
        ("दिल्ली", "ली"),
        ("150", "15"),
        ("anything", ""),
        ("", "x"),
        ("any thing", "   "),
        ("any thing", "\u3000"),
    ],
)
def test_keyword_is_not_found(text: str, keyword: str) -> None:
    assert find_keyword(text, keyword) is None
    assert not keyword_hit(text, [keyword])


def test_no_keywords_no_hit() -> None:
    assert not keyword_hit("Oslo", [])


@CALM
@given(ANYTHING, ANYTHING)
def test_a_keyword_among_spaces_is_always_found(before: str, keyword: str) -> None:
    # A mark at the beginning would belong to the letter before it, not to the keyword.
    if normalise(keyword) and not unicodedata.category(normalise(keyword)[0]).startswith("M"):
        span = find_keyword(f"{before} {keyword} .", keyword)
        assert span is not None
        assert normalise(f"{before} {keyword} .")[slice(*span)] == normalise(keyword)


@CALM
@given(st.from_regex(r"[a-zé]{1,6}", fullmatch=True), st.from_regex(r"[a-z0-9é]{1,3}", fullmatch=True))
def test_a_keyword_inside_a_longer_word_is_never_found(keyword: str, more: str) -> None:
    assert find_keyword(more + keyword, keyword) is None or keyword in (more + keyword)[: len(more)]
    assert find_keyword(f"{keyword}{more}", keyword) is None


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Oslo, 5 km", "••••, • ••"),
        ("Cafe\u0301", "•••••"),
        ("दिल्ली", "••••••"),
        ("กี่", "•••"),
        ("東京。", "••。"),
        ("", ""),
    ],
)
def test_masked_shows_the_shape_only(text: str, shape: str) -> None:
    assert masked(text) == shape


@CALM
@given(st.one_of(ANYTHING, TRICKY))
def test_masked_leaves_no_letter_digit_or_mark(text: str) -> None:
    assert len(masked(text)) == len(text)
    assert not any(c.isalnum() or unicodedata.category(c).startswith("M") for c in masked(text))


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;the rest of the answer", "0;the rest of the answer"),  # without an end nothing is hidden
        ("\x1bcreset", "creset"),
        ("\x1b\x1b[31m[31m", "[31m"),
        ("\x9b31mC1", "31mC1"),
        ("over\rwritten\x08\x7f", "overwritten"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("a\u200bb\u00adc", "a⟨U+200B⟩b⟨U+00AD⟩c"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),  # letters that only a machine reads
        ("half \ud83d", "half \ufffd"),
        ("line\nnext\ttab", "line\nnext\ttab"),
        ("日本語 한국어 ไทย é 👍", "日本語 한국어 ไทย é 👍"),
    ],
)
def test_terminal_safe(hostile: str, shown: str) -> None:
    assert terminal_safe(hostile) == shown


HOSTILE = st.text(st.sampled_from("\x1b\x9b\x9d[]0;1mHJ\x07\\ab\r\n\x08\x00\u202e\u2066\u200f\u2028\ud800\U000e0041"), max_size=30)


@CALM
@given(st.one_of(st.text(st.characters(codec=None), max_size=40), HOSTILE))
def test_nothing_that_terminal_safe_returns_can_steer(text: str) -> None:
    safe = terminal_safe(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]", safe)
    assert not {unicodedata.category(c) for c in safe} & {"Cf", "Cs"}
    assert safe.encode("utf-8").decode("utf-8") == safe
    assert terminal_safe(safe) == safe


@CALM
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs"]), max_size=40))
def test_terminal_safe_leaves_harmless_text_as_it_is(text: str) -> None:
    assert terminal_safe(text) == text
