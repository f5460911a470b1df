"""A parsed TOML table to a dataclass: every key is known, of the right type and in its range, or refused with the nearest name.

The type hints of the dataclass say all there is to check.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal

from vestige.errors import PlanError, nearest
from vestige.plan_parts import Choice


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
        values[key] = _in_range(key, fit(value, hints[key], f"{where}.{key}"), f"{where}.{key}")
    required = [f.name for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING]
    for key in required:
        if key not in values:
            raise PlanError(f"key '{where}.{key}' is missing; {kind.__name__} needs it")
    return kind(**values)


def fit(value: Any, hint: Any, where: str) -> Any:
    """Return `value` if it is of the type `hint` says, turning TOML arrays into tuples and integers into floats."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value not in args:
            raise PlanError(f"key '{where}': seen {value!r}; {nearest(str(value), map(str, args))}")
        return value
    if origin in (typing.Union, types.UnionType):
        return fit(value, next(a for a in args if a is not type(None)), where)
    if origin is tuple:
        if not isinstance(value, list):
            raise PlanError(f"key '{where}': expected an array, seen {value!r}")
        return tuple(fit(v, args[0], f"{where}[{i}]") for i, v in enumerate(value))
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
        frozenset(
            """lr steps epochs batch_size batch_tokens every max_new workers scale beta bound forget learn_steps alternates steering
            strength trials looks""".split()
        ),
        lambda x: x > 0,
        "a number above 0",
    ),
    (
        frozenset("warmup adapter_rank block retain_weight layer group_size max_steps kl_weight power gamma margin".split()),
        lambda x: x >= 0,
        "0 or a number above it",
    ),
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


def choice(table: Mapping[str, type], key: str, fields: Any, where: str) -> Choice:
    """Choose a table entry by the name under `key`; the other keys are its fields."""
    if not isinstance(fields, Mapping) or key not in fields:
        raise PlanError(f"[{where}]: expected a table with the key {key!r}, one of: {', '.join(sorted(table))}")
    rest = dict(fields)
    name = rest.pop(key)
    if not isinstance(name, str) or name not in table:
        raise PlanError(f"key '{where}.{key}': no {name!r}; {nearest(str(name), table)}")
    return Choice(name, build(table[name], rest, where))
