"""Learning: plain fine-tuning on rows, as the original model and its never-exposed twin are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from vestige.lab import losses, train
from vestige.lab.actions import Data, encoded, row_streams
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Optimiser, Settings, Spent


@dataclass(frozen=True)
class Learn:
    """Minimise the negative log-likelihood of `train` rows for a number of epochs."""

    lr: float = 2e-4
    epochs: int = 7
    batch_size: int = 8
    warmup: int = 0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("train",)
    paper: ClassVar[str] = "maximum likelihood"

    def steps_for(self, data: Data) -> int:
        """Return how many steps the epochs take on these rows."""
        return math.ceil(len(data["train"]) / self.batch_size) * self.epochs

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Learn the rows `data["train"]`."""
        rows = encoded(lm, data, self.needs)
        settings = Settings(Optimiser(self.lr, self.warmup), self.steps_for(data), self.train, self.precision)
        streams = row_streams(rows, self.batch_size, seed=seed)
        return train.run(lm, streams, lambda s: losses.nll(s["train"]), settings, on_step)
