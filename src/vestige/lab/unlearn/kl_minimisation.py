"""KL-minimisation: ascent on the forget set, while the retained rows keep the distributions they had.

Paper: Maini et al. (TOFU), 2024, arXiv 2401.06121, its "KL minimization". Minimised loss:
    (1/N_f) sum log p(forget tokens)  +  retain_weight (1/N_r) sum_n KL(p_ref(. | y_<n) || p(. | y_<n)),   means over tokens,
the second sum over the scored tokens of the retain rows. Deviation: the paper takes the divergence over all tokens of a row, here
over those that are scored, like every other loss of the house; `bound` as in gradient difference (None: no bound, as in the paper).
Kept in memory of the reference: its final hidden states for the retain rows drawn (`lab/distributions.py`), no second model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from vestige.lab import losses, train
from vestige.lab.actions import Data, drawn, encoded, row_streams, settings_of
from vestige.lab.distributions import remember
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class KLMinimisation:
    """Raise the loss of the forget rows, holding the next-token distributions on the retain rows."""

    lr: float = 4e-5
    steps: int = 30
    batch_size: int = 8
    retain_weight: float = 1.0
    bound: float | None = 9.0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "Maini et al. 2024, arXiv 2401.06121"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (1e-5, 2e-4), "retain_weight": (0.3, 5.0)}

    def objective(self, seen: Mapping[str, Any]) -> Tensor:
        """Return the loss of `Scored` forget rows and `Predicted` retain rows."""
        return losses.ascent(seen["forget"], bound=self.bound) + self.retain_weight * losses.kl_from_reference(seen["retain"])

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        streams = row_streams(encoded(lm, data, self.needs), self.batch_size, seed=seed)
        streams["retain"], retained = drawn(streams["retain"], self.steps)
        reference = remember(lm, retained, self.precision, head_is_trained=self.train == "all")
        return train.run(lm, streams, self.objective, settings_of(self, seed=seed, views={"retain": reference.look}), on_step)
