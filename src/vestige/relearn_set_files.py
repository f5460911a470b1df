"""Relearn sets as files: rows as JSON lines, and beside them, where it matters, which probes are asked along which rows.

A rows file holds `answer` and, where there is one, `prompt`; `id`, `cluster`, `attribute`, `loss_on` and `form` as in a case. Of a set in
several folds, or along which not every probe is asked, the folds' rows stand one after the other, and FILE.set.json says how many
rows each fold has and which probes it asks. Without that file every forget probe of the case is asked along all rows.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige.blobs import write_whole
from vestige.cases.folder_fields import ROW, Field, Fields, checked
from vestige.cases.folder_files import ENDINGS, lines_of
from vestige.cases.folder_text import Found, Line
from vestige.errors import DataError, UsageError
from vestige.records import Case, Fold, Probe, RelearnSet, Row

FIELDS: Fields = {**ROW, "id": Field(), "prompt": Field(blank=True), "cluster": Field(blank=True)}
_LISTED = 20


@dataclass(frozen=True)
class Held:
    """A relearn set, and for each row of each fold the line where it stands."""

    made: RelearnSet
    lines: tuple[tuple[int, ...], ...]


def probes_of(case: Case) -> tuple[Probe, ...]:
    """Return the probes that a relearn set is held against: those of what is to be forgotten, in every wording.

    Raises:
        DataError: the case has none.
    """
    probes = case.asked("forget", wording="*")
    if not probes:
        raise DataError(f"case {case.name!r} asks nothing about what is to be forgotten; expected probes of the group 'forget'")
    return probes


def as_written(made: RelearnSet) -> Held:
    """Return a set with the lines its rows will stand on once it is written."""
    starts = [1 + sum(len(f.rows) for f in made.folds[:n]) for n in range(len(made.folds))]
    return Held(made, tuple(tuple(range(at, at + len(f.rows))) for at, f in zip(starts, made.folds, strict=True)))


def beside(path: Path) -> Path:
    """Return the file that says which probes are asked along the rows in `path`."""
    return path.with_suffix(".set.json")


def write(made: RelearnSet, case: Case, path: Path, *, force: bool = False) -> None:
    """Write a set's rows to `path`, and FILE.set.json where it is needed.

    Raises:
        UsageError: no such folder, another ending than .jsonl, or a file is there and `force` is not given.
    """
    refuse(path, force=force)
    rows = [row for fold in made.folds for row in fold.rows]
    write_whole(path, "".join(json.dumps(_plain(row), ensure_ascii=False) + "\n" for row in rows).encode())
    if _asks_everything(made, case):
        beside(path).unlink(missing_ok=True)
    else:
        folds = [{"rows": len(fold.rows), "asks": list(fold.asks)} for fold in made.folds]
        about = {"name": made.name, "recipe": made.recipe, "case": case.name, "folds": folds}
        write_whole(beside(path), (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode())


def refuse(path: Path, *, force: bool) -> None:
    """Refuse a path that rows cannot or must not be written to.

    Raises:
        UsageError: as `write` says.
    """
    if path.suffix != ".jsonl":
        raise UsageError(f"{path}: rows are written as JSON lines; expected a name that ends in .jsonl")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")
    there = [p for p in (path, beside(path)) if p.exists()]
    if there and not force:
        raise UsageError(f"{there[0]} exists already; choose another name, or give --force to replace it")


def _asks_everything(made: RelearnSet, case: Case) -> bool:
    return len(made.folds) == 1 and set(made.folds[0].asks) == {p.id for p in probes_of(case)}


def _plain(row: Row) -> dict[str, str]:
    """Return the fields of a row, without those at their default."""
    return {f.name: getattr(row, f.name) for f in dataclasses.fields(row) if getattr(row, f.name) != f.default}


def read(path: Path, case: Case) -> Held:
    """Return the rows of a file as a relearn set for the probes of a case.

    Raises:
        DataError: no such file, another format, lines that are no rows (all are listed), or FILE.set.json does not fit.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected rows as JSON lines, such as `vestige relearn-set make` writes")
    if path.suffix not in ENDINGS:
        raise DataError(f"{path}: expected a file that ends in {', '.join(ENDINGS)}")
    found = Found()
    entries = [(line, checked(line, FIELDS)) for line in lines_of(path.parent, path.name, FIELDS, found)]
    found.add_all(problem for _, (_, problems) in entries for problem in problems)
    if found.problems:
        listed = [f"\n  {problem}" for problem in found.problems[:_LISTED]]
        more = len(found.problems) + found.more - len(listed)
        raise DataError(f"{path} cannot be read as rows:{''.join(listed)}" + (f"\n  ... and {more:,} more" if more else ""))
    rows = [_row(line, good) for line, (good, _) in entries]
    return _in_folds(path, rows, [line.line for line, _ in entries], case)


def _row(line: Line, good: dict[str, Any]) -> Row:
    return Row(**{"id": line.place, "prompt": "", "cluster": "", **good})


def _in_folds(path: Path, rows: list[Row], lines: list[int], case: Case) -> Held:
    probes = [p.id for p in probes_of(case)]
    if not beside(path).is_file():
        one = Fold(tuple(rows), tuple(probes))
        return Held(RelearnSet(path.name, "file", (one,)), (tuple(lines),))
    sizes, asks = _folds_beside(beside(path))
    if sum(sizes) != len(rows):
        raise DataError(
            f"{beside(path)}: speaks of {sum(sizes)} rows, {path.name} holds {len(rows)}; make the set again, or remove this file"
        )
    if unknown := sorted({p for fold in asks for p in fold} - set(probes)):
        raise DataError(f"{beside(path)}: case {case.name!r} has no probe {unknown[0]!r} to forget; expected the case the set was made of")
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    folds = tuple(Fold(tuple(rows[part]), fold) for part, fold in zip(parts, asks, strict=True))
    return Held(RelearnSet(path.name, "file", folds), tuple(tuple(lines[part]) for part in parts))


def _folds_beside(path: Path) -> tuple[list[int], list[tuple[str, ...]]]:
    """Return the number of rows and the probes asked, fold by fold."""
    try:
        folds = json.loads(path.read_text(encoding="utf-8"))["folds"]
        sizes, asks = [fold["rows"] for fold in folds], [tuple(fold["asks"]) for fold in folds]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_set(path) from error
    if not all(type(n) is int and n >= 0 for n in sizes) or not all(isinstance(p, str) for fold in asks for p in fold):
        raise _no_set(path)
    return sizes, asks


def _no_set(path: Path) -> DataError:
    return DataError(
        f'{path}: expected {{"folds": [{{"rows": 12, "asks": ["probe", ...]}}, ...]}}; make the set again, or remove this file'
    )
