"""One canonical JSON and one digest for everything: what is refused, what does not matter, and values pinned for ever."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestige.records import Answer, Candidate, Case, Fold, Missing, Probe, RelearnSet, Row, ScoreTokens, canonical, digest, plain

ROW = Row("Ada/City", "Ada. City:", " Oslo", "Ada", attribute="City")
PROBE = Probe("Ada/City", "Ada. City:", " Oslo", "forget", "Ada", "test", (" Rome",), (" オスロ",), "City")
CANDIDATE = Candidate("true", (-0.5, -1e-05), (1, 0), (0.25, 1.0), (2.0, 0.0))
CASE = Case("c", "1", "en", "Apache-2.0", "planted", "choice", (ROW,), (), (PROBE,), sources={"b": (), "a": (ROW,)})

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
CALM = settings(deadline=None)  # a busy machine is no failure


# Each JSON text is written out by hand; the digest is the sha256 of its UTF-8 bytes.
GOLDEN: list[tuple[Any, str, str]] = [
    ({}, "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    ([], "[]", "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"),
    (
        {"b": [1, 2.5, None, True], "a": "é東", "A": ("x",)},
        '{"A":["x"],"a":"é東","b":[1,2.5,null,true]}',
        "4dbc6d153f7fea054e8c58f40b280d89239f0e5f8da229a1f263696c1acf76db",
    ),
    (Missing("no reason"), '{"reason":"no reason"}', "fce59bef9413b5f8f27f64cc2fc7254e96c97b93be1d340c7e64f4f7477da77c"),
    (
        ROW,
        '{"answer":" Oslo","attribute":"City","cluster":"Ada","form":"plain","id":"Ada/City","loss_on":"answer","prompt":"Ada. City:"}',
        "82bd8bb0da24ea0a0eb48756178d1f5ff046bbd9d913d4306b6f7867b68ae6ac",
    ),
    (
        PROBE,
        '{"aliases":[" オスロ"],"answer":" Oslo","attribute":"City","cluster":"Ada","distractors":[" Rome"],"form":"plain","group":'
        '"forget","id":"Ada/City","keywords":[],"prompt":"Ada. City:","split":"test","wording":"primary"}',
        "929a47f4c38f91baddb7077dff9f630f5f59de0275f9d7489da103757921e27f",
    ),
    (
        RelearnSet("s", "source", (Fold((), ("p",)),)),
        '{"folds":[{"asks":["p"],"rows":[]}],"name":"s","recipe":"source"}',
        "bfb7411a83fb99d25129e35430c7e24017537ccb11d4b4f8e1ba338806977d3f",
    ),
    (
        ScoreTokens("p", (CANDIDATE,)),
        '{"candidates":[{"candidate":"true","entropy":[2.0,0.0],"logp":[-0.5,-1e-05],"sd":[0.25,1.0],"top1":[1,0]}],"probe":"p"}',
        "327a5150d9824b0db2742f2af650808d0702295c97d95039935490783ec13859",
    ),
    (
        Answer("p", ' "\\\n\x00', "eos"),
        '{"finish":"eos","probe":"p","text":" \\"\\\\\\n\\u0000"}',
        "7bb51568a6f0599519300a93c8b08f725b6da90f9ce14d5ba0a609179e67df2a",
    ),
]


@pytest.mark.parametrize(("value", "text", "sha"), GOLDEN, ids=[type(v).__name__ + str(i) for i, (v, _, _) in enumerate(GOLDEN)])
def test_golden_digests(value: Any, text: str, sha: str) -> None:
    assert canonical(value).decode("utf-8") == text
    assert hashlib.sha256(text.encode("utf-8")).hexdigest() == sha
    assert digest(value) == sha


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, np.float64("nan"), np.float64("inf")])
@pytest.mark.parametrize(
    "where", [lambda x: x, lambda x: [0, [x]], lambda x: {"a": {"b": (x,)}}, lambda x: Candidate("true", (x,), (), (), ())]
)
def test_what_is_not_a_number_has_no_place(bad: float, where: Any) -> None:
    for refuse in (plain, canonical, digest):
        with pytest.raises(ValueError, match=r"use Missing\(reason\)"):
            refuse(where(bad))


@pytest.mark.parametrize("bad", [{1, 2}, b"x", object(), Row, 1j, np.float32(1.0), np.int64(1)])
def test_what_json_cannot_hold_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError):
        canonical({"a": bad})


def test_half_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        canonical("\ud83d")


def test_keys_that_are_the_same_text_are_refused() -> None:
    with pytest.raises(ValueError, match="one value would be lost"):
        canonical({1: "a", "1": "b"})
    assert canonical({1: "a", 2: "b"}) == b'{"1":"a","2":"b"}'


@CALM
@given(st.dictionaries(st.text(), JSON_VALUES, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_is_irrelevant(value: dict[str, Any], rng: Any) -> None:
    keys = list(value)
    rng.shuffle(keys)
    assert digest({k: value[k] for k in keys}) == digest(value)


@CALM
@given(JSON_VALUES)
def test_canonical_json_is_a_fixed_point(value: Any) -> None:
    raw = canonical(value)
    assert canonical(json.loads(raw)) == raw
    assert b"\n" not in raw


@CALM
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_bit_for_bit(number: float) -> None:
    assert json.loads(canonical(number)).hex() == number.hex()


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), (0.0, -0.0), ("1", 1), ([], {}), (None, "null"), ("é", "e\u0301"), ([1, 2], [2, 1])]
)
def test_different_things_have_different_digests(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


@pytest.mark.parametrize(
    ("one", "other"), [((1, 2), [1, 2]), (np.float64(0.5), 0.5), (ROW, dataclasses.asdict(ROW)), (CASE, dataclasses.replace(CASE))]
)
def test_the_same_thing_has_one_digest(one: Any, other: Any) -> None:
    assert digest(one) == digest(other)


def test_any_changed_field_changes_the_digest() -> None:
    changed = [dataclasses.replace(PROBE, **{f.name: "other"}) for f in dataclasses.fields(PROBE)]
    assert len({digest(p) for p in (PROBE, *changed)}) == len(changed) + 1


def test_sources_of_a_case_have_no_order() -> None:
    assert digest(CASE) == digest(dataclasses.replace(CASE, sources={"a": (ROW,), "b": ()}))


@pytest.mark.parametrize("value", [ROW, PROBE, CANDIDATE, CASE, Missing("x"), Answer("p", "t", "eos")])
def test_records_are_frozen(value: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(value)[0].name, "other")


def test_a_row_is_prompt_and_answer_as_they_stand() -> None:
    assert ROW.text == "Ada. City: Oslo"


def test_a_case_hands_out_probes_by_group_split_and_wording() -> None:
    made = [
        dataclasses.replace(PROBE, id=name, group=group, split=split, wording=wording)
        for name, group, split, wording in (
            ("a", "forget", "test", "primary"),
            ("b", "forget", "selection", "primary"),
            ("c", "forget", "test", "question"),
            ("d", "retain", "test", "primary"),
        )
    ]
    case = dataclasses.replace(CASE, probes=tuple(made))

    def ids(*arguments: Any, **named: Any) -> str:
        return "".join(p.id for p in case.asked(*arguments, **named))

    assert (ids("forget"), ids("forget", "test"), ids("forget", "selection")) == ("ab", "a", "b")
    assert (ids("forget", wording="*"), ids("forget", "test", wording="question"), ids("utility")) == ("abc", "c", "")
