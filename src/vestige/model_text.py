"""Text that a model writes for a relearn set. It is hostile until shown otherwise: cleaned here, leak-checked by the recipe."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vestige.errors import DataError
from vestige.recipe_request import Request
from vestige.records import Missing
from vestige.text import terminal_safe

# A token of any tokenizer in use is far shorter than this; an endpoint that ignores its limit is cut here.
_CHARACTERS_PER_TOKEN = 16


@dataclass(frozen=True)
class Written:
    """One text (or the reason there is none) per prompt."""

    texts: tuple[str | Missing, ...]

    def lacks(self, kept: int) -> str:
        """Return a sentence on what became of the texts, for an error."""
        reasons = Counter(t.reason for t in self.texts if isinstance(t, Missing))
        why = "".join(f"; {n} missing: {reason}" for reason, n in reasons.most_common(3))
        return f"of {len(self.texts)} texts asked for, {kept} can be used{why}"


def write(prompts: Sequence[str], request: Request, recipe: str, *, max_new: int, temperature: float) -> Written:
    """Let the request's model answer the prompts, and clean what it says.

    Raises:
        DataError: the request brings no model.
    """
    if request.ask is None:
        raise DataError(
            f"{recipe}: needs a model that may write, and none was given; name one in the plan, or use a recipe that needs none"
        )
    said = request.ask.generate(prompts, max_new=max_new, temperature=temperature, seed=request.seed)
    return Written(tuple(t if isinstance(t, Missing) else cleaned(t, max_new) for t in said))


def cleaned(text: str, max_new: int) -> str | Missing:
    """Return text without control sequences, invisible characters and outer white space, cut to what `max_new` tokens can hold."""
    visible = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Co", "Cn"))
    kept = terminal_safe(visible)[: max_new * _CHARACTERS_PER_TOKEN].strip()
    return kept or Missing("nothing was left after cleaning")
