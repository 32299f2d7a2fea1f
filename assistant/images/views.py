"""Changed views of a good picture: other ways in which the same good part could have been photographed.

Turned views go into memory for products that lie at any angle. Jittered views stand in for other parts when
there is only one reference. Pictures are [H, W, 3] uint8; nothing here is random.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from assistant.errors import ProductError

Pixels = NDArray[np.uint8]
Views = Literal["plain", "flips", "turns"]

_MOVES = ((2.0, 0.02, 0.0, 1.05), (-2.0, -0.02, 0.01, 0.95), (1.0, 0.0, -0.03, 1.0), (-1.0, 0.03, 0.02, 1.02))


def memory_views(pixels: Pixels, views: str) -> list[Pixels]:
    """The views of a reference that go into memory, the picture itself first.

    "plain": only itself. "flips": mirrored left to right, top to bottom, and both. "turns": by quarter turns,
    and each of them mirrored. ProductError for another word.
    """
    if views not in get_args(Views):
        raise ProductError(f"There are no views {views!r}; the views are plain, flips and turns.")
    if views == "plain":
        return [pixels]
    if views == "flips":
        return [pixels, pixels[:, ::-1], pixels[::-1], pixels[::-1, ::-1]]
    turned = [np.rot90(pixels, k) for k in range(4)]
    return turned + [view[:, ::-1] for view in turned]


def jittered_views(pixels: Pixels) -> list[Pixels]:
    """Four slightly turned, shifted and brightened or darkened copies, edges continued outwards."""
    height, width = pixels.shape[:2]
    margin = max(2, round(0.06 * max(height, width)))
    wide = Image.fromarray(
        np.pad(
            pixels,
            ((margin, margin), (margin, margin), (0, 0)),
            mode="reflect" if min(height, width) > margin else "edge",
        )
    )
    copies = []
    for angle, right, down, light in _MOVES:
        moved = wide.rotate(
            angle, Image.Resampling.BILINEAR, translate=(round(right * width), round(down * height))
        )
        cut = moved.crop((margin, margin, margin + width, margin + height))
        copies.append(np.asarray(ImageEnhance.Brightness(cut).enhance(light)))
    return copies
