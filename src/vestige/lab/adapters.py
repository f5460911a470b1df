"""Low-rank adapters: train a small addition to every linear layer instead of the weights, then merge it.

Paper: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021, arXiv 2106.09685, eq. 3: W + (alpha/r) B A, with
alpha = 2 r throughout, no dropout, on every linear layer but the head.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from vestige.lab.models import LanguageModel

# The rank behind each name of `train.Trained`.
RANKS = {"lora": 8, "lora_4": 4, "lora_16": 16, "lora_64": 64}


@contextmanager
def adapters(lm: LanguageModel, rank: int, seed: int) -> Iterator[None]:
    """Put fresh adapters into a model, in place; merge them at the end, or take them out unmerged after an error."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted: Any = get_peft_model(lm.model, config)
    try:
        yield
    except BaseException:
        lm.model = adapted.unload()
        raise
    lm.model = adapted.merge_and_unload()
