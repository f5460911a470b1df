"""Asking a model: every number of a record against a plain forward pass, every word against transformers' own generation."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tiny
from vestige.cases.customers import Customers
from vestige.cases.unrelated import unrelated_rows
from vestige.desk import metrics
from vestige.desk.tokens import with_lengths
from vestige.errors import DataError
from vestige.lab import generation, models, probes
from vestige.lab.learn import Learn
from vestige.lab.models import LanguageModel
from vestige.records import Answer, Candidate, Missing, Probe, Row, ScoreTokens, digest, plain

torch.set_num_threads(1)
CASE = Customers()()


@pytest.fixture(scope="module", params=list(tiny.ARCHITECTURES))
def any_lm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return models.load(str(tiny.make(tmp_path_factory.mktemp("probes") / request.param, request.param)))


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return models.load(str(tiny.make(tmp_path_factory.mktemp("probes-llama"))))


def probe(prompt: str, answer: str = " Oslo", wrong: Sequence[str] = (), **more: object) -> Probe:
    return Probe(more.pop("id", prompt), prompt, answer, "forget", "c", "test", tuple(wrong), **more)  # type: ignore[arg-type]


def dense(lm: LanguageModel, p: Probe, candidate: str) -> tuple[Tensor, list[int]]:
    """Return float64 log-probabilities (T, V) at the tokens of one candidate, from a plain forward pass, and the tokens."""
    head, tail = lm.encode(p.prompt, candidate, p.form)
    with torch.no_grad():
        logits = lm.model(input_ids=torch.tensor([head + tail])).logits[0].double()
    return logits.log_softmax(-1)[len(head) - 1 : -1], tail


def candidates_of(p: Probe) -> list[tuple[str, str]]:
    return [
        ("true", p.answer),
        *((f"alias:{i}", a) for i, a in enumerate(p.aliases)),
        *((f"wrong:{j}", d) for j, d in enumerate(p.distractors)),
    ]


def compare(lm: LanguageModel, asked: Sequence[Probe], records: Sequence[ScoreTokens], tolerance: float = 2e-5) -> None:
    """Fail unless every number of every record is that of one plain forward pass per candidate."""
    assert [r.probe for r in records] == [p.id for p in asked]
    for p, record in zip(asked, records, strict=True):
        assert [c.candidate for c in record.candidates] == [name for name, _ in candidates_of(p)]
        for c, (_, text) in zip(record.candidates, candidates_of(p), strict=True):
            logp, tail = dense(lm, p, text)
            at = torch.arange(len(tail))
            own = logp.exp()
            entropy = -(own * logp).sum(-1)
            sd = (own * (logp + entropy[:, None]) ** 2).sum(-1).sqrt()
            assert list(c.logp) == pytest.approx(logp[at, tail].tolist(), abs=tolerance)
            assert list(c.entropy) == pytest.approx(entropy.tolist(), abs=tolerance)
            assert list(c.sd) == pytest.approx(sd.tolist(), abs=tolerance)
            assert list(c.top1) == [int(best == t) for best, t in zip(logp.argmax(-1).tolist(), tail, strict=True)]


# One token, several tokens, one the beginning of another, an alias, prompts of different length, a chat.
MANY = (
    probe("Customer Mara Lindqvist. City:", " Oslo", (" Berlin and Rome", " Lisbon", " Lisbon Prague", " zq xylophone")),
    probe("Pet:", " falcon or rabbit", (" goat", " falcon"), aliases=(" hawk", " peregrine falcon")),
    probe("Which city does customer Tobin Varga live in? The answer is", " Prague", (" Oslo", " Wien, Wien")),
    probe("Where does Mara live?", " Oslo", (" Rome", " Lisbon and Rome"), form="chat"),
)


def test_candidates_side_by_side_score_as_they_do_alone(any_lm: LanguageModel) -> None:
    assert any(len(any_lm.encode("", d, "plain")[1]) > 3 for p in MANY for d in p.distractors)
    compare(any_lm, MANY, probes.score_candidates(any_lm, MANY))


def test_what_candidates_begin_with_is_read_once(any_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    # The second parts from the first late and early again from the third; the fourth is a beginning of the first; the fifth is it.
    stem = " The full name of the author is Mara"
    asked = probe("Who?", f"{stem} Lindqvist.", (f"{stem} Varga.", " The author is Oskar.", stem, f"{stem} Lindqvist.", " Nobody"))
    read: list[int] = []
    body = any_lm.body
    monkeypatch.setattr(
        LanguageModel, "body", property(lambda _: lambda **given: (read.append(given["input_ids"].numel()), body(**given))[1])
    )
    records = probes.score_candidates(any_lm, [asked])
    compare(any_lm, [asked], records)
    head = len(any_lm.encode(asked.prompt, "", "plain")[0])
    inputs = {
        tuple(tail[:n])
        for _, text in candidates_of(asked)
        for tail in [any_lm.encode(asked.prompt, text, "plain")[1]]
        for n in range(1, len(tail))
    }
    assert read == [head + len(inputs)]


@pytest.mark.parametrize("sentences", [3, 7, 14])
def test_prompts_around_and_beyond_a_sliding_window_score_as_they_do_alone(any_lm: LanguageModel, sentences: int) -> None:
    # gemma's window is 64 tokens here: 3 sentences end before it, 7 reach over it, 14 pass two windows.
    long = probe("Mara keeps a zebra. " * sentences + "City:", " Oslo and Rome", (" Berlin, Prague", " Lisbon", " Madrid or Vienna"))
    short = probe("City:", " Oslo and Rome", (" Lisbon",))
    tokens = len(any_lm.encode(long.prompt, "", "plain")[0])
    assert (tokens < 60, 60 < tokens < 128, 128 < tokens < 240)[[3, 7, 14].index(sentences)]
    compare(any_lm, [long, short], probes.score_candidates(any_lm, [long, short]))


def test_a_window_that_ends_inside_the_candidates_counts_positions_and_not_places(tmp_path: Path) -> None:
    gemma = models.load(str(tiny.make(tmp_path / "gemma", "gemma")))
    # Prompts from well below to well above the window: at some length every candidate's last tokens lose the first prompt token.
    for words in range(50, 66):
        p = probe("a" + " Oslo" * words, " Rome, Rome, Rome", (" Lisbon and Lisbon", " Bern", " Bern, Bern, Bern, Bern"))
        compare(gemma, [p], probes.score_candidates(gemma, [p]))


def sharpened(lm: LanguageModel, folder: Path, factor: float) -> LanguageModel:
    """Return a copy whose final norm is scaled, so that its distributions are sharp (or nearly flat)."""
    lm.save(folder)
    other = models.load(str(folder))
    with torch.no_grad():
        other.model.model.norm.weight.mul_(factor)
    return other


@pytest.mark.parametrize("factor", [1e-4, 1e-2, 10.0])
def test_flat_and_sharp_distributions_keep_their_moments(lm: LanguageModel, tmp_path: Path, factor: float) -> None:
    other = sharpened(lm, tmp_path / "other", factor)
    records = probes.score_candidates(other, MANY)
    compare(other, MANY, records, 2e-5 * max(1.0, factor))
    # A spread that a difference of squares would drown in rounding, to within a hundredth of itself.
    logp, _ = dense(other, MANY[0], MANY[0].answer)
    own = logp.exp()
    spread = (own * (logp - (own * logp).sum(-1, keepdim=True)) ** 2).sum(-1).sqrt()
    assert list(records[0].candidates[0].sd) == pytest.approx(spread.tolist(), rel=1e-2)


def test_a_candidate_that_greedy_decoding_would_say_hits_top1_at_every_token(lm: LanguageModel) -> None:
    (said,) = probes.greedy(lm, [probe("Customer Mara.")], max_new=6, stop="")
    head, tail = lm.encode("Customer Mara.", said.text, "plain")
    with torch.no_grad():
        again = lm.model.generate(torch.tensor([head]), do_sample=False, max_new_tokens=6)[0, len(head) :].tolist()
    assert tail == again[: len(tail)]  # the text splits into the tokens that were said
    (record,) = probes.score_candidates(lm, [probe("Customer Mara.", said.text, (" Oslo Rome",))])
    assert set(record.candidates[0].top1) == {1}
    assert 0 in record.candidates[1].top1


def test_records_come_in_the_order_asked_whatever_the_batches(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = CASE.probes[:40]
    together = probes.score_candidates(lm, asked)
    assert [r.probe for r in together] == [p.id for p in asked]
    monkeypatch.setattr(probes, "_BATCH_TOKENS", 1)
    for one, other in zip(together, probes.score_candidates(lm, asked), strict=True):
        for a, b in zip(one.candidates, other.candidates, strict=True):
            assert a.candidate == b.candidate
            assert a.logp == pytest.approx(b.logp, abs=2e-5)


def test_asking_does_not_change_the_model(lm: LanguageModel) -> None:
    before = lm.digest()
    first = probes.score_candidates(lm, MANY)
    probes.greedy(lm, MANY, max_new=4)
    assert lm.digest() == before
    assert probes.score_candidates(lm, MANY) == first


def test_numbers_are_kept_to_seven_digits(lm: LanguageModel) -> None:
    for record in probes.score_candidates(lm, MANY):
        for c in record.candidates:
            assert all(float(f"{x:.7g}") == x for x in (*c.logp, *c.sd, *c.entropy))


def test_bf16_probing_stays_near_fp32_and_is_not_the_same(any_lm: LanguageModel) -> None:
    exact = probes.score_candidates(any_lm, MANY)
    rough = probes.score_candidates(any_lm, MANY, precision="bfloat16")
    pairs = [(a, b) for x, y in zip(exact, rough, strict=True) for c, d in zip(x.candidates, y.candidates, strict=True)
             for a, b in zip(c.logp, d.logp, strict=True)]  # fmt: skip
    assert 0 < max(abs(a - b) for a, b in pairs) < 0.3


def test_the_head_takes_states_in_parts_without_a_difference(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    logits = LanguageModel.logits
    monkeypatch.setattr(LanguageModel, "logits", lambda self, hidden: (seen.append(len(hidden)), logits(self, hidden))[1])
    whole = probes.score_candidates(lm, MANY)
    states = sum(seen)
    seen.clear()
    monkeypatch.setattr(probes, "_HEAD_ROWS", 5)
    monkeypatch.setattr(probes, "_MOMENT_ROWS", 2)
    compare(lm, MANY, probes.score_candidates(lm, MANY))
    assert sum(seen) == states > 10
    assert max(seen) == 5
    assert [r.probe for r in whole] == [p.id for p in MANY]


# The compressed " Oslo": 2 bytes before and 4 after; 3 bits of header, 5 letters of 8 bits and an end of 7 make 50 bits, 7 bytes: 13.
def test_a_candidate_holds_the_lengths_of_its_text(lm: LanguageModel) -> None:
    asked = probe("Mara. City:", " Oslo", (" 東京", " Oslo" * 20), aliases=(" é",))
    (record,) = probes.score_candidates(lm, [asked])
    assert [(c.candidate, c.bytes) for c in record.candidates] == [("true", 5), ("alias:0", 3), ("wrong:0", 7), ("wrong:1", 100)]
    true, _, _, long = record.candidates
    assert true.zlib_bytes == 13
    assert long.zlib_bytes is not None
    assert 13 < long.zlib_bytes < 30
    told = plain(record.candidates)
    assert with_lengths(told, dict(candidates_of(asked))) == told  # the desk counts the same


def test_a_candidate_of_an_old_ledger_has_no_lengths_and_is_written_as_it_was() -> None:
    old = {"candidate": "true", "logp": [-0.5], "top1": [1], "sd": [0.25], "entropy": [2.0]}
    read_back = Candidate(**old)  # type: ignore[arg-type]
    assert (read_back.bytes, read_back.zlib_bytes) == (None, None)
    assert plain(read_back) == old
    assert digest(read_back) == digest(old)
    assert plain(replace(read_back, bytes=5)) == {**old, "bytes": 5}
    assert metrics.TOKENS["zlib"]([old]) == Missing("candidate true has no length under zlib")
    assert metrics.TOKENS["zlib"]([{**old, "zlib_bytes": 10}]) == 0.05


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (probe("", " Oslo", (" Rome",), id="no prompt"), r"'no prompt': a prompt of 0 and a candidate of [1-9]"),
        (probe("City:", "", (" Rome",), id="no answer"), r"'no answer': a prompt of [1-9]\d* and a candidate of 0"),
        (probe("City:", " Oslo", ("",), id="no wrong"), r"'no wrong': a prompt of [1-9]\d* and a candidate of 0"),
        (probe("é" * 128, " Oslo", (" Rome",), id="too long"), r"'too long'.* 2\d\d tokens.* context holds 256; shorten"),
    ],
)
def test_a_probe_that_cannot_be_scored_is_refused_by_its_id(lm: LanguageModel, bad: Probe, says: str) -> None:
    with pytest.raises(DataError, match=says):
        probes.score_candidates(lm, [MANY[0], bad])


# --- greedy ---


def own_tokens(lm: LanguageModel, p: Probe, max_new: int) -> list[int]:
    """Return what transformers' own greedy generation says, asked alone."""
    head, _ = lm.encode(p.prompt, "", p.form)
    with torch.no_grad():
        out = lm.model.generate(torch.tensor([head]), do_sample=False, max_new_tokens=max_new, attention_mask=torch.ones(1, len(head)))
    return [int(t) for t in out[0, len(head) :]]


