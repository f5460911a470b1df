"""What is to be forgotten, held against every other row: a row that states it, repeats it or names whom it is about.

A row is *nearly the same* as one to be forgotten where it holds four fifths of that row's word triples. Each row to be
forgotten is found by its eight triples of the smallest crc32 (a bottom-k sketch: Broder 1997, "On the resemblance and
containment of documents"), of which half must be there, and then compared in full. Triples of more than a hundred rows are
a template and find nothing. The same wording about somebody else is a twin, not a copy: where a row to be forgotten
names its own cluster, a copy does so too.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from vestige.cases.folder_namesakes import Namesakes
from vestige.cases.folder_rows import Entry
from vestige.cases.folder_text import Found, Problem, shown
from vestige.records import Group, Probe, Row
from vestige.text import normalise, words

_MOST_CHARACTERS = 20_000_000
_SKETCH = 8
_TEMPLATE = 100
_COMPARED = 20
_SAME = 0.8
_LEAST_TRIPLES = 4
_ASCII_WORD = re.compile(r"[a-z0-9]+")


class _Held(NamedTuple):
    """A row to be forgotten."""

    place: str
    cluster: str
    split: list[str]
    names_itself: bool


class Secrets:
    """Answers by cluster, cluster names, and sketches of the rows to be forgotten.

    `watched`: there are other rows to hold against them; otherwise nothing is kept.
    """

    def __init__(self, *, watched: bool) -> None:
        self._watched = watched
        self._left = _MOST_CHARACTERS
        self._passed_over = 0
        self._answers: dict[str, dict[str, str]] = defaultdict(dict)  # cluster → padded answer → the answer as written
        self._named: dict[str, str] = {}  # words of a cluster's name → cluster
        self._written: dict[str, str] = {}  # cluster → as it is written
        self._lengths: set[int] = set()  # of those names, in words
        self._sketches: dict[int, list[int]] = defaultdict(list)  # crc32 of a triple → rows
        self._rows: list[_Held] = []
        self._namesakes = Namesakes()

    def learn(self, e: Entry[Row] | Entry[Probe]) -> None:
        """Take in a row to be forgotten, or a question about one."""
        if not self._watched:
            return
        size = len(e.made.prompt) + len(e.made.answer)
        if size > self._left:
            self._passed_over += 1
            return
        self._left -= size
        cluster, name = normalise(e.made.cluster), _words(e.made.cluster)
        self._written.setdefault(cluster, e.made.cluster)
        aliases = e.made.aliases if isinstance(e.made, Probe) else ()
        self._answers[cluster] |= {_padded(a): a for a in (e.made.answer, *aliases) if _words(a)}
        if name:
            self._named[" ".join(name)] = cluster
            self._lengths.add(len(name))
        self._namesakes.learn(e)
        if isinstance(e.made, Row):
            split = _words(e.made.text)
            for triple in sorted(_triples(split))[:_SKETCH]:
                self._sketches[triple].append(len(self._rows))
            self._rows.append(_Held(e.at.place, cluster, split, bool(name) and _join(name) in _join(split)))

    def passed_over(self, file: str) -> Iterator[Problem]:
        """Yield a doubt where there were more rows to be forgotten than can be held against the others here."""
        if self._passed_over:
            seen = f"{self._passed_over:,} rows after the first {_MOST_CHARACTERS:,} characters"
            says = (f"the other files were not held against {seen}", "split the case; the leak check of a run looks at all of them")
            yield Problem("not checked", file, 0, "", "", *says)

    def hold_against(self, e: Entry[Row], group: Group | None, found: Found) -> None:
        """Note what a row that is not to be forgotten tells about those that are; `group` is None for a source."""
        split = _words(e.made.text)
        named, own = self._names_in(split), normalise(e.made.cluster)
        if group is None and (told := list(self._told(e, _join(split), named | {own}))):
            found.add_all(told)
            return
        self._copied(e, split, named | {own}, found, is_source=group is None)
        if group and (namesake := self._namesakes.held_against(e)):
            found.warn(namesake)
        if group and (others := sorted(named - {own})):
            says = (
                f"it names {shown(self._written[others[0]])}, which is to be forgotten",
                "make sure that it keeps nothing that is to go",
            )
            found.warn(e.at.problem("names the forgotten", "cluster", e.made.cluster, says))

    def _names_in(self, split: list[str]) -> set[str]:
        """Return the clusters whose whole name stands in a text."""
        runs = (" ".join(split[i : i + n]) for n in self._lengths for i in range(len(split) - n + 1))
        return {self._named[run] for run in runs if run in self._named}

    def _told(self, e: Entry[Row], text: str, about: set[str]) -> Iterator[Problem]:
        """A source that states a forgotten answer about its own cluster would teach it, not bring it back."""
        for cluster in sorted(about & self._answers.keys()):
            for answer in (a for padded, a in self._answers[cluster].items() if padded in text):
                says = (f"it states {shown(answer)} about {shown(self._written[cluster])}, which is to be forgotten", "remove the row")
                yield e.at.problem("source tells", "answer", e.made.answer, says)

    def _copied(self, e: Entry[Row], split: list[str], about: set[str], found: Found, *, is_source: bool) -> None:
        """Note a near copy: a problem in a source that holds the answer too, otherwise a doubt."""
        for held, share in self._near(split):
            if held.names_itself and held.cluster not in about:
                continue
            says = (f"it is nearly the same as {held.place} ({share:.0%} of its word triples)", "remove one of the two")
            problem = e.at.problem("near copy", "answer", e.made.answer, says)
            tells = any(padded in _join(split) for padded in self._answers[held.cluster])
            (found.add if is_source and tells else found.warn)(problem)
            return

    def _near(self, split: list[str]) -> Iterator[tuple[_Held, float]]:
        """Yield the rows to be forgotten that are nearly contained in this one, and how much of them is."""
        triples = _triples(split)
        lists = (self._sketches.get(triple, ()) for triple in triples)
        hits = Counter(row for rows in lists if len(rows) <= _TEMPLATE for row in rows)
        for row, hit in hits.most_common(_COMPARED):
            held = self._rows[row]
            its = _triples(held.split)
            if len(its) >= _LEAST_TRIPLES and hit >= self._needed(its):
                share = len(its & triples) / len(its)
                if share >= _SAME:
                    yield held, share

    def _needed(self, triples: set[int]) -> float:
        """Return half the number of a row's sketch triples that are no template."""
        return sum(1 for t in sorted(triples)[:_SKETCH] if len(self._sketches[t]) <= _TEMPLATE) / 2


def _words(text: str) -> list[str]:
    """Return `words(text)`, for plain ASCII thirty times as fast: every row of a case passes here."""
    plain = normalise(text)
    return _ASCII_WORD.findall(plain) if plain.isascii() and plain.isprintable() else words(text)


def _triples(split: list[str]) -> set[int]:
    return {zlib.crc32(" ".join(split[i : i + 3]).encode()) for i in range(len(split) - 2)}


def _join(split: list[str]) -> str:
    return f" {' '.join(split)} "


def _padded(text: str) -> str:
    return _join(_words(text))
