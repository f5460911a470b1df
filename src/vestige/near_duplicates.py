"""Which rows are all but the same as a text: exact Jaccard similarity of their shingles, through an inverted index.

Paper: Broder 1997, "On the resemblance and containment of documents": J(A, B) = |A ∩ B| / |A ∪ B| over shingles, here three words
in a row (in scripts without spaces, three characters). MinHash estimates J; this is J itself, and as fast, since J ≥ t needs
|A ∩ B| ≥ t·|A|: a row of whose shingles fewer than that share are known at all is done with one set intersection, and so almost every
row is. The rest are counted through the index, on their first |A| − ⌈t·|A|⌉ + 1 shingles from the rarest on (Bayardo, Ma and
Srikant 2007, "Scaling up all pairs similarity search": two sets that reach t share one of those).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from vestige.spelling import spelt_words

_WORDS = 3


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Return the runs of three words of a text; of a shorter text, its only run."""
    words = spelt_words(text).text.split()
    return frozenset(tuple(words[i : i + _WORDS]) for i in range(max(1, len(words) - _WORDS + 1))) if words else frozenset()


class NearDuplicates:
    """Texts, to be found by rows that are nearly the same."""

    def __init__(self, texts: Sequence[str], *, least: float = 0.8) -> None:
        """Index the texts; `least` is the Jaccard similarity from which on two texts count as nearly the same, in (0, 1].

        Raises:
            ValueError: `least` lies elsewhere.
        """
        if not 0 < least <= 1:
            raise ValueError(f"least Jaccard similarity {least}; expected more than 0 and at most 1")
        self._least = least
        self._sets = [shingles(text) for text in texts]
        self._known: Counter[tuple[str, ...]] = Counter(s for held in self._sets for s in held)
        self._filed: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, held in enumerate(self._sets):
            for shingle in self._first(held):
                self._filed[shingle].append(number)

    def _first(self, held: frozenset[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Return the rarest shingles of a set, as many as any similar set must share one of."""
        many = len(held) - math.ceil(self._least * len(held) - 1e-9) + 1
        return sorted(held, key=lambda s: (self._known[s], s))[:many]

    def of(self, text: str) -> Iterator[tuple[int, float]]:
        """Yield (place of the text, Jaccard similarity) for every text that is nearly the same, in their order."""
        held = shingles(text)
        if not held or len(held & self._known.keys()) < self._least * len(held) - 1e-9:
            return
        for number in sorted({n for s in self._first(held) for n in self._filed.get(s, ())}):
            both = len(held & self._sets[number])
            similarity = both / (len(held) + len(self._sets[number]) - both)
            if similarity >= self._least:
                yield number, similarity
