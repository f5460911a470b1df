"""A user's own case, as a folder: case.toml, forget.jsonl, retain.jsonl, and what else it needs (docs/own-case.md)."""

from __future__ import annotations

from dataclasses import dataclass

from vestige.cases.folder_check import examine
from vestige.cases.folder_rows import Layout, load
from vestige.cases.folder_text import Problem
from vestige.errors import DataError
from vestige.records import Case

_SHOWN = 50


@dataclass(frozen=True)
class Folder:
    """The case in the folder at `path` (in a plan, relative to the plan's own folder), or in a hub data set OWNER/NAME."""

    path: str
    revision: str = "main"

    def __call__(self) -> Case:
        """Return the case.

        Raises:
            DataError: the folder cannot be used as it is; the message lists its problems.
        """
        examined = examine(self.path, self.revision)
        if examined.problems:
            raise DataError(f"{self.path}: {listed(examined.problems, examined.more)}")
        return _case(examined.where)


def listed(problems: list[Problem], more: int = 0) -> str:
    """Return how many problems there are, and the first fifty of them."""
    total = len(problems) + more
    count = "1 problem" if total == 1 else f"{total:,} problems"
    some = f"; the first {_SHOWN} are" if total > _SHOWN else ""
    return "\n".join([f"{count}{some}:", *(f"  {p}" for p in problems[:_SHOWN])])


def _case(where: Layout) -> Case:
    rows, probes = load(where)
    about = where.about
    return Case(
        name=about["name"],
        version=about["version"],
        language=about["language"],
        licence=about["licence"],
        knowledge=about["knowledge"],  # type: ignore[arg-type]
        primary=about["primary"],  # type: ignore[arg-type]
        forget=rows["forget"],
        retain=rows["retain"],
        probes=probes,
        decoy=rows.get("decoy", ()),
        sources={part.removeprefix("sources/"): found for part, found in rows.items() if part.startswith("sources/")},
        citation=about.get("citation", ""),
    )
