"""A plan is read key by key: every default is written out, and whatever nobody would read is an error."""

from __future__ import annotations

import copy
import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from vestige import cases
from vestige import plan as plans
from vestige.errors import PlanError
from vestige.plan import Plan, resolve
from vestige.plans import text_of

BUILT_IN = ("capitals", "customers")

# Every table a plan can hold, so that every level is visited.
FULL: dict[str, Any] = {
    "vestige": 1,
    "name": "full",
    "attacked": ["subject", "never_exposed"],
    "model": {"name": "smollm2-135m-instruct", "device": "cpu"},
    "case": {"name": "customers", "values_seed": 1},
    "learn": {"lr": 1e-4, "epochs": 2, "batch_size": 4, "warmup": 1, "train": "all", "precision": "float32"},
    "unlearn": {"method": "npo", "lr": 1e-5, "stop": {"below": 0.1, "every": 3, "group": "forget"}},
    "liar": {"method": "mask", "steps": 3, "stop": {"below": 0.1}},
    "broken": {"method": "noise", "scale": 0.1, "stop": {"below": 0.1, "group": "utility"}},
    "relearn_sets": [{"recipe": "rtt_fold"}, {"recipe": "source", "source": "unrelated"}, {"recipe": "paraphrases", "max_new": 32}],
    "writer": {"url": "http://127.0.0.1:8000/v1", "model": "m", "api": "chat", "key_env": "WRITER_KEY"},
    "attacks": [{"method": "relearn", "steps": 8, "probe_at": [2, 8]}],
    "leaks": {"v_information": True},
    "traces": {"names": ["gradient_cosine"]},
    "ask": {"max_new": 4, "greedy": "every", "precision": "float32"},
    "rule": {"delta": 0.2, "alpha": 0.02, "utility_ratio": 0.7, "utility_min": 0.1, "known_min": 0.4},
    "seeds": {"values": [0, 1], "vary": ["attack"]},
    "run": {"workers": 1, "keep_states": True},
}
CHECKPOINT: dict[str, Any] = {
    "vestige": 1,
    "name": "checkpoint",
    "model": {"unlearned": "a", "twin": "b"},
    "case": {"name": "customers"},
    "liar": {"method": "mask"},
    "teach": {"lr": 1e-4},
    "relearn_sets": [{"recipe": "rtt_fold"}],
    "attacks": [{"method": "relearn"}],
}


def at(document: dict[str, Any], where: str) -> Any:
    """Return the table at a place such as "attacks.0"; "" is the document itself."""
    for part in where.split(".") if where else ():
        document = document[int(part)] if part.isdigit() else document[part]
    return document


def changed(where: str, value: Any, base: Mapping[str, Any] = FULL) -> dict[str, Any]:
    """Return a copy of a document with one place set; None removes it."""
    document = copy.deepcopy(dict(base))
    *path, last = where.split(".")
    table = at(document, ".".join(path))
    if value is None:
        del table[last]
    else:
        table[int(last) if last.isdigit() else last] = value
    return document


def refused(document: Any) -> str:
    """Return what is said to a document that must be refused."""
    with pytest.raises(PlanError) as caught:
        resolve(document)
    return str(caught.value)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_built_in_plans_resolve_and_say_everything(name: str) -> None:
    plan = resolve(tomllib.loads(text_of(name)))
    assert plan.name == name
    said = plan.described()
    # Every field of every chosen entry is written out, the defaulted ones too.
    for step in ("unlearn", "liar", "broken", "learn"):
        chosen = getattr(plan, step)
        if chosen:
            assert {f.name for f in dataclasses.fields(chosen.action.made)} < set(said[step])
    assert set(said["rule"]) == {f.name for f in dataclasses.fields(plans.Rule)}
    assert [a["batch_tokens"] for a in said["attacks"]] == [a.action.made.batch_tokens for a in plan.attacks]


def as_document(plan: Plan) -> dict[str, Any]:
    """Return a document that says outright what a plan resolved to."""
    said = plan.described()
    document = {k: without_none(v) for k, v in said.items()}
    for table in [document[k] for k in ("unlearn", "liar", "broken") if k in document] + document["attacks"]:
        table["method"] = table.pop("name")
    for table in document["relearn_sets"]:
        table["recipe"] = table.pop("name")
    for table in (document.get("learn"), document.get("teach")):
        if table:
            del table["name"]  # there is one way to learn, so a plan does not name it
    return document


