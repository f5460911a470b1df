"""The one training loop: learning, unlearning and relearning all pass through it.

Weights and optimiser state are fp32 always; matrix products run in bf16 where that is faster. The loop counts its
own steps and tokens, and calls `on_step` with the model at rest, so a whole recovery curve costs one training.
On a CPU with one thread the result is the same bit for bit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from vestige.errors import RunError
from vestige.lab.adapters import RANKS, adapters
from vestige.lab.batches import Encoded, score_batch
from vestige.lab.models import LanguageModel, Precision, resolve_precision

OnStep = Callable[[int], bool]
# A view turns a batch of a stream into what the objective is a function of: `losses.Scored` unless the settings say otherwise.
View = Callable[[LanguageModel, Sequence[Encoded]], Any]
Objective = Callable[[Mapping[str, Any]], Tensor]
# "lora" trains adapters of rank 8 on every linear layer but the head, "lora_N" adapters of rank N; they are merged at the end.
Trained = Literal["all", "all_but_embeddings", "last_block", "lora", "lora_4", "lora_16", "lora_64"]
Reference = Mapping[str, dict[str, float]]

# If this share of the weights lies exactly on the bf16 grid, every weight of a binade rounds over in the same
# step, and a bf16 forward pass sees a jump where fp32 sees a small change. Such models compute in fp32.
_ON_GRID = 0.5


@dataclass(frozen=True, slots=True)
class Optimiser:
    """AdamW with linear warm-up, a constant rate after it, and gradient clipping."""

    lr: float
    warmup: int = 0
    weight_decay: float = 0.0
    max_grad_norm: float | None = 1.0


@dataclass(slots=True)
class Spent:
    """What a training cost: optimiser steps, tokens passed through the model, tokens scored."""

    steps: int = 0
    tokens_trained: int = 0
    tokens_scored: int = 0


def run(
    lm: LanguageModel,
    streams: Mapping[str, Iterator[list[Encoded]]],
    objective: Objective,
    settings: Settings,
    on_step: OnStep,
) -> Spent:
    """Train `lm` in place and return what it cost.

    Each step draws one batch from every stream, looks at it with the stream's view, minimises `objective` of what is seen, and
    calls `on_step(step)`; a true answer ends the training. A stream whose batch is empty is left out of that step. The same
    loop serves every method of the house.

    Raises:
        RunError: the loss or its gradient is no longer a finite number.
    """
    rank = settings.adapter_rank or RANKS.get(str(settings.train), 0)
    with adapters(lm, rank, settings.seed) if rank else nullcontext():
        return _loop(lm, streams, objective, dataclasses.replace(settings, train="lora") if rank else settings, on_step)


def _loop(
    lm: LanguageModel,
    streams: Mapping[str, Iterator[list[Encoded]]],
    objective: Objective,
    settings: Settings,
    on_step: OnStep,
) -> Spent:
    parameters = trainable(lm, settings.train)
    optimiser = torch.optim.AdamW(parameters, lr=settings.optimiser.lr, weight_decay=settings.optimiser.weight_decay, fused=True)
    settings = dataclasses.replace(settings, precision=training_precision(lm, settings.precision))
    spent = Spent()
    lm.model.eval()  # dropout off: the loop is deterministic, and none of the supported models trains with it
    for step in range(1, settings.steps + 1):
        loss = _one_step(lm, streams, objective, settings, spent)
        if not math.isfinite(loss):
            raise RunError(f"step {step}: the loss is {loss}; lower the learning rate ({settings.optimiser.lr:g})")
        _update(optimiser, parameters, settings.optimiser, step)
        spent.steps = step
        if on_step(step):
            break
    lm.model.requires_grad_(False)
    return spent


@dataclass(frozen=True, slots=True)
class Settings:
    """How the loop runs: the optimiser, how many steps, which weights (by name, or the tensors themselves), which arithmetic.

    `reference` holds row sums by stream and row id; `views` what else than log-probabilities is seen of a stream's batches;
    `adapter_rank` above 0 trains LoRA adapters of that rank whatever `train` says, drawn from `seed`.
    """

    optimiser: Optimiser
    steps: int
    train: Trained | tuple[Tensor, ...] = "all"
    precision: Precision = "auto"
    reference: Reference | None = None
    views: Mapping[str, View] = field(default_factory=dict)
    adapter_rank: int = 0
    seed: int = 0


def training_precision(lm: LanguageModel, precision: Precision) -> Precision:
    """Return the arithmetic to train in: "auto" avoids bf16 for weights that lie on the bf16 grid."""
    chosen = resolve_precision(precision, lm.device)
    if precision == "auto" and chosen == "bfloat16" and share_on_bf16_grid(lm) > _ON_GRID:
        return "float32"
    return chosen


def share_on_bf16_grid(lm: LanguageModel) -> float:
    """Return the share of matrix weights that bf16 represents exactly (about 0.02 for weights made in fp32)."""
    sample = [p.detach().flatten()[:4096] for p in lm.model.parameters() if p.ndim >= 2]
    weights = torch.cat(sample)
    return (weights.bfloat16().float() == weights).float().mean().item()


def _one_step(
    lm: LanguageModel, streams: Mapping[str, Iterator[list[Encoded]]], objective: Objective, settings: Settings, spent: Spent
) -> float:
    seen = {}
    with lm.autocast(settings.precision):
        for name, stream in streams.items():
            if batch := next(stream):
                seen[name] = _look(lm, name, batch, settings)
                spent.tokens_trained += sum(len(r.ids) for r in batch)
                spent.tokens_scored += sum(r.scored for r in batch)
        loss = objective(seen)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item()


def _look(lm: LanguageModel, name: str, batch: list[Encoded], settings: Settings) -> Any:
    if name in settings.views:
        return settings.views[name](lm, batch)
    return score_batch(lm, batch, (settings.reference or {}).get(name))


def _update(optimiser: torch.optim.Optimizer, parameters: list[Tensor], settings: Optimiser, step: int) -> None:
    for group in optimiser.param_groups:
        group["lr"] = settings.lr * min(1.0, step / (settings.warmup + 1))
    if settings.max_grad_norm is not None:
        norm = torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm).item()
        if not math.isfinite(norm):
            raise RunError(f"step {step}: the length of the gradient is {norm}; lower the learning rate ({settings.lr:g})")
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def trainable(lm: LanguageModel, train: Trained | tuple[Tensor, ...]) -> list[Tensor]:
    """Let gradients flow to the named weights only, and return them."""
    lm.model.requires_grad_(False)
    chosen: list[Tensor]
    if isinstance(train, tuple):
        chosen = list(train)
    elif train == "last_block":
        chosen = list(blocks(lm)[-1].parameters())
    elif train.startswith("lora"):
        chosen = [p for name, p in lm.model.named_parameters() if "lora_" in name]
    else:
        chosen = list(lm.model.parameters())
    if train == "all_but_embeddings":
        ends = (lm.model.get_input_embeddings(), lm.model.get_output_embeddings())
        frozen = {id(p) for end in ends for p in end.parameters()}
        chosen = [p for p in chosen if id(p) not in frozen]
    for parameter in chosen:
        parameter.requires_grad_(True)
    return chosen


def blocks(lm: LanguageModel) -> torch.nn.ModuleList:
    """Return the list of decoder blocks, first to last."""
    depth = lm.model.config.get_text_config().num_hidden_layers
    for module in lm.model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    raise RunError(f"model {lm.name!r}: no list of {depth} decoder blocks found")
