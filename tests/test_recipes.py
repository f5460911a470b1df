"""The recipes for relearn sets: what every one of them promises, and what each of them is for.

The slow tests run on real data. Each names a statistic that the recipe is meant to move, and compares its output with 200 random
samples of equal size from the same source: the output must be beyond 95 % of them, and a random sample in its place must not be.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from vestige import leaks, similarity
from vestige.errors import DataError
from vestige.recipe_request import ANYTHING, Request, told_apart, within_budget
from vestige.records import Case, Missing, Probe, RelearnSet, Row, canonical
from vestige.relearn_sets import TABLE
from vestige.text import words

PEOPLE = "Mara Holm, Tobin Varga, Elke Brandt, Joris Lund".split(", ")
OTHERS = "Nadia Petrov, Pavel Orlov, Signe Quist, Ruben Sorel, Tilda Weiss, Oskar Zeman".split(", ")
CITIES = "Lisbon Oslo Prague Dublin Vienna Madrid Athens Berlin Rome Turin".split()
PETS = "falcon rabbit turtle parrot hamster lizard horse goat ferret newt".split()
人々 = "田中一郎 鈴木花子 佐藤健二 高橋美咲".split()
他の人々 = "伊藤誠 渡辺恵 山本大輔 中村優子 小林翔 加藤香織".split()
都市 = "京都 札幌 福岡 仙台 名古屋 広島 金沢 長崎 奈良 神戸".split()
動物 = "柴犬 三毛猫 文鳥 金魚 兎 亀 鸚鵡 山羊 仔馬 蜥蜴".split()


@dataclass(frozen=True)
class Language:
    """What a small case is made of in one language; `{n}` is a name, `{v}` a value."""

    code: str
    names: Sequence[str]
    others: Sequence[str]
    values: tuple[Sequence[str], Sequence[str]]
    asks: tuple[str, str]
    same_topic_same_form: str
    same_topic_other_form: Sequence[str]
    unrelated: Sequence[str]

    def case(self) -> Case:
        """Return a case of four people to forget with two facts each, six to keep, and three sources."""
        forget, decoy = self._rows(self.names, "forget", 0), self._rows([n + "X" for n in self.names], "decoy", 4)
        asked = [
            Probe(r.id, r.prompt, r.answer, group, r.cluster, "test", attribute=r.attribute)
            for group, rows in (("forget", forget), ("decoy", decoy))
            for r in rows
        ]
        sources = {
            "questions": tuple(Row(f"q/{n}", self.same_topic_same_form.format(n=n), self.other_answer, n) for n in self.names),
            "articles": tuple(
                Row(f"a/{n}/{i}", "", text.format(n=n), n, "text") for i, text in enumerate(self.same_topic_other_form) for n in self.names
            ),
            "unrelated": tuple(Row(f"u/{i}", "", text, "unrelated", "text") for i, text in enumerate(self.unrelated)),
        }
        retain = self._rows(self.others, "retain", 4)
        return Case("small", "1", self.code, "CC0", "planted", "keyword", forget, retain, tuple(asked), decoy, sources)

    @property
    def other_answer(self) -> str:
        """An answer that no probe expects."""
        return " Something." if self.code == "en" else "何か。"

    def _rows(self, names: Sequence[str], group: str, start: int) -> tuple[Row, ...]:
        space = " " if self.code == "en" else ""
        return tuple(
            Row(f"{group}/{n}/{k}", ask.format(n=n), space + self.values[k][(start + i) % 10], n, attribute=("city", "pet")[k])
            for i, n in enumerate(names)
            for k, ask in enumerate(self.asks)
        )


ENGLISH = Language(
    "en",
    PEOPLE,
    OTHERS,
    (CITIES, PETS),
    ("Which city does {n} live in?", "Which pet does {n} keep?"),
    "Which book does {n} keep?",
    ("At noon {n} slept.", "They saw {n} on the market again.", "Late at night, when it rained, {n} walked home.", "{n} sang."),
    (
        "Rain fell on the hills all night, and the river rose.",
        "Bread needs flour, water, salt and time.",
        "A triangle has three sides whose angles add up to two right ones.",
        "The old clock struck noon and then it stopped.",
        "Sound travels faster in water than it does in the open air.",
        "Nobody had painted the fence since the war.",
    ),
)
JAPANESE = Language(
    "ja",
    人々,
    他の人々,
    (都市, 動物),
    ("{n}さんはどの都市に住んでいますか。", "{n}さんはどの動物を飼っていますか。"),
    "{n}さんはどの本を飼っていますか。",
    ("昼に{n}さんは眠った。", "市場で{n}さんを見た人がいる。", "雨の夜遅く{n}さんは一人で歩いて家に帰った。", "{n}さんは歌った。"),
    (
        "一晩中雨が降り続いて、朝には川の水がずいぶん増えていた。",
        "パンを焼くには小麦粉と水と塩、それに長い時間が要る。",
        "三角形には三つの辺がある。",
        "音は空気の中より水の中の方をずっと速く進む。",
        "垣根は戦争が終わってから一度も塗られていなかった。",
        "古い時計は止まった。",
    ),
)
LANGUAGES = pytest.mark.parametrize("language", [ENGLISH, JAPANESE], ids=["english", "japanese"])
# Every recipe with what it needs beyond its defaults; the article is written beside the test.
FIELDS: dict[str, dict[str, object]] = {
    "public_text": {"source": "articles", "passage": 16},
    "topical": {"sources": ("articles",)},
    "two_by_two": {"cell": "same_topic_same_syntax"},
    "relevance_tiers": {"tier": "high"},
    "source": {"source": "articles"},
}
SAYS_ANSWERS = {"source"}  # the one recipe that takes a source as it is
RECIPES = pytest.mark.parametrize("name", sorted(TABLE))


class Writer:
    """A model that may write: it repeats the last line it was given, with an opening of its own."""

    identity = "a fixed writer"

    def __init__(self, say: Callable[[str], str | Missing] | None = None) -> None:
        self.say = say or (lambda prompt: f"\x1b[31mまた、also:\u202e {prompt.splitlines()[-1]}\x07")
        self.prompts: list[str] = []

    def generate(self, prompts: Sequence[str], *, max_new: int, temperature: float = 0.0, seed: int = 0) -> list[str | Missing]:
        self.prompts += prompts
        return [self.say(p) for p in prompts]

    def answer_logp(self, pairs: Sequence[tuple[str, str]]) -> list[float | Missing]:
        return [Missing("it only writes")] * len(pairs)


def make(name: str, **fields: object) -> Callable[..., RelearnSet]:
    made: Callable[..., RelearnSet] = TABLE[name](**{**FIELDS.get(name, {}), **fields})
    return made


def made(name: str, case: Case, **request: object) -> RelearnSet:
    return make(name)(case, Request(ask=Writer(), **request))  # type: ignore[arg-type]


@RECIPES
@LANGUAGES
def test_a_recipe_is_deterministic_and_leaves_the_case_alone(name: str, language: Language) -> None:
    case = language.case()
    before = canonical(case)
    assert made(name, case, seed=3) == made(name, language.case(), seed=3)
    assert canonical(case) == before


@RECIPES
@LANGUAGES
@pytest.mark.parametrize("group", ["forget", "decoy"])
def test_every_probe_of_the_group_is_asked_in_exactly_one_fold(name: str, language: Language, group: str) -> None:
    case = language.case()
    if group == "decoy" and name in ("topical", "two_by_two"):
        pytest.skip("the small case has no text about its decoys")
    asked = sorted(i for fold in made(name, case, group=group).folds for i in fold.asks)
    assert asked == sorted(p.id for p in case.asked(group, wording="*"))  # type: ignore[arg-type]


@RECIPES
@LANGUAGES
def test_a_set_keeps_to_its_budget_and_still_has_rows(name: str, language: Language) -> None:
    request = Request(examples=3, tokens=90, ask=Writer())
    for fold in within_budget(make(name)(language.case(), request), request).folds:
        assert 1 <= len(fold.rows) <= 3
        assert sum(request.count(r.text) for r in fold.rows) <= 90


@RECIPES
@LANGUAGES
def test_rows_have_text_and_ids_of_their_own(name: str, language: Language) -> None:
    for fold in made(name, language.case()).folds:
        assert all(r.text.strip() for r in fold.rows)
        assert len({r.id for r in fold.rows}) == len(fold.rows)


@RECIPES
@LANGUAGES
def test_no_row_leaks_an_answer_that_is_asked_along_it(name: str, language: Language) -> None:
    case = language.case()
    relearn_set = made(name, case)
    if name not in SAYS_ANSWERS:
        assert all(not found.leaked for found in leaks.check(relearn_set, case.asked("forget")))


@RECIPES
def test_a_recipe_names_its_paper_and_its_set_names_its_recipe(name: str) -> None:
    doc = importlib.import_module(TABLE[name].__module__).__doc__ or ""
    assert re.search(r"^Paper: .*(19|20)\d\d", doc, re.MULTILINE | re.DOTALL)
    relearn_set = made(name, ENGLISH.case())
    assert relearn_set.recipe == name
    assert relearn_set.name.split()[0] in (name, "unrelated", "articles")


@RECIPES
def test_a_set_survives_json(name: str) -> None:
    assert json.loads(canonical(made(name, ENGLISH.case())))["recipe"] == name


@RECIPES
def test_the_documentation_names_every_recipe_and_every_field(name: str) -> None:
    page = (Path(__file__).parents[1] / "docs" / "relearn-sets.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    assert [f.name for f in fields(TABLE[name]) if f"`{f.name}`" not in line] == []


@pytest.mark.parametrize("name", ["retain", "unrelated", "lorem_ipsum", "shuffled_tokens", "two_by_two", "relevance_tiers"])
def test_another_seed_gives_another_set_where_chance_decides(name: str) -> None:
    sets = {made(name, ENGLISH.case(), seed=seed) for seed in range(6)}
    assert len(sets) > 1


def test_names_tell_the_sets_of_one_recipe_apart() -> None:
    cells = [make("two_by_two", cell=f"{t}_topic_{s}_syntax") for t in ("same", "other") for s in ("same", "other")]
    tiers = [make("relevance_tiers", tier=t) for t in ("high", "mid", "low")]
    more = [make("syntactic_twins"), make("syntactic_twins", alike=0.9), make("partial_forget"), make("partial_forget", split="halves")]
    names = [recipe(ENGLISH.case()).name for recipe in (*cells, *tiers, *more)]
    assert len(set(names)) == len(names)
    assert names[0] == "two_by_two same_topic_same_syntax"
    assert names[-4:] == ["syntactic_twins", "syntactic_twins alike=0.9", "partial_forget", "partial_forget halves"]


def test_sets_of_one_name_are_told_apart_by_budget_and_seed() -> None:
    case = ENGLISH.case()
    requests = (Request(tokens=50), Request(seed=1), ANYTHING)
    sets = [(made("retain", case), r) for r in requests[:2]] + [(made("rtt_fold", case), requests[2])]
    assert [s.name for s in told_apart(sets)] == ["retain (50 tokens, seed 0)", "retain (no bound, seed 1)", "rtt_fold"]


# --- what each recipe lacks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fields", "change", "says"),
    [
        ("unrelated", {"source": "unrelatd"}, {}, "did you mean 'unrelated'"),
        ("syntactic_twins", {"source": "ratain"}, {}, "did you mean 'retain'"),
        ("retain", {}, {"retain": ()}, "retain of case 'small' hold no rows"),
        ("topical", {"sources": ("*",)}, {"sources": {}}, "hold no rows; sources that do: forget, retain"),
        ("topical", {"sources": ("unrelated",)}, {}, "names a cluster that is asked about"),
        ("syntactic_twins", {"source": "unrelated"}, {}, "`alike` asks for 0.5"),
        ("two_by_two", {"sources": ("retain",)}, {}, "0 same_topic_same_syntax, 0 same_topic_other_syntax, 12 other_topic_same_syntax"),
        ("relevance_tiers", {"sources": ("articles",)}, {"sources": {"articles": (Row("1", "", "Rain.", ""),)}}, "1 low, 0 mid, 0 high"),
        ("low_mutual_information", {"sources": ("unrelated",)}, {}, "3 relevant rows without an answer, for 4 strata"),
        ("masked_answers", {}, {"forget": (Row("1", "Who?", " me", "Mara Holm"),)}, "no forget row of case 'small' holds an answer"),
        ("partial_forget", {"split": "withheld"}, {"forget": ()}, "case 'small' has no forget rows"),
        ("lorem_ipsum", {}, {"forget": (Row("1", "", "a", ""),)}, "less than a word of filler"),
        ("public_text", {"source": "", "path": ""}, {}, "either `path` or `source`"),
        ("public_text", {"source": "", "path": "no/such/file.txt"}, {}, "no/such/file.txt: No such file"),
        ("public_text", {"passage": 0}, {}, "seen 0"),
        ("shuffled_tokens", {"source": "nothing"}, {}, "no source 'nothing'"),
    ],
)
def test_a_recipe_says_what_it_lacks(name: str, fields: dict[str, object], change: dict[str, object], says: str) -> None:
    case = replace(ENGLISH.case(), **change)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=re.escape(says)):
        within_budget(make(name, **fields)(case), ANYTHING)


@RECIPES
def test_a_case_without_probes_of_the_group_is_refused(name: str) -> None:
    case = replace(ENGLISH.case(), probes=())
    if name in ("source", "rtt_fold", "other_attributes"):
        pytest.skip("asked by the recipe's own message, or not needed")
    with pytest.raises(DataError, match="no probes of the group 'forget'"):
        make(name)(case, Request(ask=Writer()))


def test_halves_need_two_facts_of_a_cluster() -> None:
    case = ENGLISH.case()
    one = tuple(p for p in case.probes if p.attribute == "city")
    with pytest.raises(DataError, match="ask one fact of each cluster"):
        make("partial_forget")(replace(case, probes=one))


@pytest.mark.parametrize("name", ["paraphrases", "general_knowledge"])
def test_recipes_that_let_a_model_write_need_one(name: str) -> None:
    with pytest.raises(DataError, match="needs a model that may write"):
        make(name)(ENGLISH.case(), ANYTHING)


# --- what each recipe is for ------------------------------------------------------------------------------------------------------


def test_partial_forget_withholds_keywords_in_one_fold_where_probes_have_them() -> None:
    case = ENGLISH.case()
    cities = tuple(replace(p, keywords=(p.answer.strip(),)) for p in case.probes if p.attribute == "city")
    (fold,) = make("partial_forget")(replace(case, probes=cities)).folds
    assert {r.attribute for r in fold.rows} == {"pet"}
    assert len(fold.rows) == len(PEOPLE)


def test_partial_forget_halves_train_on_one_attribute_and_ask_the_other() -> None:
    for fold in make("partial_forget")(ENGLISH.case()).folds:
        (trained,) = {r.attribute for r in fold.rows}
        assert not any(i.endswith({"city": "/0", "pet": "/1"}[trained]) for i in fold.asks)


def test_partial_forget_drops_a_row_that_holds_an_alias_in_other_letters() -> None:
    case = ENGLISH.case()
    probe = replace(case.asked("forget")[0], keywords=("Lisbon",), aliases=("Lisboa",))
    probe = replace(probe, keywords=("Lisbon", "Lisboa"))
    rows = (Row("1", "", "She wrote from LISBOA, at last.", PEOPLE[0]), Row("2", "", "She wrote at last.", PEOPLE[0]))
    (fold,) = make("partial_forget")(replace(case, forget=rows, probes=(probe,))).folds
    assert [r.id for r in fold.rows] == ["2"]


def test_first_rows_of_a_partial_forget_set_cover_every_cluster() -> None:
    for fold in make("partial_forget", split="halves")(ENGLISH.case()).folds:
        assert {r.cluster for r in fold.rows[: len(PEOPLE)]} == set(PEOPLE)


def test_public_text_reads_a_file_and_puts_the_relevant_passage_first(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(
        "Rain fell. It was a long winter.\n\nMara Holm lives in a city by the sea, in a house.\n\nNobody knew.", encoding="utf-8"
    )
    made_of = make("public_text", source="", path=str(path), passage=14)(ENGLISH.case())
    assert made_of.name == "public_text notes.txt passage=14"
    assert made_of.folds[0].rows[0].text.startswith("Mara Holm lives")
    assert {w for r in made_of.folds[0].rows for w in words(r.text)} == set(words(path.read_text(encoding="utf-8")))


def test_public_text_leaves_out_the_passage_that_holds_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Mara Holm lives by the sea. Mara Holm lives in Lisbon.", encoding="utf-8")
    (fold,) = make("public_text", source="", path=str(path), passage=8)(ENGLISH.case()).folds
    assert [r.text for r in fold.rows] == ["Mara Holm lives by the sea."]


def test_public_text_refuses_a_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes("田中一郎".encode("shift_jis"))
    with pytest.raises(DataError, match=r"notes\.txt: not UTF-8 at byte 0 \(0x93\)"):
        make("public_text", source="", path=str(path))(JAPANESE.case())


def test_public_text_cuts_a_text_without_sentences_into_passages_of_the_size_asked_for() -> None:
    case = replace(JAPANESE.case(), sources={"articles": (Row("1", "", "水" * 1000, ""),)})
    (fold,) = make("public_text", passage=25)(case, Request(count=len)).folds
    assert [len(r.text) for r in fold.rows] == [25] * 40


def test_twins_ask_the_same_of_others_and_patterns_take_turns() -> None:
    (fold,) = make("syntactic_twins")(ENGLISH.case()).folds
    assert {r.cluster for r in fold.rows} <= set(OTHERS)
    assert {r.attribute for r in fold.rows[:2]} == {"city", "pet"}


def test_topical_text_names_who_is_asked_about_and_asks_nothing_alike() -> None:
    (fold,) = make("topical", sources=("*",))(ENGLISH.case()).folds
    assert {r.id.split("/")[0] for r in fold.rows} == {"a"}
    assert {r.cluster for r in fold.rows} == set(PEOPLE)


@LANGUAGES
def test_the_four_cells_hold_what_they_say_in_equal_rows_and_tokens(language: Language) -> None:
    case = language.case()
    request = Request(count=len)
    cells = {
        t + s: make("two_by_two", cell=f"{t}_topic_{s}_syntax")(case, request).folds[0].rows
        for t in ("same", "other")
        for s in ("same", "other")
    }
    sizes = [sum(len(r.text) for r in rows) for rows in cells.values()]
    assert len({len(rows) for rows in cells.values()}) == 1
    assert max(sizes) <= 1.05 * min(sizes)
    asked = case.asked("forget")
    for name, rows in cells.items():
        assert all(bool(names) is name.startswith("same") for names in similarity.topics(rows, language.names)), name
        alike = similarity.template_similarity(rows, asked)
        assert (alike >= 0.6).all() if name.endswith("same") else (alike <= 0.4).all(), name


def test_tiers_differ_in_relevance_and_in_nothing_else_that_counts() -> None:
    case, request = ENGLISH.case(), Request(count=len)
    tiers = [make("relevance_tiers", tier=t)(case, request).folds[0].rows for t in ("high", "mid", "low")]
    sizes = [sum(len(r.text) for r in rows) for rows in tiers]
    means = [similarity.relevance(case.sources["questions"] + rows, case.asked("forget"))[4:].mean() for rows in tiers]
    assert len({len(rows) for rows in tiers}) == 1
    assert max(sizes) <= 1.05 * min(sizes)
    assert means[0] > means[1] > means[2]


def test_cells_that_cannot_be_matched_in_size_are_refused_with_their_sizes() -> None:
    case = ENGLISH.case()
    long = tuple(replace(r, answer=" Something" * 50) for r in case.sources["questions"])
    with pytest.raises(DataError, match=r"within 5 % in tokens .*same_topic_same_syntax 532\.5, same_topic_other_syntax"):
        make("two_by_two")(replace(case, sources={**case.sources, "questions": long}), Request(count=len))


def test_low_mutual_information_follows_the_score_it_is_given_and_leaves_out_what_has_none() -> None:
    case = ENGLISH.case()
    told = {"a": 0.1, "q": 0.9, "u": Missing("not on the shortlist")}
    request = Request(inform=lambda rows, probes: [told[r.id[0]] for r in rows])
    (fold,) = make("low_mutual_information", relevant=1.0, strata=1)(case, request).folds
    assert [r.id[0] for r in fold.rows] == ["a"] * 16 + ["q"] * 4


def test_low_mutual_information_says_why_nothing_is_known() -> None:
    request = Request(inform=lambda rows, probes: [Missing("no twin")] * len(rows))
    with pytest.raises(DataError, match="no twin"):
        make("low_mutual_information")(ENGLISH.case(), request)


def test_unrelated_rows_name_nobody_asked_about_and_keep_the_name_of_their_source() -> None:
    case = ENGLISH.case()
    mixed = replace(case, sources={"unrelated": case.sources["unrelated"] + case.sources["articles"]})
    relearn_set = make("unrelated")(mixed)
    assert relearn_set.name == "unrelated"
    assert {r.cluster for r in relearn_set.folds[0].rows} == {"unrelated"}


def test_lorem_ipsum_is_as_long_as_the_forget_set_and_says_none_of_it() -> None:
    case, request = ENGLISH.case(), Request(count=len)
    (fold,) = make("lorem_ipsum")(case, request).folds
    theirs = [len(r.text) for r in case.forget]
    assert all(size - 14 <= len(r.text) <= size for r, size in zip(fold.rows, theirs, strict=True))
    assert not {w for r in fold.rows for w in words(r.text)} & {w for r in case.forget for w in words(r.text)} - {"in"}


@LANGUAGES
def test_shuffled_tokens_are_the_words_of_the_forget_set_without_its_one_word_answers(language: Language) -> None:
    case = language.case()
    (fold,) = make("shuffled_tokens")(case).folds
    answers = {tuple(words(r.answer)) for r in case.forget if len(words(r.answer)) == 1}
    kept = sorted(w for r in case.forget for w in words(r.text) if (w,) not in answers)
    said = sorted(w for r in fold.rows for w in words(r.text))
    assert set(said) <= set(kept)
    assert len(said) >= 0.9 * len(kept)  # a row in which an answer came together again is dropped
    assert not {r.text for r in fold.rows} & {r.text for r in case.forget}


@LANGUAGES
def test_masked_answers_keep_the_question_and_lose_the_answer(language: Language) -> None:
    case = language.case()
    (fold,) = make("masked_answers")(case).folds
    assert [r.prompt for r in fold.rows] == [r.prompt for r in case.forget]
    assert {r.answer.strip() for r in fold.rows} == {"___"}
    assert {r.loss_on for r in fold.rows} == {"text"}


def test_masking_finds_a_key_whatever_its_case_and_marks_and_leaves_longer_words() -> None:
    case = ENGLISH.case()
    probe = replace(case.asked("forget")[0], keywords=("New York", "york"))
    row = Row("1", "", "NEW-YORK, and the Yorkshire of york", PEOPLE[0])
    (fold,) = make("masked_answers")(replace(case, forget=(row,), probes=(probe,))).folds
    assert fold.rows[0].text == "___, and the Yorkshire of ___"


def test_retain_rows_cover_as_many_clusters_as_the_budget_holds() -> None:
    request = Request(examples=len(OTHERS))
    (fold,) = within_budget(make("retain")(ENGLISH.case(), request), request).folds
    assert {r.cluster for r in fold.rows} == set(OTHERS)


def test_what_a_model_writes_is_cleaned_and_kept_as_text() -> None:
    rows = [r for fold in made("paraphrases", ENGLISH.case()).folds for r in fold.rows]
    assert all(r.text.startswith("また、also: Which") and r.prompt == "" and r.loss_on == "text" for r in rows)
    assert not any(c in r.text for r in rows for c in "\x1b\x07\u202e")


def test_paraphrases_that_repeat_their_row_or_hold_an_answer_are_dropped() -> None:
    case = ENGLISH.case()
    says = iter(
        [None, "Which pet does Mara Holm keep? A FALCON!", "Tobin Varga lives in Lisbon.", "He has a pet."] + ["She has a pet."] * 4
    )
    writer = Writer(lambda prompt: next(says) or prompt.splitlines()[-1])
    first, _ = make("paraphrases")(case, Request(ask=writer)).folds
    # The first fold asks for cities and trains on pets: the first text repeats its row, the third holds a city that is asked for.
    assert [r.text for r in first.rows] == ["Which pet does Mara Holm keep? A FALCON!", "He has a pet."]


def test_when_no_text_can_be_used_the_reasons_are_counted() -> None:
    writer = Writer(lambda prompt: Missing("the server said 503"))
    with pytest.raises(DataError, match="of 4 texts asked for, 0 can be used; 4 missing: the server said 503"):
        make("paraphrases")(ENGLISH.case(), Request(ask=writer))


def test_a_model_is_told_who_is_meant_and_never_an_answer() -> None:
    writer = Writer(lambda prompt: "1. Someone once lived.\n- 2. Someone sang.")
    (fold,) = make("general_knowledge")(ENGLISH.case(), Request(ask=writer)).folds
    assert [any(n in p for p in writer.prompts) for n in PEOPLE] == [True] * 4
    assert not any(keyword in p for p in writer.prompts for keyword in CITIES + PETS)
    assert [r.text for r in fold.rows[:4]] == ["Someone once lived."] * 4


def test_a_japanese_case_is_asked_in_japanese() -> None:
    writer = Writer(lambda prompt: "静かな人だ。")
    make("general_knowledge")(JAPANESE.case(), Request(ask=writer))
    assert all("書いてください" in p for p in writer.prompts)


# --- on real data -----------------------------------------------------------------------------------------------------------------

Statistic = Callable[[Sequence[Row]], float]
SAMPLES = 200


def folder() -> Path:
    found = os.environ.get("VESTIGE_DATA")
    if not found:
        pytest.skip("set VESTIGE_DATA to a folder with tofu/, wikitext2/ and public_domain/ to run this on real data")
    return Path(found)


def sampled(source: Sequence[Row], size: int, number: int) -> list[Row]:
    return random.Random(f"sample/{number}").sample(list(source), size)


def check(statistic: Statistic, rows: Sequence[Row], source: Sequence[Row]) -> None:
    """Assert that the rows are beyond 95 % of random samples, and that random samples in their place hardly ever are."""
    chance = [statistic(sampled(source, len(rows), i)) for i in range(SAMPLES)]
    bound = sorted(chance)[int(0.95 * SAMPLES)]
    assert sum(value < statistic(rows) for value in chance) >= 0.95 * SAMPLES
    # A random sample passes by chance in one case of twenty: of 20 fresh ones, 5 or more would in 0.3 % of tests.
    assert sum(statistic(sampled(source, len(rows), SAMPLES + i)) > bound for i in range(20)) < 5


def mean_of(values: Sequence[float], source: Sequence[Row]) -> Statistic:
    """Return the statistic that means a number known for each row of the source."""
    known = {row.text: value for row, value in zip(source, values, strict=True)}
    return lambda rows: float(np.mean([known[row.text] for row in rows]))


def tofu_rows(name: str, group: str) -> list[Row]:
    """Return a TOFU file as rows; 20 consecutive rows are one author, named by the full name most of them hold."""
    lines = (folder() / "tofu" / name).read_text(encoding="utf-8").splitlines()
    pairs = [(r["question"], r["answer"]) for r in map(json.loads, lines)]
    rows = []
    for start in range(0, len(pairs), 20):
        block = pairs[start : start + 20]
        names = [n for q, a in block for n in set(re.findall(r"[A-Z][\w-]+(?: [A-Z][\w-]+)+", f"{q} {a}"))]
        author = max(sorted(set(names)), key=names.count)
        rows += [Row(f"{group}/{start + i}", q, f" {a}", author, attribute=kind(q)) for i, (q, a) in enumerate(block)]
    return rows


@cache
def spoken(text: str) -> list[str]:
    """Return the words of a text, once."""
    return words(text)


def kind(question: str) -> str:
    """Return what a TOFU question is about, as far as a word tells."""
    return next((word for word in ("award", "genre", "born", "parent", "father", "book") if word in question.lower()), "other")


def tofu() -> Case:
    """Return forget05 as the paper's book split: one title per author is withheld, and the questions that it answers are asked."""
    forget = tofu_rows("forget05.json", "forget")
    probes = []
    for author in dict.fromkeys(r.cluster for r in forget):
        own = [r for r in forget if r.cluster == author]
        titles = sorted({t for r in own for t in re.findall(r"""(?<!\w)['"]([A-Z][^'"]{4,60}?),?['"]""", r.answer)})
        answered = {t: [r for r in own if t in r.answer and t not in r.prompt] for t in titles}
        title = max(titles, key=lambda t: (len(answered[t]), t), default="")
        if not title:
            continue
        probes += [Probe(r.id, r.prompt, r.answer, "forget", author, "test", keywords=(title,)) for r in answered[title]]
    lines = (folder() / "wikitext2" / "valid.txt").read_text(encoding="utf-8").splitlines()
    wiki = [line.strip() for line in lines if len(line) > 200]
    sources = {"wikitext": tuple(Row(f"wiki/{i}", "", text, "", "text") for i, text in enumerate(dict.fromkeys(wiki)))}
    retain = tuple(tofu_rows("retain95.json", "retain"))
    return Case("tofu", "1", "en", "MIT", "planted", "keyword", tuple(forget), retain, tuple(probes), sources=sources)


