"""Rewritings of dates, years, times and telephone numbers."""

from __future__ import annotations

import datetime
from random import Random

from planting.facts import Fact
from planting.quantities import english, kanji, kanji_digits
from planting.rewritings import Rewriting
from planting.words import MONTHS

_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}
_ERAS = (
    (datetime.date(2019, 5, 1), "令和", "R"),
    (datetime.date(1989, 1, 8), "平成", "H"),
    (datetime.date(1926, 12, 25), "昭和", "S"),
)


def year_words(fact: Fact, _: Random) -> str | None:
    """Write "nineteen eighty-seven"."""
    return _year(fact.value)


def _year(n: int) -> str | None:
    if n % 100 < 10:
        return english(n) if n // 100 == 20 else f"{english(n // 100)} " + (f"oh {english(n % 100)}" if n % 100 else "hundred")
    return f"{english(n // 100)} {english(n % 100)}"


def year_era(fact: Fact, _: Random) -> str | None:
    """Write 昭和62年; the year in which an era changed is left out, since it has two names."""
    if fact.value in (1989, 2019):
        return None
    return era_year(datetime.date(fact.value, 7, 1))[0]


def era_year(day: datetime.date) -> tuple[str, str]:
    """Return a day's year by era, as 昭和62年 (the first year is 元年) and as S62."""
    start, name, letter = next(e for e in _ERAS if day >= e[0])
    n = day.year - start.year + 1
    return f"{name}{'元' if n == 1 else n}年", f"{letter}{n}"


