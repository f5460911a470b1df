"""Whether a stretch of a text is a word or number of its own, as far as its script shows.

Scripts with spaces part their words; for those, and for scripts of which nothing is known here, the answer is yes. In Japanese, kanji
beside kanji and katakana beside katakana may belong to one longer word (京都 in 東京都), unless an honorific or the like follows, and
hiragana of a few letters to whatever stands beside it, unless that is a particle or another script.
"""

from __future__ import annotations

import re
import unicodedata

Span = tuple[int, int]
# What may follow a name or place within a run of kanji; signs that also end surnames (村, 川, 田, 原) are left out.
_SUFFIXES = tuple("様 氏 殿 先生 君 夫妻 市 区 町 県 府 州 駅 港 在住 出身 生まれ 産 製 社".split())
_PARTICLES = tuple("は が の を に と で も や へ ら だ か さん さま くん ちゃん など まで より".split())


def stands_alone(text: str, span: Span, expected: str) -> bool:
    """Return whether text[start:end] is a word of its own as far as its script shows; always so in scripts with spaces."""
    start, end = span
    held = unicodedata.normalize("NFKC", text[start:end])
    if held and all("ぁ" <= c <= "ゖ" or c == "ー" for c in held):
        return _stands_in_hiragana(text, span, native=held in unicodedata.normalize("NFKC", expected))
    left = start > 0 and _joined(text[start - 1], text[start])
    right = end < len(text) and _joined(text[end - 1], text[end]) and not text.startswith(_SUFFIXES, end)
    return not (left or right)


def _joined(left: str, right: str) -> bool:
    script = _script(left)
    return script in ("kanji", "katakana") and script == _script(right)


def _script(c: str) -> str:
    c = unicodedata.normalize("NFKC", c)[-1]
    if "\u3400" <= c <= "\u9fff" or "\uf900" <= c <= "\ufaff" or c == "々":
        return "kanji"
    return "katakana" if "ァ" <= c <= "ヺ" or c == "ー" else "hiragana" if "ぁ" <= c <= "ゟ" else ""


def _stands_in_hiragana(text: str, span: Span, *, native: bool) -> bool:
    """Return whether hiragana is long enough to be told from its neighbours, or has particles or other scripts beside it."""
    start, end = span
    if end - start >= (3 if native else 4):
        return True
    left = start == 0 or _script(text[start - 1]) != "hiragana" or text[start - 1] in _PARTICLES
    right = end == len(text) or _script(text[end]) != "hiragana" or text.startswith(_PARTICLES, end)
    return left and right


def in_longer_number(text: str, span: Span) -> bool:
    """Return whether digits at either end of text[start:end] go on beyond it."""
    start, end = span
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    longer_left = text[start].isdigit() and re.search(r"\d[.,]?$", before)
    return bool(longer_left or (text[end - 1].isdigit() and re.match(r"[.,]?\d", after)))


def with_long_mark(text: str, span: Span) -> Span:
    """Return the span with the long mark that spelling left out."""
    start, end = span
    while end < len(text) and text[end] in "ーｰ":
        end += 1
    return start, end
