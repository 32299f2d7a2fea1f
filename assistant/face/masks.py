"""Masks drawn with a brush: what the painter hands over becomes masks, and masks become what it shows.

Green says where to look, red what to ignore.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assistant.errors import ImageError
from assistant.images.load import load_image

Mask = NDArray[np.bool_]

LOOK = "#00aa78"
IGNORE = "#d7233c"

LONGEST_SIDE = 1024
LONGEST_DRAWING = 8_000_000  # characters
_PNG = "data:image/png;base64,"
_INKED = 140  # on white, paint that covers at least half of a pixel is darker than this in one channel


def show_drawing(pixels: NDArray[np.uint8], masks: Sequence[tuple[Mask | None, str]] = ()) -> dict[str, str]:
    """What a painter shows: a picture [H, W, 3], at most 1024 pixels a side, and masks [h, w] in their colours."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    layer = Image.new("RGBA", picture.size)
    for mask, color in masks:
        if mask is not None:
            stencil = Image.fromarray(mask).resize(picture.size, Image.Resampling.NEAREST)
            layer.paste(color, mask=stencil)
    return {"picture": _address(picture, "JPEG"), "paint": _address(layer, "PNG")}


def read_drawing(drawing: dict[str, Any] | None) -> NDArray[np.uint8] | None:
    """What was painted, on white [H, W, 3]; None where nothing came. ImageError where it is no picture."""
    paint = (drawing or {}).get("paint")
    if not paint:
        return None
    if not isinstance(paint, str) or len(paint) > LONGEST_DRAWING or not paint.startswith(_PNG):
        raise ImageError("The drawing cannot be read; draw it again.")
    try:
        content = base64.b64decode(paint.removeprefix(_PNG), validate=True)
    except ValueError as error:
        raise ImageError("The drawing cannot be read; draw it again.") from error
    return load_image(content, name="the drawing").pixels


def split_masks(painted: NDArray[np.uint8] | None) -> tuple[Mask | None, Mask | None]:
    """Where to look and what to ignore [H, W], of paint on white; None where nothing is of that colour."""
    if painted is None:
        return None, None
    inked = painted.min(axis=2) < _INKED
    green = painted[..., 1] > painted[..., 0]
    look, ignore = inked & green, inked & ~green
    return (look if look.any() else None), (ignore if ignore.any() else None)


def whole_mask(painted: NDArray[np.uint8] | None) -> Mask | None:
    """Everything painted, whatever the colour [H, W]; None where nothing is."""
    painted_masks = [mask for mask in split_masks(painted) if mask is not None]
    return np.logical_or.reduce(painted_masks) if painted_masks else None


def _address(picture: Image.Image, format: str) -> str:
    out = io.BytesIO()
    picture.save(out, format, quality=88)
    return f"data:image/{format.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"
