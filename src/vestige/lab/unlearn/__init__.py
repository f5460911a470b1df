"""The table of unlearning methods, and of the reference points an audit is set against.

A method takes `forget` and, where its equation says so, `retain` rows. `Mask` makes the liar and `Noise` the broken
model: neither is a way to unlearn, both are controls.
"""

from __future__ import annotations

from vestige.lab.unlearn.gradient_ascent import GradientAscent
from vestige.lab.unlearn.gradient_difference import GradientDifference
from vestige.lab.unlearn.mask import Mask
from vestige.lab.unlearn.noise import Noise
from vestige.lab.unlearn.npo import NPO

TABLE: dict[str, type] = {
    "gradient_ascent": GradientAscent,
    "gradient_difference": GradientDifference,
    "npo": NPO,
    "mask": Mask,
    "noise": Noise,
}
