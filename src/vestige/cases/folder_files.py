"""Which files a case's folder has, each in one of three formats, and where the folder comes from.

A part of a case (`forget`, `probes`, `sources/news`, ...) is a file of that name ending in .jsonl, .csv or .parquet. The
folder lies here, or on the hub as a data set of the same layout.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from vestige.cases.folder_fields import Fields
from vestige.cases.folder_jsonl import read_lines
from vestige.cases.folder_tables import read_csv, read_parquet
from vestige.cases.folder_text import Found, Line, Problem
from vestige.errors import DataError, nearest
from vestige.records import Group

ENDINGS = (".jsonl", ".csv", ".parquet")
ROW_PARTS: dict[str, Group] = {"forget": "forget", "retain": "retain", "decoy": "decoy"}
PROBE_PARTS = ("probes", "utility")
PARTS = (*ROW_PARTS, *PROBE_PARTS)
_NEEDED = ("forget", "retain")
_NOT_READ = (".json", ".ndjson", ".tsv", ".txt", ".xlsx", ".xls")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_WANTED = ["case.toml", *(f"{folder}*{ending}" for folder in ("", "sources/") for ending in ENDINGS)]


def on_hub(path: str | Path) -> bool:
    """Return whether a path is the id of a hub data set, OWNER/NAME, and not of something that exists here."""
    return bool(_HUB_ID.fullmatch(str(path))) and not Path(path).exists()


def materialise(path: str | Path, revision: str = "main") -> Path:
    """Return the folder at `path`, or a local copy of the hub data set of that id.

    Raises:
        DataError: it looks like a hub data set, and cannot be had.
    """
    if not on_hub(path):
        return Path(os.path.expanduser(path))
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise DataError(f"{path}: no such folder here, and the hub needs huggingface_hub: pip install huggingface_hub") from error
    here = f"{path}: no such folder here, and the hub data set of that id (revision {revision!r})"
    try:
        return Path(snapshot_download(str(path), repo_type="dataset", revision=revision, allow_patterns=_WANTED))
    except LocalEntryNotFoundError as error:
        raise DataError(f"{here} is not in the cache, nor can the hub be reached; give the path of a folder") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        says = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{here} could not be fetched ({says}); check id and revision, or give the path of a folder") from error


def files_of(folder: Path, found: Found) -> dict[str, str]:
    """Return part → file in reading order, and note files that are missing, that nobody would read, or that stand there twice."""
    paths = [p for place in (folder, folder / "sources") for p in sorted(place.glob("*"))]
    parts: dict[str, str] = {}
    for path in paths:
        file = path.relative_to(folder).as_posix()
        part, ending = file[: -len(path.suffix)] if path.suffix else file, path.suffix
        if ending in ENDINGS and (part in PARTS or part.startswith("sources/")):
            if before := parts.get(part):
                says = (f"{before} holds the same part of the case", "keep one of the two")
                found.add(Problem("part twice", file, 0, "", "", *says))
            parts.setdefault(part, file)
        elif problem := _not_read(file, part, ending):
            found.add(problem)
    for part in _NEEDED:
        if part not in parts:
            found.add(no_file(f"{part}.jsonl"))
    return dict(sorted(parts.items(), key=lambda item: (PARTS.index(item[0]) if item[0] in PARTS else len(PARTS), item[0])))


def no_file(file: str) -> Problem:
    """Return the problem of a file that a case needs."""
    return Problem("missing file", file, 0, "", "", "there is no such file in the folder", "a case needs it; write it")


def _not_read(file: str, part: str, ending: str) -> Problem | None:
    """Return the problem of a misspelt file, or of one in another format, which would be passed over in silence."""
    remedy = ""
    if ending in ENDINGS:
        remedy = f"{nearest(file, (f'{p}{ending}' for p in PARTS))} Other rows go into sources/"
    elif ending in _NOT_READ and (part in PARTS or part.startswith("sources/")):
        remedy = "save it as .jsonl (one JSON object a line), .csv or .parquet"
    return Problem("unknown file", file, 0, "", "", "this file would not be read", remedy) if remedy else None


def lines_of(folder: Path, file: str, fields: Fields, found: Found) -> Iterator[Line]:
    """Yield the objects of a file in any of the formats, one at a time."""
    if file.endswith(".csv"):
        yield from read_csv(folder, file, fields, found)
    elif file.endswith(".parquet"):
        yield from read_parquet(folder, file, fields, found)
    else:
        yield from read_lines(folder, file, found)
