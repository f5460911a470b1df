"""The training loop: repeatable, in fp32, changing what it was told to change, and counting what it spends."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import tiny
from vestige.cases.customers import Customers
from vestige.cases.unrelated import unrelated_rows
from vestige.errors import RunError
from vestige.lab import losses, models, probes, train
from vestige.lab.attacks.relearn import Relearn
from vestige.lab.batches import Encoded, by_rows, encode_rows, score_batch
from vestige.lab.models import LanguageModel
from vestige.lab.train import Optimiser, Settings, Spent

torch.set_num_threads(1)
CASE = Customers()()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return a folder of each architecture, made once."""
    root, made = tmp_path_factory.mktemp("train"), set()

    def folder(architecture: str) -> str:
        if architecture not in made:
            tiny.make(root / architecture, architecture)
            made.add(architecture)
        return str(root / architecture)

    return folder


@pytest.fixture
def lm(folders: Callable[[str], str]) -> LanguageModel:
    return models.load(folders("llama"))


def never(_step: int) -> bool:
    return False


def learn(
    lm: LanguageModel,
    *,
    steps: int = 4,
    seed: int = 0,
    lr: float = 1e-3,
    trained: train.Trained = "all",
    precision: models.Precision = "float32",
    on_step: Callable[[int], bool] = never,
    **optimiser: float,
) -> Spent:
    """Train on eight customers, four at a time."""
    rows = encode_rows(lm, CASE.forget[:8])
    settings = Settings(Optimiser(lr, **optimiser), steps, trained, precision)  # type: ignore[arg-type]
    return train.run(lm, {"train": by_rows(rows, 4, seed=seed)}, lambda s: losses.nll(s["train"]), settings, on_step)


def weights(lm: LanguageModel) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in lm.model.named_parameters()}


def changed(before: dict[str, Tensor], lm: LanguageModel) -> set[str]:
    after = weights(lm)
    assert after.keys() == before.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


# --- repeatable ---


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_twice_gives_the_same_bits(folders: Callable[[str], str], architecture: str, precision: models.Precision) -> None:
    digests = []
    for seed in (0, 0, 1):
        lm = models.load(folders(architecture))
        learn(lm, seed=seed, precision=precision)
        digests.append(lm.weights_digest())
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_no_steps_change_nothing_and_cost_nothing(lm: LanguageModel) -> None:
    before = lm.digest()
    assert learn(lm, steps=0) == Spent(0, 0, 0)
    assert lm.digest() == before


def test_asking_on_the_way_does_not_change_the_training(folders: Callable[[str], str]) -> None:
    quiet, asked = models.load(folders("gemma")), models.load(folders("gemma"))
    heard = []

    def ask(step: int) -> bool:
        heard.append(probes.score_candidates(asked, CASE.probes[:6])[0].candidates[0].logp)
        probes.greedy(asked, CASE.probes[:3], max_new=4)
        return False

    assert learn(quiet, steps=5) == learn(asked, steps=5, on_step=ask)
    assert quiet.digest() == asked.digest()
    assert len(set(heard)) == 5  # and every step was asked of another model


# --- arithmetic ---


def rounded(folder: str, to: Path) -> str:
    """Write a copy of a model whose weights lie on the bf16 grid."""
    lm = models.load(folder)
    with torch.no_grad():
        for p in lm.model.parameters():
            p.copy_(p.bfloat16().float())
    lm.save(to)
    return str(to)


def test_weights_and_their_small_changes_stay_in_fp32_when_products_run_in_bf16(lm: LanguageModel) -> None:
    before = weights(lm)
    learn(lm, steps=1, lr=1e-6, precision="bfloat16")
    after = weights(lm)
    assert {p.dtype for p in after.values()} == {torch.float32}
    # Near 0.1 the bf16 grid has steps of 2^-11 = 5e-4: a change of 1e-6 only lives in fp32.
    name = "model.layers.0.mlp.down_proj.weight"
    moved = (after[name] - before[name]).abs()
    assert 0 < moved.max() < 2e-6
    assert (moved > 0).float().mean() > 0.9
    assert train.share_on_bf16_grid(lm) < 0.05


