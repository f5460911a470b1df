"""What an unlearning method costs over a bare forward and backward of the batches it looks at, and what memory it takes. Prints a table.

The customers of `benchmarks/tune_customers.toml`. Every method trains with its defaults (batches of 16, a rate near 0, so that nothing
diverges). After each step the batches it looked at are passed once more, bare: the body, the head on scored positions, cross-entropy,
backward, with all that goes in made beforehand. A ratio is the median over steps of processor seconds; RMU, which goes neither to the head
nor to the first blocks, lies below 1, so its own overhead does not show. The optimiser's update, which every training has, stands apart,
and so does all that is left of the time: what a method computes once before its first step (a reference), or after its last (a task
vector's walk). Each method, and plain training on the batches of gradient difference, is a process of its own: memory is its highest
resident size after the weights were loaded. Methods that look at one batch a step (gradient ascent, UNDIAL, SCRUB, task vectors) have
less to hold than plain training on two.

    OMP_NUM_THREADS=1 python benchmarks/method_cost.py [--methods npo rmu] [--steps 6] [--write]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

from vestige import plan as plans
from vestige.cells import Cell
from vestige.lab import losses, models, train
from vestige.lab.actions import encoded, row_streams
from vestige.lab.batches import Encoded, attention_for, padded, predicting
from vestige.lab.models import LanguageModel
from vestige.lab.train import Optimiser, Settings, Spent
from vestige.runner import graph_of

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "method_cost.json"
PLAIN, LORA = "plain training", "-lora"
_BATCH = 16
BARS = {"gradient_ascent": 1.1, "gradient_difference": 1.1, "npo": 1.15}
_STILL = 1e-12
# Steps that are not timed: memory is touched for the first time, and measured.
_WARM = 3
# As in the processes that carry out the cells of a run (`vestige.workers`).
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}


def cell_of(method: str) -> Cell:
    """Return the cell that unlearns the customers by a method, or by METHOD-lora through adapters only."""
    document = tomllib.loads((ROOT / "benchmarks" / "tune_customers.toml").read_text(encoding="utf-8"))
    del document["tune"]
    how = {"train": "lora"} if method.endswith(LORA) else {}
    plan = plans.resolve({**document, "unlearn": {"method": method.removesuffix(LORA), "batch_size": _BATCH, **how}})
    graph, _ = graph_of(plan, plan.case.made())
    arm = next(a for a in graph.arms if a.role == "subject" and a.attack is None)
    return graph.cells[arm.cell]


@dataclass
class Watch:
    """The processor seconds of every step: its passes, its update, the bare passes over the same batches."""

    passes: list[float] = field(default_factory=list)
    updates: list[float] = field(default_factory=list)
    bares: list[float] = field(default_factory=list)


@contextmanager
def watched(lm: LanguageModel) -> Iterator[Watch]:
    """Time the parts of the training loop, and pass the batches of each step once more after its update."""
    look, one_step, update = train._look, train._one_step, train._update
    watch, batches = Watch(), dict[str, list[Encoded]]()

    def kept(lm: LanguageModel, name: str, batch: list[Encoded], settings: Settings) -> Any:
        batches[name] = batch
        return look(lm, name, batch, settings)

    def passed(*args: Any) -> float:
        batches.clear()
        seconds, loss = timed(one_step, *args)
        watch.passes.append(seconds)
        return float(loss)

    def updated(*args: Any) -> None:
        watch.updates.append(timed(update, *args)[0])
        watch.bares.append(bare(lm, batches))

    with patch.multiple(train, _look=kept, _one_step=passed, _update=updated):
        yield watch


def timed(work: Callable[..., Any], *args: Any) -> tuple[float, Any]:
    """Return the processor seconds of a call, and what it returned."""
    started = time.process_time()
    result = work(*args)
    return time.process_time() - started, result


def bare(lm: LanguageModel, batches: Mapping[str, Sequence[Encoded]]) -> float:
    """Pass batches forward and backward, and return the processor seconds; the gradients are let go."""
    ready = [(*padded(batch, lm.device), *predicting(batch, lm.device)) for batch in batches.values()]
    precision = train.training_precision(lm, "auto")
    started = time.process_time()
    with lm.autocast(precision):
        parts = []
        for ids, mask, rows, places in ready:
            with attention_for(ids):
                hidden = lm.body(input_ids=ids, attention_mask=mask).last_hidden_state
            parts.append(torch.nn.functional.cross_entropy(lm.logits(hidden[rows, places]), ids[rows, places + 1]))
        loss = torch.stack(parts).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    loss.item()
    seconds = time.process_time() - started
    for parameter in lm.model.parameters():
        parameter.grad = None
    return seconds


def measure(method: str, steps: int, model: str) -> dict[str, Any]:
    """Measure a method, or plain training on the batches of gradient difference, in this very process."""
    torch.set_num_threads(1)
    cell, lm = cell_of("gradient_difference" if method == PLAIN else method), models.load(model)
    reset_peak()
    if method == PLAIN:
        streams = row_streams(encoded(lm, cell.data, ("forget", "retain")), _BATCH, seed=cell.seed)
        settings = Settings(Optimiser(_STILL), _WARM, "all_but_embeddings")
        train.run(lm, streams, lambda s: losses.nll(s["forget"]) + losses.nll(s["retain"]), settings, lambda step: False)
        return {"peak_mib": peak_mib()}
    fields = {f.name for f in dataclasses.fields(cell.action)}

    def act(steps: int) -> Spent:
        asked = {"lr": _STILL, "steps": steps, "learn_steps": steps}
        action = dataclasses.replace(cell.action, **{k: v for k, v in asked.items() if k in fields})
        spent: Spent = action(lm, cell.data, seed=cell.seed, on_step=lambda step: False)
        return spent

    act(_WARM)
    peak = peak_mib()  # before any bare pass, which may take more than the method
    with watched(lm) as watch:
        total, spent = timed(act, steps)
    passes, updates, bares = watch.passes, watch.updates, watch.bares
    ratios = [seconds / least for seconds, least in zip(passes, bares, strict=True)]
    return {
        "ratio": median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "pass_seconds": median(passes),
        "bare_seconds": median(bares),
        "update_seconds": median(updates),
        "once_seconds": total - sum(passes) - sum(updates) - sum(bares),
        "tokens": spent.tokens_trained / len(passes),
        "peak_mib": peak,
        "steps": len(ratios),
    }


def reset_peak() -> None:
    """Let the peak of this process's resident memory begin at what it holds now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def peak_mib() -> float:
    """Return the peak since the last reset, in MiB."""
    line = next(x for x in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if x.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure each method in a process of its own, print the table, keep the numbers if asked."""
    known = [name for name, kind in plans.tables().methods.items() if hasattr(kind, "space")]
    known.append("gradient_difference" + LORA)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=known, default=known)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--write", action="store_true", help=f"keep the numbers in {RESULTS.relative_to(ROOT)}")
    parser.add_argument("--measure", help="used by the program itself")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.steps, options.model)))
        return
    found = {}
    for name in (PLAIN, *options.methods):
        command = [sys.executable, __file__, "--measure", name, "--steps", str(options.steps), "--model", options.model]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | _ENVIRONMENT)
        found[name] = json.loads(ran.stdout)
        print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    print(table(found))
    if options.write:
        RESULTS.write_text(json.dumps({"model": options.model, "methods": found}, indent=1) + "\n", encoding="utf-8")


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what was measured, in Markdown."""
    columns = "passes over bare, median;from;to;bar;seconds a step;of them update;once before;peak MiB;over plain training".split(";")
    lines = ["| method | " + " | ".join(columns) + " |", "|---|" + "--:|" * len(columns)]
    least = found[PLAIN]["peak_mib"]
    for name, of in found.items():
        if name == PLAIN:
            lines.append(f"| {name} | | | | | | | | {least:.0f} | |")
            continue
        numbers = [f"{of[k]:.2f}" for k in ("ratio", "lowest", "highest")] + [f"≤ {BARS[name]}" if name in BARS else ""]
        numbers += [f"{of['pass_seconds'] + of['update_seconds']:.2f}", f"{of['update_seconds']:.2f}", f"{of['once_seconds']:.1f}"]
        lines.append(f"| `{name}` | " + " | ".join(numbers) + f" | {of['peak_mib']:.0f} | {of['peak_mib'] - least:+.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
