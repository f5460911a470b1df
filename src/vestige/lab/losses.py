"""Losses as pure functions of log-probabilities.

Every loss takes `Scored`: the log-probabilities of the scored tokens of a batch, flat and without padding, so
padding can never change a loss. All losses are to be *minimised*; logarithms are natural.
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
