"""Something that can be asked: weights on this machine, or a model behind an interface. No torch here.

Recipes that let a model write, and judges, get models only as a `Target` argument, so that neither knows where it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vestige.records import Missing


class Target(Protocol):
    """A model that answers prompts, in their order. What one prompt cannot have is Missing; what none can have raises ModelError."""

    @property
    def identity(self) -> str:
        """What is asked: a digest of weights, or the asserted name of a model and where it is served."""
        ...

    def generate(self, prompts: Sequence[str], *, max_new: int, temperature: float = 0.0, seed: int = 0) -> list[str | Missing]:
        """Return one completion of up to `max_new` tokens per prompt; temperature 0 is greedy."""
        ...

    def answer_logp(self, pairs: Sequence[tuple[str, str]]) -> list[float | Missing]:
        """Return the summed log-probability, in nats, of each answer given its prompt."""
        ...
