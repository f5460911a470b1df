"""UNDIAL: distil the model into itself, with the logit of every forget token lowered.

Paper: Dong et al., "UNDIAL: Self-Distillation with Adjusted Logits for Robust Unlearning in Large Language Models", 2024,
arXiv 2402.10052. Minimised loss, a mean over the scored forget tokens:
    (1/N_f) sum_n H(softmax(z_ref(y_<n) - strength * onehot(y_n)), p(. | y_<n))
with z_ref the logits before unlearning and H the cross-entropy. No retain term: the target is the model's own distribution, so
what is not lowered stays. Kept in memory of the reference: its final hidden states for the forget rows drawn
(`lab/distributions.py`), no second model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vestige.lab import losses, train
from vestige.lab.actions import Data, drawn, encoded, row_streams, settings_of
from vestige.lab.distributions import remember
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class UNDIAL:
    """Imitate the model as it was, the forget tokens made unlikely."""

    lr: float = 1e-4
    steps: int = 40
    batch_size: int = 8
    strength: float = 10.0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget",)
    paper: ClassVar[str] = "Dong et al. 2024, arXiv 2402.10052"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (2e-5, 5e-4), "strength": (2.0, 30.0)}

    def objective(self, predicted: Mapping[str, losses.Predicted]) -> Tensor:
        """Return the loss of one forget batch."""
        return losses.undial(predicted["forget"], strength=self.strength)

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`."""
        streams = row_streams(encoded(lm, data, self.needs), self.batch_size, seed=seed)
        streams["forget"], forgotten = drawn(streams["forget"], self.steps)
        reference = remember(lm, forgotten, self.precision, head_is_trained=self.train == "all")
        return train.run(lm, streams, self.objective, settings_of(self, seed=seed, views={"forget": reference.look}), on_step)
