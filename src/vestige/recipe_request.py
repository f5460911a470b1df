"""What is asked of a recipe: for which probe group, under which seed, how much text, and which model may write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from vestige.errors import DataError
from vestige.records import Fold, Group, RelearnSet, Row
from vestige.target import Target


def characters_over_four(text: str) -> int:
    """Return a rough count of tokens where no tokenizer is at hand."""
    return -(-len(text) // 4)


@dataclass(frozen=True)
class Request:
    """`examples` and `tokens` bound each fold (None: no bound); `count` counts the tokens of a text; `ask` may write."""

    group: Group = "forget"
    seed: int = 0
    examples: int | None = None
    tokens: int | None = None
    count: Callable[[str], int] = characters_over_four
    ask: Target | None = None


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
        spent += request.count(row.text)
        if len(rows) == request.examples or (request.tokens is not None and spent > request.tokens):
            break
        rows.append(row)
    if not rows:
        says = "no rows" if not fold.rows else f"a first row of {request.count(fold.rows[0].text)} tokens"
        raise DataError(f"relearn set {name!r}: {says}, for a budget of {request.examples} examples and {request.tokens} tokens")
    return replace(fold, rows=tuple(rows))
