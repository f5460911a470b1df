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

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from vestige.lab.batches import Encoded, by_padded_tokens, score_batch
from vestige.lab.models import LanguageModel
from vestige.lab.tracing import Material
from vestige.records import Missing, Row
from vestige.similarity import whole_word


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
        marked = list(self._marked(lm, material))
        losses: dict[bool, list[float]] = {True: [], False: []}
        marks = {encoded.id: tokens for encoded, tokens in marked}
        for batch in by_padded_tokens([encoded for encoded, _ in marked], self.batch_tokens):
            scored = score_batch(lm, batch)
            for place, row in enumerate(batch):
                for is_keyword, logp in zip(marks[row.id], scored.logp[scored.row == place].tolist(), strict=True):
                    losses[is_keyword].append(-logp)
        return ratio(losses[False], losses[True])

    def _marked(self, lm: LanguageModel, material: Material) -> Iterator[tuple[Encoded, list[bool]]]:
        """Yield every answer in which a keyword stands, with which of its scored tokens are keyword."""
        for number, (row, keywords) in enumerate(zip(material.forget, material.keywords, strict=True)):
            head, tail = lm.encode(row.prompt, row.answer, row.form)
            tokens = keyword_tokens(lm, row, keywords)
            start = max(1, len(head))
            scored = tokens[start - len(head) :]  # a first token without anything before it is never scored
            if any(scored) and len(head) + len(tail) <= lm.context:
                yield Encoded(str(number), (*head, *tail), start), scored


def keyword_tokens(lm: LanguageModel, row: Row, keywords: Sequence[str]) -> list[bool]:
    """Return, token by token of a row's answer, whether it touches a keyword; the tokenizer must say where its tokens stand."""
    # The white space before a word belongs to it, whether or not the tokenizer makes a token of its own of it.
    patterns = [rf"\s*{whole_word(k.strip())}" for k in keywords if k.strip()]
    found = [m.span() for pattern in patterns for m in re.finditer(pattern, row.answer, re.IGNORECASE)]
    return [any(start < stop and begin < end for begin, stop in found) for start, end in lm.answer_spans(row.answer, row.form) or ()]


def ratio(template: Sequence[float], keyword: Sequence[float]) -> float | Missing:
    """Return the mean of the first over the mean of the second, losses in nats."""
    if not keyword:
        return Missing("in no forget row that is asked about does what is asked for stand in the answer")
    if not template:
        return Missing("the answers hold nothing but what is asked for: there is no template")
    below = sum(keyword) / len(keyword)
    return sum(template) / len(template) / below if below > 0 else Missing("the keywords have no loss at all")
