"""Ask a model: log-probabilities of candidate answers, and greedy completions. Returns records, never scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vestige.errors import DataError
from vestige.lab.batches import by_padded_tokens
from vestige.lab.models import LanguageModel, Precision
from vestige.records import Answer, Candidate, Probe, ScoreTokens

_BATCH_TOKENS = 1024
_LOOP_PERIODS = (1, 2, 3, 4)
_LOOP_REPEATS = 4


@dataclass(frozen=True, slots=True)
class _Packed:
    """A probe as one row of tokens: the prompt once, then every candidate but its last token, a common beginning once.

    `parents` are the places that each token comes right after, -1 for the first; `sources[c]` are the places whose hidden
    states predict the tokens `targets[c]` of candidate c.
    """

    probe: str
    names: tuple[str, ...]
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
            hidden = _hidden(lm, batch)
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
        _refuse_too_long(lm, probe, len(head) + len(tail))
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
    names = tuple(name for name, _ in named)
    return _Packed(probe.id, names, tuple(ids), tuple(positions), tuple(parents), tuple(sources), tuple(targets))


def _refuse_too_long(lm: LanguageModel, probe: Probe, tokens: int) -> None:
    if tokens > lm.context:
        raise DataError(
            f"probe {probe.id!r}: prompt and answer take {tokens} tokens, the model's context holds {lm.context}; shorten the prompt"
        )


def _scored(lm: LanguageModel, batch: Sequence[_Packed], hidden: Tensor) -> Iterator[ScoreTokens]:
    """Yield the records of packed rows from their hidden states (B, T, D)."""
    # Candidates share hidden states up to where they part: the head runs once per distinct state.
    at = sorted({(b, s) for b, p in enumerate(batch) for source in p.sources for s in source})
    index = {place: n for n, place in enumerate(at)}
    rows, columns = (torch.tensor(x, device=lm.device) for x in zip(*at, strict=True))
    logp = torch.log_softmax(lm.logits(hidden[rows, columns]), dim=-1)
    p = logp.exp()
    entropy = -(p * logp).sum(-1)
    # Around its mean: the difference of two squares loses all digits where the distribution is nearly flat.
    sd = (p * (logp + entropy[:, None]).square()).sum(-1).sqrt()
    top = logp.argmax(-1)
    for b, item in enumerate(batch):
        candidates = []
        for name, source, target in zip(item.names, item.sources, item.targets, strict=True):
            where = torch.tensor([index[b, s] for s in source], device=lm.device)
            what = torch.tensor(target, device=lm.device)
            hits = tuple(int(x) for x in (top[where] == what).tolist())
            candidates.append(Candidate(name, _floats(logp[where, what]), hits, _floats(sd[where]), _floats(entropy[where])))
        yield ScoreTokens(item.probe, tuple(candidates))


def _hidden(lm: LanguageModel, batch: Sequence[_Packed]) -> Tensor:
    """Return hidden states (B, T, D) of packed rows, in which a place sees those it comes after."""
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
    device = lm.device
    out = lm.body(input_ids=ids.to(device), attention_mask=_masks(lm, allowed, positions), position_ids=positions.to(device))
    hidden: Tensor = out.last_hidden_state
    return hidden


def _masks(lm: LanguageModel, allowed: Tensor, positions: Tensor) -> Tensor | dict[str, Tensor]:
    """Return the additive mask of the allowed places; where layers look back over a window, theirs by its side.

    A model that is given a ready mask leaves its window out, and distances here are distances of positions, not of places.
    """
    config = lm.model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    if not window or int(positions.max()) < window:
        return _additive(allowed, lm.device)
    near = positions[:, :, None] - positions[:, None, :] < window
    local = _additive(allowed & near, lm.device)
    if not getattr(config, "layer_types", None):
        return local  # Mistral's way: every layer has the window
    return {"full_attention": _additive(allowed, lm.device), "sliding_attention": local}


def _additive(allowed: Tensor, device: torch.device) -> Tensor:
    """Return 0 where allowed and the least number elsewhere, (B, 1, T, T)."""
    # Attention wants the mask in the type of its queries, which autocast turns to bf16.
    kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
    return torch.zeros(allowed.shape, dtype=kind).masked_fill(~allowed, torch.finfo(kind).min)[:, None].to(device)


def _floats(values: Tensor) -> tuple[float, ...]:
    """Seven significant digits: all that fp32 holds, and half the ledger of seventeen."""
    return tuple(float(f"{x:.7g}") for x in values.tolist())


@torch.no_grad()
def greedy(lm: LanguageModel, probes: Sequence[Probe], *, max_new: int, stop: str = "\n", precision: Precision = "float32") -> list[Answer]:
    """Complete every probe greedily with up to `max_new` tokens, ending a row at end-of-text, `stop` or a loop.

    Rows of equal prompt length run together, so no padding is involved at all.
    """
    by_length: dict[int, list[tuple[Probe, list[int]]]] = {}
    for probe in probes:
        head, _ = lm.encode(probe.prompt, "", probe.form)
        if not head:
            raise DataError(f"probe {probe.id!r}: a prompt of no tokens; there is nothing to complete")
        _refuse_too_long(lm, probe, len(head) + max_new)
        by_length.setdefault(len(head), []).append((probe, head))
    answers: dict[str, Answer] = {}
    for items in by_length.values():
        said = _greedy_batch(lm, torch.tensor([ids for _, ids in items], device=lm.device), max_new, stop, precision)
        for (probe, _), (text, finish) in zip(items, said, strict=True):
            answers[probe.id] = Answer(probe.id, text, finish)  # type: ignore[arg-type]
    return [answers[p.id] for p in probes]


def _greedy_batch(lm: LanguageModel, ids: Tensor, max_new: int, stop: str, precision: Precision) -> list[tuple[str, str]]:
    """Return (text, finish) of each row of equally long prompts (B, T)."""
    ends = _end_ids(lm)
    said: list[list[int]] = [[] for _ in ids]
    finish = [""] * len(ids)
    cache = None
    step = ids
    for _ in range(max_new):
        with lm.autocast(precision):
            out = lm.body(input_ids=step, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        step = lm.logits(out.last_hidden_state[:, -1].float()).argmax(-1, keepdim=True)
        for row, token in enumerate(step[:, 0].tolist()):
            if not finish[row]:
                finish[row] = _extend(lm, said[row], token, ends, stop)
        if all(finish):
            break
    return [(lm.tokenizer.decode(s, skip_special_tokens=True), f or "length") for s, f in zip(said, finish, strict=True)]


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
