"""Negative preference optimisation with a KL term in place of the retain loss.

Paper: Zhang, Lin, Bai and Mei, 2024, arXiv 2404.05868, eq. 3 and its "+ KL" variant. Minimised loss:
    (2/beta) mean_i log(1 + exp(beta (l_i - ref_i)))  +  retain_weight (1/N_r) sum_n KL(p(. | y_<n) || p_ref(. | y_<n))
with l_i the summed answer log-probability of forget row i and ref_i the same before unlearning; the second sum goes over the
scored retain tokens. Mind the direction: in this paper the *model* comes first (its section 2), in TOFU's KL-minimisation the
reference. Their code has the reference first here too, so numbers made with it are of the other divergence.
Kept in memory of the reference: one number per forget row, final hidden states for the retain rows drawn (`lab/distributions.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from vestige.lab import losses, train
from vestige.lab.actions import Data, drawn, encoded, row_streams, settings_of
from vestige.lab.batches import reference_sums
from vestige.lab.distributions import remember
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class NPOKL:
    """Push the forget rows below their reference probability, holding the distributions on the retain rows."""

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

    def objective(self, seen: Mapping[str, Any]) -> Tensor:
        """Return the loss of `Scored` forget rows and `Predicted` retain rows."""
        return losses.npo(seen["forget"], beta=self.beta) + self.retain_weight * losses.kl_to_reference(seen["retain"])

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        rows = encoded(lm, data, self.needs)
        streams = row_streams(rows, self.batch_size, seed=seed)
        streams["retain"], retained = drawn(streams["retain"], self.steps)
        sums = {"forget": reference_sums(lm, rows["forget"])}
        views = {"retain": remember(lm, retained, self.precision, head_is_trained=self.train == "all").look}
        return train.run(lm, streams, self.objective, settings_of(self, seed=seed, reference=sums, views=views), on_step)
