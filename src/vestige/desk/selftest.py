"""Is a metric itself to be trusted? Faithfulness and robustness of every metric, from the ledgers of runs whose models' past is known.

Papers: Dorna et al. 2025, arXiv 2506.12618 (OpenUnlearning: the questions); Lee, Kim and Jo 2026, arXiv 2605.24614 (symmetric R and Q).

m(state) is a metric's mean over the forgotten people of the mean over their probes, turned so that higher is more memory.
    faithfulness = P(m(knows) > m(does not)) + P(equal) / 2     over originals and never-exposed models: an area under the ROC curve
    R = 1 - |du - dr| / (|du| + |dr|)     d = m(after) - m(before) relearning on the forget set; u the unlearned model, r the never-exposed
                                          one of the same seed
    Q = 1 - |a - b| / (|a| + |b|)         m of the unlearned model before (a) and after (b) rounding to four bits
R and Q are 1 where numerator and denominator are both 0, and means over the unlearned models. Robustness is their harmonic mean, and the
whole that of faithfulness and robustness. A metric that does not see what an unlearned model hides rises more there than in a model that
never knew, and its R falls.

Deviations. A metric in nats keeps its sign in Q too, so that near 0 its Q means little. All unlearned models count, however useful they
still are. One probe without a score, and the metric is Missing in that state. Traces are read at rest only: no R and no Q.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, harmonic_mean
from typing import Any

from vestige import ledger
from vestige.blobs import Blobs
from vestige.desk import metrics
from vestige.desk.evidence import ReadBlob
from vestige.desk.stats.auc_interval import area
from vestige.errors import LedgerError
from vestige.records import Missing

SCHEMA = "vestige.selftest/1"
KNOWS, NEVER, REFERENCE, UNLEARNED = "original", "never_exposed", "never_exposed_2", "subject"
RELEARN, QUANTISE = "relearn", "quantise"

Body = Mapping[str, Any]
Value = float | Missing
Readings = Mapping[str, Value]

# Metrics of memory of which less is more memory. Those of fluency say nothing of memory either way, and are left out.
_LESS_IS_MORE = frozenset(
    {"imprint", "nll", "summed_nll", "loss", "zlib", "min_k", "min_k_plus_plus", "token_entropy", "forget_quality"}
    | {
        "log_truth_ratio",
        "truth_ratio",
        "truth_ratio_geometric",
        "truth_ratio_closeness",
        "curvature",
        "fisher_overlap",
        "logit_lens_depth",
        "forget_gradient_norm",
    }
)
_OF_FLUENCY = frozenset({"repetition", "word_entropy", "off_language"})


@dataclass(frozen=True)
class State:
    """One model of a run, at rest or after an attack, and what every metric reads in it."""

    run: str
    role: str
    seed: int
    attack: str | None
    readings: Readings


def selftest(folders: Sequence[Path]) -> dict[str, Any]:
    """Return the two scores of every metric over the models of several runs.

    Raises:
        LedgerError: a damaged ledger, or runs that together hold no original, no never-exposed model or no unlearned one.
    """
    states = [state for folder in folders for state in _states(folder)]
    pools = {role: [s for s in states if s.role == role and s.attack is None] for role in (KNOWS, NEVER, UNLEARNED)}
    if lacking := [role for role, found in pools.items() if not found]:
        raise LedgerError(
            f"{', '.join(map(str, folders))}: no model in the role {lacking[0]!r}; a selftest needs {KNOWS}, {NEVER} and {UNLEARNED}"
        )
    names = list(dict.fromkeys(name for state in pools[KNOWS] for name in state.readings))
    return {
        "schema": SCHEMA,
        "models": {role: len(found) for role, found in pools.items()},
        "metrics": [_metric(name, states) for name in names],
    }


def _metric(name: str, states: Sequence[State]) -> dict[str, Any]:
    faithful = _faithfulness(name, states)
    robust = {attack: _mean(of) for attack, of in ((RELEARN, list(_relearned(name, states))), (QUANTISE, list(_quantised(name, states))))}
    robustness = _harmonic(robust.values())
    overall = _harmonic([faithful if isinstance(faithful, Missing) else faithful["value"], robustness])
    shown = {
        "faithfulness": faithful,
        "relearning": robust[RELEARN],
        "quantisation": robust[QUANTISE],
        "robustness": robustness,
        "overall": overall,
    }
    return {"metric": name, **{key: {"missing_reason": v.reason} if isinstance(v, Missing) else v for key, v in shown.items()}}


def _faithfulness(name: str, states: Sequence[State]) -> dict[str, Any] | Missing:
    found: list[list[float]] = []
    for role in (KNOWS, NEVER):
        values = [s.readings.get(name, _not_read(name)) for s in states if s.role == role and s.attack is None]
        known = [v for v in values if not isinstance(v, Missing)]
        if len(known) < len(values):
            return next(v for v in values if isinstance(v, Missing))
        found.append(known)
    of = area(*found)
    return of if isinstance(of, Missing) else asdict(of)


def _relearned(name: str, states: Sequence[State]) -> Iterator[Value]:
    """Yield R of every unlearned model."""
    for state in _attacked(states, RELEARN):
        values = [_reading(states, state, role, attack, name) for role in (UNLEARNED, NEVER) for attack in (RELEARN, None)]
        numbers = [v for v in values if not isinstance(v, Missing)]
        if len(numbers) < len(values):
            yield next(v for v in values if isinstance(v, Missing))
        else:
            yield alike(numbers[0] - numbers[1], numbers[2] - numbers[3])


def _quantised(name: str, states: Sequence[State]) -> Iterator[Value]:
    """Yield Q of every unlearned model."""
    for state in _attacked(states, QUANTISE):
        before, after = (_reading(states, state, UNLEARNED, attack, name) for attack in (None, QUANTISE))
        missing = [v for v in (before, after) if isinstance(v, Missing)]
        yield missing[0] if missing else alike(before, after)  # type: ignore[arg-type]


def alike(a: float, b: float) -> float:
    """Return 1 - |a - b| / (|a| + |b|): 1 where equal, 0 where one is 0 or the signs differ."""
    return 1 - abs(a - b) / (abs(a) + abs(b)) if a or b else 1.0


def _attacked(states: Sequence[State], attack: str) -> list[State]:
    return [s for s in states if s.role == UNLEARNED and s.attack == attack]


def _reading(states: Sequence[State], like: State, role: str, attack: str | None, name: str) -> Value:
    """Return what a metric reads in another state of the same run and seed."""
    found = [s for s in states if (s.run, s.seed, s.role, s.attack) == (like.run, like.seed, role, attack)]
    return found[0].readings.get(name, _not_read(name)) if found else Missing(f"the {role} was not attacked by {attack or 'nothing'}")


def _not_read(name: str) -> Missing:
    return Missing(f"{name} was not read in every state")


def _mean(values: Sequence[Value]) -> Value:
    missing = [v for v in values if isinstance(v, Missing)]
    return (
        missing[0]
        if missing
        else fmean(v for v in values if not isinstance(v, Missing))
        if values
        else Missing("no unlearned model was attacked so")
    )


def _harmonic(values: Iterable[Value]) -> Value:
    everything = list(values)
    missing = [v for v in everything if isinstance(v, Missing)]
    return missing[0] if missing else harmonic_mean([v for v in everything if not isinstance(v, Missing)])


def _states(folder: Path) -> Iterator[State]:
    """Yield every state of a run that a selftest looks at: arms at rest, and those attacked at their last step."""
    lines, read = ledger.read_sound(folder / "ledger.jsonl"), Blobs(folder).get
    header = next((line["body"] for line in lines if line["kind"] == "header"), None)
    if header is None:
        raise LedgerError(f"{folder}: the ledger has no header line: the run never began")
    done = {line["body"]["cell"] for line in lines if line["kind"] == "cell_done"}
    arms = [arm for arm in header["design"] if arm["role"] in (KNOWS, NEVER, REFERENCE, UNLEARNED) and arm["cell"] in done]
    last = {arm["cell"]: _last(header, arm) for arm in arms}
    asked: dict[str, list[tuple[str, Body]]] = defaultdict(list)
    for line in lines:
        body = line["body"]
        if line["kind"] in ("score_tokens", "answer") and body["wording"] == "primary" and last.get(body["cell"]) == body["step"]:
            asked[body["cell"]].append((line["kind"], body))
    references = {arm["seed"]: _ratios(asked[arm["cell"]]) for arm in arms if arm["role"] == REFERENCE and arm["attack"] is None}
    traced = _traced(lines)
    for arm in arms:
        if arm["role"] == REFERENCE:
            continue
        readings = {**_readings(asked[arm["cell"]], read), **_sets(asked[arm["cell"]], references.get(arm["seed"], []))}
        attack = None if arm["attack"] is None else RELEARN if arm["relearn_set"] else QUANTISE
        if attack is None:
            readings.update(traced.get((arm["role"], arm["seed"]), {}))
        yield State(str(folder), arm["role"], arm["seed"], attack, {name: _turned(name, value) for name, value in readings.items()})


def _last(header: Body, arm: Body) -> int | str:
    """Return the step at which the records of an arm count: the end, or the last one an attack was asked at."""
    if arm["attack"] is None:
        return "end"
    names = list(dict.fromkeys(a["attack"] for a in header["design"] if a["attack"]))
    return int(header["plan"]["attacks"][names.index(arm["attack"])]["probe_at"][-1])


def _readings(asked: Iterable[tuple[str, Body]], read: ReadBlob) -> dict[str, Value]:
    """Return every metric of one answer, as the mean over clusters of the forget group."""
    tables: dict[str, dict[str, list[Value]]] = defaultdict(lambda: defaultdict(list))
    for kind, body in asked:
        if body["group"] == "forget":
            for name, value in _of_record(kind, body, read):
                tables[name][body["cluster"]].append(value)
    return {name: _over_clusters(clusters) for name, clusters in tables.items()}


def _of_record(kind: str, body: Body, read: ReadBlob) -> Iterator[tuple[str, Value]]:
    if kind == "score_tokens":
        missing = Missing(body["missing"]) if body["missing"] else None
        yield from ((name, missing or metric(body["candidates"])) for name, metric in metrics.TOKENS.items())
        return
    texts = [read(ref) for ref in (body["text"], *body["expected"]) if ref]
    whole = [text for text in texts if text is not None]
    gone = Missing(body["missing"] or "the texts were shredded") if body["missing"] or len(whole) < len(texts) or not whole else None
    for name, metric in metrics.TEXTS.items():
        if name not in _OF_FLUENCY:
            yield name, gone or metric(whole[0], whole[1:])


def _over_clusters(clusters: Mapping[str, Sequence[Value]]) -> Value:
    missing = [v for values in clusters.values() for v in values if isinstance(v, Missing)]
    return missing[0] if missing else fmean(fmean(v for v in values if not isinstance(v, Missing)) for values in clusters.values())


def _sets(asked: Sequence[tuple[str, Body]], reference: Sequence[Value]) -> dict[str, Value]:
    """Return the metrics of whole sets: membership, forgotten facts against decoys, and forget quality against a second twin."""
    found: dict[str, Value] = {}
    for name, metric in metrics.MEMBERSHIP.items():
        members, others = (
            [metric(b["candidates"]) for k, b in asked if k == "score_tokens" and b["group"] == group and not b["missing"]]
            for group in ("forget", "decoy")
        )
        of = metrics.SETS["auc"](members, others)
        found[f"auc_{name}"] = of if isinstance(of, Missing) else of.value
    of = metrics.SETS["forget_quality"](_ratios(asked), reference)
    found["forget_quality"] = of if isinstance(of, Missing) else of.value
    return found


def _ratios(asked: Iterable[tuple[str, Body]]) -> list[Value]:
    metric = metrics.TOKENS["log_truth_ratio"]
    return [metric(b["candidates"]) for kind, b in asked if kind == "score_tokens" and b["group"] == "forget" and not b["missing"]]


def _traced(lines: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], dict[str, Value]]:
    found: dict[tuple[str, int], dict[str, Value]] = defaultdict(dict)
    for line in lines:
        body = line["body"]
        if line["kind"] == "measurement" and body["name"] == "state_trace":
            found[body["role"], body["seed"]][body["trace"]] = Missing(body["missing"]) if body["value"] is None else float(body["value"])
    return found


def _turned(name: str, value: Value) -> Value:
    return value if isinstance(value, Missing) or name not in _LESS_IS_MORE else -value
