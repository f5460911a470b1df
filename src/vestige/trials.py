"""The settings that a tuning tries: the defaults of a method first, then points spread evenly over its space.

The points are a scrambled Sobol sequence (Owen 1998) from Optuna (Akiba et al. 2019, arXiv 1907.10902), drawn by a seed and by nothing
else: no trial looks at what another gave. So a plan alone says what is tried, every method gets the same spread, and a tuning that
was killed goes on with the very trials it had. A sampler that learns from its trials has nothing to learn from as few as eight.

A field whose lowest value is above 0 is spread evenly in its logarithm, one from 0 evenly in itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

Space = Mapping[str, tuple[float, float]]
Setting = dict[str, float]
_DIGITS = 3


def draw(space: Space, defaults: Mapping[str, float], *, count: int, seed: int) -> list[Setting]:
    """Return `count` settings; whole numbers stay whole where both ends are, others have three digits.

    The first setting is `defaults`, each moved to the nearest end of its range where it lies outside.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.QMCSampler(scramble=True, seed=seed)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(sampler=sampler)
    finally:
        optuna.logging.set_verbosity(before)
    ranges = {name: _range(*ends) for name, ends in space.items()}
    first = {name: min(max(defaults[name], low), high) for name, (low, high) in space.items()}
    study.enqueue_trial(first)
    drawn = []
    for _ in range(count):
        trial = study.ask(ranges)
        drawn.append({name: _rounded(value) for name, value in trial.params.items()})
        study.tell(trial, 0.0)  # the sampler reads from a finished trial which fields there are; never its value
    return drawn


def _range(low: float, high: float) -> BaseDistribution:
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=low > 0)
    return FloatDistribution(low, high, log=low > 0)


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")
