"""What every method, control and attack of the tables promises, checked for each of them alike."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from vestige.cases.customers import Customers
from vestige.errors import DataError
from vestige.lab import attacks, losses, models, unlearn
from vestige.lab.actions import row_streams
from vestige.lab.batches import encode_rows, score_batch
from vestige.lab.learn import Learn
from vestige.lab.models import LanguageModel
from vestige.lab.train import Spent
from vestige.records import Row, plain

torch.set_num_threads(1)
CASE = Customers()()
TABLE: dict[str, type] = {**unlearn.TABLE, **attacks.TABLE, "learn": Learn}
NAMES = list(TABLE)
DATA = {"forget": CASE.forget[:8], "retain": CASE.retain[:8], "relearn": CASE.sources["new_customers"][:8], "train": CASE.forget[:8]}
# A budget that tiny models feel. Only fields that an action has are set.
SMALL = {"steps": 6, "epochs": 3, "batch_size": 4, "batch_tokens": 60, "lr": 2e-3, "precision": "float32"}
# What fits a model of two layers, and 20 steps or fewer.
SMALL |= {"layer": 1, "learn_steps": 6, "max_steps": 5, "scale": 0.2}
# What is done at once has no budget, and draws nothing.
BUDGETED = [name for name, kind in TABLE.items() if {"steps", "epochs"} & {f.name for f in dataclasses.fields(kind)}]
AT_ONCE = [name for name in TABLE if name not in BUDGETED]
# Where the small budget is not felt: RMU moves three matrices only, and SCRUB's last steps repair.
FELT: dict[str, dict[str, Any]] = {
    "rmu": {"lr": 1e-2, "steering": 50.0, "retain_weight": 10.0, "steps": 20},
    "adaptive_rmu": {"lr": 1e-2, "scale": 5.0, "retain_weight": 10.0, "steps": 20},
    "scrub": {"max_steps": 10, "kl_weight": 0.0, "steps": 20},
}
METHODS = [name for name in unlearn.TABLE if name not in ("mask", "noise")]
NEEDS = [(name, need) for name, kind in TABLE.items() for need in kind.needs]  # type: ignore[attr-defined]


def make(name: str, **fields: Any) -> Any:
    kind = TABLE[name]
    known = {f.name for f in dataclasses.fields(kind)}
    return kind(**{k: v for k, v in {**SMALL, **fields}.items() if k in known})


def budget_field(name: str) -> str:
    return "epochs" if name == "learn" else "steps"


def steps_of(action: Any, data: Mapping[str, Sequence[Row]] = DATA) -> int:
    return int(action.steps_for(data) if hasattr(action, "steps_for") else action.steps)


def never(_step: int) -> bool:
    return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that knows the rows to forget and to retain."""
    path = tiny.make(tmp_path_factory.mktemp("actions") / "model")
    lm = models.load(str(path))
    Learn(lr=5e-3, epochs=15, train="all", precision="float32")(lm, {"train": DATA["forget"] + DATA["retain"]}, seed=0, on_step=never)
    lm.save(path)
    return path


@pytest.fixture
def fresh(folder: Path) -> Callable[[], LanguageModel]:
    return lambda: models.load(str(folder))


@torch.no_grad()
def loss_on(lm: LanguageModel, rows: Sequence[Row]) -> float:
    return losses.nll(score_batch(lm, encode_rows(lm, rows))).item()


# --- what it is ---


@pytest.mark.parametrize("name", NAMES)
def test_an_action_is_a_frozen_dataclass_with_defaults_that_can_be_called(name: str) -> None:
    kind = TABLE[name]
    action = kind()
    assert dataclasses.is_dataclass(kind)
    assert callable(action)
    assert action == kind()
    assert hash(action) == hash(kind())
    for field in dataclasses.fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(action, field.name, getattr(action, field.name))


@pytest.mark.parametrize("name", NAMES)
def test_an_action_says_its_semantics_its_needs_and_its_paper_outside_its_fields(name: str) -> None:
    kind: Any = TABLE[name]
    assert isinstance(kind.semantics, int)
    assert kind.semantics >= 1
    assert isinstance(kind.needs, tuple)
    assert set(kind.needs) <= set(DATA)
    assert isinstance(kind.paper, str)
    assert kind.paper
    assert not {"semantics", "needs", "paper"} & {f.name for f in dataclasses.fields(kind)}
    assert kind.__doc__


