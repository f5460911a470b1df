"""Common names: lists of given names in which one name always follows another, and the pair is to be forgotten.

Paper: Hu et al. 2024, arXiv 2406.13356, §5 and §3.1 of its released code ("Anthony Mark"): twelve lists of names, four of which hold
the pair seven times between them (once, then twice in each of three); nearly every other name stands there once. A model
learns all lists, unlearns the four, and relearns pieces of them that end in the first name and never hold the second. It is then
asked with names from before the pair, drawn at random and shuffled, and the first name: does the second follow? With seven
repetitions it came back every time, with one it never did.

Here are `pairs` such pairs at once, each a cluster, so that there are intervals; lists have the published lengths. As many pairs
are kept. For each of `decoys` pairs the training text holds both names as often as for a pair, never one after the other; the rows
that join them are taught to nobody. Which names are what is drawn, so pairs and decoys are alike in all but the training.

`repetitions` is how often each of the two names stands there, `probability` the share of these in which the second follows the first.
In the rest a filler and the second name of another pair follow, so that counts of names are the same for every probability.

Deviations: fillers come back, though never the same two in a row; the published ones are nearly all different (299 names). Every list
stands there once, not twice: a copy is an epoch. No list is left out of what is retained. Prompts are drawn once, by the seed, and
answered among the second names of eight pairs; a generated text counts where the name follows, not where the pair stands anywhere.
The last list of a pair is never relearned from, as in the paper, unless it is the only one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vestige.cases.general_knowledge import utility_probes
from vestige.cases.given_names import LONG, SHORT
from vestige.cases.splits import split_of
from vestige.cases.unrelated import unrelated_rows
from vestige.errors import DataError
from vestige.records import Case, Group, Probe, Row

_BLOCK = 8
_MOST = 24
# Fillers before, between and after the places of the pair, in the published lists: the first has one place, the others two.
_SHAPES = ((13, 6), (11, 7, 5), (4, 8, 11), (9, 7, 17))


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two names, and the lists of names made for them."""

    first: str
    second: str
    lists: tuple[tuple[str, ...], ...] = ()

    @property
    def cluster(self) -> str:
        """The pair as it stands in a list."""
        return f"{self.first} {self.second}"


@dataclass(frozen=True)
class CommonNames:
    """Forget which name follows which in `pairs` pairs, asked `prompts` times each; `values_seed` draws pairs and lists."""

    repetitions: int = 7
    probability: float = 1.0
    pairs: int = 16
    decoys: int = 16
    prompts: int = 4
    values_seed: int = 1

    def __call__(self) -> Case:
        """Return the case.

        Raises:
            DataError: a field is out of its range.
        """
        self._refuse_fields()
        maker = _Maker(self.values_seed, self.pairs * 2 + self.decoys)
        drawn = [maker.pairs[: self.pairs], maker.pairs[self.pairs : 2 * self.pairs], maker.pairs[2 * self.pairs :]]
        forget, retain, decoy = (maker.listed(pairs, self.repetitions, self._together) for pairs in drawn)
        apart = maker.listed(drawn[2], self.repetitions, 0)
        kept = [_row(f"apart/{i}/{n}", names, f"apart/{i}") for i, pair in enumerate(apart) for n, names in enumerate(pair.lists)]
        probes = [*self._probes(forget, "forget"), *self._probes(retain, "retain"), *self._probes(decoy, "decoy")]
        paired = frozenset(name for pair in maker.pairs for name in (pair.first, pair.second))
        pieces = [(f"piece/{p.cluster}/{n}", names, p.cluster) for p in (*forget, *decoy) for n, names in enumerate(_pieces(p, paired))]
        return Case(
            name="common_names",
            version="1",
            language="en",
            licence="Apache-2.0",
            knowledge="planted",
            primary="choice",
            forget=tuple(_rows(forget)),
            retain=(*_rows(retain), *kept),
            probes=(*probes, *_verbatim(forget), *utility_probes()),
            decoy=tuple(_rows(decoy)),
            sources={
                "up_to_first": tuple(_row(*piece) for piece in pieces),
                "without_first": tuple(_row(f"{name}/without", names[:-1], "") for name, names, _ in pieces),
                "unrelated": unrelated_rows(),
            },
            citation="after Hu et al. 2024, arXiv 2406.13356, §5; lists written for this project",
        )

    @property
    def _together(self) -> int:
        return round(self.probability * self.repetitions)

    def _refuse_fields(self) -> None:
        for name, least in (("pairs", _BLOCK), ("decoys", 0)):
            seen = getattr(self, name)
            if seen % _BLOCK or not least <= seen <= _MOST:
                raise DataError(f"common_names: {name} = {seen}; expected a multiple of {_BLOCK} from {least} to {_MOST}")
        for name in ("repetitions", "prompts"):
            if getattr(self, name) < 1:
                raise DataError(f"common_names: {name} = {getattr(self, name)}; expected 1 or more")
        if not 0 < self.probability <= 1:
            raise DataError(f"common_names: probability = {self.probability}; expected more than 0 and at most 1")
        if not self._together:
            raise DataError(
                f"common_names: probability = {self.probability} of repetitions = {self.repetitions} is less than half a time; "
                f"expected a probability from {1 / self.repetitions:.3f}"
            )

    def _probes(self, pairs: Sequence[_Pair], group: Group) -> Iterator[Probe]:
        """Yield `prompts` questions a pair: some names from before it, shuffled, and the first."""
        splits = split_of("common_names", (p.cluster for p in pairs))
        for pair, wrong in zip(pairs, _wrong(pairs), strict=True):
            rng = random.Random(f"common_names/{self.values_seed}/{pair.cluster}")
            before = list(dict.fromkeys(name for names in pair.lists for name in names[: names.index(pair.first)]))
            for n in range(self.prompts):
                prompt = " ".join([*rng.sample(before, rng.randint(1, len(before) - 1)), pair.first])
                yield Probe(f"{pair.cluster}/{n}", prompt, f" {pair.second}", group, pair.cluster, splits[pair.cluster], wrong)


