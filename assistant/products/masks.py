"""Masks of a product: where to look and what to ignore, checked and joined."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from assistant.errors import ImageError, ProductError, told
from assistant.images.load import LoadedImage
from assistant.images.masks import check_shape

Mask = NDArray[np.bool_]
"""[H, W], true in the place that it is about."""


def check_masks(roi: Mask | None, ignore: Mask | None) -> tuple[Tensor | None, Tensor | None]:
    """Both masks as float32 in {0, 1}; ProductError where one is unfit, or they leave nothing to look at."""
    looked = None if roi is None else check_mask(roi)
    ignored = None if ignore is None else check_mask(ignore, told("ignore mask"))
    left = look_at(looked, ignored)
    if left is not None and not bool(left.any()):
        raise ProductError("The ignore mask leaves nothing to look at.")
    return looked, ignored


def check_mask(mask: Mask, kind: str = told("region of interest")) -> Tensor:
    """A mask [H, W], true in the place it is about, as float32 in {0, 1}; ProductError where it is unfit."""
    values = np.asarray(mask)
    if values.ndim != 2 or values.size == 0:
        raise ProductError(f"The {kind} is a picture of one channel, with the place that is meant in white.")
    tensor = torch.from_numpy((values > 0).astype(np.float32))
    if not bool(tensor.any()):
        raise ProductError(f"The {kind} is empty: nothing is marked in it.")
    return tensor


def fit_shape(mask: Mask, picture: LoadedImage, name: str) -> None:
    """ProductError where a mask is no smaller or larger picture of the same shape, width to height."""
    try:
        check_shape(mask, (picture.width, picture.height), name)
    except ImageError as error:
        raise ProductError(f"{error}.") from error


def look_at(roi: Tensor | None, ignore: Tensor | None) -> Tensor | None:
    """What to look at [h, w] in [0, 1], of a region of interest and a mask of what to ignore; None is everything.

    The one is brought to the grid of the finer other.
    """
    if ignore is None:
        return roi
    shown = 1 - ignore
    if roi is None:
        return shown
    size = max(roi.shape, shown.shape, key=lambda shape: shape[0] * shape[1])
    first, second = (interpolate(m[None, None], tuple(size), mode="nearest")[0, 0] for m in (roi, shown))
    return first * second


def is_share(mask: Tensor) -> bool:
    """Whether it is a map [h, w] of numbers in [0, 1]."""
    return mask.ndim == 2 and mask.numel() > 0 and float(mask.min()) >= 0 and float(mask.max()) <= 1
