"""Doubts about the audit itself: each is raised where it is due, says which audit it means, and is silent elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from synthetic import HINTS, UNRELATED, At, Run, read_blob
from vestige.desk.audit import audit
from vestige.desk.flags import _TABLE

LEAN = ("never_exposed_2", "sham", "broken")
ALONE = (*LEAN, "never_exposed")


def lean(**fields: Any) -> Run:
    return Run(**{"without": LEAN, **fields})


def header(lines: list[dict[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = next(x["body"] for x in lines if x["kind"] == "header")
    return body


def raised(lines: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return what each raised flag says."""
    found: dict[str, list[str]] = {}
    for flag in audit(lines, read_blob)["flags"]:
        found.setdefault(flag["name"], []).append(flag["says"])
    return found


def test_a_sound_run_raises_no_flag() -> None:
    assert raised(lean().lines()) == {}


def at_rest_of(role: str, group: str, level: float) -> Any:
    """Plant a level at rest: of five clusters two lie 0.055 below it, two above; the half-width is 2.776 x 0.055 / sqrt(5) = 0.068."""

    def tweak(at: At, score: float) -> float:
        index = at.index % 5
        return level + 0.055 * ((index > 2) - (index < 2)) if (at.role, at.group, at.set) == (role, group, None) else score

    return tweak


def edited(run: Run, **spec: Any) -> list[dict[str, Any]]:
    lines = run.lines()
    header(lines)["audits"][0].update(spec)
    return lines


def silent(lines: list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    return [x for x in lines if not (x["kind"] == "cell_done" and x["body"]["cell"].startswith(role))]


def avoid(at: At, score: float) -> float:
    return -0.2 if at.group == "forget" and at.role == "subject" and at.set is None else score


def last(which: Any) -> Any:
    return lambda at: at.role == "subject" and which(at.index)


# Flag, the run that raises it, and what its sentence holds.
RAISING: list[tuple[str, Any, str]] = [
    ("utility_collapsed", lambda: lean(kept={"subject": 0.3}).lines(), "unlearned: utility is 0.33"),
    ("control_missing", lambda: lean(without=ALONE).lines(), "no never-exposed control"),
    ("control_knows", lambda: lean(levels={("never_exposed", None): 0.3}).lines(), "scores 0.30; these probes can be guessed"),
    ("leak", lambda: lean(leaked={HINTS: ("forget-test-0-0",)}).lines(), "1 probes leaked"),
    ("too_few_probes", lambda: lean(test=10).lines(), "10.0 effective probes; at least 17"),
    ("original_never_knew", lambda: lean(levels={("original", None): 0.1}).lines(), "at least 0.3 is needed"),
    ("liar_not_caught", lambda: lean(levels={("positive", HINTS): 0.05}).lines(), "the liar was not caught"),
    ("decoys_not_at_chance", lambda: lean(tweak=at_rest_of("subject", "decoy", 0.4)).lines(), "where chance is 0"),
    ("unequal_tokens", lambda: lean(tokens={HINTS: 106, UNRELATED: 100}).lines(), f"{HINTS} 106, {UNRELATED} 100"),
    ("missing_cells", lambda: silent(lean().lines(), f"subject/{HINTS}"), "2 of "),
    ("one_seed", lambda: lean(seeds=(0,)).lines(), "every verdict is provisional"),
    ("asserted_lineage", lambda: edited(lean(), asserted_lineage=True), "asserted, not shown"),
    ("same_state", lambda: lean(digests={"subject/0": "one", "never_exposed/0": "one"}).lines(), "one and the same model"),
    ("imprint", lambda: lean(tweak=avoid, last=last(lambda index: index % 5 < 2)).lines(), "ranks last +0.40 more often"),
]


@pytest.mark.parametrize(("name", "make", "says"), RAISING, ids=[name for name, _, _ in RAISING])
def test_flag_is_raised(name: str, make: Any, says: str) -> None:
    said = raised(make())
    assert name in said
    assert any(says in sentence for sentence in said[name])


def test_every_flag_has_a_run_that_raises_it() -> None:
    assert [name for name, _, _ in RAISING] == [name for name, *_ in _TABLE]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("utility_collapsed", lambda: lean(without=(*LEAN, "original")).lines()),  # unknown is not collapsed
        ("control_missing", lambda: lean(without=ALONE, knowledge="pretrained").lines()),  # there can be none
        ("control_knows", lambda: lean(levels={("never_exposed", None): 0.19}).lines()),
        ("control_knows", lambda: silent(lean().lines(), "never_exposed/")),  # no data, no claim about it
        ("decoys_not_at_chance", lambda: lean(tweak=at_rest_of("subject", "decoy", 0.095)).lines()),  # within the margin
        ("unequal_tokens", lambda: lean(tokens={HINTS: 105, UNRELATED: 100}).lines()),
        ("unequal_tokens", lambda: silent(lean().lines(), f"subject/{HINTS}")),  # one set alone has nothing to differ from
        ("unequal_tokens", lambda: silent(silent(lean().lines(), f"subject/{HINTS}"), f"subject/{UNRELATED}")),
        ("imprint", lambda: lean(tweak=avoid, last=last(lambda index: index % 10 == 0)).lines()),  # 3 of 25
        ("imprint", lambda: silent(lean().lines(), "subject/0")),
        ("original_never_knew", lambda: silent(lean().lines(), "original/")),  # unknown, which is another doubt
    ],
)
def test_flag_is_not_raised(name: str, make: Any) -> None:
    assert name not in raised(make())


def test_decoys_of_an_audit_about_decoys_are_its_subject_matter() -> None:
    # The liar of an audit without an original hides the decoys: they are meant to be known there.
    lines = edited(lean(tweak=at_rest_of("subject", "decoy", 0.4)), group="decoy")
    header(lines)["audits"] = header(lines)["audits"][:1]
    assert "decoys_not_at_chance" not in raised(lines)


def test_unsure_decoys_are_not_flagged() -> None:
    # Two of five decoys at 0.6: mean 0.24, and an interval from below 0.
    def some(at: At, score: float) -> float:
        return (0.6 if at.index < 2 else 0.0) if (at.role, at.group) == ("subject", "decoy") else score

    assert "decoys_not_at_chance" not in raised(lean(tweak=some).lines())


def test_a_sentence_is_said_once_and_each_audit_has_its_own() -> None:
    said = raised(Run(seeds=(0,), test=10).lines())
    assert said["one_seed"] == ["one seed only: every verdict is provisional"]
    assert [s.split(":")[0] for s in said["too_few_probes"]] == ["unlearned", "twin", "liar", "broken"]


def test_every_flag_has_a_paragraph_and_a_severity() -> None:
    for name, severity, _, about in _TABLE:
        assert severity in ("blocks_pass", "note")
        assert len(about) > 80, name


@pytest.mark.parametrize(("name", "make"), [(name, make) for name, make, _ in RAISING], ids=[name for name, _, _ in RAISING])
def test_a_flag_that_says_it_blocks_pass_blocks_it(name: str, make: Any) -> None:
    verdict = audit(make(), read_blob)
    severity = next(f["severity"] for f in verdict["flags"] if f["name"] == name)
    if severity == "blocks_pass":
        assert verdict["verdict"] == "INCONCLUSIVE"


def test_notes_alone_leave_a_pass_a_pass() -> None:
    verdict = audit(edited(lean(seeds=(0,), tokens={HINTS: 120}), asserted_lineage=True), read_blob)
    assert {f["name"] for f in verdict["flags"]} == {"one_seed", "unequal_tokens", "asserted_lineage"}
    assert verdict["verdict"] == "PASS"