@pytest.mark.parametrize("name", [*unlearn.TABLE, *attacks.TABLE])
def test_the_module_of_a_table_entry_names_the_paper_that_the_entry_names(name: str) -> None:
    kind: Any = TABLE[name]
    text = " ".join((sys.modules[kind.__module__].__doc__ or "").split())
    cited = re.findall(r"\d{4}\.\d{5}", kind.paper)
    assert cited
    assert set(cited) <= set(re.findall(r"arXiv (\d{4}\.\d{5})", text))


@pytest.mark.parametrize("name", NAMES)
def test_the_fields_of_an_action_survive_json(name: str) -> None:
    for action in (TABLE[name](), make(name, lr=1.25e-5, bound=None, warmup=3)):
        again = TABLE[name](**json.loads(json.dumps(plain(action), allow_nan=False)))
        assert again == action


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_the_tables_do_not_collide(name: str) -> None:
    assert sum(name in table for table in (unlearn.TABLE, attacks.TABLE, {"learn": Learn})) == 1


# --- what it does ---


@pytest.mark.parametrize("name", BUDGETED)
def test_an_action_is_deterministic_under_its_seed(name: str, fresh: Callable[[], LanguageModel]) -> None:
    digests = []
    for seed in (0, 0, 1):
        lm = fresh()
        torch.manual_seed(len(digests))  # the state of torch's own generator is not a seed
        make(name)(lm, DATA, seed=seed, on_step=never)
        digests.append(lm.digest())
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


@pytest.mark.parametrize("name", BUDGETED)
def test_a_zero_budget_is_the_identity(name: str, fresh: Callable[[], LanguageModel]) -> None:
    lm = fresh()
    before = lm.digest()
    heard: list[int] = []
    spent = make(name, **{budget_field(name): 0})(lm, DATA, seed=0, on_step=lambda step: bool(heard.append(step)))
    assert lm.digest() == before
    assert spent == Spent(0, 0, 0)
    assert heard == []


@pytest.mark.parametrize("name", BUDGETED)
def test_a_budget_is_spent_and_every_step_is_heard_once(name: str, fresh: Callable[[], LanguageModel]) -> None:
    lm, action = fresh(), make(name)
    before = lm.digest()
    heard: list[int] = []
    spent = action(lm, DATA, seed=0, on_step=lambda step: bool(heard.append(step)))
    assert steps_of(action) > 2
    assert heard == list(range(1, steps_of(action) + 1))
    assert spent.steps == len(heard)
    assert lm.digest() != before
    assert (spent.tokens_trained > spent.tokens_scored > 0) == bool(action.needs)


@pytest.mark.parametrize("name", BUDGETED)
def test_a_true_answer_ends_an_action_as_a_smaller_budget_would(name: str, fresh: Callable[[], LanguageModel]) -> None:
    stopped = fresh()
    spent = make(name)(stopped, DATA, seed=0, on_step=lambda step: step == 2)
    assert spent.steps == 2
    if budget_field(name) == "steps":
        short = fresh()
        assert make(name, steps=2)(short, DATA, seed=0, on_step=never) == spent
        assert short.digest() == stopped.digest()


@pytest.mark.parametrize("name", NAMES)
def test_an_action_leaves_the_rows_and_the_kind_of_model_as_they_were(name: str, fresh: Callable[[], LanguageModel]) -> None:
    lm = fresh()
    kind, data = type(lm.model), {k: tuple(v) for k, v in DATA.items()}
    make(name)(lm, data, seed=0, on_step=never)
    assert data == DATA
    assert type(lm.model) is kind
    assert {p.dtype for p in lm.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", NAMES)
def test_an_action_reads_only_what_it_needs(name: str, fresh: Callable[[], LanguageModel]) -> None:
    whole, part = fresh(), fresh()
    make(name)(whole, DATA, seed=0, on_step=never)
    make(name)(part, {k: v for k, v in DATA.items() if k in TABLE[name].needs}, seed=0, on_step=never)  # type: ignore[attr-defined]
    assert whole.digest() == part.digest()


@pytest.mark.parametrize(("name", "need"), NEEDS)
@pytest.mark.parametrize("empty", [True, False])
def test_rows_that_are_needed_and_absent_are_an_error_that_names_them(
    name: str, need: str, empty: bool, fresh: Callable[[], LanguageModel]
) -> None:
    lm = fresh()
    before = lm.digest()
    data = {k: v for k, v in DATA.items() if k != need} | ({need: ()} if empty else {})
    says = f"no {need} rows were given; this action needs: {', '.join(TABLE[name].needs)}"  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=f"^{says}$"):
        # Learn counts its steps from its rows only after it has checked them.
        make(name)(lm, data, seed=0, on_step=never)
    assert lm.digest() == before


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_is_done_at_once_is_heard_once_and_does_the_same_whatever_the_seed(name: str, fresh: Callable[[], LanguageModel]) -> None:
    digests, heard = [fresh().digest()], []
    for seed in (0, 1):
        lm = fresh()
        assert make(name)(lm, {}, seed=seed, on_step=lambda step: bool(heard.append(step))) == Spent(1, 0, 0)
        digests.append(lm.digest())
    assert digests[0] != digests[1] == digests[2]
    assert heard == [1, 1]
    assert make(name).steps == 1  # what a plan reads


