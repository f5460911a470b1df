"""A TOML file to a resolved plan: every key is read or refused, every default is written out.

A plan says which model, which case, how it is learned and unlearned, which relearn sets and attacks are tried, by
which rule it is judged, and with which seeds. `vestige init` writes one with comments. Nothing here loads a model.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vestige.cases.source_files import located
from vestige.errors import PlanError, nearest
from vestige.records import digest, plain
from vestige.writer import Writer

SCHEMA = 1
# Fields of cases and recipes that name a folder, a file or a hub data set.
_PATHS = ("path", "about", "tofu", "mmlu", "wikitext")
STREAMS = ("learn", "unlearn", "attack")


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
    """When to stop early: the score of `group` on `split` probes is at most `below`, looked at every `every` steps."""

    below: float
    every: int = 2
    group: Literal["forget", "decoy", "retain", "utility"] = "forget"
    split: Literal["selection", "test"] = "selection"


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
    """What is measured inside the unlearned model before it is attacked, by name."""

    names: tuple[str, ...] = ()


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
        }

    def digest(self) -> str:
        """Return the identity of the plan."""
        return digest(self.described())

    @property
    def audits_a_checkpoint(self) -> bool:
        """Whether the unlearned model comes from outside."""
        return self.models.unlearned is not None


DEFAULT_ATTACKED = ("subject", "never_exposed", "never_exposed_2", "positive", "sham")
ROLES = ("original", *DEFAULT_ATTACKED)


@dataclass(frozen=True)
class Tables:
    """The tables a plan chooses from, name to dataclass."""

    cases: Mapping[str, type]
    relearn_sets: Mapping[str, type]
    methods: Mapping[str, type]
    attacks: Mapping[str, type]
    traces: Mapping[str, type]
    learn: type


def tables() -> Tables:
    """Return the tables of the house (this imports the lab, and torch with it)."""
    from vestige import cases, relearn_sets
    from vestige.lab import attacks, traces, unlearn
    from vestige.lab.learn import Learn

    return Tables(cases.TABLE, relearn_sets.TABLE, unlearn.TABLE, attacks.TABLE, traces.TABLE, Learn)


def load(path: Path) -> Plan:
    """Read and resolve a plan file.

    Raises:
        PlanError: not TOML, an unknown or unread key, a value of the wrong type, a missing part.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PlanError(f"{path}: no such plan; `vestige init` writes one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: not readable as UTF-8 text ({error})") from error
    try:
        return resolve(tomllib.loads(text), folder=path.parent)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{path}: not TOML: {error}") from error
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error


def resolve(document: Mapping[str, Any], *, folder: Path = Path(".")) -> Plan:
    """Turn a parsed TOML document into a plan; relative folders are taken from `folder`."""
    doc = dict(document)
    known = tables()
    version, name = doc.pop("vestige", None), doc.pop("name", None)
    if type(version) is not int or version != SCHEMA:
        raise PlanError(f"key 'vestige': expected {SCHEMA}, the version of the plan schema, seen {version!r}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PlanError(f"key 'name': expected a name for the run: letters, digits, and - _ . or spaces after the first; seen {name!r}")
    models = _models(doc.pop("model", {}))
    case = _choice(known.cases, "name", doc.pop("case", {}), "case")
    case = Choice(case.name, _located(case.made, folder))
    learn = _learn(known, doc.pop("learn", None), "learn")
    teach = _learn(known, doc.pop("teach", None), "teach")
    steps = {key: _step(known.methods, doc.pop(key, None), key) for key in ("unlearn", "liar", "broken")}
    sets = tuple(_text(known, table, f"relearn_sets[{i}]", folder) for i, table in enumerate(_tables_of(doc, "relearn_sets")))
    attacks = tuple(_attack(known, table, f"attacks[{i}]") for i, table in enumerate(_tables_of(doc, "attacks")))
    attacked = _attacked(doc.pop("attacked", list(DEFAULT_ATTACKED)))
    parts = {key: build(kind, doc.pop(key, {}), key) for key, kind in _PARTS.items()}
    parts["writer"] = build(Writer, doc.pop("writer"), "writer") if "writer" in doc else None
    _known_traces(parts["traces"].names, known.traces)
    if doc:
        key = next(iter(doc))
        raise PlanError(f"unknown key {key!r}: {nearest(key, _TOP)}")
    plan = Plan(name, models, case, learn, steps["unlearn"], steps["liar"], teach, steps["broken"], sets, attacks, attacked, **parts)
    _check(plan)
    _check_writer(plan)
    return plan


# A run's folder is named after it: no separators, nothing that hides or climbs.
_NAME = re.compile(r"\w[\w .-]*")
_PARTS: dict[str, type] = {"ask": Ask, "rule": Rule, "seeds": Seeds, "run": Run, "leaks": Leaks, "traces": Traces}
_TOP = """vestige name model case learn teach unlearn liar broken relearn_sets writer attacks attacked leaks traces ask rule seeds
run""".split()


def build(kind: type, table: Any, where: str) -> Any:
    """Make a dataclass from a TOML table, refusing unknown keys, wrong types and missing fields."""
    if not isinstance(table, Mapping):
        raise PlanError(f"[{where}]: expected a table, seen {table!r}")
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]
    values = {}
    for key, value in table.items():
        if key not in names:
            raise PlanError(f"unknown key '{where}.{key}': {nearest(key, names)}")
        values[key] = _in_range(key, _fit(value, hints[key], f"{where}.{key}"), f"{where}.{key}")
    required = [f.name for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING]
    for key in required:
        if key not in values:
            raise PlanError(f"key '{where}.{key}' is missing; {kind.__name__} needs it")
    return kind(**values)


