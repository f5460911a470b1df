"""`vestige measure`: planted levels come back as the numbers worked out by hand, what is missing says why, and no verdict changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from synthetic import HINTS, Run, read_blob
from vestige.cli import main
from vestige.desk import metrics
from vestige.desk.audit import audit
from vestige.desk.measures import Wanted, measures, of_run
from vestige.desk.report.measures import text
from vestige.errors import LedgerError, UsageError
from vestige.ledger import Ledger

# No jitter: every probe has its level exactly. Steps 2 and 4 of a set that gives half of what was lost back.
LEVELS: dict[tuple[str, str | None], float | dict[int, float]] = {
    ("original", None): 0.9,
    ("subject", None): 0.1,
    ("subject", HINTS): {2: 0.3, 4: 0.5},
    ("never_exposed", None): 0.02,
    ("never_exposed", HINTS): {2: 0.04, 4: 0.06},
}


def planted(**changes: Any) -> Run:
    return Run(**{"levels": LEVELS, "jitter": 0.0, "greedy": True, **changes})


def measured(run: Run, *names: str, **wanted: Any) -> dict[str, Any]:
    return measures(run.lines(), read_blob, Wanted(names, **wanted))


def row_of(found: dict[str, Any], audit_: str = "unlearned", set_: str = HINTS) -> dict[str, Any]:
    row = next(r for r in found["comes_back"] if r["audit"] == audit_)
    return next(dict(s) for s in row["sets"] if s["set"] == set_)


def arm(found: dict[str, Any], metric: str, role: str, set_: str | None = None, group: str = "forget", at: str = "") -> dict[str, Any]:
    return next(
        dict(r)
        for r in found["arms"]
        if (r["metric"], r["role"], r["set"], r["group"]) == (metric, role, set_, group) and at in ("", r["at"])
    )


def test_what_comes_back_is_what_was_planted() -> None:
    # Lost: 0.9 - 0.1 = 0.8. Back at step 4: 0.5 - 0.1 = 0.4, half of it. The control rose by 0.06 - 0.02 = 0.04: 0.36 / 0.8 = 0.45.
    found = row_of(measured(planted(), "choice"))
    assert found["step"] == 4
    assert found["recovery"]["value"] == pytest.approx(0.5)
    assert found["excess_recovery"]["value"] == pytest.approx(0.45)
    # Trapezoids over steps 0, 2, 4: (2 (0.1 + 0.3) / 2 + 2 (0.3 + 0.5) / 2) / 4 = 0.3; the control's, likewise, 0.04.
    assert found["area"]["value"] == pytest.approx(0.3)
    assert found["control_area"]["value"] == pytest.approx(0.04)
    assert found["area_difference"]["value"] == pytest.approx(0.26)
    # Half of the original's 0.9 is 0.45: reached after step 2, by step 4; by the control never.
    assert found["relearn_time"] == {"after": 2, "at": 4}
    assert found["control_relearn_time"] == {"after": 4, "at": None}
    assert found["anamnesis_index"] == {"missing_reason": "the control did not reach the threshold within 4 steps"}
    # Excess recovery at step 2: (0.3 - 0.1 - 0.02) / 0.8 = 0.225, at step 4 0.45. Of 25 alike clusters the exact lower bounds are below
    # those: only at step 4 can it lie at delta = 0.2 or above.
    assert found["excess_recovery"]["low"] > 0.2
    assert found["least_budget"] == 4
    # Every one of 25 facts is back at step 4, and none of the control's.
    assert (found["survival"]["revived"], found["survival"]["n"], found["survival"]["median"]) == (25, 25, {"after": 2, "at": 4})
    assert found["control_survival"]["revived"] == 0
    assert found["log_rank"]["p"] < 1e-6
    # |0.5 - 0.9| - |0.5 - 0.06| = -0.04: nearer to the original, by less than the exact interval of alike clusters can tell.
    assert found["closer"]["difference"]["value"] == pytest.approx(-0.04)
    assert found["closer"]["to"] == "neither"
    # (0.5 - 0.06) / (0.9 - 0.02) = 0.5 of K: not within 0.2.
    assert found["equivalence"]["estimate"]["value"] == pytest.approx(0.5)
    assert not found["equivalence"]["holds"]


def test_an_honest_twin_is_equivalent_and_closer_to_the_twin() -> None:
    found = measured(Run(), "choice")
    twin = row_of(found, "twin")
    assert twin["equivalence"]["holds"]
    assert twin["closer"]["to"] == "twin"
    assert twin["least_budget"] == {"missing_reason": "no budget up to 4 reaches 0.2"}


def test_the_time_ratio_compares_with_a_control_that_gets_there_too() -> None:
    # Half of 0.9 is crossed in (0, 2] by the subject and in (2, 4] by the control: 2 / 4, at least 0 / 4, at most 2 / 2.
    levels = {**LEVELS, ("subject", HINTS): {2: 0.6, 4: 0.7}, ("never_exposed", HINTS): {2: 0.2, 4: 0.6}}
    found = row_of(measured(planted(levels=levels), "choice"))
    assert found["anamnesis_index"] == {"value": 0.5, "low": 0.0, "high": 1.0}


@pytest.mark.parametrize(("share", "time"), [(0.2, {"after": 0, "at": 2}), (0.5, {"after": 2, "at": 4}), (0.9, {"after": 4, "at": None})])
def test_when_something_is_back_can_be_chosen(share: float, time: dict[str, int | None]) -> None:
    assert row_of(measured(planted(), "choice", share=share))["relearn_time"] == time


def test_levels_are_those_of_the_verdict() -> None:
    run = Run(statements=True, greedy=True)
    found = measured(run, "choice", "keyword", "answer_logp")
    verdict = audit(run.lines(), read_blob)
    keys = ("role", "set", "step", "group", "wording")
    judged = {(*(row[k] for k in keys), row["score"]): row["estimate"] for row in verdict["levels"]}
    rows = [row for row in found["arms"] if row["at"] == "at rest" and (*(row[k] for k in keys), row["metric"]) in judged]
    assert len(rows) > 50
    for row in rows:
        due = judged[(*(row[k] for k in keys), row["metric"])]
        assert {k: v for k, v in row["estimate"].items() if k != "missing_reason"} == {
            k: v for k, v in due.items() if k != "missing_reason"
        }


def test_every_metric_of_every_arm_is_there_or_says_why_not() -> None:
    found = measured(planted())
    due = {*metrics.TOKENS, *metrics.TEXTS}
    for role in planted().roles():
        rows = [r for r in found["arms"] if r["role"] == role and r["set"] is None and r["group"] == "forget"]
        assert {r["metric"] for r in rows} == due
        assert all("value" in r["estimate"] or r["estimate"]["missing_reason"] for r in rows)
    assert {(r["metric"], r["of"]) for r in found["sets"]} == {
        *(("auc", m) for m in metrics.MEMBERSHIP),
        ("forget_quality", "log_truth_ratio"),
    }
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_what_was_not_asked_at_the_chosen_step_is_missing_there_with_its_reason() -> None:
    run = planted()
    lines = [line for line in run.lines() if line["kind"] != "answer" or line["body"]["step"] in ("end", 4)]
    levels = {**LEVELS, ("subject", HINTS): {2: 0.5, 4: 0.3}}
    lines = [line for line in planted(levels=levels).lines() if line["kind"] != "answer" or line["body"]["step"] in ("end", 4)]
    found = measures(lines, read_blob, Wanted(("keyword",)))
    assert row_of(found)["step"] == 2
    assert arm(found, "keyword", "subject", HINTS, at="chosen")["estimate"] == {"missing_reason": "not asked at this step"}
    assert "value" in arm(found, "keyword", "subject", HINTS, at="last")["estimate"]


def test_missing_records_are_counted_by_reason() -> None:
    def tweak(at: Any, score: float) -> Any:
        return "the model broke off" if (at.role, at.set, at.group, at.split, at.index) == ("subject", None, "forget", "test", 0) else score

    found = arm(measured(planted(tweak=tweak), "choice"), "choice", "subject")
    assert found["estimate"]["missing"] == 1
    assert found["reasons"] == {"the model broke off": 1}


def test_a_score_without_bounds_has_no_interval_of_alike_clusters() -> None:
    found = arm(measured(planted(), "nll"), "nll", "original")
    assert found["estimate"]["missing_reason"].startswith("too few clusters differ")


def test_shredded_texts_are_missing_and_token_scores_are_not(tmp_path: Path) -> None:
    folder = planted().write(tmp_path / "run")
    (folder / "key").unlink()
    (folder / "blobs.jsonl").unlink()
    found = of_run(folder, Wanted(("keyword", "choice")))
    assert arm(found, "keyword", "original")["estimate"] == {"missing_reason": "the texts were shredded"}
    assert "value" in arm(found, "choice", "original")["estimate"]


def test_membership_is_told_from_decoys() -> None:
    # Decoys have a choice score of 0, p = 1/4; the original's 0.9 is p = 0.925: every forget probe has the lower loss, AUC 1.
    found = measured(planted(), "auc")
    rows = {(r["role"], r["of"]): r["estimate"] for r in found["sets"]}
    assert rows["original", "loss"]["value"] == 1.0
    assert "no_interval" in rows["original", "loss"]  # every draw gives 1: not certainty
    assert rows["original", "zlib"]["missing_reason"].startswith("0 members (25 missing)")  # these records hold no lengths


def test_an_auc_between_has_an_interval_over_clusters() -> None:
    # Forget probes at 0.1 +- 0.08 beside decoys at 0 +- 0.08: some, not all, are told apart.
    found = measured(Run(levels={("original", None): 0.1}), "auc")
    row = next(r["estimate"] for r in found["sets"] if (r["role"], r["of"]) == ("original", "loss"))
    assert 0.5 < row["low"] < row["value"] < row["high"] <= 1


def test_forget_quality_is_held_against_the_twin() -> None:
    found = {r["role"]: r["estimate"] for r in measured(Run(), "forget_quality")["sets"]}
    assert found["original"]["value"] < 1e-6 < found["subject"]["value"]
    assert found["never_exposed"] == {"missing_reason": "this is the model that others are held against"}


def test_without_a_twin_unrelated_text_stands_in_and_the_rest_is_missing() -> None:
    run = planted(knowledge="pretrained", without=("never_exposed", "never_exposed_2", "positive", "sham", "broken"))
    found = measured(run)
    hints, unrelated = row_of(found), row_of(found, set_="unrelated")
    # Beyond unrelated text, where the subject stays at 0.1: all of the 0.4 of 0.8.
    assert hints["excess_recovery"]["value"] == pytest.approx(0.5)
    assert hints["closer"] == {"missing_reason": "no never-exposed model was in the run"}
    assert unrelated["excess_recovery"]["missing_reason"].startswith("nothing to hold it against")
    assert {r["estimate"]["missing_reason"] for r in found["sets"] if r["metric"] == "forget_quality"} == {"no never-exposed model"}


def test_without_an_original_what_was_lost_is_not_known() -> None:
    found = row_of(measured(planted(without=("original",)), "choice"))
    assert found["recovery"]["missing_reason"].startswith("no original model")
    assert found["least_budget"]["missing_reason"] == "no budget has an estimate"
    assert found["area"]["value"] == pytest.approx(0.3)
    assert found["relearn_time"] == {"after": 2, "at": 4}  # half of a full score, 0.5


def test_another_score_tells_it_by_its_own_steps() -> None:
    found = measured(planted(), "choice", by="keyword")
    assert found["by"] == "keyword"
    # A planted score of 0.5 or more says the answer: nobody does at step 2, everybody at step 4; the original, at rest, too.
    assert row_of(found)["recovery"]["value"] == pytest.approx(1.0)
    assert row_of(found)["relearn_time"] == {"after": 2, "at": 4}


@pytest.mark.parametrize("names", [("rouge",), ("choice", "truth_ratoi")])
def test_a_metric_that_does_not_exist_is_named_with_the_nearest(names: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=f"no metric {names[-1]!r}; did you mean"):
        Wanted(names)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="expected more than 0 and at most 1"):
        Wanted(share=share)


def test_the_command_prints_tables_and_leaves_the_run_alone(tmp_path: Path) -> None:
    folder = planted().write(tmp_path / "run")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    shown = CliRunner().invoke(main, ["measure", str(folder)])
    assert shown.exit_code == 0, shown.output
    assert "what comes back: unlearned (subject against never_exposed)" in shown.output
    assert "recovery beyond control" in shown.output
    assert "anamnesis index" in shown.output
    assert "missing: the control did not reach the threshold within 4 steps" in shown.output
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    as_json = CliRunner().invoke(main, ["measure", str(folder), "--metric", "choice", "--json"])
    assert json.loads(as_json.output) == of_run(folder, Wanted(("choice",)))


def test_tables_keep_to_the_width_and_show_the_short_list_unless_asked() -> None:
    found = measured(planted())
    assert max(map(len, text(found, width=100).splitlines()[2:])) <= 170  # a heading or a reason may be longer than a table
    tables = [line for line in text(found, width=100).splitlines() if line.startswith("  ") and "missing" not in line and ":" not in line]
    assert max(map(len, tables)) <= 100
    assert "word_entropy" not in text(found)
    assert "word_entropy" in text(found, names=("all",))


def test_a_tuning_is_no_run(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.add("header", {"plan": {"tune": {}}})
    ledger.commit()
    ledger.close()
    with pytest.raises(LedgerError, match="a tuning holds trials"):
        of_run(tmp_path)
