"""What every action of the lab has in common: learning, unlearning and attacking change a model in place.

An action is a frozen dataclass that you can call; its fields are its hyperparameters. `semantics` is raised by
hand whenever the same fields would give another model than before, so that old cells are not taken for new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Protocol

from vestige.errors import DataError
from vestige.lab.batches import Encoded, by_rows, encode_rows
from vestige.lab.models import LanguageModel
from vestige.lab.train import OnStep, Spent
from vestige.records import Row

Data = Mapping[str, Sequence[Row]]


class Action(Protocol):
    """Change `lm` in place, calling `on_step(step)` after each step; a true answer ends it."""

    semantics: ClassVar[int]
    needs: ClassVar[tuple[str, ...]]
    paper: ClassVar[str]

    def __call__(self, lm: LanguageModel, data: Data, *, seed: int, on_step: OnStep) -> Spent:
        """Return what it cost."""
        ...


def encoded(lm: LanguageModel, data: Data, names: Sequence[str]) -> dict[str, list[Encoded]]:
    """Tokenise the named row sets.

    Raises:
        DataError: a set that is needed is absent or empty.
    """
    for name in names:
        if not data.get(name):
            raise DataError(f"no {name} rows were given; this action needs: {', '.join(names)}")
    return {name: encode_rows(lm, data[name]) for name in names}


def row_streams(rows: Mapping[str, list[Encoded]], batch_size: int, *, seed: int) -> dict[str, Iterator[list[Encoded]]]:
    """Return one endless stream of row batches per set, each with its own order."""
    return {name: by_rows(r, batch_size, seed=seed * 1000 + n) for n, (name, r) in enumerate(rows.items())}
