"""Is a file UTF-8 text? Answered in one pass of bounded memory, before anything in it is believed."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from vestige.cases.folder_text import Found, Problem, shown

_CHUNK = 1 << 20
_KANA = re.compile("[\u3040-\u30ff]")


@dataclass
class _Ends:
    """How the lines end, counted over chunks."""

    windows: int = 0
    unix: int = 0
    old_mac: int = 0
    _held: bytes = b""

    def count(self, chunk: bytes) -> None:
        chunk = self._held + chunk
        self._held = b"\r" if chunk.endswith(b"\r") else b""  # its other half may begin the next chunk
        chunk = chunk[: len(chunk) - len(self._held)]
        windows = chunk.count(b"\r\n")
        self.windows += windows
        self.unix += chunk.count(b"\n") - windows
        self.old_mac += chunk.count(b"\r") - windows


def is_text(folder: Path, file: str, found: Found, *, line_ends: bool = False) -> bool:
    """Return whether a file can be read as UTF-8 text; if not, note why. `line_ends` looks at them as well."""
    ends = _Ends()
    try:
        if not (folder / file).is_file():
            raise OSError(0, "not a plain file")
        with (folder / file).open("rb") as stream:
            decoder = codecs.getincrementaldecoder("utf-8")()
            lines = 0
            while chunk := stream.read(_CHUNK):
                if not lines and (wide := _wide(chunk)):
                    return _refused(found, _in_wide(file, wide, chunk))
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as error:
                    return _refused(found, _misencoded(file, lines, error))
                lines += chunk.count(b"\n")
                ends.count(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return _refused(found, _misencoded(file, lines, error))
    except OSError as error:
        says = (f"the file cannot be read ({error.strerror})", "check that it is a plain file and that you may read it")
        return _refused(found, Problem("missing file", file, 0, "", "", *says))
    return not line_ends or _sound_ends(ends, file, found)


def _refused(found: Found, problem: Problem) -> bool:
    found.add(problem)
    return False


def _wide(data: bytes) -> str:
    """Return the name of an encoding of two or four bytes a character; without a mark, its many zero bytes tell."""
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "UTF-32"
    head = data[:2000]
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return "UTF-16" if marked or (len(head) >= 8 and head.count(0) > len(head) // 4) else ""


def _in_wide(file: str, wide: str, data: bytes) -> Problem:
    remedy = f"save it as UTF-8: iconv -f {wide} -t UTF-8 {file}"
    return Problem("UTF-16", file, 0, "", shown(data[:8]), f"the file is in {wide}, not in UTF-8", remedy)


def _misencoded(file: str, lines: int, error: UnicodeDecodeError) -> Problem:
    data = error.object
    line = lines + data.count(b"\n", 0, error.start) + 1
    bad = data[error.start : error.start + 4]
    if b"\xed\xa0" <= bad[:2] <= b"\xed\xbf":
        says = ("these bytes are half of a character (a lone surrogate)", "write the file again as UTF-8, from its source")
        return Problem("lone surrogate", file, line, "", shown(bad), *says)
    guess = _guess(data)
    named = f"it reads as {guess}" if guess else "it may be in Windows-1252 or in another old encoding"
    remedy = f"save it as UTF-8: iconv -f {guess or 'WINDOWS-1252'} -t UTF-8 {file}"
    return Problem("encoding", file, line, "", shown(bad), f"these bytes are not UTF-8; {named}", remedy)


def _guess(data: bytes) -> str:
    """Return a Japanese encoding under which the text has kana. EUC-JP first: cp932 takes it for half-width katakana."""
    for name, codec in (("EUC-JP", "euc_jp"), ("SHIFT_JIS", "cp932")):
        try:
            # Not final: the chunk may end in half a character.
            if _KANA.search(codecs.getincrementaldecoder(codec)().decode(data)):
                return name
        except UnicodeDecodeError:
            continue
    return ""


def _sound_ends(ends: _Ends, file: str, found: Found) -> bool:
    if ends.old_mac and not ends.unix and not ends.windows:
        says = (
            "the lines end in a lone carriage return, so the whole file is one line",
            f"convert it: tr '\\r' '\\n' < {file} > new.jsonl",
        )
        return _refused(found, Problem("line ends", file, 0, "", "", *says))
    counts = {r"\r\n": ends.windows, r"\n": ends.unix, r"\r": ends.old_mac}
    if sum(1 for count in counts.values() if count) > 1:
        seen = ", ".join(f"{count:,} x {name}" for name, count in counts.items() if count)
        says = (f"the lines end in different ways ({seen})", "two files may have been joined: look whether one was cut")
        found.warn(Problem("mixed line ends", file, 0, "", "", *says))
    return True
