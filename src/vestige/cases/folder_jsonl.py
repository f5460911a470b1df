"""JSON Lines to objects with their line numbers, one line in memory at a time; and the manifest, which is TOML."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vestige.cases.folder_encoding import is_text
from vestige.cases.folder_text import MAX_ROW_BYTES, Constant, Found, Line, Number, Problem, shown, type_name

_AT = re.compile(r"at line (\d+)")
_BOM = b"\xef\xbb\xbf"


class TwiceError(ValueError):
    """A name stands twice in one object."""


def read_lines(folder: Path, file: str, found: Found) -> Iterator[Line]:
    """Yield every JSON object of a JSON Lines file; blank lines are passed over, faults are noted."""
    if not is_text(folder, file, found, line_ends=True):
        return
    empty = True
    for number, line, size in _raw(folder / file):
        text = line.decode("utf-8", "replace").rstrip("\r\n")  # only a line that was cut at the limit can need replacing
        if not text.strip():
            continue
        empty = False
        value = _parsed(text, file, number, size)
        if isinstance(value, Problem):
            found.add(value)
        else:
            yield Line(file, number, value)
    if empty:
        found.add(no_rows(file))


def no_rows(file: str) -> Problem:
    """Return the problem of a file without rows."""
    how = "write a header and one row a line" if file.endswith(".csv") else "write one JSON object a line"
    needed = file.rpartition(".")[0] in ("forget", "retain")
    says = ("the file holds no rows", f"{how}{'; a case needs them' if needed else ', or remove the file'}")
    return Problem("no rows", file, 0, "", "", *says)


def _raw(path: Path) -> Iterator[tuple[int, bytes, int]]:
    """Yield number, bytes (cut where they are too many) and true size of every line."""
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_ROW_BYTES + 2):
            number += 1
            size = len(line.rstrip(b"\r\n"))
            rest = line
            while not rest.endswith(b"\n") and (rest := stream.readline(1 << 20)):
                size += len(rest)
            yield number, line.removeprefix(_BOM) if number == 1 else line, size


def _parsed(line: str, file: str, number: int, size: int) -> dict[str, Any] | Problem:
    if size > MAX_ROW_BYTES:
        says = (f"the row is {size:,} bytes long, the limit is {MAX_ROW_BYTES:,}", "split it into several rows")
        return Problem("long row", file, number, "", shown(line), *says)
    if "\0" in line:
        says = (f"a NUL byte stands at column {line.index(chr(0)) + 1}", "remove it; the file may be damaged")
        return Problem("NUL", file, number, "", shown(line), *says)
    try:
        value = load_json(line)
    except json.JSONDecodeError as error:
        return _malformed(line, file, number, error)
    except TwiceError as error:
        says = ("this name stands twice in one object, and only the last would count", "keep one of them")
        return Problem("field twice", file, number, shown(str(error)), "", *says)
    except RecursionError:
        says = ("lists or objects stand too deep in one another", "write the fields as plain strings")
        return Problem("malformed JSON", file, number, "", shown(line), *says)
    if isinstance(value, dict):
        return value
    says = (f"the line holds {type_name(value)}, not an object", 'write one object a line: {"id": ..., "prompt": ...}')
    return Problem("wrong type", file, number, "", shown(value), *says)


def load_json(text: str) -> Any:
    """Parse JSON, keeping numbers as they stand and refusing a name that stands twice.

    Raises:
        json.JSONDecodeError, TwiceError, RecursionError: it is not usable.
    """
    return json.loads(text, parse_constant=Constant, parse_int=Number, parse_float=Number, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise TwiceError(next(name for name in names if names.count(name) > 1))
    return made


def _malformed(line: str, file: str, number: int, error: json.JSONDecodeError) -> Problem:
    # Python 3.11 and 3.12 stop after a trailing comma, later versions at it.
    at = error.pos + 1 if line[error.pos : error.pos + 1] == "," else error.pos
    rest = line[at:].strip()
    if line[:at].rstrip().endswith(",") and (not rest or rest[0] in "}]"):
        column = line[:at].rstrip().rindex(",") + 1
        says = (f"a comma too many at column {column}", "remove it: no comma after the last field, none at the end of a line")
        return Problem("trailing comma", file, number, "", shown(line[max(0, column - 20) :]), *says)
    says = (f"malformed JSON at column {error.colno}: {error.msg}", 'write one whole object a line, with "double quotes"')
    return Problem("malformed JSON", file, number, "", shown(line[max(0, error.pos - 20) :]), *says)


def read_toml(folder: Path, file: str, found: Found) -> dict[str, tuple[int, Any]]:
    """Return every key of a TOML file with its line number and value."""
    if not is_text(folder, file, found):
        return {}
    text = (folder / file).read_text(encoding="utf-8-sig")
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = _AT.search(str(error))
        says = (f"not TOML: {error}", 'write lines such as name = "my-case"')
        found.add(Problem("malformed TOML", file, int(at[1]) if at else 0, "", "", *says))
        return {}
    return {key: (_line_of(key, text), value) for key, value in values.items()}


def _line_of(key: str, text: str) -> int:
    at = re.search(rf"^[\s\[\"']*{re.escape(key)}\b", text, re.MULTILINE)
    return text.count("\n", 0, at.end()) + 1 if at else 0
