"""Power before the run: how many clusters and probes show a difference to within so many points, and how likely a PASS or a FAIL is.

The mean of C cluster means of m probes each, subject minus control, has the standard error sigma / sqrt(C). For scores of 0 and 1
at the rates p (subject) and q (control), with intra-cluster correlation icc in each arm and none between the arms,
    sigma^2 = [p (1 - p) + q (1 - q)] (1 + (m - 1) icc) / m.
With x the mean, s the sample's sigma, t Student's quantile at C - 1 degrees of freedom and alpha a side:
    half width            t sigma / sqrt(C)                                          "to within 5 points" is a half width of 0.05
    below(delta)          P(x + t s / sqrt(C) < delta)                               one clause of a PASS
    at least(delta)       P(x >= delta and x - t s / sqrt(C) > 0)                    one test of a FAIL
both integrated over the distribution of s: s^2 (C - 1) / sigma^2 is chi-squared, and given s, x is normal.

Where nothing is seen in either arm (sigma = 0) the interval is exact, and what counts is the effective number of probes:
below(delta) is 1 from `intervals.n_min` on, and 0 before. Known deviation: for rare events the mean and its spread are skewed
together, and intervals of fewer than three clusters that differ are exact, so that the true power lies off this one;
docs/coverage.md gives both, cell by cell. A PASS asks for every place at once (each relearn set and step), a FAIL is corrected for
the number of tests: give `alpha` divided by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestige.desk.stats.intervals import ALPHA, n_min, student_t
from vestige.records import Missing

_MOST = 10_000
_NODES = 2_000


@dataclass(frozen=True, slots=True)
class Design:
    """What is planned and supposed: clusters, probes in each, the rates of subject and control, their intra-cluster correlation."""

    clusters: int
    probes: int
    subject: float
    control: float = 0.0
    icc: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what is no design.

        Raises:
            ValueError: a number is out of its range.
        """
        if self.clusters < 2 or self.probes < 1:
            raise ValueError(f"{self.clusters} clusters of {self.probes} probes; expected two or more clusters of one or more")
        for name in ("subject", "control", "icc"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)}; expected 0 to 1")

    @property
    def sigma(self) -> float:
        """The standard deviation of one cluster's difference."""
        spread = self.subject * (1 - self.subject) + self.control * (1 - self.control)
        return math.sqrt(spread * (1 + (self.probes - 1) * self.icc) / self.probes)

    @property
    def effective(self) -> float:
        """The effective number of probes of an exact interval, as `intervals.effective` counts it."""
        return self.clusters * self.probes / (1 + (self.probes - 1) / 2)

    def of(self, clusters: int) -> Design:
        """Return the same with another number of clusters."""
        return Design(clusters, self.probes, self.subject, self.control, self.icc)


def half_width(design: Design, *, alpha: float = ALPHA) -> float:
    """Return half the expected width of the interval of subject minus control."""
    if design.sigma == 0:
        return float(1 - alpha ** (1 / design.effective))
    return student_t(alpha, design.clusters - 1) * design.sigma / math.sqrt(design.clusters)


def below(design: Design, delta: float, *, alpha: float = ALPHA) -> float:
    """Return the probability that the upper bound of the difference lies below delta."""
    if design.sigma == 0:
        return float(design.subject - design.control < delta and design.effective >= n_min(delta, alpha))
    error, t = design.sigma / math.sqrt(design.clusters), student_t(alpha, design.clusters - 1)
    return _over_spreads(design, lambda s: _normal((delta - t * s * error - (design.subject - design.control)) / error))


def at_least(design: Design, delta: float, *, alpha: float = ALPHA) -> float:
    """Return the probability that the difference is at least delta and its lower bound above 0."""
    if design.sigma == 0:
        return float(design.subject - design.control >= delta and design.effective >= n_min(0.5, alpha))
    error, t = design.sigma / math.sqrt(design.clusters), student_t(alpha, design.clusters - 1)
    true = design.subject - design.control
    return _over_spreads(design, lambda s: _normal((true - np.maximum(delta, t * s * error)) / error))


def clusters_for_width(design: Design, within: float, *, alpha: float = ALPHA) -> int | Missing:
    """Return the fewest clusters whose interval is to within so much of the difference (0.05: plus or minus 5 points)."""
    return _fewest(design, lambda d: half_width(d, alpha=alpha) <= within, f"a half width of {within:g}")


def clusters_for_pass(design: Design, delta: float, *, power: float = 0.8, alpha: float = ALPHA) -> int | Missing:
    """Return the fewest clusters with which one place is shown to lie below delta with the power asked for."""
    if round(design.subject - design.control, 9) >= delta:  # 0.3 - 0.1 is a little less than 0.2
        return Missing(f"a difference of {design.subject - design.control:g} is not below {delta:g}: no number of clusters shows it")
    enough = n_min(delta, alpha)  # the rule asks for it, whatever the spread
    return _fewest(design, lambda d: d.effective >= enough and below(d, delta, alpha=alpha) >= power, f"a power of {power:g}")


def _fewest(design: Design, reaches: Callable[[Design], bool], what: str) -> int | Missing:
    """Return the fewest clusters that reach it, by doubling and halving: more clusters never do worse."""
    high = 2
    while not reaches(design.of(high)):
        if high >= _MOST:
            return Missing(f"{_MOST} clusters of {design.probes} do not give {what}")
        high = min(2 * high, _MOST)
    low = max(2, high // 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(design.of(middle)) else (middle + 1, high)
    return high


def _over_spreads(design: Design, of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> float:
    """Return the mean of a function of s / sigma over its distribution, at the middles of equal shares."""
    from scipy.special import chdtri

    middles = (np.arange(_NODES) + 0.5) / _NODES
    df = design.clusters - 1
    return float(np.mean(of(np.sqrt(chdtri(df, middles) / df))))


def _normal(z: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtr

    return np.asarray(ndtr(z))
