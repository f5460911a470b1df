"""A run folder that is being worked on: what is done, what is given out, what failed; and how the user stops it."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import FrameType

from vestige.cells import Arm, Graph
from vestige.errors import RunError
from vestige.plan import Plan
from vestige.progress import Progress
from vestige.recording import Recorder
from vestige.records import Case
from vestige.run_traces import Look, looks_of, traced_arms
from vestige.workers import Pool
from vestige.written_sets import Sets


class Interrupted(RunError):
    """The user stopped the run; running it again goes on."""

    exit_code = 130


@dataclass
class Session:
    """A run folder that is being worked on."""

    folder: Path
    plan: Plan
    case: Case
    graph: Graph
    recorder: Recorder
    pool: Pool
    progress: Progress
    sets: Sets
    done: set[str] = field(default_factory=set)
    states: dict[str, tuple[str, int]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    stopping: bool = False
    looks: dict[str, Look] = field(init=False)

    def __post_init__(self) -> None:
        """Add the cells in which the arms at rest are looked into, if the plan asks for it."""
        self.looks = looks_of(self.plan, self.case, self.graph, self.recorder.blobs.key)
        self.graph.cells |= {digest: look.cell for digest, look in self.looks.items()}

    @cached_property
    def traced(self) -> Mapping[str, Sequence[Arm]]:
        """The cells before which the unlearned model is looked into, with every arm that each is."""
        return traced_arms(self.plan, self.graph)

    def state_folder(self, cell: str) -> Path:
        """Return where a cell's model is kept while other cells need it."""
        return self.folder / "states" / cell


class StopsGently:
    """First Ctrl-C: let the cells under way finish. Second: end at once. Either way, run again to go on."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> None:
        self.before = signal.signal(signal.SIGINT, self._stop)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.before)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if self.session.stopping:
            raise Interrupted("stopped at once; completed cells are kept: run the same command to go on")
        self.session.stopping = True
        self.session.progress.note("stopping when the cells under way are finished (Ctrl-C again: at once)")
