"""AltPO: preference optimisation against the forget answers and for alternate ones.

Paper: Mekala et al., "Alternate Preference Optimization for Unlearning Factual Knowledge in Large Language Models", 2024,
arXiv 2409.13474. Minimised loss, twice that of `dpo` with other preferred answers:
    -(2/beta) mean_i log sigma(beta [(a_i - ref a_i) - (l_i - ref l_i)])  +  retain_weight * NLL(retain)
with l_i the summed log-probability of the answer of forget row i and a_i that of one of its `alternates`, which take turns.
NLL is a mean over tokens. The reference is one number per answer, computed once.
Deviations: the paper lets the model itself write alternates; here they are values of the same attribute in the retained rows
(`lab/other_answers.py` says why), so a forget row without an attribute cannot be used. The factor 2/beta is that of the authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vestige.lab import losses, other_answers, train
from vestige.lab.actions import Data, encoded, paired, row_streams, settings_of
from vestige.lab.batches import encode_rows, reference_sums
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class AltPO:
    """Prefer other plausible answers to the answer of each forget row."""

    lr: float = 4e-5
    steps: int = 40
    batch_size: int = 8
    beta: float = 0.1
    alternates: int = 4
    retain_weight: float = 1.0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "Mekala et al. 2024, arXiv 2409.13474"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (1e-5, 2e-4), "beta": (0.03, 1.0), "retain_weight": (0.3, 5.0)}

    def objective(self, scored: Mapping[str, losses.Scored]) -> Tensor:
        """Return the loss of one batch of pairs and one retain batch."""
        pairs = 2.0 * losses.dpo(scored["alternate"], scored["forget"], beta=self.beta)
        return pairs + self.retain_weight * losses.nll(scored["retain"])

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        rows = encoded(lm, data, self.needs)
        written = other_answers.alternates(data["forget"], data["retain"], each=self.alternates, seed=seed)
        alternates = {id_: encode_rows(lm, others) for id_, others in written.items()}
        streams = row_streams(rows, self.batch_size, seed=seed)
        streams["forget"], streams["alternate"] = paired(streams["forget"], alternates)
        alternate_sums = reference_sums(lm, [row for others in alternates.values() for row in others])
        reference = {"forget": reference_sums(lm, rows["forget"]), "alternate": alternate_sums}
        return train.run(lm, streams, self.objective, settings_of(self, seed=seed, reference=reference), on_step)
