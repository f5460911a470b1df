"""The ledger of a run: append-only JSON lines, hash-chained, one fsync per cell.

A line is {"v", "n", "kind", "prev", "sha", "body"}; `sha` is the sha256 of the canonical JSON of the other five, and
`prev` is the `sha` of the line before. Lines that stand after the last commit line were never committed: opening
the ledger again moves them to `ledger.torn`. The chain shows a change of any line; only a signature or an outside
copy of the head can show that a *whole* ledger was written anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from vestige.errors import LedgerError, RunError, cannot_write
from vestige.records import canonical_json, plain

VERSION = 1
ROOT = "0" * 64
KINDS = (
    "header",
    "state",
    "answer",
    "score_tokens",
    "measurement",
    "judgement",
    "cell_done",
    "cell_failed",
    "imported",
    "end",
)
# A line of one of these kinds ends a commit: everything up to it counts.
COMMITS = frozenset({"header", "measurement", "cell_done", "cell_failed", "imported", "end"})
_FIELDS = {"v", "n", "kind", "prev", "sha", "body"}

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Damage:
    """A place where a ledger is not what was written; `line` counts from 1."""

    line: int
    says: str


def sha_of(line: Mapping[str, Any]) -> str:
    """Return the hash of a line, plain JSON: sha256 over the canonical JSON of everything but `sha`."""
    return hashlib.sha256(canonical_json({k: v for k, v in line.items() if k != "sha"})).hexdigest()


class Ledger:
    """A ledger opened for appending; one process at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the ledger at `path`, setting aside what was never committed.

        Raises:
            LedgerError: the committed part is damaged.
            RunError: another process is writing it.
        """
        self.path = path
        # Unbuffered: what a full disk refused must not be tried again behind our back when the file is closed.
        self._file = path.open("a+b", buffering=0)
        try:
            _lock(self._file, path)
            self.lines = self._committed()
        except BaseException:
            self._file.close()
            raise
        self._n = len(self.lines)
        self._head = self.lines[-1]["sha"] if self.lines else ROOT
        self._buffer: list[bytes] = []

    @property
    def head(self) -> str:
        """The hash of the last line."""
        return str(self._head)

    def add(self, kind: str, body: Mapping[str, Any]) -> None:
        """Chain a line in memory; nothing is written before `commit`."""
        if kind not in KINDS:
            raise LedgerError(f"unknown kind of line {kind!r}; expected one of {', '.join(KINDS)}")
        line: Line = {"v": VERSION, "n": self._n, "kind": kind, "prev": self._head, "body": plain(body)}
        line["sha"] = sha_of(line)
        self._buffer.append(canonical_json(line) + b"\n")
        self.lines.append(json.loads(self._buffer[-1]))
        self._head = line["sha"]
        self._n += 1

    def commit(self) -> None:
        """Write the lines added since the last commit in one go and wait until they are on disk.

        Raises:
            RunError: the disk is full; the lines are kept, and a later commit writes them whole.
        """
        data = memoryview(b"".join(self._buffer))
        try:
            self._file.truncate(self._end)  # what a commit that failed has left
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._end += len(data)
        self._buffer = []

    def close(self) -> None:
        """Release the file and its lock."""
        self._file.close()

    def _committed(self) -> list[Line]:
        self._file.seek(0)
        raw = self._file.read()
        lines, good, torn = _parse(raw)
        problems = list(check(lines))
        if torn and raw.count(b"\n") > len(lines):
            problems.append(torn)  # a whole line that cannot be read was changed; a write that was cut short leaves no newline
        if problems:
            raise LedgerError(f"{self.path}: line {problems[0].line}: {problems[0].says}; `vestige verify` lists all")
        last = max((i for i, line in enumerate(lines) if line["kind"] in COMMITS), default=-1)
        self._end = good[last] if last >= 0 else 0
        if self._end < len(raw):
            self._set_aside(raw[self._end :])
        return lines[: last + 1]

    def _set_aside(self, tail: bytes) -> None:
        """Move an uncommitted tail to `ledger.torn`, so that nothing is lost and the chain goes on."""
        with self.path.with_suffix(".torn").open("ab") as torn:
            torn.write(tail)
            torn.flush()
            os.fsync(torn.fileno())
        self._file.truncate(self._end)
        os.fsync(self._file.fileno())


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep every other process from writing the ledger at `path` meanwhile.

    Raises:
        RunError: another process is writing it.
    """
    with path.open("rb") as file:
        _lock(file, path)
        yield


def _lock(file: BinaryIO | io.FileIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunError(f"{path}: another process is writing this run; wait for it or use another --out") from error


def read(path: Path) -> tuple[list[Line], list[Damage]]:
    """Return every readable line of a ledger and every place where it is damaged."""
    try:
        lines, _, torn = _parse(path.read_bytes())
    except FileNotFoundError as error:
        raise LedgerError(f"{path}: no ledger here; expected the folder of a run") from error
    return lines, sorted([*check(lines), *([torn] if torn else [])], key=lambda d: d.line)


def read_sound(path: Path) -> list[Line]:
    """Return the lines of a ledger that is not damaged.

    Raises:
        LedgerError: there is none, or it is damaged: where first, and how.
    """
    lines, damage = read(path)
    if damage:
        raise LedgerError(f"{path}: line {damage[0].line}: {damage[0].says}; `vestige verify {path.parent}` lists all")
    return lines


def check(lines: Iterable[Line]) -> Iterator[Damage]:
    """Yield the places where the chain does not hold."""
    prev = ROOT
    for at, line in enumerate(lines):
        if set(line) != _FIELDS or line["kind"] not in KINDS or not isinstance(line["body"], dict):
            yield Damage(at + 1, "not a line of a ledger: its fields or its kind are not those of schema 1")
        if line.get("v") != VERSION:
            yield Damage(at + 1, f"schema version {line.get('v')!r}, expected {VERSION}")
        if line.get("sha") != sha_of(line):
            yield Damage(at + 1, "its content does not match its hash: the line was changed")
        if line.get("n") != at:
            yield Damage(at + 1, f"says it is number {line.get('n')!r}, counted from 0: a line was dropped, doubled or moved here")
        elif line.get("prev") != prev:
            yield Damage(at + 1, "does not continue the line before it: one of the two was changed or comes from another ledger")
        prev = str(line.get("sha"))


def _parse(raw: bytes) -> tuple[list[Line], list[int], Damage | None]:
    """Return lines, the byte offset after each, and the first place that is not a whole JSON line."""
    lines: list[Line] = []
    ends: list[int] = []
    offset = 0
    *whole, tail = raw.split(b"\n")
    for piece in whole:
        offset += len(piece) + 1
        try:
            line = json.loads(piece)
            sound = isinstance(line, dict) and canonical_json(line) == piece
        except (ValueError, RecursionError):  # a number of a thousand digits, half a character, brackets without end
            return lines, ends, Damage(len(lines) + 1, "not JSON: the line was changed")
        if not sound:
            return lines, ends, Damage(len(lines) + 1, "not in canonical form: the line was changed")
        lines.append(line)
        ends.append(offset)
    return lines, ends, Damage(len(lines) + 1, "torn: the last line is not whole") if tail else None
