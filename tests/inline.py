"""A pool that carries cells out in this very process: tests of what the runner does need no worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch

from vestige import workers
from vestige.lab.cell import Score
from vestige.workers import Job, Said


class InlinePool:
    """Stands in for `vestige.runner.Pool`; `jobs` lists every job that was given to any of them."""

    jobs: ClassVar[list[Job]] = []

    def __init__(self, size: int, score: Score) -> None:
        torch.set_num_threads(1)
        self._size, self._score = size, score
        self._waiting: list[Job] = []
        self.closed = False

    @property
    def free(self) -> int:
        return self._size - len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._waiting)

    def give(self, job: Job) -> None:
        InlinePool.jobs.append(job)
        self._waiting.append(job)

    def hear(self, timeout: float = 1.0) -> Iterator[Said]:
        job, self._waiting = self._waiting[0], self._waiting[1:]
        said: list[Said] = []
        outcome = workers._one(job, self._score, _Pipe(said))
        yield from (*said, outcome)

    def close(self) -> None:
        self.closed = True


class _Pipe:
    def __init__(self, said: list[Said]) -> None:
        self.send = said.append
