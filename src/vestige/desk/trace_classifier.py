"""Has this model been unlearned, and of what? Asked of one model alone, by its traces and by what it still answers.

Question of Chen et al. 2025, arXiv 2506.14003. Only readings that need no other model are features: who was handed a model has no original.

Has it been unlearned: nearest class mean. Features are standardised by mean and standard deviation of the training states. A state's score
is its squared distance to the mean of the states that were not unlearned minus that to the mean of those that were, and above 0 says
"unlearned". Nothing of its own run and seed has a part in the means a state is judged by. A group of one run and seed counts as right if
all of its states are: a share with exact bounds. Beside it stands the area under the ROC curve of the scores; where there is nothing
to find it lies below 1/2 on average (a state's own noise is missing from the mean of its kind), so only its lower limit says anything.

Of what: with s_c the choice score of a cluster at rest, the area P(s of a retained cluster > s of a forgotten one) + P(equal) / 2: 1/2
where what was forgotten does not stand out from what was kept, 1 where it does entirely.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from vestige import ledger
from vestige.blobs import Blobs
from vestige.desk.evidence import gather
from vestige.desk.levels import Question, at_rest, combine
from vestige.desk.stats.auc_interval import Area, area
from vestige.desk.stats.exact_binomial import Share, share
from vestige.records import Missing

UNLEARNED, NOT = ("subject",), ("original", "never_exposed", "never_exposed_2")


@dataclass(frozen=True)
class Traced:
    """What was read in one model by itself; `group` is its run and seed."""

    group: str
    unlearned: bool
    readings: Mapping[str, float]


@dataclass(frozen=True)
class Classified:
    """How often a classifier was right: over groups, and by the ranks of its scores over states."""

    groups: Share
    ranks: Area
    features: tuple[str, ...]


def traced(folder: Path) -> list[Traced]:
    """Return the arms of a run that were looked into at rest, with what was read without another model.

    Raises:
        LedgerError: no ledger, or a damaged one.
    """
    found: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    for line in ledger.read_sound(folder / "ledger.jsonl"):
        body = line["body"]
        if line["kind"] == "measurement" and body["name"] == "state_trace" and not body["beside"] and body["value"] is not None:
            found[body["role"], body["seed"]][body["trace"]] = float(body["value"])
    return [Traced(f"{folder}/{seed}", role in UNLEARNED, readings) for (role, seed), readings in found.items() if role in UNLEARNED + NOT]


def classify(states: Sequence[Traced]) -> Classified | Missing:
    """Return how well unlearned states are told from others, by the features that all of them have."""
    features = sorted(set.intersection(*(set(s.readings) for s in states))) if states else []
    if not features:
        return Missing("no reading that needs no other model was taken in every state")
    scores = [_score(state, [s for s in states if s.group != state.group], features) for state in states]
    lacking = next((s for s in scores if isinstance(s, Missing)), None)
    if lacking:
        return lacking
    known = [s for s in scores if not isinstance(s, Missing)]
    wrong = {s.group for s, score in zip(states, known, strict=True) if (score > 0) != s.unlearned}
    groups = {s.group for s in states}
    right, ranks = share(len(groups) - len(wrong), len(groups)), area(*_parted(states, known))
    return (
        Classified(right, ranks, tuple(features))
        if isinstance(right, Share) and isinstance(ranks, Area)
        else Missing("one kind of state only")
    )


def _parted(states: Sequence[Traced], scores: Sequence[float]) -> tuple[list[float], list[float]]:
    both = list(zip(states, scores, strict=True))
    return [score for state, score in both if state.unlearned], [score for state, score in both if not state.unlearned]


def _score(state: Traced, others: Sequence[Traced], features: Sequence[str]) -> float | Missing:
    """Return how much nearer a state lies to the unlearned ones among `others` than to the rest of them."""
    if len({s.unlearned for s in others}) < 2:
        return Missing("outside one run and seed there is one kind of state only")
    table = np.array([[s.readings[f] for f in features] for s in others], dtype=np.float64)
    spread = table.std(axis=0)
    kept = spread > 0
    scaled = (table - table.mean(axis=0))[:, kept] / spread[kept]
    own = (np.array([state.readings[f] for f in features]) - table.mean(axis=0))[kept] / spread[kept]
    labels = np.array([s.unlearned for s in others])
    near, far = (float(((own - scaled[labels == label].mean(axis=0)) ** 2).sum()) for label in (True, False))
    return far - near


def of_what(folder: Path) -> Iterator[tuple[str, Area | Missing]]:
    """Yield, for every arm at rest, how well forgotten clusters are told from retained ones by what it answers.

    Raises:
        LedgerError: no ledger, or a damaged one.
    """
    evidence = gather(ledger.read_sound(folder / "ledger.jsonl"), Blobs(folder).get)
    for role in UNLEARNED + NOT:
        if (role, None) in evidence.cells:
            forgotten, kept = (
                [
                    fmean(v)
                    for split in ("selection", "test")
                    for v in combine(evidence, Question("choice", group, split), [(1.0, at_rest(role))]).values.values()
                ]
                for group in ("forget", "retain")
            )
            yield role, area(kept, forgotten)
