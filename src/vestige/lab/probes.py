"""Ask a model: log-probabilities of candidate answers, and greedy completions. Returns records, never scores."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vestige.errors import DataError
from vestige.lab.batches import by_padded_tokens
from vestige.lab.generation import greedy, masks, refuse_too_long
from vestige.lab.models import LanguageModel, Precision
from vestige.records import Candidate, Probe, ScoreTokens

__all__ = ["greedy", "score_candidates"]

_BATCH_TOKENS = 1024
_HEAD_ROWS = 256
_MOMENT_ROWS = 8


@dataclass(frozen=True, slots=True)
class _Packed:
    """A probe as one row of tokens: the prompt once, then every candidate but its last token, a common beginning once.

    `candidates` are names and texts; `parents` the places that each token comes right after, -1 for the first; `sources[c]` the places
    whose hidden states predict the tokens `targets[c]` of candidate c.
    """

    probe: str
    candidates: tuple[tuple[str, str], ...]
    ids: tuple[int, ...]
    positions: tuple[int, ...]
    parents: tuple[int, ...]
    sources: tuple[tuple[int, ...], ...]
    targets: tuple[tuple[int, ...], ...]


@torch.no_grad()
def score_candidates(lm: LanguageModel, probes: Sequence[Probe], *, precision: Precision = "float32") -> list[ScoreTokens]:
    """Return the token log-probabilities of every candidate answer of every probe, in the order given.

    The prompt is read once for all candidates of a probe, and so is what several of them begin with: they branch off in one row
    and cannot see each other. The last token of a candidate is never an input, so answers of one token cost nothing beyond the prompt.
    """
    packed = [_pack(lm, p) for p in probes]
    results: dict[str, ScoreTokens] = {}
    for batch in by_padded_tokens(packed, _BATCH_TOKENS):
        with lm.autocast(precision):
            hidden = lm.body(**_inputs(lm, batch)).last_hidden_state
        # The head always in fp32: a logit of 15 in bf16 is a multiple of 1/16, and candidates would tie.
        results |= {record.probe: record for record in _scored(lm, batch, hidden.float())}
    return [results[p.id] for p in probes]


def _pack(lm: LanguageModel, probe: Probe) -> _Packed:
    named = [("true", probe.answer)]
    named += [(f"alias:{i}", a) for i, a in enumerate(probe.aliases)]
    named += [(f"wrong:{j}", d) for j, d in enumerate(probe.distractors)]
    ids: list[int] = []
    parents: list[int] = []
    positions: list[int] = []
    places: dict[tuple[int, int], int] = {}
    sources, targets = [], []
    for _, text in named:
        head, tail = lm.encode(probe.prompt, text, probe.form)
        if not head or not tail:
            raise DataError(f"probe {probe.id!r}: a prompt of {len(head)} and a candidate of {len(tail)} tokens; both need one")
        refuse_too_long(lm, probe, len(head) + len(tail))
        if not ids:
            ids, positions, parents = list(head), list(range(len(head))), list(range(-1, len(head) - 1))
        source = [len(head) - 1]
        for token in tail[:-1]:
            place = places.setdefault((source[-1], token), len(ids))
            if place == len(ids):
                ids.append(token)
                positions.append(positions[source[-1]] + 1)
                parents.append(source[-1])
            source.append(place)
        sources.append(tuple(source))
        targets.append(tuple(tail))
    return _Packed(probe.id, tuple(named), tuple(ids), tuple(positions), tuple(parents), tuple(sources), tuple(targets))


def _scored(lm: LanguageModel, batch: Sequence[_Packed], hidden: Tensor) -> Iterator[ScoreTokens]:
    """Yield the records of packed rows from their hidden states (B, T, D)."""
    # Candidates share hidden states up to where they part: the head runs once per distinct state, whatever may come after it.
    after: dict[tuple[int, int], dict[int, int]] = {}
    for b, item in enumerate(batch):
        for source, target in zip(item.sources, item.targets, strict=True):
            for place, token in zip(source, target, strict=True):
                tokens = after.setdefault((b, place), {})
                tokens.setdefault(token, len(tokens))
    rows, columns = (torch.tensor(x, device=lm.device) for x in zip(*after, strict=True))
    most = max(map(len, after.values()))
    targets = torch.tensor([[*tokens, *[0] * (most - len(tokens))] for tokens in after.values()], device=lm.device)
    seen = dict(zip(after, _numbers(lm, hidden[rows, columns], targets), strict=True))
    for b, item in enumerate(batch):
        candidates = []
        for (name, text), source, target in zip(item.candidates, item.sources, item.targets, strict=True):
            states = [seen[b, place] for place in source]
            picked = [after[b, place][token] for place, token in zip(source, target, strict=True)]
            logp = tuple(s.logp[k] for s, k in zip(states, picked, strict=True))
            hits = tuple(int(s.top == t) for s, t in zip(states, target, strict=True))
            sd, entropy = tuple(s.sd for s in states), tuple(s.entropy for s in states)
            encoded = text.encode("utf-8")
            candidates.append(Candidate(name, logp, hits, sd, entropy, len(encoded), len(zlib.compress(encoded))))
        yield ScoreTokens(item.probe, tuple(candidates))


class _State(NamedTuple):
    """What is recorded of one hidden state: log p of the tokens asked for, and of p itself its likeliest token, sd and entropy."""

    logp: tuple[float, ...]
    top: int
    sd: float
    entropy: float


def _numbers(lm: LanguageModel, hidden: Tensor, targets: Tensor) -> Iterator[_State]:
    """Yield what is recorded of each hidden state (N, D) and its targets (N, K).

    The head takes `_HEAD_ROWS` states at a time (50 MB of logits at a vocabulary of 49,152). The moments take a few of them at a time: what
    stays in the processor's cache is read five times at the price of one.
    """
    for states, asked in zip(torch.split(hidden, _HEAD_ROWS), torch.split(targets, _HEAD_ROWS), strict=True):
        few = zip(torch.split(lm.logits(states), _MOMENT_ROWS), torch.split(asked, _MOMENT_ROWS), strict=True)
        parts = [_moments(x, t) for x, t in few]
        for logp, top, sd, entropy in zip(*(torch.cat(column).tolist() for column in zip(*parts, strict=True)), strict=True):
            yield _State(tuple(map(_rounded, logp)), top, _rounded(sd), _rounded(entropy))


def _moments(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return log p of the targets (N, K), and (N,): the likeliest token, sd of log p, entropy. The logits (N, V) are used up.

    With x the logits less their largest, w = exp(x), Z = sum of w and m = sum of w x / Z: entropy = log Z - m, two terms that are not
    negative, and sd^2 = sum of w (x - m)^2 / Z. Around its mean, since the difference of two squares loses all digits where the
    distribution is nearly flat.
    """
    largest, top = logits.max(-1, keepdim=True)
    x = logits.sub_(largest)
    asked = x.gather(-1, targets)
    w = x.exp()
    z = w.sum(-1, keepdim=True)
    m = (w * x).sum(-1, keepdim=True) / z
    sd = (w.mul_(x.sub_(m)).mul_(x).sum(-1, keepdim=True) / z).sqrt()
    return asked - z.log(), top[:, 0], sd[:, 0], (z.log() - m)[:, 0]


def _inputs(lm: LanguageModel, batch: Sequence[_Packed]) -> dict[str, Any]:
    """Return what the model reads of packed rows (B, T), in which a place sees those it comes after."""
    length = max(len(p.ids) for p in batch)
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    positions = torch.zeros_like(ids)
    allowed = torch.eye(length, dtype=torch.bool).repeat(len(batch), 1, 1)  # every place sees itself, so no row of the mask is empty
    for b, item in enumerate(batch):
        n = len(item.ids)
        ids[b, :n] = torch.tensor(item.ids)
        positions[b, :n] = torch.tensor(item.positions)
        for place, parent in enumerate(item.parents[1:], start=1):
            allowed[b, place] |= allowed[b, parent]
    mask = masks(lm, allowed, positions, positions)
    return {"input_ids": ids.to(lm.device), "attention_mask": mask, "position_ids": positions.to(lm.device)}


def _rounded(value: float) -> float:
    """Return seven significant digits: all that fp32 holds, and half the ledger of seventeen."""
    return float(f"{value:.7g}")
