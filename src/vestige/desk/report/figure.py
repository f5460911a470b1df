"""One picture for a README: the recovery curves of a verdict as a standalone SVG file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from vestige.desk.report import svg
from vestige.desk.report.curves import HEIGHT, WIDTH, Recovery, describe, panel_body, recovery
from vestige.desk.report.words import ENGLISH, legend_name

COLUMNS = 2
PITCH = WIDTH + 16
LEFT_EDGE = 34.0
KEY_ROW = 22.0


def draw_key(role: str) -> Markup:
    """Draw a legend's sample of one arm: its line and its marker, 34 units wide."""
    how = svg.look(role)
    stroke = svg.line((1, 8), (33, 8), stroke=how.colour, width=2.4 if role == "subject" else 1.5, dash=how.dash)
    return stroke + svg.marker((17, 8), how)


def draw_limit_key() -> Markup:
    """Draw a legend's sample of the threshold."""
    return svg.line((1, 8), (33, 8), stroke=svg.ALARM, width=1.2, dash="4 3")


def draw_chosen_key() -> Markup:
    """Draw a legend's sample of the upright that marks the chosen step."""
    return svg.line((17, 0), (17, 16), stroke="#8b93a0", dash="1 2")


def readme_figure(verdict: Mapping[str, Any]) -> str:
    """Return the recovery curves with their legend as one SVG on white, readable without the report."""
    whole = recovery(verdict)
    keys = [(draw_key(role), legend_name(ENGLISH, role)) for role in whole.roles]
    keys += [(draw_limit_key(), ENGLISH["recovery_limit"])] if any(p.limit for p in whole.panels) else []
    keys += [(draw_chosen_key(), ENGLISH["recovery_chosen"])] if any(p.chosen for p in whole.panels) else []
    rows = -(-len(whole.panels) // COLUMNS)
    top = 16 + KEY_ROW * -(-len(keys) // COLUMNS)
    size = (PITCH * COLUMNS, top + rows * HEIGHT + 8)
    paper = svg.tag("rect", {"width": size[0], "height": size[1], "fill": "#ffffff"})
    name = ("vestige", ENGLISH["recovery"], _about(whole))
    return str(svg.picture(size, name, paper, *_legend(keys), *_panels(whole, top)))


def _about(whole: Recovery) -> str:
    return " ".join(f"{panel.set}: {describe(panel)}" for panel in whole.panels)


def _legend(keys: list[tuple[Markup, str]]) -> list[Markup]:
    drawn = []
    for i, (sample, words) in enumerate(keys):
        x, y = LEFT_EDGE + PITCH * (i % COLUMNS), 14 + KEY_ROW * (i // COLUMNS)
        place = {"transform": f"translate({svg.number(x)} {svg.number(y)})"}
        drawn.append(svg.tag("g", place, sample, svg.label((42, 12), words, anchor="start", fill=svg.INK, size=12)))
    return drawn


def _panels(whole: Recovery, top: float) -> list[Markup]:
    drawn = []
    for i, panel in enumerate(whole.panels):
        x, y = 4 + PITCH * (i % COLUMNS), top + HEIGHT * (i // COLUMNS)
        place = {"transform": f"translate({svg.number(x)} {svg.number(y)})"}
        drawn.append(svg.tag("g", place, panel_body(panel, whole)))
    return drawn
