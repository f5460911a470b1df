"""Is a relearn set benign? Every row is held against every probe it will be asked about, before any training.

A probe is **leaked** where what counts as its answer stands in a row: verbatim, in another spelling, in a form an answer takes, or as
the same value written otherwise (`leak_search` says which). It is **suspect** where that cannot be told from the text, where a row nearly
repeats the probe's own text (`near_duplicates`) or, if asked for, means much the same (`embed`) or makes the answer likelier for a
model that was never exposed to it (`v_information`). Otherwise it is **clean**. Leaked probes are set apart, suspect ones stay in the
estimates and are shown.

One exception, by name: *shared values*. Planted records share their values by design, each value being a candidate for everybody, so
that only the binding of person and value informs. A hit in a record of the same attribute about *somebody else*, which does not name
the probe's cluster, is suspect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vestige.errors import DataError
from vestige.leak_search import Finding, Searcher, search
from vestige.longest_runs import Run, longest_runs
from vestige.near_duplicates import NearDuplicates
from vestige.records import Fold, Missing, Probe, RelearnSet, Row
from vestige.similarity import Embed
from vestige.v_information import Score, Told, told

__all__ = ["Finding", "FoldLeaks", "asks_about", "check", "search", "telling", "without_leaks"]

NEARLY_THE_SAME = 0.8
"""Jaccard similarity from which on a row nearly repeats a text."""
SAME_MEANING = 0.9
"""Cosine from which on a row means much the same as question and answer."""
TELLING = 3.0
"""Nats of V-information from which on a row makes an answer suspect: it is then twenty times as likely."""
_BLOCK = 256


@dataclass(frozen=True)
class FoldLeaks:
    """What was found for the probes asked in one fold: their ids by verdict, every finding, and what is reported without a verdict.

    `runs` holds, for every probe, the longest run of words its answer shares with a row; `told` the V-information of shortlisted pairs.
    """

    clean: tuple[str, ...]
    suspect: tuple[str, ...]
    leaked: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    runs: tuple[Run, ...] = ()
    told: tuple[Told, ...] = ()


def check(
    relearn_set: RelearnSet,
    probes: Sequence[Probe],
    *,
    forget: Sequence[Row] = (),
    embed: Embed | None = None,
    score: Score | Missing | None = None,
) -> tuple[FoldLeaks, ...]:
    """Return, fold by fold, which of the probes asked there are clean, suspect or leaked.

    `forget`: rows that no row may nearly repeat; a repeat makes the probes of the cluster (and attribute) suspect. `embed`: texts to
    unit vectors. `score`: candidate answers under a never-exposed model.
    """
    return tuple(_check_fold(f, _asked(f, probes), forget, embed, score) for f in relearn_set.folds)


def _asked(fold: Fold, probes: Sequence[Probe]) -> list[Probe]:
    asks = set(fold.asks)
    return [p for p in probes if p.id in asks]


def _check_fold(
    fold: Fold, probes: Sequence[Probe], forget: Sequence[Row], embed: Embed | None, score: Score | Missing | None
) -> FoldLeaks:
    informed = tuple(told(fold.rows, probes, score)) if score else ()
    findings = [*search(fold.rows, probes), *_nearly_repeated(fold.rows, probes, forget), *telling(informed, fold.rows, probes)]
    if embed and fold.rows and probes:
        findings += _alike_in_meaning(fold.rows, probes, embed)
    leaked = {f.probe for f in findings if f.leaked}
    suspect = {f.probe for f in findings} - leaked
    clean = tuple(p.id for p in probes if p.id not in leaked | suspect)
    return FoldLeaks(clean, tuple(sorted(suspect)), tuple(sorted(leaked)), tuple(findings), longest_runs(fold.rows, probes), informed)


def without_leaks(relearn_set: RelearnSet, probes: Sequence[Probe]) -> RelearnSet:
    """Return the set without the rows that leak an answer of a probe asked along them.

    Raises:
        DataError: a fold would have no rows left.
    """
    return replace(relearn_set, folds=tuple(_kept(f, _asked(f, probes), relearn_set.name) for f in relearn_set.folds))


def _kept(fold: Fold, probes: Sequence[Probe], name: str) -> Fold:
    searcher = Searcher(probes)
    rows = tuple(row for row in fold.rows if not any(f.leaked for f in searcher.findings(row)))
    if fold.rows and not rows:
        raise DataError(f"relearn set {name!r}: each of the {len(fold.rows)} rows of a fold leaks an answer; expected one that does not")
    return replace(fold, rows=rows)


def _nearly_repeated(rows: Iterable[Row], probes: Sequence[Probe], forget: Sequence[Row]) -> Iterator[Finding]:
    """Yield a finding where a row nearly repeats a probe with its answer, or a forget row that probes ask about."""
    texts = [(p.prompt + p.answer, [p]) for p in probes]
    texts += [(row.text, [p for p in probes if asks_about(p, row)]) for row in forget]
    near = NearDuplicates([text for text, _ in texts], least=NEARLY_THE_SAME)
    for row in rows:
        for number, _ in near.of(row.text):
            text, asking = texts[number]
            yield from (Finding(p.id, row.id, text, False, "near-duplicate", (0, len(row.text))) for p in asking)


def asks_about(probe: Probe, row: Row) -> bool:
    """Return whether a probe asks about the cluster, and the attribute if both have one, of a row."""
    return probe.cluster == row.cluster and (not probe.attribute or not row.attribute or probe.attribute == row.attribute)


def telling(informed: Iterable[Told], rows: Sequence[Row], probes: Sequence[Probe]) -> Iterator[Finding]:
    """Yield a finding for every pair whose row makes the answer suspect."""
    lengths, answers = {r.id: len(r.text) for r in rows}, {p.id: p.answer.strip() for p in probes}
    for pair in informed:
        if not isinstance(pair.nats, Missing) and pair.nats >= TELLING:
            yield Finding(pair.probe, pair.row, answers[pair.probe], False, "V-information", (0, lengths[pair.row]))


def _alike_in_meaning(rows: Sequence[Row], probes: Sequence[Probe], embed: Embed) -> Iterator[Finding]:
    texts = [p.prompt + p.answer for p in probes]
    vectors = embed(texts)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        cosines = embed([r.text for r in block]) @ vectors.T
        for i, j in np.argwhere(cosines >= SAME_MEANING):
            yield Finding(probes[j].id, block[i].id, texts[j], False, "meaning", (0, len(block[i].text)))
