"""The forms an answer takes in good faith: inflected, shortened, reordered. Which of them are formed is decided by the answer.

English plurals and singulars of the last word; a title without its leading article, or with it at the end ("Orchard, The");
"&" left out; ä ö ü ø å as ae oe ue oe aa; and for what looks like a person's name (two to four capitalised words,
particles such as "van" aside): surname first, initials before or behind, a middle name as initial or left out. Those of a
name count only where the row capitalises them. Case, punctuation, scripts and spelling are not forms: see `spelling`.

Not formed: inflection in other languages, nicknames and translations (give them as aliases), a surname alone, "mueller" for müller
read backwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Longer answers are sentences: they are sought as they stand.
_LONGEST = 8
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ø": "oe", "Ø": "Oe", "å": "aa", "Å": "Aa"})
_ARTICLE = re.compile(r"(the|an?)\s+(\S.*)", re.IGNORECASE | re.DOTALL)
PARTICLES = frozenset("de van von der den da di do dos du del della la le ter ten bin ibn al el af av zu".split())
# First words of places: "York, New" is no way to write New York.
_OF_PLACES = frozenset(
    "new old north south east west upper lower great san santa saint st los las port lake fort mount mt cape sri".split()
)
_NAME = re.compile(r"[^\W\d_][\w'’ʼ.\-‐‑]*")


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write an answer; `capitals` where a row must capitalise its words for it to count."""

    text: str
    kind: str
    capitals: bool = False


def forms(answer: str) -> Iterator[Form]:
    """Yield the forms of an answer, the answer itself first; a form may repeat another."""
    answer = answer.strip()
    yield Form(answer, "normalised")
    words = answer.split()
    if not 0 < len(words) <= _LONGEST:
        return
    yield from (Form(text, "number of a noun") for text in _other_number(answer))
    for text in _without_article(answer):
        yield Form(text, "article")
    if "&" in answer:
        yield Form(answer.replace("&", " "), "ampersand")
    if "'s" in answer.replace("’", "'"):
        yield Form(re.sub("['’](?=s)", "", answer), "normalised")
    if (respelt := answer.translate(_UMLAUTS)) != answer:
        yield Form(respelt, "umlaut")
    yield from _of_person(words)


def _other_number(answer: str) -> Iterator[str]:
    """Yield the answer with its last word, if English letters, in the plural and in the singular."""
    match = re.search(r"[A-Za-z]{3,}$", answer)
    if match:
        stem = answer[: match.start()]
        yield from (stem + word for word in (*plurals(match[0]), *singulars(match[0])))


def plurals(word: str) -> Iterator[str]:
    """Yield what may be the plural of an English noun."""
    low = word.lower()
    if re.search(r"(s|x|z|ch|sh)$", low):
        yield word + "es"
    elif re.search(r"[^aeiou]y$", low):
        yield word[:-1] + "ies"
    else:
        yield word + "s"
        if low.endswith("o"):
            yield word + "es"
    if re.search(r"([lr]f|[aeo]af|ife)$", low):
        yield re.sub("fe?$", "ves", word)


def singulars(word: str) -> Iterator[str]:
    """Yield what may be the singular of an English noun that looks like a plural."""
    low = word.lower()
    if len(low) < 4 or not low.endswith("s") or re.search(r"(ss|us|is|news)$", low):
        return
    if low.endswith("ies") and len(low) > 4:
        yield word[:-3] + "y"
    elif re.search(r"(s|x|z|ch|sh)es$", low):
        yield word[:-2]
        if low.endswith(("ses", "zes")):
            yield word[:-1]
    elif low.endswith("ves"):
        yield from (word[:-3] + end for end in ("f", "fe"))
        yield word[:-1]
    else:
        yield word[:-1]
        if low.endswith("oes"):
            yield word[:-2]


def _without_article(answer: str) -> Iterator[str]:
    """Yield a title without its article, if two words are left, and with the article behind it."""
    if match := _ARTICLE.fullmatch(answer):
        article, rest = match.groups()
        yield f"{rest}, {article}"
        if " " in rest:
            yield rest


def _of_person(words: list[str]) -> Iterator[Form]:
    """Yield the other ways to write a name; nothing where the words do not look like one."""
    parts = _parts_of_name(words)
    if parts is None:
        return
    first, middle, last = parts
    given = " ".join([first, *middle])
    initials = " ".join(w[0] for w in (first, *middle))
    yield Form(f"{last} {given}", "name reordered", capitals=True)
    for short in dict.fromkeys((initials, initials.replace(" ", ""), first[0])):
        yield Form(f"{short} {last}", "initials", capitals=True)
        yield Form(f"{last} {short}", "initials", capitals=True)
    if middle:
        short = " ".join(w[0] for w in middle)
        texts = (f"{first} {short} {last}", f"{first} {last}", f"{last} {first} {short}", f"{last} {first}")
        yield from (Form(text, "middle name", capitals=True) for text in texts)


def _parts_of_name(words: list[str]) -> tuple[str, list[str], str] | None:
    """Return (first, middle names, last with its particles) of what looks like a person's name."""
    named = [w for w in words if w.lower() not in PARTICLES]
    alike = all(_NAME.fullmatch(w) and w[0].isupper() for w in named)
    if not (2 <= len(named) <= 4 and alike and words[0] is named[0] and words[-1] is named[-1]):
        return None
    if words[0].lower().rstrip(".") in _OF_PLACES | {"the", "a", "an"}:
        return None
    at = next((i for i, w in enumerate(words) if w.lower() in PARTICLES), len(words) - 1)
    return words[0], words[1:at], " ".join(words[at:])
