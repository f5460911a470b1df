"""Survival of facts against relearning: which share is still forgotten after so many steps, and whether two models differ in it.

Papers: Kaplan and Meier 1958, "Nonparametric Estimation from Incomplete Observations", J. Am. Stat. Assoc. 53, 457-481, with
Greenwood's variance on the log(-log) scale; Mantel 1966, "Evaluation of Survival Data and Two New Rank Order Statistics Arising in
Its Consideration", for the log-rank test. Both by scipy.
    S(t) = product over steps u <= t of (1 - revived at u / at risk at u),
where a fact is revived at the first step probed at which its score reaches the threshold, and leaves as censored if it does not
within its budget.

Interval-censored: a fact is looked at only at probe steps, so one revived at t was revived somewhere in (last step below, t]. It is
entered at t, the right end. S is then exact at the steps probed, where all facts are probed at the same steps, says nothing between
them, and `median` is an interval. A step without a score enters its fact late, so that S is too high there by no more than those
facts. A fact that falls below the threshold again stays revived. Two models are compared only if both were probed at the same
steps; facts of one person count one by one: give one curve a person where they go together.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vestige.desk.stats.exact_binomial import share
from vestige.desk.stats.intervals import ALPHA
from vestige.desk.stats.relearn_curves import Crossing
from vestige.records import Missing

Facts = Mapping[str, Crossing | Missing]


@dataclass(frozen=True, slots=True)
class Step:
    """The share still forgotten after a step, with its interval, and how many were at risk and revived there.

    `after` is the last step before it at which one of the facts revived here was seen below the threshold.
    """

    step: int
    alive: float
    low: float
    high: float
    at_risk: int
    revived: int
    after: int = 0


@dataclass(frozen=True, slots=True)
class Survival:
    """The curve over `n` facts, of which `censored` were never revived; `missing` more could not be told."""

    steps: tuple[Step, ...]
    n: int
    censored: int
    missing: int

    @property
    def median(self) -> Crossing:
        """The interval of steps in which half of the facts were revived."""
        for step in self.steps:
            if step.alive <= 0.5:
                return Crossing(step.after, step.step)
        return Crossing(self.steps[-1].step, None)


@dataclass(frozen=True, slots=True)
class LogRank:
    """The log-rank statistic (normal; above 0 where the first is revived sooner), its two-sided p-value, and both numbers of facts."""

    statistic: float
    p: float
    sizes: tuple[int, int]


def survival(facts: Facts, *, alpha: float = ALPHA) -> Survival | Missing:
    """Return the Kaplan-Meier curve of facts by when they were revived; Missing where none can be told."""
    known = [c for c in facts.values() if isinstance(c, Crossing)]
    if not known:
        return Missing(f"none of {len(facts)} facts has a relearn curve")
    from scipy.stats import ecdf

    curve = ecdf(_data(known)).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where Greenwood's band is undefined, an exact one is put in its place below
        bands = curve.confidence_interval(confidence_level=1 - 2 * alpha, method="log-log")
    times = [_time(c) for c in known]
    steps = []
    rows = zip(curve.quantiles, curve.probabilities, bands.low.probabilities, bands.high.probabilities, strict=True)
    for at, alive, low, high in rows:
        step = int(at)
        at_risk = sum(t >= step for t in times)
        if not 0 < alive < 1:  # Greenwood's variance is 0 or undefined there; all, or none, of those at risk is a share
            found = share(at_risk if alive == 1 else 0, at_risk, alpha=alpha)
            assert not isinstance(found, Missing)
            low, high = found.low, found.high
        here = [c.after for c in known if c.at == step]
        steps.append(Step(step, float(alive), float(low), float(high), at_risk, len(here), max(here, default=step)))
    return Survival(tuple(steps), len(known), sum(c.at is None for c in known), len(facts) - len(known))


def log_rank(first: Facts, second: Facts) -> LogRank | Missing:
    """Return the test that two models' facts are revived at the same pace; Missing where there is nothing to compare."""
    a, b = ([c for c in facts.values() if isinstance(c, Crossing)] for facts in (first, second))
    if not a or not b:
        return Missing(f"{len(a)} and {len(b)} facts have a relearn curve; both models need some")
    if all(c.at is None for c in (*a, *b)):
        return Missing("no fact of either model was revived")
    from scipy.stats import logrank

    with np.errstate(invalid="ignore"):
        found = logrank(_data(a), _data(b))
    if math.isnan(found.statistic):
        return Missing("all facts were revived at one step, with nobody left to compare")
    return LogRank(float(found.statistic), float(found.pvalue), (len(a), len(b)))


def _time(fact: Crossing) -> int:
    return fact.after if fact.at is None else fact.at


def _data(facts: list[Crossing]) -> Any:
    from scipy.stats import CensoredData

    return CensoredData([c.at for c in facts if c.at is not None], right=[c.after for c in facts if c.at is None])
