"""Audit what somebody else made: which models are at hand decides who is the control and who the liar."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tiny
import vestige
from inline import InlinePool
from vestige import checkpoint, runner
from vestige import plan as plans
from vestige.cases.folder import Folder
from vestige.cases.folder_check import check
from vestige.checkpoint import Options, as_toml, plan_document
from vestige.desk.run_folder import verify
from vestige.errors import DataError, ModelError, PlanError, UsageError
from vestige.plan import resolve

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "customers"
PLAN_DOCUMENT = checkpoint.plan_document


def document(
    case: str | Path = EXAMPLE, *, original: str | None = None, twin: str | None = None, options: Options | None = None
) -> dict[str, Any]:
    """Return the plan of an audit of "sub"."""
    return plan_document(unlearned="sub", case=case, original=original, twin=twin, options=options or Options())


def without(folder: Path, *names: str) -> Path:
    """Return a copy of the example case without some files."""
    copy = Path(shutil.copytree(EXAMPLE, folder / "case"))
    for name in names:
        (copy / name).unlink()
    return copy


# --- the example, and the plan of an audit ----------------------------------------------------------------------------


def test_the_example_case_is_clean() -> None:
    assert check(EXAMPLE) == []
    case = Folder(str(EXAMPLE))()
    assert case.knowledge == "planted"
    assert {p.group for p in case.probes} == {"forget", "retain", "decoy", "utility"}


def test_with_an_original_the_liar_hides_what_the_original_knows() -> None:
    plan = resolve(document(original="orig", twin="twin"))
    assert plan.audits_a_checkpoint
    assert plan.teach is None
    assert plan.liar is not None
    assert plan.liar.action.name == "mask"
    assert (plan.models.unlearned, plan.models.original, plan.models.twin) == ("sub", "orig", "twin")


@pytest.mark.parametrize("twin", [None, "twin"])
def test_without_an_original_the_liar_is_taught(twin: str | None) -> None:
    plan = resolve(document(twin=twin))
    assert plan.teach is not None
    assert plan.models.original is None
    assert plan.models.twin == twin


def test_every_relearn_set_that_the_case_can_give_is_tried(tmp_path: Path) -> None:
    def sets(case: Path) -> list[str]:
        return [s.get("source", s["recipe"]) for s in document(case)["relearn_sets"]]

    assert sets(EXAMPLE) == ["rtt_fold", "other_attributes", "new_customers", "unrelated"]
    assert sets(without(tmp_path / "a", "sources/new_customers.jsonl")) == ["rtt_fold", "other_attributes", "unrelated"]
    one = without(tmp_path / "b")
    for file in ("forget", "retain", "decoy"):
        lines = (one / f"{file}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (one / f"{file}.jsonl").write_text("".join(x for x in lines if json.loads(x)["attribute"] == "City"), encoding="utf-8")
    assert sets(one) == ["rtt_fold", "new_customers", "unrelated"]


def test_options_reach_the_plan_and_only_the_attack_varies() -> None:
    plan = resolve(document(twin="t", options=Options(delta=0.05, utility_min=0.4, seeds=(3, 4))))
    assert (plan.rule.delta, plan.rule.utility_min) == (0.05, 0.4)
    assert (plan.seeds.values, plan.seeds.vary) == ((3, 4), ("attack",))


def test_without_decoys_and_without_an_original_there_is_no_liar_to_be_had(tmp_path: Path) -> None:
    case = without(tmp_path, "decoy.jsonl")
    for twin in (None, "twin"):
        with pytest.raises(UsageError, match=r"no decoy\.jsonl; add one .* or give --original") as caught:
            document(case, twin=twin)
        assert caught.value.exit_code == 4
    assert resolve(document(case, original="orig")).teach is None


def test_a_case_may_be_a_folder_or_the_id_of_a_hub_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def folder(path: str) -> Any:
        asked.append(path)
        return Folder(str(EXAMPLE))

    monkeypatch.setattr(checkpoint, "TABLE", {"folder": folder})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for case in ("owner/name", Path("owner/name"), "mine", Path("mine"), tmp_path / "mine"):
        asked.append(document(case)["case"]["path"])
    assert asked == ["owner/name"] * 4 + [str(tmp_path / "mine")] * 6


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0, 1.0, -0.1, 5.0])
def test_a_delta_that_means_nothing_is_refused_before_anything_is_done(bad: float, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"rule\.delta"):
        vestige.audit(unlearned="sub", case=EXAMPLE, out=tmp_path / "run", options=Options(delta=bad), quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_case_that_cannot_be_used_is_refused_with_every_problem(tmp_path: Path) -> None:
    case = without(tmp_path, "case.toml", "retain.jsonl")
    with pytest.raises(DataError, match="2 problems") as caught:
        vestige.audit(unlearned="sub", case=case, out=tmp_path / "run", quiet=True)
    assert "case.toml" in str(caught.value)
    assert "retain.jsonl" in str(caught.value)


def test_a_model_that_is_not_there_is_an_error_and_can_be_put_right(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no/such/model"):
        vestige.audit(unlearned="no/such/model", case=EXAMPLE, out=tmp_path / "run", quiet=True)
    # Nothing was begun: the same folder serves for the audit that was meant.
    with pytest.raises(ModelError, match="another/such/model"):
        vestige.audit(unlearned="another/such/model", case=EXAMPLE, out=tmp_path / "run", quiet=True)
    assert "another/such/model" in (tmp_path / "run" / "plan.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("options", [Options(), Options(0.2, 0.5, (0, 1))])
@pytest.mark.parametrize("original", [None, "orig"])
def test_the_plan_that_is_written_beside_a_run_is_the_plan_of_the_run(options: Options, original: str | None) -> None:
    written = document(original=original, options=options)
    assert tomllib.loads(as_toml(written)) == written


@pytest.mark.parametrize("text", ['quo"te', "back\\slash", "new\nline", "tab\t", "bell\x07", "delete\x7f", "日本語", "C:\\models\\new"])
def test_any_text_can_stand_in_the_written_plan(text: str) -> None:
    written = {"name": text, "model": {"unlearned": text}, "list": [{"x": text, "y": [1, 2.5]}]}
    assert tomllib.loads(as_toml(written)) == written


def test_the_python_interface_is_what_the_package_names() -> None:
    assert vestige.audit is checkpoint.audit
    assert vestige.Options is Options
    with pytest.raises(AttributeError, match="no attribute 'audits'"):
        _ = vestige.audits


# --- whole audits of a tiny checkpoint --------------------------------------------------------------------------------


def shortened(**arguments: Any) -> dict[str, Any]:
    """Return the plan of an audit with fewer steps and sets: a tiny model has nothing to bring back."""
    made = PLAN_DOCUMENT(**arguments)
    made["liar"] |= {"steps": 2, "stop": {"below": -1.0}}
    made["attacks"] = [{"method": "relearn", "steps": 2, "batch_tokens": 64, "probe_at": [1, 2]}]
    made["relearn_sets"] = [{"recipe": "rtt_fold"}, {"recipe": "source", "source": "unrelated"}]
    if "teach" in made:
        made["teach"] = {"lr": 1e-3, "epochs": 1, "batch_size": 32}
    return made


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return {name: str(tiny.make(folder / name, seed=n)) for n, name in enumerate(("sub", "orig", "twin"))}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the example case with fewer people in it."""
    case = without(tmp_path_factory.mktemp("small"), "sources/new_customers.jsonl")
    for file, count in {"forget": 8, "retain": 4, "decoy": 8, "utility": 4}.items():
        lines = (case / f"{file}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        kept = list(dict.fromkeys(json.loads(line)["cluster"] for line in lines))[:count]
        (case / f"{file}.jsonl").write_text("".join(x for x in lines if json.loads(x)["cluster"] in kept), encoding="utf-8")
    return case


Audit = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def audit(models: dict[str, str], small: Path) -> Any:
    """Return `vestige.audit` of the tiny checkpoint, in this process and with fewer steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "Pool", InlinePool)
        patch.setattr(checkpoint, "plan_document", shortened)

        def call(out: Path, *names: str, **more: Any) -> dict[str, Any]:
            given = {{"orig": "original"}.get(n, n): models[n] for n in names}
            return vestige.audit(unlearned=models["sub"], case=small, out=out, quiet=True, **given, **more)

        yield call


@pytest.fixture(scope="module")
def folders(audit: Audit, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return finished audits: with everything at hand, with a twin only, and with nothing but decoys."""
    base = tmp_path_factory.mktemp("audits")
    for name, given in {"everything": ("orig", "twin"), "twin": ("twin",), "decoys": ()}.items():
        audit(base / name, *given)
    return {path.name: path for path in base.iterdir()}


def verdict_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "verdict.json").read_bytes())
    return found


