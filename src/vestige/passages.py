"""Text cut up: into the units that may change places, and into passages of whole sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from vestige.text import is_unspaced, units

_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n\s*\n")


def joined(parts: list[str]) -> str:
    """Return parts as one text, with a space where two words of spaced scripts meet."""
    text: list[str] = []
    for part in parts:
        if text and not is_unspaced(text[-1][-1]) and not is_unspaced(part[0]):
            text.append(" ")
        text.append(part)
    return "".join(text)


def passages(text: str, count: Callable[[str], int], most: int) -> Iterator[str]:
    """Yield runs of whole sentences of about `most` tokens at most; a longer sentence is cut between words."""
    held: list[str] = []
    spent = 0
    for piece in _pieces(text, count, most):
        size = count(piece)
        if held and spent + size > most:
            yield joined(held)
            held, spent = [], 0
        held.append(piece)
        spent += size
    if held:
        yield joined(held)


def _pieces(text: str, count: Callable[[str], int], most: int) -> Iterator[str]:
    for sentence in _END.split(text):
        parts = units(sentence)
        whole = joined(parts)
        step = -(-len(parts) // max(-(-count(whole) // most), 1)) if parts else 1
        yield from (joined(parts[i : i + step]) for i in range(0, len(parts), step))
