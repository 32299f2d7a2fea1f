"""What a language model is given before its first step: a LoRA that has learned nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from assistant.errors import TrainingError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The layers that get a LoRA, by transformers' names."""


def add_lora(model: PreTrainedModel, bundle: str, rank: int, seed: int, first: int = 0) -> PeftModel:
    """The model of a bundle, frozen, with a LoRA drawn by seed, which changes nothing yet, from block `first` on.

    TrainingError where peft is missing.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise TrainingError('Training needs peft: run `pip install "looktwice[lvlm]"`.') from None
    torch.manual_seed(seed)
    lora = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=list(LAYERS),
        layers_to_transform=list(range(first, model.config.num_hidden_layers)) if first else None,
        task_type="CAUSAL_LM",
    )
    with_lora = get_peft_model(model, lora)
    with_lora.peft_config["default"].base_model_name_or_path = bundle  # else the folder on this machine
    return with_lora
