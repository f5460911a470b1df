"""Every method's loss derived a second time, from the equation of its paper, in numpy and float64.

Compared twice: with the objective on small random logits (value and gradient), and with the gradient that the whole method takes on a
tiny model, where labels, padding, reference and trained weights count as well. Where a paper sums over the tokens of a row, its
authors' code takes the mean over all scored tokens of a batch, and so do these derivations.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

import tiny
from vestige.cases.customers import Customers
from vestige.lab import activations, losses, models, other_answers, train
from vestige.lab.attacks.quantise import rounded
from vestige.lab.models import LanguageModel
from vestige.lab.unlearn import TABLE
from vestige.records import Row

torch.set_num_threads(1)

Array = np.ndarray[Any, np.dtype[np.float64]]
SEED, LAYER, BLOCKS = 5, 3, 5
BETA, GAMMA, POWER, STRENGTH, KL_WEIGHT, RETAIN, STEERING, SCALE = 0.3, 0.2, 0.5, 4.0, 3.0, 0.7, 6.5, 5.0
FIELDS: dict[str, Any] = {
    "steps": 2,
    "batch_size": 9,
    "precision": "float32",
    "bound": None,
    "beta": BETA,
    "gamma": GAMMA,
    "power": POWER,
    "strength": STRENGTH,
    "kl_weight": KL_WEIGHT,
    "retain_weight": RETAIN,
    "steering": STEERING,
    "scale": SCALE,
    "layer": LAYER,
    "alternates": 1,
}


def method(name: str, **fields: Any) -> Any:
    known = {f.name for f in dataclasses.fields(TABLE[name])}
    return TABLE[name](**{k: v for k, v in {**FIELDS, **fields}.items() if k in known})


@dataclass(frozen=True)
class Side:
    """Rows of one stream: logits (T_i, V) now, under the reference, and where held-fixed weights are taken; the tokens that stand there."""

    now: list[Array]
    ref: list[Array]
    held: list[Array]
    target: list[list[int]]


def log_softmax(z: Array) -> Array:
    above: Array = z - z.max(axis=-1, keepdims=True)
    logs: Array = above - np.log(np.exp(above).sum(axis=-1, keepdims=True))
    return logs


def log_p(logits: list[Array], target: list[list[int]]) -> list[Array]:
    """Return log p(y_t | y_<t) of the tokens of each row."""
    return [log_softmax(z)[range(len(ys)), ys] for z, ys in zip(logits, target, strict=True)]


def nll(side: Side) -> float:
    return float(-np.concatenate(log_p(side.now, side.target)).mean())


def ratios(side: Side) -> list[float]:
    """Return pi(y_i | x_i) / pi_ref(y_i | x_i) of each row, the probability of a row being the product of its tokens'."""
    now, ref = log_p(side.now, side.target), log_p(side.ref, side.target)
    return [float(np.prod(np.exp(a)) / np.prod(np.exp(b))) for a, b in zip(now, ref, strict=True)]


def kl(first: list[Array], second: list[Array]) -> float:
    """Return KL(first || second) = sum_v p_v ln(p_v / q_v), a mean over positions."""
    each = []
    for a, b in zip(first, second, strict=True):
        p, q = np.exp(log_softmax(a)), np.exp(log_softmax(b))
        each.extend((p * np.log(p / q)).sum(axis=-1))
    return float(np.mean(each))


# Jang et al. (2210.01504): minimising the negative of the language-model loss.
def gradient_ascent(s: Mapping[str, Side]) -> float:
    return -nll(s["forget"])


# TOFU (2401.06121), gradient difference: -L(S_F) + L(S_R).
def gradient_difference(s: Mapping[str, Side]) -> float:
    return -nll(s["forget"]) + RETAIN * nll(s["retain"])


# TOFU, KL minimization: -L(S_F) + mean over s in S_R of mean over tokens KL(M_original(s_<i) || M_current(s_<i)).
def kl_minimisation(s: Mapping[str, Side]) -> float:
    return -nll(s["forget"]) + RETAIN * kl(s["retain"].ref, s["retain"].now)


# Zhang et al. (2404.05868), eq. 3: (2/beta) E log(1 + (pi / pi_ref)^beta).
def npo_term(side: Side) -> float:
    return float(np.mean([2 / BETA * np.log(1 + r**BETA) for r in ratios(side)]))


