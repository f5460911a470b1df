"""Other attributes of the same people: relearn some facts about a cluster, ask for the others, both ways.

Paper: the partial-knowledge setting of Hu et al. 2024, arXiv 2406.13356, §2.2 and §3 (an author's other books).
"""

from __future__ import annotations

from dataclasses import dataclass

from vestige.errors import DataError
from vestige.recipe_request import ANYTHING, Request
from vestige.records import Case, Fold, RelearnSet


@dataclass(frozen=True)
class OtherAttributes:
    """Two folds over the attributes of a group's rows."""

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return the two folds.

        Raises:
            DataError: the rows have fewer than two attributes.
        """
        rows = case.decoy if request.group == "decoy" else case.forget
        attributes = sorted({r.attribute for r in rows if r.attribute})
        if len(attributes) < 2:
            raise DataError(
                f"other_attributes: the {request.group} rows of case {case.name!r} have {len(attributes)} attributes; it needs two or more"
            )
        half = len(attributes) // 2
        probes = case.asked(request.group, wording="*")
        folds = tuple(
            Fold(
                tuple(r for r in rows if r.attribute in trained),
                tuple(p.id for p in probes if p.attribute not in trained),
            )
            for trained in (set(attributes[:half]), set(attributes[half:]))
        )
        return RelearnSet("other_attributes", "other_attributes", folds)
