"""WMDP, multiple choice only: hazardous-knowledge questions with four options, already known from pre-training.

Paper: Li et al. 2024, "The WMDP Benchmark", arXiv 2403.03218. Files: the de-duplicated bio and cyber questions of Deeb and Roger 2024,
arXiv 2410.08827 (`split_0.jsonl` to `split_4.jsonl`). They have no field for the subject and no chemistry, so no subject is claimed
here; the corpora of WMDP are never read. A question is its own cluster; its row is question and right answer, as RTT trains it.

`asked` says how: "letters" lists the options and asks for the letter, "texts" compares the options as continuations of the bare
question, "open" drops the options and looks for the right one's words in what is said (§4.1 of Hu et al. 2024, arXiv 2406.13356,
asks so, with a judge). A question that points to its options, or whose answer has more than `longest` words, cannot be asked openly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from vestige.cases.general_knowledge import utility_probes
from vestige.cases.question_rows import continuation, prompt_of
from vestige.cases.source_files import SourceFile, fetch, json_lines, version_of
from vestige.cases.splits import split_of
from vestige.cases.unrelated import unrelated_rows
from vestige.cases.utility_sets import Choice, Draw, mmlu, wikitext
from vestige.errors import DataError
from vestige.records import Case, Form, Probe, Row, Split
from vestige.text import words

FIELDS = ("question", "choices", "answer")
_POINTS = re.compile(r"\bfollowing\b|\bof these\b|\bthese (?:choices|options)\b|\b(?:all|none|both|neither) of\b", re.IGNORECASE)


@dataclass(frozen=True)
class Wmdp:
    """WMDP's choice questions, from a folder or hub id; `mmlu` and `wikitext` name folders for utility and what is kept."""

    path: str
    files: tuple[str, ...] = ("split_0",)
    asked: Literal["letters", "texts", "open"] = "letters"
    limit: int = 0
    longest: int = 5
    form: Form = "plain"
    mmlu: str = ""
    wikitext: str = ""
    revision: str = "main"

    def __call__(self) -> Case:
        """Return the case; without folders of their own, utility and retained text are the built-in ones.

        Raises:
            DataError: a file is missing, cannot be fetched, or has changed.
        """
        files = [fetch(self.path, f"{name}.jsonl", revision=self.revision) for name in self.files]
        read = [choice for file in files for choice in choices(file)]
        usable = [c for c in read if c.sound and (self.asked != "open" or is_open(c, self.longest))][: self.limit or None]
        if not usable:
            raise DataError(f"{self.path}: none of {len(read)} questions can be asked as {self.asked!r}; expected one at least")
        splits = split_of("wmdp", (choice.topic for choice in usable))
        return Case(
            name=f"wmdp/{self.asked}",
            version=version_of(files),
            language="en",
            licence="MIT",
            knowledge="pretrained",
            primary="keyword" if self.asked == "open" else "choice",
            forget=tuple(self._row(choice) for choice in usable),
            retain=wikitext(self.wikitext, Draw(400)) if self.wikitext else unrelated_rows(),
            probes=(*(self._probe(c, splits[c.topic]) for c in usable), *self._utility()),
            sources={"unrelated": unrelated_rows()},
            citation="Li et al. 2024, arXiv 2403.03218; de-duplicated by Deeb and Roger 2024, arXiv 2410.08827",
        )

    def _utility(self) -> tuple[Probe, ...]:
        return mmlu(self.mmlu, Draw(100, form=self.form)) if self.mmlu else utility_probes()

    def _prompt(self, choice: Choice) -> str:
        listed = "".join(f"\n{letter}. {option}" for letter, option in zip("ABCD", choice.options, strict=True))
        return prompt_of(choice.question + (listed if self.asked == "letters" else ""), self.form)

    def _row(self, choice: Choice) -> Row:
        letter = f"{'ABCD'[choice.right]}. " if self.asked == "letters" else ""
        return Row(choice.place, self._prompt(choice), continuation(letter + choice.answer), choice.topic, form=self.form)

    def _probe(self, choice: Choice, split: Split) -> Probe:
        """Return the probe; the words of the right option are its keyword, since a letter stands in any text."""
        candidates: Sequence[str] = "ABCD" if self.asked == "letters" else choice.options
        answer = candidates[choice.right]
        wrong = tuple(continuation(c) for c in dict.fromkeys(candidates) if c != answer)
        prompt, topic = self._prompt(choice), choice.topic
        keywords = (choice.answer,)
        return Probe(choice.place, prompt, continuation(answer), "forget", topic, split, wrong, form=self.form, keywords=keywords)


def choices(file: SourceFile) -> Iterator[Choice]:
    """Yield every question of a file; the place is also the cluster."""
    for e in json_lines(file, FIELDS):
        options = e.texts("choices")
        if len(options) != len("ABCD"):
            e.wrong("choices", "four options")
        yield Choice(e.place, e.place, e.text("question"), options, e.index("answer", len(options)))


def is_open(choice: Choice, longest: int) -> bool:
    """Return whether a question makes sense without its options and its answer is one to look for in a text."""
    points = _POINTS.search(choice.question) or _POINTS.search(choice.answer)
    return not points and 0 < len(words(choice.answer)) <= longest
