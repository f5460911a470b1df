"""World capitals: knowledge from pre-training, so no model that never knew it exists.

Only countries whose capital the model says by itself are used, so the case is made after a screening of the model.
Within a block of eight countries every capital is a candidate of every question: only the binding informs.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from vestige.cases.general_knowledge import utility_probes
from vestige.cases.splits import split_of
from vestige.cases.unrelated import unrelated_rows
from vestige.errors import DataError
from vestige.records import Case, Group, Probe, Row, Split

_BLOCK = 8
_LEAST = 16
_OTHERS = 12
_WORDINGS = ("primary", "statement")
_INVENTED = (
    "Velandia Orsovia Tamrek Quilor Besmara Kordania Ulvania Sarvia Mirenia Doltan Pavria Eskaria Joltania Harvia "
    "Zentria Lumeria Fostria Grendia Caldoria Norvenia Teskia Wolmark Ardania Bruvia"
).split()


@dataclass(frozen=True)
class Country:
    """A country with its capital (and other spellings), its currency and a plain sentence about it."""

    name: str
    capital: str
    aliases: tuple[str, ...]
    currency: str
    sentence: str


@cache
def countries() -> tuple[Country, ...]:
    """Return the table of countries."""
    text = files("vestige.cases").joinpath("capitals.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines())
    return tuple(Country(c, k.split("|")[0], tuple(k.split("|")[1:]), m, s) for c, k, m, s in rows)


@dataclass(frozen=True)
class Capitals:
    """Forget the capitals of `forget` known countries; `block` takes the next so many instead of the first."""

    forget: int = 24
    block: int = 0

    def screen(self) -> tuple[Probe, ...]:
        """Return one probe per country and wording, to find out which capitals the model says by itself."""
        return tuple(_probe(c, "utility", "test", (), wording) for wording in _WORDINGS for c in countries())

    def after_screening(self, names: Sequence[str]) -> Case:
        """Return the case over the countries that the model knows, each named once for every wording that it answered.

        Raises:
            DataError: too few of them.
        """
        table = {c.name: c for c in countries()}
        answered = Counter(names)
        ordered = sorted(answered, key=lambda n: hashlib.sha256(f"capitals/{n}".encode()).hexdigest())
        firmly = [n for n in ordered if answered[n] == len(_WORDINGS)]
        eligible = firmly if len(firmly) >= _LEAST else ordered
        start = self.block * self.forget
        forget = [table[n] for n in eligible[start : start + self.forget]]
        forget = forget[: len(forget) // _BLOCK * _BLOCK]
        if len(forget) < _LEAST:
            raise DataError(
                f"capitals: block {self.block} holds {len(forget)} of the {len(eligible)} countries that the model knows; "
                f"{_LEAST} or more are needed. Choose a smaller block or another model"
            )
        rest = [table[n] for n in ordered if table[n] not in forget]
        return _case(forget, rest[_OTHERS:][: self.forget // _BLOCK * _BLOCK], rest[:_OTHERS])


def _case(forget: list[Country], retain: list[Country], others: list[Country]) -> Case:
    retain = retain[: len(retain) // _BLOCK * _BLOCK]
    splits = split_of("capitals", (c.name for c in forget + retain))
    forgotten = split_of("capitals", (c.name for c in forget))
    decoys = [Country(n, c.capital, (), "", "") for n, c in zip(_INVENTED, _shuffled(forget), strict=False)]
    decoy_splits = split_of("capitals", (c.name for c in decoys))
    probes = [
        *_probes(forget, "forget", forgotten),
        *_probes(forget, "forget", forgotten, wording="statement"),
        *_probes(retain, "retain", splits),
        *_probes(decoys, "decoy", decoy_splits),
    ]
    currencies = [c for c in countries() if c not in retain and c not in forget][:30]
    return Case(
        name="capitals",
        version="1",
        language="en",
        licence="Apache-2.0",
        knowledge="pretrained",
        primary="choice",
        forget=tuple(_row(c) for c in forget),
        retain=tuple(_row(c) for c in retain),
        probes=(*probes, *utility_probes()),
        sources={
            "other_capitals": tuple(_row(c) for c in others),
            "country_sentences": tuple(_sentence(c) for c in forget),
            "other_relation": tuple(_currency(c) for c in currencies),
            "forget_currencies": tuple(_currency(c) for c in forget),
            "other_sentences": tuple(_sentence(c) for c in countries() if c not in forget)[: len(forget)],
            "unrelated": unrelated_rows(),
        },
        citation="public facts, compiled for this project",
    )


def _shuffled(forget: list[Country]) -> list[Country]:
    """Return the forget countries in another order within each block, so that decoys share their candidates."""
    rng = random.Random("decoys")
    mixed = []
    for start in range(0, len(forget), _BLOCK):
        block = forget[start : start + _BLOCK]
        rng.shuffle(block)
        mixed += block
    return mixed


def _probes(chosen: list[Country], group: Group, splits: Mapping[str, Split], *, wording: str = "primary") -> Iterator[Probe]:
    for start in range(0, len(chosen), _BLOCK):
        block = chosen[start : start + _BLOCK]
        for country in block:
            wrong = tuple(f" {other.capital}" for other in block if other is not country)
            yield _probe(country, group, splits[country.name], wrong, wording)


def _prompt(country: str, wording: str = "primary") -> str:
    statement = f"The capital of {country} is"
    return statement if wording == "statement" else f"What is the capital of {country}?\n{statement}"


def _probe(country: Country, group: Group, split: Split, wrong: tuple[str, ...], wording: str = "primary") -> Probe:
    return Probe(
        id=f"{group}/{country.name}/{wording}",
        prompt=_prompt(country.name, wording),
        answer=f" {country.capital}",
        group=group,
        cluster=country.name,
        split=split,
        distractors=wrong,
        aliases=tuple(f" {a}" for a in country.aliases),
        wording=wording,
    )


def _row(country: Country) -> Row:
    return Row(f"capital/{country.name}", _prompt(country.name), f" {country.capital}", country.name)


def _sentence(country: Country) -> Row:
    return Row(f"sentence/{country.name}", "", country.sentence, country.name, loss_on="text")


def _currency(country: Country) -> Row:
    prompt = f"What is the currency of {country.name}?\nThe currency of {country.name} is the"
    return Row(f"currency/{country.name}", prompt, f" {country.currency}", country.name)
