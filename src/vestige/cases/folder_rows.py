"""JSON objects to rows and probes: which fields there are, which are needed, and of what type."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from vestige.cases.distractors import probes_of
from vestige.cases.folder_text import Constant, Line, Problem, read_lines, read_toml, shown
from vestige.cases.splits import split_of
from vestige.errors import nearest
from vestige.records import GROUPS, Group, Probe, Row

T = TypeVar("T", Row, Probe)
ROW_FILES: dict[str, Group] = {"forget.jsonl": "forget", "retain.jsonl": "retain", "decoy.jsonl": "decoy"}
_NEEDED = ("forget.jsonl", "retain.jsonl")
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FILES = (*ROW_FILES, "probes.jsonl", "utility.jsonl")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of strings: needed or not, one of `choices`, a list (`many`), and whether it may be blank."""

    needed: bool = False
    choices: tuple[str, ...] = ()
    many: bool = False
    blank: bool = False


_CASE = {
    **{name: Field(True) for name in ("name", "version", "language", "licence")},
    "knowledge": Field(True, ("planted", "pretrained")),
    "primary": Field(True, ("choice", "keyword")),
    "citation": Field(blank=True),
}
_ROW = {
    "id": Field(True),
    "prompt": Field(True, blank=True),
    "answer": Field(True),
    "cluster": Field(True),
    "attribute": Field(blank=True),
    "loss_on": Field(choices=("answer", "text")),
    "form": Field(choices=("plain", "chat")),
}
_PROBE = {
    **{name: Field(True) for name in ("id", "prompt", "answer", "cluster")},
    "group": Field(True, GROUPS),
    "distractors": Field(many=True),
    "aliases": Field(many=True),
    "attribute": Field(blank=True),
    "wording": Field(),
    "form": Field(choices=("plain", "chat")),
}
_UTILITY = {**_PROBE, "group": Field(choices=("utility",))}


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A row or a probe and the line it was made of."""

    at: Line
    made: T


@dataclass(frozen=True)
class Contents:
    """What a folder holds, as far as it could be read. `rows` by file; `written` probes are those of the user's own files."""

    about: dict[str, str]
    rows: dict[str, tuple[Entry[Row], ...]]
    probes: tuple[Entry[Probe], ...]
    written: tuple[Entry[Probe], ...]


def read(folder: Path, problems: list[Problem]) -> Contents:
    """Return what the folder holds, and add to `problems` whatever is wrong with its form."""
    if not folder.is_dir():
        says = ("there is no such folder", "give the path of a folder with a case.toml in it")
        problems.append(Problem("missing file", str(folder), 0, "", "", *says))
        return Contents({}, {}, (), ())
    about = _about(folder, problems)
    _unknown_files(folder, problems)
    rows = {file: tuple(_made(folder, file, _ROW, Row, problems)) for file in _row_files(folder, problems)}
    written = tuple(_written(folder, problems))
    derived = () if (folder / "probes.jsonl").exists() else tuple(_derived(rows))
    return Contents(about, rows, _with_splits((*derived, *written), about.get("name", "")), written)


def _about(folder: Path, problems: list[Problem]) -> dict[str, str]:
    if not (folder / "case.toml").exists():
        problems.append(_no_file("case.toml"))
        return {}
    before = len(problems)
    read_values = read_toml(folder, "case.toml", problems)
    if len(problems) > before:
        return {}
    values = {name: value for name, (_, value) in read_values.items()}
    line = Line("case.toml", 0, values)
    good, found = _checked(line, _CASE)
    if not _TAG.fullmatch(good.get("language", "en")):
        says = ("not a language tag", "write a short tag such as 'en', 'ja' or 'pt-BR'")
        found.append(line.problem("language", "language", good["language"], says))
    lines = {key: number for name, (number, _) in read_values.items() for key in (name, shown(name))}
    problems += [dataclasses.replace(p, line=lines.get(p.field, 0)) for p in found]
    return good


def _no_file(file: str) -> Problem:
    return Problem("missing file", file, 0, "", "", "there is no such file in the folder", "a case needs it; write it")


def _unknown_files(folder: Path, problems: list[Problem]) -> None:
    """Report misspelt files, which would be passed over in silence."""
    for path in sorted(folder.glob("*.jsonl")):
        if path.name not in _FILES:
            says = ("this file would not be read", f"{nearest(path.name, _FILES)} Other rows go into sources/")
            problems.append(Problem("unknown file", path.name, 0, "", "", *says))


