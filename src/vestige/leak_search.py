"""Answers sought in rows, in every form and spelling, at a cost that grows with the rows and hardly with the probes.

All that counts as an answer (`Probe.expected`) is filed once: its forms (`leak_forms`) as words run together (`word_index`), its
values (`leak_values`) by what they say. Each row is then read once. What is found is held against the row's own characters:

- Words divided otherwise than in the answer count where a sign or a hyphen at the end of a line divides them ("Har-\\nlan",
  "N.A.S.A."), or where six letters or more are run together ("#harlanquillane"); "is land" is no island.
- Digits are not part of a longer number.
- In Japanese, kanji within a run of kanji, katakana within a run of katakana and short hiragana between other hiragana may be
  another word (京都 in 東京都): such a find is *suspect*, unless an honorific or the like follows.
- Answers that any text holds (single letters, "yes", "the"), initials that read as A or I ("A King" for Anna King), and numbers below
  21 written otherwise than in the answer, are suspect.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from vestige.leak_forms import PARTICLES, forms
from vestige.leak_values import Key, read, whole
from vestige.records import Probe, Row
from vestige.spelling import spelt_words
from vestige.text import fold, normalise
from vestige.traced import Traced
from vestige.word_edges import in_longer_number, stands_alone, with_long_mark
from vestige.word_index import Hit, Phrase, WordIndex

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer that stands in a row: which probe and row, the answer or alias meant, and how bad that is.

    `span` is where it stands in the row's text; `kind` says how: "exact", "normalised", a form ("initials"), a value ("date").
    """

    probe: str
    row: str
    matched: str
    leaked: bool
    kind: str = "exact"
    span: Span = (0, 0)


@dataclass(frozen=True, slots=True)
class _Owner:
    """A probe, by its place, and the answer or alias of it that is sought."""

    probe: int
    expected: str


@dataclass(frozen=True, slots=True)
class _Sought:
    """A form, in one spelling, of the answers of one probe or more."""

    kind: str
    capitals: bool
    common: bool
    owners: list[_Owner] = field(default_factory=list)


class _Reading:
    """A row being read; what costs time is done when first asked for."""

    def __init__(self, row: Row) -> None:
        self.row, self.text = row, row.text
        self._traced: Traced | None = None
        self._places: list[int] = []
        self._folded: str | None = None

    def span(self, start: int, end: int) -> Span:
        """Return where letters of the words run together stand in the text."""
        if self._traced is None:
            self._traced = spelt_words(self.text, trace=True)
            self._places = [i for i, c in enumerate(self._traced.text) if not c.isspace()]
        return self._traced.span(self._places[start], self._places[end - 1] + 1)

    def names(self, cluster: str) -> bool:
        """Return whether the row names somebody or something."""
        self._folded = fold(self.text) if self._folded is None else self._folded
        return fold(cluster) in self._folded


class Searcher:
    """The answers of some probes, filed to be sought in any number of rows."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes
        self._index: WordIndex[_Sought] = WordIndex()
        self._values: dict[Key, list[_Owner]] = {}
        self._signs: list[tuple[str, _Owner]] = []
        filed: dict[tuple[str, str, bool], _Sought] = {}
        for number, probe in enumerate(probes):
            for expected in dict.fromkeys(text.strip() for text in probe.expected):
                self._file(_Owner(number, expected), filed)
        self._kinds = frozenset(str(key[0]) for key in self._values)

    def _file(self, owner: _Owner, filed: dict[tuple[str, str, bool], _Sought]) -> None:
        keys = whole(owner.expected)
        for key in keys:
            self._values.setdefault(key, []).append(owner)
        if keys and not any(c.isalpha() for c in owner.expected):
            return
        seen: set[str] = set()
        for form in forms(owner.expected):
            for spelling in _spellings(form.text):
                if spelling not in seen:
                    seen.add(spelling)
                    self._file_words(spelling, _Sought(form.kind, form.capitals, _is_common(spelling)), owner, filed)
        if not seen and (signs := normalise(owner.expected)):
            self._signs.append((signs, owner))

    def _file_words(self, spelling: str, sought: _Sought, owner: _Owner, filed: dict[tuple[str, str, bool], _Sought]) -> None:
        key = (spelling, sought.kind, sought.capitals)
        if key not in filed:
            filed[key] = sought
            self._index.add(spelling.split(" "), sought)
        filed[key].owners.append(owner)

    def findings(self, row: Row) -> list[Finding]:
        """Return what a row holds: for every probe the gravest finding, in the order of the probes."""
        reading = _Reading(row)
        best: dict[int, Finding] = {}
        for owner, finding in self._found(reading):
            probe = self._probes[owner.probe]
            if finding.leaked and _shared_value(probe, reading):
                finding = Finding(finding.probe, finding.row, finding.matched, False, finding.kind, finding.span)
            if owner.probe not in best or _gravity(finding) > _gravity(best[owner.probe]):
                best[owner.probe] = finding
        return [best[number] for number in sorted(best)]

    def _found(self, reading: _Reading) -> Iterator[tuple[_Owner, Finding]]:
        yield from self._in_words(reading)
        yield from self._in_values(reading)
        for signs, owner in self._signs:
            if signs in normalise(reading.text):
                yield owner, self._finding(owner, reading, (0, len(reading.text)), "signs", leaked=True)

    def _in_words(self, reading: _Reading) -> Iterator[tuple[_Owner, Finding]]:
        for hit in self._index.find(spelt_words(reading.text).text.split()):
            sought = hit.phrase.what
            if not _divided_alike(hit, reading) or (sought.capitals and not _capitalised(hit, reading)):
                continue
            span = with_long_mark(reading.text, reading.span(hit.start, hit.end))
            if in_longer_number(reading.text, span):
                continue
            for owner in sought.owners:
                kind = "common word" if sought.common or _reads_as_article(hit, reading) else sought.kind
                if kind != "common word" and not stands_alone(reading.text, span, owner.expected):
                    kind = "inside a longer word"
                leaked = kind not in ("common word", "inside a longer word")
                yield owner, self._finding(owner, reading, span, kind, leaked=leaked)

    def _in_values(self, reading: _Reading) -> Iterator[tuple[_Owner, Finding]]:
        if not self._values or not any(v.key in self._values for v in read(reading.text, kinds=self._kinds)[1]):
            return
        traced, values = read(reading.text, kinds=self._kinds, trace=True)
        for value in values:
            for owner in self._values.get(value.key, ()):
                span = traced.span(value.start, value.end)
                small = value.kind == "number" and value.key[1] in range(21)
                alike = normalise(reading.text[slice(*span)]) == normalise(owner.expected)
                yield owner, self._finding(owner, reading, span, value.kind, leaked=alike or not small)

    def _finding(self, owner: _Owner, reading: _Reading, span: Span, kind: str, *, leaked: bool) -> Finding:
        if leaked and reading.text[slice(*span)] == owner.expected:
            kind = "exact"
        return Finding(self._probes[owner.probe].id, reading.row.id, owner.expected, leaked, kind, span)


def _gravity(finding: Finding) -> tuple[bool, bool, bool, int]:
    return finding.leaked, finding.kind == "exact", finding.kind == "normalised", finding.span[1] - finding.span[0]


def _shared_value(probe: Probe, reading: _Reading) -> bool:
    """Return whether a hit is only a value that somebody else's record shares by design."""
    row = reading.row
    same_attribute = bool(row.attribute) and row.attribute == probe.attribute
    return same_attribute and row.cluster != probe.cluster and not reading.names(probe.cluster)


