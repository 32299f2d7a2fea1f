"""Zero-shot evidence without text: how rare each patch is within its own picture.

On a product with a repeated texture or a symmetric shape, a defect is a place that looks like no other place.
The idea needs no training and no reference; it is blind to a defect that fills the picture, and it takes a
single screw on a plain ground for rare. Knows patches only.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from .similarity import cosines

NEIGHBOURS = 8
"""Nearest patches whose distances are averaged: a defect seen twice is still rare."""

APART = 2
"""Patches closer than this (in grid cells, the larger of the two axes) look alike anyway and do not count."""


def rarity(tokens: Tensor, neighbours: int = NEIGHBOURS, apart: int = APART) -> Tensor:
    """The mean cosine distance of each patch to its nearest patches elsewhere in the picture.

    `tokens`: [B, h, w, C] of unit length. Returns [B, h, w] float32 in [0, 2]. On a grid too small to have
    patches at a distance, zeros: nothing can be said.
    """
    batch, h, w, _ = tokens.shape
    apart_only, far = _mask(h, w, apart, str(tokens.device))
    count = min(neighbours, far)
    if count < 1:
        return tokens.new_zeros(batch, h, w, dtype=torch.float32)
    maps = []
    for patches in tokens.flatten(1, 2):
        alike = cosines(patches, patches).add_(apart_only)
        maps.append(1 - alike.topk(count, dim=1, sorted=False).values.float().mean(dim=1))
    return torch.stack(maps).clamp_min(0).reshape(batch, h, w)


@lru_cache(maxsize=4)
def _mask(h: int, w: int, apart: int, device: str) -> tuple[Tensor, int]:
    """What to add to the cosines so that near patches never win [h*w, h*w], and the fewest far ones of any."""
    rows = torch.arange(h).repeat_interleave(w)
    columns = torch.arange(w).repeat(h)
    near = (rows[:, None] - rows).abs().maximum((columns[:, None] - columns).abs()) <= apart
    penalty = near.to(torch.bfloat16) * -4
    return penalty.to(device), int((~near).sum(dim=1).min())
