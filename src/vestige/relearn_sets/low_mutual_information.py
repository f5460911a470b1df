"""Low mutual information: of passages that are equally relevant, those that share least with the answers.

Paper: Hu et al. 2024, arXiv 2406.13356, §2.2 (D′ must not inform about the evaluation by itself); their reviewers asked for mutual
information as a measure of it. Pointwise V-information is that of Ethayarajh, Choi and Swayamdipta 2022, arXiv 2110.08420.

What a row shares is `request.inform`, or without one `similarity.answer_overlap`. Rows whose value is Missing are not chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vestige.candidates import asked, benign, in_turn, need, one_fold, pool, shuffled
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, Missing, RelearnSet
from vestige.similarity import answer_overlap, relevance


@dataclass(frozen=True)
class LowMutualInformation:
    """Of the `relevant` share of rows, cut into `strata` of equal relevance, the least informative of each, strata taking turns."""

    sources: tuple[str, ...] = ("*",)
    relevant: float = 0.5
    strata: int = 4

    helpers: ClassVar[tuple[str, ...]] = ("inform",)

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: no such source, fewer rows than strata, or no row of which it is known what it shares.
        """
        recipe = "low_mutual_information"
        probes = asked(case, request, recipe)
        rows = shuffled(benign(pool(case, self.sources, request, recipe), probes), request.seed)
        order = np.argsort(-relevance(rows, probes), kind="stable")
        kept = [rows[i] for i in order[: round(len(rows) * self.relevant)]]
        need(kept[self.strata - 1 :], recipe, f"{len(kept)} relevant rows without an answer, for {self.strata} strata of equal relevance")
        shares = (request.inform or answer_overlap)(kept, probes)
        place = [i * self.strata // len(kept) for i in range(len(kept))]
        known = sorted((share, i) for i, share in enumerate(shares) if not isinstance(share, Missing))
        unknown = next((s.reason for s in shares if isinstance(s, Missing)), "")
        need(known, recipe, f"of none of {len(kept)} rows is it known what it shares with the answers: {unknown}")
        ordered = in_turn([kept[i] for _, i in known], [place[i] for _, i in known])
        return one_fold(named(recipe, self), recipe, ordered, probes)
