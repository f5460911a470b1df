"""TOFU's rows as probes: a question among its perturbed answers, a withheld keyword among those of others, and general knowledge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from vestige.cases.question_rows import continuation, prompt_of
from vestige.cases.source_files import Entry
from vestige.cases.splits import split_of
from vestige.cases.tofu_authors import Author
from vestige.cases.tofu_files import TofuFiles
from vestige.cases.tofu_splits import Target, wrong_answers
from vestige.records import Form, Group, Probe

Expected = Literal["answer", "paraphrase"]


def question_probes(
    files: TofuFiles, authors: Sequence[Author], group: Group, *, expected: Expected = "paraphrase", form: Form = "plain"
) -> Iterator[Probe]:
    """Yield a probe for every row with perturbed answers: all rows to be forgotten, and the first four hundred others."""
    splits = split_of("tofu", (author.cluster for author in authors))
    for author in authors:
        for row in author.rows:
            if entry := files.perturbed_of(row):
                answers = [entry.text("paraphrased_answer"), entry.text("answer")]
                probe = _probe(row, answers if expected == "paraphrase" else answers[::-1], group, form)
                wrong = tuple(map(continuation, entry.texts("perturbed_answer")))
                yield replace(probe, cluster=author.cluster, split=splits[author.cluster], distractors=wrong)


def keyword_probes(files: TofuFiles, targets: Sequence[Target], group: Group, *, form: Form = "plain") -> Iterator[Probe]:
    """Yield a probe for every target, its keyword to be said, among the same answer with the keywords of other authors."""
    splits = split_of("tofu", (target.author.cluster for target in targets))
    wrong = wrong_answers(targets)
    for target in targets:
        cluster, entry = target.author.cluster, files.perturbed_of(target.row)
        answers = [target.row.text("answer"), *([entry.text("paraphrased_answer")] if entry else [])]
        probe = _probe(target.row, answers, group, form)
        others = tuple(map(continuation, wrong[target.row.place]))
        yield replace(probe, cluster=cluster, split=splits[cluster], distractors=others, keywords=(target.keyword,))


def world_probes(entries: Iterable[Entry], form: Form = "plain") -> Iterator[Probe]:
    """Yield the questions about real authors and the world, with their four options; every question is a cluster."""
    by_place = {entry.place: entry for entry in entries}
    splits = split_of("tofu", by_place)
    for place, entry in by_place.items():
        wrong = tuple(map(continuation, entry.texts("perturbed_answer")))
        yield replace(_probe(entry, [entry.text("answer")], "utility", form), split=splits[place], distractors=wrong)


def _probe(row: Entry, answers: Sequence[str], group: Group, form: Form) -> Probe:
    answer, *aliases = map(continuation, answers)
    return Probe(row.place, prompt_of(row.text("question"), form), answer, group, row.place, "test", aliases=tuple(aliases), form=form)
