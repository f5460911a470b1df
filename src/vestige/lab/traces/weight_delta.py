"""Spectral fingerprint of what was done to the weights: how far they moved, and in how many directions.

Paper: effective rank: Roy and Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007, definition 1. That
what fine-tuning needs is of low rank: Hu et al. 2021, arXiv 2106.09685. That unlearning leaves spectral fingerprints, there in
activations: Chen et al. 2025, arXiv 2506.14003.

With Δ = W − W_original of one weight matrix, σ its singular values, p_i = σ_i / Σ_j σ_j:

    weight_delta_norm       ‖Δ‖_F / ‖W_original‖_F, over all weights of the model, or of a block
    weight_delta_rank       exp(−Σ_i p_i ln p_i), between 1 and the smaller side of the matrix, 0 where Δ = 0; mean over the matrices
    weight_delta_top_share  Σ σ_1² / Σ ‖Δ‖_F² over the matrices: 1 where each moved in one direction only; Missing where none moved

Rank and top share are of the matrices of decoder blocks; embeddings, head and vectors enter the norm only. Singular values are square roots
of the eigenvalues of the smaller Gram matrix, in fp64, one matrix at a time. Weights in fp32 are rounded at every step, so a change near
the size of that rounding has a high rank whatever made it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vestige.lab.models import LanguageModel
from vestige.lab.tracing import Beside, Reading, Value
from vestige.lab.train import blocks
from vestige.records import Missing

_NAMES = ("weight_delta_norm", "weight_delta_rank", "weight_delta_top_share")


@dataclass(frozen=True)
class WeightDelta:
    """Norm, effective rank and top singular share of the weights' change from the original."""

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "effective rank: Roy and Vetterli 2007; cf. Hu et al. 2021, arXiv 2106.09685"
    beside: ClassVar[tuple[str, ...]] = ("original",)
    readings: ClassVar[tuple[str, ...]] = _NAMES

    @torch.no_grad()
    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return the three readings."""
        original = beside.state("original")
        if isinstance(original, Missing):
            return dict.fromkeys(_NAMES, Reading(original))
        old = dict(original.model.named_parameters())
        new = dict(lm.model.named_parameters())
        if {n: p.shape for n, p in old.items()} != {n: p.shape for n, p in new.items()}:
            return dict.fromkeys(_NAMES, Reading(Missing("the original has other weights, by name or shape")))
        places = {id(p): number for number, block in enumerate(blocks(lm)) for p in block.parameters()}
        moved = [(places.get(id(p)), Moved.of(p, old[name], places.get(id(p)) is not None)) for name, p in new.items()]
        return readings(moved, len(blocks(lm)))


@dataclass(frozen=True, slots=True)
class Moved:
    """How a weight moved: squared norms of its change and of what it was; of a matrix in a block, effective rank and σ_1² too."""

    change: float
    before: float
    rank: float | None = None
    top: float = 0.0

    @classmethod
    def of(cls, new: Tensor, old: Tensor, in_block: bool) -> Moved:
        """Return how `old` became `new`."""
        delta = (new.detach() - old.detach()).double()
        change, before = float(delta.square().sum()), float(old.detach().double().square().sum())
        if not in_block or delta.ndim < 2 or not math.isfinite(change):
            return cls(change, before)
        values = singular_values(delta.flatten(1))
        return cls(change, before, effective_rank(values), float(values.max().square()))


def readings(moved: Iterable[tuple[int | None, Moved]], depth: int) -> dict[str, Reading]:
    """Return the three readings of weights, each with the number of its block (None: outside all of them)."""
    every = list(moved)
    whole = _summed([m for _, m in every])
    by_block = [_summed([m for place, m in every if place == number]) for number in range(depth)]
    return {name: Reading(whole[name], tuple(block[name] for block in by_block)) for name in _NAMES}


def _summed(moved: list[Moved]) -> dict[str, Value]:
    change, before = sum(m.change for m in moved), sum(m.before for m in moved)
    if not math.isfinite(change) or not before > 0:
        return dict.fromkeys(_NAMES, Missing("the weights are not finite, or all were 0"))
    matrices = [m for m in moved if m.rank is not None]
    energy = sum(m.change for m in matrices)
    rank: Value = sum(m.rank or 0.0 for m in matrices) / len(matrices) if matrices else Missing("no matrix in a decoder block")
    share: Value = sum(m.top for m in matrices) / energy if energy > 0 else Missing("no matrix of a decoder block moved")
    return dict(zip(_NAMES, (math.sqrt(change / before), rank, share), strict=True))


def singular_values(matrix: Tensor) -> Tensor:
    """Return the singular values of a matrix (R, C), in any order."""
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    values: Tensor = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
    return values


def effective_rank(values: Tensor) -> float:
    """Return the effective rank of a matrix with these singular values; 0 where all are 0."""
    total = values.sum()
    if total == 0:
        return 0.0
    p = values / total
    return float(torch.special.entr(p).sum().exp())
