"""Measures as a person reads them in a terminal: one table of metrics by arm for every place, then one of what comes back by relearn set.

Without names of metrics the short list is shown; JSON holds everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from vestige.desk.report.numbers import MINUS, decimal
from vestige.text import terminal_safe

SHORT = (
    "choice",
    "keyword",
    "imprint",
    "probability",
    "log_truth_ratio",
    "rouge_l_recall",
    "exact_memorisation",
    "extraction_strength",
    "min_k",
    "repetition",
    "auc",
    "forget_quality",
)
_FIRST, _COLUMN = 24, 22
_MARKS = "abcdefghijklmnopqrstuvwxyz"

Shown = Mapping[str, Any]


class Notes:
    """Reasons why something is missing, each said once under its table."""

    def __init__(self) -> None:
        """Begin with none."""
        self.reasons: list[str] = []

    def mark(self, reason: str) -> str:
        """Return what stands in a cell in place of a number."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return f"– ({_MARKS[self.reasons.index(reason) % len(_MARKS)]})"

    def lines(self) -> Iterator[str]:
        """Yield the reasons by their marks."""
        yield from (f"  ({_MARKS[i % len(_MARKS)]}) missing: {terminal_safe(reason)}" for i, reason in enumerate(self.reasons))


def text(found: Shown, *, names: Sequence[str] = (), width: int = 100) -> str:
    """Return everything that was measured as lines of at most `width` columns; no names: the short list, and what it leaves out."""
    shown = found["metrics"] if names else [n for n in SHORT if n in found["metrics"]]
    what = "forget probes, primary wording, test clusters; 95 % intervals over clusters; *n: n probes without"
    lines = [f"{found['run']} · case {found['case']} · {what}"]
    places = dict.fromkeys((row["set"], row["step"], row["at"]) for row in found["arms"])
    for place in sorted(places, key=lambda p: (p[0] is not None, p[0] or "", p[1])):
        lines += _place(place, found, shown, width)
    for row in found["comes_back"]:
        lines += _returned(row, width)
    left = len(found["metrics"]) - len(shown)
    lines += [""] + ([f"{left} more metrics: --metric all; other groups and wordings, counts and reasons: --json"] if left else [])
    return "\n".join(terminal_safe(line) for line in lines)


def _place(place: tuple[str | None, int, str], found: Shown, names: Sequence[str], width: int) -> list[str]:
    """Return the table of one place: metrics by arm."""
    set_, step, why = place
    rows = [r for r in found["arms"] if (r["set"], r["step"], r["at"], r["group"], r["wording"]) == (*place, "forget", "primary")]
    cells = {(r["metric"], r["role"]): r for r in rows if r["metric"] in names}
    roles = list(dict.fromkeys(r["role"] for r in rows))
    sets = [r for r in found["sets"] if set_ is None and r["metric"] in names]
    cells |= {(f"{r['metric']}({r['of']})", r["role"]): r for r in sets}
    title = "at rest" if set_ is None else f"after {set_}, step {step}" + (" (chosen)" if why == "chosen" else " (last)")
    if why == "last":  # what was asked at the chosen step stands there
        chosen = {r["metric"] for r in found["arms"] if r["set"] == set_ and r["at"] == "chosen" and "missing_reason" not in r["estimate"]}
        cells = {key: row for key, row in cells.items() if key[0] not in chosen}
    order = {name: place for place, name in enumerate(names)}
    labels = sorted(dict.fromkeys(name for name, _ in cells), key=lambda label: order[label.partition("(")[0]])
    if not labels:
        return []
    notes = Notes()
    table = {label: [_cell(cells.get((label, role)), notes) for role in roles] for label in labels}
    return ["", title, *_table("metric", roles, table, width), *notes.lines()]


def _cell(row: Shown | None, notes: Notes) -> str:
    return notes.mark("not asked at this step") if row is None else number(row["estimate"], notes)


def number(value: Any, notes: Notes) -> str:
    """Return a number with its interval, or a mark for the reason why there is none."""
    if not isinstance(value, Mapping):
        return str(value)
    if "missing_reason" in value:
        return notes.mark(value["missing_reason"])
    between = f" [{_short(value['low'])}, {_short(value['high'])}]" if "low" in value else ""
    lost = f" *{value['missing']}" if value.get("missing") else ""
    small = 0 < abs(value["value"]) < 0.005 and not between
    return (f"{value['value']:.1e}" if small else _short(value["value"])) + between + lost


def _short(value: float) -> str:
    """Return a number with two decimals, none from 100 on, or in powers of ten from 100,000 on."""
    size = abs(value)
    return decimal(value, 2 if size < 100 else 0) if size < 1e5 else f"{value:.1e}".replace("-", MINUS)


