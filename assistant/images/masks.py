"""Masks: pictures in which somebody marked a part of another picture, read alike wherever they come from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ImageError
from assistant.images.caps import DEFAULT_CAPS, SizeCaps
from assistant.images.decoding import Source, name_of, read_planes
from assistant.images.depth import opacity_to_8_bit
from assistant.images.load import colours_of, upright
from assistant.images.memory import MEMORY
from assistant.images.sources import shown_name

_MIDDLE = 127  # above it lies white
_DARK, _LIGHT = 30, 225  # as far may black and white stray in a JPEG
_GREY = 0.25  # share of a mask that may lie between, as soft edges do
_GREY_OF_PAINT = 1.0  # and so much of what is white
_COLOURED = 40  # between the channels of a pixel that has a colour
_SPECKS = 0.001  # share of a mask that does not count
_LABELS = 33  # so many values at most number the things in a picture
_EVEN = 0.5  # share of their pixels that lie inside of an even place, where soft edges have none
_SKEW = 0.02  # by which the sides of a mask may differ from those of the references


def load_mask(
    source: Source,
    size_of_references: tuple[int, int] | None = None,
    *,
    caps: SizeCaps = DEFAULT_CAPS,
    name: str | None = None,
) -> NDArray[np.bool_]:
    """Where somebody marked a picture [H, W]: true where it was painted.

    Where the picture has transparency, whatever is painted counts, of any colour. Else white or a colour on black
    counts; so does everything but 0 where few values number the things in a picture, as {0, 1} and palettes do.
    `size_of_references` is (width, height); a mask may be smaller or larger than they are but not of another
    shape.

    ImageError, one plain sentence, for what cannot be read, is no mask by its values, or has another shape.
    """
    shown = shown_name(name) if name is not None else name_of(source)
    with MEMORY.claim() as claim:
        planes = read_planes(source, shown, caps, "rgb", claim)
        alpha = None if planes.alpha is None else opacity_to_8_bit(planes.alpha, shown)
        if alpha is not None and alpha.min() <= _MIDDLE:
            painted = _painted(alpha)
        else:
            painted = _marked(colours_of(planes, shown)[0], shown)
        mask: NDArray[np.bool_] = np.array(upright(painted, planes.orientation), order="C")
    if size_of_references is not None:
        check_shape(mask, size_of_references, shown)
    return mask


def check_shape(mask: NDArray[np.bool_], size: tuple[int, int], name: str) -> None:
    """ImageError where a mask [H, W] is no smaller or larger picture of the shape of `size`, (width, height)."""
    height, width = mask.shape
    rounded = abs(width * size[1] / size[0] - height) <= 1 or abs(height * size[0] / size[1] - width) <= 1
    skew = abs(width * size[1] / (height * size[0]) - 1)
    if not rounded and skew > _SKEW:
        raise ImageError(f"{name} is {width} x {height}, another shape than the picture of {size[0]} x {size[1]}")


def _painted(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What is painted on a layer [H, W]: even strokes however faint, and of soft ones the stronger half."""
    least, most = int(alpha.min()), int(alpha.max())
    full = (alpha * (255 / max(most, 1))).astype(np.uint8)
    values = np.unique(full).astype(np.intp)
    if least == 0 and len(values) <= _LABELS and _numbers_things(full, values):
        return alpha > 0
    return alpha > (least + most) // 2


def _marked(pixels: NDArray[np.uint8], name: str) -> NDArray[np.bool_]:
    """What is marked in an opaque picture [H, W, 3]; ImageError where that cannot be told."""
    light = pixels.max(axis=2)
    counts = np.bincount(light.reshape(-1), minlength=256)
    _check_colours(pixels, light, counts[: _DARK + 1].sum(), name)
    values = np.flatnonzero(counts)
    if len(values) == 1:
        if values[0] not in (0, 1, 255):
            raise ImageError(f"{name} is not a mask: it has the one value {values[0]} everywhere")
        return light > 0
    if len(values) == 2:
        return light > values[0]
    if values[0] == 0 and len(values) <= _LABELS and _numbers_things(light, values):
        return light > 0
    between, white = counts[_DARK + 1 : _LIGHT].sum(), counts[_LIGHT:].sum()
    if between > _GREY * light.size or between > _GREY_OF_PAINT * white + _SPECKS * light.size:
        raise ImageError(f"{name} is not a mask: it has many greys where a mask is black and white")
    return light > _MIDDLE


def _check_colours(pixels: NDArray[np.uint8], light: NDArray[np.uint8], dark: int, name: str) -> None:
    """ImageError for colours that stand on no black ground or beside white: which of them is marked?"""
    least = pixels.min(axis=2)
    coloured = np.count_nonzero(light - least > _COLOURED)
    specks = _SPECKS * light.size
    if coloured > specks and (dark <= specks or np.count_nonzero(least >= _LIGHT) > specks):
        raise ImageError(
            f"{name} is not a mask: paint white on black, or any colour on black or on a transparent layer"
        )


def _numbers_things(light: NDArray[np.uint8], values: NDArray[np.intp]) -> bool:
    """Whether what lies between black and white fills even places, as numbers of things do but no soft edges."""
    if np.count_nonzero(values >= _LIGHT) > 1:  # as only compression leaves them
        return False
    framed = np.pad(light, 1, mode="edge")
    inside = framed[1:-1, 1:-1]
    around = (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:])
    alike = sum((other == inside).astype(np.uint8) for other in around)
    between = (light > 0) & (light < _LIGHT)
    return bool(np.count_nonzero(between & (alike >= 3)) >= _EVEN * np.count_nonzero(between))
