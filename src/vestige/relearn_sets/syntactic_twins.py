"""Syntactic twins: questions of the same pattern about others.

Paper: Yoon, Hong, Jeung and No 2026, arXiv 2602.03379 (D_syn: the question template of the target on other authors; the claim:
syntax, not topic, drives benign relearning).

Alike is the template similarity of `vestige.similarity`. The probes' templates take turns, the rows most like each first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vestige.candidates import asked, benign, by_topic, in_turn, need, one_fold, pool, shuffled
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, RelearnSet
from vestige.similarity import nearest_templates


@dataclass(frozen=True)
class SyntacticTwins:
    """Rows about others whose template is at least `alike` to that of a probe (1 is the same template)."""

    source: str = "retain"
    alike: float = 0.5

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: no such source, or no row of it about anyone else is alike enough.
        """
        probes = asked(case, request, "syntactic_twins")
        rows = benign(pool(case, (self.source,), request, "syntactic_twins"), probes)
        others = shuffled(by_topic(rows, probes)[1], request.seed)
        need(others, "syntactic_twins", f"source {self.source!r} of case {case.name!r} has no row about anyone else that holds no answer")
        scores, patterns = nearest_templates(others, probes)
        twins = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] >= self.alike]
        most = f"the most alike row of source {self.source!r} has {scores.max():.2f}, `alike` asks for {self.alike}"
        need(twins, "syntactic_twins", most)
        ordered = in_turn([others[i] for i in twins], [patterns[i] for i in twins])
        return one_fold(named("syntactic_twins", self), "syntactic_twins", ordered, probes)
