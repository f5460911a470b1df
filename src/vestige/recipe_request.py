"""What is asked of a recipe: for which probe group, under which seed, how much text, and which model may write it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige.errors import DataError
from vestige.records import Fold, Group, RelearnSet, Row
from vestige.target import Target

if TYPE_CHECKING:
    from vestige.similarity import Inform


def characters_over_four(text: str) -> int:
    """Return a rough count of tokens where no tokenizer is at hand."""
    return -(-len(text) // 4)


@dataclass(frozen=True)
class Request:
    """What bounds a relearn set, and what may help to make it.

    `examples` and `tokens` bound each fold (None: no bound); `count` counts the tokens of a text; `ask` may write; `inform` says
    how much each row tells of an answer (None: `similarity.answer_overlap`).
    """

    group: Group = "forget"
    seed: int = 0
    examples: int | None = None
    tokens: int | None = None
    count: Callable[[str], int] = characters_over_four
    ask: Target | None = None
    inform: Inform | None = None

    @property
    def budget(self) -> str:
        """The bounds, in words."""
        bounds = [f"{n} {what}" for n, what in ((self.examples, "examples"), (self.tokens, "tokens")) if n is not None]
        return " and ".join(bounds) or "no bound"


ANYTHING = Request()


def within_budget(made: RelearnSet, request: Request) -> RelearnSet:
    """Return the set with every fold cut to the budget; a recipe gives its rows in order of preference.

    Raises:
        DataError: a fold has no rows, or its first row alone is over the budget.
    """
    return replace(made, folds=tuple(_cut(fold, made.name, request) for fold in made.folds))


def _cut(fold: Fold, name: str, request: Request) -> Fold:
    rows: list[Row] = []
    spent = 0
    for row in fold.rows:
        spent += request.count(row.text) if request.tokens is not None else 0
        if len(rows) == request.examples or (request.tokens is not None and spent > request.tokens):
            break
        rows.append(row)
    if not rows:
        says = "no rows" if not fold.rows else f"a first row of {request.count(fold.rows[0].text)} tokens"
        raise DataError(f"relearn set {name!r}: {says}, for a budget of {request.budget}")
    return replace(fold, rows=tuple(rows))


def named(recipe: str, made: Any) -> str:
    """Return the name of a set: its recipe and whatever fields are not at their default ("relevance_tiers high")."""
    told = [(f.name, getattr(made, f.name)) for f in dataclasses.fields(made) if getattr(made, f.name) != f.default]
    return " ".join([recipe, *(_told(name, value) for name, value in told)])


def _told(name: str, value: Any) -> str:
    if name == "path":
        return Path(value).name
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return value if isinstance(value, str) else f"{name}={value}"


def told_apart(made: Sequence[tuple[RelearnSet, Request]]) -> tuple[RelearnSet, ...]:
    """Return the sets; those of one name carry their budget and seed in it too."""
    often = Counter(chosen.name for chosen, _ in made)
    return tuple(
        replace(chosen, name=f"{chosen.name} ({request.budget}, seed {request.seed})") if often[chosen.name] > 1 else chosen
        for chosen, request in made
    )
