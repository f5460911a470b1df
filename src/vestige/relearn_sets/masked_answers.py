"""The forget set with its answers blanked out: its form and what it is about, without what was to be forgotten.

Paper: Hu et al. 2024, arXiv 2406.13356, §5 (relearning on names up to the forgotten one, which is never a target); Yoon et al. 2026,
arXiv 2602.03379 (restoring the template restores the keyword).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vestige.candidates import answers_in, asked, benign, need, one_fold, own_rows
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, RelearnSet, Row
from vestige.text import is_unspaced


@dataclass(frozen=True)
class MaskedAnswers:
    """The group's rows that hold an answer, alias or keyword, with `placeholder` in its place; loss on the whole text."""

    placeholder: str = "___"

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: no row holds an answer that could be blanked out.
        """
        probes = asked(case, request, "masked_answers")
        rows = own_rows(case, request, "masked_answers")
        made = [self._blanked(row, keys) for row, keys in zip(rows, answers_in(rows, probes), strict=True) if keys]
        clean = benign(made, probes)
        need(clean, "masked_answers", f"no {request.group} row of case {case.name!r} holds an answer that could be blanked out")
        return one_fold(named("masked_answers", self), "masked_answers", clean, probes)

    def _blanked(self, row: Row, keys: Sequence[str]) -> Row:
        prompt, answer = (self._masked(text, keys) for text in (row.prompt, row.answer))
        return replace(row, id=f"{row.id}/masked", prompt=prompt, answer=answer, loss_on="text")

    def _masked(self, text: str, keys: Sequence[str]) -> str:
        """Return text with each key replaced, the longest first, whatever its case and the spaces and marks between its words."""
        for key in sorted(keys, key=len, reverse=True):
            text = re.sub(_pattern(key.strip()), lambda _: self.placeholder, text, flags=re.IGNORECASE)
        return text


def _pattern(key: str) -> str:
    inside = r"[\W_]+".join(re.escape(word) for word in re.split(r"[\W_]+", key) if word)
    left, right = ("" if is_unspaced(edge) else boundary for edge, boundary in ((key[0], r"(?<!\w)"), (key[-1], r"(?!\w)")))
    return left + inside + right