def _spellings(text: str) -> Iterator[str]:
    """Yield the words of a form in their one spelling, parted by single spaces; katakana also as hiragana with its long marks."""
    yield from (s for s in [" ".join(spelt_words(text).text.split())] if s)
    if any("ァ" <= c <= "ヺ" for c in unicodedata.normalize("NFKC", text)):
        hiragana = "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in unicodedata.normalize("NFKC", text))
        yield " ".join(spelt_words(hiragana).text.split())


_COMMON = frozenset("a an the and or of in on at to is it yes no true false none both all neither other i he she they we you".split())


def _is_common(spelling: str) -> bool:
    """Return whether any text holds the word, so that finding it tells nothing."""
    return spelling in _COMMON or (len(spelling) == 1 and ((spelling.isascii() and spelling.isalpha()) or "ぁ" <= spelling <= "ゖ"))


# -- is it the answer, or letters of something else? -------------------------------------------------------------------------

_RUN_TOGETHER = 6
_DIVIDER = re.compile(r"(?:[^\s\w]|_){1,3}|[-‐]\s*[\r\n][\s>|]*")


def _divided_alike(hit: Hit[_Sought], reading: _Reading) -> bool:
    """Return whether words end where the answer's do, or where a difference is one of writing."""
    phrase: Phrase[_Sought] = hit.phrase
    if hit.cuts == phrase.cuts:
        return True
    run_together = bool(set(phrase.cuts) - set(hit.cuts))
    if phrase.letters.isdigit() or (run_together and (len(phrase.letters) < _RUN_TOGETHER or phrase.what.kind == "initials")):
        return False
    return all(_DIVIDER.fullmatch(_gap(reading, hit.start + cut)) for cut in set(hit.cuts) - set(phrase.cuts))


def _reads_as_article(hit: Hit[_Sought], reading: _Reading) -> bool:
    """Return whether an initial without a full stop reads as the word A or I: "A King" for Anna King."""
    one = hit.phrase.what.kind == "initials" and hit.cuts[:1] == (1,) and hit.phrase.letters[0] in "ai"
    return one and len(hit.cuts) == 1 and _gap(reading, hit.start + 1).isspace()


def _gap(reading: _Reading, at: int) -> str:
    """Return what stands in the text before a letter of the words run together."""
    return reading.text[reading.span(at - 1, at)[1] : reading.span(at, at + 1)[0]]


def _capitalised(hit: Hit[_Sought], reading: _Reading) -> bool:
    """Return whether the row capitalises the words found, particles of names aside."""
    starts, ends = (0, *hit.cuts), (*hit.cuts, hit.end - hit.start)
    named = (a for a, b in zip(starts, ends, strict=True) if hit.phrase.letters[a:b] not in PARTICLES)
    return not any(reading.text[reading.span(hit.start + at, hit.start + at + 1)[0]].islower() for at in named)


def search(rows: Iterable[Row], probes: Sequence[Probe]) -> Iterator[Finding]:
    """Yield the findings of rows as they come; only the probes are held in memory."""
    searcher = Searcher(probes)
    for row in rows:
        yield from searcher.findings(row)
