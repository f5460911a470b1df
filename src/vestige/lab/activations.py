"""Hidden states of one decoder block: the forward pass ends there, and no layer above it is run.

The first position of a row is left out: it has no context, so nothing is known there, and its activation is a sink hundreds
of times the size of the others (Sun et al. 2024, arXiv 2402.17762), which would drown every mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vestige.errors import ModelError, UsageError
from vestige.lab.batches import Encoded, attention_for, by_padded_tokens, padded
from vestige.lab.losses import Activations
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import blocks, training_precision

_BATCH_TOKENS = 1024


class _Reached(Exception):
    """The forward pass has come to the layer that was asked for."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Hidden states (T_i - 1, D) of a layer for each row, by row id, held in fp32: D numbers a token of the rows kept."""

    layer: int
    states: Mapping[str, Tensor]

    def look(self, lm: LanguageModel, batch: Sequence[Encoded]) -> Activations:
        """Return the activations of `lm` on a batch beside those kept."""
        hidden, row = hidden_at(lm, batch, self.layer)
        return Activations(hidden, row, len(batch), torch.cat([self.states[r.id] for r in batch]))


@torch.no_grad()
def remember(lm: LanguageModel, rows: Sequence[Encoded], layer: int, precision: Precision) -> Reference:
    """Return the activations of a layer on every row, under the model as it is now and in the arithmetic of the training.

    Against activations in fp32, the rounding of bf16 would look like a change, which a large retain weight turns into the whole gradient.
    """
    states: dict[str, Tensor] = {}
    arithmetic = training_precision(lm, precision)
    for batch in by_padded_tokens(rows, _BATCH_TOKENS):
        with lm.autocast(arithmetic):
            hidden, which = hidden_at(lm, batch, layer)
        for place, row in enumerate(batch):
            states[row.id] = hidden[which == place]
    return Reference(layer, states)


def hidden_at(lm: LanguageModel, batch: Sequence[Encoded], layer: int) -> tuple[Tensor, Tensor]:
    """Return the output of block `layer` at all N positions of a batch but the first of each row, (N, D), and their rows (N,).

    Raises:
        UsageError: the model has no such block.
    """
    found: list[Tensor] = []

    def stop(_module: Any, _inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)
        raise _Reached

    ids, mask = padded(batch, lm.device)
    handle = block(lm, layer).register_forward_hook(stop)
    try:
        with attention_for(ids):
            lm.body(input_ids=ids, attention_mask=mask)
    except _Reached:
        pass
    finally:
        handle.remove()
    row, position = mask[:, 1:].nonzero(as_tuple=True)
    return found[0][row, position + 1].float(), row


def block(lm: LanguageModel, layer: int) -> torch.nn.Module:
    """Return decoder block `layer`, counted from 0.

    Raises:
        UsageError: the model has no such block.
    """
    numbered = list(blocks(lm))
    if not 0 <= layer < len(numbered):
        raise UsageError(f"layer {layer}: model {lm.name!r} has {len(numbered)} decoder blocks; expected 0 to {len(numbered) - 1}")
    return numbered[layer]


def mlp_outputs(lm: LanguageModel, layer: int) -> tuple[Tensor, ...]:
    """Return the matrices by which the feed-forward networks of block `layer` and the two below it write into the residual stream.

    Raises:
        UsageError: the model has no such block.
        ModelError: a block without a feed-forward network whose last linear layer has the width of the residual stream.
    """
    block(lm, layer)
    width = lm.model.get_input_embeddings().weight.shape[1]
    found = []
    for number in range(max(0, layer - 2), layer + 1):
        inside = getattr(block(lm, number), "mlp", torch.nn.Identity()).modules()
        writing = [m.weight for m in inside if isinstance(m, torch.nn.Linear) and m.out_features == width]
        if not writing:
            kind = lm.model.config.model_type
            raise ModelError(f"model {lm.name!r} ({kind}): block {number} has no linear layer 'mlp' of output width {width}")
        found.append(writing[-1])
    return tuple(found)


def unit_direction(width: int, *, seed: int, device: torch.device) -> Tensor:
    """Return a vector of length 1 (D,) whose entries were drawn uniformly from [0, 1)."""
    drawn: Tensor = torch.rand(width, generator=torch.Generator().manual_seed(seed)).to(device)
    return F.normalize(drawn, dim=0)
