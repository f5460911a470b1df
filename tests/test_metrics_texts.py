"""ROUGE and verbatim memory of generated answers: by hand, in Japanese, against the usual library, and broken on purpose."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmark_files import real
from metric_cases import NO_NUMBERS, Cases, agrees
from vestige.desk.metrics.rouge import overlap, rouge
from vestige.desk.metrics.verbatim import exact_match, exact_memorisation, extraction_strength, longest_run, longest_run_share
from vestige.records import Missing
from vestige.text import normalise, words

PARTS = ("recall", "precision", "f1")
# Said: "the cat the mat" (4 words). Expected: "on the mat sat the cat" (6).
# As a bag: the, the, cat, mat = 4. In one order: nothing can follow mat in what was said, or cat in what was expected, and
# between two "the" there is cat in one and mat in the other; so "the cat", "the mat" or "the the": 2.
SAID, DUE = "The cat, the mat", ["on the mat sat the cat."]
ROUGE: dict[str, Cases] = {
    # 4/6, 4/4, 2 x 4 / 10.
    "1 recall": [((SAID, DUE), 4 / 6), (("the the the", ["the cat"]), 1 / 2), (("東京タワー", ["東京タワー"]), 1.0)],
    "1 precision": [((SAID, DUE), 1.0), (("the the the", ["the cat"]), 1 / 3)],
    "1 f1": [((SAID, DUE), 0.8), (("the the the", ["the cat"]), 2 / 5), (("", ["the cat"]), 0.0)],
    # 2/6, 2/4, 2 x 2 / 10. Characters of 東京都 and 京都: 京都 is common, 2 of 2 and 2 of 3. Against two answers, the better one: 1.
    "L recall": [((SAID, DUE), 1 / 3), (("東京都", ["京都"]), 1.0), (("a b", ["a b c", "b a", "a b"]), 1.0), (("", ["a"]), 0.0)],
    "L precision": [((SAID, DUE), 1 / 2), (("東京都", ["京都"]), 2 / 3)],
    "L f1": [((SAID, DUE), 0.4), (("東京都", ["京都"]), 4 / 5), (("a x b", ["a b"]), 4 / 5), (("Müller Straße", ["muller STRASSE"]), 1.0)],
}


def part_of(name: str) -> Callable[..., float | Missing]:
    of, part = name.split()
    return partial(rouge, of=of, part=part)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ROUGE)
def test_rouge_agrees_with_what_was_worked_out_by_hand(name: str) -> None:
    for given, due in ROUGE[name]:
        assert part_of(name)(*given) == pytest.approx(due)


def over(shared: Callable[[list[str], list[str]], int], length: int, split: Callable[[str], list[str]] = words) -> Any:
    """Return a broken ROUGE: `shared` over the words said (0) or expected (1) of the first expected answer."""

    def broken(said: str, expected: list[str]) -> float:
        texts = split(said), split(expected[0])
        return shared(*texts) / max(1, len(texts[length]))

    return broken


BROKEN_ROUGE: dict[str, tuple[str, Callable[..., float]]] = {
    "words counted once in one text": ("1 recall", over(lambda h, r: sum(w in r for w in h), 1)),
    "words counted once in both": ("1 recall", over(lambda h, r: len(set(h) & set(r)), 1)),
    "words of a-z alone": (
        "1 recall",
        over(lambda h, r: (Counter(h) & Counter(r)).total(), 1, lambda t: t.lower().encode("ascii", "ignore").decode().split()),
    ),
    "case that counts": ("1 recall", over(lambda h, r: (Counter(h) & Counter(r)).total(), 1, str.split)),
    "precision for recall": ("1 recall", over(lambda h, r: (Counter(h) & Counter(r)).total(), 0)),
    "recall for precision": ("1 precision", over(lambda h, r: (Counter(h) & Counter(r)).total(), 1)),
    "an arithmetic mean for F1": (
        "1 f1",
        lambda said, due: (
            (rouge(said, due, of="1", part="recall") + (overlap(said, due[0], of="1").shared / max(1, overlap(said, due[0], of="1").said)))
            / 2
        ),
    ),
    "order that does not count": ("L recall", part_of("1 recall")),
    "the first expected answer alone": ("L recall", lambda said, due: rouge(said, due[:1], of="L", part="recall")),
    "an unbroken run for a subsequence": ("L f1", lambda said, due: 2 * longest_run(said, due) / (len(words(said)) + len(words(due[0])))),
    "the sides exchanged": ("L precision", lambda said, due: rouge(due[0], [said], of="L", part="precision")),
}


@pytest.mark.parametrize("how", BROKEN_ROUGE)
def test_a_rouge_that_is_broken_would_be_seen(how: str) -> None:
    name, broken = BROKEN_ROUGE[how]
    assert not agrees(broken, ROUGE[name])


@pytest.mark.parametrize(
    "text", ["彼女は東京に住んでいます。", "서울에 삽니다", "أهلا وسهلا", "Ελλάδα", "नमस्ते दुनिया", "she lives in Lisbon"]
)
def test_a_text_is_as_like_itself_as_can_be(text: str) -> None:
    for name in ROUGE:
        assert part_of(name)(text, [text]) == 1.0


@pytest.mark.parametrize("name", ROUGE)
def test_rouge_is_missing_where_there_is_nothing_to_compare_with(name: str) -> None:
    assert part_of(name)("a cat", []) == Missing("no answer is expected")
    assert part_of(name)("a cat", ["", "..."]) == Missing("the expected answer has no words")
    assert part_of(name)("a cat", ["...", "a cat"]) == 1.0


def test_nothing_said_recalls_nothing_and_has_no_precision() -> None:
    for of in ("1 ", "L "):
        assert (part_of(of + "recall")("", ["a"]), part_of(of + "f1")(" ...", ["a"])) == (0.0, 0.0)
        assert part_of(of + "precision")("", ["a"]) == Missing("nothing was said, so that no share of it can be right")


def answers(folder: str) -> list[tuple[str, str]]:
    """Return TOFU's answers, each against its paraphrase, a wrong answer, and another entry's answer."""
    lines = (Path(folder) / "forget05_perturbed.json").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    chance = random.Random(0)
    pairs = [(row["answer"], row["paraphrased_answer"]) for row in rows]
    pairs += [(row["answer"], row["perturbed_answer"][0]) for row in rows]
    pairs += [(row["answer"], chance.choice(rows)["answer"]) for row in rows]
    pairs += [(row["answer"], " ".join(chance.sample(row["answer"].split(), 5))) for row in rows if len(row["answer"].split()) > 4]
    return [(a, b) for a, b in pairs if (a + b).isascii()]


@pytest.mark.slow
@pytest.mark.parametrize("stemmed", [False, True])
def test_rouge_agrees_with_the_usual_library_on_tofus_answers(stemmed: bool) -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer", reason="rouge-score is not installed").RougeScorer(
        ["rouge1", "rougeL"], use_stemmer=stemmed
    )
    porter = pytest.importorskip("nltk.stem.porter").PorterStemmer()
    stem = (lambda word: porter.stem(word) if len(word) > 3 else word) if stemmed else None
    pairs = answers(real("tofu"))
    assert len(pairs) > 700
    for due, said in pairs:
        found = scorer.score(due, said)
        for of, name in (("1", "rouge1"), ("L", "rougeL")):
            theirs = (found[name].recall, found[name].precision, found[name].fmeasure)
            ours = tuple(rouge(said, [due], of=of, part=part, stem=stem) for part in PARTS)  # type: ignore[arg-type]
            assert ours == pytest.approx(theirs, abs=1e-12), (due, said)


# ---- verbatim: runs and wholes

# "lives in old" stands in both: 3 words of "she lives in old Lisbon" (5). 住んでいま is 5 of the 7 characters of 住んでいました.
RUNS: Cases = [
    (("He lives in old Porto", ["she lives in old Lisbon"]), 3.0),
    (("京都に住んでいます", ["住んでいました"]), 5.0),
    (("", ["a b"]), 0.0),
    (("b c", ["a", "a b c d"]), 2.0),
    (("in Lisbon", [" Lisbon"]), 1.0),
]
# The alias of one word is said whole: 1, though the run in the other is as long.
SHARES: Cases = [
    (("He lives in old Porto", ["she lives in old Lisbon"]), 3 / 5),
    (("京都に住んでいます", ["住んでいました"]), 5 / 7),
    (("x b y", ["a b c", "b"]), 1.0),
    (("x", ["", "a"]), 0.0),
]
MATCHES: Cases = [
    ((" lisbon ", [" Lisbon"]), 1.0),
    (("Ｌｉｓｂｏｎ", ["Porto", "Lisbon"]), 1.0),
    (("Lisbon.", ["Lisbon"]), 0.0),  # punctuation counts
    (("in Lisbon", ["Lisbon"]), 0.0),
    (("東京", ["東京"]), 1.0),
    (("", ["Lisbon", ""]), 0.0),  # nothing said matches no empty answer
]
VERBATIM: dict[str, tuple[Callable[..., float | Missing], Cases]] = {
    "longest_run": (longest_run, RUNS),
    "longest_run_share": (longest_run_share, SHARES),
    "exact_match": (exact_match, MATCHES),
}


@pytest.mark.parametrize("name", VERBATIM)
def test_verbatim_memory_agrees_with_what_was_worked_out_by_hand(name: str) -> None:
    metric, cases = VERBATIM[name]
    for given, due in cases:
        assert metric(*given) == pytest.approx(due), given


BROKEN_VERBATIM: dict[str, tuple[Cases, Callable[..., float]]] = {
    "a subsequence for a run": (RUNS, lambda said, due: overlap(said + " lives Lisbon", due[0], of="L").shared),
    "words that only spaces part": (
        RUNS,
        lambda said, due: longest_run(" ".join(said.split()), due) if said.isascii() else float(said in due),
    ),
    "the first answer alone": (RUNS, lambda said, due: longest_run(said, due[:1])),
    "the share of what was said": (SHARES, lambda said, due: longest_run(said, due) / max(1, len(words(said)))),
    "the share of the first answer": (SHARES, lambda said, due: longest_run(said, due) / max(1, len(words(due[0])))),
    "a match of raw texts": (MATCHES, lambda said, due: float(said in due)),
    "the alias dropped": (MATCHES, lambda said, due: exact_match(said, due[:1])),
    "an answer within the text": (MATCHES, lambda said, due: float(any(normalise(d) in normalise(said) for d in due if d))),
}


@pytest.mark.parametrize("how", BROKEN_VERBATIM)
def test_a_verbatim_metric_that_is_broken_would_be_seen(how: str) -> None:
    cases, broken = BROKEN_VERBATIM[how]
    assert not agrees(broken, cases)


@pytest.mark.parametrize("expected", [[], [""], ["", " "]])
def test_verbatim_memory_of_no_answer_is_missing(expected: list[str]) -> None:
    for metric in (longest_run, longest_run_share, exact_match):
        assert isinstance(metric("Lisbon", expected), Missing)


# ---- verbatim: tokens


def hits(*top1: int, alias: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    named = [("wrong:0", (1, 1)), ("true", top1), *([("alias:0", alias)] if alias else [])]
    return [{"candidate": name, "logp": [-1.0] * len(h), "top1": list(h)} for name, h in named]


# Hits over tokens: 3/4, 1, 0, and of one token 0 or 1.
EM: Cases = [((hits(1, 1, 0, 1),), 3 / 4), ((hits(1, 1),), 1.0), ((hits(0, 0, 0),), 0.0), ((hits(1),), 1.0), ((hits(0),), 0.0)]
# The unbroken run at the end over tokens: 1/4, 1, and 0 where the last token is a miss.
ES: Cases = [((hits(1, 1, 0, 1),), 1 / 4), ((hits(1, 1),), 1.0), ((hits(1, 1, 0),), 0.0), ((hits(1),), 1.0), ((hits(0),), 0.0)]


def test_hits_agree_with_what_was_worked_out_by_hand() -> None:
    assert agrees(exact_memorisation, EM)
    assert agrees(extraction_strength, ES)


def true_hits(candidates: Any) -> list[int]:
    return next(c["top1"] for c in candidates if c["candidate"] == "true")


def floored(candidates: Any) -> float:
    top1 = true_hits(candidates)
    return 1 - next((k for k in range(len(top1)) if all(top1[k:])), len(top1) - 1) / len(top1)


BROKEN_HITS: dict[str, tuple[Cases, Callable[[Any], float]]] = {
    "the last token left out": (EM, lambda c: sum(true_hits(c)[:-1]) / max(1, len(true_hits(c)) - 1)),
    "the first candidate for the true one": (EM, lambda c: sum(c[0]["top1"]) / len(c[0]["top1"])),
    "a strength that stops at T - 1": (ES, floored),
    "a run at the beginning": (ES, lambda c: extraction_strength([{**x, "top1": x["top1"][::-1]} for x in c])),
    "memorisation for strength": (ES, exact_memorisation),
}


@pytest.mark.parametrize("how", BROKEN_HITS)
def test_a_metric_of_hits_that_is_broken_would_be_seen(how: str) -> None:
    cases, broken = BROKEN_HITS[how]
    assert not agrees(broken, cases)


@pytest.mark.parametrize("metric", [exact_memorisation, extraction_strength])
def test_hits_that_are_not_there_are_missing(metric: Callable[..., float | Missing]) -> None:
    for bad in NO_NUMBERS:
        assert metric([{"candidate": "true", "logp": [-1.0], "top1": bad}]) == Missing("candidate true has no finite top1")
    # A served model gives log-probabilities alone.
    assert metric([{"candidate": "true", "logp": [-1.0]}]) == Missing("candidate true has no finite top1")
    assert metric([]) == Missing("needs one true candidate; seen 0")
    assert metric(hits(0, 0, alias=(1, 1)), candidate="alias:0") == 1.0
