"""The losses of the unlearning methods: numbers worked by hand, limits, signs, and a second derivation from the papers' equations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import tiny
from vestige.cases.customers import Customers
from vestige.cases.unrelated import unrelated_rows
from vestige.lab import activations, distributions, losses, models, train
from vestige.lab.batches import Encoded, encode_rows, reference_sums, score_batch
from vestige.lab.learn import Learn
from vestige.lab.losses import Activations, Predicted, Scored
from vestige.lab.models import LanguageModel
from vestige.lab.unlearn import TABLE

torch.set_num_threads(1)
CASE = Customers()()
LN2, LN3 = math.log(2), math.log(3)


def scored(logp: list[float], row: list[int], ref: list[float] | None = None) -> Scored:
    """Return float64 scores that remember their gradient."""
    values = torch.tensor(logp, dtype=torch.float64, requires_grad=True)
    return Scored(values, torch.tensor(row), max(row) + 1, None if ref is None else torch.tensor(ref, dtype=torch.float64))


def predicted(logits: list[list[float]], target: list[int], ref: list[list[float]]) -> Predicted:
    """Return float64 distributions that remember their gradient."""
    double = {"dtype": torch.float64}
    return Predicted(torch.tensor(logits, requires_grad=True, **double), torch.tensor(target), torch.tensor(ref, **double))  # type: ignore[call-overload]


def gradient(loss: Tensor, of: Tensor) -> list[Any]:
    (found,) = torch.autograd.grad(loss, of)
    return found.tolist()


# Row 0 has tokens of p = 1/2 and 1/4: mean log p = -1.5 ln 2. Row 1 has one token of p = 1/2: mean -ln 2.
TWO_ROWS = ([-LN2, -2 * LN2, -LN2], [0, 0, 1])


# beta = 2: e^(beta m) is 2^-3 and 2^-2; (2/2) mean(ln(1 + 1/8), ln(1 + 1/4)) = ln(9/8 * 5/4)/2 = ln(45/32)/2.
# gamma = ln 2 doubles both: ln(1 + 1/4) and ln(1 + 1/2): ln(15/8)/2.
@pytest.mark.parametrize(("gamma", "expected"), [(0.0, math.log(45 / 32) / 2), (LN2, math.log(15 / 8) / 2)])
def test_simnpo_by_hand(gamma: float, expected: float) -> None:
    assert losses.simnpo(scored(*TWO_ROWS), beta=2.0, gamma=gamma).item() == pytest.approx(expected, rel=1e-14)


# d/dm_i = (2/beta) beta sigma(beta m_i + gamma) / B = sigma, here (1/8)/(9/8) = 1/9 and (1/4)/(5/4) = 1/5; a token has 1/|y| of it.
def test_the_gradient_of_simnpo_by_hand() -> None:
    s = scored(*TWO_ROWS)
    assert gradient(losses.simnpo(s, beta=2.0, gamma=0.0), s.logp) == pytest.approx([1 / 18, 1 / 18, 1 / 5], rel=1e-14)


def test_simnpo_tends_to_ascent_on_the_mean_of_each_row_as_beta_tends_to_zero() -> None:
    s = scored(*TWO_ROWS)
    assert gradient(s.row_means().mean(), s.logp) == [0.25, 0.25, 0.5]
    assert gradient(losses.simnpo(s, beta=1e-5, gamma=0.0), s.logp) == pytest.approx([0.25, 0.25, 0.5], abs=1e-5)


def test_simnpo_counts_a_repeated_answer_once_however_long_where_npo_counts_every_token() -> None:
    short, long = scored([-1.0], [0], [-1.0]), scored([-1.0] * 5, [0] * 5, [-5.0])
    assert losses.simnpo(short, beta=2.5, gamma=0.0).item() == pytest.approx(losses.simnpo(long, beta=2.5, gamma=0.0).item(), rel=1e-14)
    assert sum(gradient(losses.npo(long, beta=0.1), long.logp)) == pytest.approx(5 * sum(gradient(losses.npo(short, beta=0.1), short.logp)))


# One pair: the preferred answer has 4 times its reference probability, the other a quarter of it: margin 2 ln 2 + 2 ln 2 = 4 ln 2.
# beta = 1/2: -(1/beta) ln sigma(2 ln 2) = 2 ln(1 + 1/4). d/dw = -sigma(-2 ln 2) = -(1/4)/(5/4) = -1/5, and the opposite for the other.
def test_dpo_by_hand() -> None:
    win, lose = scored([-3 * LN2], [0], [-5 * LN2]), scored([-6 * LN2, -LN2], [0, 0], [-5 * LN2])
    loss = losses.dpo(win, lose, beta=0.5)
    assert loss.item() == pytest.approx(2 * math.log(1.25), rel=1e-14)
    assert torch.autograd.grad(loss, win.logp, retain_graph=True)[0].tolist() == pytest.approx([-0.2], rel=1e-14)
    assert gradient(loss, lose.logp) == pytest.approx([0.2, 0.2], rel=1e-14)


@pytest.mark.parametrize("beta", [0.01, 0.1, 1.0, 10.0])
def test_dpo_starts_as_half_of_learning_one_answer_and_unlearning_the_other_whatever_its_beta(beta: float) -> None:
    win, lose = scored([-1.0, -2.0], [0, 1], [-1.0, -2.0]), scored([-3.0, -4.0], [0, 1], [-3.0, -4.0])
    loss = losses.dpo(win, lose, beta=beta)
    assert loss.item() == pytest.approx(LN2 / beta, rel=1e-14)
    assert torch.autograd.grad(loss, win.logp, retain_graph=True)[0].tolist() == pytest.approx([-0.25, -0.25], rel=1e-14)
    assert gradient(loss, lose.logp) == pytest.approx([0.25, 0.25], rel=1e-14)


# With a preferred answer that stays at its reference, -(1/beta) ln sigma(-beta d) is half of NPO's (2/beta) ln(1 + e^(beta d)).
def test_dpo_without_a_preferred_answer_is_half_of_npo() -> None:
    lose = scored([-1.0, -5.0, -2.0], [0, 0, 1], [-4.0, -3.0])
    still = scored([-1.0, -1.0], [0, 1], [-1.0, -1.0])
    assert losses.dpo(still, lose, beta=0.3).item() == pytest.approx(losses.npo(lose, beta=0.3).item() / 2, rel=1e-14)


def test_dpo_without_a_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="reference"):
        losses.dpo(scored([-1.0], [0], [-1.0]), scored([-1.0], [0]), beta=0.1)


# p = 1/2, 1/4, 1/8: (1/3)(1/2 * -ln 2 + 1/4 * -2 ln 2 + 1/8 * -3 ln 2) = -(11/8)/3 ln 2, and no gradient through the weights.
def test_weighted_ascent_by_hand() -> None:
    s = scored([-LN2, -2 * LN2, -3 * LN2], [0, 0, 1])
    loss = losses.weighted_ascent(s, power=1.0)
    assert loss.item() == pytest.approx(-11 / 24 * LN2, rel=1e-14)
    assert gradient(loss, s.logp) == pytest.approx([1 / 6, 1 / 12, 1 / 24], rel=1e-14)


def test_weighted_ascent_with_a_power_of_zero_is_gradient_ascent() -> None:
    s = scored([-LN2, -2 * LN2, -3 * LN2], [0, 0, 1])
    assert losses.weighted_ascent(s, power=0.0).item() == losses.ascent(s).item()
    assert gradient(losses.weighted_ascent(s, power=0.0), s.logp) == gradient(losses.ascent(s), s.logp)


# Reference (3/4, 1/4), model (1/2, 1/2). KL(ref || model) = 3/4 ln(3/2) + 1/4 ln(1/2) = 3/4 ln 3 - ln 2, gradient in the logits
# model - ref. KL(model || ref) = 1/2 ln(2/3) + 1/2 ln 2 = 1/2 ln(4/3); d/dz_j = p_j (ln(p_j/q_j) - KL) = 1/2 (ln(2/3) - ln(4/3)/2)
# = -ln(3)/4 for the first.
def test_the_two_divergences_by_hand() -> None:
    one = predicted([[0.0, 0.0]], [0], [[LN3, 0.0]])
    assert losses.kl_from_reference(one).item() == pytest.approx(0.75 * LN3 - LN2, rel=1e-14)
    assert gradient(losses.kl_from_reference(one), one.logits)[0] == pytest.approx([-0.25, 0.25], rel=1e-14)
    assert losses.kl_to_reference(one).item() == pytest.approx(math.log(4 / 3) / 2, rel=1e-14)
    assert gradient(losses.kl_to_reference(one), one.logits)[0] == pytest.approx([-LN3 / 4, LN3 / 4], rel=1e-14)


# A second position at which both agree halves the mean.
@pytest.mark.parametrize("kl", [losses.kl_from_reference, losses.kl_to_reference])
def test_a_divergence_is_a_mean_over_positions_that_is_zero_where_nothing_changed(kl: Callable[[Predicted], Tensor]) -> None:
    two = predicted([[0.0, 0.0], [5.0, 6.0]], [0, 0], [[LN3, 0.0], [5.0, 6.0]])
    one = predicted([[0.0, 0.0]], [0], [[LN3, 0.0]])
    assert kl(two).item() == pytest.approx(kl(one).item() / 2, rel=1e-14)
    same = predicted([[1.0, -2.0, 0.5]], [0], [[4.0, 1.0, 3.5]])  # logits shifted by a constant: the same distribution
    assert kl(same).item() == pytest.approx(0.0, abs=1e-15)
    assert gradient(kl(same), same.logits)[0] == pytest.approx([0.0, 0.0, 0.0], abs=1e-15)


# Reference (3/4, 1/4) with the first token's logit lowered by ln 9: (-ln 3, 0), which is q = (1/4, 3/4). Model (3/4, 1/4):
# H(q, p) = -1/4 ln(3/4) - 3/4 ln(1/4) = ln 4 - ln(3)/4, gradient p - q = (1/2, -1/2). Lowered by ln 3, q is even.
def test_undial_by_hand() -> None:
    one = predicted([[LN3, 0.0]], [0], [[LN3, 0.0]])
    loss = losses.undial(one, strength=2 * LN3)
    assert loss.item() == pytest.approx(2 * LN2 - LN3 / 4, rel=1e-14)
    assert gradient(loss, one.logits)[0] == pytest.approx([0.5, -0.5], rel=1e-14)
    even = predicted([[0.0, 0.0]], [0], [[LN3, 0.0]])
    assert losses.undial(even, strength=LN3).item() == pytest.approx(LN2, rel=1e-14)
    assert gradient(losses.undial(even, strength=LN3), even.logits)[0] == pytest.approx([0.0, 0.0], abs=1e-15)


def test_undial_lowers_the_forget_token_and_no_other() -> None:
    one = predicted([[1.0, 2.0, 3.0]], [1], [[1.0, 2.0, 3.0]])
    pushed = gradient(losses.undial(one, strength=4.0), one.logits)[0]
    assert pushed[1] > 0 > max(pushed[0], pushed[2])
    assert gradient(losses.undial(one, strength=0.0), one.logits)[0] == pytest.approx([0.0] * 3, abs=1e-15)


# Row 0: |(3, 4)|^2 = 25 and 0, mean 12.5. Row 1: |(1, 1)|^2 = 2. Mean of the rows 7.25. d/dh = 2 h / (T_i B).
def test_squared_distance_by_hand() -> None:
    hidden = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1.0, 1.0]], dtype=torch.float64, requires_grad=True)
    seen = Activations(hidden, torch.tensor([0, 0, 1]), 2, torch.zeros(3, 2, dtype=torch.float64))
    assert losses.squared_distance(seen, torch.zeros(2, dtype=torch.float64)).item() == 7.25
    assert gradient(losses.squared_distance(seen, seen.ref), hidden) == [[1.5, 2.0], [0.0, 0.0], [1.0, 1.0]]
    assert losses.squared_distance(seen, hidden.detach()).item() == 0.0


def test_minimising_pushes_each_the_right_way() -> None:
    s = scored(*TWO_ROWS)
    for forgetting in (losses.simnpo(s, beta=2.5, gamma=0.0), losses.weighted_ascent(s, power=1.0)):
        assert all(g > 0 for g in gradient(forgetting, s.logp))
    win, lose = scored([-1.0], [0], [-1.0]), scored([-1.0], [0], [-1.0])
    loss = losses.dpo(win, lose, beta=0.1)
    assert torch.autograd.grad(loss, win.logp, retain_graph=True)[0].item() < 0 < gradient(loss, lose.logp)[0]


# --- a second derivation, from the papers alone: unpadded rows, one at a time, in float64 ---


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return models.load(str(tiny.make(tmp_path_factory.mktemp("methods"))))


@pytest.fixture(scope="module")
def other(lm: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A copy with slightly other weights, so that it is not its own reference."""
    folder = tmp_path_factory.mktemp("other")
    lm.save(folder / "other")
    moved = models.load(str(folder / "other"))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in moved.model.parameters():
            p.add_(torch.randn(p.shape, generator=generator), alpha=0.02)
    return moved


