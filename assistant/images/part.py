"""The part in a picture: what stands clearly before a plain ground, in a small copy of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage
from torch.nn.functional import avg_pool2d, interpolate

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

SEEN = 160
"""The longest side at which a part is looked for."""

LEAST_SEEN = 24  # a shorter side shows no shape

PLAIN = 0.9
"""The share of a picture's edge that has to have the colour of the ground, or its ground is not plain."""

QUIET = 12.0
"""Grey levels, of the three colours together, by which a plain ground differs from itself at most."""

SHARES = (0.01, 0.75)
"""A part takes such a share of the picture: less is dirt, and more leaves no ground to see it by."""

ALONE = 0.7
"""The share of what differs from the ground that one part holds: traces of a board are no part."""

CUT_OFF = 0.1
"""The share of the picture's edge that a part may cover: of one that goes on beyond, the pose is not seen."""

LEAST_APART = 10.0  # grey levels between a part and its ground at least, of the three colours together
NOISES = 5.0  # and times the noise of the ground
LOW = 0.6  # of Otsu's threshold: parts have dark and light places
STRUCTURE = 0.3  # what is larger, in sides of a square of the part's area, is light and no structure
STEEP = 24.0  # grey levels across two pixels that make an edge
GAP = 0.02  # of the longest side, that may lie between two edges of one part
COARSE = 4  # pixels in one where light is looked at


@dataclass(frozen=True, eq=False)
class Part:
    """A part before its ground, in a copy of [h, w] pixels of a picture of [H, W].

    `planes` [2, h, w]: the structure of its surface, which light changes little, with a deviation of 1 and 0
    outside of it; and its shape, 1 inside and 0 outside. `middle` (x, y) is the middle of its shape, `area` how
    many pixels it takes, and `reach` how far it goes from there, all in the copy. `factors` (x, y): pixels of the
    picture for one of the copy.
    """

    planes: Plane
    middle: tuple[float, float]
    area: float
    reach: float
    factors: tuple[float, float]

    @classmethod
    def seen_in(cls, pixels: NDArray[np.uint8]) -> Part | None:
        """The part in a picture [H, W, 3] uint8; None where none stands clearly before a plain ground."""
        height, width = pixels.shape[:2]
        shrink = min(1.0, SEEN / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        if min(size) < LEAST_SEEN:
            return None
        small = Image.fromarray(pixels).resize(size, Image.Resampling.BOX, reducing_gap=1.5)
        mask = _shape(small)
        if mask is None:
            return None
        rows, columns = np.nonzero(mask)
        middle = float(columns.mean()) + 0.5, float(rows.mean()) + 0.5
        reach = float(np.hypot(columns + 0.5 - middle[0], rows + 0.5 - middle[1]).max())
        shape = mask.astype(np.float32)
        planes = np.stack([_structure(np.asarray(small.convert("L"), dtype=np.float32), shape), shape])
        return cls(planes, middle, float(len(rows)), reach, (width / size[0], height / size[1]))


def _shape(small: Image.Image) -> Mask | None:
    """Where the part is in a picture; None where none stands clearly before a plain ground."""
    smooth = np.asarray(small.filter(ImageFilter.BoxBlur(1)), dtype=np.float32)
    ground, noise, plain = _ground(np.asarray(small, dtype=np.float32))
    if plain < PLAIN or noise > QUIET:
        return None
    apart = smooth - ground
    far = np.sqrt(np.einsum("hwc,hwc->hw", apart, apart))
    least = max(NOISES * noise, LEAST_APART)
    if float(far.max()) <= least:
        return None
    found = (far > max(least, LOW * _otsu(far))) | (_steepness(small) > max(STEEP, 2.0 * noise))
    found = _closed(found, max(1, round(GAP * max(small.size))))
    mask = _largest(found)
    alone = float((found & mask).sum()) >= ALONE * float(found.sum())
    cut_off = float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean()) > CUT_OFF
    return mask if alone and not cut_off and SHARES[0] <= float(mask.mean()) <= SHARES[1] else None


