"""What a relearn set is, holds and predicts, as plain data and as lines: for `vestige relearn-set`.

Texts that are to be forgotten are masked unless they are asked for; ids of rows and probes are shown, so that a row can be found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from vestige import leaks
from vestige.desk.predictors import Point, Prediction, over_folds
from vestige.desk.stats.rank_correlation import Correlation
from vestige.leak_search import Finding
from vestige.recording import covariates
from vestige.records import Case, Fold, Missing, Probe, Row
from vestige.relearn_set_files import Held, probes_of
from vestige.relearn_set_making import Count
from vestige.similarity import Embed
from vestige.text import masked, terminal_safe

_SHOWN, _EACH = 50, 3
_VERDICTS = ("leaked", "suspect", "clean")


def checked(held: Held, case: Case, *, reveal: bool = False, embed: Embed | None = None) -> dict[str, Any]:
    """Return the verdict of every probe asked along a set, and where its answer stands or, with `embed`, what means the same."""
    probes = probes_of(case)
    # Rows are checked under their place in the fold: ids in a file may stand there twice.
    placed = replace(held.made, folds=tuple(replace(f, rows=tuple(map(_placed, range(len(f.rows)), f.rows))) for f in held.made.folds))
    by_fold = leaks.check(placed, probes, embed=embed)
    found = [verdict for number, one in enumerate(by_fold) for verdict in _verdicts(number, held, one, probes, reveal)]
    counts = Counter(v["verdict"] for v in found)
    return {
        "relearn_set": held.made.name,
        "case": case.name,
        "folds": [{"rows": len(f.rows), "probes": len(f.asks)} for f in held.made.folds],
        **{name: counts[name] for name in _VERDICTS},
        "probes": found,
    }


def _placed(place: int, row: Row) -> Row:
    return replace(row, id=str(place))


def _verdicts(number: int, held: Held, found: leaks.FoldLeaks, probes: Sequence[Probe], reveal: bool) -> list[dict[str, Any]]:
    """Return the verdicts of one fold."""
    fold, lines = held.made.folds[number], held.lines[number]
    verdict = {p: name for name in _VERDICTS for p in getattr(found, name)}
    by_probe: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for finding in sorted(found.findings, key=lambda f: (not f.leaked, int(f.row))):
        by_probe[finding.probe].append(_finding(finding, fold, lines, reveal))
    asks = set(fold.asks)
    return [{"probe": p.id, "fold": number, "verdict": verdict[p.id], "findings": by_probe[p.id]} for p in probes if p.id in asks]


def _finding(finding: Finding, fold: Fold, lines: Sequence[int], reveal: bool) -> dict[str, Any]:
    place = int(finding.row)
    row, (start, end) = fold.rows[place], finding.span
    text = row.text[start:end]
    return {
        "line": lines[place],
        "row": row.id,
        "kind": finding.kind,
        "leaked": finding.leaked,
        "span": [start, end],
        "text": text if reveal else masked(text),
    }


def checked_text(path: str, found: Mapping[str, Any]) -> str:
    """Return the leak check of a file as lines."""
    lines = [f"{path}: {leak_line(found)}"]
    for name in _VERDICTS[:2]:
        some = [v for v in found["probes"] if v["verdict"] == name]
        lines += ["", f"{name}:", *(line for v in some[:_SHOWN] for line in _probe_lines(path, v))] if some else []
        lines += [f"  ... and {len(some) - _SHOWN:,} more; --json lists them" for _ in some[_SHOWN : _SHOWN + 1]]
    return terminal_safe("\n".join(lines))


def leak_line(found: Mapping[str, Any]) -> str:
    """Return the counts of a leak check on one line."""
    rows = sum(fold["rows"] for fold in found["folds"])
    where = f"{rows:,} rows" + (f" in {len(found['folds'])} folds" if len(found["folds"]) > 1 else "")
    says = ", ".join(f"{found[name]:,} {name}" for name in _VERDICTS)
    return f"of {len(found['probes']):,} probes {says} ({where}, case {found['case']!r})"


def _probe_lines(path: str, verdict: Mapping[str, Any]) -> list[str]:
    some = verdict["findings"]
    fold = f" (fold {verdict['fold']})" if verdict["fold"] else ""
    lines = [f"  {verdict['probe']}{fold}"]
    for f in some[:_EACH]:
        text = " ↵ ".join(f["text"].splitlines())
        shown = text if len(text) <= 80 else text[:77] + "..."
        lines.append(f"      {path}:{f['line']} ({f['row']})  {f['kind']}, characters {f['span'][0]} to {f['span'][1]}: {shown}")
    return lines + [f"      ... and in {len(some) - _EACH:,} more places" for _ in some[_EACH : _EACH + 1]]


def made(held: Held, case: Case, count: Count | None) -> dict[str, Any]:
    """Return what was made: folds with rows and tokens, and the counts of the leak check, as plain data."""
    found = checked(held, case)
    tokens = [sum(count(row.text) for row in fold.rows) if count else None for fold in held.made.folds]
    folds = [{**about, "tokens": n} for about, n in zip(found["folds"], tokens, strict=True)]
    return {**found, "recipe": held.made.recipe, "folds": folds, "probes": [v for v in found["probes"] if v["verdict"] != "clean"]}


def made_text(path: str, found: Mapping[str, Any]) -> str:
    """Return what was made as lines."""
    lines = [f"wrote {path}: {found['relearn_set']}, of the case {found['case']!r}"]
    for number, fold in enumerate(found["folds"]):
        tokens = "" if fold["tokens"] is None else f", {fold['tokens']:,} tokens"
        lines.append(f"  fold {number}: {fold['rows']:,} rows{tokens}, {fold['probes']:,} probes asked along it")
    lines.append(f"  leak check: {found['leaked']:,} probes leaked, {found['suspect']:,} suspect, {found['clean']:,} clean")
    return terminal_safe("\n".join(lines))


def described(held: Held, case: Case, count: Count | None, *, embed: Embed | None = None) -> dict[str, Any]:
    """Return the covariates of a set, fold by fold and as means over the folds, as plain data."""
    folds = [covariates(fold, probes_of(case), count, embed=embed) for fold in held.made.folds]
    return {
        "relearn_set": held.made.name,
        "case": case.name,
        "covariates": _values(over_folds(folds)),
        "folds": [_values(f) for f in folds],
    }


def _values(found: Mapping[str, float | Missing]) -> dict[str, Any]:
    return {name: {"missing_reason": v.reason} if isinstance(v, Missing) else v for name, v in found.items()}


def described_text(found: Mapping[str, Any]) -> str:
    """Return the covariates of a set as lines."""
    folds = len(found["folds"])
    lines = [f"{found['relearn_set']}, against the case {found['case']!r}" + (f"; means over {folds} folds" if folds > 1 else "")]
    for name, value in found["covariates"].items():
        lines.append(f"  {name:<16} {_shown(name, value)}")
    return terminal_safe("\n".join(lines))


def _shown(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return f"missing: {value['missing_reason']}"
    return f"{value:,.10g}" if name in ("rows", "tokens") else f"{value:.3f}"


def predicted(points: Sequence[Point], found: Mapping[str, Prediction]) -> dict[str, Any]:
    """Return the points and how well each covariate predicts recovery, as plain data."""
    return {
        "points": [
            {
                **{name: getattr(p, name) for name in ("run", "set", "seed", "step")},
                **_values({"recovery": p.recovery}),
                "covariates": _values(p.covariates),
            }
            for p in points
        ],
        "predictors": {name: {**_correlation(it.correlation), "missing": it.missing} for name, it in found.items()},
    }


def _correlation(found: Correlation | Missing) -> dict[str, Any]:
    if isinstance(found, Missing):
        return {"missing_reason": found.reason}
    bounds = (
        {"interval_missing": found.interval.reason}
        if isinstance(found.interval, Missing)
        else dict(zip(_BOUNDS, found.interval, strict=True))
    )
    return {"rho": found.rho, **bounds, "n": found.n, "sets": found.groups}


_BOUNDS = ("low", "high")


def predicted_text(found: Mapping[str, Any]) -> str:
    """Return recovery by set, and how well each covariate predicts it, as lines."""
    sets: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for point in found["points"]:
        sets[point["run"], point["set"]].append(point["recovery"])
    lines = ["Recovery on test clusters, by relearn set (one value a seed):"]
    lines += [f"  {run}  {name}: {_seeds(values)}" for (run, name), values in sets.items()]
    lines += ["", "Spearman's rho with recovery, and its 95 % interval over relearn sets:"]
    lines += [f"  {name:<16} {_rho(it)}" for name, it in found["predictors"].items()]
    return terminal_safe("\n".join(lines))


def _seeds(values: Sequence[Any]) -> str:
    known = [v for v in values if not isinstance(v, Mapping)]
    shown = ", ".join(f"missing ({v['missing_reason']})" if isinstance(v, Mapping) else f"{v:+.3f}" for v in values)
    return shown + (f"; mean {fmean(known):+.3f}" if len(known) > 1 and len(known) == len(values) else "")


def _rho(found: Mapping[str, Any]) -> str:
    if "missing_reason" in found:
        return f"missing: {found['missing_reason']}"
    bounds = f"({found['low']:+.2f} to {found['high']:+.2f})" if "low" in found else f"(no interval: {found['interval_missing']})"
    lacking = f", {found['missing']} without a value" if found["missing"] else ""
    return f"{found['rho']:+.2f} {bounds}, n = {found['n']} of {found['sets']} sets{lacking}"
