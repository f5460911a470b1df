"""Has the model forgotten the answer, or only the sentence around it?

Paper: Yoon, Hong, Jeung and No 2026, arXiv 2602.03379: Loss Ratio = L_template / L_keyword over the tokens of the target answers; under
gradient ascent it grows to about 90, since what is unlearned first is the template, while the keyword stays.

    L_S = −(1/|S|) Σ_{t ∈ S} log p(y_t | prompt, y_<t),    ratio = L_template / L_keyword

over the answers of the forget rows asked about along the set. S = keyword: the tokens that touch what is asked for (a probe's keywords, or
its answer and aliases, wherever they stand in the answer, in any case, with the space before them); S = template: the other tokens of the
same answers. Above 1, the template is less likely than the keyword. The mean is over all tokens of all rows, then the ratio is taken.

An answer in which nothing asked for is found is left out. Answers that are nothing but keyword have no template: then the ratio is Missing,
as it is where the keyword has no loss at all, or where the tokenizer cannot say where its tokens stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from vestige.lab.answers import marked_answers
from vestige.lab.batches import by_padded_tokens, score_batch
from vestige.lab.models import LanguageModel
from vestige.lab.tracing import Material
from vestige.records import Missing


@dataclass(frozen=True)
class LossRatio:
    """Mean loss of the template tokens over that of the keyword tokens of the forgotten answers."""

    batch_tokens: int = 1024

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "Yoon et al. 2026, arXiv 2602.03379"

    @torch.no_grad()
    def __call__(self, lm: LanguageModel, material: Material) -> float | Missing:
        """Return the ratio."""
        if not lm.tokenizer.is_fast:
            return Missing("the tokenizer does not say where its tokens stand")
        marked = list(marked_answers(lm, material.forget, material.keywords))
        losses: dict[bool, list[float]] = {True: [], False: []}
        marks = {encoded.id: tokens for encoded, tokens in marked}
        for batch in by_padded_tokens([encoded for encoded, _ in marked], self.batch_tokens):
            scored = score_batch(lm, batch)
            for place, row in enumerate(batch):
                for is_keyword, logp in zip(marks[row.id], scored.logp[scored.row == place].tolist(), strict=True):
                    losses[is_keyword].append(-logp)
        return ratio(losses[False], losses[True])


def ratio(template: Sequence[float], keyword: Sequence[float]) -> float | Missing:
    """Return the mean of the first over the mean of the second, losses in nats."""
    if not keyword:
        return Missing("in no forget row that is asked about does what is asked for stand in the answer")
    if not template:
        return Missing("the answers hold nothing but what is asked for: there is no template")
    below = sum(keyword) / len(keyword)
    return sum(template) / len(template) / below if below > 0 else Missing("the keywords have no loss at all")
