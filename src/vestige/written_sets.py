"""The relearn sets of a run: made once, and those that a model helped to make are kept and read back, never made again.

A model behind an interface says something else each time, and a model on another machine rounds otherwise, so what it wrote is no
function of the plan. Such a set is stored when it is first made, whole, among the texts that can be shredded; a `measurement` line named
"relearn_set" points to it and is committed before the next set is made. A run that goes on reads it, and so gets the very same cells.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vestige.errors import PlanError, RunError
from vestige.plan import Plan, Text
from vestige.recipe_request import Request, characters_over_four, told_apart, within_budget
from vestige.recording import Recorder
from vestige.records import Case, Fold, Group, Missing, RelearnSet, Row, canonical
from vestige.similarity import Inform
from vestige.target import Target

Sets = Mapping[Group, tuple[RelearnSet, ...]]


@dataclass(frozen=True)
class Helpers:
    """What helps to make the sets: what counts tokens, a model that may write (opened when asked for), what says how telling a row is.

    `kept` is where sets that a model helped with lie; None keeps none.
    """

    count: Callable[[str], int] = characters_over_four
    ask: Callable[[], Target] | None = None
    inform: Inform | None = None
    kept: Kept | None = None


def sets_of(plan: Plan, case: Case, helpers: Helpers) -> Sets:
    """Return the relearn sets of a plan by probe group.

    Raises:
        PlanError: two sets have one name. DataError, ModelError: a set cannot be made.
    """
    groups: tuple[Group, ...] = ("forget", "decoy") if plan.teach else ("forget",)
    made: dict[Group, tuple[RelearnSet, ...]] = {}
    for group in groups:
        made[group] = told_apart([_made(number, text, case, group, helpers) for number, text in enumerate(plan.relearn_sets)])
    names = [s.name for s in made["forget"]]
    if len(set(names)) != len(names):
        raise PlanError(f"[[relearn_sets]]: two sets have one name: {', '.join(names)}")
    return made


def _made(number: int, text: Text, case: Case, group: Group, helpers: Helpers) -> tuple[RelearnSet, Request]:
    request = Request(group, text.seed, text.examples or None, text.tokens or None, helpers.count)
    asks, informed = (name in getattr(text.action.made, "helpers", ()) for name in ("ask", "inform"))
    kept = helpers.kept if asks or (informed and helpers.inform) else None
    if kept and (found := kept.find(number, text, group)):
        return found, request
    asked = replace(request, ask=helpers.ask() if asks and helpers.ask else None, inform=helpers.inform if informed else None)
    made = within_budget(text.action.made(case, asked), asked)
    if kept:
        kept.keep(number, text, group, made, asked.ask.identity if asked.ask else None)
    return made, request


class Kept:
    """The sets of a run that a model helped to make."""

    def __init__(self, recorder: Recorder, plan: Plan, case: Case) -> None:
        """Read and write the lines of one run."""
        self._recorder, self._plan, self._case = recorder, plan, case

    def find(self, number: int, text: Text, group: Group) -> RelearnSet | None:
        """Return the set as it was first made, or None in a run that has not begun.

        Raises:
            RunError: its text is gone. PlanError: the run has begun, and the set it made was for another case.
        """
        lines = self._recorder.ledger.lines
        of = self._of(number, text, group)
        found = next((x["body"] for x in lines if x["body"].get("name") == "relearn_set" and x["body"]["of"] == of), None)
        if found is None:
            if any(line["kind"] == "header" for line in lines):
                raise PlanError(f"relearn set {number} ({text.action.name}): the case changed since this run began; choose another --out")
            return None
        stored = self._recorder.blobs.get(found["text"])
        if stored is None:
            raise RunError(f"the text of relearn set {found['set']!r}, which a model helped to make, is gone; this run cannot be continued")
        return _read(json.loads(stored))

    def keep(self, number: int, text: Text, group: Group, made: RelearnSet, writer: str | None) -> None:
        """Store a set, on disk when this returns."""
        body = {
            "name": "relearn_set",
            "set": made.name,
            "group": group,
            "writer": writer,
            "rows": [len(fold.rows) for fold in made.folds],
            "of": self._of(number, text, group),
            "text": self._recorder.blobs.put(canonical(made).decode()),
        }
        self._recorder.ledger.add("measurement", body)
        self._recorder.commit()

    def _of(self, number: int, text: Text, group: Group) -> str:
        """Return the keyed digest of everything that a set is made of, as far as the plan and the case say it."""
        described = self._plan.described()
        parts = [described["model"], described.get("writer"), described.get("leaks"), number, text.described(), group, self._case]
        return self._recorder.blobs.ref(canonical(parts).decode())


def _read(stored: Mapping[str, Any]) -> RelearnSet:
    folds = tuple(Fold(tuple(Row(**row) for row in fold["rows"]), tuple(fold["asks"])) for fold in stored["folds"])
    return RelearnSet(stored["name"], stored["recipe"], folds)


class Unwritten:
    """Stands in for the writer where a plan is only priced: to every prompt it says as many words as were allowed."""

    identity = "nobody"

    def generate(self, prompts: Any, *, max_new: int, temperature: float = 0.0, seed: int = 0) -> list[str | Missing]:
        """Return one text of `max_new` words a prompt, each text another."""
        return [" ".join([str(number), *["word"] * (max_new - 1)]) for number, _ in enumerate(prompts)]

    def answer_logp(self, pairs: Any) -> list[float | Missing]:
        """Return no value at all."""
        return [Missing("nobody was asked")] * len(pairs)


PRICED = Helpers(ask=Unwritten)
"""What helps where nothing may be loaded or asked: tokens are estimated by characters, and written rows by their bound."""
