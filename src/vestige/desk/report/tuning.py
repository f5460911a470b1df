"""A tuning as people read it: the choices in a terminal, every point in Markdown, utility against forgetting as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from vestige.desk.report import svg
from vestige.desk.report.numbers import decimal
from vestige.desk.report.summary import table
from vestige.text import terminal_safe

HEADS = ("method", "trials", "chosen", "step", "forget", "utility", "fields")
COLUMNS, PANEL, PITCH_X, PITCH_Y = 4, 150.0, 214.0, 204.0
LEFT, TOP, WIDEST_KEY = 44.0, 56.0, 560.0
_METHOD, _FLOOR = svg.Look("#0b5cad", "", "circle"), svg.ALARM


def _number(value: Any) -> str:
    return decimal(value) if isinstance(value, int | float) else "missing"


def _fields(method: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
    names = dict.fromkeys(["steps", *method["space"]])
    return ", ".join(f"{name} {fields[name]:g}" for name in names if isinstance(fields.get(name), int | float))


def _tried(method: Mapping[str, Any]) -> str:
    failed = sum(t["outcome"] != "done" for t in method["trials"])
    return str(len(method["trials"])) + (f" ({failed} failed)" if failed else "")


def rows(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return what was chosen of each method, or why nothing was."""
    found: list[tuple[str, ...]] = []
    for method in result["methods"]:
        best = method["chosen"]
        if best is None:
            found.append((method["method"], _tried(method), "none", "", "", "", method["why_not"]))
            continue
        numbers = (str(best["trial"]), str(best["step"]), _number(best["forget"]), _number(best["utility"]))
        found.append((method["method"], _tried(method), *numbers, _fields(method, best["fields"])))
    return found


def lead(result: Mapping[str, Any]) -> str:
    """Return in one sentence by what rule and under which budget the settings were chosen."""
    budget = result["budget"]
    control = "the never-exposed model's" if result["control_is"] == "never_exposed" else "chance,"
    less = f" - {result['margin']} of margin" if result["margin"] else ""
    return (
        f"{budget['trials']} trials of each method, each asked at up to {budget['looks']} steps. Chosen: forget score on selection probes "
        f"at most {_allowed(result)} ({control} {_number(result['control'])} + {result['delta']}{less}), at the least loss of utility "
        "(the worse of retain and utility probes, as a share of the original's)."
    )


def _allowed(result: Mapping[str, Any]) -> str:
    floor = result["floor"]
    return _number(floor - result["margin"] if isinstance(floor, int | float) else floor)


def text(result: Mapping[str, Any]) -> str:
    """Return the choices as plain lines for a terminal."""
    lines = [terminal_safe(f"{result['run']} · {result['case']['name']}"), "", lead(result), "", table(HEADS, rows(result))]
    return "\n".join(lines + [f"PROBLEM  {terminal_safe(p)}" for p in result["problems"]]) + "\n"


def markdown(result: Mapping[str, Any]) -> str:
    """Return the choices, then every point of every method; a star marks the frontier."""
    parts = [f"# {result['run']}", lead(result), _table(HEADS, rows(result))]
    for method in result["methods"]:
        fields = {t["trial"]: t["fields"] for t in method["trials"]}
        heads = ("trial", "step", "forget", *(f"{group}, share" for group in result_groups(method)), "the worse", "fields")
        parts += [f"## {method['method']}", _table(heads, [_row(method, p, fields[p["trial"]]) for p in method["points"]])]
        parts += [
            f"Trial {t['trial']}: {t['outcome']} ({_fields(method, t['fields'])})." for t in method["trials"] if t["outcome"] != "done"
        ]
    return "\n\n".join(parts) + "\n"


def result_groups(method: Mapping[str, Any]) -> list[str]:
    """Return the groups whose keeping was measured."""
    return list(method["points"][0]["kept"]) if method["points"] else []


def _row(method: Mapping[str, Any], point: Mapping[str, Any], fields: Mapping[str, Any]) -> tuple[str, ...]:
    star = " *" if [point["trial"], point["step"]] in method["frontier"] else ""
    kept = [_number(value) for value in point["kept"].values()]
    said = _fields(method, {**fields, "steps": point["step"]})
    return (str(point["trial"]), str(point["step"]) + star, _number(point["forget"]), *kept, _number(point["utility"]), said)


