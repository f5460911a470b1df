"""Multiple choice accuracy: is the true answer the likeliest of those given?

Convention: that of the field's evaluation harness (Gao et al. 2021, lm-evaluation-harness): the answer with the highest score is the
model's choice, the score being the summed log-probability (`acc`), or that divided by the answer's length, so that long answers
are not at a disadvantage (`acc_norm` there: length in bytes of UTF-8).

    accuracy = 1 if the true answer scores strictly highest, 1/m if it shares the top with m - 1 others, else 0

Deviation: the harness takes the first of equals, so that a model to which all answers are alike scores 1 where the true one is listed
first; 1/m is what a draw among equals gives on average. Lengths in tokens stand in every record; lengths in bytes do not yet, and
come from the texts (`tokens.with_lengths`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vestige.desk import tokens
from vestige.records import Missing


def accuracy(candidates: tokens.Candidates) -> float | Missing:
    """Return the accuracy by summed log-probability."""
    found = tokens.true_and_wrong(candidates)
    return found if isinstance(found, Missing) else _top(math.fsum(found[0]), list(map(math.fsum, found[1])))


def accuracy_per_token(candidates: tokens.Candidates) -> float | Missing:
    """Return the accuracy by mean log-probability per token."""
    found = tokens.true_and_wrong(candidates)
    return found if isinstance(found, Missing) else _top(tokens.mean(found[0]), list(map(tokens.mean, found[1])))


def accuracy_per_byte(candidates: tokens.Candidates) -> float | Missing:
    """Return the accuracy by log-probability per byte of the answer; Missing where a candidate has no positive `bytes`."""
    found = tokens.true_and_wrong(candidates)
    if isinstance(found, Missing):
        return found
    asked = [c for c in candidates if c["candidate"] == tokens.TRUE or c["candidate"].startswith(tokens.WRONG)]
    without = [c["candidate"] for c in asked if not c.get("bytes")]
    if without:
        return Missing(f"candidate {without[0]} has no length in bytes")
    score = {c["candidate"]: math.fsum(c["logp"]) / c["bytes"] for c in asked}
    return _top(score.pop(tokens.TRUE), list(score.values()))


def _top(true: float, wrong: Sequence[float]) -> float:
    return 0.0 if max(wrong) > true else 1.0 / (1 + wrong.count(true))
