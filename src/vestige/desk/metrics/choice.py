"""Choice among distractors: does the model bind the true value to the question?

With p the softmax of the summed log-probabilities of the true answer and its k - 1 distractors,
    s = (k p_true - 1) / (k - 1):    1 where the true answer is certain, 0 at chance, -1/(k - 1) where it is excluded.
"""

from __future__ import annotations

import math

from vestige.desk import tokens
from vestige.records import Missing


def sums(candidates: tokens.Candidates) -> tuple[float, list[float]] | Missing:
    """Return the summed log-probabilities of the true answer and of the distractors, in nats."""
    found = tokens.true_and_wrong(candidates)
    if isinstance(found, Missing):
        return found
    true, wrong = found
    return math.fsum(true), [math.fsum(logp) for logp in wrong]


def choice(candidates: tokens.Candidates) -> float | Missing:
    """Return s, or Missing where there is nothing to choose among."""
    found = sums(candidates)
    if isinstance(found, Missing):
        return found
    true, wrong = found
    top = max(true, *wrong)
    p = math.exp(true - top) / math.fsum(math.exp(x - top) for x in (true, *wrong))
    k = len(wrong) + 1
    return (k * p - 1) / (k - 1)


def ranks_last(candidates: tokens.Candidates) -> float | Missing:
    """Return 1 where the true answer is strictly the least likely candidate, else 0."""
    found = sums(candidates)
    if isinstance(found, Missing):
        return found
    true, wrong = found
    return 1.0 if true < min(wrong) else 0.0