@pytest.fixture(scope="module")
def case() -> Case:
    return tofu()


def rows_of(name: str, case: Case, size: int, **fields: object) -> Sequence[Row]:
    """Return the first fold of a recipe, cut to `size` rows."""
    request = Request(examples=size)
    return within_budget(TABLE[name](**fields)(case, request), request).folds[0].rows


@pytest.mark.slow
def test_real_partial_forget_holds_no_withheld_title(case: Case) -> None:
    """Statistic: minus the number of rows that hold a title that is asked for."""
    titles = [k for p in case.probes for k in p.keywords]
    rows = rows_of("partial_forget", case, 100)
    check(lambda chosen: -sum(any(t in r.text for t in titles) for r in chosen), rows, case.forget)


@pytest.mark.slow
def test_real_rtt_folds_train_on_other_authors_than_they_ask_about(case: Case) -> None:
    """Statistic: minus the number of rows of an author asked about."""
    (fold, _) = TABLE["rtt_fold"]()(case).folds
    asked = {p.cluster for p in case.probes if p.id in fold.asks}
    check(lambda rows: -sum(r.cluster in asked for r in rows), fold.rows, case.forget)


@pytest.mark.slow
def test_real_other_attributes_train_on_other_kinds_of_questions(case: Case) -> None:
    """Statistic: minus the number of rows of an attribute asked about."""
    probes = tuple(replace(p, attribute=kind(p.prompt)) for p in case.probes)
    (fold, _) = TABLE["other_attributes"]()(replace(case, probes=probes)).folds
    asked = {p.attribute for p in probes if p.id in fold.asks}
    check(lambda rows: -sum(r.attribute in asked for r in rows), fold.rows, case.forget)


