"""Rows to tensors: what is attended to, what is scored, and how batches are cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import tiny
from vestige.cases.customers import Customers
from vestige.cases.unrelated import unrelated_rows
from vestige.errors import DataError, ModelError
from vestige.lab import losses, models
from vestige.lab.batches import Encoded, by_rows, by_tokens, encode_rows, reference_sums, score_batch
from vestige.lab.losses import Scored
from vestige.lab.models import LanguageModel
from vestige.records import Row

torch.set_num_threads(1)


@pytest.fixture(scope="module", params=list(tiny.ARCHITECTURES))
def any_lm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return models.load(str(tiny.make(tmp_path_factory.mktemp("any") / request.param, request.param)))


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return models.load(str(tiny.make(tmp_path_factory.mktemp("batches"))))


def row(prompt: str, answer: str, **more: str) -> Row:
    return Row("r1", prompt, answer, "c", **more)  # type: ignore[arg-type]


def own_logp(lm: LanguageModel, ids: tuple[int, ...], scored_from: int) -> list[float]:
    """Return the log-probabilities that transformers itself gives for one row without padding."""
    with torch.no_grad():
        logp = lm.model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    return [logp[t - 1, ids[t]].item() for t in range(scored_from, len(ids))]


# --- attention ---


def test_an_end_token_inside_a_prompt_is_attended_to_though_it_is_the_pad_token(any_lm: LanguageModel) -> None:
    pad = any_lm.tokenizer.pad_token_id
    assert pad == any_lm.tokenizer.eos_token_id
    short = Encoded("short", (40, pad, 41, pad, 42, 43), 4)
    long = Encoded("long", tuple(range(50, 80)), 20)
    with torch.no_grad():
        batch = score_batch(any_lm, [short, long])
    assert batch.logp[batch.row == 0].tolist() == pytest.approx(own_logp(any_lm, short.ids, 4), abs=2e-5)
    # What a mask made by comparing ids with the pad token would give is something else, so this test can tell.
    ids = torch.tensor([short.ids])
    with torch.no_grad():
        hidden = any_lm.model(input_ids=ids, attention_mask=(ids != pad).long()).logits[0].log_softmax(-1)
    wrong = [hidden[t - 1, short.ids[t]].item() for t in (4, 5)]
    assert max(abs(a - b) for a, b in zip(wrong, batch.logp[batch.row == 0].tolist(), strict=True)) > 1e-3


def test_padding_never_changes_a_loss(any_lm: LanguageModel) -> None:
    short = Encoded("short", tuple(range(30, 36)), 3)
    longer = [Encoded(f"long {n}", tuple(range(40, 40 + n)), 1) for n in (9, 31)]
    reference = {"short": -12.0}
    with torch.no_grad():
        alone = score_batch(any_lm, [short], reference)
        for other in longer:
            together = score_batch(any_lm, [other, short], reference | {other.id: 0.0})
            part = Scored(together.logp[together.row == 1], torch.zeros(3, dtype=torch.long), 1, together.ref[1:])  # type: ignore[index]
            for loss in (losses.nll, losses.ascent, lambda s: losses.npo(s, beta=0.5)):
                assert loss(part).item() == pytest.approx(loss(alone).item(), abs=2e-5)


# --- the label shift ---


def own_loss(lm: LanguageModel, rows: list[Encoded]) -> float:
    """Return transformers' own loss of a padded batch, with -100 on prompts and padding."""
    length = max(len(r.ids) for r in rows)
    ids, labels, mask = torch.zeros(len(rows), length, dtype=torch.long), torch.full((len(rows), length), -100), None
    mask = torch.zeros_like(ids)
    for b, r in enumerate(rows):
        ids[b, : len(r.ids)] = torch.tensor(r.ids)
        labels[b, r.scored_from : len(r.ids)] = torch.tensor(r.ids[r.scored_from :])
        mask[b, : len(r.ids)] = 1
    with torch.no_grad():
        return float(lm.model(input_ids=ids, attention_mask=mask, labels=labels).loss)


def test_the_loss_is_that_of_transformers_with_prompts_masked(any_lm: LanguageModel) -> None:
    rows = encode_rows(any_lm, Customers()().forget[:6] + unrelated_rows()[:2])
    assert len({len(r.ids) for r in rows}) > 1
    with torch.no_grad():
        ours = losses.nll(score_batch(any_lm, rows)).item()
    assert ours == pytest.approx(own_loss(any_lm, rows), abs=2e-5)


