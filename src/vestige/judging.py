"""Judge the answers of a finished run: each different answer once, kept beside the run, never in its ledger or its verdict.

`RUN/judgements/JUDGE@MODEL.jsonl` holds a line an answer: a digest of the keyed references of its texts, and the value. It holds no text,
so that shredding the run leaves numbers only. What stands there already is not asked again.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

from vestige import ledger
from vestige.blobs import Blobs
from vestige.desk.metrics import says
from vestige.desk.stats import widened
from vestige.desk.stats.kappa import kappa
from vestige.errors import LedgerError, UsageError, nearest
from vestige.judgement import Answered
from vestige.judges import TABLE
from vestige.records import Missing, digest

KEYWORD = "keyword"
# Values from here on count as "said" where two judges are compared.
YES = 0.5
_AT_ONCE = 32

Body = Mapping[str, Any]
Value = float | Missing


class Judging:
    """The answers of a run, and what judges said of them."""

    def __init__(self, folder: Path) -> None:
        """Read the run.

        Raises:
            LedgerError: no ledger, a damaged one, or a run whose texts were shredded.
        """
        self.folder = folder
        self._read = Blobs(folder).get
        lines = ledger.read_sound(folder / "ledger.jsonl")
        header = next((line["body"] for line in lines if line["kind"] == "header"), None)
        if header is None:
            raise LedgerError(f"{folder}: the ledger has no header line: the run never began")
        arms = {arm["cell"]: arm for arm in header["design"]}
        asked = [line["body"] for line in lines if line["kind"] == "answer" and line["body"]["cell"] in arms]
        self._asked = [(arms[b["cell"]], b) for b in asked if (b["group"], b["split"], b["wording"]) == ("forget", "test", "primary")]
        self.answers = {reference(b): b for _, b in self._asked if not b["missing"]}
        if any(self.answered(b) is None for b in self.answers.values()):
            raise LedgerError(f"{folder}: the texts of this run were shredded; there is nothing left to judge")

    def answered(self, body: Body) -> Answered | None:
        """Return an answer as texts; None where one is gone."""
        question, said, *expected = (self._read(ref) for ref in (body["prompt"], body["text"], *body["expected"]))
        if question is None or said is None or None in expected:
            return None
        return Answered(question, tuple(e for e in expected if e is not None), said)

    def stored(self, judge: str) -> dict[str, Value]:
        """Return what a judge said so far, by answer; a line that a kill cut short does not count."""
        path = self._path(judge)
        found: dict[str, Value] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            try:
                body = json.loads(line)
                found[body["answer"]] = float(body["value"]) if body["missing"] is None else Missing(body["missing"])
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def left(self, judge: str) -> list[str]:
        """Return the answers that a judge was not asked about."""
        done = self.stored(judge)
        return [answer for answer in self.answers if answer not in done]

    def ask(self, judge: str, made: Any, model: Any) -> Iterator[int]:
        """Ask a judge about what is left, and yield how many are done after every batch; each batch is on disk before the next."""
        left = self.left(judge)
        path = self._path(judge)
        path.parent.mkdir(exist_ok=True)
        for start in range(0, len(left), _AT_ONCE):
            part = left[start : start + _AT_ONCE]
            texts = [found for answer in part if (found := self.answered(self.answers[answer]))]
            values = made(model, texts)
            with path.open("a", encoding="utf-8") as file:
                for answer, value in zip(part, values, strict=True):
                    missing = value.reason if isinstance(value, Missing) else None
                    file.write(json.dumps({"answer": answer, "value": None if missing else value, "missing": missing}) + "\n")
            yield start + len(part)

    def result(self) -> dict[str, Any]:
        """Return the mean of every judge in every arm, and how far each two agree; the keyword match counts as a judge."""
        names = [path.stem for path in sorted(self.folder.glob("judgements/*.jsonl"))]
        judges = {KEYWORD: self._by_keyword(), **{name: self.stored(name) for name in names}}
        return {
            "schema": "vestige.judgements/1",
            "answers": len(self.answers),
            "missing": {name: sum(isinstance(v, Missing) for v in said.values()) for name, said in judges.items()},
            "arms": list(self._arms(judges)),
            "agreement": [_agreement(a, b, judges) for a, b in combinations(judges, 2)],
        }

    def _by_keyword(self) -> dict[str, Value]:
        texts = {answer: self.answered(body) for answer, body in self.answers.items()}
        return {answer: float(says(t.said, t.expected)) for answer, t in texts.items() if t is not None}

    def _arms(self, judges: Mapping[str, Mapping[str, Value]]) -> Iterator[dict[str, Any]]:
        places: dict[tuple[str, str | None, Any], list[Body]] = defaultdict(list)
        for arm, body in self._asked:
            places[arm["role"], arm["set"], body["step"]].append(body)
        for (role, set_, step), bodies in places.items():
            yield {"role": role, "set": set_, "step": step, "judges": {name: _level(bodies, said) for name, said in judges.items()}}

    def _path(self, judge: str) -> Path:
        return self.folder / "judgements" / f"{judge}.jsonl"


def reference(body: Body) -> str:
    """Return the name of an answer: a digest of the keyed references of its texts."""
    return digest([body["prompt"], body["text"], list(body["expected"])])


def label(judge: str, model: str) -> str:
    """Return the name under which what a judge says is kept, which tells the models it asked apart."""
    return f"{judge}@{re.sub(r'[^A-Za-z0-9.-]+', '_', model).strip('_')}"


def named(judge: str) -> Any:
    """Return a judge of the table.

    Raises:
        UsageError: there is none of that name.
    """
    if judge not in TABLE:
        raise UsageError(f"no judge {judge!r}; {nearest(judge, TABLE)}")
    return TABLE[judge]()


def _level(bodies: Sequence[Body], said: Mapping[str, Value]) -> dict[str, Any]:
    """Return the mean over clusters with its interval; an answer without a judgement makes it missing."""
    clusters: dict[str, list[float]] = defaultdict(list)
    for body in bodies:
        value = Missing(body["missing"]) if body["missing"] else said.get(reference(body), Missing("not judged"))
        if isinstance(value, Missing):
            return {"missing_reason": value.reason}
        clusters[body["cluster"]].append(value)
    found = widened.estimate(clusters, alpha=0.025, signed=False)
    return {"missing_reason": found.reason} if isinstance(found, Missing) else {"value": found.value, "low": found.low, "high": found.high}


def _agreement(a: str, b: str, judges: Mapping[str, Mapping[str, Value]]) -> dict[str, Any]:
    found = kappa(_pairs(judges[a], judges[b]))
    return {"judges": [a, b], "kappa": {"missing_reason": found.reason} if isinstance(found, Missing) else asdict(found)}


def _pairs(a: Mapping[str, Value], b: Mapping[str, Value]) -> Iterable[tuple[bool, bool]]:
    for answer, x in a.items():
        y = b.get(answer)
        if y is not None and not isinstance(x, Missing) and not isinstance(y, Missing):
            yield x >= YES, y >= YES
