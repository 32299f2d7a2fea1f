"""Patch descriptors: what several layers of a tower say about each place of a picture, as one vector.

Knows tensors only: no towers, files or thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate, normalize


def join_layers(
    layers: Sequence[Tensor],
    grid: tuple[int, int] | None = None,
    shares: Sequence[float] = (),
    scaled: bool = True,
) -> Tensor:
    """Join the layers' patch tokens into unit vectors on one grid.

    `layers`: L tensors [B, h_l, w_l, C_l]. `grid`: (h, w), by default the finest layer's. Coarser layers are
    interpolated, finer ones averaged. `shares`: how much each layer says, adding up to 1, and 0 for one that is
    left out; equal by default. Each layer is L2-normalised before joining, so that its share is its say whatever
    its scale; not `scaled`, layers are joined as they come, and the one with the largest activations decides.
    Returns [B, h, w, sum C_l] float32 with unit length, so that a dot product is the weighted mean of the layers'
    cosines. ValueError for no layer or other shares.
    """
    if not layers:
        raise ValueError("at least one layer is needed")
    shares = shares or [1 / len(layers)] * len(layers)
    if len(shares) != len(layers) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares {tuple(shares)} do not divide {len(layers)} layers")
    h, w = grid or max((tuple(layer.shape[1:3]) for layer in layers), key=lambda shape: shape[0] * shape[1])
    said = [(_regrid(layer.float(), h, w), share) for layer, share in zip(layers, shares, strict=True) if share]
    if not scaled:
        return normalize(torch.cat([layer for layer, _ in said], dim=-1), dim=-1)
    return torch.cat([normalize(layer, dim=-1) * share**0.5 for layer, share in said], dim=-1)


def neighbourhood(tokens: Tensor, size: int) -> Tensor:
    """Average each patch with its neighbours in a square of odd side `size`, and normalise again.

    [B, h, w, C] -> [B, h, w, C]. At the edge the mean runs over the patches that exist. Size 1 returns the
    input. (Neighbourhood aggregation as in PatchCore, Roth et al. 2022, and MuSc, Li et al. 2024.)
    """
    if size % 2 != 1 or size < 1:
        raise ValueError(f"a neighbourhood has an odd side, not {size}")
    if size == 1:
        return tokens
    pooled = avg_pool2d(tokens.permute(0, 3, 1, 2), size, 1, size // 2, count_include_pad=False)
    return normalize(pooled.permute(0, 2, 3, 1), dim=-1)


def top_mean(maps: Tensor, share: float = 0.01) -> Tensor:
    """The mean of the largest `share` of each map, at least one value: [B, h, w] -> [B].

    The picture's score: steadier than the maximum, and still sensitive to a small defect (AnomalyDINO,
    Damm et al. 2025, uses the top 1 %).
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share lies in (0, 1], not at {share}")
    values = maps.flatten(1)
    return values.topk(max(1, round(share * values.shape[1])), dim=1).values.mean(dim=1)


def _regrid(layer: Tensor, h: int, w: int) -> Tensor:
    if tuple(layer.shape[1:3]) == (h, w):
        return layer
    planes = layer.permute(0, 3, 1, 2)
    if layer.shape[1] >= h and layer.shape[2] >= w:
        planes = adaptive_avg_pool2d(planes, (h, w))
    else:
        planes = interpolate(planes, (h, w), mode="bilinear", align_corners=False)
    return planes.permute(0, 2, 3, 1)
