"""The relearn sets of a run: what helps to make them, and what is checked and written of each before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from vestige.lab.models import LanguageModel, without_weights
from vestige.never_exposed import NeverExposed, never_exposed
from vestige.plan import Plan
from vestige.progress import Progress
from vestige.recording import Recorder
from vestige.recording_relearn import record_v_information
from vestige.records import Case, Group, Missing, RelearnSet
from vestige.session import Session
from vestige.target import Target
from vestige.v_information import Score, informs
from vestige.workers import Pool, outcome_of
from vestige.written_sets import Helpers, Kept


def helpers_of(plan: Plan, case: Case, recorder: Recorder, pool: Pool, progress: Progress) -> tuple[Helpers, Score | Missing]:
    """Return what helps to make the relearn sets, and what scores answers under a model that was never exposed to them."""

    @cache
    def tokenizer() -> LanguageModel:
        return without_weights(plan.models.unlearned or plan.models.name)

    def count(text: str) -> int:
        return len(tokenizer().tokenizer(text, add_special_tokens=False)["input_ids"])

    @cache
    def writer() -> Target:
        assert plan.writer is not None
        progress.note(f"a relearn set is being written by {plan.writer.local or plan.writer.model}")
        return plan.writer.opened(plan.models.device)

    found = never_exposed(plan, case)
    score = found if isinstance(found, Missing) else NeverExposed(found, plan, lambda job: outcome_of(pool, job))
    inform = informs(score) if plan.leaks.v_information else None
    return Helpers(count, writer, inform, Kept(recorder, plan, case)), score


def check_set(session: Session, chosen: RelearnSet, group: Group, count: Callable[[str], int], score: Score | Missing) -> None:
    """Write what the leak check finds in a relearn set, what may predict its effect, and, if asked for, how much its rows tell."""
    recorder, probes = session.recorder, session.case.asked(group, wording="*")
    suspect, leaked = recorder.leak_check(chosen, group, probes, count=count)
    session.progress.note(f"leak check  {chosen.name} ({group}): {leaked} leaked, {suspect} suspect")
    if session.plan.leaks.v_information:
        telling = record_v_information(recorder, chosen, group, probes, score)
        says = score.reason if isinstance(score, Missing) else f"{len(telling)} suspect"
        session.progress.note(f"V-information  {chosen.name} ({group}): {says}")
