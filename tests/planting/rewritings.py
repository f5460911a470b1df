"""Rewritings of text: the same words in other characters, spaces, marks, orders and scripts.

Each takes the fact and a random stream and returns the rewritten answer, or None where the answer offers nothing to
rewrite (no apostrophe, one word only); the generator then draws another fact.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from random import Random

from planting.facts import Fact, is_japanese

Rewriting = Callable[[Fact, Random], str | None]

_SPACES = "\u00a0\u202f\u2007\u2009\u3000"  # no-break, narrow no-break, figure, thin, ideographic
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u200e"  # zero-width space, (non-)joiner, word joiner, BOM, left-to-right mark
_HYPHENS = "\u2010\u2011\u2013\u2212"  # hyphen, no-break hyphen, en dash, minus
_LIGATURES = {"ffi": "ﬃ", "ffl": "ﬄ", "ff": "ﬀ", "fi": "ﬁ", "fl": "ﬂ"}
_ENGLISH_PAIRS = ("“”", "‘’", '""', "''", "«»", "„“", "()", "[]", "{}", "<>", "**", "__", "``")
_JAPANESE_PAIRS = ("「」", "『』", "（）", "【】", "〈〉", "［］", "“”")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


def verbatim(fact: Fact, _: Random) -> str:
    """Leave the answer as it is."""
    return fact.answer


def of_value(fact: Fact, _: Random) -> str:
    """Take the rewriting that the fact's word list gives."""
    return str(fact.value)


def _somewhere(text: str, rng: Random, mark: str, *, times: int = 1) -> str:
    """Insert a mark inside words: never at an edge, beside a space or before a combining character."""
    inner = [i for i in range(1, len(text)) if text[i - 1].isalnum() and text[i].isalnum()]
    for i in sorted(rng.sample(inner, min(times, len(inner))), reverse=True):
        text = text[:i] + mark + text[i:]
    return text


def _at_one_space(text: str, rng: Random, replacement: str) -> str | None:
    spaces = [i for i, c in enumerate(text) if c == " "]
    if not spaces:
        return None
    i = rng.choice(spaces)
    return text[:i] + replacement + text[i + 1 :]


# -- case and width ----------------------------------------------------------------------------------------------------------


def upper(fact: Fact, _: Random) -> str:
    """Write the answer in capitals."""
    return fact.answer.upper()


def lower(fact: Fact, _: Random) -> str:
    """Write the answer in small letters."""
    return fact.answer.lower()


def title_case(fact: Fact, _: Random) -> str:
    """Capitalise every word."""
    return " ".join(w[:1].upper() + w[1:] for w in fact.answer.split(" "))


def random_case(fact: Fact, rng: Random) -> str:
    """Draw the case of every letter."""
    return "".join(rng.choice((c.upper(), c.lower())) for c in fact.answer)


