"""What a language model is given before its first step: a LoRA and a projector that have learned nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from assistant.adapters.projector import Projector, ProjectorConfig
from assistant.errors import TrainingError
from assistant.language.visual_tokens import sizes_of
from assistant.models.backbone import Backbone

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The layers that get a LoRA, by transformers' names."""


def add_lora(
    model: PreTrainedModel, bundle: str, rank: int, dropout: float, seed: int, first: int = 0
) -> PeftModel:
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
        lora_dropout=dropout,
        target_modules=list(LAYERS),
        layers_to_transform=list(range(first, model.config.num_hidden_layers)) if first else None,
        task_type="CAUSAL_LM",
    )
    with_lora = get_peft_model(model, lora)
    with_lora.peft_config["default"].base_model_name_or_path = bundle  # else the folder on this machine
    return with_lora


def draw_projector(backbone: Backbone, model: Any, seed: int) -> Projector:
    """A projector, drawn by seed, from what a backbone sees to the embeddings of a language model."""
    table = model.get_input_embeddings().weight
    torch.manual_seed(seed)
    shape = ProjectorConfig(*sizes_of(backbone), hidden=table.shape[1])
    return Projector(shape, float(table.float().norm(dim=1).mean()))
