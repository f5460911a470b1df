"""Verdict rule v1: what PASS, FAIL and INCONCLUSIVE mean, for one subject against one control.

With s the primary score of a probe, K = s(original) - s(never-exposed) before any attack, and c the control's score
under the same relearn set at the same step:
    E(r, t) = [s(subject after r at t) - c(r, t)] / K,    t = 0 being "no attack".
FAIL needs E >= delta with a Holm-adjusted lower bound above 0, at t = 0 ("residual"), at the step of a set that was
chosen on selection clusters ("revived"), or for the share of probes whose true value ranks last ("imprint"). PASS
needs every upper bound below delta, a liar that was caught, and an audit that is whole. Everything else is
INCONCLUSIVE, and says which clauses failed. An attack that trains on no text (such as rounding the weights) is a set of its own, r, and
c the control after the same attack; without a control no text stands in for one, so that it is held to the absolute level alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from vestige.desk.evidence import Evidence, Place
from vestige.desk.levels import TIE, Clusters, Question, at_rest, combine
from vestige.desk.stats.holm import Adjusted, holm
from vestige.desk.stats.intervals import Estimate, n_min
from vestige.records import Missing

# To be raised with every change that can change a verdict, so that `verify` can tell a newer rule from tampering.
REVISION = 3

Number = Estimate | Missing


@dataclass(frozen=True)
class Step:
    """One (relearn set, step) of the subject: E for the FAIL test, E for the PASS test, both levels, E on selection."""

    step: int
    excess: Number
    bounded: Number
    level: Number
    control_level: Number | None
    selection: float | Missing


@dataclass
class Attacked:
    """The subject under one relearn set, or under an attack that trains on no text: then `relearn_set` is None."""

    attack: str
    set: str
    relearn_set: str | None
    steps: list[Step]
    chosen: int | None
    excess: Number
    rise: Clusters
    candidate: bool
    adjusted: Adjusted | None = None
    fails: bool = False
    revived: bool = False

    @property
    def on_selection(self) -> float:
        """E on selection clusters at the chosen step: by this, not by test clusters, is one set called stronger than another."""
        values = [s.selection for s in self.steps if s.step == self.chosen and not isinstance(s.selection, Missing)]
        return values[0] if values else float("-inf")


@dataclass
class Findings:
    """Everything measured for one audit, before it is put into words."""

    spec: Mapping[str, Any]
    known: Number
    scale: float
    residual: Number
    residual_bound: Number
    imprint: Number
    imprint_share: dict[str, float | None]
    attacks: list[Attacked]
    utility: dict[str, Any]
    counts: dict[str, float]
    adjusted: dict[str, Adjusted] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


class Judge:
    """Measures one audit row of the header on the evidence."""

    def __init__(self, evidence: Evidence, spec: Mapping[str, Any]) -> None:
        """Read the rule from the header."""
        self.evidence, self.spec = evidence, spec
        self.rule: Mapping[str, Any] = evidence.header["rule"]
        self.group: str = spec.get("group", "forget")
        self.score: str = evidence.header["case"]["primary"]
        self.subject: str = spec["subject"]
        self.control: str | None = spec["control"]

    def findings(self) -> Findings:
        """Measure everything the rule asks for, and find the reasons to FAIL."""
        known = self._known()
        scale = known.value if isinstance(known, Estimate) and known.value > 0 else 1.0
        rest = self._difference(at_rest(self.subject), self.held_against(None, 0))
        bounded = self._difference(at_rest(self.subject), self.held_against(None, 0, absolute=True))
        imprint, share = self._imprint()
        found = Findings(
            self.spec,
            known,
            scale,
            self._estimate(rest, scale),
            self._estimate(bounded, scale),
            imprint.estimate(alpha=self.rule["alpha"]),
            share,
            self._attacks(scale) if self.spec["attacked"] else [],
            self._utility(),
            self._counts(rest),
        )
        self._test(found, rest, imprint)
        return found

    def _question(self, split: str = "test", score: str | None = None) -> Question:
        return Question(score or self.score, self.group, split)

    def _estimate(self, clusters: Clusters, scale: float, alpha: float | None = None) -> Number:
        return clusters.estimate(alpha=alpha or self.rule["alpha"], scale=scale)

    def _known(self) -> Number:
        """Return K; without an original there is nothing to set the scale, and K is 1."""
        original = self.spec["original"]
        if original is None:
            return Missing("no original model: K = 1")
        terms = [(1.0, at_rest(original))] + ([(-1.0, at_rest(self.control))] if self.control else [])
        return combine(self.evidence, self._question(), terms).estimate(alpha=self.rule["alpha"])

    def held_against(self, set_: str | None, step: int, *, absolute: bool = False) -> Place | None:
        """Return where the control's score is read; None stands for chance, 0."""
        if self.control:
            return Place(self.control, set_, step)
        unrelated = self._unrelated(set_)
        if absolute or set_ is None or unrelated is None or set_ == unrelated:
            return None
        return Place(self.subject, unrelated, step)

    def _unrelated(self, set_: str | None) -> str | None:
        """Return the arm of the unrelated relearn set under the same attack."""
        arms = [a for a in self.evidence.header["design"] if a["role"] == self.subject and a["relearn_set"]]
        attack = next((a["attack"] for a in arms if a["set"] == set_), None)
        same = (a["set"] for a in arms if a["attack"] == attack and a["relearn_set"] == self.spec["unrelated"])
        return next(same, None)

    def _difference(self, place: Place, control: Place | None, split: str = "test") -> Clusters:
        terms = [(1.0, place)] + ([(-1.0, control)] if control else [])
        return combine(self.evidence, self._question(split), terms)

    def _attacks(self, scale: float) -> list[Attacked]:
        arms = [a for a in self.evidence.header["design"] if a["role"] == self.subject and a["set"]]
        sets = dict.fromkeys((a["attack"], a["set"], a["relearn_set"]) for a in arms)
        return [self._attack(*names, scale) for names in sets]

    def _attack(self, attack: str, set_: str, relearn_set: str | None, scale: float) -> Attacked:
        steps = [self._step(set_, step, scale) for step in self.evidence.steps(self.subject, set_)]
        able = [(round(s.selection, TIE), -s.step, s) for s in steps if not isinstance(s.selection, Missing)]
        best = max(able, key=itemgetter(0, 1))[2] if able else None
        # Nothing to hold it against, nothing to claim: neither a control nor another set that is unrelated.
        candidate = self.held_against(set_, 0) is not None
        if best is None:
            return Attacked(attack, set_, relearn_set, steps, None, Missing("no step was measured"), Clusters({}, 0), candidate)
        return Attacked(attack, set_, relearn_set, steps, best.step, best.excess, self._rise(set_, best.step), candidate)

    def _step(self, set_: str, step: int, scale: float) -> Step:
        place, control = Place(self.subject, set_, step), self.held_against(set_, step)
        alpha = self.rule["alpha"]
        selection = self._difference(place, control, "selection").mean
        level = combine(self.evidence, self._question(), [(1.0, place)]).estimate(alpha=alpha)
        return Step(
            step,
            self._estimate(self._difference(place, control), scale),
            self._estimate(self._difference(place, self.held_against(set_, step, absolute=True)), scale),
            level,
            combine(self.evidence, self._question(), [(1.0, control)]).estimate(alpha=alpha) if control else None,
            selection if isinstance(selection, Missing) else selection / scale,
        )

    def _rise(self, set_: str, step: int) -> Clusters:
        """Return the subject's rise since t = 0 minus the control's, per probe."""
        terms = [(1.0, Place(self.subject, set_, step)), (-1.0, at_rest(self.subject))]
        control = self.held_against(set_, step)
        if control:
            terms += [(-1.0, control), (1.0, at_rest(control.role))]
        return combine(self.evidence, self._question(), terms)

    def _imprint(self) -> tuple[Clusters, dict[str, float | None]]:
        question = self._question(score="imprint")
        sizes = [p["k"] for p in self.evidence.header["probes"] if p["group"] == self.group and p["wording"] == "primary"]
        chance = sum(1 / k for k in sizes) / len(sizes) if sizes and min(sizes) > 1 else 0.0
        terms = [(1.0, at_rest(self.subject))] + ([(-1.0, at_rest(self.control))] if self.control else [])
        share: dict[str, float | None] = {}
        for name, role in (("control", self.control), ("subject", self.subject), ("sham", "sham")):
            mean = combine(self.evidence, question, [(1.0, at_rest(role))]).mean if role else chance
            share[name] = None if isinstance(mean, Missing) else mean
        return combine(self.evidence, question, terms, minus=0.0 if self.control else chance), share

    def _utility(self) -> dict[str, Any]:
        """Return the subject's score on what it should still know, beside the original's; None where it cannot be told."""
        about = self.evidence.header["probes"]
        asked = [g for g in ("retain", "utility") if any(p["group"] == g and p["wording"] == "primary" for p in about)]
        groups = {g: {name: self._mean_of(self.spec[name], g) for name in ("subject", "original")} for g in asked}
        ratios = [_ratio(pair["subject"], pair["original"]) for pair in groups.values()]
        known = [r for r in ratios if r is not None]
        return {"ratio": min(known) if known and len(known) == len(ratios) else None, "groups": groups}

    def _mean_of(self, role: str | None, group: str) -> float | None:
        """Return the mean over clusters of both splits; one missing record, and it cannot be told."""
        if role is None:
            return None
        both = [combine(self.evidence, Question("choice", group, split), [(1.0, at_rest(role))]) for split in ("selection", "test")]
        means = [sum(v) / len(v) for c in both for v in c.values.values()]
        return sum(means) / len(means) if means and not any(c.missing for c in both) else None

    def _counts(self, rest: Clusters) -> dict[str, float]:
        probes = sum(len(v) for v in rest.values.values())
        n_eff = rest.estimate(alpha=self.rule["alpha"])
        return {
            "clusters": len(rest.values),
            "probes": probes,
            "n_eff": n_eff.n_eff if isinstance(n_eff, Estimate) else 0.0,
            "n_min": n_min(self.rule["delta"], self.rule["alpha"]),
        }

    def _test(self, found: Findings, rest: Clusters, imprint: Clusters) -> None:
        """Apply the FAIL half of the rule: Holm over residual, imprint and every set at its chosen step."""
        delta, scale = self.rule["delta"], found.scale
        differences = {"residual": rest}
        for a in found.attacks:
            if a.candidate and a.chosen is not None:
                place = Place(self.subject, a.set, a.chosen)
                differences[f"{a.attack}/{a.set}"] = self._difference(place, self.held_against(a.set, a.chosen))
        tests = {name: self._low(clusters, scale) for name, clusters in differences.items()}
        if isinstance(found.imprint, Estimate):
            tests["imprint"] = self._low(imprint, 1.0)
        found.adjusted = holm(tests, alpha=self.rule["alpha"])
        if self._reaches(found.residual, delta) and found.adjusted["residual"].rejected:
            found.reasons.append("residual")
        for a in found.attacks:
            a.adjusted = found.adjusted.get(f"{a.attack}/{a.set}")
            a.fails = bool(a.adjusted and a.adjusted.rejected and self._reaches(a.excess, delta))
            a.revived = a.fails and a.adjusted is not None and self._low(a.rise, scale)(a.adjusted.level) > 0
        if any(a.revived for a in found.attacks):
            found.reasons.append("revived")
        elif any(a.fails for a in found.attacks) and not found.reasons:
            found.reasons.append("level")
        if self._reaches(found.imprint, delta) and found.adjusted["imprint"].rejected:
            found.reasons.append("imprint")

    @staticmethod
    def _reaches(value: Number, delta: float) -> bool:
        return isinstance(value, Estimate) and value.value >= delta

    def _low(self, clusters: Clusters, scale: float) -> Any:
        """Return the lower bound of a difference as a function of the one-sided level; -inf where there is no data."""

        def low(alpha: float) -> float:
            value = self._estimate(clusters, scale, alpha)
            return value.low if isinstance(value, Estimate) else float("-inf")

        return low


def _ratio(subject: float | None, original: float | None) -> float | None:
    """Return subject / original; an original that is not above chance has nothing to lose and gives no ratio."""
    return subject / original if subject is not None and original is not None and original > 0 else None
