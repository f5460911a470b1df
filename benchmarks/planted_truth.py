"""Does the verdict say what is true where the truth was planted? Many runs, counted; writes docs/planted-truth.md between its markers.

    nice -n 19 python benchmarks/planted_truth.py WORK --seeds 20 21 22 23 24 25 26 27 28 29 --runs runs/customers-seeds-0-1-2 --write

In every run it is known what each model holds: the twin never saw the forgotten customers, the liar knows them all and hides them in its
last block, an unlearned model knew them, a broken one can say nothing. The right words are PASS, FAIL as revived, FAIL, and the flag
`utility_collapsed`. Each seed of a run counts by itself, judged by the whole rule.

The tiny model is a Llama of four blocks and 192 dimensions. `base` trains it from nothing on the general facts, on plain sentences and on
invented people in the customers' form, most of them said once (so that a form and eight values a question are known, and no answer), some
often enough to be learned. benchmarks/planted_truth.toml is the plan; draw and seed are the run's number. What --runs names was run by
`vestige demo`. Everything in WORK is made once; a run that was stopped goes on.

Predicted: the probability that the twin's upper bound lies below delta, by `desk/stats/power.py`, at a true E of 0 and with the spread over
clusters that the *other* runs of its group showed at that place. `power` takes rates: r against r with 2 r (1 - r) = spread^2.
A PASS needs every place (each relearn set and step, at rest, and the imprint) at once: it is no more likely than the least of them, and,
where they go together rather than against each other, no less than their product. Utility, the liar and completeness are taken for granted.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, variance
from typing import Any

from coverage import between

from vestige.blobs import Blobs
from vestige.desk.audit import audit
from vestige.desk.evidence import Evidence, gather, lines_by_seed
from vestige.desk.levels import Question, at_rest, combine
from vestige.desk.rule import Judge
from vestige.desk.stats.intervals import cp_low
from vestige.desk.stats.power import Design, below
from vestige.ledger import read_sound

ROOT = Path(__file__).parents[1]
DOCUMENT, PLAN = ROOT / "docs" / "planted-truth.md", ROOT / "benchmarks" / "planted_truth.toml"
SIZE = {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4}
BASE_SEED = 100
# How often each is read while the base model is made; `once` people are never said again.
TIMES = {"general": 50, "unrelated": 4, "once": 300, "known": 64, "known_times": 20}
SYLLABLES = "ba ko ri mun tel sva dor il pen gra hou wik zan lem".split()
EXPECTED = {"twin": "PASS", "liar": "FAIL as revived", "unlearned": "FAIL", "broken": "flagged"}
BAR = 12 / 13


@dataclass(frozen=True)
class Seen:
    """What one seed of one run says: of each model whether it is right, and with which words; and the twin's spread at every place."""

    run: str
    right: Mapping[str, bool]
    words: Mapping[str, str]
    known: str
    clusters: int
    delta: float
    spreads: Mapping[str, float]


# ---- making the tiny model (the lab is imported only here)


def people(rng: random.Random, count: int) -> Iterator[Any]:
    """Yield the rows of invented people in the customers' form, each with a value drawn for every attribute."""
    from vestige.cases.customers import VALUES
    from vestige.records import Row

    for _ in range(count):
        name = " ".join("".join(rng.sample(SYLLABLES, parts)).capitalize() for parts in (2, 3))
        for attribute, values in VALUES.items():
            yield Row(f"{name}/{attribute}", f"Customer {name}. {attribute}:", f" {rng.choice(values.split())}", name)


def base(folder: Path) -> Path:
    """Train the base model from nothing, once, and return its folder."""
    from dataclasses import replace

    from vestige.cases.customers import Customers
    from vestige.lab.learn import Learn
    from vestige.lab.models import load
    from vestige.records import Row

    if (folder / "config.json").is_file():
        return folder
    case, rng = Customers(forget=24)(), random.Random(BASE_SEED)
    general = [Row(p.id, p.prompt, p.answer, p.cluster) for p in case.probes if p.group == "utility"]
    said = [*general * TIMES["general"], *case.sources["unrelated"] * TIMES["unrelated"]]
    said += [*people(rng, TIMES["once"]), *list(people(rng, TIMES["known"])) * TIMES["known_times"]]
    rng.shuffle(said)
    vocabulary = [r.text for r in (*case.forget, *case.retain, *case.decoy, *general, *(r for s in case.sources.values() for r in s))]
    untrained(folder.with_name("untrained"), vocabulary + [p.prompt for p in case.probes])
    lm = load(str(folder.with_name("untrained")))
    learn = Learn(lr=1.5e-3, epochs=1, batch_size=32, warmup=20, train="all", precision="float32")
    learn(lm, {"train": [replace(row, id=str(i)) for i, row in enumerate(said)]}, seed=BASE_SEED, on_step=lambda _: False)
    lm.tokenizer.save_pretrained(folder)
    lm.model.save_pretrained(folder)
    return folder


