"""Rows to tensors: tokenise once, batch by rows or by tokens, score only what is asked for.

The attention mask comes from lengths, never from comparing ids with the pad token: models whose pad equals their
end-of-text token would otherwise lose that token inside prompts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from vestige.errors import DataError
from vestige.lab.losses import Scored
from vestige.lab.models import LanguageModel
from vestige.records import Row

# Batches are cut from length-sorted stretches of this many batches: little padding, still shuffled.
_SORT_WINDOW = 8
_SHORT = 128


class Tokenised(Protocol):
    """Anything that is a row of tokens."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The tokens."""
        ...


Item = TypeVar("Item", bound=Tokenised)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A tokenised row: ids (T,) and the first scored position (>= 1: the first token has no context)."""

    id: str
    ids: tuple[int, ...]
    scored_from: int

    @property
    def scored(self) -> int:
        """How many tokens of the row are scored."""
        return len(self.ids) - self.scored_from


def encode_rows(lm: LanguageModel, rows: Sequence[Row]) -> list[Encoded]:
    """Tokenise rows, prompt and answer apart.

    Raises:
        DataError: a row with no token to score, or longer than the model's context.
    """
    limit = lm.context
    encoded = []
    for row in rows:
        head, tail = lm.encode(row.prompt, row.answer, row.form)
        ids = (*head, *tail)
        start = max(1, len(head) if row.loss_on == "answer" else 1)
        if len(ids) <= start:
            raise DataError(f"row {row.id!r}: no token to score (prompt {len(head)} tokens, answer {len(tail)})")
        if len(ids) > limit:
            raise DataError(f"row {row.id!r}: {len(ids)} tokens, the model's context holds {limit}; shorten the row")
        encoded.append(Encoded(row.id, ids, start))
    return encoded


def by_rows(rows: Sequence[Encoded], batch_size: int, *, seed: int) -> Iterator[list[Encoded]]:
    """Yield batches of `batch_size` rows for ever, epoch after epoch, each epoch in a new order."""
    rng = random.Random(seed)
    while True:
        order = list(rows)
        rng.shuffle(order)
        window = batch_size * _SORT_WINDOW
        batches = []
        for start in range(0, len(order), window):
            stretch = sorted(order[start : start + window], key=lambda r: len(r.ids))
            batches += [stretch[i : i + batch_size] for i in range(0, len(stretch), batch_size)]
        rng.shuffle(batches)
        yield from batches


def by_tokens(rows: Sequence[Encoded], batch_tokens: int, *, seed: int) -> Iterator[list[Encoded]]:
    """Yield batches whose running total of tokens keeps to `batch_tokens` a step, to within one row.

    Relearn sets of different row lengths so get equal steps *and* equal trained tokens.
    """
    rng = random.Random(seed)
    order: list[Encoded] = []
    due = spent = 0
    while True:
        due += batch_tokens
        batch: list[Encoded] = []
        while spent < due or not batch:
            if not order:
                order = list(rows)
                rng.shuffle(order)
            batch.append(order.pop())
            spent += len(batch[-1].ids)
        yield batch


def score_batch(lm: LanguageModel, batch: Sequence[Encoded], ref: dict[str, float] | None = None) -> Scored:
    """Return the log-probability of every scored token of a batch; the head runs on scored positions only."""
    hidden, rows, targets = before_scored(lm, batch)
    logp = token_logp(lm.logits(hidden), targets)
    sums = None if ref is None else torch.tensor([ref[r.id] for r in batch], device=lm.device)
    return Scored(logp, rows, len(batch), sums)


def before_scored(lm: LanguageModel, batch: Sequence[Encoded]) -> tuple[Tensor, Tensor, Tensor]:
    """Return, for all N scored tokens of a batch: the final hidden state each is predicted from (N, D), its row (N,), itself (N,)."""
    rows, places = predicting(batch, lm.device)
    ids, mask = padded(batch, lm.device)
    with attention_for(ids):
        hidden = lm.body(input_ids=ids, attention_mask=mask).last_hidden_state
    return hidden[rows, places], rows, ids[rows, places + 1]


def predicting(batch: Sequence[Encoded], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return, for all N scored tokens of a batch, the row (N,) and the position (N,) that each is predicted from."""
    # The one place of the label shift: token t is predicted from the hidden state at t - 1.
    at = [(b, t - 1) for b, row in enumerate(batch) for t in range(row.scored_from, len(row.ids))]
    rows, places = (torch.tensor(x, device=device) for x in zip(*at, strict=True))
    return rows, places


def padded(batch: Sequence[Encoded], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the ids of a batch (B, T), padded on the right, and its attention mask (B, T)."""
    length = max(len(r.ids) for r in batch)
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    mask = torch.zeros(len(batch), length, dtype=torch.long)
    for b, row in enumerate(batch):
        ids[b, : len(row.ids)] = torch.tensor(row.ids)
        mask[b, : len(row.ids)] = 1
    return ids.to(device), mask.to(device)


def attention_for(ids: Tensor) -> AbstractContextManager[Any]:
    """Return the context in which attention over rows of ids (B, T) is cheapest to train.

    On a CPU the fused kernel's backward pass is slow on short rows: 7.8 ms a layer against 1.5 for 16 rows of 12 tokens; they meet at
    about 200 (`benchmarks/short_attention.py`).
    """
    return sdpa_kernel(SDPBackend.MATH) if ids.device.type == "cpu" and ids.shape[1] <= _SHORT else nullcontext()


def by_padded_tokens(items: Sequence[Item], most: int) -> Iterator[list[Item]]:
    """Yield every item once, the short ones first, about `most` tokens at a time, padding included."""
    batch: list[Item] = []
    for item in sorted(items, key=lambda x: len(x.ids)):
        if batch and (len(batch) + 1) * len(item.ids) > most:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def token_logp(logits: Tensor, targets: Tensor) -> Tensor:
    """Return log p of each target, (N,), from fp32 logits (N, V)."""
    return torch.log_softmax(logits, dim=-1).gather(-1, targets[:, None])[:, 0]


@torch.no_grad()
def reference_sums(lm: LanguageModel, rows: Sequence[Encoded], *, batch_size: int = 16) -> dict[str, float]:
    """Return the summed log-probability of each row's scored tokens under the model as it is now."""
    sums: dict[str, float] = {}
    ordered = sorted(rows, key=lambda r: len(r.ids))
    for start in range(0, len(ordered), batch_size):
        batch = ordered[start : start + batch_size]
        for row, value in zip(batch, score_batch(lm, batch).row_sums().tolist(), strict=True):
            sums[row.id] = value
    return sums