def npo(s: Mapping[str, Side]) -> float:
    return npo_term(s["forget"]) + RETAIN * nll(s["retain"])


# The same paper's retain divergence is that of the model from the reference: E KL(pi(. | x) || pi_ref(. | x)).
def npo_kl(s: Mapping[str, Side]) -> float:
    return npo_term(s["forget"]) + RETAIN * kl(s["retain"].now, s["retain"].ref)


# Fan et al. (2410.07163): E -(2/beta) log sigma(-(beta/|y|) log pi(y|x) - gamma), gamma outside of beta.
def simnpo(s: Mapping[str, Side]) -> float:
    inside = [-BETA / len(row) * np.log(np.prod(np.exp(row))) - GAMMA for row in log_p(s["forget"].now, s["forget"].target)]
    return float(np.mean([-2 / BETA * np.log(1 / (1 + np.exp(-x))) for x in inside])) + RETAIN * nll(s["retain"])


# Zhang et al., eq. 2: -(1/beta) E log sigma(beta log(pi/pi_ref)(y_w) - beta log(pi/pi_ref)(y_l)).
def dpo_term(win: Side, lose: Side) -> float:
    inside = [BETA * np.log(w) - BETA * np.log(y) for w, y in zip(ratios(win), ratios(lose), strict=True)]
    return float(np.mean([-1 / BETA * np.log(1 / (1 + np.exp(-x))) for x in inside]))


def dpo(s: Mapping[str, Side]) -> float:
    return dpo_term(s["refusal"], s["forget"]) + RETAIN * nll(s["retain"])


# Mekala et al. (2409.13474), as in their code: -(2/beta) E log sigma(beta (log ratio of the alternate - log ratio of the answer)).
def altpo(s: Mapping[str, Side]) -> float:
    return 2 * dpo_term(s["alternate"], s["forget"]) + RETAIN * nll(s["retain"])


# TOFU, preference optimization: L(S_R) + L(S_F with its answers replaced by "I don't know").
def idk(s: Mapping[str, Side]) -> float:
    return nll(s["forget"]) + RETAIN * nll(s["retain"])


# Dong et al. (2402.10052): the cross-entropy of the student to softmax(teacher logits - strength at the token that stands there).
def undial(s: Mapping[str, Side]) -> float:
    each = []
    for now, ref, ys in zip(s["forget"].now, s["forget"].ref, s["forget"].target, strict=True):
        for t, y in enumerate(ys):
            lowered = [z - STRENGTH if v == y else z for v, z in enumerate(ref[t])]
            soft = np.exp(lowered) / np.exp(lowered).sum()
            each.append(-float(np.dot(soft, log_softmax(now[t]))))
    return float(np.mean(each))


# Wang et al. (2502.19301): sum_i w_i log p(y_i | y_<i), w_i = p(y_i | y_<i)^alpha held fixed.
def wga(s: Mapping[str, Side]) -> float:
    side = s["forget"]
    weights = np.exp(np.concatenate(log_p(side.held, side.target))) ** POWER
    return float((weights * np.concatenate(log_p(side.now, side.target))).mean()) + RETAIN * nll(s["retain"])


# Kurmanji et al. (2302.09880), d(x) = KL(p(teacher) || p(student)): alpha mean d(x_r) + gamma mean l(x_r, y_r) - mean d(x_f), in turns.
def scrub_max(s: Mapping[str, Side]) -> float:
    return -kl(s["forget"].ref, s["forget"].now)


def scrub_min(s: Mapping[str, Side]) -> float:
    return KL_WEIGHT * kl(s["retain"].ref, s["retain"].now) + RETAIN * nll(s["retain"])


PAPERS: dict[str, Callable[[Mapping[str, Side]], float]] = {
    "gradient_ascent": gradient_ascent,
    "gradient_difference": gradient_difference,
    "kl_minimisation": kl_minimisation,
    "npo": npo,
    "npo_kl": npo_kl,
    "simnpo": simnpo,
    "dpo": dpo,
    "altpo": altpo,
    "idk": idk,
    "undial": undial,
    "wga": wga,
    "scrub_max": scrub_max,
    "scrub_min": scrub_min,
}
# What each loss sees of its streams: log-probabilities of the tokens, or whole distributions.
STREAMS: dict[str, dict[str, str]] = {
    "gradient_ascent": {"forget": "scored"},
    "kl_minimisation": {"forget": "scored", "retain": "predicted"},
    "npo_kl": {"forget": "scored", "retain": "predicted"},
    "dpo": {"forget": "scored", "refusal": "scored", "retain": "scored"},
    "altpo": {"forget": "scored", "alternate": "scored", "retain": "scored"},
    "undial": {"forget": "predicted"},
    "scrub_max": {"forget": "predicted"},
    "scrub_min": {"retain": "predicted"},
}
BOTH = {"forget": "scored", "retain": "scored"}


