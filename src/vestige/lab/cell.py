"""Carry out one cell: put a model into its starting state, act on it, ask it on the way, report what was seen."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vestige.lab import probes
from vestige.lab.models import LanguageModel, Precision
from vestige.lab.tracing import Beside, Material, Reading, Rest, StateTrace, Trace
from vestige.lab.train import Spent
from vestige.records import Missing, Probe, Record, Row

Score = Callable[[Sequence[Record]], float]
Step = int | str


@dataclass(frozen=True)
class Question:
    """Probes to ask at a step, by "choice" or by "greedy" completion."""

    step: Step
    kind: str
    probes: tuple[Probe, ...]


@dataclass(frozen=True)
class Task:
    """A cell as the lab sees it: `max_steps` overrides the action's own number of steps.

    Before it acts, `traces` look at `materials`; a cell that only looks into a state has `looks` at it, on `rest`.
    """

    action: Any
    data: Mapping[str, tuple[Row, ...]]
    seed: int
    questions: tuple[Question, ...]
    max_new: int
    precision: Precision
    max_steps: int | None = None
    stop_below: float | None = None
    stop_every: int = 1
    stop_probes: tuple[Probe, ...] = ()
    traces: tuple[tuple[str, Trace], ...] = ()
    materials: tuple[Material, ...] = ()
    looks: tuple[tuple[str, StateTrace], ...] = ()
    rest: Rest | None = None


@dataclass
class Outcome:
    """What a cell gave: records by (step, kind), what it cost, who the model is at the end, the traces of each material, the readings."""

    records: list[tuple[Step, str, list[Record]]] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)
    seconds: float = 0.0
    state: str = ""
    weights: str = ""
    stop_scores: list[tuple[int, float]] = field(default_factory=list)
    traces: list[dict[str, float | Missing]] = field(default_factory=list)
    readings: dict[str, dict[str, Reading]] = field(default_factory=dict)


def carry_out(lm: LanguageModel, task: Task, *, score: Score, say: Callable[[int, int, float | None], None]) -> Outcome:
    """Act on `lm` in place and return the outcome; `say(step, of, score)` hears of progress."""
    started = time.monotonic()
    outcome = Outcome()
    traced = {material: {name: trace(lm, material) for name, trace in task.traces} for material in dict.fromkeys(task.materials)}
    outcome.traces = [traced[material] for material in task.materials]
    if task.rest is not None:
        beside = Beside(lm, task.rest)
        outcome.readings = {name: dict(trace(lm, beside)) for name, trace in task.looks}
    if task.action is not None:
        action = task.action if task.max_steps is None else dataclasses.replace(task.action, steps=task.max_steps)
        total = action.steps_for(task.data) if hasattr(action, "steps_for") else action.steps
        last: float | None = None if task.stop_below is None else _stop_score(lm, task, outcome, 0, score)

        def on_step(step: int) -> bool:
            nonlocal last
            _answer(lm, task, outcome, step)
            looked = task.stop_below is not None and step % task.stop_every == 0
            if looked:
                last = _stop_score(lm, task, outcome, step, score)
            say(step, total, last)
            return looked and last is not None and task.stop_below is not None and last <= task.stop_below

        outcome.spent = action(lm, task.data, seed=task.seed, on_step=on_step)
    _answer(lm, task, outcome, "end")
    outcome.weights = lm.weights_digest()
    outcome.state = lm.digest()
    outcome.seconds = time.monotonic() - started
    return outcome


def _answer(lm: LanguageModel, task: Task, outcome: Outcome, step: Step) -> None:
    for question in task.questions:
        if question.step == step:
            outcome.records.append((step, question.kind, ask(lm, question, task)))


def ask(lm: LanguageModel, question: Question, task: Task) -> list[Record]:
    """Return one record per probe."""
    if question.kind == "choice":
        return list(probes.score_candidates(lm, question.probes, precision=task.precision))
    return list(probes.greedy(lm, question.probes, max_new=task.max_new, precision=task.precision))


def _stop_score(lm: LanguageModel, task: Task, outcome: Outcome, step: int, score: Score) -> float:
    value = score(probes.score_candidates(lm, task.stop_probes, precision=task.precision))
    outcome.stop_scores.append((step, value))
    return value