def rows_of(lm: LanguageModel) -> tuple[list[Encoded], list[Encoded]]:
    """Return forget and retain rows whose answers have one token, and several."""
    longer = [replace(r, answer=f"{r.answer} since May") for r in CASE.forget[5:8]]
    return encode_rows(lm, [*CASE.forget[:5], *longer]), encode_rows(lm, CASE.retain[:7])


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def all_logits(lm: LanguageModel, row: Encoded) -> np.ndarray:
    """Return the logits (T_scored, V) that predict the answer tokens of a row, from the model's own forward pass."""
    with torch.no_grad():
        logits = lm.model(input_ids=torch.tensor([row.ids])).logits[0].numpy().astype(np.float64)
    return logits[row.scored_from - 1 : len(row.ids) - 1]


def answer_of(row: Encoded) -> list[int]:
    return list(row.ids[row.scored_from :])


def probabilities(lm: LanguageModel, row: Encoded) -> np.ndarray:
    """Return p(y_t | x, y_<t) of the answer tokens."""
    return softmax(all_logits(lm, row))[np.arange(len(answer_of(row))), answer_of(row)]


def mean_nll(lm: LanguageModel, rows: list[Encoded]) -> float:
    return float(-np.concatenate([np.log(probabilities(lm, r)) for r in rows]).mean())


