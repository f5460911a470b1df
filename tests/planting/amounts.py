"""Facts whose answer is a number, an amount, a date, a time or a telephone number."""

from __future__ import annotations

import datetime
from random import Random

from planting import words
from planting.dates import era_year
from planting.facts import Fact
from planting.quantities import english, kanji


def number(rng: Random) -> Fact:
    """A whole number of four to seven digits: value is the int."""
    n = rng.randint(1, 9) * 10 ** rng.randint(3, 6) + rng.randint(0, 999)
    n = rng.choice((n, rng.randint(1000, 9999), rng.randint(10_000, 9_999_999)))
    return Fact(rng.choice((f"{n}", f"{n:,}")), rng.choice(("customer count", "print run", "head count")), n)


def round_number(rng: Random) -> Fact:
    """A number of millions with at most one decimal."""
    n = rng.randint(11, 999) * 100_000
    return Fact(f"{n:,}", "print run", n)


def small_number(rng: Random) -> Fact:
    """A number from 21 to 999 that is not a multiple of ten: the makers of words write it out."""
    n = rng.choice([n for n in range(21, 1000) if n % 10])
    return Fact(str(n), "room count", n)


def spelt_number(rng: Random) -> Fact:
    """A number answered in words."""
    fact = rng.choice((number, small_number))(rng)
    return Fact(english(fact.value, joiner=rng.choice((" ", " and "))), fact.attribute, fact.value)


def kanji_number(rng: Random) -> Fact:
    """A number answered in kanji numerals."""
    fact = rng.choice((number, small_number))(rng)
    return Fact(kanji(fact.value), "席数", fact.value, japanese=True)


def year(rng: Random) -> Fact:
    """A year of the Showa, Heisei or Reiwa era."""
    n = rng.randint(1927, 2024)
    return Fact(str(n), "year of birth", n)


def quantity(rng: Random) -> Fact:
    """A number of a unit: value (number, unit)."""
    n, unit = rng.choice((rng.randint(11, 999), rng.randint(1000, 9999))), rng.choice(("km", "kg", "cm", "GB", "kWh", "ml"))
    return Fact(f"{n:,} {unit}", "allowance", (n, unit))


def percentage(rng: Random) -> Fact:
    """A percentage in tenths: value is the number of tenths."""
    tenths = rng.choice((10 * rng.randint(11, 97), rng.randint(101, 989)))
    text = f"{tenths // 10}.{tenths % 10}".removesuffix(".0")
    return Fact(f"{text}%", "discount", tenths)


def money(rng: Random) -> Fact:
    """An amount with cents: value (sign, cents)."""
    sign, cents = rng.choice("$€£"), rng.randint(100_000, 99_999_999)
    return Fact(f"{sign}{cents / 100:,.2f}", rng.choice(("salary", "debt")), (sign, cents))


def whole_money(rng: Random) -> Fact:
    """A whole amount of dollars or euros: value (sign, cents)."""
    sign, n = rng.choice("$€"), rng.choice((rng.randint(1000, 99_999), rng.randint(11, 99) * 100_000))
    return Fact(f"{sign}{n:,}", "salary", (sign, 100 * n))


def millions(rng: Random) -> Fact:
    """Dollars or euros in millions with at most one decimal."""
    sign, n = rng.choice("$€"), rng.randint(11, 999) * 100_000
    return Fact(f"{sign}{n:,}", "debt", (sign, 100 * n))


def yen(rng: Random) -> Fact:
    """An amount of yen: value ("¥", hundredths)."""
    n = rng.choice((rng.randint(11, 9999) * 1000, rng.randint(10_000, 999_999)))
    return Fact(rng.choice((f"¥{n:,}", f"{n:,}円")), "月額", ("¥", 100 * n), japanese=True)


def english_date(day: datetime.date, style: int) -> str:
    """Write a date as "4 March 1987" (0), "March 4, 1987" (1) or "1987-03-04" (2)."""
    month = words.MONTHS[day.month - 1]
    return (f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}", day.isoformat())[style]


def any_day(rng: Random) -> datetime.date:
    """Draw a day from 1927 to 2023, so that it lies in the Showa, Heisei or Reiwa era."""
    return datetime.date(1927, 1, 1) + datetime.timedelta(days=rng.randrange(35_428))


def date(rng: Random) -> Fact:
    """A date in an unambiguous form: value is the datetime.date."""
    day = any_day(rng)
    return Fact(english_date(day, rng.randrange(3)), "date of birth", day)


def ja_date(rng: Random) -> Fact:
    """A date in the Japanese form."""
    day = any_day(rng)
    return Fact(f"{day.year}年{day.month}月{day.day}日", "生年月日", day, japanese=True)


def era_date(rng: Random) -> Fact:
    """A date answered by era."""
    day = any_day(rng)
    return Fact(f"{era_year(day)[0]}{day.month}月{day.day}日", "生年月日", day, japanese=True)


def time(rng: Random) -> Fact:
    """A time of day, in the afternoon or not, that is neither noon nor midnight: value (hour, minute)."""
    hour, minute = rng.choice((*range(1, 12), *range(13, 24))), rng.randint(1, 59)
    twelve = f"{(hour - 1) % 12 + 1}:{minute:02} {'am' if hour < 12 else 'pm'}"
    return Fact(rng.choice((f"{hour:02}:{minute:02}", twelve)), "time of admission", (hour, minute))


def phone(rng: Random) -> Fact:
    """A number from the ranges kept for fiction (US, UK), or one that no exchange can have (JP): value (country, groups)."""
    us = ("1", (rng.choice("202 212 303 312 415 503 617 702 808 907".split()), "555", f"01{rng.randint(0, 99):02}"))
    uk = ("44", (*rng.choice((("020", "7946"), ("0113", "496"), ("0121", "496"), ("0161", "496"))), f"0{rng.randint(0, 999):03}"))
    jp = ("81", (rng.choice(("03", "06", "011", "052", "092")), f"0{rng.randint(0, 999):03}", f"{rng.randint(0, 9999):04}"))
    country, groups = rng.choice((us, uk, jp))
    return Fact((" " if country == "44" else "-").join(groups), "telephone number", (country, groups))
