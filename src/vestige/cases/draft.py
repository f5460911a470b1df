"""A case drafted from a plain file of what is to be forgotten, for a person to correct.

Everything that the file does not say is guessed: the language, whom or what each row is about, which rows ask for the same kind
of fact, the words that carry an answer, the wrong answers. README.md in the new folder says what was guessed, and how often.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vestige.cases import draft_guessing as guess
from vestige.cases.distractors import probes_of
from vestige.cases.draft_reading import Fact, Facts, read_facts
from vestige.cases.draft_readme import Drafted, readme
from vestige.cases.folder_check import UNSPACED
from vestige.cases.folder_writing import write_folder
from vestige.cases.general_knowledge import utility_probes
from vestige.cases.templates.japanese import japanese_sentences, japanese_utility
from vestige.cases.unrelated import unrelated_rows
from vestige.records import Group, Probe, Row
from vestige.text import find_keyword, fold, is_unspaced, normalise, words

_SHORT = 4
_SHORT_UNSPACED = 20
_ENOUGH_CHOICE = 0.8
_LEAST_VALUES = 3


@dataclass(frozen=True)
class Wanted:
    """The file of what is to be forgotten; a file of what is to be kept, the language and the cluster's field, if known."""

    forget: Path
    retain: Path | None = None
    language: str | None = None
    cluster_field: str | None = None


@dataclass(frozen=True)
class _Asked:
    """A fact with what was guessed about it; `start` is where the answer of a sentence begins."""

    fact: Fact
    cluster: str
    keyword: str
    start: int
    attribute: str = ""

    @property
    def prompt(self) -> str:
        """The question, or a sentence up to its answer."""
        return self.fact.question or self.fact.answer[: self.start].rstrip()

    @property
    def answer(self) -> str:
        """The answer to the prompt."""
        return self.fact.answer if self.fact.question else self.keyword


def write(folder: Path, wanted: Wanted) -> str:
    """Write the drafted case into a new folder and return what was guessed.

    Raises:
        UsageError: the folder is not empty, or there is no such field or kind of file. DataError: a file cannot be read.
    """
    files: dict[Group, Facts] = {"forget": read_facts(wanted.forget, wanted.cluster_field)}
    if wanted.retain:
        files["retain"] = read_facts(wanted.retain, wanted.cluster_field)
    language = wanted.language or guess.language_of(f.question + f.answer for f in files["forget"].facts[:1000])
    space = "" if language.split("-")[0] in UNSPACED else " "
    asked = _with_attributes({group: _guessed(found.facts) for group, found in files.items()})
    choice = _can_choose(asked["forget"])
    parts: dict[str, Sequence[Row | Probe]] = {"retain": ()}
    probes: list[Probe] = []
    for group, facts in asked.items():
        parts[group] = [_row(group, n, a, space) for n, a in enumerate(facts, 1)]
        probes += _probes(group, facts, space, choice=choice)
    general: dict[str, tuple[Sequence[Probe], Sequence[Row]]] = {
        "en": (utility_probes(), unrelated_rows()),
        "ja": (japanese_utility(), japanese_sentences()),
    }
    parts["probes"] = probes
    if language in general:
        parts["utility"], parts["sources/unrelated"] = general[language]
    drafted = _drafted(files, asked, probes, language=language, choice=choice)
    write_folder(folder, _about(folder, drafted), dict(sorted(parts.items())), readme(drafted))
    return "\n".join([f"wrote {folder}, a draft:", *(f"  {line}" for line in drafted.guesses()), "README.md there says what to check."])


def _about(folder: Path, drafted: Drafted) -> dict[str, str]:
    return {
        "name": folder.resolve().name,
        "version": "1",
        "language": drafted.language,
        "licence": "unknown: fill in",
        "knowledge": "planted",
        "primary": "choice" if drafted.choice else "keyword",
        "citation": "",
    }


def _guessed(facts: Sequence[Fact]) -> list[_Asked]:
    """Return each fact once, with its cluster and the words that carry its answer."""
    facts = list({(fold(f.question), fold(f.answer), fold(f.cluster)): f for f in reversed(facts)}.values())[::-1]
    found = guess.clusters_of([f.question or f.answer for f in facts], [f.answer if f.question else "" for f in facts])
    clusters = [fact.cluster or name for fact, name in zip(facts, found, strict=True)]
    common = Counter(w for f in facts for w in {*guess.words_of(f.answer), *guess.names_in(f.answer)})
    return [_asked(fact, cluster, common) for fact, cluster in zip(facts, clusters, strict=True)]


def _asked(fact: Fact, cluster: str, common: Counter[str]) -> _Asked:
    if fact.question:
        whole = _is_short(fact.answer) and cluster not in fact.answer and find_keyword(fact.question, fact.answer) is None
        keyword = _bare(fact.answer) if whole else guess.keyword_of(fact.question, fact.answer, common)
        return _Asked(fact, cluster, keyword, 0)
    # A sentence is asked up to its answer, which must come after the name it is about.
    named = fact.answer.find(cluster)
    rest = named + len(cluster) if named >= 0 else 0
    keyword = guess.keyword_of(fact.answer[:rest], fact.answer[rest:], common)
    start = fact.answer.find(keyword, rest) if keyword else 0
    usable = keyword and start > 0 and find_keyword(fact.answer[:start], keyword) is None
    return _Asked(fact, cluster, keyword if usable else "", max(start, 0))


