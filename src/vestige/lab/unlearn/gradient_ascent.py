"""Gradient ascent on the forget set.

Paper: Jang et al., "Knowledge Unlearning for Mitigating Privacy Risks in Language Models", 2022, arXiv 2210.01504,
eq. 1. Minimised loss: (1/N) sum_n log p(y_n | y_<n) over the scored forget tokens (mean over tokens).
Deviation: `bound` stops pushing a token whose log-probability is below -bound (None: as in the paper, no bound).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vestige.lab import losses, train
from vestige.lab.actions import Data, encoded, row_streams, settings_of
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class GradientAscent:
    """Raise the loss of the forget rows."""

    lr: float = 1e-5
    steps: int = 20
    batch_size: int = 8
    bound: float | None = None
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget",)
    paper: ClassVar[str] = "Jang et al. 2022, arXiv 2210.01504"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (2e-6, 1e-4)}

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`."""
        rows = encoded(lm, data, self.needs)
        settings = settings_of(self, seed=seed)
        streams = row_streams(rows, self.batch_size, seed=seed)
        return train.run(lm, streams, lambda s: losses.ascent(s["forget"], bound=self.bound), settings, on_step)
