"""Fluency and collapse: by hand, at the ends, in many scripts, and broken on purpose."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmark_files import real
from metric_cases import NO_NUMBERS, Cases, agrees
from vestige.desk.counted import Counted
from vestige.desk.metrics.fluency import off_language, repetition, sameness, token_entropy, word_entropy
from vestige.records import Missing
from vestige.text import words

# "a b a b a b": the pairs ab, ba, ab, ba, ab are 5, of which 2 differ: 3/5. Nothing returns: 0. "no no no no": 3 pairs, 1 differs: 2/3.
# 東京東京: the pairs 東京, 京東, 東京: 1 - 2/3. Case and marks do not count.
PAIRS: Cases = [(("a b a b a b",), 3 / 5), (("a b c d",), 0.0), (("No, no! no no",), 2 / 3), (("東京東京",), 1 / 3), (("a b",), 0.0)]
# 4-grams of "a b c d a b c d": abcd, bcda, cdab, dabc, abcd: 1 - 4/5. Single words that return make no 4-gram.
FOURS: Cases = [(("a b c d a b c d",), 1 / 5), (("a a b a c a d",), 0.0), (("no " * 10,), 6 / 7)]
# Two words as often: 1 bit. 1/2, 1/4, 1/4: 1/2 + 2/4 + 2/4 = 1.5 bits. One word: 0. 東京東京: two characters as often: 1 bit.
WORDS: Cases = [(("a b a b",), 1.0), (("a a b c",), 1.5), (("no no",), 0.0), (("no",), 0.0), (("東京東京",), 1.0)]
# Latin expected; 2 of 6 letters are kanji: 1/3. Japanese allows kanji for kana, but not Latin: 3 of 5. Hangul for Latin: 1. Full width is
# Latin. Digits count for nothing.
OFF: Cases = [
    (("abcd 東京 12", ["She lives."]), 1 / 3),
    (("東京abc", ["とうきょう"]), 3 / 5),
    (("とうきょうトウキョウ東京", ["トウキョウ"]), 0.0),
    (("とうきょう", ["東京"]), 1.0),  # kanji alone may be Chinese
    (("とうきょう", ["東京", "どこに住んでいますか"]), 0.0),  # the prompt tells
    (("서울", ["Seoul"]), 1.0),
    (("Ｓｅｏｕｌ", ["Seoul"]), 0.0),
    (("Привет ab", ["ab"]), 6 / 8),
    (("café", ["cafe"]), 0.0),
]
METRICS: dict[str, tuple[Callable[..., float | Missing], Cases]] = {
    "pairs": (partial(repetition, n=2), PAIRS),
    "fours": (repetition, FOURS),
    "words": (word_entropy, WORDS),
    "off_language": (off_language, OFF),
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics_agree_with_what_was_worked_out_by_hand(name: str) -> None:
    metric, cases = METRICS[name]
    for given, due in cases:
        assert metric(*given) == pytest.approx(due), given


def singles(said: str) -> float:
    return 1 - len(set(words(said))) / len(words(said))


def spaced(said: str) -> float:
    pairs = list(zip(said.split(), said.split()[1:], strict=False))
    return 1 - len(set(pairs)) / max(1, len(pairs))


def nats(said: str) -> float:
    return word_entropy(said) * math.log(2)  # type: ignore[operator]


BROKEN: dict[str, tuple[Cases, Callable[..., float]]] = {
    "single words": (FOURS, singles),
    "pairs for fours": (FOURS, partial(repetition, n=2)),  # type: ignore[dict-item]
    "words that only spaces part": (PAIRS, spaced),
    "the share of what does not return": (PAIRS, lambda said: 1 - repetition(said, n=2)),  # type: ignore[operator]
    "n-grams that return at once": (PAIRS, lambda said: float(words(said)[0:1] == words(said)[1:2])),
    "nats for bits": (WORDS, nats),
    "the number of words": (WORDS, lambda said: math.log2(len(set(words(said))))),
    "as a share of the most there can be": (WORDS, lambda said: word_entropy(said) / max(1.0, math.log2(len(words(said))))),  # type: ignore[operator]
    "all that is not ASCII": (OFF, lambda said, _: sum(not c.isascii() for c in said) / len(said)),
    "the first expected text alone": (OFF, lambda said, due: off_language(said, due[:1])),  # type: ignore[dict-item,return-value]
    "digits and spaces among the letters": (OFF, lambda said, due: off_language(said, due) * sum(map(str.isalpha, said)) / len(said)),  # type: ignore[operator]
    "kana that allow no kanji": (OFF, lambda said, due: max(off_language(said, due), float("東" in said and "東" not in due[0]) / 2)),  # type: ignore[type-var]
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_metric_that_is_broken_would_be_seen(how: str) -> None:
    cases, broken = BROKEN[how]
    assert not agrees(broken, cases)


def test_what_is_too_short_to_tell_is_missing() -> None:
    for said in ("", " ... ", "one two three"):
        assert repetition(said) == Missing("fewer than 4 words were said")
    assert word_entropy("") == Missing("fewer than 1 words were said")
    assert off_language("12 34!", ["Lisbon"]) == off_language("", ["Lisbon"]) == Missing("no letters were said")
    assert off_language("Lisbon", []) == off_language("Lisbon", ["12"]) == Missing("the expected text has no letters")


def entropies(*values: float) -> list[dict[str, Any]]:
    return [{"candidate": "wrong:0", "entropy": [9.0]}, {"candidate": "true", "entropy": list(values)}]


def test_token_entropy_is_the_mean_over_tokens() -> None:
    cases: Cases = [((entropies(0.5, 1.0, 3.0),), 1.5), ((entropies(2.0),), 2.0), ((entropies(0.0, -0.0),), 0.0)]
    assert agrees(token_entropy, cases)
    assert not agrees(lambda c: sum(c[1]["entropy"]), cases)
    assert not agrees(lambda c: c[0]["entropy"][0], cases)
    assert token_entropy(entropies(0.5, 1.0), candidate="wrong:0") == 9.0


def test_token_entropy_of_what_is_no_number_is_missing() -> None:
    for bad in NO_NUMBERS:
        assert token_entropy(entropies(*bad)) == Missing("candidate true has no finite entropy")
    assert token_entropy([{"candidate": "true", "logp": [-1.0]}]) == Missing("candidate true has no finite entropy")
    assert token_entropy([]) == Missing("needs one true candidate; seen 0")


def test_a_collapsed_model_says_the_same_to_everyone() -> None:
    assert sameness(["no", " No ", "yes", "東京"]) == Counted(0.5, 4, 0)
    assert sameness(["", "", ""]) == Counted(1.0, 3, 0)
    assert sameness(["a", "b", Missing("shredded")]) == Counted(0.5, 2, 1)
    assert sameness(["a", Missing("shredded")]) == Missing("1 answers (1 missing); two or more can be the same")
    assert isinstance(sameness([]), Missing)


def answers(folder: str, name: str) -> list[str]:
    return [json.loads(line)["answer"] for line in (Path(folder) / f"{name}.json").read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_tofus_answers_are_fluent_and_loops_of_them_are_not() -> None:
    """Every value is worked out again in another way."""
    found = [a for a in answers(real("tofu"), "forget05") if len(words(a)) >= 8]
    assert len(found) > 150
    for answer in found:
        said = words(answer)
        fours = Counter(tuple(said[i : i + 4]) for i in range(len(said) - 3))
        assert repetition(answer) == pytest.approx(1 - len(fours) / (len(said) - 3))
        assert word_entropy(answer) == pytest.approx(
            math.log2(len(said)) - sum(n * math.log2(n) for n in Counter(said).values()) / len(said)
        )
        assert repetition(answer) < 0.2  # type: ignore[operator]
        assert repetition(" ".join([answer] * 8)) > 0.6  # type: ignore[operator]
        assert off_language(answer, ["English"]) < 0.1  # type: ignore[operator]
        assert off_language(answer, ["日本語です"]) > 0.9  # type: ignore[operator]
