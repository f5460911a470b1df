"""Agreement of two judges beyond chance, by hand."""

from __future__ import annotations

import math

import pytest

from vestige.desk.stats.kappa import Kappa, kappa
from vestige.records import Missing


def test_kappa_by_hand() -> None:
    # 20 both yes, 5 and 10 apart, 15 both no. p_o = 35/50 = .7; yes: 25/50 and 30/50; p_e = .5 * .6 + .5 * .4 = .5; kappa = .2/.5 = .4.
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    found = kappa(pairs)
    assert isinstance(found, Kappa)
    assert (found.value, found.agreement, found.n) == (pytest.approx(0.4), 0.7, 50)
    # Var: p_ii terms .4 (1 - 1.1*.6)^2 + .3 (1 - .9*.6)^2 = .04624 + .06348; p_ij terms .36 (.1 (.6 + .5)^2 + .2 (.4 + .5)^2)
    # = .36 (.121 + .162) = .10188; minus (.4 - .5 * .6)^2 = .01; over 50 * .25: .2016 / 12.5 = .016128.
    half = 1.959964 * math.sqrt(0.016128)
    assert (found.low, found.high) == pytest.approx((0.4 - half, 0.4 + half), abs=1e-6)


def test_kappa_at_its_ends_and_where_it_is_not_defined() -> None:
    full, none, against = (
        kappa(p)
        for p in (
            [(True, True), (False, False)],
            [(True, True), (True, False), (False, True), (False, False)],
            [(True, False), (False, True)],
        )
    )
    assert [k.value for k in (full, none, against) if isinstance(k, Kappa)] == [1.0, 0.0, -1.0]
    assert isinstance(kappa([(True, True)] * 9), Missing)
    assert isinstance(kappa([]), Missing)


def test_the_reason_why_there_is_none_is_told() -> None:
    assert kappa([]) == Missing("no answer has both judgements")
    throughout = "both judges give one and the same judgement throughout: agreement beyond chance is not defined"
    assert kappa([(True, True)] * 9) == kappa([(False, False)] * 2) == Missing(throughout)


def test_the_interval_follows_the_level_and_ends_where_kappa_does() -> None:
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    # Half-widths are in the ratio of the normal quantiles: 1.6449 at 5 % a side, 1.9600 at 2.5 %.
    wide, narrow = kappa(pairs), kappa(pairs, alpha=0.05)
    assert isinstance(wide, Kappa)
    assert isinstance(narrow, Kappa)
    assert (narrow.high - narrow.value) / (wide.high - wide.value) == pytest.approx(1.6449 / 1.9600, abs=1e-4)
    few = kappa([(True, True)] * 2 + [(True, False), (False, False)])
    assert isinstance(few, Kappa)
    assert (few.value, few.high) == (0.5, 1.0)
    apart = kappa([(True, False)] * 2 + [(False, True), (False, False)])
    assert isinstance(apart, Kappa)
    assert (apart.value, apart.low) == (pytest.approx(-0.5), -1.0)


def test_kappa_does_not_depend_on_who_comes_first() -> None:
    pairs = [(True, True)] * 3 + [(True, False)] * 4 + [(False, False)] * 5
    assert kappa(pairs) == kappa([(b, a) for a, b in pairs])