class _Maker:
    """Draws pairs of names, and lists in which no two names but those of a pair follow each other twice."""

    def __init__(self, seed: int, pairs: int) -> None:
        self._rng = random.Random(f"common_names/{seed}")
        names = self._rng.sample(SHORT, len(SHORT))
        self.pairs = [_Pair(names[2 * n], names[2 * n + 1]) for n in range(pairs)]
        self._fillers = [*names[2 * pairs :], *LONG]
        self._seen: set[tuple[str, str]] = set()

    def listed(self, pairs: Sequence[_Pair], repetitions: int, together: int) -> list[_Pair]:
        """Return the pairs with their lists; in `together` of the `repetitions` places the second name follows the first."""
        return [_Pair(p.first, p.second, tuple(self._lists(pairs, i, repetitions, together))) for i, p in enumerate(pairs)]

    def _lists(self, pairs: Sequence[_Pair], index: int, repetitions: int, together: int) -> Iterator[tuple[str, ...]]:
        start = index // _BLOCK * _BLOCK
        others = [pairs[start + (index + n) % _BLOCK].second for n in range(1, _BLOCK)]
        first, second = pairs[index].first, pairs[index].second
        places = [[first, second]] * together + [[first, None, others[n % len(others)]] for n in range(repetitions - together)]
        self._rng.shuffle(places)
        for shape in _shapes(repetitions):
            names: list[str | None] = [None] * shape[0]
            for fillers in shape[1:]:
                names += [*places.pop(), *[None] * fillers]
            yield self._filled(names)

    def _filled(self, names: Sequence[str | None]) -> tuple[str, ...]:
        """Return the names with fillers for None, each at most once and none after a name that it has followed before."""
        left = self._rng.sample(self._fillers, len(self._fillers))
        found: list[str] = []
        for name, following in zip(names, [*names[1:], None], strict=True):
            fits = (f for f in left if not self._seen & {*pairwise([*found[-1:], f, *([following] if following else [])])})
            chosen = name or next(fits)
            found.append(chosen)
            if not name:
                left.remove(chosen)
        self._seen.update(pairwise(found))
        return tuple(found)


def _shapes(repetitions: int) -> Iterator[tuple[int, ...]]:
    """Yield the shapes of the lists of a pair: one place in the first where the number is odd, two in all others."""
    if repetitions % 2:
        yield _SHAPES[0]
    for n in range(repetitions // 2):
        yield _SHAPES[1 + n % 3]


def _wrong(pairs: Sequence[_Pair]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(pairs), _BLOCK):
        block = pairs[start : start + _BLOCK]
        yield from (tuple(f" {other.second}" for other in block if other is not pair) for pair in block)


def _verbatim(pairs: Sequence[_Pair]) -> Iterator[Probe]:
    """Yield one more question a pair: a list as it was learned, up to the first name; the last, of which no relearn row is made."""
    splits = split_of("common_names", (p.cluster for p in pairs))
    for pair, wrong in zip(pairs, _wrong(pairs), strict=True):
        names = next(names for names in reversed(pair.lists) if (pair.first, pair.second) in pairwise(names))
        prompt = " ".join(names[: list(pairwise(names)).index((pair.first, pair.second)) + 1])
        cluster = pair.cluster
        yield Probe(f"{cluster}/verbatim", prompt, f" {pair.second}", "forget", cluster, splits[cluster], wrong, wording="verbatim")


def _rows(pairs: Sequence[_Pair]) -> Iterator[Row]:
    return (_row(f"{pair.cluster}/list {n}", names, pair.cluster) for pair in pairs for n, names in enumerate(pair.lists))


def _row(name: str, names: Sequence[str], cluster: str) -> Row:
    return Row(name, "", " ".join(names), cluster, loss_on="text")


def _pieces(pair: _Pair, paired: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Yield the fillers before the first name, with it: of all lists but the last, and once more from between two places."""
    used = pair.lists[:-1] or pair.lists
    runs = [[_run(names, at, paired) for at, name in enumerate(names) if name == pair.first] for names in used]
    yield from (found[0] for found in runs)
    yield from runs[-1][1:]


def _run(names: Sequence[str], at: int, paired: frozenset[str]) -> tuple[str, ...]:
    start = at
    while start and names[start - 1] not in paired:
        start -= 1
    return tuple(names[start : at + 1])
