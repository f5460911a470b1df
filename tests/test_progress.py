"""What a long run says while it works: on stderr, never on stdout, and nothing when it is told to be quiet."""

from __future__ import annotations

import io
import itertools
import re
from types import SimpleNamespace

import pytest

from vestige import progress as module
from vestige.progress import Progress


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def started(clock: Clock, total: float = 100.0, *, quiet: bool = False) -> Progress:
    return Progress(total, quiet, _started=clock.now)


class Terminal(io.StringIO):
    """What a terminal was sent."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=terminal))
    monkeypatch.setenv("COLUMNS", "60")
    return terminal


def test_quiet_says_nothing_at_all(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = started(clock, quiet=True)
    progress.note("hello")
    progress.working("c", "subject", 0.5, 0.1, 50)
    clock.now += 60
    progress.working("c", "subject", 0.9, 0.1, 50)
    progress.finished("c", "subject", 50, 60)
    progress.end()
    assert capsys.readouterr() == ("", "")


def test_nothing_is_ever_said_on_stdout(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = started(clock)
    progress.note("hello")
    progress.working("c", "subject", 0.5, None, 50)
    progress.finished("c", "subject", 50, 60)
    out, err = capsys.readouterr()
    assert out == ""
    assert "hello" in err


def test_a_finished_cell_is_a_line_with_its_time_and_the_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = started(clock)
    clock.now += 30
    progress.finished("c", "subject · npo · seed 0", 25, 30.4)
    # A quarter took 30 s, so three quarters take 90 s = 1:30.
    assert capsys.readouterr().err == "done  subject · npo · seed 0  (30 s)  [ 25%, about 1:30 left]\n"


def test_cells_under_way_count_with_their_share(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = started(clock)
    clock.now += 30
    progress.working("a", "first", 0.5, 0.25, 40)
    progress.working("b", "second", 0.25, None, 20)
    # 0.5 of 40 is done: 20 of 100 in 30 s, so the other 80 take 120 s; the second line comes too soon to be said.
    assert capsys.readouterr().err == "[ 20%, about 2:00 left] first  50% · score +0.25\n"
    clock.now += 10
    progress.working("b", "second", 0.5, None, 20)
    assert capsys.readouterr().err == ""  # ten seconds are not over yet
    clock.now += 0.1
    progress.working("b", "second", 1.0, None, 20)
    # 20 + 20 of 100 in 40.1 s: 60.15 s are left.
    assert capsys.readouterr().err == "[ 40%, about 1:00 left] first  50% · score +0.25 | second 100%\n"


def test_a_finished_cell_is_not_counted_twice(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = started(clock)
    clock.now += 30
    progress.working("a", "first", 1.0, None, 50)
    progress.finished("a", "first", 50, 30)
    assert "[ 50%, about 0:30 left]" in capsys.readouterr().err.splitlines()[-1]


def test_no_time_is_promised_before_two_hundredths_are_done(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = started(clock)
    clock.now += 30
    progress.finished("a", "first", 2, 30)
    assert capsys.readouterr().err.endswith("[  2%]\n")


def test_a_run_with_nothing_left_is_done(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = started(clock, total=0.0)
    clock.now += 30
    progress.finished("a", "first", 2, 30)
    assert capsys.readouterr().err.endswith("[100%, about 0:00 left]\n")


def test_on_a_terminal_there_is_one_live_line_that_never_wraps(clock: Clock, terminal: Terminal) -> None:
    progress = started(clock)
    for step in itertools.count():
        clock.now += 0.3
        progress.working("c", "a rather long label of a cell · relearn set 0 · seed 0", step / 10, 0.5, 50)
        if step == 10:
            break
    said = terminal.getvalue()
    lines = said.split("\r\x1b[K")
    assert said.startswith("\r\x1b[K")
    assert "\n" not in said
    assert len(lines) == 1 + 11
    assert max(map(len, lines)) == 59  # the terminal has sixty columns


def test_on_a_terminal_the_live_line_is_not_redrawn_too_often(clock: Clock, terminal: Terminal) -> None:
    progress = started(clock)
    for _ in range(100):
        clock.now += 0.01
        progress.working("c", "label", 0.5, None, 50)
    # One second, at most one line in 0.2 s: the first at once, then after 0.2 s and a little, four more.
    assert terminal.getvalue().count("\r\x1b[K") == 5


def test_a_line_takes_the_place_of_the_live_line(clock: Clock, terminal: Terminal) -> None:
    progress = started(clock)
    progress.working("c", "label", 0.5, None, 50)
    progress.note("leak check")
    progress.end()
    assert re.search(r"\r\x1b\[Kleak check\n\r\x1b\[K$", terminal.getvalue())