def test_a_text_row_scores_every_token_that_has_a_context(lm: LanguageModel) -> None:
    (whole,) = encode_rows(lm, [row("Customer Mara.", " City: Oslo", loss_on="text")])
    assert whole.scored_from == 1
    assert whole.scored == len(whole.ids) - 1
    with torch.no_grad():
        own = lm.model(input_ids=torch.tensor([whole.ids]), labels=torch.tensor([whole.ids])).loss.item()
        assert losses.nll(score_batch(lm, [whole])).item() == pytest.approx(own, abs=2e-5)


def test_an_answer_row_scores_the_answer_tokens_and_no_other(lm: LanguageModel) -> None:
    prompt, answer = "Customer Mara. City:", " Oslo and Rome"
    (only,) = encode_rows(lm, [row(prompt, answer)])
    tail = lm.tokenizer(answer, add_special_tokens=False)["input_ids"]
    assert list(only.ids[only.scored_from :]) == tail
    assert only.scored == len(tail)
    with torch.no_grad():
        assert score_batch(lm, [only]).logp.tolist() == pytest.approx(own_logp(lm, only.ids, only.scored_from), abs=2e-5)


def test_the_first_token_of_a_row_without_a_prompt_is_not_scored(lm: LanguageModel) -> None:
    (only,) = encode_rows(lm, [row("", "Oslo is a city")])
    assert only.scored_from == 1


def test_a_chat_row_is_the_template_with_the_answer_after_it(lm: LanguageModel) -> None:
    (chat,) = encode_rows(lm, [row("Where does Mara live?", " Oslo", form="chat")])
    assert lm.tokenizer.decode(list(chat.ids[: chat.scored_from])) == "<user>Where does Mara live?\n<assistant>"
    assert lm.tokenizer.decode(list(chat.ids[chat.scored_from :])) == "Oslo"


def test_a_chat_row_without_a_template_is_refused(tmp_path: Path) -> None:
    bare = models.load(str(tiny.make(tmp_path / "bare")))
    bare.tokenizer.chat_template = None
    with pytest.raises(ModelError, match=r"no chat template"):
        encode_rows(bare, [row("Where?", " Oslo", form="chat")])


# --- splitting a batch ---


def gradients(lm: LanguageModel, loss: Tensor) -> Tensor:
    grads = torch.autograd.grad(loss, [p for p in lm.model.parameters() if p.requires_grad])
    return torch.cat([g.flatten() for g in grads])


def test_splitting_a_batch_changes_the_gradient_by_rounding_only(any_lm: LanguageModel) -> None:
    any_lm.model.requires_grad_(True)
    rows = encode_rows(any_lm, Customers()().forget[:4] + unrelated_rows()[:1])
    reference = {r.id: -8.0 for r in rows}
    tokens = sum(r.scored for r in rows)
    # A mean over tokens splits by tokens, a mean over rows by rows.
    by_tokens_of = {r.id: r.scored / tokens for r in rows}
    by_rows_of = {r.id: 1 / len(rows) for r in rows}
    for loss, share in ((losses.nll, by_tokens_of), (lambda s: losses.npo(s, beta=0.1), by_rows_of)):
        whole = gradients(any_lm, loss(score_batch(any_lm, rows, reference)))
        split = torch.stack([share[r.id] * gradients(any_lm, loss(score_batch(any_lm, [r], reference))) for r in rows]).sum(0)
        assert (whole - split).norm() < 1e-5 * whole.norm()


def test_reference_sums_do_not_depend_on_batching(lm: LanguageModel) -> None:
    rows = encode_rows(lm, Customers()().forget[:20] + unrelated_rows()[:3])
    sums = reference_sums(lm, rows, batch_size=4)
    assert set(sums) == {r.id for r in rows}
    for r in rows:
        assert sums[r.id] == pytest.approx(sum(own_logp(lm, r.ids, r.scored_from)), rel=1e-6)


# --- how batches are cut ---


def rows_of(lengths: list[int]) -> list[Encoded]:
    return [Encoded(f"row {n}", tuple(range(length)), 1) for n, length in enumerate(lengths)]


def total(stream: Iterator[list[Encoded]], steps: int) -> int:
    return sum(len(r.ids) for batch in itertools.islice(stream, steps) for r in batch)


SHORT, MIXED, LONG = [5, 6, 7, 8] * 10, [4, 9, 30, 61] * 6, [40, 55, 70] * 4


