"""ROUGE-1 and ROUGE-L: which words of the expected answer come back, and in what order.

Paper: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", §3 (LCS) and §2 (n-grams). With the words r of the expected
answer and h of the generated one, and n = the number of words they share (ROUGE-1: each as often as it stands in both) or the length
of their longest common subsequence (ROUGE-L),

    recall = n / |r|        precision = n / |h|        F1 = 2 n / (|r| + |h|)        in [0, 1], higher is more alike

TOFU reads recall, MUSE F1. Against several expected answers the best number counts.

Words are those of `text.words`: any script, without case and diacritics; every character of a script written without spaces is a word,
so that two equal Japanese texts score 1. Deviations: the usual library knows only a-z and 0-9, so that it scores equal Japanese
texts 0 and breaks "Müller" in two; and it stems English words, which is left to `stem` here (its own numbers come back with the Porter
stemmer on words of more than three letters). An empty generated answer has a recall and F1 of 0 and no precision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rapidfuzz.distance import LCSseq

from vestige.records import Missing
from vestige.text import words

Stem = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many words are shared, of how many expected and how many said."""

    shared: int
    expected: int
    said: int

    @property
    def recall(self) -> float | Missing:
        """The share of the expected words that was said."""
        return self.shared / self.expected if self.expected else Missing("the expected answer has no words")

    @property
    def precision(self) -> float | Missing:
        """The share of what was said that was expected."""
        if not self.expected:
            return Missing("the expected answer has no words")
        return self.shared / self.said if self.said else Missing("nothing was said, so that no share of it can be right")

    @property
    def f1(self) -> float | Missing:
        """The harmonic mean of both, which is 0 for an answer of no words."""
        return 2 * self.shared / (self.expected + self.said) if self.expected else Missing("the expected answer has no words")


# Six numbers are read from the same two texts.
_words = lru_cache(maxsize=1024)(words)


def overlap(said: str, expected: str, *, of: Literal["1", "L"], stem: Stem | None = None) -> Overlap:
    """Return the words that two texts share: as a bag ("1"), or in one order ("L")."""
    hypothesis, reference = (list(map(stem, _words(text))) if stem else _words(text) for text in (said, expected))
    bag = of == "1"
    shared = (Counter(hypothesis) & Counter(reference)).total() if bag else LCSseq.similarity(hypothesis, reference)
    return Overlap(shared, len(reference), len(hypothesis))


def rouge(
    said: str,
    expected: Sequence[str],
    *,
    of: Literal["1", "L"],
    part: Literal["recall", "precision", "f1"],
    stem: Stem | None = None,
) -> float | Missing:
    """Return the best ROUGE of a generated answer against what is expected; Missing where there is nothing to compare."""
    found: list[float | Missing] = [getattr(overlap(said, text, of=of, stem=stem), part) for text in expected]
    best = max((x for x in found if not isinstance(x, Missing)), default=None)
    if best is not None:
        return best
    return next((x for x in found if isinstance(x, Missing)), Missing("no answer is expected"))
