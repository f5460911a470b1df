"""Membership by gradients: how far would one look at this answer move the model? What was trained on moves it less.

Papers: Wang, Wang, Li and Neel 2024, "Pandora's White-Box", arXiv 2402.17012 (the norm of a text's gradient as a score of membership);
as in OpenUnlearning, arXiv 2506.12618, the mean over the P weight tensors of each tensor's own norm:

    gradnorm(row) = (1/P) Σ_i ‖∂ℓ/∂θ_i‖₂,    ℓ the mean NLL over the tokens of the row's answer, θ all weights, embeddings included

    gradnorm_forget, gradnorm_decoy    mean over rows;  lower is more like what was trained on
    gradnorm_auc                       P(a decoy row scores above a forget row) + P(equal) / 2: 1 all forget rows told apart, 1/2 nothing

Decoys are rows that no model learned; a case without any has no AUC. Row by row, since the gradient of a batch is another thing: one
forward and one backward pass a row, no record holds it, and so it is priced apart from all other scores of membership.
Deviation: the answer's tokens alone, without end token or marks of a chat template.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from torch import Tensor

from vestige.errors import DataError
from vestige.lab.answers import answers
from vestige.lab.gradients import gradient
from vestige.lab.models import LanguageModel
from vestige.lab.tracing import Beside, Reading, Value
from vestige.records import Missing, Row
from vestige.spread import spread

_NAMES = ("gradnorm_forget", "gradnorm_decoy", "gradnorm_auc")


@dataclass(frozen=True)
class GradNorm:
    """Gradient norms of forget rows and of decoys, and how well they part the two; over at most `rows` of each."""

    rows: int = 64

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "Wang et al. 2024, arXiv 2402.17012"
    beside: ClassVar[tuple[str, ...]] = ()
    readings: ClassVar[tuple[str, ...]] = _NAMES

    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return the three readings."""
        forget, decoy = (self._norms(lm, name, rows) for name, rows in (("forget", beside.rest.forget), ("decoy", beside.rest.decoy)))
        found: tuple[Value, ...] = tuple(norms if isinstance(norms, Missing) else fmean(norms) for norms in (forget, decoy))
        lacking = next((norms for norms in (forget, decoy) if isinstance(norms, Missing)), None)
        parted = lacking or told_apart([x for x in (forget, decoy) if not isinstance(x, Missing)])
        return dict(zip(_NAMES, map(Reading, (*found, parted)), strict=True))

    def _norms(self, lm: LanguageModel, name: str, rows: Sequence[Row]) -> list[float] | Missing:
        """Return one number a row."""
        if not rows:
            return Missing(f"there are no {name} rows")
        try:
            encoded = answers(lm, spread(rows, self.rows))
        except DataError:  # which row would name a person
            return Missing(f"a {name} row has no answer, or more tokens than the model's context holds")
        norms = [mean_norm(gradient(lm, [row], "all")) for row in encoded]
        return norms if all(map(math.isfinite, norms)) else Missing("a gradient is not finite")


def mean_norm(gradients: Sequence[Tensor]) -> float:
    """Return the mean over tensors of each tensor's Euclidean norm."""
    return fmean(float(g.double().norm()) for g in gradients)


def told_apart(sides: Sequence[Sequence[float]]) -> float:
    """Return the AUC of telling the first side by its lower numbers, by ranks."""
    from scipy.stats import mannwhitneyu

    members, others = sides
    return float(mannwhitneyu(others, members).statistic) / (len(members) * len(others))
