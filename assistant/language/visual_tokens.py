"""What the language model gets to see of a picture: a few vectors of the frozen tower, chosen by the evidence.

The anomaly map says where to look twice, the regions say where to look closely.
`assistant.adapters.projector` turns the vectors into tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from assistant.adapters.patches import join_layers
from assistant.adapters.projector import GRID, REGIONS
from assistant.inspection import Inspection
from assistant.models.backbone import Backbone, Features

AROUND = 0.5
"""How much is shown around a region, as a share of its longer side, on each side."""

SMALLEST = 32
"""Pixels along the side of a crop, at least, where the picture has them."""


@dataclass(frozen=True, eq=False)
class VisualTokens:
    """The vectors of one picture: float16, on the CPU, one tensor [n, size] per kind of `projector.KINDS`.

    `vector` [1, D]: the picture; `grid` [16, C]: its patches in 4 x 4 cells, row by row; `whole` [1, C]: patches
    weighted by the anomaly map; `regions` [R, C]: the same inside each region; `crops` [R, C]: each region at full
    resolution. R is at most 3.
    """

    vector: Tensor
    grid: Tensor
    whole: Tensor
    regions: Tensor
    crops: Tensor

    @property
    def rows(self) -> tuple[Tensor, ...]:
        """What a `Projector` takes."""
        return self.vector, self.grid, self.whole, self.regions, self.crops

    def __len__(self) -> int:
        return sum(len(row) for row in self.rows)

    def pack(self, prefix: str) -> dict[str, Tensor]:
        """Named tensors for a file; `unpack` reverses it."""
        return {f"{prefix}.{f.name}": getattr(self, f.name).contiguous() for f in fields(self)}

    @classmethod
    def unpack(cls, tensors: Mapping[str, Tensor], prefix: str) -> VisualTokens:
        """From `pack`; KeyError where something is missing."""
        return cls(**{f.name: tensors[f"{prefix}.{f.name}"] for f in fields(cls)})


def see(backbone: Backbone, picture: NDArray[np.uint8] | None, inspection: Inspection) -> VisualTokens | None:
    """The visual tokens of a displayed picture [H, W, 3] uint8; None where there is no picture to see.

    The map is the inspection's; where it has none (one read from JSON), the regions take its place, and where
    there are none either, every patch counts alike.
    """
    if picture is None or inspection.status == "error":
        return None
    boxes = [region.box for region in inspection.regions[:REGIONS]]
    features = backbone.encode([picture, *(_crop(picture, box) for box in boxes)])
    patches = [_patches(backbone, one) for one in features]
    grid, (height, width) = patches[0], picture.shape[:2]
    inside = [_overlap(box, width, height, grid.shape[:2]) for box in boxes]
    attention = _attention(inspection, grid.shape[:2], inside)
    pooled = adaptive_avg_pool2d(grid.permute(2, 0, 1)[None], GRID)[0].flatten(1).T
    regions = [_pool(grid, attention * share, share) for share in inside]
    size = grid.shape[-1]
    return VisualTokens(
        vector=features[0].vector[:1].cpu().half(),
        grid=pooled.half(),
        whole=_pool(grid, attention, torch.ones_like(attention))[None].half(),
        regions=torch.stack(regions).half() if regions else torch.zeros(0, size).half(),
        crops=torch.stack([p.mean(dim=(0, 1)) for p in patches[1:]]).half()
        if regions
        else torch.zeros(0, size).half(),
    )


def sizes_of(backbone: Backbone) -> tuple[int, int]:
    """How many numbers a picture's vector and a joined patch have."""
    side = backbone.part.multiple * 2
    seen = backbone.encode([np.zeros((side, side, 3), np.uint8)], side)[0]
    return seen.vector.shape[-1], _patches(backbone, seen).shape[-1]


def _patches(backbone: Backbone, features: Features) -> Tensor:
    joined: Tensor = join_layers(features.layers, shares=backbone.shares)[0].cpu()
    return joined


def _attention(inspection: Inspection, grid: torch.Size, inside: list[Tensor]) -> Tensor:
    """How much each patch counts [h, w], not negative: the map above its own median."""
    if inspection.coarse_map is not None:
        coarse = torch.from_numpy(np.array(inspection.coarse_map, dtype=np.float32))[None, None]
        coarse = interpolate(coarse, tuple(grid), mode="bilinear", align_corners=False)[0, 0]
        return (coarse - coarse.median()).clamp_min(0)
    return torch.stack(inside).sum(0) if inside else torch.ones(tuple(grid))


def _pool(patches: Tensor, weights: Tensor, otherwise: Tensor) -> Tensor:
    """The weighted mean [C] of patches [h, w, C]; by `otherwise` where the weights are all zero."""
    weights = weights if weights.sum() > 0 else otherwise
    return (patches * weights[..., None]).sum(dim=(0, 1)) / weights.sum()


def _overlap(box: tuple[int, int, int, int], width: int, height: int, grid: torch.Size) -> Tensor:
    """How much of each patch [h, w] a box in pixels covers, in [0, 1]."""
    x0, y0, x1, y1 = box
    across = _cover(x0 / width * grid[1], x1 / width * grid[1], grid[1])
    down = _cover(y0 / height * grid[0], y1 / height * grid[0], grid[0])
    return down[:, None] * across[None]


def _cover(start: float, end: float, cells: int) -> Tensor:
    left = torch.arange(cells, dtype=torch.float32)
    covered: Tensor = (left + 1).clamp_max(end) - left.clamp_min(start)
    return covered.clamp_min(0)


def _crop(picture: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """A square around a box, cut off at the picture's edges."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = box
    side = max(SMALLEST, round(max(x1 - x0, y1 - y0) * (1 + 2 * AROUND)))
    left, top = (
        max(0, min(m - side // 2, full - side)) for m, full in (((x0 + x1) // 2, width), ((y0 + y1) // 2, height))
    )
    return np.ascontiguousarray(picture[top : top + side, left : left + side])