def seen_by(lm: LanguageModel, other: LanguageModel, rows: list[Encoded]) -> Predicted:
    return distributions.remember(lm, rows, "float32", head_is_trained=False).look(other, rows)


def test_simnpo_is_equation_4_of_fan_et_al(other: LanguageModel) -> None:
    forget, retain = rows_of(other)
    beta, gamma = 2.5, 0.3
    terms = []
    for row in forget:
        log_pi = math.log(probabilities(other, row).prod())
        terms.append(math.log(1 / (1 + math.exp(-(-beta / len(answer_of(row)) * log_pi - gamma)))))
    expected = -(2 / beta) * np.mean(terms) + 0.7 * mean_nll(other, retain)
    seen = {"forget": score_batch(other, forget), "retain": score_batch(other, retain)}
    assert TABLE["simnpo"](beta=beta, gamma=gamma, retain_weight=0.7).objective(seen).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("name", "better", "factor"), [("dpo", "refusal", 1), ("altpo", "alternate", 2)])
def test_dpo_is_equation_2_of_zhang_et_al_and_altpo_twice_that(
    name: str, better: str, factor: int, lm: LanguageModel, other: LanguageModel
) -> None:
    lose, retain = rows_of(lm)
    win = encode_rows(lm, [replace(r, answer=" I cannot say.") for r in CASE.forget[:8]])
    beta, ratio = 0.4, lambda row: probabilities(other, row).prod() / probabilities(lm, row).prod()
    inside = [beta * math.log(ratio(w)) - beta * math.log(ratio(y)) for w, y in zip(win, lose, strict=True)]
    expected = -(factor / beta) * np.mean([math.log(1 / (1 + math.exp(-x))) for x in inside]) + 0.7 * mean_nll(other, retain)
    assert max(map(abs, inside)) > 0.05  # the models do differ
    seen = {
        "forget": score_batch(other, lose, reference_sums(lm, lose)),
        better: score_batch(other, win, reference_sums(lm, win)),
        "retain": score_batch(other, retain),
    }
    assert TABLE[name](beta=beta, retain_weight=0.7).objective(seen).item() == pytest.approx(expected, rel=1e-6)


