"""Negative preference optimisation with a retain term.

Paper: Zhang, Lin, Bai and Mei, 2024, arXiv 2404.05868, eq. 3 and its "+ retain" variant. Minimised loss:
    (2/beta) mean_i log(1 + exp(beta (l_i - ref_i)))  +  retain_weight * NLL(retain)
with l_i the summed answer log-probability of forget row i and ref_i the same before unlearning. NLL is a mean over
tokens; `retain_weight` 0 is NPO alone. The reference needs no second model: it is one number per row, computed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vestige.lab import losses, train
from vestige.lab.actions import Data, encoded, row_streams, settings_of
from vestige.lab.batches import reference_sums
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class NPO:
    """Push the forget rows below their reference probability, ever more gently."""

    lr: float = 4e-5
    steps: int = 40
    batch_size: int = 8
    beta: float = 0.1
    retain_weight: float = 1.0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "Zhang et al. 2024, arXiv 2404.05868"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (1e-5, 2e-4), "beta": (0.03, 1.0), "retain_weight": (0.3, 5.0)}

    def objective(self, scored: Mapping[str, losses.Scored]) -> Tensor:
        """Return the loss of one forget batch and one retain batch."""
        return losses.npo(scored["forget"], beta=self.beta) + self.retain_weight * losses.nll(scored["retain"])

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        rows = encoded(lm, data, self.needs)
        reference = {"forget": reference_sums(lm, rows["forget"])}
        settings = settings_of(self, seed=seed, reference=reference)
        return train.run(lm, row_streams(rows, self.batch_size, seed=seed), self.objective, settings, on_step)
