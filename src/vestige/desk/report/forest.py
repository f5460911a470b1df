"""The forest of excesses: E with its interval, one row an attack at its chosen step, and one row at t = 0.

`forest` gives the plain numbers, `draw_interval` one row's picture and `draw_scale` the axis; the rows stand
in a table, so the numbers are text. Places are percentages, so a row fits any width without distortion.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from vestige.desk.report import svg
from vestige.desk.report.numbers import decimal, known, outward, spoken, threshold
from vestige.desk.report.words import ENGLISH

HARMLESS = ("outcome_clear", "outcome_open")


@dataclass(frozen=True, slots=True)
class Row:
    """One excess; `estimate` is as in verdict.json, `outcome` a key of the fixed sentences."""

    name: str
    step: int | None
    estimate: Mapping[str, Any]
    adjusted_low: float | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Forest:
    """All rows of an audit, the threshold, and the range of E they share."""

    rows: tuple[Row, ...]
    delta: float | None
    low: float
    high: float


def forest(verdict: Mapping[str, Any], audit: Mapping[str, Any]) -> Forest:
    """Return one audit's plain numbers: no attack first, then every attack at its chosen step."""
    delta = threshold(verdict)
    names = {a["attack"] for a in audit["attacks"]}
    rows = [Row(ENGLISH["no_attack"], 0, audit["residual"], None, _at_rest(audit))]
    for attack in audit["attacks"]:
        name = attack["set"] if len(names) == 1 else f"{attack['attack']} · {attack['set']}"
        outcome = _outcome(audit, attack)
        rows.append(Row(name, attack["chosen"], attack["excess"], attack["adjusted_low"], outcome))
    return Forest(tuple(rows), delta, *_range(rows, delta))


def _at_rest(audit: Mapping[str, Any]) -> str:
    """Say what the row at t = 0 means; whether it failed stands among the reasons of a FAIL."""
    if audit["verdict"] == "FAIL" and "residual" in audit["reasons"]:
        return "outcome_residual"
    return _clear(audit, "residual")


def _outcome(audit: Mapping[str, Any], attack: Mapping[str, Any]) -> str:
    if attack["fails"]:
        return "outcome_revived" if attack["revived"] else "outcome_fails"
    return _clear(audit, f"{attack['set']}@{attack['chosen']}")


def _clear(audit: Mapping[str, Any], clause: str) -> str:
    """Say whether the upper bound is below delta: the clause knows (without a control it reads the level)."""
    held = next((c["holds"] for c in audit["clauses"] if c["name"] == clause), None)
    return "outcome_clear" if held else "outcome_open"


def _range(rows: Iterable[Row], delta: float | None) -> tuple[float, float]:
    """Return a range of E that holds every interval, 0 and delta, rounded outward to 0.2."""
    able = [r.estimate for r in rows if known(r.estimate)]
    low = min([0.0, *(e["low"] for e in able)])
    high = max([delta or 0.0, 0.6, *(e["high"] for e in able)])
    return outward(low) or -0.1, outward(high)


def _place(value: float, whole: Forest) -> str:
    """Return where a value of E falls, as a percentage of the row's width (2 % is kept free at both ends)."""
    share = (min(max(value, whole.low), whole.high) - whole.low) / (whole.high - whole.low)
    return f"{2 + 96 * share:.2f}%"


def draw_interval(row: Row, whole: Forest) -> Markup:
    """Draw one row: the line of 0, the dashed line of delta, the interval and its value."""
    about = ENGLISH["excess_row"].format(name=row.name, value=spoken(row.estimate), delta=decimal(whole.delta))
    guides = [_upright(0.0, whole, svg.MUTED, "")]
    guides += [] if whole.delta is None else [_upright(whole.delta, whole, svg.ALARM, "4 3")]
    return _strip(26, about, *guides, *(_whisker(row, whole) if known(row.estimate) else []))


def _whisker(row: Row, whole: Forest) -> list[Markup]:
    estimate, colour = row.estimate, svg.INK if row.outcome in HARMLESS else svg.LOOKS["subject"].colour
    low, high, value = (_place(estimate[name], whole) for name in ("low", "high", "value"))
    ends: svg.Style = {"y1": 13.0, "y2": 13.0, "stroke": colour, "stroke-width": 2.0}
    dot: svg.Style = {"cx": value, "cy": 13.0, "r": 5.0, "fill": colour}
    return [svg.tag("line", {"x1": low, "x2": high, **ends}), svg.tag("circle", dot)]


def _upright(value: float, whole: Forest, colour: str, dash: str) -> Markup:
    x = _place(value, whole)
    dashes = {"stroke-dasharray": dash} if dash else {}
    ends: svg.Style = {"x1": x, "x2": x, "y1": 0.0, "y2": 26.0, "stroke": colour, "stroke-width": 1.0}
    return svg.tag("line", {**ends, **dashes})


def draw_scale(whole: Forest) -> Markup:
    """Draw the axis that stands over the rows: multiples of 0.2, and delta by name."""
    marks = [_tick(t, whole) for t in _ticks(whole)]
    if whole.delta is not None:
        marks.append(_tick(whole.delta, whole, f"δ {decimal(whole.delta)}", svg.ALARM))
    return _strip(18, "", *marks)


def _ticks(whole: Forest) -> list[float]:
    """Return the multiples of 0.2 in range (of 0.4 and more where it is long), but none where delta has its name.

    Where the original knew next to nothing, E is a number without bounds: there are never more than nine ticks.
    """
    length = whole.high - whole.low
    every = 1 if length < 1.1 else max(2, math.ceil(length / 1.6))
    first, last = math.ceil(whole.low / 0.2 - 1e-9), math.floor(whole.high / 0.2 + 1e-9)
    ticks = [round(i * 0.2, 1) for i in range(math.ceil(first / every) * every, last + 1, every)]
    return [t for t in ticks if whole.delta is None or abs(t - whole.delta) > 0.09 * every]


def _tick(value: float, whole: Forest, words: str = "", colour: str = svg.MUTED) -> Markup:
    place: svg.Style = {
        "x": _place(value, whole),
        "y": 13.0,
        "text-anchor": "middle",
        "font-size": 11.0,
        "fill": colour,
    }
    return svg.tag("text", place, words or decimal(value, 1))


def _strip(height: float, about: str, *children: Markup) -> Markup:
    """Return a strip as wide as its cell; the axis has no description and is hidden from readers."""
    spoken_or_hidden = {"role": "img", "aria-label": about} if about else {"aria-hidden": "true"}
    size: svg.Style = {"width": "100%", "height": height, "class": "strip", **spoken_or_hidden}
    inside = (svg.tag("title", {}, about), *children) if about else children
    return svg.tag("svg", size, *inside)
