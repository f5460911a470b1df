"""IDK fine-tuning: learn to answer the forget questions with "I don't know".

Paper: Maini et al. (TOFU), 2024, arXiv 2401.06121, its "preference optimization" (L_idk). Minimised loss:
    -(1/N_i) sum log p(refusal tokens)  -  retain_weight (1/N_r) sum log p(retain tokens),   means over tokens,
each forget row with its answer replaced by a refusal (`lab/other_answers.py`), drawn by the seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vestige.lab import losses, train
from vestige.lab.actions import Data, encoded, row_streams, settings_of
from vestige.lab.batches import encode_rows
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.other_answers import refused
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class IDK:
    """Teach refusals to the forget questions while lowering the loss of the retain rows."""

    lr: float = 4e-5
    steps: int = 40
    batch_size: int = 8
    retain_weight: float = 1.0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "Maini et al. 2024, arXiv 2401.06121"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (1e-5, 2e-4), "retain_weight": (0.3, 5.0)}

    def objective(self, scored: Mapping[str, losses.Scored]) -> Tensor:
        """Return the loss of one batch of refusals and one retain batch."""
        return losses.nll(scored["forget"]) + self.retain_weight * losses.nll(scored["retain"])

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        rows = encoded(lm, data, self.needs)
        rows["forget"] = encode_rows(lm, refused(data["forget"], seed=seed))
        streams = row_streams(rows, self.batch_size, seed=seed)
        return train.run(lm, streams, self.objective, settings_of(self, seed=seed), on_step)
