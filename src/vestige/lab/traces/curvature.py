"""How sharply does the forget loss bend along its own gradient, the way in which relearning sets out?

Paper: Fan et al. 2025, arXiv 2502.05374: unlearning made flat by sharpness-aware minimisation withstands relearning better; the product of
the Hessian and a vector: Pearlmutter, "Fast exact multiplication by the Hessian", 1994. With ℓ the mean NLL over the tokens of the
forgotten answers, g = ∇_θ ℓ, H = ∇²_θ ℓ:

    curvature            gᵀ H g / gᵀ g        in nats per unit of weight squared; negative where the loss bends down
    forget_gradient_norm ‖g‖                  in nats per unit of weight

θ are all weights but the embeddings. A step of length s down the gradient changes ℓ by -s ‖g‖ + ½ s² curvature + O(s³). A gradient of
length 0 has no direction, and the curvature is Missing.

Exact, by differentiating twice, in fp32; no weight is moved. Twice the memory of a backward pass, for one batch of rows at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from vestige.errors import DataError
from vestige.lab import losses
from vestige.lab.answers import answers
from vestige.lab.batches import Encoded, by_padded_tokens, score_batch
from vestige.lab.models import LanguageModel
from vestige.lab.tracing import Beside, Reading, Value
from vestige.lab.train import trainable
from vestige.records import Missing
from vestige.spread import spread

_NAMES = ("curvature", "forget_gradient_norm")


@dataclass(frozen=True)
class Curvature:
    """Curvature of the forget loss along its gradient, and the gradient's length; over at most `rows` rows."""

    rows: int = 32
    batch_tokens: int = 512

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "cf. Fan et al. 2025, arXiv 2502.05374"
    beside: ClassVar[tuple[str, ...]] = ()
    readings: ClassVar[tuple[str, ...]] = _NAMES

    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return both readings."""
        try:
            rows = answers(lm, spread(beside.rest.forget, self.rows))
        except DataError:  # which row would name a person
            rows = []
        if not rows:
            none = Missing("there is no forget row, or one has no answer or more tokens than the model's context holds")
            return dict.fromkeys(_NAMES, Reading(none))
        parameters = trainable(lm, "all_but_embeddings")
        try:
            with sdpa_kernel(SDPBackend.MATH):  # the fused kernels cannot be differentiated twice
                found = along_gradient(list(self._parts(lm, rows)), parameters)
        finally:
            lm.model.requires_grad_(False)
        return dict(zip(_NAMES, map(Reading, found), strict=True))

    def _parts(self, lm: LanguageModel, rows: Sequence[Encoded]) -> Iterable[Callable[[], Tensor]]:
        """Yield, for each batch, its share of the mean loss over all scored tokens."""
        total = sum(r.scored for r in rows)
        for batch in by_padded_tokens(rows, self.batch_tokens):
            share = sum(r.scored for r in batch) / total
            yield partial(_share_of_loss, lm, batch, share)


def _share_of_loss(lm: LanguageModel, batch: Sequence[Encoded], share: float) -> Tensor:
    return losses.nll(score_batch(lm, batch)) * share


def along_gradient(parts: Sequence[Callable[[], Tensor]], parameters: Sequence[Tensor]) -> tuple[Value, Value]:
    """Return the curvature along the gradient, and the gradient's length, of the loss that is the sum of the parts."""
    slope = _summed(torch.autograd.grad(part(), parameters, allow_unused=True) for part in parts)
    bent = _summed(_bent(part(), parameters, slope) for part in parts)
    square, product = _dot(slope, slope), _dot(slope, bent)
    if not math.isfinite(square) or not math.isfinite(product):
        return (Missing("a gradient is not finite"),) * 2
    return product / square if square > 0 else Missing("a gradient of length 0 has no direction"), math.sqrt(square)


def _bent(loss: Tensor, parameters: Sequence[Tensor], along: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """Return the product of a loss's Hessian and a vector."""
    slope = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    inner = torch.stack([(g * v).sum() for g, v in zip(slope, along, strict=True) if g is not None and v is not None]).sum()
    if not inner.requires_grad:  # a loss that is linear in every weight
        return [None] * len(slope)
    return torch.autograd.grad(inner, parameters, allow_unused=True)


def _summed(gradients: Iterable[Sequence[Tensor | None]]) -> list[Tensor | None]:
    total: list[Tensor | None] = []
    for parts in gradients:
        total = [a if b is None else b if a is None else a + b for a, b in zip(total, parts, strict=True)] if total else list(parts)
    return total


def _dot(one: Sequence[Tensor | None], other: Sequence[Tensor | None]) -> float:
    return sum(float((a.double() * b.double()).sum()) for a, b in zip(one, other, strict=True) if a is not None and b is not None)
