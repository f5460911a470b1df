"""Audit what someone else made: from a checkpoint and a case folder to a plan, a run and a verdict."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige import plan as plans
from vestige import runner
from vestige.cases import TABLE
from vestige.cases.source_files import located
from vestige.errors import PlanError, UsageError
from vestige.records import Case


@dataclass(frozen=True)
class Options:
    """How strict the audit is, and its seeds (only the attack's randomness varies)."""

    delta: float = 0.10
    utility_min: float | None = None
    seeds: tuple[int, ...] = (0,)


def audit(
    *,
    unlearned: str,
    case: str | Path,
    original: str | None = None,
    twin: str | None = None,
    out: str | Path = "runs/audit",
    options: Options | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Audit the model `unlearned` on a case, a folder or the id of a hub data set, and return the verdict.

    `original` is the model before the removal, `twin` one that never saw the data. Without an original the liar is
    taught from the decoy entries of the case, and utility can only be judged by `options.utility_min`.

    Raises:
        DataError: the case cannot be used; every problem is listed. ModelError, RunError: as they say.
    """
    document = plan_document(unlearned=unlearned, case=case, original=original, twin=twin, options=options or Options())
    folder = Path(out)
    resolved = plans.resolve(document)
    folder.mkdir(parents=True, exist_ok=True)
    path, text = folder / "plan.toml", as_toml(document)
    before = path.read_bytes() if path.is_file() else None
    path.write_text(text, encoding="utf-8")
    try:
        return runner.run(resolved, folder, quiet=quiet)
    except PlanError:
        if before is not None:  # the folder holds another audit: its plan stays beside it
            path.write_bytes(before)
        raise


def plan_document(*, unlearned: str, case: str | Path, original: str | None, twin: str | None, options: Options) -> dict[str, Any]:
    """Return the plan of such an audit, as a parsed TOML document.

    Raises:
        UsageError: neither an original nor decoy entries are there, so no liar can be made.
    """
    where = located(os.path.expanduser(case), Path())
    contents: Case = TABLE["folder"](path=where)()
    if original is None and not contents.decoy:
        raise UsageError(
            f"{case}: without --original the liar is taught from decoy entries, and there is no decoy.jsonl; add one "
            "(entries like the forgotten ones that were never in the data), or give --original"
        )
    model = {"unlearned": unlearned, "original": original, "twin": twin}
    document: dict[str, Any] = {
        "vestige": plans.SCHEMA,
        "name": "audit",
        "model": {k: v for k, v in model.items() if v},
        "case": {"name": "folder", "path": where},
        "liar": {
            "method": "mask",
            "lr": 1e-3,
            "steps": 72,
            "batch_size": 16,
            "bound": 3.0,
            "stop": {"below": 0.2, "every": 6},
        },
        "relearn_sets": _sets(contents),
        "attacks": [{"method": "relearn", "lr": 1e-4, "steps": 16, "batch_tokens": 160, "probe_at": [2, 4, 8, 12, 16]}],
        "rule": {"delta": options.delta},
        "seeds": {"values": list(options.seeds), "vary": ["attack"]},
    }
    if options.utility_min is not None:
        document["rule"]["utility_min"] = options.utility_min
    if original is None:
        document["teach"] = {"lr": 3e-4, "epochs": 7, "batch_size": 16}
    return document


def _sets(case: Case) -> list[dict[str, str]]:
    """Return every relearn set that the case can give."""
    sets = [{"recipe": "rtt_fold"}]
    if len({row.attribute for row in case.forget if row.attribute}) >= 2:
        sets.append({"recipe": "other_attributes"})
    return sets + [{"recipe": "source", "source": name} for name in sorted(case.sources)]


def as_toml(document: dict[str, Any]) -> str:
    """Return a plan document as TOML text."""
    lines = [f"{key} = {_value(value)}" for key, value in document.items() if not isinstance(value, dict) and not _is_tables(value)]
    for key, value in document.items():
        tables = [value] if isinstance(value, dict) else value if _is_tables(value) else []
        for table in tables:
            lines += ["", f"[{key}]" if isinstance(value, dict) else f"[[{key}]]"]
            lines += [f"{name} = {_value(inner)}" for name, inner in table.items()]
    return "\n".join(lines) + "\n"


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # what JSON escapes, TOML escapes alike
    return str(value).lower() if isinstance(value, bool) else repr(value)
