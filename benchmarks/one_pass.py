"""What all scoring metrics cost over one bare forward pass. Prints a table.

TOFU's forget05 questions with all their answers. Bare: the same batches, the prompt once for all its candidates, the head on answer
positions only, with everything that goes in made beforehand and nothing read from what comes out. Against it: `score_candidates`, and
`score_candidates` with every metric of `desk.metrics.TOKENS` on its records. The three take turns; a ratio is the median over the turns, of
processor seconds. Gradient norm and reference loss need more than one pass and are not among them.

Run: VESTIGE_DATA=... OMP_NUM_THREADS=1 python benchmarks/one_pass.py [--questions 24] [--turns 5] [--model smollm2-135m-instruct]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from vestige.cases.tofu import Tofu
from vestige.desk import metrics
from vestige.lab import models, probes
from vestige.lab.batches import by_padded_tokens
from vestige.lab.models import LanguageModel
from vestige.records import Probe, plain

_BAR = 1.15


def prepared(lm: LanguageModel, asked: Sequence[Probe]) -> list[tuple[dict[str, Any], Tensor, Tensor]]:
    """Return what the model reads of each batch, and where the head is to look."""
    batches = []
    for batch in by_padded_tokens([probes._pack(lm, p) for p in asked], probes._BATCH_TOKENS):
        at = sorted({(b, s) for b, p in enumerate(batch) for source in p.sources for s in source})
        rows, columns = (torch.tensor(x) for x in zip(*at, strict=True))
        batches.append((probes._inputs(lm, batch), rows, columns))
    return batches


@torch.no_grad()
def bare(lm: LanguageModel, batches: Sequence[tuple[dict[str, Any], Tensor, Tensor]]) -> None:
    """Pass every batch through the body, and its answer positions through the head."""
    for inputs, rows, columns in batches:
        lm.logits(lm.body(**inputs).last_hidden_state[rows, columns])


def measured(lm: LanguageModel, asked: Sequence[Probe]) -> None:
    """Score the candidates, then every metric on every record."""
    for record in probes.score_candidates(lm, asked):
        candidates = plain(record.candidates)
        for metric in metrics.TOKENS.values():
            metric(candidates)


def seconds(work: Callable[[], object]) -> float:
    """Return the processor seconds that a piece of work takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lm = models.load(options.model)
    every = Tofu(str(Path(os.environ["VESTIGE_DATA"]) / "tofu"), split="forget05")().asked("forget")
    asked = [every[i * len(every) // options.questions] for i in range(options.questions)]
    batches = prepared(lm, asked)
    bare(lm, batches[:1])
    ways: dict[str, Callable[[], object]] = {
        "bare forward": lambda: bare(lm, batches),
        "score_candidates": lambda: probes.score_candidates(lm, asked),
        "and all metrics": lambda: measured(lm, asked),
    }
    turns = [{name: seconds(work) for name, work in ways.items()} for _ in range(options.turns)]
    tokens, positions = sum(x["input_ids"].numel() for x, _, _ in batches), sum(len(rows) for _, rows, _ in batches)
    print(f"{len(asked)} questions, {len(batches)} batches, {tokens} tokens with padding, {positions} scored, {options.turns} turns\n")
    print("| | processor seconds, median | over bare, median | from | to |\n|---|---|---|---|---|")
    for name in ways:
        ratios = sorted(turn[name] / turn["bare forward"] for turn in turns)
        print(f"| {name} | {median(t[name] for t in turns):.2f} | {median(ratios):.3f} | {ratios[0]:.3f} | {ratios[-1]:.3f} |")
    print(f"\nexpected at most {_BAR}")


if __name__ == "__main__":
    main()
