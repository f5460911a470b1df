"""Shuffled tokens: the words of the forget set or of a source, in an order that says nothing.

Paper: Hu et al. 2024, arXiv 2406.13356, §6 and Table 5 (gibberish as a relearn set).

Words are shuffled over all rows, each row keeping its number of words; in scripts without spaces, characters. Answers of one word
would survive a shuffle, so they are taken out first, and a row in which an answer comes together again is dropped.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from vestige.candidates import asked, benign, need, one_fold, pool
from vestige.passages import joined
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, RelearnSet
from vestige.text import units, words


@dataclass(frozen=True)
class ShuffledTokens:
    """The rows of a source with their words exchanged at random; loss on the whole text."""

    source: str = "forget"

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: no such source, or nothing is left without the answers.
        """
        probes = asked(case, request, "shuffled_tokens")
        rows = pool(case, (self.source,), request, "shuffled_tokens")
        short = {tuple(words(text)) for p in probes for text in p.expected if len(words(text)) == 1}
        held = [[u for u in units(row.text) if tuple(words(u)) not in short] for row in rows]
        mixed = [unit for part in held for unit in part]
        random.Random(f"shuffled_tokens/{request.seed}").shuffle(mixed)
        rest = iter(mixed)
        texts = [joined([next(rest) for _ in part]) for part in held]
        made = [replace(r, id=f"{r.id}/shuffled", prompt="", answer=t, loss_on="text") for r, t in zip(rows, texts, strict=True) if t]
        clean = benign(made, probes)
        need(clean, "shuffled_tokens", f"source {self.source!r} of case {case.name!r} holds nothing but answers")
        return one_fold(named("shuffled_tokens", self), "shuffled_tokens", clean, probes)
