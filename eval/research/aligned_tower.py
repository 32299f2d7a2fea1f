"""A small tower in which patches and sentences are aligned by construction, for what cannot be had without a hub.

Its text tower is a CLIP of random weights, so that sentences are told apart and mean nothing. Its patches are put
among them: each has a part that says what its texture is, and a part along one direction, "abnormal", as long as
the patch is unlike the rest of its picture. The sentences about damaged things point that way only roughly, by
`tilt`. What learning can win is what they miss. It shows that the machinery works, and nothing about real towers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, normalize, relu

from assistant.models.backbone import Backbone
from assistant.models.card import Bundle, load_card
from assistant.models.runtime import TorchRuntime
from assistant.models.towers import ClipText
from assistant.prompts.ensemble import state_vectors

SPACE, PATCH, SIDE = 24, 8, 128
TILT = 0.25
"""The cosine between the sentences' own direction of "abnormal" and the tower's."""

STRENGTH, NOISE = 1.0, 0.3
"""How long the part along "abnormal" is for a patch unlike all others, beside a texture of length 1, and how much
of it is there whether or not there is a defect, a number for each place."""


class AlignedTower(nn.Module):
    """Pixels [B, 3, h, w] -> layers [B, h / 8, w / 8, 38] and [..., 24], text patches [..., 24], vectors [B, 24].

    `abnormal` [24]: the direction along which patches unlike their picture lie. The second layer are the patches
    as they are put among the sentences.
    """

    aligns_text = True
    abnormal: Tensor

    def __init__(self, abnormal: Tensor, seed: int = 0) -> None:
        super().__init__()
        fresh = torch.Generator().manual_seed(seed)
        for name, shape in {"near": (16, 3, 5, 5), "texture": (38, SPACE), "gap": (SPACE,)}.items():
            drawn = torch.randn(shape, generator=fresh)
            self.register_buffer(name, drawn / (75**0.5 if name == "near" else 1))
        self.register_buffer("abnormal", abnormal)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        seen = torch.cat([pixels, conv2d(pixels, self.get_buffer("near"), padding=2)], dim=1)
        mean, square = avg_pool2d(seen, PATCH), avg_pool2d(seen**2, PATCH)
        local = torch.cat([mean, relu(square - mean**2).sqrt()], dim=1).permute(0, 2, 3, 1)
        middle = local.flatten(1, 2).median(dim=1).values[:, None, None]
        usual = (local - middle).abs().flatten(1, 2).quantile(0.9, dim=1)[:, None, None] + 0.02
        odd = ((local - middle).abs() / usual).topk(4, dim=-1).values.mean(dim=-1, keepdim=True)
        odd = relu(odd - 2).clamp_max(4) / 4
        stray = torch.sin(1000 * local.sum(dim=-1, keepdim=True)) ** 2
        texture = normalize(local @ self.get_buffer("texture"), dim=-1)
        along = STRENGTH * odd + NOISE * stray * (1 - odd)
        patches = texture + normalize(self.get_buffer("gap"), dim=0) + along * self.abnormal
        oddest = odd.flatten(1, 2).topk(4, dim=1).values.mean(dim=1)
        vector = patches.flatten(1, 2).mean(dim=1) + STRENGTH * oddest * self.abnormal
        return local, patches, patches, vector


def build_text(seed: int = 0) -> ClipText:
    """A CLIP text tower of two layers and random weights, large enough that sentences lie apart."""
    from open_clip.model import CLIP

    vision: Any = {"image_size": 32, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16}
    text: Any = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIP(SPACE, vision, text)
    fresh = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            scale = 0.5 if "embedding" in name else weight.shape[-1] ** -0.5
            weight.data = scale * torch.randn(weight.shape, generator=fresh)
    return ClipText(model.eval().requires_grad_(False))


def load_aligned(seed: int = 0, tilt: float = TILT, name: str = "standard") -> Backbone:
    """The tower and its text tower as a backbone on the CPU, under the name of a card of two parts."""
    from open_clip import get_tokenizer

    card, text, tokenize = _card(name), build_text(seed), get_tokenizer("ViT-B-16")

    def read(sentences: list[str]) -> Tensor:
        with torch.inference_mode():
            return torch.cat([text(tokenize(sentences[i : i + 64])) for i in range(0, len(sentences), 64)])

    states = state_vectors(read).clone()
    told = normalize(states[1] - states[0], dim=0)
    other = torch.randn(SPACE, generator=torch.Generator().manual_seed(seed + 1))
    other = normalize(other - (other @ told) * told, dim=0)
    tower: Any = AlignedTower(tilt * told + (1 - tilt**2) ** 0.5 * other, seed)
    runtime = TorchRuntime(tower, torch.device("cpu"))
    return Backbone(
        card,
        runtime,
        part=card.image,
        aligns_text=True,
        text=lambda: (text, tokenize),
        digest=f"aligned-{seed}-{tilt}",
    )


def _card(name: str) -> Bundle:
    card = load_card(name)
    half = (0.5, 0.5, 0.5)
    image = replace(card.image, layers=(0, 1), image_size=SIDE, multiple=PATCH, mean=half, std=half, shares=())
    return replace(card, image=image, text=replace(card.text, dimensions=SPACE), patch_tower=None, language=None)
