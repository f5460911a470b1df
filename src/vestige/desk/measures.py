"""Every metric of every arm of a run, with intervals over clusters, and what comes back: what `vestige measure` prints.

A pure function of a ledger and its texts: nothing is written, and no verdict follows from it. Arms stand at rest, and after each relearn
set (or attack without text) at one step: that which the rule chose for the subject of the first audit that knows the set, so that all
arms are compared at one budget. Texts may have been asked only at the last step, which is then shown too, as such.

Intervals are those of the levels in verdict.json: Student's t over clusters, widened by Wilson's for scores with bounds, exact where fewer
than three clusters differ; a score without bounds has none there. Sets of scores (AUC) have the BCa interval of drawing whole clusters.
A p-value (forget quality) has none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vestige import ledger
from vestige.blobs import Blobs
from vestige.desk import metrics
from vestige.desk.comes_back import SHARE, Returned, plain_value
from vestige.desk.evidence import Evidence, Place, ReadBlob, Tables, gather
from vestige.desk.levels import Question, at_rest, combine
from vestige.desk.rule import Judge
from vestige.desk.stats.cluster_bootstrap import bootstrap_two
from vestige.desk.stats.intervals import Estimate, as_json
from vestige.desk.tuning import of_tuning
from vestige.errors import LedgerError, UsageError, nearest
from vestige.records import GROUPS, Missing

SCHEMA = "vestige.measures/1"
ALL = Tables(metrics.TOKENS, metrics.TEXTS)
_SETS = ("auc", "forget_quality")
_OUTSIDE = "decoy"
_DRAWS = 1_000

Line = Mapping[str, Any]
Shown = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """Which metrics (none: all), by which score what comes back is told ("": the one that decides), and when something is back."""

    metrics: tuple[str, ...] = ()
    by: str = ""
    share: float = SHARE

    def __post_init__(self) -> None:
        """Refuse what does not exist.

        Raises:
            UsageError: which name or number, and what was expected.
        """
        for name in self.metrics:
            if name not in (*ALL.names, *_SETS):
                raise UsageError(f"no metric {name!r}; {nearest(name, (*ALL.names, *_SETS))}")
        if self.by not in ("", "choice", "keyword"):
            raise UsageError(f"what comes back is told by choice or keyword, seen {self.by!r}")
        if not 0 < self.share <= 1:
            raise UsageError(f"a share of {self.share:g} of the original's score; expected more than 0 and at most 1")

    @property
    def tables(self) -> Tables:
        """The metrics of records that are asked for; those of sets need the scores they are made of."""
        names = {*self.metrics, *(metrics.MEMBERSHIP if "auc" in self.metrics else ())}
        names |= {"log_truth_ratio"} if "forget_quality" in self.metrics else set()
        if not self.metrics:
            return ALL
        return Tables({n: m for n, m in ALL.tokens.items() if n in names}, {n: m for n, m in ALL.texts.items() if n in names})

    @property
    def sets(self) -> tuple[str, ...]:
        """The numbers of sets that are asked for."""
        return tuple(name for name in _SETS if not self.metrics or name in self.metrics)


def of_run(folder: Path, wanted: Wanted | None = None) -> Shown:
    """Return all measures of a run's folder.

    Raises:
        LedgerError: there is no ledger, it is damaged, or it is that of a tuning.
    """
    lines = ledger.read_sound(folder / "ledger.jsonl")
    if of_tuning(lines):
        raise LedgerError(f"{folder}: a tuning holds trials, not arms; measure a run of one of its plans")
    return measures(lines, Blobs(folder).get, wanted or Wanted())


def measures(lines: Sequence[Line], read_blob: ReadBlob, wanted: Wanted) -> Shown:
    """Return the measures of a ledger's lines as plain data."""
    audited = scored_by(gather(lines, read_blob), wanted.by)
    header = audited.header
    judges = [Judge(audited, spec) for spec in header["audits"]]
    found = [(judge, judge.findings()) for judge in judges]
    steps: dict[str, int | None] = {}
    for _, findings in found:
        for attack in findings.attacks:
            steps.setdefault(attack.set, attack.chosen)
    places = dict(_places(audited, steps))
    scored = gather(_only(lines, places), read_blob, tables=wanted.tables)
    asked = [name for name in wanted.tables.names if not wanted.metrics or name in wanted.metrics]
    control = next((judge.spec["control"] for judge in judges), None)
    return {
        "schema": SCHEMA,
        "run": header["run"],
        "case": header["case"]["name"],
        "evidence": audited.digest,
        "alpha": header["rule"]["alpha"],
        "by": judges[0].score if judges else header["case"]["primary"],
        "metrics": [*asked, *wanted.sets],
        "arms": [row for place, why in places.items() for row in _arm(scored, place, why, asked)],
        "sets": [row for name in wanted.sets for row in _of_sets(scored, name, control)],
        "comes_back": [Returned(judge, findings, wanted.share).described() for judge, findings in found],
    }


def scored_by(evidence: Evidence, score: str) -> Evidence:
    """Return the evidence as if another score decided: chosen steps and scale are then its own."""
    case = evidence.header["case"]
    if score in ("", case["primary"]):
        return evidence
    return replace(evidence, header={**evidence.header, "case": {**case, "primary": score}})


