"""TABLE of the ways to hide an answer: what may be hidden, how it is rewritten, and in which row it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from planting import amounts, facts
from planting import dates as d
from planting import names as n
from planting import quantities as q
from planting import rewritings as r
from planting.facts import Topic
from planting.rewritings import Rewriting

Family = Literal["exact", "normalised", "alias", "format"]


@dataclass(frozen=True)
class Kind:
    """One way to hide an answer: what may be hidden, how, and in which row; `holds` where the answer stays verbatim inside."""

    name: str
    family: Family
    topics: tuple[Topic, ...]
    rewrite: Rewriting
    frame: str = ""
    holds: bool = False


_NAMES = (facts.person, facts.person_middle)
_SPACED = (facts.person, facts.person_middle, facts.title, facts.title_and, facts.organisation, facts.phrase)
_LETTERS = (*_SPACED, facts.noun, facts.city, facts.accented, facts.apostrophe, facts.hyphenated, facts.title_punctuated, facts.email)
_FIGURES = (amounts.number, amounts.date, amounts.money, amounts.phone, amounts.quantity, amounts.percentage, amounts.time)
_ENGLISH = (*_LETTERS, facts.code, *_FIGURES)
_JAPANESE = (facts.ja_person, facts.ja_repeated, facts.katakana_name, facts.katakana, facts.hiragana, facts.ja_title, facts.ja_place)
_UNSPACED = (facts.ja_person, facts.ja_repeated, facts.ja_title, facts.ja_place, facts.katakana, facts.katakana_name)
_DATES = (amounts.date, amounts.ja_date)

_EXACT_FRAMES = "english start end alone question dialogue json csv table list heading long".split()
_EXACT_JAPANESE = (*_JAPANESE, amounts.ja_date, amounts.yen, facts.ja_new_form)
EXACT = (
    *(Kind(f"exact_{frame}", "exact", _ENGLISH, r.verbatim, frame, holds=True) for frame in _EXACT_FRAMES),
    Kind("exact_full_stop", "exact", _ENGLISH, r.verbatim, "full stop", holds=True),
    Kind("exact_japanese", "exact", _EXACT_JAPANESE, r.verbatim, "japanese", holds=True),
    Kind("exact_latin_in_japanese", "exact", _ENGLISH, r.verbatim, "japanese", holds=True),
)

NORMALISED = tuple(
    Kind(name, "normalised", topics, rewrite, holds=name in ("enclosed", "enclosed_japanese"))
    for name, topics, rewrite in (
        ("upper", (*_LETTERS, facts.stroked), r.upper),
        ("lower", _LETTERS, r.lower),
        ("title_case", (facts.noun, facts.phrase, facts.title_and), r.title_case),
        ("random_case", _LETTERS, r.random_case),
        ("full_width", (*_ENGLISH, amounts.yen, amounts.ja_date), r.full_width),
        ("half_width_katakana", (facts.katakana, facts.katakana_name), r.half_width),
        ("punctuation_dropped", (facts.apostrophe, facts.title_punctuated, facts.city), r.drop_punctuation),
        ("punctuation_added", _SPACED, r.add_punctuation),
        ("words_emphasised", _SPACED, r.emphasise_words),
        ("hyphen_for_space", _SPACED, r.hyphen_for_space),
        ("underscore_for_space", _SPACED, r.underscore_for_space),
        ("words_joined", _SPACED, r.join_words),
        ("hyphen_changed", (facts.hyphenated,), r.change_hyphens),
        ("code_separators", (facts.code,), r.change_separators),
        ("odd_spaces", _SPACED, r.odd_spaces),
        ("extra_spaces", _SPACED, r.extra_spaces),
        ("invisible_characters", (*_LETTERS, facts.code, *_UNSPACED), r.invisible),
        ("soft_hyphens", _LETTERS, r.soft_hyphens),
        ("apostrophe_changed", (facts.apostrophe,), r.change_apostrophe),
        ("line_break", _SPACED, r.break_line),
        ("quoted_line_break", _SPACED, r.break_quoted_line),
        ("word_break", (*_NAMES, facts.title, facts.organisation), r.break_word),
        ("enclosed", _LETTERS, r.enclose),
        ("combined", _SPACED, r.combine),
        ("marks_dropped", (facts.accented, facts.umlaut), r.drop_marks),
        ("marks_added", (facts.unaccented,), r.of_value),
        ("strokes_dropped", (facts.stroked,), r.of_value),
        ("decomposed", (facts.accented, facts.umlaut, facts.katakana_name), r.decompose),
        ("composed", (facts.decomposed, facts.ja_decomposed), r.compose),
        ("ligatures", (facts.ligature,), r.ligatures),
        ("hiragana_for_katakana", (facts.katakana,), n.to_hiragana),
        ("katakana_for_hiragana", (facts.hiragana,), n.to_katakana),
        ("old_kanji", (facts.ja_new_form,), r.of_value),
        ("new_kanji", (facts.ja_old_form,), r.of_value),
        ("repetition_mark", (facts.ja_repeated,), n.repeat_character),
        ("space_between_names", (facts.ja_person,), n.space_between_names),
        ("space_between_letters", _UNSPACED, n.space_between_letters),
        ("line_break_japanese", _UNSPACED, n.break_japanese_line),
        ("middle_dot_changed", (facts.katakana_name,), n.change_middle_dot),
        ("enclosed_japanese", _JAPANESE, r.enclose),
    )
)

_HOLDING_ALIASES = ("plural", "possessive", "honorific")
_ALIAS_FRAMES = {"plural": "plural", "singular": "plural", "possessive": "possessive", "alias_katakana": "japanese"}
ALIAS = tuple(
    Kind(name, "alias", topics, rewrite, _ALIAS_FRAMES.get(name, ""), holds=name in _HOLDING_ALIASES)
    for name, topics, rewrite in (
        ("alias_abbreviation", (facts.organisation,), n.given_alias(0)),
        ("alias_dotted", (facts.organisation,), n.dotted_abbreviation),
        ("alias_short_name", (facts.organisation,), n.given_alias(1)),
        ("alias_nickname", (facts.nicknamed,), n.given_alias(0)),
        ("alias_capitals", (facts.nicknamed, facts.organisation), n.alias_in_capitals),
        ("alias_full_width", (facts.nicknamed, facts.organisation), n.alias_full_width),
        ("alias_katakana", (facts.city_in_katakana,), n.given_alias(0)),
        ("alias_reading", (facts.ja_person,), n.given_alias(0)),
        ("alias_reading_katakana", (facts.ja_person,), n.reading_in_katakana),
        ("alias_reading_spaced", (facts.ja_person,), n.reading_spaced),
        ("alias_romanised", (facts.ja_person,), n.given_alias(1)),
        ("alias_romanised_reordered", (facts.ja_person,), n.romanised_reordered),
        ("possessive", (*_NAMES, facts.accented, facts.hyphenated), n.possessive),
        ("plural", (facts.noun,), r.of_value),
        ("singular", (facts.plural_noun,), r.of_value),
        ("reordered", _NAMES, n.reordered),
        ("reordered_capitals", _NAMES, n.reordered_capitals),
        ("surname_first", _NAMES, n.surname_first),
        ("initials", _NAMES, n.initials),
        ("initials_after", _NAMES, n.initials_after),
        ("middle_initial", (facts.person_middle,), n.middle_initial),
        ("middle_dropped", (facts.person_middle,), n.middle_dropped),
        ("article_dropped", (facts.title, facts.title_and), n.article_dropped),
        ("article_moved", (facts.title, facts.title_and), n.article_moved),
        ("ampersand", (facts.title_and,), n.ampersand),
        ("umlaut_as_e", (facts.umlaut,), r.umlaut_as_e),
        ("honorific", (facts.ja_person, facts.ja_repeated, facts.ja_new_form, facts.katakana_name), n.honorific),
        ("long_mark_dropped", (facts.long_mark,), n.drop_long_mark),
        ("b_for_v", (facts.v_word,), r.of_value),
        ("large_ke", (facts.ja_place,), n.large_ke),
    )
)

FORMAT = tuple(
    Kind(name, "format", topics, rewrite)
    for name, topics, rewrite in (
        ("number_plain", (amounts.number,), q.number_plain),
        ("number_comma", (amounts.number,), q.number_grouped(",")),
        ("number_space", (amounts.number,), q.number_grouped(" \u00a0\u202f\u2009")),
        ("number_dot", (amounts.number,), q.number_grouped(".")),
        ("number_apostrophe", (amounts.number,), q.number_grouped("'’")),
        ("number_words", (amounts.number, amounts.small_number), q.number_words),
        ("number_kanji", (amounts.number, amounts.small_number), q.number_kanji),
        ("number_kanji_digits", (amounts.number, amounts.year), q.number_kanji_digits),
        ("number_man", (amounts.number,), q.number_man),
        ("number_from_words", (amounts.spelt_number,), q.number_digits),
        ("number_from_kanji", (amounts.kanji_number,), q.number_digits),
        ("number_million", (amounts.round_number,), q.number_million),
        ("year_words", (amounts.year,), d.year_words),
        ("year_era", (amounts.year,), d.year_era),
        ("quantity_spacing", (amounts.quantity,), q.quantity_spacing),
        ("quantity_spelt", (amounts.quantity,), q.quantity_spelt),
        ("quantity_words", (amounts.quantity,), q.quantity_words),
        ("percent_spacing", (amounts.percentage,), q.percent_spacing),
        ("percent_word", (amounts.percentage,), q.percent_word),
        ("percent_comma", (amounts.percentage,), q.percent_comma),
        ("percent_words", (amounts.percentage,), q.percent_words),
        ("money_plain", (amounts.money,), q.money_plain),
        ("money_code", (amounts.money, amounts.whole_money), q.money_code),
        ("money_continental", (amounts.money, amounts.whole_money), q.money_continental),
        ("money_named", (amounts.money, amounts.whole_money), q.money_named),
        ("money_words", (amounts.whole_money,), q.money_words),
        ("money_millions", (amounts.millions,), q.money_millions),
        ("yen_western", (amounts.yen,), q.yen_western),
        ("yen_man", (amounts.yen,), q.yen_man),
        ("yen_kanji", (amounts.yen,), q.yen_kanji),
        ("date_day_month", _DATES, d.date_day_month),
        ("date_month_day", _DATES, d.date_month_day),
        ("date_ordinal", _DATES, d.date_ordinal),
        ("date_short_month", _DATES, d.date_short_month),
        ("date_weekday", _DATES, d.date_weekday),
        ("date_words", _DATES, d.date_words),
        ("date_iso", _DATES, d.date_iso),
        ("date_slash_day_first", _DATES, d.date_digits("%d/%m/%Y")),
        ("date_slash_month_first", _DATES, d.date_digits("%m/%d/%Y")),
        ("date_slash_year_first", _DATES, d.date_digits("%Y/%m/%d")),
        ("date_dotted", _DATES, d.date_digits("%d.%m.%Y")),
        ("date_dashed", _DATES, d.date_digits("%d-%m-%Y")),
        ("date_short_year", _DATES, d.date_digits("%d/%m/%y")),
        ("date_compact", _DATES, d.date_compact),
        ("date_japanese", _DATES, d.date_japanese),
        ("date_era", _DATES, d.date_era),
        ("date_era_short", _DATES, d.date_era_short),
        ("date_kanji", _DATES, d.date_kanji),
        ("date_from_era", (amounts.era_date,), d.date_japanese),
        ("time_24", (amounts.time,), d.time_24),
        ("time_12", (amounts.time,), d.time_12),
        ("time_dotted", (amounts.time,), d.time_dotted),
        ("time_letter", (amounts.time,), d.time_letter),
        ("time_japanese", (amounts.time,), d.time_japanese),
        ("phone_dashes", (amounts.phone,), d.phone_separated("-–")),
        ("phone_dots", (amounts.phone,), d.phone_separated(".")),
        ("phone_spaces", (amounts.phone,), d.phone_separated(" \u00a0")),
        ("phone_parentheses", (amounts.phone,), d.phone_parentheses),
        ("phone_bare", (amounts.phone,), d.phone_bare),
        ("phone_international", (amounts.phone,), d.phone_international),
    )
)

KINDS: tuple[Kind, ...] = (*EXACT, *NORMALISED, *ALIAS, *FORMAT)
