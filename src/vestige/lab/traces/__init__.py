"""The table of traces: numbers read from inside a model, set against what a relearn set brings back.

`BEFORE_ATTACK` holds those that look at an unlearned model just before an attack, `AT_REST` those that look at a state beside others,
and `TABLE` all of them, as a plan names them.
"""

from __future__ import annotations

from vestige.lab.traces.cka import CKA
from vestige.lab.traces.curvature import Curvature
from vestige.lab.traces.fisher_overlap import FisherOverlap
from vestige.lab.traces.gradient_cosine import GradientCosine
from vestige.lab.traces.gradnorm import GradNorm
from vestige.lab.traces.logit_lens import LogitLens
from vestige.lab.traces.loss_ratio import LossRatio
from vestige.lab.traces.patching_depth import PatchingDepth
from vestige.lab.traces.pca_shift import PCAShift
from vestige.lab.traces.spectral_fingerprint import SpectralFingerprint
from vestige.lab.traces.weight_delta import WeightDelta

BEFORE_ATTACK: dict[str, type] = {"gradient_cosine": GradientCosine, "loss_ratio": LossRatio}
AT_REST: dict[str, type] = {
    "cka": CKA,
    "curvature": Curvature,
    "fisher_overlap": FisherOverlap,
    "gradnorm": GradNorm,
    "logit_lens": LogitLens,
    "patching_depth": PatchingDepth,
    "pca_shift": PCAShift,
    "spectral_fingerprint": SpectralFingerprint,
    "weight_delta": WeightDelta,
}
TABLE: dict[str, type] = {**BEFORE_ATTACK, **AT_REST}
