"""Masks drawn with a brush: masks become what the painter shows, and what it hands over is read as any other mask.

Green says where to look, red what to ignore.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assistant.errors import ImageError
from assistant.face.embedded import embed
from assistant.images.encoded import decode_base64
from assistant.images.masks import load_mask

Mask = NDArray[np.bool_]

LOOK = "#00aa78"
IGNORE = "#d7233c"

LONGEST_SIDE = 1024
LONGEST_DRAWING = 8_000_000  # characters
_NAME = "The drawing"


def show_drawing(pixels: NDArray[np.uint8], masks: Mapping[str, Mask | None] | None = None) -> dict[str, Any]:
    """What a painter shows: a picture [H, W, 3], at most 1024 pixels a side, and masks [h, w] by their colours."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return {
        "picture": embed(picture),
        "paint": {color: _layer(mask, picture.size) for color, mask in (masks or {}).items() if mask is not None},
    }


def read_drawing(
    drawing: Mapping[str, Any] | None, color: str, size: tuple[int, int] | None = None
) -> Mask | None:
    """What was painted with the brush of a colour [H, W]; None where nothing was.

    `size`, (width, height), is that of the picture that was painted on. ImageError for what is no mask of it.
    """
    layers = (drawing or {}).get("paint") or {}
    paint = layers.get(color) if isinstance(layers, dict) else layers
    if not paint:
        return None
    if not isinstance(paint, str) or len(paint) > LONGEST_DRAWING:
        raise ImageError(f"{_NAME} cannot be read; draw it again")
    mask = load_mask(decode_base64(paint, _NAME), size, name=_NAME)
    return mask if mask.any() else None


def _layer(mask: Mask, size: tuple[int, int]) -> str:
    layer = Image.new("RGBA", size)
    layer.paste("#fff", mask=Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    return embed(layer, "PNG")