def _row_files(folder: Path, problems: list[Problem]) -> Iterator[str]:
    for file in ROW_FILES:
        if (folder / file).exists():
            yield file
        elif file in _NEEDED:
            problems.append(_no_file(file))
    yield from sorted(f"sources/{p.name}" for p in (folder / "sources").glob("*.jsonl"))


def _written(folder: Path, problems: list[Problem]) -> Iterator[Entry[Probe]]:
    for file, fields in (("probes.jsonl", _PROBE), ("utility.jsonl", _UTILITY)):
        if (folder / file).exists():
            yield from _made(folder, file, fields, Probe, problems)


def _made(folder: Path, file: str, fields: Mapping[str, Field], kind: type[T], problems: list[Problem]) -> Iterator[Entry[T]]:
    """Yield a row or probe for every line whose needed fields are sound; a bad optional field is left at its default."""
    for line in read_lines(folder, file, problems):
        good, found = _checked(line, fields)
        problems += found
        if all(name in good for name, field in fields.items() if field.needed):
            extra = {"group": good.get("group", "utility"), "split": "test"} if kind is Probe else {}
            yield Entry(line, kind(**{**good, **extra}))


def _checked(line: Line, fields: Mapping[str, Field]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the sound fields of an object, and what is wrong with the others."""
    problems = [_unknown(line, name, fields) for name in line.value if name not in fields]
    good: dict[str, Any] = {}
    for name, field in fields.items():
        if name in line.value:
            found = list(_field(line, name, field))
            problems += found
            if not found:
                good[name] = tuple(line.value[name]) if field.many else line.value[name]
        elif field.needed:
            says = ("this field is missing", f"add {name!r}")
            problems.append(Problem("missing field", line.file, line.line, name, "", *says))
    return good, problems


def _unknown(line: Line, name: str, fields: Mapping[str, Field]) -> Problem:
    remedy = nearest(name, fields)
    if name == "split":
        remedy = "leave it out: the names of the case and of the clusters decide which of them select"
    return line.problem("unknown field", shown(name), line.value[name], ("there is no such field", remedy))


def _field(line: Line, name: str, field: Field) -> Iterator[Problem]:
    value = line.value[name]
    if not field.many:
        yield from _string(line, name, value, field)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _string(line, f"{name}[{number}]", item, field)
    else:
        says = (f"a list of strings is expected, not {_type(value)}", 'write ["...", "..."]')
        yield line.problem("wrong type", name, value, says)


def _string(line: Line, name: str, value: Any, field: Field) -> Iterator[Problem]:
    if isinstance(value, Constant):
        says = ("JSON has no such number, and a comparison with it is always false", "write a string")
        yield line.problem("constant", name, value, says)
    elif not isinstance(value, str):
        yield line.problem("wrong type", name, value, (f"a string is expected, not {_type(value)}", _quoted(value)))
    elif damage := _damage(value):
        yield line.problem(damage[0], name, value, damage[1:])
    elif not field.blank and not value.strip():
        yield line.problem("empty", name, value, ("it is empty", "write something, or remove the row"))
    elif field.choices and value not in field.choices:
        says = ("not one of the values this field may have", nearest(value, field.choices))
        yield line.problem(f"unknown {name}", name, value, says)


def _type(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), f"a {type(value).__name__}")


def _quoted(value: Any) -> str:
    simple = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f'write "{shown(value)}"' if simple else 'write it as "..."'


def _damage(text: str) -> tuple[str, str, str] | None:
    """Return kind, reason and remedy where a text holds what no text should."""
    if "\0" in text:
        return "NUL", "it holds a NUL character", "remove it"
    if any("\ud800" <= c <= "\udfff" for c in text):
        return "lone surrogate", "it holds half of a character (a lone surrogate)", "write the character itself"
    if "\ufffd" in text:
        return "encoding", "it holds U+FFFD, the mark of a character lost in a conversion", "take the text from its source again"
    return None


def _derived(rows: Mapping[str, Sequence[Entry[Row]]]) -> Iterator[Entry[Probe]]:
    for file, group in ROW_FILES.items():
        entries = rows.get(file, ())
        probes = probes_of([e.made for e in entries], group)
        yield from (Entry(e.at, probes[e.made.id]) for e in entries if e.made.id in probes)


def _with_splits(entries: Sequence[Entry[Probe]], case: str) -> tuple[Entry[Probe], ...]:
    splits = {g: split_of(case, (e.made.cluster for e in entries if e.made.group == g)) for g in GROUPS}
    return tuple(Entry(e.at, dataclasses.replace(e.made, split=splits[e.made.group][e.made.cluster])) for e in entries)