def without_none(value: Any) -> Any:
    """Return a value as TOML can hold it."""
    if isinstance(value, dict):
        return {k: without_none(v) for k, v in value.items() if v is not None}
    return [without_none(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", [*BUILT_IN, "full"])
def test_what_a_plan_describes_is_a_plan_again_with_the_same_digest(name: str) -> None:
    plan = resolve(FULL if name == "full" else tomllib.loads(text_of(name)))
    assert resolve(as_document(plan)).described() == plan.described()
    assert resolve(as_document(plan)).digest() == plan.digest()


TABLES = (
    "model case learn unlearn unlearn.stop liar liar.stop broken broken.stop relearn_sets.0 relearn_sets.1 attacks.0 "
    "writer leaks traces ask rule seeds run"
).split()


@pytest.mark.parametrize("where", ["", *TABLES])
def test_an_unknown_key_is_refused_at_every_level(where: str) -> None:
    document = copy.deepcopy(FULL)
    at(document, where)["zzz"] = 1
    said = refused(document)
    assert "unknown key" in said
    assert "zzz" in said
    place = where.replace(".0", "[0]").replace(".1", "[1]")
    assert place in said
    assert "expected one of: " in said


@pytest.mark.parametrize(
    ("where", "typo", "meant"),
    [
        ("", "atacks", "attacks"),
        ("model", "nam", "name"),
        ("case", "value_seed", "values_seed"),
        ("learn", "epoch", "epochs"),
        ("unlearn", "step", "steps"),
        ("unlearn.stop", "bellow", "below"),
        ("broken", "scael", "scale"),
        ("relearn_sets.1", "sorce", "source"),
        ("attacks.0", "batch_token", "batch_tokens"),
        ("ask", "maxnew", "max_new"),
        ("rule", "dleta", "delta"),
        ("seeds", "value", "values"),
        ("writer", "modle", "model"),
        ("leaks", "vinformation", "v_information"),
        ("traces", "name", "names"),
        ("run", "worker", "workers"),
    ],
)
def test_a_misspelt_key_names_the_nearest(where: str, typo: str, meant: str) -> None:
    document = copy.deepcopy(FULL)
    at(document, where)[typo] = 1
    assert f"did you mean {meant!r}?" in refused(document)


def test_a_misspelt_required_key_is_not_reported_as_missing() -> None:
    said = refused(changed("relearn_sets.1", {"recipe": "source", "sorce": "unrelated"}))
    assert "did you mean 'source'?" in said


@pytest.mark.parametrize(
    ("where", "value", "meant"),
    [
        ("case.name", "custmers", "customers"),
        ("unlearn.method", "gradient_descent", "gradient_ascent"),
        ("liar.method", "masked", "mask"),
        ("relearn_sets.0.recipe", "rtt_folds", "rtt_fold"),
        ("attacks.0.method", "relearning", "relearn"),
        ("attacked", ["subjekt"], "subject"),
        ("seeds.vary", ["attacks"], "attack"),
        ("ask.greedy", "end", "ends"),
        ("unlearn.stop.group", "forgets", "forget"),
        ("learn.train", "al", "all"),
        ("traces.names", ["gradient_cosin"], "gradient_cosine"),
        ("traces.roles", ["subjekt"], "subject"),
        ("writer.api", "chats", "chat"),
    ],
)
def test_a_misspelt_choice_names_the_nearest(where: str, value: Any, meant: str) -> None:
    assert f"did you mean {meant!r}?" in refused(changed(where, value))


def wrong_values() -> list[tuple[str, Any]]:
    """Return every place of FULL with a value of a wrong type, by the type that is there."""
    found: list[tuple[str, Any]] = []

    def visit(value: Any, where: str) -> None:
        if isinstance(value, dict):
            found.append((where, [1]))
            for key, inner in value.items():
                visit(inner, f"{where}.{key}" if where else key)
        elif isinstance(value, list):
            found.append((where, "no array"))
            for number, inner in enumerate(value):
                visit(inner, f"{where}.{number}")
        else:
            wrong = {str: [1, True, ["x"]], bool: ["yes", 1], int: ["1", True, 1.5], float: ["1", True, float("nan"), float("inf")]}
            found.extend((where, w) for w in wrong[type(value)])

    visit({k: v for k, v in FULL.items()}, "")
    return [(where, value) for where, value in found if where]


@pytest.mark.parametrize(("where", "value"), wrong_values())
def test_a_value_of_a_wrong_type_is_refused_by_its_place(where: str, value: Any) -> None:
    said = refused(changed(where, value))
    table, key = where.split(".")[0], where.split(".")[-1]
    assert table in said
    assert key in said or key.isdigit()
    assert repr(value) in said or "expected a table" in said


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("unlearn.lr", 0.0),
        ("unlearn.lr", -1e-5),
        ("learn.epochs", 0),
        ("learn.batch_size", 0),
        ("learn.warmup", -1),
        ("liar.steps", 0),
        ("broken.scale", -0.1),
        ("unlearn.stop.every", 0),
        ("attacks.0.steps", 0),
        ("attacks.0.batch_tokens", 0),
        ("attacks.0.adapter_rank", -1),
        ("ask.max_new", 0),
        ("run.workers", 0),
        ("rule.delta", 0.0),
        ("rule.delta", 1.0),
        ("rule.delta", 5.0),
        ("rule.alpha", 0.0),
        ("rule.alpha", 0.3),
        ("rule.known_min", 0.0),
        ("rule.utility_ratio", 1.5),
    ],
)
def test_a_number_that_can_mean_nothing_is_refused(where: str, value: float) -> None:
    said = refused(changed(where, value))
    assert repr(value) in said
    assert where.split(".")[-1] in said


