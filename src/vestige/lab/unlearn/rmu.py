"""RMU: steer the hidden states of the forget rows to a random direction, leave those of the retain rows where they were.

Paper: Li et al., "The WMDP Benchmark", 2024, arXiv 2403.03218, section 4 (L_forget + alpha L_retain). Minimised loss:
    (1/B) sum_i (1/T_i) sum_t |h_t - steering u|^2   over forget rows
    + retain_weight (1/B) sum_i (1/T_i) sum_t |h_t - h_ref_t|^2   over retain rows
with h_t the output of decoder block `layer` (counted from 0) at position t, h_ref the same before unlearning, u a unit vector
with entries drawn from [0, 1) by the seed. Only the matrices by which the feed-forward networks of blocks layer-2, layer-1
and layer write into the residual stream are trained; the forward pass ends at `layer`, gradients end at layer-2. All tokens
of a row count, scored or not, but the first (`lab/activations.py` says why): the deviation from the paper. The authors' code takes means
over the D dimensions too, 1/D of both terms, and over padding.
Kept in memory of the reference: hidden states of one layer for the forget and retain rows drawn, no second model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vestige.lab import losses, train
from vestige.lab.actions import Data, drawn, encoded, row_streams
from vestige.lab.activations import mlp_outputs, remember, unit_direction
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Optimiser, Settings, Spent


@dataclass(frozen=True)
class RMU:
    """Steer the hidden states of the forget rows to a random direction, those of the retain rows nowhere."""

    lr: float = 5e-5
    steps: int = 80
    batch_size: int = 8
    layer: int = 7
    steering: float = 6.5
    retain_weight: float = 1200.0
    precision: Precision = "auto"

    semantics: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("forget", "retain")
    paper: ClassVar[str] = "Li et al. 2024, arXiv 2403.03218"
    space: ClassVar[dict[str, tuple[float, float]]] = {"lr": (1e-5, 1e-3), "steering": (2.0, 100.0), "retain_weight": (10.0, 3000.0)}

    def objective(self, seen: Mapping[str, losses.Activations], direction: Tensor) -> Tensor:
        """Return the loss of one forget batch and one retain batch; `direction` is u, (D,)."""
        forget, retain = seen["forget"], seen["retain"]
        return losses.squared_distance(forget, self.steering * direction) + self.retain_weight * losses.squared_distance(retain, retain.ref)

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Unlearn `data["forget"]`, keeping `data["retain"]`."""
        trained = mlp_outputs(lm, self.layer)
        streams = row_streams(encoded(lm, data, self.needs), self.batch_size, seed=seed)
        views = {}
        for name in streams:
            streams[name], rows = drawn(streams[name], self.steps)
            views[name] = remember(lm, rows, self.layer, self.precision).look
        u = unit_direction(trained[0].shape[0], seed=seed, device=lm.device)
        settings = Settings(Optimiser(self.lr), self.steps, trained, self.precision, views=views)
        return train.run(lm, streams, lambda seen: self.objective(seen, u), settings, on_step)
