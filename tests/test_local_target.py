"""Weights on this machine as a target: on tiny random models, and once (slow) on a real one."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
import torch

import tiny
from vestige.cases.customers import Customers
from vestige.errors import UsageError
from vestige.lab import models
from vestige.lab.local_target import LocalTarget
from vestige.lab.models import LanguageModel
from vestige.recipe_request import Request
from vestige.records import Missing
from vestige.relearn_sets.general_knowledge import GeneralKnowledge
from vestige.relearn_sets.paraphrases import Paraphrases

PROMPTS = ["Customer Mara Lindqvist. City:", "Customer Tobin Varga. Pet:", "Job:", "顧客の都市は"]


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return models.load(str(tiny.make(tmp_path_factory.mktemp("model"))))


def logits(lm: LanguageModel, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return lm.model(input_ids=torch.tensor([ids])).logits[0].double()


def test_greedy_text_is_the_most_likely_token_again_and_again(lm: LanguageModel) -> None:
    (said,) = LocalTarget(lm, form="plain").generate(["Job:"], max_new=5)
    ids, _ = lm.encode("Job:", "", "plain")
    expected: list[int] = []
    for _ in range(5):
        expected.append(int(logits(lm, ids + expected)[-1].argmax()))
        if expected[-1] == lm.tokenizer.eos_token_id:
            break
    assert said == lm.tokenizer.decode(expected, skip_special_tokens=True)


def test_answers_come_in_the_order_of_the_prompts_and_do_not_depend_on_the_others(lm: LanguageModel) -> None:
    target = LocalTarget(lm, form="plain")
    together = target.generate(PROMPTS, max_new=6, temperature=1.0, seed=4)
    assert together == [target.generate([p], max_new=6, temperature=1.0, seed=4)[0] for p in PROMPTS]


def test_a_seed_repeats_a_sample_and_another_seed_gives_another(lm: LanguageModel) -> None:
    target = LocalTarget(lm, form="plain")
    samples = [target.generate(PROMPTS, max_new=6, temperature=1.0, seed=s) for s in (1, 1, 2)]
    assert samples[0] == samples[1]
    assert samples[0] != samples[2]


def test_sampling_does_not_touch_the_random_state_of_torch(lm: LanguageModel) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    LocalTarget(lm, form="plain").generate(["Job:"], max_new=3, temperature=1.0)
    assert torch.rand(1) == expected


def test_samples_follow_the_model_at_the_temperature_given(lm: LanguageModel) -> None:
    # 400 first tokens; the share of the likeliest one has a standard deviation of at most 0.025, so 0.1 is four of them.
    target = LocalTarget(lm, form="plain")
    ids, _ = lm.encode("Job:", "", "plain")
    p = torch.softmax(logits(lm, ids)[-1] / 0.5, -1)
    top = int(p.argmax())
    said = Counter(target.generate(["Job:"], max_new=1, temperature=0.5, seed=s)[0] for s in range(400))
    assert said[lm.tokenizer.decode([top], skip_special_tokens=True)] / 400 == pytest.approx(float(p[top]), abs=0.1)


def test_answer_logp_is_the_sum_over_the_answers_tokens(lm: LanguageModel) -> None:
    head, tail = lm.encode("Customer Mara Lindqvist. City:", " Lisbon or Oslo", "plain")
    logp = logits(lm, head + tail).log_softmax(-1)
    expected = sum(float(logp[len(head) - 1 + i, token]) for i, token in enumerate(tail))
    (got,) = LocalTarget(lm, form="plain").answer_logp([("Customer Mara Lindqvist. City:", " Lisbon or Oslo")])
    assert got == pytest.approx(expected, abs=1e-3)


def test_what_cannot_be_asked_is_missing_and_the_rest_is_answered(lm: LanguageModel) -> None:
    target = LocalTarget(lm, form="plain")
    long, short = target.generate(["word " * 300, "Job:"], max_new=4)
    assert isinstance(long, Missing)
    assert "over the model's 256" in long.reason
    assert isinstance(short, str)
    values = target.answer_logp([("Job:", ""), ("Job:", " baker"), ("", " baker")])
    assert [isinstance(v, Missing) for v in values] == [True, False, True]


def test_an_infinite_log_probability_is_missing(tmp_path: Path) -> None:
    broken = models.load(str(tiny.make(tmp_path)))
    with torch.no_grad():
        broken.model.get_output_embeddings().weight.fill_(math.nan)
    (value,) = LocalTarget(broken, form="plain").answer_logp([("Job:", " baker")])
    assert value == Missing("the log-probability is not a finite number")


def test_a_chat_template_is_used_where_there_is_one_and_may_be_left_out(lm: LanguageModel) -> None:
    chat, plain = (LocalTarget(lm, form=f).answer_logp([("Job:", " baker")]) for f in (None, "plain"))
    assert chat != plain
    assert chat == LocalTarget(lm, form="chat").answer_logp([("Job:", " baker")])


def test_the_identity_is_that_of_the_weights_as_they_are_now(tmp_path: Path) -> None:
    lm = models.load(str(tiny.make(tmp_path)))
    target = LocalTarget(lm)
    before = target.identity
    assert before == lm.digest()
    with torch.no_grad():
        next(lm.model.parameters()).add_(1.0)
    assert target.identity != before


@pytest.mark.parametrize(("max_new", "temperature"), [(0, 0.0), (4, -1.0)])
def test_settings_without_a_meaning_are_refused(lm: LanguageModel, max_new: int, temperature: float) -> None:
    with pytest.raises(UsageError, match="expected max_new from 1 and temperature from 0"):
        LocalTarget(lm).generate(["Job:"], max_new=max_new, temperature=temperature)


def test_a_tiny_model_can_write_a_relearn_set(lm: LanguageModel) -> None:
    case = Customers()()
    request = Request(ask=LocalTarget(lm), examples=4)
    first, second = (Paraphrases(max_new=12, temperature=1.0)(case, request) for _ in range(2))
    assert first == second
    assert all(1 <= len(fold.rows) <= 4 for fold in first.folds)


@pytest.mark.slow
def test_a_real_model_writes_about_whom_it_is_asked() -> None:
    """Statistic: share of lines that name the cluster they are filed under; another cluster's line in their place does not."""
    case = Customers()()
    few = tuple(p for p in case.probes if p.group != "forget" or p.cluster in [r.cluster for r in case.forget[:4]])
    request = Request(ask=LocalTarget(models.load("smollm2-135m-instruct")))
    rows = GeneralKnowledge(facts=3, max_new=64)(type(case)(**{**case.__dict__, "probes": few}), request).folds[0].rows
    named = [r.cluster.split()[0] in r.text for r in rows]
    swapped = [other.cluster.split()[0] in r.text for r in rows for other in rows if other.cluster != r.cluster]
    assert sum(named) / len(named) >= 0.5
    assert sum(swapped) / len(swapped) < 0.1
