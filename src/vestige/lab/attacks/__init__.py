"""The table of attacks: what is done to a model to get memory back."""

from __future__ import annotations

from vestige.lab.attacks.quantise import Quantise
from vestige.lab.attacks.relearn import Relearn

TABLE: dict[str, type] = {"relearn": Relearn, "quantise": Quantise}
