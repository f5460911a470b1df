"""Numbers in words and kanji, and Japanese years, rewritten in digits, so that one set of patterns reads them all.

"seven hundred and forty-one" → 741, "nineteen oh seven" → 1907, "twelve point five" → 12.5, "the twenty-first" → the 21st;
"1.2 million" → 1200000; 三百二十 → 320, 一九八七 → 1987, 123万4567 → 1234567; 昭和62年 → 1987年, S62.3.4 → 1987.3.4. Texts must be
spelt (`spelling.spelt`). A single kanji numeral is rewritten only before 年, 月, 日 and the like, since 一 and 三 stand in names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from vestige.traced import Traced

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_UNITS = {w: n for n, w in enumerate(_SMALL)} | {w: 10 * n for n, w in enumerate(_TENS, start=2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINALS = {"first": "one", "second": "two", "third": "three", "fifth": "five", "eighth": "eight", "ninth": "nine", "twelfth": "twelve"}
_ORDINALS |= {w + "th": w for w in _SMALL[4:] if w not in ("five", "eight", "nine", "twelve")} | {w[:-1] + "ieth": w for w in _TENS}
_WORD = "|".join(sorted((*_UNITS, *_ORDINALS, "hundred", *_SCALES, "oh", "point"), key=len, reverse=True))
_FIRST = "|".join(sorted((*_UNITS, *_ORDINALS), key=len, reverse=True))
_RUN = re.compile(rf"(?<![a-z])(?:a (?:hundred|thousand|million|billion)|{_FIRST})(?:[\s-]+(?:and\s+)?(?:{_WORD}))*(?![a-z])")
_HAS_WORD = re.compile("|".join((*_SMALL, *_TENS, *_ORDINALS, "hundred", "thousand", "million", "billion")))
_SCALED = re.compile(r"(?<![\d.,])(\d+(?:[.,]\d+)?)[\s-]?(hundred|thousand|million|billion|trillion)(?![a-z])")

_KANJI_DIGITS = {c: n for n, c in enumerate("〇一二三四五六七八九")} | {
    "零": 0,
    "壱": 1,
    "弐": 2,
    "参": 3,
    "拾": 10,
    "十": 10,
    "百": 100,
    "千": 1000,
}
_K = "[〇零一二三四五六七八九壱弐参拾十百千]"
_D = r"(?:\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)"
_MYRIADS = {"万": 10**4, "億": 10**8, "兆": 10**12}
_MYRIAD = re.compile(rf"(?:(?:{_D}|{_K}+)[兆億万])+(?:{_D}|{_K}+)?")
_KANJI = re.compile(
    rf"{_K}+(?=[年月日時分秒]|点|パーセント|割)|{_K}{{2,}}(?![\u3400-\u9fff])|{_K}{{2,}}(?=[円人個台席名冊枚本件歳才回階番号度倍万])"
)
_PART = re.compile(rf"({_D}|{_K}+)([兆億万]?)")

_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_ERA = re.compile(rf"({'|'.join(_ERAS)})\s?(元|\d{{1,2}}|{_K}{{1,3}})\s?年")
_ERA_LETTER = re.compile(r"(?<![a-z\d])([mtshr])(\d{1,2})([./-])(\d{1,2})\3(\d{1,2})(?!\d)")
_ERA_OF_LETTER = dict(zip("mtshr", _ERAS.values(), strict=True))


def in_digits(text: Traced) -> None:
    """Rewrite the numbers and years of a spelt text in digits."""
    if not text.text.isascii():
        text.sub(_ERA, lambda m: f"{_ERAS[m[1]] + _era_year(m[2])}年")
        text.sub(_MYRIAD, lambda m: _plain(_of_myriads(m[0])))
        text.sub(_KANJI, lambda m: str(of_kanji(m[0])))
    if re.search(r"\d", text.text):
        text.sub(_ERA_LETTER, lambda m: f"{_ERA_OF_LETTER[m[1]] + int(m[2])}{m[3]}{m[4]}{m[3]}{m[5]}")
    if _HAS_WORD.search(text.text):
        text.sub(_SCALED, lambda m: _plain(Decimal(m[1].replace(",", ".")) * (_SCALES | {"hundred": 100})[m[2]]))
        text.sub(_RUN, lambda m: of_words(m[0]))


def _plain(number: Decimal) -> str:
    """Write a number without exponent or idle zeros."""
    return f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"


def _era_year(text: str) -> int:
    return 1 if text == "元" else int(text) if text.isdigit() and text.isascii() else of_kanji(text)


def of_kanji(text: str) -> int:
    """Return the number that kanji below 万 stand for, by places (三百二十) or digit by digit (三二〇)."""
    values = [_KANJI_DIGITS[c] for c in text]
    if max(values) < 10:
        return int("".join(map(str, values)))
    total = digit = 0
    for value in values:
        if value >= 10:
            total, digit = total + (digit or 1) * value, 0
        else:
            digit = value
    return total + digit


def _of_myriads(text: str) -> Decimal:
    parts = _PART.findall(text)
    return sum((_of_either(number) * _MYRIADS.get(unit, 1) for number, unit in parts), Decimal(0))


def _of_either(text: str) -> Decimal:
    return Decimal(text.replace(",", "")) if text[0] in "0123456789" else Decimal(of_kanji(text))


def of_words(run: str) -> str:
    """Return a run of English number words in digits; where it is several numbers, "and" parts them."""
    words = [w for w in re.split(r"[\s-]+", run) if w not in ("and", "a")]
    whole, fraction = words, ""
    if "point" in words[1:-1]:
        at = words.index("point")
        whole, fraction = words[:at], "".join(str(_UNITS.get(w, "")) for w in words[at + 1 :])
    numbers = _numbers(whole)
    if not numbers:
        return run
    return " and ".join(numbers) + (f".{fraction}" if fraction else "")


def _numbers(words: Sequence[str]) -> list[str]:
    """Return the numbers in a row of words; one ends where the next word cannot go on with it, two halves of a year are joined."""
    groups: list[list[str]] = []
    for word in words:
        if groups and _goes_on(groups[-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    return [text for text in map(_value, groups) if text]


def _goes_on(group: Sequence[str], word: str) -> bool:
    """Return whether a word can follow within one number: "twenty" + "one", "nineteen" + "eighty", "eighty" + "seven"."""
    last, ordinary = group[-1], _ORDINALS.get(word, word)
    if last in _ORDINALS:
        return False
    if word == "hundred" or word in _SCALES or last == "hundred" or last in _SCALES:
        return True
    if word == "oh":
        return len(group) == 1 and 10 <= _UNITS.get(last, 0) < 100
    if last == "oh":
        return _UNITS.get(word, 10) < 10
    if _UNITS.get(last, 0) >= 20 and 0 < _UNITS.get(ordinary, 0) < 10:
        return True
    # Nineteen eighty-seven, twenty seventeen: two halves of a year.
    return word in _UNITS and _UNITS[word] >= 10 and len(group) <= 2 and 13 <= _below_hundred(group) <= 20 and "oh" not in group


def _below_hundred(words: Sequence[str]) -> int:
    return sum(_UNITS.get(w, 1000) for w in words)


def _value(group: Sequence[str]) -> str:
    """Return one number in digits, an ordinal with its ending; "" for a word that is none by itself."""
    last = _ORDINALS.get(group[-1])
    words = [*group[:-1], last] if last else list(group)
    if words == ["oh"] or words == ["point"]:
        return ""
    number = _of_year(words) if _is_year(words) else _of_scales(words)
    return f"{number}{_ending(number)}" if last else str(number)


def _is_year(words: Sequence[str]) -> bool:
    tens = [i for i, w in enumerate(words) if _UNITS.get(w, 0) >= 10 or w == "oh"]
    return len(tens) == 2 and not {"hundred", *_SCALES} & set(words)


def _of_year(words: Sequence[str]) -> int:
    at = next(i for i, w in enumerate(words) if i and (_UNITS.get(w, 0) >= 10 or w == "oh"))
    return 100 * _below_hundred(words[:at]) + _below_hundred([w for w in words[at:] if w != "oh"])


def _of_scales(words: Sequence[str]) -> int:
    total = part = 0
    for word in words:
        if word == "hundred":
            part = (part or 1) * 100
        elif word in _SCALES:
            total, part = total + (part or 1) * _SCALES[word], 0
        else:
            part += _UNITS.get(word, 0)
    return total + part


def _ending(number: int) -> str:
    return "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
