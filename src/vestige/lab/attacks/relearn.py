"""Benign relearning: a brief, ordinary fine-tuning on a relearn set D'.

Paper: Hu, Fu, Wu and Smith, 2024, arXiv 2406.13356, Algorithm 1: minimise the language-model loss of D' starting
from the unlearned weights, by full fine-tuning or through low-rank adapters (Hu et al. 2021, arXiv 2106.09685).
Every step sees about `batch_tokens` tokens, so that relearn sets of different row lengths get equal steps and equal
trained tokens (the matched budgets that Yoon et al. 2026, arXiv 2602.03379, ask for).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vestige.lab import losses, train
from vestige.lab.actions import Data, encoded
from vestige.lab.batches import by_tokens
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Optimiser, Settings, Spent


@dataclass(frozen=True)
class Relearn:
    """Fine-tune on the relearn set; `adapter_rank` 0 trains the weights themselves, above 0 LoRA of that rank."""

    lr: float = 3e-5
    steps: int = 16
    batch_tokens: int = 160
    warmup: int = 0
    adapter_rank: int = 0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("relearn",)
    paper: ClassVar[str] = "Hu et al. 2024, arXiv 2406.13356"

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Relearn from `data["relearn"]`."""
        rows = encoded(lm, data, self.needs)["relearn"]
        streams = {"relearn": by_tokens(rows, self.batch_tokens, seed=seed)}
        how = Optimiser(self.lr, self.warmup)
        settings = Settings(how, self.steps, self.train, self.precision, adapter_rank=self.adapter_rank, seed=seed)
        return train.run(lm, streams, lambda s: losses.nll(s["relearn"]), settings, on_step)
