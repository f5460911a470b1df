"""The recovery curves: score by fine-tuning step, one panel a relearn set, one line an arm, with 95 % bands.

`recovery` gives the plain numbers, `draw_panel` draws one panel of them. The dashed threshold is where the
audit begins to fail: E = (subject - control) / K >= delta means subject >= control + delta * K.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from vestige.desk.report import svg
from vestige.desk.report.numbers import decimal, known, main_audit, ordered, outward, threshold
from vestige.desk.report.words import ENGLISH, role_name

Limit = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One estimate at one step; score units, 1 = certain, 0 = chance."""

    step: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Series:
    """One arm under one relearn set; `gaps` are the steps without an estimate, with the reason."""

    role: str
    points: tuple[Point, ...]
    gaps: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """One relearn set: its arms, the line above which the audit fails, and the step it is judged at.

    `banded` names the arms whose intervals are drawn: more bands than three on one another turn to mud.
    """

    set: str
    series: tuple[Series, ...]
    limit: Limit = ()
    chosen: int | None = None
    banded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recovery:
    """All panels, and the one range of scores and steps they share."""

    panels: tuple[Panel, ...]
    low: float
    high: float
    last: int

    @property
    def roles(self) -> list[str]:
        """Return the arms that appear in any panel, in the order they are drawn and explained."""
        return ordered((s.role for p in self.panels for s in p.series), svg.LOOKS)


def recovery(verdict: Mapping[str, Any]) -> Recovery:
    """Return the plain numbers of the recovery curves: forget group, primary wording, primary score."""
    score = verdict["case"]["primary"]
    rows = [row for row in verdict["levels"] if (row["group"], row["wording"], row["score"]) == ("forget", "primary", score)]
    audit = main_audit(verdict)
    judged = [a["set"] for a in audit["attacks"]] if audit else []
    sets = ordered((row["set"] for row in rows if row["set"] is not None), judged)
    panels = tuple(_panel(name, rows, audit, threshold(verdict)) for name in sets)
    return Recovery(panels, *_range(panels))


def _panel(name: str, rows: Sequence[Mapping[str, Any]], audit: Mapping[str, Any] | None, delta: float | None) -> Panel:
    here = [row for row in rows if row["set"] == name]
    rest = [row for row in rows if row["set"] is None]
    roles = ordered((row["role"] for row in [*here, *rest]), svg.LOOKS)
    series = tuple(_series(role, [*rest, *here]) for role in roles)
    control = (row["estimate"] for row in rest if audit and row["role"] == audit["control"])
    level = next((e["value"] for e in control if known(e)), None)
    chosen = next((a["chosen"] for a in (audit or {}).get("attacks", []) if a["set"] == name), None)
    banded = ("positive", *(str(audit[side]) for side in ("subject", "control") if audit))
    return Panel(name, series, _limit(audit, name, level, delta), chosen, banded)


def _series(role: str, rows: Iterable[Mapping[str, Any]]) -> Series:
    """Return one arm's points; of a step told twice the later row counts (the set's own step 0, if any)."""
    by_step = {int(row["step"]): row["estimate"] for row in rows if row["role"] == role}
    steps = sorted(by_step.items())
    points = tuple(Point(step, e["value"], e["low"], e["high"]) for step, e in steps if known(e))
    gaps = tuple((step, str((e or {}).get("missing_reason"))) for step, e in steps if not known(e))
    return Series(role, points, gaps)


def _limit(audit: Mapping[str, Any] | None, name: str, rest: float | None, delta: float | None) -> Limit:
    """Return control + delta * K by step; `rest` is the control's level before the attack.

    Without an original K is 1; where the audit has no control, its place is taken by chance, which is 0.
    """
    attack = next((a for a in (audit or {}).get("attacks", []) if a["set"] == name), None)
    if audit is None or attack is None or delta is None:
        return ()
    scale = float(audit["known"]["value"]) if known(audit["known"]) else 1.0
    chance = 0.0 if audit["control"] is None else None
    levels = {0: rest if rest is not None else chance}
    for row in attack["steps"]:
        level = row["control_level"]
        levels[row["step"]] = level["value"] if known(level) else (None if level else chance)
    return tuple((step, value + delta * scale) for step, value in sorted(levels.items()) if value is not None)


def _range(panels: Iterable[Panel]) -> tuple[float, float, int]:
    """Return the lowest and highest score to show, rounded outward to 0.2, and the last step."""
    points = [p for panel in panels for s in panel.series for p in s.points]
    low = min([0.0, *(p.low for p in points)])
    high = max([1.0, *(p.high for p in points if p.high > 1.05)])
    return outward(low), outward(high), max([1, *(p.step for p in points)])


WIDTH, HEIGHT = 400.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 12.0, 26.0, 30.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a panel's numbers fall on the paper."""

    low: float
    high: float
    last: int

    def at(self, step: float, value: float) -> svg.XY:
        """Return the point of a step and a score; scores beyond the range stay on its edge."""
        inside = min(max(value, self.low), self.high)
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / self.last
        y = TOP + (HEIGHT - TOP - BOTTOM) * (self.high - inside) / (self.high - self.low)
        return x, y


def draw_panel(panel: Panel, whole: Recovery, *, key: str, score: str) -> Markup:
    """Draw one relearn set as a standalone SVG; `key` makes its ids unique on the page."""
    title = ENGLISH["recovery_panel"].format(score=score, set=panel.set)
    return svg.picture((WIDTH, HEIGHT), (key, title, describe(panel)), panel_body(panel, whole))


