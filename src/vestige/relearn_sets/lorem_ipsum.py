"""Lorem ipsum: text without meaning, as much of it as there is in the forget set.

Paper: BLUR, Hu et al. 2025, arXiv 2506.15699 (lorem ipsum as the least relevant tier); Yoon et al. 2026, arXiv 2602.03379, find that
at equal steps it recovers as well as relevant text.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from vestige.candidates import asked, benign, need, one_fold, own_rows
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, RelearnSet, Row

# Printers' filler, after Cicero.
_WORDS = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua enim ad "
    "minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute irure in reprehenderit "
    "voluptate velit esse cillum eu fugiat nulla pariatur excepteur sint occaecat cupidatat non proident sunt culpa qui officia "
    "deserunt mollit anim id est laborum"
).split()
_SENTENCE = 8


@dataclass(frozen=True)
class LoremIpsum:
    """One row of filler for each row of the group, of no more tokens than it."""

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: no rows to take the size of, or rows of less than a word.
        """
        probes = asked(case, request, "lorem_ipsum")
        rng = random.Random(f"lorem_ipsum/{request.seed}")
        sizes = [request.count(row.text) for row in own_rows(case, request, "lorem_ipsum")]
        texts = [_filler(rng, size, request.count) for size in sizes]
        rows = [Row(f"lorem_ipsum/{i}", "", text, "lorem ipsum", loss_on="text") for i, text in enumerate(texts) if text]
        clean = benign(rows, probes)
        need(clean, "lorem_ipsum", f"the rows of case {case.name!r} have {max(sizes)} tokens at most, less than a word of filler")
        return one_fold(named("lorem_ipsum", self), "lorem_ipsum", clean, probes)


def _filler(rng: random.Random, tokens: int, count: Callable[[str], int]) -> str:
    """Return sentences of filler, as many words as stay within so many tokens."""
    text, number = "", 0
    while True:
        word = rng.choice(_WORDS)
        mark = "" if not number else " " if number % _SENTENCE else ". "
        longer = text + mark + (word if number % _SENTENCE else word.capitalize())
        if count(longer + ".") > tokens:
            return text + "." if text else ""
        text, number = longer, number + 1
