"""What each section of the page prints, as plain rows: headline, answers, levels, arms, cost, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vestige.desk.report import svg
from vestige.desk.report.curves import Panel, Point
from vestige.desk.report.masking import Mask, mask_of
from vestige.desk.report.numbers import (
    chosen_step,
    decimal,
    known,
    main_audit,
    ordered,
    seconds,
    spoken,
    strongest,
    thousands,
    threshold,
)
from vestige.desk.report.texts import Example, ReportTexts, Said
from vestige.desk.report.words import ENGLISH
from vestige.records import Missing, plain

LONGEST = 600


@dataclass(frozen=True, slots=True)
class Fact:
    """One headline number: what it is, the number, and a note under it."""

    name: str
    value: str
    notes: tuple[str, ...] = ()


def facts(verdict: Mapping[str, Any], evidence: ReportTexts) -> dict[str, Any]:
    """Return the headline numbers of the main audit, and the price of its strongest attack in a sentence."""
    audit = main_audit(verdict)
    best = strongest(audit)
    if audit is None or best is None:
        return {"numbers": [], "price": ""}
    row = chosen_step(best) or {}
    note = ENGLISH["facts_best_note"].format(set=best["set"], step=best["chosen"])
    shown = [
        _fact("facts_rest", _rest_level(verdict, audit["subject"])),
        _fact("facts_best", row.get("level"), note),
        _fact("facts_control", row.get("control_level")),
        _fact("facts_excess", best["excess"], _limit_note(verdict)),
    ]
    return {"numbers": [fact for fact in shown if fact.value], "price": _price(audit, best, evidence)}


def _fact(name: str, estimate: Mapping[str, Any] | None, note: str = "") -> Fact:
    if not known(estimate) or estimate is None:
        return Fact(ENGLISH[name], spoken(estimate) if estimate else "", (note,))
    span = ENGLISH["facts_interval"].format(low=decimal(estimate["low"]), high=decimal(estimate["high"]))
    return Fact(ENGLISH[name], decimal(estimate["value"]), tuple(filter(None, (span, note))))


def _limit_note(verdict: Mapping[str, Any]) -> str:
    delta = threshold(verdict)
    return "" if delta is None else str(ENGLISH["facts_excess_note"].format(delta=decimal(delta)))


def _rest_level(verdict: Mapping[str, Any], role: str) -> Mapping[str, Any] | None:
    wanted = (role, None, 0, "forget", "primary", verdict["case"]["primary"])
    keys = ("role", "set", "step", "group", "wording", "score")
    return next((r["estimate"] for r in verdict["levels"] if tuple(r[k] for k in keys) == wanted), None)


def _price(audit: Mapping[str, Any], best: Mapping[str, Any], evidence: ReportTexts) -> str:
    """Say what the strongest attack cost, read off the costs of that arm; silent where there are none."""
    spent = [c for c in evidence.costs if (c["role"], c["set"]) == (audit["subject"], best["set"])]
    if not spent:
        return ""
    total = _total(spent)
    took = {
        "steps": total["steps"],
        "tokens": thousands(total["tokens_trained"]),
        "seconds": seconds(total["seconds"]),
    }
    return str(ENGLISH["facts_price"].format(**took))


def as_expected(audit: Mapping[str, Any]) -> bool | None:
    """Say whether a control came out as its construction demands; None for the model in question."""
    demands = {
        "twin": audit["verdict"] == "PASS",
        "liar": audit["verdict"] == "FAIL" and "revived" in audit["reasons"],
        "broken": audit["verdict"] != "PASS",
    }
    return demands.get(audit["name"])


def answers(evidence: ReportTexts, *, reveal: bool) -> list[dict[str, Any]]:
    """Return the examples ready to print: masked unless revealed, cut where very long."""
    mask = mask_of(evidence, reveal=reveal)
    return [_example(example, mask) for example in evidence.examples]


def _example(example: Example, mask: Mask) -> dict[str, Any]:
    said = {"before": example.before, "unlearned": example.unlearned, "after": example.after}
    return {
        "probe": mask.ours(example.probe),
        "group": example.group,
        "prompt": _cut(mask.ours(example.prompt)),
        "expected": _cut(mask.said(example.expected)).strip(),
        "said": [(name, _said(value, mask), example.hits.get(name)) for name, value in said.items()],
    }


def _said(value: Said, mask: Mask) -> tuple[str, str]:
    """Return (kind, text): an answer, or the reason why there is none."""
    if isinstance(value, Missing):
        return "missing", mask.ours(ENGLISH["missing"].format(reason=value.reason))
    if value is None:
        return "missing", str(ENGLISH["answers_not_asked"])
    return ("answer", _cut(mask.said(value)).strip()) if value.strip() else ("missing", ENGLISH["answers_empty"])


def _cut(text: str) -> str:
    more = len(text) - LONGEST
    return text if more <= 0 else text[:LONGEST] + ENGLISH["answers_cut"].format(more=more)


def level_table(panel: Panel) -> dict[str, Any]:
    """Return a panel as a table: a row for each step, a column for each arm; a gap says why."""
    cells = {(s.role, p.step): _point(p) for s in panel.series for p in s.points}
    cells |= {(s.role, step): ENGLISH["missing"].format(reason=why) for s in panel.series for step, why in s.gaps}
    roles = [s.role for s in panel.series]
    rows = [(step, [cells.get((role, step), "") for role in roles]) for step in sorted({step for _, step in cells})]
    return {"set": panel.set, "roles": roles, "rows": rows}


def _point(point: Point) -> str:
    return f"{decimal(point.value)} [{decimal(point.low)},\u00a0{decimal(point.high)}]"


def level_rows(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return the levels before any attack: a row for each group, wording and score, a column for each arm."""
    rest = [r for r in verdict["levels"] if r["set"] is None]
    roles = ordered((r["role"] for r in rest), svg.LOOKS)
    asked = sorted({(r["group"], r["wording"], r["score"]) for r in rest})
    cells = {(r["role"], r["group"], r["wording"], r["score"]): r["estimate"] for r in rest}
    rows = [(about, [cells.get((role, *about)) for role in roles]) for about in asked]
    return {"roles": roles, "rows": rows}


