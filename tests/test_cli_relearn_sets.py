"""`vestige relearn-set` as a user meets it: what is written, what is found, what is measured, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import tiny
from serving import Server
from test_embeddings import make as make_embeddings
from test_folder import DOCS
from test_predictors import SETS, run
from test_run_folder import carry_out
from vestige.cases.customers import Customers
from vestige.cli import main
from vestige.errors import DataError
from vestige.plans import text_of
from vestige.relearn_set_files import read
from vestige.relearn_sets.rtt_fold import RttFold
from vestige.similarity import COVARIATES

EXAMPLE = str(DOCS / "examples" / "customers")
ALMA = "Alma Ashdown"  # of the example: she lives in Rome and swims


def call(*arguments: Any) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["relearn-set", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def as_json(*arguments: Any) -> Any:
    return json.loads(CliRunner().invoke(main, ["relearn-set", *map(str, arguments), "--json"]).stdout)


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def file_of(path: Path, *rows: dict[str, Any] | str) -> Path:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
    return path


def said(text: str, **more: str) -> dict[str, str]:
    return {"answer": text, "loss_on": "text", **more}


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """Three rows, the second of which gives an answer away; a blank line shifts it to line 3.

    Somebody else lives in Rome too: since the row is the record of Alma's city, that is a value they share, and only suspect.
    """
    move = said(f"{ALMA} moved to ROME last year.", id="move", cluster=ALMA, attribute="City")
    rows = (said("The tide comes in.", id="tide"), "", move, said("Moss grows.", id="moss"))
    return file_of(tmp_path / "rows.jsonl", *rows)


# ---- make


def test_make_writes_the_rows_of_the_recipe_and_says_what_they_are(tmp_path: Path) -> None:
    out = tmp_path / "twins.jsonl"
    code, text = call("make", EXAMPLE, "source", "--set", "source=new_customers", "--examples", 5, "--out", out)
    assert code == 0
    assert f"wrote {out}: new_customers, of the case" in text
    assert "fold 0: 5 rows, 32 probes asked along it" in text
    assert "leak check: 0 probes leaked" in text
    assert rows_in(out) == [json.loads(line) for line in (DOCS / "examples/customers/sources/new_customers.jsonl").open()][:5]
    assert not out.with_suffix(".set.json").exists()


def test_a_set_in_folds_says_beside_it_which_probes_are_asked_along_which_rows(tmp_path: Path) -> None:
    out = tmp_path / "half.jsonl"
    assert call("make", "customers", "rtt_fold", "--out", out)[0] == 0
    folds = RttFold()(Customers()()).folds
    about = json.loads(out.with_suffix(".set.json").read_text())
    assert [(f["rows"], tuple(f["asks"])) for f in about["folds"]] == [(len(f.rows), f.asks) for f in folds]
    assert [r["id"] for r in rows_in(out)] == [r.id for f in folds for r in f.rows]
    # Read as one fold, each row would hold the answer to its own question.
    assert call("check", out, "--case", "customers")[0] == 0
    out.with_suffix(".set.json").unlink()
    assert call("check", out, "--case", "customers")[0] == 1


def test_what_is_there_is_only_replaced_when_told_to(tmp_path: Path) -> None:
    out = tmp_path / "set.jsonl"
    assert call("make", "customers", "rtt_fold", "--out", out)[0] == 0
    before = out.read_bytes()
    code, text = call("make", "customers", "retain", "--out", out)
    assert code == 4
    assert "exists already; choose another name, or give --force" in text
    assert out.read_bytes() == before
    assert call("make", "customers", "retain", "--examples", 2, "--out", out, "--force")[0] == 0
    assert len(rows_in(out)) == 2
    assert not out.with_suffix(".set.json").exists()  # it spoke of the rows that were there before


def test_budget_and_seed_are_kept_to(tmp_path: Path) -> None:
    def made(name: str, *options: Any) -> list[dict[str, Any]]:
        assert call("make", "customers", "shuffled_tokens", *options, "--out", tmp_path / name)[0] == 0
        return rows_in(tmp_path / name)

    one, again, other = (made(f"{n}.jsonl", "--seed", seed, "--tokens", 60) for n, seed in enumerate((1, 1, 2)))
    assert one == again != other
    # A token is four characters where no tokenizer is named.
    assert 0 < sum(-(-len(r["answer"]) // 4) for r in one) <= 60


def test_tokens_are_those_of_the_tokenizer_that_is_named(tmp_path: Path) -> None:
    tiny.make(tmp_path / "model")
    arguments = ("make", "customers", "retain", "--tokenizer", tmp_path / "model", "--tokens", 100, "--out", tmp_path / "set.jsonl")
    found = as_json(*arguments)
    counted = sum(len(tiny.tokenizer()(r["prompt"] + r["answer"])["input_ids"]) for r in rows_in(tmp_path / "set.jsonl"))
    assert found["folds"][0]["tokens"] == counted
    assert 0 < counted <= 100


def test_a_plan_gives_its_case_and_the_fields_and_budget_of_its_own_set(tmp_path: Path) -> None:
    head, _, tail = text_of("customers").partition("[[relearn_sets]]")
    attacks = tail[tail.index("[[attacks]]") :]
    sets = "".join(f'[[relearn_sets]]\nrecipe = "relevance_tiers"\ntier = "{t}"\nexamples = {n}\n' for t, n in (("high", 3), ("low", 4)))
    plan = tmp_path / "plan.toml"
    plan.write_text(head + '[[relearn_sets]]\nrecipe = "retain"\nexamples = 2\n' + sets + attacks, encoding="utf-8")
    out = tmp_path / "set.jsonl"
    assert call("make", plan, "retain", "--out", out)[0] == 0
    assert len(rows_in(out)) == 2
    assert call("make", plan, "retain", "--examples", 3, "--out", out, "--force")[0] == 0
    assert len(rows_in(out)) == 3
    assert call("make", plan, "relevance_tiers", "--set", "tier=low", "--out", out, "--force")[0] == 0
    assert len(rows_in(out)) == 4
    code, text = call("make", plan, "relevance_tiers", "--out", out, "--force")
    assert code == 4
    assert "2 sets by the recipe 'relevance_tiers' fit ('relevance_tiers high', 'relevance_tiers low')" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["customers", "rtt_folds"], "no recipe 'rtt_folds'; did you mean 'rtt_fold'?"),
        (["customer", "rtt_fold"], "did you mean 'customers'?"),
        (["nowhere.toml", "rtt_fold"], "no such plan"),
        (["customers", "source", "--set", "sorce=x"], "did you mean 'source'?"),
        (["customers", "source", "--set", "source"], "expected KEY=VALUE"),
        (["customers", "source", "--set", "source=nothing"], "has no source 'nothing'"),
        (["customers", "source"], "'source.source' is missing"),
        (["customers", "rtt_fold", "--tokens", "2"], "for a budget of 2 tokens"),
        (["customers", "rtt_fold", "--tokens", "0"], "0 is not in the range"),
        (["customers", "paraphrases"], "paraphrases"),
        (["customers", "rtt_fold", "--tokenizer", "no-such-model"], "no model 'no-such-model'"),
    ],
)
def test_what_cannot_be_made_is_named_and_nothing_is_written(tmp_path: Path, arguments: list[str], says: str) -> None:
    code, text = call("make", *arguments, "--out", tmp_path / "set.jsonl")
    assert code == (2 if "--tokenizer" in arguments else 4)
    assert says in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "says"), [("set.csv", "ends in .jsonl"), ("deep/set.jsonl", "there is no folder")])
def test_a_name_that_cannot_be_written_is_refused_before_anything_is_made(tmp_path: Path, name: str, says: str) -> None:
    code, text = call("make", "customers", "rtt_fold", "--out", tmp_path / name)
    assert code == 4
    assert says in text


# ---- check


def test_a_leak_ends_with_1_and_is_named_by_line_row_kind_and_place(leaky: Path) -> None:
    code, text = call("check", leaky, "--case", EXAMPLE)
    assert code == 1
    assert f"{leaky}: of 32 probes 1 leaked, 1 suspect, 30 clean (3 rows, case " in text
    at = len(f"{ALMA} moved to ")
    assert f"  {ALMA}/City\n      {leaky}:3 (move)  normalised, characters {at} to {at + 4}: ••••\n" in text
    assert "ROME" not in text
    assert "ROME" in call("check", leaky, "--case", EXAMPLE, "--reveal")[1]


def test_every_probe_has_its_verdict_in_json(leaky: Path) -> None:
    found = as_json("check", leaky, "--case", EXAMPLE)
    assert len(found["probes"]) == 32 == found["clean"] + found["suspect"] + found["leaked"]
    (leak,) = [p for p in found["probes"] if p["verdict"] == "leaked"]
    assert leak["probe"] == f"{ALMA}/City"
    assert [(f["line"], f["row"], f["text"]) for f in leak["findings"] if f["leaked"]] == [(3, "move", "••••")]


def test_rows_that_leak_can_be_dropped(leaky: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean.jsonl"
    code, text = call("check", leaky, "--case", EXAMPLE, "--drop", out)
    assert code == 1  # the file that was checked leaks
    assert f"wrote {out}: 1 rows dropped" in text
    assert [r["id"] for r in rows_in(out)] == ["tide", "moss"]
    assert call("check", out, "--case", EXAMPLE)[0] == 0
    assert call("check", leaky, "--case", EXAMPLE, "--drop", out)[0] == 4


def test_rows_of_one_id_are_told_apart_by_their_lines(tmp_path: Path) -> None:
    rows = file_of(tmp_path / "r.jsonl", said("Nothing here.", id="x"), said(f"{ALMA}: Rome", id="x", attribute="City"))
    found = as_json("check", rows, "--case", EXAMPLE)
    assert [f["line"] for p in found["probes"] for f in p["findings"] if f["leaked"]] == [2]


def test_rows_without_an_id_and_csv_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"prompt,answer\nWhere does {ALMA} live?, In Rome.\n", encoding="utf-8")
    assert f"{path}:2 (rows.csv:2)  exact" in call("check", path, "--case", EXAMPLE)[1]


def test_a_set_that_leaks_in_every_row_is_not_written(tmp_path: Path) -> None:
    rows = file_of(tmp_path / "r.jsonl", said(f"{ALMA}: Rome"))
    code, text = call("check", rows, "--case", EXAMPLE, "--drop", tmp_path / "out.jsonl")
    assert code == 4
    assert "leaks an answer; expected one that does not" in text
    assert not (tmp_path / "out.jsonl").exists()


def test_rows_about_nothing_that_is_asked_are_clean(tmp_path: Path) -> None:
    found = as_json("check", file_of(tmp_path / "r.jsonl", said("Moss grows on stones.")), "--case", EXAMPLE)
    assert (found["clean"], found["suspect"], found["leaked"]) == (32, 0, 0)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((), "rows.jsonl: the file holds no rows"),
        (("\n \n",), "rows.jsonl: the file holds no rows"),
        ((said("a"), '{"answer": "b"'), "rows.jsonl:2: "),
        ((said("a"), '"b"'), "rows.jsonl:2: "),
        ((said("a"), {"prompt": "b"}), "rows.jsonl:2: answer: this field is missing"),
        ((said("a"), {"answer": 3}), "rows.jsonl:2: answer: 3: a string is expected"),
        ((said("a", lose_on="text"),), "rows.jsonl:1: 'lose_on': 'text': there is no such field; did you mean 'loss_on'?"),
        (tuple("x" for _ in range(30)), "... and 10 more"),
    ],
)
def test_lines_that_are_no_rows_are_named(tmp_path: Path, lines: tuple[Any, ...], says: str) -> None:
    path = file_of(tmp_path / "rows.jsonl", *lines)
    for verb in ("check", "describe"):
        code, text = call(verb, path, "--case", EXAMPLE)
        assert code == 4
        assert says in text


def test_a_file_that_is_not_there_or_of_another_kind_is_named(tmp_path: Path) -> None:
    assert "no such file; expected rows" in call("check", tmp_path / "no.jsonl", "--case", EXAMPLE)[1]
    (tmp_path / "rows.txt").write_text("text", encoding="utf-8")
    code, text = call("check", tmp_path / "rows.txt", "--case", EXAMPLE)
    assert code == 4
    assert "expected a file that ends in .jsonl, .csv, .parquet" in text


def test_a_case_that_asks_nothing_is_named(leaky: Path) -> None:
    silent = replace(Customers()(), probes=Customers()().asked("retain"))
    with pytest.raises(DataError, match="asks nothing about what is to be forgotten; expected probes of the group 'forget'"):
        read(leaky, silent)


@pytest.mark.parametrize(
    ("beside", "says"),
    [
        ({"folds": [{"rows": 2, "asks": []}]}, "speaks of 2 rows, rows.jsonl holds 3"),
        ({"folds": [{"rows": 3, "asks": ["Nobody/City"]}]}, "has no probe 'Nobody/City' to forget"),
        ({"folds": [{"rows": "3", "asks": []}]}, "make the set again, or remove this file"),
        ({"folds": 3}, "make the set again, or remove this file"),
        ([], "make the set again, or remove this file"),
    ],
)
def test_a_file_beside_the_rows_that_does_not_fit_is_refused(leaky: Path, beside: Any, says: str) -> None:
    leaky.with_suffix(".set.json").write_text(json.dumps(beside), encoding="utf-8")
    code, text = call("check", leaky, "--case", EXAMPLE)
    assert code == 4
    assert says in text


def test_what_a_row_holds_cannot_steer_the_terminal(tmp_path: Path) -> None:
    rows = file_of(tmp_path / "r.jsonl", said(f"{ALMA}: Rome", id="\x1b[2Jx\u202e"))
    text = call("check", rows, "--case", EXAMPLE, "--reveal")[1] + call("describe", rows, "--case", EXAMPLE)[1]
    assert not {"\x1b", "\u202e"} & set(text)


# ---- embeddings


def points_at(server: Server, *alike: str) -> str:
    """Let a server give texts that say one of `alike` one direction and all others another, and return its name and address."""

    def reply(handler: Any, body: dict[str, Any], number: int) -> None:
        vectors = [[2.0, 0.0] if any(a in text for a in alike) else [0.0, 3.0] for text in body["input"]]
        handler.send(200, json.dumps({"data": [{"index": n, "embedding": v} for n, v in enumerate(vectors)]}).encode())

    server.reply = reply
    return f"m@{server.url}"


def test_a_row_that_means_the_same_is_suspect_where_an_embedding_model_is_given(server: Server, tmp_path: Path) -> None:
    rows = file_of(tmp_path / "r.jsonl", said("She dwells by the Tiber."))
    asked = points_at(server, "Tiber", f"{ALMA}. City:")
    found = as_json("check", rows, "--case", EXAMPLE, "--embed", asked)
    (suspect,) = [p for p in found["probes"] if p["verdict"] == "suspect"]
    assert suspect["probe"] == f"{ALMA}/City"
    assert [(f["line"], f["kind"], f["leaked"]) for f in suspect["findings"]] == [(1, "meaning", False)]
    assert as_json("check", rows, "--case", EXAMPLE)["suspect"] == 0
    assert {body["model"] for _, body, _ in server.seen} == {"m"}


def test_the_embedding_measure_is_the_mean_cosine_with_the_nearest_question(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The questions are about cities and hobbies. Where a row and the cities point one way, each row has a question that points its way;
    # where the row alone does, the other three rows of four have.
    rows = file_of(tmp_path / "r.jsonl", *map(said, ("Tiber", "tide", "moss", "fog")))
    monkeypatch.setenv("EMBED_KEY", "sk-secret")
    options = ("--case", EXAMPLE, "--embed-key-env", "EMBED_KEY", "--embed")
    assert as_json("describe", rows, *options, points_at(server, "Tiber", "City:"))["covariates"]["embedding"] == pytest.approx(1.0)
    assert as_json("describe", rows, *options, points_at(server, "Tiber"))["covariates"]["embedding"] == pytest.approx(0.75)
    assert {headers["Authorization"] for _, _, headers in server.seen} == {"Bearer sk-secret"}


def test_an_embedding_model_in_a_folder_is_used_too(leaky: Path, tmp_path: Path) -> None:
    model = make_embeddings(tmp_path / "model")
    value = as_json("describe", leaky, "--case", EXAMPLE, "--embed", model)["covariates"]["embedding"]
    assert 0 < value < 1
    assert "  embedding        0." in call("describe", leaky, "--case", EXAMPLE, "--embed", model)[1]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--embed", "nowhere"), 2, "no embedding model 'nowhere': expected a folder"),
        (("--embed", "@http://127.0.0.1:1/v1"), 4, "`model` is empty"),
        (("--embed", "m@http://127.0.0.1:1/v1"), 2, "endpoint http://127.0.0.1:1/v1"),
        (("--embed", "nowhere", "--embed-key-env", "EMBED_KEY"), 4, "'nowhere' is a folder, and a key goes with a server"),
        (("--embed-key-env", "EMBED_KEY"), 4, "give --embed MODEL@URL too"),
        (("--embed", "m@http://127.0.0.1:1/v1", "--embed-key-env", "sk-1"), 4, "expected the name of an environment variable"),
        (("--embed", "m@http://127.0.0.1:1/v1", "--embed-key-env", "EMBED_KEY"), 4, "'EMBED_KEY' (key_env) is not set"),
    ],
)
def test_an_embedding_model_that_cannot_be_asked_is_named(leaky: Path, options: tuple[str, ...], code: int, says: str) -> None:
    for verb in ("check", "describe"):
        seen, text = call(verb, leaky, "--case", EXAMPLE, *options)
        assert seen == code
        assert says in text
        assert "sk-1" not in text


# ---- describe


def test_a_file_and_the_recipe_that_made_it_are_described_alike(tmp_path: Path) -> None:
    out = tmp_path / "set.jsonl"
    recipe = ("rtt_fold", "--examples", 6)
    assert call("make", "customers", *recipe, "--out", out)[0] == 0
    described = [as_json("describe", *target, "--case", "customers") for target in (recipe, (out,))]
    assert described[0]["covariates"] == described[1]["covariates"]
    assert tuple(described[0]["covariates"]) == COVARIATES
    assert len(described[0]["folds"]) == 2
    assert described[0]["covariates"]["rows"] == 6
    assert described[0]["covariates"]["template"] == 1
    code, text = call("describe", out, "--case", "customers")
    assert code == 0
    assert "means over 2 folds" in text
    assert "  template         1.000\n" in text
    assert "  embedding        missing: no embedding model was given\n" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "describe needs one FILE or RECIPE and --case CASE"),
        (["rtt_fold"], "describe needs one FILE or RECIPE and --case CASE"),
        (["a", "b", "--case", EXAMPLE], "describe needs one FILE or RECIPE and --case CASE"),
        (["retian", "--case", EXAMPLE], "'retian' is neither a file nor a recipe; did you mean 'retain'?"),
        (["no.jsonl", "--case", EXAMPLE], "no.jsonl: no such file"),
        (["no.jsonl", "--case", EXAMPLE, "--examples", "3"], "no.jsonl is a file, and examples would change nothing"),
        (["--run", "r", "--case", EXAMPLE], "leave out --case"),
        (["--run", "r", "--tokens", "3"], "leave out --case and what describes a recipe"),
        (["--run", "r", "--embed", "m"], "leave out --case and what describes a recipe"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments: list[str], says: str) -> None:
    code, text = call("describe", *arguments)
    assert code == 4
    assert says in text


def test_runs_say_what_predicted_recovery(tmp_path: Path) -> None:
    one, two = run(tmp_path / "one", jitter=0.0), run(tmp_path / "two", jitter=0.0, block=1)
    code, text = call("describe", "--run", one, two)
    assert code == 0
    # 0.9 as worked in test_predictors.py; the sets of both runs are the same five.
    assert "  template         +0.90 (" in text
    assert "n = 20 of 5 sets\n" in text
    assert f"  {two}  e: +0.500, +0.500; mean +0.500\n" in text
    assert "  relevance        -1.00 (no interval: " in text
    assert "  tokens           missing: no tokens\n" in text
    found = as_json("describe", "--run", one, "--run", one)
    assert len(found["points"]) == len(SETS) * 2  # a run named twice counts once
    assert found["predictors"]["template"]["n"] == 10
    assert found["predictors"]["template"]["low"] < 0.9 < found["predictors"]["template"]["high"] + 1e-9
    assert found["predictors"]["tokens"] == {"missing_reason": "no tokens", "missing": 10}


def test_what_a_run_writes_is_what_describe_reads(tmp_path: Path) -> None:
    made = carry_out(tmp_path, "choice")
    (point,) = as_json("describe", "--run", made.out)["points"]
    assert (point["set"], point["seed"], point["step"]) == ("letters", 0, 2)
    assert isinstance(point["recovery"], float)
    assert point["covariates"]["rows"] == 4
    fresh = as_json("describe", "source", "--set", "source=letters", "--case", tmp_path / "case")["covariates"]
    assert {k: v for k, v in point["covariates"].items() if k != "tokens"} == {k: v for k, v in fresh.items() if k != "tokens"}


def test_too_few_sets_give_no_number(tmp_path: Path) -> None:
    code, text = call("describe", "--run", run(tmp_path / "few", sets=SETS[:3]))
    assert code == 0
    assert "  template         missing: 3 distinct relearn sets; at least 4 are needed\n" in text


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, text = call("describe", "--run", tmp_path / "nowhere")
    assert code == 2
    assert "no ledger here" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["make", "--help"],
        ["check", "--help"],
        ["describe", "--help"],
        ["check", EXAMPLE + "/retain.jsonl", "--case", EXAMPLE],
        ["describe", "retain", "--case", EXAMPLE],
    ],
)
def test_no_torch_is_imported(arguments: list[str]) -> None:
    heavy = {"torch", "transformers", *(["scipy", "numpy"] if "--help" in arguments else [])}
    code = (
        "import sys; from vestige.cli import main\n"
        f"try: main({['relearn-set', *arguments]!r})\nexcept SystemExit: pass\n"
        f"assert not {heavy!r} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
