"""A cell carried out: asked at the right steps, stopped by its rule, counted, and named at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from vestige.cases.customers import Customers
from vestige.lab import cell, models, probes
from vestige.lab.attacks.relearn import Relearn
from vestige.lab.cell import Outcome, Question, Task
from vestige.lab.learn import Learn
from vestige.lab.models import LanguageModel
from vestige.lab.unlearn.gradient_ascent import GradientAscent
from vestige.lab.unlearn.noise import Noise
from vestige.records import Answer, Record, ScoreTokens

torch.set_num_threads(1)
CASE = Customers()()
FORGET = CASE.asked("forget")
ASCENT = GradientAscent(lr=1e-3, steps=6, batch_size=4, precision="float32")
DATA = {"forget": CASE.forget[:8]}


@pytest.fixture
def lm(model: Path) -> LanguageModel:
    return models.load(str(model))


def task(action: Any = ASCENT, questions: Sequence[Question] = (), **more: Any) -> Task:
    return Task(action, {**DATA, "train": CASE.forget[:8], "relearn": CASE.forget[:8]}, 0, tuple(questions), 4, "float32", **more)


def unscored(_records: Sequence[Record]) -> float:
    raise AssertionError("nobody asked for a score")


def quiet(_step: int, _of: int, _score: float | None) -> None:
    pass


class Falling:
    """A score that gives the numbers it was given, one after another, and remembers who was asked."""

    def __init__(self, *values: float) -> None:
        self.values, self.heard = list(values), []  # type: ignore[var-annotated]

    def __call__(self, records: Sequence[Record]) -> float:
        self.heard.append([r.probe for r in records])
        return self.values[len(self.heard) - 1]


def when(outcome: Outcome) -> list[tuple[int | str, str]]:
    return [(step, kind) for step, kind, _ in outcome.records]


# --- asking ---


def test_every_question_is_asked_at_its_step_and_at_no_other(lm: LanguageModel) -> None:
    asked = [
        Question("end", "choice", FORGET[:3]),
        Question(2, "choice", FORGET[:2]),
        Question(5, "greedy", FORGET[2:4]),
        Question(5, "choice", FORGET[4:5]),
        Question(6, "greedy", FORGET[:1]),
    ]
    outcome = cell.carry_out(lm, task(questions=asked), score=unscored, say=quiet)
    assert when(outcome) == [(2, "choice"), (5, "greedy"), (5, "choice"), (6, "greedy"), ("end", "choice")]
    by_place = {(step, kind): records for step, kind, records in outcome.records}
    for question in asked:
        records = by_place[question.step, question.kind]
        assert [r.probe for r in records] == [p.id for p in question.probes]
        assert {type(r) for r in records} == {ScoreTokens if question.kind == "choice" else Answer}


def test_what_is_heard_at_a_step_is_what_a_training_of_so_many_steps_says(model: Path) -> None:
    for step in (1, 4):
        long, short = models.load(str(model)), models.load(str(model))
        on_the_way = cell.carry_out(long, task(questions=[Question(step, "choice", FORGET[:4])]), score=unscored, say=quiet)
        at_the_end = cell.carry_out(
            short, task(questions=[Question("end", "choice", FORGET[:4])], max_steps=step), score=unscored, say=quiet
        )
        assert on_the_way.records[0][2] == at_the_end.records[0][2]


def test_the_last_step_and_the_end_say_the_same(lm: LanguageModel) -> None:
    both = [Question(6, "choice", FORGET[:4]), Question("end", "choice", FORGET[:4])]
    outcome = cell.carry_out(lm, task(questions=both), score=unscored, say=quiet)
    assert outcome.records[0][2] == outcome.records[1][2]


def test_a_step_that_is_never_reached_is_never_asked(lm: LanguageModel) -> None:
    outcome = cell.carry_out(lm, task(questions=[Question(7, "choice", FORGET[:2])]), score=unscored, say=quiet)
    assert outcome.records == []


def test_a_cell_without_an_action_only_asks(lm: LanguageModel) -> None:
    before = lm.digest()
    asked = [Question("end", "choice", FORGET[:2]), Question(1, "choice", FORGET[:2])]
    outcome = cell.carry_out(lm, task(None, asked), score=unscored, say=quiet)
    assert when(outcome) == [("end", "choice")]
    assert outcome.records[0][2] == list(probes.score_candidates(lm, FORGET[:2]))
    assert outcome.state == before == lm.digest()
    assert outcome.spent.steps == outcome.spent.tokens_trained == 0
    assert outcome.stop_scores == []


def test_greedy_answers_are_at_most_as_long_as_the_task_says(lm: LanguageModel) -> None:
    outcome = cell.carry_out(lm, task(None, [Question("end", "greedy", FORGET[:3])]), score=unscored, say=quiet)
    assert outcome.records[0][2] == list(probes.greedy(lm, FORGET[:3], max_new=4))


def test_the_precision_of_asking_is_the_tasks(lm: LanguageModel) -> None:
    exact = task(None, [Question("end", "choice", FORGET[:3])])
    rough = Task(None, {}, 0, exact.questions, 4, "bfloat16")
    heard = [cell.carry_out(lm, t, score=unscored, say=quiet).records[0][2] for t in (exact, rough)]
    assert heard[1] == list(probes.score_candidates(lm, FORGET[:3], precision="bfloat16")) != heard[0]


# --- stopping ---


def test_a_stop_rule_looks_before_the_first_step_and_at_its_steps_and_stops_at_or_below_its_bound(lm: LanguageModel) -> None:
    # Looked at after steps 0, 2, 4: 0.9, 0.6, 0.3. The bound is reached exactly, at step 4 of 6.
    score = Falling(0.9, 0.6, 0.3)
    outcome = cell.carry_out(lm, task(stop_below=0.3, stop_every=2, stop_probes=FORGET[:5]), score=score, say=quiet)
    assert outcome.stop_scores == [(0, 0.9), (2, 0.6), (4, 0.3)]
    assert outcome.spent.steps == 4
    assert score.heard == [[p.id for p in FORGET[:5]]] * 3


def test_a_low_score_between_two_looks_does_not_count(lm: LanguageModel) -> None:
    score = Falling(0.9, 0.1)
    outcome = cell.carry_out(lm, task(stop_below=0.3, stop_every=5, stop_probes=FORGET[:2]), score=score, say=quiet)
    assert outcome.stop_scores == [(0, 0.9), (5, 0.1)]
    assert outcome.spent.steps == 5


def test_a_rule_that_is_never_met_lets_the_budget_run_out(lm: LanguageModel) -> None:
    outcome = cell.carry_out(lm, task(stop_below=0.1, stop_every=4, stop_probes=FORGET[:2]), score=Falling(0.9, 0.8), say=quiet)
    assert outcome.stop_scores == [(0, 0.9), (4, 0.8)]
    assert outcome.spent.steps == 6


def test_the_state_of_a_stopped_cell_is_that_of_so_many_steps(model: Path) -> None:
    stopped, short = models.load(str(model)), models.load(str(model))
    one = cell.carry_out(stopped, task(stop_below=0.5, stop_every=3, stop_probes=FORGET[:2]), score=Falling(0.9, 0.2), say=quiet)
    other = cell.carry_out(short, task(max_steps=3), score=unscored, say=quiet)
    assert one.state == other.state
    assert one.spent == other.spent


def test_the_stop_score_is_of_the_model_as_it_is_at_that_step(lm: LanguageModel) -> None:
    def true_logp(records: Sequence[Record]) -> float:
        return sum(sum(r.candidates[0].logp) for r in records if isinstance(r, ScoreTokens))

    outcome = cell.carry_out(lm, task(stop_below=-1e9, stop_every=3, stop_probes=FORGET[:8]), score=true_logp, say=quiet)
    values = [value for _, value in outcome.stop_scores]
    assert [step for step, _ in outcome.stop_scores] == [0, 3, 6]
    assert values[0] > values[1] > values[2]  # ascent makes the answers less likely
    assert values[2] == true_logp(probes.score_candidates(lm, FORGET[:8]))


@pytest.mark.parametrize("action", [ASCENT, Noise(steps=6), Relearn(steps=6, batch_tokens=40, precision="float32")])
def test_as_many_steps_as_another_cell_overrides_the_actions_own(model: Path, action: Any) -> None:
    outcomes = []
    for steps in (2, None):
        lm = models.load(str(model))
        outcomes.append(cell.carry_out(lm, task(action, max_steps=steps), score=unscored, say=quiet))
    assert [o.spent.steps for o in outcomes] == [2, 6]
    assert outcomes[0].state != outcomes[1].state
    assert action.steps == 6  # the plan's own action is untouched


def test_as_many_steps_as_a_cell_that_took_none_is_no_step(lm: LanguageModel) -> None:
    before = lm.digest()
    outcome = cell.carry_out(lm, task(max_steps=0), score=unscored, say=quiet)
    assert outcome.spent.steps == 0
    assert outcome.state == before


# --- what is reported ---


def test_progress_is_said_at_every_step_with_the_total_and_the_last_score(lm: LanguageModel) -> None:
    heard: list[tuple[int, int, float | None]] = []
    cell.carry_out(
        lm,
        task(stop_below=0.2, stop_every=2, stop_probes=FORGET[:2]),
        score=Falling(0.9, 0.7, 0.5, 0.4),
        say=lambda *said: heard.append(said),
    )
    assert heard == [(1, 6, 0.9), (2, 6, 0.7), (3, 6, 0.7), (4, 6, 0.5), (5, 6, 0.5), (6, 6, 0.4)]


@pytest.mark.parametrize(
    ("action", "steps", "total"),
    [(ASCENT, None, 6), (ASCENT, 3, 3), (Learn(epochs=2, batch_size=3, precision="float32"), None, 6)],
)
def test_the_total_that_is_said_is_the_number_of_steps(lm: LanguageModel, action: Any, steps: int | None, total: int) -> None:
    heard: list[tuple[int, int, float | None]] = []
    outcome = cell.carry_out(lm, task(action, max_steps=steps), score=unscored, say=lambda *said: heard.append(said))
    assert heard == [(n, total, None) for n in range(1, total + 1)]
    assert outcome.spent.steps == total


def test_an_outcome_names_the_model_that_was_made(model: Path, tmp_path: Path) -> None:
    lm = models.load(str(model))
    before = lm.digest()
    outcome = cell.carry_out(lm, task(), score=unscored, say=quiet)
    assert outcome.state == lm.digest() != before
    assert outcome.weights == lm.weights_digest()
    lm.save(tmp_path / "saved")
    assert models.load(str(tmp_path / "saved")).digest() == outcome.state


def test_a_cell_carried_out_twice_gives_the_same_records_and_state(model: Path) -> None:
    asked = [Question(3, "choice", FORGET[:6]), Question("end", "greedy", FORGET[:6])]
    make: Callable[[], Outcome] = lambda: cell.carry_out(  # noqa: E731
        models.load(str(model)), task(questions=asked), score=unscored, say=quiet
    )
    one, other = make(), make()
    assert one.records == other.records
    assert (one.state, one.weights, one.spent) == (other.state, other.weights, other.spent)
