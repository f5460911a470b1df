"""Do the forgotten rows and the retained ones rest on the same weights?

Paper: Kirkpatrick et al. 2017, arXiv 1612.00796, "Fisher overlap": 1 - d² with d² = ½ tr(F + G - 2 (F G)^½), the Fréchet distance between
two Fisher informations of unit trace. For diagonals f and g that sum to 1:

    fisher_overlap = Σ_i √(f_i g_i),    f_i ∝ (1/R) Σ_r (∂ℓ_r/∂θ_i)²,    ℓ_r the mean NLL of the answer of row r

in [0, 1]: 1 where both need the same weights to the same degree, 0 where no weight matters to both. f is of forget rows, g of retain rows,
θ all weights but the embeddings. Block by block, each block's own weights are taken to sum to 1.

Row by row: the square of a batch's mean gradient is another thing, and much smaller. Deviation: the empirical Fisher, at the answers of the
rows and not at draws from the model. It holds two numbers a weight beside weights and gradient, as much as AdamW does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vestige.errors import DataError
from vestige.lab.answers import answers
from vestige.lab.batches import Encoded
from vestige.lab.gradients import gradient
from vestige.lab.models import LanguageModel
from vestige.lab.tracing import Beside, Reading, Value
from vestige.lab.train import blocks, trainable
from vestige.records import Missing, Row
from vestige.spread import spread


@dataclass(frozen=True)
class FisherOverlap:
    """Overlap of the diagonal Fisher informations of forget and retain rows; over at most `rows` of each."""

    rows: int = 32

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "Kirkpatrick et al. 2017, arXiv 1612.00796"
    beside: ClassVar[tuple[str, ...]] = ()
    readings: ClassVar[tuple[str, ...]] = ("fisher_overlap",)

    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return the overlap over all weights, and over each block's own."""
        found = [self._fisher(lm, rows) for rows in (beside.rest.forget, beside.rest.retain)]
        lacking = next((f for f in found if isinstance(f, Missing)), None)
        one, other = ([] if isinstance(f, Missing) else f for f in found)
        return {"fisher_overlap": Reading(lacking) if lacking else self._reading(lm, one, other)}

    def _fisher(self, lm: LanguageModel, rows: Sequence[Row]) -> list[Tensor] | Missing:
        if not rows:
            return Missing("there are no forget rows, or no retain rows")
        try:
            return fisher(lm, answers(lm, spread(rows, self.rows)))
        except DataError:  # which row would name a person
            return Missing("a row has no answer, or more tokens than the model's context holds")

    def _reading(self, lm: LanguageModel, one: Sequence[Tensor], other: Sequence[Tensor]) -> Reading:
        pairs = list(zip(one, other, strict=True))
        place = {id(p): n for n, p in enumerate(weights_of(lm))}
        by_block = [[pairs[place[id(p)]] for p in block.parameters()] for block in blocks(lm)]
        return Reading(overlap(pairs), tuple(overlap(own) for own in by_block))


def weights_of(lm: LanguageModel) -> list[Tensor]:
    """Return the weights that the Fisher information is of."""
    chosen = trainable(lm, "all_but_embeddings")
    lm.model.requires_grad_(False)
    return chosen


def fisher(lm: LanguageModel, rows: Sequence[Encoded]) -> list[Tensor]:
    """Return the mean over rows of the squared gradient of each row's mean loss, one tensor per weight tensor."""
    total: list[Tensor] = []
    for row in rows:
        squares = [g.square() / len(rows) for g in gradient(lm, [row], "all_but_embeddings")]
        total = [a.add_(b) for a, b in zip(total, squares, strict=True)] if total else squares
    return total


def overlap(pairs: Iterable[tuple[Tensor, Tensor]]) -> Value:
    """Return Σ √(f g) of two non-negative vectors given in equal parts, each first divided by its sum."""
    both = torch.zeros(3, dtype=torch.float64)
    for f, g in pairs:
        a, b = f.double(), g.double()
        both += torch.stack([(a.sqrt() * b.sqrt()).sum(), a.sum(), b.sum()]).cpu()
    shared, left, right = both.tolist()
    if not torch.isfinite(both).all():
        return Missing("a gradient is not finite")
    if left <= 0 or right <= 0:
        return Missing("no weight matters to the rows of one side")
    return float(min(1.0, shared / (left * right) ** 0.5))
