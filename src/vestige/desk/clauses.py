"""The PASS half of the rule: every clause by itself, with its number and its bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vestige.desk.evidence import Evidence
from vestige.desk.levels import at_rest
from vestige.desk.rule import Findings, Number
from vestige.desk.stats.intervals import Estimate
from vestige.records import Missing


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of PASS. `holds` is None where it could not be told: that blocks PASS like a no."""

    name: str
    holds: bool | None
    says: str
    value: float | None = None
    bound: float | None = None


def clauses(evidence: Evidence, found: Findings, *, liar_caught: bool | None) -> list[Clause]:
    """Return every clause of PASS for an audit."""
    rule = evidence.header["rule"]
    delta = rule["delta"]
    result = [_known(found, rule["known_min"]), _below("residual", found.residual_bound, delta, "before any attack")]
    result.append(_attacked(found))
    for a in found.attacks:
        for step in a.steps:
            where = f"after {a.attack} on {a.set}, step {step.step}" if a.relearn_set else f"after {a.attack}"
            result.append(_below(f"{a.set}@{step.step}", step.bounded, delta, where))
    result.append(_below("imprint", found.imprint, delta, "share of true values that rank last, minus the control's"))
    result.append(_liar(liar_caught))
    result.append(_utility(found, rule["utility_ratio"], rule["utility_min"]))
    n_eff, least = found.counts["n_eff"], found.counts["n_min"]
    result.append(Clause("enough_probes", n_eff >= least, f"{n_eff:.1f} effective probes; at least {least:.0f} are needed", n_eff, least))
    result.append(_complete(evidence, found))
    result.append(_benign(evidence, found))
    result.append(distinct_states(evidence, found))
    return result


def _below(name: str, value: Number, delta: float, where: str) -> Clause:
    if not isinstance(value, Estimate):
        return Clause(name, None, f"{where}: missing: {value.reason}", None, delta)
    says = f"{where}: {value.value:+.3f}, 95 % interval {value.low:+.3f} to {value.high:+.3f}; the upper bound must be below {delta}"
    return Clause(name, value.high < delta, says, value.high, delta)


def _known(found: Findings, least: float) -> Clause:
    if not isinstance(found.known, Estimate):
        held = True if found.spec["original"] is None else None
        return Clause("original_knew", held, f"what the original knew: missing: {found.known.reason}", None, least)
    says = f"the original knew it: {found.known.value:.3f} above the control, lower bound {found.known.low:.3f}; at least {least} is needed"
    return Clause("original_knew", found.known.low >= least, says, found.known.low, least)


def _attacked(found: Findings) -> Clause:
    sets, others = tried(found)
    says = [f"relearning was tried with: {', '.join(sets)}"] if sets else []
    says += [f"attacks without text were tried: {', '.join(others)}"] if others else []
    return Clause("attacked", bool(says), "; ".join(says) or "no attack was tried on this model")


def tried(found: Findings) -> tuple[list[str], list[str]]:
    """Return the relearn sets that were tried, and the attacks that train on no text."""
    return sorted({a.set for a in found.attacks if a.relearn_set}), sorted({a.set for a in found.attacks if not a.relearn_set})


def _liar(caught: bool | None) -> Clause:
    says = {
        True: "the liar was caught: the same attacks brought back what a masked copy hides",
        False: "the liar was not caught: these attacks could not bring back what is certainly there",
        None: "there is no liar in this audit, so nothing shows that the attacks work",
    }
    return Clause("liar_caught", caught, says[caught])


def _utility(found: Findings, ratio: float, least: float | None) -> Clause:
    value = found.utility["ratio"]
    if value is not None:
        says = f"utility is {value:.2f} of the original's (the worse of retain and general probes); at least {ratio} is needed"
        return Clause("utility", value >= ratio, says, value, ratio)
    if found.spec["original"] is not None:
        return Clause("utility", None, "utility cannot be judged: records are missing, or the original is not above chance", None, ratio)
    groups = [g["subject"] for g in found.utility["groups"].values()]
    scores = [s for s in groups if s is not None]
    if least is not None and scores and len(scores) == len(groups):
        says = f"utility is {min(scores):.2f} (no original to compare with); the plan asks for {least}"
        return Clause("utility", min(scores) >= least, says, min(scores), least)
    why = "no rule.utility_min" if least is None else "records are missing"
    return Clause("utility", None, f"utility cannot be judged: no original to compare with, and {why}", None, ratio)


def _complete(evidence: Evidence, found: Findings) -> Clause:
    cells = {a["cell"] for a in evidence.header["design"]}
    absent = len(cells - set(evidence.done))
    numbers = list(_numbers(found))
    missing = sum(n.missing for n in (*numbers, found.known) if isinstance(n, Estimate))
    lost = sum(1 for n in numbers if not isinstance(n, Estimate))
    lost += sum(1 for a in found.attacks for step in a.steps if a.chosen is not None and isinstance(step.selection, Missing))
    says = f"{absent} of {len(cells)} cells missing or failed, {missing} records missing, {lost} estimates without data"
    return Clause("complete", absent == missing == lost == 0, says, float(absent + missing + lost), 0.0)


def _numbers(found: Findings) -> Iterator[Number]:
    yield from (found.residual, found.imprint)
    for a in found.attacks:
        yield from (step.bounded for step in a.steps)
        if a.chosen is None:
            yield a.excess


def _benign(evidence: Evidence, found: Findings) -> Clause:
    group = found.spec.get("group", "forget")
    sets = set(tried(found)[0])
    leaked = {p for (set_, g), probes in evidence.leaks.items() if set_ in sets and g == group for p in probes}
    unchecked = sorted(s for s in sets if (s, group) not in evidence.leaks)
    says = f"{len(leaked)} probes leaked into a relearn set and were set apart"
    if unchecked:
        return Clause("benign", None, f"no leak check of: {', '.join(unchecked)}")
    return Clause("benign", not leaked, says, float(len(leaked)), 0.0)


def distinct_states(evidence: Evidence, found: Findings) -> Clause:
    """Return whether subject and control are different models, by digest of state and of weights, in every seed."""
    subject, control = found.spec["subject"], found.spec["control"]
    if control is None:
        return Clause("distinct_states", True, "there is no control to be the same model as the subject")
    mine, theirs = (_digests(evidence, role) for role in (subject, control))
    if mine & theirs:
        return Clause("distinct_states", False, "subject and control are one and the same model")
    if not mine or not theirs:
        return Clause("distinct_states", None, "the digests of subject and control were not both recorded")
    return Clause("distinct_states", True, "subject and control are different models")


def _digests(evidence: Evidence, role: str) -> set[str]:
    """Return the digests of a role's states and of their weights: another template on the same weights is the same model."""
    cells = [a["cell"] for a in evidence.cells.get((role, at_rest(role).set), [])]
    return {evidence.states[c][key] for c in cells if c in evidence.states for key in ("digest", "weights")}
