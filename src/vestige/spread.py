"""Fewer items of many, evenly spaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most `most` items, evenly spaced over all of them, the first included."""
    return [items[i * len(items) // most] for i in range(most)] if len(items) > most else list(items)
