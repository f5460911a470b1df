"""What every action of the lab has in common: learning, unlearning and attacking change a model in place.

An action is a frozen dataclass that you can call; its fields are its hyperparameters. `semantics` is raised by
hand whenever the same fields would give another model than before, so that old cells are not taken for new ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, tee
from typing import ClassVar, Protocol

from vestige.errors import DataError
from vestige.lab.batches import Encoded, by_rows, encode_rows
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.train import OnStep, Optimiser, Reference, Settings, Spent, Trained, View
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


class Trains(Protocol):
    """The fields of a method that minimises a loss."""

    @property
    def lr(self) -> float:
        """Learning rate."""
        ...

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        ...

    @property
    def train(self) -> Trained:
        """Which weights."""
        ...

    @property
    def precision(self) -> Precision:
        """Which arithmetic."""
        ...


def settings_of(method: Trains, *, seed: int, reference: Reference | None = None, views: Mapping[str, View] | None = None) -> Settings:
    """Return how the loop runs for a method; `seed` draws the adapters, if it trains any."""
    return Settings(Optimiser(method.lr), method.steps, method.train, method.precision, reference, views or {}, seed=seed)


def drawn(stream: Iterator[list[Encoded]], steps: int) -> tuple[Iterator[list[Encoded]], list[Encoded]]:
    """Return the first `steps` batches of a stream, and every row in them once: all that has to be looked at beforehand."""
    batches = list(islice(stream, steps))
    return iter(batches), list({row.id: row for batch in batches for row in batch}.values())


def paired(
    stream: Iterator[list[Encoded]], partners: Mapping[str, Sequence[Encoded]]
) -> tuple[Iterator[list[Encoded]], Iterator[list[Encoded]]]:
    """Return a stream and another that holds, place by place, a partner of each of its rows; the partners of a row take turns."""
    rows, same = tee(stream)
    turns: Counter[str] = Counter()

    def partner(row: Encoded) -> Encoded:
        turns[row.id] += 1
        return partners[row.id][(turns[row.id] - 1) % len(partners[row.id])]

    return rows, ([partner(row) for row in batch] for batch in same)