# --- the objectives, on random logits ---

VOCABULARY, LENGTHS = 6, (1, 4, 2)


def random_side(rng: np.random.Generator) -> Side:
    now = [rng.normal(0, 2, (n, VOCABULARY)) for n in LENGTHS]
    ref = [rng.normal(0, 2, (n, VOCABULARY)) for n in LENGTHS]
    return Side(now, ref, [z.copy() for z in now], [rng.integers(0, VOCABULARY, n).tolist() for n in LENGTHS])


def as_torch(side: Side, kind: str) -> tuple[torch.Tensor, losses.Scored | losses.Predicted]:
    """Return the logits of a side as a leaf (N, V), and what a loss is given of them."""
    leaf = torch.tensor(np.concatenate(side.now), requires_grad=True)
    ref, target = torch.tensor(np.concatenate(side.ref)), torch.tensor([y for ys in side.target for y in ys])
    if kind == "predicted":
        return leaf, losses.Predicted(leaf, target, ref)
    row = torch.tensor([i for i, ys in enumerate(side.target) for _ in ys])
    sums = torch.tensor([float(row_logs.sum()) for row_logs in log_p(side.ref, side.target)], dtype=torch.float64)
    return leaf, losses.Scored(leaf.log_softmax(-1)[torch.arange(len(target)), target], row, len(side.target), sums)


def objective_of(name: str, seen: Mapping[str, Any]) -> torch.Tensor:
    if name == "gradient_ascent":
        return losses.ascent(seen["forget"])
    found: torch.Tensor = method(name.partition("_m")[0] if name.startswith("scrub") else name).objective(seen)
    return found


def slope(f: Callable[[], float], entry: Array, at: tuple[int, ...]) -> float:
    """Return the derivative of f in one entry of an array, by central differences."""
    kept, h, found = entry[at], 1e-5, []
    for sign in (1, -1):
        entry[at] = kept + sign * h
        found.append(f())
    entry[at] = kept
    return (found[0] - found[1]) / (2 * h)


@pytest.mark.parametrize("name", PAPERS)
def test_on_random_logits_value_and_gradient_are_those_of_the_papers_equation(name: str) -> None:
    rng = np.random.default_rng(sum(map(ord, name)))
    kinds = STREAMS.get(name, BOTH)
    sides = {stream: random_side(rng) for stream in kinds}
    given = {stream: as_torch(side, kinds[stream]) for stream, side in sides.items()}
    ours = objective_of(name, {stream: seen for stream, (_, seen) in given.items()})
    assert ours.item() == pytest.approx(PAPERS[name](sides), rel=1e-12)
    ours.backward()  # type: ignore[no-untyped-call]
    for stream, (leaf, _) in given.items():
        assert leaf.grad is not None
        slopes = [slope(lambda: PAPERS[name](sides), z, at) for z in sides[stream].now for at in np.ndindex(z.shape)]
        assert leaf.grad.flatten().tolist() == pytest.approx(slopes, rel=1e-5, abs=1e-8), stream


# Li et al. (2403.03218): E_x (1/|x|) sum_t |h(t) - c u|^2 + alpha E_x (1/|x|) sum_t |h(t) - h_frozen(t)|^2; Huu-Tien et al. (2408.06223)
# put scale |h_frozen(t)| in place of c. Rows of 1, 4 and 2 positions, so that means over rows and over positions differ.
def steered(forget: list[Array], frozen: list[Array], u: Array, adaptive: bool) -> float:
    rows = []
    for now, before in zip(forget, frozen, strict=True):
        goals = [(SCALE * np.sqrt((b**2).sum()) if adaptive else STEERING) * u for b in before]
        rows.append(np.mean([((h - g) ** 2).sum() for h, g in zip(now, goals, strict=True)]))
    return float(np.mean(rows))


