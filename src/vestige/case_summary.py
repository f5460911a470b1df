"""What a case is, in numbers and in a few lines to look at: for `vestige case check` and `vestige case show`."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vestige.cases import TABLE
from vestige.cases.folder_check import Examined
from vestige.cases.folder_files import on_hub
from vestige.cases.folder_text import Problem
from vestige.desk.stats.intervals import effective, n_min
from vestige.errors import UsageError, nearest
from vestige.plan_reading import build
from vestige.records import GROUPS, Case, Probe, Row, digest, plain
from vestige.text import masked, terminal_safe

DELTAS = (0.20, 0.10, 0.05)
NOT_TOLD = "whether a model that never saw these rows knows the answers all the same: a run asks its never-exposed twin"
_SHOWN = 50


def power(asked: int, primary: int) -> dict[str, Any]:
    """Return the effective probes of so many forget clusters with so many primary probes, and what each delta needs.

    The first quarter of the clusters, rounded up, only selects; n_eff is that of the rest.
    """
    n_eff = _effective(asked, primary)
    needs = {f"{delta:.2f}": {"n_min": n_min(delta), "clusters": _needed(asked, primary, n_min(delta))} for delta in DELTAS}
    return {"clusters": asked, "reported": _reported(asked), "probes": primary, "n_eff": round(n_eff, 1), "needs": needs}


def _reported(clusters: int) -> int:
    return clusters - math.ceil(clusters / 4)


def _effective(clusters: int, probes: int) -> float:
    """Return n_eff of the reported clusters, their probes as evenly spread as whole numbers can be."""
    each = [probes * (n + 1) // clusters - probes * n // clusters for n in range(_reported(clusters))]
    return effective({str(n): [0.0] * size for n, size in enumerate(each)})


def _needed(clusters: int, probes: int, least: int) -> int | None:
    """Return how many clusters with as many probes each reach `least`; None where there is nothing to go by."""
    if not clusters:
        return None
    wanted = 2
    while _effective(wanted, math.ceil(wanted * probes / clusters)) < least:
        wanted += 1
    return wanted


def checked(path: str, examined: Examined) -> dict[str, Any]:
    """Return what `case check` has to say, as plain data."""
    counts = examined.counts
    return {
        "case": path,
        "clean": not examined.problems,
        "problems": plain(examined.problems),
        "further_problems": examined.more,
        "warnings": plain(examined.warnings),
        "about": examined.where.about,
        "counts": {"rows": counts.rows, "clusters": counts.clusters, "probes": counts.probes},
        "power": power(counts.asked, counts.primary),
        "not_told": NOT_TOLD,
    }


def checked_text(path: str, examined: Examined) -> str:
    """Return what `case check` has to say, as lines."""
    lines = [f"{path}: {_verdict(examined)}"]
    for title, found in (("Problems", examined.problems), ("Warnings", examined.warnings)):
        if found:
            lines += ["", f"{title}:", *(line for p in found[:_SHOWN] for line in _told(p))]
            lines += [f"  ... and {len(found) - _SHOWN:,} more; --json lists them" for _ in found[_SHOWN : _SHOWN + 1]]
    if examined.counts.rows:
        lines += [
            "",
            *_holdings(examined),
            "",
            *_power_lines(power(examined.counts.asked, examined.counts.primary)),
            "",
            f"Not told here: {NOT_TOLD}.",
        ]
    return terminal_safe("\n".join(lines))


def _told(problem: Problem) -> list[str]:
    """Return a problem as three lines: where and what, why, and what to do."""
    where = f"{problem.file}:{problem.line}" if problem.line else problem.file
    what = ": ".join(part for part in (problem.field, problem.seen) if part)
    return [f"  {where}  {what}".rstrip(), f"      {problem.reason}", f"      → {problem.remedy}"]


def _count(n: float, word: str) -> str:
    return f"{n:,.3g} {word}s" if n % 1 else f"{n:,.0f} {word}{'' if n == 1 else 's'}"


def _verdict(examined: Examined) -> str:
    problems, warnings = len(examined.problems) + examined.more, len(examined.warnings)
    said = [_count(n, word) for n, word in ((problems, "problem"), (warnings, "warning")) if n]
    return ", ".join(said if problems else ["clean", *said])


def _holdings(examined: Examined) -> list[str]:
    about, counts = examined.where.about, examined.counts
    says = ", ".join(about[k] for k in ("language", "knowledge") if k in about)
    lines = [f"Case {about.get('name', '(without a name)')!r} ({says}, scored by {about.get('primary', '?')}):"]
    for part, rows in counts.rows.items():
        group = part if part in GROUPS else None
        more = f", {_count(counts.clusters.get(part, 0), 'cluster')}, {_count(counts.probes.get(part, 0), 'question')}" if group else ""
        lines.append(f"  {part:<24} {_count(rows, 'row'):>14}{more}")
    if utility := counts.probes.get("utility"):
        lines.append(f"  {'utility':<24} {_count(utility, 'question'):>14}")
    return lines


def _power_lines(found: dict[str, Any]) -> list[str]:
    """Return how small a remainder the case can rule out."""
    if not found["clusters"]:
        return ["Nothing to be forgotten is asked about."]
    each = _count(found["probes"] / found["clusters"], "question")
    lines = [
        f"Power: {_count(found['clusters'], 'cluster')} to forget, {each} about each; "
        f"a quarter selects, {found['reported']:,} are reported on: {found['n_eff']} effective probes.",
    ]
    for delta, need in found["needs"].items():
        enough = found["n_eff"] >= need["n_min"]
        says = "enough" if enough else f"you need {need['clusters']:,} clusters"
        lines.append(f"  to rule out a remainder of {delta}: {need['n_min']} are needed: {says}")
    return lines


def case_of(name: str, settings: Sequence[str] = ()) -> Case:
    """Return the case in a folder, or the one of a name in the table; `settings` are its fields, as KEY=VALUE.

    Raises:
        UsageError: there is no such case, or a setting does not fit. DataError: it cannot be used.
    """
    if name not in TABLE and not Path(name).exists() and not on_hub(name):
        raise UsageError(f"no case {name!r}, and no folder of this name; {nearest(name, TABLE)}")
    is_folder = name not in TABLE
    fields = dict(map(setting, settings)) | ({"path": name} if is_folder else {})
    return as_case(build(TABLE["folder" if is_folder else name], fields, "case"))


def as_case(entry: Any) -> Case:
    """Return the case that a table entry makes; one of what a model knows, as for a model that knows all of it."""
    made = entry.after_screening([p.cluster for p in entry.screen()]) if hasattr(entry, "screen") else entry()
    if not isinstance(made, Case):
        raise TypeError(f"a case is expected, not {type(made).__name__}")
    return made


def setting(text: str) -> tuple[str, Any]:
    """Return key and value of KEY=VALUE: a value as TOML has it, or else as it stands.

    Raises:
        UsageError: it is not of this form.
    """
    key, mark, value = text.partition("=")
    if not mark or not key:
        raise UsageError(f"--set: expected KEY=VALUE, seen {text!r}")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def shown(case: Case, *, reveal: bool = False) -> dict[str, Any]:
    """Return what `case show` shows, as plain data; texts that are to be forgotten are masked unless `reveal`."""
    rows = {"forget": case.forget, "retain": case.retain, "decoy": case.decoy}
    rows |= {f"sources/{name}": found for name, found in case.sources.items()}
    groups = {group: case.asked(group, wording="*") for group in GROUPS}
    asked = case.asked("forget")
    return {
        **{name: getattr(case, name) for name in ("name", "version", "language", "licence", "citation", "knowledge", "primary")},
        "digest": digest(case),
        "rows": {part: _rows(part, found, reveal=reveal) for part, found in rows.items() if found},
        "probes": {group: _probes(group, found, reveal=reveal) for group, found in groups.items() if found},
        "power": power(len({p.cluster for p in asked}), len(asked)),
    }


def _rows(part: str, rows: Sequence[Row], *, reveal: bool) -> dict[str, Any]:
    hide = part == "forget" and not reveal
    return {
        "rows": len(rows),
        "clusters": len({r.cluster for r in rows}),
        "attributes": dict(sorted(Counter(r.attribute for r in rows if r.attribute).items())),
        "example": _hidden(rows[0].text) if hide else rows[0].text,
    }


def _probes(group: str, probes: Sequence[Probe], *, reveal: bool) -> dict[str, Any]:
    hide = group == "forget" and not reveal
    first = probes[0]
    example = {"prompt": first.prompt, "answer": first.answer, "distractors": list(first.distractors), "keywords": list(first.keywords)}
    return {
        "probes": len(probes),
        "clusters": len({p.cluster for p in probes}),
        "wordings": dict(Counter(p.wording for p in probes)),
        "splits": {split: len({p.cluster for p in probes if p.split == split}) for split in ("selection", "test")},
        "example": {k: _hidden(v) if hide else v for k, v in example.items()},
    }


def _hidden(value: Any) -> Any:
    return [masked(v) for v in value] if isinstance(value, list) else masked(value)


def shown_text(found: dict[str, Any]) -> str:
    """Return what `case show` shows, as lines."""
    lines = [
        f"Case {found['name']!r}, version {found['version']} ({found['language']}, {found['knowledge']}, scored by {found['primary']})"
    ]
    lines += [f"  {name}: {found[name]}" for name in ("licence", "citation", "digest") if found[name]]
    for part, it in found["rows"].items():
        lines += ["", f"{part}: {_count(it['rows'], 'row')}, {_count(it['clusters'], 'cluster')}"]
        lines += [f"  attributes: {_few(it['attributes'])}"] if it["attributes"] else []
        lines += [f"  a row:   {_cut(it['example'])}"]
    for group, it in found["probes"].items():
        splits = f"{it['splits']['selection']:,} select, {it['splits']['test']:,} are reported on"
        lines += ["", f"{group}: {_count(it['probes'], 'question')} about {_count(it['clusters'], 'cluster')} ({splits})"]
        lines += [f"  wordings: {_few(it['wordings'])}"] if len(it["wordings"]) > 1 else []
        lines += [f"  asked:   {_cut(it['example']['prompt'])}", f"  right:   {_cut(it['example']['answer'].strip())}"]
        lines += [
            f"  {name + ':':<8} {_cut(' | '.join(text.strip() for text in it['example'][key]))}"
            for name, key in _LISTS
            if it["example"][key]
        ]
    return terminal_safe("\n".join([*lines, "", *_power_lines(found["power"])]))


_LISTS = (("wrong", "distractors"), ("heard", "keywords"))


def _few(counts: dict[str, int]) -> str:
    some = [f"{name} ({n:,})" for name, n in list(counts.items())[:8]]
    return ", ".join([*some, f"and {len(counts) - 8:,} more"] if len(counts) > 8 else some)


def _cut(text: str) -> str:
    line = " ↵ ".join(text.splitlines())
    return line if len(line) <= 200 else line[:197] + "..."
