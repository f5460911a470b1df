"""The nouns of the house as frozen data: JSON in, JSON out, one digest for each.

A *row* is a text a model trains on. A *probe* is a question with its expected answer. A *case* holds
both. A *relearn set* is the text D' of Hu et al. (2024, arXiv 2406.13356), in one or more folds. *Records*
are what a model said: raw text (`Answer`) or token log-probabilities (`ScoreTokens`), never a score.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Form = Literal["plain", "chat"]
LossOn = Literal["answer", "text"]
Split = Literal["selection", "test"]
Group = Literal["forget", "decoy", "retain", "utility"]

GROUPS: tuple[Group, ...] = ("forget", "decoy", "retain", "utility")

# Of fields that came later: without a value, a record is the same JSON, and has the same digest, as before there was such a field.
_NOT_WRITTEN_IF_NONE = {"not_written_if_none": True}


@dataclass(frozen=True, slots=True)
class Missing:
    """A value that could not be had, and why. Never replaced by 0 or NaN."""

    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """A text to train on: `prompt` + `answer`, joined as they stand.

    `loss_on="answer"` scores the answer tokens only; `"text"` scores every token. `form="chat"` wraps the
    prompt in the model's chat template. `cluster` is the person, country or fact it speaks of.
    """

    id: str
    prompt: str
    answer: str
    cluster: str
    loss_on: LossOn = "answer"
    form: Form = "plain"
    attribute: str = ""

    @property
    def text(self) -> str:
        """The whole text of the row."""
        return self.prompt + self.answer


@dataclass(frozen=True, slots=True)
class Probe:
    """A question, its expected answer, and the wrong answers it is chosen among.

    `prompt` is given to the model as it stands (or through the chat template); `answer`, `aliases` and
    `distractors` are continuations *with their leading space*, so that prompt + answer is the text a row
    would hold. `wording` names the phrasing ("primary" decides; others are reported beside it). `keywords` are what counts as
    said in a generated text, and as a leak in a row, where the answer is a sentence; without any, answer and aliases count.
    """

    id: str
    prompt: str
    answer: str
    group: Group
    cluster: str
    split: Split
    distractors: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    attribute: str = ""
    wording: str = "primary"
    form: Form = "plain"
    keywords: tuple[str, ...] = ()

    @property
    def expected(self) -> tuple[str, ...]:
        """What counts as the answer when it is said."""
        return self.keywords or (self.answer, *self.aliases)


@dataclass(frozen=True)
class Case:
    """What is to be forgotten, what is to be kept, and how both are asked.

    `knowledge` is "planted" (the model learns it from `forget` rows) or "pretrained" (it is there already).
    `primary` names the score that decides: "choice" where probes have distractors, else "keyword".
    `sources` holds further rows by name, for the recipes of relearn sets.
    """

    name: str
    version: str
    language: str
    licence: str
    knowledge: Literal["planted", "pretrained"]
    primary: Literal["choice", "keyword"]
    forget: tuple[Row, ...]
    retain: tuple[Row, ...]
    probes: tuple[Probe, ...]
    decoy: tuple[Row, ...] = ()
    sources: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    citation: str = ""

    def asked(self, group: Group, split: Split | None = None, wording: str = "primary") -> tuple[Probe, ...]:
        """Return the probes of a group, optionally of one split, in one wording ("*" for all)."""
        return tuple(p for p in self.probes if p.group == group and split in (None, p.split) and wording in ("*", p.wording))


@dataclass(frozen=True, slots=True)
class Fold:
    """The rows of one relearning run, and the ids of the forget probes asked along it."""

    rows: tuple[Row, ...]
    asks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelearnSet:
    """A named D' in one or more folds; every forget probe is asked in exactly one fold."""

    name: str
    recipe: str
    folds: tuple[Fold, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate answer, token by token; all lists are of the same length T.

    `logp`: natural log-probability of each token; `top1`: 1 where it was the most likely token; `entropy`: of
    the next-token distribution p, in nats (the mean of log p under p is its negative, so it is not stored);
    `sd`: standard deviation of log p over the vocabulary under p. `bytes` and `zlib_bytes` are the lengths of the candidate's text in UTF-8
    and compressed; None, and not written, where the text was not at hand or the ledger is older than they are.
    """

    candidate: str
    logp: tuple[float, ...]
    top1: tuple[int, ...]
    sd: tuple[float, ...]
    entropy: tuple[float, ...]
    bytes: int | None = field(default=None, metadata=_NOT_WRITTEN_IF_NONE)
    zlib_bytes: int | None = field(default=None, metadata=_NOT_WRITTEN_IF_NONE)


@dataclass(frozen=True, slots=True)
class ScoreTokens:
    """What a model thinks of each candidate answer of a probe ("true", "alias:i", "wrong:j")."""

    probe: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to a probe. `finish`: "eos", "stop" (a new line), "length" or "loop"."""

    probe: str
    text: str
    finish: Literal["eos", "stop", "length", "loop"]


Record = ScoreTokens | Answer


def plain(value: Any) -> Any:
    """Turn dataclasses, tuples and mappings into what JSON holds; refuse NaN, infinities and keys that collide as texts."""
    if value is None or isinstance(value, (str, int)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        held = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {f.name: plain(x) for f, x in held if x is not None or "not_written_if_none" not in f.metadata}
    if isinstance(value, Mapping):
        named = {str(k): plain(v) for k, v in value.items()}
        if len(named) < len(value):
            raise ValueError(f"two of the keys {list(value)} are the same text; one value would be lost")
        return named
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} has no place in a record; use Missing(reason)")
    return value


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8."""
    return canonical_json(plain(value))


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of a value that came out of JSON or of `plain`: the same as `canonical`, without the walk through it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def digest(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()
