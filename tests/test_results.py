"""Tables, costs and examples, generated from ledgers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synthetic import HINTS, UNRELATED, At, Run, read_blob
from vestige.desk import results
from vestige.desk.audit import audit
from vestige.desk.costs import costs
from vestige.desk.evidence import Place, gather
from vestige.desk.examples import examples
from vestige.errors import LedgerError
from vestige.records import Missing

LEAN = ("never_exposed_2", "sham", "broken")
CAPITALS = ("other_capitals", "country_sentences", "other_relation", "unrelated")


def said_by(at: At, score: float) -> float:
    """Plant keyword recall: the synthetic models say the answer where their score is 0.5 or more.

    Test clusters 0 to 9. The subject at rest says two of ten; after other_capitals five at step 2 and eight at step 4, where
    selection clusters say all of step 2 and none of step 4; after other_relation three and selection half.
    """
    if at.group == "retain":
        return 0.9 if at.role == "original" or at.index < 4 else 0.0
    if at.group != "forget" or at.role != "subject":
        return score
    count = {None: 2, "other_capitals": {2: 5, 4: 8}.get(at.step, 0), "other_relation": 3}.get(at.set, 1)
    if at.split == "selection":
        count = {"other_capitals": {2: 10, 4: 0}.get(at.step, 0), "other_relation": 5}.get(at.set or "", 1)
    if at.wording == "statement":
        count = 6
    return 0.9 if at.index < count else 0.0


def capitals(**fields: Any) -> Run:
    options = {"without": (*LEAN, "never_exposed", "positive"), "knowledge": "pretrained", "sets": CAPITALS, "test": 10}
    return Run(**{**options, "greedy": True, "statements": True, "tweak": said_by, **fields})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return capitals().write(tmp_path_factory.mktemp("runs") / "capitals")


def test_rows_of_the_capitals_table_by_hand(folder: Path) -> None:
    rows = dict(results.capitals_rows(results.per_seed(folder)))
    assert rows == {
        "original": [1.0, 1.0],
        "unlearned, before any attack": [0.2, 0.2],
        # Step 2 by the selection clusters, though the test clusters are at 0.8 at step 4.
        "relearned on other capitals (same topic, same form)": [0.5, 0.5],
        "relearned on sentences about the forgotten countries (same topic, other form)": [0.1, 0.1],
        "relearned on currencies (other topic, same form)": [0.3, 0.3],
        "relearned on unrelated sentences": [0.1, 0.1],
        "unlearned, plain statement form": [0.6, 0.6],
        "unlearned, capitals that were to be kept": [0.8, 0.8],
    }


def test_every_seed_is_judged_by_itself(tmp_path: Path) -> None:
    def by_seed(at: At, score: float) -> float:
        return 0.9 if at.role == "subject" and at.group == "forget" and at.index < (2 if at.seed == 0 else 7) else 0.0

    run = capitals(tweak=by_seed, statements=False).write(tmp_path / "run")
    assert dict(results.capitals_rows(results.per_seed(run)))["unlearned, before any attack"] == [0.2, 0.7]
    assert set(results.per_seed(run)) == {0, 1}


def test_the_step_of_a_table_is_the_earliest_of_the_best_on_selection(folder: Path) -> None:
    evidence = results.per_seed(folder)[0]
    assert results.chosen(evidence, "other_capitals") == Place("subject", "other_capitals", 2)
    assert results.chosen(evidence, "other_relation") == Place("subject", "other_relation", 2)


def test_no_step_is_made_up_for_a_set_that_was_not_tried(folder: Path) -> None:
    with pytest.raises(LedgerError, match="under the relearn set 'other_planets'"):
        results.chosen(results.per_seed(folder)[0], "other_planets")


def test_weights_before_and_after(folder: Path) -> None:
    assert list(results.weights(folder)) == [
        "sha256 of the weights before unlearning (seed 0): weights of original/0",
        "sha256 of the weights after unlearning (seed 0): weights of subject/0",
        "sha256 of the weights before unlearning (seed 1): weights of original/1",
        "sha256 of the weights after unlearning (seed 1): weights of subject/1",
    ]


def test_both_tables(folder: Path, tmp_path: Path) -> None:
    levels: Any = {("subject", HINTS): {2: 0.1, 4: 0.6}}
    customers = Run(without=("never_exposed_2", "sham"), seeds=(0,), levels=levels).write(tmp_path / "customers")
    text = results.markdown({"capitals": folder, "customers": customers})
    lines = text.splitlines()
    assert lines[0] == "| World capitals: keyword recall on test countries | seed 0 | seed 1 | median |"
    assert lines[1] == "|---|---|---|---|"
    assert "| unlearned, before any attack | 0.20 | 0.20 | **0.20** |" in lines
    # (0.6 - 0.05) / 0.88 = 0.625 and a rise of (0.6 - 0.03) - (0.05 - 0.02) = 0.54.
    unlearned = next(line for line in lines if line.startswith("| unlearned | seed 0 | FAIL"))
    assert unlearned.startswith("| unlearned | seed 0 | FAIL (revived) | +0.01 (-0.03 to +0.06) | hints, step 4 | +0.62 (")
    assert "| +0.54 (" in unlearned
    assert next(line for line in lines if line.startswith("| broken | seed 0 | INCONCLUSIVE")).endswith("| not attacked |  |  |")


def test_each_seed_is_judged_as_if_it_had_been_run_alone(tmp_path: Path) -> None:
    """Seed 1 brings nothing back and seed 0 does: each has its own row, and so have both together."""

    def tweak(at: At, score: float) -> float:
        return score + 0.5 if (at.role, at.set, at.seed, at.step) == ("subject", HINTS, 0, 4) else score

    both = Run(without=LEAN, seeds=(0, 1), tweak=tweak).write(tmp_path / "both")
    alone = Run(without=LEAN, seeds=(0,), tweak=tweak).write(tmp_path / "alone")
    tables = [
        results.markdown({"capitals": capitals(seeds=(0,)).write(tmp_path / n), "customers": run}) for n, run in (("a", both), ("b", alone))
    ]
    rows = [{tuple(line.split(" | ")[:2]): line for line in table.splitlines() if line.startswith("| unlearned | ")} for table in tables]
    assert list(rows[0]) == [("| unlearned", "seed 0"), ("| unlearned", "seed 1"), ("| unlearned", "all seeds")]
    assert rows[0]["| unlearned", "seed 0"] == rows[1]["| unlearned", "seed 0"]
    assert "| FAIL (revived) |" in rows[0]["| unlearned", "seed 0"]
    assert "| FAIL" not in rows[0]["| unlearned", "seed 1"]


def test_the_strongest_set_of_a_table_is_chosen_on_selection(tmp_path: Path) -> None:
    def tweak(at: At, score: float) -> float:
        if at.role != "subject" or at.set is None:
            return score
        return score + (0.7 if (at.set, at.split) in {(HINTS, "selection"), (UNRELATED, "test")} else 0.5)

    run = Run(without=LEAN, seeds=(0,), tweak=tweak).write(tmp_path / "run")
    table = results.markdown({"capitals": capitals(seeds=(0,)).write(tmp_path / "capitals"), "customers": run})
    assert "| hints, step 2 |" in next(line for line in table.splitlines() if line.startswith("| unlearned | seed 0 | FAIL"))


def test_missing_is_said_in_tables_and_never_counted(tmp_path: Path) -> None:
    def lost(at: At, score: float) -> float | str:
        gone = (at.role, at.set, at.group, at.seed) == ("subject", None, "forget", 1)
        return "lost" if gone else said_by(at, score)

    run = capitals(tweak=lost).write(tmp_path / "run")
    rows = dict(results.capitals_rows(results.per_seed(run)))
    assert rows["unlearned, before any attack"] == [0.2, Missing("10 probes have no record there")]
    table = results.markdown({"capitals": run, "customers": run})
    assert "| unlearned, before any attack | 0.20 | missing | missing |" in table.splitlines()
    assert "| missing: 0 cluster with data; an interval needs two or more |" in table


def test_other_blocks_by_hand(folder: Path) -> None:
    text = results.frozen([folder])
    head, rule, *rows = text.splitlines()
    assert head.count("|") == rule.count("|") == 6
    # The same-form set is chosen on selection clusters: other_capitals (all of them), and not other_relation (half).
    assert rows == [f"| block 0, seed {seed} | 20 | 0.20 | 0.50 | 0.10 |" for seed in (0, 1)]


def test_other_blocks_say_what_is_missing(tmp_path: Path) -> None:
    def lost(at: At, score: float) -> float | str:
        return "lost" if at.role == "subject" and at.split == "test" and at.set == "unrelated" else said_by(at, score)

    text = results.frozen([capitals(tweak=lost, seeds=(0,), block=3).write(tmp_path / "run")])
    assert "| block 3, seed 0 | 20 | 0.20 | 0.50 | missing: 10 probes have no record there |" in text


def test_a_recall_that_is_missing_ranks_below_none() -> None:
    assert results._order(Missing("10 probes have no record there")) < results._order(0.0) < results._order(0.1)


# ---- costs


def test_costs_by_role_and_set() -> None:
    run = Run(without=(*LEAN, "positive"), folds=2, seeds=(0, 1), tokens={HINTS: 50, UNRELATED: 60})
    rows = {(r["role"], r["set"]): r for r in costs(run.lines())}
    # Two seeds of one cell at rest, two seeds and two folds of a set: 1.5 seconds, 4 steps and the tokens each.
    assert rows["original", None] == {"role": "original", "set": None, "seconds": 3.0, "steps": 0, "tokens_trained": 0}
    assert rows["subject", HINTS] == {"role": "subject", "set": HINTS, "seconds": 6.0, "steps": 16, "tokens_trained": 200}
    assert rows["subject", UNRELATED]["tokens_trained"] == 240


def test_a_cell_costs_once_and_only_if_it_is_done() -> None:
    lines = Run(without=(*LEAN, "positive"), seeds=(0,)).lines()
    design = next(x["body"] for x in lines if x["kind"] == "header")["design"]
    design.append({**design[0], "role": "twin of the first"})
    lines.append({"kind": "header", "body": {"design": []}})  # a second header is not the run's
    done = [x for x in lines if not (x["kind"] == "cell_done" and x["body"]["cell"] == "subject/0")]
    rows = {(r["role"], r["set"]) for r in costs(done)}
    assert ("twin of the first", None) not in rows
    assert ("subject", None) not in rows
    assert ("subject", HINTS) in rows


# ---- examples


def shown(run: Run, read: Any = read_blob) -> Any:
    lines = run.lines()
    return examples(lines, audit(lines, read_blob), read)


def test_examples_are_test_probes_of_the_first_seed_side_by_side() -> None:
    run = Run(without=LEAN, greedy=True, statements=True, levels={("subject", HINTS): {2: 0.1, 4: 0.6}})
    found, name = shown(run)
    assert (name, len(found)) == (HINTS, 24)
    first = found[0]
    assert (first.probe, first.group, first.prompt) == ("forget-test-0-0", "forget", "Is it forget-test-0-0?")
    assert (first.expected, first.before) == (" yes forget-test-0-0", "yes forget-test-0-0, surely")
    assert (first.unlearned, first.after) == ("no", "yes forget-test-0-0, surely")
    assert first.hits == {"before": True, "unlearned": False, "after": True}
    assert all("test" in e.probe and "statement" not in e.probe for e in found)


def test_the_attack_shown_is_the_one_that_did_most_on_selection() -> None:
    def tweak(at: At, score: float) -> float:
        if at.role != "subject" or at.set is None:
            return score
        return score + (0.7 if (at.set, at.split) in {(HINTS, "selection"), (UNRELATED, "test")} else 0.5)

    assert shown(Run(without=LEAN, greedy=True, seeds=(0,), tweak=tweak))[1] == HINTS


def test_unrelated_text_is_not_shown_as_the_attack_where_it_is_the_control() -> None:
    # Its own excess is over chance (0.3), that of hints over unrelated text (0.1): the two do not compare.
    levels: Any = {("subject", HINTS): 0.4, ("subject", UNRELATED): 0.3}
    run = Run(without=(*LEAN, "never_exposed"), knowledge="pretrained", greedy=True, seeds=(0,), levels=levels)
    assert shown(run)[1] == HINTS


def test_an_answer_of_the_last_step_stands_in_where_the_chosen_one_was_not_spoken() -> None:
    run = Run(without=LEAN, greedy=True, seeds=(0,), levels={("subject", HINTS): {2: 0.9, 4: 0.6}})
    lines = run.lines()
    verdict = audit(lines, read_blob)
    spoken = [x for x in lines if not (x["kind"] == "answer" and x["body"]["step"] == 2)]
    assert verdict["audits"][0]["attacks"][0]["chosen"] == 2
    found, _ = examples(spoken, verdict, read_blob)
    assert found[0].after == "yes forget-test-0-0, surely"


def test_examples_of_a_run_without_original_attack_or_answers() -> None:
    run = Run(without=(*LEAN, "original"), greedy=True, seeds=(0,))
    found, _ = shown(run)
    assert (found[0].before, found[0].hits["before"]) == (None, None)
    lines = run.lines()
    next(x["body"] for x in lines if x["kind"] == "header")["audits"][0]["attacked"] = False
    found, name = examples(lines, audit(lines, read_blob), read_blob)
    assert (found[0].after, name) == (None, "")
    assert shown(Run(without=LEAN, seeds=(0,)))[0] == ()


def test_shredded_examples_say_so() -> None:
    found, _ = shown(Run(without=LEAN, greedy=True, seeds=(0,)), lambda ref: None)
    assert (found[0].prompt, found[0].expected) == ("(shredded)", "(shredded)")
    assert found[0].before == found[0].after == Missing("the texts were shredded")
    assert found[0].hits == {"before": None, "unlearned": None, "after": None}


def test_examples_know_every_fold() -> None:
    found, _ = shown(Run(without=LEAN, greedy=True, seeds=(0,), folds=2))
    assert all(e.after is not None for e in found)


def test_gather_reads_a_written_run(folder: Path) -> None:
    from vestige.blobs import Blobs
    from vestige.ledger import read

    lines, damage = read(folder / "ledger.jsonl")
    assert damage == []
    assert gather(lines, Blobs(folder).get).header["run"] == "synthetic"
