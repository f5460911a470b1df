"""Ledger to verdict: a pure function of the recorded lines, without dates or timings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vestige.desk.clauses import Clause, clauses, tried
from vestige.desk.evidence import AT_REST, Evidence, Place, ReadBlob, gather
from vestige.desk.flags import Audited, flags
from vestige.desk.levels import Question, combine
from vestige.desk.rule import REVISION, Attacked, Findings, Judge
from vestige.desk.stats.intervals import Estimate, as_json
from vestige.records import GROUPS, Missing

SCHEMA = "vestige.verdict/1"
_KNOWN = "original_knew"


def audit(lines: Iterable[Mapping[str, Any]], read_blob: ReadBlob) -> dict[str, Any]:
    """Return verdict.json of a ledger; `read_blob` gives texts (None where they were shredded)."""
    evidence = gather(lines, read_blob)
    header = evidence.header
    specs = header["audits"]
    liar = next((s for s in specs if s["subject"] == s["positive"]), None)
    found = {s["name"]: Judge(evidence, s).findings() for s in specs}
    caught = _caught(evidence, found[liar["name"]]) if liar else None
    audited = [Audited(s["name"], found[s["name"]], clauses(evidence, found[s["name"]], liar_caught=caught)) for s in specs]
    provisional = len({arm["seed"] for arm in header["design"]}) < 2
    audits = [_audit(a, evidence, provisional) for a in audited]
    first = audits[0]
    return {
        "schema": SCHEMA,
        "run": header["run"],
        "case": header["case"],
        "rule": header["rule"],
        "rule_revision": REVISION,
        "plan_digest": header["plan_digest"],
        "evidence": evidence.digest,
        "verdict": first["verdict"],
        "provisional": provisional,
        "reasons": first["reasons"],
        "claim": first["claim"],
        "limits": _limits(evidence, audited[0].findings),
        "audits": audits,
        "levels": _levels(evidence),
        "arms": _arms(evidence),
        "flags": [{"name": f.name, "severity": f.severity, "says": f.says, "about": f.about} for f in flags(evidence, audited)],
    }


def _caught(evidence: Evidence, liar: Findings) -> bool:
    """Return whether the liar FAILs as revived: by its verdict, not by a difference that its own audit refuses."""
    word, reasons = decide(liar, clauses(evidence, liar, liar_caught=None))
    return word == "FAIL" and "revived" in reasons


def decide(found: Findings, conditions: Iterable[Clause]) -> tuple[str, list[str]]:
    """Return the word and its reasons."""
    open_ = {c.name: c.holds for c in conditions if c.holds is not True}
    failed = list(open_)
    if open_.get("distinct_states", True) is False:
        return "INCONCLUSIVE", ["same_state"]
    if _KNOWN in open_:
        # Without K there is no E: what cannot be told is listed, what is known to be too little is said.
        return "INCONCLUSIVE", ["original_never_knew"] if open_[_KNOWN] is False else failed
    if found.reasons:
        return "FAIL", list(found.reasons)
    return ("INCONCLUSIVE", failed) if failed else ("PASS", [])


def _audit(audited: Audited, evidence: Evidence, provisional: bool) -> dict[str, Any]:
    found = audited.findings
    verdict, reasons = decide(found, audited.clauses)
    return {
        **{k: found.spec[k] for k in ("name", "subject", "control")},
        "group": found.spec.get("group", "forget"),
        "verdict": verdict,
        "provisional": provisional,
        "reasons": reasons,
        "claim": claim(verdict, reasons, found, evidence),
        "clauses": [{k: getattr(c, k) for k in ("name", "holds", "says", "value", "bound")} for c in audited.clauses],
        "known": as_json(found.known),
        "residual": as_json(found.residual),
        "imprint": as_json(found.imprint),
        "imprint_share": found.imprint_share,
        "holm": {name: {"level": a.level, "low": _number(a.low), "rejected": a.rejected} for name, a in found.adjusted.items()},
        "attacks": [_attack(a, evidence) for a in found.attacks],
        "utility": found.utility,
        "n": found.counts,
    }


def _number(value: float) -> float | None:
    return value if value > float("-inf") else None


def _attack(a: Attacked, evidence: Evidence) -> dict[str, Any]:
    return {
        "attack": a.attack,
        "set": a.set,
        "steps": [
            {
                "step": s.step,
                "excess": as_json(s.excess),
                "level": as_json(s.level),
                "control_level": as_json(s.control_level) if s.control_level else None,
                "selection": None if isinstance(s.selection, Missing) else s.selection,
            }
            for s in a.steps
        ],
        "chosen": a.chosen,
        "excess": as_json(a.excess),
        "adjusted_low": _number(a.adjusted.low) if a.adjusted else None,
        "rise": as_json(a.rise.estimate(alpha=evidence.header["rule"]["alpha"])),
        "candidate": a.candidate,
        "fails": a.fails,
        "revived": a.revived,
    }


def claim(verdict: str, reasons: list[str], found: Findings, evidence: Evidence) -> str:
    """Return the verdict in one sentence, no stronger than the evidence."""
    delta = evidence.header["rule"]["delta"]
    if verdict == "INCONCLUSIVE":
        return f"No verdict: {', '.join(r.replace('_', ' ') for r in reasons)}."
    if verdict == "PASS":
        than = "a model that never saw the data" if found.spec["control"] else "chance"
        sets, others = tried(found)
        after = [f"relearning with {', '.join(sets)}"] if sets else []
        return (
            f"Less than {delta:.0%} of {_whole(found)} remains beyond {than}, before and after {', '.join(after + others)}, "
            "up to the budget tried." + _asserted(found)
        )
    return " ".join(_fail_sentence(reason, found) for reason in reasons) + _asserted(found)


def _fail_sentence(reason: str, found: Findings) -> str:
    if reason == "residual":
        return f"The model still shows {_percent(found.residual)} of {_whole(found)}, before any attack."
    if reason == "imprint":
        return "The model avoids the true values so strongly that they can be read off as the ones it ranks last."
    best = max((a for a in found.attacks if (a.revived if reason == "revived" else a.fails)), key=lambda a: a.on_selection)
    if reason == "revived" and not found.spec["control"]:
        return (
            f"Text without the answers revived it beyond unrelated text: {_percent(best.excess)} more of {_whole(found)} "
            f"came back with {best.set} in {best.chosen} steps."
        )
    verb = "came back" if reason == "revived" else "is there"
    than = "a model that never saw the data" if found.spec["control"] else "unrelated text"
    after = f"relearning with {best.set} ({best.chosen} steps)" if best.relearn_set else best.attack
    return f"{_percent(best.excess)} of {_whole(found)} {verb}, beyond {than}, after {after}."


def _whole(found: Findings) -> str:
    """Return what a share is a share of: without an original, K = 1 stands for a full score, not for what a model knew."""
    return "what the original knew" if found.spec["original"] else "a full score (no original was at hand)"


def _percent(value: Any) -> str:
    return f"{value.value:.0%} (95 % interval {value.low:.0%} to {value.high:.0%})"


def _asserted(found: Findings) -> str:
    return " (The model's lineage is asserted, not shown.)" if found.spec["asserted_lineage"] else ""


def _limits(evidence: Evidence, found: Findings) -> list[str]:
    """Return what the result does not show."""
    sets, others = tried(found)
    steps = max((s.step for a in found.attacks if a.relearn_set for s in a.steps), default=0)
    beside = f" Beside them: {', '.join(others)}." if others else ""
    limits = [
        f"Only these relearn sets were tried: {', '.join(sets or ['none'])}; up to {steps} steps.{beside} Other texts, steps or attacks "
        "may do more.",
        "No recovery found is not the same as erased.",
    ]
    if found.spec["knowledge"] == "pretrained":
        limits.append(
            "The knowledge was pre-trained: no model exists that never knew it; the control is unrelated text, which limits the claim."
        )
    elif found.spec["control"] is None:
        limits.append("No model that never saw the data was at hand: only absolute levels are judged.")
    if found.spec["original"] is None:
        limits.append("No original model was at hand: levels are not set in relation to what it knew.")
    if evidence.header["case"]["primary"] == "choice":
        limits.append("The deciding score is a choice among candidate answers; what the model says by itself is reported beside it.")
    return limits


def _levels(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the level of every role, set, step, group and wording, on test clusters."""
    rows = []
    for score in ("choice", "keyword", "answer_logp"):
        for place in sorted(evidence.scores[score], key=lambda p: (p.role, p.set or "", p.step)):
            asked = {(evidence.probes[p]["group"], evidence.probes[p]["wording"]) for p in evidence.scores[score][place]}
            for group in GROUPS:
                for wording in sorted(w for g, w in asked if g == group):
                    rows.append(_level(evidence, place, Question(score, group, "test", wording)))
    return rows


def _level(evidence: Evidence, place: Place, question: Question) -> dict[str, Any]:
    clusters = combine(evidence, question, [(1.0, place)])
    value = clusters.estimate(alpha=evidence.header["rule"]["alpha"])
    if question.score == "answer_logp" and isinstance(value, Estimate) and value.method != "t":
        value = Missing("too few clusters differ for an interval: a log-probability has no bounds for an exact one")
    where = {"role": place.role, "set": place.set, "step": place.step}
    about = {"group": question.group, "wording": question.wording, "score": question.score}
    return {**where, **about, "estimate": as_json(value)}


def _arms(evidence: Evidence) -> list[dict[str, Any]]:
    rows = []
    for arm in evidence.header["design"]:
        state, done = evidence.states.get(arm["cell"]), evidence.done.get(arm["cell"])
        row = {k: arm[k] for k in ("role", "set", "seed", "fold")} | {"state": state["digest"] if state else None}
        for key in ("steps", "tokens_trained", "tokens_scored"):
            row[key] = done[key] if done else None
        rows.append(row)
    return rows


__all__ = ["AT_REST", "audit", "claim", "decide"]
