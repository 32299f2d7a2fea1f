"""Overlapping tiles, in which a large picture is looked at piece by piece, so that small defects in it are seen.

A picture is brought to a canvas larger than what the tower sees, cut into tiles of the tower's size that overlap
by a quarter or more, and the tiles' patches are joined to one finer grid. The canvas and the tiles are whole
numbers of the tower's cells, so patches of neighbours fall on each other and nothing is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assistant.errors import ProductError
from assistant.models.backbone import Backbone, Features

MOST_TILES = 4
"""Tiles along each side at most: 4 x 4 take 11 times the memory, and 100 times the time for comparing patches."""

STEP = 0.75
"""How far apart tiles lie at most, in tiles."""

_AT_ONCE = 4  # tiles that go through the tower together


def check_tiles(tiles: int) -> int:
    """The number of tiles along each side of a square picture, if it is 1 (the whole picture) to `MOST_TILES`."""
    if not 1 <= tiles <= MOST_TILES:
        raise ProductError(f"A picture is cut into 1 to {MOST_TILES} tiles along each side, not {tiles}.")
    return tiles


def widen(tiles: int) -> float:
    """How many times larger the canvas of so many tiles is than one tile, along each side."""
    return 1 + STEP * (tiles - 1)


@dataclass(frozen=True)
class Layout:
    """Tiles of one size over a canvas, in the tower's cells.

    `canvas` and `tile` are (height, width); `tops` and `lefts` say where tiles begin: there is one for each pair.
    """

    canvas: tuple[int, int]
    tile: tuple[int, int]
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @classmethod
    def over(cls, canvas: tuple[int, int], tiles: int) -> Layout:
        """At most `tiles` ** 2 tiles over a canvas, as near to squares and to that number as can be."""
        height, width = canvas
        most = tiles**2
        grids = [(down, along) for down in range(1, most + 1) for along in range(1, most // down + 1)]

        def cost(grid: tuple[int, int]) -> tuple[float, tuple[int, int]]:
            bent = abs(math.log(height / widen(grid[0]) / (width / widen(grid[1]))))
            return 2 * bent + math.log(most / (grid[0] * grid[1])), grid

        down, along = min(grids, key=cost)
        (tall, tops), (wide, lefts) = _spread(height, down), _spread(width, along)
        return cls(canvas, (tall, wide), tops, lefts)

    @property
    def starts(self) -> list[tuple[int, int]]:
        """Where each tile begins, (top, left), row by row."""
        return [(top, left) for top in self.tops for left in self.lefts]

    def cut(self, planes: Tensor, cell: int) -> Tensor:
        """The tiles [T, C, h, w] of planes [C, H, W] with `cell` pixels in a cell."""
        tall, wide = (cell * side for side in self.tile)
        return torch.stack(
            [planes[:, y * cell : y * cell + tall, x * cell : x * cell + wide] for y, x in self.starts]
        )

    def join(self, maps: Tensor) -> Tensor:
        """The map [H, W, C] of the whole canvas from those of its tiles [T, h, w, C]; any number a cell.

        Where tiles overlap, each counts by a raised cosine, one in its middle and next to nothing at its edges:
        no seam shows, and what the tower makes of the edge of a tile hardly counts. ValueError where the maps do
        not fit the tiles.
        """
        count, h, w, channels = maps.shape
        fine = h // self.tile[0]
        if count != len(self.starts) or (h, w) != (fine * self.tile[0], fine * self.tile[1]) or not fine:
            raise ValueError(f"maps of the shape {tuple(maps.shape)} do not fit {self}")
        weights = (_bell(h, maps.device)[:, None] * _bell(w, maps.device))[..., None]
        total = maps.new_zeros(self.canvas[0] * fine, self.canvas[1] * fine, channels)
        weight = total[..., :1].clone()
        for (y, x), own in zip(self.starts, maps, strict=True):
            place = slice(y * fine, y * fine + h), slice(x * fine, x * fine + w)
            total[place] += weights * own
            weight[place] += weights
        return total / weight


def encode_tiled(
    backbone: Backbone, pictures: Sequence[NDArray[np.uint8]], tiles: int, side: int | None = None
) -> list[Features]:
    """Features of pictures of any sizes, each as a batch of one, seen in `tiles` x `tiles` overlapping tiles.

    `Features.layers` and `text_patches` are those of the tiles, joined, on a grid `widen(tiles)` times as fine
    along each side; `vector` is still that of the whole picture. `side` is that of a tile, the card's where it is
    None. One tile is the whole picture, as `Backbone.encode` sees it. ProductError for too many tiles.
    """
    if check_tiles(tiles) == 1:
        return backbone.encode(pictures, side)
    return [_encode(backbone, pixels, tiles, side) for pixels in pictures]


def canvas_size(
    backbone: Backbone, width: int, height: int, tiles: int, side: int | None = None
) -> tuple[int, int]:
    """The size (width, height) of the canvas for a picture of a size; for one tile, what the tower is shown."""
    return backbone.fit_size(width, height, _canvas_side(backbone, tiles, side))


def _encode(backbone: Backbone, pixels: NDArray[np.uint8], tiles: int, side: int | None) -> Features:
    whole = backbone.encode_image(backbone.fit(pixels, side)[None])
    joined = _look(backbone, pixels, tiles, side)
    layers = _look(backbone.patch_tower, pixels, tiles, side).layers if backbone.patch_tower else joined.layers
    return Features(layers, whole.vector, joined.text_patches)


def _look(backbone: Backbone, pixels: NDArray[np.uint8], tiles: int, side: int | None) -> Features:
    """What the image tower makes of the tiles of one picture, joined; the vector is their first one's."""
    planes, cell = backbone.fit(pixels, _canvas_side(backbone, tiles, side)), backbone.part.multiple
    layout = Layout.over((planes.shape[1] // cell, planes.shape[2] // cell), tiles)
    parts = [backbone.encode_image(batch) for batch in layout.cut(planes, cell).split(_AT_ONCE)]
    layers = [layout.join(torch.cat(layer))[None] for layer in zip(*(p.layers for p in parts), strict=True)]
    text_patches = [part.text_patches for part in parts if part.text_patches is not None]
    joined = torch.nn.functional.normalize(layout.join(torch.cat(text_patches)), dim=-1) if text_patches else None
    return Features(tuple(layers), parts[0].vector[:1], None if joined is None else joined[None])


def _canvas_side(backbone: Backbone, tiles: int, side: int | None) -> int:
    return round(widen(tiles) * (side or backbone.part.image_size))


def _spread(length: int, count: int) -> tuple[int, tuple[int, ...]]:
    """The size of `count` tiles that cover a length, a quarter shared, and where they begin."""
    size = min(length, max(2, math.ceil(length / widen(count))))
    return size, tuple(dict.fromkeys(round(i * (length - size) / max(1, count - 1)) for i in range(count)))


def _bell(length: int, device: torch.device) -> Tensor:
    middles = (torch.arange(length, device=device) + 0.5) / length
    return torch.sin(torch.pi * middles) ** 2