def _table(corner: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]], width: int) -> Iterator[str]:
    """Yield a table in blocks of as many columns as there is room for."""
    size = max([_COLUMN, *(len(c) + 2 for cells in rows.values() for c in cells)])
    first = max([_FIRST, *(len(label) + 2 for label in rows)])
    fit = max(1, (width - first - 2) // size)
    for start in range(0, len(columns), fit):
        part = slice(start, start + fit)
        yield (f"  {corner:<{first}}" + "".join(f"{c[: size - 2]:<{size}}" for c in columns[part])).rstrip()
        for label, cells in rows.items():
            yield (f"  {label:<{first}}" + "".join(f"{c:<{size}}" for c in cells[part])).rstrip()


def _returned(row: Shown, width: int) -> list[str]:
    """Return the table of what came back in one audit row."""
    notes = Notes()
    threshold = number(row["threshold"], notes) if isinstance(row["threshold"], Mapping) else decimal(row["threshold"])
    against = row["control"] or "unrelated text"
    lines = [
        "",
        f"what comes back: {row['audit']} ({row['subject']} against {against}), by {row['score']}; back = a score of {threshold}, "
        f"{row['share']:g} of the original's; delta {row['delta']:g}",
    ]
    rest = row["at_rest"]
    lines.append(
        f"  at rest: closer to {_closer(rest['closer'], notes)}; equivalent to its control: {_equivalent(rest['equivalence'], notes)}"
    )
    table = {label: [write(s, notes) for s in row["sets"]] for label, write in _ROWS.items()} if row["sets"] else {}
    return [*lines, *(_table("", [s["set"] for s in row["sets"]], table, width) if table else ()), *notes.lines()]


def _plain(key: str) -> Callable[[Shown, Notes], str]:
    return lambda row, notes: number(row[key], notes)


def _time(key: str) -> Callable[[Shown, Notes], str]:
    return lambda row, notes: _crossed(row[key], notes)


def _crossed(value: Shown, notes: Notes) -> str:
    if "missing_reason" in value:
        return notes.mark(value["missing_reason"])
    if value["at"] is None:
        return f"more than {value['after']}"
    return f"{value['after']} < t ≤ {value['at']}" if value["at"] else "at rest"


def _ratio(row: Shown, notes: Notes) -> str:
    value = row["anamnesis_index"]
    if "missing_reason" in value:
        return notes.mark(value["missing_reason"])
    high = "∞" if value["high"] is None else decimal(value["high"])
    return f"{decimal(value['value'])} ({decimal(value['low'])} to {high})"


def _alive(key: str) -> Callable[[Shown, Notes], str]:
    def write(row: Shown, notes: Notes) -> str:
        value = row[key]
        if "missing_reason" in value:
            return notes.mark(value["missing_reason"])
        last = value["steps"][-1]
        return f"{decimal(1 - last['alive'])} [{decimal(1 - last['high'])}, {decimal(1 - last['low'])}] of {value['n']}"

    return write


def _median(row: Shown, notes: Notes) -> str:
    value = row["survival"]
    return notes.mark(value["missing_reason"]) if "missing_reason" in value else _crossed(value["median"], notes)


def _log_rank(row: Shown, notes: Notes) -> str:
    value = row["log_rank"]
    return notes.mark(value["missing_reason"]) if "missing_reason" in value else f"p = {_p(value['p'])}"


def _closer(value: Shown, notes: Notes) -> str:
    return notes.mark(value["missing_reason"]) if "missing_reason" in value else f"{value['to']} {number(value['difference'], notes)}"


def _equivalent(value: Shown, notes: Notes) -> str:
    if "missing_reason" in value:
        return notes.mark(value["missing_reason"])
    return f"{'yes' if value['holds'] else 'not shown'}, p = {_p(value['p'])}"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


_ROWS: dict[str, Callable[[Shown, Notes], str]] = {
    "chosen step": lambda row, notes: notes.mark("no step could be chosen") if row["step"] is None else str(row["step"]),
    "recovery": _plain("recovery"),
    "recovery beyond control": _plain("excess_recovery"),
    "area under the curve": _plain("area"),
    "  the control's": _plain("control_area"),
    "  between the two": _plain("area_difference"),
    "relearn time, steps": _time("relearn_time"),
    "  the control's time": _time("control_relearn_time"),
    "anamnesis index": _ratio,
    "least budget, steps": _plain("least_budget"),
    "facts back at the end": _alive("survival"),
    "  the control's facts": _alive("control_survival"),
    "half of the facts back": _median,
    "log-rank, both alike": _log_rank,
    "closer to": lambda row, notes: _closer(row["closer"], notes),
    "equivalent to control": lambda row, notes: _equivalent(row["equivalence"], notes),
}
