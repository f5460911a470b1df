"""Worker processes: each takes a job, loads a model, carries a cell out and sends the outcome back.

Two processes of one thread each beat one process of two threads, and one thread makes the arithmetic repeatable bit
for bit. A worker dies with its parent.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from vestige.errors import ModelError, RunError, VestigeError
from vestige.lab.cell import Outcome, Score, Task

# Freed memory stays with the process: without this, every step gives the gradients' pages back to the system and
# faults them in again (about a tenth of the step on SmolLM2-135M).
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Job:
    """A cell to carry out: the model or saved state it starts from, and where to save its own state, if anywhere."""

    cell: str
    task: Task
    start: str
    start_digest: str | None
    device: str
    save_to: Path | None


@dataclass(frozen=True)
class Said:
    """A message of a worker: progress, an outcome, or why there is none."""

    cell: str
    step: int = 0
    of: int = 0
    score: float | None = None
    outcome: Outcome | None = None
    error: str | None = None


class Pool:
    """A fixed number of worker processes, each busy with at most one job."""

    def __init__(self, size: int, score: Score) -> None:
        """Start no process yet; one is started for each place when it is first needed."""
        self._score = score
        self._context = multiprocessing.get_context("spawn")
        self._idle: list[_Worker] = []
        self._busy: dict[str, _Worker] = {}
        self._size = size

    @property
    def free(self) -> int:
        """How many jobs can be given out now."""
        return self._size - len(self._busy)

    @property
    def running(self) -> int:
        """How many jobs are under way."""
        return len(self._busy)

    def give(self, job: Job) -> None:
        """Hand a job to an idle worker, starting one if there is none."""
        self._idle = [w for w in self._idle if w.process.is_alive()]  # one may have been killed while it waited
        worker = self._idle.pop() if self._idle else _Worker(self._context, self._score)
        self._busy[job.cell] = worker
        with suppress(OSError):  # it has just died: `hear` finds its pipe closed, and says so
            worker.pipe.send(job)

    def hear(self, timeout: float = 1.0) -> Iterator[Said]:
        """Yield what the workers said since the last call, waiting up to `timeout` seconds."""
        pipes = {worker.pipe: (cell, worker) for cell, worker in self._busy.items()}
        for pipe in multiprocessing.connection.wait(list(pipes), timeout):
            cell, worker = pipes[pipe]
            try:
                said: Said = worker.pipe.recv()
            except (EOFError, OSError):
                worker.process.join(5)
                del self._busy[cell]
                yield Said(cell, error=f"the worker process ended (exit code {worker.process.exitcode}); out of memory?")
                continue
            if said.outcome is not None or said.error is not None:
                self._idle.append(self._busy.pop(cell))
            yield said

    def close(self) -> None:
        """End every worker."""
        for worker in (*self._idle, *self._busy.values()):
            worker.process.kill()
            worker.process.join(5)


def outcome_of(pool: Pool, job: Job) -> Outcome:
    """Let an idle pool carry out one job, and return what it brought.

    Raises:
        RunError: the worker failed.
    """
    pool.give(job)
    while pool.running:
        for said in pool.hear():
            if said.error:
                raise RunError(said.error)
            if said.outcome:
                return said.outcome
    raise RunError(f"the job {job.cell!r} ended without an answer")


class _Worker:
    def __init__(self, context: Any, score: Score) -> None:
        before = {k: os.environ.get(k) for k in _ENVIRONMENT}
        os.environ.update(_ENVIRONMENT)
        try:
            self.pipe, theirs = context.Pipe()
            self.process = context.Process(target=_work, args=(theirs, score, os.getpid()), daemon=True)
            with _no_interrupts():
                self.process.start()
            theirs.close()
        finally:
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Start a process that never hears Ctrl-C, not even while it imports: a terminal sends it to the whole group."""
    resource_tracker.ensure_running()  # started inside the block, it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Any, score: Score, parent: int) -> None:
    """Carry out jobs until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import torch
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    while True:
        try:
            job: Job = pipe.recv()
        except EOFError:
            return
        pipe.send(_one(job, score, pipe))


def _one(job: Job, score: Score, pipe: Any) -> Said:
    from vestige.lab import cell, models

    try:
        lm = models.load(job.start, device=job.device)
        if job.start_digest and lm.digest() != job.start_digest:
            raise ModelError(f"{job.start}: its digest is not {job.start_digest}, the one in the ledger; delete that folder and run again")
        outcome = cell.carry_out(lm, job.task, score=score, say=lambda step, of, s: pipe.send(Said(job.cell, step, of, s)))
        if job.save_to is not None:
            job.save_to.parent.mkdir(parents=True, exist_ok=True)
            lm.save(job.save_to)
        return Said(job.cell, outcome=outcome)
    except VestigeError as error:
        return Said(job.cell, error=f"{type(error).__name__}: {error}")
    except MemoryError:
        return Said(job.cell, error=str(RunError("out of memory; use fewer workers ([run] workers) or a smaller batch")))
    except Exception as error:  # a cell that fails is recorded, and the rest of the plan goes on
        return Said(job.cell, error=f"{type(error).__name__}: {error}")


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process when its parent ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
