"""Numbers read from a relearn curve: a score by step of relearning, step 0 being no attack.

    area          (1 / B) x integral of the curve from 0 to the budget B, by trapezoids between the steps probed; in units of the score
    crossing      the relearn time min {t : S(t) >= threshold}, known as an interval: (last step below, first step at or above]
    time ratio    relearn time of the subject over that of a model that never saw the data, with the threshold (1 - a) S(original):
                  1 is ideal, below 1 the subject was quicker. The anamnesis index of Chundawat et al. 2023, "Zero-Shot Machine
                  Unlearning", arXiv 2201.05629
    least budget  the smallest budget at which the lower bound of recovery reaches the threshold

A curve maps steps to scores. A score that is Missing or no number is a step at which nobody looked: the area is then Missing, a crossing
only less exact. A model that never crosses within its budget has no relearn time (its time is censored, never the budget itself).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from vestige.desk.stats.intervals import Estimate
from vestige.desk.stats.recovery import Recovered
from vestige.records import Missing

Curve = Mapping[int, float | Missing]


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a curve reached its threshold: in (`after`, `at`], or, with `at` None, not by step `after`."""

    after: int
    at: int | None


@dataclass(frozen=True, slots=True)
class TimeRatio:
    """Relearn time of the subject over the control's, with the bounds that the steps probed leave open (`high` None: no bound)."""

    value: float
    low: float
    high: float | None


def seen(curve: Curve) -> dict[int, float]:
    """Return the steps that have a number, in order."""
    return {t: float(s) for t, s in sorted(curve.items()) if not isinstance(s, Missing) and math.isfinite(s)}


def area(curve: Curve, budget: int) -> float | Missing:
    """Return the mean height of the curve from step 0 to the budget; both ends must have been probed, and nothing between be missing.

    Raises:
        ValueError: the budget is not above 0.
    """
    if budget <= 0:
        raise ValueError(f"a budget of {budget} steps; expected more than 0")
    within = {t: s for t, s in curve.items() if 0 <= t <= budget}
    known = seen(within)
    lost = sorted(set(within) - set(known))
    if lost:
        return Missing(f"no score at step {lost[0]}")
    for end in (0, budget):
        if end not in known:
            return Missing(f"step {end} was not probed")
    return sum((b - a) * (known[a] + known[b]) / 2 for a, b in pairwise(known)) / budget


def crossing(curve: Curve, threshold: float) -> Crossing | Missing:
    """Return when the curve first reaches the threshold; one that is there at its first step has crossed at that step."""
    known = seen(curve)
    if not known:
        return Missing("no step has a score")
    if not math.isfinite(threshold):
        return Missing(f"a threshold of {threshold} is no number")
    after = 0
    for step, score in known.items():
        if score >= threshold:
            return Crossing(after, step)
        after = step
    return Crossing(after, None)


def time_ratio(subject: Crossing | Missing, control: Crossing | Missing) -> TimeRatio | Missing:
    """Return the anamnesis index; Missing where either is censored, or the control was there before any step."""
    mine, theirs = _interval("subject", subject), _interval("control", control)
    if isinstance(mine, Missing):
        return mine
    if isinstance(theirs, Missing):
        return theirs
    if theirs[1] == 0:
        return Missing("the control was at the threshold before any step: it tells nothing about the data")
    return TimeRatio(mine[1] / theirs[1], mine[0] / theirs[1], mine[1] / theirs[0] if theirs[0] else None)


def _interval(name: str, found: Crossing | Missing) -> tuple[int, int] | Missing:
    if isinstance(found, Missing):
        return Missing(f"{name}: {found.reason}")
    if found.at is None:
        return Missing(f"the {name} did not reach the threshold within {found.after} steps")
    return found.after, found.at


def least_budget(recovery: Mapping[int, Estimate | Recovered | Missing], threshold: float) -> int | Missing:
    """Return the smallest budget whose recovery has a lower bound at the threshold or above."""
    known = {budget: r for budget, r in sorted(recovery.items()) if not isinstance(r, Missing)}
    lost = f"; {len(recovery) - len(known)} budgets have no estimate" if len(known) < len(recovery) else ""
    if not known:
        return Missing("no budget has an estimate")
    reached = [budget for budget, r in known.items() if r.low >= threshold]
    return reached[0] if reached else Missing(f"no budget up to {max(known)} reaches {threshold:g}{lost}")
