"""How likely the answer is: negative log-likelihood, length-normalised probability, and its share among given answers.

Paper: Maini et al. 2024, arXiv 2401.06121, §3 (TOFU). Over the T tokens of an answer y,

    NLL            l(y)  = -(1/T) sum_t log p(y_t)                     nats per token, >= 0, lower is likelier
    summed NLL     L(y)  = -sum_t log p(y_t)                           nats
    probability    p(y)^(1/T) = exp(-l(y))                             in [0, 1]
    normalised     exp(-l(y)) / (exp(-l(y)) + sum_j exp(-l(y~_j)))     over the wrong answers y~_j; 1/(1 + n) where all n are as likely

`candidate` names whose; by default the true answer. In TOFU's own questions as this project asks them, that is the paraphrase and
"alias:0" is the row's answer, which the published probability is of.
Deviation: published code adds 1e-10 to the denominator of the normalised probability, so that a model that finds every answer very
unlikely scores near 0 instead of near 1/(1 + n); here nothing is added, and the ratio is taken among logarithms.
"""

from __future__ import annotations

import math

from vestige.desk import tokens
from vestige.records import Missing


def nll(candidates: tokens.Candidates, *, candidate: str = tokens.TRUE) -> float | Missing:
    """Return the negative log-likelihood per token of an answer, in nats."""
    logp = tokens.logp(candidates, candidate)
    return logp if isinstance(logp, Missing) else -tokens.mean(logp)


def summed_nll(candidates: tokens.Candidates, *, candidate: str = tokens.TRUE) -> float | Missing:
    """Return the negative log-likelihood of a whole answer, in nats."""
    logp = tokens.logp(candidates, candidate)
    return logp if isinstance(logp, Missing) else -math.fsum(logp)


def probability(candidates: tokens.Candidates, *, candidate: str = tokens.TRUE) -> float | Missing:
    """Return the length-normalised probability of an answer: the geometric mean over its tokens."""
    logp = tokens.logp(candidates, candidate)
    return logp if isinstance(logp, Missing) else math.exp(tokens.mean(logp))


def normalised_probability(candidates: tokens.Candidates) -> float | Missing:
    """Return the true answer's share of the length-normalised probability of all answers."""
    found = tokens.true_and_wrong(candidates)
    if isinstance(found, Missing):
        return found
    means = [tokens.mean(logp) for logp in (found[0], *found[1])]
    return math.exp(means[0] - tokens.logsumexp(means))
