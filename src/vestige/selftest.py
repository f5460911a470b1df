"""The selftest: models whose past is known are made by runs like any other, and every metric is asked whether it can tell."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vestige import plan as plans
from vestige import pricing, runner
from vestige.desk import selftest as desk
from vestige.desk.report.selftest import markdown
from vestige.errors import PlanError
from vestige.plan import Plan
from vestige.plans import text_of

_POOL = ("name", "seeds", "learn", "unlearn")


def pools(file: Path | None = None) -> dict[str, Plan]:
    """Return the plan of every pool of models, by its name; without a file those of the built-in selftest.

    Raises:
        PlanError: no [[pools]], a pool without one of its four keys, two of one name, or a plan that does not fit.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8") if file else text_of("selftest"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(f"{file}: not a plan in TOML: {error}") from error
    tables = document.pop("pools", None)
    if not isinstance(tables, list) or not tables:
        raise PlanError(f"[[pools]]: expected one table or more, each with {', '.join(_POOL)}; seen {tables!r}")
    found: dict[str, Plan] = {}
    for number, table in enumerate(tables):
        if set(table) != set(_POOL):
            raise PlanError(f"pools[{number}]: expected the keys {', '.join(_POOL)}; seen {', '.join(sorted(table)) or 'none'}")
        if table["name"] in found:
            raise PlanError(f"pools[{number}]: a second pool named {table['name']!r}")
        found[table["name"]] = _plan(document, table, file.parent if file else Path())
    return found


def _plan(document: Mapping[str, Any], pool: Mapping[str, Any], folder: Path) -> Plan:
    own = {"name": pool["name"], "learn": pool["learn"], "unlearn": pool["unlearn"], "seeds": {"values": pool["seeds"]}}
    return plans.resolve({**document, **own}, folder=folder)


def priced(file: Path | None = None) -> str:
    """Return what the runs of every pool would take; no weight is loaded."""
    return "\n\n".join(f"== {name}\n{pricing.tree(pricing.price(plan))}" for name, plan in pools(file).items())


def run(out: Path, file: Path | None = None, *, quiet: bool = False) -> dict[str, Any]:
    """Make the models of every pool in `out`, or go on with them, and write selftest.json and selftest.md; return the result."""
    made = pools(file)
    for name, plan in made.items():
        print(f"== {name} -> {out / name}", file=sys.stderr, flush=True)
        runner.run(plan, out / name, quiet=quiet)
    result = desk.selftest([out / name for name in made])
    (out / "selftest.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "selftest.md").write_text(markdown(result), encoding="utf-8")
    return result
