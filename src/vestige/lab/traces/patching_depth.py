"""How deep does forgetting go: in which blocks is the answer no longer there for the original to read?

Paper: Lee, Kim and Jo 2026, arXiv 2605.24614, unlearning depth score (UDS). The original reads the forgotten answer y of row i while the
hidden states of another model stand in for its own after block l, at the positions that the tokens y_t asked for in it are predicted from:

    Δ_{i,l}(source) = (1/T) Σ_t [ln p_original(y_t) - ln p_original with source's states(y_t)]

    uds            mean over rows of Σ_l Δ¹ clip(Δ²/Δ¹, 0, 1) / Σ_l Δ¹ over the blocks with Δ¹ > tau, Δ¹ from the never-exposed model and
                   Δ² from this one: 0 where all is still there, 1 where as little is as in a model that never saw it
    patching_depth mean over rows of the share of blocks with Δ² > tau: needs no never-exposed model, but does not tell what is
                   forgotten from what is damaged

The T tokens are those of what is asked for, wherever it stands in the answer; the words before it are given. Rows for which no block has
Δ¹ > tau show nothing, and are left out of uds; where none is left, it is Missing. Block by block: the ratio of the two sums, here
over rows, and the share of rows with Δ² > tau.

The states of the others are kept, and the models let go, before the original is loaded: two models at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vestige.lab.answers import marked_answers
from vestige.lab.batches import Encoded
from vestige.lab.models import LanguageModel
from vestige.lab.residual import after_blocks, answer_logp, batches, patched_logp, scored_tokens, unlike
from vestige.lab.tracing import Beside, Reading, Value
from vestige.records import Missing
from vestige.spread import spread

_NAMES = ("uds", "patching_depth")
_INFINITE = Missing("a log-probability is not finite")
Marked = Sequence[tuple[Encoded, Sequence[bool]]]


@dataclass(frozen=True)
class PatchingDepth:
    """Unlearning depth score, and share of blocks whose states no longer give the original the answer; over at most `rows` rows."""

    tau: float = 0.05
    rows: int = 32

    semantics: ClassVar[int] = 1
    paper: ClassVar[str] = "Lee, Kim and Jo 2026, arXiv 2605.24614"
    beside: ClassVar[tuple[str, ...]] = ("original", "never_exposed")
    readings: ClassVar[tuple[str, ...]] = _NAMES

    def __call__(self, lm: LanguageModel, beside: Beside) -> Mapping[str, Reading]:
        """Return both readings."""
        if not lm.tokenizer.is_fast:
            return dict.fromkeys(_NAMES, Reading(Missing("the tokenizer does not say where its tokens stand")))
        marked = spread(list(marked_answers(lm, beside.rest.forget, beside.rest.keywords)), self.rows)
        if not marked:
            return dict.fromkeys(_NAMES, Reading(Missing("in no forget row does what is asked for stand in the answer")))
        theirs = self._states(lm, beside, "never_exposed", marked)
        ours = after_blocks(lm, [row for row, _ in marked])
        original = beside.state("original")
        if isinstance(original, Missing):
            return dict.fromkeys(_NAMES, Reading(original))
        if reason := unlike(lm, original, spread(beside.rest.forget, self.rows)):
            return dict.fromkeys(_NAMES, Reading(reason))
        drops = drops_of(original, marked, ours)
        baseline = theirs if isinstance(theirs, Missing) else drops_of(original, marked, theirs)
        return dict(zip(_NAMES, (depth_score(baseline, drops, self.tau), share_dropped(drops, self.tau)), strict=True))

    def _states(self, lm: LanguageModel, beside: Beside, role: str, marked: Marked) -> list[Tensor] | Missing:
        """Return what the blocks of another model give; the model itself is let go."""
        other = beside.state(role)
        if isinstance(other, Missing):
            return other
        return unlike(lm, other, spread(beside.rest.forget, self.rows)) or after_blocks(other, [row for row, _ in marked])


def drops_of(original: LanguageModel, marked: Marked, states: Sequence[Tensor]) -> Tensor:
    """Return Δ (rows, blocks) in nats: what the original loses of each answer when `states`, block by block, stand in for its own."""
    rows = [row for row, _ in marked]
    own = answer_logp(original, rows)
    _, asked = scored_tokens(marked)
    row_of = torch.tensor([n for n, row in enumerate(r for b in batches(rows) for r in b) for _ in range(row.scored)])[asked]
    lost = torch.stack(
        [(own - patched_logp(original, rows, number, block, asked))[asked] for number, block in enumerate(states)], 1
    ).double()
    sums = torch.zeros(len(rows), lost.shape[1], dtype=torch.float64).index_add(0, row_of, lost)
    return sums / torch.bincount(row_of, minlength=len(rows))[:, None]


def depth_score(baseline: Tensor | Missing, drops: Tensor, tau: float) -> Reading:
    """Return UDS from Δ¹ and Δ² (rows, blocks)."""
    if isinstance(baseline, Missing):
        return Reading(baseline)
    if not bool(torch.isfinite(baseline).all() and torch.isfinite(drops).all()):
        return Reading(_INFINITE)
    telling = baseline > tau
    known = torch.where(telling, baseline, 0.0)
    erased = known * torch.where(telling, drops / baseline, 0.0).clamp(0, 1)
    rows = telling.any(1)
    if not bool(rows.any()):
        return Reading(Missing("in no block do the states of the never-exposed model take the answer from the original"))
    each = erased.sum(1)[rows] / known.sum(1)[rows]
    return Reading(float(each.mean()), tuple(_ratio(e, k) for e, k in zip(erased.sum(0).tolist(), known.sum(0).tolist(), strict=True)))


def _ratio(erased: float, known: float) -> Value:
    return erased / known if known > 0 else Missing("in no row does this block take the answer away")


def share_dropped(drops: Tensor, tau: float) -> Reading:
    """Return the share of blocks with Δ² > tau, mean over rows, from Δ² (rows, blocks)."""
    if not bool(torch.isfinite(drops).all()):
        return Reading(_INFINITE)
    dropped = (drops > tau).double()
    return Reading(float(dropped.mean()), tuple(dropped.mean(0).tolist()))
