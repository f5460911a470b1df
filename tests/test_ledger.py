"""The ledger: nothing committed is ever lost, nothing is ever changed unseen, and only one process writes."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestige import ledger
from vestige.errors import LedgerError, RunError
from vestige.ledger import COMMITS, KINDS, ROOT, Damage, Ledger, check, held, read, sha_of
from vestige.records import canonical

Lines = list[dict[str, Any]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def fill(path: Path, cells: int = 3, *, run: str = "a", records: int = 2) -> Path:
    """Write a header and some cells of a state and records each, one commit a cell."""
    book = Ledger(path)
    book.add("header", {"run": run})
    book.commit()
    for cell in range(cells):
        book.add("state", {"cell": cell})
        for n in range(records):
            book.add("answer", {"cell": cell, "p": n, "said": "é東", "logp": -1e-05})
        book.add("cell_done", {"cell": cell})
        book.commit()
    book.close()
    return path


def end(path: Path) -> None:
    """Close a ledger with its end line."""
    book = Ledger(path)
    book.add("end", {"lines": len(book.lines) + 1})
    book.commit()
    book.close()


def pieces(path: Path) -> list[bytes]:
    """Return the lines of a ledger as they lie on disk."""
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the waiting for the disk out, where a test opens a ledger hundreds of times."""
    monkeypatch.setattr(ledger.os, "fsync", lambda _: None)


def places(path: Path) -> list[int]:
    """Return the numbers of the damaged lines."""
    return [d.line for d in read(path)[1]]


def rechained(lines: Lines) -> bytes:
    """Return lines as one sound chain, whatever they say."""
    prev, out = ROOT, []
    for n, line in enumerate(copy.deepcopy(lines)):
        line |= {"n": n, "prev": prev}
        prev = line["sha"] = sha_of(line)
        out.append(canonical(line) + b"\n")
    return b"".join(out)


def test_two_golden_lines(path: Path) -> None:
    book = Ledger(path)
    book.add("header", {"run": "é", "b": 1, "a": [0.5]})
    book.add("end", {"lines": 2})
    book.commit()
    book.close()
    # Written out by hand: the hash of a line is over the canonical JSON of everything but `sha`.
    one = '{"body":{"a":[0.5],"b":1,"run":"é"},"kind":"header","n":0,"prev":"' + "0" * 64 + '",SHA"v":1}'
    sha_1 = hashlib.sha256(one.replace("SHA", "").encode()).hexdigest()
    two = '{"body":{"lines":2},"kind":"end","n":1,"prev":"' + sha_1 + '",SHA"v":1}'
    sha_2 = hashlib.sha256(two.replace("SHA", "").encode()).hexdigest()
    assert (sha_1[:16], sha_2[:16]) == ("6581b86aa8350e2f", "ddae7d46e7b17853")
    assert path.read_text("utf-8") == one.replace("SHA", f'"sha":"{sha_1}",') + "\n" + two.replace("SHA", f'"sha":"{sha_2}",') + "\n"


def test_nothing_is_written_before_the_commit(path: Path) -> None:
    book = Ledger(path)
    book.add("header", {})
    assert path.read_bytes() == b""
    book.commit()
    whole = path.read_bytes()
    assert whole.count(b"\n") == 1
    book.commit()
    assert path.read_bytes() == whole
    book.close()


def test_reopening_goes_on_with_the_same_chain(path: Path) -> None:
    fill(path, cells=1)
    book = Ledger(path)
    before = list(book.lines)
    assert book.head == before[-1]["sha"]
    book.add("cell_failed", {"cell": 9})
    assert book.lines[-1]["prev"] == before[-1]["sha"]
    assert book.head == book.lines[-1]["sha"]
    book.commit()
    book.close()
    lines, damage = read(path)
    assert damage == []
    assert lines[:-1] == before
    assert not path.with_suffix(".torn").exists()


def test_a_ledger_that_is_empty_or_new_has_the_root_as_its_head(path: Path) -> None:
    book = Ledger(path)
    assert (book.head, book.lines) == (ROOT, [])
    book.close()
    assert read(path) == ([], [])


def test_an_unknown_kind_of_line_is_refused_and_adds_nothing(path: Path) -> None:
    book = Ledger(path)
    with pytest.raises(LedgerError, match=r"unknown kind of line 'anwser'; expected one of .*answer"):
        book.add("anwser", {})
    with pytest.raises(ValueError, match="no place in a record"):
        book.add("answer", {"logp": float("nan")})
    assert (book.head, book.lines) == (ROOT, [])
    book.close()


def test_later_changes_of_a_body_do_not_reach_the_ledger(path: Path) -> None:
    book, body = Ledger(path), {"list": [1]}
    book.add("header", body)
    body["list"].append(2)
    assert book.lines[0]["body"] == {"list": [1]}
    book.close()


