"""The results table of the README, generated from ledgers: per seed, with the step chosen on selection clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

from vestige.blobs import Blobs
from vestige.desk.audit import audit
from vestige.desk.evidence import Evidence, Place, gather, lines_by_seed
from vestige.desk.levels import TIE, Question, at_rest, combine
from vestige.desk.report.numbers import strongest
from vestige.errors import LedgerError
from vestige.ledger import read_sound
from vestige.records import Missing

_SETS = {
    "other_capitals": "other capitals (same topic, same form)",
    "country_sentences": "sentences about the forgotten countries (same topic, other form)",
    "other_relation": "currencies (other topic, same form)",
    "unrelated": "unrelated sentences",
}
_REASONS = 3
_SAME_FORM = ("other_capitals", "other_relation")


def weights(folder: Path) -> Iterator[str]:
    """Yield the sha256 of the weights before and after unlearning, per seed."""
    lines = read_sound(folder / "ledger.jsonl")
    header = next(line["body"] for line in lines if line["kind"] == "header")
    states = {line["body"]["cell"]: line["body"]["weights"] for line in lines if line["kind"] == "state"}
    names = {"original": "before unlearning", "subject": "after unlearning"}
    for arm in header["design"]:
        if arm["role"] in names and arm["set"] is None:
            yield f"sha256 of the weights {names[arm['role']]} (seed {arm['seed']}): {states[arm['cell']]}"


def per_seed(folder: Path) -> dict[int, Evidence]:
    """Return the evidence of each seed of a run by itself."""
    blobs = Blobs(folder)
    return {seed: gather(lines, blobs.get) for seed, lines in lines_by_seed(read_sound(folder / "ledger.jsonl")).items()}


def recall(evidence: Evidence, place: Place, split: str = "test", wording: str = "primary", group: str = "forget") -> float | Missing:
    """Return keyword recall at a place."""
    return combine(evidence, Question("keyword", group, split, wording), [(1.0, place)]).mean


def chosen(evidence: Evidence, set_: str) -> Place:
    """Return the step of a set with the highest keyword recall on selection clusters (the earliest of equals).

    Raises:
        LedgerError: there is none.
    """
    places = [Place("subject", set_, step) for step in evidence.steps("subject", set_)]
    scored = [(recall(evidence, p, "selection"), p) for p in places]
    able = [(v, p) for v, p in scored if not isinstance(v, Missing)]
    if not able:
        raise LedgerError(f"the run has no keyword recall on selection clusters under the relearn set {set_!r}, so no step can be chosen")
    return max(able, key=lambda pair: (round(pair[0], TIE), -pair[1].step))[1]


def capitals_rows(seeds: Mapping[int, Evidence]) -> list[tuple[str, list[float | Missing]]]:
    """Return keyword recall on test countries, one value per seed, for each row of the table."""
    rows: list[tuple[str, list[float | Missing]]] = []

    def row(label: str, value: Any) -> None:
        rows.append((label, [value(e) for e in seeds.values()]))

    row("original", lambda e: recall(e, at_rest("original")))
    row("unlearned, before any attack", lambda e: recall(e, at_rest("subject")))
    for set_, label in _SETS.items():
        row(f"relearned on {label}", lambda e, s=set_: recall(e, chosen(e, s)))
    row("unlearned, plain statement form", lambda e: recall(e, at_rest("subject"), wording="statement"))
    row("unlearned, capitals that were to be kept", lambda e: recall(e, at_rest("subject"), group="retain"))
    return rows


def markdown(folders: Mapping[str, Path]) -> str:
    """Return the results table of a demonstration."""
    parts = [_capitals(folders["capitals"]), _customers(folders["customers"])]
    return "\n\n".join(parts) + "\n"


def frozen(folders: Sequence[Path]) -> str:
    """Return the table of the same plan, unchanged, on other countries: blocks that chose nothing."""
    lines = [
        "| Other countries, same plan, unchanged: keyword recall on test countries | countries | unlearned "
        "| best same-form set | unrelated |",
        "|---|---|---|---|---|",
    ]
    for folder in folders:
        for seed, evidence in per_seed(folder).items():
            count = sum(1 for p in evidence.probes.values() if p["group"] == "forget" and p["wording"] == "primary")
            _, best = max(((_order(recall(evidence, p, "selection")), p) for p in same_form(evidence)), key=itemgetter(0))
            places = (at_rest("subject"), best, chosen(evidence, "unrelated"))
            values = [recall(evidence, place) for place in places]
            shown = [f"{v:.2f}" if not isinstance(v, Missing) else f"missing: {v.reason}" for v in values]
            block = evidence.header["plan"]["case"]["block"]
            lines.append(f"| block {block}, seed {seed} | {count} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def same_form(evidence: Evidence) -> list[Place]:
    """Return the chosen step of each relearn set in the probes' own form."""
    return [chosen(evidence, set_) for set_ in _SAME_FORM]


def _order(value: float | Missing) -> float:
    return -1.0 if isinstance(value, Missing) else value


def _capitals(folder: Path) -> str:
    seeds = per_seed(folder)
    rows = capitals_rows(seeds)
    head = "| World capitals: keyword recall on test countries | " + " | ".join(f"seed {s}" for s in seeds) + " | median |"
    lines = [head, "|---|" + "---|" * (len(seeds) + 1)]
    for label, values in rows:
        known = [v for v in values if not isinstance(v, Missing)]
        middle = f"**{median(known):.2f}**" if len(known) == len(values) else "missing"
        shown = [f"{v:.2f}" if not isinstance(v, Missing) else "missing" for v in values]
        lines.append(f"| {label} | " + " | ".join(shown) + f" | {middle} |")
    return "\n".join(lines)


def _customers(folder: Path) -> str:
    """Return every audit of every seed by itself, and of all seeds together where there are several."""
    whole, blobs = read_sound(folder / "ledger.jsonl"), Blobs(folder)
    verdicts = {f"seed {seed}": audit(own, blobs.get) for seed, own in lines_by_seed(whole).items()}
    if len(verdicts) > 1:
        verdicts["all seeds"] = audit(whole, blobs.get)
    lines = [
        "| Planted customers | seed | verdict | at rest, E | strongest relearn set | E after it | rise beyond the control's |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, name in enumerate(a["name"] for a in next(iter(verdicts.values()))["audits"]):
        lines += (_audit_row(verdict["audits"][number], name, seed) for seed, verdict in verdicts.items())
    return "\n".join(lines)


def _audit_row(found: Mapping[str, Any], name: str, seed: str) -> str:
    best = strongest(found)
    word = found["verdict"] + (f" ({_reasons(found['reasons'])})" if found["reasons"] else "")
    after = (
        [f"{best['set']}, step {best['chosen']}", _estimate(best["excess"]), _estimate(best["rise"])] if best else ["not attacked", "", ""]
    )
    return "| " + " | ".join([name, seed, word, _estimate(found["residual"]), *after]) + " |"


def _reasons(reasons: Sequence[str]) -> str:
    more = len(reasons) - _REASONS
    return ", ".join(reasons[:_REASONS]) + (f" and {more} more" if more > 0 else "")


def _estimate(value: Mapping[str, Any]) -> str:
    if "missing_reason" in value:
        return f"missing: {value['missing_reason']}"
    return f"{value['value']:+.2f} ({value['low']:+.2f} to {value['high']:+.2f})"