def _steepness(small: Image.Image) -> Plane:
    """How many grey levels lie across each pixel: a part has sharp edges, and its shadow none."""
    grey = np.pad(np.asarray(small.convert("L"), dtype=np.float32), 1, mode="edge")
    down, along = np.abs(grey[2:, 1:-1] - grey[:-2, 1:-1]), np.abs(grey[1:-1, 2:] - grey[1:-1, :-2])
    return np.maximum(down, along)


def _closed(mask: Mask, gap: int) -> Mask:
    """A mask with gaps of up to so many pixels to either side closed."""
    wide = np.pad(mask, gap)
    for _ in range(gap):
        wide = ~_every(~wide)
    for _ in range(gap):
        wide = _every(wide)
    closed: Mask = wide[gap:-gap, gap:-gap] | mask
    return closed


def _ground(values: Plane) -> tuple[Plane, float, float]:
    """The colour of the ground everywhere [h, w, 3], its noise, and the share of the picture's edge that has it.

    A plane in each colour, fitted to the edge of the picture; what differs there is left out.
    """
    h, w, _ = values.shape
    x, y = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in (w, h))
    edge = np.ones((h, w), bool)
    rim = max(3, round(0.03 * min(h, w)))
    edge[rim:-rim, rim:-rim] = False
    down, along = (places[::3] for places in np.nonzero(edge))  # a third of them tells as much
    rows, seen = np.stack([np.ones(len(down), np.float32), x[along], y[down]], axis=1), values[down, along]
    off = np.abs(seen - np.median(seen, axis=0)).max(axis=1)
    used = off <= max(8.0, 2.5 * float(np.median(off)))
    for _ in range(3):
        known = rows[used]
        fit = np.linalg.solve(known.T @ known + 1e-3 * np.eye(3, dtype=np.float32), known.T @ seen[used])
        off = np.sqrt(((rows @ fit - seen) ** 2).sum(axis=1))
        noise = 1.5 * float(np.median(off[used]))
        used = off <= max(6.0, 3.0 * noise)
    ground: Plane = fit[0] + x[None, :, None] * fit[1] + y[:, None, None] * fit[2]
    return ground, noise, float(used.mean())


def _otsu(far: Plane) -> float:
    """The distance that divides parts from ground best, in whole grey levels (Otsu 1979)."""
    counts = np.bincount(far.ravel().astype(np.int64)).astype(np.float64)
    top = int(np.searchsorted(np.cumsum(counts), 0.98 * counts.sum()))  # what is brightest says little
    counts[top] += counts[top + 1 :].sum()
    counts = counts[: top + 1]
    levels, below = np.arange(len(counts)) + 0.5, np.cumsum(counts)
    sums = np.cumsum(counts * levels)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(np.nan_to_num(between).argmax()) + 1.0


def _largest(mask: Mask) -> Mask:
    """The largest piece of a mask that is more than two pixels wide, its holes filled."""
    core = _every(mask)
    labels, count = ndimage.label(~_every(~core))
    if not count:
        return np.zeros_like(mask)
    piece = labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())
    outside, _ = ndimage.label(np.pad(~piece, 1, constant_values=True))
    filled: Mask = outside[1:-1, 1:-1] != outside[0, 0]
    return filled


def _every(mask: Mask) -> Mask:
    """Where a place and its four neighbours are in a mask; what lies beyond the edge is as the edge."""
    wide = np.pad(mask, 1, mode="edge")
    found: Mask = mask & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return found


def _structure(grey: Plane, shape: Plane) -> Plane:
    """What is light and dark in a part, less what is so on a large scale, with a deviation of 1 inside of it."""
    planes = torch.from_numpy(np.stack([grey * shape, shape]))[None]
    side = max(3, round(STRUCTURE * float(np.sqrt(shape.sum())) / COARSE) | 1)
    coarse = avg_pool2d(planes, COARSE, ceil_mode=True)
    for _ in range(2):  # twice a box is nearly a bell
        coarse = avg_pool2d(coarse, side, 1, side // 2)
    light, weight = interpolate(coarse, grey.shape, mode="bilinear")[0].numpy()
    fine = (grey - light / np.maximum(weight, 1e-3)) * shape
    spread = float(np.sqrt((fine**2).sum() / max(1.0, float(shape.sum()))))
    result: Plane = np.clip(fine / max(spread, 1.0), -4, 4).astype(np.float32)
    return result
