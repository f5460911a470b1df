"""Texts to unit vectors under an embedding model on this machine: a transformer, one pooling, length 1.

Paper: Reimers and Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", 2019, arXiv 1908.10084, §3: the hidden
states of a text pooled to one vector (their mean, that of the first token, or that of the last). Texts are compared by cosine.

The folder is one that sentence-transformers saves, and says itself how it pools (modules.json). What is not known here, another
module or pooling, is refused, as are pickled weights and remote code. A text longer than the model reads is refused, not cut.
Deviation: no prompt is put before a text, since here both sides of a comparison are texts of one kind.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from vestige.errors import ModelError
from vestige.lab import model_sources
from vestige.similarity import Scores, unit

_BATCH = 32
_MODULES = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
_POOLINGS = {"cls_token": "first", "mean_tokens": "mean", "lasttoken": "last"}


@dataclass(frozen=True, eq=False)
class Embeddings:
    """An embedding model that can be called; `most` is how many tokens of a text it reads."""

    model: Any
    tokenizer: Any
    pooling: str
    lower: bool
    most: int
    name: str

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Scores:
        """Return texts as unit vectors (N, D).

        Raises:
            ModelError: a text has no token, more than the model reads, or no direction.
        """
        ids = [self.tokenizer(text.lower() if self.lower else text)["input_ids"] for text in texts]
        if bad := sum(not 0 < len(i) <= self.most for i in ids):
            raise ModelError(
                f"embedding model {self.name!r}: {bad} of {len(ids)} texts have no token, or more than the {self.most} it reads"
            )
        vectors = np.zeros((len(ids), self.model.config.hidden_size))
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            vectors[batch] = self._pooled([ids[i] for i in batch]).double().numpy()
        return unit(vectors, self.name)

    def _pooled(self, ids: Sequence[list[int]]) -> Tensor:
        """Return one vector (B, D) for each of B texts, padded behind."""
        longest = max(map(len, ids))
        padded = torch.tensor([i + [0] * (longest - len(i)) for i in ids])
        mask = torch.tensor([[1] * len(i) + [0] * (longest - len(i)) for i in ids])
        hidden: Tensor = self.model(input_ids=padded, attention_mask=mask).last_hidden_state
        lengths = mask.sum(1)
        if self.pooling == "mean":
            return (hidden * mask[:, :, None]).sum(1) / lengths[:, None]
        return hidden[torch.arange(len(ids)), lengths - 1 if self.pooling == "last" else 0]


def load(name: str) -> Embeddings:
    """Load the embedding model in a folder.

    Raises:
        ModelError: no such folder, one that sentence-transformers did not save, or one that asks for what is not known here.
    """
    folder = Path(name)
    if not folder.is_dir():
        raise ModelError(f"no embedding model {name!r}: expected a folder saved by sentence-transformers, or MODEL@URL of a server")
    model_sources.refuse_unsafe(folder)
    pooling, settings = _pooling(folder), _settings(folder)
    try:
        loaded: Any = AutoModel.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except MemoryError:
        raise
    except Exception as error:  # on a broken file, the libraries below raise anything, plain Exception included
        raise ModelError(f"embedding model {name!r} could not be loaded: {error}") from error
    model, found = loaded
    # A head over the first token that some architectures bring along is not what is pooled here.
    if missing := sorted(key for key in found["missing_keys"] if not key.startswith("pooler.")):
        raise ModelError(f"embedding model {name!r} lacks {len(missing)} of its weights, such as {missing[0]!r}; get the files again")
    most = min(settings.get("max_seq_length") or model.config.max_position_embeddings, model.config.max_position_embeddings)
    return Embeddings(model.eval(), tokenizer, pooling, bool(settings.get("do_lower_case")), most, name)


def _pooling(folder: Path) -> str:
    """Return how hidden states become one vector, as the folder says."""
    modules = _json(folder / "modules.json")
    kinds = [str(m.get("type")).rpartition(".")[2] for m in modules if isinstance(m, dict)] if isinstance(modules, list) else []
    if kinds not in _MODULES:
        raise ModelError(f"{folder / 'modules.json'}: expected a transformer, a pooling and at most a normalisation, seen {kinds}")
    path = folder / str(modules[1].get("path")) / "config.json"
    config = _json(path)
    chosen = [key.removeprefix("pooling_mode_") for key, on in config.items() if key.startswith("pooling_mode_") and on is True]
    if len(chosen) != 1 or chosen[0] not in _POOLINGS:
        raise ModelError(f"{path}: expected one pooling of {', '.join(_POOLINGS)}, seen {', '.join(chosen) or 'none'}")
    return _POOLINGS[chosen[0]]


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "sentence_bert_config.json"
    return dict(_json(path)) if path.is_file() else {}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ModelError(f"{path}: not readable as JSON ({error}); expected a folder saved by sentence-transformers") from error
