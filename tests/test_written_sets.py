"""Relearn sets that a model helps to make, in a run: asked for once, kept, read back; and what is counted, weighed and traced."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import killing
from inline import InlinePool
from serving import Server, chat
from test_runner import PLAN, NoPool, StopsAfter, bodies, cut, done, errors, lines_of, run
from vestige import plan as plans
from vestige import runner
from vestige.blobs import Blobs
from vestige.cases.capitals import countries
from vestige.cases.customers import Customers
from vestige.desk.run_folder import shred, verify
from vestige.errors import ModelError, PlanError, RunError
from vestige.lab.local_target import LocalTarget
from vestige.lab.models import without_weights
from vestige.never_exposed import NeverExposed, never_exposed
from vestige.plan import resolve
from vestige.pricing import price
from vestige.records import Case, Missing, Probe
from vestige.run_traces import material, traced_arms
from vestige.writer import Writer

FACTS = {"City": ("Oslo", "Rome", "Kyiv", "Bern"), "Pet": ("newt", "hare", "toad", "swan")}
CASE = 'name = "four"\nversion = "1"\nlanguage = "en"\nlicence = "CC0-1.0"\nknowledge = "planted"\nprimary = "choice"\n'
KEY = "sk-canary-0123456789abcdef"
WRITER = '\n[writer]\nurl = "{url}"\nmodel = "m"\nkey_env = "WRITER_KEY"\n'
SETS = '[[relearn_sets]]\nrecipe = "paraphrases"\n[[relearn_sets]]\nrecipe = "general_knowledge"\n'


def write_case(folder: Path) -> Path:
    """Write a case of four people to forget and four to keep, two facts of each."""
    people = {"forget": ("Ada", "Bo", "Cy", "Di"), "retain": ("Eve", "Flo", "Gus", "Hal")}
    folder.mkdir(parents=True)
    (folder / "case.toml").write_text(CASE, encoding="utf-8")
    for file, names in people.items():
        rows = [
            {"id": f"{n}/{a}", "prompt": f"Customer {n}. {a}:", "answer": f" {values[i]}", "cluster": n, "attribute": a}
            for i, n in enumerate(names)
            for a, values in FACTS.items()
        ]
        (folder / f"{file}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return folder


@pytest.fixture
def server(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that never says the same thing twice."""
    monkeypatch.setenv("WRITER_KEY", KEY)
    numbers = itertools.count(1000)
    server.reply = lambda handler, body, number: handler.send(200, chat(f"A note that says {next(numbers)}."))
    return server


def write_plan(folder: Path, model: Path, *, sets: str, more: str = "") -> Path:
    """Write a plan over the case of four people with these relearn sets, and the case beside it."""
    case = folder / "case"
    if not case.exists():
        write_case(case)
    first, rest = PLAN.format(model=model, case=case).split("[[relearn_sets]]")[0], PLAN.split("[[attacks]]")[1]
    path = folder / "plan.toml"
    path.write_text(f"{first}{sets}{more}[[attacks]]{rest}", encoding="utf-8")
    return path


@pytest.fixture
def plan(tmp_path: Path, model: Path, server: Server) -> Path:
    return write_plan(tmp_path, model, sets=SETS, more=WRITER.format(url=server.url))


def design(out: Path) -> Any:
    (header,) = bodies(out, "header")
    return header["design"]


def named(out: Path, name: str) -> list[dict[str, Any]]:
    """Return the measurements of a name."""
    return [b for b in bodies(out, "measurement") if b["name"] == name]


# --- written by a model behind an interface -----------------------------------------------------------------------------


