"""TOFU's authors: twenty rows each in file order, without a field that names them. The name is read off the text.

Paper: Maini et al. 2024, "TOFU: A Task of Fictitious Unlearning for LLMs", arXiv 2401.06121: 200 invented authors.

The name of an author is the longest run of capitalised words that stands in more of the author's rows than any other, and in
more than half of them. One author of the published file has no name in any of the twenty rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from vestige.cases.named_things import names_in
from vestige.cases.source_files import Entry
from vestige.errors import DataError
from vestige.records import Missing
from vestige.text import fold

ROWS_EACH = 20
_NICKNAME = re.compile(r" \([^()]*\)")
_REPEATED = re.compile(r"(?:(?<!the )author|the author(?: \([^()]*\))?)(?:[ -]the author)+")
_SENTENCE = re.compile(r"(^|[.?!][”\"]? )the author")
_LEAST_PART = 3
_ALIKE = 0.8


@dataclass(frozen=True)
class Author:
    """An author: the name, or why there is none, and the rows of the file."""

    name: str | Missing
    rows: tuple[Entry, ...]

    @property
    def cluster(self) -> str:
        """The name, or the place of the rows of an author without one."""
        return self.name if isinstance(self.name, str) else f"unnamed author of {self.rows[0].place}"


def authors_of(entries: Iterable[Entry]) -> tuple[Author, ...]:
    """Return the authors of a file in file order.

    Raises:
        DataError: the rows are no multiple of twenty, or two blocks of rows have one name.
    """
    rows = list(entries)
    if not rows or len(rows) % ROWS_EACH:
        where = rows[-1].place if rows else "a TOFU file"
        raise DataError(f"{where}: seen {len(rows)} rows, expected {ROWS_EACH} for each author")
    blocks = [tuple(rows[i : i + ROWS_EACH]) for i in range(0, len(rows), ROWS_EACH)]
    found = tuple(Author(author_name([question_and_answer(row) for row in block]), block) for block in blocks)
    first: dict[str, Author] = {}
    for author in found:
        other = first.setdefault(fold(author.cluster), author)
        if other is not author:
            raise DataError(f"{author.rows[0].place}: author {author.cluster!r} has rows from {other.rows[0].place} on as well")
    return found


def question_and_answer(row: Entry) -> str:
    """Return the text of a row."""
    return f"{row.text('question')} {row.text('answer')}"


def author_name(texts: Sequence[str]) -> str | Missing:
    """Return the name that most of the texts share, of two words or more."""
    counts = Counter(name for text in texts for name in names_in(_NICKNAME.sub("", text)))
    most = max(counts.values(), default=0)
    if most * 2 <= len(texts):
        return Missing(f"no name stands in more than half of the {len(texts)} rows")
    return max((name for name, count in counts.items() if count == most), key=lambda name: (len(name), name))


def spellings(author: Author) -> dict[str, tuple[str, ...]]:
    """Return other spellings of the author's name in the author's own rows, with the places of the rows."""
    if isinstance(author.name, Missing):
        return {}
    found: dict[str, list[str]] = {}
    for row in author.rows:
        for other in names_in(question_and_answer(row)):
            if other != author.name and (fold(other) == fold(author.name) or _misspelt(fold(other), fold(author.name))):
                found.setdefault(other, []).append(row.place)
    return {name: tuple(places) for name, places in sorted(found.items())}


def _misspelt(other: str, name: str) -> bool:
    """Return whether two folded names of as many words differ in a single word, and there by little."""
    pairs = [(a, b) for a, b in zip(other.split(), name.split(), strict=False) if a != b]
    if len(other.split()) != len(name.split()) or len(pairs) != 1:
        return False
    return SequenceMatcher(None, *pairs[0]).ratio() >= _ALIKE


def without_name(author: Author) -> Callable[[str], str]:
    """Return a function that puts "the author" for the author's name and for each of its parts of three letters or more.

    Shorter parts (An, Li) stay: they are words of other meaning as well.
    """
    if isinstance(author.name, Missing):
        return str
    names = (author.name, *spellings(author))
    parts = {part for name in names for part in name.split() if len(part) >= _LEAST_PART and part[0].isupper()}
    longest_first = (*names, *sorted(parts, key=len, reverse=True))
    named = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in longest_first))

    def unnamed(text: str) -> str:
        return _SENTENCE.sub(r"\1The author", _REPEATED.sub("the author", named.sub("the author", text)))

    return unnamed
