"""What a plan can choose from: every table entry with its fields, defaults, paper and first sentence."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

from vestige import plan
from vestige.lab import model_sources
from vestige.writer import Writer

_REQUIRED = "required"


def catalogue(what: str | None = None) -> dict[str, Any]:
    """Return the tables, or the one that is asked for."""
    known = plan.tables()
    settings = {"model": plan.Models, "learn": known.learn, "METHOD.stop": plan.Stop, "ask": plan.Ask, "rule": plan.Rule, "writer": Writer}
    found: dict[str, Any] = {
        "cases": _entries(known.cases),
        "relearn-sets": _entries(known.relearn_sets),
        "methods": _entries(known.methods),
        "attacks": _entries(known.attacks),
        "traces": _entries(known.traces),
        "settings": {
            f"[{name}]": _entry(kind)
            for name, kind in {**settings, "leaks": plan.Leaks, "traces": plan.Traces, "seeds": plan.Seeds, "run": plan.Run}.items()
        },
        "models": {
            name: {"about": f"{m.parameters} parameters, {m.licence}", "install": m.install} for name, m in model_sources.KNOWN.items()
        },
    }
    return {what: found[what]} if what else found


def _entries(table: Any) -> dict[str, Any]:
    return {name: _entry(kind) for name, kind in sorted(table.items())}


def _entry(kind: type) -> dict[str, Any]:
    about = (inspect.getdoc(kind) or "").splitlines()[0]
    fields = {f.name: _REQUIRED if f.default is dataclasses.MISSING else f.default for f in dataclasses.fields(kind)}
    entry: dict[str, Any] = {"about": about, "fields": fields}
    if hasattr(kind, "paper"):
        entry["paper"] = kind.paper
    return entry


def _as_toml(value: Any) -> str:
    """Return a default as it is written in a plan."""
    if value is None:
        return "(not set)"
    return "(required)" if value == _REQUIRED else json.dumps(value)


def as_text(found: dict[str, Any]) -> str:
    """Return the catalogue as lines."""
    lines = []
    for table, entries in found.items():
        lines.append(f"{table}:")
        for name, entry in entries.items():
            lines.append(f"  {name}: {entry['about']}")
            lines += [f"      {key} = {_as_toml(value)}" for key, value in entry.get("fields", {}).items()]
            lines += [f"      {key}: {entry[key]}" for key in ("paper", "install") if key in entry]
        lines.append("")
    lines.append('A folder of your own is a case too: [case] name = "folder", path = "..." (docs/own-case.md).')
    return "\n".join(lines)