@pytest.mark.parametrize("name", [n for n in METHODS if "train" in {f.name for f in dataclasses.fields(TABLE[n])}])
def test_every_loss_method_works_through_adapters_alone(name: str, fresh: Callable[[], LanguageModel]) -> None:
    lm, again, before = fresh(), fresh(), dict(fresh().model.named_parameters())
    spent = make(name, train="lora_4")(lm, DATA, seed=0, on_step=never)
    assert spent.steps == 6
    # All that changed are the linear layers of the blocks, each by a matrix of rank 4 at most.
    changed = {n: p - before[n] for n, p in lm.model.named_parameters() if not torch.equal(p, before[n])}
    assert set(changed) == {n for n, p in before.items() if ".layers." in n and p.ndim == 2}
    values = torch.linalg.svdvals(changed["model.layers.0.mlp.up_proj.weight"].detach())
    assert values[0] > 1e-4
    assert values[4] < 1e-4 * values[0]
    torch.manual_seed(5)  # the state of torch's own generator is not a seed
    make(name, train="lora_4")(again, DATA, seed=0, on_step=never)
    assert again.digest() == lm.digest()


# --- the right way ---


@pytest.mark.parametrize("name", [*METHODS, "mask"])
def test_the_loss_of_what_is_to_be_forgotten_rises(name: str, fresh: Callable[[], LanguageModel]) -> None:
    lm = fresh()
    before = loss_on(lm, DATA["forget"])
    assert before < 1.0  # the model knew the rows
    make(name, **{"steps": 20, **FELT.get(name, {})})(lm, DATA, seed=0, on_step=never)
    assert loss_on(lm, DATA["forget"]) > before + 0.5


@pytest.mark.parametrize("name", ["learn", "relearn"])
def test_the_loss_of_what_is_to_be_learned_falls(name: str, fresh: Callable[[], LanguageModel], tmp_path: Path) -> None:
    lm = models.load(str(tiny.make(tmp_path / "blank")))
    rows = DATA[TABLE[name].needs[0]]  # type: ignore[attr-defined]
    before = loss_on(lm, rows)
    make(name, steps=12, epochs=6)(lm, DATA, seed=0, on_step=never)
    assert loss_on(lm, rows) < before - 0.5


@pytest.mark.parametrize("name", [n for n in [*METHODS, "mask"] if "retain" in TABLE[n].needs])  # type: ignore[attr-defined]
def test_the_retain_term_holds_the_retained_rows(name: str, fresh: Callable[[], LanguageModel]) -> None:
    held, loose = fresh(), fresh()
    fields = {"steps": 10, "retain_weight": 1.0, **FELT.get(name, {})}
    make(name, **fields)(held, DATA, seed=0, on_step=never)
    make(name, **{**fields, "retain_weight": 0.0})(loose, DATA, seed=0, on_step=never)
    assert loss_on(held, DATA["retain"]) < loss_on(loose, DATA["retain"]) - 0.1


def test_sets_of_one_size_are_not_drawn_in_one_order(fresh: Callable[[], LanguageModel]) -> None:
    rows = encode_rows(fresh(), CASE.forget[:16])
    streams = row_streams({"forget": rows, "retain": list(rows)}, 4, seed=0)
    forget, retain = ([[r.id for r in next(stream)] for _ in range(4)] for stream in streams.values())
    assert forget != retain


def test_without_its_retain_term_gradient_difference_is_gradient_ascent(fresh: Callable[[], LanguageModel]) -> None:
    difference, ascent = fresh(), fresh()
    make("gradient_difference", retain_weight=0.0, bound=None)(difference, DATA, seed=0, on_step=never)
    make("gradient_ascent", bound=None)(ascent, DATA, seed=0, on_step=never)
    assert difference.weights_digest() == ascent.weights_digest()


