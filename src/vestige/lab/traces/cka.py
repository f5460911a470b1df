"""Are the representations of the answers still those of the original, up to a rotation?

Paper: Kornblith, Norouzi, Lee and Hinton 2019, arXiv 1905.00414, linear CKA (section 3); of unlearned models: Xu et al. 2025, arXiv
2505.16831. With X (N, D) the hidden states of this model after a block and Y (N, D') those of the original, columns centred:

    cka = ‖Yᵀ X‖_F² / (‖Xᵀ X‖_F ‖Yᵀ Y‖_F)

in [0, 1], 1 where one is a rotation and a scaling of the other, which is what it cannot see. The reading is the mean over blocks.

Positions: those that the tokens of the forgotten answers are predicted from. (The released code of the second paper reads position 0,
which says nothing of the input in a model that begins every text alike.) This is the usual, biased estimate: where N is not much above D,
it lies too near 1, so compare only numbers of one case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vestige.lab.models import LanguageModel
from vestige.lab.residual import beside_original
from vestige.lab.tracing import Beside, Reading, Value
from vestige.records import Missing


@dataclass(frozen=True)
class CKA:
    """Linear CKA of the hidden states that forgotten answers are predicted from, with those of the original; over at most `rows` rows."""

    rows: int = 64

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "Kornblith et al. 2019, arXiv 1905.00414"
    beside: ClassVar[tuple[str, ...]] = ("original",)
    readings: ClassVar[tuple[str, ...]] = ("cka",)

    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return the mean over blocks, and each block's."""
        pairs = beside_original(lm, beside, self.rows)
        return {"cka": Reading(pairs) if isinstance(pairs, Missing) else Reading.mean(linear_cka(x, y) for x, y in pairs)}


def linear_cka(x: Tensor, y: Tensor) -> Value:
    """Return the linear CKA of hidden states x (N, D) and y (N, D') of the same N positions; Missing where one side does not vary."""
    a, b = (side.double() - side.double().mean(0) for side in (x, y))
    over, own = (b.T @ a).square().sum(), torch.linalg.matrix_norm(a.T @ a) * torch.linalg.matrix_norm(b.T @ b)
    if not torch.isfinite(over / own):
        return Missing("hidden states that are all alike, or not finite, have no CKA")
    return min(1.0, float(over / own))
