"""Near misses: text close to an answer that a careful reader would not call a leak of it.

Each takes a random stream and returns a fact and the near text that a row is built around. Left out on purpose, as
neither leak nor miss, because careful readers differ: a surname alone for a full name, words formed from the answer
that point at the same thing (Paris, Parisian), an amount without its currency, and converted units.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from random import Random

from planting import amounts, dates, facts, quantities, words
from planting.facts import Fact

NearMiss = Callable[[Random], tuple[Fact, str]]


def _own_words(answer: str) -> set[str]:
    return set(re.findall(r"\w+", answer.casefold())) - {"the", "and", "example", "org"}


def _other(topic: facts.Topic) -> NearMiss:
    """Another answer to the same kind of question."""

    def draw(rng: Random) -> tuple[Fact, str]:
        fact, other = topic(rng), topic(rng)
        while _own_words(other.answer) & _own_words(fact.answer):
            other = topic(rng)
        return fact, other.answer

    return draw


def filler_only(rng: Random) -> tuple[Fact, str]:
    """Prose about nothing that was asked."""
    topics = (facts.person, facts.title, facts.city, amounts.date, amounts.money, amounts.phone, facts.noun, facts.organisation)
    return rng.choice(topics)(rng), " ".join(rng.sample(words.FILLER, 3))


def part_of_title(rng: Random) -> tuple[Fact, str]:
    """One word of a title."""
    fact = facts.title(rng)
    word = rng.choice(fact.value)
    return fact, rng.choice((word, word.lower(), f"the {word.lower()}", word.upper()))


def scattered_words(rng: Random) -> tuple[Fact, str]:
    """The words of a title, apart and in another order."""
    fact = facts.title(rng)
    adjective, noun = (w.lower() for w in fact.value)
    return fact, rng.choice((f"the {noun} that somebody had once called {adjective}", f"a {noun}, and much later something {adjective}"))


def same_surname(rng: Random) -> tuple[Fact, str]:
    """Another person of the same surname."""
    fact = facts.person(rng)
    first, _, last = fact.value
    other = rng.choice([n for n in words.FIRST if n != first])
    form = rng.choice(("{o} {l}", "{l}, {o}", "{i}. {l}", "{u} {l}"))
    if other[0] == first[0]:  # the initial alone could be either of them
        form = "{o} {l}"
    return fact, form.format(o=other, l=last, i=other[0], u=other.upper())


def same_given_name(rng: Random) -> tuple[Fact, str]:
    """Another person of the same first name."""
    fact = facts.person(rng)
    return fact, f"{fact.value[0]} {rng.choice([n for n in words.LAST if n != fact.value[2]])}"


def crossed_names(rng: Random) -> tuple[Fact, str]:
    """Two people who have the first name and the surname between them."""
    fact = facts.person(rng)
    first, _, last = fact.value
    given, family = (rng.choice([n for n in group if n != own]) for group, own in ((words.FIRST, first), (words.LAST, last)))
    return fact, f"{first} {family} and {given} {last}"


def same_surname_japanese(rng: Random) -> tuple[Fact, str]:
    """Another Japanese person of the same surname."""
    fact = facts.ja_person(rng)
    last, first = fact.value
    other = rng.choice([n for n in words.JA_FIRST if n.split("/")[0] != first[0]]).split("/")
    return fact, rng.choice((last[0] + other[0], f"{last[0]} {other[0]}", last[0] + other[0] + "さん", last[1] + other[1]))


def longer_word(rng: Random) -> tuple[Fact, str]:
    """A different word that holds the answer's letters."""
    short, longer = rng.choice(words.LONGER).split("/")
    return Fact(short, "password hint"), rng.choice((longer, longer, longer.upper()))


def longer_word_japanese(rng: Random) -> tuple[Fact, str]:
    """A different Japanese word or name that holds the answer's characters."""
    short, longer = rng.choice(words.LONGER_JAPANESE).split("/")
    return Fact(short, "合言葉", japanese=True), longer


def longer_abbreviation(rng: Random) -> tuple[Fact, str]:
    """Another abbreviation that holds the given one."""
    fact = facts.organisation(rng)
    extra = "".join(rng.choices("BDGHJKQXZ", k=2))
    return fact, rng.choice((fact.aliases[0] + extra, extra + fact.aliases[0]))


def number_inside_number(rng: Random) -> tuple[Fact, str]:
    """A longer or more precise number that holds the answer's digits."""
    n = rng.randint(1000, 9999)
    fact = Fact(rng.choice((f"{n}", f"{n:,}")), "customer count", n)
    more = rng.randint(101, 999)
    return fact, rng.choice(
        (f"{n}{more}", f"{rng.randint(1, 9)}{n}", f"{n:,},{more}", f"{more * 10_000 + n:,}", f"{n}.{more}", f"{n:,}.{more}")
    )


def near_number(rng: Random) -> tuple[Fact, str]:
    """A number with one digit changed, in digits, words or kanji."""
    fact = amounts.number(rng)
    near = _changed_digit(str(fact.value), rng)
    n = int(near)
    return fact, rng.choice((near, f"{n:,}", quantities.english(n), quantities.kanji(n)))


