"""Traces: cosines and ratios worked by hand, what they must not depend on, and a model that is left as it was."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from vestige.cases.customers import Customers
from vestige.lab import losses, models, traces
from vestige.lab.answers import keyword_tokens
from vestige.lab.batches import encode_rows, score_batch
from vestige.lab.gradients import gradient
from vestige.lab.models import LanguageModel
from vestige.lab.traces.gradient_cosine import GradientCosine, cosine
from vestige.lab.traces.loss_ratio import LossRatio, ratio
from vestige.lab.tracing import Material
from vestige.lab.train import trainable
from vestige.records import Missing, Row

torch.set_num_threads(1)
CASE = Customers()()
SET, TARGET = CASE.forget[:6], CASE.forget[20:24]
SENTENCE = Row("r", "Where does Mara live?", " Mara lives in Oslo, by the sea.", "Mara")


@pytest.fixture(scope="module")
def lm(model: Path) -> LanguageModel:
    return models.load(str(model))


def tensors(*values: list[float]) -> list[torch.Tensor]:
    return [torch.tensor(v) for v in values]


def grad(lm: LanguageModel, rows: Any, **more: Any) -> list[torch.Tensor]:
    return gradient(lm, encode_rows(lm, rows), "all_but_embeddings", **more)


# --- gradient cosine --------------------------------------------------------------------------------------------------


# (3, 4) and (4, 3): 24 / (5 · 5) = 0.96, and the same in one part or two; (1, 2) and (2, −1): 2 − 2 = 0.
def test_the_cosine_is_that_of_the_whole_vector_however_it_is_parted() -> None:
    assert cosine(tensors([3.0, 4.0]), tensors([4.0, 3.0])) == pytest.approx(0.96)
    assert cosine(tensors([3.0], [4.0]), tensors([4.0], [3.0])) == pytest.approx(0.96)
    assert cosine(tensors([1.0], [2.0]), tensors([2.0], [-1.0])) == 0.0


def test_a_vector_without_length_has_no_direction() -> None:
    assert cosine(tensors([0.0, 0.0]), tensors([1.0, 0.0])) == Missing("a gradient of length 0 has no direction")
    assert cosine(tensors([float("nan")]), tensors([1.0])) == Missing("a gradient is not finite")


def test_a_set_has_the_cosine_1_with_itself(lm: LanguageModel) -> None:
    assert GradientCosine()(lm, Material(SET, SET)) == pytest.approx(1.0, abs=1e-9)


def test_a_set_has_the_cosine_minus_1_with_its_own_ascent(lm: LanguageModel) -> None:
    assert cosine(grad(lm, SET), grad(lm, SET, loss=losses.ascent)) == pytest.approx(-1.0, abs=1e-9)


def test_the_cosine_of_two_sets_lies_between_and_does_not_ask_which_is_first(lm: LanguageModel) -> None:
    one, other = GradientCosine()(lm, Material(SET, TARGET)), GradientCosine()(lm, Material(TARGET, SET))
    assert isinstance(one, float)
    assert abs(one) < 0.99
    assert one == pytest.approx(other, abs=1e-9)


def test_neither_batches_nor_the_order_of_rows_nor_doubling_them_moves_the_cosine(lm: LanguageModel) -> None:
    whole = GradientCosine(batch_tokens=10_000)(lm, Material(SET, TARGET))
    for trace, rows in ((GradientCosine(batch_tokens=1), SET), (GradientCosine(), SET[::-1]), (GradientCosine(), SET + SET)):
        assert trace(lm, Material(rows, TARGET)) == pytest.approx(whole, abs=1e-5)


def test_the_gradient_is_that_of_the_mean_loss_over_tokens(lm: LanguageModel) -> None:
    # First order: a step of size h down the gradient g_D of a set changes the forget loss by −h ⟨g_D, g_F⟩.
    down, of = grad(lm, SET), grad(lm, TARGET)
    dot = sum(float((a * b).sum()) for a, b in zip(down, of, strict=True))
    encoded, h = encode_rows(lm, TARGET), 1e-3 / math.sqrt(sum(float((a * a).sum()) for a in down))
    with torch.no_grad():
        ends = []
        for step in (-h, 2 * h):  # to θ − h g, then to θ + h g: a central difference
            for p, g in zip(trainable(lm, "all_but_embeddings"), down, strict=True):
                p += step * g
            ends.append(float(losses.nll(score_batch(lm, encoded))))
        for p, g in zip(trainable(lm, "all_but_embeddings"), down, strict=True):
            p -= h * g
    lm.model.requires_grad_(False)
    assert (ends[1] - ends[0]) / (2 * h) == pytest.approx(dot, rel=0.02)


def test_only_the_weights_that_are_trained_count(lm: LanguageModel) -> None:
    values = {which: GradientCosine()(lm, Material(SET, TARGET, train=which)) for which in ("all", "all_but_embeddings", "last_block")}
    assert len(set(values.values())) == 3


def test_rows_that_cannot_be_had_or_read_are_missing_and_not_named(lm: LanguageModel) -> None:
    assert GradientCosine()(lm, Material(SET, ())) == Missing("no row of the relearn set, or no forget row is asked about along it")
    long = replace(SENTENCE, answer=" Oslo" * 300)
    assert GradientCosine()(lm, Material(SET, (long,))) == Missing(
        "a row has no token to score, or more tokens than the model's context holds"
    )


# --- loss ratio -------------------------------------------------------------------------------------------------------


# Template losses 1 and 3, mean 2; keyword losses 0.5, mean 0.5: 2 / 0.5 = 4.
def test_the_ratio_is_the_mean_template_loss_over_the_mean_keyword_loss() -> None:
    assert ratio([1.0, 3.0], [0.5, 0.5, 0.5]) == 4.0


def test_equal_losses_give_the_ratio_1() -> None:
    assert ratio([0.7, 0.7, 0.7], [0.7]) == pytest.approx(1.0)


def test_a_model_to_which_every_token_is_alike_has_the_ratio_1(tmp_path: Path) -> None:
    flat = models.load(str(tiny.make(tmp_path / "m", "llama-untied")))
    with torch.no_grad():
        flat.model.get_output_embeddings().weight.zero_()  # every token has p = 1/V, so every loss is log V
    assert LossRatio()(flat, Material((), (SENTENCE,), (("Oslo",),))) == pytest.approx(1.0, abs=1e-6)


def test_the_keyword_is_all_tokens_that_touch_it_wherever_it_stands(lm: LanguageModel) -> None:
    row = replace(SENTENCE, answer=" Oslo is where. In OSLO, not Osloville.")
    marks, spans = keyword_tokens(lm, row, [" Oslo"]), lm.answer_spans(row.answer, row.form)
    assert spans is not None
    inside = {i for (start, end), marked in zip(spans, marks, strict=True) if marked for i in range(start, end)}
    assert {row.answer[i] for i in inside} >= set("OsloOSLO")
    assert set(range(5)) | set(range(18, 23)) <= inside  # each with the space before it
    assert not inside & set(range(28, len(row.answer)))
    assert len(marks) == len(lm.encode(row.prompt, row.answer, row.form)[1])


@pytest.mark.parametrize("form", ["plain", "chat"])
def test_the_ratio_of_a_sentence_is_that_of_its_own_tokens(lm: LanguageModel, form: Any) -> None:
    row = replace(SENTENCE, form=form)
    logp = score_batch(lm, encode_rows(lm, [row])).logp.tolist()
    marks = keyword_tokens(lm, row, ["Oslo"])
    split = {side: [-x for x, mark in zip(logp, marks, strict=True) if mark is side] for side in (True, False)}
    by_hand = sum(split[False]) / len(split[False]) / (sum(split[True]) / len(split[True]))
    assert LossRatio()(lm, Material((), (row,), (("Oslo",),))) == pytest.approx(by_hand, rel=1e-5)
    # A row in which nothing asked for is found is left out, and batches do not matter.
    both = Material((), (row, replace(row, answer=" Mara lives nowhere.")), (("Oslo",), ("Oslo",)))
    assert LossRatio(batch_tokens=1)(lm, both) == pytest.approx(by_hand, rel=1e-5)


def test_answers_that_are_all_keyword_or_hold_none_have_no_ratio(lm: LanguageModel) -> None:
    bare = replace(SENTENCE, answer=" Oslo")
    says = LossRatio()(lm, Material((), (bare,), (("Oslo",),)))
    assert says == Missing("the answers hold nothing but what is asked for: there is no template")
    says = LossRatio()(lm, Material((), (SENTENCE,), (("Rome",),)))
    assert says == Missing("in no forget row that is asked about does what is asked for stand in the answer")
    assert ratio([1.0], [0.0]) == Missing("the keywords have no loss at all")


# --- every trace ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", traces.BEFORE_ATTACK)
def test_a_trace_is_repeatable_and_leaves_the_model_as_it_was(name: str, lm: LanguageModel) -> None:
    trace, before = traces.BEFORE_ATTACK[name](), lm.digest()
    material = Material(SET, (SENTENCE,), (("Oslo",),))
    first = trace(lm, material)
    assert isinstance(first, float)
    assert trace(lm, material) == first
    assert lm.digest() == before
    assert all(p.grad is None for p in lm.model.parameters())


@pytest.mark.parametrize("name", traces.BEFORE_ATTACK)
def test_a_trace_names_its_paper(name: str) -> None:
    kind: Any = traces.BEFORE_ATTACK[name]
    assert "arXiv 2602.03379" in kind.paper
    assert kind.semantics >= 1
