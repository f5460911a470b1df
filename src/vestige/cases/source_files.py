"""One way to get a file of a published data set: out of a local folder, or from a data set on the hub by its id.

The identity of a file is the sha256 of its bytes, the same either way. Rows are read one at a time, so a file may be larger
than memory (a file that is one JSON list may not). An upstream field that changed is an error naming file, line and field.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from vestige.errors import DataError, nearest

MAX_LINE_BYTES = 1_000_000
_GAP = re.compile(r"[\s,]*")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a data set: its name there, where it lies on this machine, and the sha256 of its bytes."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a file and where it stands; asking for a field of the wrong type is an error that says so.

    `row` counts the rows of a file that is one list, of which many may stand on one line.
    """

    file: str
    line: int
    values: Mapping[str, Any]
    row: int = 0

    @property
    def place(self) -> str:
        """The place as file:line, with #row in a list; also the id of the row."""
        return f"{self.file}:{self.line}#{self.row}" if self.row else f"{self.file}:{self.line}"

    def text(self, field: str) -> str:
        """Return a field that is a text with something in it."""
        value = self.values[field]
        if not isinstance(value, str) or not value.strip():
            self.wrong(field, "a text that is not empty")
        return str(value)

    def texts(self, field: str) -> tuple[str, ...]:
        """Return a field that is a list of texts, at least one."""
        value = self.values[field]
        if not isinstance(value, list) or not value or not all(isinstance(v, str) and v.strip() for v in value):
            self.wrong(field, "a list of texts that are not empty")
        return tuple(value)

    def index(self, field: str, below: int) -> int:
        """Return a field that is a whole number from 0 to below - 1, as a number or as digits."""
        value = self.values[field]
        digits = isinstance(value, str) and value.isascii() and value.isdecimal()
        if isinstance(value, bool) or not (isinstance(value, int) or digits) or not 0 <= int(value) < below:
            self.wrong(field, f"a whole number from 0 to {below - 1}")
        return int(value)

    def wrong(self, field: str, expected: str) -> NoReturn:
        """Refuse a value.

        Raises:
            DataError: always.
        """
        raise DataError(f"{self.place}: field {field!r}: seen {_shown(self.values[field])}, expected {expected}")


def fetch(source: str, file: str, *, revision: str = "main") -> SourceFile:
    """Return a file of a local folder or, where there is no such folder, of the hub data set with the id `owner/name`.

    Raises:
        DataError: no such file, a name that leads out of the folder, or a hub that cannot be reached; says what to do.
    """
    if file != str(PurePosixPath(file)) or not re.fullmatch(r"[\w.][\w. /-]*", file) or ".." in PurePosixPath(file).parts:
        raise DataError(f"{file!r} is not the name of a file within a data set; expected a relative path such as 'test/law.csv'")
    folder = Path(source)
    if not folder.is_dir():
        path = _from_hub(source, file, revision)
    else:
        path = folder / file
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{path}: leads out of its folder, to {path.resolve()}; put the file itself there, or name the hub data set")
        if not path.is_file():
            there = [p.relative_to(folder).as_posix() for p in folder.rglob(f"*{path.suffix}")]
            raise DataError(f"{path}: no such file; {nearest(file, there) if there else f'no *{path.suffix} lies in the folder'}")
    return SourceFile(file, path, _sha256(path))


def located(source: str, folder: Path) -> str:
    """Return a source as a plan means it: a folder relative to the plan's, or else the id of a hub data set as it stands."""
    path = folder / source
    return source if not path.exists() and _HUB_ID.fullmatch(source) else str(path.resolve())


