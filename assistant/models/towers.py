"""Towers: a bundle's image and text models in torch, built from its card and its folder of safetensors.

All of them are open_clip models, so there is one way to ask them for patch tokens. `assistant.models.runtime` runs
them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import interpolate

from assistant.adapters.attention import read_values, value_blocks
from assistant.adapters.class_embedding import ClassEmbedding
from assistant.errors import WeightsError
from assistant.models.card import TOWER_FILES, Bundle, ImageTower
from assistant.models.weights import load_tensors

CLASSES = "classes.safetensors"

Tokenize = Callable[[list[str]], Tensor]
"""Turns N sentences into tokens [N, T], which the text tower reads."""


class PatchTower(nn.Module):
    """An open_clip image tower that gives its patches after some of its layers, and one vector.

    Pixels [B, 3, h, w], already normalised -> one tensor [B, h_l, w_l, C_l] per layer of the card, then, where it
    `aligns_text`, the last layer's patches in the space of the text tower [B, h, w, D], then the picture's vector
    [B, D]. With attention "vv" the layers and these patches, but not the vector, come from the path in which
    values attend to values; ValueError where the tower has none. Any size that is a multiple of the patch works:
    positional embeddings are interpolated for the call, and the tower keeps its own; two calls at once would mix
    theirs.
    """

    def __init__(self, visual: nn.Module, layers: tuple[int, ...], attention: str = "plain") -> None:
        super().__init__()
        self.visual = visual
        self.layers = list(layers)
        self.attention = attention
        if attention == "vv":
            value_blocks(visual)
        self.aligns_text = getattr(visual, "proj", None) is not None

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        if not hasattr(self.visual, "positional_embedding"):
            return self._read(pixels)
        places = fit_positions(self.visual, pixels.shape[2], pixels.shape[3])
        out: tuple[Tensor, ...] = functional_call(
            _Reader(self), {"tower.visual.positional_embedding": places}, (pixels,)
        )
        return out

    def _read(self, pixels: Tensor) -> tuple[Tensor, ...]:
        visual: Any = self.visual
        last = [len(visual.transformer.resblocks) - 1] if self.aligns_text else []
        wanted = sorted({*self.layers, *last})
        if self.attention == "vv":
            maps, vector = read_values(visual, pixels, wanted)
        else:
            out = visual.forward_intermediates(pixels, indices=wanted)
            maps = [layer.permute(0, 2, 3, 1) for layer in out["image_intermediates"]]
            vector = out["image_features"]
        text_patches = [visual.ln_post(maps[-1]) @ visual.proj] if self.aligns_text else []
        return (*maps[: len(self.layers)], *text_patches, vector)


class _Reader(nn.Module):
    """Makes `PatchTower._read` the `forward` that `functional_call` can call."""

    def __init__(self, tower: PatchTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return self.tower._read(pixels)


def fit_positions(visual: Any, height: int, width: int) -> Tensor:
    """A ViT's positional embeddings [1 + h * w, C] for a picture of that size; the tower's own are not changed."""
    places: Tensor = visual.positional_embedding
    (ph, pw), (gh, gw) = visual.patch_size, visual.grid_size
    h, w = height // ph, width // pw
    if (h, w) == (gh, gw):
        return places
    extra = places.shape[0] - gh * gw
    # In float32: a CPU cannot resize in bfloat16.
    grid = places[extra:].float().reshape(1, gh, gw, -1).permute(0, 3, 1, 2)
    resized = interpolate(grid, (h, w), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([places[:extra], resized.permute(0, 2, 3, 1).reshape(h * w, -1).to(places.dtype)])


def build_image_tower(card: Bundle, folder: Path, part: ImageTower | None = None) -> PatchTower:
    """The image tower of a bundle, or its patch tower where that is given as `part`; WeightsError if unfit."""
    part = part or card.image
    gives_patches = part is card.patch_tower
    weights = load_tensors(folder / TOWER_FILES["patch_tower" if gives_patches else "image"])
    if part.kind == "open_clip":
        return _read_clip(part, _build_clip(part, weights).visual)
    visual = _build_timm(part)
    if not gives_patches and (folder / CLASSES).is_file():
        names = load_tensors(folder / CLASSES)["names"]
        head = ClassEmbedding(visual.trunk.num_features, names)
        _load(head.classifier, _below(weights, "classifier."), "classifier of the image tower")
        visual.head = head
    trunk = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier.")}
    if "pos_embed" in trunk:
        trunk["pos_embed"] = _fit_timm_positions(trunk["pos_embed"], visual.trunk)
    _load(visual.trunk, trunk, "image tower")
    return PatchTower(visual, part.layers)


def build_text_tower(card: Bundle, folder: Path) -> tuple[nn.Module, Tokenize]:
    """The text tower, tokens [N, T] -> vectors [N, D], and what makes the tokens; WeightsError if unfit."""
    import open_clip

    if card.text.kind == "open_clip":
        model = _build_clip(card.image, load_tensors(folder / TOWER_FILES["image"]))
        del model.visual  # or the image tower would lie on the device a second time
        text = model.text if hasattr(model, "text") else ClipText(model)
        return text, open_clip.get_tokenizer(card.image.architecture)
    from open_clip.hf_model import HFTextEncoder
    from transformers import AutoConfig, AutoTokenizer

    local = str(folder / "text")
    try:
        config = AutoConfig.from_pretrained(local, local_files_only=True)
        words = AutoTokenizer.from_pretrained(local, local_files_only=True)
    except (OSError, ValueError) as error:
        raise WeightsError("The text tower is no model with a tokenizer that transformers can read.") from error
    text = HFTextEncoder(local, card.text.dimensions, config=config, pooler_type=f"{card.text.pooler}_pooler")
    weights = load_tensors(folder / "text" / "model.safetensors")
    expected = text.transformer.state_dict()
    # The sentence pooler reads the last layer; a BERT checkpoint may lack or carry the unused "pooler" layer.
    spare = {name: expected[name] for name in expected if name.startswith("pooler.")}
    kept = {name: weights[name] for name in weights if name in expected}
    _load(text.transformer, spare | kept, "text tower")

    def tokenize(texts: list[str]) -> Tensor:
        tokens: Tensor = words(texts, padding=True, truncation=True, max_length=256, return_tensors="pt").input_ids
        return tokens

    return text, tokenize


class ClipText(nn.Module):
    """The text half of an open_clip `CLIP`, which keeps its parts at the top level."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        vectors: Tensor = self.model.encode_text(tokens)
        return vectors


