"""Facts with an answer in words, and the probes that ask for them.

A fact's `answer` is written without a leading space. `value` is what the answer means (a date, a number of cents, the
parts of a name), from which the rewritings start; a topic is a function that makes one fact from a random stream.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from planting import words


@dataclass(frozen=True)
class Probe:
    """A question with its expected answer, as a case would hold it."""

    id: str
    prompt: str
    answer: str
    aliases: tuple[str, ...]
    cluster: str
    attribute: str


@dataclass(frozen=True)
class Fact:
    """An answer, what it means, and what it is the answer to."""

    answer: str
    attribute: str
    value: Any = None
    aliases: tuple[str, ...] = ()
    japanese: bool = False


Topic = Callable[[Random], Fact]
_ROLES = ("dentist", "landlord", "tutor", "cousin", "godmother", "physician")
_JA_ROLES = ("担当者", "代表者", "主治医", "保証人", "後見人")


def subject(rng: Random, *, japanese: bool) -> str:
    """Invent whom a probe asks about."""
    if japanese:
        return rng.choice(words.JA_SUBJECTS[0]) + rng.choice(words.JA_SUBJECTS[1])
    return f"{rng.choice(words.SUBJECT_FIRST)} {rng.choice(words.SUBJECT_LAST)}"


def ask(fact: Fact, identity: str, rng: Random) -> Probe:
    """Turn a fact into a probe about an invented subject."""
    whom = subject(rng, japanese=fact.japanese)
    prompt = f"{whom}の{fact.attribute}は何ですか？" if fact.japanese else f"What is the {fact.attribute} of {whom}?"
    return Probe(identity, prompt, fact.answer, fact.aliases, whom, fact.attribute)


def is_japanese(text: str) -> bool:
    """Tell whether a text holds kana or kanji."""
    return any(
        "\u3040" <= c <= "\u30ff" or "\u3400" <= c <= "\u9fff" or "\uf900" <= c <= "\ufaff" or "\uff66" <= c <= "\uff9f" for c in text
    )


# -- people ------------------------------------------------------------------------------------------------------------------


def person(rng: Random) -> Fact:
    """First name and surname: value (first, "", last)."""
    first, last = rng.choice(words.FIRST), rng.choice(words.LAST)
    return Fact(f"{first} {last}", rng.choice(_ROLES), (first, "", last))


def person_middle(rng: Random) -> Fact:
    """First, middle and last name."""
    (first, middle), last = rng.sample(words.FIRST, 2), rng.choice(words.LAST)
    return Fact(f"{first} {middle} {last}", rng.choice(_ROLES), (first, middle, last))


def nicknamed(rng: Random) -> Fact:
    """A person whose short form is given as an alias."""
    formal, nick = rng.choice(words.NICKNAMES).split("/")
    last = rng.choice(words.LAST)
    return Fact(f"{formal} {last}", rng.choice(_ROLES), (formal, "", last), (f"{nick} {last}",))


def apostrophe(rng: Random) -> Fact:
    """A surname with an apostrophe, straight or curly in the answer."""
    first, last = rng.choice(words.FIRST), rng.choice(words.APOSTROPHES)
    return Fact(f"{first} {last}".replace("'", rng.choice("'’")), rng.choice(_ROLES), (first, "", last))


def hyphenated(rng: Random) -> Fact:
    """A double first name or a double surname."""
    names = rng.sample(words.LAST, 2)
    double = rng.choice((f"{rng.choice(words.HYPHENATED)} {names[0]}", f"{rng.choice(words.FIRST)} {names[0]}-{names[1]}"))
    return Fact(double, rng.choice(_ROLES))


def ligature(rng: Random) -> Fact:
    """A surname with ff, fi, fl or ffl."""
    return Fact(f"{rng.choice(words.FIRST)} {rng.choice(words.LIGATURES)}", rng.choice(_ROLES))


def accented(rng: Random) -> Fact:
    """A name with diacritics, composed."""
    return Fact(f"{rng.choice(words.ACCENTED_FIRST)} {rng.choice(words.ACCENTED_LAST)}", rng.choice(_ROLES))


def unaccented(rng: Random) -> Fact:
    """The same name answered without its diacritics: value is the spelling with them."""
    fact = accented(rng)
    bare = "".join(c for c in unicodedata.normalize("NFD", fact.answer) if not unicodedata.combining(c))
    return Fact(bare, fact.attribute, fact.answer)


def decomposed(rng: Random) -> Fact:
    """An accented name whose answer is stored in combining characters."""
    fact = accented(rng)
    return Fact(unicodedata.normalize("NFD", fact.answer), fact.attribute)


def umlaut(rng: Random) -> Fact:
    """A name with ä, ö or ü."""
    return Fact(f"{rng.choice(words.UMLAUT_FIRST)} {rng.choice(words.UMLAUT_LAST)}", rng.choice(_ROLES))


def stroked(rng: Random) -> Fact:
    """A name with letters that do not decompose (ø ł đ ı æ ß): value is its plain spelling."""
    pairs = [rng.choice(names.split()).split("/") for names in words.STROKED]
    return Fact(" ".join(p[0] for p in pairs), rng.choice(_ROLES), " ".join(p[1] for p in pairs))


# -- things ------------------------------------------------------------------------------------------------------------------


def noun(rng: Random) -> Fact:
    """An ordinary word: value is its plural."""
    attribute, group = rng.choice((("pet", words.PETS), ("trade", words.TRADES), ("instrument", words.INSTRUMENTS)))
    one, many = rng.choice(group).split("/")
    return Fact(one, attribute, many)


def plural_noun(rng: Random) -> Fact:
    """A plural as the answer: value is its singular."""
    fact = noun(rng)
    return Fact(fact.value, fact.attribute, fact.answer)


def phrase(rng: Random) -> Fact:
    """Two ordinary words in lower case."""
    return Fact(f"{rng.choice(words.ADJECTIVES)} {rng.choice(words.NOUNS)}".lower(), "password hint")


def city(rng: Random) -> Fact:
    """An invented city in one, two or three words."""
    name = rng.choice(words.CITIES)
    shape = rng.choice((f"{name}", f"{rng.choice(words.PORTS)} {name}", f"{name}, {rng.choice(words.COUNTRIES)}"))
    return Fact(shape, rng.choice(("home city", "birthplace")))


def city_in_katakana(rng: Random) -> Fact:
    """A city whose Japanese name is given as an alias."""
    name, kana = rng.choice(words.CITIES_IN_KATAKANA).split("/")
    return Fact(name, "home city", None, (kana,))


def title(rng: Random) -> Fact:
    """A title that starts with an article: value is its two leading words."""
    adjective, one, two = rng.choice(words.ADJECTIVES), *rng.sample(words.NOUNS, 2)
    shape = rng.choice((f"The {adjective} {one}", f"The {adjective} {one} of {two}", f"A {one} for the {adjective} {two}"))
    return Fact(shape, rng.choice(("favourite book", "last film")), (adjective, one))


def title_and(rng: Random) -> Fact:
    """A title that joins two nouns by "and"."""
    one, two = rng.sample(words.NOUNS, 2)
    return Fact(rng.choice((f"The {one} and the {two}", f"{one} and {two}")), "favourite book")


def title_punctuated(rng: Random) -> Fact:
    """A title with punctuation inside it."""
    adjective, one, two = rng.choice(words.ADJECTIVES), *rng.sample(words.NOUNS, 2)
    shape = rng.choice((f"{adjective} {one}: A {two}'s Tale", f"{one}, {two} & Son", f"The {one}'s {two}", f"Dr. {one}; or, The {two}"))
    return Fact(shape, "favourite book")


def organisation(rng: Random) -> Fact:
    """A body with its abbreviation and its short name as aliases."""
    parts = (rng.choice(words.CITIES), rng.choice(words.ADJECTIVES), rng.choice(words.FIELDS), rng.choice(words.BODIES))
    return Fact(" ".join(parts), "employer", None, ("".join(p[0] for p in parts), f"{parts[0]} {parts[3]}"))


def code(rng: Random) -> Fact:
    """A contract number: value is its groups."""
    letters = "".join(rng.choices("ABCDEFGHKLMNPQRSTVWXYZ", k=4))
    groups = (letters[:2], str(rng.randint(1000, 9999)), letters[2:])
    return Fact("-".join(groups), "contract number", groups)


def email(rng: Random) -> Fact:
    """An address at a reserved domain."""
    return Fact(f"{rng.choice(words.FIRST)}.{rng.choice(words.LAST)}@example.org".lower(), "address")


# -- Japanese ----------------------------------------------------------------------------------------------------------------


def ja_person(rng: Random) -> Fact:
    """A Japanese name with its reading and its romanised form as aliases: value (surname, given, readings)."""
    last, first = (rng.choice(group).split("/") for group in (words.JA_LAST, words.JA_FIRST))
    aliases = (last[1] + first[1], f"{first[2]} {last[2]}")
    return Fact(last[0] + first[0], rng.choice(_JA_ROLES), (last, first), aliases, japanese=True)


def ja_new_form(rng: Random) -> Fact:
    """A name in today's characters: value is the same name with the old or variant form."""
    new, old = rng.choice(words.JA_VARIANTS).split("/")
    first = rng.choice(words.JA_FIRST).split("/")[0]
    return Fact(new + first, rng.choice(_JA_ROLES), old + first, japanese=True)


