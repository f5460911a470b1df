"""Fluency and collapse: is the model still speaking, or only broken?

A model that says nothing sensible scores low on every metric of memory, and has forgotten nothing on that account. Of a text of w words
(`text.words`: any script), with c(g) the count of each n-gram g:

    repetition     1 - distinct n-grams / n-grams                       0 no n-gram returns, towards 1 a loop; n = 4
                   Welleck et al. 2020, arXiv 1908.04319, eq. 8 (seq-rep-n)
    word entropy   -sum_g c(g)/N log2 c(g)/N over the N n-grams         bits, 0 a single n-gram; at most log2 N, so it grows with length
                   Zhang et al. 2018, arXiv 1809.05972 (Ent-n)
    off-language   letters of scripts the expected texts do not use / letters        0 the same scripts, 1 none of them

Of token records, over the T tokens of an answer,

    token entropy  (1/T) sum_t H_t, H_t of the next-token distribution p_t, nats     0 certain of everything, log V knows nothing

and of a set of answers, `sameness`: the share of the commonest one. A collapsed model says the same to everyone.

Known limit: scripts tell languages apart only where they write differently: English from French is not told, nor Chinese from the kanji of
Japanese. Kana allow kanji, whether or not the expected text has any. Digits and marks are of no script.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from vestige.desk import tokens
from vestige.desk.counted import Counted
from vestige.records import Missing
from vestige.text import normalise, words

N = 4
_JAPANESE = frozenset({"HIRAGANA", "KATAKANA", "CJK"})


def repetition(said: str, *, n: int = N) -> float | Missing:
    """Return the share of n-grams of words that had been said before."""
    grams = _grams(said, n)
    return 1 - len(set(grams)) / len(grams) if grams else _too_short(n)


def word_entropy(said: str, *, n: int = 1) -> float | Missing:
    """Return the entropy of the n-grams of a text, in bits."""
    grams = _grams(said, n)
    if not grams:
        return _too_short(n)
    shares = (count / len(grams) for count in Counter(grams).values())
    return -math.fsum(p * math.log2(p) for p in shares) or 0.0  # 0, not -0


def _grams(text: str, n: int) -> list[tuple[str, ...]]:
    said = words(text)
    return list(zip(*(said[i:] for i in range(n)), strict=False))


def _too_short(n: int) -> Missing:
    return Missing(f"fewer than {n} words were said")


def off_language(said: str, expected: Sequence[str]) -> float | Missing:
    """Return the share of letters in scripts that the expected texts (the answer, and best the prompt too) do not use."""
    allowed = {name for text in expected for name in _scripts(text)}
    if not allowed:
        return Missing("the expected text has no letters")
    if allowed & {"HIRAGANA", "KATAKANA"}:
        allowed |= _JAPANESE
    seen = _scripts(said)
    return sum(n for name, n in seen.items() if name not in allowed) / seen.total() if seen else Missing("no letters were said")


def _scripts(text: str) -> Counter[str]:
    """Return how many letters of each script a text holds."""
    return Counter(script for c in unicodedata.normalize("NFKC", text) if (script := _script(c)))


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    """Return the script of a letter by its name in Unicode; "" for what is no letter or belongs to several."""
    if unicodedata.category(character) not in ("Lu", "Ll", "Lt", "Lo"):
        return ""
    return unicodedata.name(character, "").partition(" ")[0]


def token_entropy(candidates: tokens.Candidates, *, candidate: str = tokens.TRUE) -> float | Missing:
    """Return the mean entropy of the next-token distributions along an answer, in nats."""
    entropy = tokens.numbers(candidates, "entropy", candidate)
    return entropy if isinstance(entropy, Missing) else tokens.mean(entropy)


def sameness(said: Iterable[str | Missing]) -> Counted | Missing:
    """Return the share of the commonest of a set's answers, an empty one included: 1/n where all n differ."""
    everything = list(said)
    found = Counter(normalise(text) for text in everything if not isinstance(text, Missing))
    missing = len(everything) - found.total()
    if found.total() < 2:
        return Missing(f"{found.total()} answers ({missing} missing); two or more can be the same")
    return Counted(found.most_common(1)[0][1] / found.total(), found.total(), missing)
