"""Quantisation as an attack: the codes by hand, what is rounded and what is not, and how a plan asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import tiny
from vestige.errors import PlanError, UsageError
from vestige.lab import models
from vestige.lab.attacks.quantise import Quantise, rounded
from vestige.lab.models import LanguageModel
from vestige.plan import resolve
from vestige.plan_reading import build
from vestige.pricing import price

torch.set_num_threads(1)


def never(_step: int) -> bool:
    return False


@pytest.fixture(params=list(tiny.ARCHITECTURES))
def lm(request: pytest.FixtureRequest, tmp_path: Path) -> LanguageModel:
    return models.load(str(tiny.make(tmp_path / request.param, request.param)))


# 4 bits: codes -7 to 7. Row 0: s = 7/7 = 1; 2.4 -> 2, -3.6 -> -4, 0.4 -> 0. Row 1: s = 14/7 = 2; 14 -> 7, 3.2/2 = 1.6 -> 2, which
# is 4, and -14 -> -7.
def test_rounding_to_4_bits_per_output_channel_by_hand() -> None:
    w = torch.tensor([[7.0, 2.4, -3.6, 0.4], [14.0, 3.2, -14.0, 0.0]])
    assert rounded(w, 4, 0).tolist() == [[7.0, 2.0, -4.0, 0.0], [14.0, 4.0, -14.0, 0.0]]


# Groups of 2: (7, 2.4) has s = 1; (-3.6, 0.4) has s = 3.6/7: -3.6 stays, 0.4/(3.6/7) = 0.78 -> 1 code, 3.6/7.
# A last group that is shorter has a scale of its own: with groups of 3, 0.4 is alone and stays.
def test_a_group_has_a_scale_of_its_own() -> None:
    w = torch.tensor([[7.0, 2.4, -3.6, 0.4]])
    assert rounded(w, 4, 2)[0].tolist() == pytest.approx([7.0, 2.0, -3.6, 3.6 / 7])
    assert rounded(w, 4, 3)[0].tolist() == pytest.approx([7.0, 2.0, -4.0, 0.4])


# 8 bits: codes -127 to 127. 12.7/127 = 0.1: 1.23 -> 12 codes, 1.2.
def test_rounding_to_8_bits_by_hand() -> None:
    assert rounded(torch.tensor([[12.7, 1.23, -0.04]]), 8, 0)[0].tolist() == pytest.approx([12.7, 1.2, 0.0])


def test_a_row_of_zeros_stays_a_row_of_zeros() -> None:
    assert rounded(torch.zeros(2, 5), 4, 2).tolist() == torch.zeros(2, 5).tolist()


@pytest.mark.parametrize(("bits", "codes"), [(4, 15), (8, 255)])
def test_the_linear_layers_of_the_blocks_are_rounded_and_nothing_else(lm: LanguageModel, bits: int, codes: int) -> None:
    before = {n: p.detach().clone() for n, p in lm.model.named_parameters()}
    Quantise(bits=bits)(lm, {}, seed=0, on_step=never)  # type: ignore[arg-type]
    for name, after in lm.model.named_parameters():
        if ".layers." in name and after.ndim == 2:
            step = before[name].abs().amax(dim=1) / (codes // 2)
            assert max(len(row.unique()) for row in after) <= codes
            assert ((after - before[name]).abs() <= step[:, None] * 0.5001).all(), name
            assert not torch.equal(after, before[name])
        else:
            assert torch.equal(after, before[name]), name


def test_fewer_bits_and_larger_groups_lose_more(lm: LanguageModel) -> None:
    w = next(p for n, p in lm.model.named_parameters() if ".layers." in n and p.ndim == 2).detach()
    lost = {(bits, group): (rounded(w, bits, group) - w).norm().item() for bits in (4, 8) for group in (0, 8)}
    assert lost[8, 8] < lost[8, 0] < lost[4, 8] < lost[4, 0]


def test_quantising_twice_is_quantising_once(lm: LanguageModel) -> None:
    Quantise(4)(lm, {}, seed=0, on_step=never)
    once = {n: p.detach().clone() for n, p in lm.model.named_parameters()}
    Quantise(4)(lm, {}, seed=0, on_step=never)
    for name, p in lm.model.named_parameters():
        torch.testing.assert_close(p, once[name], rtol=1e-5, atol=1e-7, msg=name)


# A weight moved by less than half a step, away from an edge, has the code it had: what unlearning changed is undone.
def test_a_change_smaller_than_half_a_step_is_undone() -> None:
    w = torch.tensor([[7.0, 2.0, -4.0, 1.0]])
    moved = torch.tensor([[7.0, 2.3, -4.4, 0.6]])
    assert torch.equal(rounded(moved, 4, 0), rounded(w, 4, 0))


def test_a_group_size_below_zero_is_refused(lm: LanguageModel) -> None:
    before = lm.digest()
    with pytest.raises(UsageError, match=r"group_size -1: expected 0"):
        Quantise(4, -1)(lm, {}, seed=0, on_step=never)
    assert lm.digest() == before


def test_other_bits_are_refused_by_the_plan() -> None:
    assert build(Quantise, {"bits": 8, "group_size": 64}, "attacks[0]") == Quantise(8, 64)
    with pytest.raises(PlanError, match=r"attacks\[0\].bits.*seen 3"):
        build(Quantise, {"bits": 3}, "attacks[0]")


def test_a_plan_quantises_in_one_step_and_has_a_price() -> None:
    plan = resolve(
        {
            "vestige": 1,
            "name": "quantised",
            "case": {"name": "customers"},
            "learn": {"epochs": 1},
            "unlearn": {"method": "simnpo", "steps": 3},
            "liar": {"method": "mask", "steps": 3},
            "relearn_sets": [{"recipe": "unrelated", "examples": 8}],
            "attacks": [{"method": "quantise"}, {"method": "relearn", "steps": 4}],
        }
    )
    assert [attack.probe_at for attack in plan.attacks] == [(1,), (1, 2, 4)]
    labels = [c["label"] for c in price(plan)["cells"]]
    # It reads no text, so an arm is rounded once, not once for each relearn set.
    assert [label for label in labels if label.startswith("subject · quantise")] == ["subject · quantise · seed 0"]
