"""Rows that a case carries for this purpose: public text, other people in the same form, unrelated sentences.

Paper: the public-information setting of Hu et al. 2024, arXiv 2406.13356, §2.2 and §4; unrelated text is the
relevance control of its §6.
"""

from __future__ import annotations

from dataclasses import dataclass

from vestige.errors import DataError, nearest
from vestige.recipe_request import ANYTHING, Request
from vestige.records import Case, Fold, RelearnSet


@dataclass(frozen=True)
class SourceRows:
    """All rows of one of the case's sources; every probe of the group is asked."""

    source: str

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: the case has no such source.
        """
        if self.source not in case.sources:
            raise DataError(f"source: case {case.name!r} has no source {self.source!r}; {nearest(self.source, case.sources)}")
        probes = case.asked(request.group, wording="*")
        return RelearnSet(self.source, "source", (Fold(case.sources[self.source], tuple(p.id for p in probes)),))
