"""Is a relearn set benign? Every row is held against every probe it will be asked about, before any training.

A probe is **leaked** where its answer or an alias stands in a row, exactly or in disguise (case, width, diacritics,
punctuation). One exception, by name: *shared values*. Planted records share their values by design, each value being a
candidate for everybody, so that only the binding of person and value informs. A hit in a record of the same attribute
about *somebody else*, which does not name the probe's cluster, is **suspect**, and stays in the estimates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vestige.records import Fold, Probe, RelearnSet, Row
from vestige.text import fold, normalise, words


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer that stands in a row: which probe and row, the text that matched, and how bad that is."""

    probe: str
    row: str
    matched: str
    leaked: bool


@dataclass(frozen=True)
class FoldLeaks:
    """What was found for the probes asked in one fold: their ids by verdict, and every finding."""

    clean: tuple[str, ...]
    suspect: tuple[str, ...]
    leaked: tuple[str, ...]
    findings: tuple[Finding, ...] = field(default=())


def check(relearn_set: RelearnSet, probes: Sequence[Probe]) -> tuple[FoldLeaks, ...]:
    """Return, fold by fold, which of the probes asked there are clean, suspect or leaked."""
    return tuple(_check_fold(f, [p for p in probes if p.id in set(f.asks)]) for f in relearn_set.folds)


def _check_fold(chosen: Fold, probes: Sequence[Probe]) -> FoldLeaks:
    index = _index(chosen.rows)
    findings = [finding for probe in probes for finding in _findings(probe, chosen.rows, index)]
    leaked = {f.probe for f in findings if f.leaked}
    suspect = {f.probe for f in findings} - leaked
    clean = tuple(p.id for p in probes if p.id not in leaked | suspect)
    return FoldLeaks(clean, tuple(sorted(suspect)), tuple(sorted(leaked)), tuple(findings))


def _index(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Return word → numbers of the rows that hold it, so that a check costs the words, not rows × probes."""
    index: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        for word in set(words(row.text)):
            index[word].append(number)
    return index


def _findings(probe: Probe, rows: Sequence[Row], index: dict[str, list[int]]) -> Iterable[Finding]:
    for answer in (probe.answer, *probe.aliases):
        for row in _holding(answer, rows, index):
            yield Finding(probe.id, row.id, answer.strip(), not _shared_value(probe, row))


def _holding(answer: str, rows: Sequence[Row], index: Mapping[str, list[int]]) -> Iterator[Row]:
    """Yield the rows an answer stands in; an answer without a letter or digit ("★★", "+") is sought as it stands."""
    needle = words(answer)
    if needle:
        rarest = min(needle, key=lambda w: len(index.get(w, ())))
        yield from (rows[n] for n in index.get(rarest, ()) if _stands_in(needle, words(rows[n].text)))
    elif signs := normalise(answer):
        yield from (row for row in rows if signs in normalise(row.text))


def _stands_in(needle: Sequence[str], hay: Sequence[str]) -> bool:
    n = len(needle)
    return any(list(hay[i : i + n]) == list(needle) for i in range(len(hay) - n + 1))


def _shared_value(probe: Probe, row: Row) -> bool:
    """Return whether a hit is only a value that somebody else's record shares by design."""
    same_attribute = bool(row.attribute) and row.attribute == probe.attribute
    names_it = fold(probe.cluster) in fold(row.text)
    return same_attribute and row.cluster != probe.cluster and not names_it
