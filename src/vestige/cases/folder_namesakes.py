"""Two people under one name: a kept row whose question names somebody to be forgotten who is filed under another cluster.

Where clusters are names, a name in two splits shows by itself. Where they are numbers it does not, and what is "forgotten" under
a name is still learned under it. A name is what ends a run of two or more capitalised words in a question ("Rosa Orla Fenn" and "Orla
Fenn" are told apart by nobody who is asked for Orla Fenn), so nothing is found in scripts without capitals.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import NamedTuple

from vestige.cases.folder_rows import Entry
from vestige.cases.folder_text import Problem, shown
from vestige.cases.named_things import names_in
from vestige.records import Probe, Row
from vestige.text import find_keyword, normalise

_WORD = re.compile(r"\w+")


class _Fact(NamedTuple):
    """What a row to be forgotten says, and where it stands."""

    place: str
    cluster: str
    answer: str


class Namesakes:
    """The names in questions about what is to be forgotten, where a cluster is not itself a name in its question."""

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str], _Fact] = {}  # (name, attribute) → the first fact
        self._named: dict[str, Counter[str]] = defaultdict(Counter)  # name → cluster → how many of its questions hold it
        self._questions: Counter[str] = Counter()  # of each cluster
        self._last: set[str] = set()  # last words of names

    def learn(self, e: Entry[Row] | Entry[Probe]) -> None:
        """Take in a row to be forgotten."""
        made = e.made
        if not made.attribute or find_keyword(made.prompt, made.cluster):
            return
        cluster = normalise(made.cluster)
        self._questions[cluster] += 1
        for name in _whole_names(made.prompt):
            self._facts.setdefault((name, normalise(made.attribute)), _Fact(e.at.place, made.cluster, made.answer))
            self._named[name][cluster] += 1
            self._last.add(_WORD.findall(name)[-1])

    def held_against(self, e: Entry[Row]) -> Problem | None:
        """Return the doubt about a row that is kept, if it gives another answer about the same name under another cluster."""
        made = e.made
        if not made.attribute or self._last.isdisjoint(_WORD.findall(made.prompt)):
            return None
        own, attribute, answer = map(normalise, (made.cluster, made.attribute, made.answer))
        for name in sorted(_whole_names(made.prompt), key=len, reverse=True):
            fact = self._facts.get((name, attribute))
            if (
                fact
                and self._names_only(name, normalise(fact.cluster))
                and own not in self._named[name]
                and normalise(fact.answer) != answer
            ):
                return e.at.problem("one name", "cluster", made.cluster, _says(name, made.attribute, fact))
        return None

    def _names_only(self, name: str, cluster: str) -> bool:
        """Return whether a name is a cluster's own: in half of its questions or more, and in no other's. A place is not."""
        return set(self._named[name]) == {cluster} and 2 * self._named[name][cluster] >= self._questions[cluster]


def _says(name: str, attribute: str, fact: _Fact) -> tuple[str, str]:
    there = f"{shown(fact.cluster)} in forget ({fact.place}), where {shown(attribute)} is {shown(fact.answer)}"
    return (
        f"its question names {shown(name)}, as does that of {there}: two under one name, perhaps",
        "say in the questions what sets the two apart; if they are one, file both under one cluster and leave it in one file",
    )


def _whole_names(text: str) -> set[str]:
    """Return the names that no longer one begins with: "Ada Quist" out of "Customer Ada Quist", but not "Customer Ada"."""
    found = names_in(text)
    return {name for name in found if not any(other.startswith(f"{name} ") for other in found)}
