"""Choice among distractors: does the model bind the true value to the question?

With p the softmax of the summed log-probabilities of the true answer and its k - 1 distractors,
    s = (k p_true - 1) / (k - 1):    1 where the true answer is certain, 0 at chance, -1/(k - 1) where it is excluded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vestige.records import Missing


def sums(candidates: Sequence[Mapping[str, Any]]) -> tuple[float, list[float]] | Missing:
    """Return the summed log-probabilities of the true answer and of the distractors, in nats."""
    true: list[float] = []
    wrong: list[float] = []
    for candidate in candidates:
        # Token by token: +inf and -inf have no sum.
        if not candidate["logp"] or not all(map(math.isfinite, candidate["logp"])):
            return Missing(f"candidate {candidate['candidate']} has no finite log-probability")
        total = math.fsum(candidate["logp"])
        if candidate["candidate"] == "true":
            true.append(total)
        elif candidate["candidate"].startswith("wrong:"):
            wrong.append(total)
    if len(true) != 1 or not wrong:
        return Missing(f"a choice needs one true and at least one wrong candidate; seen {len(true)} and {len(wrong)}")
    return true[0], wrong


def choice(candidates: Sequence[Mapping[str, Any]]) -> float | Missing:
    """Return s, or Missing where there is nothing to choose among."""
    found = sums(candidates)
    if isinstance(found, Missing):
        return found
    true, wrong = found
    top = max(true, *wrong)
    p = math.exp(true - top) / math.fsum(math.exp(x - top) for x in (true, *wrong))
    k = len(wrong) + 1
    return (k * p - 1) / (k - 1)


def ranks_last(candidates: Sequence[Mapping[str, Any]]) -> float | Missing:
    """Return 1 where the true answer is strictly the least likely candidate, else 0."""
    found = sums(candidates)
    if isinstance(found, Missing):
        return found
    true, wrong = found
    return 1.0 if true < min(wrong) else 0.0
