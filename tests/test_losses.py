"""The losses: numbers worked by hand, limits, signs, and a second derivation from the papers' equations."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import tiny
from vestige.cases.customers import Customers
from vestige.lab import losses, models
from vestige.lab.batches import Encoded, encode_rows, reference_sums, score_batch
from vestige.lab.losses import Scored
from vestige.lab.models import LanguageModel
from vestige.lab.unlearn import TABLE

torch.set_num_threads(1)
LN2 = math.log(2)


def scored(logp: list[float], row: list[int], ref: list[float] | None = None) -> Scored:
    """Return float64 scores that remember their gradient."""
    values = torch.tensor(logp, dtype=torch.float64, requires_grad=True)
    return Scored(values, torch.tensor(row), max(row) + 1, None if ref is None else torch.tensor(ref, dtype=torch.float64))


def gradient(loss: Tensor, of: Scored) -> list[float]:
    (found,) = torch.autograd.grad(loss, of.logp)
    return found.tolist()


# Three tokens with p = 1/2, 1/4, 1/8, so log p = -ln 2, -2 ln 2, -3 ln 2: their mean is -2 ln 2.
THREE = [-LN2, -2 * LN2, -3 * LN2]


def test_nll_is_the_mean_over_tokens() -> None:
    s = scored(THREE, [0, 0, 1])
    assert losses.nll(s).item() == pytest.approx(2 * LN2, rel=1e-15)
    assert gradient(losses.nll(s), s) == pytest.approx([-1 / 3] * 3, rel=1e-15)


def test_ascent_is_nll_with_the_other_sign() -> None:
    s = scored(THREE, [0, 0, 1])
    assert losses.ascent(s).item() == pytest.approx(-2 * LN2, rel=1e-15)
    assert gradient(losses.ascent(s), s) == pytest.approx([1 / 3] * 3, rel=1e-15)


# Bound 2.5 ln 2: the third token, at -3 ln 2, counts as -2.5 ln 2: (1 + 2 + 2.5)/3 = 5.5/3. It is pushed no further, and the
# other two are still pushed by 1/3 each, not by 1/2: the mean stays over all tokens.
def test_a_bounded_ascent_leaves_a_token_below_the_bound_alone() -> None:
    s = scored(THREE, [0, 0, 1])
    loss = losses.ascent(s, bound=2.5 * LN2)
    assert loss.item() == pytest.approx(-5.5 / 3 * LN2, rel=1e-15)
    assert gradient(loss, s) == pytest.approx([1 / 3, 1 / 3, 0.0], rel=1e-15)


def test_a_bound_that_no_token_has_reached_changes_nothing() -> None:
    s = scored(THREE, [0, 0, 1])
    assert losses.ascent(s, bound=4 * LN2).item() == losses.ascent(s).item()


def test_ascent_stops_altogether_when_every_token_is_below_the_bound() -> None:
    s = scored(THREE, [0, 0, 1])
    loss = losses.ascent(s, bound=0.5 * LN2)
    assert loss.item() == pytest.approx(-0.5 * LN2, rel=1e-15)
    assert gradient(loss, s) == [0.0, 0.0, 0.0]


# Row 0 has tokens of p = 1/2 and 1/4: l = -3 ln 2; its reference is -ln 2, so the ratio pi/pi_ref is 2^-2 = 1/4.
# Row 1 has one token of p = 1/2, and the same reference: ratio 1.
NPO_ROWS = ([-LN2, -2 * LN2, -LN2], [0, 0, 1], [-LN2, -LN2])


# beta = 1: (2/1) * mean(ln(1 + 1/4), ln(1 + 1)) = ln 1.25 + ln 2 = ln 2.5.
# beta = 1/2: (2/0.5) * mean(ln(1 + 1/2), ln 2) = 2 (ln 1.5 + ln 2) = 2 ln 3.
@pytest.mark.parametrize(("beta", "expected"), [(1.0, math.log(2.5)), (0.5, 2 * math.log(3))])
def test_npo_by_hand(beta: float, expected: float) -> None:
    assert losses.npo(scored(*NPO_ROWS), beta=beta).item() == pytest.approx(expected, rel=1e-14)


# d/dl_i = (2/B) r/(1 + r) with r = (pi/pi_ref)^beta; here B = 2. beta = 1: row 0 has r = 1/4, so 0.25/1.25 = 0.2 for each of its
# tokens; row 1 has r = 1, so 0.5. beta = 1/2: row 0 has r = 1/2, so 1/3.
@pytest.mark.parametrize(("beta", "expected"), [(1.0, [0.2, 0.2, 0.5]), (0.5, [1 / 3, 1 / 3, 0.5])])
def test_the_gradient_of_npo_by_hand(beta: float, expected: list[float]) -> None:
    s = scored(*NPO_ROWS)
    assert gradient(losses.npo(s, beta=beta), s) == pytest.approx(expected, rel=1e-14)


# (2/beta) ln(1 + e^(beta d)) = (2/beta) ln 2 + d + beta d^2/4 + O(beta^3 d^4): with beta = 1e-4 and |d| <= 2 ln 2, the first
# correction is below 1e-4 * 2 / 4 = 5e-5.
def test_npo_tends_to_gradient_ascent_on_rows_as_beta_tends_to_zero() -> None:
    s = scored(*NPO_ROWS)
    loss = losses.npo(s, beta=1e-4)
    mean_difference = (-2 * LN2 + 0.0) / 2
    assert loss.item() - 2 / 1e-4 * LN2 == pytest.approx(mean_difference, abs=5e-5)
    ascent_on_rows = gradient(s.row_sums().mean(), s)
    assert ascent_on_rows == [0.5, 0.5, 0.5]
    assert gradient(loss, s) == pytest.approx(ascent_on_rows, abs=5e-5)


def test_the_gradient_of_npo_comes_closer_to_that_of_ascent_with_every_smaller_beta() -> None:
    s = scored(*NPO_ROWS)
    gaps = [0.5 - gradient(losses.npo(s, beta=beta), s)[0] for beta in (2.0, 1.0, 0.5, 0.1, 0.01)]
    assert all(small < large for large, small in itertools.pairwise(gaps))
    assert gaps[-1] > 0  # row 0 is below its reference: npo pushes it less than ascent does


# beta large: (2/beta) ln(1 + e^(beta d)) -> 2 max(d, 0). Row 0 has d = 3, row 1 has d = -3: mean = 3, gradient 2/2 = 1 and 0.
def test_npo_with_a_large_beta_is_a_hinge() -> None:
    s = scored([-1.0, -7.0], [0, 1], [-4.0, -4.0])
    loss = losses.npo(s, beta=1e3)
    assert loss.item() == pytest.approx(3.0, rel=1e-12)
    assert gradient(loss, s) == pytest.approx([1.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("beta", [0.01, 0.1, 1.0, 10.0])
def test_npo_starts_as_gradient_ascent_whatever_its_beta(beta: float) -> None:
    # At the reference model d = 0 and the factor 2 sigma(0) is 1: the gradient is that of the mean row sum.
    s = scored([-1.0, -2.0, -3.0], [0, 0, 1], [-3.0, -3.0])
    loss = losses.npo(s, beta=beta)
    assert loss.item() == pytest.approx(2 / beta * LN2, rel=1e-14)
    assert gradient(loss, s) == pytest.approx([0.5, 0.5, 0.5], rel=1e-14)


def test_minimising_learns_with_nll_and_forgets_with_the_others() -> None:
    s = scored(*NPO_ROWS)
    assert all(g < 0 for g in gradient(losses.nll(s), s))
    for forgetting in (losses.ascent(s), losses.ascent(s, bound=9.0), losses.npo(s, beta=0.1)):
        assert all(g > 0 for g in gradient(forgetting, s))


def test_npo_without_a_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="reference"):
        losses.npo(scored([-1.0], [0]), beta=0.1)


def test_row_sums_do_not_depend_on_the_order_of_tokens() -> None:
    forth, back = scored([-1.0, -2.0, -4.0], [0, 1, 0]), scored([-4.0, -2.0, -1.0], [0, 1, 0])
    assert forth.row_sums().tolist() == back.row_sums().tolist() == [-5.0, -2.0]


# A second derivation, from the papers alone: softmax of the logits of the unpadded text in float64, one row at a time.


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return models.load(str(tiny.make(tmp_path_factory.mktemp("losses"))))


def token_probabilities(lm: LanguageModel, row: Encoded) -> np.ndarray:
    """Return p(y_t | x, y_<t) of the answer tokens of a row, from the model's own logits."""
    with torch.no_grad():
        logits = lm.model(input_ids=torch.tensor([row.ids])).logits[0].numpy().astype(np.float64)
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return np.array([p[t - 1, row.ids[t]] for t in range(row.scored_from, len(row.ids))])


