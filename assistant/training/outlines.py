"""The outlines of training pictures: read, cut along with their pictures, and brought to a tower's grid."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from assistant.images.load import load_image
from assistant.training.dataset import Example

CLOSEST = 0.55  # of the shorter side is shown at least


def read_mask(example: Example, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """The outline of an example whose picture has a shape (rows, columns); None where there is none or another."""
    if example.mask is None:
        return None
    mask: NDArray[np.bool_] = np.asarray(load_image(example.mask).pixels.any(axis=2))
    return mask if mask.shape == shape else None


def crop(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_] | None, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """A random square of a picture [H, W, 3] and of its mask [H, W]; around the defect where there is one."""
    height, width = pixels.shape[:2]
    side = max(16, round(min(height, width) * rng.uniform(CLOSEST, 1)))
    side = min(side, height, width)
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    if mask is not None and mask.any():
        rows, columns = np.nonzero(mask)
        at = int(rng.integers(len(rows)))
        top = int(np.clip(rows[at] - rng.integers(side), 0, height - side))
        left = int(np.clip(columns[at] - rng.integers(side), 0, width - side))
    window = np.s_[top : top + side, left : left + side]
    return np.ascontiguousarray(pixels[window]), None if mask is None else mask[window]


def share_of(mask: NDArray[np.bool_], side: int, grid: tuple[int, int]) -> Tensor:
    """The share of each cell of a grid (h, w) that a mask [H, W] covers, shown as a square of `side` pixels."""
    shown = Image.fromarray(mask.astype(np.uint8) * 255).resize((side, side), Image.Resampling.BOX)
    return adaptive_avg_pool2d(torch.from_numpy(np.array(shown, dtype=np.float32) / 255)[None, None], grid)[0, 0]
