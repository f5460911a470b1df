"""Ledgers without a model: every level of every role, relearn set, step, seed and cluster is planted.

A `Run` holds the numbers, `lines()` gives the ledger lines that a recorder would have written for them, `write()` a run's folder.
As it stands it is a run that passes: the subject is where the never-exposed twin is, the original knew, the liar comes back.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from vestige.blobs import Blobs
from vestige.ledger import Ledger

Body = dict[str, Any]
Line = dict[str, Any]
Put = Callable[[str], str]
Said = float | str | None

ROLES = ("original", "never_exposed", "never_exposed_2", "subject", "sham", "positive", "broken")
ATTACKED = ("subject", "never_exposed", "never_exposed_2", "positive", "sham")
HINTS, UNRELATED = "hints", "unrelated"
# Choice scores of the forget group: at rest (None), and after a relearn set by step. A number alone stands for every
# step, and a step that is not named for the one nearest to it.
LEVELS: dict[tuple[str, str | None], float | dict[int, float]] = {
    ("original", None): 0.9,
    ("never_exposed", None): 0.02,
    ("never_exposed", HINTS): {2: 0.03, 4: 0.05},
    ("never_exposed_2", None): 0.02,
    ("never_exposed_2", HINTS): {2: 0.03, 4: 0.05},
    ("subject", None): 0.03,
    ("subject", HINTS): {2: 0.04, 4: 0.06},
    ("positive", None): 0.05,
    ("positive", HINTS): {2: 0.4, 4: 0.7},
}
# Choice scores of what is to be kept, at rest.
KEPT = {"original": 0.9, "subject": 0.88, "never_exposed": 0.88, "never_exposed_2": 0.88, "positive": 0.88, "sham": 0.88, "broken": 0.02}


@dataclass(frozen=True)
class At:
    """A question put to a state: `set` is None and `step` 0 at rest; `index` counts clusters, test and selection apart."""

    role: str
    set: str | None
    step: int
    seed: int
    group: str
    split: str
    index: int
    probe: str
    wording: str = "primary"


@dataclass
class Run:
    """The numbers of a run. `tweak` has the last word on what is said: a score, a reason (str), or None for no record."""

    test: int = 25
    selection: int = 10
    per_cluster: int = 1
    k: int = 4
    seeds: tuple[int, ...] = (0, 1)
    sets: tuple[str, ...] = (HINTS, UNRELATED)
    probe_at: tuple[int, ...] = (2, 4)
    attacks: tuple[str, ...] = ("relearn",)
    folds: int = 1
    delta: float = 0.2
    utility_min: float | None = None
    primary: str = "choice"
    knowledge: str = "planted"
    without: tuple[str, ...] = ()
    levels: Mapping[tuple[str, str | None], float | dict[int, float]] = field(default_factory=dict)
    kept: Mapping[str, float] = field(default_factory=dict)
    # Wide enough for Student's t: with less, fewer than three clusters differ materially and the exact interval is taken.
    jitter: float = 0.08
    tweak: Callable[[At, float], Said] = lambda at, score: score
    last: Callable[[At], bool] = lambda at: False
    leaked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # By relearn set; None: the ledger is of a time before covariates and kinds of findings were written.
    covariates: Mapping[str, Mapping[str, Any]] | None = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    greedy: bool = False
    statements: bool = False
    block: int = 0

    def lines(self, put: Put = "text:".__add__) -> list[Line]:
        """Return the lines; texts are stored by `put`, whose default keeps them in the reference."""
        lines = [_line("measurement", body) for body in self._leak_checks(put)]
        lines.append(_line("header", self.header(put)))
        for cell, arm in {arm["cell"]: arm for arm in self.design()}.items():
            lines += self._cell(cell, arm, put)
        return lines

    def write(self, folder: Path, measured: Iterable[Body] = ()) -> Path:
        """Write a run's folder: ledger (further measurements first), texts and key."""
        folder.mkdir(parents=True, exist_ok=True)
        blobs, ledger = Blobs.create(folder), Ledger(folder / "ledger.jsonl")
        for body in measured:
            ledger.add("measurement", body)
        for line in self.lines(blobs.put):
            ledger.add(line["kind"], line["body"])
        ledger.add("end", {"lines": len(ledger.lines) + 1})
        blobs.flush()
        ledger.commit()
        ledger.close()
        return folder

    def header(self, put: Put) -> Body:
        """Return the header's body."""
        rule = {"delta": self.delta, "alpha": 0.025, "utility_ratio": 0.8, "utility_min": self.utility_min, "known_min": 0.3}
        attacks = [{"name": "relearn", "probe_at": list(self.probe_at)} for _ in self.attacks]
        return {
            "run": "synthetic",
            "created": "2026-11-24T00:00:00+00:00",
            "vestige": "0",
            "environment": {"python": "3"},
            "plan": {"attacks": attacks, "rule": rule, "case": {"name": "synthetic", "block": self.block}},
            "plan_digest": "0" * 64,
            "case": {
                "name": "synthetic",
                "version": "1",
                "language": "en",
                "licence": "Apache-2.0",
                "knowledge": self.knowledge,
                "primary": self.primary,
                "citation": "",
            },
            "probes": [self._about(at, put) for at in self.probes()],
            "design": self.design(),
            "audits": self.audits(),
            "rule": rule,
        }

    def roles(self) -> list[str]:
        """Return the roles of this run."""
        return [r for r in ROLES if r not in self.without]

    def design(self) -> list[Body]:
        """Return the arms: at rest, then attacked, seed by seed."""
        arms: list[Body] = []
        for seed in self.seeds:
            rest = {"attack": None, "set": None, "relearn_set": None, "fold": 0, "seed": seed}
            arms += [{**rest, "cell": f"{role}/{seed}", "role": role} for role in self.roles()]
            for role in (r for r in self.roles() if r in ATTACKED):
                for attack in self.attacks:
                    for name in self.sets:
                        label = name if len(self.attacks) == 1 else f"{name} ({attack})"
                        about = {"role": role, "attack": attack, "set": label, "relearn_set": name, "seed": seed}
                        arms += [{**about, "cell": f"{role}/{label}/{fold}/{seed}", "fold": fold} for fold in range(self.folds)]
        return arms

    def audits(self) -> list[Body]:
        """Return the audits that these roles allow."""
        roles = self.roles()
        control = "never_exposed" if "never_exposed" in roles else None
        common = {
            "attacked": True,
            "positive": "positive" if "positive" in roles else None,
            "unrelated": UNRELATED if UNRELATED in self.sets else None,
            "knowledge": self.knowledge,
            "asserted_lineage": False,
            "original": "original" if "original" in roles else None,
        }
        rows = [{"name": "unlearned", "subject": "subject", "control": control}]
        if "never_exposed_2" in roles:
            rows.append({"name": "twin", "subject": "never_exposed", "control": "never_exposed_2"})
        if "positive" in roles:
            rows.append({"name": "liar", "subject": "positive", "control": control})
        if "broken" in roles:
            rows.append({"name": "broken", "subject": "broken", "control": control, "attacked": False})
        return [{**common, **row} for row in rows]

    def probes(self) -> Iterator[At]:
        """Yield every probe, as asked of nobody."""
        for group in ("forget", "decoy", "retain", "utility"):
            forget = group == "forget"
            for split, count in (("test", self.test if forget else 5), ("selection", self.selection if forget else 5)):
                for index in range(count):
                    for number in range(self.per_cluster if forget else 1):
                        probe = f"{group}-{split}-{index}-{number}"
                        yield At("", None, 0, 0, group, split, index, probe)
                        if forget and self.statements:
                            yield At("", None, 0, 0, group, split, index, f"{probe}-statement", "statement")

    def said(self, at: At) -> Said:
        """Return what is planted at a place: level, plus a jitter that sums to 0 over each five clusters."""
        if at.group == "decoy":
            level: float = 0.0
        elif at.group != "forget":
            level = self.kept.get(at.role, KEPT[at.role])
        else:
            level = self._level(at)
        return self.tweak(at, level + self.jitter * _jitter(f"{at.role}/{at.set}/{at.step}/{at.seed}/{at.index // 5}", at.index % 5))

    def _level(self, at: At) -> float:
        name = at.set.split(" (")[0] if at.set else None
        for key in ((at.role, at.set), (at.role, name), (at.role, None)):
            for levels in (self.levels, LEVELS):
                if key in levels:
                    planted = levels[key]
                    return planted[min(planted, key=lambda s: abs(s - at.step))] if isinstance(planted, dict) else planted
        return 0.02

    def _about(self, at: At, put: Put) -> Body:
        return {**self._head(at, put), "attribute": "", "k": self.k, "expected": [put(f" yes {at.probe}")]}

    def _head(self, at: At, put: Put) -> Body:
        cluster = f"{at.group}-{at.split}-{at.index}"
        about = {"probe": at.probe, "group": at.group, "split": at.split, "cluster": cluster}
        return {**about, "wording": at.wording, "form": "plain", "prompt": put(f"Is it {at.probe}?")}

    def _leak_checks(self, put: Put) -> Iterator[Body]:
        for name in self.sets:
            for fold in range(self.folds):
                leaked = list(self.leaked.get(name, ()))
                about = {"name": "leak_check", "set": name, "group": "forget", "fold": fold, "rows": 1, "rows_text": put("rows")}
                measured = self.covariates or {}
                since = {"findings": [], "text": put("[]"), "covariates": dict(measured.get(name, {}))}
                yield {**about, "clean": 0, "suspect": [], "leaked": leaked, **({} if self.covariates is None else since)}

    def _cell(self, cell: str, arm: Body, put: Put) -> Iterator[Line]:
        state = self.digests.get(cell, f"state of {cell}")
        steps = ["end"] if arm["set"] is None else list(self.probe_at)
        tokens = 0 if arm["set"] is None else self.tokens.get(arm["set"], 100)
        spent = {"steps": 0 if arm["set"] is None else max(self.probe_at), "tokens_trained": tokens, "tokens_scored": tokens}
        where = {"cell": cell, "digest": state, "weights": self.digests.get(f"{cell} weights", f"weights of {cell}")}
        about = {"action": {"name": "made"}, "parents": {}, "stop_scores": [], "kept": False, "seed": arm["seed"]}
        yield _line("state", {**where, **about, "step": spent["steps"], **{k: spent[k] for k in ("tokens_trained", "tokens_scored")}})
        for step in steps:
            for at in self._asked(arm, step):
                for body in self._records(at, put):
                    where = {"cell": cell, "state": state, "step": step}
                    yield _line("answer" if "text" in body else "score_tokens", {**where, **self._head(at, put), **body})
        yield _line("cell_done", {"cell": cell, "asks": [[step, "choice", 0] for step in steps], **spent, "seconds": 1.5})

    def _asked(self, arm: Body, step: int | str) -> Iterator[At]:
        """Yield the questions put at a step: everything at rest, the forget probes of the fold under an attack."""
        for number, at in enumerate(self.probes()):
            if arm["set"] is None or (at.group == "forget" and at.wording == "primary" and number % self.folds == arm["fold"]):
                place = (arm["role"], arm["set"], 0 if step == "end" else int(step), arm["seed"])
                yield At(*place, at.group, at.split, at.index, at.probe, at.wording)

    def _records(self, at: At, put: Put) -> Iterator[Body]:
        said = self.said(at)
        if said is None:
            return
        if isinstance(said, str):
            yield {"missing": said, "candidates": []}
            return
        yield {"missing": None, "candidates": candidates(said, self.k, last=self.last(at))}
        if self.greedy and at.group in ("forget", "retain"):
            text = f"yes {at.probe}, surely" if said >= 0.5 else "no"
            decoding = {"mode": "greedy", "max_new": 8, "stop": "\n", "sample": 0}
            yield {"missing": None, "decoding": decoding, "text": put(text), "finish": "stop", "expected": [put(f" yes {at.probe}")]}


def read_blob(ref: str) -> str | None:
    """Return the text of a reference made by the default `put`."""
    return ref.removeprefix("text:")


def candidates(score: float, k: int = 4, *, last: bool = False) -> list[Body]:
    """Return k candidates of one token with the choice score `score`; below chance the true one ranks last only if `last`."""
    p = min(max((score * (k - 1) + 1) / k, 1e-9), 1 - 1e-9)
    wrong = [(1 - p) / (k - 1)] * (k - 1)
    if p < 1 / k and not last:
        wrong = [p / 2] + [(1 - 1.5 * p) / (k - 2)] * (k - 2)
    named = [("true", p), *((f"wrong:{i}", w) for i, w in enumerate(wrong))]
    return [{"candidate": name, "logp": [math.log(x)], "top1": [0], "sd": [1.0], "entropy": [1.0]} for name, x in named]


@cache
def _order(place: str) -> tuple[int, ...]:
    return tuple(random.Random(place).sample((-2, -1, 0, 1, 2), 5))


def _jitter(place: str, index: int) -> float:
    """Return one of -1, -1/2, 0, 1/2, 1, in an order that differs from place to place."""
    return _order(place)[index] / 2


def _line(kind: str, body: Body) -> Line:
    return {"kind": kind, "body": body}
