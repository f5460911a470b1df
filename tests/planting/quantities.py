"""Rewritings of numbers, quantities, percentages and money."""

from __future__ import annotations

from random import Random

from planting.facts import Fact
from planting.rewritings import Rewriting

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_KANJI = "〇一二三四五六七八九"
_UNITS = {
    "km": "kilometres kilometers",
    "kg": "kilograms kilogrammes",
    "cm": "centimetres centimeters",
    "GB": "gigabytes",
    "kWh": "kilowatt-hours",
    "ml": "millilitres milliliters",
}
_CURRENCIES = {"$": ("USD", "dollars"), "€": ("EUR", "euros"), "£": ("GBP", "pounds"), "¥": ("JPY", "yen")}


# -- numbers -----------------------------------------------------------------------------------------------------------------


def english(n: int, *, joiner: str = " ") -> str:
    """Spell a whole number below a thousand million; `joiner` stands before the part below a hundred (" " or " and ")."""
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (f"-{_ONES[n % 10]}" if n % 10 else "")
    for size, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= size:
            head, rest = f"{english(n // size, joiner=joiner)} {name}", n % size
            return head + ((joiner if rest < 100 else " ") + english(rest, joiner=joiner) if rest else "")
    raise AssertionError(n)


def kanji(n: int) -> str:
    """Write a whole number below 10^8 in kanji numerals: 1234 is 千二百三十四, 12,000 is 一万二千."""
    if n >= 10_000:
        return kanji(n // 10_000) + "万" + (kanji(n % 10_000) if n % 10_000 else "")
    out = ""
    for size, name in ((1000, "千"), (100, "百"), (10, "十")):
        digit = n // size % 10
        out += ("" if digit == 1 else _KANJI[digit]) + name if digit else ""
    return out + (_KANJI[n % 10] if n % 10 else "")


def kanji_digits(text: str) -> str:
    """Write each digit as its kanji."""
    return "".join(_KANJI[int(c)] if c.isdigit() else c for c in text)


def _man(n: int, rng: Random) -> str | None:
    """Write a number of ten thousands with 万: 123万4567."""
    if n < 10_000:
        return None
    rest = n % 10_000
    return f"{n // 10_000}万" + (rng.choice((f"{rest}", f"{rest:,}")) if rest else "")


def number_plain(fact: Fact, _: Random) -> str:
    """Write 1234."""
    return str(fact.value)


def number_grouped(separators: str) -> Rewriting:
    """Write the thousands apart by one of these separators."""
    return lambda fact, rng: f"{fact.value:,}".replace(",", rng.choice(separators))


def number_words(fact: Fact, rng: Random) -> str:
    """Spell the number, with or without "and" and hyphens."""
    text = english(fact.value, joiner=rng.choice((" ", " and ")))
    return rng.choice((text, text, text.replace("-", " "), text.capitalize()))


def number_kanji(fact: Fact, _: Random) -> str:
    """Write kanji numerals with places."""
    return kanji(fact.value)


def number_kanji_digits(fact: Fact, _: Random) -> str:
    """Write the digits as kanji, one by one."""
    return kanji_digits(str(fact.value))


def number_man(fact: Fact, rng: Random) -> str | None:
    """Write digits with 万."""
    return _man(fact.value, rng)


def number_digits(fact: Fact, rng: Random) -> str:
    """Write 1234 or 1,234."""
    return rng.choice((f"{fact.value}", f"{fact.value:,}"))


def number_million(fact: Fact, _: Random) -> str:
    """Write "1.2 million"."""
    return f"{fact.value / 1e6:g} million"


def quantity_spacing(fact: Fact, rng: Random) -> str:
    """Write the unit without a space or after a no-break space, the thousands with or without a separator."""
    n, unit = fact.value
    return rng.choice((f"{n:,}", f"{n}")) + rng.choice(("", "\u00a0", " ")) + str(unit)


def quantity_spelt(fact: Fact, rng: Random) -> str:
    """Write the unit in full."""
    n, unit = fact.value
    return f"{rng.choice((f'{n:,}', f'{n}'))} {rng.choice(_UNITS[unit].split())}"


def quantity_words(fact: Fact, rng: Random) -> str:
    """Spell number and unit."""
    n, unit = fact.value
    return f"{english(n, joiner=rng.choice((' ', ' and ')))} {rng.choice(_UNITS[unit].split())}"


def _percent_digits(tenths: int, mark: str) -> str:
    return f"{tenths // 10}{mark}{tenths % 10}".removesuffix(f"{mark}0")


def percent_spacing(fact: Fact, rng: Random) -> str:
    """Write a space before the sign."""
    return _percent_digits(fact.value, ".") + rng.choice((" ", "\u00a0", "\u202f")) + "%"


def percent_word(fact: Fact, rng: Random) -> str:
    """Write the sign as a word."""
    return _percent_digits(fact.value, ".") + rng.choice((" percent", " per cent", "-percent", "パーセント"))


def percent_comma(fact: Fact, rng: Random) -> str | None:
    """Write a decimal comma."""
    return _percent_digits(fact.value, ",") + rng.choice(("%", " %")) if fact.value % 10 else None


def percent_words(fact: Fact, rng: Random) -> str:
    """Spell the percentage."""
    point = f" point {english(fact.value % 10)}" if fact.value % 10 else ""
    return english(fact.value // 10) + point + rng.choice((" percent", " per cent"))


# -- money -------------------------------------------------------------------------------------------------------------------


def _amount(cents: int, thousands: str, point: str) -> str:
    whole = f"{cents // 100:,}".replace(",", thousands)
    return f"{whole}{point}{cents % 100:02}" if cents % 100 else whole


def money_plain(fact: Fact, rng: Random) -> str:
    """Write the amount without separators, the sign before it with or without a space."""
    sign, cents = fact.value
    return f"{sign}" + rng.choice(("", " ", "\u00a0")) + _amount(cents, "", ".")


def money_code(fact: Fact, rng: Random) -> str:
    """Write the currency's code before or after the amount."""
    sign, cents = fact.value
    amount, name = _amount(cents, rng.choice((",", "")), "."), _CURRENCIES[sign][0]
    return rng.choice((f"{name} {amount}", f"{amount} {name}", f"{name}{amount}"))


def money_continental(fact: Fact, rng: Random) -> str:
    """Write 1.234,50 € or 1 234,50 €."""
    sign, cents = fact.value
    return _amount(cents, rng.choice((".", " ", "\u00a0", "\u202f")), ",") + rng.choice((" ", "\u00a0", "")) + str(sign)


def money_named(fact: Fact, rng: Random) -> str:
    """Write the currency as a word after the amount."""
    sign, cents = fact.value
    return f"{_amount(cents, rng.choice((',', '')), '.')} {_CURRENCIES[sign][1]}"


def money_words(fact: Fact, rng: Random) -> str:
    """Spell a whole amount."""
    sign, cents = fact.value
    return f"{english(cents // 100, joiner=rng.choice((' ', ' and ')))} {_CURRENCIES[sign][1]}"


def money_millions(fact: Fact, rng: Random) -> str:
    """Write "$1.2 million" or "$1.2M"."""
    sign, cents = fact.value
    return f"{sign}{cents / 1e8:g}" + rng.choice((" million", "M", "m", "\u00a0million"))


def yen_western(fact: Fact, rng: Random) -> str:
    """Write yen with the sign, the code, the word or 円, with or without separators."""
    n = fact.value[1] // 100
    amount = rng.choice((f"{n:,}", f"{n}"))
    return rng.choice((f"¥{amount}", f"￥{amount}", f"{amount}円", f"JPY {amount}", f"{amount} yen"))


def yen_man(fact: Fact, rng: Random) -> str | None:
    """Write yen with 万."""
    text = _man(fact.value[1] // 100, rng)
    return f"{text}円" if text else None


def yen_kanji(fact: Fact, _: Random) -> str:
    """Write yen in kanji numerals."""
    return f"{kanji(fact.value[1] // 100)}円"
