"""What a template is, and how it becomes the files of a case.

Within a block of eight clusters every value of an attribute is used once, so a model that has only heard the vocabulary is
right one time in eight: only the binding informs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vestige.cases.distractors import probes_of
from vestige.cases.general_knowledge import utility_probes
from vestige.cases.templates.japanese import japanese_sentences, japanese_utility
from vestige.cases.templates.readme import README
from vestige.cases.unrelated import unrelated_rows
from vestige.records import Group, Probe, Row

BLOCK = 8
FORGET = 32  # of which 24 are reported on: four questions about each rule out a remainder of 0.1
_KEPT = 16


@dataclass(frozen=True)
class Attribute:
    """A fact that each cluster has one of: its name, eight values, and a question for it as a second wording."""

    name: str
    values: str
    question: str

    @property
    def each(self) -> list[str]:
        """The eight values."""
        return self.values.split()


@dataclass(frozen=True)
class Template:
    """`record` is how a row begins, with {name} and {attribute}; `names` are 96 clusters; `source` names the rows about new ones."""

    language: str
    record: str
    source: str
    names: tuple[str, ...]
    attributes: tuple[Attribute, ...]

    @property
    def space(self) -> str:
        """What stands between a question and its answer."""
        return "" if self.language == "ja" else " "


def case_files(template: Template) -> dict[str, Sequence[Row | Probe]]:
    """Return part → rows or probes of the case."""
    forget, retain, decoy, new = (tuple(_rows(template, part, names)) for part, names in _dealt(template.names).items())
    japanese = template.language == "ja"
    return {
        "forget": forget,
        "retain": retain,
        "decoy": decoy,
        "probes": tuple(_questions(template, forget, "forget")),
        "utility": japanese_utility() if japanese else utility_probes(),
        f"sources/{template.source}": new,
        "sources/unrelated": japanese_sentences() if japanese else unrelated_rows(),
    }


def _dealt(names: Sequence[str]) -> dict[str, Sequence[str]]:
    sizes = {"forget": FORGET, "retain": _KEPT, "decoy": FORGET, "new": _KEPT}
    rest = iter(names)
    return {part: [next(rest) for _ in range(size)] for part, size in sizes.items()}


def _rows(template: Template, part: str, names: Sequence[str]) -> Iterator[Row]:
    rng = random.Random(f"{template.language}/{template.record}/{part}")
    for start in range(0, len(names), BLOCK):
        drawn = {a.name: rng.sample(a.each, BLOCK) for a in template.attributes}
        for number, name in enumerate(names[start : start + BLOCK]):
            for attribute, values in drawn.items():
                prompt = template.record.format(name=name, attribute=attribute)
                yield Row(f"{name}/{attribute}", prompt, template.space + values[number], name, attribute=attribute)


def _questions(template: Template, rows: Sequence[Row], group: Group) -> Iterator[Probe]:
    """Yield the same facts asked in other words; in its own words every row asks by itself."""
    asked = {a.name: a.question for a in template.attributes}
    for probe in probes_of(rows, group).values():
        prompt = asked[probe.attribute].format(name=probe.cluster)
        distractors, attribute = probe.distractors, probe.attribute
        yield Probe(
            f"{probe.id}/question", prompt, probe.answer, group, probe.cluster, "test", distractors, (), attribute, wording="question"
        )


def readme(name: str, template: Template, files: Mapping[str, Sequence[Row | Probe]]) -> str:
    """Return the page that says what the folder holds and what to change."""
    words = README[template.language]
    lines = [f"- `{part}.jsonl`: {words.what(part).format(n=len(made))}" for part, made in files.items()]
    facts = words.comma.join(a.name for a in template.attributes)
    return words.page.format(name=name, facts=facts, files="\n".join(lines), row=files["forget"][0].prompt)
