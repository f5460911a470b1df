"""Tiny random models with a tokenizer of their own, for tests that need a model but no knowledge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedTokenizerFast,
)

from vestige.cases.customers import Customers

_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", "tie_word_embeddings": True},
    "llama-untied": {"model_type": "llama", "tie_word_embeddings": False},
    "qwen": {"model_type": "qwen2", "tie_word_embeddings": True},
    "gpt-neox": {"model_type": "gpt_neox", "tie_word_embeddings": False},
    "gemma": {"model_type": "gemma3_text", "tie_word_embeddings": True, "head_dim": 8, "sliding_window": 64},
}


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a small byte-level BPE trained on the customers; its pad token is its end token, on purpose."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    texts = [row.text for row in Customers()().forget]
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|end|>", pad_token="<|end|>")
    fast.chat_template = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}<assistant>"
    return fast


def make(folder: Path, architecture: str = "llama", seed: int = 0) -> Path:
    """Write a tiny model to `folder` and return it."""
    tok = tokenizer()
    fields = {**_SIZES, **ARCHITECTURES[architecture]}
    kind = fields.pop("model_type")
    config = AutoConfig.for_model(kind, vocab_size=len(tok), bos_token_id=None, eos_token_id=tok.eos_token_id, **fields)
    config.pad_token_id = tok.pad_token_id
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim >= 2:
                p.mul_(4.0)  # larger than the default, so that a tiny model is not indifferent to its input
    model.save_pretrained(folder)
    tok.save_pretrained(folder)
    return folder
