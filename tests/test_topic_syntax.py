"""Topic and syntax effects, on a ledger in which every level is planted."""

from __future__ import annotations

import pytest

from synthetic import At, Run
from vestige.desk.evidence import gather
from vestige.desk.stats.intervals import Estimate
from vestige.desk.topic_syntax import Design, difference, level, steps

DESIGN = Design("ss", "so", "os", "oo")
# At step 4: topic = (.8 + .4 - .5 - .3) / 2 = .2; syntax = (.8 + .5 - .4 - .3) / 2 = .3; interaction = (.8 - .4) - (.5 - .3) = .2.
# At step 2 all cells are at .1: no effect.
PLANTED = {"ss": 0.8, "so": 0.4, "os": 0.5, "oo": 0.3, "more": 0.6}


def evidence(**changes: object):
    levels = {("subject", name): {2: 0.1, 4: value} for name, value in PLANTED.items()}
    fields = {"sets": tuple(PLANTED), "levels": levels, "test": 8, "selection": 4, "jitter": 0.02}
    return gather(Run(**{**fields, **changes}).lines(), lambda ref: ref.removeprefix("text:"))


def values(found: dict[str, object]) -> dict[str, float]:
    return {name: value.value for name, value in found.items() if isinstance(value, Estimate)}


def test_effects_are_halves_of_sums_of_cells_and_the_interaction_a_difference_of_differences() -> None:
    rest, early, late = steps(evidence(), DESIGN, score="choice")
    assert (rest.step, early.step, late.step) == (0, 2, 4)
    assert rest.effects == {}
    assert values(late.effects) == pytest.approx({"topic": 0.2, "syntax": 0.3, "interaction": 0.2}, abs=0.01)
    assert values(early.effects) == pytest.approx({"topic": 0.0, "syntax": 0.0, "interaction": 0.0}, abs=0.01)


def test_levels_stand_in_the_order_of_the_design() -> None:
    late = steps(evidence(), DESIGN, score="choice")[-1]
    assert [x.value for x in late.levels if isinstance(x, Estimate)] == pytest.approx([0.8, 0.4, 0.5, 0.3], abs=0.01)
    other = level(evidence(), "more", 4, score="choice")
    assert isinstance(other, Estimate)
    assert other.value == pytest.approx(0.6, abs=0.01)


def test_a_difference_is_that_of_two_sets_at_one_step() -> None:
    """0.6 under the set beside the four, 0.3 where neither topic nor syntax is the same."""
    found = difference(evidence(), ("more", "oo"), 4, score="choice")
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(0.3, abs=0.01)
    turned = difference(evidence(), ("oo", "more"), 4, score="choice")
    assert isinstance(turned, Estimate)
    assert turned.value == pytest.approx(-0.3, abs=0.01)


def test_an_effect_is_as_wide_as_clusters_disagree_about_it() -> None:
    """In every other person the topic cells rise by 0.2 more: (.2 + .2) / 2 more topic there, 0.1 more on average."""

    def tweak(at: At, score: float) -> float:
        return score + 0.2 if at.set in {"ss", "so"} and at.step == 4 and at.index % 2 else score

    calm, torn = (steps(evidence(jitter=0.0, **change), DESIGN, score="choice")[-1].effects for change in ({}, {"tweak": tweak}))
    assert values(torn)["topic"] == pytest.approx(values(calm)["topic"] + 0.1, abs=0.01)
    assert values(torn)["syntax"] == pytest.approx(values(calm)["syntax"], abs=0.01)
    widths = [e["topic"].high - e["topic"].low for e in (calm, torn)]
    # Half of the people at +.1 around the mean, half at -.1: sd = .1 sqrt(8/7) = .107, t(7) = 2.365, so a width of
    # 2 x 2.365 x .107 / sqrt(8) = .179 by t; where Wilson's interval is wider on a side, it stands there.
    assert 0.179 - 0.005 <= widths[1] <= 0.179 + 0.01


def test_a_cell_without_records_has_no_level_and_no_effect() -> None:
    def tweak(at: At, score: float) -> float | None:
        return None if at.set == "os" and at.step == 4 else score

    found = {s.step: s for s in steps(evidence(tweak=tweak), DESIGN, score="choice")}
    assert isinstance(found[2].effects["topic"], Estimate)
    assert 4 not in found or not isinstance(found[4].effects["topic"], Estimate)
