"""What every metric of token records reads, written once: a candidate's numbers, or Missing where they are none.

A record's candidates are those of `records.ScoreTokens`, as plain mappings: "true" once, "alias:i", "wrong:j". Answers that differ in
length are compared by their mean over tokens; its exponential p(y)^(1/T) is the *length-normalised* probability.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from vestige.records import Missing

Candidates = Sequence[Mapping[str, Any]]
TRUE, WRONG = "true", "wrong:"


def logp(candidates: Candidates, name: str = TRUE) -> Sequence[float] | Missing:
    """Return log p(y_t) of each of the T tokens of one candidate, in nats; Missing unless there is one, and all are finite."""
    return numbers(candidates, "logp", name)


def numbers(candidates: Candidates, key: str, name: str = TRUE) -> Sequence[float] | Missing:
    """Return the T numbers that a candidate holds under `key`, or Missing unless there is one such candidate, and all are finite."""
    found = [c for c in candidates if c["candidate"] == name]
    if len(found) != 1:
        return Missing(f"needs one {name} candidate; seen {len(found)}")
    return _finite(found[0], key)


def _finite(candidate: Mapping[str, Any], key: str) -> Sequence[float] | Missing:
    what = "log-probability" if key == "logp" else key
    values: Sequence[float] | None = candidate.get(key)
    # Token by token: +inf and -inf have no sum.
    if not values or not all(map(math.isfinite, values)):
        return Missing(f"candidate {candidate['candidate']} has no finite {what}")
    return values


def true_and_wrong(candidates: Candidates) -> tuple[Sequence[float], list[Sequence[float]]] | Missing:
    """Return the token log-probabilities of the true answer and of every wrong one; Missing without either, or with a true one too many."""
    true: list[Sequence[float]] = []
    wrong: list[Sequence[float]] = []
    for candidate in candidates:
        values = _finite(candidate, "logp")
        if isinstance(values, Missing):
            return values
        if candidate["candidate"] == TRUE:
            true.append(values)
        elif candidate["candidate"].startswith(WRONG):
            wrong.append(values)
    if len(true) != 1 or not wrong:
        return Missing(f"a choice needs one true and at least one wrong candidate; seen {len(true)} and {len(wrong)}")
    return true[0], wrong


def mean(values: Sequence[float]) -> float:
    """Return the mean over T tokens."""
    return math.fsum(values) / len(values)


def logsumexp(values: Sequence[float]) -> float:
    """Return log sum exp(x), without overflow."""
    top = max(values)
    return top + math.log(math.fsum(math.exp(x - top) for x in values))


def with_lengths(candidates: Candidates, texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the candidates with the lengths of their texts by name: `bytes` in UTF-8, and `zlib_bytes` once compressed."""
    return [{**c, **_lengths(texts[c["candidate"]])} if c["candidate"] in texts else dict(c) for c in candidates]


def _lengths(text: str) -> dict[str, int]:
    encoded = text.encode("utf-8")
    return {"bytes": len(encoded), "zlib_bytes": len(zlib.compress(encoded))}
