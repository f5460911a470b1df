"""Scores of a model's own records, against the same scores worked out again in float64 from the whole matrix of logits."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import tiny
from benchmark_files import real
from vestige.cases.customers import Customers
from vestige.cases.tofu import Tofu
from vestige.desk import metrics
from vestige.desk.tokens import with_lengths
from vestige.lab import models, probes
from vestige.lab.models import LanguageModel
from vestige.records import Probe, plain

torch.set_num_threads(1)
Matrix = NDArray[np.float64]
Given = dict[str, tuple[Matrix, list[int]]]
# Records hold seven digits of float32.
TOLERANCE = {"rel": 2e-4, "abs": 2e-5}


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tiny._SIZES, "max_position_embeddings", 1024)
        return models.load(str(tiny.make(tmp_path_factory.mktemp("records") / "model")))


def customers() -> list[Probe]:
    """Return questions with answers of several tokens, and aliases."""
    found = list(Customers()().asked("forget"))[::7]
    return [Probe(p.id, p.prompt, p.answer + " and more", "forget", "c", "test", p.distractors[:3], (" or" + p.answer,)) for p in found]


def tofu() -> list[Probe]:
    """Return TOFU's questions with their paraphrases, answers and wrong answers, and general knowledge."""
    case = Tofu(path=real("tofu"), split="forget05")()
    return [*case.asked("forget", "test")[:40], *case.asked("utility", "test")[:20]]


# -- the same thing again: one forward pass a candidate, every logit, float64


def texts_of(probe: Probe) -> dict[str, str]:
    named = {"true": probe.answer, **{f"alias:{i}": a for i, a in enumerate(probe.aliases)}}
    return named | {f"wrong:{j}": d for j, d in enumerate(probe.distractors)}


@torch.no_grad()
def again(lm: LanguageModel, asked: Sequence[Probe], *, shift: int = 1, before: str = "") -> list[Given]:
    """Return, probe by probe, (log p over the vocabulary (T, V), ids (T)) of each candidate; `before` stands between prompt and answer."""
    model = copy.deepcopy(lm.model).double()
    found = []
    for probe in asked:
        given: Given = {}
        for name, text in texts_of(probe).items():
            head, tail = lm.encode(probe.prompt, text, probe.form)
            head = head + (lm.encode(probe.prompt, probe.distractors[0], probe.form)[1] if before else [])
            logp = model(input_ids=torch.tensor([head + tail])).logits[0].log_softmax(-1).numpy()
            start = len(head) - shift
            given[name] = logp[start : start + len(tail)], tail
        found.append(given)
    return found


def at(given: Given, name: str = "true") -> Matrix:
    logp, ids = given[name]
    return logp[np.arange(len(ids)), ids]


def normalised(given: Given, name: str = "true") -> float:
    return float(np.exp(at(given, name).mean()))


def wrong(given: Given) -> Matrix:
    return np.array([normalised(given, name) for name in given if name.startswith("wrong:")])


def hits(given: Given) -> Any:
    logp, ids = given["true"]
    return logp.argmax(-1) == ids


def strength(given: Given) -> float:
    said = hits(given)
    return next((1 - k / len(said) for k in range(len(said)) if said[k:].all()), 0.0)


def lowest(values: Matrix) -> float:
    return float(-np.sort(values)[: max(1, int(0.4 * len(values)))].mean())


def z(given: Given) -> Matrix:
    logp, _ = given["true"]
    mean = (np.exp(logp) * logp).sum(-1)
    return (at(given) - mean) / np.sqrt((np.exp(logp) * logp**2).sum(-1) - mean**2)


def entropy(given: Given) -> float:
    logp, _ = given["true"]
    return float(-(np.exp(logp) * logp).sum(-1).mean())


def top(scores: dict[str, float]) -> float:
    others = [x for name, x in scores.items() if name.startswith("wrong:")]
    return float(scores["true"] > max(others))


AGAIN: dict[str, Callable[[Given], float]] = {
    "nll": lambda g: float(-at(g).mean()),
    "answer_logp": lambda g: float(at(g).mean()),
    "summed_nll": lambda g: float(-at(g).sum()),
    "probability": normalised,
    "normalised_probability": lambda g: normalised(g) / (normalised(g) + float(wrong(g).sum())),
    "log_truth_ratio": lambda g: float(np.log(wrong(g).mean() / normalised(g))),
    "truth_ratio": lambda g: float(wrong(g).mean()) / normalised(g),
    "truth_ratio_geometric": lambda g: float(np.exp(np.log(wrong(g)).mean())) / normalised(g),
    "truth_ratio_reciprocal": lambda g: normalised(g) / float(np.exp(np.log(wrong(g)).mean())),
    "truth_ratio_closeness": lambda g: min(r := float(wrong(g).mean()) / normalised(g), 1 / r),
    "truth_ratio_margin": lambda g: max(0.0, 1 - float(wrong(g).mean()) / normalised(g)),
    "truth_share": lambda g: normalised(g) / (normalised(g) + float(wrong(g).mean())),
    "accuracy": lambda g: top({name: float(at(g, name).sum()) for name in g}),
    "accuracy_per_token": lambda g: top({name: float(at(g, name).mean()) for name in g}),
    "exact_memorisation": lambda g: float(hits(g).mean()),
    "extraction_strength": strength,
    "token_entropy": entropy,
    "loss": lambda g: float(-at(g).mean()),
    "min_k": lambda g: lowest(at(g)),
    "min_k_plus_plus": lambda g: lowest(z(g)),
}