@pytest.mark.parametrize("probe_at", [[8, 2], [2, 2, 8], [0, 8], [2, 4], [2, 9], [-1, 8]])
def test_probe_steps_rise_and_end_with_the_attack(probe_at: list[int]) -> None:
    said = refused(changed("attacks.0.probe_at", probe_at))
    assert "attacks[0].probe_at" in said
    assert "the last of them 8" in said


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("vestige", "the version of the plan schema"),
        ("name", "'name'"),
        ("case", f"[case]: expected a table with the key 'name', one of: {', '.join(sorted(cases.TABLE))}"),
        ("unlearn", "[unlearn]: missing"),
        ("unlearn.method", "[unlearn]: expected a table with the key 'method'"),
        ("unlearn.stop.below", "unlearn.stop.below' is missing"),
        ("relearn_sets", "[[relearn_sets]]: expected at least one"),
        ("relearn_sets.1.source", "relearn_sets[1].source' is missing"),
        ("attacks", "[[attacks]]: expected at least one"),
        ("attacks.0.method", "[attacks[0]]: expected a table with the key 'method', one of: quantise, relearn"),
    ],
)
def test_a_missing_part_is_named(where: str, says: str) -> None:
    assert says in refused(changed(where, None))


@pytest.mark.parametrize("version", [2, 0, True, 1.0, "1"])
def test_another_schema_is_refused(version: Any) -> None:
    assert "expected 1" in refused(changed("vestige", version))


@pytest.mark.parametrize("name", ["", "a/b", "../up", "/abs", ".hidden", "a\nb", "a\x1b[31m", "a\\b"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(name: str) -> None:
    assert "key 'name'" in refused(changed("name", name))


def test_names_in_any_script_are_fine() -> None:
    assert resolve(changed("name", "監査 2 - v1.0_b")).name == "監査 2 - v1.0_b"


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        ("model.original", "x", "model.original"),
        ("model.twin", "x", "model.twin"),
        ("teach", {"lr": 1e-4}, "[teach]"),
        ("seeds.vary", [], "one and the same run"),
        ("seeds.values", [], "distinct seeds"),
        ("seeds.values", [1, 1], "distinct seeds"),
        ("attacked", ["subject", "subject"], "each role once"),
        ("traces.names", ["loss_ratio", "loss_ratio"], "each name once"),
        ("relearn_sets", [{"recipe": "rtt_fold"}], "[writer]: no relearn set of this plan is written by a model"),
        ("writer.local", "smollm2-135m-instruct", "'writer.url': a writer with the key 'local' does not read it"),
        ("writer.form", "chat", "'writer.form': a writer with the key 'url' does not read it"),
    ],
)
def test_what_nothing_would_read_is_refused_in_a_plan_that_unlearns(where: str, value: Any, says: str) -> None:
    assert says in refused(changed(where, value))


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        ("learn", {}, "[learn]"),
        ("unlearn", {"method": "npo"}, "[unlearn]"),
        ("broken", {"method": "noise"}, "[broken]"),
        ("model.name", "smollm2-135m-instruct", "model.name"),
        ("model.original", "c", "[teach]"),
        ("teach", None, "[teach]: without model.original"),
        ("liar", None, "[teach]"),
    ],
)
def test_what_nothing_would_read_is_refused_in_an_audit_of_a_checkpoint(where: str, value: Any, says: str) -> None:
    assert resolve(CHECKPOINT).audits_a_checkpoint
    assert says in refused(changed(where, value, CHECKPOINT))


