"""Records for metrics worked by hand, and a way to show that a test would see a metric broken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from vestige.records import Missing

Cases = Sequence[tuple[tuple[Any, ...], float]]
# What no metric may take for a number.
NO_NUMBERS: list[list[float]] = [[math.nan], [math.inf], [-math.inf], [-math.inf, math.inf], [-1.0, math.nan], []]


def among(true: Sequence[float], *wrong: Sequence[float], alias: Sequence[float] | None = None) -> list[dict[str, Any]]:
    """Return candidates with the given token log-probabilities."""
    named = [("true", true), *([("alias:0", alias)] if alias is not None else []), *((f"wrong:{i}", w) for i, w in enumerate(wrong))]
    return [{"candidate": name, "logp": list(logp)} for name, logp in named]


def logs(*p: float) -> list[float]:
    """Return the logarithms of probabilities."""
    return [math.log(x) for x in p]


def agrees(metric: Callable[..., float | Missing], cases: Cases) -> bool:
    """Return whether a metric gives what was worked out by hand, for all cases."""
    return all(not isinstance(got := metric(*given), Missing) and got == pytest.approx(due, rel=1e-9, abs=1e-12) for given, due in cases)
