"""Greedy completions: `lab.generation.greedy` against plain `model.generate`, on a fixed workload. Prints a table.

TOFU's forget05 questions to a model, and the same questions to a copy that loops: with nothing coming out of attention, what is said next
hangs on the last token alone. 64 new tokens, fp32, batches of the same number of rows; `generate` takes them in the order given, padded on
the left. Its tokens, read by the same rules, must give the same texts and ends. Tokens per second are, for both, the tokens of these
answers over processor seconds: what `generate` adds after a loop or a new line is no part of an answer. What it made stands beside.

Run: VESTIGE_DATA=... OMP_NUM_THREADS=1 python benchmarks/generation.py [--questions 200] [--model smollm2-135m-instruct]
"""

from __future__ import annotations

import argparse
import copy
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from vestige.cases.tofu import Tofu
from vestige.lab import generation, models
from vestige.lab.models import LanguageModel
from vestige.records import Answer, Probe

_NEW = 64
_BAR = 2.0


def looping(lm: LanguageModel) -> LanguageModel:
    """Return a copy whose attention gives nothing."""
    other = LanguageModel(copy.deepcopy(lm.model), lm.tokenizer, "looping")
    with torch.no_grad():
        for layer in other.model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
    return other


@torch.no_grad()
def plain(lm: LanguageModel, asked: Sequence[Probe]) -> list[list[int]]:
    """Return the new tokens of every probe by `model.generate`."""
    said: list[list[int]] = []
    for start in range(0, len(asked), generation.ROWS):
        heads = [lm.encode(p.prompt, "", p.form)[0] for p in asked[start : start + generation.ROWS]]
        width = max(map(len, heads))
        ids = torch.tensor([[0] * (width - len(h)) + h for h in heads])
        mask = torch.tensor([[0] * (width - len(h)) + [1] * len(h) for h in heads])
        out = lm.model.generate(
            ids, attention_mask=mask, do_sample=False, max_new_tokens=_NEW, pad_token_id=lm.tokenizer.eos_token_id, use_cache=True
        )
        said += out[:, width:].tolist()
    return said


def read(lm: LanguageModel, tokens: Sequence[int]) -> tuple[list[int], str]:
    """Return the tokens of an answer and why it ended, by the rules of `greedy`."""
    said: list[int] = []
    for token in tokens:
        if finish := generation._extend(lm, said, token, generation._end_ids(lm), "\n"):
            return said, finish
    return said, "length"


def compare(name: str, lm: LanguageModel, asked: Sequence[Probe]) -> tuple[int, float, float]:
    """Print one line of the table; return the tokens of the answers and the seconds that each way took."""
    started = time.process_time()
    tokens = plain(lm, asked)
    between = time.process_time()
    answers = generation.greedy(lm, asked, max_new=_NEW)
    theirs, ours = between - started, time.process_time() - between
    found = [read(lm, t) for t in tokens]
    due = [Answer(p.id, lm.tokenizer.decode(t, skip_special_tokens=True), f) for p, (t, f) in zip(asked, found, strict=True)]  # type: ignore[arg-type]
    same = sum(a == b for a, b in zip(answers, due, strict=True))
    kept = sum(len(t) for t, _ in found)
    ends = ", ".join(f"{n} {f}" for f, n in Counter(a.finish for a in answers).most_common())
    end = generation._end_ids(lm)
    made = sum(next((i + 1 for i, t in enumerate(row) if t in end), len(row)) for row in tokens)
    speed = f"{kept} | {made} | {kept / theirs:.1f} | {kept / ours:.1f} | {theirs / ours:.2f}"
    print(f"| {name} | {same} of {len(asked)} | {ends} | {speed} |", flush=True)
    return kept, theirs, ours


def main() -> None:
    """Print the table; if the bar is not reached, where the time goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lm = models.load(options.model)
    every = Tofu(str(Path(os.environ["VESTIGE_DATA"]) / "tofu"), split="forget05")().asked("forget")
    asked = [every[i * len(every) // options.questions] for i in range(options.questions)]
    print("| model | same as generate | ends | tokens of the answers | made by generate | generate, tokens/s | greedy, tokens/s | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    parts = [compare(*part, asked) for part in ((options.model, lm), ("looping", looping(lm)))]
    kept, theirs, ours = map(sum, zip(*parts, strict=True))
    ratio = theirs / ours
    print(f"| both | | | {kept} | | {kept / theirs:.1f} | {kept / ours:.1f} | {ratio:.2f} |")
    print(f"\n{generation.ROWS} rows a batch, fp32, {_NEW} new tokens; ratio {ratio:.2f}, expected {_BAR} or more")
    if ratio < _BAR:
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            generation.greedy(lm, asked[: generation.ROWS], max_new=8)
        print(seen.key_averages().table(sort_by="self_cpu_time_total", row_limit=10, max_name_column_width=40))


if __name__ == "__main__":
    main()
