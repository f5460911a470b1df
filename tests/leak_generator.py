"""Planted leaks: probes, and rows that hold the answer in another dress; and near misses, which do not hold it.

The generator measures a leak check from outside, so it imports nothing of the package it measures, and it was written
without sight of any detector. A planted row is one that a careful reader, who knows the answer (and the aliases given
with it), would say gives the answer away. Each has a kind; kinds belong to four families:

    exact        the answer verbatim, in prose, JSON, tables, Japanese text, or deep inside a long row
    normalised   the same characters but for case, width, spaces, punctuation, marks, kana, old and new kanji
    alias        a given alias, or an inflection, order, or shortening of the answer itself
    format       the same number, amount, date, time or telephone number, written another way

Rules every planted row keeps: the answer is changed (outside `exact`, and the kinds marked `holds`, the row does not hold
it verbatim), and outside the span neither the answer nor an alias occurs. What counts as a leak, where one could doubt:
day/month and month/day are both leaks of a date; two-digit years too; a plural or possessive is; "J. Doe" is a leak of
Jane Doe, "Doe" alone is neither a leak nor a near miss; "Doe, Jane" is; a different word that holds the answer's letters
(Berlin, Berliner) is not, while a word formed from it that points at the same thing (Parisian) is left out of both. Not
tried, since no text a person wrote in good faith has them: look-alike letters of other scripts, codes, ciphers, spelling
mistakes, translations that no alias gives.

Answers have no leading space. Everything follows from the seed; (kind, i) has a random stream of its own, so that adding a
kind changes no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count as counting
from random import Random

from planting.facts import Fact, Probe, ask, is_japanese
from planting.kinds import KINDS, Family, Kind
from planting.near_misses import NEAR_MISSES
from planting.rows import FRAMES, prose, set_into, stands_in

__all__ = ["KINDS", "NEAR_MISSES", "Negative", "Planted", "Probe", "negatives", "planted"]

_TRIES = 500


@dataclass(frozen=True)
class Planted:
    """A row that leaks a probe's answer: `row_text[span[0]:span[1]]` is the answer as rewritten."""

    kind: str
    family: Family
    probe: Probe
    row_text: str
    span: tuple[int, int]

    @property
    def text(self) -> str:
        """The answer as the row holds it."""
        return self.row_text[slice(*self.span)]


@dataclass(frozen=True)
class Negative:
    """A row that does not leak a probe's answer, however near it comes."""

    kind: str
    probe: Probe
    row_text: str


def _attempt(kind: Kind, identity: str, rng: Random) -> Planted | None:
    """Plant one leak, or return None where the drawn fact does not suit the kind."""
    fact = rng.choice(kind.topics)(rng)
    text = kind.rewrite(fact, rng)
    if text is None or (text == fact.answer and not kind.holds):
        return None
    probe = ask(fact, identity, rng)
    frame = kind.frame or ("japanese" if is_japanese(text) else "english")
    row, span = set_into(FRAMES[frame](probe, rng), text)
    outside = f"{row[: span[0]]}\n{row[span[1] :]}".casefold()
    clean = not any(form.casefold() in outside for form in (fact.answer, *fact.aliases))
    return Planted(kind.name, kind.family, probe, row, span) if clean and (kind.holds or fact.answer not in row) else None


def planted(seed: int, per_kind: int) -> Iterator[Planted]:
    """Yield `per_kind` planted leaks of every kind, no two of a kind with the same answer and row.

    Raises RuntimeError where a kind cannot make that many.
    """
    for kind in KINDS:
        seen: set[tuple[str, str]] = set()
        failed = 0
        for i in counting():
            if len(seen) == per_kind:
                break
            one = _attempt(kind, f"{kind.name}-{i}", Random(f"{seed}:{kind.name}:{i}"))
            if one is None or (one.probe.answer, one.row_text) in seen:
                failed += 1
                if failed > _TRIES + 50 * per_kind:
                    raise RuntimeError(f"kind {kind.name!r} made {len(seen)} of {per_kind} planted leaks; its word lists are too short")
                continue
            seen.add((one.probe.answer, one.row_text))
            yield one


def _miss(name: str, identity: str, rng: Random) -> Negative:
    """Build one near miss; draw again where the answer or an alias happens to stand in the row."""
    while True:
        fact, near = NEAR_MISSES[name](rng)
        probe = ask(fact, identity, rng)
        row = near if name == "filler_only" else set_into(_frame(probe, near, rng), near)[0]
        if not any(stands_in(form, row) for form in (fact.answer, *fact.aliases)):
            return Negative(name, probe, row)


def _frame(probe: Probe, near: str, rng: Random) -> str:
    """Draw a sentence that denies the subject the near miss, or one that gives it to another subject."""
    japanese = is_japanese(near)
    if rng.random() < 0.5:
        return prose(probe, rng, japanese=japanese, near_miss=True)
    twin = ask(Fact(near, probe.attribute, japanese=is_japanese(probe.cluster)), "", rng)
    return prose(twin, rng, japanese=japanese)


def negatives(seed: int, count: int) -> Iterator[Negative]:
    """Yield `count` near misses, the kinds in turn."""
    names = list(NEAR_MISSES)
    for i in range(count):
        name = names[i % len(names)]
        yield _miss(name, f"{name}-{i}", Random(f"{seed}:negative:{i}"))
