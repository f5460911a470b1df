"""The case of a run: one that depends on what a model knows asks it, once, and keeps the answer with the run."""

from __future__ import annotations

import json
from typing import Any

from vestige.desk import metrics
from vestige.errors import PlanError, RunError
from vestige.lab.cell import Outcome, Question, Task
from vestige.plan import Plan
from vestige.progress import Progress
from vestige.recording import Recorder
from vestige.records import Answer, Case
from vestige.workers import Job, Pool, outcome_of


def case_of_run(plan: Plan, recorder: Recorder, pool: Pool, progress: Progress) -> Case:
    """Make the case; one that depends on what a model knows is screened first."""
    made = plan.case.made
    if not hasattr(made, "screen"):
        return made()  # type: ignore[no-any-return]
    found = [line["body"] for line in recorder.ledger.lines if line["body"].get("name") == "screen"]
    if not found:
        progress.note(f"asking {plan.models.name} what it knows")
        found = [_screen(plan, recorder, pool)]
    text = recorder.blobs.get(found[0]["known"])
    if text is None:
        raise RunError("what the screening found was shredded; this run cannot be continued")
    return made.after_screening(tuple(json.loads(text)))  # type: ignore[no-any-return]


def _screen(plan: Plan, recorder: Recorder, pool: Pool) -> dict[str, Any]:
    made = plan.case.made
    kind = getattr(made, "screen_kind", "greedy")
    task = Task(None, {}, 0, (Question("end", kind, made.screen()),), plan.ask.max_new, plan.ask.precision)
    return _note_screened(made, outcome_of(pool, Job("screen", task, _screened(plan), None, plan.models.device, None)), recorder)


def _screened(plan: Plan) -> str:
    """Return the model that a case is screened on: the original, or a never-exposed one where nothing may be known yet."""
    models = plan.models
    if not hasattr(plan.case.made, "passed"):
        return models.original or models.unlearned or models.name
    start = models.twin if plan.audits_a_checkpoint else models.name
    if not start:
        raise PlanError(f"case {plan.case.name!r} is screened on a model that was never exposed; name one as model.twin")
    return start


def _note_screened(made: Any, outcome: Outcome, recorder: Recorder) -> dict[str, Any]:
    records = [r for _, _, found in outcome.records for r in found]
    if hasattr(made, "passed"):
        known, shown = list(made.passed(records)), made.shown(records)
    else:
        answers = {r.probe: r for r in records if isinstance(r, Answer)}
        known, shown = [p.cluster for p in made.screen() if metrics.says(answers[p.id].text, p.expected)], {}
    body = {"name": "screen", "asked": len(records), "count": len(known), "known": recorder.blobs.put(json.dumps(known)), **shown}
    recorder.ledger.add("measurement", body)
    recorder.commit()
    return body
