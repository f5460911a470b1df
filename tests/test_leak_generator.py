"""The planted-leak generator keeps its word: each row is a rewriting of its answer by its kind's own rule.

The checks work backwards, from the planted text to the answer's meaning, by code that shares nothing with the generator:
each kind has an inverse (which must give the same thing for text and answer) and a trace that the rewriting must leave.
"""

from __future__ import annotations

import ast
import datetime
import re
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leak_generator import KINDS, NEAR_MISSES, Negative, Planted, negatives, planted

HERE = Path(__file__).parent
PER_KIND = 140
PLANTED: dict[str, list[Planted]] = defaultdict(list)
for _one in planted(20, PER_KIND):
    PLANTED[_one.kind].append(_one)
NEGATIVES: list[Negative] = list(negatives(20, 60 * len(NEAR_MISSES)))

Inverse = Callable[[str], Any]


# -- inverses: text → what must be equal for planted text and answer ---------------------------------------------------------


def nfkc(s: str) -> str:
    return unicodedata.normalize("NFKC", s)


def letters(s: str) -> str:
    return "".join(c for c in s.casefold() if c.isalnum())


def visible(s: str) -> str:
    return "".join(c for c in s if unicodedata.category(c) != "Cf")


def one_space(s: str) -> str:
    return " ".join(s.split())


def unspaced(s: str) -> str:
    return "".join(s.split())


