"""Rows that ask what the forget rows ask and answer otherwise: with a refusal, or with another plausible value.

Methods get no model that could write, so alternates are values that *retained* rows give for the same attribute (the retained
customers' cities for a forgotten customer's city). Those of the probes' wrong answers would be at hand too, and are not taken:
a model trained towards exactly the candidates it is asked to choose among would be trained on the test.
"""

from __future__ import annotations

import dataclasses
import random
from collections import defaultdict
from collections.abc import Sequence

from vestige.errors import DataError, UsageError
from vestige.records import Row
from vestige.text import is_unspaced, normalise

REFUSALS = {
    "en": (
        "I don't know.",
        "I do not know the answer to that.",
        "I'm not sure.",
        "I have no information about this.",
        "That is not something I know.",
        "I cannot say.",
        "I'm afraid I don't know that.",
        "I haven't learned about that.",
    ),
    "ja": (
        "わかりません。",
        "それについては存じません。",
        "その情報は持っていません。",
        "申し訳ありませんが、わかりかねます。",
        "お答えできません。",
        "その件は把握していません。",
    ),
}


def refused(rows: Sequence[Row], *, seed: int) -> list[Row]:
    """Return each row, under its own id, with a refusal in its language drawn by `seed` for an answer.

    Raises:
        DataError: a row that asks nothing (no prompt), so that there is nothing to refuse.
    """
    rng = random.Random(seed)
    found = []
    for row in rows:
        _must_ask(row)
        language = "ja" if any(map(is_unspaced, row.text)) else "en"
        found.append(_answered(row, row.id, rng.choice(REFUSALS[language])))
    return found


def alternates(forget: Sequence[Row], retain: Sequence[Row], *, each: int, seed: int) -> dict[str, list[Row]]:
    """Return up to `each` other answers per forget row, by its id, out of the retained rows of the same attribute.

    Raises:
        UsageError: fewer than one is asked for.
        DataError: a row without a prompt or attribute, or no retained row gives another value for its attribute.
    """
    if each < 1:
        raise UsageError(f"alternates = {each}: each forget row needs at least one other answer")
    values: dict[str, dict[str, str]] = defaultdict(dict)
    for row in retain:
        values[row.attribute].setdefault(normalise(row.answer), row.answer.strip())
    rng = random.Random(seed)
    found = {}
    for row in forget:
        _must_ask(row)
        pool = [text for key, text in sorted(values[row.attribute].items()) if key != normalise(row.answer)]
        if not row.attribute or not pool:
            raise DataError(
                f"row {row.id!r}: no alternate answer; expected retained rows with another answer and the same attribute "
                f"(here {row.attribute!r}), seen the attributes: {', '.join(sorted(filter(None, values))) or 'none'}"
            )
        drawn = rng.sample(pool, min(each, len(pool)))
        found[row.id] = [_answered(row, f"{row.id}#{n}", text) for n, text in enumerate(drawn)]
    return found


def _answered(row: Row, id_: str, answer: str) -> Row:
    space = row.answer[: len(row.answer) - len(row.answer.lstrip())]
    return dataclasses.replace(row, id=id_, answer=space + answer, loss_on="answer")


def _must_ask(row: Row) -> None:
    if not row.prompt.strip():
        raise DataError(f"row {row.id!r}: it asks nothing (its prompt is empty), so it has no other answer; use a method that needs none")
