"""What an outline shows of a region that an Inspection does not hold: shape, contrast, in one piece or several.

It is measured by the mask on the picture, and left out where the measure is in doubt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from assistant.inspection import Region
from assistant.training.noise import Plane
from assistant.training.scene import Mask, Pixels, level_of

LONG, COMPACT = 3.5, 2.0
"""Length over width from which an outline is long, and up to which it is compact."""

CLEAR, ALIKE = 10.0, 4.0
"""Grey levels between an outline and what is around from which it is darker or lighter, and up to which alike."""

_PART = 0.1  # of the largest piece; smaller pieces are specks
_NEAR = 8  # pixels around an outline that count as its surroundings


@dataclass(frozen=True)
class Look:
    """How a region looks; "" where that is in doubt. `type` is the defect that was planted, "" where none fits."""

    shape: Literal["long", "compact", ""]
    contrast: Literal["darker", "lighter", "alike", ""]
    parts: Literal["one", "several"]
    type: str = ""


def look_at(region: Region, pixels: Pixels, marks: tuple[tuple[Mask, str], ...]) -> Look | None:
    """How a region looks by the outlines [H, W] bool in its box, with their types; None where there is none.

    `pixels` [H, W, 3] uint8 is the picture that the box refers to.
    """
    x0, y0, x1, y1 = region.box
    inside = np.zeros(pixels.shape[:2], bool)
    inside[y0:y1, x0:x1] = True
    mask = np.any([outline for outline, _ in marks], axis=0) & inside if marks else inside & False
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())[1:]
    if not sizes.size or sizes.max() < 4:
        return None
    largest = labels == 1 + int(sizes.argmax())
    kept = int((sizes >= _PART * sizes.max()).sum())
    types = {kind for outline, kind in marks if bool((outline & inside).any())}
    return Look(
        shape=_shape(largest),
        contrast=_contrast(level_of(pixels), mask),
        parts="one" if kept == 1 else "several",
        type=types.pop() if len(types) == 1 else "",
    )


def _shape(piece: Mask) -> Literal["long", "compact", ""]:
    rows, columns = np.nonzero(piece)
    if rows.size < 12:
        return ""
    spread = float(np.linalg.eigvalsh(np.cov(rows, columns) + np.eye(2) / 12)[-1])
    length = 4 * math.sqrt(spread)  # the long axis of the ellipse with this spread
    ratio = length / (rows.size / length * 4 / math.pi)  # a bent line is as long as it reaches, and thin
    return "long" if ratio >= LONG else "compact" if ratio <= COMPACT else ""


def _contrast(level: Plane, mask: Mask) -> Literal["darker", "lighter", "alike", ""]:
    around = ndimage.binary_dilation(mask, iterations=_NEAR) & ~ndimage.binary_dilation(mask, iterations=2)
    if not around.any():
        return ""
    difference = float(level[mask].mean() - level[around].mean())
    if abs(difference) >= CLEAR:
        return "lighter" if difference > 0 else "darker"
    return "alike" if abs(difference) <= ALIKE else ""
