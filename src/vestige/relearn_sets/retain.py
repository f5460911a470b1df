"""Rows that were to be kept: same form, nothing forgotten in them.

Paper: Łucki et al., "An Adversarial Perspective on Machine Unlearning for AI Safety", 2024, arXiv 2409.18025 (fine-tuning on
the retain set).
"""

from __future__ import annotations

from dataclasses import dataclass

from vestige.candidates import asked, benign, in_turn, need, one_fold, pool, shuffled
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, RelearnSet


@dataclass(frozen=True)
class Retain:
    """Retain rows in an order the seed decides, clusters taking turns, so that a small budget still hears of many."""

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: no retain rows, or all of them hold an answer.
        """
        probes = asked(case, request, "retain")
        rows = shuffled(benign(pool(case, ("retain",), request, "retain"), probes), request.seed)
        need(rows, "retain", f"every retain row of case {case.name!r} holds an answer")
        return one_fold(named("retain", self), "retain", in_turn(rows, [r.cluster for r in rows]), probes)