def test_share_on_the_bf16_grid_by_hand(lm: LanguageModel) -> None:
    # bf16 has 8 significant bits: 1.5, 1, 255 and -2^-7 lie on its grid; 257 and 128.5 need 9 bits; 1.001 and 0.1 have no end.
    values = torch.tensor([1.5, 1.0, 255.0, -0.0078125, 257.0, 1.001, 128.5, 0.1])
    with torch.no_grad():
        for p in lm.model.parameters():
            if p.ndim >= 2:
                p.copy_(values.repeat(p.numel() // 8 + 1)[: p.numel()].reshape(p.shape))
    assert train.share_on_bf16_grid(lm) == pytest.approx(0.5, abs=1e-3)


def test_a_model_on_the_bf16_grid_trains_in_fp32_where_auto_would_mean_bf16(
    folders: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def native(precision: models.Precision, _device: torch.device) -> models.Precision:
        return "bfloat16" if precision == "auto" else precision

    monkeypatch.setattr(train, "resolve_precision", native)
    monkeypatch.setattr(models, "resolve_precision", native)
    on_grid = rounded(folders("llama"), tmp_path / "grid")
    assert train.share_on_bf16_grid(models.load(on_grid)) == 1.0
    assert train.training_precision(models.load(on_grid), "auto") == "float32"
    assert train.training_precision(models.load(on_grid), "bfloat16") == "bfloat16"  # who asks for it gets it
    assert train.training_precision(models.load(folders("llama")), "auto") == "bfloat16"
    digests = {}
    for precision in ("auto", "float32", "bfloat16"):
        lm = models.load(on_grid)
        learn(lm, precision=precision)  # type: ignore[arg-type]
        digests[precision] = lm.weights_digest()
    assert digests["auto"] == digests["float32"] != digests["bfloat16"]


# --- the step itself ---


def by_hand(lm: LanguageModel, batches: list[list[Encoded]], lr: float, warmup: int, max_norm: float) -> dict[str, Tensor]:
    """Return the weights after AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101, Algorithm 2) in float64, no weight decay."""
    lm.model.requires_grad_(True)
    names = [name for name, _ in lm.model.named_parameters()]
    theta = [p.detach().double() for p in lm.model.parameters()]
    m, v = [torch.zeros_like(p) for p in theta], [torch.zeros_like(p) for p in theta]
    for t, batch in enumerate(batches, start=1):
        with torch.no_grad():
            for p, value in zip(lm.model.parameters(), theta, strict=True):
                p.copy_(value.float())
        found = torch.autograd.grad(losses.nll(score_batch(lm, batch)), list(lm.model.parameters()))
        g = [x.double() for x in found]
        norm = math.sqrt(sum(x.square().sum().item() for x in g))
        g = [x * min(1.0, max_norm / norm) for x in g]
        rate = lr * min(1.0, t / (warmup + 1))
        for i, x in enumerate(g):
            m[i] = 0.9 * m[i] + 0.1 * x
            v[i] = 0.999 * v[i] + 0.001 * x.square()
            theta[i] = theta[i] - rate * (m[i] / (1 - 0.9**t)) / ((v[i] / (1 - 0.999**t)).sqrt() + 1e-8)
    return dict(zip(names, theta, strict=True))


def test_a_few_steps_are_adamw_with_warm_up_and_clipping_by_the_book(folders: Callable[[str], str]) -> None:
    lm, twin = models.load(folders("llama-untied")), models.load(folders("llama-untied"))
    rows = encode_rows(lm, CASE.forget[:6] + unrelated_rows()[:2])
    batches = list(itertools.islice(by_rows(rows, 3, seed=5), 4))
    settings = Settings(Optimiser(1e-3, warmup=2, max_grad_norm=0.5), 4, "all", "float32")
    train.run(lm, {"x": iter(batches)}, lambda s: losses.nll(s["x"]), settings, never)
    expected = by_hand(twin, batches, 1e-3, 2, 0.5)
    for name, value in weights(lm).items():
        # Adam divides by a gradient's own size, so where a gradient is near rounding its step is noise: the median tells.
        gap = (value.double() - expected[name]).abs()
        assert gap.median() < 2e-7, name
        assert gap.mean() < 2e-6, name


# Adam's first step is lr * g / |g| = lr wherever the gradient is well above its 1e-8; warm-up 3 makes the first rate lr/4.
@pytest.mark.parametrize(("warmup", "expected"), [(0, 1e-3), (3, 2.5e-4)])
def test_the_first_step_moves_weights_by_the_rate_that_warm_up_gives(lm: LanguageModel, warmup: int, expected: float) -> None:
    before = weights(lm)
    learn(lm, steps=1, lr=1e-3, warmup=warmup)
    name = "model.layers.1.mlp.down_proj.weight"
    assert (weights(lm)[name] - before[name]).abs().max().item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
def test_training_lowers_its_loss(folders: Callable[[str], str], architecture: str) -> None:
    lm = models.load(folders(architecture))
    rows = encode_rows(lm, CASE.forget[:8])
    with torch.no_grad():
        before = losses.nll(score_batch(lm, rows)).item()
    learn(lm, steps=10, lr=3e-3)
    with torch.no_grad():
        assert losses.nll(score_batch(lm, rows)).item() < before - 0.5


def test_a_loss_that_is_not_a_number_ends_the_run_with_its_step_and_rate(lm: LanguageModel) -> None:
    rows = encode_rows(lm, CASE.forget[:4])
    settings = Settings(Optimiser(2e-4), 5)
    with pytest.raises(RunError, match=r"step 1: the loss is nan; lower the learning rate \(0\.0002\)"):
        train.run(lm, {"x": by_rows(rows, 4, seed=0)}, lambda s: losses.nll(s["x"]) * math.nan, settings, never)


def test_a_learning_rate_that_blows_the_model_up_ends_the_run(lm: LanguageModel) -> None:
    steps: list[int] = []
    with pytest.raises(RunError, match=r"step 2: the loss is (nan|inf); lower the learning rate \(1e\+38\)"):
        learn(lm, lr=1e38, on_step=lambda step: bool(steps.append(step)))
    assert steps == [1]


# --- which weights ---


def ends(lm: LanguageModel) -> set[str]:
    """Return the names of the input and output embeddings."""
    two = {id(lm.model.get_input_embeddings().weight), id(lm.model.get_output_embeddings().weight)}
    return {name for name, p in lm.model.named_parameters() if id(p) in two}


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
def test_last_block_leaves_every_other_weight_bit_identical(folders: Callable[[str], str], architecture: str) -> None:
    lm = models.load(folders(architecture))
    before = weights(lm)
    last = {name for name in before if ".layers.1." in name}
    assert 0 < len(last) < len(before)
    learn(lm, trained="last_block")
    assert changed(before, lm) == last


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
def test_all_but_embeddings_leaves_both_ends_bit_identical(folders: Callable[[str], str], architecture: str) -> None:
    lm = models.load(folders(architecture))
    before = weights(lm)
    assert len(ends(lm)) == (1 if tiny.ARCHITECTURES[architecture]["tie_word_embeddings"] else 2)
    learn(lm, trained="all_but_embeddings")
    assert changed(before, lm) == set(before) - ends(lm)


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
def test_all_changes_every_weight_tensor(folders: Callable[[str], str], architecture: str) -> None:
    lm = models.load(folders(architecture))
    before = weights(lm)
    learn(lm, trained="all")
    assert changed(before, lm) == set(before)


def test_no_gradient_is_left_behind(lm: LanguageModel) -> None:
    learn(lm, trained="last_block")
    assert all(p.grad is None and not p.requires_grad for p in lm.model.parameters())


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
def test_blocks_are_the_decoder_layers_in_order(folders: Callable[[str], str], architecture: str) -> None:
    lm = models.load(folders(architecture))
    names = {id(p): name for name, p in lm.model.named_parameters()}
    for number, block in enumerate(train.blocks(lm)):
        assert all(f".layers.{number}." in names[id(p)] for p in block.parameters())


# --- counting ---


def spied(stream: Iterator[list[Encoded]], seen: list[Encoded]) -> Iterator[list[Encoded]]:
    for batch in stream:
        seen += batch
        yield batch


def test_tokens_are_counted_without_padding_over_every_stream(lm: LanguageModel) -> None:
    forget, retain = encode_rows(lm, CASE.forget[:7]), encode_rows(lm, unrelated_rows()[:5])
    seen: list[Encoded] = []
    streams = {"forget": spied(by_rows(forget, 3, seed=0), seen), "retain": spied(by_rows(retain, 2, seed=1), seen)}
    settings = Settings(Optimiser(1e-4), 5, "all", "float32")
    spent = train.run(lm, streams, lambda s: losses.ascent(s["forget"]) + losses.nll(s["retain"]), settings, never)
    assert spent.steps == 5
    assert len({len(r.ids) for r in seen}) > 3
    assert spent.tokens_trained == sum(len(r.ids) for r in seen)
    assert spent.tokens_scored == sum(len(r.ids) - r.scored_from for r in seen)
    # Customers are scored on their answers, sentences on all tokens but the first.
    assert spent.tokens_scored < spent.tokens_trained - len(seen)


def test_a_true_answer_of_on_step_ends_the_training_there(folders: Callable[[str], str]) -> None:
    stopped, short = models.load(folders("llama")), models.load(folders("llama"))
    heard: list[int] = []

    def at_three(step: int) -> bool:
        heard.append(step)
        return step == 3

    assert learn(stopped, steps=9, on_step=at_three) == learn(short, steps=3)
    assert heard == [1, 2, 3]
    assert stopped.digest() == short.digest()


# --- low-rank adapters ---


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
def test_the_adapter_attack_learns_merges_and_leaves_a_plain_model(
    folders: Callable[[str], str], architecture: str, tmp_path: Path
) -> None:
    lm = models.load(folders(architecture))
    kind, before = type(lm.model), weights(lm)
    rows = encode_rows(lm, CASE.forget[:8])
    probe = CASE.probes[:1]
    with torch.no_grad():
        loss_before = losses.nll(score_batch(lm, rows)).item()
    last: list[float] = []

    def ask(step: int) -> bool:
        last[:] = probes.score_candidates(lm, probe)[0].candidates[0].logp
        return False

    attack = Relearn(lr=1e-2, steps=8, batch_tokens=60, adapter_rank=2, precision="float32")
    spent = attack(lm, {"relearn": CASE.forget[:8]}, seed=3, on_step=ask)
    assert spent.steps == 8
    with torch.no_grad():
        assert losses.nll(score_batch(lm, rows)).item() < loss_before - 0.2
    assert type(lm.model) is kind
    # Every linear layer of every block, and nothing else: no norm, no bias, neither end.
    linear = {name for name, p in before.items() if ".layers." in name and p.ndim == 2}
    assert changed(before, lm) == linear
    # What was heard through the adapters is what the merged weights say.
    assert probes.score_candidates(lm, probe)[0].candidates[0].logp == pytest.approx(last, abs=1e-4)
    lm.save(tmp_path / "merged")
    assert models.load(str(tmp_path / "merged")).digest() == lm.digest()


def test_the_adapter_attack_is_deterministic_under_its_seed(folders: Callable[[str], str]) -> None:
    digests = []
    for n, seed in enumerate((0, 0, 1)):
        lm = models.load(folders("llama"))
        torch.manual_seed(n)  # the state of torch's own generator is not a seed
        Relearn(lr=1e-2, steps=1, batch_tokens=10_000, adapter_rank=2)(lm, {"relearn": CASE.forget[:8]}, seed=seed, on_step=never)
        digests.append(lm.digest())
    assert digests[0] == digests[1] != digests[2]


def test_the_rank_of_the_change_is_the_rank_of_the_adapter(lm: LanguageModel) -> None:
    before = weights(lm)
    Relearn(lr=1e-2, steps=4, batch_tokens=60, adapter_rank=2)(lm, {"relearn": CASE.forget[:8]}, seed=0, on_step=never)
    name = "model.layers.0.mlp.up_proj.weight"
    values = torch.linalg.svdvals(weights(lm)[name] - before[name])
    assert values[1] > 1e-3
    assert values[2] < 1e-5 * values[0]


def test_no_steps_through_an_adapter_change_nothing(folders: Callable[[str], str]) -> None:
    lm = models.load(folders("llama"))
    before = lm.digest()
    Relearn(steps=0, adapter_rank=4)(lm, {"relearn": CASE.forget[:8]}, seed=0, on_step=never)
    assert lm.digest() == before