# --- who writes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["paraphrases", "general_knowledge"])
def test_a_recipe_that_a_model_writes_needs_a_writer(recipe: str) -> None:
    said = refused(changed("relearn_sets.1", {"recipe": recipe}, changed("writer", None)))
    assert f"[writer]: missing; relearn_sets[1] ({recipe}) is written by a model: give url and model" in said


@pytest.mark.parametrize(
    ("writer", "says"),
    [
        ({}, "expected url and model of an OpenAI-compatible endpoint, or local"),
        ({"model": "m"}, "expected url and model of an OpenAI-compatible endpoint, or local"),
        ({"url": "http://127.0.0.1/v1"}, "[writer]: endpoint: `model` is empty"),
        ({"url": "127.0.0.1", "model": "m"}, "[writer]: endpoint: `url` must be an http or https address"),
        ({"local": "m", "api": "completions"}, "'writer.api'"),
    ],
)
def test_a_writer_that_cannot_be_asked_is_refused(writer: dict[str, Any], says: str) -> None:
    assert says in refused(changed("writer", writer))


def test_a_key_or_a_password_in_a_plan_is_refused_and_not_repeated() -> None:
    for place, value in (("key_env", "sk-canary-0123"), ("url", "https://user:canary@example.org/v1")):
        said = refused(changed(f"writer.{place}", value))
        assert "[writer]" in said or "'writer.key_env'" in said
        assert "canary" not in said


def test_where_the_key_of_a_writer_is_decides_nothing_and_is_not_told() -> None:
    plan = resolve(FULL)
    assert plan.writer is not None
    assert plan.writer.key_env == "WRITER_KEY"
    assert plan.described()["writer"] == {"url": "http://127.0.0.1:8000/v1", "model": "m", "api": "chat"}
    assert resolve(changed("writer.key_env", "OTHER_KEY")).digest() == plan.digest()
    assert resolve(changed("writer.model", "n")).digest() != plan.digest()


def test_a_local_writer_says_its_model_and_form() -> None:
    plan = resolve(changed("writer", {"local": "smollm2-135m-instruct", "form": "plain"}))
    assert plan.described()["writer"] == {"local": "smollm2-135m-instruct", "form": "plain"}


def test_a_plan_without_writer_leaks_and_traces_has_the_digest_it_had_before_they_existed() -> None:
    for name in BUILT_IN:
        said = resolve(tomllib.loads(text_of(name))).described()
        assert not {"writer", "leaks", "traces"} & set(said)
        asking = resolve({**tomllib.loads(text_of(name)), "leaks": {"v_information": False}, "traces": {"names": []}})
        assert asking.described() == said


def load_text(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "plan.toml"
    path.write_bytes(content)
    with pytest.raises(PlanError) as caught:
        plans.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    said = load_text(tmp_path, b"vestige = 1\nname = \n")
    assert "not TOML" in said
    assert "line 2" in said


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    assert "not TOML" in load_text(tmp_path, b"vestige = 1\nvestige = 1\n")


def test_what_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    assert "UTF-8" in load_text(tmp_path, 'vestige = 1\nname = "ä"\n'.encode("latin-1"))


def test_a_folder_in_place_of_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="not readable"):
        plans.load(tmp_path)


def test_a_plan_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="`vestige init` writes one"):
        plans.load(tmp_path / "none.toml")


def test_an_error_in_a_file_names_the_file(tmp_path: Path) -> None:
    said = load_text(tmp_path, text_of("customers").replace("batch_tokens", "batch_token").encode())
    assert "plan.toml: unknown key 'attacks[0].batch_token'" in said


