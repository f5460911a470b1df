"""Tune unlearning methods: every trial a cell of one run, the choice made from its ledger, a plan written for each method chosen.

Carried out by the runner, so that a tuning that was killed goes on where it was. A trial whose training came to nothing (a loss that is
no number, a layer the model does not have) is an outcome, not a gap: the runner leaves its cell open to be tried again, and once nothing
but such trials is open, the ledger is closed here. A killed worker or a full disk is no outcome of a trial: such a tuning stays open.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vestige import plan as plans
from vestige import pricing, runner
from vestige.blobs import Blobs
from vestige.checkpoint import as_toml
from vestige.desk import run_folder
from vestige.errors import RunError
from vestige.ledger import Ledger
from vestige.plan_tuning import Read, load
from vestige.session import Interrupted

# How a worker begins what the method itself had to say (`workers`): anything else is the machine's failure, not the trial's.
_OWN = ("RunError: ", "UsageError: ", "DataError: ")


def tune(
    path: Path, folder: Path | None = None, *, key_from: Path | None = None, reuse: Path | None = None, quiet: bool = False
) -> tuple[dict[str, Any], Path]:
    """Try every trial of a plan with [tune], write tuned/METHOD.toml for each method chosen; return what was chosen, and the folder.

    Raises:
        PlanError: a plan that does not fit. RunError: as for a run, or every trial of every method failed.
    """
    read = load(path)
    out = folder or Path("runs") / read.tuning.name
    try:
        result = runner.run(read.tuning, out, key_from=key_from, reuse=reuse, quiet=quiet)
    except Interrupted:
        raise
    except RunError:
        if not _closed(out, read):
            raise
        result = run_folder.judge(out)
    for method in result["methods"]:
        plan = out / "tuned" / f"{method['method']}.toml"
        if method["chosen"]:
            plan.parent.mkdir(exist_ok=True)
            plan.write_text(tuned_plan(read, method), encoding="utf-8")
        else:
            plan.unlink(missing_ok=True)
    return result, out


def _closed(folder: Path, read: Read) -> bool:
    """Close the ledger of a tuning in which nothing is open but trials that failed by themselves; return whether that was so."""
    ledger, blobs = Ledger(folder / "ledger.jsonl"), Blobs(folder)
    try:
        lines = ledger.lines
        header = next((line["body"] for line in lines if line["kind"] == "header"), None)
        done = {line["body"]["cell"] for line in lines if line["kind"] == "cell_done"}
        why = {line["body"]["cell"]: blobs.get(line["body"]["error"]) or "" for line in lines if line["kind"] == "cell_failed"}
        trials = {trial.role for trial in read.tuning.trials}
        still_open = [arm for arm in header["design"] if arm["cell"] not in done] if header else []
        own = [arm["role"] in trials and why.get(arm["cell"], "").startswith(_OWN) for arm in still_open]
        if header is None or not own or not all(own):
            return False
        ledger.add("end", {"lines": len(lines) + 1})
        ledger.commit()
    finally:
        ledger.close()
    if not read.tuning.run.keep_states:
        shutil.rmtree(folder / "states", ignore_errors=True)
    return True


def tuned_plan(read: Read, method: Mapping[str, Any]) -> str:
    """Return the plan of a method with the fields that were chosen, ready for `vestige run`."""
    document: dict[str, Any] = {key: value for key, value in read.document.items() if key != "name"}
    fields = {key: value for key, value in method["chosen"]["fields"].items() if value is not None}
    texts = zip(document["relearn_sets"], read.plan.relearn_sets, strict=True)
    whole = {
        "vestige": document.pop("vestige"),
        "name": f"{read.plan.name}-{method['method']}",
        **document,
        "case": _located(document.get("case", {}), read.plan.case.made),
        "unlearn": {"method": method["method"], **fields},
        "relearn_sets": [_located(table, text.action.made) for table, text in texts],
    }
    text = as_toml(whole)
    plans.resolve(tomllib.loads(text))
    return text


def _located(table: Mapping[str, Any], made: Any) -> dict[str, Any]:
    """Return a table whose paths are those the plan resolved: the new file lies in another folder."""
    return {key: getattr(made, key, value) if isinstance(value, str) else value for key, value in table.items()}


def priced(path: Path) -> tuple[list[dict[str, Any]], str]:
    """Return the trials of a plan with [tune], and what they would take; no weight is loaded."""
    read = load(path)
    trials = [{"method": t.method, "trial": t.number, "fields": t.action.described(), "looks": list(t.looks)} for t in read.tuning.trials]
    return trials, pricing.tree(pricing.price(read.tuning))
