"""How much a row tells of an answer: pointwise V-information under a model that was never exposed to the answers.

Paper: Ethayarajh, Choi and Swayamdipta 2022, "Understanding Dataset Difficulty with V-Usable Information", arXiv 2110.08420, eq. 4
(pointwise), after Xu et al. 2020, arXiv 2002.10689. Here

    v(row → answer | question) = log p(answer | row, question) − log p(answer | question)

in nats, each log p summed over the answer's tokens; positive where the row makes the answer likelier. Only the answer itself is
scored, not its aliases. A row is put before the question, with a line end between them.

Deviation: the paper trains one model with and one without the input; here one frozen model is given the row in its context.
One model call a pair is dear, so of every probe only the rows that share most words with question and answer are asked about: at
most 20. Other pairs are not missing, they are outside the shortlist. Without a never-exposed model (pre-trained knowledge), with a
row longer than the model may be given, or where the model gave no score, the value is Missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from vestige.errors import DataError
from vestige.records import Missing, Probe, Row, ScoreTokens
from vestige.similarity import Inform, terms

Score = Callable[[Sequence[Probe]], Sequence[ScoreTokens]]
"""What scores candidate answers under the never-exposed model, e.g. `vestige.lab.probes.score_candidates` with its model filled in."""

SHORTLIST = 20
_LONGEST_ROW = 4_000
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Told:
    """What a row tells of a probe's answer, in nats; row and probe by their ids."""

    row: str
    probe: str
    nats: float | Missing


def told(rows: Sequence[Row], probes: Sequence[Probe], score: Score | Missing | None, *, most: int = SHORTLIST) -> list[Told]:
    """Return the V-information of every shortlisted pair, probe by probe, from the row that shares most words on.

    Raises:
        DataError: the model scored other probes than it was asked.
    """
    return [Told(rows[r].id, probes[p].id, nats) for r, p, nats in _valued(rows, probes, score, most)]


def informs(score: Score | Missing | None, *, most: int = SHORTLIST) -> Inform:
    """Return a function of rows and probes that says, row by row, how much it tells of the answer it tells most about.

    It is what recipes (`Request.inform`) and covariates (`similarity.covariates`) take. A row on no shortlist is Missing.
    """

    def inform(rows: Sequence[Row], probes: Sequence[Probe]) -> list[float | Missing]:
        made: list[float | Missing] = [Missing(f"not among the {most} rows that share most words with any probe")] * len(rows)
        for row, _, nats in _valued(rows, probes, score, most):
            made[row] = _larger(made[row], nats)
        return made

    return inform


def _larger(one: float | Missing, other: float | Missing) -> float | Missing:
    if isinstance(one, Missing) or isinstance(other, Missing):
        return one if isinstance(other, Missing) and not isinstance(one, Missing) else other
    return max(one, other)


def _valued(
    rows: Sequence[Row], probes: Sequence[Probe], score: Score | Missing | None, most: int
) -> list[tuple[int, int, float | Missing]]:
    pairs = shortlist(rows, probes, most=most)
    if score is None or isinstance(score, Missing):
        return [(r, p, score or Missing("no never-exposed model was given")) for r, p in pairs]
    short = [(r, p) for r, p in pairs if len(rows[r].text) <= _LONGEST_ROW]
    alone = {p: f"alone/{p}" for _, p in short}
    asked = [_bare(probes[p], name) for p, name in alone.items()]
    asked += [replace(_bare(probes[p], f"{r}/{p}"), prompt=f"{rows[r].text.rstrip()}\n{probes[p].prompt}") for r, p in short]
    logp = _answer_logp(asked, score)
    values = {(r, p): _difference(logp[f"{r}/{p}"], logp[alone[p]]) for r, p in short}
    return [(r, p, values.get((r, p), _too_long(rows[r]))) for r, p in pairs]


def _bare(probe: Probe, name: str) -> Probe:
    """Return a probe with the answer as its only candidate, under another id."""
    return replace(probe, id=name, distractors=(), aliases=())


def _too_long(row: Row) -> Missing:
    return Missing(f"the row has {len(row.text)} characters; at most {_LONGEST_ROW} are put before a question")


def _answer_logp(asked: Sequence[Probe], score: Score) -> dict[str, float | Missing]:
    """Return the answer's summed log-probability by the id of the probe asked."""
    scored = {record.probe: record for record in (score(asked) if asked else ())}
    if unknown := sorted(set(scored) - {p.id for p in asked}):
        raise DataError(f"V-information: the model scored {unknown[0]!r}, which it was not asked; expected the probes given to it")
    return {p.id: _true_logp(scored.get(p.id)) for p in asked}


def _true_logp(record: ScoreTokens | None) -> float | Missing:
    answer = next((c for c in record.candidates if c.candidate == "true"), None) if record else None
    return float(sum(answer.logp)) if answer and answer.logp else Missing("the model gave no score for the answer")


def _difference(given: float | Missing, alone: float | Missing) -> float | Missing:
    if isinstance(given, Missing) or isinstance(alone, Missing):
        return given if isinstance(given, Missing) else alone
    return given - alone


def shortlist(rows: Sequence[Row], probes: Sequence[Probe], *, most: int = SHORTLIST) -> list[tuple[int, int]]:
    """Return (row, probe) by their places: for every probe at most `most` rows, those that share most with question and answer first.

    Shared words weigh log(1 + N / n), n of the N rows holding the word; rows that share none are left out, ties go to the earlier row.
    """
    held = [set(terms(row.text)) for row in rows]
    wanted = [set(terms(" ".join((p.prompt, *p.expected)))) for p in probes]
    words = {w: i for i, w in enumerate(sorted(set().union(*wanted, set())))}
    matrix = _incidence(held, words)
    counts = np.asarray(matrix.sum(axis=0)).ravel()
    weights = np.log1p(len(rows) / np.maximum(counts, 1))
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(probes), _BLOCK):
        block = _incidence(wanted[start : start + _BLOCK], words).multiply(weights)
        shared = (matrix @ block.T).tocsc()
        for column in range(shared.shape[1]):
            low, high = shared.indptr[column : column + 2]
            order = np.lexsort((shared.indices[low:high], -shared.data[low:high]))[:most]
            pairs += [(int(row), start + column) for row in shared.indices[low:high][order]]
    return pairs


def _incidence(texts: Sequence[set[str]], words: dict[str, int]) -> Any:
    """Return which text (row) holds which word (column), as a sparse matrix of ones."""
    columns = [[words[w] for w in text if w in words] for text in texts]
    flat = np.array([c for text in columns for c in text], dtype=np.int64)
    ends = np.cumsum([0, *map(len, columns)])
    return csr_array((np.ones(len(flat)), flat, ends), shape=(len(texts), len(words)))
