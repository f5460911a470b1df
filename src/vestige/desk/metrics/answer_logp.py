"""Mean log-probability per token of the true answer, in nats. It rises under any fine-tuning: a curve, not evidence."""

from __future__ import annotations

from vestige.desk import tokens
from vestige.records import Missing


def answer_logp(candidates: tokens.Candidates) -> float | Missing:
    """Return (1/T) sum_t log p(y_t), or Missing without a finite true candidate."""
    true = tokens.logp(candidates)
    return true if isinstance(true, Missing) else tokens.mean(true)
