"""Does a step on the relearn set go where a step on the forgotten rows would go?

Paper: Yoon, Hong, Jeung and No 2026, arXiv 2602.03379: the cosine between the gradient of a relearn set and that of the target rows
at the unlearned model (for gradient ascent .65 for sets alike in syntax, .10 for sets alike in topic).

    cos(g_D′, g_F) = ⟨g_D′, g_F⟩ / (‖g_D′‖ ‖g_F‖),    g_S = ∇_θ −(1/N_S) Σ_n log p_θ(y_n | y_<n)

over the N_S scored tokens of a set S, θ being the weights that the attack trains, F the forget rows asked about along the set. Above 0, a
small step down the loss of D′ lowers the loss of F as well. It lies in [−1, 1]; a gradient of length 0 has no direction, and is Missing.

Deviations: a mean over tokens, as the attack minimises, where the paper does not say; an attack through adapters is measured on the
weights themselves (all but the embeddings), since fresh adapters pass no gradient through one of their two halves. Always in fp32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vestige.errors import DataError
from vestige.lab.batches import encode_rows
from vestige.lab.gradients import gradient
from vestige.lab.models import LanguageModel
from vestige.lab.tracing import Material
from vestige.lab.train import Trained
from vestige.records import Missing, Row


@dataclass(frozen=True)
class GradientCosine:
    """Cosine between the gradient of the relearn set's loss and that of the forget loss; `batch_tokens` bounds memory only."""

    batch_tokens: int = 1024

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "Yoon et al. 2026, arXiv 2602.03379"

    def __call__(self, lm: LanguageModel, material: Material) -> float | Missing:
        """Return the cosine."""
        found = [self._gradient(lm, rows, material.train) for rows in (material.relearn, material.forget)]
        missing = next((g for g in found if isinstance(g, Missing)), None)
        return missing or cosine(*(g for g in found if not isinstance(g, Missing)))

    def _gradient(self, lm: LanguageModel, rows: Sequence[Row], which: Trained) -> list[Tensor] | Missing:
        if not rows:
            return Missing("no row of the relearn set, or no forget row is asked about along it")
        try:
            encoded = encode_rows(lm, rows)
        except DataError:  # which row would name a person
            return Missing("a row has no token to score, or more tokens than the model's context holds")
        return gradient(lm, encoded, which, batch_tokens=self.batch_tokens)


def cosine(one: Sequence[Tensor], other: Sequence[Tensor]) -> float | Missing:
    """Return the cosine between two vectors given in equal parts."""
    dot, left, right = (sum(float((a.double() * b.double()).sum()) for a, b in zip(x, y, strict=True)) for x, y in _pairs(one, other))
    if not all(map(math.isfinite, (dot, left, right))):
        return Missing("a gradient is not finite")
    if left == 0 or right == 0:
        return Missing("a gradient of length 0 has no direction")
    return max(-1.0, min(1.0, dot / math.sqrt(left) / math.sqrt(right)))


def _pairs(one: Sequence[Tensor], other: Sequence[Tensor]) -> tuple[tuple[Sequence[Tensor], Sequence[Tensor]], ...]:
    return (one, other), (one, one), (other, other)
