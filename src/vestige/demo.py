"""The demonstration: both built-in cases on a real language model, and whether they came out as they should."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vestige import plan as plans
from vestige import runner
from vestige.desk import results
from vestige.desk.report import summary
from vestige.plans import text_of

CASES = ("capitals", "customers")


def run(seeds: tuple[int, ...], out: Path, *, model: str | None = None, quiet: bool = False) -> int:
    """Run both cases in `out`, print the verdicts and the results table; return 0 if all came out as they should."""
    verdicts = {}
    for name in CASES:
        document: dict[str, Any] = tomllib.loads(text_of(name))
        document["seeds"]["values"] = list(seeds)
        if model:
            document["model"]["name"] = model
        folder = out / f"{name}-seeds-{'-'.join(map(str, seeds))}"
        print(f"== {name}, seeds {', '.join(map(str, seeds))} -> {folder}", file=sys.stderr, flush=True)
        verdicts[name] = runner.run(plans.resolve(document), folder, quiet=quiet)
        print(summary(verdicts[name]))
        for line in results.weights(folder):
            print(line)
        print(f"report: {folder / 'report.html'}\n", flush=True)
    table = results.markdown({name: out / f"{name}-seeds-{'-'.join(map(str, seeds))}" for name in CASES})
    print(table)
    (out / "results.md").write_text(table, encoding="utf-8")
    wrong = [line for name in CASES for line in unexpected(name, verdicts[name])]
    for line in wrong:
        print(f"NOT AS EXPECTED: {line}")
    print("Both cases came out as they should." if not wrong else f"{len(wrong)} outcomes are not as expected.")
    return 0 if not wrong else 1


def unexpected(name: str, verdict: Mapping[str, Any]) -> list[str]:
    """Return what did not come out as the case should."""
    audits = {a["name"]: a for a in verdict["audits"]}
    found = []

    def expect(audit: str, word: str, reason: str | None = None) -> None:
        seen = audits[audit]
        if seen["verdict"] != word or (reason and reason not in seen["reasons"]):
            wanted = word + (f" as {reason}" if reason else "")
            found.append(f"{name}: {audit} is {seen['verdict']} ({', '.join(seen['reasons'])}), expected {wanted}")

    if name == "capitals":
        expect("unlearned", "FAIL", "revived")
        return found
    expect("unlearned", "FAIL")
    expect("twin", "PASS")
    expect("liar", "FAIL", "revived")
    if not any(f["name"] == "utility_collapsed" and f["says"].startswith("broken") for f in verdict["flags"]):
        found.append(f"{name}: the broken model was not flagged as utility_collapsed")
    return found