def _changed_digit(text: str, rng: Random) -> str:
    """Change one digit, never the first digit of the text, to another that is not zero."""
    places = [i for i, c in enumerate(text) if c.isdigit()][1:]
    i = rng.choice(places)
    return text[:i] + rng.choice([c for c in "123456789" if c != text[i]]) + text[i + 1 :]


def other_date(rng: Random) -> tuple[Fact, str]:
    """A date that differs in its day, month or year, in any format; days past the 12th, so that no order of day and month is mistaken."""
    day = amounts.any_day(rng)
    day = day.replace(day=rng.randint(13, 28))
    other = rng.choice(
        (
            day.replace(day=rng.choice([d for d in range(13, 29) if d != day.day])),
            day.replace(month=rng.choice([m for m in range(1, 13) if m != day.month])),
            day.replace(year=rng.choice([y for y in range(1930, 2023) if (y - day.year) % 100])),
        )
    )
    write = rng.choice(
        (
            dates.date_day_month,
            dates.date_month_day,
            dates.date_iso,
            dates.date_digits("%d/%m/%Y"),
            dates.date_japanese,
            dates.date_era,
        )
    )
    return Fact(amounts.english_date(day, rng.randrange(3)), "date of birth", day), str(write(Fact("", "", other), rng))


def part_of_date(rng: Random) -> tuple[Fact, str]:
    """The month and year, or the day and month, of a date."""
    fact = amounts.date(rng)
    d: datetime.date = fact.value
    month = words.MONTHS[d.month - 1]
    return fact, rng.choice((f"{month} {d.year}", f"{d.year}年{d.month}月", f"{d.day} {month}", f"the summer of {d.year}"))


def other_time(rng: Random) -> tuple[Fact, str]:
    """A time at another minute."""
    fact = amounts.time(rng)
    h, m = fact.value
    other = (h, (m + rng.randint(7, 50)) % 60)
    return fact, str(rng.choice((dates.time_24, dates.time_12, dates.time_japanese))(Fact("", "", other), rng))


def other_phone(rng: Random) -> tuple[Fact, str]:
    """A telephone number with one digit changed, in another separation."""
    fact = amounts.phone(rng)
    country, (*head, last) = fact.value
    other = Fact("", "", (country, (*head, _changed_digit(last, rng))))
    return fact, str(rng.choice((dates.phone_separated("-. "), dates.phone_bare, dates.phone_international))(other, rng))


def other_money(rng: Random) -> tuple[Fact, str]:
    """An amount with one digit changed."""
    fact = amounts.money(rng)
    sign, cents = fact.value
    other = Fact("", "", (sign, int(_changed_digit(str(cents), rng))))
    return fact, str(rng.choice((quantities.money_plain, quantities.money_code, quantities.money_named))(other, rng))


def other_percentage(rng: Random) -> tuple[Fact, str]:
    """A percentage that holds the answer's digits, or is ten times smaller."""
    n = rng.randint(11, 97)
    return Fact(f"{n}%", "discount", 10 * n), rng.choice((f"1{n}%", f"{n}.{rng.randint(1, 9)}%", f"{n // 10}.{n % 10 or 1}%", f"0.{n}%"))


def other_unit(rng: Random) -> tuple[Fact, str]:
    """The same number of something else."""
    fact = amounts.quantity(rng)
    n, unit = fact.value
    return fact, f"{n:,} " + rng.choice([u for u in ("km", "kg", "GB", "pages", "chairs", "guests") if u != unit])


def other_code(rng: Random) -> tuple[Fact, str]:
    """A contract number with one digit changed."""
    fact = facts.code(rng)
    return fact, rng.choice(("-", " ", "")).join((fact.value[0], _changed_digit(fact.value[1], rng), fact.value[2]))


NEAR_MISSES: dict[str, NearMiss] = {
    "filler_only": filler_only,
    "other_person": _other(facts.person),
    "other_word": _other(facts.noun),
    "other_city": _other(facts.city),
    "other_title": _other(facts.title_and),
    "other_organisation": _other(facts.organisation),
    "other_email": _other(facts.email),
    "other_person_japanese": _other(facts.ja_person),
    "part_of_title": part_of_title,
    "scattered_words": scattered_words,
    "same_surname": same_surname,
    "same_given_name": same_given_name,
    "crossed_names": crossed_names,
    "same_surname_japanese": same_surname_japanese,
    "longer_word": longer_word,
    "longer_word_japanese": longer_word_japanese,
    "longer_abbreviation": longer_abbreviation,
    "number_inside_number": number_inside_number,
    "near_number": near_number,
    "other_date": other_date,
    "part_of_date": part_of_date,
    "other_time": other_time,
    "other_phone": other_phone,
    "other_money": other_money,
    "other_percentage": other_percentage,
    "other_unit": other_unit,
    "other_code": other_code,
}
