"""Task vectors: fine-tune on the forget set, then walk from the original weights in the opposite direction.

Paper: Ilharco et al., "Editing Models with Task Arithmetic", 2022, arXiv 2212.04089, section 2 ("negation"):
    tau = theta_ft - theta_0,    theta_k = theta_0 - k scale tau    after k of `steps` steps
with theta_ft the weights after `learn_steps` steps of gradient descent on the mean negative log-likelihood of the forget
tokens. The paper's single coefficient is k times `scale`, walked in steps so that a stop rule can choose it; a step costs no
training, and the tokens counted are those of the fine-tuning. Kept in memory: one copy of the weights, which the equation needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from vestige.lab import losses, train
from vestige.lab.actions import Data, encoded, row_streams
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Optimiser, Settings, Spent


@dataclass(frozen=True)
class TaskVector:
    """Subtract what fine-tuning on the forget rows adds to the weights, `scale` of it a step."""

    lr: float = 1e-4
    learn_steps: int = 20
    scale: float = 0.1
    steps: int = 20
    batch_size: int = 8
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget",)
    paper: ClassVar[str] = "Ilharco et al. 2022, arXiv 2212.04089"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (2e-5, 5e-4), "learn_steps": (5, 60)}

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`."""
        rows = encoded(lm, data, self.needs)
        if not self.steps:
            return Spent()
        before = [p.detach().clone() for p in lm.model.parameters()]
        settings = Settings(Optimiser(self.lr), self.learn_steps, self.train, self.precision, seed=seed)
        streams = row_streams(rows, self.batch_size, seed=seed)
        spent = train.run(lm, streams, lambda s: losses.nll(s["forget"]), settings, lambda _: False)
        return self._walk(lm, before, spent, on_step)

    @torch.no_grad()
    def _walk(self, lm: LanguageModel, before: list[torch.Tensor], spent: Spent, on_step: OnStep) -> Spent:
        """Put the weights back and subtract the task vector step by step."""
        weights = list(lm.model.parameters())
        for weight, buffer in zip(weights, before, strict=True):
            learned = weight - buffer
            weight.copy_(buffer)
            buffer.copy_(learned)
        for spent.steps in range(1, self.steps + 1):
            for weight, vector in zip(weights, before, strict=True):
                weight.sub_(vector, alpha=self.scale)
            if on_step(spent.steps):
                break
        return spent