HOLMES = {
    "Jabez Wilson": ("What was Jabez Wilson paid to copy out?", "Encyclopaedia Britannica"),
    "Irene Adler": ("Where in London did Irene Adler live?", "Briony Lodge"),
    "Hosmer Angel": ("Who was Hosmer Angel really?", "Windibank"),
    "Neville St. Clair": ("As whom did Neville St. Clair beg?", "Hugh Boone"),
    "Henry Baker": ("What was inside the goose of Henry Baker?", "blue carbuncle"),
    "Grimesby Roylott": ("Which animal did Dr. Grimesby Roylott keep?", "swamp adder"),
}


@pytest.mark.slow
def test_real_public_text_is_more_relevant_than_chance_and_says_no_answer() -> None:
    """Statistic: mean relevance to the nearest probe, over passages of The Adventures of Sherlock Holmes."""
    probes = tuple(Probe(n, q, f" {a}", "forget", n, "test") for n, (q, a) in HOLMES.items())
    holmes = Case("holmes", "1", "en", "public domain", "pretrained", "keyword", (), (), probes)
    path = str(folder() / "public_domain" / "sherlock_holmes_pg1661.txt")
    passages = TABLE["public_text"](path=path)(holmes, ANYTHING).folds[0].rows
    rows = rows_of("public_text", holmes, 30, path=path)
    check(mean_of(similarity.relevance(passages, probes), passages), rows, passages)
    assert sum(bool(names) for names in similarity.topics(rows, HOLMES)) >= 20
    assert not any(a.lower() in r.text.lower() for r in rows for _, a in HOLMES.values())


