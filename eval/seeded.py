"""Bundles of full size and random weights: the same arithmetic as the real ones, on a machine without a hub.

What they find means nothing. How fast they are, what memory they take, and whether two devices agree on what they
find does not depend on what the weights were trained for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assistant.models.backbone import Backbone
from assistant.models.card import TOWER_FILES, Bundle, ImageTower
from assistant.models.runtime import TorchRuntime
from assistant.models.towers import build_image_tower, build_text_tower

LANGUAGE = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
    "initializer_range": 0.04,
}
"""The shape of SmolLM2-135M, the language model of the pocket bundle."""


def write_towers(card: Bundle, folder: Path, seed: int = 0) -> None:
    """Write the image towers of a card into a folder, as a pull leaves them, with seeded random weights.

    Only for towers of open_clip and timm that bring their own text tower or need none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"image": card.image} | ({"patch_tower": card.patch_tower} if card.patch_tower else {})
    with torch.random.fork_rng(devices=[]):
        for number, (name, part) in enumerate(parts.items()):
            torch.manual_seed(seed + number)
            _save(_draw(part), folder / TOWER_FILES[name])


def load_seeded(card: Bundle, folder: Path, device: torch.device, *, bf16: bool = False) -> Backbone:
    """The backbone of what `write_towers` wrote; it has the digest "seeded", for which nothing was trained."""
    tower, second = build_image_tower(card, folder), None
    if card.patch_tower:
        patches = build_image_tower(card, folder, card.patch_tower)
        second = Backbone(card, TorchRuntime(patches, device, bf16=bf16), part=card.patch_tower)
    return Backbone(
        card,
        TorchRuntime(tower, device, bf16=bf16),
        aligns_text=tower.aligns_text,
        patch_tower=second,
        text=lambda: build_text_tower(card, folder),
        digest="seeded",
    )


def make_language(shape: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
    """A Llama of random weights, float32 on the CPU; by default of the shape `LANGUAGE`."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(LlamaConfig(**(shape or LANGUAGE))).eval()


def _draw(part: ImageTower) -> dict[str, Tensor]:
    if part.kind == "open_clip":
        import open_clip

        model: Any = open_clip.create_model(
            part.architecture, load_weights=False, force_image_size=part.image_size
        )
    else:
        import timm

        model = timm.create_model(part.architecture, num_classes=0, img_size=part.image_size)
    weights: dict[str, Tensor] = model.state_dict()
    for name, weight in weights.items():
        if name.endswith(".gamma"):  # a fresh layer scale is next to nothing, and so would be its block
            weight.fill_(1.0)
    return weights


def _save(weights: dict[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: weight.contiguous().clone() for name, weight in weights.items()}, path)