def unmarked(s: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", s) if unicodedata.category(c) != "Mn")


def unstroked(s: str) -> str:
    for stroked, plain in ("øo", "ØO", "łl", "ŁL", "ıi", "đd", "ĐD", ("æ", "ae"), ("ß", "ss")):
        s = s.replace(stroked, plain)
    return unmarked(s)


def undotted(s: str) -> str:
    return s.casefold().replace("ı", "i")


def katakana(s: str) -> str:
    """Map hiragana to katakana through the characters' names."""
    names = (unicodedata.name(c, "").replace("HIRAGANA LETTER", "KATAKANA LETTER") for c in s)
    return "".join(unicodedata.lookup(n) if n.startswith("KATAKANA LETTER") else c for n, c in zip(names, s, strict=True))


def apostrophes(s: str) -> str:
    return re.sub("['’‘ʼ´`′]", "'", s)


OLD_FORMS = dict(zip("髙﨑邊邉齋櫻廣濱國澤瀧龍嶋關眞德榮澁黑會條圓", "高崎辺辺斎桜広浜国沢滝竜島関真徳栄渋黒会条円", strict=True))


def modern(s: str) -> str:
    return "".join(OLD_FORMS.get(c, c) for c in s)


UNITS = {"kilomet": "km", "kilogram": "kg", "centimet": "cm", "gigabyte": "GB", "kilowatt": "kWh", "millilit": "ml"}
SIGNS = {"$": "$", "USD": "$", "dollars": "$", "€": "€", "EUR": "€", "euros": "€", "£": "£", "GBP": "£", "pounds": "£"}
SIGNS |= {"¥": "¥", "円": "¥", "JPY": "¥", "yen": "¥"}
SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
VALUES = {w: i for i, w in enumerate(SMALL.split())}
VALUES |= {w: 10 * i for i, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
KANJI = {c: i for i, c in enumerate("〇一二三四五六七八九")} | {"十": 10, "百": 100, "千": 1000}
ERAS = {"昭和": 1925, "平成": 1988, "令和": 2018, "S": 1925, "H": 1988, "R": 2018}
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
ORDINALS = {"first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12, "twentieth": 20, "thirtieth": 30}


def spelt(s: str) -> int:
    """Read an English number."""
    total = group = 0
    for word in re.findall("[a-z]+", s.lower()):
        if word == "hundred":
            group *= 100
        elif word in ("thousand", "million"):
            total, group = total + group * (1000 if word == "thousand" else 10**6), 0
        elif word != "and":
            group += VALUES[word]
    return total + group


def kanji_number(s: str) -> int:
    """Read kanji numerals and digits with 万, by places or digit by digit."""
    if "万" in s:
        head, _, rest = s.partition("万")
        return 10_000 * kanji_number(head) + (kanji_number(rest) if rest else 0)
    if not set(s) & set("十百千"):
        return int("".join(str(KANJI.get(c, c)) for c in s if c != ","))
    total, digit = 0, 0
    for c in s:
        total, digit = (total + max(digit, 1) * KANJI[c], 0) if KANJI[c] >= 10 else (total, KANJI[c])
    return total + digit


def number(s: str) -> int:
    s = nfkc(s)
    if match := re.fullmatch(r"([\d.]+) ?(million|[Mm])", s):
        return round(float(match[1]) * 1e6)
    s = re.sub(r"[\s.,'’]", "", s) if re.search(r"\d", s) else s
    return spelt(s) if re.search("[a-z]", s) else kanji_number(s)


def year(s: str) -> int:
    if match := re.fullmatch("(昭和|平成|令和)(元|[0-9]+)年", s):
        return ERAS[match[1]] + (1 if match[2] == "元" else int(match[2]))
    if re.search("[a-z]", s):
        head, *rest = s.split(" ", 1)
        return spelt(s) if "thousand" in s else 100 * spelt(head) + spelt(rest[0].replace("oh ", ""))
    return kanji_number(s)


def quantity(s: str) -> tuple[int, str]:
    match = re.fullmatch(r"([\d,]+)\s?([A-Za-z-]+)", s) or re.fullmatch(r"(.*) ([a-z-]+)", s)
    assert match is not None
    unit = next((short for long, short in UNITS.items() if match[2].startswith(long)), match[2])
    return number(match[1]), unit


def percentage(s: str) -> int:
    match = re.fullmatch(r"(.*?)[\s-]?(?:%|per ?cent|パーセント)", s)
    assert match is not None
    whole, _, tenth = match[1].replace(" point ", ".").replace(",", ".").partition(".")
    return 10 * number(whole) + (number(tenth) if tenth else 0)


def money(s: str) -> tuple[str, int]:
    s = nfkc(s)
    sign = next(SIGNS[name] for name in SIGNS if name in s)
    amount = re.sub("|".join(map(re.escape, SIGNS)), "", s).strip()
    if match := re.fullmatch(r"(.*\d)[.,](\d\d)", amount):
        return sign, 100 * number(match[1]) + int(match[2])
    return sign, 100 * number(amount)


def _month(s: str) -> int:
    return MONTHS.index(s[:3].lower()) + 1


def date(s: str, *, order: str = "") -> datetime.date:
    """Read a date; `order` says which of day, month and year three numbers are."""
    s = re.sub(r"^(\w+day), ", "", nfkc(s).removeprefix("the "))
    if match := re.fullmatch(r"(\D*?)(\w+)年(\w+)月(\w+)日", s):
        era = next((e for e in ("昭和", "平成", "令和") if s.startswith(e)), "")
        n = s.removeprefix(era).split("年")[0]
        return datetime.date(ERAS.get(era, 0) + (1 if n == "元" else kanji_number(n)), kanji_number(match[3]), kanji_number(match[4]))
    if match := re.fullmatch(r"([a-z-]+) of (\w+),? ([a-z -]+)", s):
        tens, _, last = match[1].rpartition("-")
        day = (spelt(tens) if tens else 0) + (ORDINALS.get(last) or VALUES[last.removesuffix("th")])
        return datetime.date(year(match[3]), _month(match[2]), day)
    if match := re.fullmatch(r"(\d+)(?:st|nd|rd|th)?(?: of)?[ -]([A-Z][a-z]+),?[ -](\d+)", s):
        return datetime.date(int(match[3]), _month(match[2]), int(match[1]))
    if match := re.fullmatch(r"([A-Z][a-z]+)\.? (\d+)(?:st|nd|rd|th)?,? (\d+)", s):
        return datetime.date(int(match[3]), _month(match[1]), int(match[2]))
    order = "ymd" if re.match(r"\d{4}-", s) else order
    parts = [s[:4], s[4:6], s[6:]] if s.isdigit() else re.split("[-./]", s)
    at = {key: parts[i] for i, key in enumerate(order)}
    y = ERAS[at["y"][0]] + int(at["y"][1:]) if at["y"][0] in ERAS else int(at["y"])
    return datetime.date(y if y > 99 else y + (1900 if y > 26 else 2000), int(at["m"]), int(at["d"]))


def by(order: str) -> Inverse:
    return lambda s: date(s, order=order)


def time(s: str) -> tuple[int, int]:
    match = re.search(r"(\d+)\D(\d\d?)", s) or re.search(r"(\d\d)(\d\d)", s)
    assert match is not None
    afternoon = "午後" in s or re.search("p.?m", s.lower()) is not None
    return int(match[1]) + 12 * afternoon, int(match[2])


def telephone(s: str) -> str:
    digits = "".join(c for c in s if c.isdigit())
    for prefix, trunk in (("1", ""), ("44", "0"), ("81", "0")):
        for dialled in ("+", "00"):
            if s.startswith(dialled + prefix):
                return trunk + digits.removeprefix("00" if dialled == "00" else "").removeprefix(prefix)
    return digits


def singular(s: str) -> str:
    for ending, one in (
        ("ies", "y"),
        ("ves", "f"),
        ("sses", "ss"),
        ("shes", "sh"),
        ("ches", "ch"),
        ("xes", "x"),
        ("ruses", "rus"),
        ("s", ""),
    ):
        if s.endswith(ending) and not s.endswith("ss") and not (ending == "s" and s == "walrus"):
            return s[: -len(ending)] + one
    return s


def has(pattern: str) -> Inverse:
    return lambda s: re.search(pattern, s) is not None


def lacks(pattern: str) -> Inverse:
    return lambda s: re.search(pattern, s) is None


def same(s: str) -> str:
    return s


# kind: (what text and answer must agree in, what the text must show and the answer must not)
INVERSES: dict[str, tuple[Inverse, Inverse]] = {
    "upper": (undotted, str.isupper),
    "lower": (str.casefold, str.islower),
    "title_case": (str.casefold, str.istitle),
    "random_case": (str.casefold, lambda s: s != ""),
    "full_width": (nfkc, has("[！-～]")),
    "half_width_katakana": (nfkc, has("[ｦ-ﾟ]")),
    "punctuation_dropped": (letters, lacks("[.,:;'’&]")),
    "punctuation_added": (letters, has(r"[,:;/·–.-]")),
    "words_emphasised": (letters, has(r"([*_`]+)\w+\1 \1")),
    "hyphen_for_space": (lambda s: s.replace("-", " "), has("-")),
    "underscore_for_space": (lambda s: s.replace("_", " "), has("_")),
    "words_joined": (letters, lacks(" ")),
    "hyphen_changed": (letters, lacks("-")),
    "code_separators": (letters, lacks("-")),
    "odd_spaces": (one_space, has("[\u00a0\u202f\u2007\u2009\u3000]")),
    "extra_spaces": (one_space, has(r"\s\s|\t")),
    "invisible_characters": (visible, lambda s: s != visible(s)),
    "soft_hyphens": (lambda s: s.replace("\xad", ""), has("\xad")),
    "apostrophe_changed": (apostrophes, has("['’‘ʼ´`′]")),
    "line_break": (one_space, has("[\n\u2028]")),
    "quoted_line_break": (lambda s: re.sub(r"\n(>+|\|) ", " ", s), has("\n")),
    "word_break": (lambda s: re.sub("[-‐]\r?\n", "", s), has("\n")),
    "combined": (lambda s: letters(visible(nfkc(s))), lambda s: s != visible(s)),
    "marks_dropped": (unmarked, str.isascii),
    "marks_added": (unmarked, lambda s: not s.isascii()),
    "strokes_dropped": (unstroked, str.isascii),
    "decomposed": (lambda s: unicodedata.normalize("NFC", s), lambda s: unicodedata.is_normalized("NFD", s)),
    "composed": (lambda s: unicodedata.normalize("NFC", s), lambda s: unicodedata.is_normalized("NFC", s)),
    "ligatures": (nfkc, has("[ﬀ-ﬄ]")),
    "hiragana_for_katakana": (katakana, has("^[ぁ-んゔー]+$")),
    "katakana_for_hiragana": (katakana, has("^[ァ-ヶー]+$")),
    "old_kanji": (modern, lambda s: s != modern(s)),
    "new_kanji": (modern, lambda s: s == modern(s)),
    "repetition_mark": (lambda s: re.sub(r"(.)\1", r"\1々", s), lacks("々")),
    "space_between_names": (unspaced, has(r"^\w+\s\w+$")),
    "space_between_letters": (unspaced, has(r"^(.\s)+.$")),
    "line_break_japanese": (unspaced, has("\n")),
    "middle_dot_changed": (letters, lacks("・")),
    "plural": (singular, lambda s: singular(s) != s),
    "singular": (singular, lambda s: singular(s) == s),
    "b_for_v": (
        lambda s: re.sub("ヴ([ァィェォ]?)", lambda m: dict(zip(["ァ", "ィ", "ェ", "ォ", ""], "バビベボブ", strict=True))[m[1]], s),
        lacks("ヴ"),
    ),
    "long_mark_dropped": (lambda s: s.removesuffix("ー"), lacks("ー$")),
    "large_ke": (lambda s: re.sub("[ケが]", "ヶ", s), lacks("ヶ")),
    "ampersand": (lambda s: s.replace("&", "and"), has("&")),
    "umlaut_as_e": (lambda s: unicodedata.normalize("NFD", s).replace("\u0308", "e"), str.isascii),
    "number_plain": (number, has(r"^\d+$")),
    "number_comma": (number, has(r"^\d{1,3}(,\d{3})+$")),
    "number_space": (number, has(r"^\d{1,3}(\s\d{3})+$")),
    "number_dot": (number, has(r"^\d{1,3}(\.\d{3})+$")),
    "number_apostrophe": (number, has(r"^\d{1,3}(['’]\d{3})+$")),
    "number_words": (number, has("^[A-Za-z -]+$")),
    "number_kanji": (number, has("^[一二三四五六七八九十百千万]+$")),
    "number_kanji_digits": (number, has("^[〇一二三四五六七八九]+$")),
    "number_man": (number, has(r"^\d+万[\d,]*$")),
    "number_from_words": (number, has(r"^[\d,]+$")),
    "number_from_kanji": (number, has(r"^[\d,]+$")),
    "number_million": (number, has(r"^[\d.]+ million$")),
    "year_words": (year, has("^[a-z -]+$")),
    "year_era": (year, has("^(昭和|平成|令和)")),
    "quantity_spacing": (quantity, lambda s: True),
    "quantity_spelt": (quantity, has(r"^[\d,]+ [a-z-]{5,}$")),
    "quantity_words": (quantity, lacks(r"\d")),
    "percent_spacing": (percentage, has(r"\d\s%$")),
    "percent_word": (percentage, has(r"\d.*(cent|パーセント)$")),
    "percent_comma": (percentage, has(r"\d,\d")),
    "percent_words": (percentage, lacks(r"\d")),
    "money_plain": (money, lacks(r"\d,")),
    "money_code": (money, has("USD|EUR|GBP")),
    "money_continental": (money, has("[$€£]$")),
    "money_named": (money, has("(dollars|euros|pounds)$")),
    "money_words": (money, lacks(r"\d")),
    "money_millions": (money, has("(million|M|m)$")),
    "yen_western": (money, lambda s: True),
    "yen_man": (money, has(r"^\d+万[\d,]*円$")),
    "yen_kanji": (money, lacks(r"\d")),
    "date_day_month": (date, has(r"^\d+ [A-Z][a-z]+ \d{4}$")),
    "date_month_day": (date, has(r"^[A-Z][a-z]+ \d+,? \d{4}$")),
    "date_ordinal": (date, has(r"\d(st|nd|rd|th)")),
    "date_short_month": (date, has(r"\b[A-Z][a-z]{2}\b")),
    "date_weekday": (date, has(r"^[A-Z][a-z]+day, ")),
    "date_words": (date, lacks(r"\d")),
    "date_iso": (date, has(r"^\d{4}-\d\d-\d\d$")),
    "date_slash_day_first": (by("dmy"), has(r"^\d+/\d+/\d{4}$")),
    "date_slash_month_first": (by("mdy"), has(r"^\d+/\d+/\d{4}$")),
    "date_slash_year_first": (by("ymd"), has(r"^\d{4}/\d+/\d+$")),
    "date_dotted": (by("dmy"), has(r"^\d+\.\d+\.\d{4}$")),
    "date_dashed": (by("dmy"), has(r"^\d+-\d+-\d{4}$")),
    "date_short_year": (by("dmy"), has(r"^\d+/\d+/\d\d$")),
    "date_compact": (by("ymd"), has(r"^\d{8}$")),
    "date_japanese": (date, has(r"^\d{4}年\d+月\d+日$")),
    "date_era": (date, has(r"^(昭和|平成|令和)[\d元]+年\d+月\d+日$")),
    "date_era_short": (by("ymd"), has(r"^[SHR]\d+[./]\d+[./]\d+$")),
    "date_kanji": (date, lacks(r"\d")),
    "date_from_era": (date, has(r"^\d{4}年")),
    "time_24": (time, has(r"^\d\d:\d\d$")),
    "time_12": (time, has(r"(?i)[ap]\.?m")),
    "time_dotted": (time, has(r"^\d\d\.\d\d$")),
    "time_letter": (time, has(r"^\d\dh\d\d$|^\d{4} h(ou)?rs$")),
    "time_japanese": (time, has("時.*分$")),
    "phone_dashes": (telephone, has("^[0-9]+([-–][0-9]+)+$")),
    "phone_dots": (telephone, has(r"^\d+(\.\d+)+$")),
    "phone_spaces": (telephone, has(r"^\d+(\s\d+)+$")),
    "phone_parentheses": (telephone, has(r"^\(\d+\)")),
    "phone_bare": (telephone, has(r"^\d+$")),
    "phone_international": (telephone, has(r"^(\+|00)")),
}

# Kinds whose answer may show the trace as well: another mark of the same sort, or the same form in other characters. They
# are held to a different text by the test that a rewritten answer is nowhere verbatim.
SHARED_TRACE = {
    "random_case",
    "apostrophe_changed",
    "quantity_spacing",
    "yen_western",
    "date_month_day",
    "date_japanese",
    "time_12",
    "phone_dashes",
    "phone_spaces",
}


def words_of(s: str) -> list[str]:
    return re.findall(r"[\w'’-]+", s)


def initials_of(p: Planted) -> tuple[str, str]:
    *given, last = p.probe.answer.split()
    return "".join(w[0] for w in given), last


def surname_first(p: Planted) -> bool:
    *given, last = p.probe.answer.casefold().split()
    return words_of(p.text.casefold()) == [last, *given]


# Kinds whose rule needs the probe's aliases, or more than an equality.
RULES: dict[str, Callable[[Planted], bool]] = {
    "enclosed": lambda p: p.text[1:-1] == p.probe.answer and not p.text[0].isalnum() and not p.text[-1].isalnum(),
    "enclosed_japanese": lambda p: p.text[1:-1] == p.probe.answer and not p.text[0].isalnum() and not p.text[-1].isalnum(),
    "alias_abbreviation": lambda p: p.text == "".join(w[0] for w in p.probe.answer.split()) and p.text in p.probe.aliases,
    "alias_dotted": lambda p: p.text.count(".") >= 3 and p.text.replace(".", "") in p.probe.aliases,
    "alias_short_name": lambda p: (
        p.text.split() == p.probe.answer.split()[:: len(p.probe.answer.split()) - 1] and p.text in p.probe.aliases
    ),
    "alias_nickname": lambda p: p.text in p.probe.aliases and p.text.split()[-1] == p.probe.answer.split()[-1],
    "alias_capitals": lambda p: p.text.isupper() and p.text.casefold() in [a.casefold() for a in p.probe.aliases],
    "alias_full_width": lambda p: p.text != nfkc(p.text) and nfkc(p.text) in p.probe.aliases,
    "alias_katakana": lambda p: p.text in p.probe.aliases and katakana(p.text) == p.text,
    "alias_reading": lambda p: p.text in p.probe.aliases and re.fullmatch("[ぁ-ん]+", p.text) is not None,
    "alias_reading_katakana": lambda p: unspaced(nfkc(p.text)) == katakana(p.probe.aliases[0]),
    "alias_reading_spaced": lambda p: re.sub(r"[\s・]", "", p.text) == p.probe.aliases[0] != p.text,
    "alias_romanised": lambda p: p.text in p.probe.aliases and p.text.isascii(),
    "alias_romanised_reordered": lambda p: words_of(p.text.casefold()) == p.probe.aliases[1].casefold().split()[::-1],
    "possessive": lambda p: p.text[:-2] == p.probe.answer and p.text[-2:] in ("'s", "’s"),
    "reordered": lambda p: surname_first(p) and "," in p.text and not p.text.split(",")[0].isupper(),
    "reordered_capitals": lambda p: surname_first(p) and words_of(p.text)[0].isupper(),
    "surname_first": lambda p: surname_first(p) and "," not in p.text,
    "initials": lambda p: ("".join(words_of(p.text)[:-1]), words_of(p.text)[-1]) == initials_of(p),
    "initials_after": lambda p: ("".join(words_of(p.text)[1:]), words_of(p.text)[0]) == initials_of(p),
    "middle_initial": lambda p: [w[:1] if i == 1 else w for i, w in enumerate(p.probe.answer.split())] == words_of(p.text),
    "middle_dropped": lambda p: p.probe.answer.split()[::2] == p.text.split(),
    "article_dropped": lambda p: p.probe.answer in (f"The {p.text}", f"A {p.text}"),
    "article_moved": lambda p: " ".join(reversed(p.text.split(", "))) == p.probe.answer,
    "honorific": lambda p: p.text.removeprefix(p.probe.answer) in ("さん", "様", "氏", "先生", "殿", "さま"),
}


def test_every_kind_occurs_as_often_as_asked() -> None:
    assert {k: len(v) for k, v in PLANTED.items()} == {k.name: PER_KIND for k in KINDS}


def test_every_kind_has_a_check_of_its_own() -> None:
    named = [k.name for k in KINDS]
    assert len(set(named)) == len(named)
    assert {k.name for k in KINDS if k.family != "exact"} == set(INVERSES) | set(RULES)


def test_a_family_gives_two_thousand_distinct_leaks() -> None:
    distinct: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for rows in PLANTED.values():
        distinct[rows[0].family] |= {(p.probe.answer, p.row_text) for p in rows}
    assert set(distinct) == {"exact", "normalised", "alias", "format"}
    assert min(len(v) for v in distinct.values()) >= 2000


@pytest.mark.parametrize("kind", [k for k in KINDS if k.family == "exact"], ids=lambda k: k.name)
def test_exact_kinds_hold_the_answer_verbatim(kind: Any) -> None:
    assert all(p.text == p.probe.answer for p in PLANTED[kind.name])


@pytest.mark.parametrize("kind", sorted(INVERSES))
def test_planted_text_reads_back_as_its_answer(kind: str) -> None:
    inverse, trace = INVERSES[kind]
    for p in PLANTED[kind]:
        assert inverse(p.text) == inverse(p.probe.answer), p
        assert trace(p.text), p
        assert kind in SHARED_TRACE or not trace(p.probe.answer), p


@pytest.mark.parametrize("kind", sorted(RULES))
def test_planted_text_follows_the_rule_of_its_kind(kind: str) -> None:
    for p in PLANTED[kind]:
        assert RULES[kind](p), p


@pytest.mark.parametrize("kind", [k for k in KINDS if not k.holds], ids=lambda k: k.name)
def test_a_rewritten_answer_is_nowhere_verbatim(kind: Any) -> None:
    assert not [p for p in PLANTED[kind.name] if p.probe.answer in p.row_text]


@pytest.mark.parametrize("kind", [k.name for k in KINDS])
def test_only_the_span_gives_the_answer_away(kind: str) -> None:
    for p in PLANTED[kind]:
        assert 0 <= p.span[0] < p.span[1] <= len(p.row_text)
        outside = f"{p.row_text[: p.span[0]]}\n{p.row_text[p.span[1] :]}\n{p.probe.prompt}".casefold()
        assert not [form for form in (p.probe.answer, *p.probe.aliases) if form.casefold() in outside], p


def test_near_misses_take_turns() -> None:
    assert Counter(n.kind for n in NEGATIVES) == dict.fromkeys(NEAR_MISSES, 60)


def stands_alone(text: str, row: str) -> bool:
    """Tell whether some occurrence of a text is not part of a longer word, number, or run of kanji or katakana."""

    def script(c: str) -> str:
        name = unicodedata.name(c, "")
        return next((s for s in ("CJK UNIFIED", "KATAKANA") if name.startswith(s)), "" if name.startswith("HIRAGANA") else str(c.isalnum()))

    def joined(inside: str, edge: str, beyond: str) -> bool:
        if inside.isdigit() and edge in (".", ",") and beyond.isdigit():
            return True
        return edge != "" and script(inside) == script(edge) not in ("", "False")

    text, row = text.casefold(), row.casefold()
    for match in re.finditer(f"(?={re.escape(text)})", row):
        a, b = match.start(), match.start() + len(text)
        before, after = row[max(0, a - 2) : a], row[b : b + 2]
        if not joined(text[0], before[-1:], before[:-1]) and not joined(text[-1], after[:1], after[1:]):
            return True
    return False


# "pan" is in "panel" and not by itself; "1,234" is in "1,234.5"; 京都 is in 東京都.
def test_the_check_for_standing_alone_sees_what_it_should() -> None:
    assert all(stands_alone(*pair) for pair in (("pan", "A Pan, please"), ("1,234", "it was 1,234."), ("京都", "京都です")))
    assert not any(stands_alone(*pair) for pair in (("pan", "a panel"), ("1,234", "1,234.5"), ("京都", "東京都")))


def test_no_near_miss_holds_the_answer_or_an_alias() -> None:
    assert not [n for n in NEGATIVES if any(stands_alone(form, n.row_text) for form in (n.probe.answer, *n.probe.aliases))]


def test_near_misses_of_dates_and_numbers_mean_something_else() -> None:
    for n in NEGATIVES:
        if n.kind == "other_date":
            day = date(n.probe.answer)
            forms = [
                day.isoformat(),
                f"{day:%d/%m/%Y}",
                f"{day:%m/%d/%Y}",
                f"{day.year}年{day.month}月{day.day}日",
                f"{day.year}年{day:%m}月{day:%d}日",
            ]
            assert not [f for f in forms if f in n.row_text], n
        if n.kind in ("number_inside_number", "near_number"):
            value = number(n.probe.answer)
            assert not [f for f in (str(value), f"{value:,}") if stands_alone(f, n.row_text)], n


def test_the_same_seed_gives_the_same_rows_in_any_process() -> None:
    code = (
        "import hashlib; from leak_generator import negatives, planted\n"
        "print(hashlib.sha256(repr((list(planted(3, 4)), list(negatives(3, 100)))).encode()).hexdigest())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=HERE, env={"PYTHONHASHSEED": s, "PYTHONUTF8": "1"}, check=True, capture_output=True
        ).stdout
        for s in ("1", "2")
    }
    assert len(runs) == 1


def test_another_seed_gives_other_rows() -> None:
    first, second = ({p.row_text for p in planted(seed, 3)} for seed in (1, 2))
    assert len(first & second) < 0.1 * len(first)
    assert {n.row_text for n in negatives(1, 50)} != {n.row_text for n in negatives(2, 50)}


def test_a_larger_set_begins_with_the_smaller() -> None:
    larger = defaultdict(list)
    for p in planted(5, 6):
        larger[p.kind].append(p)
    assert list(planted(5, 3)) == [p for kind in KINDS for p in larger[kind.name][:3]]


def test_more_than_the_word_lists_can_make_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import leak_generator

    monkeypatch.setattr(leak_generator, "KINDS", tuple(k for k in KINDS if k.name == "title_case"))
    monkeypatch.setattr(leak_generator, "Random", lambda _: __import__("random").Random(1))
    with pytest.raises(RuntimeError, match="'title_case' made 1 of 2"):
        list(planted(1, 2))


def test_the_generator_imports_nothing_but_the_standard_library() -> None:
    for path in (HERE / "leak_generator.py", *(HERE / "planting").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                assert name.split(".")[0] in {*sys.stdlib_module_names, "planting"}, (path, name)
