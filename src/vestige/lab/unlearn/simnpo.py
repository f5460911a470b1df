"""SimNPO: negative preference optimisation without a reference, on the mean log-probability of an answer.

Paper: Fan, Liu, Lin, Jia, Zhang, Mei and Liu, 2024, arXiv 2410.07163, eq. 4. Minimised loss:
    -(2/beta) mean_i log sigma(-(beta/|y_i|) log p(y_i | x_i) - gamma)  +  retain_weight * NLL(retain)
over forget rows i of |y_i| scored tokens. NLL is a mean over tokens. No reference, no second model.
The authors' code puts gamma inside of beta, -beta (mean log p + gamma): a gamma of theirs is beta times as much here.
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
class SimNPO:
    """Push the mean log-probability of the forget answers down, ever more gently."""

    lr: float = 4e-5
    steps: int = 40
    batch_size: int = 8
    beta: float = 2.5
    gamma: float = 0.0
    retain_weight: float = 1.0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "Fan et al. 2024, arXiv 2410.07163"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (1e-5, 2e-4), "beta": (0.5, 10.0), "retain_weight": (0.3, 5.0)}

    def objective(self, scored: Mapping[str, losses.Scored]) -> Tensor:
        """Return the loss of one forget batch and one retain batch."""
        forget = losses.simnpo(scored["forget"], beta=self.beta, gamma=self.gamma)
        return forget + self.retain_weight * losses.nll(scored["retain"])

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        streams = row_streams(encoded(lm, data, self.needs), self.batch_size, seed=seed)
        return train.run(lm, streams, self.objective, settings_of(self, seed=seed), on_step)
