"""Membership inference: was this text trained on? Scores of one answer, and how well they part two sets of them.

**Scores** of an answer of T tokens, all with one sign: *lower is more like a text that was trained on*.

    loss        l = -(1/T) sum_t log p(y_t)                            Yeom et al. 2018, arXiv 1709.01604 (`answer_probability.nll`)
    zlib        l / (bytes of the text under zlib)                     Carlini et al. 2021, arXiv 2012.07805, §5.2
    reference   l - l of a reference model                             Carlini et al. 2021, §5.2
    Min-K %     -mean of the lowest k of the log p(y_t)                Shi et al. 2024, arXiv 2310.16789
    Min-K %++   -mean of the lowest k of z_t = (log p(y_t) - mu_t) / sigma_t     Zhang et al. 2025, arXiv 2404.02936, eq. 3

mu_t and sigma_t are mean and standard deviation of log p over the vocabulary under p, so mu_t is the negative entropy. The lowest k are
max(1, floor(k T)) tokens, k = 0.4 by default (MUSE). Where the model is certain (p = 1) sigma is 0 and z is the limit of
sqrt(1 - p), 0; published code takes sigma^2 >= 1e-6 there. Where sigma is 0 otherwise, z is not defined, and the score is Missing.

**Sets**: AUC = P(score of an other > score of a member) + P(equal) / 2: 1 if members are all told apart, 1/2 if nothing is, 0 if members
score *above* all others, which an unlearning that went too far brings about. Against the AUC of a model that never saw the members,

    PrivLeak       100 (AUC_ref - AUC) / (1 - AUC_ref)     Shi et al. 2024, MUSE, arXiv 2407.06460, §3.4, in percent: < 0 memory is left,
                   0 ideal, > 0 too far. Its published sign: MUSE's AUC is 1 - AUC here, where high scores are members.
    both-sided     (AUC - AUC_ref) / (1 - AUC_ref) above the reference, (AUC - AUC_ref) / AUC_ref below: 1 all memory left, 0 ideal,
                   -1 every member stands out as what is avoided. PrivLeak ends at -100 on the one side, but on the other at +100 for
                   a reference of 1/2 and at +900 for one of 0.9.
    privacy        1 - |AUC - AUC_ref| / AUC_ref, at least 0       OpenUnlearning's s_mia, arXiv 2506.12618

Deviation: published code takes 1/2 for a reference that is not there; here it must be given.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from vestige.desk import tokens
from vestige.desk.counted import Counted, known
from vestige.records import Missing

SHARE = 0.4
# 0.29 * 100 is 28.999999999999996.
_ROUNDING = 1e-9


def zlib_ratio(candidates: tokens.Candidates, *, candidate: str = tokens.TRUE) -> float | Missing:
    """Return the loss per byte of the compressed text; Missing where the candidate has no `zlib_bytes` (`tokens.with_lengths`)."""
    logp = tokens.logp(candidates, candidate)
    if isinstance(logp, Missing):
        return logp
    size = next(c.get("zlib_bytes") for c in candidates if c["candidate"] == candidate)
    return -tokens.mean(logp) / size if size else Missing(f"candidate {candidate} has no length under zlib")


def reference_loss(candidates: tokens.Candidates, reference: tokens.Candidates, *, candidate: str = tokens.TRUE) -> float | Missing:
    """Return the loss beyond that of a reference model, in nats per token."""
    ours, theirs = tokens.logp(candidates, candidate), tokens.logp(reference, candidate)
    if isinstance(ours, Missing):
        return ours
    return Missing(f"the reference: {theirs.reason}") if isinstance(theirs, Missing) else tokens.mean(theirs) - tokens.mean(ours)


def min_k(candidates: tokens.Candidates, *, share: float = SHARE, candidate: str = tokens.TRUE) -> float | Missing:
    """Return the mean loss of the `share` of tokens that are the least likely, in nats."""
    logp = tokens.logp(candidates, candidate)
    return logp if isinstance(logp, Missing) else -_lowest(logp, share)


def min_k_plus_plus(candidates: tokens.Candidates, *, share: float = SHARE, candidate: str = tokens.TRUE) -> float | Missing:
    """Return minus the mean of the lowest `share` of the tokens' z, in standard deviations."""
    logp, sd, entropy = (tokens.numbers(candidates, key, candidate) for key in ("logp", "sd", "entropy"))
    if isinstance(logp, Missing) or isinstance(sd, Missing) or isinstance(entropy, Missing):
        return next(x for x in (logp, sd, entropy) if isinstance(x, Missing))
    found: list[float] = []
    for x, spread, h in zip(logp, sd, entropy, strict=True):
        if spread == 0 and (x, h) != (0, 0):
            return Missing(f"the vocabulary has no spread around a token of log-probability {x:g}")
        found.append((x + h) / spread if spread else 0.0)
    return -_lowest(found, share)


def _lowest(values: Sequence[float], share: float) -> float:
    """Return the mean of the lowest share of values, of one at least."""
    count = max(1, math.floor(share * len(values) + _ROUNDING))
    return tokens.mean(sorted(values)[:count])


def auc(members: Iterable[float | Missing], others: Iterable[float | Missing]) -> Counted | Missing:
    """Return the area under the curve of telling members by their lower scores, by ranks."""
    inside, lost = known(members)
    outside, lost_outside = known(others)
    if not inside or not outside:
        return Missing(f"{len(inside)} members ({lost} missing) and {len(outside)} others ({lost_outside} missing); both are needed")
    inside.sort()
    beaten = math.fsum(bisect_left(inside, x) + bisect_right(inside, x) for x in outside) / 2
    return Counted(beaten / len(inside) / len(outside), len(inside) + len(outside), lost + lost_outside)


def privleak(area: float, reference: float) -> float | Missing:
    """Return PrivLeak in percent, from the AUC of a model and that of one which never saw the members."""
    if reference >= 1:
        return Missing("the reference tells members apart entirely, and a share of what is left cannot be taken")
    return 100 * (reference - area) / (1 - reference)


def privleak_both_sided(area: float, reference: float) -> float:
    """Return how far the AUC went from the reference towards 1 (positive: memory) or 0 (negative: too far), in [-1, 1]."""
    away = area - reference
    return away / (1 - reference if away > 0 else reference) if away else 0.0


def privacy(area: float, reference: float) -> float | Missing:
    """Return 1 where the AUC is that of the reference, down to 0 as it leaves it on either side."""
    if reference <= 0:
        return Missing("the reference ranks every member above all others, and no share of its AUC can be taken")
    return max(0.0, 1 - abs(area - reference) / reference)
