"""Topic × syntax: four relearn sets that differ in what they are about and in their form, and in nothing that can be counted.

Paper: the design that Yoon, Hong, Jeung and No 2026, arXiv 2602.03379, lack: they compare other questions about the same authors
(same topic, other syntax) with the same question about others (other topic, same syntax) at unequal numbers of tokens.

Topic of a row: *same* where it is filed under a cluster asked about, names one, or has a relevance to a probe of at least
`relevant`; *other* otherwise. Syntax: *same* from a template similarity of `alike` on, *other* up to `unlike`; rows in between
are in no cell. Every cell holds the same number of rows and, within 5 %, of tokens, so each is made with the other three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vestige.candidates import asked, benign, evened, one_fold, pool, shuffled, size_matched
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, Probe, RelearnSet, Row
from vestige.similarity import relevance, template_similarity, topics

Cell = Literal["same_topic_same_syntax", "same_topic_other_syntax", "other_topic_same_syntax", "other_topic_other_syntax"]


@dataclass(frozen=True)
class TwoByTwo:
    """One cell of the design; four relearn sets of a plan, alike but for `cell`, are the whole."""

    cell: Cell
    sources: tuple[str, ...] = ("forget", "retain", "*")
    alike: float = 0.6
    unlike: float = 0.4
    relevant: float = 0.5

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: no such source, a cell without rows, or cells that cannot be matched in size.
        """
        probes = asked(case, request, "two_by_two")
        rows = shuffled(benign(evened(pool(case, self.sources, request, "two_by_two"), request), probes), request.seed)
        matched = size_matched(self._cells(rows, probes), request, "two_by_two")
        return one_fold(named("two_by_two", self), "two_by_two", matched[self.cell], probes)

    def _cells(self, rows: Sequence[Row], probes: Sequence[Probe]) -> dict[str, list[Row]]:
        cells: dict[str, list[Row]] = {f"{topic}_topic_{syntax}_syntax": [] for topic in ("same", "other") for syntax in ("same", "other")}
        about = topics(rows, {p.cluster for p in probes})
        for row, names, score, alike in zip(rows, about, relevance(rows, probes), template_similarity(rows, probes), strict=True):
            topic = "same" if names or score >= self.relevant else "other"
            if alike >= self.alike or alike <= self.unlike:
                cells[f"{topic}_topic_{'same' if alike >= self.alike else 'other'}_syntax"].append(row)
        return cells
