"""Zero-shot evidence without text: how rare each patch is within its own picture.

On a product with a repeated texture or a symmetric shape, a defect is a place that looks like no other place.
The idea needs no training and no reference; it is blind to a defect that fills the picture, and it takes a
single screw on a plain ground for rare.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from .similarity import cosines

_PATCHES = 2500  # a finer grid is done some rows at a time: all its products at once could take gigabytes


def rarity(tokens: Tensor, neighbours: int = 8, apart: int = 2) -> Tensor:
    """The mean cosine distance of each patch to its `neighbours` nearest patches elsewhere in the picture.

    Patches up to `apart` grid cells away, on the larger of the two axes, look alike anyway and do not count.

    `tokens`: [B, h, w, C] of unit length. Returns [B, h, w] float32 in [0, 2]. On a grid too small to have
    patches at a distance, zeros: nothing can be said.
    """
    batch, h, w, _ = tokens.shape
    count = min(neighbours, h * w - _most_near(h, apart) * _most_near(w, apart))
    if count < 1:
        return tokens.new_zeros(batch, h, w, dtype=torch.float32)
    step = h if h * w <= _PATCHES else max(1, _PATCHES**2 // (h * w * w))
    maps = []
    for patches in tokens.flatten(1, 2):
        parts = []
        for top in range(0, h, step):
            bottom = min(h, top + step)
            alike = cosines(patches[top * w : bottom * w], patches)
            mask = _kept_mask if step == h else _mask
            alike = alike.add_(mask(h, w, apart, top, bottom, str(tokens.device)))
            parts.append(1 - alike.topk(count, dim=1, sorted=False).values.float().mean(dim=1))
        maps.append(torch.cat(parts))
    return torch.stack(maps).clamp_min(0).reshape(batch, h, w)


def _mask(h: int, w: int, apart: int, top: int, bottom: int, device: str) -> Tensor:
    """What to add to the cosines of the patches of some rows so that near ones never win: [rows * w, h * w]."""
    rows = (torch.arange(top, bottom)[:, None] - torch.arange(h)).abs() <= apart
    columns = (torch.arange(w)[:, None] - torch.arange(w)).abs() <= apart
    near = rows[:, None, :, None] & columns[None, :, None, :]
    return (near.reshape(-1, h * w).to(torch.bfloat16) * -4).to(device)


_kept_mask = lru_cache(maxsize=4)(_mask)


def _most_near(length: int, apart: int) -> int:
    """How many places of a line count as near, for the place that has most of them."""
    return min(length, 2 * apart + 1)
