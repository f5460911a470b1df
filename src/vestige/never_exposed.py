"""The model that was never exposed to what is to be forgotten, as far as a run has one when it makes its relearn sets.

The twins of a run do not exist yet at that time: relearn sets are checked before anything is trained. So it is

- of planted facts that the plan itself teaches: the base model, before it learned anything;
- in an audit of a checkpoint: the twin, where one is given;
- otherwise Missing, with the reason: knowledge from pre-training is in every model at hand.

It is asked by a worker of the run, one thread in fp32, and each question once however many ask it: the leak check, a recipe, a covariate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from vestige.lab.cell import Outcome, Question, Task
from vestige.lab.models import LanguageModel, without_weights
from vestige.plan import Plan
from vestige.records import Case, Missing, Probe, ScoreTokens
from vestige.workers import Job

Asked = tuple[str, str, str]


def never_exposed(plan: Plan, case: Case) -> str | Missing:
    """Return the name of the never-exposed model, or why there is none."""
    if plan.audits_a_checkpoint:
        return plan.models.twin or Missing("no never-exposed model: the audit was given no twin")
    if case.knowledge != "planted":
        return Missing("no never-exposed model: the knowledge is from pre-training")
    if plan.learn is None:
        return Missing("no never-exposed model: the plan does not teach the planted facts, so its base model may hold them")
    return plan.models.name


class NeverExposed:
    """Scores answers under a never-exposed model; `carry_out` gives a job to a worker and waits for what it brings."""

    def __init__(self, model: str, plan: Plan, carry_out: Callable[[Job], Outcome]) -> None:
        """Load nothing yet; a run that asks nothing never loads it."""
        self._model, self._plan, self._carry_out = model, plan, carry_out
        self._reader: LanguageModel | None = None
        self._known: dict[Asked, ScoreTokens] = {}

    def __call__(self, probes: Sequence[Probe]) -> list[ScoreTokens]:
        """Return the scores of the probes; one that the model cannot read whole is left out."""
        new = {_key(p): p for p in probes if _key(p) not in self._known}
        fit = [replace(p, id=str(number)) for number, p in enumerate(new.values()) if self._fits(p)]
        if fit:
            task = Task(None, {}, 0, (Question("end", "choice", tuple(fit)),), self._plan.ask.max_new, "float32")
            outcome = self._carry_out(Job("never_exposed", task, self._model, None, self._plan.models.device, None))
            scored = {r.probe: r for _, _, records in outcome.records for r in records if isinstance(r, ScoreTokens)}
            self._known |= {_key(p): scored[p.id] for p in fit}
        return [replace(self._known[_key(p)], probe=p.id) for p in probes if _key(p) in self._known]

    def _fits(self, probe: Probe) -> bool:
        self._reader = self._reader or without_weights(self._model)
        head, tail = self._reader.encode(probe.prompt, probe.answer, probe.form)
        return bool(head) and bool(tail) and len(head) + len(tail) <= self._reader.context


def _key(probe: Probe) -> Asked:
    return probe.prompt, probe.answer, probe.form
