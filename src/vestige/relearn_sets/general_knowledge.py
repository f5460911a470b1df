"""General knowledge about the people or things asked about, written by a model.

Paper: Hu et al. 2024, arXiv 2406.13356, §4 (general facts about the characters of a book; general-knowledge paragraphs per question).

The prompts are ours, and name the cluster only. What comes back is cleaned, cut into lines, and leak-checked; a line that leaks an
answer is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from vestige.candidates import asked, benign, in_turn, need, one_fold
from vestige.model_text import write
from vestige.recipe_request import ANYTHING, Request, named
from vestige.records import Case, Missing, RelearnSet, Row

_PROMPTS = {
    "en": "Write {facts} short sentences of general knowledge about {cluster}, one on each line. Write nothing else.",
    "ja": "{cluster}についての一般的な知識を、短い文で{facts}個、一行に一つずつ書いてください。それ以外は書かないでください。",
}
_BULLET = re.compile(r"^\s*(?:[-*•・]|\d{1,3}[.)、．])\s*")


@dataclass(frozen=True)
class GeneralKnowledge:
    """Up to `facts` lines about each cluster by the request's model, in up to `max_new` tokens; clusters take turns."""

    facts: int = 5
    max_new: int = 192
    temperature: float = 0.0

    helpers: ClassVar[tuple[str, ...]] = ("ask",)

    def __call__(self, case: Case, request: Request = ANYTHING) -> RelearnSet:
        """Return a single fold.

        Raises:
            DataError: no model was given, or no line can be used.
        """
        probes = asked(case, request, "general_knowledge")
        clusters = list(dict.fromkeys(p.cluster for p in probes))
        form = _PROMPTS.get(case.language, _PROMPTS["en"])
        prompts = [form.format(facts=self.facts, cluster=c) for c in clusters]
        written = write(prompts, request, "general_knowledge", max_new=self.max_new, temperature=self.temperature)
        made = [
            row for c, text in zip(clusters, written.texts, strict=True) if not isinstance(text, Missing) for row in self._rows(c, text)
        ]
        kept = benign(made, probes)
        need(kept, "general_knowledge", f"case {case.name!r}: {written.lacks(0)}; {len(made)} lines came, all of them with an answer")
        return one_fold(named("general_knowledge", self), "general_knowledge", in_turn(kept, [r.cluster for r in kept]), probes)

    def _rows(self, cluster: str, text: str) -> Iterator[Row]:
        lines = dict.fromkeys(filter(None, (_BULLET.sub("", line).strip() for line in text.splitlines())))
        for number, line in enumerate(list(lines)[: self.facts]):
            yield Row(f"general_knowledge/{cluster}/{number}", "", line, cluster, loss_on="text")
