"""Texts beside the ledger: kept whole whatever they hold, found by a keyed digest, and gone for good when shredded."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestige import blobs as module
from vestige.blobs import Blobs, overwrite_and_delete, write_whole
from vestige.errors import LedgerError, RunError

ODD = ["", " ", "é東京👍", "half \ud83d", "\udc00", "a\nb\r\nc", "\u2028\u2029\x85\x00", '"\\', "[1]", "\x1b[31m", "x" * 10_000]
KEY = "00ff" * 16


def filled(folder: Path, texts: list[str]) -> dict[str, str]:
    """Write texts to a folder and return them by reference."""
    made = Blobs.create(folder)
    found = {made.put(text): text for text in texts}
    made.flush()
    return found


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_any_text_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    (ref,) = filled(tmp_path, [text])
    again = Blobs(tmp_path)
    assert again.get(ref) == text
    assert again.ref(text) == ref
    assert again.changed() == []


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(codec=None)), max_size=5))
def test_all_texts_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("texts")
    found = filled(folder, texts)
    again = Blobs(folder)
    assert {ref: again.get(ref) for ref in found} == found
    assert len(found) == len(set(texts))
    assert again.changed() == []


def test_a_reference_is_a_keyed_digest(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    ref = Blobs(tmp_path).ref("Oslo")
    # HMAC-SHA256 under the key of the run, the first 32 of 64 hexadecimal digits.
    assert ref == hmac.new(bytes.fromhex(KEY), b"Oslo", hashlib.sha256).hexdigest()[:32]
    assert ref == "a1764c34502c5ced5ec0981825460b32"
    assert ref not in hashlib.sha256(b"Oslo").hexdigest()


def test_two_runs_share_no_reference_unless_they_share_the_key(tmp_path: Path) -> None:
    one, two = Blobs.create(tmp_path / "one"), Blobs.create(tmp_path / "two")
    three = Blobs.create(tmp_path / "three", key_from=tmp_path / "one")
    assert one.ref("Oslo") != two.ref("Oslo")
    assert one.ref("Oslo") == three.ref("Oslo")
    assert len(one.key) == 32
    assert Blobs.create(tmp_path / "two", key_from=tmp_path / "one").key == two.key  # a run keeps the key it has


def test_a_text_is_on_disk_after_flush_and_only_once(tmp_path: Path) -> None:
    made = Blobs.create(tmp_path)
    ref = made.put("Oslo")
    assert made.get(ref) == "Oslo"
    assert not (tmp_path / "blobs.jsonl").exists()
    for _ in range(2):
        assert made.put("Oslo") == ref
        made.flush()
    again = Blobs.create(tmp_path)
    again.put("Oslo")
    again.put("Rome")
    again.flush()
    lines = (tmp_path / "blobs.jsonl").read_text("ascii").splitlines()
    assert [json.loads(line)[1] for line in lines] == ["Oslo", "Rome"]


def test_a_reference_to_nothing_gives_nothing(tmp_path: Path) -> None:
    assert Blobs.create(tmp_path).get("0" * 32) is None


def test_a_last_line_torn_at_any_byte_costs_no_other_text(tmp_path: Path) -> None:
    texts = ["Oslo", "東京 \ud83d", "Rome"]
    refs = list(filled(tmp_path, texts))
    path = tmp_path / "blobs.jsonl"
    whole = path.read_bytes()
    begins = whole.rindex(b"[")
    for cut in range(begins, len(whole)):
        path.write_bytes(whole[:cut])
        again = Blobs.create(tmp_path)
        assert [again.get(ref) for ref in refs[:2]] == texts[:2]
        # Without its newline the last line is whole all the same.
        assert again.get(refs[2]) == ("Rome" if cut == len(whole) - 1 else None)
        assert {again.put(text) for text in (*texts, "new")} >= set(refs)
        again.flush()
        once_more = Blobs(tmp_path)
        assert [once_more.get(ref) for ref in (*refs, again.ref("new"))] == [*texts, "new"]
        assert once_more.changed() == []


def test_any_changed_byte_is_seen_or_changes_no_text(tmp_path: Path) -> None:
    found = filled(tmp_path, ["Oslo", "é\n"])
    path = tmp_path / "blobs.jsonl"
    whole = path.read_bytes()
    seen = 0
    for at, byte in enumerate(whole):
        for other in {byte ^ 1, byte ^ 0x20, byte ^ 0x80, 0, 10, 13, 32} - {byte}:
            path.write_bytes(whole[:at] + bytes([other]) + whole[at + 1 :])
            again = Blobs(tmp_path)
            missing = [ref for ref in found if again.get(ref) is None]
            same = all(again.get(ref) == text for ref, text in found.items())
            assert same or missing or again.changed()
            seen += not same
    assert seen > len(whole)


def test_changed_texts_are_named(tmp_path: Path) -> None:
    one, two, three = filled(tmp_path, ["Oslo", "Rome", "Bern"])
    path = tmp_path / "blobs.jsonl"
    path.write_text(path.read_text().replace("Oslo", "Gaza").replace('"Rome"', '"Rom\\u0435"'))
    assert Blobs(tmp_path).changed() == [one, two]
    assert Blobs(tmp_path).get(three) == "Bern"


@pytest.mark.parametrize(
    "line", ["5", "null", "[]", '["a"]', '["a",1]', '[["a"],"b"]', '["a","b","c"]', '{"a":1,"b":2}', '"ab"', "[" * 100_000, "\xff"]
)
def test_lines_that_are_no_texts_are_passed_over(tmp_path: Path, line: str) -> None:
    found = filled(tmp_path, ["Oslo", "Rome"])
    path = tmp_path / "blobs.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + line.encode("latin-1") + b"\n" + second)
    assert {ref: Blobs(tmp_path).get(ref) for ref in found} == found
    assert Blobs(tmp_path).changed() == []


def test_without_key_and_texts_a_run_is_shredded(tmp_path: Path) -> None:
    (ref,) = filled(tmp_path, ["Oslo"])
    assert not Blobs(tmp_path).shredded
    for name in ("blobs.jsonl", "key"):
        overwrite_and_delete(tmp_path / name)
    gone = Blobs(tmp_path)
    assert gone.shredded
    assert gone.get(ref) is None
    for ask in (lambda: gone.key, lambda: gone.ref("Oslo"), lambda: gone.put("Oslo"), lambda: Blobs(tmp_path).key):
        with pytest.raises(LedgerError, match=r"the key is gone \(shredded\?\); this run cannot be continued"):
            ask()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["no key", "abc", "é", "0x00"])
def test_what_is_no_key_is_named(tmp_path: Path, key: str) -> None:
    (tmp_path / "key").write_text(key, encoding="utf-8")
    with pytest.raises(LedgerError, match=rf"{re.escape(str(tmp_path / 'key'))}: this is not a key; expected hexadecimal digits"):
        Blobs(tmp_path)


def test_shredding_overwrites_the_file_itself_before_its_name_goes(tmp_path: Path) -> None:
    path, other = tmp_path / "texts", tmp_path / "other-name"
    data = os.urandom((1 << 20) + 4321)
    path.write_bytes(data)
    os.link(path, other)
    overwrite_and_delete(path)
    assert not path.exists()
    assert other.read_bytes() == bytes(len(data))


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_a_clear_error_and_the_texts_are_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Blobs.create(tmp_path)
    ref = made.put("Oslo")
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "fsync", full)
        with pytest.raises(RunError, match=r"blobs\.jsonl: could not write \(No space left on device\); free some space"):
            made.flush()
    made.flush()
    assert Blobs(tmp_path).get(ref) == "Oslo"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "verdict.json"
    write_whole(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "fsync", full)
        with pytest.raises(RunError, match=r"verdict\.json: could not write"):
            write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