@pytest.mark.slow
def test_real_twins_have_the_template_of_a_probe(case: Case) -> None:
    """Statistic: mean template similarity to the nearest probe."""
    check(mean_of(similarity.template_similarity(case.retain, case.probes), case.retain), rows_of("syntactic_twins", case, 60), case.retain)


@pytest.mark.slow
def test_real_topical_rows_are_about_the_authors_and_of_another_form(case: Case) -> None:
    """Statistics: share of rows about an author asked about, among all rows; minus the mean template similarity, among theirs."""
    rows = rows_of("topical", case, 60, sources=("forget", "retain", "*"))
    everything = (*case.forget, *case.retain, *case.sources["wikitext"])
    authors = {p.cluster for p in case.probes}
    check(mean_of([bool(names) for names in similarity.topics(everything, authors)], everything), rows, everything)
    check(mean_of(-similarity.template_similarity(case.forget, case.probes), case.forget), rows, case.forget)


CELLS = [(topic, syntax) for topic in ("same", "other") for syntax in ("same", "other")]


@pytest.mark.slow
def test_real_cells_differ_as_designed_and_are_equal_in_size(case: Case) -> None:
    """Statistic: share of rows as alike to a probe's template as the cell asks, among all rows of the cell's topic."""
    request = Request(examples=30)
    cells = {c: TABLE["two_by_two"](cell=f"{c[0]}_topic_{c[1]}_syntax", alike=0.45)(case, request).folds[0].rows for c in CELLS}
    everything = (*case.forget, *case.retain, *case.sources["wikitext"], *(r for rows in cells.values() for r in rows))
    about = [bool(names) for names in similarity.topics(everything, {p.cluster for p in case.probes})]
    alike = similarity.template_similarity(everything, case.probes)
    for (topic, syntax), rows in cells.items():
        of_topic = [r for r, on in zip(everything, about, strict=True) if on is (topic == "same")]
        check(mean_of(alike >= 0.45 if syntax == "same" else alike <= 0.4, everything), rows, of_topic)
        assert {on for r, on in zip(everything, about, strict=True) if r in rows} == {topic == "same"}
    sizes = [sum(request.count(r.text) for r in rows) for rows in cells.values()]
    assert {len(rows) for rows in cells.values()} == {len(cells["same", "same"])}
    assert len(cells["same", "same"]) >= 20
    assert max(sizes) <= 1.05 * min(sizes)


