"""Do the hidden states of what is to be forgotten lie apart, or in fewer directions, without any other model to compare with?

Paper: Chen et al. 2025, arXiv 2506.14003: unlearned models leave spectral fingerprints, seen in projections of hidden states on leading
singular directions. With F (N, D) and R (M, D) the hidden states after a block that answers of forget and retain rows are predicted from,

    spectral_share_forget   λ_1 / Σ λ of F, λ the variances along its principal directions     in [0, 1], 1 where all lie on one line
    spectral_share_retain   the same of R
    spectral_gap            |mean(F v) - mean(R v)| / s, v the first principal direction of F and R together, s² the mean of the variances
                            of F v and of R v (Cohen's d)                                      0 up

each the mean over blocks. None changes when the hidden states are rotated, shifted or scaled as a whole. No other model is needed: one
model is all that somebody has who was handed one. Whether they tell anything is a question for `desk/trace_classifier.py`.

Deviation: published is a classifier on projections of whole responses; here the directions come from the states themselves, and a number
stands for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vestige.errors import DataError
from vestige.lab.answers import answers
from vestige.lab.models import LanguageModel
from vestige.lab.residual import after_blocks
from vestige.lab.tracing import Beside, Reading, Value
from vestige.records import Missing, Row
from vestige.spread import spread

_NAMES = ("spectral_share_forget", "spectral_share_retain", "spectral_gap")


@dataclass(frozen=True)
class SpectralFingerprint:
    """Share of the first direction in hidden states of forget and of retain rows, and the gap between both; at most `rows` of each."""

    rows: int = 64

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "Chen et al. 2025, arXiv 2506.14003"
    beside: ClassVar[tuple[str, ...]] = ()
    readings: ClassVar[tuple[str, ...]] = _NAMES

    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return the three readings."""
        sides = [_states(lm, spread(rows, self.rows)) for rows in (beside.rest.forget, beside.rest.retain)]
        if lacking := next((s for s in sides if isinstance(s, Missing)), None):
            return dict.fromkeys(_NAMES, Reading(lacking))
        found = [fingerprint(f, r) for f, r in zip(*sides, strict=True)]
        return {name: Reading.mean(block[n] for block in found) for n, name in enumerate(_NAMES)}


def _states(lm: LanguageModel, rows: Sequence[Row]) -> list[Tensor] | Missing:
    if len(rows) < 2:
        return Missing(f"{len(rows)} rows of a side; two or more have directions")
    try:
        return after_blocks(lm, answers(lm, rows))
    except DataError:  # which row would name a person
        return Missing("a row has no answer, or more tokens than the model's context holds")


def fingerprint(forget: Tensor, retain: Tensor) -> tuple[Value, Value, Value]:
    """Return the three numbers of one block's hidden states, (N, D) and (M, D); Missing where they do not vary or are not finite."""
    forget, retain = forget.double(), retain.double()
    both = torch.cat([forget, retain])
    if not bool(torch.isfinite(both).all()):
        return (Missing("hidden states are not finite"),) * 3
    return share(forget), share(retain), gap(forget, retain)


def share(states: Tensor) -> Value:
    """Return the share of the variance of states (N, D) that lies along their first principal direction."""
    variances = torch.linalg.svdvals(states - states.mean(0)).square()
    return float(variances[0] / variances.sum()) if variances.sum() > 0 else Missing("the hidden states are all alike")


def gap(forget: Tensor, retain: Tensor) -> Value:
    """Return Cohen's d between both sides along the first principal direction of both together."""
    both = torch.cat([forget, retain])
    direction = torch.linalg.svd(both - both.mean(0), full_matrices=False)[2][0]
    a, b = forget @ direction, retain @ direction
    spread_ = ((a.var(correction=0) + b.var(correction=0)) / 2).sqrt()
    return float((a.mean() - b.mean()).abs() / spread_) if spread_ > 0 else Missing("the hidden states are all alike")
