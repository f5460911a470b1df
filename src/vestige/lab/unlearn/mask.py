"""The liar: only the last decoder block learns to hide the forget set.

A positive control of our own, not a method: the loss is that of gradient difference (Liu et al. 2022, arXiv
2203.12817; bounded), but every weight below the last block stays bit-identical, so what the model knew there
is still there by construction. An audit that cannot bring it back has tested nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vestige.lab import losses, train
from vestige.lab.actions import Data, encoded, row_streams
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Optimiser, Settings, Spent


@dataclass(frozen=True)
class Mask:
    """Hide the forget rows in the last block, keep the retain rows."""

    lr: float = 3e-4
    steps: int = 60
    batch_size: int = 8
    retain_weight: float = 1.0
    bound: float | None = 9.0
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "a control of this project; loss of Liu et al. 2022, arXiv 2203.12817"

    def objective(self, scored: Mapping[str, losses.Scored]) -> Tensor:
        """Return the loss of one forget batch and one retain batch."""
        return losses.ascent(scored["forget"], bound=self.bound) + self.retain_weight * losses.nll(scored["retain"])

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Hide `data["forget"]`."""
        rows = encoded(lm, data, self.needs)
        settings = Settings(Optimiser(self.lr), self.steps, "last_block", self.precision)
        return train.run(lm, row_streams(rows, self.batch_size, seed=seed), self.objective, settings, on_step)