def panel_body(panel: Panel, whole: Recovery) -> Markup:
    """Draw axes, threshold, bands, lines and the set's name; what matters most is drawn last."""
    frame = Frame(whole.low, whole.high, whole.last)
    name = svg.label((LEFT, 14), panel.set, anchor="start", fill=svg.INK, size=12.5)
    back = list(reversed(sorted(panel.series, key=lambda s: whole.roles.index(s.role))))
    bands = [_band(s, frame) for s in back if s.role in panel.banded]
    return Markup("").join([name, *_axes(panel, frame), *bands, _threshold(panel, frame), *(_curve(s, frame) for s in back)])


def describe(panel: Panel) -> str:
    """Say in words what a panel shows: each arm's first, last and highest level."""
    said = []
    for series in (s for s in panel.series if s.points):
        first, last, best = series.points[0], series.points[-1], max(series.points, key=lambda p: p.value)
        numbers = {"first": decimal(first.value), "last": decimal(last.value), "best": decimal(best.value)}
        steps = {"start": first.step, "end": last.step, "at": best.step}
        role = role_name(ENGLISH, series.role).capitalize()
        said.append(ENGLISH["recovery_says"].format(role=role, **numbers, **steps))
    return " ".join(said)


def _axes(panel: Panel, frame: Frame) -> list[Markup]:
    ticks = [round(frame.low + 0.2 * i, 1) for i in range(round((frame.high - frame.low) / 0.2) + 1)]
    grid = [svg.line(frame.at(0, t), frame.at(frame.last, t), stroke=_grid(t)) for t in ticks]
    names = [svg.label((LEFT - 6, frame.at(0, t)[1] + 3.5), decimal(t, 1), anchor="end") for t in ticks]
    axis = svg.label((LEFT - 10, HEIGHT - BOTTOM + 16), ENGLISH["recovery_axis"], anchor="end")
    return [*grid, *names, axis, *_step_marks(panel, frame)]


def _grid(tick: float) -> str:
    """Chance is the line that matters, so it is darker than the rest of the grid."""
    return "#8b93a0" if tick == 0 else "#e7eaee"


def _step_marks(panel: Panel, frame: Frame) -> list[Markup]:
    """Mark the steps that were probed; the chosen one always has its number, others where there is room."""
    steps = sorted({p.step for s in panel.series for p in s.points})
    shown: list[float] = [frame.at(panel.chosen, 0)[0]] if panel.chosen in steps and panel.chosen else []
    marks = []
    for step in reversed(steps):
        x = frame.at(step, 0)[0]
        chosen = step == panel.chosen
        marks.append(svg.line((x, HEIGHT - BOTTOM), (x, HEIGHT - BOTTOM + 4), stroke="#8b93a0"))
        if chosen or all(abs(x - other) > 17 for other in shown):
            shown.append(x)
            marks.append(svg.label((x, HEIGHT - BOTTOM + 16), str(step), fill=svg.INK if chosen else svg.MUTED))
        if chosen:
            marks.append(svg.line((x, TOP), (x, HEIGHT - BOTTOM), stroke="#8b93a0", dash="1 2"))
    return marks


def _runs(series: Series) -> list[tuple[Point, ...]]:
    """Cut a series at its gaps: no line is drawn across a step that has no estimate."""
    holes = [step for step, _ in series.gaps]
    runs: dict[int, list[Point]] = {}
    for point in series.points:
        runs.setdefault(sum(hole < point.step for hole in holes), []).append(point)
    return [tuple(run) for run in runs.values()]


def _band(series: Series, frame: Frame) -> Markup:
    style: svg.Style = {"fill": svg.look(series.role).colour, "fill-opacity": 0.13}
    edges = [
        [frame.at(p.step, p.high) for p in run] + [frame.at(p.step, p.low) for p in reversed(run)] for run in _runs(series) if len(run) > 1
    ]
    return Markup("").join(svg.path(edge, style, closed=True) for edge in edges)


def _threshold(panel: Panel, frame: Frame) -> Markup:
    if len(panel.limit) < 2:
        return Markup("")
    points = [frame.at(step, value) for step, value in panel.limit]
    return svg.path(points, {"fill": "none", "stroke": svg.ALARM, "stroke-width": 1.2, "stroke-dasharray": "4 3"})


def _curve(series: Series, frame: Frame) -> Markup:
    """Draw an arm; one that was asked only before the attack becomes a thin level line to compare with."""
    how = svg.look(series.role)
    style: svg.Style = {
        "fill": "none",
        "stroke": how.colour,
        "stroke-width": _weight(series.role),
    }
    if how.dash:
        style["stroke-dasharray"] = how.dash
    runs = [[frame.at(p.step, p.value) for p in run] for run in _runs(series)]
    drawn = [svg.path(run, style) for run in runs if len(run) > 1]
    if len(series.points) == 1 and series.points[0].step == 0:
        drawn = [svg.line(runs[0][0], frame.at(frame.last, series.points[0].value), stroke="#8b93a0", dash=how.dash)]
    return Markup("").join([*drawn, *(svg.marker(at, how, size=_size(series.role)) for run in runs for at in run)])


def _weight(role: str) -> float:
    return 2.4 if role == "subject" else 1.5


def _size(role: str) -> float:
    return 3.4 if role == "subject" else 2.6
