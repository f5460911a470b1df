"""Ledger lines to tables of scores: which probe scored what, in which role, under which relearn set, at which step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from vestige.desk import metrics
from vestige.errors import LedgerError
from vestige.records import Missing, canonical, digest

ReadBlob = Callable[[str], str | None]
Body = Mapping[str, Any]
Value = float | Missing
AT_REST = 0


@dataclass(frozen=True, slots=True)
class Tables:
    """The metrics that records are scored by, by name: those of a record's candidates, and those of what was said."""

    tokens: Mapping[str, metrics.OfTokens]
    texts: Mapping[str, metrics.OfText]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all metrics."""
        return (*self.tokens, *self.texts)


# What every audit reads.
AUDITED = Tables(metrics.TABLE, {"keyword": lambda said, expected: float(metrics.says(said, expected))})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a score was taken: a role, the relearn set it was attacked with (None: at rest), and the step."""

    role: str
    set: str | None
    step: int


@dataclass
class Evidence:
    """Everything the desk knows of a run. `scores[score][place][probe]` lists one value per seed."""

    header: Body
    scores: dict[str, dict[Place, dict[str, list[Value]]]]
    probes: dict[str, Body]
    states: dict[str, Body]
    done: dict[str, Body]
    failed: dict[str, str]
    leaks: dict[tuple[str, str], set[str]]
    digest: str
    cells: dict[tuple[str, str | None], list[Body]] = field(default_factory=dict)

    def values(self, place: Place, *, score: str, group: str, split: str, wording: str = "primary") -> dict[str, Value]:
        """Return probe → mean over seeds; Missing if any seed is missing. Leaked probes of a set are left out."""
        found: dict[str, Value] = {}
        due = len({arm["seed"] for arm in self.cells.get((place.role, place.set), [])})
        leaked = self.leaks.get((place.set or "", group), set())
        for probe, values in self.scores[score].get(place, {}).items():
            about = self.probes[probe]
            if about["group"] == group and about["split"] == split and about["wording"] == wording and probe not in leaked:
                missing = [v for v in values if isinstance(v, Missing)]
                if len(values) < due:
                    missing.append(Missing(f"asked in {len(values)} of {due} seeds"))
                found[probe] = missing[0] if missing else fmean(v for v in values if not isinstance(v, Missing))
        return found

    def steps(self, role: str, set_: str) -> list[int]:
        """Return the steps at which a role was asked, or was to be asked by the plan, under a relearn set."""
        places = {p for table in self.scores.values() for p in table}
        seen = {p.step for p in places if p.role == role and p.set == set_}
        # Attacks stand in the design in the order of the plan.
        names = dict.fromkeys(a["attack"] for a in self.header["design"] if a["attack"])
        planned = dict(zip(names, (a["probe_at"] for a in self.header["plan"]["attacks"]), strict=False))
        return sorted(seen.union(*(planned[arm["attack"]] for arm in self.cells.get((role, set_), []))))

    def expected(self, group: str, split: str, wording: str = "primary") -> list[str]:
        """Return the ids of all probes of a group that should have been asked."""
        return [
            p for p, about in self.probes.items() if about["group"] == group and about["split"] == split and about["wording"] == wording
        ]


