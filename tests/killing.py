"""Kill a real run again and again with SIGKILL, at chosen moments, and let it go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def start(plan: Path, out: Path, key_from: Path | None = None) -> subprocess.Popen[bytes]:
    """Start `vestige run` as a user would."""
    command = [sys.executable, "-m", "vestige", "run", str(plan), "--out", str(out), "--quiet"]
    if key_from:
        command += ["--key-from", str(key_from)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the run at once, workers too (they die with their parent)."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def lines_of(out: Path) -> int:
    """Return how many lines the ledger holds."""
    ledger = out / "ledger.jsonl"
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


def kill_while(plan: Path, out: Path, key: Path, *, cells: int, delay: float) -> str:
    """Kill a run `delay` seconds after `cells` cells are done.

    With none done the first cell is under way, a loaded model that is only asked: probing. With one done, the originals
    and twins are learning: training.
    """
    process = start(plan, out, key)
    while process.poll() is None and not (lines_of(out) and cells_done(out) >= cells):
        time.sleep(0.002)
    time.sleep(delay)
    return _killed(process, out)


def cells_done(out: Path) -> int:
    """Return how many cells are recorded as done."""
    return (out / "ledger.jsonl").read_bytes().count(b'"kind":"cell_done"')


def kill_when_ledger_grows(plan: Path, out: Path, key: Path | None, delay: float) -> str:
    """Kill a run just when it commits a cell."""
    process = start(plan, out, key)
    before = lines_of(out)
    while process.poll() is None and lines_of(out) == before:
        time.sleep(0.0005)
    time.sleep(delay)
    return _killed(process, out)


def kill_at_finish(plan: Path, out: Path, key: Path, name: str) -> str:
    """Kill a run as soon as a file of its end appears."""
    process = start(plan, out, key)
    while process.poll() is None and not (out / name).exists():
        time.sleep(0.0005)
    return _killed(process, out)


def _killed(process: subprocess.Popen[bytes], out: Path) -> str:
    if process.poll() is not None:
        return "over"
    kill(process)
    if (out / "ledger.jsonl").exists() and b'"kind":"end"' in (out / "ledger.jsonl").read_bytes()[-4000:]:
        return "finish"
    return "work" if lines_of(out) else "begin"
