"""Which fields a case, a row and a probe have, and what is wrong with a value that stands in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vestige.cases.folder_text import Line, Number, Problem, is_constant, shown, type_name
from vestige.errors import nearest
from vestige.records import GROUPS


@dataclass(frozen=True, slots=True)
class Field:
    """A field of strings: needed or not, one of `choices`, a list (`many`), and whether it may be blank."""

    needed: bool = False
    choices: tuple[str, ...] = ()
    many: bool = False
    blank: bool = False


Fields = Mapping[str, Field]

CASE: Fields = {
    **{name: Field(True) for name in ("name", "version", "language", "licence")},
    "knowledge": Field(True, ("planted", "pretrained")),
    "primary": Field(True, ("choice", "keyword")),
    "citation": Field(blank=True),
    "cluster_field": Field(),
}
ROW: Fields = {
    "id": Field(True),
    "prompt": Field(True, blank=True),
    "answer": Field(True),
    "cluster": Field(True),
    "attribute": Field(blank=True),
    "loss_on": Field(choices=("answer", "text")),
    "form": Field(choices=("plain", "chat")),
}
PROBE: Fields = {
    **{name: Field(True) for name in ("id", "prompt", "answer", "cluster")},
    "group": Field(True, GROUPS),
    "distractors": Field(many=True),
    "aliases": Field(many=True),
    "keywords": Field(many=True),
    "attribute": Field(blank=True),
    "wording": Field(),
    "form": Field(choices=("plain", "chat")),
}
UTILITY: Fields = {**PROBE, "group": Field(choices=("utility",))}


def with_cluster_field(fields: Fields, name: str) -> Fields:
    """Return the fields with `cluster` under the name that the case gives it."""
    return {name if key == "cluster" else key: field for key, field in fields.items()}


def checked(line: Line, fields: Fields) -> tuple[dict[str, Any], list[Problem]]:
    """Return the sound fields of an object, and what is wrong with the others."""
    problems = [unknown(line, name, fields) for name in line.value if name not in fields]
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


def unknown(line: Line, name: str, fields: Fields) -> Problem:
    """Return the problem of a field that does not exist."""
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
        says = (f"a list of strings is expected, not {type_name(value)}", 'write ["...", "..."]')
        yield line.problem("wrong type", name, value, says)


def _string(line: Line, name: str, value: Any, field: Field) -> Iterator[Problem]:
    if is_constant(value):
        says = ("JSON has no such number, and a comparison with it is always false", "write a string")
        yield line.problem("constant", name, value, says)
    elif not isinstance(value, str):
        yield line.problem("wrong type", name, value, (f"a string is expected, not {type_name(value)}", _quoted(value)))
    elif found := damage(value):
        yield line.problem(found[0], name, value, found[1:])
    elif not field.blank and not value.strip():
        yield line.problem("empty", name, value, ("it is empty", "write something, or remove the row"))
    elif field.choices and value not in field.choices:
        says = ("not one of the values this field may have", nearest(value, field.choices))
        yield line.problem(f"unknown {name}", name, value, says)


def _quoted(value: Any) -> str:
    simple = isinstance(value, (Number, int, float)) and not isinstance(value, bool)
    return f'write "{shown(value)}"' if simple else 'write it as "..."'


def damage(text: str) -> tuple[str, str, str] | None:
    """Return kind, reason and remedy where a text holds what no text should."""
    if "\0" in text:
        return "NUL", "it holds a NUL character", "remove it"
    if "\ufffd" in text:
        return "encoding", "it holds U+FFFD, the mark of a character lost in a conversion", "take the text from its source again"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "lone surrogate", "it holds half of a character (a lone surrogate)", "write the character itself"
    return None
