"""The table of scores: a record of one probe to one number, or to Missing. Nothing here needs a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vestige.desk.metrics.answer_logp import answer_logp
from vestige.desk.metrics.choice import choice, ranks_last
from vestige.desk.metrics.keyword import says
from vestige.errors import DataError
from vestige.records import Missing, Record, ScoreTokens, plain

# Scores of a `score_tokens` record's candidates.
TABLE: dict[str, Callable[[Sequence[Mapping[str, Any]]], float | Missing]] = {
    "choice": choice,
    "answer_logp": answer_logp,
    "imprint": ranks_last,
}


def score(records: Sequence[Record]) -> float:
    """Return the mean choice score of records: the number that stop rules look at.

    Raises:
        DataError: a record cannot be scored.
    """
    scores = []
    for record in records:
        value = choice(plain(record.candidates)) if isinstance(record, ScoreTokens) else Missing("not a choice")
        if isinstance(value, Missing):
            raise DataError(f"probe {record.probe!r} cannot be scored by choice: {value.reason}")
        scores.append(value)
    if not scores:
        raise DataError("no probe to score: the stop rule looks at a group or split that is empty")
    return sum(scores) / len(scores)


__all__ = ["TABLE", "answer_logp", "choice", "ranks_last", "says", "score"]
