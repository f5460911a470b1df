"""The leak check at size: seconds and peak memory for rows that stream past many probes. Prints one JSON line a size and stage.

    python benchmarks/leak_check.py --probes 10000 --rows 10000 30000 100000 1000000

Rows and probes are made up from a seed: rows of 40 to 90 words (some with numbers, dates, Japanese), probes about names, titles, dates,
amounts, telephone numbers, sentences and Japanese names; one row in a hundred holds an answer, half of them in another spelling. Each
size runs in a process of its own, so that its peak memory is its own. One process, one thread.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random

from vestige.leaks import search
from vestige.longest_runs import longest_runs
from vestige.near_duplicates import NearDuplicates
from vestige.records import Probe, Row

_SYLLABLES = "ka mo ri ten sal vor bel dun mar ost fal gri hem jor lin nev pol quen ras tul ver wex yar zan".split()
_COMMON = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were "
    "all her she there would their we him been has when who will no more if out so up said what its about than into them can only "
    "other time new some could these two may first then do any like my now over such our man me even most made after also did many"
).split()
_KANJI = "田中山本村小林吉松井木清水森池橋石川岡藤原上健一美咲翔太陽子大輔直樹由和彦拓也"


def _word(rng: Random) -> str:
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4)))


def _name(rng: Random) -> str:
    return f"{_word(rng).capitalize()} {_word(rng).capitalize()}"


_ANSWERS: tuple[Callable[[Random], str], ...] = (
    _name,
    _name,
    lambda rng: f"The {_word(rng).capitalize()} {_word(rng).capitalize()}",
    lambda rng: f"{rng.randint(1, 28)} March {rng.randint(1900, 2020)}",
    lambda rng: f"${rng.randint(1000, 9_999_999):,}",
    lambda rng: f"{rng.randint(200, 989)}-555-{rng.randint(0, 9999):04}",
    lambda rng: " ".join(_word(rng) for _ in range(12)),
    lambda rng: "".join(rng.choices(_KANJI, k=4)),
)


def _probes(number: int) -> list[Probe]:
    rng = Random("probes")
    made = []
    for i in range(number):
        cluster, answer = _name(rng), rng.choice(_ANSWERS)(rng)
        made.append(Probe(str(i), f"What is on file about {cluster}?", f" {answer}", "forget", cluster, "test"))
    return made


def _rows(number: int, probes: Sequence[Probe]) -> Iterator[Row]:
    rng = Random("rows")
    rare = [_word(rng) for _ in range(50_000)]
    for i in range(number):
        words = [rng.choice(_COMMON) if rng.random() < 0.6 else rng.choice(rare) for _ in range(rng.randint(40, 90))]
        if rng.random() < 0.3:
            words[rng.randrange(len(words))] = rng.choice((str(rng.randint(1, 99_999)), f"{rng.randint(1900, 2020)}年", "５ March 1987"))
        if i % 100 == 0:
            answer = rng.choice(probes).answer.strip()
            words[rng.randrange(len(words))] = answer if i % 200 else answer.upper().replace(" ", "\u00a0")
        yield Row(str(i), "", " ".join(words), "")


def _sought(rows: Iterator[Row], probes: Sequence[Probe]) -> int:
    return len({f.row for f in search(rows, probes) if f.leaked})


def _repeated(rows: Iterator[Row], probes: Sequence[Probe]) -> int:
    near = NearDuplicates([p.prompt + p.answer for p in probes])
    return sum(any(near.of(row.text)) for row in rows)


def _run(rows: Iterator[Row], probes: Sequence[Probe]) -> int:
    return sum(run.words > 1 for run in longest_runs(rows, probes))


_STAGES = {"answers": _sought, "near_duplicates": _repeated, "longest_runs": _run}


def _measure(number: int, asked: int, stage: str) -> None:
    """Run one stage over one size and print what it took; the time to make the rows is taken off."""
    probes = _probes(asked)
    start = time.perf_counter()
    for _ in _rows(number, probes):
        pass
    making = time.perf_counter() - start
    start = time.perf_counter()
    found = _STAGES[stage](_rows(number, probes), probes)
    seconds = time.perf_counter() - start - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    said = {"stage": stage, "rows": number, "probes": asked, "seconds": round(seconds, 1), "peak_rss_mib": round(peak), "found": found}
    print(json.dumps(said), flush=True)


def main() -> None:
    """Measure every size and stage asked for, each in a new process."""
    parser = argparse.ArgumentParser(description=next(islice((__doc__ or "").splitlines(), 1)))
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--probes", type=int, default=10_000)
    parser.add_argument("--stages", nargs="+", choices=list(_STAGES), default=list(_STAGES))
    chosen = parser.parse_args()
    for number in chosen.rows:
        for stage in chosen.stages:
            process = multiprocessing.get_context("spawn").Process(target=_measure, args=(number, chosen.probes, stage))
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(f"{stage} over {number} rows: ended with {process.exitcode}")


if __name__ == "__main__":
    main()