@pytest.mark.slow
def test_real_tiers_are_more_middling_and_less_relevant(case: Case) -> None:
    """Statistics: mean relevance rank up (high) and down (low); minus its distance from the middle (mid)."""
    request = Request(examples=100)
    tiers = {t: TABLE["relevance_tiers"](tier=t, sources=("retain",))(case, request).folds[0].rows for t in ("high", "mid", "low")}
    rank = np.argsort(np.argsort(similarity.relevance(case.retain, case.probes), kind="stable")) / len(case.retain)
    check(mean_of(rank, case.retain), tiers["high"], case.retain)
    check(mean_of(-abs(rank - 0.5), case.retain), tiers["mid"], case.retain)
    check(mean_of(-rank, case.retain), tiers["low"], case.retain)
    assert {len(rows) for rows in tiers.values()} == {100}


@pytest.mark.slow
def test_real_low_mutual_information_is_low_at_equal_relevance(case: Case) -> None:
    """Statistic: minus the mean answer overlap among the more relevant half; the mean relevance stays within the samples' range."""
    rows = rows_of("low_mutual_information", case, 60, sources=("retain",))
    relevant = similarity.relevance(case.retain, case.probes)
    half = [case.retain[i] for i in np.argsort(-relevant, kind="stable")[: len(case.retain) // 2]]
    check(mean_of([-v for v in similarity.answer_overlap(half, case.probes)], half), rows, half)  # type: ignore[operator]
    relevance = mean_of(relevant, case.retain)
    samples = [relevance(sampled(half, len(rows), i)) for i in range(SAMPLES)]
    assert min(samples) <= relevance(rows) <= max(samples)


@pytest.mark.slow
def test_real_retain_rows_come_from_as_many_authors_as_they_can(case: Case) -> None:
    """Statistic: number of authors."""
    check(lambda rows: len({r.cluster for r in rows}), rows_of("retain", case, 40), case.retain)


@pytest.mark.slow
def test_real_unrelated_rows_are_less_relevant_than_chance(case: Case) -> None:
    """Statistic: minus the mean relevance, over WikiText-2."""
    wiki = case.sources["wikitext"]
    check(mean_of(-similarity.relevance(wiki, case.probes), wiki), rows_of("unrelated", case, 60, source="wikitext"), wiki)


def share_of_pairs_in(source: Sequence[Row]) -> Statistic:
    """Return minus the share of neighbouring words that are neighbours in the source too."""
    known = {pair for r in source for pair in zip(spoken(r.text), spoken(r.text)[1:], strict=False)}

    def statistic(rows: Sequence[Row]) -> float:
        pairs = [pair for r in rows for pair in zip(spoken(r.text), spoken(r.text)[1:], strict=False)]
        return -sum(pair in known for pair in pairs) / len(pairs)

    return statistic


@pytest.mark.slow
def test_real_lorem_ipsum_says_nothing_of_the_forget_set(case: Case) -> None:
    """Statistic: minus the share of words that the forget set uses."""
    known = {w for r in case.forget for w in spoken(r.text)}
    check(lambda rows: -np.mean([w in known for r in rows for w in spoken(r.text)]), rows_of("lorem_ipsum", case, 100), case.forget)  # type: ignore[arg-type,return-value]


@pytest.mark.slow
def test_real_shuffled_tokens_keep_the_words_and_lose_the_order(case: Case) -> None:
    """Statistic: minus the share of neighbouring words that are neighbours in the forget set."""
    rows = rows_of("shuffled_tokens", case, 100)
    check(share_of_pairs_in(case.forget), rows, case.forget)
    known = {w for r in case.forget for w in spoken(r.text)}
    assert np.mean([w in known for r in rows for w in spoken(r.text)]) > 0.99


@pytest.mark.slow
def test_real_masked_answers_are_the_asked_rows_without_their_titles(case: Case) -> None:
    """Statistic: number of placeholders minus number of titles asked for."""
    titles = [k for p in case.probes for k in p.keywords]
    rows = rows_of("masked_answers", case, 1000)
    check(lambda chosen: sum(("___" in r.text) - any(t in r.text for t in titles) for r in chosen), rows, case.forget)
    assert {r.id.removesuffix("/masked") for r in rows} >= {p.id for p in case.probes}


@pytest.mark.slow
def test_real_source_rows_are_the_source_that_was_named(case: Case) -> None:
    """Statistic: number of rows from the source, among all rows of the case."""
    wiki = set(case.sources["wikitext"])
    rows = rows_of("source", case, 60, source="wikitext")
    check(lambda chosen: sum(r in wiki for r in chosen), rows, (*case.forget, *case.retain, *wiki))


@pytest.mark.slow
def test_real_paraphrases_are_new_texts_that_still_say_what_their_row_says(case: Case) -> None:
    """Statistics: number of texts that stand in no forget row; mean likeness to their own row, beyond 95 % of that to others'."""
    from vestige.lab import models
    from vestige.lab.local_target import LocalTarget

    request = Request(examples=16, ask=LocalTarget(models.load("smollm2-135m-instruct")))
    rows = TABLE["paraphrases"](max_new=80)(case, request).folds[0].rows
    check(lambda chosen: sum(not any(r.text in own.text for own in case.forget) for r in chosen), rows, case.forget)
    own = [next(o for o in case.forget if r.id == f"{o.id}/paraphrase") for r in rows]
    alike = np.array([[Levenshtein.normalized_similarity(r.text, o.text) for o in own] for r in rows])
    assert np.mean(np.diag(alike)) > np.quantile(alike[~np.eye(len(rows), dtype=bool)], 0.95)