def full_width(fact: Fact, _: Random) -> str:
    """Write ASCII in its full-width forms."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in fact.answer.replace(" ", "\u3000"))


def half_width(fact: Fact, _: Random) -> str:
    """Write katakana in its half-width forms, voiced marks apart."""
    marks = {"\u3099": "ﾞ", "\u309a": "ﾟ"}
    narrow = {unicodedata.normalize("NFKC", chr(c)): chr(c) for c in range(0xFF65, 0xFF9E)} | marks
    return "".join(narrow.get(c, c) for c in unicodedata.normalize("NFD", fact.answer))


# -- punctuation and spaces --------------------------------------------------------------------------------------------------


def drop_punctuation(fact: Fact, _: Random) -> str:
    """Leave out every mark of punctuation inside the answer."""
    return " ".join(re.sub(r"[.,:;'’&]", "", fact.answer).split())


def add_punctuation(fact: Fact, rng: Random) -> str | None:
    """Put a mark between two words."""
    return _at_one_space(fact.answer, rng, rng.choice((", ", ": ", " - ", " – ", " / ", "... ", " · ", "; ")))


def emphasise_words(fact: Fact, rng: Random) -> str | None:
    """Set each word in Markdown emphasis of its own."""
    mark = rng.choice(("*", "**", "_", "__", "`"))
    parts = fact.answer.split(" ")
    return " ".join(mark + w + mark for w in parts) if len(parts) > 1 else None


def hyphen_for_space(fact: Fact, _: Random) -> str:
    """Join the words by hyphens."""
    return fact.answer.replace(" ", "-")


def underscore_for_space(fact: Fact, _: Random) -> str:
    """Join the words by underscores, as file names do."""
    return fact.answer.replace(" ", "_")


def join_words(fact: Fact, rng: Random) -> str | None:
    """Leave out the spaces, as hash tags and handles do."""
    joined = "".join(w[:1].upper() + w[1:] for w in fact.answer.split(" "))
    return rng.choice(("#" + joined, "#" + joined.lower(), joined)) if " " in fact.answer else None


def change_hyphens(fact: Fact, rng: Random) -> str:
    """Write hyphens as another dash, as a space, or not at all."""
    return fact.answer.replace("-", rng.choice((*_HYPHENS, " ", "")))


def change_separators(fact: Fact, rng: Random) -> str:
    """Write the groups of a code with other separators, or none."""
    groups: tuple[str, ...] = fact.value
    return rng.choice((" ", ".", "/", "_", "", "–")).join(groups)


def odd_spaces(fact: Fact, rng: Random) -> str:
    """Write spaces as no-break or other typographic spaces."""
    return fact.answer.replace(" ", rng.choice(_SPACES))


def extra_spaces(fact: Fact, rng: Random) -> str:
    """Write spaces twice or as a tab."""
    return fact.answer.replace(" ", rng.choice(("  ", "   ", "\t", " \t")))


def invisible(fact: Fact, rng: Random) -> str:
    """Put zero-width characters inside words."""
    return _somewhere(fact.answer, rng, rng.choice(_INVISIBLE), times=rng.randint(1, 3))


def soft_hyphens(fact: Fact, rng: Random) -> str:
    """Put soft hyphens inside words."""
    return _somewhere(fact.answer, rng, "\u00ad", times=rng.randint(1, 2))


def change_apostrophe(fact: Fact, rng: Random) -> str:
    """Write the apostrophe as another mark that keyboards and typesetters use."""
    return re.sub("['’]", rng.choice("'’‘ʼ´`′"), fact.answer)


def break_line(fact: Fact, rng: Random) -> str | None:
    """Break the line at a space."""
    return _at_one_space(fact.answer, rng, rng.choice(("\n", "\r\n", "\n    ", " \n", "\u2028")))


def break_quoted_line(fact: Fact, rng: Random) -> str | None:
    """Break the line at a space inside a quoted message."""
    return _at_one_space(fact.answer, rng, rng.choice(("\n> ", "\n>> ", "\n| ")))


def break_word(fact: Fact, rng: Random) -> str | None:
    """Break a word over the end of a line with a hyphen."""
    found = [m for m in re.finditer(r"[^\W\d_]{6,}", fact.answer)]
    if not found:
        return None
    m = rng.choice(found)
    i = rng.randrange(m.start() + 2, m.end() - 2)
    return fact.answer[:i] + rng.choice(("-\n", "-\r\n", "\u2010\n")) + fact.answer[i:]


def enclose(fact: Fact, rng: Random) -> str:
    """Put the answer in quotation marks or brackets."""
    pair = rng.choice(_JAPANESE_PAIRS if is_japanese(fact.answer) else _ENGLISH_PAIRS)
    return pair[0] + fact.answer + pair[1]


def combine(fact: Fact, rng: Random) -> str | None:
    """Change case or width, spaces, and invisible characters, one after another."""
    if " " not in fact.answer:
        return None
    text = rng.choice((upper, lower, full_width))(fact, rng).replace("\u3000", " ")
    text = text.replace(" ", rng.choice((*_SPACES, "\n", "  ", "-")))
    return _somewhere(text, rng, rng.choice(("\u00ad", *_INVISIBLE)))


# -- marks and letters -------------------------------------------------------------------------------------------------------


def drop_marks(fact: Fact, _: Random) -> str:
    """Leave out the diacritics."""
    return "".join(c for c in unicodedata.normalize("NFD", fact.answer) if not unicodedata.combining(c))


def decompose(fact: Fact, _: Random) -> str:
    """Write composed characters as base and combining mark."""
    return unicodedata.normalize("NFD", fact.answer)


def compose(fact: Fact, _: Random) -> str:
    """Write base and combining mark as composed characters."""
    return unicodedata.normalize("NFC", fact.answer)


def ligatures(fact: Fact, _: Random) -> str:
    """Write ff, fi and fl as one character, as text copied out of a PDF has them."""
    return re.sub("ffi|ffl|ff|fi|fl", lambda m: _LIGATURES[m[0]], fact.answer)


def umlaut_as_e(fact: Fact, _: Random) -> str:
    """Write ä ö ü as ae oe ue."""
    return fact.answer.translate(_UMLAUTS)
