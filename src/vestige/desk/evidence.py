"""Ledger lines to tables of scores: which probe scored what, in which role, under which relearn set, at which step."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from vestige.desk import metrics
from vestige.errors import LedgerError
from vestige.records import Missing, canonical, canonical_json

ReadBlob = Callable[[str], str | None]
Body = Mapping[str, Any]
Value = float | Missing
AT_REST = 0
_RECORDS = ("score_tokens", "answer")


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


@dataclass(frozen=True, slots=True)
class _Scored:
    """What is kept of a record: whose it is, and its scores."""

    kind: str
    cell: str
    step: int | str
    probe: str
    values: tuple[Value, ...]


def gather(lines: Iterable[Mapping[str, Any]], read_blob: ReadBlob, *, tables: Tables = AUDITED) -> Evidence:
    """Read the lines that count: those of cells with a `cell_done`. A record is scored by `tables` as it comes, and then let go.

    Raises:
        LedgerError: there is no header.
    """
    by_kind: dict[str, list[Body]] = defaultdict(list)
    records: list[_Scored] = []
    texts: list[tuple[str, bytes]] = []
    for line in lines:
        kind, body = line["kind"], line["body"]
        if kind in _RECORDS:
            records.append(_Scored(kind, body["cell"], body["step"], body["probe"], _values(kind, body, read_blob, tables)))
            texts.append((body["cell"], _text(body)))
        else:
            by_kind[kind].append(body)
    if not by_kind["header"]:
        raise LedgerError("the ledger has no header line: the run never began")
    header = by_kind["header"][0]
    done = {body["cell"]: body for body in by_kind["cell_done"]}
    failed = {b["cell"]: b["error"] for b in by_kind["cell_failed"] if b["cell"] not in done}
    states = {body["cell"]: body for body in by_kind["state"] if body["cell"] in done}
    probes = {about["probe"]: about for about in header["probes"]}
    others = (_text(body) for body in (*states.values(), *by_kind["measurement"]))
    identity = _digest({*(text for cell, text in texts if cell in done), *others})
    del texts
    evidence = Evidence(header, {}, probes, states, done, failed, _leaks(by_kind["measurement"], header["design"]), identity)
    evidence.scores = _scores((r for r in records if r.cell in done), header["design"], tables)
    for arm in header["design"]:
        evidence.cells.setdefault((arm["role"], arm["set"]), []).append(arm)
    return evidence


def _text(body: Body) -> bytes:
    """Return the canonical JSON of a body that came out of JSON.

    Raises:
        ValueError: it holds what is no number.
    """
    try:
        return canonical_json(body)
    except ValueError:
        return canonical(body)  # slower, and says what is wrong


def _digest(texts: set[bytes]) -> str:
    """Return `records.digest` of the sorted list of these JSON texts, without making the text of the whole list."""
    sha = hashlib.sha256(b"[")
    for number, text in enumerate(sorted(texts)):  # UTF-8 sorts as its characters do
        sha.update((b"," if number else b"") + canonical_json(text.decode("utf-8")))
    sha.update(b"]")
    return sha.hexdigest()


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


def _scores(records: Iterable[_Scored], design: Iterable[Body], by: Tables) -> dict[str, dict[Place, dict[str, list[Value]]]]:
    """File every counted record once under each role its cell plays."""
    roles: dict[str, list[Body]] = defaultdict(list)
    for arm in design:
        roles[arm["cell"]].append(arm)
    names = {"score_tokens": tuple(by.tokens), "answer": tuple(by.texts)}
    tables: dict[str, dict[Place, dict[str, list[Value]]]] = {
        name: defaultdict(lambda: defaultdict(list)) for n in names.values() for name in n
    }
    seen: set[tuple[str, Any, str, str]] = set()
    for record in records:
        key = (record.cell, record.step, record.probe, record.kind)
        if key in seen:
            continue
        seen.add(key)
        for arm in roles[record.cell]:
            if (arm["attack"] is None) != (record.step == "end"):
                continue
            place = Place(arm["role"], arm["set"], AT_REST if isinstance(record.step, str) else record.step)
            for name, value in zip(names[record.kind], record.values, strict=True):
                tables[name][place][record.probe].append(value)
    return {name: {place: dict(table) for place, table in places.items()} for name, places in tables.items()}


def _values(kind: str, body: Body, read_blob: ReadBlob, by: Tables) -> tuple[Value, ...]:
    """Return the scores of a record, in the order of its table."""
    if kind == "score_tokens":
        if body["missing"]:
            return (Missing(body["missing"]),) * len(by.tokens)
        return tuple(score(body["candidates"]) for score in by.tokens.values())
    if not by.texts:
        return ()
    read = [read_blob(ref) for ref in (body["text"], *body["expected"])]
    said, expected = read[0], [t for t in read[1:] if t is not None]
    if body["missing"] or said is None or len(expected) != len(read) - 1:
        return (Missing(body["missing"] or "the texts were shredded"),) * len(by.texts)
    return tuple(score(said, expected) for score in by.texts.values())
