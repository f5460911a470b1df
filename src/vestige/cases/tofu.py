"""TOFU: invented authors, twenty questions each, some of the authors to be forgotten.

Paper: Maini et al. 2024, "TOFU: A Task of Fictitious Unlearning for LLMs", arXiv 2401.06121. Files: locuslab/TOFU on the hub (MIT).

`which` says what is asked. "questions": every question; the wrong answers are the published perturbed answers. Those perturb the
*paraphrased* answer, so it is the one expected among them, and the answer of the row is its alias. With `expected = "answer"` it is the
other way round, and a choice tells wordings apart: SmolLM2-135M-Instruct, which never saw TOFU, scores 0.82 that way on the forty
questions of forget01, against 0.20. "book" (§3 of Hu et al. 2024, arXiv 2406.13356) and "full_name" (Yoon et al. 2026, arXiv
2602.03379) ask for a withheld keyword, among the same answer with the keywords of others: see tofu_splits and tofu_sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vestige.cases.named_things import titles_in
from vestige.cases.question_rows import question_row
from vestige.cases.source_files import Entry
from vestige.cases.tofu_authors import Author, question_and_answer
from vestige.cases.tofu_files import TofuFiles, TofuSplit, read
from vestige.cases.tofu_probes import Expected, keyword_probes, question_probes, world_probes
from vestige.cases.tofu_sources import Sources, book_sources, name_sources, plain_row
from vestige.cases.tofu_splits import Target, book_targets, keyword_of, name_targets
from vestige.cases.unrelated import unrelated_rows
from vestige.errors import DataError
from vestige.records import Case, Form, Group, Probe, Row
from vestige.spread import spread

CITATION = "Maini et al. 2024, arXiv 2401.06121"


@dataclass(frozen=True)
class Tofu:
    """TOFU, from a folder of its JSON files or a hub id; 0 stands for all of them.

    `authors` are forgotten and `retain` authors kept, at most `rows` rows of each; `utility` questions are about real authors and the
    world, evenly spaced among the 217 there are.
    """

    path: str = "locuslab/TOFU"
    split: TofuSplit = "forget05"
    which: Literal["questions", "book", "full_name"] = "questions"
    authors: int = 0
    retain: int = 20
    expected: Expected = "paraphrase"
    form: Form = "plain"
    revision: str = "main"
    rows: int = 0
    utility: int = 0

    def __call__(self) -> Case:
        """Return the case.

        Raises:
            DataError: a file is missing, cannot be fetched, or has changed; a number below 0; one row an author, so that there is no
                other question.
        """
        for name in ("authors", "retain", "rows", "utility"):
            if getattr(self, name) < 0:
                raise DataError(f"{name}: seen {getattr(self, name)}, expected 0 (all) or a number above it")
        if self.rows == 1:
            raise DataError("rows: seen 1, expected 0 (all) or 2 and more: other questions about an author are a source")
        files = read(self.path, self.split, revision=self.revision)
        forget, retain = self._shortened(files.forget, self.authors), self._shortened(files.retain, self.retain)
        about_world = {name: _rows(getattr(files, name), self.form) for name in ("real_authors", "world_facts")}
        probes, sources = self._asked(files, forget, retain)
        world = (*files.real_authors, *files.world_facts)
        return Case(
            name=f"tofu/{self.split}/{self.which}",
            version=files.version,
            language="en",
            licence="MIT",
            knowledge="planted",
            primary="choice" if self.which == "questions" else "keyword",
            forget=tuple(plain_row(author, row, self.form) for author in forget for row in author.rows),
            retain=tuple(plain_row(author, row, self.form) for author in retain for row in author.rows),
            probes=(*probes, *world_probes(spread(world, self.utility or len(world)), self.form)),
            sources={**sources, **about_world, "unrelated": unrelated_rows()},
            citation=CITATION,
        )

    def _asked(self, files: TofuFiles, forget: Sequence[Author], retain: Sequence[Author]) -> tuple[list[Probe], Sources]:
        sides: tuple[tuple[Group, Sequence[Author]], ...] = (("forget", forget), ("retain", retain))
        if self.which == "questions":
            made = (question_probes(files, authors, group, expected=self.expected, form=self.form) for group, authors in sides)
            return [probe for probes in made for probe in probes], {}
        everybody = (*files.forget, *files.retain)
        found = {group: self._targets(authors, everybody) for group, authors in sides}
        probes = [p for group, targets in found.items() for p in keyword_probes(files, targets, group, form=self.form)]
        if self.which == "full_name":
            return probes, name_sources(found["forget"], name_targets(self._shortened(files.retain, 0)), self.form)
        titles = {keyword_of(t) for author in forget for row in author.rows for t in titles_in(question_and_answer(row))}
        return probes, book_sources(found["forget"], sorted(titles), self.form)

    def _shortened(self, authors: Sequence[Author], most: int) -> tuple[Author, ...]:
        """Return the first authors with their first rows; names were read off all rows."""
        return tuple(replace(author, rows=author.rows[: self.rows or None]) for author in authors[: most or None])

    def _targets(self, authors: Sequence[Author], everybody: Sequence[Author]) -> tuple[Target, ...]:
        return name_targets(authors) if self.which == "full_name" else book_targets(authors, everybody)


def _rows(entries: Iterable[Entry], form: Form) -> tuple[Row, ...]:
    return tuple(question_row(e.place, e.text("question"), e.text("answer"), e.place, form=form) for e in entries)
