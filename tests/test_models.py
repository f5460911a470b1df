"""Loading, saving and identifying models: bits that survive, digests that notice, and architectures that are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, configuration_utils

import tiny
from vestige.errors import ModelError
from vestige.lab import models
from vestige.lab.models import LanguageModel

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a folder of each architecture, made once; nobody writes to it."""
    root, made = tmp_path_factory.mktemp("models"), set()

    def folder(architecture: str) -> Path:
        if architecture not in made:
            tiny.make(root / architecture, architecture)
            made.add(architecture)
        return root / architecture

    return folder


@pytest.fixture
def copy(folders: Callable[[str], Path], tmp_path: Path) -> Path:
    """Return a llama folder of this test's own."""
    return Path(shutil.copytree(folders("llama"), tmp_path / "copy"))


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    fields = json.loads(path.read_text(encoding="utf-8"))
    change(fields)
    path.write_text(json.dumps(fields), encoding="utf-8")


def digest(folder: Path) -> str:
    return models.load(str(folder)).digest()


# --- round trip ---


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
def test_saving_and_loading_keeps_every_bit_and_the_digest(folders: Callable[[str], Path], architecture: str, tmp_path: Path) -> None:
    lm = models.load(str(folders(architecture)))
    lm.save(tmp_path / "saved")
    again = models.load(str(tmp_path / "saved"))
    ours, theirs = lm.model.state_dict(), again.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[k].view(torch.int32), theirs[k].view(torch.int32)) for k in ours)
    assert again.digest() == lm.digest()
    assert again.weights_digest() == lm.weights_digest()
    assert again.tokenizer.get_vocab() == lm.tokenizer.get_vocab()
    assert again.tokenizer.chat_template == lm.tokenizer.chat_template


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
def test_a_bf16_checkpoint_is_held_in_fp32_and_keeps_its_digest_when_saved(
    folders: Callable[[str], Path], architecture: str, tmp_path: Path
) -> None:
    shutil.copytree(folders(architecture), tmp_path / "half")
    AutoModelForCausalLM.from_pretrained(folders(architecture), dtype=torch.bfloat16).save_pretrained(tmp_path / "half")
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert {t.dtype for t in stored.values()} == {torch.bfloat16}
    lm = models.load(str(tmp_path / "half"))
    assert {p.dtype for p in lm.model.parameters()} == {torch.float32}
    lm.save(tmp_path / "saved")
    assert digest(tmp_path / "saved") == lm.digest()


def test_saving_replaces_what_was_there_and_leaves_nothing_half_done(folders: Callable[[str], Path], tmp_path: Path) -> None:
    lm = models.load(str(folders("llama")))
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "old.safetensors").write_bytes(b"old")
    (tmp_path / "saved.partial").mkdir()
    (tmp_path / "saved.partial" / "rest.bin").write_bytes(b"of a run that was killed")
    lm.save(tmp_path / "saved")
    assert digest(tmp_path / "saved") == lm.digest()
    assert [p.name for p in tmp_path.iterdir()] == ["saved"]
    assert not {"old.safetensors", "rest.bin"} & {p.name for p in (tmp_path / "saved").iterdir()}


def test_dropout_is_off_in_a_loaded_model(folders: Callable[[str], Path]) -> None:
    assert not models.load(str(folders("gpt-neox"))).model.training


# --- the digest ---


def test_the_digest_depends_on_no_path(folders: Callable[[str], Path], copy: Path) -> None:
    assert digest(copy) == digest(folders("llama"))


@pytest.mark.parametrize("architecture", list(tiny.ARCHITECTURES))
def test_one_bit_of_one_weight_changes_the_digest(folders: Callable[[str], Path], architecture: str) -> None:
    lm = models.load(str(folders(architecture)))
    seen = {lm.digest()}
    for name in sorted(lm.model.state_dict()):
        weight = lm.model.state_dict()[name]
        bits = weight.view(-1).view(torch.int32)
        bits[-1] ^= 1  # the last bit of the mantissa of the last number
        seen.add(lm.digest())
        bits[-1] ^= 1
    # Tied ends are one tensor under two names: both flips are the same change.
    tied = int(tiny.ARCHITECTURES[architecture]["tie_word_embeddings"])
    assert len(seen) == 1 + len(lm.model.state_dict()) - tied
    assert lm.digest() in seen


