"""Tuning rule v1, revision 2: which setting of an unlearning method is taken, from the records of selection probes alone.

A point is one trial of a method, asked at one of its steps. With s_g the choice score of group g on selection probes (mean over clusters
of the mean over their probes; 1 certain, 0 chance):
    forget(p)  = s_forget(p)                              lower is more forgotten
    utility(p) = min over g in {retain, utility} of s_g(p) / s_g(original)      the worse of the two, as in the verdict; 1 is no loss
    floor      = s_forget(never exposed) + delta;   chance, 0, + delta where the knowledge was pre-trained and no such model exists
Chosen is, among the points of a method with forget(p) <= floor - margin, the one of highest utility; of equals the one nearest to the
control (to be driven below it is a leak of its own), then the earlier trial, then the earlier step. Where no point reaches so far nothing
is chosen: the frontier shows how near it came. A margin above 0 asks more of the selection probes than the bar asks of others: the least
loss is often found at the very edge of the floor, and another seed may fall over it.
The frontier are the points that no other point of the method beats in one of the two numbers without losing in the other.
A trial that failed, and a point with a missing record, count as tried and are never chosen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from vestige.desk.metrics import TABLE
from vestige.errors import LedgerError
from vestige.records import Missing, plain

SCHEMA = "vestige.tuning/1"
# To be raised with every change that can change a choice, so that `verify` can tell a newer rule from tampering.
REVISION = 2
KEPT = ("retain", "utility")
# Digits to which points are compared: sums of equal shares in another order differ in the last bits.
_TIE = 9

Body = Mapping[str, Any]
Value = float | Missing


@dataclass(frozen=True)
class Point:
    """One trial at one step."""

    trial: int
    step: int
    forget: Value
    utility: Value
    kept: Mapping[str, Value]

    @property
    def numbers(self) -> tuple[float, float] | None:
        """Forget score and utility, as they are compared; None where one is missing."""
        if isinstance(self.forget, Missing) or isinstance(self.utility, Missing):
            return None
        return round(self.forget, _TIE), round(self.utility, _TIE)


def of_tuning(lines: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether lines are those of a tuning, not of an audit."""
    return any(line.get("kind") == "header" and "tune" in _dict(_dict(line.get("body")).get("plan")) for line in lines)


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def tuned(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return tuning.json of a ledger: every trial, the frontier and the choice of each method, without dates or timings.

    Raises:
        LedgerError: there is no header of a tuning.
    """
    if not of_tuning(lines):
        raise LedgerError("the ledger has no header of a tuning: it never began, or it is the ledger of an audit")
    read = _Records(lines)
    tune, levels = read.header["plan"]["tune"], read.levels()
    control = read.level("never_exposed", "end", "forget") if "never_exposed" in read.cells else 0.0
    return {
        "schema": SCHEMA,
        "rule_revision": REVISION,
        "run": read.header["run"],
        "case": read.header["case"],
        "plan_digest": read.header["plan_digest"],
        "budget": {name: tune[name] for name in ("trials", "looks", "seed")},
        "delta": read.header["rule"]["delta"],
        "margin": read.margin,
        "control": _shown(control),
        "control_is": "never_exposed" if "never_exposed" in read.cells else "chance",
        "floor": _shown(control if isinstance(control, Missing) else control + read.header["rule"]["delta"]),
        "original": {group: _shown(value) for group, value in levels.items()},
        "methods": [_method(read, name, control) for name in tune["methods"]],
        "problems": list(recount(lines)),
    }


def _method(read: _Records, name: str, control: Value) -> dict[str, Any]:
    tried = read.tried[name]
    points = [point for trial in tried for point in read.points(trial)]
    best = chosen(points, control, read.header["rule"]["delta"], read.margin)
    fields = {t["trial"]: {k: v for k, v in t["action"].items() if k != "name"} for t in tried}
    return {
        "method": name,
        "space": read.header["plan"]["tune"]["spaces"][name],
        "trials": [{"trial": t["trial"], "fields": fields[t["trial"]], "outcome": read.outcome(t)} for t in tried],
        "points": [_point(p) for p in points],
        "frontier": [[p.trial, p.step] for p in frontier(points)],
        # The first steps of a longer training are a training of so many steps, so the step is the number of steps to take.
        "chosen": None if isinstance(best, Missing) else {**_point(best), "fields": {**fields[best.trial], "steps": best.step}},
        "why_not": best.reason if isinstance(best, Missing) else None,
    }


def chosen(points: Iterable[Point], control: Value, delta: float, margin: float) -> Point | Missing:
    """Return the point that the rule takes, or why there is none."""
    if isinstance(control, Missing):
        return control
    floor = control + delta
    tried = list(points)
    known = [(n, p) for p in tried if (n := p.numbers) is not None]
    able = [(n, p) for n, p in known if n[0] <= round(floor - margin, _TIE)]
    if able:
        return min(able, key=lambda x: (-x[0][1], round(abs(x[0][0] - control), _TIE), x[1].trial, x[1].step))[1]
    if not known:
        why = (v.reason for p in tried for v in (p.forget, p.utility) if isinstance(v, Missing))
        return Missing(f"no trial gave both scores: {next(why, 'none was done')}")
    lowest = min(n[0] for n, _ in known)
    if not margin:
        return Missing(f"no point forgot to the floor: the lowest forget score is {lowest:.3f}, the floor {floor:.3f}")
    return Missing(
        f"no point forgot far enough: the lowest forget score is {lowest:.3f}, asked is {floor - margin:.3f}, the floor {floor:.3f} less "
        f"a margin of {margin:g}"
    )


def frontier(points: Iterable[Point]) -> list[Point]:
    """Return the points that none beats in one number without losing in the other, the most forgotten first."""
    best: list[tuple[tuple[float, float], Point]] = []
    known = [(n, p) for p in points if (n := p.numbers) is not None]
    for numbers, point in sorted(known, key=lambda x: (x[0][0], -x[0][1], x[1].trial, x[1].step)):
        if not best or numbers[1] > best[-1][0][1]:
            best.append((numbers, point))
    return [point for _, point in best]


def recount(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with the budget: methods with more or fewer trials or looks, and trials that were not what the plan says."""
    read = _Records(lines)
    tune = read.header["plan"]["tune"]
    for name in (*tune["methods"], *(n for n in read.tried if n not in tune["methods"])):
        tried = read.tried.get(name, [])
        if len(tried) != tune["trials"] or name not in tune["methods"]:
            yield f"{name}: {len(tried)} trials are in the plan; the budget of every method named is {tune['trials']}"
        for trial in tried:
            yield from read.doubts(trial)
    arms = {t["role"] for tried in read.tried.values() for t in tried} | {"original", "never_exposed"}
    yield from (f"{role}: an arm that is no trial of the plan" for role in read.cells if role not in arms)


def doubts(written: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Count the trials of every method again, derive every choice again from the records, and yield what differs from `written`."""
    if written.get("rule_revision") != REVISION:
        yield (
            f"tuning.json was made by revision {written.get('rule_revision')!r} of the rule, this version has {REVISION}: what follows may "
            "be the rule's change, not the records'"
        )
    try:
        yield from recount(lines)
        derived = tuned(lines)
    except Exception as error:  # records that somebody changed can break the rule in any way: that is a finding, not a crash
        yield f"the choices cannot be derived from the records ({type(error).__name__}: {error})"
        return
    for key in sorted(set(written) | set(derived)):
        if written.get(key) != derived.get(key):
            yield f"the choices do not follow: {key!r} in tuning.json is not what the records give"


class _Records:
    """The lines of a tuning, by trial and step."""

    def __init__(self, lines: Sequence[Mapping[str, Any]]) -> None:
        bodies: dict[str, list[Body]] = defaultdict(list)
        for line in lines:
            bodies[line["kind"]].append(line["body"])
        self.header = bodies["header"][0]
        self.cells = {arm["role"]: arm["cell"] for arm in self.header["design"]}
        self.done = {body["cell"] for body in bodies["cell_done"]}
        self._failed = {body["cell"] for body in bodies["cell_failed"]} - self.done
        self._states = {body["cell"]: body for body in bodies["state"] if body["cell"] in self.done}
        self.tried: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for trial in self.header["plan"]["tune"]["tried"]:
            self.tried[trial["method"]].append({**trial, "role": f"{trial['method']} {trial['trial']}"})
        self._probes = {p["probe"]: p for p in self.header["probes"]}
        self._scores: dict[tuple[str, Any], dict[str, Value]] = defaultdict(dict)
        for body in bodies["score_tokens"]:
            if body["cell"] in self.done:
                value = Missing(body["missing"]) if body["missing"] else TABLE["choice"](body["candidates"])
                self._scores[body["cell"], body["step"]].setdefault(body["probe"], value)

    @property
    def margin(self) -> float:
        """How far below the floor a choice has to lie; a plan that says nothing has none."""
        margin: float = self.header["plan"]["tune"].get("margin", 0.0)
        return margin

    def _asked(self, group: str) -> list[Body]:
        about = [p for p in self._probes.values() if (p["group"], p["split"], p["wording"]) == (group, "selection", "primary")]
        return [p for p in about if p["k"] > 1]

    def level(self, role: str, step: int | str, group: str) -> Value:
        """Return a score of a group: the mean over clusters; Missing as soon as a probe that was to be asked has none."""
        table = self._scores.get((self.cells.get(role, ""), step), {})
        clusters: dict[str, list[float]] = defaultdict(list)
        for about in self._asked(group):
            value = table.get(about["probe"], Missing("not asked"))
            if isinstance(value, Missing):
                return Missing(f"{role}, step {step}: a {group} probe has no score: {value.reason}")
            clusters[about["cluster"]].append(value)
        return fmean(fmean(v) for v in clusters.values()) if clusters else Missing(f"no {group} probes were asked")

    def levels(self) -> dict[str, Value]:
        """Return what the original scores in every group that is asked about."""
        return {group: self.level("original", "end", group) for group in ("forget", *KEPT) if self._asked(group)}

    def points(self, trial: Mapping[str, Any]) -> Iterator[Point]:
        """Yield a trial at each of its looks."""
        for step in trial["looks"] if self.cells.get(trial["role"]) in self.done else ():
            kept = {group: self._share(trial["role"], step, group) for group in KEPT if self._asked(group)}
            missing = [v for v in kept.values() if isinstance(v, Missing)]
            worst = missing[0] if missing else min(v for v in kept.values() if not isinstance(v, Missing))
            yield Point(trial["trial"], step, self.level(trial["role"], step, "forget"), worst, kept)

    def _share(self, role: str, step: int, group: str) -> Value:
        """Return a score over the original's; an original that is not above chance has nothing to lose, and gives no share."""
        before, after = self.level("original", "end", group), self.level(role, step, group)
        if isinstance(before, Missing) or isinstance(after, Missing):
            return before if isinstance(before, Missing) else after
        return after / before if before > 0 else Missing(f"the original is not above chance on {group} probes")

    def outcome(self, trial: Mapping[str, Any]) -> str:
        """Return what became of a trial."""
        cell = self.cells.get(trial["role"])
        return "done" if cell in self.done else "failed" if cell in self._failed else "missing"

    def doubts(self, trial: Mapping[str, Any]) -> Iterator[str]:
        """Yield how a trial is not what the plan says."""
        outcome, state = self.outcome(trial), self._states.get(self.cells.get(trial["role"], ""))
        if outcome == "missing":
            yield f"{trial['role']}: neither done nor failed"
        if outcome == "done" and (state is None or state["action"] != plain(trial["action"])):
            yield f"{trial['role']}: what was carried out is not what the plan says"
        looks = self.header["plan"]["tune"]["looks"]
        if len(trial["looks"]) > looks or (trial["looks"] or [None])[-1] != trial["action"]["steps"]:
            yield f"{trial['role']}: asked at the steps {trial['looks']}; expected at most {looks}, the last of them the number of steps"


def _point(point: Point) -> dict[str, Any]:
    kept = {group: _shown(value) for group, value in point.kept.items()}
    return {"trial": point.trial, "step": point.step, "forget": _shown(point.forget), "utility": _shown(point.utility), "kept": kept}


def _shown(value: Value) -> Any:
    """Return a number, or why there is none, as JSON holds it."""
    return {"missing_reason": value.reason} if isinstance(value, Missing) else value
