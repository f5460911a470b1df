"""Public sets that tell forgetting from damage: MMLU, ARC, TruthfulQA (first choice task) and WikiText-2.

Papers: Hendrycks et al. 2021, arXiv 2009.03300 (MMLU); Clark et al. 2018, arXiv 1803.05457 (ARC); Lin et al. 2022, arXiv 2109.07958
(TruthfulQA); Merity et al. 2017, arXiv 1609.07843 (WikiText-2).

A limit takes questions in an order drawn by the seed, so a larger limit keeps those of a smaller one. Options that repeat another
one are left out, and so is a question whose right answer stands among the wrong ones. ARC is read in the form in which one
fine-tuning repository publishes it, with the options inside the instruction.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from vestige.cases.question_rows import continuation, prompt_of
from vestige.cases.source_files import SourceFile, csv_rows, fetch, json_list, text_lines
from vestige.cases.splits import split_of
from vestige.errors import DataError, nearest
from vestige.records import Form, Probe, Row, Split

T = TypeVar("T")
CHOICES = ("choice0", "choice1", "choice2", "choice3")
MMLU_FIELDS = ("question", *CHOICES, "answer")
ARC_FIELDS = ("instruction", "input", "output", "answer")
MC1_FIELDS = ("question", "mc1_targets", "mc2_targets")
SUBJECTS = tuple(
    "abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology college_chemistry "
    "college_computer_science college_mathematics college_medicine college_physics computer_security conceptual_physics "
    "econometrics electrical_engineering elementary_mathematics formal_logic global_facts high_school_biology "
    "high_school_chemistry high_school_computer_science high_school_european_history high_school_geography "
    "high_school_government_and_politics high_school_macroeconomics high_school_mathematics high_school_microeconomics "
    "high_school_physics high_school_psychology high_school_statistics high_school_us_history high_school_world_history "
    "human_aging human_sexuality international_law jurisprudence logical_fallacies machine_learning management marketing "
    "medical_genetics miscellaneous moral_disputes moral_scenarios nutrition philosophy prehistory professional_accounting "
    "professional_law professional_medicine professional_psychology public_relations security_studies sociology "
    "us_foreign_policy virology world_religions".split()
)
_ARC = re.compile(r"Please choose the correct answer to the question: (.*?)\n\nAnswer1: (.*)\n\nAnswer format: .*", re.DOTALL)
_HEADING = re.compile(r" = .* = ?")


@dataclass(frozen=True, slots=True)
class Choice:
    """A question with its options, as read: `place` is its file:line, `topic` what it belongs to."""

    place: str
    topic: str
    question: str
    options: tuple[str, ...]
    right: int

    @property
    def answer(self) -> str:
        """The right option."""
        return self.options[self.right]

    @property
    def wrong(self) -> tuple[str, ...]:
        """The wrong options, each once."""
        return tuple(dict.fromkeys(option for i, option in enumerate(self.options) if i != self.right))

    @property
    def sound(self) -> bool:
        """Whether the right answer is not a wrong one as well."""
        return self.answer not in self.wrong


@dataclass(frozen=True)
class Draw:
    """How many questions or rows are taken (0: all), under which seed, and how they are put to the model."""

    limit: int = 0
    seed: int = 0
    form: Form = "plain"


ALL = Draw()


def mmlu(source: str, draw: Draw = ALL, *, subjects: Sequence[str] = SUBJECTS, part: Literal["test", "dev"] = "test") -> tuple[Probe, ...]:
    """Return MMLU questions; a subject is a cluster. Files: `test/SUBJECT_test.csv`, `dev/SUBJECT_dev.csv`, with a header.

    Raises:
        DataError: an unknown subject, or a file that is missing or has changed.
    """
    return utility_probes((c for s in subjects for c in mmlu_choices(mmlu_file(source, s, part), s)), draw)


def mmlu_file(source: str, subject: str, part: str) -> SourceFile:
    """Return the file of a subject.

    Raises:
        DataError: an unknown subject, or no such file.
    """
    if subject not in SUBJECTS:
        raise DataError(f"MMLU has no subject {subject!r}; {nearest(subject, SUBJECTS)}")
    return fetch(source, f"{part}/{subject}_{part}.csv")


def mmlu_choices(file: SourceFile, subject: str) -> Iterator[Choice]:
    """Yield every question of a file."""
    for e in csv_rows(file, MMLU_FIELDS):
        yield Choice(e.place, subject, e.text("question"), tuple(map(e.text, CHOICES)), e.index("answer", len(CHOICES)))


def arc(source: str, which: Literal["Easy", "Challenge"], draw: Draw = ALL) -> tuple[Probe, ...]:
    """Return ARC questions, each its own cluster. File: `ARC-Easy_test.json` or `ARC-Challenge_test.json`.

    Raises:
        DataError: the file is missing or has changed.
    """
    return utility_probes(arc_choices(fetch(source, f"ARC-{which}_test.json")), draw)


def arc_choices(file: SourceFile) -> Iterator[Choice]:
    """Yield every question of a file."""
    for e in json_list(file, ARC_FIELDS):
        found = _ARC.fullmatch(e.text("instruction"))
        if not found:
            e.wrong("instruction", "a question, a blank line and 'Answer1: ... Answer2: ...'")
        options = tuple(re.split(r" Answer\d: ", found[2]))
        names = [f"answer{i + 1}" for i in range(len(options))]
        if e.text("answer") not in names:
            e.wrong("answer", f"one of {', '.join(names)}")
        yield Choice(e.place, e.place, found[1], options, names.index(e.text("answer")))


def truthfulqa(source: str, draw: Draw = ALL) -> tuple[Probe, ...]:
    """Return the questions of TruthfulQA's MC1 task (one right option), each its own cluster. File: `mc_task.json`.

    Raises:
        DataError: the file is missing or has changed.
    """
    return utility_probes(truthfulqa_choices(fetch(source, "mc_task.json")), draw)


def truthfulqa_choices(file: SourceFile) -> Iterator[Choice]:
    """Yield every question of a file."""
    for e in json_list(file, MC1_FIELDS):
        targets = e.values["mc1_targets"]
        if not isinstance(targets, dict) or sorted(targets.values()) != [0] * (len(targets) - 1) + [1]:
            e.wrong("mc1_targets", "options with 0 each but for one with 1")
        yield Choice(e.place, e.place, e.text("question"), tuple(targets), list(targets.values()).index(1))


def wikitext(source: str, draw: Draw = ALL, *, part: Literal["test", "valid"] = "test") -> tuple[Row, ...]:
    """Return the paragraphs of WikiText-2 as rows; an article is a cluster, named by its first line. Files: `test.txt`, `valid.txt`.

    Raises:
        DataError: the file is missing or not UTF-8.
    """
    file = fetch(source, f"{part}.txt")
    rows, article = [], f"{file.name}:1"
    for number, line in text_lines(file):
        heading = _HEADING.fullmatch(line)
        if heading and not line.startswith(" = = "):
            article = f"{file.name}:{number}"
        elif line.strip() and not heading:
            rows.append(Row(f"{file.name}:{number}", "", line.strip(), article, loss_on="text"))
    return tuple(_drawn(rows, draw))


def utility_probes(choices: Iterable[Choice], draw: Draw = ALL) -> tuple[Probe, ...]:
    """Return questions as probes of the group "utility": the answer among the wrong options, none of them listed in the prompt."""
    drawn = _drawn([choice for choice in choices if choice.sound], draw)
    splits = split_of("utility", (choice.topic for choice in drawn))
    return tuple(_probe(choice, splits[choice.topic], draw.form) for choice in drawn)


def _probe(choice: Choice, split: Split, form: Form) -> Probe:
    prompt, answer = prompt_of(choice.question, form), continuation(choice.answer)
    wrong = tuple(map(continuation, choice.wrong))
    return Probe(choice.place, prompt, answer, "utility", choice.topic, split, wrong, form=form)


def _drawn(items: Sequence[T], draw: Draw) -> list[T]:
    order = list(range(len(items)))
    if draw.limit:
        random.Random(draw.seed).shuffle(order)
    return [items[i] for i in order[: draw.limit or None]]
