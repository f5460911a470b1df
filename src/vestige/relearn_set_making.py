"""One relearn set by itself: from a case or a plan, a recipe and its settings, to rows; without a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vestige import case_summary
from vestige.endpoints import Endpoint
from vestige.errors import ModelError, UsageError, nearest
from vestige.plan import Plan, Text
from vestige.plan_reading import build
from vestige.recipe_request import Request, characters_over_four, named, within_budget
from vestige.records import Case, RelearnSet, plain
from vestige.relearn_set_files import Held, as_written, read
from vestige.relearn_sets import TABLE
from vestige.similarity import Embed, unit

Count = Callable[[str], int]


@dataclass(frozen=True)
class Wanted:
    """A recipe by name, its fields as KEY=VALUE, and its budget and seed; None: as the plan says, or else no bound and seed 0."""

    recipe: str
    settings: tuple[str, ...] = ()
    examples: int | None = None
    tokens: int | None = None
    seed: int | None = None


def make(source: str, wanted: Wanted, count: Count | None = None) -> tuple[Case, RelearnSet]:
    """Return the case named by `source` (a name, a folder, or a plan ending in .toml) and the relearn set wanted of it.

    A plan also gives the fields, budget and seed of its own set by that recipe. Without `count` a token is four characters, as
    for a run that has no tokenizer at hand.

    Raises:
        UsageError: no such recipe, field or case, or several sets of the plan fit. DataError: the case lacks what the recipe needs.
    """
    if wanted.recipe not in TABLE:
        raise UsageError(f"no recipe {wanted.recipe!r}; {nearest(wanted.recipe, TABLE)}")
    given = dict(map(case_summary.setting, wanted.settings))
    case, text = _from_plan(Path(source), wanted.recipe, given) if source.endswith(".toml") else (case_summary.case_of(source), None)
    own = {key: value for key, value in plain(text.action.made).items() if value is not None} if text else {}
    recipe = build(TABLE[wanted.recipe], {**own, **given}, wanted.recipe)
    request = _request(wanted, text, count or characters_over_four)
    return case, within_budget(recipe(case, request), request)


def held(target: str, source: str, options: Mapping[str, Any], count: Count | None = None) -> tuple[Held, Case]:
    """Return what `target` names, a recipe or else a file of rows, and the case of `source`; `options` are those of `Wanted`.

    Raises:
        UsageError: neither a recipe nor a file, or a file with the options of a recipe. DataError: as `make` and `read`.
    """
    if target in TABLE:
        case, made = make(source, Wanted(target, **options), count)
        return as_written(made), case
    if not Path(target).is_file() and not Path(target).suffix:
        raise UsageError(f"{target!r} is neither a file nor a recipe; {nearest(target, TABLE)}")
    if given := [name for name, value in options.items() if value not in (None, ())]:
        raise UsageError(f"{target} is a file, and {', '.join(given)} would change nothing; they go with a recipe")
    case = case_of(source)
    return read(Path(target), case), case


def case_of(source: str) -> Case:
    """Return the case of a name or a folder, or that of a plan ending in .toml."""
    return _from_plan(Path(source), "", {})[0] if source.endswith(".toml") else case_summary.case_of(source)


def _request(wanted: Wanted, text: Text | None, count: Count) -> Request:
    values = {name: getattr(wanted, name) for name in ("examples", "tokens", "seed")}
    examples, tokens, seed = (getattr(text, k) if v is None and text else v or 0 for k, v in values.items())
    return Request("forget", seed, examples or None, tokens or None, count)


def _from_plan(path: Path, recipe: str, given: dict[str, Any]) -> tuple[Case, Text | None]:
    from vestige import plan as plans

    plan = plans.load(path)
    return case_summary.as_case(plan.case.made), _of_plan(path, plan, recipe, given)


def _of_plan(path: Path, plan: Plan, recipe: str, given: dict[str, Any]) -> Text | None:
    """Return the plan's set by this recipe; of several, the one that agrees with the settings."""
    sets: Sequence[Text] = [text for text in plan.relearn_sets if text.action.name == recipe]
    fit = [text for text in sets if len(sets) == 1 or all(plain(text.action.made).get(k) == v for k, v in given.items())]
    if len(fit) > 1:
        names = ", ".join(repr(named(recipe, text.action.made)) for text in fit)
        raise UsageError(f"{path}: {len(fit)} sets by the recipe {recipe!r} fit ({names}); tell them apart with --set FIELD=VALUE")
    return fit[0] if fit else None


def embedder(named: str, key_env: str = "") -> Embed:
    """Return what turns texts into unit vectors: the model in a folder, or MODEL@URL, a server's; `key_env` names the variable of its key.

    Raises:
        UsageError: an address that cannot be asked, or a key for a folder. ModelError: a folder that holds no embedding model.
    """
    model, remote, rest = named.partition("@http")
    if remote:
        endpoint = Endpoint(f"http{rest}", model, key_env=key_env)
        return lambda texts: unit(np.array(endpoint.embed(texts)), endpoint.identity)
    if key_env:
        raise UsageError(f"{named!r} is a folder, and a key goes with a server: expected MODEL@URL, such as name@http://127.0.0.1:8000/v1")
    from vestige.lab import embeddings

    return embeddings.load(named)


def counter(model: str) -> Count:
    """Return a function that counts the tokens of a text as the model's tokenizer does; no weights are loaded.

    Raises:
        ModelError: no such model, or one without tokenizer.json.
    """
    from vestige.lab import model_sources

    source = model_sources.locate(model)
    try:
        from tokenizers import Tokenizer

        file = Path(source) / "tokenizer.json"
        loaded = Tokenizer.from_file(str(file)) if Path(source).is_dir() else Tokenizer.from_pretrained(source)
    except ImportError as error:
        raise ModelError("counting tokens needs the package tokenizers: pip install 'vestige[lab]'") from error
    except Exception as error:  # the library raises plain Exception for a file that is missing or broken
        raise ModelError(f"model {model!r}: no tokenizer could be read from {source} ({error}); expected a tokenizer.json there") from error
    return lambda text: len(loaded.encode(text, add_special_tokens=False).ids)
