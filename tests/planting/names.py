"""Rewritings of names and titles (order, initials, given aliases), and those of Japanese writing."""

from __future__ import annotations

import re
from random import Random

from planting.facts import Fact
from planting.rewritings import Rewriting, full_width, half_width
from planting.words import JA_HONORIFICS

# -- names and titles --------------------------------------------------------------------------------------------------------


def possessive(fact: Fact, rng: Random) -> str:
    """Write the genitive."""
    return fact.answer + rng.choice(("'s", "’s"))


def reordered(fact: Fact, _: Random) -> str:
    """Write "Doe, Jane"."""
    first, middle, last = fact.value
    return f"{last}, {first} {middle}".rstrip()


def reordered_capitals(fact: Fact, rng: Random) -> str:
    """Write "DOE, Jane" or "DOE Jane", as registers do."""
    first, middle, last = fact.value
    return f"{last.upper()}{rng.choice((',', ''))} {first} {middle}".rstrip()


def surname_first(fact: Fact, _: Random) -> str:
    """Write "Doe Jane"."""
    first, middle, last = fact.value
    return f"{last} {first} {middle}".rstrip()


def initials(fact: Fact, rng: Random) -> str:
    """Write "J. Doe", "J Doe", or with a middle name "J. M. Doe", "J.M. Doe"."""
    first, middle, last = fact.value
    dot, gap = rng.choice((". ", ".", " ")), rng.choice((" ", "\u00a0"))
    letters = [n[0] for n in (first, middle) if n]
    return (dot.join(letters) + dot).rstrip() + gap + str(last)


def initials_after(fact: Fact, rng: Random) -> str:
    """Write "Doe, J." or "Doe J", as bibliographies do."""
    first, middle, last = fact.value
    letters = [n[0] for n in (first, middle) if n]
    comma, dot = rng.choice(((",", "."), ("", ""), (",", "")))
    return f"{last}{comma} " + "".join(c + dot for c in letters)


def middle_initial(fact: Fact, rng: Random) -> str:
    """Write "Jane M. Doe"."""
    first, middle, last = fact.value
    return f"{first} {middle[0]}{rng.choice(('.', ''))} {last}"


def middle_dropped(fact: Fact, _: Random) -> str:
    """Write "Jane Doe" for "Jane Mary Doe"."""
    first, _middle, last = fact.value
    return f"{first} {last}"


def article_dropped(fact: Fact, _: Random) -> str:
    """Leave out a title's leading article."""
    return re.sub(r"^(The|A) ", "", fact.answer)


def article_moved(fact: Fact, _: Random) -> str:
    """Put a title's leading article behind it, as catalogues do."""
    return re.sub(r"^(The|A) (.*)$", r"\2, \1", fact.answer)


def ampersand(fact: Fact, _: Random) -> str:
    """Write "and" as "&"."""
    return fact.answer.replace(" and ", " & ")


def given_alias(place: int) -> Rewriting:
    """Write the alias in that place of the probe's list."""
    return lambda fact, _: fact.aliases[place]


def dotted_abbreviation(fact: Fact, rng: Random) -> str:
    """Write the given abbreviation with full stops."""
    return ".".join(fact.aliases[0]) + rng.choice((".", ""))


def alias_in_capitals(fact: Fact, _: Random) -> str:
    """Write the last given alias in capitals."""
    return fact.aliases[-1].upper()


def alias_full_width(fact: Fact, rng: Random) -> str:
    """Write the last given alias in full-width letters."""
    return full_width(Fact(fact.aliases[-1], ""), rng)


# -- Japanese ----------------------------------------------------------------------------------------------------------------


def to_katakana(fact: Fact, _: Random) -> str:
    """Write hiragana in katakana."""
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in fact.answer)


def to_hiragana(fact: Fact, _: Random) -> str:
    """Write katakana in hiragana; the long mark stays."""
    return "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in fact.answer)


def reading_in_katakana(fact: Fact, rng: Random) -> str:
    """Write the given reading in katakana, full or half width, with or without a space."""
    last, first = (to_katakana(Fact(name[1], ""), rng) for name in fact.value)
    text = last + rng.choice(("", " ", "\u3000")) + first
    return half_width(Fact(text, ""), rng) if rng.random() < 0.3 else text


def reading_spaced(fact: Fact, rng: Random) -> str:
    """Write the given reading with a space or middle dot between surname and given name."""
    return rng.choice((" ", "\u3000", "・")).join(name[1] for name in fact.value)


def romanised_reordered(fact: Fact, rng: Random) -> str:
    """Write the given romanised name surname first."""
    last, first = (name[2] for name in fact.value)
    return rng.choice((f"{last} {first}", f"{last.upper()} {first}", f"{last}, {first}"))


def space_between_names(fact: Fact, rng: Random) -> str:
    """Put a space between surname and given name."""
    return rng.choice((" ", "\u3000", "\u00a0")).join(name[0] for name in fact.value)


def space_between_letters(fact: Fact, rng: Random) -> str:
    """Put a space between all characters, as forms with boxes do."""
    return rng.choice((" ", "\u3000")).join(fact.answer)


def break_japanese_line(fact: Fact, rng: Random) -> str:
    """Break the line between two characters, as Japanese text does."""
    i = rng.randrange(1, len(fact.answer))
    return fact.answer[:i] + rng.choice(("\n", "\r\n", "\n\u3000")) + fact.answer[i:]


def change_middle_dot(fact: Fact, rng: Random) -> str:
    """Write the middle dot as another mark or a space, or leave it out."""
    return fact.answer.replace("・", rng.choice(("＝", "=", " ", "\u3000", "", "･", "·")))


def repeat_character(fact: Fact, _: Random) -> str:
    """Write 々 as the character that it repeats."""
    return re.sub("(.)々", r"\1\1", fact.answer)


def honorific(fact: Fact, rng: Random) -> str:
    """Attach an honorific."""
    return fact.answer + rng.choice(JA_HONORIFICS)


def drop_long_mark(fact: Fact, _: Random) -> str:
    """Leave out the long mark at the end of a loan word."""
    return fact.answer.removesuffix("ー")


def large_ke(fact: Fact, rng: Random) -> str:
    """Write the ヶ of a place name as ケ or が."""
    return fact.answer.replace("ヶ", rng.choice("ケが"))
