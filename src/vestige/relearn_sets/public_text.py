"""Public text: what anyone can find about the subject, cut into passages, the most relevant first.

Paper: Hu et al. 2024, arXiv 2406.13356, §2.2 and §4 (public articles and general facts about what was forgotten).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vestige.candidates import asked, benign, need, one_fold, pool
from vestige.errors import DataError
from vestige.passages import passages
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, RelearnSet, Row
from vestige.similarity import relevance

_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class PublicText:
    """Passages of up to `passage` tokens from the UTF-8 text file at `path`, or from a `source` of the case."""

    path: str = ""
    source: str = ""
    passage: int = 128

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: not exactly one of path and source, a file that is no text, or no passage without an answer.
        """
        if bool(self.path) == bool(self.source):
            raise DataError(f"public_text: give either `path` or `source`, seen path = {self.path!r} and source = {self.source!r}")
        if self.passage < 1:
            raise DataError(f"public_text: `passage` is a number of tokens from 1, seen {self.passage}")
        probes = asked(case, request, "public_text")
        where = self.path or self.source
        texts = [_read(Path(self.path))] if self.path else [r.text for r in pool(case, (self.source,), request, "public_text")]
        cut = [p for text in texts for p in passages(text, request.count, self.passage)]
        rows = benign([Row(f"{Path(where).name}/{i}", "", p, "", loss_on="text") for i, p in enumerate(cut)], probes)
        need(rows, "public_text", f"{where}: of {len(cut)} passages none is without an answer")
        order = np.argsort(-relevance(rows, probes), kind="stable")
        return one_fold(named("public_text", self), "public_text", (rows[i] for i in order), probes)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"public_text: {path}: {path.stat().st_size} bytes; at most {_MOST_BYTES} are read")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"public_text: {path}: not UTF-8 at byte {error.start} (0x{error.object[error.start]:02x}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise DataError(f"public_text: {path}: {error.strerror or error}") from error
