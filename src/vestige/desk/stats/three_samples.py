"""Relative three-sample test: is the subject closer to the twin that never saw the data, or to the original?

Papers: Bounliphone et al. 2016, "A Test of Relative Similarity for Model Selection in Generative Models", arXiv 1511.04581, for the
question; here with scores paired by probe instead of kernels. For the subject's score s, the twin's t and the original's o on one
probe,
    d = |s - o| - |s - t|, averaged over probes, then over clusters: in [-1, 1] for scores in [0, 1], positive where the twin is closer,
with the interval of `intervals`. Told apart where the interval leaves 0 out.

Why not two samples: a test of "subject = retrain" fails even an honest retrain of another seed once enough is asked, since two
trainings differ. This one asks which of two differences is smaller. Its limit: a damaged subject, far from both, may come out
nearer to the twin; it is a statement about distance, and never replaces the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vestige.desk.stats.intervals import ALPHA, Estimate, estimate
from vestige.records import Missing

Scores = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Closer:
    """How much nearer the subject is to the twin than to the original (below 0: the other way), and which one that says."""

    difference: Estimate
    to: Literal["twin", "original", "neither"]


def closer(subject: Scores, twin: Scores, original: Scores, *, alpha: float = ALPHA) -> Closer | Missing:
    """Return to which the subject is closer; each maps a cluster to the scores of its probes, in one order.

    Missing where they do not hold the same probes, and as for any estimate.
    """
    if any({c: len(v) for c, v in other.items()} != {c: len(v) for c, v in subject.items()} for other in (twin, original)):
        return Missing("subject, twin and original were not asked the same probes")
    differences = {c: [abs(s - o) - abs(s - t) for s, t, o in zip(subject[c], twin[c], original[c], strict=True)] for c in subject}
    found = estimate(differences, alpha=alpha)
    if isinstance(found, Missing):
        return found
    return Closer(found, "twin" if found.low > 0 else "original" if found.high < 0 else "neither")
