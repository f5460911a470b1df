"""A user's own case, as a folder: case.toml, forget.jsonl, retain.jsonl, and what else it needs (docs/own-case.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from vestige.cases.folder_check import examine
from vestige.cases.folder_rows import Contents
from vestige.cases.folder_text import Problem
from vestige.errors import DataError
from vestige.records import Case, Row

_SHOWN = 50


@dataclass(frozen=True)
class Folder:
    """The case in the folder at `path`; in a plan a relative path starts from the plan's own folder."""

    path: str

    def __call__(self) -> Case:
        """Return the case.

        Raises:
            DataError: the folder cannot be used as it is; the message lists its problems.
        """
        contents, problems = examine(self.path)
        if problems:
            raise DataError(_message(self.path, problems))
        return _case(contents)


def _message(path: str, problems: list[Problem]) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    some = f"; the first {_SHOWN} are" if len(problems) > _SHOWN else ""
    return "\n".join([f"{path}: {count}{some}:", *(f"  {p}" for p in problems[:_SHOWN])])


def _case(contents: Contents) -> Case:
    def rows(file: str) -> tuple[Row, ...]:
        return tuple(e.made for e in contents.rows.get(file, ()))

    about = contents.about
    return Case(
        name=about["name"],
        version=about["version"],
        language=about["language"],
        licence=about["licence"],
        knowledge=about["knowledge"],  # type: ignore[arg-type]
        primary=about["primary"],  # type: ignore[arg-type]
        forget=rows("forget.jsonl"),
        retain=rows("retain.jsonl"),
        probes=tuple(e.made for e in contents.probes),
        decoy=rows("decoy.jsonl"),
        sources={PurePosixPath(file).stem: rows(file) for file in contents.rows if file.startswith("sources/")},
        citation=about.get("citation", ""),
    )
