"""Let a model go on: greedy completions of many prompts at once, each row on its own way to its own end.

Rows run `ROWS` at a time, short prompts first, padded on the left. A row leaves the batch and the cache when it ends; once half
the rows have left, the next prompts are read and join. Keys are masked by their distance in tokens, so padding is never seen.

What is promised: in fp32, the tokens of plain greedy decoding of each prompt alone, whoever else is asked. The rounding of a sum does
hang on the batch, by about 1e-6 of a logit in fp32, and two tokens that are nearer to each other than that can change places. In bf16 it
is about 1e-2, which does happen: the same probes in the same order give the same texts, but a probe asked among others may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache

from vestige.errors import DataError
from vestige.lab.models import LanguageModel, Precision
from vestige.records import Answer, Probe

ROWS = 16
_LOOP_PERIODS = (1, 2, 3, 4)
_LOOP_REPEATS = 4


@dataclass
class _Row:
    """A prompt and what was said after it; all tokens but the last said are in the cache."""

    probe: str
    prompt: list[int]
    said: list[int] = field(default_factory=list)
    finish: str = ""

    @property
    def tokens(self) -> list[int]:
        return self.prompt + self.said


@torch.no_grad()
def greedy(lm: LanguageModel, probes: Sequence[Probe], *, max_new: int, stop: str = "\n", precision: Precision = "float32") -> list[Answer]:
    """Complete every probe greedily with up to `max_new` tokens, ending a row at end-of-text, `stop` or a loop.

    A loop is four repeats of up to four tokens; `stop` before the first word does not end a row.

    Raises:
        DataError: a prompt of no tokens, or one that leaves no room for `max_new` more.
    """
    rows = [_row(lm, probe, max_new) for probe in probes]
    waiting = sorted((r for r in rows if not r.finish), key=lambda r: len(r.prompt), reverse=True)
    ends = _end_ids(lm)
    running: list[_Row] = []
    cache = DynamicCache()
    while waiting or running:
        with lm.autocast(precision):
            if waiting and len(running) <= ROWS // 2:
                joining = [waiting.pop() for _ in range(min(ROWS - len(running), len(waiting)))]
                new = DynamicCache()
                said = _next_tokens(lm, running, cache) if running else []
                said += _next_tokens(lm, joining, new)
                _join(cache, new)
                running += joining
            else:
                said = _next_tokens(lm, running, cache)
        for row, token in zip(running, said, strict=True):
            row.finish = _extend(lm, row.said, token, ends, stop) or ("length" if len(row.said) == max_new else "")
        running = _retire(running, cache)
    return [Answer(r.probe, lm.tokenizer.decode(r.said, skip_special_tokens=True), r.finish) for r in rows]  # type: ignore[arg-type]


def _row(lm: LanguageModel, probe: Probe, max_new: int) -> _Row:
    head, _ = lm.encode(probe.prompt, "", probe.form)
    if not head:
        raise DataError(f"probe {probe.id!r}: a prompt of no tokens; there is nothing to complete")
    refuse_too_long(lm, probe, len(head) + max_new)
    return _Row(probe.id, head, finish="" if max_new else "length")


def _next_tokens(lm: LanguageModel, rows: Sequence[_Row], cache: DynamicCache) -> list[int]:
    """Return the likeliest next token of each row; what it read is added to the cache, where rows end side by side."""
    lengths = [len(r.tokens) for r in rows]
    cached = cache.get_seq_length()
    width = 1 if cached else max(lengths)
    ids = torch.tensor([[0] * (width - len(r.tokens)) + r.tokens[-width:] for r in rows])
    # Counted from each row's own first token; below 0 is padding, which only sees padding.
    ends = torch.tensor(lengths)[:, None]
    queries = ends - width + torch.arange(width)
    keys = ends - width - cached + torch.arange(width + cached)
    allowed = (keys[:, None] <= queries[:, :, None]) & ((keys[:, None] >= 0) | (queries[:, :, None] < 0))
    out = lm.body(
        input_ids=ids.to(lm.device),
        attention_mask=masks(lm, allowed, queries, keys),
        position_ids=queries.clamp(min=0).to(lm.device),
        past_key_values=cache,
        use_cache=True,
    )
    likeliest: list[int] = lm.logits(out.last_hidden_state[:, -1].float()).argmax(-1).tolist()
    return likeliest


def _join(cache: DynamicCache, new: DynamicCache) -> None:
    """Add the rows of `new` to a cache, (B, H, T, D) a layer, padded on the left to the longer of the two."""
    if not cache.get_seq_length():
        cache.layers = new.layers
        return
    width = max(cache.get_seq_length(), new.get_seq_length())
    layer: Any
    more: Any
    for layer, more in zip(cache.layers, new.layers, strict=True):
        layer.keys, layer.values = (
            torch.cat([pad(x, (0, 0, width - x.shape[-2], 0)) for x in pair])
            for pair in ((layer.keys, more.keys), (layer.values, more.values))
        )


def _retire(rows: list[_Row], cache: DynamicCache) -> list[_Row]:
    """Return the rows that go on; the cache keeps theirs, as far back as the longest reaches."""
    going = [i for i, r in enumerate(rows) if not r.finish]
    if len(going) == len(rows):
        return rows
    if not going:
        cache.layers = []
        return []
    width = max(len(rows[i].tokens) for i in going) - 1
    layer: Any
    for layer in cache.layers:
        layer.keys, layer.values = (x[going, :, -width:] for x in (layer.keys, layer.values))
    return [rows[i] for i in going]


def _extend(lm: LanguageModel, said: list[int], token: int, ends: set[int], stop: str) -> str:
    """Append a token to a row unless it ends the row; return why it ended, or ""."""
    if token in ends:
        return "eos"
    if stop and said and stop in lm.tokenizer.decode([token]):
        return "stop"
    said.append(token)
    looping = any(said[-n * _LOOP_REPEATS :] == said[-n:] * _LOOP_REPEATS for n in _LOOP_PERIODS)
    return "loop" if looping else ""


def _end_ids(lm: LanguageModel) -> set[int]:
    ids = lm.model.generation_config.eos_token_id if lm.model.generation_config else None
    ends = set(ids if isinstance(ids, list) else [ids])
    return {i for i in ends | {lm.tokenizer.eos_token_id} if i is not None}


def refuse_too_long(lm: LanguageModel, probe: Probe, tokens: int) -> None:
    """Raise DataError where a probe takes more tokens than the model can read."""
    if tokens > lm.context:
        raise DataError(
            f"probe {probe.id!r}: prompt and answer take {tokens} tokens, the model's context holds {lm.context}; shorten the prompt"
        )


def masks(lm: LanguageModel, allowed: Tensor, queries: Tensor, keys: Tensor) -> Tensor | dict[str, Tensor]:
    """Return the additive mask of what is allowed (B, Q, K); where layers look back over a window, theirs by its side.

    `queries` (B, Q) and `keys` (B, K) are positions. A model that is given a ready mask leaves its window out, and distances here are
    distances of positions, not of places.
    """
    config = lm.model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    if not window or int(queries.max()) < window:
        return _additive(allowed, lm.device)
    near = queries[:, :, None] - keys[:, None, :] < window
    local = _additive(allowed & near, lm.device)
    if not getattr(config, "layer_types", None):
        return local  # Mistral's way: every layer has the window
    return {"full_attention": _additive(allowed, lm.device), "sliding_attention": local}


def _additive(allowed: Tensor, device: torch.device) -> Tensor:
    """Return 0 where allowed and the least number elsewhere, (B, 1, Q, K)."""
    # Attention wants the mask in the type of its queries, which autocast turns to bf16.
    kind = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32
    return torch.zeros(allowed.shape, dtype=kind).masked_fill(~allowed, torch.finfo(kind).min)[:, None].to(device)
