"""The answers of forget rows as tokens: which of them are the answer, and which of those are what is asked for."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

from vestige.lab.batches import Encoded, encode_rows
from vestige.lab.models import LanguageModel
from vestige.records import Row
from vestige.similarity import whole_word


def answers(lm: LanguageModel, rows: Sequence[Row]) -> list[Encoded]:
    """Tokenise rows so that the answer alone is scored, whatever they are trained on; a row's id is its place.

    Raises:
        DataError: a row without an answer, or longer than the model's context.
    """
    return encode_rows(lm, [dataclasses.replace(row, id=str(n), loss_on="answer") for n, row in enumerate(rows)])


def marked_answers(lm: LanguageModel, forget: Sequence[Row], keywords: Sequence[Sequence[str]]) -> Iterator[tuple[Encoded, list[bool]]]:
    """Yield every answer in which a keyword stands, with which of its scored tokens are keyword."""
    for number, (row, words) in enumerate(zip(forget, keywords, strict=True)):
        head, tail = lm.encode(row.prompt, row.answer, row.form)
        tokens = keyword_tokens(lm, row, words)
        start = max(1, len(head))
        scored = tokens[start - len(head) :]  # a first token without anything before it is never scored
        if any(scored) and len(head) + len(tail) <= lm.context:
            yield Encoded(str(number), (*head, *tail), start), scored


def keyword_tokens(lm: LanguageModel, row: Row, keywords: Sequence[str]) -> list[bool]:
    """Return, token by token of a row's answer, whether it touches a keyword; the tokenizer must say where its tokens stand."""
    # The white space before a word belongs to it, whether or not the tokenizer makes a token of its own of it.
    patterns = [rf"\s*{whole_word(k.strip())}" for k in keywords if k.strip()]
    found = [m.span() for pattern in patterns for m in re.finditer(pattern, row.answer, re.IGNORECASE)]
    return [any(start < stop and begin < end for begin, stop in found) for start, end in lm.answer_spans(row.answer, row.form) or ()]
