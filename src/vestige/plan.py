"""A TOML file to a resolved plan: every key is read or refused, every default is written out.

A plan says which model, which case, how it is learned and unlearned, which relearn sets and attacks are tried, by
which rule it is judged, and with which seeds. `vestige init` writes one with comments. Nothing here loads a model.
The parts themselves are in `plan_parts`, the checking of a single table in `plan_reading`.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige.cases.source_files import located
from vestige.errors import PlanError, nearest
from vestige.plan_parts import (
    DEFAULT_ATTACKED,
    ROLES,
    SCHEMA,
    STREAMS,
    Ask,
    Attack,
    Choice,
    Leaks,
    Models,
    Plan,
    Rule,
    Run,
    Seeds,
    Step,
    Stop,
    Text,
    Traces,
)
from vestige.plan_reading import build, choice, fit
from vestige.writer import Writer

# Fields of cases and recipes that name a folder, a file or a hub data set.
_PATHS = ("path", "about", "tofu", "mmlu", "wikitext")


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
    case = choice(known.cases, "name", doc.pop("case", {}), "case")
    case = Choice(case.name, _located(case.made, folder))
    learn = _learn(known, doc.pop("learn", None), "learn")
    teach = _learn(known, doc.pop("teach", None), "teach")
    steps = {key: _step(known.methods, doc.pop(key, None), key) for key in ("unlearn", "liar", "broken")}
    sets = tuple(_text(known, table, f"relearn_sets[{i}]", folder) for i, table in enumerate(_tables_of(doc, "relearn_sets")))
    attacks = tuple(_attack(known, table, f"attacks[{i}]") for i, table in enumerate(_tables_of(doc, "attacks")))
    attacked = _attacked(doc.pop("attacked", list(DEFAULT_ATTACKED)))
    sham = fit(doc.pop("sham", True), bool, "sham")
    if not sham and "attacked" in document and "sham" in attacked:
        raise PlanError("key 'attacked': 'sham' is to be attacked, but sham = false; remove one of the two")
    parts = {key: build(kind, doc.pop(key, {}), key) for key, kind in _PARTS.items()}
    parts["writer"] = build(Writer, doc.pop("writer"), "writer") if "writer" in doc else None
    _known_traces(parts["traces"], known.traces)
    if "tune" in doc:
        raise PlanError("[tune]: this plan is for `vestige tune`; what `vestige run` takes are the plans of its folder tuned/")
    if doc:
        key = next(iter(doc))
        raise PlanError(f"unknown key {key!r}: {nearest(key, _TOP)}")
    plan = Plan(
        name, models, case, learn, steps["unlearn"], steps["liar"], teach, steps["broken"], sets, attacks, attacked, sham=sham, **parts
    )
    _check(plan)
    _check_writer(plan)
    return plan


# A run's folder is named after it: no separators, nothing that hides or climbs.
_NAME = re.compile(r"\w[\w .-]*")
_PARTS: dict[str, type] = {"ask": Ask, "rule": Rule, "seeds": Seeds, "run": Run, "leaks": Leaks, "traces": Traces}
_TOP = """vestige name model case learn teach unlearn liar broken relearn_sets writer attacks attacked sham leaks traces ask rule seeds
run""".split()


def _step(table: Mapping[str, type], fields: Any, where: str) -> Step | None:
    if fields is None:
        return None
    rest = dict(fields) if isinstance(fields, Mapping) else fields
    stop = rest.pop("stop", None) if isinstance(rest, dict) else None
    return Step(choice(table, "method", rest, where), build(Stop, stop, f"{where}.stop") if stop is not None else None)


def _learn(known: Tables, fields: Any, where: str) -> Step | None:
    return None if fields is None else Step(Choice("learn", build(known.learn, fields, where)))


def _attack(known: Tables, fields: Any, where: str) -> Attack:
    rest = dict(fields) if isinstance(fields, Mapping) else fields
    seen = rest.pop("probe_at", []) if isinstance(rest, dict) else []
    probe_at = fit(seen, tuple[int, ...], f"{where}.probe_at")
    action = choice(known.attacks, "method", rest, where)
    steps = action.made.steps
    probe_at = probe_at or tuple(sorted({max(1, steps // 4), max(1, steps // 2), steps}))
    if list(probe_at) != sorted(set(probe_at)) or probe_at[0] < 1 or probe_at[-1] != steps:
        raise PlanError(f"key '{where}.probe_at': expected rising steps from 1, the last of them {steps}; seen {list(probe_at)}")
    return Attack(action, probe_at)


def _text(known: Tables, fields: Any, where: str, folder: Path) -> Text:
    rest = dict(fields) if isinstance(fields, Mapping) else fields
    shared = {key: rest.pop(key) for key in ("examples", "tokens", "seed") if key in rest} if isinstance(rest, dict) else {}
    for key, value in shared.items():
        if fit(value, int, f"{where}.{key}") < 0:
            raise PlanError(f"key '{where}.{key}': expected 0 (no bound) or more, seen {value}")
    chosen = choice(known.relearn_sets, "recipe", rest, where)
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
    roles: tuple[str, ...] = fit(value, tuple[str, ...], "attacked")
    for role in roles:
        if role not in ROLES:
            raise PlanError(f"key 'attacked': no role {role!r}; {nearest(role, ROLES)}")
    if len(set(roles)) != len(roles):
        raise PlanError(f"key 'attacked': expected each role once, seen {list(roles)}")
    return roles


def _known_traces(traces: Traces, table: Mapping[str, type]) -> None:
    for key, given, known in (("names", traces.names, table), ("roles", traces.roles, ROLES)):
        for name in given:
            if name not in known:
                raise PlanError(f"key 'traces.{key}': no {name!r}; {nearest(name, known)}")
        if len(set(given)) != len(given):
            raise PlanError(f"key 'traces.{key}': expected each name once, seen {list(given)}")


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
    _check_sham(plan)
    for stream in plan.seeds.vary:
        if stream not in STREAMS:
            raise PlanError(f"key 'seeds.vary': no stream {stream!r}; {nearest(stream, STREAMS)}")
    if len(plan.seeds.values) > 1 and not plan.seeds.vary:
        raise PlanError(f"key 'seeds.vary': empty, so the seeds {list(plan.seeds.values)} would all give one and the same run")
    if not plan.seeds.values or len(set(plan.seeds.values)) != len(plan.seeds.values):
        raise PlanError(f"key 'seeds.values': expected distinct seeds, seen {list(plan.seeds.values)}")


def _check_sham(plan: Plan) -> None:
    if plan.sham:
        return
    if not plan.learn:
        raise PlanError("key 'sham': this plan makes no sham, which is a never-exposed model put through [unlearn]; remove the key")
    if "sham" in plan.traces.roles:
        raise PlanError("key 'traces.roles': 'sham' is to be looked into, but sham = false; remove one of the two")


__all__ = ["SCHEMA", "Plan", "Tables", "load", "resolve", "tables"]
__all__ += ["Ask", "Attack", "Choice", "Leaks", "Models", "Rule", "Run", "Seeds", "Step", "Stop", "Text", "Traces"]
