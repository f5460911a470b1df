"""Losses as pure functions of what a model gave for a batch.

Most take `Scored`, the log-probabilities of the scored tokens; some `Predicted`, whole next-token distributions at the
same places; RMU takes `Activations`. All are flat and without padding, so padding can never change a loss. All losses are
to be *minimised*; logarithms are natural.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Scored:
    """Log-probabilities of N scored tokens of B rows.

    `logp` (N,) in nats; `row` (N,) the row each token belongs to, 0..B-1; `rows` = B; `ref` (B,) the summed
    log-probability of each row under the reference model, or None.
    """

    logp: Tensor
    row: Tensor
    rows: int
    ref: Tensor | None = None

    def row_sums(self) -> Tensor:
        """Return the summed log-probability of each row, (B,)."""
        return torch.zeros(self.rows, dtype=self.logp.dtype, device=self.logp.device).index_add(0, self.row, self.logp)

    def row_means(self) -> Tensor:
        """Return the mean log-probability of each row's scored tokens, (B,)."""
        return self.row_sums() / torch.bincount(self.row, minlength=self.rows)


@dataclass(frozen=True, slots=True)
class Predicted:
    """Next-token distributions at N scored positions.

    `logits` (N, V) in fp32; `target` (N,) the token that stands there; `ref` (N, V) the reference model's logits.
    """

    logits: Tensor
    target: Tensor
    ref: Tensor


@dataclass(frozen=True, slots=True)
class Activations:
    """Hidden states of one layer at N positions of B rows.

    `hidden` (N, D); `row` (N,) the row each position belongs to, 0..B-1; `rows` = B; `ref` (N, D) the same under the
    reference model.
    """

    hidden: Tensor
    row: Tensor
    rows: int
    ref: Tensor


def nll(scored: Scored) -> Tensor:
    """Negative log-likelihood, mean over scored tokens: -(1/N) sum_n log p_n."""
    return -scored.logp.mean()


def ascent(scored: Scored, *, bound: float | None = None) -> Tensor:
    """Gradient ascent: (1/N) sum_n max(log p_n, -bound); a token already below -bound is left alone."""
    logp = scored.logp if bound is None else scored.logp.clamp_min(-bound)
    return logp.mean()


def npo(scored: Scored, *, beta: float) -> Tensor:
    """Negative preference optimisation (Zhang et al. 2024, arXiv 2404.05868, eq. 3), mean over rows.

    (2/beta) mean_i log(1 + exp(beta (l_i - ref_i))) with l_i the summed log-probability of row i. Its gradient tends
    to that of gradient ascent on l_i as beta -> 0.
    """
    if scored.ref is None:
        raise ValueError("npo needs the reference log-probability of every row")
    return (2.0 / beta) * F.softplus(beta * (scored.row_sums() - scored.ref)).mean()


def simnpo(scored: Scored, *, beta: float, gamma: float) -> Tensor:
    """Reference-free, length-normalised NPO (Fan et al. 2024, arXiv 2410.07163, eq. 4), mean over rows.

    -(2/beta) mean_i log sigma(-beta m_i - gamma) with m_i the mean log-probability of row i's scored tokens.
    """
    return (2.0 / beta) * F.softplus(beta * scored.row_means() + gamma).mean()


def dpo(win: Scored, lose: Scored, *, beta: float) -> Tensor:
    """Direct preference optimisation as Zhang et al. (2024, arXiv 2404.05868, eq. 2) write it, mean over pairs.

    -(1/beta) mean_i log sigma(beta [(w_i - ref w_i) - (l_i - ref l_i)]), w_i and l_i summed log-probabilities of the preferred
    and of the dispreferred answer. Rafailov et al. (2023, arXiv 2305.18290, eq. 7) have no factor 1/beta.
    """
    if win.ref is None or lose.ref is None:
        raise ValueError("dpo needs the reference log-probability of every row of both sides")
    margin = (win.row_sums() - win.ref) - (lose.row_sums() - lose.ref)
    return F.softplus(-beta * margin).mean() / beta


def weighted_ascent(scored: Scored, *, power: float) -> Tensor:
    """Weighted gradient ascent: (1/N) sum_n w_n log p_n with w_n = p_n^power, through which no gradient flows."""
    return (torch.exp(power * scored.logp.detach()) * scored.logp).mean()


def kl_from_reference(predicted: Predicted) -> Tensor:
    """KL(reference || model), mean over scored positions."""
    model, reference = predicted.logits.log_softmax(-1), predicted.ref.log_softmax(-1)
    return (reference.exp() * (reference - model)).sum(-1).mean()


def kl_to_reference(predicted: Predicted) -> Tensor:
    """KL(model || reference), mean over scored positions."""
    model, reference = predicted.logits.log_softmax(-1), predicted.ref.log_softmax(-1)
    return (model.exp() * (model - reference)).sum(-1).mean()


def cross_entropy(predicted: Predicted) -> Tensor:
    """Negative log-likelihood of the targets, mean over scored positions: what `nll` is for `Scored`."""
    return F.cross_entropy(predicted.logits, predicted.target)


def undial(predicted: Predicted, *, strength: float) -> Tensor:
    """Self-distillation on adjusted logits (Dong et al. 2024, arXiv 2402.10052), mean over scored positions.

    The cross-entropy H(q, p) of the model p against q = softmax(z - strength * onehot(target)), z the reference's logits.
    """
    lowered = predicted.ref - strength * F.one_hot(predicted.target, predicted.ref.shape[-1]).to(predicted.ref.dtype)
    return -(lowered.softmax(-1) * predicted.logits.log_softmax(-1)).sum(-1).mean()


def squared_distance(activations: Activations, goal: Tensor) -> Tensor:
    """Squared Euclidean distance of hidden states to `goal`, (D,) or (N, D): mean over a row's positions, then over rows."""
    distance = (activations.hidden - goal).square().sum(-1)
    sums = torch.zeros(activations.rows, dtype=distance.dtype, device=distance.device).index_add(0, activations.row, distance)
    return (sums / torch.bincount(activations.row, minlength=activations.rows)).mean()
