"""What a report shows beside the verdict: texts, plan, cost and digests, handed in by who read the ledger.

The verdict is a pure function of the records; everything here is either hostile (what a model said) or
varies from machine to machine (seconds, versions), so it travels apart and never enters verdict.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vestige.records import Missing

Said = str | Missing | None


@dataclass(frozen=True)
class Example:
    """One probe and what three states answered to it.

    `before` is the original model's answer, `unlearned` the subject's at rest, `after` the subject's after
    the attack that `ReportTexts.after` names; None: that state was never asked. `hits` says of each of the
    three whether the expected answer is in it (True, False, or absent where nobody could tell).
    """

    probe: str
    group: str
    prompt: str
    expected: str
    before: Said
    unlearned: Said
    after: Said
    hits: Mapping[str, bool | None] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportTexts:
    """The evidence a page prints beside the verdict; every part may be empty.

    `costs`: {"role", "set", "seconds", "steps", "tokens_trained"} each. `head`: facts about the run (created,
    version, ledger lines). `digests`: name → hexadecimal. `mask`: what must not be readable unless revealed,
    beyond the examples' expected answers (aliases, names). `after`: which attack `Example.after` follows.
    """

    examples: tuple[Example, ...] = ()
    plan: Mapping[str, Any] = field(default_factory=dict)
    costs: tuple[Mapping[str, Any], ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    head: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    mask: tuple[str, ...] = ()
    after: str = ""
