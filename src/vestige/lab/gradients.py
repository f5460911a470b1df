"""The gradient of a loss at the model as it is, which is left as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vestige.lab import losses
from vestige.lab.batches import Encoded, by_padded_tokens, score_batch
from vestige.lab.losses import Scored
from vestige.lab.models import LanguageModel
from vestige.lab.train import Trained, trainable


def gradient(
    lm: LanguageModel,
    rows: Sequence[Encoded],
    which: Trained,
    *,
    loss: Callable[[Scored], Tensor] = losses.nll,
    batch_tokens: int = 1024,
) -> list[Tensor]:
    """Return the gradient of a loss that is a mean over the scored tokens of all rows, one tensor per trained parameter."""
    parameters = trainable(lm, which)
    total = sum(r.scored for r in rows)
    try:
        for batch in by_padded_tokens(rows, batch_tokens):
            share = sum(r.scored for r in batch) / total
            (loss(score_batch(lm, batch)) * share).backward()  # type: ignore[no-untyped-call]
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    finally:
        for parameter in parameters:
            parameter.grad = None
        lm.model.requires_grad_(False)
