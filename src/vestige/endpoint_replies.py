"""What an OpenAI-compatible server replies: JSON that may hold anything, read without trusting any of it."""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any

from vestige.records import Missing
from vestige.text import terminal_safe

_SHOWN = 200
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")


def answer_sum(logprobs: Any, prompt: str, answer: str) -> float | Missing:
    """Return the sum over an answer's tokens of an echoed text, given the "logprobs" of a completion.

    The tokens, which may begin with a mark of the model's own, must spell prompt and answer, with a boundary between the two.
    """
    tokens, values = dig(logprobs, "tokens"), dig(logprobs, "token_logprobs")
    if not (
        isinstance(tokens, list) and isinstance(values, list) and len(tokens) == len(values) and all(isinstance(t, str) for t in tokens)
    ):
        return Missing("the server echoes no log-probabilities")
    pieces = [_bytes(token) for token in tokens]
    ends = list(accumulate(map(len, pieces)))
    start = b"".join(pieces).find((prompt + answer).encode("utf-8", "replace"))
    if start < 0:
        return Missing("the tokens echoed do not spell the text")
    begin = start + len(prompt.encode("utf-8", "replace"))
    end = begin + len(answer.encode("utf-8", "replace"))
    if begin not in (0, *ends) or end not in ends:
        return Missing("a token reaches over the boundary of prompt and answer")
    chosen = [v for v, stop, piece in zip(values, ends, pieces, strict=True) if begin <= stop - len(piece) and stop <= end and piece]
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) or not math.isfinite(v) for v in chosen):
        return Missing("a log-probability of the answer is not a finite number")
    return float(sum(chosen))


def _bytes(token: str) -> bytes:
    """Return the bytes of a token; part of a character is written "bytes:\\xe3\\x81"."""
    if token.startswith("bytes:") and _ESCAPED.search(token):
        return bytes(int(pair, 16) for pair in _ESCAPED.findall(token))
    return token.encode("utf-8", "replace")


def vectors(reply: Any, number: int) -> list[list[float]] | Missing:
    """Return the vectors of a reply to a request for the embeddings of so many texts, in the order of the texts."""
    items = dig(reply, "data")
    if not isinstance(items, list) or len(items) != number:
        return Missing(f"the reply does not hold {number} embeddings")
    by_place = {place: dig(item, "embedding") for item in items if isinstance(place := dig(item, "index"), int)}
    found = [by_place.get(place) for place in range(number)]
    good = [v for v in found if isinstance(v, list) and v and all(isinstance(x, (int, float)) for x in v)]
    if len(good) != number or len({len(v) for v in good}) != 1:
        return Missing("the embeddings of the reply are not lists of numbers of one length, each with its index")
    return [[float(x) for x in v] for v in good]


def dig(value: Any, *where: str | int) -> Any:
    """Return what stands at a place of a JSON value, or None."""
    for step in where:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def parsed(raw: bytes) -> Any | Missing:
    """Return the JSON value of a body, or what it begins with instead."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return Missing(f"the reply is not JSON: {shown(raw[:_SHOWN].decode('utf-8', 'replace'))}")


def shown(text: str) -> str:
    """Return text that may stand in a message: one line, short, without control characters."""
    return " ".join(terminal_safe(text).split())[:_SHOWN]
