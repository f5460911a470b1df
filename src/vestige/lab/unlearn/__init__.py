"""The table of unlearning methods, and of the reference points an audit is set against.

A method takes `forget` and, where its equation says so, `retain` rows. `Mask` makes the liar and `Noise` the broken
model: neither is a way to unlearn, both are controls. `space` of a method holds the few fields that `vestige tune` searches, each
with its lowest and highest value; a plan may name others.
"""

from __future__ import annotations

from vestige.lab.unlearn.adaptive_rmu import AdaptiveRMU
from vestige.lab.unlearn.altpo import AltPO
from vestige.lab.unlearn.dpo import DPO
from vestige.lab.unlearn.gradient_ascent import GradientAscent
from vestige.lab.unlearn.gradient_difference import GradientDifference
from vestige.lab.unlearn.idk import IDK
from vestige.lab.unlearn.kl_minimisation import KLMinimisation
from vestige.lab.unlearn.mask import Mask
from vestige.lab.unlearn.noise import Noise
from vestige.lab.unlearn.npo import NPO
from vestige.lab.unlearn.npo_kl import NPOKL
from vestige.lab.unlearn.rmu import RMU
from vestige.lab.unlearn.scrub import SCRUB
from vestige.lab.unlearn.simnpo import SimNPO
from vestige.lab.unlearn.task_vector import TaskVector
from vestige.lab.unlearn.undial import UNDIAL
from vestige.lab.unlearn.wga import WGA

TABLE: dict[str, type] = {
    "gradient_ascent": GradientAscent,
    "gradient_difference": GradientDifference,
    "kl_minimisation": KLMinimisation,
    "npo": NPO,
    "npo_kl": NPOKL,
    "simnpo": SimNPO,
    "dpo": DPO,
    "idk": IDK,
    "altpo": AltPO,
    "undial": UNDIAL,
    "wga": WGA,
    "scrub": SCRUB,
    "rmu": RMU,
    "adaptive_rmu": AdaptiveRMU,
    "task_vector": TaskVector,
    "mask": Mask,
    "noise": Noise,
}
