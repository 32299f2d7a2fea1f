"""Whether the towers that a card describes can be built, before anything is fetched; no weights are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assistant.errors import WeightsError
from assistant.models.card import Bundle, Card, ImageTower, LanguageModel, TextTower


@dataclass(frozen=True)
class Shape:
    """What a library knows of an architecture: the stride in pixels of each stage or block.

    `text` is the length of its text vectors, 0 where it has no text tower.
    """

    strides: tuple[int, ...]
    text: int = 0


def check_towers(card: Card) -> None:
    """WeightsError, in one sentence, for the first thing in a card that its libraries cannot build."""
    if card.language is not None and card.language.architecture:
        _check_language(card.name, card.language)
    if not isinstance(card, Bundle):
        return
    for name, part in (("image", card.image), ("patch_tower", card.patch_tower)):
        if part is not None:
            _check_tower(f"The card {card.name!r}, {name}", part)
    if card.text.kind == "open_clip":
        _check_text(card.name, card.image, card.text)


def find_shape(part: ImageTower) -> Shape:
    """The shape of a tower's architecture; WeightsError where its library does not know it."""
    return _clip_shape(part.architecture) if part.kind == "open_clip" else _timm_shape(part.architecture)


def _check_tower(where: str, part: ImageTower) -> None:
    shape = find_shape(part)
    if beyond := [layer for layer in part.layers if layer >= len(shape.strides)]:
        raise WeightsError(
            f"{where}: {part.architecture} has layers 0 to {len(shape.strides) - 1}, and no layer {beyond[0]}."
        )
    stride = max(shape.strides[layer] for layer in part.layers)
    if part.multiple % stride:
        raise WeightsError(
            f"{where}: multiple is {part.multiple}, and a patch of {part.architecture} is {stride} pixels wide."
        )


def _check_text(name: str, image: ImageTower, text: TextTower) -> None:
    length = find_shape(image).text if image.kind == "open_clip" else 0
    if not length:
        raise WeightsError(f"The card {name!r}, text: {image.architecture} brings no text tower of open_clip.")
    if length != text.dimensions:
        raise WeightsError(
            f"The card {name!r}, text: vectors of {image.architecture} have {length} dimensions, not "
            f"{text.dimensions}."
        )


def _check_language(name: str, part: LanguageModel) -> None:
    from transformers.models.auto import modeling_auto

    reads_text = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    reads_pictures = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    if part.architecture not in (reads_pictures if part.kind == "vision" else reads_text):
        raise WeightsError(
            f"The card {name!r}, language: transformers knows no {part.kind} model of the type "
            f"{part.architecture!r}."
        )


def _clip_shape(architecture: str) -> Shape:
    import open_clip

    if architecture not in open_clip.list_models():
        raise WeightsError(f"open_clip knows no architecture {architecture!r}.")
    config: dict[str, Any] = open_clip.get_model_config(architecture)
    vision = config["vision_cfg"]
    if "timm_model_name" in vision or not isinstance(vision.get("layers"), int):
        raise WeightsError(f"{architecture} is no plain CLIP with a ViT; take its image tower from timm.")
    return Shape((int(vision["patch_size"]),) * int(vision["layers"]), int(config["embed_dim"]))


def _timm_shape(architecture: str) -> Shape:
    import timm
    import torch

    if not timm.is_model(architecture):
        raise WeightsError(f"timm knows no architecture {architecture!r}.")
    with torch.device("meta"):
        trunk: Any = timm.create_model(architecture, pretrained=False, num_classes=0)
    if not hasattr(trunk, "forward_intermediates"):
        raise WeightsError(f"{architecture} of timm does not give its layers, so it cannot be used.")
    return Shape(tuple(int(stage["reduction"]) for stage in trunk.feature_info))
