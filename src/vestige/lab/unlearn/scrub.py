"""SCRUB: a student that obeys its teacher on the retain set and disobeys it on the forget set.

Paper: Kurmanji, Triantafillou, Hayes and Triantafillou, "Towards Unbounded Machine Unlearning", 2023, arXiv 2302.09880, its
whole objective (alpha is `kl_weight`, gamma `retain_weight`), minimised in turns as in its Algorithm 1:
    max steps:  -(1/N_f) sum_n KL(p_ref(. | y_<n) || p(. | y_<n))                        over the scored forget tokens
    min steps:  kl_weight (1/N_r) sum_n KL(p_ref || p)  +  retain_weight * NLL(retain)   over the scored retain tokens
all means over tokens; the teacher p_ref is the model before unlearning. Deviations: the turns are steps, not epochs; a min step
comes first, since at the teacher itself the KL of a max step has no gradient; after `max_steps` max steps only min steps follow;
no temperature, where the authors' code divides all logits by T and multiplies the KL by T^2 (here T = 1).
A step sees one of the two sets only. Kept in memory of the teacher: its final hidden states for the rows drawn
(`lab/distributions.py`), no second model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vestige.lab import losses, train
from vestige.lab.actions import Data, drawn, encoded, row_streams, settings_of
from vestige.lab.batches import Encoded
from vestige.lab.distributions import remember
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class SCRUB:
    """Move away from the model as it was on the forget rows and stay with it on the retain rows, in turns."""

    lr: float = 4e-5
    steps: int = 40
    batch_size: int = 8
    max_steps: int = 15
    kl_weight: float = 1.0
    retain_weight: float = 1.0
    train: train.Trained = "all_but_embeddings"
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "Kurmanji et al. 2023, arXiv 2302.09880"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (1e-5, 2e-4), "max_steps": (5, 20), "kl_weight": (0.1, 10.0)}

    def objective(self, predicted: Mapping[str, losses.Predicted]) -> Tensor:
        """Return the loss of a forget batch (a max step) or of a retain batch (a min step)."""
        if "forget" in predicted:
            return -losses.kl_from_reference(predicted["forget"])
        retain = predicted["retain"]
        return self.kl_weight * losses.kl_from_reference(retain) + self.retain_weight * losses.cross_entropy(retain)

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        streams = row_streams(encoded(lm, data, self.needs), self.batch_size, seed=seed)
        max_turns = [step % 2 == 0 and step <= 2 * self.max_steps for step in range(1, self.steps + 1)]
        views = {}
        for name, at in (("forget", True), ("retain", False)):
            batches, rows = drawn(_at(streams[name], [turn is at for turn in max_turns]), self.steps)
            streams[name] = batches
            views[name] = remember(lm, rows, self.precision, head_is_trained=self.train == "all").look
        return train.run(lm, streams, self.objective, settings_of(self, seed=seed, views=views), on_step)


def _at(stream: Iterator[list[Encoded]], turns: Sequence[bool]) -> Iterator[list[Encoded]]:
    """Yield a batch where it is the stream's turn, and an empty one where it is not."""
    return (next(stream) if turn else [] for turn in turns)
