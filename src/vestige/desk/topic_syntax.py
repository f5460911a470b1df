"""Topic against syntax: four relearn sets of equal size, and how much of recovery each of the two factors carries.

Question of Yoon, Hong, Jeung and No 2026, arXiv 2602.03379: does benign text revive memory because it has the same form as the
probes (syntax), or because it is about the same things (topic; Hu et al. 2024, arXiv 2406.13356)?

With s the primary score of a probe after relearning on a cell of the design, averaged over seeds, at one step for all cells:
    topic       = (s[same, same] + s[same, other] - s[other, same] - s[other, other]) / 2
    syntax      = (s[same, same] + s[other, same] - s[same, other] - s[other, other]) / 2
    interaction = (s[same, same] - s[same, other]) - (s[other, same] - s[other, other])
where s[topic, syntax]. Each is a mean of differences paired by probe, with a 95 % t interval over clusters; a cell that no step
moves adds nothing. One sign for all: positive where more comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vestige.desk.evidence import Evidence, Place
from vestige.desk.levels import Question, at_rest, combine
from vestige.desk.stats.intervals import ALPHA, Estimate
from vestige.records import Missing

Number = Estimate | Missing
_ROLE = "subject"


class Design(NamedTuple):
    """The relearn sets of the four cells, named topic first."""

    same_same: str
    same_other: str
    other_same: str
    other_other: str


# Halves throughout, so that a difference stays in [-1, 1] where an exact interval needs it; an interaction is scaled back afterwards.
_FACTORS = {"topic": (0.5, 0.5, -0.5, -0.5), "syntax": (0.5, -0.5, 0.5, -0.5), "interaction": (0.5, -0.5, -0.5, 0.5)}
_SCALE = {"interaction": 0.5}


@dataclass(frozen=True)
class Step:
    """The level of each cell (0 is the model at rest) and the three effects at one step."""

    step: int
    levels: tuple[Number, ...]
    effects: dict[str, Number]


def steps(evidence: Evidence, design: Design, *, score: str, split: str = "test") -> list[Step]:
    """Return levels and effects at rest and at every step at which all four cells were asked."""
    question = Question(score, "forget", split)
    shared = set.intersection(*(set(evidence.steps(_ROLE, set_)) for set_ in design))
    rest = Step(0, (_number(evidence, question, [(1.0, at_rest(_ROLE))]),) * len(design), {})
    return [rest, *(_step(evidence, question, design, step) for step in sorted(shared))]


def level(evidence: Evidence, set_: str, step: int, *, score: str, split: str = "test") -> Number:
    """Return the level after one relearn set at one step."""
    return _number(evidence, Question(score, "forget", split), [(1.0, Place(_ROLE, set_, step))])


def difference(evidence: Evidence, sets: tuple[str, str], step: int, *, score: str, split: str = "test") -> Number:
    """Return how much more comes back under the first set than under the second, paired by probe, at one step."""
    first, second = (Place(_ROLE, set_, step) for set_ in sets)
    return _number(evidence, Question(score, "forget", split), [(1.0, first), (-1.0, second)])


def _step(evidence: Evidence, question: Question, design: Design, step: int) -> Step:
    places = [Place(_ROLE, set_, step) for set_ in design]
    levels = tuple(_number(evidence, question, [(1.0, place)]) for place in places)
    effects = {
        name: _number(evidence, question, list(zip(weights, places, strict=True)), scale=_SCALE.get(name, 1.0))
        for name, weights in _FACTORS.items()
    }
    return Step(step, levels, effects)


def _number(evidence: Evidence, question: Question, terms: Sequence[tuple[float, Place]], *, scale: float = 1.0) -> Number:
    return combine(evidence, question, terms).estimate(alpha=ALPHA, scale=scale)
