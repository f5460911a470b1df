"""Mean log-probability per token of the true answer, in nats. It rises under any fine-tuning: a curve, not evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vestige.records import Missing


def answer_logp(candidates: Sequence[Mapping[str, Any]]) -> float | Missing:
    """Return (1/T) sum_t log p(y_t), or Missing without a finite true candidate."""
    true: Sequence[float] = next((c["logp"] for c in candidates if c["candidate"] == "true"), [])
    if not true or not all(map(math.isfinite, true)):
        return Missing("the true answer has no finite log-probability")
    return math.fsum(true) / len(true)
