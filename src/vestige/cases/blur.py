"""BLUR: queries that mix what is forgotten with what is kept, and relearn text in tiers of relevance.

Paper: Hu et al. 2025, "BLUR: A Benchmark for LLM Unlearning Robust to Forget-Retain Overlap", arXiv 2506.15699. Files: s-huu/BLUR
(Apache-2.0). BLUR's score is ROUGE-L against what the original model says; its files hold no wrong answers. So a case asks:

- "tofu": BLUR's questions about the forget10 authors of TOFU (`tofu` names its files), among TOFU's perturbed answers. In a "combined"
  query only the half to be forgotten differs. All rows of these authors are forgotten, those of BLUR's retain authors kept.
- "whp": questions about the Harry Potter books, known from pre-training, among the answers to other questions; such answers repeat
  words of their question, so this choice is easier than the knowledge. "crossover" are its 50 questions over two series of books.

The relearn texts are sources by the name of their file. RWKU and WMDP have questions only, hence no case. See blur_files for defects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vestige.cases.blur_files import CROSSOVER, FORGET, PAIRED, TIERS, WHP, WHP_PAIRED, Line, file_of, halves, tier_rows, together
from vestige.cases.blur_queries import probe_of, queries
from vestige.cases.distractors import probes_of
from vestige.cases.general_knowledge import utility_probes
from vestige.cases.question_rows import continuation, prompt_of, question_row
from vestige.cases.source_files import SourceFile, version_of
from vestige.cases.splits import split_of
from vestige.cases.tofu_files import read
from vestige.cases.tofu_probes import question_probes
from vestige.cases.tofu_sources import plain_row
from vestige.cases.unrelated import unrelated_rows
from vestige.errors import DataError
from vestige.records import Case, Form, Probe
from vestige.text import normalise

CITATION = "Hu et al. 2025, arXiv 2506.15699"


@dataclass(frozen=True)
class Blur:
    """BLUR's queries, from a folder or hub id; `tofu` is where TOFU's files are, for the benchmark of that name."""

    path: str
    benchmark: Literal["tofu", "whp"] = "tofu"
    query: Literal["pure", "combined", "crossover"] = "pure"
    tofu: str = "locuslab/TOFU"
    form: Form = "plain"
    revision: str = "main"

    def __call__(self) -> Case:
        """Return the case.

        Raises:
            DataError: no such query, or a file that is missing, cannot be fetched, or has changed.
        """
        if self.benchmark == "tofu" and self.query == "crossover":
            raise DataError("blur: the query 'crossover' is of the benchmark 'whp'; for 'tofu' expected 'pure' or 'combined'")
        tiers = {name: self._file(f"relearn_data/{name}.txt") for names in TIERS.values() for name in names}
        case = self._about_authors() if self.benchmark == "tofu" else self._about_books()
        sources = {**{name: tier_rows(file) for name, file in tiers.items()}, "unrelated": unrelated_rows()}
        return replace(case, name=f"blur/{self.benchmark}/{self.query}", sources=sources)

    def _file(self, name: str) -> SourceFile:
        return file_of(self.path, name, self.revision)

    def _about_authors(self) -> Case:
        files = [self._file(name) for name in (*FORGET, *PAIRED)]
        tofu = read(self.tofu, "forget10")
        found = queries(files, tofu)
        kept = {query.kept_author.cluster: query.kept_author for query in found}
        forget = [probe_of(query, tofu, combined=self.query == "combined", form=self.form) for query in found]
        retain = question_probes(tofu, list(kept.values()), "retain", form=self.form)
        return Case(
            name="",
            version=f"{version_of(files)}/{tofu.version}",
            language="en",
            licence="Apache-2.0; TOFU: MIT",
            knowledge="planted",
            primary="choice",
            forget=tuple(plain_row(author, row, self.form) for author in tofu.forget for row in author.rows),
            retain=tuple(plain_row(author, row, self.form) for author in kept.values() for row in author.rows),
            probes=(*_split(forget), *retain, *utility_probes()),
            citation=CITATION,
        )

    def _about_books(self) -> Case:
        names = CROSSOVER if self.query == "crossover" else WHP
        files = [self._file(name) for name in names]
        questions, answers = together(files)
        rows = [question_row(q.place, q.text, a.text, normalise(q.text), form=self.form) for q, a in zip(questions, answers, strict=True)]
        probes: Sequence[Probe] = list(probes_of(rows, "forget").values())
        if self.query == "combined":
            paired = self._file(WHP_PAIRED)
            probes = [self._combined(probe, both) for probe, both in zip(probes, together([paired])[0], strict=True)]
        return Case(
            name="",
            version=version_of(files),
            language="en",
            licence="Apache-2.0",
            knowledge="pretrained",
            primary="choice",
            forget=tuple(rows),
            retain=unrelated_rows(),
            probes=(*_split(probes), *utility_probes()),
            citation=CITATION,
        )

    def _combined(self, probe: Probe, both: Line) -> Probe:
        """Return the probe with the combined question; its files have no answer to the second half, so the candidates stop there."""
        candidates = [continuation(f"1. {text.strip()}") for text in (probe.answer, *probe.distractors)]
        if prompt_of(halves(both)[0], self.form) != probe.prompt:
            raise DataError(f"{both.place}: the first half is not the question of {probe.id}; expected the same order")
        return replace(probe, prompt=prompt_of(both.text, self.form), answer=candidates[0], distractors=tuple(candidates[1:]))


def _split(probes: Sequence[Probe]) -> Iterator[Probe]:
    splits = split_of("blur", (probe.cluster for probe in probes))
    yield from (replace(probe, split=splits[probe.cluster]) for probe in probes)
