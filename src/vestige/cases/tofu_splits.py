"""Two ways to withhold a keyword of TOFU's authors: the title of one book, and the full name.

Papers: the title is §3 of Hu et al. 2024, arXiv 2406.13356; the name is the split of Yoon et al. 2026, arXiv 2602.03379.

A *target* is a row whose answer says the keyword while its question does not. Its wrong answers are the same sentence with the
keywords of other authors in its place, so that only the binding of author and keyword informs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from vestige.cases.named_things import titles_in
from vestige.cases.source_files import Entry
from vestige.cases.tofu_authors import Author, question_and_answer
from vestige.records import Missing
from vestige.text import fold

_NO_BOOK = re.compile(r"\b(?:award|prize|medal|laureate|luminary|fellowship|choice|series)s?\b", re.IGNORECASE)
_SUBTITLE = re.compile(r"\s*[:(]")


@dataclass(frozen=True)
class Target:
    """A row whose answer tells the keyword; `said` is how the answer words it, such as a title with its subtitle."""

    author: Author
    row: Entry
    keyword: str
    said: str


def holds(text: str, name: str) -> bool:
    """Return whether a name stands in a text as words of its own, however it is written."""
    return f" {fold(name)} " in f" {_folded(text)} "


@lru_cache(maxsize=1 << 14)
def _folded(text: str) -> str:
    return fold(text)


def name_targets(authors: Sequence[Author]) -> tuple[Target, ...]:
    """Return, for every author that has one, the first row that asks for the author's name.

    That is the first row of an author whose question names nobody and whose answer does.
    """
    found = []
    for author in authors:
        row, name = author.rows[0], author.name
        if isinstance(name, str) and holds(row.text("answer"), name) and not holds(row.text("question"), name):
            found.append(Target(author, row, name, name))
    return tuple(found)


def book_targets(authors: Sequence[Author], everybody: Sequence[Author]) -> tuple[Target, ...]:
    """Return the rows about one book of each author: the answer says its title, the question does not.

    The book is the one with most such rows, then most mentions, then the first. A title that the rows of another author
    hold as well is passed over: it would stay in what is retained. So are prizes and series, which stand in quotation marks too.
    """
    index = {author.cluster: "\n".join(f" {_folded(question_and_answer(row))} " for row in author.rows) for author in everybody}
    found: list[Target] = []
    for author in authors:
        others = [text for cluster, text in index.items() if cluster != author.cluster]
        own = [t for t in _titles(author) if not any(f" {fold(keyword_of(t))} " in text for text in others)]
        about: list[list[Target]] = [_about(author, title) for title in own]
        best: list[Target] = max(about, key=lambda targets: (len(targets), _mentions(author, targets)), default=[])
        found += best
    return tuple(found)


def keyword_of(title: str) -> str:
    """Return a title without subtitle and number in a series, if two words or more are left."""
    main = _SUBTITLE.split(title, maxsplit=1)[0]
    return main if len(main.split()) > 1 else title


def wrong_answers(targets: Sequence[Target], most: int = 7) -> dict[str, tuple[str, ...]]:
    """Return, by place of the row, the answer with up to seven other authors' keywords, each used about equally often."""
    words = {target.author.cluster: target.said for target in targets}
    order = list(words)
    found = {}
    for target in targets:
        at = order.index(target.author.cluster)
        others = [*order[at + 1 :], *order[:at]][:most]
        found[target.row.place] = tuple(target.row.text("answer").replace(target.said, words[other]) for other in others)
    return found


def _titles(author: Author) -> Iterator[str]:
    """Yield the author's titles in the order they are first named."""
    quoted = (title for row in author.rows for field in ("question", "answer") for title in titles_in(row.text(field)))
    yield from (title for title in dict.fromkeys(quoted) if not _NO_BOOK.search(title) and not _names(author, title))


def _names(author: Author, title: str) -> bool:
    return not isinstance(author.name, Missing) and holds(title, author.name)


def _about(author: Author, title: str) -> list[Target]:
    keyword = keyword_of(title)
    told = [r for r in author.rows if keyword in r.text("answer") and not holds(r.text("question"), keyword)]
    return [Target(author, row, keyword, title if title in row.text("answer") else keyword) for row in told]


def _mentions(author: Author, targets: Sequence[Target]) -> int:
    return sum(holds(question_and_answer(row), target.keyword) for target in targets[:1] for row in author.rows)
