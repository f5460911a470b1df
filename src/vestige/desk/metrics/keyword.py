"""Keyword recall: the expected answer, or an alias of it, stands in the generated text as a word of its own.

Paper: the keyword attack success of Hu et al. 2024, arXiv 2406.13356, §3; here on generated text only, at word
boundaries, under NFKC and case folding.
"""

from __future__ import annotations

from collections.abc import Iterable

from vestige.text import keyword_hit


def says(text: str, expected: Iterable[str]) -> bool:
    """Return whether the generated text holds the answer or an alias."""
    return keyword_hit(text, expected)
