"""`vestige case` and `vestige init --case` as a user meets them: what they print, exit codes, and what they keep to themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from test_folder import DOCS, FORGET, RETAIN, row, write
from vestige.case_summary import power
from vestige.cli import main

EXAMPLE = str(DOCS / "examples" / "customers")


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def as_json(*arguments: str) -> Any:
    return json.loads(call(*arguments, "--json")[1])


def test_a_clean_case_ends_with_0_and_says_what_it_is_good_for() -> None:
    """16 clusters, 4 of which select; 12 x 2 probes are 24 / (1 + 1 / 2) = 16 effective ones. 13 clusters of two give 17.3."""
    code, said = call("case", "check", EXAMPLE)
    assert code == 0
    assert ": clean\n" in said
    assert "16 clusters to forget, 2 questions about each; a quarter selects, 12 are reported on: 16.0 effective probes." in said
    assert "to rule out a remainder of 0.20: 17 are needed: you need 18 clusters" in said
    assert "Not told here: whether a model that never saw these rows knows the answers" in said


def test_problems_end_with_4_each_with_its_place_reason_and_remedy(tmp_path: Path) -> None:
    write(tmp_path, {"retain.jsonl": [*RETAIN, "oops", row("Ada", "Oslo", id="x", prompt="Ada's town:")]})
    code, said = call("case", "check", str(tmp_path))
    assert code == 4
    assert "2 problems, 2 warnings" in said
    at = said.index("  retain.jsonl:4  cluster: 'Ada'\n")
    assert said[at:].splitlines()[1].startswith("      it belongs to forget as well (forget.jsonl:1), where 'City' is ' Rome'")
    assert said[at:].splitlines()[2].startswith("      → give each a name of its own")


def test_warnings_alone_end_with_0(tmp_path: Path) -> None:
    code, said = call("case", "check", str(write(tmp_path, {})))
    assert code == 0
    assert "clean, 2 warnings" in said


def test_the_same_is_there_as_json(tmp_path: Path) -> None:
    write(tmp_path, {"retain.jsonl": [*RETAIN, row("Gil", "Oslo", answer=" ")]})
    found = as_json("case", "check", str(tmp_path))
    assert found["clean"] is False
    assert [(p["kind"], p["file"], p["line"], p["field"]) for p in found["problems"]] == [("empty", "retain.jsonl", 3, "answer")]
    assert all(p["reason"] and p["remedy"] for p in found["problems"] + found["warnings"])
    assert found["counts"] == {
        "rows": {"forget": 4, "retain": 2},
        "clusters": {"forget": 4, "retain": 2},
        "probes": {"forget": 4, "retain": 2},
    }
    assert found["power"] == power(4, 4)


def test_only_fifty_problems_are_printed(tmp_path: Path) -> None:
    write(tmp_path, {"retain.jsonl": [*RETAIN, *["x"] * 60]})
    code, said = call("case", "check", str(tmp_path))
    assert code == 4
    assert said.count("  retain.jsonl:") == 50
    assert "  ... and 10 more; --json lists them" in said
    assert len(as_json("case", "check", str(tmp_path))["problems"]) == 60


def test_what_a_file_holds_cannot_steer_the_terminal(tmp_path: Path) -> None:
    write(tmp_path, {"retain.jsonl": [*RETAIN, row("Gil", "Oslo", **{"\x1b[2Jx": "\u202e"})]})
    said = call("case", "check", str(tmp_path))[1] + call("case", "show", EXAMPLE)[1]
    assert not {"\x1b", "\u202e"} & set(said)


@pytest.mark.parametrize(
    ("asked", "probes", "n_eff", "clusters"),
    # Seventeen effective probes: 22 clusters leave 16, 23 leave 17 of one question each. Of four questions each counts 4 / 2.5 = 1.6:
    # 14 clusters leave 10, 16.0; 15 leave 11, 17.6. One cluster leaves none.
    [(8, 8, 6.0, 23), (8, 32, 9.6, 15), (1, 1, 0.0, 23)],
)
def test_the_clusters_that_are_needed_reach_the_bound_and_one_less_does_not(asked: int, probes: int, n_eff: float, clusters: int) -> None:
    found = power(asked, probes)
    assert found["n_eff"] == n_eff
    assert found["needs"]["0.20"] == {"n_min": 17, "clusters": clusters}
    each = probes // asked
    assert power(clusters, clusters * each)["n_eff"] >= 17 > power(clusters - 1, (clusters - 1) * each)["n_eff"]


def test_nothing_asked_needs_no_number(tmp_path: Path) -> None:
    assert power(0, 0)["needs"]["0.10"]["clusters"] is None
    rows = [{**r, "prompt": "", "loss_on": "text"} for r in FORGET]
    assert "Nothing to be forgotten is asked about." in call("case", "check", str(write(tmp_path, {"forget.jsonl": rows})))[1]


def test_show_keeps_what_is_to_be_forgotten_to_itself() -> None:
    code, said = call("case", "show", EXAMPLE)
    assert code == 0
    assert "forget: 32 rows, 16 clusters" in said
    assert "(4 select, 12 are reported on)" in said
    assert "attributes: City (16), Hobby (16)" in said
    assert "Alma" not in said
    assert "•" in said
    assert "Alma Ashdown" not in json.dumps(as_json("case", "show", EXAMPLE))
    revealed = call("case", "show", EXAMPLE, "--reveal")[1]
    assert "Customer Alma Ashdown. City: Rome" in revealed
    assert "•" not in revealed


def test_show_knows_the_built_in_cases_and_their_fields() -> None:
    found = as_json("case", "show", "customers")
    assert found["rows"]["forget"]["clusters"] == 16
    assert as_json("case", "show", "customers", "--set", "values_seed=2")["digest"] != found["digest"]
    assert as_json("case", "show", "capitals", "--set", "forget=16")["rows"]["forget"]["rows"] == 16


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "customer"], "did you mean 'customers'?"),
        (["show", "customers", "--set", "seed=2"], "did you mean 'values_seed'?"),
        (["show", "customers", "--set", "values_seed"], "expected KEY=VALUE"),
        (["check", "nowhere-at-all"], "there is no such folder"),
    ],
)
def test_what_is_not_there_is_named(arguments: list[str], says: str) -> None:
    code, said = call("case", *arguments)
    assert code == 4
    assert says in said


def test_a_template_is_written_and_clean(tmp_path: Path) -> None:
    folder = str(tmp_path / "case")
    code, said = call("init", "--case", folder, "--template", "hr-records", "--lang", "ja")
    assert code == 0
    assert f"next: vestige case check {folder}" in said
    assert call("case", "check", folder)[0] == 0
    code, said = call("init", "--case", folder, "--template", "hr-records")
    assert code == 4
    assert "exists already" in said


def test_a_draft_is_written_and_only_lacks_what_is_to_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text("".join(json.dumps({"question": r["prompt"], "answer": r["answer"]}) + "\n" for r in FORGET), encoding="utf-8")
    code, said = call("init", "--case", str(tmp_path / "case"), "--from", str(path))
    assert code == 0
    assert "guessed from the names in the text" in said
    assert "README.md there says what to check." in said
    code, said = call("case", "check", str(tmp_path / "case"))
    assert code == 4
    assert "1 problem, 1 warning\n" in said
    assert "retain.jsonl\n      the file holds no rows\n      → write one JSON object a line; a case needs them" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--case", "x"], "--case needs either --from FILE"),
        (["--case", "x", "--from", "f", "--template", "contracts"], "--case needs either --from FILE"),
        (["--template", "contracts"], "--template needs --case DIR"),
        (["--from", "f"], "--from needs --case DIR"),
        (["--case", "x", "--template", "contracts", "--cluster-field", "who"], "--cluster-field goes with --from"),
        (["--case", "x", "--template", "contracts", "--lang", "fr"], "expected one of: en, ja"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = call("init", *arguments)
    assert code == 4
    assert says in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["case", "--help"], ["case", "check", "--help"], ["init", "--help"], ["case", "check", EXAMPLE]]
)
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    code = (
        "import sys; from vestige.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'scipy', 'pyarrow', 'huggingface_hub'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