def test_reading_no_ledger_says_what_was_expected(path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger here; expected the folder of a run"):
        read(path)


# Torn tails


def test_a_tail_torn_at_any_byte_is_set_aside_and_nothing_committed_is_lost(path: Path, no_sync: None) -> None:
    whole = fill(path, cells=2, records=1).read_bytes()
    lines = pieces(path)
    kept = b"".join(lines[:-3])  # the last commit is a state, an answer and their cell_done
    torn = path.with_suffix(".torn")
    for cut in range(len(kept), len(whole)):
        path.write_bytes(whole[:cut])
        torn.unlink(missing_ok=True)
        book = Ledger(path)
        assert len(book.lines) == len(lines) - 3
        assert path.read_bytes() == kept
        assert (torn.read_bytes() if torn.exists() else b"") == whole[len(kept) : cut]
        book.add("cell_failed", {})
        book.commit()
        book.close()
        assert places(path) == []


def test_a_torn_first_line_leaves_an_empty_ledger(path: Path, no_sync: None) -> None:
    whole = fill(path, cells=0).read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        book = Ledger(path)
        assert book.lines == []
        book.close()
        assert path.read_bytes() == b""


def test_whole_lines_after_the_last_commit_never_count(path: Path) -> None:
    fill(path, cells=1)
    book = Ledger(path)
    book.add("state", {"cell": 1})
    book.add("answer", {"cell": 1})
    book.commit()
    book.close()
    uncommitted = b"".join(pieces(path)[-2:])
    assert Ledger(path).lines[-1]["kind"] == "cell_done"
    assert path.with_suffix(".torn").read_bytes() == uncommitted


def test_torn_tails_are_collected(path: Path) -> None:
    whole = fill(path, cells=0).read_bytes()
    for tail in (b"one", b"two"):
        path.write_bytes(whole + tail)
        Ledger(path).close()
    assert path.with_suffix(".torn").read_bytes() == b"onetwo"
    assert path.read_bytes() == whole


def test_reading_does_not_touch_a_torn_ledger(path: Path) -> None:
    whole = fill(path).read_bytes()[:-7]
    path.write_bytes(whole)
    lines, damage = read(path)
    assert damage == [Damage(len(lines) + 1, "torn: the last line is not whole")]
    assert path.read_bytes() == whole
    assert not path.with_suffix(".torn").exists()


def test_every_kind_either_commits_or_waits_for_one(path: Path) -> None:
    for kind in KINDS:
        path.unlink(missing_ok=True)
        book = Ledger(path)
        book.add(kind, {})
        book.commit()
        book.close()
        book = Ledger(path)
        assert len(book.lines) == (kind in COMMITS)
        book.close()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(["", "commit", "reopen", "tear"]), st.integers(0, 400)), max_size=15))
def test_whatever_happens_the_committed_lines_are_kept(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, str, int]]
) -> None:
    path = tmp_path_factory.mktemp("book") / "ledger.jsonl"
    book, safe = Ledger(path), list[dict[str, Any]]()
    for kind, then, cut in events:
        book.add(kind, {"cut": cut})
        if then:
            book.commit()
            last = max((i for i, line in enumerate(book.lines) if line["kind"] in COMMITS), default=-1)
            added = b"".join(canonical(line) + b"\n" for line in book.lines[len(safe) :])
            if then == "tear" and last + 1 > len(safe):  # lose a part of what was just written
                lost = min(1 + cut, len(added))
                path.write_bytes(path.read_bytes()[:-lost])
                left = added[:-lost].count(b"\n")
                last = max((i for i, line in enumerate(book.lines[: len(safe) + left]) if line["kind"] in COMMITS), default=-1)
            safe = book.lines[: last + 1]
        if then in ("reopen", "tear"):
            book.close()
            book = Ledger(path)
            assert book.lines == safe
    book.close()
    assert places(path) == []


# Tampering


