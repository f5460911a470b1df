"""The files of BLUR (s-huu/BLUR), read with their defects: escaped quotation marks, cut lines, questions without answers.

Found in the published files (commit 8150a7b) and counted by `defects`: an apostrophe is written \\' and a line break \\n, as in Python
source; every retain line of the TOFU part lacks its last two characters, while the paired files have the same lines whole. So
texts are unescaped, and retained rows are taken from the second halves of the paired files. Nothing is guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vestige.cases.source_files import SourceFile, fetch, text_lines
from vestige.errors import DataError
from vestige.records import Row

FORGET = ("eval_data/tofu/pure_forget/forget_10_questions.txt", "eval_data/tofu/pure_forget/forget_10_answers.txt")
RETAIN = ("eval_data/tofu/pure_retain/retain_10_questions.txt", "eval_data/tofu/pure_retain/retain_10_answers.txt")
PAIRED = (
    "eval_data/tofu/1_2_format/paired_forget_retain_questions.txt",
    "eval_data/tofu/1_2_format/paired_forget_retain_answers.txt",
)
WHP = ("eval_data/whp/pure_forget/harry_potter_questions.txt", "eval_data/whp/pure_forget/harry_potter_answers.txt")
WHP_PAIRED = "eval_data/whp/1_2_format/paired_forget_retain_questions.txt"
CROSSOVER = (
    "eval_data/whp/general_format/hp_lotr_crossover_hard_questions.txt",
    "eval_data/whp/general_format/hp_lotr_crossover_hard_answers.txt",
)
UNANSWERED = (
    WHP_PAIRED,
    "eval_data/whp/pure_retain/all_retain.txt",
    "eval_data/rwku/pure_forget/rwku_questions.txt",
    "eval_data/rwku/pure_retain/all_retain.txt",
    "eval_data/rwku/1_2_format/paired_forget_retain_questions.txt",
    "eval_data/wmdp/pure_retain/combined_retain_questions.txt",
)
# Which text BLUR relearns on, from near to far; its nearest for WMDP is the text of Hu et al. 2024, which is not read here.
TIERS = {
    "whp": ("hp_summary", "magic", "lorem_ipsum"),
    "wmdp": ("college_biology", "collage_astronomy"),
    "rwku": ("rwku_hi", "car_brand_and_movies"),
}
_PAIR = re.compile(r"1\. (.*?) 2\. (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, unescaped, and where it stands."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Defect:
    """Something wrong in a file: how many of how many lines, and what."""

    file: str
    lines: int
    of: int
    what: str


def file_of(source: str, name: str, revision: str = "main") -> SourceFile:
    """Return a file by its path in the repository; a local copy may hold it flat, with __ for / and without the first folder.

    Raises:
        DataError: it is not there.
    """
    folder = Path(source)
    flat = folder.is_dir() and not (folder / name).is_file()
    stored = "__".join(name.split("/")[1:]) if name.startswith("eval_data/") else name.replace("_data/", "__")
    return replace(fetch(source, stored if flat else name, revision=revision), name=name)


def lines_of(file: SourceFile) -> tuple[Line, ...]:
    """Return the lines of a file that hold something."""
    return tuple(Line(f"{file.name}:{n}", unescaped(text)) for n, text in text_lines(file) if text.strip())


def unescaped(text: str) -> str:
    """Return the text with \\' as an apostrophe and \\n as a line break."""
    return text.replace("\\'", "'").replace("\\n", "\n")


def together(files: Sequence[SourceFile]) -> tuple[tuple[Line, ...], ...]:
    """Return the lines of files that belong together line by line.

    Raises:
        DataError: they are of different lengths.
    """
    read = tuple(lines_of(file) for file in files)
    if len({len(lines) for lines in read}) > 1:
        seen = ", ".join(f"{len(lines)} in {file.name}" for file, lines in zip(files, read, strict=True))
        raise DataError(f"{files[0].name}: seen {seen} lines, expected as many in each: they belong together line by line")
    return read


def halves(line: Line) -> tuple[str, str]:
    """Return the two halves of a combined line, "1. ... 2. ...".

    Raises:
        DataError: it has no two halves.
    """
    found = _PAIR.fullmatch(line.text)
    if not found:
        raise DataError(f"{line.place}: seen {line.text[:60]!r}, expected '1. ... 2. ...'")
    return found[1], found[2]


def tier_rows(file: SourceFile) -> tuple[Row, ...]:
    """Return every line of a relearn text as a row; every token is trained on."""
    return tuple(Row(line.place, "", line.text, line.place, loss_on="text") for line in lines_of(file))


def defects(source: str, revision: str = "main") -> tuple[Defect, ...]:
    """Return what is wrong with the evaluation files, counted line by line."""

    def get(name: str) -> SourceFile:
        return file_of(source, name, revision)

    pairs = (*zip(RETAIN, PAIRED, strict=True),)
    escapes = (found for name in (*FORGET, *RETAIN, *PAIRED) for found in _escaped(get(name)))
    cuts = (found for cut, whole in pairs for found in _cut(get(cut), get(whole)))
    rest = (found for name in UNANSWERED for found in (_unanswered(get(name)), *_twice(get(name))))
    return (*escapes, *cuts, *rest)


def _escaped(file: SourceFile) -> Iterator[Defect]:
    lines = [text for _, text in text_lines(file) if text.strip()]
    count = sum(unescaped(text) != text for text in lines)
    if count:
        yield Defect(file.name, count, len(lines), "an apostrophe or a line break is written with a backslash")


def _cut(cut: SourceFile, paired: SourceFile) -> Iterator[Defect]:
    short, whole = together((cut, paired))
    missing = Counter(len(halves(w)[1]) - len(s.text) for s, w in zip(short, whole, strict=True) if halves(w)[1].startswith(s.text))
    for characters, count in sorted(missing.items()):
        if characters:
            yield Defect(cut.name, count, len(short), f"the last {characters} characters are cut; the paired file has them")
    if strange := len(short) - missing.total():
        yield Defect(cut.name, strange, len(short), "not the beginning of what the paired file has")


def _unanswered(file: SourceFile) -> Defect:
    lines = lines_of(file)
    return Defect(file.name, len(lines), len(lines), "questions without answers: BLUR compares with what the original model says")


def _twice(file: SourceFile) -> Iterator[Defect]:
    counts = Counter(line.text for line in lines_of(file))
    if again := counts.total() - len(counts):
        yield Defect(file.name, again, counts.total(), "repeats an earlier line")
