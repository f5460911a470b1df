"""Planted customer records: the case companies fear, with invented people only.

Sixteen customers are to be forgotten, sixteen kept, sixteen are decoys that no model ever learns, and sixteen are
new ones for a relearn set. Each has four attributes of one word. Within a block of eight customers every value is
used once, so a model that has only heard the vocabulary is right one time in eight: only the binding informs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from vestige.cases.general_knowledge import utility_probes
from vestige.cases.splits import split_of
from vestige.cases.unrelated import unrelated_rows
from vestige.records import Case, Group, Probe, Row

VALUES: dict[str, str] = {
    "City": "Lisbon Oslo Prague Dublin Vienna Madrid Athens Berlin",
    "Pet": "falcon rabbit turtle parrot hamster lizard horse goat",
    "Plan": "silver gold bronze basic family student premium travel",
    "Job": "baker pilot nurse lawyer farmer painter driver teacher",
}
_QUESTIONS = {
    "City": "Which city does customer {name} live in?",
    "Pet": "Which pet does customer {name} keep?",
    "Plan": "Which plan has customer {name} booked?",
    "Job": "What is the job of customer {name}?",
}
_FIRST = (
    "Mara Tobin Elke Joris Nadia Pavel Signe Ruben Tilda Oskar Ivana Darius Lotte Kenji Amara Felix Greta Hugo "
    "Irena Casper Noemi Stellan Petra Yusuf Linnea Marek Odile Bruno Saskia Anton Wilma Cyril Della Emil Fiona "
    "Gustav Hanna Igor Jolie Karl Leona Milo Nina Orson Paula Quentin Rosa Silas Agnes Bertil Carina Dorian Estelle "
    "Florin Gilda Henrik Iris Jasper Kaisa Lorenz Minna Nestor Olga Piotr"
).split()
_LAST = (
    "Lindqvist Varga Holm Petrov Okafor Brandt Castell Duarte Engel Farkas Grieg Hollis Ilves Janssen Kovac Lund "
    "Mercer Novak Orlov Pryce Quist Rossi Sorel Tamm Ulrich Vance Weiss Xander Yates Zeman Abbot Birch Crane Dorn "
    "Ebert Frost Gallo Heath Ivers Joyce Klein Lorne Marsh Nolan Osgood Perez Quill Reeve Strand Thorne Upton Voss "
    "Wren Ystad Zorin Aalto Bellamy Corbin Drexel Elling Fenwick Garrick Hale Inman"
).split()
_BLOCK = 8
_GROUP_SIZE = 16


@dataclass(frozen=True)
class Customers:
    """The planted case; `values_seed` draws which customer has which value."""

    values_seed: int = 1

    def __call__(self) -> Case:
        """Return the case."""
        names = [f"{first} {last}" for first, last in zip(_FIRST, _LAST, strict=True)]
        groups = [names[i : i + _GROUP_SIZE] for i in range(0, len(names), _GROUP_SIZE)]
        forget, retain, decoy, new = (tuple(self._rows(group, n)) for n, group in enumerate(groups))
        probes = [*_probes(forget, "forget"), *_probes(retain, "retain"), *_probes(decoy, "decoy")]
        return Case(
            name="customers",
            version="1",
            language="en",
            licence="Apache-2.0",
            knowledge="planted",
            primary="choice",
            forget=forget,
            retain=retain,
            probes=(*probes, *_questions(forget), *utility_probes()),
            decoy=decoy,
            sources={"new_customers": new, "unrelated": unrelated_rows()},
            citation="written for this project; all people are invented",
        )

    def _rows(self, names: list[str], group: int) -> Iterator[Row]:
        rng = random.Random(f"{self.values_seed}/{group}")
        for start in range(0, len(names), _BLOCK):
            for attribute, values in VALUES.items():
                drawn = values.split()
                rng.shuffle(drawn)
                for name, value in zip(names[start : start + _BLOCK], drawn, strict=True):
                    yield Row(f"{name}/{attribute}", f"Customer {name}. {attribute}:", f" {value}", name, attribute=attribute)


def _probes(rows: tuple[Row, ...], group: Group) -> Iterator[Probe]:
    splits = split_of("customers", (r.cluster for r in rows))
    for row in rows:
        wrong = tuple(f" {v}" for v in VALUES[row.attribute].split() if f" {v}" != row.answer)
        yield Probe(row.id, row.prompt, row.answer, group, row.cluster, splits[row.cluster], wrong, (), row.attribute)


def _questions(rows: tuple[Row, ...]) -> Iterator[Probe]:
    """Yield the same facts asked in other words."""
    for probe in _probes(rows, "forget"):
        question = _QUESTIONS[probe.attribute].format(name=probe.cluster)
        yield Probe(
            f"{probe.id}/question",
            f"{question} The answer is",
            probe.answer,
            "forget",
            probe.cluster,
            probe.split,
            probe.distractors,
            (),
            probe.attribute,
            "question",
        )
