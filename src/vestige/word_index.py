"""Find many phrases in one text at once, whatever parts their words: space, hyphen, line break, or nothing.

Phrases and texts are words run together ("harlanquillane"), with the places where a word ends kept beside. A phrase is found
where its letters stand, begin where a word begins and end where one ends. Every phrase is filed under its first 1, 2, 3, 4, 6,
8, 12, ... letters, as many as it has, so a text costs a few look-ups a word, however many phrases there are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")
_LEVELS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


@dataclass(frozen=True, slots=True)
class Phrase(Generic[T]):
    """Words run together, where they end (the last one's end left out), and what the phrase stands for."""

    letters: str
    cuts: tuple[int, ...]
    what: T


@dataclass(frozen=True, slots=True)
class Hit(Generic[T]):
    """A phrase found: from which to which letter of the text run together, and the words' ends inside, from the phrase's start."""

    phrase: Phrase[T]
    start: int
    end: int
    cuts: tuple[int, ...]


class WordIndex(Generic[T]):
    """Phrases, filed by how they begin."""

    def __init__(self) -> None:
        self._filed: dict[str, list[Phrase[T]]] = {}

    def add(self, words: Sequence[str], what: T) -> None:
        """File a phrase of one word or more."""
        letters = "".join(words)
        phrase = Phrase(letters, tuple(accumulate(map(len, words)))[:-1], what)
        for level in _LEVELS:
            if level <= len(letters):
                filed = self._filed.setdefault(letters[:level], [])
        filed.append(phrase)

    def find(self, words: Sequence[str]) -> Iterator[Hit[T]]:
        """Yield every phrase that stands in the words, in order of where it starts."""
        filed, text = self._filed, "".join(words)
        ends = list(accumulate(map(len, words)))
        stops = set(ends)
        start = 0
        for i, end in enumerate(ends):
            for level in _LEVELS:
                begun = filed.get(text[start : start + level])
                if begun is None or start + level > len(text):
                    break
                for phrase in begun:
                    stop = start + len(phrase.letters)
                    if stop in stops and text.startswith(phrase.letters, start):
                        cuts = tuple(e - start for e in ends[i : bisect_left(ends, stop)])
                        yield Hit(phrase, start, stop, cuts)
            start = end