def test_a_relative_case_folder_starts_from_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    case = changed("case", {"name": "folder", "path": "mine"})
    assert resolve(case, folder=tmp_path).case.made.path == str(tmp_path / "mine")
    home = changed("case", {"name": "folder", "path": "~/mine"})
    assert resolve(home, folder=tmp_path).case.made.path == str(tmp_path / "home" / "mine")


def test_probe_steps_default_to_a_quarter_a_half_and_the_end() -> None:
    document = changed("attacks.0", {"method": "relearn", "steps": 16})
    assert resolve(document).attacks[0].probe_at == (4, 8, 16)
    assert resolve(changed("attacks.0", {"method": "relearn", "steps": 1})).attacks[0].probe_at == (1,)


def other(value: Any, hint: Any) -> Any:
    """Return another sound value of the type that `hint` says."""
    args = [a for a in typing.get_args(hint) if a is not type(None)]
    if typing.get_origin(hint) is Literal:
        return next(a for a in args if a != value)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return other(value, args[0])
    if hint is float:
        return value * 0.9 if value else 0.5
    return {int: lambda: (value or 0) + 1, str: lambda: f"{value}x", bool: lambda: not value}[hint]()


def numbers_of(plan: Plan) -> list[tuple[str, Any]]:
    """Return (place, another value) for every field that decides a number."""
    found: list[tuple[str, Any]] = []

    def fields(made: Any, where: str, skip: tuple[str, ...] = ()) -> None:
        hints = typing.get_type_hints(type(made))
        found.extend(
            (f"{where}.{f.name}", other(getattr(made, f.name), hints[f.name])) for f in dataclasses.fields(made) if f.name not in skip
        )

    for step in ("learn", "unlearn", "liar", "broken"):
        chosen = getattr(plan, step)
        fields(chosen.action.made, step)
        if chosen.stop:
            fields(chosen.stop, f"{step}.stop")
    fields(plan.case.made, "case")
    fields(plan.models, "model", skip=("unlearned", "original", "twin"))
    fields(plan.ask, "ask")
    fields(plan.rule, "rule")
    fields(plan.relearn_sets[1].action.made, "relearn_sets.1")
    fields(plan.relearn_sets[2].action.made, "relearn_sets.2")
    found.extend((f"writer.{name}", value) for name, value in (("url", "http://127.0.0.1:1/v1"), ("model", "n"), ("api", "completions")))
    fields(plan.attacks[0].action.made, "attacks.0", skip=("steps",))  # steps move the probe steps as well: below
    found += [("seeds.values", [0, 2]), ("seeds.vary", ["learn"]), ("attacked", ["subject"]), ("attacks.0.probe_at", [4, 8])]
    found += [("attacks.0", {"method": "relearn", "steps": 9, "probe_at": [2, 9]}), ("unlearn", {"method": "gradient_ascent"})]
    found += [
        ("relearn_sets", FULL["relearn_sets"][::2]),
        ("leaks", None),
        ("traces", None),
        ("liar", None),
        ("broken", None),
        ("learn", None),
        ("unlearn.stop", None),
    ]
    return found


@pytest.mark.parametrize(("where", "value"), numbers_of(resolve(FULL)))
def test_the_digest_follows_every_field_that_decides_a_number(where: str, value: Any) -> None:
    assert resolve(changed(where, value)).digest() != resolve(FULL).digest()


@pytest.mark.parametrize("key", [f.name for f in dataclasses.fields(plans.Run)])
def test_how_a_run_is_carried_out_does_not_move_the_digest(key: str) -> None:
    value = {"workers": 7, "keep_states": False}[key]
    assert resolve(changed(f"run.{key}", value)).digest() == resolve(FULL).digest()


def test_whether_a_default_is_written_out_does_not_move_the_digest() -> None:
    assert resolve(changed("model.device", None)).digest() == resolve(FULL).digest()
    assert resolve(changed("unlearn.batch_size", 8)).digest() == resolve(FULL).digest()


def test_an_integer_stands_for_the_same_real_number() -> None:
    assert resolve(changed("unlearn.retain_weight", 1)).digest() == resolve(changed("unlearn.retain_weight", 1.0)).digest()
