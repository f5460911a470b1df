"""A plan with a [tune] table: which methods are tried with which settings, all under one budget.

    [tune]
    methods = ["npo", "rmu"]        # default: every method that has a `space`
    trials = 8                      # settings tried of each method: the first is its defaults
    looks = 4                       # steps at which each trial is asked: as many settings on the frontier
    margin = 0.0                    # a choice has to lie so far below the floor: other seeds differ from this one
    seed = 0                        # draws the settings

    [tune.fields]                   # fields given to every method that has them
    batch_size = 32

    [tune.spaces.npo]               # instead of what stands beside the method: [lowest, highest], or one value
    beta = [0.05, 0.5]
    retain_weight = 1.0

The rest is the plan that a chosen setting is to be run by, without [unlearn]. Model, case, [learn] and the first seed make the
original and the never-exposed model that trials are held against; attacks, relearn sets and controls are not needed for that, and left
out here.
"""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige import plan as plans
from vestige.errors import PlanError, nearest
from vestige.plan_parts import Choice, Plan, Rule, Seeds
from vestige.plan_reading import build, fit
from vestige.records import plain

Ends = tuple[float, float]


@dataclass(frozen=True)
class Tune:
    """The budget of a tuning, the same for every method, and the seed that draws the settings."""

    methods: tuple[str, ...] = ()
    trials: int = 8
    looks: int = 4
    margin: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Trial:
    """One setting of a method, and the steps at which it is asked; the last is its number of steps."""

    method: str
    number: int
    action: Choice
    looks: tuple[int, ...]

    @property
    def role(self) -> str:
        """The name of its arm."""
        return f"{self.method} {self.number}"


@dataclass(frozen=True)
class TuningPlan(Plan):
    """A plan that is carried out like any other; its graph holds an arm for each trial, and no attack."""

    tune: Tune = dataclasses.field(default_factory=Tune)
    spaces: Mapping[str, Mapping[str, Ends]] = dataclasses.field(default_factory=dict)
    trials: tuple[Trial, ...] = ()

    def described(self) -> dict[str, Any]:
        """Return everything that decides a number: budget, spaces and every trial among it."""
        trials = [{"method": t.method, "trial": t.number, "action": t.action.described(), "looks": list(t.looks)} for t in self.trials]
        # Plans from before the margin have none in their digest, and a tuning of theirs is still to be resumed.
        tune = {key: value for key, value in plain(self.tune).items() if key != "margin" or value}
        return {**super().described(), "tune": {**tune, "spaces": plain(self.spaces), "tried": trials}}


@dataclass(frozen=True)
class Read:
    """What is in a plan file with [tune]: the document without that table, the plan it makes with the first method, and the tuning."""

    document: Mapping[str, Any]
    plan: Plan
    tuning: TuningPlan


