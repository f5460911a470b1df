"""Extraction strength: how little of a text must be shown until a model says all the rest of it by itself, word for word.

Paper: Carlini et al. 2021, arXiv 2012.07805 (extraction from a prefix); as a score of unlearning, Wang et al. 2024, "Towards
Effective Evaluations and Comparisons for LLM Unlearning Methods", arXiv 2406.09179.

With hit_t = 1 where y_t is the most likely token after the prompt and y_1..y_{t-1}, over the T tokens of the true answer,

    ES = 1 - k*/T,    k* = min{k : hit_{k+1} = ... = hit_T = 1},    k* = T if the last token is a miss.

So ES is the share of the answer that its unbroken run of hits at the end takes: 1 if every token is said, 0 if the last is not.
Deviation: published code has been seen to stop at k = T - 1 and so never to fall below 1/T; here it reaches 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from vestige.records import Missing, ScoreTokens


def extraction_strength(hits: Sequence[int]) -> float | Missing:
    """Return ES of T hits (1: the token was the most likely one), or Missing where there is no token."""
    if not hits:
        return Missing("the true answer has no tokens")
    return len(list(takewhile(bool, reversed(hits)))) / len(hits)


def strength_of(record: ScoreTokens) -> float | Missing:
    """Return ES of the true answer of a record, or Missing without exactly one."""
    true = [c.top1 for c in record.candidates if c.candidate == "true"]
    if len(true) != 1:
        return Missing(f"extraction strength needs one true answer; seen {len(true)}")
    return extraction_strength(true[0])
