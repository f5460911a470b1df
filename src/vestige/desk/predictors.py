"""What predicts recovery: the covariates stored with relearn sets against what each set brought back, over the ledgers of runs.

Question of Hu et al. 2024, arXiv 2406.13356, and Yoon et al. 2026, arXiv 2602.03379: which property of a text makes it revive memory?

A point is one (relearn set, seed) of one run. Its recovery is s(step) - s(0), s the mean over test clusters of the run's primary
score of the unlearned model on primary forget probes; positive where something came back. The step is the one of highest s on
selection clusters, the earliest of equals. Probes that leaked into the set are set apart. A point is missing where a probe has no
score at its step or at rest. Its covariates are means over the folds of the set; one missing fold makes a mean missing.

Per covariate: Spearman's rho over the points, with an interval that resamples whole relearn sets (`stats/rank_correlation.py`). One
set in several runs is one set: it is told by case, name and covariates. Each covariate is looked at by itself, and nothing is
corrected for there being several. What a plan had traced inside the unlearned model (`[traces]`) is a covariate too.

What was read in an arm at rest, before any attack, is the same for every set: there the points are states. A state's recovery is the mean
over all sets it was attacked with, each at its own step; its group in the correlation is its digest, so that the same weights under several
seeds count as one. Fewer than 20 distinct states give no correlation. All attacked roles enter, each a point: for one role alone, leave
out the others. Recoveries are comparable only under equal sets and attacks: put runs together that share them. Where little was
forgotten, little can come back, and a trace that only tells how much is left predicts recovery as well as the score at rest does. So
`rest`, that score, is the baseline beside them, and `beyond_rest` holds it still; it counts all test probes, also those that leaked into
a set and are left out of what that set brought back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from vestige import ledger
from vestige.blobs import Blobs
from vestige.desk.evidence import Evidence, Place, gather, lines_by_seed
from vestige.desk.levels import TIE, Question, at_rest, combine
from vestige.desk.stats.rank_correlation import Correlation, partial, spearman
from vestige.errors import LedgerError
from vestige.ledger import Line
from vestige.records import Missing, digest
from vestige.similarity import COVARIATES

Value = float | Missing
Covariates = Mapping[str, Value]
Traced = tuple[str, str, int]
"""Relearn set, attack and seed: which weights an attack trains decides what its trace looks at."""
FEWEST_STATES = 20
"""States below which no correlation of a trace with recovery is given."""
_ROLE, _GROUP = "subject", "forget"
_NOT_STORED = Missing("this ledger was written before covariates were stored")
_REST_NOT_READ = Missing("the score at rest was not read")
_NOT_TRACED = Missing("the plan of this run did not ask for this trace")


@dataclass(frozen=True)
class Point:
    """What a relearn set brought back under one seed, and its covariates; `identity` is that of the set, in any run."""

    run: str
    set: str
    seed: int
    step: int | None
    recovery: Value
    covariates: Covariates
    identity: str


@dataclass(frozen=True)
class StatePoint:
    """What all relearn sets brought back from a state on average, and what had been read in it at rest, its score (`rest`) included.

    `state` is its digest.
    """

    run: str
    role: str
    seed: int
    state: str
    recovery: Value
    traces: Covariates
    rest: Value = _REST_NOT_READ


@dataclass(frozen=True)
class Prediction:
    """How well a covariate predicts recovery, and how many points lack one of the two."""

    correlation: Correlation | Missing
    missing: int


def predictions(points: Sequence[Point]) -> dict[str, Prediction]:
    """Return, for every covariate, how well it predicts recovery over the points."""
    names = dict.fromkeys([*COVARIATES, *(name for point in points for name in point.covariates)])
    return {name: _prediction([(p.identity, p.covariates.get(name, _NOT_TRACED), p.recovery) for p in points]) for name in names}


def state_predictions(points: Sequence[StatePoint]) -> dict[str, Prediction]:
    """Return, for every trace of a state, how well it predicts recovery over states; Missing below `FEWEST_STATES` of them."""
    return {name: _prediction([(p.state, value, p.recovery) for p, value in read], fewest=FEWEST_STATES) for name, read in _read(points)}


def beyond_rest(points: Sequence[StatePoint]) -> dict[str, Prediction]:
    """Return the same with the score at rest held still: what a trace tells that asking the model does not."""
    tables = {name: [(p.state, value, p.recovery, p.rest) for p, value in read] for name, read in _read(points)}
    return {name: _prediction(table, fewest=FEWEST_STATES) for name, table in tables.items()}


def rest_prediction(points: Sequence[StatePoint]) -> Prediction:
    """Return how well the score at rest alone predicts recovery: the baseline of every trace."""
    return _prediction([(p.state, p.rest, p.recovery) for p in points], fewest=FEWEST_STATES)


def _read(points: Sequence[StatePoint]) -> Iterable[tuple[str, list[tuple[StatePoint, Value]]]]:
    names = dict.fromkeys(name for point in points for name in point.traces)
    return [(name, [(p, p.traces.get(name, _NOT_TRACED)) for p in points]) for name in names]


def _prediction(table: Iterable[tuple[Any, ...]], *, fewest: int = 0) -> Prediction:
    """Return how well the second of each (group, covariate, recovery) predicts the third; a fourth value is held still."""
    groups: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    lacking: list[Missing] = []
    width = 2
    for group, *values in table:
        width = len(values)
        if absent := [v for v in values if isinstance(v, Missing)]:
            lacking.append(absent[0])
        else:
            groups[group].append(tuple(values))
    if lacking and not groups:  # where nothing at all is known, the reason of the first is that of all that matters
        return Prediction(lacking[0], len(lacking))
    if len(groups) < fewest:
        return Prediction(Missing(f"{len(groups)} distinct states; at least {fewest} are needed"), len(lacking))
    return Prediction(spearman(groups) if width == 2 else partial(groups), len(lacking))


def points(folder: Path) -> list[Point]:
    """Return a point for every relearn set and seed under which the unlearned model of a run was attacked.

    Raises:
        LedgerError: no ledger, a damaged one, or a run that attacked no unlearned model.
    """
    lines, blobs = ledger.read_sound(folder / "ledger.jsonl"), Blobs(folder)
    stored, traced = _stored(lines), _traced(lines)
    alone = (gather(own, blobs.get) for own in lines_by_seed(lines).values())
    made = [p for evidence in alone for p in _points(folder, evidence, stored, traced)]
    if not made:
        raise LedgerError(f"{folder}: no unlearned model was attacked in this run; expected arms of the role {_ROLE!r} with a relearn set")
    return made


def states(folder: Path) -> list[StatePoint]:
    """Return a point for every arm of a run that was looked into at rest and attacked.

    Raises:
        LedgerError: no ledger, a damaged one, or a run in which no attacked arm was looked into.
    """
    lines, blobs = ledger.read_sound(folder / "ledger.jsonl"), Blobs(folder)
    seen = _seen(lines)
    alone = (gather(own, blobs.get) for own in lines_by_seed(lines).values())
    made = [p for evidence in alone for p in _states(folder, evidence, seen)]
    if not made:
        raise LedgerError(f"{folder}: no attacked arm was looked into at rest; expected a plan with traces of states, such as 'cka'")
    return made


def _states(folder: Path, evidence: Evidence, seen: Mapping[tuple[str, int], dict[str, Line]]) -> Iterable[StatePoint]:
    labels: dict[tuple[str, int], dict[str, None]] = defaultdict(dict)
    for arm in evidence.header["design"]:
        if arm["relearn_set"] and (arm["role"], arm["seed"]) in seen:
            labels[arm["role"], arm["seed"]][arm["set"]] = None
    for (role, seed), sets in labels.items():
        traces = {name: _as_read(body) for name, body in seen[role, seed].items()}
        state = next(iter(seen[role, seed].values()))["state"]
        recovery = _mean([_recovery(evidence, role, label)[1] for label in sets])
        yield StatePoint(str(folder), role, seed, state, recovery, traces, _level(evidence, "test", [(1.0, at_rest(role))]))


def _seen(lines: Iterable[Line]) -> dict[tuple[str, int], dict[str, Line]]:
    """Return what was read in every arm at rest, by role and seed, then by trace; of lines written twice the later one."""
    found: dict[tuple[str, int], dict[str, Line]] = defaultdict(dict)
    for body in (line["body"] for line in lines if line["kind"] == "measurement"):
        if body["name"] == "state_trace":
            found[body["role"], body["seed"]][body["trace"]] = body
    return found


def _as_read(body: Mapping[str, Any]) -> Value:
    """Return the number of a trace as it was written, or why there is none."""
    return Missing(body["missing"]) if body["value"] is None else float(body["value"])


def _points(folder: Path, evidence: Evidence, stored: Mapping[str, Covariates], traced: Mapping[Traced, Covariates]) -> Iterable[Point]:
    case = evidence.header["case"]
    arms = {arm["set"]: arm for arm in evidence.header["design"] if arm["role"] == _ROLE and arm["relearn_set"]}
    for label, arm in arms.items():
        step, recovery = _recovery(evidence, _ROLE, label)
        found = stored.get(arm["relearn_set"], dict.fromkeys(COVARIATES, _NOT_STORED))
        identity = digest([case["name"], case["version"], arm["relearn_set"], found])
        seen = {**found, **traced.get((arm["relearn_set"], arm["attack"], arm["seed"]), {})}
        yield Point(str(folder), label, arm["seed"], step, recovery, seen, identity)


def _recovery(evidence: Evidence, role: str, label: str) -> tuple[int | None, Value]:
    """Return the step chosen for a role under a relearn set, and what had come back by then on test clusters."""
    step = _chosen(evidence, role, label)
    if isinstance(step, Missing):
        return None, step
    return step, _level(evidence, "test", [(1.0, Place(role, label, step)), (-1.0, at_rest(role))])


def _chosen(evidence: Evidence, role: str, label: str) -> int | Missing:
    """Return the step of the highest score on selection clusters, the earliest of equals."""
    levels = {step: _level(evidence, "selection", [(1.0, Place(role, label, step))]) for step in evidence.steps(role, label)}
    able = {step: level for step, level in levels.items() if not isinstance(level, Missing)}
    if able:
        return max(able, key=lambda step: (round(able[step], TIE), -step))
    return next((v for v in levels.values() if isinstance(v, Missing)), Missing("no step was asked"))


def _level(evidence: Evidence, split: str, terms: Sequence[tuple[float, Place]]) -> Value:
    """Return the mean over clusters; Missing as soon as a probe that should have been asked has no value."""
    found = combine(evidence, Question(evidence.header["case"]["primary"], _GROUP, split), terms)
    if found.missing:
        return Missing(f"{found.missing} {split} probes have no {evidence.header['case']['primary']} score there")
    return found.mean if found.values else Missing(f"no {split} probe is left: all leaked, or there are none")


def _stored(lines: Iterable[Line]) -> dict[str, Covariates]:
    """Return the covariates of every relearn set for the forget probes, by its name.

    V-information is measured only where a plan asks for it, and stands in a line of its own.
    """
    folds: dict[tuple[str, int], dict[str, Value]] = defaultdict(dict)
    for body in (line["body"] for line in lines if line["kind"] == "measurement"):
        if body.get("group") == _GROUP and body["name"] == "leak_check" and "covariates" in body:
            found = {name: _value(body["covariates"].get(name)) for name in COVARIATES}
            folds[body["set"], body["fold"]] = found | folds[body["set"], body["fold"]]
        elif body.get("group") == _GROUP and body["name"] == "v_information":
            folds[body["set"], body["fold"]]["v_information"] = _value(body["covariate"])
    whole = [(name, found) for (name, _), found in folds.items() if len(found) == len(COVARIATES)]
    return {name: over_folds([found for other, found in whole if other == name]) for name, _ in whole}


def _traced(lines: Iterable[Line]) -> dict[Traced, Covariates]:
    """Return what was traced before a relearn set was trained on: the mean over folds.

    A cell that was cut short and done again has its lines twice; the later ones count.
    """
    folds: dict[Traced, dict[str, dict[int, Value]]] = defaultdict(lambda: defaultdict(dict))
    for body in (line["body"] for line in lines if line["kind"] == "measurement"):
        if body["name"] == "trace" and body["group"] == _GROUP:
            folds[body["set"], body["attack"], body["seed"]][body["trace"]][body["fold"]] = _as_read(body)
    return {where: {name: _mean(list(values.values())) for name, values in found.items()} for where, found in folds.items()}


def _value(stored: Any) -> Value:
    """Return a covariate as it was written: a number, or why there is none."""
    if isinstance(stored, Mapping):
        return Missing(str(stored.get("reason")))
    return _NOT_STORED if stored is None else float(stored)


def over_folds(folds: Sequence[Covariates]) -> dict[str, Value]:
    """Return the mean of every covariate over the folds; Missing where it is missing in one."""
    return {name: _mean([fold[name] for fold in folds]) for name in COVARIATES}


def _mean(values: Sequence[Value]) -> Value:
    known = [v for v in values if not isinstance(v, Missing)]
    return fmean(known) if len(known) == len(values) else next(v for v in values if isinstance(v, Missing))
