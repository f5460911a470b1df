"""Weighted gradient ascent: tokens the model is sure of are pushed, those it has lost already are let go.

Paper: Wang et al., "Rethinking LLM Unlearning Objectives: A Gradient Perspective and Go Beyond", 2025, arXiv 2502.19301
(WGA). Minimised loss:
    (1/N_f) sum_n w_n log p(y_n | y_<n)  +  retain_weight * NLL(retain),   w_n = p(y_n | y_<n)^power without gradient,
means over tokens; the paper's alpha is `power`. 0 is gradient ascent (with `retain_weight` 0) or gradient difference without a bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vestige.lab import losses, train
from vestige.lab.actions import Data, encoded, row_streams, settings_of
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class WGA:
    """Raise the loss of the forget tokens in proportion to a power of their probability."""

    lr: float = 4e-5
    steps: int = 40
    batch_size: int = 8
    power: float = 1.0
    retain_weight: float = 1.0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "Wang et al. 2025, arXiv 2502.19301"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (1e-5, 2e-4), "power": (0.3, 4.0), "retain_weight": (0.3, 5.0)}

    def objective(self, scored: Mapping[str, losses.Scored]) -> Tensor:
        """Return the loss of one forget batch and one retain batch."""
        return losses.weighted_ascent(scored["forget"], power=self.power) + self.retain_weight * losses.nll(scored["retain"])

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        streams = row_streams(encoded(lm, data, self.needs), self.batch_size, seed=seed)
        return train.run(lm, streams, self.objective, settings_of(self, seed=seed), on_step)
