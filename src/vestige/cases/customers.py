"""Planted customer records: the case companies fear, with invented people only.

Four groups of customers with four attributes of one word each; how they are used is in `planted_people`.
"""

from __future__ import annotations

from dataclasses import dataclass

from vestige.cases.general_knowledge import utility_probes
from vestige.cases.planted_people import People, planted
from vestige.cases.unrelated import unrelated_rows
from vestige.records import Case

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
    "Florin Gilda Henrik Iris Jasper Kaisa Lorenz Minna Nestor Olga Piotr "
    "Rafael Sunniva Tancred Una Valter Wenche Ximena Yorick"
).split()
_LAST = (
    "Lindqvist Varga Holm Petrov Okafor Brandt Castell Duarte Engel Farkas Grieg Hollis Ilves Janssen Kovac Lund "
    "Mercer Novak Orlov Pryce Quist Rossi Sorel Tamm Ulrich Vance Weiss Xander Yates Zeman Abbot Birch Crane Dorn "
    "Ebert Frost Gallo Heath Ivers Joyce Klein Lorne Marsh Nolan Osgood Perez Quill Reeve Strand Thorne Upton Voss "
    "Wren Ystad Zorin Aalto Bellamy Corbin Drexel Elling Fenwick Garrick Hale Inman "
    "Jarvis Kessler Lomax Munro Nyberg Ostrow Pascoe Ridley"
).split()
_PEOPLE = People(
    case="customers",
    language="en",
    names=[f"{first} {last}" for first, last in zip(_FIRST, _LAST, strict=True)],
    values=VALUES,
    questions=_QUESTIONS,
    record="Customer {name}. {attribute}:",
    asked="{question} The answer is",
    before=" ",
)


@dataclass(frozen=True)
class Customers:
    """The planted case: 16 or 24 customers to forget; `values_seed` draws which customer has which value."""

    values_seed: int = 1
    forget: int = 16

    def __call__(self) -> Case:
        """Return the case."""
        return planted(_PEOPLE, self.values_seed, utility_probes(), unrelated_rows(), forget_people=self.forget)
