"""What must not be read in a report unless it is revealed.

Everything a model said is masked word by word, since nobody can know what else it gave away. Texts we
wrote (questions, the plan) lose only the named secrets; where one still shows in disguise, all of it goes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from vestige.desk.report.texts import ReportTexts
from vestige.text import fold, keyword_hit, masked

SHORTEST = 3


@dataclass(frozen=True, slots=True)
class Mask:
    """The two ways a text is shown: `said` by a model, or `ours` around it."""

    said: Callable[[str], str]
    ours: Callable[[str], str]


def mask_of(evidence: ReportTexts, *, reveal: bool) -> Mask:
    """Return how this report shows texts: as they are when revealed, else masked."""
    if reveal:
        return Mask(str, str)
    secrets = secrets_of(evidence)
    return Mask(blank, lambda text: without(text, secrets))


def blank(text: str) -> str:
    """Return a text masked, every word equally long: among a few known values the length alone tells."""
    return re.sub("•+", "•••", masked(text))


def secrets_of(evidence: ReportTexts) -> tuple[str, ...]:
    """Return every secret, longest first: what was handed in, and each expected answer."""
    found = {s.strip() for s in (*evidence.mask, *(e.expected for e in evidence.examples))}
    return tuple(sorted(found - {""}, key=lambda s: (-len(s), s)))


def without(text: str, secrets: tuple[str, ...]) -> str:
    """Return a text with the secrets masked in it; one too short or disguised costs the whole text."""
    kept = unicodedata.normalize("NFKC", text)
    for secret in secrets:
        if len(secret) >= SHORTEST:
            plain = re.escape(unicodedata.normalize("NFKC", secret))
            kept = re.sub(plain, lambda hit: blank(hit.group()), kept, flags=re.IGNORECASE)
    return blank(text) if _shows(kept, secrets) else kept


def _shows(text: str, secrets: tuple[str, ...]) -> bool:
    """Say whether a secret is left: as a word, or anywhere once accents and punctuation are gone."""
    flat = fold(text).replace(" ", "")
    long = (fold(s).replace(" ", "") for s in secrets if len(s) > SHORTEST)
    return keyword_hit(text, secrets) or any(s in flat for s in long if s)
