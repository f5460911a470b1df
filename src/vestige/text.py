"""Text, compared the same way everywhere: leak checks, metrics and rewards all use these functions.

Alphabetic scripts are matched at word boundaries, scripts without spaces (Chinese, Japanese, Thai, ...) anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SPACE = re.compile(r"\s+")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# Scripts written without spaces between words.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # iteration mark, ideographic zero
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # CJK extension A
    (0x4E00, 0x9FFF),  # CJK
    (0xF900, 0xFAFF),  # CJK compatibility
    (0xAC00, 0xD7AF),  # Hangul: spaced, but particles are glued to the word
    (0x20000, 0x3FFFF),  # CJK extensions B and on
)
# Marks that show nothing of their own: the grapheme joiner and the variation selectors.
_SELECTORS = frozenset(map(chr, (0x034F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))


def normalise(text: str) -> str:
    """Return text under NFKC, casefolded, runs of white space as one space: what "the same text" means here."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", folded)).strip()


def fold(text: str) -> str:
    """Return `normalise(text)` without diacritics and invisible characters, punctuation as spaces: for finding disguised copies."""
    decomposed = unicodedata.normalize("NFKD", normalise(text))
    plain = "".join(c if _in_word(c) else " " for c in decomposed if not _is_disguise(c))
    return _SPACE.sub(" ", unicodedata.normalize("NFC", plain)).strip()


def _in_word(character: str) -> bool:
    """Return whether a character is part of a word: a letter, a digit, or a mark upon one (Hindi and Thai vowels are marks)."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _is_disguise(character: str) -> bool:
    """Return whether a decomposed character only dresses up the one before it, or shows nothing at all."""
    if unicodedata.category(character) in ("Cc", "Cf", "Me") or character in _SELECTORS:
        return True
    return unicodedata.combining(character) > 0 and not is_unspaced(character)


def is_unspaced(character: str) -> bool:
    """Return whether a character belongs to a script written without spaces."""
    code = ord(character)
    return any(low <= code <= high for low, high in _UNSPACED)


def words(text: str) -> list[str]:
    """Return the words of a text, folded; each character of an unspaced script is a word."""
    return units(fold(text))


def units(text: str) -> list[str]:
    """Return the words of a text with the marks on them; each character of a script without spaces is one."""
    found: list[str] = []
    for chunk in text.split():
        run = ""
        for character in chunk:
            if is_unspaced(character):
                found += [run, character] if run else [character]
                run = ""
            else:
                run += character
        if run:
            found.append(run)
    return found


def find_keyword(text: str, keyword: str) -> tuple[int, int] | None:
    """Return the span of `keyword` in `normalise(text)`, or None. An empty keyword is never found."""
    needle, hay = normalise(keyword), normalise(text)
    at = hay.find(needle) if needle else -1
    while at >= 0:
        end = at + len(needle)
        if _boundary(hay, at) and _boundary(hay, end):
            return at, end
        at = hay.find(needle, at + 1)
    return None


def _boundary(text: str, at: int) -> bool:
    """Return whether a word may begin or end at this place."""
    if at in (0, len(text)):
        return True
    base = at - 1
    while base > 0 and unicodedata.category(text[base]).startswith("M"):
        base -= 1
    left, right = text[base], text[at]
    inside = left.isalnum() and _in_word(right)
    return not inside or is_unspaced(left) or is_unspaced(right)


def keyword_hit(text: str, keywords: Iterable[str]) -> bool:
    """Return whether any keyword stands in the text as a word of its own."""
    return any(find_keyword(text, keyword) is not None for keyword in keywords)


def masked(text: str) -> str:
    """Return the text with every letter and digit as a bullet; spaces and punctuation show its shape."""
    return "".join("•" if _in_word(c) else c for c in text)


def terminal_safe(text: str) -> str:
    """Return text that cannot steer a terminal or reorder a page: no control characters, invisible ones spelt out."""
    shown = []
    for c in _ANSI.sub("", text):
        if unicodedata.category(c) == "Cf":
            shown.append(f"⟨U+{ord(c):04X}⟩")
        elif c in "\n\t" or unicodedata.category(c) != "Cc":
            shown.append(c if unicodedata.category(c) != "Cs" else "\ufffd")
    return "".join(shown)