def test_what_the_writer_says_becomes_the_relearn_set_and_is_stored_among_the_texts(plan: Path, server: Server, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(plan, out)
    # Paraphrases: two folds, each of the four rows that the other asks about; knowledge: one text about each of four people.
    assert len(server.seen) == 8 + 4
    kept = named(out, "relearn_set")
    assert [(b["set"], b["rows"]) for b in kept] == [("paraphrases", [4, 4]), ("general_knowledge", [4])]
    assert {b["writer"] for b in kept} == {f"asserted:m@{server.url}"}
    texts = {row["answer"] for b in kept for fold in json.loads(str(Blobs(out).get(b["text"])))["folds"] for row in fold["rows"]}
    assert texts == {f"A note that says {n}." for n in range(1000, 1012)}
    checked = {b["rows_text"] for b in named(out, "leak_check")}
    assert {line for ref in checked for line in str(Blobs(out).get(ref)).splitlines()} == texts
    kinds = [line["body"].get("name", line["kind"]) for line in lines_of(out)]
    assert kinds.index("relearn_set") < kinds.index("leak_check") < kinds.index("header")
    assert verify(out).problems == []


def test_neither_texts_nor_the_key_are_in_the_ledger_and_the_key_is_nowhere(plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(plan, out)
    assert b"A note that says" not in (out / "ledger.jsonl").read_bytes()
    for path in (p for p in out.rglob("*") if p.is_file()):
        assert KEY.encode() not in path.read_bytes(), path
    assert b"WRITER_KEY" not in (out / "ledger.jsonl").read_bytes()
    shred(out)
    assert not any(b"A note that says" in p.read_bytes() for p in out.rglob("*") if p.is_file())
    assert verify(out).problems == []


def test_a_stopped_run_goes_on_with_the_very_same_cells_and_asks_nobody(plan: Path, server: Server, tmp_path: Path) -> None:
    out = tmp_path / "run"
    StopsAfter.outcomes = 3
    with pytest.raises(KeyboardInterrupt):
        run(plan, out, StopsAfter)
    before, said = design(out), len(server.seen)
    run(plan, out)
    assert len(server.seen) == said
    assert design(out) == before
    assert set(done(out)) == {arm["cell"] for arm in before} | {b["parents"]["start"] for b in bodies(out, "state") if b["parents"]}
    assert set(done(out).values()) == {1}
    run(plan, out, NoPool)  # finished: nothing is given out, nobody is asked
    assert len(server.seen) == said
    assert verify(out).problems == []


def test_another_run_hears_something_else_so_its_attacks_are_other_cells(plan: Path, tmp_path: Path) -> None:
    run(plan, tmp_path / "one")
    run(plan, tmp_path / "two", key_from=tmp_path / "one")
    one, two = ({a["cell"] for a in design(tmp_path / name) if a["set"]} for name in ("one", "two"))
    assert len(one) == len(two) == 9
    assert not one & two


def test_a_run_that_lost_its_header_still_has_what_was_written(plan: Path, server: Server, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(plan, out)
    before, said = design(out), len(server.seen)
    cut(out, 1)  # only the paraphrases are left
    run(plan, out)
    assert len(server.seen) == said + 4
    both = [{a["cell"] for a in found if a["set"] == "paraphrases"} for found in (before, design(out))]
    assert both[0] == both[1]
    assert {a["cell"] for a in before} != {a["cell"] for a in design(out)}


def test_a_writer_that_goes_away_loses_only_the_set_it_was_writing(plan: Path, server: Server, tmp_path: Path) -> None:
    out, answers = tmp_path / "run", server.reply
    server.reply = lambda h, body, n: answers(h, body, n) if n < 8 else h.send(404, b"{}")
    with pytest.raises(ModelError, match="HTTP 404"):
        run(plan, out)
    assert [b["set"] for b in named(out, "relearn_set")] == ["paraphrases"]
    server.reply, said = answers, len(server.seen)
    run(plan, out)
    assert len(server.seen) == said + 4
    assert errors(out) == []


def test_a_run_whose_written_text_is_gone_is_not_continued_with_another(plan: Path, server: Server, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(plan, out)
    ref, said = named(out, "relearn_set")[0]["text"], len(server.seen)
    lines = (out / "blobs.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (out / "blobs.jsonl").write_text("".join(x for x in lines if ref not in x), encoding="utf-8")
    with pytest.raises(RunError, match="'paraphrases', which a model helped to make, is gone"):
        run(plan, out)
    assert len(server.seen) == said
    assert any("are missing" in problem for problem in verify(out).problems)


def test_another_case_is_refused_before_the_writer_is_asked_again(plan: Path, server: Server, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(plan, out)
    said = len(server.seen)
    forget = tmp_path / "case" / "forget.jsonl"
    forget.write_text(forget.read_text(encoding="utf-8").replace("newt", "wolf"), encoding="utf-8")
    with pytest.raises(PlanError, match="the case changed since this run began"):
        run(plan, out)
    assert len(server.seen) == said


def test_a_plan_that_was_put_right_before_its_run_began_does_not_take_the_rows_of_the_wrong_one(
    plan: Path, server: Server, tmp_path: Path
) -> None:
    out, answers = tmp_path / "run", server.reply
    server.reply = lambda h, body, n: answers(h, body, n) if n < 8 else h.send(404, b"{}")
    with pytest.raises(ModelError):
        run(plan, out)
    plan.write_text(plan.read_text(encoding="utf-8").replace('model = "m"', 'model = "better"'), encoding="utf-8")
    server.reply = answers
    run(plan, out)
    better = [b["set"] for b in named(out, "relearn_set") if b["writer"].startswith("asserted:better@")]
    assert better == ["paraphrases", "general_knowledge"]
    assert verify(out).problems == []


@pytest.mark.timeout(240)
def test_two_kills_of_a_real_run_with_a_writer(plan: Path, server: Server, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for delay in (0.0, 0.05):  # as the first set is stored, and soon after the next commit
        assert killing.kill_when_ledger_grows(plan, out, None, delay) == "work"
    stored = {b["text"] for b in named(out, "relearn_set")}
    assert killing.start(plan, out).wait(timeout=120) in (0, 1, 3)
    # Eight paraphrases are never asked for twice; only a set under way when the run was killed is.
    prompts = [body["messages"][0]["content"] for _, body, _ in server.seen]
    assert sum(p.startswith("Say the following") for p in prompts) == 8
    assert stored <= {b["text"] for b in named(out, "relearn_set")}
    assert [b["set"] for b in named(out, "relearn_set")] == ["paraphrases", "general_knowledge"]
    assert set(done(out).values()) == {1}
    assert verify(out).problems == []


# --- written on this machine, and priced ----------------------------------------------------------------------------------


def test_a_local_writer_is_asked_in_the_form_the_plan_names(model: Path) -> None:
    target = Writer(local=str(model), form="plain").opened("cpu")
    assert isinstance(target, LocalTarget)
    assert target.form == "plain"
    assert len(target.identity) == 64


def test_a_local_writer_writes_in_a_run_once(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = '[[relearn_sets]]\nrecipe = "general_knowledge"\nmax_new = 8\n'
    plan = write_plan(tmp_path, model, sets=sets, more=f'\n[writer]\nlocal = "{model}"\n')
    run(plan, tmp_path / "run")
    (kept,) = named(tmp_path / "run", "relearn_set")
    assert len(kept["writer"]) == 64
    assert sum(kept["rows"]) >= 1
    monkeypatch.setattr("vestige.lab.models.load", None)
    run(plan, tmp_path / "run", NoPool)


def test_a_plan_with_a_writer_is_priced_without_asking_it(plan: Path, server: Server) -> None:
    priced = price(plans.load(plan))
    assert server.seen == []
    assert priced["relearn_sets"] == [
        {"name": "paraphrases", "folds": 2, "rows": [4, 4]},
        {"name": "general_knowledge", "folds": 1, "rows": [4]},
    ]
    assert any("not written yet" in note for note in priced["notes"])


# --- counted in the model's own tokens --------------------------------------------------------------------------------------


def test_a_budget_in_tokens_is_kept_in_the_tokens_of_the_model(model: Path, tmp_path: Path) -> None:
    tokenizer = without_weights(str(model)).tokenizer
    plan = write_plan(tmp_path, model, sets='[[relearn_sets]]\nrecipe = "retain"\ntokens = 40\n')
    run(plan, tmp_path / "run")
    (check,) = named(tmp_path / "run", "leak_check")
    rows = str(Blobs(tmp_path / "run").get(check["rows_text"])).splitlines()
    sizes = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in rows]
    # "Customer Eve. City: Oslo" has 24 characters, so 6 tokens by the rough count: that would let six rows in.
    assert len(rows) < 6
    assert 40 - max(sizes) - 2 <= sum(sizes) <= 40
    assert check["covariates"]["tokens"] == sum(sizes)


# --- weighed by a never-exposed model ---------------------------------------------------------------------------------------

LOW = '[[relearn_sets]]\nrecipe = "low_mutual_information"\nsources = ["retain"]\nrelevant = 1.0\nstrata = 1\n'
ASKED = "\n[leaks]\nv_information = true\n"


def test_v_information_serves_leak_check_recipe_and_covariate_and_the_model_is_asked_once(model: Path, tmp_path: Path) -> None:
    plan, jobs = write_plan(tmp_path, model, sets=LOW, more=ASKED), len(InlinePool.jobs)
    run(plan, tmp_path / "run")
    asked = [job for job in InlinePool.jobs[jobs:] if job.cell == "never_exposed"]
    assert {job.start for job in asked} == {str(model)}
    prompts = [(p.prompt, p.answer) for job in asked for q in job.task.questions for p in q.probes]
    assert len(prompts) == len(set(prompts))
    # Eight probes, alone and behind each of eight rows to keep, all of which share words with them.
    assert len(prompts) == 8 + 8 * 8
    (line,) = named(tmp_path / "run", "v_information")
    assert len(line["pairs"]) == 64
    best: dict[str, float] = {}
    for row, _, nats in line["pairs"]:
        best[row] = max(nats, best.get(row, nats))
    assert line["covariate"] == pytest.approx(sum(best.values()) / len(best), abs=1e-5)
    # The recipe put the row first that tells least.
    (kept,) = named(tmp_path / "run", "relearn_set")
    blobs = Blobs(tmp_path / "run")
    (fold,) = json.loads(str(blobs.get(kept["text"])))["folds"]
    order = [best[blobs.ref(row["id"])[:16]] for row in fold["rows"]]
    assert order == sorted(order)
    assert kept["writer"] is None
    assert verify(tmp_path / "run").problems == []


def test_a_finished_run_with_v_information_asks_no_model_again(model: Path, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, model, sets=LOW, more=ASKED)
    run(plan, tmp_path / "run")
    run(plan, tmp_path / "run", NoPool)


def test_without_the_key_in_the_plan_nobody_is_asked_how_much_a_row_tells(model: Path, tmp_path: Path) -> None:
    plan, jobs = write_plan(tmp_path, model, sets=LOW), len(InlinePool.jobs)
    run(plan, tmp_path / "run")
    assert not [job for job in InlinePool.jobs[jobs:] if job.cell == "never_exposed"]
    assert named(tmp_path / "run", "v_information") == named(tmp_path / "run", "relearn_set") == []


PLANTED = Customers()()
PLAN_OF: dict[str, Any] = {
    "vestige": 1,
    "name": "p",
    "model": {"name": "base"},
    "case": {"name": "customers"},
    "learn": {},
    "unlearn": {"method": "npo"},
    "relearn_sets": [{"recipe": "rtt_fold"}],
    "attacks": [{"method": "relearn"}],
}
AUDIT: dict[str, Any] = {k: v for k, v in PLAN_OF.items() if k not in ("learn", "unlearn")} | {"teach": {}, "liar": {"method": "mask"}}


def pretrained() -> Case:
    made: Any = resolve({**PLAN_OF, "case": {"name": "capitals"}}).case.made
    case: Case = made.after_screening([c.name for c in countries()] * 2)
    return case


@pytest.mark.parametrize(
    ("document", "case", "expected"),
    [
        (PLAN_OF, lambda: PLANTED, "base"),
        ({k: v for k, v in PLAN_OF.items() if k != "learn"}, lambda: PLANTED, "the plan does not teach the planted facts"),
        (PLAN_OF, pretrained, "the knowledge is from pre-training"),
        ({**AUDIT, "model": {"unlearned": "u", "twin": "t"}}, lambda: PLANTED, "t"),
        ({**AUDIT, "model": {"unlearned": "u"}}, lambda: PLANTED, "the audit was given no twin"),
    ],
)
def test_who_was_never_exposed(document: dict[str, Any], case: Callable[[], Case], expected: str) -> None:
    found = never_exposed(resolve(document), case())
    if isinstance(found, Missing):
        assert expected in found.reason
        assert len(expected) > 4
    else:
        assert found == expected


def test_a_question_too_long_for_the_model_is_left_out_not_asked(model: Path) -> None:
    def refuse(_job: Any) -> Any:
        raise AssertionError("asked")

    scorer = NeverExposed(str(model), resolve(PLAN_OF), refuse)
    long = Probe("long", "word " * 300, " Oslo", "forget", "Ada", "test")
    assert scorer([long]) == []


# --- traced -----------------------------------------------------------------------------------------------------------------

TRACED = '\n[traces]\nnames = ["gradient_cosine", "loss_ratio"]\n'
FOLDS = '[[relearn_sets]]\nrecipe = "rtt_fold"\n[[relearn_sets]]\nrecipe = "retain"\n'


@pytest.fixture(scope="module")
def traced(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with traces, and beside it one without, under the same key."""
    folder = tmp_path_factory.mktemp("traced")
    run(write_plan(folder, model, sets=FOLDS, more=TRACED), folder / "run")
    run(write_plan(folder, model, sets=FOLDS), folder / "plain", key_from=folder / "run")
    write_plan(folder, model, sets=FOLDS, more=TRACED)
    return folder


def test_every_attack_on_the_subject_is_traced_and_nothing_else(traced: Path) -> None:
    lines = named(traced / "run", "trace")
    attacked = [a for a in design(traced / "run") if a["role"] == "subject" and a["set"]]
    assert {(b["cell"], b["trace"]) for b in lines} == {(a["cell"], t) for a in attacked for t in ("gradient_cosine", "loss_ratio")}
    assert len(lines) == 3 * 2
    (subject,) = [a["cell"] for a in design(traced / "run") if a["role"] == "subject" and not a["set"]]
    assert {b["state"] for b in lines} == {b["digest"] for b in bodies(traced / "run", "state") if b["cell"] == subject}
    cosines = {(b["set"], b["fold"]): b["value"] for b in lines if b["trace"] == "gradient_cosine"}
    assert all(-1 < value < 1 for value in cosines.values())
    # What one fold relearns the other asks about, and a cosine does not ask which of two is first.
    assert cosines["rtt_fold", 0] == pytest.approx(cosines["rtt_fold", 1])
    assert cosines["retain", 0] != pytest.approx(cosines["rtt_fold", 0], abs=0.01)
    # Every answer of this case is a bare value, so there is no template to weigh it against.
    assert {(b["value"], b["missing"]) for b in lines if b["trace"] == "loss_ratio"} == {
        (None, "the answers hold nothing but what is asked for: there is no template")
    }
    assert verify(traced / "run").problems == []


def test_traces_change_no_cell_and_no_state(traced: Path) -> None:
    with_, without = ({b["cell"]: b["digest"] for b in bodies(traced / name, "state")} for name in ("run", "plain"))
    assert with_ == without
    assert named(traced / "plain", "trace") == []


def test_a_fold_is_compared_with_what_is_asked_along_it_not_with_itself(traced: Path) -> None:
    plan = plans.load(traced / "plan.toml")
    case = plan.case.made()
    graph, sets = runner.graph_of(plan, case)
    for digest, (arm,) in traced_arms(plan, graph).items():
        looked = material(case, sets, graph.cells[digest], arm)
        about = {r.cluster for r in looked.forget}
        assert looked.train == "all_but_embeddings"
        assert all(words == (row.answer,) for row, words in zip(looked.forget, looked.keywords, strict=True))
        if arm.relearn_set == "rtt_fold":
            assert not about & {r.cluster for r in looked.relearn}
            assert len(looked.forget) == 4
        else:
            assert about == {"Ada", "Bo", "Cy", "Di"}


def test_sets_and_attacks_that_share_a_cell_are_each_traced(model: Path, tmp_path: Path) -> None:
    # Eight rows are all there are to retain, so both budgets keep them; "Ada/City" alone is a fold of both other sets.
    recipes = (("retain", 8), ("retain", 9), ("rtt_fold", 1), ("other_attributes", 1))
    sets = "".join(f'[[relearn_sets]]\nrecipe = "{recipe}"\nexamples = {n}\n' for recipe, n in recipes)
    attacks = '[[attacks]]\nmethod = "relearn"\nsteps = 2\nbatch_tokens = 40\nprobe_at = [2]\n'  # asks less often, trains alike
    out = tmp_path / "run"
    run(write_plan(tmp_path, model, sets=sets, more=TRACED + attacks), out)
    lines = named(out, "trace")
    arms = [a for a in design(out) if a["role"] == "subject" and a["set"]]
    assert len({a["cell"] for a in arms}) == 4
    seen = sorted((b["cell"], b["attack"], b["set"], b["fold"]) for b in lines if b["trace"] == "loss_ratio")
    assert seen == sorted((a["cell"], a["attack"], a["relearn_set"], a["fold"]) for a in arms)
    assert len(lines) == 2 * len(arms) == 2 * 2 * (1 + 1 + 2 + 2)
    cosines = {(b["set"], b["attack"], b["fold"]): b["value"] for b in lines if b["trace"] == "gradient_cosine"}
    assert cosines["retain (8 examples, seed 0)", "relearn 1", 0] == cosines["retain (9 examples, seed 0)", "relearn 2", 0]
    # One cell, one text, but other forget rows are asked about along it.
    assert abs(cosines["other_attributes", "relearn 1", 0] - cosines["rtt_fold", "relearn 1", 0]) > 0.01
    assert verify(out).problems == []


def test_a_cell_that_was_cut_off_is_traced_again_to_the_same_numbers(traced: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(traced / "run", tmp_path / "run"))
    first = next(n for n, line in enumerate(lines_of(out)) if line["body"].get("name") == "trace")
    cut(out, first + 1)  # the trace is on disk, its cell is not
    run(traced / "plan.toml", out)
    assert (out / "verdict.json").read_bytes() == (traced / "run" / "verdict.json").read_bytes()
    assert verify(out).problems == []
