"""What the methods are made of: remembered references, hidden states, other answers, paired streams; and what they refuse."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tiny
from vestige.cases.customers import Customers
from vestige.cases.customers_ja import CustomersJa
from vestige.errors import DataError, ModelError, RunError, UsageError
from vestige.lab import activations, distributions, losses, models, train, unlearn
from vestige.lab.actions import drawn, paired, settings_of
from vestige.lab.adapters import adapters
from vestige.lab.batches import Encoded, by_rows, encode_rows, score_batch
from vestige.lab.models import LanguageModel
from vestige.lab.other_answers import REFUSALS, alternates, refused
from vestige.lab.train import Optimiser, Settings
from vestige.lab.unlearn import TABLE
from vestige.plan_reading import build
from vestige.records import Row, plain

torch.set_num_threads(1)
CASE = Customers()()
DATA = {"forget": CASE.forget[:8], "retain": CASE.retain[:8]}
METHODS = [name for name in TABLE if name != "noise"]
SMALL = {"steps": 3, "learn_steps": 3, "batch_size": 4, "layer": 1, "precision": "float32"}


def make(name: str, **fields: Any) -> Any:
    known = {f.name for f in dataclasses.fields(TABLE[name])}
    return TABLE[name](**{k: v for k, v in {**SMALL, **fields}.items() if k in known})


def never(_step: int) -> bool:
    return False


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return a folder of each architecture, made once."""
    root = tmp_path_factory.mktemp("parts")

    def folder(architecture: str) -> str:
        if not (root / architecture).exists():
            tiny.make(root / architecture, architecture)
        return str(root / architecture)

    return folder


@pytest.fixture
def lm(folders: Callable[[str], str]) -> LanguageModel:
    return models.load(folders("llama"))


# --- a reference without a second model ---


@pytest.mark.parametrize("architecture", ["llama", "llama-untied", "gemma"])
def test_what_was_remembered_does_not_change_with_the_model(folders: Callable[[str], str], architecture: str) -> None:
    lm = models.load(folders(architecture))
    rows = encode_rows(lm, CASE.forget[:5])
    kept = distributions.remember(lm, rows, "float32", head_is_trained=True)
    with torch.no_grad():
        before = lm.model(input_ids=torch.tensor([rows[2].ids])).logits[0, rows[2].scored_from - 1 : -1].log_softmax(-1)
        for p in lm.model.parameters():
            p.add_(torch.randn_like(p), alpha=0.05)
    assert kept.logits([rows[2]]).log_softmax(-1) == pytest.approx(before, abs=1e-5)
    now = kept.look(lm, [rows[2]])
    assert losses.kl_from_reference(now).item() > 1e-3


def test_the_head_is_copied_only_where_it_is_trained(lm: LanguageModel) -> None:
    rows = encode_rows(lm, CASE.forget[:2])
    head = lm.model.get_output_embeddings().weight
    assert distributions.remember(lm, rows, "float32", head_is_trained=False).head.model.get_output_embeddings().weight is head
    copied = distributions.remember(lm, rows, "float32", head_is_trained=True).head.model.get_output_embeddings().weight
    assert copied is not head
    assert torch.equal(copied, head)


