"""The model as it was before unlearning, kept so that its whole next-token distributions can be had again at any time.

Losses that compare distributions (KL, UNDIAL, SCRUB) need the reference's logits at every scored position. A second model
would double the weights in memory; the logits themselves take V numbers a token. Kept here are the final hidden states, D
numbers a token (SmolLM2-135M: 2.3 kB in fp32, where the logits would take 197 kB), for those rows only that training will
draw, so the memory is bounded by steps x batch size x row length. The logits are the head applied to them, exactly; the
head is copied (V x D) only where it is trained itself.

They are computed in the arithmetic of the training, so that nothing has moved before the first step: against states in fp32, the
rounding of bf16 would look like a change that a loss has to repair.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from torch import Tensor

from vestige.lab.batches import Encoded, before_scored, by_padded_tokens
from vestige.lab.losses import Predicted
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import training_precision

_BATCH_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Reference:
    """Final hidden states (N_i, D) at the scored positions of each row, by row id, and the head they go through."""

    states: Mapping[str, Tensor]
    head: LanguageModel

    @torch.no_grad()
    def logits(self, batch: Sequence[Encoded]) -> Tensor:
        """Return the reference's logits (N, V) at the scored positions of a batch."""
        return self.head.logits(torch.cat([self.states[row.id] for row in batch]))

    def look(self, lm: LanguageModel, batch: Sequence[Encoded]) -> Predicted:
        """Return what `lm` predicts at the scored positions of a batch, beside what the reference did."""
        hidden, _, targets = before_scored(lm, batch)
        return Predicted(lm.logits(hidden), targets, self.logits(batch))


@torch.no_grad()
def remember(lm: LanguageModel, rows: Sequence[Encoded], precision: Precision, *, head_is_trained: bool) -> Reference:
    """Return the model as it is now, as far as these rows are concerned."""
    states: dict[str, Tensor] = {}
    arithmetic = training_precision(lm, precision)
    for batch in by_padded_tokens(rows, _BATCH_TOKENS):
        with lm.autocast(arithmetic):
            hidden, which, _ = before_scored(lm, batch)
        for place, row in enumerate(batch):
            states[row.id] = hidden[which == place]
    return Reference(states, _head_copied(lm) if head_is_trained else lm)


def _head_copied(lm: LanguageModel) -> LanguageModel:
    """Return a model that has nothing but a copy of the head."""
    head = copy.deepcopy(lm.model.get_output_embeddings())
    return LanguageModel(SimpleNamespace(config=lm.model.config, get_output_embeddings=lambda: head), lm.tokenizer, lm.name)
