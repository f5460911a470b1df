"""A case to files: the folder that `folder` reads, with comments for the person who will change it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from vestige.errors import UsageError
from vestige.records import Probe, Row

_COMMENTS = {
    "name": "the name of the case; together with the clusters' names it decides which of them only select",
    "version": "change it whenever a row or a question changes",
    "language": "a short tag: en, ja, pt-BR, ...",
    "licence": "of the texts in this folder",
    "knowledge": '"planted": the model learns it from forget.jsonl; "pretrained": it is in the model already',
    "primary": '"choice": the right answer against wrong ones; "keyword": whether it is said',
    "citation": "where the texts come from",
}


def write_folder(folder: Path, about: Mapping[str, str], files: Mapping[str, Iterable[Row | Probe]], readme: str) -> None:
    """Write a case into a folder that is new or empty; `files` maps a part, such as sources/news, to its rows or probes.

    Raises:
        UsageError: there is something at this place already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists already and is not an empty folder; choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    lines = (f"# {_COMMENTS[key]}\n{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in about.items())
    _write(folder / "case.toml", "".join(lines))
    _write(folder / "README.md", readme)
    for part, made in files.items():
        _write(folder / f"{part}.jsonl", "".join(json.dumps(_fields(m), ensure_ascii=False) + "\n" for m in made))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _fields(made: Row | Probe) -> dict[str, object]:
    """Return the fields that a file must hold: those without a default, and others where they differ from it."""
    fields = [f for f in dataclasses.fields(made) if f.name != "split"]
    return {f.name: getattr(made, f.name) for f in fields if f.default is dataclasses.MISSING or getattr(made, f.name) != f.default}
