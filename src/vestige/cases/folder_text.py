"""What is wrong with a user's files, in words: problems, which stop a case, and warnings, which do not.

Nothing that reads a folder raises on bad input: a file in another encoding, a torn line or a number that JSON does not
have is noted with its place and what to do, and the reading goes on with the next line or file.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MAX_ROW_BYTES = 1_000_000
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a folder. `line` 0 is the file as a whole; `file` is relative to the folder.

    In a CSV file `line` is the line where the row begins, in a Parquet file the number of the row.
    """

    kind: str
    file: str
    line: int
    field: str
    seen: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        """Return the problem on one line."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        what = ": ".join(part for part in (self.field, self.seen) if part)
        says = f"{where}: {what}{': ' if what else ''}{self.reason}; {self.remedy}"
        return says.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class Line:
    """An object of named values and where it stands."""

    file: str
    line: int
    value: dict[str, Any]

    @property
    def place(self) -> str:
        """The place as file:line."""
        return f"{self.file}:{self.line}"

    def problem(self, kind: str, field: str, seen: object, says: tuple[str, str]) -> Problem:
        """Return a problem at this line; `says` is the reason and the remedy."""
        return Problem(kind, self.file, self.line, field, shown(seen), *says)


@dataclass
class Found:
    """Problems and warnings as they turn up. The first ten thousand problems are kept, the others counted in `more`.

    A warning is kept once for each kind and file, with the number of further rows it holds for.
    """

    problems: list[Problem] = field(default_factory=list)
    more: int = 0
    cluster_field: str = "cluster"
    _warned: dict[tuple[str, str], tuple[Problem, int]] = field(default_factory=dict)

    def add(self, problem: Problem) -> None:
        """Note a problem."""
        if len(self.problems) < KEPT:
            self.problems.append(self._named(problem))
        else:
            self.more += 1

    def add_all(self, problems: Iterable[Problem]) -> None:
        """Note several problems."""
        for problem in problems:
            self.add(problem)

    def warn(self, warning: Problem) -> None:
        """Note a warning."""
        key = warning.kind, warning.file
        first, count = self._warned.get(key, (self._named(warning), -1))
        self._warned[key] = first, count + 1

    def warn_all(self, warnings: Iterable[Problem]) -> None:
        """Note several warnings."""
        for warning in warnings:
            self.warn(warning)

    @property
    def warnings(self) -> list[Problem]:
        """The first warning of each kind and file."""
        return [_with_count(first, count) for first, count in self._warned.values()]

    def _named(self, problem: Problem) -> Problem:
        """Call the cluster by the name that the case gives it."""
        return dataclasses.replace(problem, field=self.cluster_field) if problem.field == "cluster" else problem


def _with_count(warning: Problem, count: int) -> Problem:
    also = f" (and {count:,} more {'row' if count == 1 else 'rows'} of this file)" if count else ""
    return dataclasses.replace(warning, reason=warning.reason + also)


@dataclass(frozen=True, slots=True)
class Constant:
    """NaN, Infinity or -Infinity, which Python's parser takes although JSON has no such numbers."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number as it stands there: no field is a number, and 5,000 digits need not become one to be refused."""

    raw: str


def shown(value: object) -> str:
    """Return a value in at most 60 characters; `repr` spells out what could steer a terminal."""
    if value is None:
        return "null"
    text = value.name if isinstance(value, Constant) else value.raw if isinstance(value, Number) else repr(_head(value))
    return text if len(text) <= 60 else text[:57] + "..."


def _head(value: object) -> object:
    return value[:80] if isinstance(value, (str, bytes)) else value


def type_name(value: object) -> str:
    """Return what a JSON value is, in words."""
    names = {bool: "true or false", int: "a number", float: "a number", Number: "a number", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), f"a {type(value).__name__}")


def is_constant(value: object) -> bool:
    """Return whether a value is NaN or infinite, from JSON or from a table of numbers."""
    return isinstance(value, Constant) or (isinstance(value, float) and not math.isfinite(value))
