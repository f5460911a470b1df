"""What a trace is given, and what it is: a number read from inside a model, which is left as it was.

A trace is a frozen dataclass that you can call, and gives Missing(reason) where the number cannot be had. There are two kinds. A `Trace`
looks into an unlearned model just before it is attacked, at a relearn set and what is asked about along it. A `StateTrace` looks into a
state at rest beside others, such as the original; it may give several numbers, each also block by block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import ClassVar, Protocol

from vestige.errors import ModelError
from vestige.lab import models
from vestige.lab.models import LanguageModel
from vestige.lab.train import Trained
from vestige.records import Missing, Row

Value = float | Missing


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

    def __call__(self, lm: LanguageModel, material: Material) -> Value:
        """Return the number; the model is left as it was."""
        ...


@dataclass(frozen=True)
class Reading:
    """A number of a state, and what it is in each decoder block, first to last, where it is made of them."""

    value: Value
    blocks: tuple[Value, ...] = ()

    @classmethod
    def mean(cls, blocks: Iterable[Value]) -> Reading:
        """Return the mean over decoder blocks; Missing where one block's number is."""
        found = tuple(blocks)
        lacking = next((v for v in found if isinstance(v, Missing)), None)
        return cls(lacking or fmean(v for v in found if not isinstance(v, Missing)), found)


@dataclass(frozen=True)
class Kept:
    """A state that can be loaded: the model or folder it is in, and the digest it must have."""

    start: str
    digest: str


@dataclass(frozen=True)
class Rest:
    """What a state is looked at on: forget rows (`keywords[i]` are asked for of `forget[i]`), retain rows, and other states by role.

    `decoy` rows are what no model learned.

    `own` is the digest of the state itself: a role that has the same is not loaded a second time.
    """

    forget: tuple[Row, ...]
    keywords: tuple[tuple[str, ...], ...]
    retain: tuple[Row, ...]
    own: str = ""
    others: Mapping[str, Kept] = field(default_factory=dict)
    decoy: tuple[Row, ...] = ()


class Beside:
    """The states beside the one that is looked at, loaded when asked for, one at a time: two models in memory at most."""

    def __init__(self, lm: LanguageModel, rest: Rest) -> None:
        """Look at `lm`, beside the other states of `rest`."""
        self.rest = rest
        self._lm = lm
        self._held: tuple[str, LanguageModel] | None = None

    def state(self, role: str) -> LanguageModel | Missing:
        """Return the state of a role, and forget the one asked for before; Missing where the plan has no such state.

        Raises:
            ModelError: what is there is not the state that was recorded.
        """
        kept = self.rest.others.get(role)
        if kept is None:
            return Missing(f"there is no state {role!r} to set beside this one")
        if kept.digest == self.rest.own:
            return self._lm
        if self._held is None or self._held[0] != kept.digest:
            self._held = None  # before the next is loaded
            loaded = models.load(kept.start, device=str(self._lm.device))
            if loaded.digest() != kept.digest:
                raise ModelError(f"{kept.start}: its digest is not {kept.digest}, the one in the ledger; delete that folder and run again")
            self._held = (kept.digest, loaded)
        return self._held[1]


class StateTrace(Protocol):
    """Numbers of a state at rest, by name; `beside` names the roles it is set beside."""

    semantics: ClassVar[int]
    paper: ClassVar[str]
    beside: ClassVar[tuple[str, ...]]
    readings: ClassVar[tuple[str, ...]]

    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return every reading of `readings`; the model is left as it was."""
        ...
