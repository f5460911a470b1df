"""Numbers as a person reads them, and the few look-ups into verdict.json that several pages share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from vestige.desk.report.words import ENGLISH

MINUS = "−"


def decimal(value: float | int | None, places: int = 2) -> str:
    """Write a number with a true minus sign; None becomes a dash, -0.00 becomes 0.00."""
    if value is None:
        return "–"
    shown = f"{value:.{places}f}"
    if float(shown) == 0:
        shown = shown.lstrip("-")
    return shown.replace("-", MINUS)


def compact(value: float | int | bool | None) -> str:
    """Write a value of a clause: a share with two decimals, a count with one or none."""
    if value is None or abs(value) <= 1:
        return decimal(value)
    return decimal(value, 0 if float(value).is_integer() else 1)


def thousands(value: int | None) -> str:
    """Write a count in groups of three digits."""
    return "–" if value is None else f"{value:,}".replace(",", "\u202f")


def seconds(value: float | None) -> str:
    """Write a duration in the unit a person would use."""
    if value is None:
        return "–"
    if value < 120:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def known(estimate: Mapping[str, Any] | None) -> bool:
    """Say whether an estimate holds a value."""
    return bool(estimate) and "missing_reason" not in (estimate or {}) and (estimate or {}).get("value") is not None


def interval(estimate: Mapping[str, Any]) -> str:
    """Write the interval of an estimate in brackets."""
    return f"[{decimal(estimate['low'])}, {decimal(estimate['high'])}]"


def spoken(estimate: Mapping[str, Any] | None) -> str:
    """Write an estimate as value and interval, or say why it is missing; probes left out are counted."""
    if not estimate:
        return str(ENGLISH["no_estimate"])
    if not known(estimate):
        return str(ENGLISH["missing"]).format(reason=estimate.get("missing_reason", ENGLISH["no_estimate"]))
    left_out = estimate.get("missing") or 0
    return f"{decimal(estimate['value'])} {interval(estimate)}" + (f", {left_out} missing" if left_out else "")


def main_audit(verdict: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the audit whose word is the verdict: the first."""
    return next(iter(verdict["audits"]), None)


def ordered(found: Iterable[str], first: Iterable[str]) -> list[str]:
    """Return the names found, each once: those of `first` in its order, then the others as they came."""
    names = list(dict.fromkeys(found))
    return [n for n in first if n in names] + [n for n in names if n not in set(first)]


def strongest(audit: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the attack that did most on selection clusters (never on those reported), or None where none was measured.

    Candidates go first: where unrelated text is the control, its own excess is over chance and not on the others' scale.
    """
    able = [a for a in (audit or {}).get("attacks", []) if known(a["excess"])]
    return max([a for a in able if a["candidate"]] or able, key=_on_selection, default=None)


def _on_selection(attack: Mapping[str, Any]) -> float:
    value = (chosen_step(attack) or {}).get("selection")
    return float("-inf") if value is None else float(value)


def chosen_step(attack: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the row of the step an attack is judged at."""
    return next((row for row in attack["steps"] if row["step"] == attack["chosen"]), None)


def flag_groups(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the flags by name: one raised for several audits keeps all its sentences and one paragraph."""
    groups: dict[str, dict[str, Any]] = {}
    for flag in verdict["flags"]:
        group = groups.setdefault(flag["name"], {**flag, "all": []})
        group["all"].append(flag["says"])
    return sorted(groups.values(), key=lambda group: group["severity"] != "blocks_pass")


def outward(value: float) -> float:
    """Round away from 0 to a multiple of 0.2, the ticks of every axis; what lies on a tick stays there."""
    ticks = math.ceil(abs(value) / 0.2 - 1e-9)
    return round(math.copysign(ticks * 0.2, value), 1) if ticks else 0.0


def threshold(verdict: Mapping[str, Any]) -> float | None:
    """Return delta, the excess the rule fails from, or None where the verdict does not say it."""
    value = (verdict.get("rule") or {}).get("delta")
    return float(value) if value is not None else None
