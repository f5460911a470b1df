"""What is wrong with a folder that holds a case: every problem at once, with its place and what to do about it.

Rows pass one at a time, so a gigabyte of them needs no gigabyte of memory: a row is looked at by itself (here), against
the rows to be forgotten (`folder_secrets`), and, as a few numbers, against all others (`folder_across`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vestige.cases.folder_across import Counts, look_across
from vestige.cases.folder_columns import Columns
from vestige.cases.folder_files import PARTS, ROW_PARTS, materialise
from vestige.cases.folder_rows import Entry, Layout, layout
from vestige.cases.folder_secrets import Secrets
from vestige.cases.folder_text import Found, Line, Problem, shown
from vestige.records import Group, Probe, Row
from vestige.text import find_keyword, is_unspaced, normalise

# Languages written without a space between a question and its answer (Korean: tokenizers vary, both are accepted).
UNSPACED = frozenset({"ja", "zh", "ko", "th", "lo", "km", "my"})
_SHORT = 3
_JUDGED_LETTERS = 10
_Any = Entry[Row] | Entry[Probe]


@dataclass(frozen=True)
class Examined:
    """What a folder says of itself, all that is wrong with it, what is doubtful about it, and its numbers.

    `more` counts problems beyond those listed.
    """

    where: Layout
    problems: list[Problem]
    more: int
    warnings: list[Problem]
    counts: Counts


def check(path: str | Path) -> list[Problem]:
    """Return every problem of the folder, in the order of its files; an empty list is a case that can be run."""
    return examine(path).problems


def examine(path: str | Path, revision: str = "main") -> Examined:
    """Read through the folder (or hub data set) at `path` once and return all that is to be said about it.

    Raises:
        DataError: it looks like a hub data set and cannot be had.
    """
    found = Found()
    where = layout(materialise(path, revision), found)
    found.cluster_field = where.cluster_field
    looking = _Looking(where, found)
    asked = looking.at_probes()
    for part in where.row_parts():
        looking.at_rows(part, asks_itself=ROW_PARTS.get(part) not in {None, *asked})
    counts = look_across(where, looking.columns.table(), found)
    return Examined(where, _in_order(_without_echoes(found.problems)), found.more, _in_order(found.warnings), counts)


class _Looking:
    """One pass over a folder: what has been found, and what must be kept of the rows for later."""

    def __init__(self, where: Layout, found: Found) -> None:
        self.where, self.found = where, found
        self.columns = Columns(list(where.files.values()))
        self._secrets = Secrets(watched=any(part != "forget" for part in where.row_parts()))
        self._language = where.about.get("language", "").split("-")[0].casefold()

    def at_probes(self) -> set[Group]:
        """Look at the written probes; return the groups whose primary questions are among them."""
        groups: set[Group] = set()
        for e in self.where.probes(self.found):
            groups |= {e.made.group} if e.made.wording == "primary" else set()
            self.columns.add(e, e.made.group, asked=True)
            self._at(e, asked=True)
            self.found.add_all(_candidates(e, needed=self.where.about.get("primary") == "choice"))
            self.found.warn_all(_keywords(e))
            if e.made.group == "forget":
                self._secrets.learn(e)
        return groups

    def at_rows(self, part: str, *, asks_itself: bool) -> None:
        """Look at the rows of a part; those to be forgotten come first, and the others are held against them."""
        group = ROW_PARTS.get(part)
        for e in self.where.rows(part, self.found):
            asked = asks_itself and bool(e.made.prompt.strip())
            self.columns.add(e, group, asked=asked)
            self._at(e, asked=asked)
            self.found.add_all(_empty_question(e))
            if group == "forget":
                self._secrets.learn(e)
            else:
                self._secrets.hold_against(e, group, self.found)
        if group == "forget":
            self.found.warn_all(self._secrets.passed_over(self.where.files[part]))

    def _at(self, e: _Any, *, asked: bool) -> None:
        """Look at a row or written probe by itself."""
        self.found.add_all(_spaces(e, self._language))
        self.found.warn_all(_foreign(e, self._language))
        self.found.warn_all(_needless_space(e, self._language))
        if asked:
            self.found.add_all(_guessable(e))
            self.found.warn_all(_short(e))


def _guessable(e: _Any) -> Iterator[Problem]:
    for name, text in _right(e.made):
        if find_keyword(e.made.prompt, text) is not None:
            says = (f"the answer stands in its own question, {shown(e.made.prompt)}", "ask without giving it away")
            yield e.at.problem("answer in question", name, text, says)


def _right(made: Row | Probe) -> Iterator[tuple[str, str]]:
    yield "answer", made.answer
    if isinstance(made, Probe):
        for name, texts in (("aliases", made.aliases), ("keywords", made.keywords)):
            yield from ((f"{name}[{i}]", text) for i, text in enumerate(texts))


def _empty_question(e: Entry[Row]) -> Iterator[Problem]:
    if not e.made.prompt.strip() and e.made.loss_on == "answer":
        says = ("the question is empty", 'write one, or "loss_on": "text" for a plain sentence')
        yield e.at.problem("empty", "prompt", e.made.prompt, says)


def _spaces(e: _Any, language: str) -> Iterator[Problem]:
    """Prompt and answer are joined as they stand: "City:" + "Lisbon" is no text anybody writes."""
    glued = language and language not in UNSPACED and e.made.form == "plain" and e.made.prompt and not e.made.prompt[-1].isspace()
    for name, text in _continuations(e.made) if glued else ():
        if not text[0].isspace():
            says = ("it follows the question without a space", f"write {shown(' ' + text)}")
            yield e.at.problem("no leading space", name, text, says)


def _continuations(made: Row | Probe) -> Iterator[tuple[str, str]]:
    yield "answer", made.answer
    if isinstance(made, Probe):
        for name, texts in (("aliases", made.aliases), ("distractors", made.distractors)):
            yield from ((f"{name}[{i}]", text) for i, text in enumerate(texts))


def _candidates(e: Entry[Probe], *, needed: bool) -> Iterator[Problem]:
    if needed and not e.made.distractors:
        yield no_candidates(e.at, "add distractors")
    seen = {normalise(a) for a in (e.made.answer, *e.made.aliases)}
    for number, text in enumerate(e.made.distractors):
        if normalise(text) in seen:
            says = ("this wrong answer is right, or stands there twice", "write another")
            yield e.at.problem("candidates", f"distractors[{number}]", text, says)
        seen.add(normalise(text))


def no_candidates(at: Line, remedy: str) -> Problem:
    """Return the problem of a probe without wrong answers."""
    says = ('the answer is the only candidate, and primary is "choice"', f'{remedy}, or set primary = "keyword"')
    return at.problem("candidates", "distractors", [], says)


def _keywords(e: Entry[Probe]) -> Iterator[Problem]:
    for number, text in enumerate(e.made.keywords):
        if not any(find_keyword(right, text) for right in (e.made.answer, *e.made.aliases)):
            says = ("this keyword stands in no right answer", "a model that says the answer would not be heard: correct one of them")
            yield e.at.problem("keyword", f"keywords[{number}]", text, says)


def _short(e: _Any) -> Iterator[Problem]:
    """A short answer turns up by chance in a text; a character of an unspaced script says as much as a syllable or a word."""
    for name, text in _right(e.made):
        bare = normalise(text)
        if len(bare) + sum(1 for c in bare if is_unspaced(c)) < _SHORT:
            says = (f"an answer of fewer than {_SHORT} characters can be hit by chance", "ask for something longer, if you can")
            yield e.at.problem("short answer", name, text, says)


def _foreign(e: _Any, language: str) -> Iterator[Problem]:
    text = e.made.prompt + e.made.answer
    if not language or (text.isascii() and language not in UNSPACED):
        return
    letters = [is_unspaced(c) for c in text[:400] if c.isalpha()]
    share = sum(letters) / len(letters) if len(letters) >= _JUDGED_LETTERS else None
    if share is not None and (share == 0 if language in UNSPACED else share > 0.5):
        says = (f"this does not look like {language!r}, the language of the case", "make a case of its own for each language")
        yield e.at.problem("language mix", "answer", e.made.answer, says)


def _needless_space(e: _Any, language: str) -> Iterator[Problem]:
    if language in UNSPACED - {"ko"} and e.made.prompt and e.made.answer[0].isspace() and is_unspaced(e.made.answer.strip()[0]):
        says = (f"a space before the answer, which {language!r} does not write", f"write {shown(e.made.answer.lstrip())}")
        yield e.at.problem("leading space", "answer", e.made.answer, says)


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """Drop a lack of candidates on a line that has another fault: a misread field often takes the candidates with it."""
    faulty = {(p.file, p.line) for p in problems if p.kind != "candidates"}
    return [p for p in problems if p.kind != "candidates" or (p.file, p.line) not in faulty]


def _in_order(problems: list[Problem]) -> list[Problem]:
    order = {part: number for number, part in enumerate(("case", *PARTS))}
    return sorted(problems, key=lambda p: (order.get(p.file.rpartition(".")[0], len(order)), p.file, p.line))
