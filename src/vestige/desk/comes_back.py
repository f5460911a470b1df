"""What comes back: every number of relearning in `desk/stats`, for one audit row, relearn set by relearn set.

All are of the audit's score on test clusters, read at the step that the rule chose on selection clusters, and beside the control that
the rule holds the subject against. Two thresholds, both printed with the numbers:

    share       relearn time and survival: a model, or a fact, is back where its score reaches this share of the original's mean score
                (of 1 without an original)
    delta       least budget and equivalence: the rule's, as a share of what was lost (least budget), and of K (equivalence)

A *fact* is a cluster: one curve a person or country, the mean over its probes, so that what is known of one person does not count
several times. A step at which nobody was asked for this score is not on the curve. Probes that lack a score at a place that is compared
are left out and counted as `missing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from vestige.desk.evidence import AT_REST, Place
from vestige.desk.levels import Clusters, Question, at_rest, combine, paired
from vestige.desk.rule import Attacked, Findings, Judge
from vestige.desk.stats.equivalence import equivalent
from vestige.desk.stats.intervals import Estimate, as_json
from vestige.desk.stats.recovery import Recovered, excess_recovery, recovery
from vestige.desk.stats.relearn_curves import Crossing, area, crossing, least_budget, time_ratio
from vestige.desk.stats.survival import log_rank, survival
from vestige.desk.stats.three_samples import closer
from vestige.records import Missing, plain

SHARE = 0.5
_NO_CONTROL = Missing("nothing to hold it against: no never-exposed model, and this is the unrelated set")
_NO_TWIN = Missing("no never-exposed model was in the run")
_NO_ORIGINAL = Missing("no original model was in the run: what was lost is not known")
_NO_STEP = Missing("no step could be chosen")

Shown = dict[str, Any]


class Returned:
    """Reads one audit row: what came back to its subject, beside its control."""

    def __init__(self, judge: Judge, found: Findings, share: float = SHARE) -> None:
        """Take the row's places, score and chosen steps from the judge."""
        self.judge, self.found, self.evidence = judge, found, judge.evidence
        self.question = Question(judge.score, judge.group)
        self.original: str | None = found.spec["original"]
        self.alpha: float = judge.rule["alpha"]
        self.delta: float = judge.rule["delta"]
        self.share = share
        mean = combine(self.evidence, self.question, [(1.0, at_rest(self.original))]).mean if self.original else 1.0
        self.threshold: float | Missing = mean if isinstance(mean, Missing) else share * mean

    def described(self) -> Shown:
        """Return all numbers of the row as plain data."""
        spec = self.found.spec
        return {
            "audit": spec["name"],
            "subject": spec["subject"],
            "control": spec["control"],
            "group": self.judge.group,
            "score": self.judge.score,
            "share": self.share,
            "threshold": plain_value(self.threshold),
            "delta": self.delta,
            "at_rest": self._compared(None, AT_REST),
            "sets": [self._set(attack) for attack in self.found.attacks],
        }

    def _set(self, attack: Attacked) -> Shown:
        steps = [s for s in self.evidence.steps(self.judge.subject, attack.set) if self._asked(attack.set, s)]
        return {
            "attack": attack.attack,
            "set": attack.set,
            "step": attack.chosen,
            "steps": steps,
            **self._recovered(attack),
            **self._areas(attack.set, steps),
            **self._times(attack.set, steps),
            "least_budget": plain_value(least_budget({s: self._excess(attack.set, s)[0] for s in steps}, self.delta)),
            **self._survival(attack.set, steps),
            **self._compared(attack.set, attack.chosen),
        }

    def _asked(self, set_: str, step: int) -> bool:
        return Place(self.judge.subject, set_, step) in self.evidence.scores[self.judge.score]

    def _subject(self, set_: str | None, step: int) -> Place:
        return Place(self.judge.subject, set_, step)

    def _before_control(self, set_: str) -> Place | None:
        control = self.judge.held_against(set_, AT_REST)
        return at_rest(control.role) if control else None

    def _recovered(self, attack: Attacked) -> Shown:
        """Return recovery, and that beyond the control's, at the chosen step."""
        if attack.chosen is None:
            return {"recovery": plain_value(_NO_STEP), "excess_recovery": plain_value(_NO_STEP)}
        own: Recovered | Missing = _NO_ORIGINAL
        missing = 0
        if self.original:
            places = [at_rest(self.judge.subject), self._subject(attack.set, attack.chosen), at_rest(self.original)]
            levels, missing = paired(self.evidence, self.question, places)
            before, after, original = map(_means, levels)
            own = recovery(before, after, original, alpha=self.alpha)
        excess, lost = self._excess(attack.set, attack.chosen)
        return {"recovery": _counted(own, missing), "excess_recovery": _counted(excess, lost)}

    def _excess(self, set_: str, step: int) -> tuple[Recovered | Missing, int]:
        """Return the recovery beyond the control's at a step, and how many probes lack a score there."""
        control, before_control = self.judge.held_against(set_, step), self._before_control(set_)
        if not self.original:
            return _NO_ORIGINAL, 0
        if not control or not before_control:
            return _NO_CONTROL, 0
        places = [at_rest(self.judge.subject), self._subject(set_, step), at_rest(self.original), before_control, control]
        levels, missing = paired(self.evidence, self.question, places)
        before, after, original, *controls = map(_means, levels)
        return excess_recovery(before, after, original, control=(controls[0], controls[1]), alpha=self.alpha), missing

    def _curve(self, set_: str, steps: Sequence[int], *, control: bool) -> dict[int, Place] | Missing:
        """Return where each step of a curve is read, step 0 being no attack."""
        if not control:
            return {AT_REST: at_rest(self.judge.subject), **{s: self._subject(set_, s) for s in steps}}
        before = self._before_control(set_)
        if not before:
            return _NO_CONTROL
        places = {s: self.judge.held_against(set_, s) for s in steps}
        return {AT_REST: before, **{s: place for s, place in places.items() if place}}

    def _areas(self, set_: str, steps: Sequence[int]) -> Shown:
        """Return the area under the subject's curve, under the control's, and between the two."""
        own, theirs = self._curve(set_, steps, control=False), self._curve(set_, steps, control=True)
        return {
            "area": as_json(self._area(own, None, steps)),
            "control_area": as_json(self._area(theirs, None, steps)),
            "area_difference": as_json(self._area(own, theirs, steps)),
        }

    def _area(
        self, curve: dict[int, Place] | Missing, minus: dict[int, Place] | Missing | None, steps: Sequence[int]
    ) -> Estimate | Missing:
        """Return the mean over clusters of the area under a curve, or of its difference to another, probe by probe."""
        if isinstance(curve, Missing) or isinstance(minus, Missing):
            return curve if isinstance(curve, Missing) else _NO_CONTROL
        if not steps:
            return Missing("no step was asked for this score")
        other = minus or {}
        levels, missing = paired(self.evidence, self.question, [*curve.values(), *other.values()])
        first, second = levels[: len(curve)], levels[len(curve) :]
        values = {
            cluster: [
                _height(curve, [level[cluster][i] for level in first])
                - (_height(other, [level[cluster][i] for level in second]) if other else 0.0)
                for i in range(len(probes))
            ]
            for cluster, probes in levels[0].items()
        }
        signed = bool(other) or self.judge.score == "choice"
        return Clusters(values, missing, signed).estimate(alpha=self.alpha)

    def _times(self, set_: str, steps: Sequence[int]) -> Shown:
        """Return the relearn time of the subject and of the control, and the ratio of both."""
        own, theirs = (self._crossed(self._curve(set_, steps, control=which)) for which in (False, True))
        return {
            "relearn_time": plain_value(own),
            "control_relearn_time": plain_value(theirs),
            "anamnesis_index": plain_value(time_ratio(own, theirs)),
        }

    def _crossed(self, curve: dict[int, Place] | Missing) -> Crossing | Missing:
        threshold = self.threshold
        if isinstance(curve, Missing):
            return curve
        if isinstance(threshold, Missing):
            return threshold
        means = {step: combine(self.evidence, self.question, [(1.0, place)]).mean for step, place in curve.items()}
        return crossing(means, threshold)

    def _survival(self, set_: str, steps: Sequence[int]) -> Shown:
        """Return the survival of the subject's facts and of the control's, and the log-rank test between them."""
        own, theirs = (self._facts(self._curve(set_, steps, control=which)) for which in (False, True))
        curves = [facts if isinstance(facts, Missing) else survival(facts, alpha=self.alpha) for facts in (own, theirs)]
        test = own if isinstance(own, Missing) else theirs if isinstance(theirs, Missing) else log_rank(own, theirs)
        shown = [
            plain_value(c) if isinstance(c, Missing) else {**plain(c), "median": plain(c.median), "revived": c.n - c.censored}
            for c in curves
        ]
        return {"survival": shown[0], "control_survival": shown[1], "log_rank": plain_value(test)}

    def _facts(self, curve: dict[int, Place] | Missing) -> dict[str, Crossing | Missing] | Missing:
        threshold = self.threshold
        if isinstance(curve, Missing):
            return curve
        if isinstance(threshold, Missing):
            return threshold
        levels, _ = paired(self.evidence, self.question, list(curve.values()))
        return {c: crossing({s: fmean(level[c]) for s, level in zip(curve, levels, strict=True)}, threshold) for c in levels[0]}

    def _compared(self, set_: str | None, step: int | None) -> Shown:
        """Return to which model the subject is closer, and whether it is equivalent to its control, at one step."""
        if step is None:
            return {"closer": plain_value(_NO_STEP), "equivalence": plain_value(_NO_STEP)}
        place, control = self._subject(set_, step), self.judge.held_against(set_, step)
        near: Any = _NO_TWIN if not self.found.spec["control"] else _NO_ORIGINAL
        if self.original and control and self.found.spec["control"]:
            levels, _ = paired(self.evidence, self.question, [place, control, at_rest(self.original)])
            near = closer(*levels, alpha=self.alpha)
        if not control:
            return {"closer": plain_value(near), "equivalence": plain_value(_NO_CONTROL)}
        apart = combine(self.evidence, self.question, [(1 / self.found.scale, place), (-1 / self.found.scale, control)])
        return {"closer": plain_value(near), "equivalence": plain_value(equivalent(apart.values, self.delta, alpha=self.alpha))}


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {cluster: fmean(scores) for cluster, scores in values.items()}


def _height(curve: Mapping[int, Place], scores: Sequence[float]) -> float:
    """Return the area under one probe's curve, whose steps begin at 0 and all have a score."""
    found = area(dict(zip(curve, scores, strict=True)), max(curve))
    assert not isinstance(found, Missing)
    return found


def _counted(value: Recovered | Missing, missing: int) -> Shown:
    return {**plain_value(value), "missing": missing}


def plain_value(value: Any) -> Any:
    """Return a number or a frozen record of numbers as JSON; Missing becomes its reason, as in verdict.json."""
    return {"missing_reason": value.reason} if isinstance(value, Missing) else plain(value)
