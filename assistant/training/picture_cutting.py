"""Cuts one picture of a package into training pictures, and leaves out what is no picture of a thing.

The same picture always gives the same cuts.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHORTEST, LONGEST, CROP = 128, 640, 512
_LARGE = 2 * CROP
_MOST_CROPS = 6
_WIDEST = 2.0
_FLATTEST = 3.0
_DRAWN = 0.6
_SAME_BITS = 10
_GROUNDS = ((226, 226, 222), (150, 152, 156), (64, 66, 70), (190, 170, 140), (96, 116, 136), (205, 212, 205))


class Seen:
    """The pictures taken so far, known by the signs of their brightness steps, so that no copy is taken."""

    def __init__(self) -> None:
        self._prints = np.empty((0, 32), np.uint8)

    def add(self, picture: Image.Image) -> bool:
        """Remember a picture; False where it, or one recoloured or resized from it, was there before."""
        small = np.asarray(picture.convert("L").resize((17, 16), Image.Resampling.BOX), np.int16)
        mark = np.packbits(small[:, 1:] > small[:, :-1])
        if len(self._prints) and np.bitwise_count(self._prints ^ mark).sum(1).min() <= _SAME_BITS:
            return False
        self._prints = np.vstack([self._prints, mark])
        return True


def cut(picture: Image.Image | None, ground: bool, name: str) -> list[Image.Image]:
    """The RGB pictures that one picture gives: none where it is unfit, several crops where it is large.

    Sides are 128 to 640 pixels. Unfit are narrow, small, nearly uniform and drawn pictures, relief maps, and
    cut-outs unless they go on a plain ground, whose tone follows from the name.
    """
    if picture is None or min(picture.size) < SHORTEST:
        return []
    try:
        picture.load()
    except (OSError, ValueError, SyntaxError):
        return []
    solid = _place(picture, name) if ground else _flatten(picture)
    if solid is None or max(solid.size) > _WIDEST * min(solid.size):
        return []
    parts = [(part, np.asarray(part, np.int16)) for part in _parts(solid)]
    # A ground of one colour is as even as a drawing; what stands on it was looked at before.
    return [part for part, pixels in parts if not _unfit(pixels) and (ground or not _drawn(pixels))]


def _flatten(picture: Image.Image) -> Image.Image | None:
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        if (np.asarray(picture.getchannel("A")) < 128).mean() > 0.02:
            return None
    return picture.convert("RGB")


def _place(picture: Image.Image, name: str) -> Image.Image | None:
    cutout = picture.convert("RGBA")
    alpha = cutout.getchannel("A")
    box = alpha.point(lambda a: 255 * (a > 127)).getbbox()
    if box is None or min(box[2] - box[0], box[3] - box[1]) < SHORTEST:
        return None
    cutout = cutout.crop(box)
    colours = np.asarray(cutout, np.int16)
    if _drawn_share(colours[..., :3], colours[..., 3] > 127) > _DRAWN / 2:
        return None
    cutout.thumbnail((CROP, CROP), Image.Resampling.LANCZOS)
    side = max(cutout.size) * 5 // 4
    tone = _GROUNDS[hashlib.sha256(name.encode()).digest()[0] % len(_GROUNDS)]
    placed = Image.new("RGB", (side, side), tone)
    placed.paste(cutout, ((side - cutout.width) // 2, (side - cutout.height) // 2), cutout)
    return placed


def _parts(picture: Image.Image) -> list[Image.Image]:
    width, height = picture.size
    if min(width, height) < _LARGE:
        picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        return [picture] if min(picture.size) >= SHORTEST else []
    scale = _LARGE / min(width, height)
    picture = picture.resize((round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)
    corners = [(x * CROP, y * CROP) for y in range(picture.height // CROP) for x in range(picture.width // CROP)]
    return [picture.crop((x, y, x + CROP, y + CROP)) for x, y in corners[:_MOST_CROPS]]


def _unfit(pixels: NDArray[np.int16]) -> bool:
    if pixels.std(axis=(0, 1)).max() < _FLATTEST:
        return True
    red, green, blue = pixels.mean(axis=(0, 1))
    return bool(abs(red - 128) < 20 and abs(green - 128) < 20 and blue > 200)  # a relief map


def _drawn(pixels: NDArray[np.int16]) -> bool:
    return _drawn_share(pixels, np.ones(pixels.shape[:2], bool)) > _DRAWN


def _drawn_share(pixels: NDArray[np.int16], where: NDArray[np.bool_]) -> float:
    """The share of pixels whose right neighbour has exactly their colour: high in drawings, low in photographs."""
    same = (pixels[:, 1:] == pixels[:, :-1]).all(-1) & where[:, 1:] & where[:, :-1]
    return float(same.sum() / max(1, where.sum()))