def _read_clip(part: ImageTower, visual: nn.Module) -> PatchTower:
    try:
        return PatchTower(visual, part.layers, part.attention)
    except ValueError as error:
        raise WeightsError(
            f"The tower {part.architecture} has no path for attention {part.attention!r}."
        ) from error


def _build_clip(part: ImageTower, weights: dict[str, Tensor]) -> Any:
    import open_clip

    if part.architecture not in open_clip.list_models():
        raise WeightsError(f"open_clip knows no architecture {part.architecture!r}.")
    model = open_clip.create_model(part.architecture, load_weights=False, force_image_size=part.image_size).eval()
    resized = dict(weights)
    open_clip.model.resize_pos_embed(resized, model)
    _load(model, resized, f"tower {part.architecture}")
    return model


def _build_timm(part: ImageTower) -> Any:
    import timm
    from open_clip.timm_model import TimmModel
    from timm.models.vision_transformer import VisionTransformer

    visual = TimmModel(part.architecture, embed_dim=0, image_size=part.image_size, pool="avg", proj="none")
    if isinstance(visual.trunk, VisionTransformer):
        visual.trunk = timm.create_model(
            part.architecture, num_classes=0, img_size=part.image_size, dynamic_img_size=True
        )
    return visual.eval()


def _fit_timm_positions(places: Tensor, trunk: Any) -> Tensor:
    from timm.layers import resample_abs_pos_embed

    prefixes = 0 if trunk.no_embed_class else trunk.num_prefix_tokens
    fitted: Tensor = resample_abs_pos_embed(places, list(trunk.patch_embed.grid_size), num_prefix_tokens=prefixes)
    return fitted


def _below(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in weights.items() if n.startswith(prefix)}


def _load(module: nn.Module, weights: dict[str, Tensor], what: str) -> None:
    """Load every tensor into its place; a missing, extra or misshapen one is an error, never skipped."""
    counters = {n: t for n, t in module.state_dict().items() if n.endswith("num_batches_tracked")}
    try:
        module.load_state_dict({**counters, **weights})
    except RuntimeError as error:
        raise WeightsError(f"The weights of the {what} do not fit its architecture.") from error
    module.eval().requires_grad_(False)


def pick_device(name: str | None = None) -> torch.device:
    """The device to run on: as named, else the first CUDA device, else Apple's, else the CPU."""
    if name:
        try:
            device = torch.device(name)
            torch.empty(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise WeightsError(f"The device {name!r} is not there.") from error
        return device
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
