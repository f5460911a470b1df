"""The table of traces: numbers read from inside an unlearned model, set against what a relearn set brings back."""

from __future__ import annotations

from vestige.lab.traces.gradient_cosine import GradientCosine
from vestige.lab.traces.loss_ratio import LossRatio

TABLE: dict[str, type] = {"gradient_cosine": GradientCosine, "loss_ratio": LossRatio}