def named(verdict: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an audit of a verdict by name."""
    found: dict[str, Any] = next(a for a in verdict["audits"] if a["name"] == name)
    return found


def clause(audit: dict[str, Any], name: str) -> Any:
    return next(c["holds"] for c in audit["clauses"] if c["name"] == name)


@pytest.mark.parametrize("name", ["everything", "twin", "decoys"])
def test_an_audit_is_whole_sound_and_provisional_under_one_seed(folders: dict[str, Path], name: str) -> None:
    found = verify(folders[name])
    assert found.problems == []
    verdict = verdict_of(folders[name])
    assert verdict["provisional"] is True
    assert clause(named(verdict, "unlearned"), "complete") is True
    assert clause(named(verdict, "unlearned"), "benign") is True
    assert [f for f in verdict["flags"] if f["name"] in ("missing_cells", "leak", "same_state", "unequal_tokens")] == []
    assert (folders[name] / "report.html").stat().st_size > 10_000
    # Eight customers, six of them in test: too few for any PASS at delta 0.1, whatever the model.
    assert verdict["verdict"] != "PASS"


def test_with_everything_at_hand_the_twin_is_the_control(folders: dict[str, Path]) -> None:
    verdict = verdict_of(folders["everything"])
    unlearned, liar = named(verdict, "unlearned"), named(verdict, "liar")
    assert (unlearned["control"], liar["control"]) == ("never_exposed", "never_exposed")
    # The original is a random model: it never knew, and no verdict is drawn.
    assert (verdict["verdict"], verdict["reasons"]) == ("INCONCLUSIVE", ["original_never_knew"])
    assert "original" in unlearned["utility"]["groups"]["retain"]
    assert not [f for f in verdict["flags"] if f["name"] == "control_missing"]
    # No twin of the twin is at hand, so nothing can be said of it.
    assert [a["name"] for a in verdict["audits"]] == ["unlearned", "liar"]


def test_with_a_twin_only_the_liar_is_taught_and_utility_cannot_be_judged(folders: dict[str, Path]) -> None:
    verdict = verdict_of(folders["twin"])
    unlearned, liar = named(verdict, "unlearned"), named(verdict, "liar")
    assert (unlearned["control"], liar["control"]) == ("never_exposed", "untaught")
    assert liar["group"] == "decoy"
    assert unlearned["utility"]["ratio"] is None
    assert clause(unlearned, "utility") is None
    assert not [f for f in verdict["flags"] if f["name"] == "control_missing"]


def test_with_nothing_but_decoys_the_claim_is_capped(folders: dict[str, Path]) -> None:
    verdict = verdict_of(folders["decoys"])
    unlearned = named(verdict, "unlearned")
    assert unlearned["control"] is None
    assert any(f["name"] == "control_missing" and f["says"].startswith("unlearned") for f in verdict["flags"])
    assert any("only absolute levels are judged" in limit for limit in verdict["limits"])
    page = (folders["decoys"] / "report.html").read_text(encoding="utf-8")
    assert "only absolute levels are judged" in page


def test_the_taught_liar_is_judged_on_decoys_alone(folders: dict[str, Path]) -> None:
    lines = [json.loads(line) for line in (folders["decoys"] / "ledger.jsonl").read_bytes().splitlines()]
    design = next(line["body"]["design"] for line in lines if line["kind"] == "header")
    assert [a["role"] for a in design if a["set"] is None] == ["subject", "taught", "untaught", "positive"]
    steps = {a["cell"] for a in design if a["role"] in ("positive", "untaught") and a["relearn_set"] == "rtt_fold"}
    asked = {
        line["body"]["group"]
        for line in lines
        if line["kind"] == "score_tokens" and line["body"]["cell"] in steps and line["body"]["step"] == 1
    }
    assert asked == {"decoy"}
    checks = [line["body"] for line in lines if line["kind"] == "measurement"]
    assert {(c["set"], c["group"]) for c in checks} == {(s, g) for s in ("rtt_fold", "unrelated") for g in ("forget", "decoy")}


def test_the_same_audit_again_starts_no_job_and_gives_the_same_verdict(folders: dict[str, Path], audit: Audit) -> None:
    before, jobs = (folders["twin"] / "verdict.json").read_bytes(), len(InlinePool.jobs)
    again = audit(folders["twin"], "twin")
    assert len(InlinePool.jobs) == jobs
    assert (folders["twin"] / "verdict.json").read_bytes() == before
    assert again == json.loads(before)


def test_another_audit_in_the_folder_is_refused_and_leaves_its_plan_alone(folders: dict[str, Path], audit: Audit) -> None:
    before = {p.name: p.read_bytes() for p in folders["everything"].iterdir() if p.is_file()}
    with pytest.raises(PlanError, match=r"holds the run of another plan \(it differs in: model, teach\); choose another --out"):
        audit(folders["everything"], "twin")
    with pytest.raises(PlanError, match=r"it differs in: rule\)"):
        audit(folders["everything"], "orig", "twin", options=Options(delta=0.2))
    assert {p.name: p.read_bytes() for p in folders["everything"].iterdir() if p.is_file()} == before


def test_other_weights_at_the_same_path_are_not_taken_for_the_audited_ones(
    folders: dict[str, Path], audit: Audit, models: dict[str, str]
) -> None:
    """Lineage is a digest, never a path: a gate must not repeat last week's verdict for this week's model."""
    weights = Path(models["twin"]) / "model.safetensors"
    before = weights.read_bytes()
    try:
        weights.write_bytes((Path(models["orig"]) / "model.safetensors").read_bytes())
        with pytest.raises(PlanError, match=r"a model, the rows of the case or torch .* changed since this run began"):
            audit(folders["twin"], "twin")
    finally:
        weights.write_bytes(before)
    audit(folders["twin"], "twin")


def test_the_plan_beside_a_run_runs(folders: dict[str, Path], audit: Audit) -> None:
    path = folders["decoys"] / "plan.toml"
    assert runner.run(plans.load(path), folders["decoys"], quiet=True) == verdict_of(folders["decoys"])
