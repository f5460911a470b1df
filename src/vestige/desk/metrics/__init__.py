"""The tables of scores: one probe's record, or a set of scores, to one number or to Missing. Nothing here needs a model.

`TABLE` is what every audit reads; the others are for whoever asks. docs/metrics.md says where they differ from published code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from vestige.desk.counted import Counted
from vestige.desk.metrics.answer_logp import answer_logp
from vestige.desk.metrics.answer_probability import nll, normalised_probability, probability, summed_nll
from vestige.desk.metrics.choice import choice, ranks_last
from vestige.desk.metrics.fluency import off_language, repetition, sameness, token_entropy, word_entropy
from vestige.desk.metrics.forget_quality import forget_quality
from vestige.desk.metrics.keyword import says
from vestige.desk.metrics.membership import auc, min_k, min_k_plus_plus, privacy, privleak, privleak_both_sided, reference_loss, zlib_ratio
from vestige.desk.metrics.model_utility import model_utility
from vestige.desk.metrics.multiple_choice import accuracy, accuracy_per_byte, accuracy_per_token
from vestige.desk.metrics.rouge import rouge
from vestige.desk.metrics.truth_ratio import (
    log_truth_ratio,
    truth_ratio,
    truth_ratio_closeness,
    truth_ratio_geometric,
    truth_ratio_margin,
    truth_ratio_reciprocal,
    truth_share,
)
from vestige.desk.metrics.verbatim import exact_match, exact_memorisation, extraction_strength, longest_run, longest_run_share
from vestige.errors import DataError
from vestige.records import Missing, Record, ScoreTokens, plain

OfTokens = Callable[[Sequence[Mapping[str, Any]]], float | Missing]
OfText = Callable[[str, Sequence[str]], float | Missing]
OfSets = Callable[[Iterable[float | Missing], Iterable[float | Missing]], Counted | Missing]

# Scores of a `score_tokens` record's candidates that every audit reads: each costs time and memory for every line of a ledger.
TABLE: dict[str, OfTokens] = {
    "choice": choice,
    "answer_logp": answer_logp,
    "imprint": ranks_last,
}

# Scores of how well membership can be told from a record's candidates: the lower, the more like what was trained on.
MEMBERSHIP: dict[str, OfTokens] = {
    "loss": nll,
    "zlib": zlib_ratio,
    "min_k": min_k,
    "min_k_plus_plus": min_k_plus_plus,
}

# All scores of a record's candidates.
TOKENS: dict[str, OfTokens] = {
    **TABLE,
    "nll": nll,
    "summed_nll": summed_nll,
    "probability": probability,
    "normalised_probability": normalised_probability,
    "log_truth_ratio": log_truth_ratio,
    "truth_ratio": truth_ratio,
    "truth_ratio_geometric": truth_ratio_geometric,
    "truth_ratio_reciprocal": truth_ratio_reciprocal,
    "truth_ratio_closeness": truth_ratio_closeness,
    "truth_ratio_margin": truth_ratio_margin,
    "truth_share": truth_share,
    "accuracy": accuracy,
    "accuracy_per_token": accuracy_per_token,
    "accuracy_per_byte": accuracy_per_byte,
    "exact_memorisation": exact_memorisation,
    "extraction_strength": extraction_strength,
    "token_entropy": token_entropy,
    **MEMBERSHIP,
}


def _keyword(said: str, expected: Sequence[str]) -> float | Missing:
    return float(says(said, expected)) if any(text.strip() for text in expected) else Missing("no answer is expected")


def _of_what_was_said(metric: Callable[[str], float | Missing]) -> OfText:
    return lambda said, expected: metric(said)


# Scores of a generated text against the texts that are expected.
TEXTS: dict[str, OfText] = {
    "keyword": _keyword,
    "rouge_1_recall": partial(rouge, of="1", part="recall"),
    "rouge_1_precision": partial(rouge, of="1", part="precision"),
    "rouge_1_f1": partial(rouge, of="1", part="f1"),
    "rouge_l_recall": partial(rouge, of="L", part="recall"),
    "rouge_l_precision": partial(rouge, of="L", part="precision"),
    "rouge_l_f1": partial(rouge, of="L", part="f1"),
    "longest_run": longest_run,
    "longest_run_share": longest_run_share,
    "exact_match": exact_match,
    "repetition": _of_what_was_said(repetition),
    "word_entropy": _of_what_was_said(word_entropy),
    "off_language": off_language,
}

# Scores in [0, 1]: a level of one cannot be negative.
SHARES = frozenset(
    """imprint keyword probability normalised_probability truth_ratio_closeness truth_ratio_margin truth_share accuracy
accuracy_per_token accuracy_per_byte exact_memorisation extraction_strength rouge_1_recall rouge_1_precision rouge_1_f1
rouge_l_recall rouge_l_precision rouge_l_f1 longest_run_share exact_match repetition off_language""".split()
)
# No bounds, so no interval that takes them for shares. (`choice` lies in [-1, 1].)
UNBOUNDED = frozenset({*TOKENS, *TEXTS} - SHARES - {"choice"})

# Numbers of two sets of scores: members and others, unlearned and retained.
SETS: dict[str, OfSets] = {
    "auc": auc,
    "forget_quality": forget_quality,
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


__all__ = [
    "MEMBERSHIP",
    "SETS",
    "SHARES",
    "TABLE",
    "TEXTS",
    "TOKENS",
    "UNBOUNDED",
    "OfText",
    "OfTokens",
    "answer_logp",
    "choice",
    "model_utility",
    "privacy",
    "privleak",
    "privleak_both_sided",
    "ranks_last",
    "reference_loss",
    "sameness",
    "says",
    "score",
]
