"""The pictures of a report: small JPEGs without metadata, made of whatever is at hand, one at a time."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assistant.errors import LooktwiceError
from assistant.inspection import Inspection

THUMBNAIL_SIDE = 480
"""The longer side of a picture in a report on many."""

Still = str | Path | bytes | Image.Image | NDArray[np.uint8]

Picture = Still | Callable[[], Still | None] | None
"""A picture to show: a file, its bytes, an open picture, pixels [H, W, 3] uint8, nothing, or a function that
gives one of these. A function is called only for a picture that is shown, and what it gave is not kept."""


def draw_from_file(inspection: Inspection) -> Callable[[], Image.Image]:
    """The overlay of an inspection, drawn when it is asked for from the picture at its path."""

    def draw() -> Image.Image:
        from assistant.overlay import draw_overlay

        return draw_overlay(inspection.picture().pixels, inspection)

    return draw


def read_from_file(inspection: Inspection) -> Callable[[], NDArray[np.uint8]]:
    """The picture at the path of an inspection as it is displayed, read when it is asked for."""

    def read() -> NDArray[np.uint8]:
        return inspection.picture().pixels

    return read


def as_jpeg(picture: Picture, side: int) -> bytes | None:
    """A picture as a JPEG of at most `side` pixels a side; None where there is none or it cannot be read."""
    try:
        still = picture() if callable(picture) else picture
        return None if still is None else _encode(still, side)
    except (OSError, ValueError, SyntaxError, LooktwiceError, Image.DecompressionBombError):
        return None


def _encode(still: Still, side: int) -> bytes:
    if isinstance(still, Image.Image):
        return _shrink(still, side)
    if isinstance(still, np.ndarray):
        return _shrink(Image.fromarray(still), side)
    source = io.BytesIO(still) if isinstance(still, bytes) else still
    with Image.open(source, formats=("PNG", "JPEG", "WEBP")) as opened:
        return _shrink(opened, side)


def _shrink(opened: Image.Image, side: int) -> bytes:
    # Through bare pixels: a JPEG would take comments along from the picture it was.
    small = opened.convert("RGB")
    small.thumbnail((side, side))
    sink = io.BytesIO()
    Image.fromarray(np.asarray(small)).save(sink, "JPEG", quality=84)
    return sink.getvalue()