class Held:
    """Stands in for a path: a ledger's bytes, without a file for each of a hundred thousand variants."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def read_bytes(self) -> bytes:
        return self.raw


def test_any_changed_byte_anywhere_is_named_by_its_line(path: Path) -> None:
    book = Ledger(path)
    book.add("header", {"x": -1e-05, "é": "\n"})
    book.add("end", {"lines": 2})
    book.commit()
    book.close()
    whole = path.read_bytes()
    assert read(Held(whole))[1] == []  # type: ignore[arg-type]
    line = 1
    for at, byte in enumerate(whole):
        for other in range(256):
            if other != byte:
                damage = read(Held(whole[:at] + bytes([other]) + whole[at + 1 :]))[1]  # type: ignore[arg-type]
                assert damage, (at, other)
                assert damage[0].line == line, (at, other, damage)
        line += byte == ord("\n")


def test_any_lost_or_added_byte_is_named_by_its_line(path: Path) -> None:
    whole = fill(path, cells=1).read_bytes()
    line = 1
    for at, byte in enumerate(whole):
        without, doubled = whole[:at] + whole[at + 1 :], whole[: at + 1] + whole[at:]
        for raw in (without, doubled):
            if raw != whole:
                damage = read(Held(raw))[1]  # type: ignore[arg-type]
                assert damage, at
                # A doubled newline leaves its line whole; the empty line after it is the damage.
                assert damage[0].line == line + (byte == ord("\n") and raw is doubled), (at, damage)
        line += byte == ord("\n")


def test_a_changed_byte_in_any_committed_line_stops_the_run(path: Path) -> None:
    whole = fill(path, cells=1, records=0).read_bytes()
    with path.open("r+b", buffering=0) as file:
        for at in range(len(whole) - 1):  # without its very last newline a ledger looks like one that was cut short
            for other in {whole[at] ^ 1, ord("\n"), ord("\r"), 0} - {whole[at]}:
                os.pwrite(file.fileno(), bytes([other]), at)
                with pytest.raises(LedgerError, match=rf"line {whole[:at].count(10) + 1}: .*`vestige verify` lists all"):
                    Ledger(path)
            os.pwrite(file.fileno(), whole[at : at + 1], at)
    assert path.read_bytes() == whole
    assert not path.with_suffix(".torn").exists()


def numbered(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> list[int]:
    """Change the lines of a ledger and return the numbers of those that are damaged."""
    path.write_bytes(b"".join(change(pieces(path))))
    return places(path)


def test_a_dropped_line_is_named_where_it_stood(path: Path) -> None:
    count = len(pieces(fill(path)))
    for n in range(count - 1):
        fill(path.with_name(f"{n}.jsonl"))
        found = numbered(path.with_name(f"{n}.jsonl"), lambda p, n=n: p[:n] + p[n + 1 :])
        assert found[0] == n + 1


def test_two_swapped_lines_are_both_named(path: Path) -> None:
    def swap(p: list[bytes]) -> list[bytes]:
        p[3], p[6] = p[6], p[3]
        return p

    # Lines 4 and 7 stand in the wrong place; those after them still say where they belong.
    assert {4, 7} <= set(numbered(fill(path), swap)) <= {4, 5, 7, 8}


def test_a_doubled_line_is_named(path: Path) -> None:
    assert numbered(fill(path), lambda p: [*p[:5], p[4], *p[5:]])[0] == 6


def test_a_lost_tail_is_whole_as_a_chain_and_has_no_end_line(path: Path) -> None:
    # The chain alone cannot see this: the end line and the seal do (tests/test_run_folder.py).
    end(fill(path))
    assert numbered(path, lambda p: p[:-1]) == []
    assert read(path)[0][-1]["kind"] == "cell_done"


def test_two_spliced_runs_are_named_at_the_seam(path: Path) -> None:
    other = pieces(fill(path.with_name("other.jsonl"), run="b"))
    assert numbered(fill(path), lambda p: p[:5] + other[5:]) == [6]
    assert "comes from another ledger" in read(path)[1][0].says


def test_a_line_made_anew_is_named_by_its_follower(path: Path) -> None:
    def forge(p: list[bytes]) -> list[bytes]:
        line = json.loads(p[4])
        line["body"]["p"] = 99
        line["sha"] = sha_of(line)
        p[4] = canonical(line) + b"\n"
        return p

    assert numbered(fill(path), forge) == [6]


def test_a_line_that_says_another_number_is_named(path: Path) -> None:
    lines, _ = read(fill(path))
    lines[2]["n"] = 7
    lines[2]["sha"] = sha_of(lines[2])
    assert [d.line for d in check(lines)] == [3, 4]
    assert "says it is number 7" in next(check(lines)).says


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"v": 2}, "schema version 2, expected 1"),
        ({"v": None}, "schema version None, expected 1"),
        ({"kind": "anwser"}, "not a line of a ledger"),
        ({"kind": ["end"]}, "not a line of a ledger"),
        ({"body": []}, "not a line of a ledger"),
        ({"more": 1}, "not a line of a ledger"),
    ],
)
def test_a_sound_chain_of_lines_that_are_none_is_named(path: Path, change: dict[str, Any], says: str) -> None:
    lines, _ = read(fill(path))
    lines[2] |= change
    path.write_bytes(rechained(lines))
    (damage,) = read(path)[1]
    assert damage.line == 3
    assert says in damage.says
    with pytest.raises(LedgerError, match="line 3: "):
        Ledger(path)


@pytest.mark.parametrize("name", ["kind", "body", "v"])
def test_a_line_without_one_of_its_fields_is_named(path: Path, name: str) -> None:
    lines, _ = read(fill(path))
    del lines[2][name]
    path.write_bytes(rechained(lines))
    assert set(places(path)) == {3}


@pytest.mark.parametrize(
    "piece",
    [
        b"",
        b"[]",
        b"1",
        b"null",
        b"NaN",
        b'{"a":1e999}',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{ "a":1}',
        b'{"b":1,"a":1}',
        b'{"a":1,"a":1}',
        b'{"a":1.50}',
        b'{"a":"\\u00e9"}',
        b"{}\r",
        b"1" * 5000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\0" * 64,
    ],
    ids=lambda piece: piece[:12].decode("latin-1").encode("unicode_escape").decode(),
)
def test_a_line_that_is_no_canonical_json_is_named_without_a_crash(path: Path, piece: bytes) -> None:
    lines = pieces(fill(path))
    path.write_bytes(b"".join([*lines[:3], piece + b"\n", *lines[3:]]))
    assert places(path)[0] == 4
    with pytest.raises(LedgerError, match="line 4: not "):
        Ledger(path)


def test_a_message_about_a_line_holds_no_control_characters(path: Path) -> None:
    lines, _ = read(fill(path))
    lines[2] |= {"n": "\x1b[31m", "v": "\x1b[2J"}
    assert not any("\x1b" in d.says for d in check(lines))


# Who writes, and where


def test_two_writers_are_refused(path: Path) -> None:
    fill(path)
    first = Ledger(path)
    for refused in (lambda: Ledger(path), lambda: held(path).__enter__()):
        with pytest.raises(RunError, match="another process is writing this run; wait for it or use another --out"):
            refused()
    first.close()
    Ledger(path).close()


OPEN_AND_WAIT = """
import sys
from pathlib import Path
from vestige.ledger import Ledger
book = Ledger(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def test_another_process_is_refused_until_the_first_is_gone(path: Path) -> None:
    fill(path)
    with subprocess.Popen(
        [sys.executable, "-c", OPEN_AND_WAIT, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(RunError, match="another process"):
            Ledger(path)
        other.kill()
        other.wait()
    Ledger(path).close()


def test_a_writer_is_refused_while_the_ledger_is_held(path: Path) -> None:
    fill(path)
    with held(path), pytest.raises(RunError, match="another process"):
        Ledger(path)
    Ledger(path).close()


def test_a_damaged_ledger_is_let_go_at_once(path: Path) -> None:
    fill(path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"cell", b"cull", 1))
    with pytest.raises(LedgerError) as kept:
        Ledger(path)
    path.write_bytes(whole)
    Ledger(path).close()
    assert kept.value


# A full disk


def test_a_failed_write_says_what_to_do_and_a_later_commit_writes_everything(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(path)
    before = path.read_bytes()
    book = Ledger(path)
    book.add("state", {"cell": 7})
    book.add("cell_done", {"cell": 7})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ledger.os, "fsync", full)
        for _ in range(2):
            with pytest.raises(RunError, match=r"No space left on device.*free some space and run the same command again"):
                book.commit()
    book.commit()
    book.close()
    lines, damage = read(path)
    assert damage == []
    assert [line["body"] for line in lines[-2:]] == [{"cell": 7}, {"cell": 7}]
    assert path.read_bytes().startswith(before)


FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from vestige.errors import RunError
from vestige.ledger import Ledger
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
book, cells = Ledger(Path(sys.argv[1])), 0
try:
    while cells < 1000:
        book.add("state", {"cell": cells})
        book.add("answer", {"text": "x" * 9000})
        book.add("cell_done", {"cell": cells})
        book.commit()
        cells += 1
except RunError as error:
    print(cells, error)
finally:
    book.close()
"""


@pytest.mark.parametrize("limit", [100_000, 100_001, 103_333])
def test_a_full_disk_ends_in_a_clear_error_and_reopening_loses_nothing(path: Path, limit: int) -> None:
    done = subprocess.run([sys.executable, "-c", FILL_THE_DISK, str(path), str(limit)], capture_output=True, text=True, check=True)
    cells, says = done.stdout.split(" ", 1)
    assert "could not write (File too large); free some space and run the same command again" in says
    assert "Traceback" not in done.stderr
    assert int(cells) == 10  # a cell takes about 9 700 bytes
    book = Ledger(path)
    assert [line["body"]["cell"] for line in book.lines if line["kind"] == "cell_done"] == list(range(10))
    assert path.with_suffix(".torn").exists()
    book.add("end", {})
    book.commit()
    book.close()
    assert places(path) == []
