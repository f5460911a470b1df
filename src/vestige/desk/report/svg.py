"""The few SVG pieces the figures are drawn from; every name, attribute and text is escaped on the way in.

Only presentation attributes are used (no CSS, no script, no reference to anything outside), so that a figure
looks the same inside the report and alone as a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from vestige.text import terminal_safe

Attributes = Mapping[str, str | float]
Style = dict[str, str | float]
XY = tuple[float, float]

INK = "#1d2430"
MUTED = "#5a6372"
HAIR = "#d9dde3"
ALARM = "#a3260f"


@dataclass(frozen=True, slots=True)
class Look:
    """How one arm is drawn: colour, dash and marker all differ, so that no one of them has to be seen."""

    colour: str
    dash: str
    marker: str


# Okabe and Ito's hues, darkened until each has a contrast of at least 3:1 on white.
LOOKS: dict[str, Look] = {
    "subject": Look("#c2410c", "", "circle"),
    "never_exposed": Look("#0b5cad", "6 3", "square"),
    "never_exposed_2": Look("#3f8fc4", "2 3", "diamond"),
    "positive": Look("#8a3f8f", "9 3 2 3", "triangle"),
    "sham": Look("#0f766e", "4 2 1 2 1 2", "cross"),
    "broken": Look("#6b7280", "1 3", "plus"),
    "original": Look("#1d2430", "12 4", "ring"),
}
OTHER = Look("#7a5c00", "3 3", "ring")


def look(role: str) -> Look:
    """Return how a role is drawn; a role nobody foresaw gets the spare look."""
    return LOOKS.get(role, OTHER)


def tag(name: str, attributes: Attributes, *children: str) -> Markup:
    """Return one element; plain strings are escaped and their control characters shown, Markup passes."""
    pairs = Markup("").join(Markup(' {}="{}"').format(k, terminal_safe(number(v))) for k, v in attributes.items())
    inner = Markup("").join(c if isinstance(c, Markup) else escape(terminal_safe(c)) for c in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), pairs, inner)


def number(value: str | float) -> str:
    """Write a coordinate with at most two decimals, and leave text as it is."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def label(at: XY, words: str, *, anchor: str = "middle", fill: str = MUTED, size: float = 11) -> Markup:
    """Return a text at a point; `anchor` is start, middle or end."""
    place: Style = {"x": at[0], "y": at[1], "text-anchor": anchor}
    return tag("text", {**place, "fill": fill, "font-size": size}, words)


def line(start: XY, end: XY, *, stroke: str = HAIR, width: float = 1, dash: str = "") -> Markup:
    """Return a straight line."""
    ends: Style = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    dashes = {"stroke-dasharray": dash} if dash else {}
    return tag("line", {**ends, "stroke": stroke, "stroke-width": width, **dashes})


def path(points: Sequence[XY], style: Attributes, *, closed: bool = False) -> Markup:
    """Return a line through the points, or the area inside them."""
    steps = " L".join(f"{number(x)} {number(y)}" for x, y in points)
    return tag("path", {"d": f"M{steps}{' Z' if closed else ''}", **style})


def marker(at: XY, how: Look, *, size: float = 3.2) -> Markup:
    """Return a role's marker, centred on a point; it is white inside only for "ring"."""
    x, y = at
    fill: Style = {"fill": how.colour, "stroke": how.colour, "stroke-width": 1}
    if how.marker in ("circle", "ring"):
        inside = "#ffffff" if how.marker == "ring" else how.colour
        return tag("circle", {"cx": x, "cy": y, "r": size, **fill, "fill": inside, "stroke-width": 1.6})
    if how.marker in ("cross", "plus"):
        return _strokes(at, how, size)
    return path([(x + dx * size, y + dy * size) for dx, dy in _SHAPES[how.marker]], fill, closed=True)


_SHAPES: dict[str, tuple[XY, ...]] = {
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "triangle": ((0, -1.3), (1.2, 0.9), (-1.2, 0.9)),
}


def _strokes(at: XY, how: Look, size: float) -> Markup:
    x, y = at
    arms = ((1.0, 1.0), (1.0, -1.0)) if how.marker == "cross" else ((1.2, 0.0), (0.0, 1.2))
    strokes = (line((x - dx * size, y - dy * size), (x + dx * size, y + dy * size), stroke=how.colour, width=1.8) for dx, dy in arms)
    return Markup("").join(strokes)


def picture(size: XY, name: tuple[str, str, str], *children: Markup) -> Markup:
    """Return a whole SVG with its title and description; `name` is (id, title, description)."""
    key, title, about = name
    head = (tag("title", {"id": f"{key}-t"}, title), tag("desc", {"id": f"{key}-d"}, about))
    attributes: Style = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {number(size[0])} {number(size[1])}",
        "role": "img",
        "aria-labelledby": f"{key}-t {key}-d",
        "font-family": "system-ui, 'Segoe UI', 'Hiragino Sans', 'Noto Sans CJK JP', sans-serif",
    }
    return tag("svg", attributes, *head, *children)
