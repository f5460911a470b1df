"""What a trace is given, and what it is: a number read from inside a model before it is attacked with a relearn set.

A trace is a frozen dataclass that you can call. It leaves the model as it was, and gives Missing(reason) where the number cannot be had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from vestige.lab.models import LanguageModel
from vestige.lab.train import Trained
from vestige.records import Missing, Row


@dataclass(frozen=True)
class Material:
    """A relearn set as one fold of it, the forget rows that are asked about along it, and the weights that are trained.

    `keywords[i]` are what is asked for of `forget[i]`.
    """

    relearn: tuple[Row, ...]
    forget: tuple[Row, ...]
    keywords: tuple[tuple[str, ...], ...] = ()
    train: Trained = "all_but_embeddings"


class Trace(Protocol):
    """One number of a model and a relearn set."""

    semantics: ClassVar[int]
    paper: ClassVar[str]

    def __call__(self, lm: LanguageModel, material: Material) -> float | Missing:
        """Return the number; the model is left as it was."""
        ...