def _table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where forget score (across) and utility (up) fall in a panel; what lies beyond stays on its edge."""

    low: float
    high: float
    top: float

    def at(self, forget: float, utility: float) -> svg.XY:
        across = (min(max(forget, self.low), self.high) - self.low) / (self.high - self.low)
        return across * PANEL, (1 - min(max(utility, 0.0), self.top) / self.top) * PANEL


def figure(result: Mapping[str, Any]) -> str:
    """Return utility against forgetting, a panel a method: every point, the frontier, the floor, and a ring round what was chosen."""
    points = [(p["forget"], p["utility"]) for m in result["methods"] for p in m["points"]]
    known = [(f, u) for f, u in points if isinstance(f, int | float) and isinstance(u, int | float)]
    frame = _Frame(min([0.0, *(f for f, _ in known)]), 1.0, max([1.0, *(u for _, u in known)]))
    count = len(result["methods"])
    size = (max(WIDEST_KEY, LEFT + PITCH_X * min(COLUMNS, count)), TOP + PITCH_Y * -(-count // COLUMNS))
    about = "; ".join(f"{row[0]}: {row[4]} forget, {row[5]} utility" if row[4] else f"{row[0]}: {row[6]}" for row in rows(result))
    key = "across: forget score, up: utility kept; line: frontier; ring: chosen; upright: floor"
    key += f", dotted: {result['margin']:g} below it" if result.get("margin") else ""
    paper = svg.tag("rect", {"width": size[0], "height": size[1], "fill": "#ffffff"})
    panels = [_panel(method, _uprights(result), frame, number) for number, method in enumerate(result["methods"])]
    return str(
        svg.picture(size, ("tuning", "Utility against forgetting", about), paper, svg.label((LEFT, 20), key, anchor="start"), *panels)
    )


def _uprights(result: Mapping[str, Any]) -> dict[str, float]:
    """Return where the floor stands, and what is asked with a margin, by the dashes each is drawn with."""
    floor, margin = result["floor"], result.get("margin")
    if not isinstance(floor, int | float):
        return {}
    return {"4 3": floor, **({"1 3": floor - margin} if margin else {})}


def _panel(method: Mapping[str, Any], uprights: Mapping[str, float], frame: _Frame, number: int) -> Markup:
    place = {"transform": f"translate({svg.number(LEFT + PITCH_X * (number % COLUMNS))} {svg.number(TOP + PITCH_Y * (number // COLUMNS))})"}
    drawn = [svg.label((0, -8), method["method"], anchor="start", fill=svg.INK, size=12.5), *_axes(frame)]
    drawn += [svg.line(frame.at(x, 0), frame.at(x, frame.top), stroke=_FLOOR, dash=dash) for dash, x in uprights.items()]
    spots = {(p["trial"], p["step"]): (p["forget"], p["utility"]) for p in method["points"]}
    known = {at: xy for at, xy in spots.items() if all(isinstance(v, int | float) for v in xy)}
    line = [frame.at(*known[trial, step]) for trial, step in method["frontier"]]
    if len(line) > 1:
        drawn.append(svg.path(line, {"fill": "none", "stroke": _METHOD.colour, "stroke-width": 1.5}))
    drawn += [svg.marker(frame.at(*xy), _METHOD, size=2.6) for xy in known.values()]
    if method["chosen"]:
        x, y = frame.at(method["chosen"]["forget"], method["chosen"]["utility"])
        drawn.append(svg.tag("circle", {"cx": x, "cy": y, "r": 6, "fill": "none", "stroke": svg.INK, "stroke-width": 1.4}))
    return svg.tag("g", place, *drawn)


def _axes(frame: _Frame) -> list[Markup]:
    corner = frame.at(frame.low, 0)
    drawn = [svg.line(corner, frame.at(frame.high, 0)), svg.line(corner, frame.at(frame.low, frame.top))]
    for value in (0.0, 0.5, 1.0):
        x, y = frame.at(value, 0)[0], frame.at(frame.low, value)[1]
        drawn += [svg.label((x, PANEL + 14), decimal(value, 1), size=10), svg.label((-6, y + 3), decimal(value, 1), anchor="end", size=10)]
    return drawn
