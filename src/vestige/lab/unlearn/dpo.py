"""Direct preference optimisation against the forget answers and for refusals.

Paper: Rafailov et al., 2023, arXiv 2305.18290, eq. 7; for unlearning, with refusals as preferred answers: Zhang et al., 2024,
arXiv 2404.05868, eq. 2, whose factor 1/beta is kept here. Minimised loss:
    -(1/beta) mean_i log sigma(beta [(w_i - ref w_i) - (l_i - ref l_i)])  +  retain_weight * NLL(retain)
with l_i the summed log-probability of the answer of forget row i and w_i that of a refusal in its place
(`lab/other_answers.py`, drawn by the seed). NLL is a mean over tokens. The reference is two numbers per row, computed once.
The code of Zhang et al. has 2/beta, which weighs the pairs twice as much against the retain term, as half the `retain_weight` does here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vestige.lab import losses, train
from vestige.lab.actions import Data, encoded, paired, row_streams, settings_of
from vestige.lab.batches import encode_rows, reference_sums
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.other_answers import refused
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class DPO:
    """Prefer a refusal to the answer of each forget row."""

    lr: float = 4e-5
    steps: int = 40
    batch_size: int = 8
    beta: float = 0.1
    retain_weight: float = 1.0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "Rafailov et al. 2023, arXiv 2305.18290; Zhang et al. 2024, arXiv 2404.05868"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (1e-5, 2e-4), "beta": (0.03, 1.0), "retain_weight": (0.3, 5.0)}

    def objective(self, scored: Mapping[str, losses.Scored]) -> Tensor:
        """Return the loss of one batch of pairs and one retain batch."""
        pairs = losses.dpo(scored["refusal"], scored["forget"], beta=self.beta)
        return pairs + self.retain_weight * losses.nll(scored["retain"])

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        rows = encoded(lm, data, self.needs)
        refusals = encode_rows(lm, refused(data["forget"], seed=seed))
        streams = row_streams(rows, self.batch_size, seed=seed)
        streams["forget"], streams["refusal"] = paired(streams["forget"], {r.id: [r] for r in refusals})
        reference = {"forget": reference_sums(lm, rows["forget"]), "refusal": reference_sums(lm, refusals)}
        return train.run(lm, streams, self.objective, settings_of(self, seed=seed, reference=reference), on_step)
