"""Quantisation as an attack: round every weight matrix to few bits, and ask again.

Paper: Zhang et al., "Catastrophic Failure of LLM Unlearning via Quantization", 2024, arXiv 2410.16454: rounding to 4 bits brings
back what small changes of the weights had hidden. Round-to-nearest, symmetric, without data:
    w -> s round(w / s),    s = max |w| / (2^(bits-1) - 1)
over each group of weights: an output channel (a row of the matrix) as a whole where `group_size` is 0, else `group_size`
neighbours within a row, the last group of a row being what is left. Quantised are the linear layers of the decoder blocks; the
embeddings, the head, norms and biases are left alone, as is usual. The weights stay fp32 tensors, holding the rounded values:
the arithmetic is that of weight-only quantisation. Deviation: where that paper divides by 2^(bits-1), whose largest code a
signed number of that many bits does not have, the largest weight is made the largest code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from vestige.errors import UsageError
from vestige.lab.actions import Data
from vestige.lab.models import LanguageModel
from vestige.lab.train import OnStep, Spent, blocks


@dataclass(frozen=True)
class Quantise:
    """Round the weights of every linear layer to int8 or int4; `group_size` 0 is one scale per output channel."""

    bits: Literal[8, 4] = 4
    group_size: int = 0

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    paper: ClassVar[str] = "Zhang et al. 2024, arXiv 2410.16454"
    # It is done at once: what a plan calls a step is the whole of it.
    steps: ClassVar[int] = 1

    @torch.no_grad()
    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Round the weights; no row is read and nothing is drawn.

        Raises:
            UsageError: a group size below 0.
        """
        if self.group_size < 0:
            raise UsageError(f"group_size {self.group_size}: expected 0 (one scale per output channel) or a number of weights")
        for module in blocks(lm).modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.copy_(rounded(module.weight, self.bits, self.group_size))
        on_step(1)
        return Spent(steps=1)


def rounded(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Return a matrix (out, in) rounded to the nearest of 2^bits - 1 evenly spaced values per group; ties go to the even code."""
    groups = torch.split(weight, group_size or weight.shape[1], dim=1)
    return torch.cat([_to_codes(group, 2 ** (bits - 1) - 1) for group in groups], dim=1)


def _to_codes(group: Tensor, largest: int) -> Tensor:
    scale = group.abs().amax(dim=1, keepdim=True) / largest
    safe = torch.where(scale > 0, scale, torch.ones_like(scale))  # a row of zeros stays one
    return (group / safe).round().clamp(-largest, largest) * scale