def drifted(retain: list[Array], frozen: list[Array]) -> float:
    return float(
        np.mean([np.mean([((h - b) ** 2).sum() for h, b in zip(*pair, strict=True)]) for pair in zip(retain, frozen, strict=True)])
    )


@pytest.mark.parametrize(("name", "adaptive"), [("rmu", False), ("adaptive_rmu", True)])
def test_on_random_activations_rmu_is_its_papers_equation(name: str, adaptive: bool) -> None:
    rng = np.random.default_rng(4)
    now_f, ref_f, now_r, ref_r = ([rng.normal(0, 3, (n, 5)) for n in LENGTHS] for _ in range(4))
    u = rng.random(5)
    u /= np.sqrt((u**2).sum())
    row = torch.tensor([i for i, n in enumerate(LENGTHS) for _ in range(n)])
    leaves, seen = {}, {}
    for stream, now, ref in (("forget", now_f, ref_f), ("retain", now_r, ref_r)):
        leaves[stream] = torch.tensor(np.concatenate(now), requires_grad=True)
        seen[stream] = losses.Activations(leaves[stream], row, len(LENGTHS), torch.tensor(np.concatenate(ref)))

    def paper() -> float:
        return steered(now_f, ref_f, u, adaptive) + RETAIN * drifted(now_r, ref_r)

    ours = method(name).objective(seen, torch.tensor(u))
    assert ours.item() == pytest.approx(paper(), rel=1e-12)
    ours.backward()
    for stream, now in (("forget", now_f), ("retain", now_r)):
        slopes = [slope(paper, h, at) for h in now for at in np.ndindex(h.shape)]
        grad = leaves[stream].grad
        assert grad is not None
        assert grad.flatten().tolist() == pytest.approx(slopes, rel=1e-5, abs=1e-6)


# --- the methods as a whole, on a tiny model: LayerNorm and GELU in float64, which RMSNorm is not ---

CASE = Customers()()
FORGET = [*CASE.forget[:2], *(replace(r, answer=f"{r.answer} since early May") for r in CASE.forget[2:4])]
KEPT = [*CASE.retain[:3], replace(CASE.retain[3], answer=f"{CASE.retain[3].answer}, as everyone there knows")]
DATA = {"forget": FORGET, "retain": KEPT}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the folder of a model of five blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tiny._SIZES, "num_hidden_layers", BLOCKS)
        yield str(tiny.make(tmp_path_factory.mktemp("rederived"), "gpt-neox"))


