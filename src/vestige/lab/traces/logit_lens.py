"""At which depth can the answer be read off the residual stream, though the model may not say it?

Paper: the lens: nostalgebraist, "interpreting GPT: the logit lens", 2020; as an attack on deleted facts: Patil, Hase and Bansal 2023, arXiv
2309.17410 (the answer among the top k of any block). With h_l the residual stream after block l of L, at the position before token y,

    p_l = softmax(W_U · norm(h_l)),    rank_l = 1 + |{v : p_l(v) > p_l(y)}|

over the tokens of what is asked for in the forgotten answers, wherever it stands in them:

    logit_lens_depth  median over tokens of the first l/L with rank_l ≤ `top`: low where the answer is there early
    logit_lens_found  share of tokens for which there is such a block; block by block, the share of rank_l ≤ `top`
    logit_lens_logp   highest mean over tokens of ln p_l(y) among the blocks, in nats; block by block, that mean

A token that never ranks so high lies deeper than any block; where that is half of them or more, the median is Missing, never L. The
last norm is applied at every depth (some published code leaves it out). At the last block it is the model's own answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vestige.lab.answers import marked_answers
from vestige.lab.models import LanguageModel
from vestige.lab.residual import after_blocks, last_norm, scored_tokens
from vestige.lab.tracing import Beside, Reading, Value
from vestige.records import Missing
from vestige.spread import spread

_NAMES = ("logit_lens_depth", "logit_lens_found", "logit_lens_logp")
_HEAD_ROWS = 256


@dataclass(frozen=True)
class LogitLens:
    """Depth from which the answer ranks among the `top` tokens, how often it does, and its log-probability; over at most `rows` rows."""

    top: int = 10
    rows: int = 64

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "Patil et al. 2023, arXiv 2309.17410"
    beside: ClassVar[tuple[str, ...]] = ()
    readings: ClassVar[tuple[str, ...]] = _NAMES

    @torch.no_grad()
    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return the three readings."""
        if not lm.tokenizer.is_fast:
            return dict.fromkeys(_NAMES, Reading(Missing("the tokenizer does not say where its tokens stand")))
        marked = list(marked_answers(lm, beside.rest.forget, beside.rest.keywords))
        marked = spread(marked, self.rows)
        norm = last_norm(lm)
        if not marked or isinstance(norm, Missing):
            none = Missing("in no forget row does what is asked for stand in the answer")
            return dict.fromkeys(_NAMES, Reading(norm if isinstance(norm, Missing) else none))
        rows = [row for row, _ in marked]
        targets, keyword = scored_tokens(marked)
        seen = [seen_through(lm, norm(h[keyword].to(lm.device)), targets[keyword]) for h in after_blocks(lm, rows)]
        return self.summary([rank for _, rank in seen], [logp for logp, _ in seen])

    def summary(self, ranks: Sequence[Tensor], logps: Sequence[Tensor]) -> dict[str, Reading]:
        """Return the readings of ranks (N,) and log-probabilities (N,) of N tokens, block by block."""
        high = torch.stack([rank <= self.top for rank in ranks])
        means = tuple(float(logp.double().mean()) for logp in logps)
        found = Reading(float(high.any(0).double().mean()), tuple(float(h.double().mean()) for h in high))
        return dict(zip(_NAMES, (Reading(median_depth(high)), found, Reading(max(means), means)), strict=True))


def median_depth(high: Tensor) -> Value:
    """Return the median over tokens of the first block, as a share of all, in which `high` (blocks, tokens) is true."""
    blocks = len(high)
    first = sorted(int(column.nonzero()[0]) + 1 if column.any() else blocks + 1 for column in high.T)
    middle = (first[(len(first) - 1) // 2], first[len(first) // 2])
    if middle[1] > blocks:
        return Missing("half of the tokens or more rank high in no block")
    return sum(middle) / 2 / blocks


@torch.no_grad()
def seen_through(lm: LanguageModel, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p and rank (N,) of the targets (N,) under the head applied to hidden states (N, D), which the last norm has passed."""
    logps, ranks = [], []
    for start in range(0, len(targets), _HEAD_ROWS):
        part = slice(start, start + _HEAD_ROWS)
        logp = torch.log_softmax(lm.logits(hidden[part]), -1)
        own = logp.gather(-1, targets[part, None].to(logp.device))
        logps.append(own[:, 0].cpu())
        ranks.append(1 + (logp > own).sum(-1).cpu())
    return torch.cat(logps), torch.cat(ranks)
