"""Load, copy, save and identify causal language models: the one place that knows transformers.

A `LanguageModel` is fp32 weights with their tokenizer. Its digest covers tensors, config, tokenizer and chat
template, so lineage never rests on a path. Only safetensors are loaded; pickled weights and remote code are refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from vestige.errors import ModelError
from vestige.lab import model_sources

Precision = Literal["auto", "float32", "bfloat16"]

# Differences of log-probabilities between two ways of running one fp32 model stay below this.
_HEAD_TOLERANCE = 1e-3


@dataclass(eq=False)
class LanguageModel:
    """A causal language model in fp32 with its tokenizer; `name` is what the user called it."""

    model: Any
    tokenizer: Any
    name: str

    @property
    def body(self) -> Any:
        """The network below the vocabulary head: token ids (B, T) to hidden states (B, T, D)."""
        return getattr(self.model, self.model.base_model_prefix)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device(next(self.model.parameters()).device)

    @property
    def context(self) -> int:
        """How many tokens the model can read at once."""
        return int(self.model.config.get_text_config().max_position_embeddings)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return fp32 next-token logits (N, V) of hidden states (N, D)."""
        logits: Tensor = self.model.get_output_embeddings()(hidden).float()
        cap = getattr(self.model.config.get_text_config(), "final_logit_softcapping", None)
        return torch.tanh(logits / cap) * cap if cap else logits

    def encode(self, prompt: str, answer: str, form: str) -> tuple[list[int], list[int]]:
        """Return prompt ids and answer ids; the two are tokenised apart, so that both can be joined anyhow."""
        if form == "chat":
            if not self.tokenizer.chat_template:
                raise ModelError(f"model {self.name!r} has no chat template; use form 'plain' for its rows and probes")
            turn = [{"role": "user", "content": prompt}]
            text = self.tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
            head = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            answer = answer.lstrip()
        else:
            head = self.tokenizer(prompt)["input_ids"]
        return list(head), list(self.tokenizer(answer, add_special_tokens=False)["input_ids"])

    def answer_spans(self, answer: str, form: str) -> list[tuple[int, int]] | None:
        """Return where each token of an answer stands in it, as `encode` cuts it; None if the tokenizer cannot tell."""
        if not self.tokenizer.is_fast:
            return None
        kept = answer.lstrip() if form == "chat" else answer
        cut = len(answer) - len(kept)
        offsets = self.tokenizer(kept, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return [(start + cut, end + cut) for start, end in offsets]

    def weights_digest(self) -> str:
        """Return the sha256 of every distinct tensor: name, shape, dtype and bytes."""
        seen: set[int] = set()
        h = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            if tensor.data_ptr() in seen:
                continue
            seen.add(tensor.data_ptr())
            h.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            h.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return h.hexdigest()

    def digest(self) -> str:
        """Return the identity of the model: weights, config, tokenizer and chat template."""
        config = {k: v for k, v in self.model.config.to_dict().items() if not k.startswith("_")}
        config.pop("transformers_version", None)
        h = hashlib.sha256(self.weights_digest().encode())
        h.update(json.dumps(config, sort_keys=True, default=str).encode())
        h.update(self._tokenizer_text().encode())
        h.update(str(self.tokenizer.chat_template).encode())
        return h.hexdigest()

    def _tokenizer_text(self) -> str:
        """Return all that decides which ids a text becomes: vocabulary, merges, normaliser, special tokens."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            return json.dumps(self.tokenizer.get_vocab(), sort_keys=True)
        described = json.loads(backend.to_str())
        # Settings of the last call, reset by the next one.
        described.pop("truncation", None)
        described.pop("padding", None)
        return json.dumps(described, sort_keys=True)

    def save(self, folder: Path) -> None:
        """Write safetensors, config and tokenizer to `folder`, all or nothing; what was there is replaced."""
        temporary = folder.with_name(folder.name + ".partial")
        shutil.rmtree(temporary, ignore_errors=True)
        self.model.save_pretrained(temporary, safe_serialization=True)
        self.tokenizer.save_pretrained(temporary)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)

    def autocast(self, precision: Precision) -> Any:
        """Return the torch context that computes in `precision`."""
        if resolve_precision(precision, self.device) == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def resolve_precision(precision: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """Return the arithmetic that "auto" means here: bf16 where the processor multiplies it natively."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    capability = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = capability.get("avx512_bf16") or capability.get("amx_bf16") or capability.get("bf16")
    return "bfloat16" if native else "float32"


def load(name: str, *, device: str = "cpu", revision: str | None = None) -> LanguageModel:
    """Load a model by its short name, local folder or hub id.

    Raises:
        ModelError: not found, pickled weights, remote code, a file that is broken or lacks weights, or an architecture
            whose head is not a plain projection or whose attention does not keep to a mask.
    """
    source = model_sources.locate(name)
    options: dict[str, Any] = {"trust_remote_code": False}
    if revision:
        options["revision"] = revision
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source, dtype=torch.float32, use_safetensors=True, attn_implementation="sdpa", output_loading_info=True, **options
        )
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
    except MemoryError:
        raise
    except Exception as error:  # on a broken file, the libraries below raise anything, plain Exception included
        raise ModelError(f"model {name!r} could not be loaded from {source}: {error}\n{model_sources.how_to_get()}") from error
    model, found = loaded
    if missing := sorted(found["missing_keys"]):
        # transformers would go on with random numbers in their place, other ones at every load.
        raise ModelError(f"model {name!r}: {source} lacks {len(missing)} of its weights, such as {missing[0]!r}; get the files again")
    lm = LanguageModel(_placed(model, device), tokenizer, name)
    check_head(lm)
    check_mask(lm)
    return lm