def test_a_bounded_ascent_comes_to_rest_and_an_unbounded_one_does_not(fresh: Callable[[], LanguageModel]) -> None:
    rise = {}
    for bound in (4.0, None):
        lm, heard = fresh(), {}

        def listen(step: int, lm: LanguageModel = lm, heard: dict[int, float] = heard) -> bool:
            if step in (40, 60):
                heard[step] = loss_on(lm, DATA["forget"])
            return False

        make("gradient_ascent", steps=60, lr=1e-3, bound=bound)(lm, DATA, seed=0, on_step=listen)
        assert heard[40] > 4.0
        rise[bound] = heard[60] - heard[40]
    # Adam's momentum carries a token past its bound, and then dies away.
    assert abs(rise[4.0]) < 0.25
    assert rise[None] > 0.5


def test_npo_measures_from_the_model_it_was_given(fresh: Callable[[], LanguageModel]) -> None:
    # At its own reference the gradient of NPO is that of ascent for every beta; from any other, a large beta would have no
    # gradient at all or twice as much of some rows. One step of Adam shows the signs of the gradient, all weights alike.
    first = {}
    for beta in (1e3, 0.01):
        lm = fresh()
        make("npo", steps=1, beta=beta, retain_weight=0.0)(lm, DATA, seed=0, on_step=never)
        first[beta] = lm.model.model.layers[0].mlp.up_proj.weight.clone()
    moved = (first[1e3] - fresh().model.model.layers[0].mlp.up_proj.weight).abs()
    assert moved.median() > 1e-3
    assert (first[1e3] - first[0.01]).abs().median() < 1e-5


def test_npo_with_a_large_beta_rests_below_its_reference(fresh: Callable[[], LanguageModel]) -> None:
    hinge, gentle = fresh(), fresh()
    make("npo", steps=10, beta=1e3, retain_weight=0.0)(hinge, DATA, seed=0, on_step=never)
    make("npo", steps=10, beta=0.01, retain_weight=0.0)(gentle, DATA, seed=0, on_step=never)
    before = loss_on(fresh(), DATA["forget"])
    assert before < loss_on(hinge, DATA["forget"]) < loss_on(gentle, DATA["forget"]) / 3


def test_the_liar_changes_its_last_block_only(fresh: Callable[[], LanguageModel]) -> None:
    lm, before = fresh(), fresh()
    make("mask")(lm, DATA, seed=0, on_step=never)
    same = {k for k, v in lm.model.state_dict().items() if torch.equal(v, before.model.state_dict()[k])}
    assert {k for k in before.model.state_dict() if ".layers.1." not in k} == same


def test_noise_has_the_size_it_says(fresh: Callable[[], LanguageModel]) -> None:
    # n independent steps of standard deviation scale * sd add up to sqrt(n) * scale * sd. The smallest matrix has 512 numbers,
    # whose sample deviation is off by 1/sqrt(2 * 512) = 3 % at one sigma.
    lm, before = fresh(), fresh()
    make("noise", scale=0.1, steps=4)(lm, {}, seed=0, on_step=never)
    drawn = []
    for (name, after), old in zip(lm.model.named_parameters(), before.model.parameters(), strict=True):
        added = (after - old).detach()
        if old.ndim < 2:
            assert not added.any(), name
        else:
            assert added.std().item() == pytest.approx(0.2 * old.std().item(), rel=0.15), name
            drawn.append(added.flatten()[:512] / added.std())
    # Every matrix has noise of its own.
    correlations = torch.corrcoef(torch.stack(drawn)) - torch.eye(len(drawn))
    assert correlations.abs().max() < 0.25


@pytest.mark.parametrize(("rows", "size", "epochs", "steps"), [(8, 4, 3, 6), (8, 3, 2, 6), (1, 8, 5, 5), (7, 7, 1, 1)])
def test_learn_counts_its_steps_in_whole_epochs(rows: int, size: int, epochs: int, steps: int) -> None:
    assert Learn(batch_size=size, epochs=epochs).steps_for({"train": CASE.forget[:rows]}) == steps


def test_learn_shows_every_row_once_an_epoch(fresh: Callable[[], LanguageModel]) -> None:
    lm = fresh()
    tokens = sum(len(r.ids) for r in encode_rows(lm, DATA["train"]))
    assert make("learn", epochs=3, batch_size=3)(lm, DATA, seed=0, on_step=never).tokens_trained == 3 * tokens


def test_relearning_spends_its_tokens_within_one_row_whatever_the_rows(fresh: Callable[[], LanguageModel]) -> None:
    for rows in (CASE.forget[:8], CASE.sources["unrelated"]):
        lm = fresh()
        longest = max(len(r.ids) for r in encode_rows(lm, rows))
        spent = make("relearn", batch_tokens=120)(lm, {"relearn": rows}, seed=0, on_step=never)
        assert 6 * 120 <= spent.tokens_trained < 6 * 120 + longest