class Halfway:
    """A method stopped at weights that are not its reference's: after its first step noise takes the place of the update."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: str, name: str, **fields: Any) -> None:
        self.lm: LanguageModel = models.load(folder)
        self.before = copy.deepcopy(self.lm.model).double()
        self.gradients: dict[int, dict[str, Array]] = {}
        self.known: dict[tuple[object, ...], list[Array]] = {}

        def update(_optimiser: Any, parameters: list[torch.Tensor], _settings: Any, step: int) -> None:
            generator = torch.Generator().manual_seed(1)
            named = [(n, p) for n, p in self.lm.model.named_parameters() if p.grad is not None]
            self.gradients[step] = {n: p.grad.double().numpy().copy() for n, p in named}
            with torch.no_grad():
                for p in parameters:
                    p.grad = None
                    if step == 1:
                        p.add_(torch.randn(p.shape, generator=generator), alpha=0.02)

        monkeypatch.setattr(train, "_update", update)
        method(name, **fields)(self.lm, DATA, seed=SEED, on_step=lambda _: False)
        self.now = copy.deepcopy(self.lm.model).double()

    def agrees(self, paper: Callable[[Any], float], step: int = 2) -> None:
        """Compare the gradient with the slopes of `paper`, a function of the model, along it and along a random direction."""
        gradient = self.gradients[step]
        size = math.sqrt(sum(float((g**2).sum()) for g in gradient.values()))
        assert size > 1e-3
        rng = np.random.default_rng(2)
        random: dict[str, Array] = {n: np.asarray(rng.normal(size=g.shape)) for n, g in gradient.items()}
        length = math.sqrt(sum(float((r**2).sum()) for r in random.values()))
        for direction, wide in ((gradient, size), (random, length)):
            unit: dict[str, Array] = {n: d / wide for n, d in direction.items()}
            above, below = paper(self.moved(unit, 1e-4)), paper(self.moved(unit, -1e-4))
            expected = sum(float((gradient[n] * unit[n]).sum()) for n in unit)
            assert (above - below) / 2e-4 == pytest.approx(expected, rel=2e-4, abs=2e-5 * size)

    def moved(self, direction: Mapping[str, Array], h: float) -> Any:
        """Return the model a little way along a direction."""
        model = copy.deepcopy(self.now)
        with torch.no_grad():
            for n, p in model.named_parameters():
                if n in direction:
                    p.add_(torch.from_numpy(direction[n]), alpha=h)
        return model

    def ids(self, row: Row) -> tuple[list[int], int]:
        """Return the tokens of a row, and where its answer begins."""
        tokenizer = self.lm.tokenizer
        prompt = list(tokenizer(row.prompt)["input_ids"])
        return prompt + list(tokenizer(row.answer, add_special_tokens=False)["input_ids"]), len(prompt)

    def logits(self, model: Any, rows: list[Row]) -> list[Array]:
        """Return the logits that predict the answer tokens of each row, the row passed through alone and unpadded."""
        kept = model is self.before or model is self.now
        key = (id(model), *(row.text for row in rows))
        if kept and key in self.known:
            return self.known[key]
        found = []
        for row in rows:
            ids, start = self.ids(row)
            with torch.no_grad():
                found.append(model(input_ids=torch.tensor([ids])).logits[0, start - 1 : -1].numpy())
        if kept:
            self.known[key] = found
        return found

    def side(self, model: Any, rows: list[Row]) -> Side:
        target = [ids[start:] for ids, start in map(self.ids, rows)]
        return Side(self.logits(model, rows), self.logits(self.before, rows), self.logits(self.now, rows), target)

    def hidden(self, model: Any, rows: list[Row]) -> list[Array]:
        """Return what block LAYER gives at all positions of each row but the first."""
        with torch.no_grad():
            passes = [model(input_ids=torch.tensor([self.ids(row)[0]]), output_hidden_states=True) for row in rows]
        return [p.hidden_states[LAYER + 1][0, 1:].numpy() for p in passes]


def rows_of(name: str) -> dict[str, list[Row]]:
    """Return the rows behind each stream of a method."""
    rows: dict[str, list[Row]] = {"forget": FORGET, "retain": KEPT}
    if name == "idk":
        rows["forget"] = other_answers.refused(FORGET, seed=SEED)
    if name == "dpo":
        rows["refusal"] = other_answers.refused(FORGET, seed=SEED)
    if name == "altpo":
        found = other_answers.alternates(FORGET, KEPT, each=1, seed=SEED)
        rows["alternate"] = [found[row.id][0] for row in FORGET]
    return {stream: rows[stream] for stream in STREAMS.get(name, BOTH)}


@pytest.mark.parametrize("name", [n for n in PAPERS if not n.startswith("scrub")])
def test_a_whole_method_follows_the_gradient_of_its_papers_equation(name: str, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Halfway(monkeypatch, folder, name)
    run.agrees(lambda model: PAPERS[name]({stream: run.side(model, rows) for stream, rows in rows_of(name).items()}))


@pytest.mark.parametrize("name", ["kl_minimisation", "npo_kl", "undial"])
def test_the_reference_stays_what_it_was_when_the_head_is_trained_too(name: str, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Halfway(monkeypatch, folder, name, train="all")
    head = run.lm.model.get_output_embeddings().weight
    assert any(p is head for n, p in run.lm.model.named_parameters() if n in run.gradients[2])
    run.agrees(lambda model: PAPERS[name]({stream: run.side(model, rows) for stream, rows in rows_of(name).items()}))


# Steps 1 and 3 are min steps on retained rows, step 2 is a max step on forgotten ones.
def test_scrub_goes_up_its_divergence_on_the_forget_rows_and_down_on_the_retain_rows_in_turns(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Halfway(monkeypatch, folder, "scrub", steps=3, max_steps=1)
    run.agrees(lambda model: scrub_max({"forget": run.side(model, FORGET)}), step=2)
    run.agrees(lambda model: scrub_min({"retain": run.side(model, KEPT)}), step=3)


# The papers train layers l-2, l-1 and l, in each the matrix that leads out of the feed-forward network (their code: layer_ids 5,6,7 for
# layer 7, param_ids 6, which is down_proj in a llama).
@pytest.mark.parametrize(("name", "adaptive"), [("rmu", False), ("adaptive_rmu", True)])
def test_rmu_as_a_whole_steers_its_layer_by_three_matrices(name: str, adaptive: bool, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Halfway(monkeypatch, folder, name)
    assert set(run.gradients[2]) == {f"gpt_neox.layers.{n}.mlp.dense_4h_to_h.weight" for n in (LAYER - 2, LAYER - 1, LAYER)}
    u = activations.unit_direction(32, seed=SEED, device=run.lm.device).double().numpy()
    assert np.sqrt((u**2).sum()) == pytest.approx(1.0, rel=1e-6)
    assert ((u >= 0) & (u < 1)).all()
    frozen_f, frozen_r = run.hidden(run.before, FORGET), run.hidden(run.before, KEPT)
    run.agrees(
        lambda model: steered(run.hidden(model, FORGET), frozen_f, u, adaptive) + RETAIN * drifted(run.hidden(model, KEPT), frozen_r)
    )


def test_rmu_trains_the_down_projections_of_a_llama(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tiny._SIZES, "num_hidden_layers", BLOCKS)
    run = Halfway(monkeypatch, str(tiny.make(tmp_path_factory.mktemp("llama"), "llama")), "rmu")
    assert set(run.gradients[2]) == {f"model.layers.{n}.mlp.down_proj.weight" for n in (LAYER - 2, LAYER - 1, LAYER)}


# Ilharco et al. (2212.04089): tau = theta_ft - theta_pre, theta = theta_pre - lambda tau. One step of Adam without decay moves every weight
# by lr against the sign of its gradient, so k steps of `scale` move it by k scale lr along that sign: up the loss of the forget rows.
def test_a_task_vector_is_subtracted_from_the_original_weights(folder: str) -> None:
    lm = models.load(folder)
    before = copy.deepcopy(lm.model).double()
    loss, tokens = torch.zeros((), dtype=torch.float64), 0
    for row in FORGET:
        prompt, answer = lm.tokenizer(row.prompt)["input_ids"], lm.tokenizer(row.answer, add_special_tokens=False)["input_ids"]
        logits = before(input_ids=torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1]
        loss = loss - logits.log_softmax(-1)[range(len(answer)), answer].sum()
        tokens += len(answer)
    (loss / tokens).backward()  # type: ignore[no-untyped-call]
    method("task_vector", steps=3, learn_steps=1, lr=1e-3, scale=0.5)(lm, DATA, seed=SEED, on_step=lambda _: False)
    ends = (lm.model.get_input_embeddings().weight, lm.model.get_output_embeddings().weight)
    moved = 0
    for (name, after), start in zip(lm.model.named_parameters(), before.parameters(), strict=True):
        change = after.double() - start.detach()
        if any(after is end for end in ends):
            assert not change.any()
            continue
        assert start.grad is not None
        clear = start.grad.abs() > 1e-5
        moved += int(clear.sum())
        expected = 3 * 0.5 * 1e-3 * start.grad.sign()
        assert torch.allclose(change[clear], expected[clear], rtol=0.02, atol=0), name
    assert moved > 10_000


# Zhang et al. (2410.16454): Q(w) = s round(w / s); one s per output channel or group. s = max |w| / (2^(bits-1) - 1), so that the codes are
# the signed integers -(2^(bits-1) - 1) .. 2^(bits-1) - 1.
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("group", [0, 5])
def test_quantising_is_rounding_to_the_nearest_code_of_its_group(bits: int, group: int) -> None:
    weights = np.random.default_rng(bits).normal(size=(4, 13))
    expected = []
    for row in weights:
        cells: list[float] = []
        for start in range(0, 13, group or 13):
            part = row[start : start + (group or 13)]
            s = max(map(abs, part)) / (2 ** (bits - 1) - 1)
            codes = [round(w / s) for w in part]
            assert max(map(abs, codes)) == 2 ** (bits - 1) - 1
            cells += [s * code for code in codes]
        expected.append(cells)
    np.testing.assert_allclose(rounded(torch.tensor(weights), bits, group).numpy(), expected, rtol=1e-12)
