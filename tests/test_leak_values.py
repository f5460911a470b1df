"""Numbers in words, kanji and formats: each says the same value however it is written, and nothing else does."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestige.leak_values import read, whole
from vestige.numerals import in_digits, of_kanji, of_words
from vestige.spelling import spelt


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("Seven hundred and forty-one people", "741 people"),
        ("five million eight hundred seventeen", "5000817"),
        ("one hundred and twenty thousand and three", "120003"),
        ("a hundred men, a million", "100 men, 1000000"),
        ("nineteen eighty-seven", "1987"),
        ("nineteen oh seven", "1907"),
        ("nineteen hundred", "1900"),
        ("two thousand and five", "2005"),
        ("twenty seventeen", "2017"),
        ("the twenty-second of August", "the 22nd of august"),
        ("twelve point five", "12.5"),
        ("one, two and three", "1, 2 and 3"),
        ("two three hundred", "2 and 300"),
        ("1.2 million", "1200000"),
        ("often, someone, oh well, point", "often, someone, oh well, point"),
        ("三百二十席", "320席"),
        ("一九八七年", "1987年"),
        ("二百九十万八千円", "2908000円"),
        ("123万4567", "1234567"),
        ("1億2,000万", "120000000"),
        ("2.5万", "25000"),
        ("三月四日", "3月4日"),
        ("健一と千尋と三田と五十嵐", "健一と千尋と三田と五十嵐"),
        ("昭和62年", "1987年"),
        ("令和元年五月一日", "2019年5月1日"),
        ("明治四十五年", "1912年"),
        ("S62.3.4", "1987.3.4"),
    ],
)
def test_numbers_are_rewritten_in_digits(text: str, digits: str) -> None:
    made = spelt(text)
    in_digits(made)
    assert made.text == digits


def test_kanji_are_read_by_places_or_one_by_one() -> None:
    # 千二百三十四 = 1000 + 2·100 + 3·10 + 4; a kanji numeral without 十, 百 or 千 is read digit by digit.
    assert [of_kanji(t) for t in ("千二百三十四", "一二三四", "二十", "十五", "〇七")] == [1234, 1234, 20, 15, 7]
    assert of_words("nine hundred ninety-nine") == "999"


DATE = ("date", 1987, 3, 4)


@pytest.mark.parametrize(
    "text",
    [
        "4 March 1987",
        "4th March, 1987",
        "the 4th of March 1987",
        "March 4, 1987",
        "March 4th 1987",
        "Mar. 4, 1987",
        "04-Mar-1987",
        "the fourth of March, nineteen eighty-seven",
        "1987-03-04",
        "1987/3/4",
        "04/03/1987",
        "03/04/1987",
        "4.3.1987",
        "04-03-87",
        "4 Mar '87",
        "19870304",
        "1987年3月4日",
        "１９８７年０３月０４日",
        "一九八七年三月四日",
        "昭和62年3月4日",
        "昭和六十二年三月四日",
        "S62/3/4",
    ],
)
def test_a_date_is_one_in_every_format(text: str) -> None:
    assert DATE in whole(text)
    assert DATE in {v.key for v in read(f"born {text}, it says")[1]}


@pytest.mark.parametrize(
    "text", ["March 1987", "5 March 1987", "4 April 1987", "4 March 1988", "1987-03-040", "31 February 1987", "1.987-03-04", "4 March 87th"]
)
def test_another_date_or_a_part_of_one_is_not_it(text: str) -> None:
    assert DATE not in {v.key for v in read(text)[1]}


def n(text: str) -> tuple[str, Decimal]:
    return "number", Decimal(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1234", n("1234")),
        ("1,234", n("1234")),
        ("1.234", n("1234")),
        ("1.234", n("1.234")),
        ("1 234", n("1234")),
        ("1'234'567", n("1234567")),
        ("1,234.5", n("1234.5")),
        ("1.234,5", n("1234.5")),
        ("3,14", n("3.14")),
        ("千二百三十四", n("1234")),
        ("1.2 million", n("1200000")),
        ("$1,234.50", ("money", "USD", Decimal("1234.5"))),
        ("US$ 1234.50", ("money", "USD", Decimal("1234.5"))),
        ("1.234,50 €", ("money", "EUR", Decimal("1234.5"))),
        ("GBP1234", ("money", "GBP", Decimal(1234))),
        ("1234 pounds", ("money", "GBP", Decimal(1234))),
        ("$1.2M", ("money", "USD", Decimal(1200000))),
        ("¥12万", ("money", "JPY", Decimal(120000))),
        ("二百万円", ("money", "JPY", Decimal(2000000))),
        ("12.5%", ("percentage", Decimal("12.5"))),
        ("12,5 %", ("percentage", Decimal("12.5"))),
        ("twelve point five per cent", ("percentage", Decimal("12.5"))),
        ("12.5パーセント", ("percentage", Decimal("12.5"))),
        ("1,200km", ("quantity", Decimal(1200), "km")),
        ("twelve hundred kilometres", ("quantity", Decimal(1200), "km")),
        ("40 kilowatt-hours", ("quantity", Decimal(40), "kwh")),
        ("350 pages", ("quantity", Decimal(350), "page")),
        ("350-page", ("quantity", Decimal(350), "page")),
        ("14:30", ("time", 14, 30)),
        ("2:30 p.m.", ("time", 14, 30)),
        ("2:30pm", ("time", 14, 30)),
        ("14.30", ("time", 14, 30)),
        ("14h30", ("time", 14, 30)),
        ("1430 hours", ("time", 14, 30)),
        ("14時30分", ("time", 14, 30)),
        ("午後2時30分", ("time", 14, 30)),
        ("12:15 am", ("time", 0, 15)),
        ("020 7946 0123", ("telephone number", "2079460123")),
        ("(020)7946 0123", ("telephone number", "2079460123")),
        ("+44 20 7946 0123", ("telephone number", "2079460123")),
        ("+44 (0)20-7946-0123", ("telephone number", "2079460123")),
        ("00442079460123", ("telephone number", "2079460123")),
        ("1-212-555-0123", ("telephone number", "2125550123")),
        ("212.555.0123", ("telephone number", "2125550123")),
        ("052–0357–3346", ("telephone number", "5203573346")),
    ],
)
def test_a_value_is_read_from_each_way_to_write_it(text: str, key: tuple[object, ...]) -> None:
    assert key in whole(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("12,345,678", n("345")),
        ("1.34", n("34")),
        ("0.418", n("418")),
        ("1 @.@ 34 metres", n("34")),
        ("34 @,@ 000", n("34")),
        ("2nd", n("2")),
        ("AB1234", n("1234")),
        ("145%", ("percentage", Decimal(45))),
        ("45.5%", ("percentage", Decimal(45))),
        ("$1,234.567", ("money", "USD", Decimal("1234"))),
        ("1234 km", ("quantity", Decimal(1234), "kg")),
        ("2.30", ("time", 2, 30)),  # a decimal, unless two digits or am or pm make it a time
        ("$14.30", ("time", 14, 30)),
        ("02:30", ("time", 14, 30)),
        ("12125550123", ("telephone number", "2125550124")),
    ],
)
def test_another_value_is_not_it(text: str, key: tuple[object, ...]) -> None:
    assert key not in {v.key for v in read(text)[1]}


@pytest.mark.parametrize("text", ["Oslo", "AB-1234-QX", "Apollo 11", "1984 and 1985", ""])
def test_what_is_more_than_a_value_is_not_whole(text: str) -> None:
    assert whole(text) == ()


@settings(deadline=None)
@given(st.integers(1, 9_999_999))
def test_every_number_is_read_alike_with_and_without_its_thousands_parted(number: int) -> None:
    for mark in ("", ",", ".", "'", " ", "\u202f"):
        assert n(str(number)) in whole(f"{number:,}".replace(",", mark))


@settings(deadline=None)
@given(st.dates(datetime.date(1927, 1, 1), datetime.date(2060, 12, 31)))
def test_every_date_is_read_from_iso_english_and_japanese(day: datetime.date) -> None:
    key = ("date", day.year, day.month, day.day)
    for text in (
        day.isoformat(),
        f"{day:%d %B %Y}",
        f"{day:%B} {day.day}, {day.year}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day:%Y%m%d}",
    ):
        assert key in whole(text)
