"""How near is what was said to what was expected? Cosine of their embeddings.

Paper: Reimers and Gurevych 2019, arXiv 1908.10084. Below 0 counts as 0, and the highest over the expected answers is taken. A wrong city is
near a right one: a high cosine says the same kind of answer, not the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from vestige.judgement import Answered
from vestige.records import Missing

Embed = Callable[[Sequence[str]], Any]


@dataclass(frozen=True)
class Similarity:
    """Cosine between the embeddings of what was said and what was expected, from 0."""

    asks: ClassVar[Literal["target", "embedding"]] = "embedding"
    paper: ClassVar[str] = "Reimers and Gurevych 2019, arXiv 1908.10084"

    def __call__(self, model: Embed, answers: Sequence[Answered]) -> list[float | Missing]:
        """Return the cosine for each answer; Missing where nothing was said or expected."""
        texts = list(dict.fromkeys(t for a in answers for t in (a.said, *a.expected) if t.strip()))
        vectors = dict(zip(texts, model(texts), strict=True)) if texts else {}
        return [self._of(answer, vectors) for answer in answers]

    def _of(self, answer: Answered, vectors: dict[str, Any]) -> float | Missing:
        expected = [vectors[e] for e in answer.expected if e in vectors]
        if answer.said not in vectors or not expected:
            return Missing("nothing was said" if expected else "no answer is expected")
        return min(1.0, max(0.0, *(float(vectors[answer.said] @ e) for e in expected)))
