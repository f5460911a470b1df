"""How far have the representations of the answers moved along the directions in which the original's vary most?

Paper: Xu et al. 2025, arXiv 2505.16831, PCA similarity and PCA shift. With μ_o, μ_u the means of the hidden states after a block in the
original and in this model, v_1, v_2 the first two principal directions of the original's states, λ_1, λ_2 the variances along them, u_1
this model's first direction:

    pca_shift       ‖[v_1 v_2]ᵀ (μ_u − μ_o)‖ / √(λ_1 + λ_2)        0 where the mean has not moved in that plane
    pca_similarity  |cos(v_1, u_1)|                                in [0, 1], 1 where the first direction is the same

Each is the mean over blocks. Positions: those that the tokens of the forgotten answers are predicted from, never padding.

Deviation: divided by the original's spread in the plane, since hidden states grow from block to block and between models, and a mean over
blocks would be that of the last. A variance that v_1 and v_2 share equally leaves v_1 to chance; the shift does not hang on it.
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
class PCAShift:
    """Shift of the mean hidden state in the original's principal plane, and likeness of the first direction; over at most `rows` rows."""

    rows: int = 64

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "Xu et al. 2025, arXiv 2505.16831"
    beside: ClassVar[tuple[str, ...]] = ("original",)
    readings: ClassVar[tuple[str, ...]] = ("pca_shift", "pca_similarity")

    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return both readings."""
        pairs = beside_original(lm, beside, self.rows)
        if isinstance(pairs, Missing):
            return dict.fromkeys(self.readings, Reading(pairs))
        found = [shift_and_similarity(x, y) for x, y in pairs]
        return {name: Reading.mean(both[n] for both in found) for n, name in enumerate(self.readings)}


def shift_and_similarity(x: Tensor, y: Tensor) -> tuple[Value, Value]:
    """Return PCA shift and similarity of hidden states x (N, D) against the original's y (N, D); Missing where one side does not vary."""
    if not bool(torch.isfinite(x).all()) or not bool(torch.isfinite(y).all()):
        return (Missing("hidden states are not finite"),) * 2
    (ours, _, first), (theirs, variances, directions) = (principal(side.double()) for side in (x, y))
    if variances[0] <= 0:
        return (Missing("the original's hidden states are all alike"),) * 2
    moved = directions[:2] @ (ours - theirs)
    shift = float(torch.linalg.vector_norm(moved) / variances[:2].sum().sqrt())
    if not bool((x != x[0]).any()):
        return shift, Missing("the hidden states are all alike")
    return shift, min(1.0, abs(float(first[0] @ directions[0])))


def principal(states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean (D,), variances (K,) and unit principal directions (K, D) of hidden states (N, D), the widest first."""
    mean = states.mean(0)
    _, values, directions = torch.linalg.svd(states - mean, full_matrices=False)
    return mean, values.square() / len(states), directions
