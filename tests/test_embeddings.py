"""Embedding models on this machine: vectors worked out from the model's own hidden states, and folders that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

import tiny
from vestige.errors import ModelError
from vestige.lab import embeddings
from vestige.similarity import unit

torch.set_num_threads(1)
TEXTS = ("Mara lives in Oslo.", "Oslo", "Where does Customer Mara live, and since when does she live there?", "東京")


def make(folder: Path, pooling: str = "mean_tokens", **settings: Any) -> Path:
    """Write a tiny embedding model as sentence-transformers does."""
    tokenizer = tiny.tokenizer()
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64}
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model("bert", vocab_size=len(tokenizer), initializer_range=0.5, **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    modules(folder, "Transformer", "Pooling", "Normalize")
    (folder / "1_Pooling").mkdir()
    poolings(folder, **{pooling: True})
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    return folder


def modules(folder: Path, *kinds: str) -> None:
    listed = [
        {"idx": n, "path": f"{n}_{kind}" if n else "", "type": f"sentence_transformers.models.{kind}"} for n, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))


def poolings(folder: Path, **on: bool) -> None:
    modes = dict.fromkeys(("cls_token", "mean_tokens", "max_tokens", "lasttoken"), False) | on
    config = {"word_embedding_dimension": 16, "include_prompt": True, **{f"pooling_mode_{k}": v for k, v in modes.items()}}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path / "m")


@pytest.mark.parametrize(
    ("pooling", "pool"), [("mean_tokens", lambda h: h.mean(0)), ("cls_token", lambda h: h[0]), ("lasttoken", lambda h: h[-1])]
)
def test_a_text_is_its_pooled_hidden_states_at_length_1_whatever_stands_beside_it(folder: Path, pooling: str, pool: Any) -> None:
    poolings(folder, mean_tokens=False)
    poolings(folder, **{pooling: True})
    together = embeddings.load(str(folder))(TEXTS)
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), tiny.tokenizer()
    for text, vector in zip(TEXTS, together, strict=True):
        with torch.no_grad():
            by_hand = pool(model(input_ids=torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state[0]).double().numpy()
        assert vector == pytest.approx(by_hand / np.linalg.norm(by_hand), abs=1e-5)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1.0)
    assert len({tuple(v.round(3)) for v in together}) == len(TEXTS)


def test_case_is_dropped_where_the_folder_says_so(folder: Path) -> None:
    one, other = embeddings.load(str(folder))(["OSLO", "oslo"])
    assert one != pytest.approx(other, abs=1e-3)
    (folder / "sentence_bert_config.json").write_text('{"do_lower_case": true}')
    one, other = embeddings.load(str(folder))(["OSLO", "oslo"])
    assert one == pytest.approx(other)


@pytest.mark.parametrize(
    ("settings", "most"), [({}, 64), ({"max_seq_length": 8}, 8), ({"max_seq_length": None}, 64), ({"max_seq_length": 512}, 64)]
)
def test_a_text_longer_than_the_model_reads_is_refused_not_cut(folder: Path, settings: dict[str, Any], most: int) -> None:
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    embed = embeddings.load(str(folder))
    assert embed(["a" * most]).shape == (1, 16)
    with pytest.raises(ModelError, match=f"1 of 2 texts have no token, or more than the {most} it reads"):
        embed(["a", "!?" * most])


def test_a_text_without_a_token_has_no_vector(folder: Path) -> None:
    with pytest.raises(ModelError, match="1 of 1 texts have no token"):
        embeddings.load(str(folder))([""])


def test_vectors_are_scaled_to_length_1_or_refused() -> None:
    assert unit(np.array([[3.0, 4.0]]), "m").tolist() == [[0.6, 0.8]]
    for bad in (0.0, float("nan"), float("inf")):
        with pytest.raises(ModelError, match="'m': a vector has no direction"):
            unit(np.array([[1.0], [bad]]), "m")


@pytest.mark.parametrize(
    ("kinds", "on", "says"),
    [
        (("Transformer", "Pooling", "Dense"), {"mean_tokens": True}, "seen ['Transformer', 'Pooling', 'Dense']"),
        (("Transformer",), {"mean_tokens": True}, "seen ['Transformer']"),
        ((), {"mean_tokens": True}, "seen []"),
        (("Transformer", "Pooling"), {"max_tokens": True}, "seen max_tokens"),
        (("Transformer", "Pooling"), {"mean_tokens": True, "lasttoken": True}, "seen mean_tokens, lasttoken"),
        (("Transformer", "Pooling"), {}, "seen none"),
    ],
)
def test_what_is_not_known_here_is_refused(folder: Path, kinds: tuple[str, ...], on: dict[str, bool], says: str) -> None:
    modules(folder, *kinds)
    poolings(folder, **on)
    with pytest.raises(ModelError) as caught:
        embeddings.load(str(folder))
    assert says in str(caught.value)


def test_folders_that_are_none_or_may_run_code_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a folder saved by sentence-transformers, or MODEL@URL"):
        embeddings.load(str(tmp_path / "nowhere"))
    (folder / "modules.json").unlink()
    with pytest.raises(ModelError, match=r"modules.json: not readable as JSON"):
        embeddings.load(str(folder))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="only pickled weights"):
        embeddings.load(str(folder))