def test_two_weights_that_change_places_change_the_digest(copy: Path) -> None:
    before = digest(copy)
    weights = load_file(copy / "model.safetensors")
    one, other = "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.gate_proj.weight"
    assert weights[one].shape == weights[other].shape
    weights[one], weights[other] = weights[other], weights[one]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert digest(copy) != before


def test_the_version_of_the_library_is_no_part_of_the_digest(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(copy)
    edit(copy / "config.json", lambda c: c.update(transformers_version="5.3.0"))
    assert digest(copy) == before
    monkeypatch.setattr(configuration_utils, "__version__", "5.3.0")
    assert digest(copy) == before


def test_the_config_is_part_of_the_digest(copy: Path) -> None:
    before = models.load(str(copy))
    edit(copy / "config.json", lambda c: c.update(rms_norm_eps=1e-3))
    after = models.load(str(copy))
    assert after.weights_digest() == before.weights_digest()
    assert after.digest() != before.digest()


def test_the_chat_template_is_part_of_the_digest(copy: Path) -> None:
    before = digest(copy)
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8").replace("<assistant>", "<model>"), encoding="utf-8")
    assert digest(copy) != before


def rename_a_token(fields: dict[str, Any]) -> None:
    vocabulary = fields["model"]["vocab"]
    vocabulary["qqqq"] = vocabulary.pop(max(vocabulary, key=vocabulary.get))
    fields["model"]["merges"].pop()


def forget_a_merge(fields: dict[str, Any]) -> None:
    fields["model"]["merges"].pop()


def lower_case(fields: dict[str, Any]) -> None:
    fields["normalizer"] = {"type": "Lowercase"}


def end_every_text(fields: dict[str, Any]) -> None:
    end = {"SpecialToken": {"id": "<|end|>", "type_id": 0}}
    ids = {"<|end|>": {"id": "<|end|>", "ids": [0], "tokens": ["<|end|>"]}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    fields["post_processor"] = {"type": "TemplateProcessing", "single": [text, end], "pair": [text, end], "special_tokens": ids}


@pytest.mark.parametrize("change", [rename_a_token, forget_a_merge, lower_case, end_every_text])
def test_whatever_changes_the_ids_of_a_text_changes_the_digest(copy: Path, change: Callable[[dict[str, Any]], None]) -> None:
    before = models.load(str(copy))
    edit(copy / "tokenizer.json", change)
    after = models.load(str(copy))
    assert after.weights_digest() == before.weights_digest()
    assert after.digest() != before.digest()


def test_a_tokenizer_that_has_been_used_is_the_same_tokenizer(copy: Path) -> None:
    cut = {"max_length": 8, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    edit(copy / "tokenizer.json", lambda t: t.update(truncation=cut))
    lm = models.load(str(copy))
    before = lm.digest()
    assert len(lm.encode("Customer Mara Lindqvist. City: Oslo. " * 3, " Oslo", "plain")[0]) > 8  # the file's cut is not applied
    assert lm.digest() == before
    lm.tokenizer(["Oslo", "a longer text"], padding=True, truncation=True, max_length=3)
    assert lm.digest() == before


# --- texts to ids ---


def test_prompt_and_answer_are_tokenised_apart(folders: Callable[[str], Path]) -> None:
    lm = models.load(str(folders("llama")))
    head, tail = lm.encode("Customer Mara Lindqvist. City:", " Oslo", "plain")
    assert lm.tokenizer.decode(head + tail) == "Customer Mara Lindqvist. City: Oslo"
    for answer in (" Rome", ""):
        assert lm.encode("Customer Mara Lindqvist. City:", answer, "plain")[0] == head


def test_the_chat_form_wraps_the_prompt_and_strips_the_leading_space_of_the_answer(folders: Callable[[str], Path]) -> None:
    lm = models.load(str(folders("llama")))
    head, tail = lm.encode("Where?", " Oslo", "chat")
    assert lm.tokenizer.decode(head) == "<user>Where?\n<assistant>"
    assert lm.tokenizer.decode(tail) == "Oslo"


def test_a_chat_prompt_without_a_template_is_refused_with_the_remedy(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    lm = models.load(str(copy))
    with pytest.raises(ModelError, match=r"no chat template; use form 'plain'"):
        lm.encode("Where?", " Oslo", "chat")


# --- arithmetic ---


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_named_precision_is_what_is_computed_in(folders: Callable[[str], Path], precision: models.Precision) -> None:
    lm = models.load(str(folders("llama")))
    assert models.resolve_precision(precision, lm.device) == precision
    with torch.no_grad(), lm.autocast(precision):
        product = lm.model.model.layers[0].mlp.up_proj(torch.ones(1, 32))
    assert product.dtype == getattr(torch, precision)


def test_auto_means_one_of_the_two(folders: Callable[[str], Path]) -> None:
    assert models.resolve_precision("auto", models.load(str(folders("llama"))).device) in ("float32", "bfloat16")


# --- what is refused at the door ---


def other(folder: Path, kind: str, **fields: Any) -> str:
    """Write a tiny model of another architecture."""
    tok = tiny.tokenizer()
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = AutoConfig.for_model(kind, vocab_size=len(tok), bos_token_id=None, eos_token_id=0, pad_token_id=0, **sizes | fields)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim >= 2:
                p.mul_(4.0)
    model.save_pretrained(folder)
    tok.save_pretrained(folder)
    return str(folder)


def test_soft_capped_logits_are_those_of_the_model(tmp_path: Path) -> None:
    lm = models.load(other(tmp_path / "capped", "gemma3_text", head_dim=8, final_logit_softcapping=1.0))
    ids = torch.arange(40, 60)[None]
    with torch.no_grad():
        own = lm.model(input_ids=ids).logits[0]
        ours = lm.logits(lm.body(input_ids=ids).last_hidden_state[0])
    assert 0.8 < own.abs().max() < 1.0  # the cap of 1 bites
    assert torch.allclose(ours, own, atol=1e-5)


@pytest.mark.parametrize(("kind", "fields"), [("granite", {"logits_scaling": 8.0}), ("cohere", {"logit_scale": 0.0625})])
def test_logits_scaled_in_an_unknown_way_are_refused(tmp_path: Path, kind: str, fields: dict[str, Any]) -> None:
    folder = other(tmp_path / kind, kind, **fields)
    with pytest.raises(ModelError, match=rf"\({kind}\).*by [0-9.]+ nats \(expected < 0\.001\).*scales its logits"):
        models.load(folder)


def test_an_architecture_in_which_hidden_candidates_leak_is_refused(tmp_path: Path) -> None:
    # Lfm2 mixes neighbours by a convolution, which knows no attention mask: candidates side by side would see each other.
    folder = other(tmp_path / "lfm2", "lfm2", full_attn_idxs=[1])
    with pytest.raises(ModelError, match=r"\(lfm2\).*hidden by the attention mask.*by [0-9.]+ nats \(expected < 0\.001\)"):
        models.load(folder)


@pytest.mark.parametrize("kind", ["mistral", "phi3", "qwen3", "gpt2"])
def test_other_plain_transformers_pass_the_checks(tmp_path: Path, kind: str) -> None:
    fields: dict[str, Any] = {"n_layer": 2, "n_head": 4, "n_embd": 32} if kind == "gpt2" else {}
    lm: LanguageModel = models.load(other(tmp_path / kind, kind, **fields))
    assert lm.model.config.model_type == kind


def test_a_checkpoint_that_lacks_a_weight_is_refused_not_filled_with_random_numbers(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.0.mlp.down_proj.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ModelError, match=r"lacks 1 of its weights, such as 'model\.layers\.0\.mlp\.down_proj\.weight'; get the files again"
    ):
        models.load(str(copy))


def test_a_weight_of_the_wrong_shape_is_refused(copy: Path) -> None:
    edit(copy / "config.json", lambda c: c.update(intermediate_size=48))
    with pytest.raises(ModelError, match=r"copy.*could not be loaded(.|\n)*doctor"):
        models.load(str(copy))


def test_a_weights_file_cut_in_half_is_refused(copy: Path) -> None:
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"copy.*could not be loaded(.|\n)*doctor"):
        models.load(str(copy))


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"version": "1.0", "added_tokens": [], "model": {"type": "Wizard"}}', None])
def test_a_broken_or_absent_tokenizer_is_refused(copy: Path, text: str | None) -> None:
    (copy / "tokenizer.json").unlink()
    if text is not None:
        (copy / "tokenizer.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"copy.*could not be loaded(.|\n)*doctor"):
        models.load(str(copy))