def version_of(files: Iterable[SourceFile]) -> str:
    """Return twelve digits that stand for the bytes of these files, wherever they were read from."""
    lines = sorted(f"{f.name} {f.sha256}\n" for f in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


def json_lines(file: SourceFile, fields: Iterable[str]) -> Iterator[Entry]:
    """Yield the objects of a JSON Lines file, one line in memory at a time.

    Raises:
        DataError: a line that is not an object with exactly these fields, not UTF-8, or of more than a million bytes.
    """
    expected = tuple(fields)
    for number, line in text_lines(file):
        if line.strip():
            yield _entry(file.name, number, _parsed(file.name, number, line), expected)


def json_list(file: SourceFile, fields: Iterable[str]) -> Iterator[Entry]:
    """Yield the objects of a file that is one JSON list, with the line each begins on.

    Raises:
        DataError: not a list of objects with exactly these fields.
    """
    expected = tuple(fields)
    text = "\n".join(line for _, line in text_lines(file))
    values = _parsed(file.name, 1, text)
    if not isinstance(values, list):
        raise DataError(f"{file.name}:1: seen {_shown(values)}, expected a JSON list of objects")
    decoder, at, line = json.JSONDecoder(), text.index("[") + 1, 1
    for row, value in enumerate(values, 1):
        start = _after_gap(text, at)
        line += text.count("\n", at, start)
        yield replace(_entry(file.name, line, value, expected), row=row)
        at = decoder.raw_decode(text, start)[1]
        line += text.count("\n", start, at)


def _after_gap(text: str, at: int) -> int:
    gap = _GAP.match(text, at)
    return gap.end() if gap else at


def csv_rows(file: SourceFile, fields: Iterable[str]) -> Iterator[Entry]:
    """Yield the rows of a CSV file with a header, with the line each begins on.

    Raises:
        DataError: a header other than these fields, a row of another length, or not UTF-8.
    """
    expected = tuple(fields)
    reader = csv.reader(f"{line}\n" for _, line in text_lines(file))
    header = next(reader, [])
    _entry(file.name, 1, dict.fromkeys(header, ""), expected)
    begins = reader.line_num + 1
    for row in reader:
        if len(row) != len(header):
            raise DataError(f"{file.name}:{begins}: seen {len(row)} fields, expected the {len(header)} of the header: {', '.join(header)}")
        yield Entry(file.name, begins, dict(zip(header, row, strict=True)))
        begins = reader.line_num + 1


def text_lines(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Yield number and text of every line, without its line end.

    Raises:
        DataError: a line that is not UTF-8 or of more than a million bytes.
    """
    with file.path.open("rb") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES + 2), b""), 1):
            if len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES:
                raise DataError(f"{file.name}:{number}: a line of more than {MAX_LINE_BYTES:,} bytes; expected one row a line")
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                bad = line[error.start : error.end]
                raise DataError(f"{file.name}:{number}: the bytes {bad!r} are not UTF-8; get the file again from its source") from error


def _entry(file: str, line: int, value: object, expected: tuple[str, ...]) -> Entry:
    if not isinstance(value, dict):
        raise DataError(f"{file}:{line}: seen {_shown(value)}, expected an object with the fields {', '.join(expected)}")
    for field in expected:
        if field not in value:
            seen = f"seen {', '.join(map(repr, value))}"
            raise DataError(f"{file}:{line}: no field {field!r}; {seen}, expected {', '.join(expected)}: did its name change upstream?")
    for field in value:
        if field not in expected:
            raise DataError(f"{file}:{line}: field {field!r} is new: expected {', '.join(expected)}; {nearest(field, expected)}")
    return Entry(file, line, value)


def _parsed(file: str, line: int, text: str) -> object:
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise DataError(f"{file}:{line + error.lineno - 1}: not JSON at column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}:{line}: not usable JSON: {error}") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"JSON has no number {name}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return made


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _from_hub(source: str, file: str, revision: str) -> Path:
    if not _HUB_ID.fullmatch(source):
        raise DataError(f"{source!r} is neither a folder here nor the id of a hub data set (owner/name); expected one of them")
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise DataError(f"{source}: no such folder, and the hub needs huggingface_hub: pip install 'vestige[lab]'") from error
    here = f"{source}: no such folder here, and {file!r} at revision {revision!r} of the hub data set of that id"
    else_give = "or give the path of a local folder that holds the file"
    try:
        return Path(hf_hub_download(source, file, repo_type="dataset", revision=revision))
    except LocalEntryNotFoundError as error:
        raise DataError(f"{here} is neither in the cache nor can the hub be reached; go online once, {else_give}") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        says = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise DataError(f"{here} could not be fetched ({says}); check id, file and revision, {else_give}") from error
