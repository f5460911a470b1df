"""Truth ratio: how likely wrong answers are against the right one, each per token.

Paper: Maini et al. 2024, arXiv 2401.06121, §3 and eq. 1. With the length-normalised p(y)^(1/T) of the true answer y^ (TOFU: the
paraphrase) and of the n wrong answers y~_j,

    R  = (1/n) sum_j p(y~_j)^(1/T_j) / p(y^)^(1/T)                    the definition: an arithmetic mean
    Rg = exp((1/n) sum_j log p(y~_j)^(1/T_j)) / p(y^)^(1/T)           geometric: losses averaged first, as published code does; Rg <= R

R is 1 where the model tells nothing apart, below 1 where it knows, above 1 where it prefers wrong answers. From log R:

    closeness    min(R, 1/R)     forget sets: 1 is ideal, as far as the two sides differ at all
    margin       max(0, 1 - R)   utility sets: 1 where the truth is certain
    truth share  1 / (1 + R)     p_true / (p_true + mean p_wrong): 1/2 where nothing is told apart (OpenUnlearning's meta-evaluation)

Everything is worked out from log R, which is finite whatever the model does. R itself is Missing where it exceeds the largest float.
Deviation: published code adds 1e-10 to p(y^), which makes R fall to 0 for a model that finds every answer very unlikely; here it stays
the ratio that it is. TOFU's own test of forget quality uses 1/Rg; a Kolmogorov-Smirnov test sees no difference between R and 1/R,
but does see one between R and Rg.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence

from vestige.desk import tokens
from vestige.records import Missing

_LARGEST = math.log(sys.float_info.max)
Pool = Callable[[Sequence[float]], float]


def arithmetic(means: Sequence[float]) -> float:
    """Return the logarithm of the arithmetic mean of probabilities, from their logarithms."""
    return tokens.logsumexp(means) - math.log(len(means))


def log_truth_ratio(candidates: tokens.Candidates, *, pool: Pool = arithmetic) -> float | Missing:
    """Return log R, in nats; `pool` turns the wrong answers' mean log-probabilities into one (`tokens.mean`: geometric)."""
    found = tokens.true_and_wrong(candidates)
    if isinstance(found, Missing):
        return found
    true, wrong = found
    return pool([tokens.mean(logp) for logp in wrong]) - tokens.mean(true)


def truth_ratio(candidates: tokens.Candidates, *, pool: Pool = arithmetic) -> float | Missing:
    """Return R >= 0, or Missing where it is too large for a number."""
    log_r = log_truth_ratio(candidates, pool=pool)
    if isinstance(log_r, float) and log_r > _LARGEST:
        return Missing(f"the truth ratio is e^{log_r:.0f}, more than a number holds")
    return log_r if isinstance(log_r, Missing) else math.exp(log_r)


def truth_ratio_geometric(candidates: tokens.Candidates) -> float | Missing:
    """Return Rg, of the geometric mean over wrong answers."""
    return truth_ratio(candidates, pool=tokens.mean)


def truth_ratio_reciprocal(candidates: tokens.Candidates) -> float | Missing:
    """Return 1/Rg = exp(mean wrong NLL - true NLL), or Missing where it is too large for a number."""
    log_r = log_truth_ratio(candidates, pool=tokens.mean)
    if isinstance(log_r, float) and -log_r > _LARGEST:
        return Missing(f"the reciprocal truth ratio is e^{-log_r:.0f}, more than a number holds")
    return log_r if isinstance(log_r, Missing) else math.exp(-log_r)


def truth_ratio_closeness(candidates: tokens.Candidates, *, pool: Pool = arithmetic) -> float | Missing:
    """Return min(R, 1/R) in [0, 1], for forget sets."""
    log_r = log_truth_ratio(candidates, pool=pool)
    return log_r if isinstance(log_r, Missing) else math.exp(-abs(log_r))


def truth_ratio_margin(candidates: tokens.Candidates, *, pool: Pool = arithmetic) -> float | Missing:
    """Return max(0, 1 - R) in [0, 1], for sets that are to be kept."""
    log_r = log_truth_ratio(candidates, pool=pool)
    return log_r if isinstance(log_r, Missing) else -math.expm1(min(0.0, log_r))


def truth_share(candidates: tokens.Candidates, *, pool: Pool = arithmetic) -> float | Missing:
    """Return 1 / (1 + R) in [0, 1]."""
    log_r = log_truth_ratio(candidates, pool=pool)
    if isinstance(log_r, Missing):
        return log_r
    e = math.exp(-abs(log_r))
    return (e if log_r > 0 else 1.0) / (1.0 + e)