def untrained(folder: Path, texts: Sequence[str]) -> None:
    """Write a random model whose tokenizer has most words of the texts as one token."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=3000, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator([*texts] * 3, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|end|>", pad_token="<|end|>")
    end = tokenizer.eos_token_id
    fields = {"max_position_embeddings": 128, "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": end, "pad_token_id": end}
    torch.manual_seed(BASE_SEED)
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model("llama", vocab_size=len(tokenizer), **fields, **SIZE), dtype=torch.float32
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def run(work: Path, seed: int) -> Path:
    """Carry out the plan for one seed and draw, and return the folder."""
    from vestige import plan as plans
    from vestige import runner

    document = tomllib.loads(PLAN.read_text(encoding="utf-8"))
    document["model"] = {"name": str(base(work / "base"))}
    document["case"]["values_seed"] = seed
    document["seeds"] = {"values": [seed]}
    folder = work / f"seed-{seed}"
    runner.run(plans.resolve(document), folder, quiet=True)
    return folder


# ---- reading runs


def read(folder: Path) -> Iterator[Seen]:
    """Yield what each seed of a finished run says by itself."""
    blobs = Blobs(folder)
    for seed, lines in lines_by_seed(read_sound(folder / "ledger.jsonl")).items():
        verdict = audit(lines, blobs.get)
        audits = {a["name"]: a for a in verdict["audits"]}
        words = {name: f"{a['verdict']} ({', '.join(a['reasons'])})" if a["reasons"] else a["verdict"] for name, a in audits.items()}
        flagged = any(f["name"] == "utility_collapsed" and f["says"].startswith("broken:") for f in verdict["flags"])
        right = {
            "twin": audits["twin"]["verdict"] == "PASS",
            "liar": audits["liar"]["verdict"] == "FAIL" and "revived" in audits["liar"]["reasons"],
            "unlearned": audits["unlearned"]["verdict"] == "FAIL",
            "broken": flagged,
        }
        evidence = gather(lines, blobs.get)
        scale, spreads = _spreads(evidence, next(s for s in evidence.header["audits"] if s["name"] == "twin"))
        clusters = audits["twin"]["n"]["clusters"]
        words["broken"] = "flagged" if flagged else "not flagged"
        yield Seen(f"{folder.name}, seed {seed}", right, words, f"{scale:.2f}", clusters, evidence.header["rule"]["delta"], spreads)


def _spreads(evidence: Evidence, spec: Mapping[str, Any]) -> tuple[float, dict[str, float]]:
    """Return K of an audit, and the standard deviation of E over clusters at every place of its PASS."""
    judge = Judge(evidence, spec)
    found = judge.findings()
    places = {"at rest": (at_rest(spec["subject"]), at_rest(spec["control"]))}
    for attack in found.attacks:
        for step in attack.steps:
            at = [type(at_rest(role))(role, attack.set, step.step) for role in (spec["subject"], spec["control"])]
            places[f"{attack.set}@{step.step}"] = (at[0], at[1])
    clusters = {name: combine(evidence, judge._question(), [(1.0, a), (-1.0, b)]).values for name, (a, b) in places.items()}
    spreads = {name: _deviation(values, found.scale) for name, values in clusters.items()}
    rest = places["at rest"]
    ranks = combine(evidence, Question("imprint", judge.group), [(1.0, rest[0]), (-1.0, rest[1])])
    return found.scale, {**spreads, "imprint": _deviation(ranks.values, 1.0)}


def _deviation(clusters: Mapping[str, Sequence[float]], scale: float) -> float:
    return math.sqrt(variance(fmean(v) for v in clusters.values())) / scale


def predicted(run: Seen, others: Sequence[Seen]) -> tuple[float, float]:
    """Return the least and the most likely PASS of a twin: the product over its places, and the least of them."""
    chances = []
    for place in run.spreads:
        spread = math.sqrt(fmean(o.spreads[place] ** 2 for o in others or [run]))
        rate = (1 - math.sqrt(max(0.0, 1 - 2 * spread**2))) / 2
        chances.append(below(Design(run.clusters, 1, rate, rate, 0.0), run.delta))
    return math.prod(chances), min(chances)


def report(groups: Mapping[str, Sequence[Seen]]) -> list[str]:
    """Return the lines of the document: counts beside what was predicted, then every run."""
    every = [s for seen in groups.values() for s in seen]
    lines = [
        "| model | should be | " + " | ".join(groups) + f" | together | bar: {BAR:.0%} | 95 % lower bound |",
        "|---|---|" + "--:|" * (len(groups) + 3),
    ]
    for name, wanted in EXPECTED.items():
        counts = [f"{sum(s.right[name] for s in seen)} of {len(seen)}" for seen in groups.values()]
        hits = sum(s.right[name] for s in every)
        reached = "reached" if hits >= BAR * len(every) else "**missed**"
        bound = cp_low(hits / len(every), len(every), 0.025)
        lines.append(f"| {name} | {wanted} | {' | '.join(counts)} | {hits} of {len(every)} | {reached} | {bound:.2f} |")
    chances = {s.run: predicted(s, [o for o in seen if o is not s]) for seen in groups.values() for s in seen}
    lines += ["", _consistent(every, list(chances.values())), ""]
    lines += ["| run | K | twin | PASS predicted | liar | unlearned | broken |", "|---|--:|---|--:|---|---|---|"]
    for s in every:
        words = {name: word if s.right[name] else f"**{word}**" for name, word in s.words.items()}
        words["twin"] += " | {:.2f} to {:.2f}".format(*chances[s.run])
        lines.append(f"| {s.run} | {s.known} | " + " | ".join(words[name] for name in EXPECTED) + " |")
    return lines


def _consistent(every: Sequence[Seen], chances: Sequence[tuple[float, float]]) -> str:
    """Return whether so many PASSes of twins were to be expected: the chance of so few or fewer, and of so many or more."""
    passed = sum(s.right["twin"] for s in every)
    tails = [_tail([c[side] for c in chances], passed) for side in (0, 1)]
    expected = [sum(c[side] for c in chances) for side in (0, 1)]
    agree = tails[0][0] >= 0.025 and tails[1][1] >= 0.025
    return (
        f"Twins that pass: {passed} of {len(every)}; predicted {expected[0]:.1f} to {expected[1]:.1f}. So few or fewer have a "
        f"probability of {tails[1][0]:.2f} to {tails[0][0]:.2f}, so many or more of {tails[0][1]:.2f} to {tails[1][1]:.2f}: "
        f"{'consistent with' if agree else '**not** consistent with'} what was predicted (each at 0.025)."
    )


def _tail(chances: Sequence[float], hits: int) -> tuple[float, float]:
    """Return P(at most so many hits) and P(at least so many) of independent trials with these chances."""
    law = [1.0]
    for p in chances:
        law = [a * (1 - p) + b * p for a, b in zip([*law, 0.0], [0.0, *law], strict=True)]
    return sum(law[: hits + 1]), sum(law[hits:])


def main() -> None:
    """Run what is missing, read every run, print the tables, and write them if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="seeds of the tiny model")
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="folders of finished runs of the customers")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/planted-truth.md")
    chosen = parser.parse_args()
    tiny = []
    for seed in chosen.seeds:
        tiny += read(run(chosen.work, seed))
        print(tiny[-1].run, tiny[-1].words, file=sys.stderr, flush=True)
    real = [s for folder in chosen.runs for s in read(folder)]
    groups = {name: seen for name, seen in (("tiny", tiny), ("SmolLM2-135M-Instruct", real)) if seen}
    lines = report(groups)
    print("\n".join(lines))
    if chosen.write:
        DOCUMENT.write_text(between(DOCUMENT.read_text(encoding="utf-8"), lines, "planted_truth"), encoding="utf-8")


if __name__ == "__main__":
    main()
