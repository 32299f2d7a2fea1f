"""The pictures that a product keeps of its references: what the tower saw of them, so that limits can be redone.

A kept picture has the size at which the tower sees it, as a PNG, so that its features are the very same. It
knows pictures and sizes, and neither memory nor limits.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from assistant.errors import ProductError
from assistant.models.backbone import Backbone, resize
from assistant.models.tiles import canvas_size

MOST_BYTES = 8_000_000
"""Where the pictures of a product take more, some of them go, drawn by the digests of their pixels."""

FEWEST = 2

MOST_PIXELS = 16_000_000
"""More than any tower is shown, tiles among them."""

Pixels = NDArray[np.uint8]


def shrink(pixels: Pixels, backbone: Backbone, tiles: int = 1) -> Tensor:
    """A picture [H, W, 3] uint8 as the tower sees it, in so many tiles along each side, as a PNG: uint8 [n].

    Where there are two towers, as the one sees it that sees more.
    """
    height, width = pixels.shape[:2]
    size = canvas_size(backbone.widest, width, height, tiles)
    out = io.BytesIO()
    resize(pixels, size).save(out, "PNG")  # `Backbone.fit` then finds nothing left to do
    return torch.frombuffer(bytearray(out.getvalue()), dtype=torch.uint8)


def expand(kept: Tensor) -> Pixels:
    """The pixels [h, w, 3] uint8 of a kept picture; ProductError for anything but a PNG of such a size."""
    try:
        with Image.open(io.BytesIO(kept.numpy().tobytes()), formats=("PNG",)) as picture:
            if picture.mode != "RGB" or picture.width * picture.height > MOST_PIXELS:
                raise ValueError(f"a kept picture of the mode {picture.mode} and the size {picture.size}")
            return np.array(picture, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ProductError("A picture that the product keeps is damaged; learn the product again.") from error


def draw(pictures: Mapping[int, Tensor], digests: Mapping[int, str], most: int | None = None) -> dict[int, Tensor]:
    """The pictures that may stay, at most `most` bytes of them, by default `MOST_BYTES`, by id.

    They are drawn by digest: a lot that prefers neither old nor new ones, and falls the same in any order.
    """
    kept: list[int] = []
    size = 0
    for i in sorted(pictures, key=lambda i: (digests[i], i)):
        size += pictures[i].nbytes
        if size > (MOST_BYTES if most is None else most) and len(kept) >= FEWEST:
            break
        kept.append(i)
    return {i: pictures[i] for i in sorted(kept)}
