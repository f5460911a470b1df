"""Topical text: about the same people or things, in another form than the questions.

Paper: Yoon, Hong, Jeung and No 2026, arXiv 2602.03379 (D_topic: other questions about the same authors); Hu et al. 2024, arXiv
2406.13356, §2.2 (related text without the answers).

Topic: a row is filed under a cluster that is asked about, or names one. Form: template similarity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vestige.candidates import asked, benign, by_topic, in_turn, need, one_fold, pool
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, RelearnSet
from vestige.similarity import relevance, template_similarity, topics


@dataclass(frozen=True)
class Topical:
    """Rows about what is asked whose template is at most `alike` to any probe's, clusters taking turns, the most relevant first."""

    sources: tuple[str, ...] = ("*",)
    alike: float = 0.5

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: no such source, or no row of it is about what is asked, in another form, without an answer.
        """
        probes = asked(case, request, "topical")
        clusters = {p.cluster for p in probes}
        about, _ = by_topic(benign(pool(case, self.sources, request, "topical"), probes), probes)
        where = f"sources {', '.join(self.sources)} of case {case.name!r}"
        need(about, "topical", f"no row of {where} names a cluster that is asked about without giving an answer")
        alike = template_similarity(about, probes)
        rows = [r for r, score in zip(about, alike, strict=True) if score <= self.alike]
        need(rows, "topical", f"all {len(about)} rows about the topic in {where} are more than {self.alike} like a probe's template")
        rows = [rows[i] for i in np.argsort(-relevance(rows, probes), kind="stable")]
        ordered = in_turn(rows, [min(names) for names in topics(rows, clusters)])
        return one_fold(named("topical", self), "topical", ordered, probes)
