"""The longest run of words that an answer and any row have in common, for every answer in one pass over the rows.

Structure: the suffix automaton of the answers (Blumer et al. 1985, "The smallest automaton recognizing the subwords of a text"),
over words in one spelling (`spelling`). A row walks through it; each state keeps the longest match that ended in it. Time grows with
the words of answers and rows, memory with those of the answers. A run is reported, never judged: templates share long runs ("the
author's full name is"), and an answer that stands whole is found as a leak.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vestige.records import Probe, Row
from vestige.spelling import spelt_words


@dataclass(frozen=True, slots=True)
class Run:
    """The longest run of an answer's words that a row shares: its words, of how many the answer has, and the row's id ("" for none)."""

    probe: str
    text: str
    words: int
    of: int
    row: str


@dataclass(slots=True)
class _State:
    """The runs that end in the same places: length of the longest, its suffix link, and the best match seen (length, row)."""

    length: int
    link: int
    best: int = 0
    row: str = ""


class _Automaton:
    def __init__(self) -> None:
        self.states = [_State(0, -1)]
        self.next: dict[tuple[int, str], int] = {}
        self._out: list[list[str]] = [[]]

    def add(self, words: Sequence[str]) -> None:
        """Add every run of an answer's words."""
        last = 0
        for word in words:
            last = self._extend(last, word)

    def _extend(self, last: int, word: str) -> int:
        known = self.next.get((last, word))
        if known is not None:
            return known if self.states[known].length == self.states[last].length + 1 else self._split(last, word, known)
        new = self._state(self.states[last].length + 1, 0)
        at = last
        while at >= 0 and (at, word) not in self.next:
            self._link(at, word, new)
            at = self.states[at].link
        if at >= 0:
            known = self.next[at, word]
            fits = self.states[known].length == self.states[at].length + 1
            self.states[new].link = known if fits else self._split(at, word, known)
        return new

    def _split(self, at: int, word: str, known: int) -> int:
        """Part the shorter runs of a state from the longer ones."""
        clone = self._state(self.states[at].length + 1, self.states[known].link)
        for out in self._out[known]:
            self._link(clone, out, self.next[known, out])
        self.states[known].link = clone
        while at >= 0 and self.next.get((at, word)) == known:
            self.next[at, word] = clone
            at = self.states[at].link
        return clone

    def _state(self, length: int, link: int) -> int:
        self.states.append(_State(length, link))
        self._out.append([])
        return len(self.states) - 1

    def _link(self, at: int, word: str, to: int) -> None:
        self.next[at, word] = to
        self._out[at].append(word)

    def read(self, words: Sequence[str], row: str) -> None:
        """Let a row's words walk through the automaton."""
        at = length = 0
        for word in words:
            to = self.next.get((at, word))
            while to is None and at:
                at = self.states[at].link
                length = self.states[at].length
                to = self.next.get((at, word))
            if to is None:
                continue
            at, length = to, length + 1
            state = self.states[at]
            if length > state.best:
                state.best, state.row = length, row

    def spread(self) -> None:
        """Let every state know what longer runs ending in it have matched."""
        for state in sorted(self.states[1:], key=lambda s: -s.length):
            parent = self.states[state.link]
            if state.best and parent.best < parent.length:
                parent.best, parent.row = parent.length, state.row

    def longest(self, words: Sequence[str]) -> tuple[int, int, str]:
        """Return (length, end, row) of the longest run of an added answer that was read; end counts its words."""
        at, found = 0, (0, 0, "")
        for end, word in enumerate(words, start=1):
            at = self.next[at, word]
            link = at
            while link > 0 and not self.states[link].best:
                link = self.states[link].link
            state = self.states[link]
            if state.best > found[0]:
                found = (state.best, end, state.row)
        return found


def longest_runs(rows: Iterable[Row], probes: Sequence[Probe]) -> tuple[Run, ...]:
    """Return, probe by probe, the longest run of words of what counts as its answer that stands in any row."""
    answers = {p.id: [spelt_words(text).text.split() for text in dict.fromkeys(p.expected)] for p in probes}
    automaton = _Automaton()
    for expected in answers.values():
        for words in expected:
            automaton.add(words)
    for row in rows:
        automaton.read(spelt_words(row.text).text.split(), row.id)
    automaton.spread()
    return tuple(_longest(p.id, answers[p.id], automaton) for p in probes)


def _longest(probe: str, expected: Sequence[Sequence[str]], automaton: _Automaton) -> Run:
    runs = [(words, *automaton.longest(words)) for words in expected]
    words, length, end, row = max(runs, key=lambda run: run[1])
    return Run(probe, " ".join(words[end - length : end]), length, len(words), row)