def without_weights(name: str) -> LanguageModel:
    """Return a model that can encode, count and say how long its context is, and nothing else: no weight is loaded.

    Raises:
        ModelError: not found, or its config or tokenizer cannot be read.
    """
    source = model_sources.locate(name)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except Exception as error:  # as in `load`
        raise ModelError(
            f"model {name!r}: its tokenizer could not be loaded from {source}: {error}\n{model_sources.how_to_get()}"
        ) from error
    return LanguageModel(SimpleNamespace(config=config), tokenizer, name)


def _placed(model: Any, device: str) -> Any:
    return model.to(device).eval()


@torch.no_grad()
def check_head(lm: LanguageModel) -> None:
    """Refuse an architecture whose logits are more than its output embedding of the last hidden state."""
    vocabulary = lm.model.get_output_embeddings().weight.shape[0]
    ids = (torch.arange(8, device=lm.device) * 7 + 3)[None] % vocabulary
    ours = lm.logits(lm.body(input_ids=ids).last_hidden_state[0]).log_softmax(-1)
    theirs = lm.model(input_ids=ids).logits[0].float().log_softmax(-1)
    gap = (ours - theirs).abs().max().item()
    if not gap < _HEAD_TOLERANCE:
        kind = lm.model.config.model_type
        raise ModelError(
            f"model {lm.name!r} ({kind}): log-probabilities computed on scored positions differ from the model's own "
            f"by {gap:.2g} nats (expected < {_HEAD_TOLERANCE}); this architecture scales its logits in a way not known here"
        )


@torch.no_grad()
def check_mask(lm: LanguageModel) -> None:
    """Refuse an architecture in which a token reaches another that the attention mask hides (convolutions, recurrence).

    Candidate answers stand side by side in one row, each hidden from the others by the mask (`probes.score_candidates`).
    """
    vocabulary = lm.model.get_output_embeddings().weight.shape[0]
    ids = (torch.arange(4, device=lm.device) * 7 + 3)[None] % vocabulary
    allowed = torch.ones(4, 4, dtype=torch.bool, device=lm.device).tril()
    allowed[3, 2] = False  # the last token stands in the place of the one before it, and does not see it
    mask = torch.zeros(1, 1, 4, 4, device=lm.device).masked_fill(~allowed, torch.finfo(torch.float32).min)
    positions = torch.tensor([[0, 1, 2, 2]], device=lm.device)
    masked = lm.body(input_ids=ids, attention_mask=mask, position_ids=positions).last_hidden_state[0, 3]
    alone = lm.body(input_ids=ids[:, [0, 1, 3]]).last_hidden_state[0, 2]
    gap = (lm.logits(masked[None]).log_softmax(-1) - lm.logits(alone[None]).log_softmax(-1)).abs().max().item()
    if not gap < _HEAD_TOLERANCE:
        raise ModelError(
            f"model {lm.name!r} ({lm.model.config.model_type}): a token hidden by the attention mask changes log-probabilities by "
            f"{gap:.2g} nats (expected < {_HEAD_TOLERANCE}); only pure attention models can be asked about several answers at once"
        )
