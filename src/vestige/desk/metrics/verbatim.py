"""Verbatim memory: how much of an answer comes back word for word.

Of what was generated (texts, in the one spelling of `spelling` for runs, under NFKC and without case for the whole):

    longest run     the words of the longest unbroken run that the generated and an expected answer share; and as a share of the answer
    exact match     1 if the generated answer is an expected one, else 0; punctuation counts, white space at the ends does not

Of what the model would say next (token records; hit_t = 1 where y_t is the likeliest token after the prompt and y_1..y_{t-1}):

    exact memorisation     EM = (1/T) sum_t hit_t                 Tirumala et al. 2022, arXiv 2205.10770, eq. 1
    extraction strength    ES = 1 - k*/T                          see `extraction_strength`: it reaches 0

Deviation: published code leaves out the last token of an answer and counts the marks of the chat template as its tokens; here T is the
answer's tokens, all of them and no others.
"""

from __future__ import annotations

from collections.abc import Sequence

from vestige import extraction_strength as es
from vestige.desk import tokens
from vestige.longest_runs import Run, longest_runs
from vestige.records import Missing, Probe, Row
from vestige.text import normalise


def longest_run(said: str, expected: Sequence[str]) -> float | Missing:
    """Return the length, in words, of the longest run of an expected answer that was said."""
    runs = _runs(said, expected)
    return float(max(run.words for run in runs)) if runs else Missing("the expected answer has no words")


def longest_run_share(said: str, expected: Sequence[str]) -> float | Missing:
    """Return the longest run as a share of the expected answer's words, the best over all expected answers."""
    runs = _runs(said, expected)
    return max(run.words / run.of for run in runs) if runs else Missing("the expected answer has no words")


def _runs(said: str, expected: Sequence[str]) -> list[Run]:
    """Return the longest run of every expected answer that has words."""
    probes = [Probe(text, "", text, "forget", "", "test") for text in expected]
    return [run for run in longest_runs([Row("said", "", said, "")], probes) if run.of]


def exact_match(said: str, expected: Sequence[str]) -> float | Missing:
    """Return 1 where the generated answer is one that is expected, else 0."""
    due = {normalise(text) for text in expected} - {""}
    return float(normalise(said) in due) if due else Missing("no answer is expected")


def exact_memorisation(candidates: tokens.Candidates, *, candidate: str = tokens.TRUE) -> float | Missing:
    """Return the share of an answer's tokens that are the likeliest ones."""
    hits = tokens.numbers(candidates, "top1", candidate)
    return hits if isinstance(hits, Missing) else tokens.mean(hits)


def extraction_strength(candidates: tokens.Candidates, *, candidate: str = tokens.TRUE) -> float | Missing:
    """Return the share of an answer that its unbroken run of hits at the end takes."""
    hits = tokens.numbers(candidates, "top1", candidate)
    return hits if isinstance(hits, Missing) else es.extraction_strength([int(hit) for hit in hits])
