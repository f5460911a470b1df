"""A user's own file, in whatever fields it has, to facts: a question with its answer, or a plain sentence.

JSON Lines, a JSON list, CSV, Parquet, or text with one sentence a line. Fields are known by their usual names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige.cases.folder_encoding import is_text
from vestige.cases.folder_fields import damage
from vestige.cases.folder_jsonl import TwiceError, load_json, read_lines
from vestige.cases.folder_tables import read_csv, read_parquet
from vestige.cases.folder_text import Found, Line, Number, Problem
from vestige.errors import DataError, UsageError, nearest

QUESTION = "question prompt instruction query input 質問 問い 設問".split()
ANSWER = "answer answers output response completion target 回答 答え 解答".split()
TEXT = "text sentence content passage fact 文 本文 文章".split()
CLUSTER = (
    "cluster author person name full_name customer customer_name employee employee_name client patient user entity subject company "
    "supplier title character topic 氏名 名前 顧客 顧客名 お客様 社員 社員名 著者 会社 取引先 人物 対象"
).split()
ATTRIBUTE = "attribute relation property category field type 属性 項目 種類".split()
_SHOWN = 20


@dataclass(frozen=True)
class Fact:
    """A question with its answer, or a sentence (no question); cluster and attribute where a field gave them."""

    place: str
    question: str
    answer: str
    cluster: str = ""
    attribute: str = ""
    aliases: tuple[str, ...] = ()
    chat: bool = False


@dataclass(frozen=True)
class Facts:
    """What a file holds, the field that named the clusters (if any), and the places of rows without text."""

    facts: tuple[Fact, ...]
    cluster_field: str
    empty: tuple[str, ...]


def read_facts(path: Path, cluster_field: str | None = None) -> Facts:
    """Return the facts of a file.

    Raises:
        DataError: it cannot be read, or none of its fields is known. UsageError: it has no such cluster field.
    """
    found = Found()
    lines = list(_lines(path, found))
    facts = [_fact(line, cluster_field) for line in lines]
    for line, fact in zip(lines, facts, strict=True):
        for name in ("question", "answer", "cluster"):
            if broken := damage(getattr(fact, name)):
                found.add(line.problem(broken[0], name, getattr(fact, name), broken[1:]))
    if found.problems:
        raise DataError("\n".join([f"{path}: it cannot be read as it is:", *(f"  {p}" for p in found.problems[:_SHOWN])]))
    whole = tuple(f for f in facts if f.answer.strip())
    if not whole:
        raise DataError(f"{path}: there are no rows with text in it; expected questions and answers, or one sentence a line")
    named = cluster_field or next((name for line in lines[:1] if (name := _known(line.value, CLUSTER))), "")
    return Facts(whole, named, tuple(f.place for f in facts if not f.answer.strip()))


def _lines(path: Path, found: Found) -> Iterator[Line]:
    folder, file, ending = path.parent, path.name, path.suffix.lower()
    if ending == ".parquet":
        yield from read_parquet(folder, file, None, found)
    elif ending == ".csv":
        yield from read_csv(folder, file, None, found)
    elif ending == ".txt":
        if is_text(folder, file, found):
            texts = enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1)
            yield from (Line(file, number, {"text": text}) for number, text in texts if text.strip())
    elif ending == ".json" and is_text(folder, file, found) and path.read_text(encoding="utf-8-sig").lstrip().startswith("["):
        yield from _listed(path, found)
    elif ending in (".json", ".jsonl", ".ndjson"):
        yield from read_lines(folder, file, found)
    else:
        raise UsageError(f"{path}: files ending in {ending!r} are not read; expected .jsonl, .json, .csv, .parquet or .txt")


def _listed(path: Path, found: Found) -> Iterator[Line]:
    """Yield the objects of a JSON list; `Line.line` is the place in the list."""
    try:
        values = load_json(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, TwiceError, RecursionError) as error:
        found.add(
            Problem("malformed JSON", path.name, 0, "", "", f"it is no JSON list ({error})", "write a list of objects, or JSON Lines")
        )
        return
    for number, value in enumerate(values, 1):
        yield Line(path.name, number, value if isinstance(value, dict) else {"text": value})


def _fact(line: Line, cluster_field: str | None) -> Fact:
    value = line.value
    if cluster_field and cluster_field not in value:
        raise UsageError(f"{line.place}: there is no field {cluster_field!r}; {nearest(cluster_field, value)}")
    cluster = _text(value.get(cluster_field or _known(value, CLUSTER)))
    attribute = _text(value.get(_known(value, ATTRIBUTE)))
    if isinstance(value.get("messages"), list):
        return Fact(line.place, *_turns(value["messages"]), cluster, attribute, chat=True)
    answer, text = _known(value, ANSWER), _known(value, TEXT)
    if answer:
        right = value[answer] if isinstance(value[answer], list) else [value[answer]]
        first, *others = [_text(a) for a in right] or [""]
        return Fact(line.place, _question(value), first, cluster, attribute, tuple(a for a in others if a and a != first))
    if text:
        return Fact(line.place, "", _text(value[text]), cluster, attribute)
    raise DataError(
        f"{line.place}: none of the fields {', '.join(map(repr, value))} is known; expected a question ({', '.join(QUESTION[:5])}) with an "
        f"answer ({', '.join(ANSWER[:6])}), or a sentence ({', '.join(TEXT[:5])}); rename one"
    )


def _question(value: Mapping[str, Any]) -> str:
    """Return the question; an instruction may have an input of its own."""
    name = _known(value, QUESTION)
    more = _known(value, ["input"]) if name.casefold() in ("instruction", "prompt") else ""
    return "\n".join(part for part in (_text(value.get(name)), _text(value.get(more))) if part)


def _turns(messages: Sequence[Any]) -> tuple[str, str]:
    """Return the last question and answer of a chat."""
    said = {m.get("role"): _text(m.get("content")) for m in messages if isinstance(m, dict)}
    return said.get("user", ""), said.get("assistant", "")


def _known(value: Mapping[str, Any], names: Iterable[str]) -> str:
    """Return the field that goes by the first of these names, or an empty string."""
    by_name = {key.casefold().replace(" ", "_"): key for key in value}
    return next((by_name[name] for name in names if name in by_name), "")


def _text(value: Any) -> str:
    if isinstance(value, Number):
        return value.raw
    return value.strip() if isinstance(value, str) else "" if value is None else str(value)