def _fit(value: Any, hint: Any, where: str) -> Any:
    """Return `value` if it is of the type `hint` says, turning TOML arrays into tuples and integers into floats."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value not in args:
            raise PlanError(f"key '{where}': seen {value!r}; {nearest(str(value), map(str, args))}")
        return value
    if origin in (typing.Union, types.UnionType):
        return _fit(value, next(a for a in args if a is not type(None)), where)
    if origin is tuple:
        if not isinstance(value, list):
            raise PlanError(f"key '{where}': expected an array, seen {value!r}")
        return tuple(_fit(v, args[0], f"{where}[{i}]") for i, v in enumerate(value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise PlanError(f"key '{where}': expected {hint.__name__}, seen {value!r}")
    if isinstance(value, float) and not -1e308 < value < 1e308:
        raise PlanError(f"key '{where}': expected a finite number, seen {value!r}")
    return value


# What a number may be, by the name of its key: a name has one meaning in every table.
_RANGES: tuple[tuple[frozenset[str], Callable[[float], bool], str], ...] = (
    (
        frozenset("lr steps epochs batch_size batch_tokens every max_new workers scale beta bound forget".split()),
        lambda x: x > 0,
        "a number above 0",
    ),
    (frozenset("warmup adapter_rank block retain_weight".split()), lambda x: x >= 0, "0 or a number above it"),
    (frozenset({"delta"}), lambda x: 0 < x < 1, "a share between 0 and 1"),
    (frozenset({"utility_ratio", "known_min"}), lambda x: 0 < x <= 1, "a share above 0, at most 1"),
    # Every printed interval is one of 95 % or more: a looser one would make a PASS say less than it seems to.
    (frozenset({"alpha"}), lambda x: 0 < x <= 0.025, "a one-sided level above 0, at most 0.025"),
)


def _in_range(key: str, value: Any, where: str) -> Any:
    """Return `value` unless it is a number that can mean nothing under this name."""
    for names, fits, says in _RANGES:
        if key in names and value is not None and not fits(value):
            raise PlanError(f"key '{where}': expected {says}, seen {value!r}")
    return value


def _choice(table: Mapping[str, type], key: str, fields: Any, where: str) -> Choice:
    """Choose a table entry by the name under `key`; the other keys are its fields."""
    if not isinstance(fields, Mapping) or key not in fields:
        raise PlanError(f"[{where}]: expected a table with the key {key!r}, one of: {', '.join(sorted(table))}")
    rest = dict(fields)
    name = rest.pop(key)
    if not isinstance(name, str) or name not in table:
        raise PlanError(f"key '{where}.{key}': no {name!r}; {nearest(str(name), table)}")
    return Choice(name, build(table[name], rest, where))


def _step(table: Mapping[str, type], fields: Any, where: str) -> Step | None:
    if fields is None:
        return None
    rest = dict(fields) if isinstance(fields, Mapping) else fields
    stop = rest.pop("stop", None) if isinstance(rest, dict) else None
    return Step(_choice(table, "method", rest, where), build(Stop, stop, f"{where}.stop") if stop is not None else None)


def _learn(known: Tables, fields: Any, where: str) -> Step | None:
    return None if fields is None else Step(Choice("learn", build(known.learn, fields, where)))


def _attack(known: Tables, fields: Any, where: str) -> Attack:
    rest = dict(fields) if isinstance(fields, Mapping) else fields
    seen = rest.pop("probe_at", []) if isinstance(rest, dict) else []
    probe_at = _fit(seen, tuple[int, ...], f"{where}.probe_at")
    action = _choice(known.attacks, "method", rest, where)
    steps = action.made.steps
    probe_at = probe_at or tuple(sorted({max(1, steps // 4), max(1, steps // 2), steps}))
    if list(probe_at) != sorted(set(probe_at)) or probe_at[0] < 1 or probe_at[-1] != steps:
        raise PlanError(f"key '{where}.probe_at': expected rising steps from 1, the last of them {steps}; seen {list(probe_at)}")
    return Attack(action, probe_at)


def _text(known: Tables, fields: Any, where: str, folder: Path) -> Text:
    rest = dict(fields) if isinstance(fields, Mapping) else fields
    shared = {key: rest.pop(key) for key in ("examples", "tokens", "seed") if key in rest} if isinstance(rest, dict) else {}
    for key, value in shared.items():
        if _fit(value, int, f"{where}.{key}") < 0:
            raise PlanError(f"key '{where}.{key}': expected 0 (no bound) or more, seen {value}")
    chosen = _choice(known.relearn_sets, "recipe", rest, where)
    return Text(Choice(chosen.name, _located(chosen.made, folder)), **shared)


def _located(made: Any, folder: Path) -> Any:
    """Return a case or recipe whose paths are absolute or hub ids; a relative one starts from the plan's folder."""
    given = {name: getattr(made, name, "") for name in _PATHS}
    return dataclasses.replace(made, **{name: located(os.path.expanduser(value), folder) for name, value in given.items() if value})


