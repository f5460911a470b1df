"""Kill a real run again and again with SIGKILL, at chosen moments, and let it go on."""

from __future__ import annotations

import os
import random
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


def kill_after_seconds(plan: Path, out: Path, key: Path, seconds: float) -> str:
    """Kill a run after a time; return what it was doing, as seen from its folder."""
    process = start(plan, out, key)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    return _killed(process, out)


def kill_when_ledger_grows(plan: Path, out: Path, key: Path, delay: float) -> str:
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


def moments(seed: int, n: int, longest: float) -> list[float]:
    """Return n moments between nothing and `longest` seconds."""
    rng = random.Random(seed)
    return [rng.uniform(0.3, longest) for _ in range(n)]
