"""Weights on this machine as a `Target`: greedy or sampled completions, and log-probabilities of given answers.

Sampling draws from p(v) ∝ exp(logit(v) / temperature). Every prompt has a random stream of its own, made of the seed and the prompt, so
what is said to one prompt does not depend on what else is asked.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vestige.errors import UsageError
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.probes import score_candidates
from vestige.records import Form, Missing, Probe

_BATCH = 8
_NO_LIMIT = 1 << 30


@dataclass(frozen=True, eq=False)
class LocalTarget:
    """A language model that can be asked; `form` None asks through the chat template where there is one."""

    lm: LanguageModel
    form: Form | None = None
    precision: Precision = "float32"

    @property
    def identity(self) -> str:
        """The digest of what is loaded now: weights, config, tokenizer and chat template."""
        return self.lm.digest()

    def generate(self, prompts: Sequence[str], *, max_new: int, temperature: float = 0.0, seed: int = 0) -> list[str | Missing]:
        """Return one completion of up to `max_new` tokens per prompt; temperature 0 is greedy.

        Raises:
            UsageError: a temperature below 0 or a limit below 1.
        """
        if temperature < 0 or max_new < 1:
            raise UsageError(f"generate: expected max_new from 1 and temperature from 0, seen {max_new} and {temperature}")
        said: list[str | Missing] = [Missing("not asked")] * len(prompts)
        by_length: dict[int, list[tuple[int, list[int]]]] = {}
        for i, prompt in enumerate(prompts):
            head, _ = self.lm.encode(prompt, "", self._form)
            if lacks := self._lacks(len(head), max_new):
                said[i] = Missing(lacks)
            else:
                by_length.setdefault(len(head), []).append((i, head))
        with torch.no_grad(), self.lm.autocast(self.precision):
            for batch in _batches(by_length):
                streams = [_stream(seed, prompts[i]) for i, _ in batch] if temperature else []
                ids = torch.tensor([head for _, head in batch], device=self.lm.device)
                for (i, _), text in zip(batch, self._continue(ids, max_new, temperature, streams), strict=True):
                    said[i] = text
        return said

    def answer_logp(self, pairs: Sequence[tuple[str, str]]) -> list[float | Missing]:
        """Return the summed log-probability, in nats, of each answer given its prompt."""
        lacks = [self._lacks_tokens(prompt, answer) for prompt, answer in pairs]
        probes = [
            Probe(str(i), prompt, answer, "utility", "", "test", form=self._form)
            for i, (prompt, answer) in enumerate(pairs)
            if not lacks[i]
        ]
        sums = {int(r.probe): sum(r.candidates[0].logp) for r in score_candidates(self.lm, probes, precision=self.precision)}
        values: list[float | Missing] = []
        for i, lack in enumerate(lacks):
            known = not lack and math.isfinite(sums[i])
            values.append(sums[i] if known else Missing(lack or "the log-probability is not a finite number"))
        return values

    @property
    def _form(self) -> Form:
        return self.form or ("chat" if self.lm.tokenizer.chat_template else "plain")

    def _lacks(self, tokens: int, more: int) -> str:
        """Return why a prompt of so many tokens cannot be continued by `more`, or nothing."""
        room = getattr(self.lm.model.config.get_text_config(), "max_position_embeddings", None) or _NO_LIMIT
        if not tokens:
            return "the prompt has no token"
        return f"{tokens} tokens and {more} more are over the model's {room}" if tokens + more > room else ""

    def _lacks_tokens(self, prompt: str, answer: str) -> str:
        head, tail = self.lm.encode(prompt, answer, self._form)
        return "the answer has no token" if not tail else self._lacks(len(head), len(tail) - 1)

    def _continue(self, ids: Tensor, max_new: int, temperature: float, streams: Sequence[torch.Generator]) -> list[str]:
        """Return what follows each of equally long prompts (B, T), up to the model's end of text."""
        ends = self._ends()
        said: list[list[int]] = [[] for _ in ids]
        open_rows = set(range(len(said)))
        step, cache = ids, None
        for _ in range(max_new):
            out = self.lm.body(input_ids=step, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            step = _next(self.lm.logits(out.last_hidden_state[:, -1]), temperature, streams)[:, None]
            for row in sorted(open_rows):
                token = int(step[row, 0])
                if token in ends:
                    open_rows.remove(row)
                else:
                    said[row].append(token)
            if not open_rows:
                break
        return [self.lm.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in said]

    def _ends(self) -> set[int]:
        config = self.lm.model.generation_config
        ids = config.eos_token_id if config else None
        return {i for i in (*(ids if isinstance(ids, list) else [ids]), self.lm.tokenizer.eos_token_id) if i is not None}


def _batches(by_length: dict[int, list[tuple[int, list[int]]]]) -> Iterator[list[tuple[int, list[int]]]]:
    for group in by_length.values():
        for start in range(0, len(group), _BATCH):
            yield group[start : start + _BATCH]


def _stream(seed: int, prompt: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}\n{prompt}".encode("utf-8", "surrogatepass")).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _next(logits: Tensor, temperature: float, streams: Sequence[torch.Generator]) -> Tensor:
    """Return the next token of each row (B,) of logits (B, V)."""
    if not streams:
        return logits.argmax(-1)
    p = torch.softmax(logits.double().cpu() / temperature, dim=-1)
    drawn = [torch.multinomial(row, 1, generator=stream) for row, stream in zip(p, streams, strict=True)]
    return torch.cat(drawn).to(logits.device)
