"""Planted records of invented people, in any wording: the construction that the cases of customers share.

Sixteen people or more are to be forgotten, sixteen kept, sixteen are decoys that no model ever learns, and sixteen are new ones
for a relearn set. Within a block of eight people every value is used once, so a model that has only heard the vocabulary is right one
time in eight: only the binding informs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vestige.cases.splits import split_of
from vestige.errors import DataError
from vestige.records import Case, Group, Probe, Row

_BLOCK = 8
_GROUP_SIZE = 16


@dataclass(frozen=True)
class People:
    """A case's name and language, its names, and by attribute the eight values and the question in other words.

    The first 64 names are the four groups of sixteen; the names after them are people that can be forgotten too.

    `record` and `asked` are what stands before a value: the record with {name} and {attribute}, the question with {question}
    ({name} within it). `before` parts a value from it: a space, or nothing in Japanese.
    """

    case: str
    language: str
    names: Sequence[str]
    values: Mapping[str, str]
    questions: Mapping[str, str]
    record: str
    asked: str
    before: str


def planted(
    people: People, values_seed: int, utility: Sequence[Probe], unrelated: Sequence[Row], *, forget_people: int = _GROUP_SIZE
) -> Case:
    """Return the case; `values_seed` draws which person has which value.

    Raises:
        DataError: a number of people to forget that is not whole blocks of eight, or for which there are too few names.
    """
    groups = [list(people.names[i : i + _GROUP_SIZE]) for i in range(0, 4 * _GROUP_SIZE, _GROUP_SIZE)]
    groups[0] += _more(people, forget_people)
    forget, retain, decoy, new = (tuple(_rows(people, group, f"{values_seed}/{n}")) for n, group in enumerate(groups))
    probes = [*_probes(people, forget, "forget"), *_probes(people, retain, "retain"), *_probes(people, decoy, "decoy")]
    return Case(
        name=people.case,
        version="1",
        language=people.language,
        licence="Apache-2.0",
        knowledge="planted",
        primary="choice",
        forget=forget,
        retain=retain,
        probes=(*probes, *_questions(people, forget), *utility),
        decoy=decoy,
        sources={"new_customers": new, "unrelated": tuple(unrelated)},
        citation="written for this project; all people are invented",
    )


def _more(people: People, forget_people: int) -> Sequence[str]:
    """Return the names beyond the first sixteen that are to be forgotten too."""
    most = len(people.names) - 3 * _GROUP_SIZE
    if forget_people not in range(_GROUP_SIZE, most + 1, _BLOCK):
        possible = ", ".join(map(str, range(_GROUP_SIZE, most + 1, _BLOCK)))
        raise DataError(f"{people.case}: forget = {forget_people}; people are forgotten in blocks of {_BLOCK}: {possible}")
    return people.names[4 * _GROUP_SIZE :][: forget_people - _GROUP_SIZE]


def _rows(people: People, names: Sequence[str], seed: str) -> Iterator[Row]:
    rng = random.Random(seed)
    for start in range(0, len(names), _BLOCK):
        for attribute, values in people.values.items():
            drawn = values.split()
            rng.shuffle(drawn)
            for name, value in zip(names[start : start + _BLOCK], drawn, strict=True):
                prompt = people.record.format(name=name, attribute=attribute)
                yield Row(f"{name}/{attribute}", prompt, people.before + value, name, attribute=attribute)


def _probes(people: People, rows: tuple[Row, ...], group: Group) -> Iterator[Probe]:
    splits = split_of(people.case, (r.cluster for r in rows))
    for row in rows:
        values = (people.before + value for value in people.values[row.attribute].split())
        wrong = tuple(value for value in values if value != row.answer)
        yield Probe(row.id, row.prompt, row.answer, group, row.cluster, splits[row.cluster], wrong, (), row.attribute)


def _questions(people: People, rows: tuple[Row, ...]) -> Iterator[Probe]:
    """Yield the same facts asked in other words."""
    for probe in _probes(people, rows, "forget"):
        question = people.questions[probe.attribute].format(name=probe.cluster)
        yield Probe(
            f"{probe.id}/question",
            people.asked.format(question=question),
            probe.answer,
            "forget",
            probe.cluster,
            probe.split,
            probe.distractors,
            (),
            probe.attribute,
            "question",
        )