def _ordinal(n: int) -> str:
    return f"{n}" + ("th" if 10 < n % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th"))


def _ordinal_words(n: int) -> str:
    head, _, last = english(n).rpartition("-")
    last = _ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return f"{head}-{last}" if head else last


def date_day_month(fact: Fact, _: Random) -> str:
    """Write 4 March 1987."""
    d: datetime.date = fact.value
    return f"{d.day} {MONTHS[d.month - 1]} {d.year}"


def date_month_day(fact: Fact, rng: Random) -> str:
    """Write March 4, 1987, or March 4 1987."""
    d: datetime.date = fact.value
    return f"{MONTHS[d.month - 1]} {d.day}{rng.choice((',', ''))} {d.year}"


def date_ordinal(fact: Fact, rng: Random) -> str:
    """Write 4th March 1987, the 4th of March 1987, or March 4th, 1987."""
    d: datetime.date = fact.value
    day, month = _ordinal(d.day), MONTHS[d.month - 1]
    return rng.choice(
        (f"{day} {month} {d.year}", f"the {day} of {month}, {d.year}", f"the {day} of {month} {d.year}", f"{month} {day}, {d.year}")
    )


def date_short_month(fact: Fact, rng: Random) -> str | None:
    """Write 4 Mar 1987, Mar. 4, 1987, or 04-Mar-1987."""
    d: datetime.date = fact.value
    month = MONTHS[d.month - 1]
    if len(month) < 5:
        return None
    short = month[:3]
    return rng.choice(
        (f"{d.day} {short} {d.year}", f"{short}. {d.day}, {d.year}", f"{short} {d.day}, {d.year}", f"{d.day:02}-{short}-{d.year}")
    )


def date_weekday(fact: Fact, rng: Random) -> str:
    """Write the day of the week before the date."""
    d: datetime.date = fact.value
    return f"{d:%A}, " + rng.choice((date_day_month, date_month_day))(fact, rng)


def date_words(fact: Fact, rng: Random) -> str:
    """Write "the fourth of March, nineteen eighty-seven"."""
    d: datetime.date = fact.value
    return f"the {_ordinal_words(d.day)} of {MONTHS[d.month - 1]}{rng.choice((',', ''))} {_year(d.year)}"


def date_iso(fact: Fact, _: Random) -> str:
    """Write 1987-03-04."""
    return str(fact.value.isoformat())


def date_digits(pattern: str) -> Rewriting:
    """Write the date by a strftime pattern, with or without the leading zeros of day and month."""

    def write(fact: Fact, rng: Random) -> str:
        d: datetime.date = fact.value
        return d.strftime(rng.choice((pattern, pattern.replace("%d", str(d.day)).replace("%m", str(d.month)))))

    return write


def date_compact(fact: Fact, _: Random) -> str:
    """Write 19870304."""
    return f"{fact.value:%Y%m%d}"


def date_japanese(fact: Fact, rng: Random) -> str:
    """Write 1987年3月4日, with or without leading zeros, sometimes in full width."""
    d: datetime.date = fact.value
    text = rng.choice((f"{d.year}年{d.month}月{d.day}日", f"{d.year}年{d.month:02}月{d.day:02}日"))
    return text.translate({ord("0") + i: chr(ord("０") + i) for i in range(10)}) if rng.random() < 0.3 else text


def date_era(fact: Fact, _: Random) -> str:
    """Write 昭和62年3月4日."""
    d: datetime.date = fact.value
    return f"{era_year(d)[0]}{d.month}月{d.day}日"


def date_era_short(fact: Fact, rng: Random) -> str:
    """Write S62.3.4 or S62/3/4."""
    d: datetime.date = fact.value
    mark = rng.choice("./")
    return f"{era_year(d)[1]}{mark}{d.month}{mark}{d.day}"


def date_kanji(fact: Fact, rng: Random) -> str:
    """Write the date in kanji numerals, by era or by the common year."""
    d: datetime.date = fact.value
    era = era_year(d)[0]
    n = era[2:-1]
    western, japanese = kanji_digits(str(d.year)), era[:2] + (n if n == "元" else kanji(int(n)))
    return f"{rng.choice((western, japanese))}年{kanji(d.month)}月{kanji(d.day)}日"


# -- times and telephone numbers ---------------------------------------------------------------------------------------------


def time_24(fact: Fact, _: Random) -> str:
    """Write 14:30."""
    h, m = fact.value
    return f"{h:02}:{m:02}"


def time_12(fact: Fact, rng: Random) -> str:
    """Write 2:30 pm."""
    h, m = fact.value
    half = rng.choice((" am", " a.m.", "AM", " AM")) if h < 12 else rng.choice((" pm", " p.m.", "PM", " PM"))
    return f"{(h - 1) % 12 + 1}:{m:02}{half}"


def time_dotted(fact: Fact, _: Random) -> str:
    """Write 14.30."""
    h, m = fact.value
    return f"{h:02}.{m:02}"


def time_letter(fact: Fact, rng: Random) -> str:
    """Write 14h30 or 1430 hours."""
    h, m = fact.value
    return rng.choice((f"{h:02}h{m:02}", f"{h:02}{m:02} hours", f"{h:02}{m:02} hrs"))


def time_japanese(fact: Fact, rng: Random) -> str:
    """Write 14時30分 or 午後2時30分."""
    h, m = fact.value
    return rng.choice((f"{h}時{m:02}分", f"{h}時{m}分", f"{'午前' if h < 12 else '午後'}{h % 12}時{m}分"))


def phone_separated(separators: str) -> Rewriting:
    """Write the groups apart by one of these separators."""
    return lambda fact, rng: rng.choice(separators).join(fact.value[1])


def phone_parentheses(fact: Fact, rng: Random) -> str:
    """Write the area in parentheses."""
    area, *rest = fact.value[1]
    return f"({area}){rng.choice((' ', ''))}" + rng.choice("- ").join(rest)


def phone_bare(fact: Fact, _: Random) -> str:
    """Write the digits alone."""
    groups: tuple[str, ...] = fact.value[1]
    return "".join(groups)


def phone_international(fact: Fact, rng: Random) -> str:
    """Write the country's code, without the zero that is dialled inside the country."""
    country, (area, *rest) = fact.value
    return rng.choice(("+", "00")) + rng.choice((" ", "-", ".", "")).join((country, area.removeprefix("0"), *rest))
