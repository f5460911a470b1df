"""The other half: relearn the facts of one half of the forget clusters, ask about the other half, both ways.

Paper: Deeb and Roger, "Do Unlearning Methods Remove Information from Language Model Weights?", 2024, arXiv
2410.08827 (retraining on T, testing on V). The facts of one person say nothing of another's, so what comes back in
V was hidden, not removed. It is also the paper's partial-knowledge setting (Hu et al. 2024, arXiv 2406.13356, §2.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from vestige.errors import DataError
from vestige.recipe_request import ANYTHING, Request
from vestige.records import Case, Fold, RelearnSet


@dataclass(frozen=True)
class RttFold:
    """Two folds over the clusters of a group, each half balanced over selection and test clusters."""

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return the two folds.

        Raises:
            DataError: fewer than two clusters.
        """
        rows = case.decoy if request.group == "decoy" else case.forget
        probes = case.asked(request.group, wording="*")
        split = {p.cluster: p.split for p in probes}
        clusters = sorted(split, key=lambda c: (split[c], c))
        halves = (set(clusters[::2]), set(clusters[1::2]))
        if not all(halves):
            raise DataError(f"rtt_fold: case {case.name!r} has {len(clusters)} {request.group} clusters with probes; it needs two or more")
        folds = tuple(
            Fold(
                tuple(r for r in rows if r.cluster in trained),
                tuple(p.id for p in probes if p.cluster not in trained),
            )
            for trained in halves
        )
        return RelearnSet("rtt_fold", "rtt_fold", folds)
