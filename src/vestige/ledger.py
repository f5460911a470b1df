"""The ledger of a run: append-only JSON lines, hash-chained, one fsync per cell.

A line is {"v", "n", "kind", "prev", "sha", "body"}; `sha` is the sha256 of the canonical JSON of the other five, and
`prev` is the `sha` of the line before. Lines that stand after the last commit line were never committed: opening
the ledger again moves them to `ledger.torn`. The chain shows a change of any line; only a signature or an outside
copy of the head can show that a *whole* ledger was written anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige.errors import LedgerError, RunError
from vestige.records import canonical

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

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Damage:
    """A place where a ledger is not what was written; `line` counts from 1."""

    line: int
    says: str


def sha_of(line: Mapping[str, Any]) -> str:
    """Return the hash of a line: sha256 over the canonical JSON of everything but `sha`."""
    return hashlib.sha256(canonical({k: v for k, v in line.items() if k != "sha"})).hexdigest()


class Ledger:
    """A ledger opened for appending; one process at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the ledger at `path`, setting aside what was never committed.

        Raises:
            LedgerError: the committed part is damaged.
            RunError: another process is writing it.
        """
        self.path = path
        self._file = path.open("a+b")
        self._lock()
        self.lines = self._committed()
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
        line: Line = {"v": VERSION, "n": self._n, "kind": kind, "prev": self._head, "body": dict(body)}
        line["sha"] = sha_of(line)
        self._buffer.append(canonical(line) + b"\n")
        self.lines.append(json.loads(self._buffer[-1]))
        self._head = line["sha"]
        self._n += 1

    def commit(self) -> None:
        """Write the lines added since the last commit in one go and wait until they are on disk."""
        data, self._buffer = b"".join(self._buffer), []
        try:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RunError(
                f"{self.path}: could not write ({error.strerror}); free some space and run the same command again: completed cells are kept"
            ) from error

    def close(self) -> None:
        """Release the file and its lock."""
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(f"{self.path}: another process is writing this run; wait for it or use another --out") from error

    def _committed(self) -> list[Line]:
        self._file.seek(0)
        raw = self._file.read()
        lines, good, torn = _parse(raw)
        problems = list(check(lines))
        if torn and torn.line <= len(lines):
            problems.append(torn)
        if problems:
            raise LedgerError(f"{self.path}: line {problems[0].line}: {problems[0].says}; `vestige verify` lists all")
        last = max((i for i, line in enumerate(lines) if line["kind"] in COMMITS), default=-1)
        keep = good[last] if last >= 0 else 0
        if keep < len(raw):
            self._set_aside(raw[keep:], keep)
        return lines[: last + 1]

    def _set_aside(self, tail: bytes, keep: int) -> None:
        """Move an uncommitted tail to `ledger.torn`, so that nothing is lost and the chain goes on."""
        with self.path.with_suffix(".torn").open("ab") as torn:
            torn.write(tail)
            torn.flush()
            os.fsync(torn.fileno())
        self._file.truncate(keep)
        os.fsync(self._file.fileno())
        self._file.seek(0, os.SEEK_END)


def read(path: Path) -> tuple[list[Line], list[Damage]]:
    """Return every readable line of a ledger and every place where it is damaged."""
    try:
        lines, _, torn = _parse(path.read_bytes())
    except FileNotFoundError as error:
        raise LedgerError(f"{path}: no ledger here; expected the folder of a run") from error
    return lines, sorted([*check(lines), *([torn] if torn else [])], key=lambda d: d.line)


def check(lines: Iterable[Line]) -> Iterator[Damage]:
    """Yield the places where the chain does not hold."""
    prev = ROOT
    for at, line in enumerate(lines):
        if line.get("v") != VERSION:
            yield Damage(at + 1, f"schema version {line.get('v')!r}, expected {VERSION}")
        if line.get("sha") != sha_of(line):
            yield Damage(at + 1, "its content does not match its hash: the line was changed")
        if line.get("n") != at or line.get("prev") != prev:
            yield Damage(at + 1, f"says it is number {line.get('n')}, stands at {at}: a line was dropped, doubled or moved here")
        prev = str(line.get("sha"))


def _parse(raw: bytes) -> tuple[list[Line], list[int], Damage | None]:
    """Return lines, the byte offset after each, and the first place that is not a whole JSON line."""
    lines: list[Line] = []
    ends: list[int] = []
    offset = 0
    for piece in raw.splitlines(keepends=True) if raw else []:
        if not piece.endswith(b"\n"):
            return lines, ends, Damage(len(lines) + 1, "torn: the last line is not whole")
        offset += len(piece)
        try:
            line = json.loads(piece)
        except ValueError:
            return lines, ends, Damage(len(lines) + 1, "not JSON: the line was changed")
        if not isinstance(line, dict) or canonical(line) + b"\n" != piece:
            return lines, ends, Damage(len(lines) + 1, "not in canonical form: the line was changed")
        lines.append(line)
        ends.append(offset)
    return lines, ends, None
