"""What a judge is given, and what a judge is. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from vestige.records import Missing


@dataclass(frozen=True)
class Answered:
    """A question, what counts as its answer, and what a model said."""

    question: str
    expected: tuple[str, ...]
    said: str


class Judge(Protocol):
    """A judge asks a model: a `Target`, or an embedding model that turns texts into unit vectors, as `asks` says."""

    asks: ClassVar[Literal["target", "embedding"]]

    def __call__(self, model: Any, answers: Sequence[Answered]) -> list[float | Missing]:
        """Return a number from 0 to 1 for each answer, or why there is none."""
        ...
