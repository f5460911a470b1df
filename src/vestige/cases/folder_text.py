"""A user's files, as bytes, to JSON objects with their line numbers; what cannot be read becomes a `Problem`.

Nothing here raises on bad input: a file in another encoding, a torn line or a number that JSON does not have is reported
with its place and what to do, and the reading goes on with the next line or file.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_ROW_BYTES = 1_000_000
_KANA = re.compile("[\u3040-\u30ff]")
_AT = re.compile(r"at line (\d+)")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a folder. `line` 0 is the file as a whole; `file` is relative to the folder."""

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
    """A JSON object and where it stands."""

    file: str
    line: int
    value: dict[str, Any]

    def problem(self, kind: str, field: str, seen: object, says: tuple[str, str]) -> Problem:
        """Return a problem at this line; `says` is the reason and the remedy."""
        return Problem(kind, self.file, self.line, field, shown(seen), *says)


@dataclass(frozen=True, slots=True)
class Constant:
    """NaN, Infinity or -Infinity, which Python's parser takes although JSON has no such numbers."""

    name: str


class _TwiceError(ValueError):
    """A name stands twice in one object."""


def shown(value: object) -> str:
    """Return a value in at most 60 characters; `repr` spells out what could steer a terminal."""
    if value is None:
        return "null"
    text = value.name if isinstance(value, Constant) else repr(value[:80] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def read_text(folder: Path, file: str, problems: list[Problem]) -> str | None:
    """Return the text of a file without its byte order mark, or None and a problem."""
    try:
        if not (folder / file).is_file():
            raise OSError(0, "not a plain file")
        data = (folder / file).read_bytes()
    except OSError as error:
        says = (f"the file cannot be read ({error.strerror})", "check that it is a plain file and that you may read it")
        problems.append(Problem("missing file", file, 0, "", "", *says))
        return None
    if wide := _wide(data):
        remedy = f"save it as UTF-8: iconv -f {wide} -t UTF-8 {file}"
        problems.append(Problem("UTF-16", file, 0, "", shown(data[:8]), f"the file is in {wide}, not in UTF-8", remedy))
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.append(_misencoded(data, file, error))
        return None


def _wide(data: bytes) -> str:
    """Return the name of an encoding of two or four bytes a character; without a mark, its many zero bytes tell."""
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "UTF-32"
    head = data[:2000]
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return "UTF-16" if marked or (len(head) >= 8 and head.count(0) > len(head) // 4) else ""


def _misencoded(data: bytes, file: str, error: UnicodeDecodeError) -> Problem:
    line = data.count(b"\n", 0, error.start) + 1
    guess = _guess(data)
    named = f"it reads as {guess}" if guess else "it may be in Windows-1252 or in another old encoding"
    remedy = f"save it as UTF-8: iconv -f {guess or 'WINDOWS-1252'} -t UTF-8 {file}"
    bad = data[error.start : error.start + 4]
    return Problem("encoding", file, line, "", shown(bad), f"these bytes are not UTF-8; {named}", remedy)


def _guess(data: bytes) -> str:
    """Return a Japanese encoding under which the text has kana. EUC-JP first: cp932 takes it for half-width katakana."""
    for name, codec in (("EUC-JP", "euc_jp"), ("SHIFT_JIS", "cp932")):
        try:
            if _KANA.search(data.decode(codec)):
                return name
        except UnicodeDecodeError:
            continue
    return ""


def read_lines(folder: Path, file: str, problems: list[Problem]) -> Iterator[Line]:
    """Yield every JSON object of a JSON Lines file; blank lines are passed over."""
    text = read_text(folder, file, problems)
    if text is None:
        return
    if not text.strip():
        says = ("the file holds no rows", "write one JSON object a line, or remove the file if it is optional")
        problems.append(Problem("no rows", file, 0, "", "", *says))
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            value = _parsed(line, file, number)
            if isinstance(value, Problem):
                problems.append(value)
            else:
                yield Line(file, number, value)


def _parsed(line: str, file: str, number: int) -> dict[str, Any] | Problem:
    size = len(line.encode("utf-8"))
    if size > MAX_ROW_BYTES:
        says = (f"the row is {size:,} bytes long, the limit is {MAX_ROW_BYTES:,}", "split it into several rows")
        return Problem("long row", file, number, "", shown(line), *says)
    if "\0" in line:
        says = (f"a NUL byte stands at column {line.index(chr(0)) + 1}", "remove it; the file may be damaged")
        return Problem("NUL", file, number, "", shown(line), *says)
    try:
        value = json.loads(line, parse_constant=Constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        return _malformed(line, file, number, error)
    except _TwiceError as error:
        says = ("this name stands twice in one object, and only the last would count", "keep one of them")
        return Problem("field twice", file, number, shown(str(error)), "", *says)
    except (ValueError, RecursionError) as error:
        says = (f"not a usable JSON value ({type(error).__name__})", "write the fields as plain strings")
        return Problem("malformed JSON", file, number, "", shown(line), *says)
    if isinstance(value, dict):
        return value
    says = (f"the line holds a {type(value).__name__}, not an object", 'write one object a line: {"id": ..., "prompt": ...}')
    return Problem("wrong type", file, number, "", shown(value), *says)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
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


def read_toml(folder: Path, file: str, problems: list[Problem]) -> dict[str, tuple[int, Any]]:
    """Return every key of a TOML file with its line number and value."""
    text = read_text(folder, file, problems)
    if text is None:
        return {}
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = _AT.search(str(error))
        says = (f"not TOML: {error}", 'write lines such as name = "my-case"')
        problems.append(Problem("malformed TOML", file, int(found[1]) if found else 0, "", "", *says))
        return {}
    return {key: (_line_of(key, text), value) for key, value in values.items()}


def _line_of(key: str, text: str) -> int:
    found = re.search(rf"^[\s\[\"']*{re.escape(key)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 0
