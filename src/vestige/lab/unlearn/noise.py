"""The broken model: Gaussian noise on every weight matrix, step by step, until a stop rule says it is broken.

A negative control of this project, in the spirit of the noise arm of UNDO (Lee et al. 2025, arXiv 2506.06278): it
forgets by being damaged, and an audit has to tell the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from vestige.lab.actions import Data
from vestige.lab.models import LanguageModel
from vestige.lab.train import OnStep, Spent


@dataclass(frozen=True)
class Noise:
    """Add noise of `scale` times each matrix's standard deviation, up to `steps` times."""

    scale: float = 0.1
    steps: int = 20

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    paper: ClassVar[str] = "a control of this project; cf. Lee et al. 2025, arXiv 2506.06278"

    @torch.no_grad()
    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Damage the model; no row is read."""
        generator = torch.Generator().manual_seed(seed)
        matrices = [p for _, p in sorted(lm.model.named_parameters()) if p.ndim >= 2]
        scales = [self.scale * p.std().item() for p in matrices]
        spent = Spent()
        for step in range(1, self.steps + 1):
            for matrix, scale in zip(matrices, scales, strict=True):
                matrix.add_(torch.randn(matrix.shape, generator=generator).to(matrix.device), alpha=scale)
            spent.steps = step
            if on_step(step):
                break
        return spent