def _places(evidence: Evidence, chosen: Mapping[str, int | None]) -> Iterator[tuple[Place, str]]:
    """Yield where arms are measured and why: at rest, at the chosen step, at the last step if that is another."""
    arms = dict.fromkeys((arm["role"], arm["set"]) for arm in evidence.header["design"])
    yield from ((at_rest(role), "at rest") for role, set_ in arms if set_ is None)
    for role, set_ in arms:
        if set_ is not None:
            step, last = chosen.get(set_), max(evidence.steps(role, set_), default=None)
            if step is not None:
                yield Place(role, set_, step), "chosen"
            if last is not None and last != step:
                yield Place(role, set_, last), "last"


def _only(lines: Iterable[Line], places: Iterable[Place]) -> Iterator[Line]:
    """Yield the lines without the records of other steps."""
    steps = {place.step for place in places if place.set} | {"end"}
    yield from (line for line in lines if line["kind"] not in ("answer", "score_tokens") or line["body"]["step"] in steps)


def _arm(evidence: Evidence, place: Place, why: str, asked: Sequence[str]) -> Iterator[Shown]:
    """Yield one row for every metric, group and wording that the arm was asked there."""
    for name in asked:
        seen = {(evidence.probes[p]["group"], evidence.probes[p]["wording"]) for p in evidence.scores[name].get(place, {})}
        if why != "last":
            seen.add(("forget", "primary"))  # what was not asked there is said to be missing
        for group, wording in sorted(seen, key=lambda pair: (GROUPS.index(pair[0]), pair[1])):
            where = {"role": place.role, "set": place.set, "step": place.step, "at": why}
            about = {"group": group, "wording": wording, "metric": name}
            yield {**where, **about, **_level(evidence, place, Question(name, group, "test", wording))}


def _level(evidence: Evidence, place: Place, question: Question) -> Shown:
    """Return the estimate of a metric on test clusters, and why probes have none, by reason."""
    value = combine(evidence, question, [(1.0, place)]).estimate(alpha=evidence.header["rule"]["alpha"])
    lacks = _reasons(evidence, place, question)
    if isinstance(value, Missing) and lacks:
        reason, times = lacks.most_common(1)[0]
        value = Missing(reason if times == lacks.total() else f"{reason} ({times} of {lacks.total()} probes)")
    elif isinstance(value, Estimate) and question.score in metrics.UNBOUNDED and value.method != "t":
        value = Missing("too few clusters differ for an interval: a score without bounds has no exact one")
    return {"estimate": as_json(value), "reasons": dict(lacks)}


def _reasons(evidence: Evidence, place: Place, question: Question) -> Counter[str]:
    """Return why probes have no score at a place, with how many."""
    of, wording = question.group, question.wording
    values = evidence.values(place, score=question.score, group=of, split=question.split, wording=wording)
    leaked = evidence.leaks.get((place.set or "", of), set())
    due = [p for p in evidence.expected(of, question.split, wording) if p not in leaked]
    found = [values.get(p, Missing("not asked at this step")) for p in due]
    return Counter(v.reason for v in found if isinstance(v, Missing))


def _of_sets(evidence: Evidence, name: str, control: str | None) -> Iterator[Shown]:
    """Yield a number of two sets of scores for every arm at rest."""
    roles = dict.fromkeys(arm["role"] for arm in evidence.header["design"] if arm["set"] is None)
    for role in roles:
        if name == "forget_quality":
            yield {"role": role, "metric": name, "of": "log_truth_ratio", "against": control, **_quality(evidence, role, control)}
            continue
        for score in metrics.MEMBERSHIP:
            yield {"role": role, "metric": name, "of": score, "against": _OUTSIDE, **_auc(evidence, role, score)}


def _quality(evidence: Evidence, role: str, control: str | None) -> Shown:
    """Return the p-value that an arm's truth ratios and the control's have one distribution."""
    if control is None or role == control:
        return {
            "estimate": plain_value(
                Missing("no never-exposed model" if control is None else "this is the model that others are held against")
            )
        }
    mine, theirs = (_values(evidence, r, "log_truth_ratio", "forget").values() for r in (role, control))
    found = metrics.SETS["forget_quality"](mine, theirs)
    return {"estimate": plain_value(found)}


def _values(evidence: Evidence, role: str, score: str, group: str) -> dict[str, float | Missing]:
    return evidence.values(at_rest(role), score=score, group=group, split="test")


def _auc(evidence: Evidence, role: str, score: str) -> Shown:
    """Return the AUC of forget probes against decoys, which no model was taught, with its bootstrap interval over clusters."""
    inside, outside = (_values(evidence, role, score, group) for group in ("forget", _OUTSIDE))
    found = metrics.SETS["auc"](inside.values(), outside.values())
    if isinstance(found, Missing):
        return {"estimate": plain_value(found)}
    members, others = (_by_cluster(evidence, values) for values in (inside, outside))
    drawn = bootstrap_two(members, others, _area, alpha=evidence.header["rule"]["alpha"], draws=_DRAWS)
    bounds = {"no_interval": drawn.reason} if isinstance(drawn, Missing) else {"low": drawn.low, "high": drawn.high}
    return {"estimate": {"value": found.value, **bounds, "n": found.n, "missing": found.missing}}


def _by_cluster(evidence: Evidence, values: Mapping[str, float | Missing]) -> dict[str, list[float]]:
    clusters: dict[str, list[float]] = {}
    for probe, value in values.items():
        if not isinstance(value, Missing):
            clusters.setdefault(evidence.probes[probe]["cluster"], []).append(value)
    return clusters


def _area(members: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> float:
    """Return the AUC of drawn clusters."""
    found = metrics.SETS["auc"](*([x for values in side for x in values] for side in (members, others)))
    return math.nan if isinstance(found, Missing) else found.value
