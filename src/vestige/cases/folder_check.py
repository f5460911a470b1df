"""What is wrong with a folder that holds a case: every problem at once, with its place and what to do about it.

Three kinds of fault would make an audit say something untrue: an answer that can be guessed or read off the question, facts
that are to be forgotten and kept at once, and a relearn source that simply states what was forgotten.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vestige.cases.folder_rows import ROW_FILES, Contents, Entry, read
from vestige.cases.folder_text import Line, Problem
from vestige.records import Probe, Row
from vestige.text import find_keyword, normalise, words

# Languages written without a space between a question and its answer (Korean: tokenizers vary, both are accepted).
_UNSPACED = frozenset({"ja", "zh", "ko", "th", "lo", "km", "my"})
_LEAST_CLUSTERS = 3
_Any = Entry[Row] | Entry[Probe]


def check(path: str | Path) -> list[Problem]:
    """Return every problem of the folder, in the order of its files; an empty list is a case that can be run."""
    return examine(path)[1]


def examine(path: str | Path) -> tuple[Contents, list[Problem]]:
    """Return what a folder holds together with all its problems."""
    problems: list[Problem] = []
    contents = read(Path(os.path.expanduser(path)), problems)
    for look in _LOOKS:
        problems += look(contents)
    problems = _without_echoes(problems)
    order = {f: n for n, f in enumerate(("case.toml", *ROW_FILES, "probes.jsonl", "utility.jsonl"))}
    return contents, sorted(problems, key=lambda p: (order.get(p.file, len(order)), p.file, p.line))


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """Drop a lack of candidates on a line that has another fault: a misread field often takes the candidates with it."""
    faulty = {(p.file, p.line) for p in problems if p.kind != "candidates"}
    return [p for p in problems if p.kind != "candidates" or (p.file, p.line) not in faulty]


def _place(at: Line) -> str:
    return f"{at.file}:{at.line}"


def _grouped(contents: Contents) -> Iterator[tuple[str, _Any]]:
    """Yield rows and written probes with the group they belong to; sources belong to none."""
    for file, group in ROW_FILES.items():
        yield from ((group, e) for e in contents.rows.get(file, ()))
    yield from ((e.made.group, e) for e in contents.written)


def _all(contents: Contents) -> Iterator[_Any]:
    for entries in contents.rows.values():
        yield from entries
    yield from contents.written


def _ids(contents: Contents) -> Iterator[Problem]:
    yield from _taken(e for entries in contents.rows.values() for e in entries)
    # Derived probes carry the ids of their rows, which were looked at just now.
    yield from (p for p in _taken(contents.probes) if p.file not in ROW_FILES)


def _taken(entries: Iterable[_Any]) -> Iterator[Problem]:
    first: dict[str, Line] = {}
    for e in entries:
        before = first.setdefault(unicodedata.normalize("NFKC", e.made.id).strip(), e.at)
        if before is not e.at:
            says = (f"the id is taken by {_place(before)} (compared under NFKC, trimmed)", "choose another")
            yield e.at.problem("duplicate id", "id", e.made.id, says)


def _questions(contents: Contents) -> Iterator[Problem]:
    """Same question, different answers: within one file of rows, or among all written probes."""
    files: list[tuple[_Any, ...]] = [*contents.rows.values(), contents.written]
    for entries in files:
        first: dict[str, _Any] = {}
        for e in entries:
            if not e.made.prompt.strip():
                continue
            before = first.setdefault(normalise(e.made.prompt), e)
            if normalise(before.made.answer) != normalise(e.made.answer):
                says = (
                    f"the same question has the answer {before.made.answer!r} at {_place(before.at)}",
                    "keep one answer, or say in the question what sets the two apart",
                )
                yield e.at.problem("two answers", "answer", e.made.answer, says)


def _guessable(contents: Contents) -> Iterator[Problem]:
    for _, e in _grouped(contents):
        aliases = e.made.aliases if isinstance(e.made, Probe) else ()
        for name, text in (("answer", e.made.answer), *((f"aliases[{i}]", a) for i, a in enumerate(aliases))):
            if e.made.prompt.strip() and find_keyword(e.made.prompt, text) is not None:
                says = (f"the answer stands in its own question, {e.made.prompt!r}", "ask without giving it away")
                yield e.at.problem("answer in question", name, text, says)


def _empty_questions(contents: Contents) -> Iterator[Problem]:
    for entries in contents.rows.values():
        for e in entries:
            if not e.made.prompt.strip() and e.made.loss_on == "answer":
                says = ("the question is empty", 'write one, or "loss_on": "text" for a plain sentence')
                yield e.at.problem("empty", "prompt", e.made.prompt, says)


def _spaces(contents: Contents) -> Iterator[Problem]:
    """Prompt and answer are joined as they stand: "City:" + "Lisbon" is no text anybody writes."""
    language = contents.about.get("language", "").split("-")[0].casefold()
    if not language or language in _UNSPACED:
        return
    for e in _all(contents):
        glued = e.made.form == "plain" and e.made.prompt and not e.made.prompt[-1].isspace()
        for name, text in _continuations(e.made) if glued else ():
            if not text[0].isspace():
                says = ("it follows the question without a space", f"write {' ' + text!r}")
                yield e.at.problem("no leading space", name, text, says)


def _continuations(made: Row | Probe) -> Iterator[tuple[str, str]]:
    yield "answer", made.answer
    if isinstance(made, Probe):
        for name, texts in (("aliases", made.aliases), ("distractors", made.distractors)):
            yield from ((f"{name}[{i}]", text) for i, text in enumerate(texts))


def _overlaps(contents: Contents) -> Iterator[Problem]:
    """Forget, retain, decoy and utility share neither a cluster nor a question."""
    first: dict[tuple[str, str], tuple[str, Line]] = {}
    for group, e in _grouped(contents):
        for name, text in (("cluster", e.made.cluster), ("prompt", e.made.prompt)):
            if not text.strip():
                continue
            owner, at = first.setdefault((name, normalise(text)), (group, e.at))
            if owner != group:
                says = (f"it belongs to {owner} as well ({_place(at)})", f"leave it in {owner} or in {group}, not in both")
                yield e.at.problem("overlap", name, text, says)


def _unheld(contents: Contents) -> Iterator[Problem]:
    held = {e.made.cluster for e in contents.rows.get("forget.jsonl", ())}
    for e in contents.written if "forget.jsonl" in contents.rows else ():
        if e.made.group == "forget" and e.made.cluster not in held:
            says = ("no row of forget.jsonl is about this cluster", "add its rows: nothing would unlearn it")
            yield e.at.problem("no row", "cluster", e.made.cluster, says)


def _told(contents: Contents) -> Iterator[Problem]:
    """A source that states a forgotten answer about its own cluster would teach it, not bring it back."""
    answers: dict[str, dict[str, str]] = defaultdict(dict)  # cluster → padded answer → the answer as written
    for group, e in _grouped(contents):
        if group == "forget":
            aliases = e.made.aliases if isinstance(e.made, Probe) else ()
            answers[normalise(e.made.cluster)] |= {_padded(a): a for a in (e.made.answer, *aliases) if words(a)}
    named = _by_first_word(answers)
    for file, entries in contents.rows.items():
        for e in entries if file.startswith("sources/") else ():
            text = _padded(e.made.text)
            about = {c for word in set(text.split()) for c in named.get(word, ()) if _padded(c) in text}
            about.add(normalise(e.made.cluster))
            for cluster in sorted(about & answers.keys()):
                for answer in (a for padded, a in answers[cluster].items() if padded in text):
                    says = (f"it states {answer!r} about {cluster!r}, which is to be forgotten", "remove the row")
                    yield e.at.problem("source tells", "answer", e.made.answer, says)


def _padded(text: str) -> str:
    return f" {' '.join(words(text))} "


def _by_first_word(clusters: Iterable[str]) -> dict[str, list[str]]:
    """Return first word → clusters, so that a source row is held only against clusters it may name."""
    index: dict[str, list[str]] = defaultdict(list)
    for cluster in clusters:
        if found := words(cluster):
            index[found[0]].append(cluster)
    return index


def _candidates(contents: Contents) -> Iterator[Problem]:
    for e in contents.probes:
        if contents.about.get("primary") == "choice" and not e.made.distractors:
            remedy = "give other rows of the group other values of this attribute, or write probes.jsonl with distractors"
            if e.at.file in ("probes.jsonl", "utility.jsonl"):
                remedy = "add distractors"
            says = ('the answer is the only candidate, and primary is "choice"', f'{remedy}, or set primary = "keyword"')
            yield e.at.problem("candidates", "distractors", list(e.made.distractors), says)
    for e in contents.written:
        seen = {normalise(a) for a in (e.made.answer, *e.made.aliases)}
        for number, text in enumerate(e.made.distractors):
            if normalise(text) in seen:
                says = ("this wrong answer is right, or stands there twice", "write another")
                yield e.at.problem("candidates", f"distractors[{number}]", text, says)
            seen.add(normalise(text))


def _clusters(contents: Contents) -> Iterator[Problem]:
    asked = {e.made.cluster for e in contents.probes if e.made.group == "forget" and e.made.wording == "primary"}
    if contents.rows.get("forget.jsonl") and len(asked) < _LEAST_CLUSTERS:
        file = "probes.jsonl" if any(e.at.file == "probes.jsonl" for e in contents.written) else "forget.jsonl"
        says = (
            f"{len(asked)} clusters to forget are asked about (in the wording 'primary'); {_LEAST_CLUSTERS} is the least",
            "add more: every cluster is one independent observation, and 16 or more make a usable interval",
        )
        yield Problem("few clusters", file, 0, "cluster", "", *says)


_LOOKS: tuple[Callable[[Contents], Iterator[Problem]], ...] = (
    _ids,
    _questions,
    _guessable,
    _empty_questions,
    _spaces,
    _overlaps,
    _unheld,
    _told,
    _candidates,
    _clusters,
)
