"""Rows that a case carries for this purpose: public text, other people in the same form, unrelated sentences.

Paper: the public-information setting of Hu et al. 2024, arXiv 2406.13356, §2.2 and §4; unrelated text is the
relevance control of its §6. The source "forget" is the forget set itself: no benign text, every probe it answers is set apart as
leaked, but what published work relearns on when it asks how robust a metric is (arXiv 2506.12618).
"""

from __future__ import annotations

from dataclasses import dataclass

from vestige.candidates import asked, one_fold, pool
from vestige.recipe_request import ANYTHING, Request
from vestige.records import Case, RelearnSet


@dataclass(frozen=True)
class SourceRows:
    """All rows of one of the case's sources, or of "forget" or "retain"; every probe of the group is asked."""

    source: str

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: the case has no such source.
        """
        return one_fold(self.source, "source", pool(case, (self.source,), request, "source"), asked(case, request, "source"))
