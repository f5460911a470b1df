"""The parts of a plan as frozen data: each default is written here, once, and `Plan` holds them all.

A part knows how it is described in the ledger; `plan` makes them from a TOML file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from vestige.records import digest, plain
from vestige.writer import Writer

SCHEMA = 1
STREAMS = ("learn", "unlearn", "attack")
DEFAULT_ATTACKED = ("subject", "never_exposed", "never_exposed_2", "positive", "sham")
ROLES = ("original", *DEFAULT_ATTACKED)


@dataclass(frozen=True, slots=True)
class Choice:
    """A table entry chosen by name, with its resolved fields: the object itself is `made`."""

    name: str
    made: Any

    def described(self) -> dict[str, Any]:
        """Return the name and every field, for the ledger."""
        return {"name": self.name, **plain(self.made)}


@dataclass(frozen=True)
class Models:
    """Which weights: `name` is where everything starts; the others belong to an audit of somebody's checkpoint."""

    name: str = "smollm2-135m-instruct"
    device: str = "cpu"
    unlearned: str | None = None
    original: str | None = None
    twin: str | None = None


@dataclass(frozen=True)
class Stop:
    """When to stop early: the score of `group` on selection probes is at most `below`, looked at every `every` steps."""

    below: float
    every: int = 2
    group: Literal["forget", "decoy", "retain", "utility"] = "forget"


@dataclass(frozen=True)
class Step:
    """An action of the plan with its stop rule, if any."""

    action: Choice
    stop: Stop | None = None

    def described(self) -> dict[str, Any]:
        """Return the action and its stop rule, for the ledger."""
        return {**self.action.described(), "stop": plain(self.stop)}


@dataclass(frozen=True)
class Attack:
    """An attack and the steps at which the probes are asked along it."""

    action: Choice
    probe_at: tuple[int, ...]

    def described(self) -> dict[str, Any]:
        """Return the attack and its probe steps, for the ledger."""
        return {**self.action.described(), "probe_at": list(self.probe_at)}


@dataclass(frozen=True)
class Text:
    """A recipe for a relearn set, with the budget of each of its folds and its seed; 0 examples or tokens: no bound."""

    action: Choice
    examples: int = 0
    tokens: int = 0
    seed: int = 0

    def described(self) -> dict[str, Any]:
        """Return the recipe, its budget and its seed, for the ledger."""
        return {**self.action.described(), "examples": self.examples, "tokens": self.tokens, "seed": self.seed}


@dataclass(frozen=True)
class Ask:
    """How probes are asked.

    `greedy`: at every probe step of an attack, or only at rest and at its end. `others` (retain, utility, decoys and other wordings):
    at rest and at the end of an attack, or at rest only.
    """

    max_new: int = 8
    greedy: Literal["every", "ends"] = "ends"
    others: Literal["ends", "rest"] = "ends"
    precision: Literal["auto", "float32", "bfloat16"] = "float32"


@dataclass(frozen=True)
class Rule:
    """The numbers of verdict rule v1."""

    delta: float = 0.10
    alpha: float = 0.025
    utility_ratio: float = 0.8
    utility_min: float | None = None
    known_min: float = 0.3


@dataclass(frozen=True)
class Seeds:
    """Seeds, and which of the three random streams follow them (the others stay at 0)."""

    values: tuple[int, ...] = (0,)
    vary: tuple[str, ...] = STREAMS


@dataclass(frozen=True)
class Run:
    """How the run is carried out: nothing here changes a number. `workers` processes of one thread each."""

    workers: int = 2
    keep_states: bool = False


@dataclass(frozen=True)
class Leaks:
    """What the leak check does beyond reading: `v_information` asks a never-exposed model how much each row tells of an answer."""

    v_information: bool = False


@dataclass(frozen=True)
class Traces:
    """What is measured inside the unlearned model before it is attacked, and in arms at rest; `roles` are those arms (none: all)."""

    names: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A resolved plan."""

    name: str
    models: Models
    case: Choice
    learn: Step | None
    unlearn: Step | None
    liar: Step | None
    teach: Step | None
    broken: Step | None
    relearn_sets: tuple[Text, ...]
    attacks: tuple[Attack, ...]
    attacked: tuple[str, ...]
    ask: Ask = field(default_factory=Ask)
    rule: Rule = field(default_factory=Rule)
    seeds: Seeds = field(default_factory=Seeds)
    run: Run = field(default_factory=Run)
    writer: Writer | None = None
    leaks: Leaks = field(default_factory=Leaks)
    traces: Traces = field(default_factory=Traces)
    sham: bool = True

    def described(self) -> dict[str, Any]:
        """Return everything that decides a number, with all defaults resolved."""
        steps = {name: getattr(self, name) for name in ("learn", "unlearn", "liar", "teach", "broken")}
        return {
            "vestige": SCHEMA,
            "name": self.name,
            "model": plain(self.models),
            "case": self.case.described(),
            **{name: step.described() for name, step in steps.items() if step},
            "relearn_sets": [s.described() for s in self.relearn_sets],
            "attacks": [a.described() for a in self.attacks],
            "attacked": list(self.attacked),
            "ask": plain(self.ask),
            "rule": plain(self.rule),
            "seeds": plain(self.seeds),
            **({"writer": self.writer.described()} if self.writer else {}),
            # Written out only where asked for: a plan without them keeps the digest it had before they existed.
            **{name: plain(part) for name, part in (("leaks", self.leaks), ("traces", self.traces)) if part != type(part)()},
            **({} if self.sham else {"sham": False}),
        }

    def digest(self) -> str:
        """Return the identity of the plan."""
        return digest(self.described())

    @property
    def audits_a_checkpoint(self) -> bool:
        """Whether the unlearned model comes from outside."""
        return self.models.unlearned is not None
