"""Tiers of relevance at equal budget: the most, the middling and the least relevant third of a source.

Paper: BLUR, Hu, Kale, Thaker, Fu, Wu and Smith 2025, arXiv 2506.15699 (relearn sets of high, mid and low relevance). There the tiers
differ in size, so that fixed epochs give them different numbers of steps (arXiv 2602.03379); here they hold equally many
rows and, within 5 %, tokens, so each is made with the other two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vestige.candidates import asked, benign, evened, one_fold, pool, shuffled, size_matched
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, RelearnSet
from vestige.similarity import relevance

_TIERS = ("low", "mid", "high")


@dataclass(frozen=True)
class RelevanceTiers:
    """The rows of one third of the sources, by their relevance to the probe nearest to them."""

    tier: Literal["high", "mid", "low"]
    sources: tuple[str, ...] = ("*",)

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: no such source, fewer than three rows without an answer, or tiers that cannot be matched in size.
        """
        probes = asked(case, request, "relevance_tiers")
        rows = shuffled(benign(evened(pool(case, self.sources, request, "relevance_tiers"), request), probes), request.seed)
        order = np.argsort(relevance(rows, probes), kind="stable")
        thirds = {tier: [rows[i] for i in part] for tier, part in zip(_TIERS, np.array_split(order, 3), strict=True)}
        matched = size_matched(thirds, request, "relevance_tiers")
        return one_fold(named("relevance_tiers", self), "relevance_tiers", matched[self.tier], probes)
