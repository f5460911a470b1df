"""The exception tree is the one that its docstring draws, and messages name the nearest choice."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from vestige import errors
from vestige.cli import main
from vestige.errors import RunError, VestigeError, cannot_write, nearest

CLASSES = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, VestigeError)}


def drawn() -> list[tuple[int, str, int | None]]:
    """Return (depth, name, exit code) of every line of the tree in the docstring."""
    tree = re.findall(r"^    ([│├└─ ]*)(\w+Error) .*?(?:exit (\d))?$", errors.__doc__ or "", flags=re.MULTILINE)
    return [(len(bars) // 4, name, int(code) if code else None) for bars, name, code in tree]


def test_the_tree_is_drawn_as_it_is() -> None:
    parents = [VestigeError]
    for depth, name, _ in drawn():
        kind = CLASSES[name]
        if depth:
            assert kind.__bases__ == (parents[depth - 1],)
        parents[depth:] = [kind]
    assert {name for _, name, _ in drawn()} == set(CLASSES)


def test_every_drawn_exit_code_is_the_real_one() -> None:
    codes = {name: code for _, name, code in drawn() if code is not None}
    assert codes == {"UsageError": 4, "DataError": 4, "ModelError": 2, "LedgerError": 2, "RunError": 2}
    assert {name: CLASSES[name].exit_code for name in codes} == codes
    assert errors.PlanError.exit_code == 4


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_command_line_prints_an_error_without_a_traceback(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise CLASSES[name]("row 3 of \x1b[31mfile\u202e: seen 1, expected 2")

    monkeypatch.setattr("vestige.desk.run_folder.verify", fail)
    result = CliRunner().invoke(main, ["verify", str(tmp_path)], color=True)
    assert result.exit_code == CLASSES[name].exit_code
    assert result.output == "vestige: row 3 of file⟨U+202E⟩: seen 1, expected 2\n"


@pytest.mark.parametrize(
    ("name", "valid", "says"),
    [
        ("lorning_rate", ["steps", "learning_rate"], "did you mean 'learning_rate'?"),
        ("", ["b", "a"], "expected one of: a, b"),
        ("zzz", iter(["b", "a"]), "expected one of: a, b"),
        ("zzz", [], "expected one of: "),
        ("steps", ["steps", "step"], "did you mean 'steps'?"),
    ],
)
def test_nearest(name: str, valid: list[str], says: str) -> None:
    assert nearest(name, valid) == says


def test_a_file_that_cannot_be_written_names_the_file_the_reason_and_the_remedy() -> None:
    error = cannot_write(Path("runs/a/ledger.jsonl"), OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(error, RunError)
    for part in ("runs/a/ledger.jsonl", "No space left on device", "free some space", "run the same command again"):
        assert part in str(error)
