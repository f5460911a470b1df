"""What a recipe chooses among: the rows of a group, the case's sources, and which of them give an answer away."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from statistics import median
from typing import Literal, TypeVar

from vestige.errors import DataError, nearest
from vestige.leak_search import Searcher
from vestige.passages import passages
from vestige.recipe_request import Request
from vestige.records import Case, Fold, Probe, RelearnSet, Row
from vestige.similarity import topics
from vestige.text import words

T = TypeVar("T")
Split = Literal["auto", "withheld", "halves"]

# Conditions compared hold the same number of tokens, up to this factor.
_EQUAL_TOKENS = 1.05
# Passages up to a quarter longer than the middle question are, on average, about as long as it.
_LONGEST_PASSAGE = 1.25


def asked(case: Case, request: Request, recipe: str) -> tuple[Probe, ...]:
    """Return the probes of the group, in every wording.

    Raises:
        DataError: there are none.
    """
    probes = case.asked(request.group, wording="*")
    if not probes:
        groups = {p.group for p in case.probes}
        raise DataError(f"{recipe}: case {case.name!r} has no probes of the group {request.group!r}; {nearest(request.group, groups)}")
    return probes


def own_rows(case: Case, request: Request, recipe: str) -> tuple[Row, ...]:
    """Return the rows the group's probes ask about.

    Raises:
        DataError: there are none.
    """
    rows = case.decoy if request.group == "decoy" else case.forget
    if not rows:
        raise DataError(f"{recipe}: case {case.name!r} has no {request.group} rows")
    return rows


def pool(case: Case, sources: Iterable[str], request: Request, recipe: str) -> tuple[Row, ...]:
    """Return the rows of the sources named: "forget" (the group's own rows), "retain", "*" (every source of the case), or one by its name.

    Raises:
        DataError: no such source, or no rows in any of them.
    """
    everything = tuple(row for name in sorted(case.sources) for row in case.sources[name])
    known = {"forget": case.decoy if request.group == "decoy" else case.forget, "retain": case.retain, "*": everything, **case.sources}
    rows: list[Row] = []
    for name in sources:
        if name not in known:
            raise DataError(f"{recipe}: case {case.name!r} has no source {name!r}; {nearest(name, known)}")
        rows += known[name]
    if not rows:
        has = ", ".join(sorted(n for n, r in known.items() if r)) or "none"
        raise DataError(f"{recipe}: {', '.join(sources)} of case {case.name!r} hold no rows; sources that do: {has}")
    return tuple(dict.fromkeys(rows))


def one_fold(name: str, recipe: str, rows: Iterable[Row], probes: Iterable[Probe]) -> RelearnSet:
    """Return a set in one fold, along which every probe is asked."""
    return RelearnSet(name, recipe, (Fold(tuple(rows), tuple(p.id for p in probes)),))


def benign(rows: Iterable[Row], probes: Sequence[Probe]) -> tuple[Row, ...]:
    """Return the rows that leak no probe's answer."""
    searcher = Searcher(probes)
    return tuple(row for row in rows if not any(f.leaked for f in searcher.findings(row)))


def need(rows: Sequence[object], recipe: str, otherwise: str) -> None:
    """Refuse an empty choice of rows, saying what is lacking.

    Raises:
        DataError: there are no rows.
    """
    if not rows:
        raise DataError(f"{recipe}: {otherwise}")


def by_topic(rows: Sequence[Row], probes: Sequence[Probe]) -> tuple[list[Row], list[Row]]:
    """Return the rows about clusters that are asked about, and the others."""
    about = topics(rows, {p.cluster for p in probes})
    on, off = ([r for r, names in zip(rows, about, strict=True) if bool(names) is wanted] for wanted in (True, False))
    return on, off


def answers_in(rows: Sequence[Row], probes: Iterable[Probe]) -> list[list[str]]:
    """Return, row by row, the answers, aliases and keywords of the probes that stand in it, whoever it speaks of."""
    needles = {text: f" {' '.join(words(text))} " for p in probes for text in p.expected if words(text)}
    hays = [f" {' '.join(words(r.text))} " for r in rows]
    return [[text for text, needle in needles.items() if needle in hay] for hay in hays]


def withheld(case: Case, request: Request, recipe: str, split: Split = "auto") -> tuple[Fold, ...]:
    """Return the folds of a partial forget set: rows that hold no answer, alias or keyword of any probe asked there.

    "withheld": one fold, every probe asked, the rows free of all of them. "halves": two folds, each asking half of the facts
    of every cluster (half of the attributes, where rows have attributes). "auto": withheld where probes have keywords and
    leave a row, else halves.
    """
    rows, probes = own_rows(case, request, recipe), asked(case, request, recipe)
    whole = _free(rows, probes)
    if split == "withheld" or (split == "auto" and whole.rows and any(p.keywords for p in probes)):
        return (whole,)
    halves = _halves(probes)
    if not all(halves):
        raise DataError(
            f"{recipe}: the {request.group} probes of case {case.name!r} ask one fact of each cluster; two are needed to withhold one "
            "(rtt_fold withholds whole clusters)"
        )
    return tuple(_free(rows, half) for half in halves)


def _free(rows: Sequence[Row], probes: Sequence[Probe]) -> Fold:
    silent = [r for r, held in zip(rows, answers_in(rows, probes), strict=True) if not held]
    free = benign(silent, probes)  # nor in another spelling or form
    return Fold(tuple(in_turn(free, [r.cluster for r in free])), tuple(p.id for p in probes))


def _halves(probes: Sequence[Probe]) -> tuple[list[Probe], list[Probe]]:
    """Split probes by every other attribute, or without attributes by every other fact of each cluster; wordings stay together."""
    attributes = sorted({p.attribute for p in probes if p.attribute})
    facts: dict[str, list[tuple[str, ...]]] = {}
    halves: tuple[list[Probe], list[Probe]] = ([], [])
    for probe in probes:
        seen = facts.setdefault(probe.cluster, [])
        if probe.expected not in seen:
            seen.append(probe.expected)
        number = attributes.index(probe.attribute) if len(attributes) > 1 and probe.attribute else seen.index(probe.expected)
        halves[number % 2].append(probe)
    return halves


def in_turn(items: Sequence[T], keys: Sequence[Hashable]) -> list[T]:
    """Return the items with their keys taking turns, so that any first few of them cover as many keys as can be."""
    groups: dict[Hashable, list[tuple[T]]] = {}
    for item, key in zip(items, keys, strict=True):
        groups.setdefault(key, []).append((item,))
    return [held[0] for turn in zip_longest(*groups.values()) for held in turn if held is not None]


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    """Return the rows in a random order that the seed decides."""
    mixed = list(rows)
    random.Random(f"relearn/{seed}").shuffle(mixed)
    return mixed


def evened(rows: Sequence[Row], request: Request) -> list[Row]:
    """Return the rows with long plain texts cut into passages about as long as the middle row with a question (of all rows, without any).

    A passage is filed under no cluster: whether it is still about one is for its words to say.
    """
    sizes = [request.count(row.text) for row in rows]
    asking = [size for row, size in zip(rows, sizes, strict=True) if row.prompt.strip()]
    most = max(round(_LONGEST_PASSAGE * median(asking or sizes or [1])), 1)
    found: list[Row] = []
    for row, size in zip(rows, sizes, strict=True):
        if row.prompt.strip() or size <= most:
            found.append(row)
        else:
            found += (replace(row, id=f"{row.id}/{i}", answer=p, cluster="") for i, p in enumerate(passages(row.text, request.count, most)))
    return found


def size_matched(groups: Mapping[str, Sequence[Row]], request: Request, recipe: str) -> dict[str, tuple[Row, ...]]:
    """Return equally many rows of every group, at most 5 % apart in tokens.

    Each group is walked towards the same mean size, taking whatever row brings its sum nearest to it. Of the mean sizes that can
    be reached with at least three quarters of the rows of the best of them, the one nearest to the middle row is taken.

    Raises:
        DataError: a group is empty, or no number of rows matches.
    """
    if any(not rows for rows in groups.values()):
        raise DataError(f"{recipe}: rows found: {', '.join(f'{len(rows)} {name}' for name, rows in groups.items())}; every one is needed")
    sizes = {name: [request.count(r.text) for r in rows] for name, rows in groups.items()}
    pooled = sorted(size for found in sizes.values() for size in found)
    means = sorted({pooled[len(pooled) * i // 20] for i in range(20)}, key=lambda size: (abs(size - median(pooled)), size))
    matches = [_matched(sizes, mean, request) for mean in means]
    most = max(len(next(iter(match.values()))) for match in matches)
    if not most:
        middle = ", ".join(f"{name} {median(found):g}" for name, found in sizes.items())
        raise DataError(f"{recipe}: no rows within 5 % in tokens and a budget of {request.budget} (tokens of a middle row: {middle})")
    chosen = next(match for match in matches if 4 * len(next(iter(match.values()))) >= 3 * most)
    return {name: tuple(groups[name][i] for i in indices) for name, indices in chosen.items()}


def _matched(sizes: Mapping[str, Sequence[int]], mean: int, request: Request) -> dict[str, list[int]]:
    """Return the places of the most rows per group that are matched when every group is walked towards one mean size."""
    most = min(len(found) for found in sizes.values())
    most = most if request.examples is None else min(most, request.examples)
    walks = {name: _walk(found, mean, most) for name, found in sizes.items()}
    best = 0
    for n in range(1, most + 1):
        sums = [walk[n - 1][1] for walk in walks.values()]
        within = request.tokens is None or max(sums) <= request.tokens
        best = n if within and max(sums) <= _EQUAL_TOKENS * min(sums) else best
    return {name: [place for place, _ in walk[:best]] for name, walk in walks.items()}


def _walk(sizes: Sequence[int], mean: int, steps: int) -> list[tuple[int, int]]:
    """Return (place, sum so far) of rows taken so that the sum of the first n stays as near as it can to n · mean."""
    left = sorted((size, place) for place, size in enumerate(sizes))
    taken: list[tuple[int, int]] = []
    total = 0
    for n in range(1, steps + 1):
        size, place = left.pop(_nearest(left, n * mean - total))
        total += size
        taken.append((place, total))
    return taken


def _nearest(sizes: Sequence[tuple[int, int]], wanted: int) -> int:
    """Return the place of the size nearest to the one wanted, in a sorted list that is not empty."""
    at = bisect_left(sizes, (wanted, -1))
    around = [i for i in (at - 1, at) if 0 <= i < len(sizes)]
    return min(around, key=lambda i: (abs(sizes[i][0] - wanted), i))
