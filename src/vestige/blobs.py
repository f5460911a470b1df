"""Texts of a run, beside the ledger and deletable: the evidence can forget.

The ledger holds keyed digests (HMAC-SHA256 under a random key of the run); the texts and the key lie here. When
they are shredded the chain still verifies, and nobody can test guesses of a text against the ledger.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path

from vestige.errors import LedgerError, cannot_write

_REF_DIGITS = 32


class Blobs:
    """The texts of one run in `folder`: blobs.jsonl and key."""

    def __init__(self, folder: Path) -> None:
        """Open the texts of a run for reading; `create` makes the key."""
        self._path = folder / "blobs.jsonl"
        self._key_path = folder / "key"
        self._key = _key_in(self._key_path)
        self._texts = _load(self._path)
        self._new: dict[str, str] = {}

    @classmethod
    def create(cls, folder: Path, key_from: Path | None = None) -> Blobs:
        """Open the texts of a run, making its key if it has none; `key_from` is another run to take the key of."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "key"
        if not path.is_file():
            key = (key_from / "key").read_text() if key_from else secrets.token_hex(32)
            write_whole(path, key.encode())
        return cls(folder)

    @property
    def key(self) -> bytes:
        """The key of the run.

        Raises:
            LedgerError: it was shredded.
        """
        if self._key is None:
            raise LedgerError(f"{self._key_path}: the key is gone (shredded?); this run cannot be continued")
        return self._key

    @property
    def shredded(self) -> bool:
        """Whether the texts of a run are gone."""
        return self._key is None

    def ref(self, text: str) -> str:
        """Return the keyed digest of a text, 32 hexadecimal digits."""
        return hmac.new(self.key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_REF_DIGITS]

    def put(self, text: str) -> str:
        """Keep a text (written by `flush`) and return its reference."""
        ref = self.ref(text)
        if ref not in self._texts:
            self._texts[ref] = self._new[ref] = text
        return ref

    def get(self, ref: str) -> str | None:
        """Return a text, or None if it is gone."""
        return self._texts.get(ref)

    def flush(self) -> None:
        """Write new texts and wait until they are on disk; called before the ledger lines that point to them."""
        if not self._new:
            return
        try:
            with self._path.open("a", encoding="utf-8") as out:
                if out.tell() and not _ends_in_newline(self._path):
                    out.write("\n")
                for ref, text in self._new.items():
                    out.write(json.dumps([ref, text]) + "\n")
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise cannot_write(self._path, error) from error
        self._new = {}

    def changed(self) -> list[str]:
        """Return the references whose text no longer matches them."""
        return [ref for ref, text in self._texts.items() if self.ref(text) != ref]


def _key_in(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    try:
        return bytes.fromhex(path.read_text(encoding="ascii", errors="replace"))
    except ValueError as error:
        raise LedgerError(f"{path}: this is not a key; expected hexadecimal digits") from error


def _load(path: Path) -> dict[str, str]:
    """Return every text that can be read. A torn line was never committed; `verify` names what the ledger misses."""
    texts: dict[str, str] = {}
    for line in path.read_bytes().split(b"\n") if path.is_file() else ():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        match entry:
            case [str(ref), str(text)]:
                texts[ref] = text
    return texts


def _ends_in_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file, all or nothing.

    Raises:
        RunError: the disk is full.
    """
    temporary = path.with_name(path.name + ".partial")
    try:
        with temporary.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error


def overwrite_and_delete(path: Path) -> None:
    """Overwrite a file with zeros, sync, and delete it. (On flash disks old sectors may outlive this.)"""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for start in range(0, size, 1 << 20):
            file.write(b"\0" * min(1 << 20, size - start))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
