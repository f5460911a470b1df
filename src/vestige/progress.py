"""What a long run says while it works: one live line on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass, field

_PLAIN_EVERY_S = 10.0


@dataclass
class Progress:
    """Progress over work units (expected tokens); `quiet` says nothing at all."""

    total: float
    quiet: bool = False
    done: float = 0.0
    _started: float = field(default_factory=time.monotonic)
    _said: float = 0.0
    _partial: dict[str, tuple[float, str]] = field(default_factory=dict)

    def working(self, cell: str, label: str, fraction: float, score: float | None, size: float) -> None:
        """Note how far a cell is, and its current score."""
        current = f"{label} {fraction:4.0%}" + ("" if score is None else f" · score {score:+.2f}")
        self._partial[cell] = (fraction * size, current)
        self._show()

    def finished(self, cell: str, label: str, size: float, seconds: float) -> None:
        """Note that a cell is done."""
        self._partial.pop(cell, None)
        self.done += size
        self._line(f"done  {label}  ({seconds:.0f} s)  {self._summary()}")

    def note(self, text: str) -> None:
        """Say one line."""
        self._line(text)

    def end(self) -> None:
        """Clear the live line: whoever speaks next begins at the margin."""
        if not self.quiet and sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _summary(self) -> str:
        spent = time.monotonic() - self._started
        share = min(1.0, (self.done + sum(f for f, _ in self._partial.values())) / self.total) if self.total else 1.0
        left = spent / share * (1 - share) if share > 0.02 else None
        return f"[{share:4.0%}" + ("]" if left is None else f", about {_clock(left)} left]")

    def _show(self) -> None:
        now = time.monotonic()
        if self.quiet or not sys.stderr.isatty():
            if not self.quiet and now - self._said > _PLAIN_EVERY_S:
                self._said = now
                print(f"{self._summary()} {self._current()}", file=sys.stderr, flush=True)
        elif now - self._said > 0.2:
            self._said = now
            line = f"{self._summary()} {self._current()}"[: shutil.get_terminal_size().columns - 1]  # a wrapped line could not be cleared
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

    def _current(self) -> str:
        return " | ".join(text for _, text in self._partial.values())

    def _line(self, text: str) -> None:
        if not self.quiet:
            clear = "\r\x1b[K" if sys.stderr.isatty() else ""
            print(clear + text, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
