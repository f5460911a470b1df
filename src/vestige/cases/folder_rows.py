"""A folder's objects to rows and probes, one at a time; and all of them together, as a case holds them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from vestige.cases.distractors import probes_of
from vestige.cases.folder_fields import CASE, PROBE, ROW, UTILITY, Fields, checked, with_cluster_field
from vestige.cases.folder_files import PROBE_PARTS, ROW_PARTS, files_of, lines_of, no_file
from vestige.cases.folder_jsonl import read_toml
from vestige.cases.folder_text import Found, Line, Problem, shown
from vestige.cases.splits import split_of
from vestige.records import GROUPS, Probe, Row

T = TypeVar("T", Row, Probe)
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A row or a probe and the line it was made of."""

    at: Line
    made: T


@dataclass(frozen=True)
class Layout:
    """What a folder says about itself: the manifest, part → file, and the field that holds the cluster."""

    folder: Path
    about: dict[str, str]
    files: dict[str, str]

    @property
    def cluster_field(self) -> str:
        """The name of the field that says which person, place or work a row is about."""
        return self.about.get("cluster_field", "cluster")

    def row_parts(self) -> list[str]:
        """Return the parts that hold rows: forget, retain, decoy, sources."""
        return [part for part in self.files if part not in PROBE_PARTS]

    def rows(self, part: str, found: Found) -> Iterator[Entry[Row]]:
        """Yield the sound rows of a part."""
        yield from _made(self, part, ROW, Row, found)

    def probes(self, found: Found) -> Iterator[Entry[Probe]]:
        """Yield the sound probes that the user wrote."""
        for part, fields in zip(PROBE_PARTS, (PROBE, UTILITY), strict=True):
            if part in self.files:
                yield from _made(self, part, fields, Probe, found)

    def values_at(self, places: Mapping[str, set[int]]) -> dict[tuple[str, int], dict[str, Any]]:
        """Return (file, line) → object for the wanted lines of each file, read again."""
        return {
            (file, line.line): line.value
            for file, wanted in places.items()
            for line in lines_of(self.folder, file, self._fields_of(file), Found())
            if line.line in wanted
        }

    def _fields_of(self, file: str) -> Fields:
        part = next(p for p, f in self.files.items() if f == file)
        return with_cluster_field(PROBE if part in PROBE_PARTS else ROW, self.cluster_field)


def layout(folder: Path, found: Found) -> Layout:
    """Return what the folder says about itself, and note what is wrong with that."""
    if not folder.is_dir():
        says = ("there is no such folder", "give the path of a folder with a case.toml in it")
        found.add(Problem("missing file", str(folder), 0, "", "", *says))
        return Layout(folder, {}, {})
    about = _about(folder, found)
    return Layout(folder, about, files_of(folder, found))


def _about(folder: Path, found: Found) -> dict[str, str]:
    if not (folder / "case.toml").exists():
        found.add(no_file("case.toml"))
        return {}
    before = len(found.problems)
    read_values = read_toml(folder, "case.toml", found)
    if len(found.problems) > before:
        return {}
    line = Line("case.toml", 0, {name: value for name, (_, value) in read_values.items()})
    good, problems = checked(line, CASE)
    problems += _unfit(line, good)
    lines = {key: number for name, (number, _) in read_values.items() for key in (name, shown(name))}
    found.add_all(dataclasses.replace(p, line=lines.get(p.field, 0)) for p in problems)
    return {name: value for name, value in good.items() if not any(p.field == name for p in problems)}


def _unfit(line: Line, good: Mapping[str, Any]) -> Iterator[Problem]:
    if not _TAG.fullmatch(good.get("language", "en")):
        says = ("not a language tag", "write a short tag such as 'en', 'ja' or 'pt-BR'")
        yield line.problem("language", "language", good["language"], says)
    if good.get("cluster_field", "cluster") in {*ROW, *PROBE} - {"cluster"}:
        says = ("this field has another meaning", "name a field of your own, such as 'author' or 'customer'")
        yield line.problem("cluster field", "cluster_field", good["cluster_field"], says)


def _made(where: Layout, part: str, fields: Fields, kind: type[T], found: Found) -> Iterator[Entry[T]]:
    """Yield a row or probe for every line whose needed fields are sound; a bad optional field is left at its default."""
    fields = with_cluster_field(fields, where.cluster_field)
    for line in lines_of(where.folder, where.files[part], fields, found):
        good, problems = checked(line, fields)
        found.add_all(problems)
        if all(name in good for name, field in fields.items() if field.needed):
            good["cluster"] = good.pop(where.cluster_field)
            extra = {"group": good.get("group", "utility"), "split": "test"} if kind is Probe else {}
            yield Entry(line, kind(**{**good, **extra}))


def load(where: Layout) -> tuple[dict[str, tuple[Row, ...]], tuple[Probe, ...]]:
    """Return the rows by part, and all probes with their splits.

    Every row asks its own question, unless the primary questions of its group are written.
    """
    found = Found()
    rows = {part: tuple(e.made for e in where.rows(part, found)) for part in where.row_parts()}
    written = tuple(e.made for e in where.probes(found))
    asked = {p.group for p in written if p.wording == "primary"}
    derived = [p for part, group in ROW_PARTS.items() if group not in asked for p in probes_of(rows.get(part, ()), group).values()]
    return rows, _with_splits((*derived, *written), where.about.get("name", ""))


def _with_splits(probes: Sequence[Probe], case: str) -> tuple[Probe, ...]:
    splits = {g: split_of(case, (p.cluster for p in probes if p.group == g)) for g in GROUPS}
    return tuple(dataclasses.replace(p, split=splits[p.group][p.cluster]) for p in probes)
