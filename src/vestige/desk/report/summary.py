"""The verdict in a terminal: the claim, what the controls did, and what came back under each relearn set."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from vestige.desk.report.numbers import chosen_step, flag_groups, main_audit, spoken
from vestige.desk.report.words import ENGLISH, reasons_say
from vestige.text import terminal_safe

WIDTH = 96


def summary(verdict: Mapping[str, Any]) -> str:
    """Return the verdict as plain lines: no colour, no control characters, at most about 100 columns."""
    word = _word(verdict)
    head = f"{word}  {verdict['case']['name']} · {verdict['run']}"
    claim = textwrap.fill(terminal_safe(verdict["claim"]), WIDTH, initial_indent="  ", subsequent_indent="  ")
    parts = [
        terminal_safe(head),
        claim + _because(verdict),
        _audits(verdict),
        _sets(verdict),
        _flags(verdict),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _short(reasons: Sequence[str]) -> str:
    """Return the first reasons by name, and how many more there are."""
    more = len(reasons) - 3
    return ", ".join(reasons[:3]) + (f", +{more}" if more > 0 else "")


def _because(verdict: Mapping[str, Any]) -> str:
    said = "; ".join(reasons_say(ENGLISH, verdict["verdict"], verdict["reasons"]))
    line = f"{ENGLISH['because']}: {terminal_safe(said)}."
    return "\n" + textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="  ") if said else ""


def _word(judged: Mapping[str, Any]) -> str:
    return str(judged["verdict"]) + (f" ({ENGLISH['provisional']})" if judged["provisional"] else "")


def _audits(verdict: Mapping[str, Any]) -> str:
    rows = [(a["name"], _word(a), _short(a["reasons"])) for a in verdict["audits"]]
    return table(ENGLISH["summary_audits"], rows) if rows else ""


def _sets(verdict: Mapping[str, Any]) -> str:
    """Return the main audit's table: before any attack, then each relearn set at its chosen step."""
    audit = main_audit(verdict)
    if audit is None:
        return ""
    rows = [(ENGLISH["no_attack"], "0", "", "", spoken(audit["residual"]))]
    for attack in audit["attacks"]:
        row = chosen_step(attack) or {}
        by_chance = audit["control"] is None and row.get("control_level") is None
        control = ENGLISH["chance"] if by_chance else spoken(row.get("control_level"))
        levels = spoken(row.get("level")), control
        rows.append((attack["set"], _step(attack["chosen"]), *levels, spoken(attack["excess"])))
    return table(ENGLISH["summary_sets"], rows)


def _step(chosen: int | None) -> str:
    return "–" if chosen is None else str(chosen)


def _flags(verdict: Mapping[str, Any]) -> str:
    said = []
    for flag in flag_groups(verdict):
        more = len(flag["all"]) - 1
        said.append(f"  ! {flag['name']}: {flag['says']}" + (" " + ENGLISH["more"].format(n=more) if more else ""))
    return "\n".join(textwrap.fill(terminal_safe(line), WIDTH, subsequent_indent="    ") for line in said)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under their heads, columns padded to the widest cell as a terminal counts width."""
    shown = [[terminal_safe(cell).replace("\n", " ") for cell in row] for row in [heads, *rows]]
    widths = [max(columns(row[i]) for row in shown) for i in range(len(heads))]
    lines = ["  " + "  ".join(cell + " " * (w - columns(cell)) for cell, w in zip(row, widths, strict=True)) for row in shown]
    rule = "  " + "  ".join("-" * w for w in widths)
    return "\n".join(line.rstrip() for line in [lines[0], rule, *lines[1:]])


def columns(text: str) -> int:
    """Return how many terminal columns a text takes: East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text if not unicodedata.combining(c))