def test_idk_is_learning_refusals_and_retained_rows(other: LanguageModel) -> None:
    refusals, retain = rows_of(other)
    seen = {"forget": score_batch(other, refusals), "retain": score_batch(other, retain)}
    expected = mean_nll(other, refusals) + 0.7 * mean_nll(other, retain)
    assert TABLE["idk"](retain_weight=0.7).objective(seen).item() == pytest.approx(expected, rel=1e-6)


def test_wga_weighs_each_token_by_a_power_of_its_probability(other: LanguageModel) -> None:
    forget, retain = rows_of(other)
    p = np.concatenate([probabilities(other, row) for row in forget])
    expected = (p**0.5 * np.log(p)).mean() + 0.7 * mean_nll(other, retain)
    seen = {"forget": score_batch(other, forget), "retain": score_batch(other, retain)}
    assert TABLE["wga"](power=0.5, retain_weight=0.7).objective(seen).item() == pytest.approx(expected, rel=1e-6)


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return sum_v p ln(p/q) at each position."""
    return (p * np.log(p / q)).sum(axis=-1)


def test_kl_minimisation_has_the_reference_first_and_npo_kl_the_model(lm: LanguageModel, other: LanguageModel) -> None:
    forget, retain = rows_of(lm)
    before = np.concatenate([softmax(all_logits(lm, row)) for row in retain])
    now = np.concatenate([softmax(all_logits(other, row)) for row in retain])
    assert divergence(before, now).mean() != pytest.approx(divergence(now, before).mean(), rel=1e-3)
    ascent = np.concatenate([np.log(probabilities(other, row)) for row in forget]).mean()
    ours = {"forget": score_batch(other, forget, reference_sums(lm, forget)), "retain": seen_by(lm, other, retain)}
    kl = TABLE["kl_minimisation"](bound=None, retain_weight=30.0).objective(ours).item()
    assert kl == pytest.approx(ascent + 30 * divergence(before, now).mean(), rel=1e-5)
    ratios = np.array([probabilities(other, r).prod() / probabilities(lm, r).prod() for r in forget])
    npo = 2 / 0.1 * np.mean(np.log(1 + ratios**0.1))
    npo_kl = TABLE["npo_kl"](beta=0.1, retain_weight=30.0).objective(ours).item()
    assert npo_kl == pytest.approx(npo + 30 * divergence(now, before).mean(), rel=1e-5)


def test_undial_distils_the_reference_with_the_forget_tokens_lowered(lm: LanguageModel, other: LanguageModel) -> None:
    forget, _ = rows_of(lm)
    terms = []
    for row in forget:
        z, now = all_logits(lm, row), softmax(all_logits(other, row))
        for t, token in enumerate(answer_of(row)):
            z[t, token] -= 5.0
            terms.append(-(softmax(z[t]) * np.log(now[t])).sum())
    ours = {"forget": seen_by(lm, other, forget)}
    assert TABLE["undial"](strength=5.0).objective(ours).item() == pytest.approx(np.mean(terms), rel=1e-6)


def test_scrub_is_the_whole_objective_of_kurmanji_et_al_in_turns(lm: LanguageModel, other: LanguageModel) -> None:
    forget, retain = rows_of(lm)
    method = TABLE["scrub"](kl_weight=3.0, retain_weight=0.7)
    means = []
    for rows in (forget, retain):
        before = np.concatenate([softmax(all_logits(lm, row)) for row in rows])
        means.append(divergence(before, np.concatenate([softmax(all_logits(other, row)) for row in rows])).mean())
    assert method.objective({"forget": seen_by(lm, other, forget)}).item() == pytest.approx(-means[0], rel=1e-4)
    expected = 3 * means[1] + 0.7 * mean_nll(other, retain)
    assert method.objective({"retain": seen_by(lm, other, retain)}).item() == pytest.approx(expected, rel=1e-5)


def block_output(lm: LanguageModel, row: Encoded) -> np.ndarray:
    """Return what block 0 gives at every position of a row but the first."""
    with torch.no_grad():
        states = lm.model(input_ids=torch.tensor([row.ids]), output_hidden_states=True).hidden_states
    return states[1][0, 1:].numpy().astype(np.float64)


def test_rmu_and_adaptive_rmu_are_their_equations(lm: LanguageModel, other: LanguageModel) -> None:
    forget, retain = rows_of(lm)
    ours = {name: activations.remember(lm, rows, 0, "float32").look(other, rows) for name, rows in (("forget", forget), ("retain", retain))}
    u = activations.unit_direction(32, seed=3, device=lm.device)
    plain = adaptive = kept = 0.0
    for row in forget:
        now, before = block_output(other, row), block_output(lm, row)
        plain += ((now - 6.5 * u.numpy()) ** 2).sum(axis=1).mean() / len(forget)
        goal = 5.0 * np.sqrt((before**2).sum(axis=1))[:, None] * u.numpy()
        adaptive += ((now - goal) ** 2).sum(axis=1).mean() / len(forget)
    for row in retain:
        kept += ((block_output(other, row) - block_output(lm, row)) ** 2).sum(axis=1).mean() / len(retain)
    assert kept > 0.01
    rmu = TABLE["rmu"](steering=6.5, retain_weight=100.0).objective(ours, u).item()
    assert rmu == pytest.approx(plain + 100 * kept, rel=1e-5)
    adaptive_rmu = TABLE["adaptive_rmu"](scale=5.0, retain_weight=100.0).objective(ours, u).item()
    assert adaptive_rmu == pytest.approx(adaptive + 100 * kept, rel=1e-5)


def test_the_direction_is_a_unit_vector_in_the_positive_orthant_drawn_by_the_seed() -> None:
    u, same, another = (activations.unit_direction(64, seed=s, device=torch.device("cpu")) for s in (1, 1, 2))
    assert u.norm().item() == pytest.approx(1.0, rel=1e-6)
    assert bool((u >= 0).all())
    assert torch.equal(u, same)
    assert not torch.allclose(u, another)


# --- the label shift, padding and splitting, for what is more than log-probabilities ---


@pytest.fixture(scope="module", params=["llama", "gpt-neox", "gemma"])
def any_lm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return models.load(str(tiny.make(tmp_path_factory.mktemp("any") / request.param, request.param)))


def test_distributions_stand_where_log_probabilities_do(any_lm: LanguageModel) -> None:
    rows = encode_rows(any_lm, CASE.forget[:4] + unrelated_rows()[:2])
    with torch.no_grad():
        seen = distributions.remember(any_lm, rows, "float32", head_is_trained=False).look(any_lm, rows)
        assert losses.cross_entropy(seen).item() == pytest.approx(losses.nll(score_batch(any_lm, rows)).item(), abs=2e-5)
        # What was remembered is what the model says now: it has not changed.
        assert losses.kl_from_reference(seen).item() == pytest.approx(0.0, abs=1e-5)
    assert seen.target.tolist() == [token for row in rows for token in answer_of(row)]


SHORT, LONG = Encoded("short", tuple(range(30, 36)), 3), Encoded("long", tuple(range(40, 71)), 1)


def test_padding_never_changes_a_distribution_or_an_activation(any_lm: LanguageModel) -> None:
    with torch.no_grad():
        for rows in ([SHORT], [LONG, SHORT]):
            seen = distributions.remember(any_lm, rows, "float32", head_is_trained=False).look(any_lm, rows)
            one = Predicted(*(x[-3:] for x in (seen.logits, seen.target, seen.ref)))
            hidden = activations.remember(any_lm, rows, 1, "float32").look(any_lm, rows)
            last = Activations(hidden.hidden[-5:], torch.zeros(5, dtype=torch.long), 1, hidden.ref[-5:])
            found = (losses.cross_entropy(one), losses.undial(one, strength=3.0), losses.squared_distance(last, torch.ones(32)))
            if rows == [SHORT]:
                alone = found
    for together, by_itself in zip(found, alone, strict=True):
        assert together.item() == pytest.approx(by_itself.item(), rel=2e-5)


def flat(lm: LanguageModel, loss: Tensor) -> Tensor:
    grads = torch.autograd.grad(loss, [p for p in lm.model.parameters() if p.requires_grad], allow_unused=True, materialize_grads=True)
    return torch.cat([g.flatten() for g in grads])


def test_splitting_a_batch_changes_the_gradient_by_rounding_only(lm: LanguageModel, other: LanguageModel) -> None:
    other.model.requires_grad_(True)
    rows = encode_rows(lm, CASE.forget[:4] + unrelated_rows()[:1])
    tokens = sum(r.scored for r in rows)
    kept, held = distributions.remember(lm, rows, "float32", head_is_trained=False), activations.remember(lm, rows, 0, "float32")
    sums, u = reference_sums(lm, rows), activations.unit_direction(32, seed=0, device=lm.device)
    by_tokens: list[Callable[[list[Encoded]], Tensor]] = [
        lambda b: losses.kl_from_reference(kept.look(other, b)),
        lambda b: losses.kl_to_reference(kept.look(other, b)),
        lambda b: losses.undial(kept.look(other, b), strength=5.0),
        lambda b: losses.weighted_ascent(score_batch(other, b), power=1.0),
    ]
    by_rows: list[Callable[[list[Encoded]], Tensor]] = [
        lambda b: losses.simnpo(score_batch(other, b), beta=2.5, gamma=0.0),
        lambda b: (
            losses.dpo(score_batch(other, b, dict.fromkeys(sums, -9.0)), score_batch(other, b, sums), beta=0.1)
            + losses.npo(score_batch(other, b, sums), beta=0.1)
        ),
        lambda b: losses.squared_distance(held.look(other, b), 6.5 * u),
    ]
    for loss, share in [(x, lambda r: r.scored / tokens) for x in by_tokens] + [(x, lambda r: 1 / len(rows)) for x in by_rows]:
        whole = flat(other, loss(rows))
        split = torch.stack([share(r) * flat(other, loss([r])) for r in rows]).sum(0)
        assert whole.norm() > 0
        assert (whole - split).norm() < 2e-5 * whole.norm()
    other.model.requires_grad_(False)


# --- no two methods are one ---

DATA = {
    "forget": (*CASE.forget[:6], *(replace(r, answer=f"{r.answer} since early May") for r in CASE.forget[6:9])),
    "retain": CASE.retain[:9],
}


def gradient_of(name: str, lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Return a method's gradient on one fixed batch, at weights that are the reference's but for one and the same noise."""
    found: dict[str, Tensor] = {}

    def update(_optimiser: Any, parameters: list[Tensor], _settings: Any, step: int) -> None:
        if step == 1:
            generator = torch.Generator().manual_seed(9)
            with torch.no_grad():
                for p in lm.model.parameters():
                    p.add_(torch.randn(p.shape, generator=generator), alpha=0.02)
        else:
            found.update({n: p.grad.clone() for n, p in lm.model.named_parameters() if p.grad is not None})
        for p in parameters:
            p.grad = None

    monkeypatch.setattr(train, "_update", update)
    known = TABLE[name].__dataclass_fields__
    fields = {"steps": 2, "learn_steps": 2, "batch_size": 9, "layer": 1, "retain_weight": 1.0, "precision": "float32"}
    TABLE[name](**{k: v for k, v in fields.items() if k in known})(lm, DATA, seed=0, on_step=lambda _: False)
    return torch.cat([found.get(n, torch.zeros_like(p)).flatten() for n, p in lm.model.named_parameters()])


def test_on_one_batch_no_two_methods_have_the_same_gradient(lm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lm.save(tmp_path / "start")
    knows = models.load(str(tmp_path / "start"))  # where nothing is known, all that is left of some methods is their retain term
    Learn(lr=5e-3, epochs=12, train="all", precision="float32")(
        knows, {"train": DATA["forget"] + DATA["retain"]}, seed=0, on_step=lambda _: False
    )
    knows.save(tmp_path / "start")
    names = [n for n in TABLE if n != "noise"]
    found: Mapping[str, Tensor] = {n: gradient_of(n, models.load(str(tmp_path / "start")), monkeypatch) for n in names}
    assert all(g.norm() > 0 for g in found.values())
    for one, two in itertools.combinations(names, 2):
        cosine = torch.nn.functional.cosine_similarity(found[one].double(), found[two].double(), dim=0).item()
        assert cosine < 0.999, (one, two, cosine)