def _is_short(answer: str) -> bool:
    return len(answer) <= _SHORT_UNSPACED if any(map(is_unspaced, answer)) else len(answer.split()) <= _SHORT


def _bare(answer: str) -> str:
    """Return a short answer without its article and final stop."""
    bare = answer.strip(' .。!！"“”「」')
    first, _, rest = bare.partition(" ")
    return rest if first.casefold() in ("a", "an", "the") and rest else bare


def _with_attributes(asked: Mapping[Group, Sequence[_Asked]]) -> dict[Group, list[_Asked]]:
    """Return facts with the kind of fact they ask for: the file's, or the wording that several clusters share."""
    clusters: dict[str, set[str]] = defaultdict(set)
    for a in (a for facts in asked.values() for a in facts):
        clusters[_wording(a)].add(a.cluster)

    def attribute(a: _Asked) -> str:
        return a.fact.attribute or (_wording(a) if len(clusters[_wording(a)]) > 1 else "")

    return {group: [dataclasses.replace(a, attribute=attribute(a)) for a in facts] for group, facts in asked.items()}


def _wording(a: _Asked) -> str:
    """Return the question with an ellipsis for the name."""
    return a.prompt.replace(a.cluster, "…").strip()


def _can_choose(asked: Sequence[_Asked]) -> bool:
    """Return whether most facts have short answers among which others of their kind can be the wrong ones."""
    values: dict[str, set[str]] = defaultdict(set)
    for a in asked:
        values[a.attribute].add(normalise(a.answer))
    fit = sum(1 for a in asked if a.attribute and len(values[a.attribute]) >= _LEAST_VALUES and _is_short(a.answer) and _is_asked(a))
    return fit >= _ENOUGH_CHOICE * len(asked)


def _is_asked(a: _Asked) -> bool:
    """Return whether a question can be asked: it has an answer that it does not give away."""
    texts = (a.answer, a.keyword)
    return bool(a.prompt and words(a.keyword)) and all(find_keyword(a.prompt, text) is None for text in texts)


def _row(group: Group, number: int, a: _Asked, space: str) -> Row:
    fact, name = a.fact, f"{group}/{number:04d}"
    form = "chat" if fact.chat else "plain"
    if not fact.question:
        return Row(name, "", fact.answer, a.cluster, "text", attribute=a.attribute)
    return Row(name, fact.question, _follows(fact.answer, space, chat=fact.chat), a.cluster, form=form, attribute=a.attribute)  # type: ignore[arg-type]


def _follows(answer: str, space: str, *, chat: bool) -> str:
    return answer if chat else space + answer


def _probes(group: Group, asked: Sequence[_Asked], space: str, *, choice: bool) -> Iterator[Probe]:
    """Yield the questions; those without a wrong answer are left out where the right one is to be chosen."""
    usable = {n: a for n, a in enumerate(asked, 1) if _is_asked(a)}
    rows = {
        n: Row(f"{group}/{n:04d}", a.prompt, _follows(a.answer, space, chat=a.fact.chat), a.cluster, attribute=a.attribute)
        for n, a in usable.items()
    }
    chosen = probes_of([r for r in rows.values() if r.attribute], group) if choice else {}
    for n, row in rows.items():
        fact = usable[n].fact
        found = chosen.get(row.id)
        if choice and (found is None or not found.distractors):
            continue
        yield Probe(
            f"{row.id}/asked",
            row.prompt,
            row.answer,
            group,
            row.cluster,
            "test",
            found.distractors if found else (),
            tuple(_follows(alias, space, chat=fact.chat) for alias in fact.aliases),
            row.attribute,
            form="chat" if fact.chat else "plain",
            keywords=() if normalise(usable[n].keyword) == normalise(row.answer) else (usable[n].keyword,),
        )


def _drafted(
    files: Mapping[Group, Facts], asked: Mapping[Group, Sequence[_Asked]], probes: Sequence[Probe], *, language: str, choice: bool
) -> Drafted:
    forget = asked["forget"]
    return Drafted(
        language=language,
        choice=choice,
        rows={group: len(found) for group, found in asked.items()},
        repeated=sum(len(found.facts) - len(asked[group]) for group, found in files.items()),
        empty=tuple(place for found in files.values() for place in found.empty),
        cluster_field=files["forget"].cluster_field,
        clusters=tuple(n for _, n in Counter(a.cluster for a in forget).most_common()),
        unnamed=sum(1 for a in forget if a.cluster == guess.UNNAMED),
        kinds=len({a.attribute for a in forget if a.attribute}),
        asked=sum(1 for p in probes if p.group == "forget"),
        sentences=sum(1 for a in forget if not a.fact.question),
        furthest=max((_end(p) // 3 for p in probes if p.group == "forget"), default=0),
    )


def _end(probe: Probe) -> int:
    """Return after how many characters the words that count are said."""
    return max((probe.answer.find(k) + len(k) for k in probe.keywords), default=len(probe.answer))