@pytest.mark.parametrize("name", ["kl_minimisation", "npo_kl", "undial", "scrub"])
def test_training_the_head_too_measures_from_the_head_as_it_was(name: str, lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    module = __import__(TABLE[name].__module__, fromlist=["remember"])
    real = module.remember
    monkeypatch.setattr(
        module, "remember", lambda *a, head_is_trained: asked.append(head_is_trained) or real(*a, head_is_trained=head_is_trained)
    )
    for which in ("all", "all_but_embeddings", "lora"):
        make(name, train=which, steps=2)(lm, DATA, seed=0, on_step=never)
    assert {True} | {False} == set(asked)
    assert asked == sorted(asked, reverse=True)  # only "all" trains it


def test_only_the_rows_that_will_be_drawn_are_remembered() -> None:
    rows = [Encoded(f"row {n}", (1, 2, 3), 1) for n in range(40)]
    stream, seen = drawn(by_rows(rows, 4, seed=0), 3)
    batches = list(stream)
    assert [[r.id for r in b] for b in batches] == [[r.id for r in b] for b in itertools.islice(by_rows(rows, 4, seed=0), 3)]
    assert sorted(r.id for r in seen) == sorted({r.id for b in batches for r in b})
    assert len(seen) == 12


@pytest.mark.parametrize("name", ["kl_minimisation", "npo_kl", "scrub", "rmu", "adaptive_rmu"])
def test_in_bf16_too_nothing_has_moved_before_the_first_step(name: str, lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    first: list[Any] = []
    real = TABLE[name].objective  # type: ignore[attr-defined]
    monkeypatch.setattr(TABLE[name], "objective", lambda self, seen, *u: first.append(seen["retain"]) or real(self, seen, *u))
    rows = encode_rows(lm, DATA["retain"])
    make(name, precision="bfloat16", steps=1, batch_size=8)(lm, DATA, seed=0, on_step=never)
    # What a reference in fp32 would have made of the rounding is at least a thousand times as much.
    start, seen_first = models.load(lm.name), first[0]
    with torch.no_grad():
        if isinstance(seen_first, losses.Predicted):
            kept = distributions.remember(start, rows, "float32", head_is_trained=False)
            with start.autocast("bfloat16"):
                moved, rounding = (losses.kl_from_reference(seen) for seen in (seen_first, kept.look(start, rows)))
        else:
            held = activations.remember(start, rows, 1, "float32")
            with start.autocast("bfloat16"):
                moved, rounding = (losses.squared_distance(seen, seen.ref) for seen in (seen_first, held.look(start, rows)))
    assert rounding.item() > 1e-6
    assert moved.item() < 1e-3 * rounding.item()


# --- hidden states ---


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
def test_hidden_states_are_the_models_own_and_nothing_above_the_layer_runs(folders: Callable[[str], str], architecture: str) -> None:
    lm = models.load(folders(architecture))
    rows = encode_rows(lm, [CASE.forget[0], replace(CASE.forget[1], answer=" Oslo since early May")])
    ran: list[int] = []
    handles = [b.register_forward_hook(lambda *_, n=n: ran.append(n)) for n, b in enumerate(train.blocks(lm))]
    with torch.no_grad():
        hidden, row = activations.hidden_at(lm, rows, 0)
    assert ran == [0]
    with torch.no_grad():
        lm.model(input_ids=torch.tensor([rows[0].ids]))
    assert ran == [0, 0, 1]  # the next pass goes through again
    for handle in handles:
        handle.remove()
    for place, one in enumerate(rows):
        with torch.no_grad():
            own = lm.model(input_ids=torch.tensor([one.ids]), output_hidden_states=True).hidden_states[1][0, 1:]
        torch.testing.assert_close(hidden[row == place], own, rtol=0, atol=2e-5)


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
@pytest.mark.parametrize("name", ["rmu", "adaptive_rmu"])
def test_rmu_changes_the_matrices_that_write_out_of_the_feed_forward_networks_up_to_its_layer(
    folders: Callable[[str], str], architecture: str, name: str
) -> None:
    for layer, expected in ((0, {0}), (1, {0, 1})):
        lm = models.load(folders(architecture))
        before = {n: p.detach().clone() for n, p in lm.model.named_parameters()}
        make(name, layer=layer, lr=1e-3)(lm, DATA, seed=0, on_step=never)
        changed = {n for n, p in lm.model.named_parameters() if not torch.equal(p, before[n])}
        written = "dense_4h_to_h" if architecture == "gpt-neox" else "down_proj"
        assert changed == {n for n in before if n.endswith(f"{written}.weight") and any(f".layers.{k}." in n for k in expected)}
        assert len(changed) == len(expected)


def test_rmu_trains_three_blocks_and_its_gradient_ends_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tiny._SIZES, "num_hidden_layers", 5)
    lm = models.load(str(tiny.make(tmp_path / "deep")))
    reached: list[str] = []
    for n, p in lm.model.named_parameters():
        p.register_hook(lambda _g, n=n: reached.append(n))
    make("rmu", layer=3, steps=1)(lm, DATA, seed=0, on_step=never)
    assert sorted(set(reached)) == [f"model.layers.{k}.mlp.down_proj.weight" for k in (1, 2, 3)]


def test_rmu_brings_forgotten_states_to_its_target_and_leaves_retained_ones(lm: LanguageModel) -> None:
    forget, retain = (encode_rows(lm, CASE.forget[:8]), encode_rows(lm, DATA["retain"]))
    goal = 30.0 * activations.unit_direction(32, seed=0, device=lm.device)
    kept = {"forget": activations.remember(lm, forget, 1, "float32"), "retain": activations.remember(lm, retain, 1, "float32")}

    def distances() -> tuple[float, float]:
        with torch.no_grad():
            far = losses.squared_distance(kept["forget"].look(lm, forget), goal).item()
            seen = kept["retain"].look(lm, retain)
            return far, losses.squared_distance(seen, seen.ref).item()

    before, _ = distances()
    make("rmu", lr=2e-2, steps=60, batch_size=8, steering=30.0, retain_weight=1.0)(lm, DATA, seed=0, on_step=never)
    after, moved = distances()
    assert after < 0.7 * before
    assert moved < 0.5 * before


@pytest.mark.parametrize("name", ["rmu", "adaptive_rmu"])
@pytest.mark.parametrize("layer", [2, 30, -1])
def test_a_layer_that_does_not_exist_is_refused_before_anything_changes(name: str, layer: int, lm: LanguageModel) -> None:
    before = lm.digest()
    with pytest.raises(UsageError, match=rf"layer {layer}: model .* has 2 decoder blocks; expected 0 to 1"):
        make(name, layer=layer)(lm, DATA, seed=0, on_step=never)
    assert lm.digest() == before


def test_a_block_without_a_feed_forward_network_is_refused(lm: LanguageModel) -> None:
    del train.blocks(lm)[1].mlp
    with pytest.raises(ModelError, match=r"block 1 has no linear layer 'mlp' of output width 32"):
        activations.mlp_outputs(lm, 1)


# --- other answers ---


def test_a_refusal_keeps_the_question_the_id_and_the_space_before_the_answer() -> None:
    rows = refused(CASE.forget, seed=0)
    assert [(r.id, r.prompt) for r in rows] == [(r.id, r.prompt) for r in CASE.forget]
    assert {r.answer for r in rows} == {f" {text}" for text in REFUSALS["en"]}
    assert rows == refused(CASE.forget, seed=0) != refused(CASE.forget, seed=1)


def test_a_japanese_row_is_refused_in_japanese() -> None:
    rows = refused(CustomersJa()().forget[:40], seed=0)
    assert {r.answer.strip() for r in rows} == set(REFUSALS["ja"])


def test_alternates_are_values_that_retained_rows_give_for_the_same_attribute_and_never_the_own_one() -> None:
    found = alternates(CASE.forget, CASE.retain, each=4, seed=0)
    assert list(found) == [r.id for r in CASE.forget]
    for row in CASE.forget:
        given = {r.answer for r in CASE.retain if r.attribute == row.attribute}
        answers = [r.answer for r in found[row.id]]
        assert len(set(answers)) == 4
        assert set(answers) <= given - {row.answer}
        assert all(r.prompt == row.prompt for r in found[row.id])
    ids = [r.id for rows in found.values() for r in rows]
    assert len(ids) == len(set(ids))
    assert found == alternates(CASE.forget, CASE.retain, each=4, seed=0) != alternates(CASE.forget, CASE.retain, each=4, seed=1)


def test_fewer_alternates_than_asked_for_are_taken_as_they_are() -> None:
    one = alternates(CASE.forget[:1], [replace(CASE.forget[0], id="x", answer=" Turku")], each=4, seed=0)
    assert [r.answer for rows in one.values() for r in rows] == [" Turku"]


@pytest.mark.parametrize(
    "retain", [(), (replace(CASE.forget[0], id="x"),), (replace(CASE.forget[0], id="x", answer=" Turku", attribute="Pet"),)]
)
def test_a_row_for_which_there_is_no_alternate_is_refused_by_its_id(retain: tuple[Row, ...]) -> None:
    with pytest.raises(DataError, match=r"row 'Mara Lindqvist/City': no alternate answer; expected retained rows .*'City'"):
        alternates(CASE.forget[:1], retain, each=4, seed=0)


@pytest.mark.parametrize("name", ["idk", "dpo", "altpo"])
def test_a_row_that_asks_nothing_is_refused_by_its_id(name: str, lm: LanguageModel) -> None:
    data = {**DATA, "forget": (Row("text/1", "", "Mara lives in Oslo.", "Mara", "text", attribute="City"),)}
    with pytest.raises(DataError, match=r"row 'text/1': it asks nothing"):
        make(name)(lm, data, seed=0, on_step=never)


def test_a_paired_stream_holds_the_partners_of_the_same_rows_and_partners_take_turns() -> None:
    rows = [Encoded(f"{n}", (1, 2), 1) for n in range(5)]
    partners = {r.id: [Encoded(f"{r.id}#{k}", (3, 4), 1) for k in range(2)] for r in rows}
    left, right = paired(by_rows(rows, 2, seed=0), partners)
    seen = []
    for _ in range(9):  # three epochs
        one, two = next(left), next(right)
        assert [r.id for r in one] == [r.id.split("#")[0] for r in two]
        seen += [r.id for r in two]
    assert all(seen.count(f"{n}#0") == 2 and seen.count(f"{n}#1") == 1 for n in range(5))


# --- the loop ---


def test_a_stream_without_a_batch_is_left_out_of_the_step_and_costs_nothing(lm: LanguageModel) -> None:
    rows = encode_rows(lm, CASE.forget[:4])
    seen: list[set[str]] = []

    def objective(scored: Any) -> Tensor:
        seen.append(set(scored))
        return sum((losses.nll(s) for s in scored.values()), torch.zeros(()))

    streams = {"a": iter([rows, [], rows]), "b": iter([[], rows, rows])}
    spent = train.run(lm, streams, objective, Settings(Optimiser(1e-4), 3, "all", "float32"), never)
    assert seen == [{"a"}, {"b"}, {"a", "b"}]
    assert spent.tokens_trained == 4 * sum(len(r.ids) for r in rows)


def test_scrub_takes_turns_and_ends_with_repair(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    method = make("scrub", steps=8, max_steps=2)
    real = TABLE["scrub"].objective  # type: ignore[attr-defined]
    monkeypatch.setattr(TABLE["scrub"], "objective", lambda self, seen: turns.append("+".join(seen)) or real(self, seen))
    method(lm, DATA, seed=0, on_step=never)
    assert turns == ["retain", "forget", "retain", "forget", "retain", "retain", "retain", "retain"]


def test_a_task_vector_is_walked_in_equal_parts_and_its_sum_is_the_papers_coefficient(folders: Callable[[str], str]) -> None:
    start, tuned, walked = (models.load(folders("llama")) for _ in range(3))
    rows = encode_rows(tuned, DATA["forget"])
    method = make("task_vector", lr=1e-3, learn_steps=4, steps=5, scale=0.2, batch_size=4)
    streams = {"forget": by_rows(rows, 4, seed=3000)}
    train.run(tuned, streams, lambda s: losses.nll(s["forget"]), Settings(Optimiser(1e-3), 4, "all_but_embeddings", "float32"), never)
    method(walked, DATA, seed=3, on_step=never)
    for (name, theta_0), theta_ft, theta in zip(
        start.model.named_parameters(), tuned.model.parameters(), walked.model.parameters(), strict=True
    ):
        # 5 steps of 0.2: theta_0 - 1.0 (theta_ft - theta_0).
        torch.testing.assert_close(theta, 2 * theta_0 - theta_ft, rtol=1e-5, atol=1e-6, msg=name)
    assert any(not torch.equal(a, b) for a, b in zip(start.model.parameters(), walked.model.parameters(), strict=True))


def test_a_gradient_that_is_not_a_number_ends_the_run_though_the_loss_is_one(lm: LanguageModel) -> None:
    rows = encode_rows(lm, CASE.forget[:4])

    def loss(seen: Any) -> Tensor:
        zero = (seen["x"].logp - seen["x"].logp.detach()).sum()
        return losses.nll(seen["x"]) + torch.where(zero == 0, 0.0, zero.abs().sqrt()) + zero.abs().sqrt()  # d sqrt(0) = inf

    with pytest.raises(RunError, match=r"step 1: the length of the gradient is (nan|inf); lower the learning rate"):
        train.run(lm, {"x": by_rows(rows, 4, seed=0)}, loss, Settings(Optimiser(2e-4), 2, "all", "float32"), never)


@pytest.mark.parametrize("name", [n for n in METHODS if n != "task_vector"])
def test_a_diverged_run_is_an_error_that_names_step_and_rate(name: str, lm: LanguageModel) -> None:
    with pytest.raises(RunError, match=r"step \d: the (loss|length of the gradient) is (nan|inf|-inf); lower the learning rate"):
        make(name, lr=1e38, steps=4)(lm, DATA, seed=0, on_step=never)


@pytest.mark.parametrize("name", METHODS)
def test_a_row_with_no_token_to_score_is_an_error_before_anything_changes(name: str, lm: LanguageModel) -> None:
    before = lm.digest()
    for group in TABLE[name].needs:  # type: ignore[attr-defined]
        data = {**DATA, group: (*DATA[group], replace(DATA[group][0], id="empty", answer=""))}
        with pytest.raises(DataError, match=r"row 'empty': no token to score"):
            make(name)(lm, data, seed=0, on_step=never)
    assert lm.digest() == before


def test_an_error_takes_the_adapters_out_again(lm: LanguageModel) -> None:
    kind, before = type(lm.model), lm.digest()
    with pytest.raises(RunError), adapters(lm, 4, 0):
        raise RunError("stop")
    assert type(lm.model) is kind
    assert lm.digest() == before
    with pytest.raises(RunError, match="step"):
        make("simnpo", train="lora", lr=1e38)(lm, DATA, seed=0, on_step=never)
    assert type(lm.model) is kind
    assert lm.digest() == before  # the weights themselves were never trained


def test_a_method_says_how_the_loop_runs() -> None:
    method = make("simnpo", lr=3e-4, steps=7, train="last_block")
    assert settings_of(method, seed=5) == Settings(Optimiser(3e-4), 7, "last_block", "float32", seed=5)


# --- plans ---


@pytest.mark.parametrize("name", list(TABLE))
def test_every_default_of_a_method_may_be_written_into_a_plan(name: str) -> None:
    default = TABLE[name]()
    written = {key: value for key, value in plain(default).items() if value is not None}
    assert build(TABLE[name], written, "unlearn") == default


def test_no_method_keeps_a_second_model(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    import copy

    def refused_copy(value: Any, *_: Any) -> Any:
        raise AssertionError(f"{type(value).__name__} is copied")

    monkeypatch.setattr(copy, "deepcopy", refused_copy)
    for name in METHODS:
        make(name, steps=1)(lm, DATA, seed=0, on_step=never)
    assert unlearn.TABLE is TABLE
    with torch.no_grad():
        assert torch.isfinite(score_batch(lm, encode_rows(lm, DATA["retain"])).logp).all()


def test_no_alternates_at_all_are_refused() -> None:
    with pytest.raises(UsageError, match="alternates = 0: each forget row needs at least one other answer"):
        alternates(CASE.forget, CASE.retain, each=0, seed=0)
