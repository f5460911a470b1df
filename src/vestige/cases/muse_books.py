"""MUSE Books: short questions about the Harry Potter books (to be forgotten) and about what fan pages say of them (to be kept).

Paper: Shi et al. 2024, "MUSE: Machine Unlearning Six-Way Evaluation for Language Models", arXiv 2407.06460, the knowledge
memorisation sets `forget_qa.json` and `retain_qa.json`. The text of the novels is never read. Models know these books from
pre-training, so no model that never knew them exists.

MUSE scores ROUGE-L; here the answer, without its quotation marks and final stop, is looked for as a keyword. The wrong answers of a
choice are answers to other questions of the set. Some questions stand there twice: the same words are one cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vestige.cases.distractors import probes_of
from vestige.cases.general_knowledge import utility_probes
from vestige.cases.question_rows import question_row
from vestige.cases.source_files import fetch, json_list, version_of
from vestige.cases.splits import split_of
from vestige.cases.unrelated import unrelated_rows
from vestige.records import Case, Form, Group, Probe, Row
from vestige.text import normalise

FIELDS = ("question", "answer")
FILES = ("forget_qa.json", "retain_qa.json")


@dataclass(frozen=True)
class MuseBooks:
    """MUSE Books' questions, from a folder or hub id."""

    path: str
    form: Form = "plain"
    revision: str = "main"

    def __call__(self) -> Case:
        """Return the case.

        Raises:
            DataError: a file is missing, cannot be fetched, or has changed.
        """
        files = [fetch(self.path, name, revision=self.revision) for name in FILES]
        entries = [list(json_list(file, FIELDS)) for file in files]
        forget, retain = (
            tuple(question_row(e.place, e.text("question"), e.text("answer"), normalise(e.text("question")), form=self.form) for e in side)
            for side in entries
        )
        return Case(
            name="muse/books",
            version=version_of(files),
            language="en",
            licence="no licence file in the repository of MUSE",
            knowledge="pretrained",
            primary="keyword",
            forget=forget,
            retain=retain,
            probes=(*_probes(forget, "forget"), *_probes(retain, "retain"), *utility_probes()),
            sources={"unrelated": unrelated_rows()},
            citation="Shi et al. 2024, arXiv 2407.06460",
        )


def keyword_of(answer: str) -> str:
    """Return an answer without quotation marks around it and a full stop after it."""
    return answer.strip().rstrip(".").strip(" \"'“”‘’").rstrip(".")


def _probes(rows: Sequence[Row], group: Group) -> Iterator[Probe]:
    splits = split_of("muse/books", (row.cluster for row in rows))
    for probe in probes_of(rows, group).values():
        yield replace(probe, split=splits[probe.cluster], keywords=(keyword_of(probe.answer),))