def ja_old_form(rng: Random) -> Fact:
    """A name in the old or variant form: value is the name in today's characters."""
    fact = ja_new_form(rng)
    return Fact(fact.value, fact.attribute, fact.answer, japanese=True)


def ja_repeated(rng: Random) -> Fact:
    """A name with the repetition mark."""
    plain_last, plain_first = (rng.choice(group).split("/")[0] for group in (words.JA_LAST, words.JA_FIRST))
    marked_last, marked_first = rng.choice(words.JA_REPEATED_LAST), rng.choice(words.JA_REPEATED_FIRST)
    name = rng.choice((marked_last + plain_first, plain_last + marked_first, marked_last + marked_first))
    return Fact(name, rng.choice(_JA_ROLES), japanese=True)


def hiragana(rng: Random) -> Fact:
    """A word in hiragana."""
    return Fact(rng.choice(words.HIRAGANA), "合言葉", japanese=True)


def katakana(rng: Random) -> Fact:
    """A word in katakana."""
    return Fact(rng.choice(words.KATAKANA), "合言葉", japanese=True)


def katakana_name(rng: Random) -> Fact:
    """A foreign name in katakana with a middle dot."""
    return Fact("・".join(rng.choice(group) for group in words.KATAKANA_NAMES), rng.choice(_JA_ROLES), japanese=True)


def ja_decomposed(rng: Random) -> Fact:
    """A katakana name whose voiced kana are stored as kana and mark."""
    fact = katakana_name(rng)
    return Fact(unicodedata.normalize("NFD", fact.answer), fact.attribute, japanese=True)


def long_mark(rng: Random) -> Fact:
    """A loan word, sometimes of two parts, that ends in the long mark."""
    return Fact(rng.choice(words.LONG_MARKS), "取扱品目", japanese=True)


def v_word(rng: Random) -> Fact:
    """A loan word with ヴ: value is its spelling with バ行."""
    with_v, with_b = rng.choice(words.V_WORDS).split("/")
    return Fact(with_v, "取扱品目", with_b, japanese=True)


def ja_place(rng: Random) -> Fact:
    """A place name with the small ヶ."""
    return Fact("ヶ".join(rng.choice(group) for group in words.JA_PLACES), "所在地", japanese=True)


def ja_title(rng: Random) -> Fact:
    """A title of the form A の B."""
    return Fact("の".join(rng.choice(group) for group in words.JA_TITLES), "愛読書", japanese=True)