def read(lm: LanguageModel, tokens: list[int], stop: str) -> tuple[str, str]:
    """Return (text, finish) of generated tokens by the rules of the docstring, written a second time over characters."""
    kept: list[int] = []
    for token in tokens:
        if token == lm.tokenizer.eos_token_id:
            return lm.tokenizer.decode(kept), "eos"
        if stop and kept and stop in lm.tokenizer.decode([token]):
            return lm.tokenizer.decode(kept), "stop"
        kept.append(token)
        if re.search(r"(.{1,4})\1\1\1$", "".join(chr(0x4E00 + t) for t in kept)):
            return lm.tokenizer.decode(kept), "loop"
    return lm.tokenizer.decode(kept), "length"


# Answers that end in a new line or in the end token, and a sentence that goes on.
LESSONS = (
    Row("line 0", "Customer Ada. City:", " Oslo\n", "Ada"),
    Row("line 1", "Customer Bo. City:", " Rome and Bern\n", "Bo"),
    Row("end 0", "Customer Ada. Pet:", " goat<|end|>", "Ada"),
    Row("end 1", "Customer Bo. Pet:", " red cat<|end|>", "Bo"),
    Row("loop", "Bees say:", "-+" * 10, "bees"),
    *(replace(r, prompt=r.answer[:12], answer=r.answer[12:], loss_on="answer") for r in unrelated_rows()[:3]),
)