@pytest.mark.parametrize("steps", [16, 40])
def test_row_sets_of_different_length_get_equal_tokens_in_equal_steps(steps: int) -> None:
    totals = [total(by_tokens(rows_of(lengths), 160, seed=s), steps) for lengths in (SHORT, MIXED, LONG) for s in range(5)]
    assert max(totals) <= 1.05 * min(totals)
    assert min(totals) >= 160 * steps


@pytest.mark.parametrize("lengths", [SHORT, MIXED, LONG])
def test_the_running_total_keeps_to_the_budget_within_one_row_at_every_step(lengths: list[int]) -> None:
    spent = 0
    for step, batch in enumerate(itertools.islice(by_tokens(rows_of(lengths), 160, seed=3), 50), start=1):
        assert batch
        spent += sum(len(r.ids) for r in batch)
        assert 160 * step <= spent < 160 * step + max(lengths)


@pytest.mark.parametrize("lengths", [SHORT, MIXED, LONG])
def test_by_tokens_shows_every_row_once_before_any_row_again(lengths: list[int]) -> None:
    rows = rows_of(lengths)
    seen = list(itertools.islice((r.id for batch in by_tokens(rows, 160, seed=1) for r in batch), 3 * len(rows)))
    epochs = [seen[n : n + len(rows)] for n in range(0, len(seen), len(rows))]
    assert all(sorted(epoch) == sorted(r.id for r in rows) for epoch in epochs)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize(("count", "size"), [(1, 8), (8, 8), (13, 4), (70, 8), (129, 2)])
def test_by_rows_shows_every_row_once_an_epoch(count: int, size: int) -> None:
    rows = rows_of([3 + n % 7 for n in range(count)])
    per_epoch = -(-count // size)
    stream = by_rows(rows, size, seed=1)
    epochs = []
    for _ in range(3):
        batches = list(itertools.islice(stream, per_epoch))
        assert all(1 <= len(batch) <= size for batch in batches)
        epochs.append([r.id for batch in batches for r in batch])
    assert all(sorted(epoch) == sorted(r.id for r in rows) for epoch in epochs)
    assert count == 1 or epochs[0] != epochs[1]


def test_batches_of_like_lengths_come_in_no_order_of_length() -> None:
    # 32 rows of 32 lengths in batches of 4: sorting makes 8 batches that do not overlap, shuffling mixes them up.
    for seed in range(3):
        batches = list(itertools.islice(by_rows(rows_of(list(range(2, 34))), 4, seed=seed), 8))
        spans = [(min(len(r.ids) for r in b), max(len(r.ids) for r in b)) for b in batches]
        assert all(high - low == 3 for low, high in spans)
        assert spans != sorted(spans)


@pytest.mark.parametrize("cut", [by_rows, by_tokens])
def test_batches_depend_on_the_seed_and_on_nothing_else(cut: object) -> None:
    rows = rows_of(MIXED)

    def first(seed: int) -> list[list[Encoded]]:
        return list(itertools.islice(cut(rows, 12, seed=seed), 30))  # type: ignore[operator]

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert rows == rows_of(MIXED)  # the caller's list is not shuffled


# --- rows that cannot be used ---


def test_an_empty_answer_is_refused_by_the_id_of_its_row(lm: LanguageModel) -> None:
    with pytest.raises(DataError, match=r"'r1'.*no token to score.*prompt [1-9][0-9]* tokens, answer 0"):
        encode_rows(lm, [row("Customer Mara. City:", "")])


def test_a_single_token_without_a_prompt_is_refused_because_nothing_predicts_it(lm: LanguageModel) -> None:
    assert len(lm.tokenizer("y", add_special_tokens=False)["input_ids"]) == 1
    with pytest.raises(DataError, match=r"'r1'.*no token to score"):
        encode_rows(lm, [row("", "y")])


def test_a_row_longer_than_the_context_is_refused_by_its_id_with_both_lengths(any_lm: LanguageModel) -> None:
    # "é" and "ß" alternating: bytes that the customers never merged, two tokens a letter.
    fits = row("éß" * 63, "éß")
    (longest,) = encode_rows(any_lm, [fits])
    assert len(longest.ids) == any_lm.context == 256
    with torch.no_grad():
        assert torch.isfinite(score_batch(any_lm, [longest]).logp).all()
    with pytest.raises(DataError, match=r"'r1'.*258 tokens.*256.*shorten"):
        encode_rows(any_lm, [row("éß" * 63, "éßé")])