def load(path: Path) -> Read:
    """Read a plan file with a [tune] table, and draw the trials.

    Raises:
        PlanError: as for any plan; no [tune], a method without a space, a range that is none, or an [unlearn] that nothing would read.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return read(document, folder=path.parent)
    except FileNotFoundError as error:
        raise PlanError(f"{path}: no such plan; `vestige init` writes one, `vestige tune --help` says what [tune] holds") from error
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: not readable as UTF-8 text ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{path}: not TOML: {error}") from error
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error


def read(document: Mapping[str, Any], *, folder: Path = Path(".")) -> Read:
    """Turn a parsed document into the plan and its tuning."""
    table = document.get("tune")
    if not isinstance(table, Mapping):
        raise PlanError(f"[tune]: expected a table, seen {table!r}; `vestige tune --help` says what it holds")
    if "unlearn" in document:
        raise PlanError("[unlearn]: method and fields are what [tune] searches; remove the table, or give its fields in [tune.fields]")
    if "unlearned" in (document.get("model") or {}):
        raise PlanError("[tune]: an audit of a checkpoint (model.unlearned) unlearns nothing that could be tuned; remove one of the two")
    parts = dict(table)
    given, own = (_table(parts.pop(key, {}), f"tune.{key}") for key in ("fields", "spaces"))
    known = plans.tables().methods
    tune: Tune = build(Tune, parts, "tune")
    tune = dataclasses.replace(tune, methods=_methods(tune.methods, known))
    if other := [name for name in own if name not in tune.methods]:
        raise PlanError(f"[tune.spaces.{other[0]}]: no such method is tried; {nearest(other[0], tune.methods)}")
    _nobody_reads(given, tune.methods, known)
    rest = {key: value for key, value in document.items() if key != "tune"}
    plan = plans.resolve({**rest, "unlearn": {"method": tune.methods[0]}}, folder=folder)
    if tune.margin > plan.rule.delta:
        raise PlanError(
            f"key 'tune.margin': seen {tune.margin:g}, expected at most rule.delta ({plan.rule.delta:g}): a choice would have to lie below "
            "the control, and to be driven there is a leak of its own"
        )
    spaces: dict[str, Mapping[str, Ends]] = {}
    trials: list[Trial] = []
    for name in tune.methods:
        space = _Space.of(name, known[name], given, _table(own.get(name, {}), f"tune.spaces.{name}"))
        spaces[name] = space.ends
        trials += space.trials(tune)
    return Read(rest, plan, _tuning(plan, tune, spaces, tuple(trials)))


def _tuning(plan: Plan, tune: Tune, spaces: Mapping[str, Mapping[str, Ends]], trials: tuple[Trial, ...]) -> TuningPlan:
    """Return the plan of the tuning: what the trials are held against, and nothing else of the plan."""
    return TuningPlan(
        f"{plan.name}-tune",
        plan.models,
        plan.case,
        plan.learn,
        unlearn=None,
        liar=None,
        teach=None,
        broken=None,
        relearn_sets=(),
        attacks=(),
        attacked=(),
        ask=plan.ask,
        rule=Rule(delta=plan.rule.delta),
        seeds=Seeds(plan.seeds.values[:1], plan.seeds.vary),
        run=plan.run,
        tune=tune,
        spaces=spaces,
        trials=trials,
    )


@dataclass(frozen=True)
class _Space:
    """What is searched of a method, and what is fixed."""

    method: str
    kind: type
    ends: Mapping[str, Ends]
    fixed: Mapping[str, Any]

    @classmethod
    def of(cls, method: str, kind: type, given: Mapping[str, Any], own: Mapping[str, Any]) -> _Space:
        """Put together the space beside the method, the fields given to all, and those of the plan, the later over the earlier."""
        names = [f.name for f in dataclasses.fields(kind)]
        for key in own:
            if key not in names:
                raise PlanError(f"unknown key 'tune.spaces.{method}.{key}': {nearest(key, names)}")
        ends: dict[str, Ends] = dict(getattr(kind, "space", {}))
        fixed: dict[str, Any] = {}
        for key, value in {**{k: v for k, v in given.items() if k in names}, **own}.items():
            ends.pop(key, None)
            fixed.pop(key, None)
            if isinstance(value, list):
                ends[key] = _ends(value, _number(kind, key), f"tune.spaces.{method}.{key}")
            else:
                fixed[key] = value
        if not ends:
            raise PlanError(f"[tune.spaces.{method}]: every field is fixed, so there is nothing to search; give one as [lowest, highest]")
        if "steps" in ends:
            raise PlanError(f"key 'tune.spaces.{method}.steps': its looks already try several numbers of steps; give the most, one number")
        return cls(method, kind, ends, fixed)

    def trials(self, tune: Tune) -> Iterator[Trial]:
        """Yield the trials of the method: plan values are checked as those of [unlearn] are."""
        from vestige.trials import draw  # brings in the optimiser library, which only a tuning needs

        defaults = {f.name: f.default for f in dataclasses.fields(self.kind)}
        first = {name: typing.cast(float, self._lowest(defaults[name], ends)) for name, ends in self.ends.items()}
        for number, setting in enumerate(draw(self.ends, first, count=tune.trials, seed=tune.seed)):
            made = build(self.kind, {**self.fixed, **setting}, f"tune.spaces.{self.method}")
            yield Trial(self.method, number, Choice(self.method, made), _looks(made.steps, tune.looks))

    @staticmethod
    def _lowest(default: Any, ends: Ends) -> Any:
        return ends[0] if default is None else default


def _looks(steps: int, looks: int) -> tuple[int, ...]:
    """Return evenly spaced steps, the last of them `steps`."""
    return tuple(sorted({max(1, round(steps * (n + 1) / looks)) for n in range(looks)}))


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PlanError(f"[{where}]: expected a table, seen {value!r}")
    return value


def _methods(named: tuple[str, ...], known: Mapping[str, type]) -> tuple[str, ...]:
    """Return the methods to be tried: those named, or all that have a space."""
    able = [name for name, kind in known.items() if hasattr(kind, "space")]
    for name in named:
        if name not in able:
            raise PlanError(f"key 'tune.methods': no {name!r} that could be tuned; {nearest(name, able)}")
    if len(set(named)) != len(named):
        raise PlanError(f"key 'tune.methods': expected each name once, seen {list(named)}")
    return named or tuple(able)


def _nobody_reads(given: Mapping[str, Any], methods: tuple[str, ...], known: Mapping[str, type]) -> None:
    names = {f.name for method in methods for f in dataclasses.fields(known[method])}
    for key in given:
        if key not in names:
            raise PlanError(f"unknown key 'tune.fields.{key}': no method that is tried has it; {nearest(key, sorted(names))}")


def _number(kind: type, field: str) -> type:
    """Return whether a field holds whole numbers or others."""
    hint = typing.get_type_hints(kind)[field]
    kinds = {hint, *typing.get_args(hint)} & {int, float}
    if not kinds:
        raise PlanError(f"key {field!r}: only numbers are searched; give one value")
    return int if kinds == {int} else float


def _ends(value: list[Any], number: type, where: str) -> Ends:
    ends: tuple[float, ...] = fit(value, tuple[int, ...] if number is int else tuple[float, ...], where)
    if len(ends) != 2 or ends[0] >= ends[1] or ends[0] < 0:
        raise PlanError(f"key '{where}': expected [lowest, highest] with 0 <= lowest < highest, seen {value}")
    return ends[0], ends[1]
