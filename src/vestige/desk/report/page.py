"""report.html: one self-contained file without script, escaped throughout, masked unless revealed.

What a model said is hostile text (law 12): autoescape is on for every value, an unknown name is an error,
control and bidirectional characters are shown as code points, and the page's own policy forbids it to load
anything.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vestige.desk.report import figure, forest, numbers, svg
from vestige.desk.report.curves import draw_panel, recovery
from vestige.desk.report.sections import (
    answers,
    arm_groups,
    as_expected,
    cost_rows,
    facts,
    level_rows,
    level_table,
    settings,
)
from vestige.desk.report.texts import ReportTexts
from vestige.desk.report.words import ENGLISH, legend_name, reasons_say, role_name
from vestige.text import terminal_safe

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(verdict: Mapping[str, Any], evidence: ReportTexts, *, reveal: bool = False) -> str:
    """Return report.html; with `reveal` the texts to be forgotten are readable in it."""
    page = _environment().get_template("report.html.j2")
    return page.render(policy=POLICY, v=verdict, w=ENGLISH, reveal=reveal, **_parts(verdict, evidence, reveal))


@functools.cache
def _environment() -> Environment:
    loader = PackageLoader("vestige.desk.report", "templates")
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(_filters())
    return made


def _shown(value: object) -> object:
    """Show the control and bidirectional characters of any text, and None as a dash; drawings are safe."""
    if value is None:
        return "–"
    return terminal_safe(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _filters() -> dict[str, Any]:
    return {
        "estimate": _unbroken,
        "decimal": numbers.decimal,
        "compact": numbers.compact,
        "thousands": numbers.thousands,
        "seconds": numbers.seconds,
        "role": lambda role: role_name(ENGLISH, role),
        "why": lambda judged: reasons_say(ENGLISH, judged["verdict"], judged["reasons"]),
        "legend": lambda role: legend_name(ENGLISH, role),
        "key": lambda role: _key(figure.draw_key(role)),
    }


def _unbroken(estimate: Mapping[str, Any] | None) -> str:
    """Return an estimate in words whose interval does not break over two lines."""
    said = numbers.spoken(estimate)
    return said.replace(", ", ",\u00a0", 1) if numbers.known(estimate) else said


def _key(sample: Markup) -> Markup:
    """Return a legend's sample as a small picture that readers skip, since its name follows in words."""
    return svg.tag("svg", {"width": 34.0, "height": 16.0, "class": "key", "aria-hidden": "true"}, sample)


def _parts(verdict: Mapping[str, Any], evidence: ReportTexts, reveal: bool) -> dict[str, Any]:
    whole = recovery(verdict)
    audit = numbers.main_audit(verdict)
    score = ENGLISH["score"].get(verdict["case"]["primary"], verdict["case"]["primary"])
    drawn = [draw_panel(p, whole, key=f"recovery-{i}", score=score) for i, p in enumerate(whole.panels)]
    return {
        "score": score,
        "recovery": whole,
        "panels": drawn,
        "limit_key": _key(figure.draw_limit_key()),
        "chosen_key": _key(figure.draw_chosen_key()),
        "level_tables": [level_table(panel) for panel in whole.panels],
        "audit": audit,
        "forests": {a["name"]: _forest(verdict, a) for a in verdict["audits"]},
        "expected": {a["name"]: as_expected(a) for a in verdict["audits"]},
        "flags": numbers.flag_groups(verdict),
        "facts": facts(verdict, evidence),
        "levels": level_rows(verdict),
        "arms": arm_groups(verdict),
        "costs": cost_rows(evidence),
        "after": evidence.after,
        "answers": answers(evidence, reveal=reveal),
        "settings": settings(evidence, reveal=reveal),
    }


def _forest(verdict: Mapping[str, Any], audit: Mapping[str, Any]) -> dict[str, Any]:
    whole = forest.forest(verdict, audit)
    return {
        "scale": forest.draw_scale(whole),
        "rows": [(r, forest.draw_interval(r, whole)) for r in whole.rows],
    }
