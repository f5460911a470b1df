"""Records to ledger lines: the one place that knows what a line of schema v1 holds."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import vestige
from vestige import leaks, similarity
from vestige.blobs import Blobs
from vestige.cells import Cell, Graph
from vestige.ledger import Ledger
from vestige.plan import Ask, Plan
from vestige.records import Answer, Candidate, Case, Fold, Group, Missing, Probe, Record, RelearnSet, ScoreTokens, plain

if TYPE_CHECKING:
    from vestige.lab.cell import Outcome

_ID_DIGITS = 16
_DIGITS = 6


class Recorder:
    """Writes one run's lines; ids of probes and clusters enter the ledger only as keyed digests."""

    def __init__(self, ledger: Ledger, blobs: Blobs, ask: Ask) -> None:
        """Write to `ledger`, put texts into `blobs`."""
        self.ledger, self.blobs, self.ask = ledger, blobs, ask

    def keyed(self, name: str) -> str:
        """Return the id under which a probe or cluster appears in the ledger."""
        return self.blobs.ref(name)[:_ID_DIGITS]

    def commit(self) -> None:
        """Put texts on disk, then the lines that point to them."""
        self.blobs.flush()
        self.ledger.commit()

    def header(self, plan: Plan, case: Case, graph: Graph, environment: Mapping[str, str]) -> None:
        """Write what the run is: plan, case, probes, arms, audits and rule."""
        about = {k: getattr(case, k) for k in ("name", "version", "language", "licence", "knowledge", "primary", "citation")}
        self.ledger.add(
            "header",
            {
                "run": plan.name,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "vestige": vestige.__version__,
                "environment": dict(environment),
                "plan": plan.described(),
                "plan_digest": plan.digest(),
                "case": about,
                "probes": [self.about(p) for p in case.probes],
                "design": [plain(arm) for arm in graph.arms],
                "audits": graph.audits,
                "rule": plain(plan.rule),
            },
        )
        self.commit()

    def leak_check(
        self, chosen: RelearnSet, group: Group, probes: Sequence[Probe], *, count: Callable[[str], int] | None = None
    ) -> tuple[int, int]:
        """Write what the leak check found in a relearn set, and what predicts its effect; return (suspect, leaked) counts.

        `count` counts the tokens of a text; without it their number is missing.
        """
        suspects = leaked = 0
        for number, found in enumerate(leaks.check(chosen, probes)):
            fold = chosen.folds[number]
            where = {"name": "leak_check", "set": chosen.name, "group": group, "fold": number}
            measured = {"covariates": plain(covariates(fold, probes, count))}
            self.ledger.add("measurement", {**where, **self._leaks(fold, found), **measured})
            suspects, leaked = suspects + len(found.suspect), leaked + len(found.leaked)
        return suspects, leaked

    def _leaks(self, fold: Fold, found: leaks.FoldLeaks) -> dict[str, Any]:
        """Return verdicts and kinds by keyed probe; rows, answers and spans are texts to forget, and go among them."""
        kinds = Counter((self.keyed(f.probe), f.kind, f.leaked) for f in found.findings)
        return {
            "rows": len(fold.rows),
            "rows_text": self.blobs.put("\n".join(r.text for r in fold.rows)),
            "clean": len(found.clean),
            "suspect": [self.keyed(p) for p in found.suspect],
            "leaked": [self.keyed(p) for p in found.leaked],
            "findings": [{"probe": p, "kind": k, "leaked": bad, "times": n} for (p, k, bad), n in sorted(kinds.items())],
            "text": self.blobs.put(json.dumps(plain(found.findings))),
        }

    def done(self, cell: Cell, outcome: Outcome, *, kept: bool) -> None:
        """Write everything a cell gave, in one commit."""
        spent = plain(outcome.spent)
        parents = {"start": cell.parent, "steps_as": cell.steps_as}
        state = {
            "cell": cell.digest,
            "step": outcome.spent.steps,
            "digest": outcome.state,
            "weights": outcome.weights,
            "parents": {k: v for k, v in parents.items() if v},
            "action": {"name": cell.name, **(plain(cell.action) if cell.action else {})},
            "stop_scores": outcome.stop_scores,
            "seed": cell.seed,
            "tokens_trained": outcome.spent.tokens_trained,
            "tokens_scored": outcome.spent.tokens_scored,
            "kept": kept,
        }
        self.ledger.add("state", state)
        asked = {p.id: p for a in cell.asks for p in a.probes}
        for step, _, records in outcome.records:
            for record in records:
                self._record({"cell": cell.digest, "state": outcome.state, "step": step}, asked[record.probe], record)
        asks = [[step, kind, len(records)] for step, kind, records in outcome.records]
        self.ledger.add("cell_done", {"cell": cell.digest, "asks": asks, **spent, "seconds": round(outcome.seconds, 3)})
        self.commit()

    def failed(self, cell: Cell, error: str) -> None:
        """Write that a cell failed and why."""
        # The reason may name a row or a probe, and with it a person: it is kept among the texts that can be shredded.
        self.ledger.add("cell_failed", {"cell": cell.digest, "error": self.blobs.put(error)})
        self.commit()

    def about(self, probe: Probe) -> dict[str, Any]:
        """Return what the header says of a probe."""
        return {
            **self._head(probe),
            "attribute": probe.attribute,
            "k": 1 + len(probe.distractors),
            "expected": [self.blobs.put(text) for text in probe.expected],
        }

    def _head(self, probe: Probe) -> dict[str, Any]:
        return {
            "probe": self.keyed(probe.id),
            "group": probe.group,
            "split": probe.split,
            "cluster": self.keyed(probe.cluster),
            "wording": probe.wording,
            "form": probe.form,
            "prompt": self.blobs.put(probe.prompt),
        }

    def _record(self, where: Mapping[str, Any], probe: Probe, record: Record) -> None:
        body = {**where, **self._head(probe), "missing": None}
        if isinstance(record, ScoreTokens):
            sound = all(_finite(c) for c in record.candidates)
            body["candidates"] = plain(record.candidates) if sound else []
            body["missing"] = None if sound else "a log-probability is not a finite number"
            self.ledger.add("score_tokens", body)
        else:
            self.ledger.add("answer", body | self._said(probe, record))

    def _said(self, probe: Probe, record: Answer) -> dict[str, Any]:
        decoding = {"mode": "greedy", "max_new": self.ask.max_new, "stop": "\n", "sample": 0}
        expected = [self.blobs.put(text) for text in probe.expected]
        return {"decoding": decoding, "text": self.blobs.put(record.text), "finish": record.finish, "expected": expected}


def _finite(candidate: Candidate) -> bool:
    return all(map(math.isfinite, (*candidate.logp, *candidate.top1, *candidate.sd, *candidate.entropy)))


def covariates(
    fold: Fold, probes: Sequence[Probe], count: Callable[[str], int] | None = None, *, embed: similarity.Embed | None = None
) -> dict[str, float | Missing]:
    """Return the covariates of a fold against the primary probes asked along it; without `count` tokens are missing."""
    asks = set(fold.asks)
    asked = [p for p in probes if p.id in asks and p.wording == "primary"]
    found = similarity.covariates(fold.rows, asked, count or len, embed=embed)
    stored = {name: rounded(value) for name, value in found.items()}
    return stored if count else {**stored, "tokens": Missing("no tokenizer was at hand")}


def rounded(value: float | Missing) -> float | Missing:
    """Return a number as a line holds it, so that the line does not hang on the last bits of a sum."""
    return value if isinstance(value, Missing) else round(value, _DIGITS)
