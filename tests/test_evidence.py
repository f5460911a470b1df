"""Ledger lines to tables of scores: what counts, what is averaged, what is missing, and what is never filled in."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest

from synthetic import HINTS, UNRELATED, At, Run, read_blob
from vestige.desk.evidence import AT_REST, Evidence, Place, gather, lines_by_seed
from vestige.desk.levels import Question, at_rest, combine
from vestige.errors import LedgerError
from vestige.records import Missing, canonical, digest

REST = at_rest("subject")


def small(**fields: Any) -> Run:
    return Run(**{"test": 5, "selection": 5, "without": ("never_exposed_2", "sham", "broken", "positive"), **fields})


def read(lines: list[dict[str, Any]]) -> Evidence:
    return gather(lines, read_blob)


def forget(evidence: Evidence, place: Place, split: str = "test", score: str = "choice") -> dict[str, Any]:
    return evidence.values(place, score=score, group="forget", split=split)


def without(lines: list[dict[str, Any]], kind: str, **body: Any) -> list[dict[str, Any]]:
    return [x for x in lines if not (x["kind"] == kind and all(x["body"][k] == v for k, v in body.items()))]


def test_planted_levels_are_read_back_at_their_place() -> None:
    run = small(jitter=0.0, levels={("subject", None): 0.3, ("subject", HINTS): {2: 0.4, 4: 0.5}})
    evidence = read(run.lines())
    for place, level in ((REST, 0.3), (Place("subject", HINTS, 2), 0.4), (Place("subject", HINTS, 4), 0.5)):
        assert list(forget(evidence, place).values()) == pytest.approx([level] * 5)
        assert list(forget(evidence, place, "selection").values()) == pytest.approx([level] * 5)
    assert combine(evidence, Question("choice", "utility"), [(1.0, REST)]).mean == pytest.approx(0.88)
    assert forget(evidence, Place("subject", HINTS, 3)) == {}


def test_no_header_no_evidence() -> None:
    with pytest.raises(LedgerError, match="no header"):
        read(without(small().lines(), "header"))


def test_a_cell_counts_only_with_its_cell_done() -> None:
    run = small(seeds=(0,))
    evidence = read(without(run.lines(), "cell_done", cell="subject/0"))
    assert forget(evidence, REST) == {}
    assert "subject/0" not in evidence.states
    assert len(forget(evidence, at_rest("original"))) == 5


def test_a_failure_that_was_made_good_is_no_failure() -> None:
    lines = small().lines()
    failures = [{"kind": "cell_failed", "body": {"cell": cell, "error": "out of memory"}} for cell in ("subject/0", "gone")]
    assert read([*lines, *failures]).failed == {"gone": "out of memory"}


def test_a_record_counts_once() -> None:
    lines = small(jitter=0.0, seeds=(0,)).lines()
    doubled = copy.deepcopy([x for x in lines if x["kind"] == "score_tokens"])
    for line in doubled:
        line["body"]["candidates"] = []
    assert forget(read(lines + doubled), REST) == forget(read(lines), REST)


# ---- seeds


def by_seed(at: At, score: float) -> float:
    return {0: 0.2, 1: 0.6}[at.seed] if at.role == "subject" and at.group == "forget" else score


def test_seeds_are_averaged_per_probe() -> None:
    evidence = read(small(tweak=by_seed).lines())
    assert list(forget(evidence, REST).values()) == pytest.approx([0.4] * 5)
    assert list(forget(evidence, Place("subject", HINTS, 4)).values()) == pytest.approx([0.4] * 5)


def test_one_missing_seed_makes_the_probe_missing() -> None:
    def lost(at: At, score: float) -> float | str:
        return "not finite" if (at.role, at.set, at.seed, at.probe) == ("subject", None, 1, "forget-test-2-0") else score

    values = forget(read(small(tweak=lost).lines()), REST)
    assert values.pop("forget-test-2-0") == Missing("not finite")
    assert len(values) == 4
    assert all(isinstance(v, float) for v in values.values())


@pytest.mark.parametrize("how", ["no record", "no cell"])
def test_a_seed_that_is_not_there_is_missing_too(how: str) -> None:
    # The mean over the seeds that happen to be there is not the mean over the seeds that were planned.
    def lost(at: At, score: float) -> float | None:
        return None if how == "no record" and at.role == "subject" and at.seed == 1 and at.set is None else score

    lines = small(tweak=lost).lines()
    if how == "no cell":
        lines = without(lines, "cell_done", cell="subject/1")
    assert set(forget(read(lines), REST).values()) == {Missing("asked in 1 of 2 seeds")}


def test_a_state_shared_by_seeds_counts_for_each() -> None:
    # An audit of somebody's checkpoint: one and the same loaded model at rest, several seeds of the attack.
    lines = small().lines()
    header = next(x["body"] for x in lines if x["kind"] == "header")
    for arm in header["design"]:
        if arm["role"] == "subject" and arm["set"] is None:
            arm["cell"] = "subject/0"
    assert all(isinstance(v, float) for v in forget(read(lines), REST).values())


def test_a_cell_is_filed_under_every_role_it_plays() -> None:
    lines = small(seeds=(0,)).lines()
    header = next(x["body"] for x in lines if x["kind"] == "header")
    header["design"].append({**header["design"][0], "cell": "subject/0", "role": "untaught"})
    evidence = read(lines)
    assert forget(evidence, at_rest("untaught")) == forget(evidence, REST) != {}


def test_records_on_the_way_do_not_count_at_rest_and_the_other_way_round() -> None:
    lines = small(seeds=(0,)).lines()
    for line in lines:
        if line["kind"] == "score_tokens" and line["body"]["cell"] == "subject/0":
            line["body"]["step"] = 4
        elif line["kind"] == "score_tokens" and line["body"]["cell"] == f"subject/{HINTS}/0/0":
            line["body"]["step"] = "end"
    evidence = read(lines)
    assert forget(evidence, REST) == forget(evidence, Place("subject", HINTS, 4)) == {}


# ---- steps


def test_steps_are_those_of_the_plan_and_those_that_were_asked() -> None:
    run = small(probe_at=(1, 2, 4))
    full = run.lines()
    assert read(full).steps("subject", HINTS) == [1, 2, 4]
    assert read(without(full, "score_tokens", step=2)).steps("subject", HINTS) == [1, 2, 4]
    assert read([x for x in full if x["kind"] in ("header", "measurement")]).steps("subject", HINTS) == [1, 2, 4]
    for line in full:
        if line["kind"] == "score_tokens" and line["body"]["step"] == 4:
            line["body"]["step"] = 3
    assert read(full).steps("subject", HINTS) == [1, 2, 3, 4]
    assert read(full).steps("subject", "other") == read(full).steps("original", HINTS) == []


def test_each_attack_has_its_own_steps() -> None:
    run = small(attacks=("relearn", "quantise"))
    lines = run.lines()
    header = next(x["body"] for x in lines if x["kind"] == "header")
    header["plan"]["attacks"][1]["probe_at"] = [2, 4, 9]
    evidence = read(lines)
    assert evidence.steps("subject", f"{HINTS} (relearn)") == [2, 4]
    assert evidence.steps("subject", f"{HINTS} (quantise)") == [2, 4, 9]


# ---- leaks


def test_a_leaked_probe_is_set_apart_under_its_set_only() -> None:
    evidence = read(small(leaked={HINTS: ("forget-test-1-0",)}, folds=2).lines())
    assert evidence.leaks == {(HINTS, "forget"): {"forget-test-1-0"}, (UNRELATED, "forget"): set()}
    assert len(forget(evidence, Place("subject", HINTS, 4))) == 4
    assert len(forget(evidence, Place("subject", UNRELATED, 4))) == len(forget(evidence, REST)) == 5
    hinted = [(1.0, Place("subject", UNRELATED, 4)), (-1.0, Place("subject", HINTS, 4))]
    apart = combine(evidence, Question("choice", "forget"), hinted)
    # Set apart is not missing; and a probe that leaked on either side of a difference is set apart on both.
    assert (len(apart.values), apart.missing) == (4, 0)


def test_sets_of_several_attacks_share_their_leak_check() -> None:
    evidence = read(small(leaked={HINTS: ("forget-test-1-0",)}, attacks=("relearn", "quantise")).lines())
    assert evidence.leaks[f"{HINTS} (quantise)", "forget"] == {"forget-test-1-0"}
    assert (HINTS, "forget") not in evidence.leaks


def test_other_measurements_are_no_leak_checks() -> None:
    lines = small().lines()
    lines.insert(0, {"kind": "measurement", "body": {"name": "screen", "asked": 3, "count": 2, "known": "text:[]"}})
    assert read(lines).leaks == read(small().lines()).leaks


# ---- keywords and texts


def test_keyword_recall_reads_the_texts() -> None:
    levels: Any = {("original", None): 0.9, ("subject", None): 0.1}
    evidence = read(small(greedy=True, levels=levels, seeds=(0,)).lines())
    assert set(forget(evidence, at_rest("original"), score="keyword").values()) == {1.0}
    assert set(forget(evidence, REST, score="keyword").values()) == {0.0}


@pytest.mark.parametrize("gone", ["text", "expected", "both"])
def test_shredded_texts_are_missing_and_not_wrong(gone: str) -> None:
    def blob(ref: str) -> str | None:
        kind = "expected" if ref.startswith("text: yes") else "text"
        return None if gone in (kind, "both") else read_blob(ref)

    evidence = gather(small(greedy=True, seeds=(0,)).lines(), blob)
    assert set(forget(evidence, at_rest("original"), score="keyword").values()) == {Missing("the texts were shredded")}
    assert all(isinstance(v, float) for v in forget(evidence, at_rest("original")).values())


def test_an_answer_that_could_not_be_had_is_missing() -> None:
    lines = small(greedy=True, seeds=(0,)).lines()
    for line in lines:
        if line["kind"] == "answer":
            line["body"]["missing"] = "timed out"
    assert set(forget(read(lines), REST, score="keyword").values()) == {Missing("timed out")}


def test_scores_without_a_record_are_empty_tables() -> None:
    evidence = read([x for x in small().lines() if x["kind"] == "header"])
    assert evidence.scores == {"choice": {}, "answer_logp": {}, "imprint": {}, "keyword": {}}


# ---- combining


def test_differences_are_paired_by_probe() -> None:
    # Levels between 0.1 and 0.9 by cluster, the same for both: their difference is 0.05 everywhere.
    def spread(at: At, score: float) -> float:
        level = 0.1 + 0.2 * at.index
        return level + 0.05 if at.role == "subject" else level

    evidence = read(small(tweak=spread).lines())
    paired = combine(evidence, Question("choice", "forget"), [(1.0, REST), (-1.0, at_rest("never_exposed"))])
    assert [v for values in paired.values.values() for v in values] == pytest.approx([0.05] * 5)


def test_a_probe_without_its_partner_is_missing_from_the_difference() -> None:
    def lost(at: At, score: float) -> float | str | None:
        if at.set is None and at.index < 2 and at.group == "forget":
            return {("subject", 0): "not finite", ("never_exposed", 1): None}.get((at.role, at.index), score)
        return score

    evidence = read(small(tweak=lost).lines())
    pair = combine(evidence, Question("choice", "forget"), [(1.0, REST), (-1.0, at_rest("never_exposed"))])
    assert (sorted(pair.values), pair.missing) == (["forget-test-2", "forget-test-3", "forget-test-4"], 2)


def test_probes_are_grouped_by_cluster_and_a_wording_by_itself() -> None:
    evidence = read(small(per_cluster=3, statements=True, jitter=0.0).lines())
    primary = combine(evidence, Question("choice", "forget"), [(1.0, REST)])
    assert {name: len(v) for name, v in primary.values.items()} == {f"forget-test-{i}": 3 for i in range(5)}
    other = combine(evidence, Question("choice", "forget", wording="statement"), [(1.0, REST)])
    assert sum(map(len, other.values.values())) == 15
    assert evidence.expected("forget", "test", "statement") == [p for p in evidence.probes if "test" in p and p.endswith("-statement")]


def test_every_expected_probe_without_a_value_is_counted() -> None:
    evidence = read([x for x in small().lines() if x["kind"] == "header"])
    nothing = combine(evidence, Question("choice", "forget"), [(1.0, REST)])
    assert (nothing.values, nothing.missing) == ({}, 5)
    assert nothing.mean == Missing("5 probes have no record there")


def test_what_cannot_be_negative_is_marked_so() -> None:
    evidence = read(small(greedy=True).lines())
    level, difference = [(1.0, REST)], [(1.0, REST), (-1.0, at_rest("never_exposed"))]
    signed = {}
    for score in ("choice", "keyword", "imprint"):
        for terms in (level, difference):
            signed[score, len(terms)] = combine(evidence, Question(score, "forget"), terms).signed
    assert signed == {
        ("choice", 1): True,
        ("choice", 2): True,
        ("keyword", 1): False,
        ("keyword", 2): True,
        ("imprint", 1): False,
        ("imprint", 2): True,
    }


def test_a_constant_is_taken_off_the_mean() -> None:
    evidence = read(small(jitter=0.0, levels={("subject", None): 0.5}).lines())
    assert combine(evidence, Question("choice", "forget"), [(1.0, REST)], minus=0.125).mean == pytest.approx(0.375)


# ---- identity


def test_the_digest_is_of_records_states_and_leak_checks_in_any_order() -> None:
    lines = small().lines()
    same = read(lines).digest
    shuffled = list(lines)
    random.Random(0).shuffle(shuffled)
    assert read(shuffled).digest == same
    slower = copy.deepcopy(lines)
    for line in slower:
        if line["kind"] == "cell_done":
            line["body"]["seconds"] = 99.0
    assert read(slower).digest == same
    for kind, key, value in (("score_tokens", "missing", "x"), ("state", "digest", "x"), ("measurement", "leaked", ["x"])):
        changed = copy.deepcopy(lines)
        next(x for x in changed if x["kind"] == kind)["body"][key] = value
        assert read(changed).digest != same


def test_the_digest_is_that_of_the_sorted_list_of_their_texts_in_any_script() -> None:
    lines = small(seeds=(0,)).lines()
    for line, text in zip((x for x in lines if x["kind"] == "score_tokens"), ("東京", "\U0001d11e", "\uffee", 'é"\\', "a"), strict=False):
        line["body"]["prompt"] = text
    kinds = ("score_tokens", "answer", "state", "measurement")
    assert read(lines).digest == digest(sorted({canonical(x["body"]).decode() for x in lines if x["kind"] in kinds}))


def test_lines_are_read_once_and_may_come_as_a_stream() -> None:
    lines = small().lines()
    streamed, listed = gather(iter(lines), read_blob), read(lines)
    assert (streamed.digest, streamed.scores) == (listed.digest, listed.scores)


def test_lines_of_one_seed_need_a_header() -> None:
    with pytest.raises(LedgerError, match="no header line"):
        lines_by_seed(without(small().lines(), "header"))


def test_lines_of_one_seed_are_those_of_a_run_of_that_seed() -> None:
    lines = small(seeds=(3, 5)).lines()
    for seed, own in lines_by_seed(lines).items():
        levels = {place: table for place, table in read(own).scores["choice"].items() if table}
        assert levels == read(small(seeds=(seed,)).lines()).scores["choice"]
    assert sorted(lines_by_seed(lines)) == [3, 5]


def test_at_rest_is_step_zero_without_a_set() -> None:
    assert at_rest("subject") == Place("subject", None, AT_REST)


# ---- the synthetic ledger is what a recorder writes


def test_synthetic_lines_have_the_recorders_fields(tmp_path: Path) -> None:
    from vestige import plan as plans
    from vestige.blobs import Blobs
    from vestige.cases.customers import Customers
    from vestige.cells import Arm, Ask, Cell, Graph
    from vestige.graph import audits
    from vestige.lab.cell import Outcome
    from vestige.ledger import Ledger
    from vestige.recording import Recorder
    from vestige.records import Answer, Candidate, RelearnSet, ScoreTokens

    plan = plans.resolve(
        {
            "vestige": 1,
            "name": "shape",
            "case": {"name": "customers"},
            "unlearn": {"method": "npo"},
            "relearn_sets": [{"recipe": "rtt_fold"}],
            "attacks": [{"method": "relearn"}],
        }
    )
    case = Customers()()
    probe = case.asked("forget")[0]
    arm = Arm("c", "subject", 0, "relearn", "rtt_fold", "rtt_fold")
    recorder = Recorder(Ledger(tmp_path / "ledger.jsonl"), Blobs.create(tmp_path), plan.ask)
    recorder.leak_check(RelearnSet("rtt_fold", "rtt_fold", plan.relearn_sets[0].action.made(case).folds[:1]), "forget", (probe,))
    recorder.header(plan, case, Graph(arms=[arm], audits=audits(plan, case, {"subject", "positive"})), {})
    said = [ScoreTokens(probe.id, (Candidate("true", (-1.0,), (0,), (1.0,), (1.0,)),)), Answer(probe.id, "text", "eos")]
    cell = Cell("c", "label", "load", None, "model", None, None, {}, 0, None, (), (Ask("end", "choice", (probe,)),))
    recorder.done(cell, Outcome(records=[("end", "choice", said)]), kept=False)  # type: ignore[list-item]
    recorder.ledger.close()

    real = {line["kind"]: line["body"] for line in recorder.ledger.lines}
    mine = {line["kind"]: line["body"] for line in Run(greedy=True).lines()}
    assert set(real) == set(mine)
    for kind, body in real.items():
        assert set(body) == set(mine[kind]), kind
    for key in ("probes", "design"):
        assert set(real["header"][key][0]) == set(mine["header"][key][0])
    for key in ("case", "rule"):
        assert set(real["header"][key]) == set(mine["header"][key])
    assert [set(row) for row in real["header"]["audits"]] == [set(row) for row in mine["header"]["audits"][:2]]
    assert {"probe_at"} <= set(real["header"]["plan"]["attacks"][0])
    assert set(real["score_tokens"]["candidates"][0]) == set(mine["score_tokens"]["candidates"][0])
