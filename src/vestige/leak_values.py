"""What numbers in a text say, however they are written: numbers, money, percentages, quantities, dates, times, telephone numbers.

Each value is a key that compares equal across formats: ("date", 1987, 3, 4) for "4 March 1987", "03/04/87", 昭和62年3月4日. Where a
text may be read in two ways (day/month or month/day, two-digit years, 1.234 as thousands or decimals, 2:30 without am or pm,
12 345 as one number or two), every reading is yielded. Money needs its currency, a quantity its unit or noun.

Not read: converted units, dates without a year or a day, times in words ("half past two"), fractions, Roman numerals, signs
before a number.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from vestige.leak_forms import singulars
from vestige.numerals import in_digits
from vestige.spelling import spelt
from vestige.traced import Traced

Key = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """One reading of text[start:end], the text being spelt and in digits."""

    start: int
    end: int
    key: Key

    @property
    def kind(self) -> str:
        """What the value is: "number", "date", ..."""
        return str(self.key[0])


_DIGIT = re.compile(r"\d")
# Thousands parted by one and the same mark, then decimals; or digits, then decimals.
_GROUPED = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d{1,3}(?:'\d{3})+(?:[.,]\d+)?|\d{1,3}(?: \d{3})+(?:[.,]\d+)?"
_BEFORE, _AFTER = r"(?<!\d)(?<!\d[.,'])", r"(?![.,']?\d)"
_NUMBER = rf"(?:{_GROUPED}|\d+(?:[.,]\d+)?)"
_CURRENCIES = {
    **dict.fromkeys(("$", "us$", "usd", "dollar", "dollars"), "USD"),
    **dict.fromkeys(("€", "eur", "euro", "euros"), "EUR"),
    **dict.fromkeys(("£", "gbp", "pound", "pounds"), "GBP"),
    **dict.fromkeys(("¥", "円", "jpy", "yen"), "JPY"),
}
_SCALES = {"": 1, "k": 10**3, "m": 10**6, "mn": 10**6, "bn": 10**9, "b": 10**9}
_CODES = "(?<=usd)|(?<=eur)|(?<=gbp)|(?<=jpy)"
_PLAIN_NUMBER = re.compile(rf"(?:(?<![a-z])|{_CODES}){_BEFORE}({_NUMBER}){_AFTER}(?!(?:st|nd|rd|th)(?![a-z]))")
_MONEY_BEFORE = re.compile(rf"(us\$|[$€£¥]|(?<![a-z])(?:usd|eur|gbp|jpy)) ?({_NUMBER}){_AFTER}(?: ?(k|mn?|bn?)(?![a-z]))?")
_MONEY_AFTER = re.compile(rf"{_BEFORE}({_NUMBER})[ -]?([$€£¥円]|(?:usd|eur|gbp|jpy|yen|dollars?|euros?|pounds?)(?![a-z]))")
_HAS_CURRENCY = re.compile("[$€£¥円]|usd|eur|gbp|jpy|yen|dollar|pound")
_PERCENT = re.compile(rf"{_BEFORE}({_NUMBER})[ -]?(?:%|per ?cent(?![a-z])|パーセント)")
_QUANTITY = re.compile(rf"(?<![a-z]){_BEFORE}({_NUMBER})[\s-]?(kilowatt[ -]hours?|[a-zµ°]+)(?![a-z])")
_UNITS = {
    unit: names[0]
    for names in (
        "km kilometre kilometer kilometres kilometers".split(),
        "m metre meter metres meters".split(),
        "cm centimetre centimeter centimetres centimeters".split(),
        "mm millimetre millimeter millimetres millimeters".split(),
        "kg kilogram kilogramme kilograms kilogrammes kilo kilos".split(),
        "g gram gramme grams grammes".split(),
        "mg milligram milligrams".split(),
        "l litre liter litres liters".split(),
        "ml millilitre milliliter millilitres milliliters".split(),
        ["kwh", *(f"kilowatt{mark}hour{s}" for mark in " -" for s in ("", "s"))],
        "kw kilowatt kilowatts".split(),
        "mw megawatt megawatts".split(),
        "w watt watts".split(),
        "kb kilobyte kilobytes".split(),
        "mb megabyte megabytes".split(),
        "gb gigabyte gigabytes".split(),
        "tb terabyte terabytes".split(),
        "hz hertz".split(),
        "mi mile miles".split(),
        "ft foot feet".split(),
        "lb lbs pound pounds".split(),
        "oz ounce ounces".split(),
        "min minute minutes mins".split(),
        "h hour hours hr hrs".split(),
        "s second seconds sec secs".split(),
    )
    for unit in names
}

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "(" + "|".join((*_MONTHS, "sept", *(m[:3] for m in _MONTHS))) + r")(?![a-z])\.?"
_HAS_MONTH = re.compile("|".join(m[:3] for m in _MONTHS))
_DAY, _YEAR = r"(\d{1,2})(?:st|nd|rd|th)?", r"(\d{4}|'?\d{2})(?!\d|st|nd|rd|th)"
_DATES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"(?<!\d){_DAY}(?:\s+of)?[\s./-]*{_MONTH},?[\s/-]*{_YEAR}"), "dmy"),
    (re.compile(rf"(?<![a-z]){_MONTH}\s*{_DAY}(?:\s*,\s*|\s+|-){_YEAR}"), "mdy"),
    (re.compile(r"(?<!\d)(\d{4})\s?[-./年]\s?(\d{1,2})\s?[-./月]\s?(\d{1,2})(?!\d)日?"), "ymd"),
    (re.compile(r"(?<![\d./-])(\d{1,2})([-./])(\d{1,2})\2(\d{4}|\d{2})(?![\d]|[./-]\d)"), "d_my"),
    (re.compile(r"(?<![\d./-])(\d{1,2})([-./])(\d{1,2})\2(\d{4}|\d{2})(?![\d]|[./-]\d)"), "m_dy"),
    (re.compile(r"(?<!\d)((?:1[89]|20)\d\d)(\d\d)(\d\d)(?!\d)"), "ymd"),
)
_NAMED_MONTH = 2  # the first two name the month
_TIME = re.compile(
    r"(?<![\d$€£¥])(?<!\d[.,:])(?:(午前|午後)\s?)?(\d{1,2})(?:\s?[:h時]\s?|(?<=\d\d)\.|\.(?=\d\d\s?[ap]\.?m))(\d{2}|\d(?=分))(?![\d%])(?!\s%|[.:]\d)分?(?:\s?([ap])\.?m(?![a-z])\.?)?"
)
_HOURS = re.compile(r"(?<!\d)([01]\d|2[0-3])([0-5]\d)\s?(?:hours|hrs)(?![a-z])")
_DIALLED = re.compile(r"(?<![\d.,])(\+|00)?(?:\(?\d+\)?(?:[ ().\-/]{0,3}|\(0\)))*\(?\d+")
_COUNTRIES = {"1", "7"} | set("20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66".split())
_COUNTRIES |= set("81 82 84 86 90 91 92 93 94 95 98".split())


def read(text: str, *, kinds: Collection[str] | None = None, trace: bool = False) -> tuple[Traced, list[Value]]:
    """Return a text, spelt and in digits, and every reading of every value in it (of some kinds, or all)."""
    made = spelt(text, trace=trace)
    in_digits(made)
    if not _DIGIT.search(made.text):
        return made, []
    readers = [reader for kind, reader in _READERS.items() if kinds is None or kind in kinds]
    return made, [value for reader in readers for value in reader(made.text)]


def whole(text: str) -> tuple[Key, ...]:
    """Return what a text says if it is nothing but a value: all its readings, of the kinds that cover it; () if it is not."""
    made, values = read(re.sub(r"^the\s", "", text.strip().rstrip("."), flags=re.IGNORECASE))
    found = {v.key: v for v in values if not re.search(r"\w|[$€£¥%]", made.text[: v.start] + made.text[v.end :])}
    return tuple(found)


def _number(text: str) -> Iterator[Decimal]:
    """Yield the readings of a number: its marks as thousands, where they can be, and its last mark as a decimal point."""
    head, mark, tail = _at_last_mark(text)
    digits = re.sub(r"\D", "", head)
    if not mark:
        yield Decimal(digits)
        return
    if text[0] != "0" and re.fullmatch(_GROUPED, text) and (mark in "' " or (len(tail) == 3 and not set(head) & set(",.' ") - {mark})):
        yield Decimal(digits + tail)
    if (mark == "." and mark not in head) or (mark == "," and len(tail) != 3 and mark not in head):
        yield Decimal(f"{digits}.{tail}")


def _at_last_mark(text: str) -> tuple[str, str, str]:
    match = re.search(r"([,.' ])(\d+)$", text)
    return (text[: match.start()], match[1], match[2]) if match else (text, "", "")


def _numbers(text: str) -> Iterator[Value]:
    for match in _PLAIN_NUMBER.finditer(text):
        for number in _number(match[1]):
            yield Value(*match.span(1), ("number", number))
        if " " in match[1]:
            for part in re.finditer(r"\d+(?:[.,]\d+)?", match[1]):
                yield Value(match.start(1) + part.start(), match.start(1) + part.end(), ("number", Decimal(part[0].replace(",", "."))))


def _money(text: str) -> Iterator[Value]:
    if not _HAS_CURRENCY.search(text):
        return
    for match in _MONEY_BEFORE.finditer(text):
        for number in _number(match[2]):
            yield Value(*match.span(), ("money", _CURRENCIES[match[1]], number * _SCALES[match[3] or ""]))
    for match in _MONEY_AFTER.finditer(text):
        for number in _number(match[1]):
            yield Value(*match.span(), ("money", _CURRENCIES[match[2]], number))


def _percentages(text: str) -> Iterator[Value]:
    for match in _PERCENT.finditer(text):
        for number in _number(match[1]):
            yield Value(*match.span(), ("percentage", number))


def _quantities(text: str) -> Iterator[Value]:
    for match in _QUANTITY.finditer(text):
        unit = _UNITS.get(match[2]) or next(singulars(match[2]), match[2])
        for number in _number(match[1]):
            yield Value(*match.span(), ("quantity", number, unit))


def _dates(text: str) -> Iterator[Value]:
    for pattern, order in _DATES if _HAS_MONTH.search(text) else _DATES[_NAMED_MONTH:]:
        for match in pattern.finditer(text):
            parts = dict(zip(order, match.groups(), strict=True))
            month = int(parts["m"]) if parts["m"].isdigit() else next(i for i, m in enumerate(_MONTHS, 1) if m.startswith(parts["m"][:3]))
            for year in _years(parts["y"]):
                if _exists(year, month, int(parts["d"])):
                    yield Value(*match.span(), ("date", year, month, int(parts["d"])))


def _years(text: str) -> tuple[int, ...]:
    digits = text.lstrip("'")
    return (int(digits),) if len(digits) == 4 else (1900 + int(digits), 2000 + int(digits))


def _exists(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def _times(text: str) -> Iterator[Value]:
    for match in _TIME.finditer(text):
        early, hour, minute, half = match.groups()
        for h in _hours(hour, {"午前": "a", "午後": "p"}.get(early, half)):
            if h < 24 and int(minute) < 60:
                yield Value(*match.span(), ("time", h, int(minute)))
    for match in _HOURS.finditer(text):
        yield Value(*match.span(), ("time", int(match[1]), int(match[2])))


def _hours(text: str, half: str | None) -> tuple[int, ...]:
    """Return the hours of the day that may be meant; without am or pm, 2:30 may be both, 02:30 and 14:30 not."""
    hour = int(text)
    if half:
        return (hour % 12 + (12 if half == "p" else 0),) if hour <= 12 else (hour,)
    return (hour, hour + 12) if (0 < hour < 12 and len(text) == 1) or 10 <= hour < 12 else (hour,)


def _telephones(text: str) -> Iterator[Value]:
    """Yield every run of seven to fifteen digits, in groups as they are dialled, without trunk zero or country code."""
    for match in _DIALLED.finditer(text):
        groups = [m.span() for m in re.finditer(r"\d+", match[0].replace("(0)", "   "))]
        if sum(b - a for a, b in groups) < 7:
            continue
        for i, j in product(range(len(groups)), repeat=2):
            digits = "".join(match[0][a:b] for a, b in groups[i : j + 1])
            if 7 <= len(digits) <= 17:
                start = match.start() + groups[i][0] - (1 if i == 0 and match[1] == "+" else 0)
                for national in _national(digits, abroad=i == 0 and bool(match[1])):
                    yield Value(start, match.start() + groups[j][1], ("telephone number", national))


def _national(digits: str, *, abroad: bool) -> Sequence[str]:
    """Return the national number, without trunk zero, in each way the digits may be read."""
    if abroad:
        digits = digits.removeprefix("00")
        code = next((digits[:n] for n in (1, 2) if digits[:n] in _COUNTRIES), digits[:3])
        return (digits[len(code) :].removeprefix("0"),)
    if len(digits) == 11 and digits[0] == "1":
        return digits, digits[1:]
    return (digits.removeprefix("0"),)


_READERS = {
    "number": _numbers,
    "money": _money,
    "percentage": _percentages,
    "quantity": _quantities,
    "date": _dates,
    "time": _times,
    "telephone number": _telephones,
}
