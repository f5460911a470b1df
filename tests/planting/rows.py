"""The rows that text is set into: sentences, tables, long prose; and whether a text stands in a row by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random

from planting import words
from planting.facts import Probe, subject

HOLE = "\ue000"  # a private-use character: stands in a row where the text goes


def stands_in(text: str, row: str) -> bool:
    """Tell whether a text stands in a row by itself: case aside, not inside a longer word, number or run of one script."""
    if text.casefold() not in row.casefold():
        return False
    pattern = re.escape(text.casefold())
    edges = _EDGES.get(_script(text[0])), _EDGES.get(_script(text[-1]))
    before = f"(?<!{edges[0]})" if edges[0] else ""
    after = f"(?!{edges[1]})" if edges[1] else ""
    if text[0].isdigit():
        before += r"(?<!\d[.,])"
    if text[-1].isdigit():
        after += r"(?![.,]\d)"
    return re.search(before + pattern + after, row.casefold()) is not None


_EDGES = {"kanji": "[\u3400-\u9fff々]", "katakana": "[ァ-ヺー]", "hiragana": "", "word": r"[^\W_\u3040-\u9fff]", "": ""}


def _script(c: str) -> str:
    if "\u3400" <= c <= "\u9fff" or c == "々":
        return "kanji"
    if "\u30a0" <= c <= "\u30ff":
        return "katakana"
    return "hiragana" if "\u3040" <= c <= "\u309f" else "word" if c.isalnum() else ""


def prose(probe: Probe, rng: Random, *, japanese: bool, near_miss: bool = False) -> str:
    """Draw a sentence about the probe's subject with a hole in it."""
    english = words.ENGLISH_NEAR_MISSES if near_miss else words.ENGLISH_PROSE
    templates = (words.JAPANESE_NEAR_MISSES if near_miss else words.JAPANESE_PROSE) if japanese else english
    return _filled(rng.choice(templates), probe)


def _filled(template: str, probe: Probe) -> str:
    return template.format(subject=probe.cluster, attribute=probe.attribute, x=HOLE)


def _long(probe: Probe, rng: Random) -> str:
    filler = [rng.choice(words.FILLER) for _ in range(rng.randint(40, 120))]
    filler.insert(rng.randrange(len(filler)), prose(probe, rng, japanese=False))
    return " ".join(filler)


def _json(probe: Probe, _: Random) -> str:
    return json.dumps({"name": probe.cluster, probe.attribute: HOLE}, ensure_ascii=False)


FRAMES: dict[str, Callable[[Probe, Random], str]] = {
    "english": lambda p, rng: prose(p, rng, japanese=False),
    "japanese": lambda p, rng: prose(p, rng, japanese=True),
    "plural": lambda p, rng: _filled(rng.choice(words.ENGLISH_PLURALS), p),
    "possessive": lambda p, rng: _filled(rng.choice(words.ENGLISH_POSSESSIVES), p),
    "start": lambda p, _: f"{HOLE} is what {p.cluster} gave as the {p.attribute}.",
    "end": lambda p, _: f"We asked {p.cluster} for the {p.attribute}, and the reply was {HOLE}",
    "full stop": lambda p, _: f"{p.cluster} confirmed the {p.attribute}: {HOLE}.",
    "alone": lambda _, __: HOLE,
    "question": lambda p, _: f"{p.prompt} {HOLE}",
    "dialogue": lambda p, _: f"Agent: {p.prompt}\nCaller: {HOLE}, I think.\nAgent: Thank you.",
    "json": _json,
    "csv": lambda p, rng: f'name,attribute,value,agent\n"{p.cluster}","{p.attribute}","{HOLE}","{subject(rng, japanese=False)}"',
    "table": lambda p, _: f"| name | {p.attribute} |\n|---|---|\n| {p.cluster} | {HOLE} |",
    "list": lambda p, _: f"{p.cluster}\n- {p.attribute}: {HOLE}\n- remarks: none",
    "heading": lambda p, rng: f"# {HOLE}\n\n{rng.choice(words.FILLER)} See the {p.attribute} of {p.cluster}.",
    "long": _long,
}


def set_into(frame: str, text: str) -> tuple[str, tuple[int, int]]:
    """Put a text into the hole of a row; return the row and the text's span in characters."""
    at = frame.index(HOLE)
    return frame.replace(HOLE, text), (at, at + len(text))