def arm_groups(verdict: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the arms at rest and the arms after an attack, each in the order of the legend."""
    roles = ordered((a["role"] for a in verdict["arms"]), svg.LOOKS)
    arms = sorted(verdict["arms"], key=lambda a: (a["set"] or "", roles.index(a["role"]), a["seed"], a["fold"]))
    return {
        "rest": [a for a in arms if a["set"] is None],
        "attacked": [a for a in arms if a["set"] is not None],
    }


def cost_rows(evidence: ReportTexts) -> dict[str, Any]:
    """Return cost by role, by role and relearn set, and in all."""
    roles = ordered((c["role"] for c in evidence.costs), svg.LOOKS)
    by_role = [{"role": role, **_total([c for c in evidence.costs if c["role"] == role])} for role in roles]
    pairs = dict.fromkeys((role, c["set"]) for role in roles for c in evidence.costs if c["role"] == role)
    by_set = [
        {
            "role": role,
            "set": name,
            **_total([c for c in evidence.costs if (c["role"], c["set"]) == (role, name)]),
        }
        for role, name in pairs
    ]
    return {"roles": by_role, "sets": by_set, "total": _total(list(evidence.costs))}


def _total(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up steps, tokens and seconds; one of them unknown makes its sum unknown."""
    sums = {}
    for name in ("steps", "tokens_trained", "seconds"):
        values = [row.get(name) for row in rows]
        sums[name] = None if None in values else sum(v for v in values if v is not None)
    return sums


def settings(evidence: ReportTexts, *, reveal: bool) -> dict[str, Any]:
    """Return plan, machine and run facts as text, masked like the answers; a digest holds no text."""
    mask = mask_of(evidence, reveal=reveal)

    def show(value: object) -> str:
        said = value if isinstance(value, str) else json.dumps(plain(value), indent=2, ensure_ascii=False)
        return mask.ours(said)

    tables = {"head": evidence.head, "environment": evidence.environment}
    shown = {name: [(key, show(value)) for key, value in rows.items()] for name, rows in tables.items()}
    plan = show(evidence.plan) if evidence.plan else ""
    return {"plan": plan, "tables": {**shown, "digests": list(evidence.digests.items())}}