def differing(lm: LanguageModel, asked: Sequence[Probe], given: Sequence[Given]) -> set[str]:
    """Return the scores that differ, for any probe, from what `given` makes of them."""
    records = [plain(record.candidates) for record in probes.score_candidates(lm, asked)]
    return {
        name
        for name, derive in AGAIN.items()
        for record, one in zip(records, given, strict=True)
        if metrics.TOKENS[name](record) != pytest.approx(derive(one), **TOLERANCE)
    }


def test_scores_of_records_are_those_of_the_whole_matrix(lm: LanguageModel) -> None:
    asked = customers()
    assert len(asked) >= 10
    assert differing(lm, asked, again(lm, asked)) == set()


# A margin of 0, a hit or a top place can be the same by chance; numbers that are continuous cannot.
CHANCE = {"truth_ratio_margin", "accuracy", "accuracy_per_token", "exact_memorisation", "extraction_strength"}


def test_a_label_shift_that_is_dropped_would_be_seen(lm: LanguageModel) -> None:
    asked = customers()
    assert differing(lm, asked, again(lm, asked, shift=0)) >= {*AGAIN} - CHANCE


def test_a_mask_that_is_dropped_would_be_seen(lm: LanguageModel) -> None:
    """Without it, an answer sees the one that stands before it in the row."""
    asked = customers()
    assert differing(lm, asked, again(lm, asked, before="the first wrong answer")) >= {*AGAIN} - CHANCE


def test_an_alias_taken_for_the_answer_would_be_seen(lm: LanguageModel) -> None:
    asked = customers()
    changed = [{**given, "true": given["alias:0"]} for given in again(lm, asked)]
    assert differing(lm, asked, changed) >= {*AGAIN} - CHANCE


def test_hits_that_are_shifted_would_be_seen(lm: LanguageModel) -> None:
    """A random model hits nothing but what it says itself."""
    asked = customers()
    said = zip(asked, probes.greedy(lm, asked, max_new=6, stop=""), strict=True)
    own = [Probe(p.id, p.prompt, answer.text, "forget", "c", "test", p.distractors[:2]) for p, answer in said if answer.text.strip()]
    given = again(lm, own)
    assert max(map(strength, given)) > 0.5
    assert differing(lm, own, given) == set()
    assert differing(lm, own, again(lm, own, shift=0)) >= {"exact_memorisation", "extraction_strength"}


def test_the_zlib_score_takes_the_text_of_the_answer(lm: LanguageModel) -> None:
    asked = customers()
    for record, probe in zip(probes.score_candidates(lm, asked), asked, strict=True):
        known = with_lengths(plain(record.candidates), texts_of(probe))
        due = metrics.TOKENS["nll"](known) / len(zlib.compress(probe.answer.encode()))  # type: ignore[operator]
        assert metrics.TOKENS["zlib"](known) == pytest.approx(due)
        assert isinstance(metrics.TOKENS["accuracy_per_byte"](known), float)


@pytest.mark.slow
def test_scores_of_tofus_questions_are_those_of_the_whole_matrix(lm: LanguageModel) -> None:
    asked = tofu()
    given = again(lm, asked)
    assert differing(lm, asked, given) == set()
    assert differing(lm, asked, again(lm, asked, shift=0)) >= {*AGAIN} - CHANCE


@pytest.mark.slow
def test_forget_quality_and_auc_on_tofu_agree_with_scipy(lm: LanguageModel, tmp_path: Path) -> None:
    """Two random models: their truth ratios by records, against float64 and scipy on the raw ratios."""
    from scipy.stats import ks_2samp, mannwhitneyu

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tiny._SIZES, "max_position_embeddings", 1024)
        other = models.load(str(tiny.make(tmp_path / "other", seed=1)))
    asked = tofu()[:40]
    scored = [[metrics.TOKENS["log_truth_ratio"](plain(r.candidates)) for r in probes.score_candidates(m, asked)] for m in (lm, other)]
    raw = [[AGAIN["truth_ratio"](given) for given in again(m, asked)] for m in (lm, other)]
    assert metrics.SETS["forget_quality"](*scored).value == pytest.approx(ks_2samp(*raw).pvalue)  # type: ignore[union-attr]
    assert metrics.SETS["auc"](*scored).value == pytest.approx(mannwhitneyu(raw[1], raw[0]).statistic / 1600)  # type: ignore[union-attr]
