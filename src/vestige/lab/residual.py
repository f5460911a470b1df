"""The residual stream at the positions that answers are predicted from: read after every decoder block, or replaced after one.

Positions before the first token of an answer's prompt are never among them: the first position of a row is an attention sink that
looks the same whatever is asked, and padding says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from vestige.errors import DataError
from vestige.lab.answers import answers
from vestige.lab.batches import Encoded, before_scored, by_padded_tokens, predicting, token_logp
from vestige.lab.models import LanguageModel
from vestige.lab.tracing import Beside
from vestige.lab.train import blocks
from vestige.records import Missing, Row
from vestige.spread import spread

_BATCH_TOKENS = 1024


def batches(rows: Sequence[Encoded]) -> list[list[Encoded]]:
    """Return rows in the batches, and the order, in which every function here takes them."""
    return list(by_padded_tokens(rows, _BATCH_TOKENS))


@torch.no_grad()
def after_blocks(lm: LanguageModel, rows: Sequence[Encoded]) -> list[Tensor]:
    """Return what each decoder block gives (N, D), in fp32 and on the CPU, at the N positions that scored tokens are predicted from."""
    found: list[list[Tensor]] = [[] for _ in blocks(lm)]
    for batch in batches(rows):
        where = predicting(batch, lm.device)
        with _watching(lm, found, where):
            before_scored(lm, batch)
    return [torch.cat(parts) for parts in found]


def scored_tokens(marked: Sequence[tuple[Encoded, Sequence[bool]]]) -> tuple[Tensor, Tensor]:
    """Return the scored tokens of rows (N,), and which of them are marked (N,), in the order in which every function here takes them."""
    marks = {row.id: flags for row, flags in marked}
    ordered = [row for batch in batches([row for row, _ in marked]) for row in batch]
    tokens = [token for row in ordered for token in row.ids[row.scored_from :]]
    return torch.tensor(tokens), torch.tensor([flag for row in ordered for flag in marks[row.id]])


def last_norm(lm: LanguageModel) -> torch.nn.Module | Missing:
    """Return the norm between the last decoder block and the head."""
    norms = [m for m in lm.body.children() if "norm" in type(m).__name__.lower()]
    if len(norms) != 1:
        return Missing(f"{len(norms)} norms stand beside the decoder blocks of this architecture; expected one, after them")
    norm: torch.nn.Module = norms[0]
    return norm


def unlike(lm: LanguageModel, other: LanguageModel, rows: Sequence[Row]) -> Missing | None:
    """Return why the residual streams of two models cannot be set side by side on these rows; None where they can."""
    shapes = [(len(blocks(each)), each.model.get_input_embeddings().weight.shape[1]) for each in (lm, other)]
    if shapes[0] != shapes[1]:
        return Missing(f"blocks and width of the two models are {shapes[0]} and {shapes[1]}")
    if any(lm.encode(r.prompt, r.answer, r.form) != other.encode(r.prompt, r.answer, r.form) for r in rows):
        return Missing("the two models cut text into other tokens")
    return None


def beside_original(lm: LanguageModel, beside: Beside, most: int) -> list[tuple[Tensor, Tensor]] | Missing:
    """Return, for each block, what it gives in this model and in the original (N, D), over at most `most` forgotten answers."""
    original, rows = beside.state("original"), spread(beside.rest.forget, most)
    if isinstance(original, Missing):
        return original
    if not rows:
        return Missing("there is no forget row")
    if reason := unlike(lm, original, rows):
        return reason
    try:
        encoded = answers(lm, rows)
    except DataError:  # which row would name a person
        return Missing("a forget row has no answer, or more tokens than the model's context holds")
    return list(zip(after_blocks(lm, encoded), after_blocks(original, encoded), strict=True))


@contextmanager
def _watching(lm: LanguageModel, found: list[list[Tensor]], where: tuple[Tensor, Tensor]) -> Iterator[None]:
    def keep(number: int) -> Any:
        return lambda _module, _inputs, output: found[number].append(_stream(output)[where].float().cpu())

    handles = [block.register_forward_hook(keep(number)) for number, block in enumerate(blocks(lm))]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def patched_logp(lm: LanguageModel, rows: Sequence[Encoded], number: int, states: Tensor, only: Tensor) -> Tensor:
    """Return log p of each scored token (N,) of `lm`; where `only` (N,), `states` (N, D) stand in for what block `number` gives."""
    done, found = 0, []
    for batch in batches(rows):
        every = predicting(batch, lm.device)
        here = slice(done, done + len(every[0]))
        where = tuple(index[only[here].to(lm.device)] for index in every)
        mine, done = states[here][only[here]].to(lm.device), here.stop

        def replace(_module: Any, _inputs: Any, output: Any, where: Any = where, mine: Tensor = mine) -> Any:
            stream = _stream(output).clone()
            stream[where] = mine.to(stream.dtype)
            return (stream, *output[1:]) if isinstance(output, tuple) else stream

        handle = blocks(lm)[number].register_forward_hook(replace)
        try:
            found.append(_logp(lm, batch))
        finally:
            handle.remove()
    return torch.cat(found)


@torch.no_grad()
def answer_logp(lm: LanguageModel, rows: Sequence[Encoded]) -> Tensor:
    """Return log p of each scored token (N,), on the CPU."""
    return torch.cat([_logp(lm, batch) for batch in batches(rows)])


def _logp(lm: LanguageModel, batch: Sequence[Encoded]) -> Tensor:
    hidden, _, targets = before_scored(lm, batch)
    return token_logp(lm.logits(hidden), targets).cpu()


def _stream(output: Any) -> Tensor:
    stream: Tensor = output[0] if isinstance(output, tuple) else output
    return stream
