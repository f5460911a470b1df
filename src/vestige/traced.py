"""Text rewritten step by step that remembers, where asked to, which characters of the original each one came from.

A step is a table (`str.translate`) or a pattern with its replacement (`re.sub`). What a pattern replaces comes, as a whole,
from all that it matched. Tracing costs a step for every character, so texts are traced only once something was found in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Replacement = str | Callable[[re.Match[str]], str]


@dataclass(slots=True)
class Traced:
    """A text under rewriting; `starts` and `ends` are the original span of each of its characters, or None untraced."""

    text: str
    starts: list[int] | None = None
    ends: list[int] | None = None

    @classmethod
    def of(cls, text: str) -> Traced:
        """Return a text whose characters are traced from here on."""
        return cls(text, list(range(len(text))), list(range(1, len(text) + 1)))

    def translate(self, table: Mapping[int, str | int | None]) -> None:
        """Replace every character by what the table says."""
        if self.starts is None or self.ends is None:
            self.text = self.text.translate(table)
            return
        pieces = [c.translate(table) for c in self.text]
        self.starts = [s for piece, s in zip(pieces, self.starts, strict=True) for _ in piece]
        self.ends = [e for piece, e in zip(pieces, self.ends, strict=True) for _ in piece]
        self.text = "".join(pieces)

    def sub(self, pattern: re.Pattern[str], replacement: Replacement) -> None:
        """Replace every match of a pattern that is not empty."""
        if self.starts is None or self.ends is None:
            self.text = pattern.sub(replacement, self.text)
            return
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for match in pattern.finditer(self.text):
            low, high = match.span()
            new = match.expand(replacement) if isinstance(replacement, str) else replacement(match)
            pieces += [self.text[at:low], new]
            starts += self.starts[at:low] + [self.starts[low]] * len(new)
            ends += self.ends[at:low] + [self.ends[high - 1]] * len(new)
            at = high
        self.starts, self.ends = starts + self.starts[at:], ends + self.ends[at:]
        self.text = "".join((*pieces, self.text[at:]))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where text[start:end], which is not empty, stood in the original; the text must be traced."""
        if self.starts is None or self.ends is None:
            raise ValueError("this text was not traced; begin with Traced.of")
        return self.starts[start], self.ends[end - 1]
