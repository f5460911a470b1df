"""The files of TOFU as they are published (locuslab/TOFU on the hub), read and held against each other.

A row's answer, its paraphrase and five perturbed answers stand in `*_perturbed.json`, which repeats question and answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from vestige.cases.source_files import Entry, SourceFile, fetch, json_lines, version_of
from vestige.cases.tofu_authors import Author, authors_of
from vestige.errors import DataError

TofuSplit = Literal["forget01", "forget05", "forget10"]
PLAIN = ("question", "answer")
PERTURBED = ("question", "answer", "paraphrased_answer", "perturbed_answer", "paraphrased_question")
OPTIONS = ("question", "answer", "perturbed_answer")
RETAIN: Mapping[TofuSplit, str] = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}


@dataclass(frozen=True)
class TofuFiles:
    """The authors of a split, the perturbed answers by (question, answer), and the two sets about the real world."""

    forget: tuple[Author, ...]
    retain: tuple[Author, ...]
    perturbed: Mapping[tuple[str, str], Entry]
    real_authors: tuple[Entry, ...]
    world_facts: tuple[Entry, ...]
    version: str

    def perturbed_of(self, row: Entry) -> Entry | None:
        """Return the entry with the paraphrased and perturbed answers of a row, if it has one."""
        return self.perturbed.get(_key(row))


def read(source: str, split: TofuSplit, *, revision: str = "main") -> TofuFiles:
    """Return what a folder or hub data set holds of a split.

    Raises:
        DataError: a file is missing or has changed, or a row to be forgotten has no perturbed answers.
    """
    names = (split, RETAIN[split], f"{split}_perturbed", "retain_perturbed", "real_authors_perturbed", "world_facts_perturbed")
    files = [fetch(source, f"{name}.json", revision=revision) for name in names]
    forget, retain = (authors_of(json_lines(file, PLAIN)) for file in files[:2])
    perturbed = _by_key(files[2:4])
    for author in forget:
        for row in author.rows:
            if _key(row) not in perturbed:
                raise DataError(f"{row.place}: no row of {files[2].name} has this question and answer; expected the same rows")
    real, world = (tuple(json_lines(file, OPTIONS)) for file in files[4:])
    return TofuFiles(forget, retain, perturbed, real, world, version_of(files))


def _by_key(files: Iterable[SourceFile]) -> dict[tuple[str, str], Entry]:
    return {_key(entry): entry for file in files for entry in json_lines(file, PERTURBED)}


def _key(row: Entry) -> tuple[str, str]:
    return row.text("question"), row.text("answer")
