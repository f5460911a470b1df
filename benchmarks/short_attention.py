"""Forward and backward of causal attention on a CPU: the fused kernel against the plain one, by row length. Prints a table.

Run: OMP_NUM_THREADS=1 python benchmarks/short_attention.py
"""

from __future__ import annotations

import time
from statistics import median

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

_SHAPES = ((16, 12), (8, 32), (8, 64), (4, 128), (2, 256), (1, 512))
_HEADS, _WIDTH = 9, 64  # of SmolLM2-135M
_REPEATS = 20


def milliseconds(rows: int, length: int, backend: SDPBackend) -> float:
    """Return the median time of one forward and backward pass."""
    q, k, v = (torch.randn(rows, _HEADS, length, _WIDTH, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    times = []
    with sdpa_kernel(backend):
        for _ in range(_REPEATS):
            started = time.perf_counter()
            scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()
            times.append(1000 * (time.perf_counter() - started))
    return median(times)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| rows | tokens a row | fused, ms | plain, ms | ratio |\n|---|---|---|---|---|")
    for rows, length in _SHAPES:
        fused, plain = (milliseconds(rows, length, b) for b in (SDPBackend.FLASH_ATTENTION, SDPBackend.MATH))
        print(f"| {rows} | {length} | {fused:.2f} | {plain:.2f} | {fused / plain:.2f} |")


if __name__ == "__main__":
    main()
