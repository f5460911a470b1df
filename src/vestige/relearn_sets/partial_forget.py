"""Part of the forget set: the rows that hold no answer, alias or keyword of any probe asked along them.

Paper: Hu et al. 2024, arXiv 2406.13356, §2.2 and §3 (D′ ⊂ D_u with every sample that contains the target keyword removed).
"""

from __future__ import annotations

from dataclasses import dataclass

from vestige.candidates import Split, withheld
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, RelearnSet


@dataclass(frozen=True)
class PartialForget:
    """Rows without the answers asked for: one fold where keywords are withheld, else two folds over halves of the facts."""

    split: Split = "auto"

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return the folds.

        Raises:
            DataError: no rows, no probes, or nothing that could be withheld.
        """
        return RelearnSet(named("partial_forget", self), "partial_forget", withheld(case, request, "partial_forget", self.split))