def gather(lines: Iterable[Mapping[str, Any]], read_blob: ReadBlob, *, tables: Tables = AUDITED) -> Evidence:
    """Read the lines that count, those of cells with a `cell_done`, and score their records by `tables`.

    Raises:
        LedgerError: there is no header.
    """
    by_kind: dict[str, list[Body]] = defaultdict(list)
    for line in lines:
        by_kind[line["kind"]].append(line["body"])
    if not by_kind["header"]:
        raise LedgerError("the ledger has no header line: the run never began")
    header = by_kind["header"][0]
    done = {body["cell"]: body for body in by_kind["cell_done"]}
    failed = {b["cell"]: b["error"] for b in by_kind["cell_failed"] if b["cell"] not in done}
    states = {body["cell"]: body for body in by_kind["state"] if body["cell"] in done}
    probes = {about["probe"]: about for about in header["probes"]}
    counted = [(kind, body) for kind in ("score_tokens", "answer") for body in by_kind[kind] if body["cell"] in done]
    evidence = Evidence(header, {}, probes, states, done, failed, _leaks(by_kind["measurement"], header["design"]), "")
    evidence.scores = _scores(counted, header["design"], read_blob, tables)
    bodies = [body for _, body in counted] + list(states.values()) + by_kind["measurement"]
    evidence.digest = digest(sorted({canonical(body).decode() for body in bodies}))
    for arm in header["design"]:
        evidence.cells.setdefault((arm["role"], arm["set"]), []).append(arm)
    return evidence


def lines_by_seed(lines: Sequence[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    """Return the lines of a run as if each of its seeds had been run alone.

    Raises:
        LedgerError: there is no header.
    """
    header = next((line for line in lines if line["kind"] == "header"), None)
    if header is None:
        raise LedgerError("the ledger has no header line: the run never began")
    rest = [line for line in lines if line["kind"] != "header"]
    design = header["body"]["design"]
    return {
        seed: [{**header, "body": {**header["body"], "design": [arm for arm in design if arm["seed"] == seed]}}, *rest]
        for seed in sorted({arm["seed"] for arm in design})
    }


def _leaks(measurements: Iterable[Body], design: Iterable[Body]) -> dict[tuple[str, str], set[str]]:
    """Return the leaked probes of every attacked arm's set, by (set as arms name it, probe group)."""
    checked: dict[tuple[str, str], set[str]] = defaultdict(set)
    for body in measurements:
        if body["name"] == "leak_check":
            checked[body["set"], body["group"]] |= set(body["leaked"])
    names = {(arm["set"], arm["relearn_set"]) for arm in design if arm["set"]}
    return {(label, group): leaked for (name, group), leaked in checked.items() for label, of in names if of == name}


def _scores(
    counted: Iterable[tuple[str, Body]], design: Iterable[Body], read_blob: ReadBlob, by: Tables
) -> dict[str, dict[Place, dict[str, list[Value]]]]:
    """Score every counted record once, then file it under each role its cell plays."""
    roles: dict[str, list[Body]] = defaultdict(list)
    for arm in design:
        roles[arm["cell"]].append(arm)
    tables: dict[str, dict[Place, dict[str, list[Value]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    seen: set[tuple[str, Any, str, str]] = set()
    for kind, body in counted:
        key = (body["cell"], body["step"], body["probe"], kind)
        if key in seen:
            continue
        seen.add(key)
        values = _values(kind, body, read_blob, by)
        for arm in roles[body["cell"]]:
            if (arm["attack"] is None) != (body["step"] == "end"):
                continue
            place = Place(arm["role"], arm["set"], AT_REST if arm["attack"] is None else body["step"])
            for name, value in values.items():
                tables[name][place][body["probe"]].append(value)
    return {name: {place: dict(table) for place, table in places.items()} for name, places in tables.items()} | {
        name: {} for name in by.names if name not in tables
    }


def _values(kind: str, body: Body, read_blob: ReadBlob, by: Tables) -> dict[str, Value]:
    if kind == "score_tokens":
        if body["missing"]:
            return {name: Missing(body["missing"]) for name in by.tokens}
        return {name: score(body["candidates"]) for name, score in by.tokens.items()}
    if not by.texts:
        return {}
    texts = [read_blob(ref) for ref in (body["text"], *body["expected"])]
    said, expected = texts[0], [t for t in texts[1:] if t is not None]
    if body["missing"] or said is None or len(expected) != len(texts) - 1:
        return {name: Missing(body["missing"] or "the texts were shredded") for name in by.texts}
    return {name: score(said, expected) for name, score in by.texts.items()}
