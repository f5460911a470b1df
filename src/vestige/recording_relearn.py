"""What a run writes of how much its relearn sets tell, where the plan asks for it: V-information, pair by pair, and as a covariate."""

from __future__ import annotations

from collections.abc import Sequence

from vestige.leaks import telling
from vestige.recording import Recorder, rounded
from vestige.records import Fold, Group, Missing, Probe, RelearnSet, plain
from vestige.similarity import mean_told
from vestige.v_information import Score, informs, told


def record_v_information(
    recorder: Recorder, chosen: RelearnSet, group: Group, probes: Sequence[Probe], score: Score | Missing
) -> tuple[str, ...]:
    """Write one line a fold, and return the probes that rows tell so much of that they are suspect.

    A line holds the nats of every shortlisted pair (row, probe), the suspect probes, and the covariate: the mean over rows of what
    each tells of the primary probe it tells most about. Without a never-exposed model all of it is missing, for one reason.
    """
    found: set[str] = set()
    for number, fold in enumerate(chosen.folds):
        asks = set(fold.asks)
        asked = [p for p in probes if p.id in asks]
        pairs = [] if isinstance(score, Missing) else told(fold.rows, asked, score)
        suspect = sorted({f.probe for f in telling(pairs, fold.rows, asked)})
        found |= set(suspect)
        body = {
            "name": "v_information",
            "set": chosen.name,
            "group": group,
            "fold": number,
            "pairs": [[recorder.keyed(p.row), recorder.keyed(p.probe), plain(rounded(p.nats))] for p in pairs],
            "suspect": [recorder.keyed(p) for p in suspect],
            "covariate": plain(rounded(_covariate(fold, asked, score))),
        }
        recorder.ledger.add("measurement", body)
    return tuple(sorted(found))


def _covariate(fold: Fold, asked: Sequence[Probe], score: Score | Missing) -> float | Missing:
    if isinstance(score, Missing):
        return score
    primary = [p for p in asked if p.wording == "primary"]
    return mean_told(fold.rows, primary, informs(score))
