"""Is a text still met by a small gradient, as one that was trained on is?

Membership inference by the gradient norm, as a score of OpenUnlearning, Dorna et al. 2025, arXiv 2506.12618. For one answer with mean NLL ℓ
over its tokens

    gradnorm = mean over weight tensors W of ‖∂ℓ/∂W‖_2          in nats per unit of weight; low for what was trained on

and, over forget and retain rows,

    gradnorm_forget, gradnorm_retain    means over rows
    gradnorm_auc                        P(gradnorm of a forget row > of a retain row) + P(equal) / 2     1/2 not told apart, 1 forgotten

One backward pass a row, so it is priced apart from the scores of probing. Weights are all but the embeddings.

Deviation: published code sets forget rows against a holdout that was never trained on; here the rows to be kept stand beside them, since
not every case has a holdout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

import torch

from vestige.errors import DataError
from vestige.lab.answers import answers, spread
from vestige.lab.gradients import gradient
from vestige.lab.models import LanguageModel
from vestige.lab.tracing import Beside, Reading
from vestige.records import Missing, Row

_NAMES = ("gradnorm_forget", "gradnorm_retain", "gradnorm_auc")


@dataclass(frozen=True)
class GradNorm:
    """Gradient norms of forgotten and of retained answers, and how well they are told apart; over at most `rows` rows of each."""

    rows: int = 32

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "Dorna et al. 2025, arXiv 2506.12618"
    beside: ClassVar[tuple[str, ...]] = ()
    readings: ClassVar[tuple[str, ...]] = _NAMES

    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return the three readings."""
        sides = [norms(lm, spread(rows, self.rows)) for rows in (beside.rest.forget, beside.rest.retain)]
        known = [side for side in sides if not isinstance(side, Missing)]
        if len(known) < 2:
            return dict.fromkeys(_NAMES, Reading(next(s for s in sides if isinstance(s, Missing))))
        forget, retain = known
        area = fmean((f > r) + (f == r) / 2 for f in forget for r in retain)
        return dict(zip(_NAMES, map(Reading, (fmean(forget), fmean(retain), area)), strict=True))


def norms(lm: LanguageModel, rows: Sequence[Row]) -> list[float] | Missing:
    """Return the gradient norm of each row's answer; Missing where a row has none, or a gradient is not finite."""
    try:
        encoded = answers(lm, rows)
    except DataError:  # which row would name a person
        encoded = []
    if not encoded:
        return Missing("there is no row, or one has no answer or more tokens than the model's context holds")
    found = [fmean(float(torch.linalg.vector_norm(g)) for g in gradient(lm, [row], "all_but_embeddings")) for row in encoded]
    return found if all(torch.isfinite(torch.tensor(found))) else Missing("a gradient is not finite")