def batches(lm: LanguageModel) -> tuple[list[Encoded], list[Encoded]]:
    """Return forget and retain rows whose answers have one token, and several."""
    case = Customers()()
    longer = [replace(r, answer=f"{r.answer} since May") for r in case.forget[5:8]]
    return encode_rows(lm, [*case.forget[:5], *longer]), encode_rows(lm, case.retain[:7])


def moved(lm: LanguageModel, folder: Path) -> LanguageModel:
    """Return a copy of a model with slightly other weights, so that it is not its own reference."""
    lm.save(folder)
    other = models.load(str(folder))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in other.model.parameters():
            p.add_(torch.randn(p.shape, generator=generator), alpha=0.02)
    return other


def test_gradient_ascent_is_equation_1_of_jang_et_al(lm: LanguageModel) -> None:
    forget, _ = batches(lm)
    # Their loss is -sum_t log p(x_t | x_<t), and they go up; so we minimise its negative, divided by the number of tokens.
    p = np.concatenate([token_probabilities(lm, row) for row in forget])
    their_loss = -np.log(p).sum()
    expected = -their_loss / len(p)
    assert losses.ascent(score_batch(lm, forget)).item() == pytest.approx(expected, rel=1e-6)


def test_gradient_difference_is_ascent_on_forget_and_descent_on_retain(lm: LanguageModel) -> None:
    forget, retain = batches(lm)
    p_forget = np.concatenate([token_probabilities(lm, row) for row in forget])
    p_retain = np.concatenate([token_probabilities(lm, row) for row in retain])
    loss_forget, loss_retain = -np.log(p_forget).mean(), -np.log(p_retain).mean()
    scores = {"forget": score_batch(lm, forget), "retain": score_batch(lm, retain)}
    for name in ("gradient_difference", "mask"):
        method = TABLE[name](bound=None, retain_weight=0.7)
        assert method.objective(scores).item() == pytest.approx(-loss_forget + 0.7 * loss_retain, rel=1e-6)
        bounded = TABLE[name](bound=6.5, retain_weight=0.7)
        stopped = np.maximum(np.log(p_forget), -6.5).mean()
        assert bounded.objective(scores).item() == pytest.approx(stopped + 0.7 * loss_retain, rel=1e-6)
    assert np.log(p_forget).min() < -6.5 < np.log(p_forget).max()  # the bound stops some tokens, and not all
    assert len(p_forget) > len(forget)


