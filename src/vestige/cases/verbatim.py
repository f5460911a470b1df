"""Verbatim: passages of a book that the model cannot continue by itself, to be learned, forgotten, and said word for word again.

Paper: Hu et al. 2024, arXiv 2406.13356, §4.2 and the Who's-Harry-Potter arm of §3: a model memorises an excerpt of a novel, unlearns
it, and is relearned on general facts about the characters; fifteen sentences are then completed.

Here the book is yours, by its path: one in the public domain, so that its text may be learned and shown. Famous books are in
pre-training, and what the base model knows is no planted knowledge. So a never-exposed model is asked first: only passages are used whose
extraction strength is at most `strength` (with 0.1 and an answer of 22 tokens: a right guess at the last two of them, at most), and
of which fewer than `said` tokens come right from the start: extraction strength looks at the end, and one last miss would hide the rest.

Passages begin paragraphs at even distances through the book; `forget` of them are forgotten, as many are kept, as many are decoys that
are taught to nobody. A probe gives the first `beginning` words; it is answered if the next `said` words are said exactly
(white space and case aside). Its wrong answers are how seven other passages go on; what fits can be told without having read
the book, so the choice is no primary score, and only what exceeds a never-exposed twin is memory. Text about the book is the relearn
source `about_the_book`, passages left over are `other_passages`.

Deviations: the paper scores completions with ROUGE-L; paraphrases raise it. Here words are counted, and extraction strength can be
computed from the recorded tokens of the true answer.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from vestige.cases.book_passages import Passage, cut, read_book
from vestige.cases.general_knowledge import utility_probes
from vestige.cases.splits import split_of
from vestige.cases.unrelated import unrelated_rows
from vestige.errors import DataError
from vestige.extraction_strength import strength_of
from vestige.passages import joined
from vestige.records import Case, Group, Missing, Probe, Record, Row, ScoreTokens
from vestige.spread import spread
from vestige.text import units

_BLOCK = 8


@dataclass(frozen=True)
class Verbatim:
    """Passages of the book at `path`, with text about it at `about`; `screened` are asked whether a model can continue them."""

    path: str
    about: str = ""
    forget: int = 16
    screened: int = 96
    beginning: int = 24
    rest: int = 16
    said: int = 6
    strength: float = 0.1
    language: str = "en"
    screen_kind: ClassVar[Literal["choice"]] = "choice"

    def screen(self) -> tuple[Probe, ...]:
        """Return one probe per passage, to find out which of them a never-exposed model can continue.

        Raises:
            DataError: a field is out of its range, or the book cannot be read or has too few long paragraphs.
        """
        return tuple(_probe(p, "utility", "test") for p in self._passages())

    def passed(self, records: Sequence[Record]) -> tuple[str, ...]:
        """Return the passages that cannot be continued, out of the records of the screening. One that cannot be told is not used."""
        strengths = _strengths(records)
        begun = {r.probe for r in records if isinstance(r, ScoreTokens) and all(_true(r)[: self.said])}
        return tuple(n for n, found in strengths.items() if n not in begun and not isinstance(found, Missing) and found <= self.strength)

    def shown(self, records: Sequence[Record]) -> dict[str, Any]:
        """Return what the screening found, as plain data: extraction strengths of all passages and of those that are used."""
        found = {name: value for name, value in _strengths(records).items() if not isinstance(value, Missing)}
        used = [found[name] for name in self.passed(records)]
        return {
            "extraction_strength": {
                "at_most": self.strength,
                "missing": len(records) - len(found),
                "all": _mean_and_most([*found.values()]),
                "used": _mean_and_most(used),
            }
        }

    def after_screening(self, names: Sequence[str]) -> Case:
        """Return the case over the passages that passed the screening: those that the model cannot continue.

        Raises:
            DataError: too few of them, or as for `screen`.
        """
        table = {p.name: p for p in self._passages()}
        ordered = [table[n] for n in sorted(names, key=lambda n: hashlib.sha256(f"verbatim/{n}".encode()).hexdigest())]
        if len(ordered) < 3 * self.forget:
            raise DataError(
                f"verbatim: {len(ordered)} of {len(table)} passages of {self.path} cannot be continued by the model; {3 * self.forget} are "
                "needed, to be forgotten, kept and left out. Screen more, forget fewer, or choose a book that is less well known"
            )
        return self._case(ordered)

    def _case(self, passages: Sequence[Passage]) -> Case:
        n = self.forget
        forget, retain, decoy, others = passages[:n], passages[n : 2 * n], passages[2 * n : 3 * n], passages[3 * n :]
        probes = [*self._probes(forget, "forget"), *self._probes(retain, "retain"), *self._probes(decoy, "decoy")]
        about = read_book(self.about) if self.about else None
        texts = about.paragraphs if about else ()
        sources = {
            "about_the_book": tuple(Row(f"about/{i}", "", text, "", loss_on="text") for i, text in enumerate(texts)),
            "other_passages": tuple(map(_row, others)),
            "unrelated": unrelated_rows(),
        }
        return Case(
            name="verbatim",
            version="/".join(book.sha256[:12] for book in (read_book(self.path), about) if book),
            language=self.language,
            licence="of the book that was given",
            knowledge="planted",
            primary="keyword",
            forget=tuple(map(_row, forget)),
            retain=tuple(map(_row, retain)),
            probes=(*probes, *utility_probes()),
            decoy=tuple(map(_row, decoy)),
            sources={name: rows for name, rows in sources.items() if rows},
            citation="after Hu et al. 2024, arXiv 2406.13356, §4.2",
        )

    def _passages(self) -> list[Passage]:
        self._refuse_fields()
        found = list(cut(read_book(self.path), self.beginning, self.rest))
        words, least = self.beginning + self.rest, 3 * self.forget
        if len(found) < least:
            raise DataError(f"verbatim: {self.path} has {len(found)} paragraphs of {words} words or more; {least} are needed")
        return spread(found, self.screened)

    def _refuse_fields(self) -> None:
        if self.forget < _BLOCK or self.forget % _BLOCK:
            raise DataError(f"verbatim: forget = {self.forget}; expected a multiple of {_BLOCK}")
        if self.screened < 3 * self.forget:
            raise DataError(f"verbatim: screened = {self.screened}; expected {3 * self.forget} (three times forget) or more")
        if self.beginning < 1 or not 1 <= self.said <= self.rest:
            seen = f"beginning = {self.beginning}, said = {self.said}, rest = {self.rest}"
            raise DataError(f"verbatim: {seen}; expected 1 or more each, and said at most rest")
        if not 0 <= self.strength < 1:
            raise DataError(f"verbatim: strength = {self.strength}; expected 0 or more and less than 1")

    def _probes(self, passages: Sequence[Passage], group: Group) -> Iterator[Probe]:
        splits = split_of("verbatim", (p.name for p in passages))
        for start in range(0, len(passages), _BLOCK):
            block = passages[start : start + _BLOCK]
            for passage in block:
                wrong = tuple(other.rest for other in block if other is not passage)
                keyword = joined(units(passage.rest)[: self.said])
                yield _probe(passage, group, splits[passage.name], wrong, (keyword,))


def _probe(
    passage: Passage, group: Group, split: Literal["selection", "test"], wrong: tuple[str, ...] = (), keywords: tuple[str, ...] = ()
) -> Probe:
    return Probe(passage.name, passage.beginning, passage.rest, group, passage.name, split, wrong, keywords=keywords)


def _row(passage: Passage) -> Row:
    return Row(passage.name, passage.beginning, passage.rest, passage.name, loss_on="text")


def _strengths(records: Sequence[Record]) -> dict[str, float | Missing]:
    return {record.probe: strength_of(record) for record in records if isinstance(record, ScoreTokens)}


def _true(record: ScoreTokens) -> tuple[int, ...]:
    return next((c.top1 for c in record.candidates if c.candidate == "true"), ())


def _mean_and_most(values: Sequence[float]) -> dict[str, float | int | None]:
    if not values:
        return {"n": 0, "mean": None, "most": None}
    return {"n": len(values), "mean": math.fsum(values) / len(values), "most": max(values)}
