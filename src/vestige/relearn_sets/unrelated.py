"""Text that has nothing to do with what was forgotten: the relevance control.

Paper: Hu et al. 2024, arXiv 2406.13356, §6 and Table 5 (unrelated text); Łucki et al. 2024, arXiv 2409.18025 (ten unrelated samples).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vestige.candidates import asked, benign, by_topic, need, one_fold, pool, shuffled
from vestige.recipe_request import ANYTHING, Request
from vestige.records import Case, RelearnSet
from vestige.similarity import relevance


@dataclass(frozen=True)
class Unrelated:
    """Rows of a source that name no cluster asked about, the least relevant first; equally relevant ones as the seed decides."""

    source: str = "unrelated"

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold, named like its source.

        Raises:
            DataError: no such source, or no row of it is unrelated.
        """
        probes = asked(case, request, "unrelated")
        rows = benign(pool(case, (self.source,), request, "unrelated"), probes)
        off = shuffled(by_topic(rows, probes)[1], request.seed)
        need(off, "unrelated", f"every row of source {self.source!r} of case {case.name!r} names what is asked about or holds an answer")
        order = np.argsort(relevance(off, probes), kind="stable")
        return one_fold(self.source, "unrelated", (off[i] for i in order), probes)