def test_npo_is_equation_3_of_zhang_et_al(lm: LanguageModel, tmp_path: Path) -> None:
    forget, retain = batches(lm)
    other, beta = moved(lm, tmp_path / "moved"), 0.1
    ratios = np.array([token_probabilities(other, r).prod() / token_probabilities(lm, r).prod() for r in forget])
    # -(2/beta) E log sigma(-beta log ratio), the form they give beside it.
    by_sigmoid = -(2 / beta) * np.mean([math.log(1 / (1 + math.exp(beta * math.log(r)))) for r in ratios])
    by_power = (2 / beta) * np.mean(np.log(1 + ratios**beta))
    assert by_sigmoid == pytest.approx(by_power, rel=1e-12)
    assert np.abs(np.log(ratios)).max() > 0.1  # the models do differ
    reference = reference_sums(lm, forget)
    ours = score_batch(other, forget, reference)
    assert losses.npo(ours, beta=beta).item() == pytest.approx(by_power, rel=1e-6)
    p_retain = np.concatenate([token_probabilities(other, row) for row in retain])
    scores = {"forget": ours, "retain": score_batch(other, retain)}
    expected = by_power - 0.7 * np.log(p_retain).mean()
    assert TABLE["npo"](beta=beta, retain_weight=0.7).objective(scores).item() == pytest.approx(expected, rel=1e-6)