def _tables_of(doc: dict[str, Any], key: str) -> list[Any]:
    value = doc.pop(key, [])
    if not isinstance(value, list) or not value:
        raise PlanError(f"[[{key}]]: expected at least one, seen {value!r}")
    return value


def _attacked(value: Any) -> tuple[str, ...]:
    roles: tuple[str, ...] = _fit(value, tuple[str, ...], "attacked")
    for role in roles:
        if role not in ROLES:
            raise PlanError(f"key 'attacked': no role {role!r}; {nearest(role, ROLES)}")
    if len(set(roles)) != len(roles):
        raise PlanError(f"key 'attacked': expected each role once, seen {list(roles)}")
    return roles


def _known_traces(names: tuple[str, ...], table: Mapping[str, type]) -> None:
    for name in names:
        if name not in table:
            raise PlanError(f"key 'traces.names': no {name!r}; {nearest(name, table)}")
    if len(set(names)) != len(names):
        raise PlanError(f"key 'traces.names': expected each name once, seen {list(names)}")


def _check_writer(plan: Plan) -> None:
    """Refuse a recipe that lets a model write in a plan that names none, and a writer that nobody asks."""
    needing = [i for i, text in enumerate(plan.relearn_sets) if "ask" in getattr(text.action.made, "helpers", ())]
    if plan.writer is None and needing:
        name = plan.relearn_sets[needing[0]].action.name
        raise PlanError(
            f"[writer]: missing; relearn_sets[{needing[0]}] ({name}) is written by a model: give url and model of an OpenAI-compatible "
            "endpoint, or local, a model on this machine"
        )
    if plan.writer is not None:
        if not needing:
            raise PlanError("[writer]: no relearn set of this plan is written by a model; remove the table")
        plan.writer.check()


def _models(table: Any) -> Models:
    """Return [model]; a key that nothing would read is refused."""
    models: Models = build(Models, table, "model")
    if models.unlearned is None:
        for key in ("original", "twin"):
            if getattr(models, key) is not None:
                raise PlanError(f"key 'model.{key}': only an audit of a checkpoint reads it; give 'model.unlearned' too, or remove it")
    elif "name" in table:
        raise PlanError("key 'model.name': an audit of a checkpoint (model.unlearned) does not read it; remove it")
    return models


def _check(plan: Plan) -> None:
    """Refuse plans whose parts do not fit together."""
    if plan.audits_a_checkpoint:
        for part in ("learn", "unlearn", "broken"):
            if getattr(plan, part):
                raise PlanError(f"[{part}]: an audit of a checkpoint (model.unlearned) does not use it; remove the table")
        if plan.models.original is None and plan.liar and plan.teach is None:
            raise PlanError("[teach]: without model.original the liar is taught from decoys; add [teach]")
    elif plan.unlearn is None:
        raise PlanError("[unlearn]: missing; a plan unlearns, or audits a checkpoint given as model.unlearned")
    if plan.teach and (not plan.audits_a_checkpoint or plan.models.original is not None or plan.liar is None):
        raise PlanError("[teach]: only the liar of an audit without model.original is taught; remove the table")
    for stream in plan.seeds.vary:
        if stream not in STREAMS:
            raise PlanError(f"key 'seeds.vary': no stream {stream!r}; {nearest(stream, STREAMS)}")
    if len(plan.seeds.values) > 1 and not plan.seeds.vary:
        raise PlanError(f"key 'seeds.vary': empty, so the seeds {list(plan.seeds.values)} would all give one and the same run")
    if not plan.seeds.values or len(set(plan.seeds.values)) != len(plan.seeds.values):
        raise PlanError(f"key 'seeds.values': expected distinct seeds, seen {list(plan.seeds.values)}")
