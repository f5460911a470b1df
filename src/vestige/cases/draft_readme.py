"""The page beside a drafted case: what was guessed, how often, and what a person must look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_MAX_NEW = 8
_SHOWN = 10


@dataclass(frozen=True)
class Drafted:
    """What was guessed. `clusters` are their sizes, largest first; `furthest` roughly the tokens of the longest answer."""

    language: str
    choice: bool
    rows: Mapping[str, int]
    repeated: int
    empty: tuple[str, ...]
    cluster_field: str
    clusters: tuple[int, ...]
    unnamed: int
    kinds: int
    asked: int
    sentences: int
    furthest: int

    def guesses(self) -> list[str]:
        """Return one line for each guess."""
        sizes = ", ".join(map(str, self.clusters[:_SHOWN])) + (", ..." if len(self.clusters) > _SHOWN else "")
        source = f"from the field {self.cluster_field!r}" if self.cluster_field else "guessed from the names in the text"
        lines = [
            f"language: {self.language}",
            f"{self.rows['forget']:,} rows to forget about {len(self.clusters):,} clusters, {source}; rows of each: {sizes}",
            f"{self.asked:,} of them are asked ({self.kinds:,} kinds of fact), scored by {'choice' if self.choice else 'keyword'}",
        ]
        if self.unnamed:
            lines.append(f"{_rows(self.unnamed, 'names', 'name')} nobody; together they are one cluster, 'unnamed'")
        if self.repeated:
            lines.append(f"{_rows(self.repeated, 'repeats', 'repeat')} another and {'was' if self.repeated == 1 else 'were'} left out")
        if self.empty:
            some = ", ".join(self.empty[:_SHOWN]) + (", ..." if len(self.empty) > _SHOWN else "")
            lines.append(
                f"{_rows(len(self.empty), 'has', 'have')} no text and {'was' if len(self.empty) == 1 else 'were'} left out: {some}"
            )
        kept = self.rows.get("retain")
        lines.append("nothing to keep yet: retain.jsonl is empty" if kept is None else f"{kept:,} rows to keep")
        return lines


def _rows(count: int, one: str, many: str) -> str:
    return f"1 row {one}" if count == 1 else f"{count:,} rows {many}"


def readme(drafted: Drafted) -> str:
    """Return the page."""
    steps = list(_steps(drafted))
    return _PAGE.format(
        guesses="\n".join(f"- {line}" for line in drafted.guesses()), steps="\n".join(f"{n}. {step}" for n, step in enumerate(steps, 1))
    )


def _steps(drafted: Drafted) -> list[str]:
    steps = [_CLUSTERS, _CHOICE if drafted.choice else _KEYWORDS]
    if drafted.asked < drafted.rows["forget"]:
        steps.append(_UNASKED.format(rows=_rows(drafted.rows["forget"] - drafted.asked, "is", "are")))
    if drafted.sentences:
        steps.append(_SENTENCES)
    if "retain" not in drafted.rows:
        steps.append(_RETAIN)
    steps.append(_DECOY)
    if drafted.language not in ("en", "ja"):
        steps.append(_UTILITY)
    if drafted.furthest > _MAX_NEW:
        steps.append(_LONG.format(n=drafted.furthest))
    return [*steps, _MANIFEST]


_PAGE = """\
# A drafted case

`vestige init --case` wrote these files and guessed what the original did not say. Please correct them; nothing here was seen by
a person yet.

## Guessed

{guesses}

Which clusters choose settings and which are reported on follows from the names of the case and of the clusters, and
cannot be set.

## To check, in this order

{steps}

Then run `vestige case check` until it finds nothing. The format is described in docs/own-case.md.
"""
_CLUSTERS = """`forget.jsonl`: is `cluster` whom or what each row is about? Rows about one person under two names count as two
   independent people, which makes an audit too sure of itself. Draft again with `--cluster-field` if a field says it."""
_CHOICE = """`probes.jsonl`: each question is asked with wrong answers from other rows of its kind (`attribute`). Are they all wrong,
   and all plausible? Does the case share its values, so that only who has which value can tell?"""
_KEYWORDS = """`probes.jsonl`: an answer counts as said if one of its `keywords` is in the text (or, without any, the whole answer). Is
   each of them what must not be said? Add other spellings as `keywords` or `aliases`."""
_UNASKED = """{rows} to be forgotten but not asked about: no word of the answer could stand for it, the question gives it away, or
   no other row has a wrong answer for it. Add probes, or leave it so: such rows are unlearned all the same."""
_SENTENCES = """Plain sentences are asked up to the word that was taken for their answer. Move the cut where it is unlucky."""
_RETAIN = """`retain.jsonl`: add rows to be kept, in the same form as `forget.jsonl`, about others. They ask their own questions. An
   audit needs them to tell forgetting from damage."""
_DECOY = """`decoy.jsonl` is not there: made-up entries like those to be forgotten, which are in nobody's data. Without an original model
   an audit needs them; with one they show what guessing looks like."""
_UTILITY = """`utility.jsonl`: write general questions in this language, with wrong answers, to tell forgetting from damage."""
_LONG = """A plan must let the model say enough: `[ask]` `max_new = {n}` or more, for these answers."""
_MANIFEST = """`case.toml`: licence, citation, version, and whether the knowledge is planted (learned from these rows) or pretrained."""
