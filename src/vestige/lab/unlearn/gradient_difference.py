"""Gradient difference: ascent on the forget set, descent on the retain set.

Paper: Liu, Liu and Stone, "Continual Learning and Private Unlearning", 2022, arXiv 2203.12817; in language models:
Maini et al. (TOFU), 2024, arXiv 2401.06121, its "gradient difference". Minimised loss:
    (1/N_f) sum log p(forget tokens)  -  retain_weight (1/N_r) sum log p(retain tokens),   means over tokens.
Deviation: `bound` stops pushing a forget token whose log-probability is below -bound (None: no bound).
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
class GradientDifference:
    """Raise the loss of the forget rows while lowering that of the retain rows."""

    lr: float = 4e-5
    steps: int = 30
    batch_size: int = 8
    retain_weight: float = 1.0
    bound: float | None = 9.0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "Liu et al. 2022, arXiv 2203.12817"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (1e-5, 2e-4), "retain_weight": (0.3, 5.0)}

    def objective(self, scored: Mapping[str, losses.Scored]) -> Tensor:
        """Return the loss of one forget batch and one retain batch."""
        return losses.ascent(scored["forget"], bound=self.bound) + self.retain_weight * losses.nll(scored["retain"])

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        rows = encoded(lm, data, self.needs)
        settings = settings_of(self, seed=seed)
        return train.run(lm, row_streams(rows, self.batch_size, seed=seed), self.objective, settings, on_step)
