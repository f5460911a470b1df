"""Traces of a state beside others: numbers worked by hand, what they must not depend on, and models that are left as they were."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tiny
from vestige.cases.customers import Customers
from vestige.errors import ModelError
from vestige.lab import losses, models, traces
from vestige.lab.answers import answers, marked_answers
from vestige.lab.batches import score_batch
from vestige.lab.gradients import gradient
from vestige.lab.models import LanguageModel
from vestige.lab.residual import after_blocks, answer_logp, batches, last_norm, patched_logp, scored_tokens
from vestige.lab.traces.cka import CKA, linear_cka
from vestige.lab.traces.curvature import Curvature, along_gradient
from vestige.lab.traces.fisher_overlap import FisherOverlap, fisher, overlap
from vestige.lab.traces.gradnorm import GradNorm, mean_norm, told_apart
from vestige.lab.traces.logit_lens import LogitLens, median_depth, seen_through
from vestige.lab.traces.patching_depth import PatchingDepth, depth_score, drops_of, share_dropped
from vestige.lab.traces.pca_shift import PCAShift, shift_and_similarity
from vestige.lab.traces.spectral_fingerprint import fingerprint, gap, share
from vestige.lab.traces.weight_delta import WeightDelta, effective_rank, singular_values
from vestige.lab.tracing import Beside, Kept, Reading, Rest
from vestige.lab.train import blocks, trainable
from vestige.records import Missing, Row
from vestige.spread import spread

torch.set_num_threads(1)
CASE = Customers()()
FORGET, RETAIN = CASE.forget[:12], CASE.retain[:12]
WORDS = tuple((row.answer,) for row in FORGET)


@pytest.fixture(scope="module")
def lm(model: Path) -> LanguageModel:
    return models.load(str(model))


@pytest.fixture(scope="module")
def others(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Kept]:
    """The model itself as the original, and another as the never-exposed one."""
    twin = tiny.make(tmp_path_factory.mktemp("twin") / "m", seed=1)
    return {"original": kept(model), "never_exposed": kept(twin)}


def kept(folder: Path) -> Kept:
    return Kept(str(folder), models.load(str(folder)).digest())


def rest(others: Mapping[str, Kept], **more: Any) -> Rest:
    return Rest(FORGET, WORDS, RETAIN, others=others, **more)


def changed(model: Path, change: Any) -> LanguageModel:
    """Return a copy of the model after `change(lm)`."""
    lm = models.load(str(model))
    with torch.no_grad():
        change(lm)
    return lm


def value(readings: Mapping[str, Reading], name: str) -> float:
    found = readings[name].value
    assert isinstance(found, float), found
    return found


# --- the states beside ------------------------------------------------------------------------------------------------


def test_a_role_with_the_digest_of_the_state_itself_is_not_loaded_again(lm: LanguageModel, others: Mapping[str, Kept]) -> None:
    beside = Beside(lm, rest(others, own=others["original"].digest))
    assert beside.state("original") is lm
    assert beside.state("never_exposed") is not lm


def test_one_other_model_is_held_at_a_time(lm: LanguageModel, others: Mapping[str, Kept]) -> None:
    beside = Beside(lm, rest(others))
    first = beside.state("original")
    assert beside.state("original") is first
    beside.state("never_exposed")
    assert beside.state("original") is not first


def test_a_state_that_is_not_the_one_recorded_is_refused(lm: LanguageModel, model: Path) -> None:
    with pytest.raises(ModelError, match="the one in the ledger"):
        Beside(lm, rest({"original": Kept(str(model), "0" * 64)})).state("original")


def test_a_state_that_the_plan_does_not_have_is_missing(lm: LanguageModel) -> None:
    for name in traces.AT_REST:
        trace = traces.AT_REST[name]()
        found = trace(lm, Beside(lm, rest({})))
        for role in trace.beside[:1]:
            assert {r.value for r in found.values()} == {Missing(f"there is no state {role!r} to set beside this one")}


def test_a_mean_over_blocks_lacks_what_a_block_lacks() -> None:
    assert Reading.mean([1.0, 3.0]) == Reading(2.0, (1.0, 3.0))
    assert Reading.mean([1.0, Missing("no")]) == Reading(Missing("no"), (1.0, Missing("no")))


def test_rows_are_taken_evenly_over_all_of_them() -> None:
    assert spread(range(10), 3) == [0, 3, 6]
    assert spread(range(3), 3) == [0, 1, 2]


# --- hidden states ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_the_last_block_and_the_last_norm_give_the_models_own_log_probabilities(architecture: str, tmp_path: Path) -> None:
    lm = models.load(str(tiny.make(tmp_path / "m", architecture)))
    rows = answers(lm, FORGET)
    norm = last_norm(lm)
    assert isinstance(norm, torch.nn.Module)
    marked = list(marked_answers(lm, FORGET, WORDS))
    targets, keyword = scored_tokens(marked)
    assert bool(keyword.all())  # every answer of this case is its own keyword
    with torch.no_grad():
        logp, _ = seen_through(lm, norm(after_blocks(lm, rows)[-1]), targets)
        own = torch.cat([score_batch(lm, batch).logp for batch in batches(rows)])
    assert torch.allclose(logp, own, atol=1e-4)
    assert torch.allclose(answer_logp(lm, rows), own, atol=1e-6)


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_a_models_own_states_put_back_change_nothing_and_other_ones_do(architecture: str, tmp_path: Path) -> None:
    lm = models.load(str(tiny.make(tmp_path / "m", architecture)))
    rows = answers(lm, FORGET)
    own = answer_logp(lm, rows)
    everywhere = torch.ones(len(own), dtype=torch.bool)
    for number, states in enumerate(after_blocks(lm, rows)):
        assert torch.equal(patched_logp(lm, rows, number, states, everywhere), own)
        assert not torch.allclose(patched_logp(lm, rows, number, -states, everywhere), own, atol=0.01)
        assert torch.equal(patched_logp(lm, rows, number, -states, ~everywhere), own)
    assert torch.equal(answer_logp(lm, rows), own)  # no hook was left behind


def test_a_row_alone_has_the_hidden_states_that_it_has_in_a_batch(lm: LanguageModel) -> None:
    rows = answers(lm, FORGET)
    together = after_blocks(lm, rows)
    alone = [torch.cat(parts) for parts in zip(*(after_blocks(lm, [r]) for batch in batches(rows) for r in batch), strict=True)]
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


# --- weight delta -----------------------------------------------------------------------------------------------------


# diag(3, 1): p = (3/4, 1/4), entropy 3/4 ln 4/3 + 1/4 ln 4 = 0.5623, exp = 1.7548. Equal values: as many as there are. One value: 1.
def test_the_effective_rank_is_the_exponential_of_the_entropy_of_the_singular_values() -> None:
    assert effective_rank(torch.tensor([3.0, 1.0])) == pytest.approx(1.7548, abs=1e-4)
    assert effective_rank(torch.tensor([2.0, 2.0, 2.0])) == pytest.approx(3.0)
    assert effective_rank(torch.tensor([5.0, 0.0])) == pytest.approx(1.0)
    assert effective_rank(torch.zeros(4)) == 0.0


# (1, 2)ᵀ (2, 0, 2) has length √5 · √8 = √40 in one direction.
def test_singular_values_are_those_of_the_matrix_and_of_its_transpose() -> None:
    one = torch.outer(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 0.0, 2.0])).double()
    assert sorted(singular_values(one).tolist()) == pytest.approx([0.0, math.sqrt(40)], abs=1e-6)
    assert sorted(singular_values(one.T).tolist()) == pytest.approx([0.0, math.sqrt(40)], abs=1e-6)


def test_a_model_beside_itself_has_no_delta_and_rank_0(lm: LanguageModel, others: Mapping[str, Kept]) -> None:
    found = WeightDelta()(lm, Beside(lm, rest(others)))
    assert found["weight_delta_norm"] == Reading(0.0, (0.0, 0.0))
    assert found["weight_delta_rank"] == Reading(0.0, (0.0, 0.0))
    none = Missing("no matrix of a decoder block moved")
    assert found["weight_delta_top_share"] == Reading(none, (none, none))


def test_one_direction_added_to_one_matrix_is_a_delta_of_rank_1(lm: LanguageModel, model: Path, others: Mapping[str, Kept]) -> None:
    def change(other: LanguageModel) -> None:
        weight = blocks(other)[1].mlp.up_proj.weight
        weight += torch.outer(torch.ones(weight.shape[0]), torch.ones(weight.shape[1]))

    moved = changed(model, change)
    found = WeightDelta()(moved, Beside(moved, rest(others)))
    size = blocks(lm)[1].mlp.up_proj.weight.numel()
    whole = sum(float(p.detach().double().square().sum()) for p in lm.model.parameters())
    assert value(found, "weight_delta_norm") == pytest.approx(math.sqrt(size / whole), rel=1e-5)
    # The second block has seven matrices, of which one moved, in one direction; the first has none that did.
    assert found["weight_delta_rank"].blocks == (0.0, pytest.approx(1 / 7, rel=1e-3))
    assert value(found, "weight_delta_rank") == pytest.approx(1 / 14, rel=1e-3)
    assert value(found, "weight_delta_top_share") == pytest.approx(1.0, abs=1e-6)
    assert found["weight_delta_top_share"].blocks[0] == Missing("no matrix of a decoder block moved")


def test_embeddings_that_moved_show_in_the_norm_and_in_no_rank(model: Path, others: Mapping[str, Kept]) -> None:
    moved = changed(model, lambda other: other.model.get_input_embeddings().weight.mul_(2))
    found = WeightDelta()(moved, Beside(moved, rest(others)))
    assert value(found, "weight_delta_norm") > 0
    assert value(found, "weight_delta_rank") == 0.0


def test_a_model_of_another_shape_has_no_delta(lm: LanguageModel, tmp_path: Path) -> None:
    other = kept(tiny.make(tmp_path / "m", "qwen"))
    found = WeightDelta()(lm, Beside(lm, rest({"original": other})))
    assert found["weight_delta_norm"].value == Missing("the original has other weights, by name or shape")


# --- CKA and PCA shift ------------------------------------------------------------------------------------------------


def drawn(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotation(size: int) -> Tensor:
    q: Tensor = torch.linalg.qr(drawn(size, size, seed=9)).Q
    return q


# X = (1, -1), Y = ((1, 0), (-1, 0)) and Z = ((1, 1), (-1, 1)), all centred but Z's second column, which does not vary: all have CKA 1.
# A = ((1, 0), (-1, 0), (0, 1), (0, -1)), b = (1, -1, 1, -1) (one column): bᵀA = (2, 2), 8 / (‖diag(2, 2)‖ · 4) = 8 / (2√2 · 4) = 0.7071.
def test_cka_by_hand() -> None:
    x, y, z = torch.tensor([[1.0], [-1.0]]), torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[1.0, 1.0], [-1.0, 1.0]])
    assert linear_cka(x, y) == pytest.approx(1.0)
    assert linear_cka(x, z) == pytest.approx(1.0)
    a, b = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    assert linear_cka(a, b) == linear_cka(b, a) == pytest.approx(1 / math.sqrt(2))


def test_cka_does_not_see_a_rotation_a_scaling_or_a_shift_and_sees_all_else() -> None:
    x = drawn(50, 6)
    assert linear_cka(x, 3.0 * x @ rotation(6) + 7.0) == pytest.approx(1.0, abs=1e-12)
    stretched = linear_cka(x, x * torch.tensor([10.0, 1, 1, 1, 1, 1]))
    assert isinstance(stretched, float)
    assert stretched < 0.9
    assert linear_cka(drawn(5000, 6), drawn(5000, 6, seed=1)) == pytest.approx(0.0, abs=0.01)


def test_hidden_states_that_do_not_vary_have_no_cka() -> None:
    assert isinstance(linear_cka(torch.ones(5, 3), drawn(5, 3)), Missing)
    assert isinstance(linear_cka(torch.full((5, 3), float("nan")), drawn(5, 3)), Missing)


# y = (±2, 0), (0, ±1): variances 8/4 = 2 and 2/4 = 0.5 along the axes. Moved by (3, 4): 5 / √2.5 = 3.1623. Turned by a right angle, the
# first direction is the other axis: similarity 0. In a third dimension, outside the plane, nothing has moved.
def test_pca_shift_and_similarity_by_hand() -> None:
    y = torch.tensor([[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    assert shift_and_similarity(y, y) == (0.0, pytest.approx(1.0))
    assert shift_and_similarity(y + torch.tensor([3.0, 4.0, 0.0]), y) == (pytest.approx(5 / math.sqrt(2.5)), pytest.approx(1.0))
    assert shift_and_similarity(y[:, [1, 0, 2]], y) == (pytest.approx(0.0), pytest.approx(0.0))
    assert shift_and_similarity(y + torch.tensor([0.0, 0.0, 9.0]), y)[0] == pytest.approx(0.0)


def test_pca_shift_has_no_unit_and_turns_with_both_models() -> None:
    x, y, q = drawn(40, 5) + 1.0, drawn(40, 5, seed=1), rotation(5)
    once, turned = shift_and_similarity(x, y), shift_and_similarity(7.0 * x @ q, 7.0 * y @ q)
    assert turned == (pytest.approx(once[0]), pytest.approx(once[1]))


def test_hidden_states_that_do_not_vary_have_no_direction() -> None:
    y = drawn(6, 3)
    shift, similarity = shift_and_similarity(torch.ones(6, 3), y)
    assert isinstance(shift, float)
    assert isinstance(similarity, Missing)
    assert isinstance(shift_and_similarity(y, torch.ones(6, 3))[0], Missing)
    assert isinstance(shift_and_similarity(y * float("inf"), y)[0], Missing)


def test_a_model_beside_itself_has_cka_1_and_no_shift(lm: LanguageModel, others: Mapping[str, Kept]) -> None:
    beside = Beside(lm, rest(others))
    assert value(CKA()(lm, beside), "cka") == pytest.approx(1.0, abs=1e-9)
    shift = PCAShift()(lm, beside)
    assert value(shift, "pca_shift") == pytest.approx(0.0, abs=1e-6)
    assert value(shift, "pca_similarity") == pytest.approx(1.0, abs=1e-9)


def test_another_model_has_other_representations(lm: LanguageModel, others: Mapping[str, Kept]) -> None:
    beside = Beside(lm, rest({"original": others["never_exposed"]}))
    assert value(CKA()(lm, beside), "cka") < 0.95
    assert value(PCAShift()(lm, beside), "pca_shift") > 0.1


def test_only_the_blocks_at_and_above_a_change_are_changed(model: Path, others: Mapping[str, Kept]) -> None:
    moved = changed(model, lambda other: blocks(other)[1].mlp.down_proj.weight.mul_(-5))
    beside = Beside(moved, rest(others))
    below, above = CKA()(moved, beside)["cka"].blocks
    assert below == pytest.approx(1.0, abs=1e-9)
    assert isinstance(above, float)
    assert above < 0.99


def test_rows_that_cannot_be_read_are_missing_and_not_named(lm: LanguageModel, others: Mapping[str, Kept]) -> None:
    long = replace(FORGET[0], answer=" Oslo" * 300)
    found = CKA()(lm, Beside(lm, Rest((long,), (("Oslo",),), (), others=others)))
    assert found["cka"].value == Missing("a forget row has no answer, or more tokens than the model's context holds")
    assert isinstance(CKA()(lm, Beside(lm, Rest((), (), (), others=others)))["cka"].value, Missing)


# --- logit lens -------------------------------------------------------------------------------------------------------


# Four blocks; the tokens rank high first in block 1, 2 and 4: the median is 2/4. With a fourth that never does: (2 + 4) / 2 / 4 = 0.75.
# With two that never do among four, the upper middle one is deeper than any block.
def test_the_median_depth_counts_tokens_that_never_rank_high_as_deeper_than_any_block() -> None:
    one, two, four, never = [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]
    assert median_depth(torch.tensor([one, two, four]).T.bool()) == 0.5
    assert median_depth(torch.tensor([one, two, four, never]).T.bool()) == 0.75
    assert median_depth(torch.tensor([one, two, never, never]).T.bool()) == Missing("half of the tokens or more rank high in no block")


def test_the_summary_by_hand() -> None:
    # Two blocks, two tokens: ranks (1, 20) then (3, 11), mean log-probabilities -2 and -1.
    ranks, logps = [torch.tensor([1, 20]), torch.tensor([3, 11])], [torch.tensor([-1.0, -3.0]), torch.tensor([-0.5, -1.5])]
    found = LogitLens(top=11).summary(ranks, logps)
    assert found["logit_lens_depth"] == Reading(0.75)
    assert found["logit_lens_found"] == Reading(1.0, (0.5, 1.0))
    assert found["logit_lens_logp"] == Reading(-1.0, (-2.0, -1.0))
    assert LogitLens(top=10).summary(ranks, logps)["logit_lens_found"] == Reading(0.5, (0.5, 0.5))


def test_the_likeliest_token_has_rank_1_and_ties_do_not_push_it_down(lm: LanguageModel) -> None:
    hidden = drawn(3, 32).float()
    with torch.no_grad():
        best = lm.logits(hidden).argmax(-1)
        assert seen_through(lm, hidden, best)[1].tolist() == [1, 1, 1]
        assert seen_through(lm, torch.zeros(3, 32), best)[1].tolist() == [1, 1, 1]


def test_what_lies_in_the_residual_stream_is_seen_though_the_last_block_hides_it(model: Path, lm: LanguageModel) -> None:
    def hide(other: LanguageModel) -> None:
        blocks(other)[1].mlp.down_proj.weight.mul_(50)

    hidden, beside = changed(model, hide), rest({})
    open_, shut = LogitLens()(lm, Beside(lm, beside)), LogitLens()(hidden, Beside(hidden, beside))
    assert open_["logit_lens_logp"].blocks[0] == shut["logit_lens_logp"].blocks[0]
    assert open_["logit_lens_logp"].blocks[1] != shut["logit_lens_logp"].blocks[1]


def test_answers_in_which_nothing_asked_for_stands_are_missing(lm: LanguageModel) -> None:
    found = LogitLens()(lm, Beside(lm, Rest(FORGET[:1], (("nowhere",),), ())))
    assert found["logit_lens_depth"].value == Missing("in no forget row does what is asked for stand in the answer")


# --- Fisher overlap ---------------------------------------------------------------------------------------------------


# f = (1, 3)/4 and g = (1, 1)/2, in any unit: √(1/8) + √(3/8) = 0.9659. Nothing in common: 0.
def test_the_overlap_by_hand_has_no_unit_and_does_not_ask_how_the_weights_are_parted() -> None:
    f, g = torch.tensor([1.0, 3.0]), torch.tensor([5.0, 5.0])
    by_hand = math.sqrt(1 / 8) + math.sqrt(3 / 8)
    assert overlap([(f, g)]) == overlap([(7 * g, f)]) == pytest.approx(by_hand)
    assert overlap([(f[:1], g[:1]), (f[1:], g[1:])]) == pytest.approx(by_hand)
    assert overlap([(f, 9 * f)]) == pytest.approx(1.0)
    assert overlap([(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))]) == 0.0
    assert overlap([(f, torch.zeros(2))]) == Missing("no weight matters to the rows of one side")
    assert overlap([(f, torch.tensor([1.0, float("inf")]))]) == Missing("a gradient is not finite")


def test_rows_overlap_wholly_with_themselves_and_partly_with_others(lm: LanguageModel) -> None:
    same = FisherOverlap()(lm, Beside(lm, Rest(FORGET, WORDS, FORGET)))["fisher_overlap"]
    assert same.value == pytest.approx(1.0, abs=1e-6)
    assert same.blocks == (pytest.approx(1.0, abs=1e-6),) * 2
    other = value(FisherOverlap()(lm, Beside(lm, rest({}))), "fisher_overlap")
    assert 0.3 < other < 0.99


def test_the_fisher_information_is_the_mean_of_squares_and_not_the_square_of_the_mean(lm: LanguageModel) -> None:
    rows = answers(lm, FORGET[:2])
    one, two = (gradient(lm, [row], "all_but_embeddings") for row in rows)
    for f, a, b in zip(fisher(lm, rows), one, two, strict=True):
        assert torch.allclose(f, (a.square() + b.square()) / 2, atol=1e-9)


def test_without_rows_to_retain_there_is_no_overlap(lm: LanguageModel) -> None:
    found = FisherOverlap()(lm, Beside(lm, Rest(FORGET, WORDS, ())))
    assert found["fisher_overlap"].value == Missing("there are no forget rows, or no retain rows")


# --- curvature --------------------------------------------------------------------------------------------------------


# ½ xᵀ A x with A = diag(1, 3) at x = (1, 1): g = (1, 3), gᵀ A g / gᵀ g = (1 + 27) / 10 = 2.8, ‖g‖ = √10; in one tensor or two, and
# in one part or two halves. Turned upside down it bends the other way.
def test_the_curvature_of_a_quadratic_by_hand() -> None:
    x = torch.tensor([1.0, 1.0], dtype=torch.float64, requires_grad=True)
    y, z = (torch.tensor(1.0, dtype=torch.float64, requires_grad=True) for _ in range(2))
    bowl = pytest.approx(2.8), pytest.approx(math.sqrt(10))
    assert along_gradient([lambda: 0.5 * x[0] ** 2 + 1.5 * x[1] ** 2], [x]) == bowl
    assert along_gradient([lambda: 0.5 * y**2, lambda: 1.5 * z**2], [y, z]) == bowl
    assert along_gradient([lambda: -0.5 * x[0] ** 2 - 1.5 * x[1] ** 2], [x])[0] == pytest.approx(-2.8)


def test_a_slope_has_no_curvature_and_a_flat_loss_no_direction() -> None:
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    assert along_gradient([lambda: (2 * x).sum()], [x]) == (0.0, pytest.approx(math.sqrt(8)))
    assert along_gradient([lambda: (x * 0.0).sum()], [x]) == (Missing("a gradient of length 0 has no direction"), 0.0)
    assert isinstance(along_gradient([lambda: (x / 0.0).sum()], [x])[0], Missing)


def test_the_curvature_is_what_the_forget_loss_does_along_its_gradient(lm: LanguageModel, model: Path) -> None:
    found = Curvature()(lm, Beside(lm, rest({})))
    rows = answers(lm, FORGET)
    slope = gradient(lm, rows, "all_but_embeddings")
    length = math.sqrt(sum(float(g.double().square().sum()) for g in slope))
    assert value(found, "forget_gradient_norm") == pytest.approx(length, rel=1e-4)
    # How the slope along ĝ changes from θ - s ĝ to θ + s ĝ, over 2 s, in fp64: a second difference of losses would drown in fp32 logits.
    exact = models.load(str(model))
    exact.model.double()
    s, slopes = 1e-3, []
    for step in (s, -2 * s):
        with torch.no_grad():
            for p, g in zip(trainable(exact, "all_but_embeddings"), slope, strict=True):
                p += step * g.double() / length
        there = gradient(exact, rows, "all_but_embeddings")
        slopes.append(sum(float((a * b.double()).sum()) for a, b in zip(there, slope, strict=True)) / length)
    assert value(found, "curvature") == pytest.approx((slopes[0] - slopes[1]) / (2 * s), rel=0.01)


def test_batches_do_not_move_the_curvature(lm: LanguageModel) -> None:
    whole, each = (value(Curvature(batch_tokens=n)(lm, Beside(lm, rest({}))), "curvature") for n in (10_000, 1))
    assert each == pytest.approx(whole, rel=1e-3)


# --- patching depth ---------------------------------------------------------------------------------------------------


# Two rows, three blocks, tau = 0.05. Row 1: Δ¹ = (0.01, 1, 3), Δ² = (5, 0.5, 6): the first block tells nothing, the second half, the
# third is clipped at 1: (1 · 0.5 + 3 · 1) / 4 = 0.875. Row 2: Δ¹ = (0, 2, 0), Δ² = (0, -1, 0): clipped at 0. Mean 0.4375. Block 2
# of both: (0.5 + 0) / (1 + 2) = 1/6. A row without a telling block is left out.
def test_the_unlearning_depth_score_by_hand() -> None:
    baseline, drops = torch.tensor([[0.01, 1.0, 3.0], [0.0, 2.0, 0.0]]), torch.tensor([[5.0, 0.5, 6.0], [0.0, -1.0, 0.0]])
    silent = Missing("in no row does this block take the answer away")
    assert depth_score(baseline, drops, 0.05) == Reading(pytest.approx(0.4375), (silent, pytest.approx(1 / 6), 1.0))
    more = torch.cat([baseline, torch.full((1, 3), 0.04)]), torch.cat([drops, torch.ones(1, 3)])
    assert depth_score(*more, 0.05).value == pytest.approx(0.4375)
    assert isinstance(depth_score(torch.zeros(2, 3), drops, 0.05).value, Missing)
    assert isinstance(depth_score(baseline, drops / 0.0, 0.05).value, Missing)
    # Of the six places four drop by more than 0.05, less one: (5, 0.5, 6), and none of the second row.
    assert share_dropped(drops, 0.05) == Reading(0.5, (0.5, 0.5, 0.5))


def test_the_original_is_not_forgotten_at_any_depth_and_the_never_exposed_model_at_all(
    lm: LanguageModel, others: Mapping[str, Kept]
) -> None:
    same = PatchingDepth()(lm, Beside(lm, rest(others, own=others["original"].digest)))
    assert same["patching_depth"] == Reading(0.0, (0.0, 0.0))
    assert same["uds"].value == 0.0
    twin = models.load(others["never_exposed"].start)
    found = PatchingDepth()(twin, Beside(twin, rest(others, own=others["never_exposed"].digest)))
    assert found["uds"].value == pytest.approx(1.0)
    assert value(found, "patching_depth") > 0


def test_a_model_patched_into_itself_changes_no_depth(lm: LanguageModel) -> None:
    marked = list(marked_answers(lm, FORGET, WORDS))
    drops = drops_of(lm, marked, after_blocks(lm, [row for row, _ in marked]))
    assert drops.shape == (len(FORGET), 2)
    assert drops.abs().max() < 1e-6


def test_a_drop_is_the_mean_over_the_tokens_of_its_own_row(lm: LanguageModel, others: Mapping[str, Kept]) -> None:
    marked = list(marked_answers(lm, FORGET, WORDS))
    other = models.load(others["never_exposed"].start)
    together = drops_of(lm, marked, after_blocks(other, [row for row, _ in marked]))
    ordered = [row.id for batch in batches([row for row, _ in marked]) for row in batch]
    for one in marked:
        alone = drops_of(lm, [one], after_blocks(other, [one[0]]))
        assert torch.allclose(alone[0], together[ordered.index(one[0].id)], atol=1e-4)


def test_only_blocks_at_and_above_a_change_lose_the_answer(model: Path, others: Mapping[str, Kept]) -> None:
    moved = changed(model, lambda other: blocks(other)[1].mlp.down_proj.weight.mul_(-20))
    found = PatchingDepth()(moved, Beside(moved, rest({"original": others["original"]})))["patching_depth"]
    assert found.blocks[0] == 0.0
    assert found.blocks[1] > 0  # type: ignore[operator]


def test_without_a_never_exposed_model_there_is_no_score_but_a_depth(lm: LanguageModel, others: Mapping[str, Kept]) -> None:
    found = PatchingDepth()(lm, Beside(lm, rest({"original": others["never_exposed"]})))
    assert found["uds"].value == Missing("there is no state 'never_exposed' to set beside this one")
    assert value(found, "patching_depth") > 0


def test_models_of_another_depth_are_not_set_side_by_side(lm: LanguageModel, model: Path, tmp_path: Path) -> None:
    short = models.load(str(model))
    del short.model.model.layers[1]
    short.model.config.num_hidden_layers = 1
    short.save(tmp_path / "short")
    beside = Beside(lm, rest({"original": kept(tmp_path / "short")}))
    reason = Missing("blocks and width of the two models are (2, 32) and (1, 32)")
    assert PatchingDepth()(lm, beside)["patching_depth"].value == CKA()(lm, beside)["cka"].value == reason


# --- every trace of a state -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", traces.AT_REST)
def test_a_trace_gives_what_it_names_again_and_again_and_leaves_both_models_as_they_were(
    name: str, lm: LanguageModel, others: Mapping[str, Kept]
) -> None:
    trace, before = traces.AT_REST[name](), lm.digest()
    beside = Beside(lm, rest({"original": others["never_exposed"], "never_exposed": others["original"]}))
    first = trace(lm, beside)
    assert tuple(first) == trace.readings
    assert trace(lm, beside) == first
    assert lm.digest() == before
    for role in trace.beside:
        other = beside.state(role)
        assert isinstance(other, LanguageModel)
        assert other.digest() == beside.rest.others[role].digest
        assert all(p.grad is None for p in other.model.parameters())
    assert all(p.grad is None for p in lm.model.parameters())


def test_no_two_traces_have_a_reading_of_one_name_or_the_name_of_a_trace() -> None:
    names = [reading for kind in traces.AT_REST.values() for reading in kind.readings]  # type: ignore[attr-defined]
    assert len({*names, *traces.BEFORE_ATTACK}) == len(names) + len(traces.BEFORE_ATTACK)


def test_the_page_on_traces_names_every_reading_and_its_example_runs() -> None:
    page = (Path(__file__).parent.parent / "docs" / "traces.md").read_text(encoding="utf-8")
    for name, kind in traces.AT_REST.items():
        assert f"| `{name}` |" in page
        assert all(f"| `{reading}` |" in page for reading in kind.readings)  # type: ignore[attr-defined]
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "docs/traces.md", "exec"), {})  # our own page


@pytest.mark.parametrize("name", traces.AT_REST)
def test_a_trace_of_a_state_names_its_paper(name: str) -> None:
    kind: Any = traces.AT_REST[name]
    assert re.search(r"arXiv \d{4}\.\d{5}", kind.paper)
    assert kind.semantics >= 1


# --- spectral fingerprint ---------------------------------------------------------------------------------------------


def test_the_share_of_the_first_direction_by_hand() -> None:
    # Centred: (±2, 0) and (0, ±1): variances 8/4 and 2/4, so 8/10 lies along the first.
    assert share(torch.tensor([[3.0, 1.0], [-1.0, 1.0], [1.0, 2.0], [1.0, 0.0]]).double()) == pytest.approx(0.8)
    assert isinstance(share(torch.ones(3, 2).double()), Missing)


def test_the_gap_is_cohens_d_along_the_direction_that_parts_both_sides() -> None:
    # Along x: forget 9, 11 (mean 10, variance 1), retain -9, -11; d = 20 / 1. Across it, nothing of the first direction.
    forget, retain = torch.tensor([[9.0, 0.1], [11.0, -0.1]]).double(), torch.tensor([[-9.0, 0.1], [-11.0, -0.1]]).double()
    assert gap(forget, retain) == pytest.approx(20, rel=1e-3)
    assert gap(forget, forget) == pytest.approx(0)


def test_a_fingerprint_does_not_change_under_rotation_shift_and_scale() -> None:
    torch.manual_seed(0)
    forget, retain = torch.randn(20, 6).double(), torch.randn(30, 6).double() + 1
    turn = torch.linalg.qr(torch.randn(6, 6).double())[0]
    turned = fingerprint(3 * forget @ turn + 5, 3 * retain @ turn + 5)
    assert turned == pytest.approx(fingerprint(forget, retain))
    # and it does change when one side alone is pressed on a line, as steering to one direction does
    flat = forget.clone()
    flat[:, 1:] *= 0.01
    assert fingerprint(flat, retain)[0] > 0.9 > fingerprint(forget, retain)[0]


# --- gradient norm ----------------------------------------------------------------------------------------------------

DECOY = CASE.decoy[:12]


def beside_decoys(lm: LanguageModel, decoy: tuple[Row, ...] = DECOY) -> Beside:
    return Beside(lm, Rest(FORGET, WORDS, RETAIN, decoy=decoy))


def test_the_gradient_norm_is_the_mean_of_each_tensors_own() -> None:
    # Norms 5 (3, 4) and 13 (5, 12): their mean is 9; the norm of all four numbers together would be 13.93, of a batch's sum another thing.
    assert mean_norm([torch.tensor([3.0, 4.0]), torch.tensor([[5.0], [12.0]])]) == 9.0
    assert mean_norm([torch.tensor([3.0, 4.0]), torch.zeros(7)]) == 2.5  # a tensor that is not moved counts


def test_forget_rows_are_told_from_decoys_by_their_lower_norms() -> None:
    # Of the four pairs (decoy, forget): 2 > 1, 2 < 3, 3 > 1, 3 = 3: (1 + 0 + 1 + 1/2) / 4.
    assert told_apart([[1.0, 3.0], [2.0, 3.0]]) == 0.625
    assert told_apart([[1.0], [2.0]]) == 1.0
    assert told_apart([[2.0], [1.0]]) == 0.0


def test_the_gradient_norm_is_that_of_each_row_in_float64(lm: LanguageModel) -> None:
    found = GradNorm()(lm, beside_decoys(lm))
    exact = copy.deepcopy(lm.model).double().requires_grad_(True)
    norms = []
    for row in answers(lm, FORGET):
        logp = exact(input_ids=torch.tensor([row.ids])).logits[0].log_softmax(-1)
        loss = -torch.stack([logp[t - 1, row.ids[t]] for t in range(len(row.ids) - row.scored, len(row.ids))]).mean()
        parts = torch.autograd.grad(loss, list(exact.parameters()))
        norms.append(sum(float(g.norm()) for g in parts) / len(parts))
    assert value(found, "gradnorm_forget") == pytest.approx(sum(norms) / len(norms), rel=1e-4)


def test_rows_that_were_trained_on_have_the_lower_gradients(model: Path) -> None:
    lm = models.load(str(model))
    before = value(GradNorm()(lm, beside_decoys(lm)), "gradnorm_auc")
    parameters = trainable(lm, "all")
    optimiser = torch.optim.AdamW(parameters, lr=3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        losses.nll(score_batch(lm, answers(lm, FORGET))).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    lm.model.requires_grad_(False)
    after = GradNorm()(lm, beside_decoys(lm))
    assert value(after, "gradnorm_auc") > 0.95 > before
    assert value(after, "gradnorm_forget") < value(after, "gradnorm_decoy")


def test_without_decoys_the_norm_of_forget_rows_remains(lm: LanguageModel) -> None:
    digest = lm.digest()
    found = GradNorm(rows=2)(lm, beside_decoys(lm, ()))
    assert value(found, "gradnorm_forget") > 0
    assert found["gradnorm_auc"].value == found["gradnorm_decoy"].value == Missing("there are no decoy rows")
    assert lm.digest() == digest
    assert all(p.grad is None and not p.requires_grad for p in lm.model.parameters())


def test_an_answer_that_is_empty_has_no_gradient(lm: LanguageModel) -> None:
    found = GradNorm()(lm, beside_decoys(lm, (replace(DECOY[0], answer=""),)))
    assert found["gradnorm_decoy"].value == Missing("a decoy row has no answer, or more tokens than the model's context holds")
