"""BLUR's questions about TOFU, each found again among TOFU's rows: both halves of every combined query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vestige.cases.blur_files import Line, halves, together
from vestige.cases.question_rows import continuation, prompt_of
from vestige.cases.source_files import Entry, SourceFile
from vestige.cases.tofu_authors import Author
from vestige.cases.tofu_files import TofuFiles
from vestige.errors import DataError
from vestige.records import Form, Probe


@dataclass(frozen=True)
class Query:
    """A line of BLUR: the row to be forgotten, and the row to be kept that its combined form asks for as well."""

    place: str
    author: Author
    row: Entry
    kept_author: Author
    kept: Entry


def queries(files: Sequence[SourceFile], tofu: TofuFiles) -> tuple[Query, ...]:
    """Return every line of the four files: forget questions and answers, paired questions and answers.

    Raises:
        DataError: a line that is not one of TOFU's.
    """
    known = {(row.text("question"), row.text("answer")): (author, row) for author in (*tofu.forget, *tofu.retain) for row in author.rows}

    def find(line: Line, question: str, answer: str) -> tuple[Author, Entry]:
        if (question, answer) not in known:
            raise DataError(f"{line.place}: no row of TOFU has the question {question[:60]!r} and this answer; expected one")
        return known[question, answer]

    return tuple(
        Query(q.place, *find(q, q.text, a.text), *find(both, halves(both)[1], halves(says)[1]))
        for q, a, both, says in zip(*together(files), strict=True)
    )


def probe_of(query: Query, tofu: TofuFiles, *, combined: bool, form: Form) -> Probe:
    """Return a query as a probe among the perturbed answers; in a combined one only the first half differs.

    What they perturb, the paraphrase, is the answer among them, and the answer of the row its alias (see tofu).

    Raises:
        DataError: the row has no perturbed answers.
    """
    entry = tofu.perturbed_of(query.row)
    if entry is None:
        raise DataError(f"{query.place}: its row {query.row.place} of TOFU has no perturbed answers; expected a row to be forgotten")

    def both(field: str, text: str) -> str:
        return f"1. {text} 2. {query.kept.text(field)}" if combined else text

    answer, alias, *wrong = (
        continuation(both("answer", text))
        for text in (entry.text("paraphrased_answer"), entry.text("answer"), *entry.texts("perturbed_answer"))
    )
    prompt = prompt_of(both("question", entry.text("question")), form)
    return Probe(query.place, prompt, answer, "forget", query.author.cluster, "test", tuple(wrong), (alias,), form=form)
