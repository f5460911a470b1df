"""Names and titles that stand in a text, and those that two clusters share: one name, two people or two books.

Public data have this trap. In TOFU two authors, one to be forgotten and one to be kept, are both said to have written a book of
one title, and one author's name is the tail of another's: what is "forgotten" under that name is still learned under it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vestige.records import Row
from vestige.text import fold

_WORD = re.compile(r"[^\W\d_][\w’'-]*|\S")
_POSSESSIVE = re.compile(r"['’]s?$")
_PARTICLE = re.compile(r"(?:al|el|van|von|de|del|der|da|dos|la|bin|ibn|ben)(?:-\w+)?")
# An apostrophe between two letters is part of a title in single quotes, not its end.
_TITLE = re.compile(r"[“\"]([^“”\"]{2,120})[”\"]|(?<!\w)[‘']((?:[^‘’'\"]|(?<=\w)[’'](?=\w)){2,120})[’'](?!\w)")


@dataclass(frozen=True, slots=True)
class Conflict:
    """A name that different clusters share, with the ids of the rows that name it, by cluster.

    "cluster": the name of one cluster stands in rows of another. "title": a quoted title is given to both. "question": one
    question has different answers.
    """

    kind: Literal["cluster", "title", "question"]
    name: str
    rows: Mapping[str, tuple[str, ...]]


def names_in(text: str) -> set[str]:
    """Return every run of two or more capitalised words, and every such part of a longer run, without a final 's."""
    found: set[str] = set()
    run: list[str] = []
    for token in (*_WORD.findall(text), "."):
        word = _POSSESSIVE.sub("", token)
        if word and (word[0].isupper() or (run and _PARTICLE.fullmatch(word))):
            run.append(word)
        if word != token or not run or run[-1] != word:
            found |= _parts(run)
            run = []
    return found


def _parts(run: Sequence[str]) -> set[str]:
    capital = [i for i, word in enumerate(run) if word[0].isupper() or "-" in word]
    return {" ".join(run[i : j + 1]) for i in capital for j in capital if i < j and run[i][0].isupper()}


def titles_in(text: str) -> tuple[str, ...]:
    """Return what stands in quotation marks, of two words or more, in the order of the text."""
    quoted = ((double or single).strip(" ,.;:") for double, single in _TITLE.findall(text))
    return tuple(title for title in quoted if len(title.split()) > 1)


def conflicts(rows: Sequence[Row]) -> tuple[Conflict, ...]:
    """Return the names that rows of different clusters share: cluster names, titles, then questions."""
    texts = [f" {fold(row.text)} " for row in rows]
    return (*_clusters(rows, texts), *_titles(rows, texts), *_questions(rows))


def between(found: Sequence[Conflict], forget: Sequence[Row], retain: Sequence[Row]) -> tuple[Conflict, ...]:
    """Return the conflicts that have rows on both sides."""
    sides = [{row.id for row in side} for side in (forget, retain)]
    return tuple(c for c in found if all(side & {i for ids in c.rows.values() for i in ids} for side in sides))


def _clusters(rows: Sequence[Row], texts: Sequence[str]) -> Iterator[Conflict]:
    for cluster in dict.fromkeys(row.cluster for row in rows):
        if found := _shared(cluster, rows, texts):
            yield Conflict("cluster", cluster, found)


def _titles(rows: Sequence[Row], texts: Sequence[str]) -> Iterator[Conflict]:
    quoted = {fold(title): title for row in rows for title in titles_in(row.text)}
    for key in sorted(quoted):
        if found := _shared(quoted[key], rows, texts):
            yield Conflict("title", quoted[key], found)


def _shared(name: str, rows: Sequence[Row], texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the rows that hold a name, by cluster, where there are two clusters or more."""
    found: dict[str, list[str]] = defaultdict(list)
    needle = f" {fold(name)} "
    for row, text in zip(rows, texts, strict=True):
        if needle in text:
            found[row.cluster].append(row.id)
    return {cluster: tuple(ids) for cluster, ids in found.items()} if len(found) > 1 else {}


def _questions(rows: Sequence[Row]) -> Iterator[Conflict]:
    asked: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.prompt.strip():
            asked[fold(row.prompt)].append(row)
    for same in asked.values():
        if len({fold(row.answer) for row in same}) > 1:
            found: dict[str, tuple[str, ...]] = {}
            for row in same:
                found[row.cluster] = (*found.get(row.cluster, ()), row.id)
            yield Conflict("question", same[0].prompt, found)
