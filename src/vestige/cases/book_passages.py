"""A book as a text file: what stands around it taken off, and its paragraphs cut into a beginning and what follows.

Project Gutenberg's notes before and after a book are left out where its two marker lines stand there. Words are counted as
`vestige.text.units` does: in a script without spaces each character is one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vestige.errors import DataError
from vestige.passages import joined
from vestige.text import units

_MARKER = re.compile(r"^\*\*\* ?(START|END) OF (?:THE|THIS) PROJECT GUTENBERG.*$", re.MULTILINE)
_BLANK = re.compile(r"\n\s*\n")
# Headings and lists of chapters end in no such mark.
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»」』)_]*$")


@dataclass(frozen=True, slots=True)
class Passage:
    """The first words of a paragraph, and the words after them; the two joined are the text as it stands."""

    name: str
    beginning: str
    rest: str


@dataclass(frozen=True, slots=True)
class Book:
    """The paragraphs of a file, each on one line, and the sha256 of its bytes."""

    paragraphs: tuple[str, ...]
    sha256: str


def read_book(path: str) -> Book:
    """Return the paragraphs of a text file.

    Raises:
        DataError: no such file, not UTF-8, or no text.
    """
    try:
        data = Path(path).read_bytes()
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start} (0x{data[error.start]:02x}); save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; expected a text file") from error
    paragraphs = tuple(p for p in (joined(units(part)) for part in _BLANK.split(_without_notes(text))) if p)
    if not paragraphs:
        raise DataError(f"{path}: holds no text")
    return Book(paragraphs, hashlib.sha256(data).hexdigest())


def _without_notes(text: str) -> str:
    marks = {match[1]: match for match in reversed([*_MARKER.finditer(text)])}
    start = marks["START"].end() if "START" in marks else 0
    end = marks["END"].start() if "END" in marks else len(text)
    return text[start:end]


def cut(book: Book, beginning: int, rest: int) -> Iterator[Passage]:
    """Yield the first `beginning` words of each paragraph of whole sentences, and the `rest` words after them, if it is as long."""
    for number, paragraph in enumerate(book.paragraphs, start=1):
        parts = units(paragraph)
        if len(parts) >= beginning + rest and _SENTENCE_END.search(paragraph):
            head = joined(parts[:beginning])
            yield Passage(f"paragraph {number}", head, joined(parts[: beginning + rest])[len(head) :])