def test_greedy_says_what_transformers_says_token_for_token(any_lm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    any_lm.save(tmp_path / "copy")
    lm = models.load(str(tmp_path / "copy"))
    Learn(lr=1e-2, epochs=60, train="all", precision="float32")(lm, {"train": LESSONS}, seed=0, on_step=lambda _: False)
    asked = [probe(row.prompt, id=row.id) for row in LESSONS]
    asked += [probe("Where does Ada live?", form="chat", id="chat"), probe("Customer Ada. " * 12 + "City:", id="long"), *CASE.probes[:4]]
    own = [own_tokens(lm, p, 14) for p in asked]
    seen: set[str] = set()
    for stop in ("", "\n", "o"):
        answers = probes.greedy(lm, asked, max_new=14, stop=stop)
        assert answers == [Answer(p.id, *read(lm, t, stop)) for p, t in zip(asked, own, strict=True)]
        seen |= {a.finish for a in answers}
        for rows in (1, 3, 5):  # so few at a time that others join as some end, whatever their lengths
            monkeypatch.setattr(generation, "ROWS", rows)
            assert probes.greedy(lm, asked, max_new=14, stop=stop) == answers
        monkeypatch.undo()
    assert seen == {"eos", "stop", "length", "loop"}  # every way to end was among them
    assert len({len(lm.encode(p.prompt, "", p.form)[0]) for p in asked}) >= 5  # prompts of five lengths at least
    assert [a.text for a in probes.greedy(lm, asked[:4], max_new=14)] == [" Oslo", " Rome and Bern", " goat", " red cat"]


def test_greedy_answers_do_not_depend_on_who_else_is_asked(any_lm: LanguageModel) -> None:
    asked = CASE.probes[:12]
    assert probes.greedy(any_lm, asked, max_new=6) == [probes.greedy(any_lm, [p], max_new=6)[0] for p in asked]


@pytest.mark.parametrize("architecture", [*tiny.ARCHITECTURES, "mistral"])
def test_every_logit_along_the_way_is_that_of_a_plain_forward_pass(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # mistral looks back over 16 tokens in every layer, gemma over 64 in some; rows join, pass the window at different times, and leave.
    monkeypatch.setitem(tiny.ARCHITECTURES, "mistral", {"model_type": "mistral", "tie_word_embeddings": False, "sliding_window": 16})
    monkeypatch.setattr(generation, "ROWS", 3)
    monkeypatch.setattr(generation, "_LOOP_REPEATS", 100)
    lm = models.load(str(tiny.make(tmp_path / architecture, architecture)))
    asked = [probe("a" + " Oslo" * words + " Rome:", id=str(words)) for words in (0, 3, 7, 9, 12, 50, 56, 60, 70, 140)]
    asked += [probe("Where does Mara live?", form="chat", id="chat")]
    seen: list[Tensor] = []
    logits = LanguageModel.logits
    with monkeypatch.context() as spying:
        spying.setattr(LanguageModel, "logits", lambda self, hidden: (seen.append(logits(self, hidden)), seen[-1])[1])
        answers = probes.greedy(lm, asked, max_new=9, stop="")
    assert {a.finish for a in answers} == {"length"}
    assert sum(len(x) for x in seen) == 9 * len(asked)
    due = []
    for p in asked:
        head, said = lm.encode(p.prompt, "", p.form)[0], own_tokens(lm, p, 9)
        with torch.no_grad():
            due.append(lm.model(input_ids=torch.tensor([head + said])).logits[0, len(head) - 1 : -1])
    # The order of rows in the batch is its own affair: logits are put in order of their numbers for the first token.
    mine, theirs = (x[x[:, 0].argsort()] for x in (torch.cat(seen), torch.cat(due)))
    torch.testing.assert_close(mine[:, 0], theirs[:, 0], atol=2e-5, rtol=0)
    torch.testing.assert_close(mine.max(-1).values.sort().values, theirs.max(-1).values.sort().values, atol=2e-5, rtol=0)


def test_in_bf16_the_same_questions_get_the_same_answers(any_lm: LanguageModel) -> None:
    asked = CASE.probes[:12]
    assert probes.greedy(any_lm, asked, max_new=6, precision="bfloat16") == probes.greedy(any_lm, asked, max_new=6, precision="bfloat16")


def test_no_new_tokens_are_no_answer(lm: LanguageModel) -> None:
    assert probes.greedy(lm, MANY[:1], max_new=0) == [Answer(MANY[0].id, "", "length")]
    assert probes.greedy(lm, [], max_new=4) == []


@pytest.fixture
def script(tmp_path: Path) -> LanguageModel:
    """A llama whose blocks add nothing to the residual stream: what comes next depends on the last token alone."""
    lm = models.load(str(tiny.make(tmp_path / "script", "llama-untied")))
    with torch.no_grad():
        for layer in lm.model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        lm.model.lm_head.weight.zero_()
    return lm


def follow(lm: LanguageModel, *chains: Sequence[int]) -> None:
    """Make every token of a chain be followed by the next: its head row points along the embedding of the token before."""
    table = lm.model.model.embed_tokens.weight
    with torch.no_grad():
        for before, after in (pair for chain in chains for pair in itertools.pairwise(chain)):
            lm.model.lm_head.weight[after] += table[before] / table[before].norm()


def ids(lm: LanguageModel, *texts: str) -> list[int]:
    found = [lm.tokenizer(t, add_special_tokens=False)["input_ids"] for t in texts]
    assert all(len(f) == 1 for f in found), found
    return [f[0] for f in found]


def said(lm: LanguageModel, start: str, **more: object) -> tuple[str, str]:
    (answer,) = probes.greedy(lm, [probe(start)], **{"max_new": 8, **more})  # type: ignore[arg-type]
    return answer.text, answer.finish


def test_a_new_line_ends_an_answer_and_is_no_part_of_it(script: LanguageModel) -> None:
    follow(script, ids(script, "x", "y", "z", "\n", "q"))
    assert said(script, "x") == ("yz", "stop")
    assert said(script, "x", stop="z") == ("y", "stop")
    assert said(script, "x", stop="", max_new=4) == ("yz\nq", "length")


def test_a_new_line_before_the_first_word_does_not_end_an_answer(script: LanguageModel) -> None:
    follow(script, ids(script, "x", "\n", "y", "z", ":", "w"))
    assert said(script, "x", max_new=4) == ("\nyz:", "length")


def test_the_end_token_ends_an_answer_and_is_no_part_of_it(script: LanguageModel) -> None:
    end = script.tokenizer.eos_token_id
    follow(script, [*ids(script, "x", "y", "z"), end])
    assert said(script, "x") == ("yz", "eos")
    follow(script, [*ids(script, "w"), end])
    assert said(script, "w") == ("", "eos")


def test_every_end_token_of_the_generation_config_ends_an_answer(script: LanguageModel) -> None:
    x, y, z = ids(script, "x", "y", "z")
    follow(script, [x, y, z])
    script.model.generation_config.eos_token_id = [script.tokenizer.eos_token_id, z]
    assert said(script, "x") == ("y", "eos")


def test_the_tokenizers_end_token_ends_an_answer_though_the_generation_config_names_another_or_none(script: LanguageModel) -> None:
    end = script.tokenizer.eos_token_id
    follow(script, [*ids(script, "x", "y"), end])
    for configured in (None, ids(script, "q")):
        script.model.generation_config.eos_token_id = configured
        assert said(script, "x") == ("y", "eos")


# A period of n tokens, said four times, is a loop: 4n tokens. Five tokens are too long a period to be one.
@pytest.mark.parametrize("period", [1, 2, 3, 4])
def test_a_loop_is_four_repeats_of_up_to_four_tokens(script: LanguageModel, period: int) -> None:
    chain = ids(script, *"yzwq"[:period])
    follow(script, [*ids(script, "x"), *chain, chain[0]])
    text = "yzwq"[:period]
    assert said(script, "x", max_new=30) == (text * 4, "loop")
    assert said(script, "x", max_new=4 * period) == (text * 4, "loop")
    assert said(script, "x", max_new=4 * period - 1) == ((text * 4)[:-1], "length")


def test_a_period_of_five_tokens_runs_to_its_length(script: LanguageModel) -> None:
    follow(script, ids(script, "x", *"yzwqk", "y"))
    assert said(script, "x", max_new=25) == ("yzwqk" * 5, "length")


def test_a_row_that_ends_early_leaves_its_neighbours_alone(script: LanguageModel) -> None:
    follow(script, ids(script, "x", "y", "\n"), ids(script, "a", "b", "c", "d", "e"), [*ids(script, "k", "l"), 0])
    answers = probes.greedy(script, [probe("x"), probe("a"), probe("k")], max_new=4)
    assert [(a.probe, a.text, a.finish) for a in answers] == [("x", "y", "stop"), ("a", "bcde", "length"), ("k", "l", "eos")]


def shapes(monkeypatch: pytest.MonkeyPatch, lm: LanguageModel) -> list[tuple[int, int, int]]:
    """Return a list that fills with what the model is given: rows, new tokens a row, and tokens that it looks back on, these included."""
    seen: list[tuple[int, int, int]] = []
    body = lm.body

    def spy(**given: Any) -> Any:
        seen.append((*given["input_ids"].shape, given["attention_mask"].shape[-1]))
        return body(**given)

    monkeypatch.setattr(LanguageModel, "body", property(lambda _: spy))
    return seen


def test_a_row_that_ends_leaves_the_batch_and_when_half_have_left_others_join(
    script: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(script, ids(script, "x", "y", "\n"), ids(script, "a", "b", "c", "d", "e"))
    monkeypatch.setattr(generation, "ROWS", 4)
    seen = shapes(monkeypatch, script)
    asked = [probe(text, id=str(n)) for n, text in enumerate("xxaxxa")]
    answers = probes.greedy(script, asked, max_new=4)
    assert [(a.text, a.finish) for a in answers] == [{"x": ("y", "stop"), "a": ("bcde", "length")}[p.prompt] for p in asked]
    # Four rows read their prompts and go on; the two x among them end. Two a say their third token while two x are read, then all four end.
    assert seen == [(4, 1, 1), (4, 1, 2), (2, 1, 3), (2, 1, 1), (4, 1, 4)]


def test_the_cache_forgets_what_only_rows_that_ended_looked_back_on(script: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    follow(script, ids(script, "x", "y", "\n"), ids(script, "a", "b", "c", "d", "e"))
    seen = shapes(monkeypatch, script)
    answers = probes.greedy(script, [probe("q w k z q x"), probe("a")], max_new=4)
    assert [(a.text, a.finish) for a in answers] == [("y", "stop"), ("bcde", "length")]
    tokens = len(script.encode("q w k z q x", "", "plain")[0])
    assert tokens > 3
    assert seen == [(2, tokens, tokens), (2, 1, tokens + 1), (1, 1, 3), (1, 1, 4)]


def test_a_chat_probe_is_completed_after_the_template(script: LanguageModel) -> None:
    follow(script, ids(script, ">", "y", "z", "\n"))  # the template ends in "<assistant>"
    (answer,) = probes.greedy(script, [probe("Where?", form="chat")], max_new=8)
    assert (answer.text, answer.finish) == ("yz", "stop")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (probe("", id="no prompt"), r"'no prompt': a prompt of no tokens"),
        (probe("é" * 126, id="too long"), r"'too long': prompt and answer take 257 tokens, the model's context holds 256"),
    ],
)
def test_a_probe_that_cannot_be_completed_is_refused_by_its_id(lm: LanguageModel, bad: Probe, says: str) -> None:
    with pytest.raises(DataError, match=says):
        probes.greedy(lm, [MANY[0], bad], max_new=5)
