"""The depth rule: how the samples of a single picture become 8 bits, whatever their number type.

1. bool is black or white, uint8 is taken as it is.
2. Where the depth is known (`bit_depth`), every sample is divided by its full scale, 2^bits - 1.
3. Floats within [0, 1] are taken as such.
4. Whole numbers from 0 to 65535, floats too, are divided by the full scale of the smallest of 8, 12 and 16
   bits that holds the largest of them.
5. Anything else (negative, fractions above 1, beyond 16 bits) is stretched from its least to its greatest.

Nothing is clipped. Rules 4 and 5 guess, and each guess is a notice. Rule 4 has three steps only, because each
step is a brightness at which two pictures of one series part: the same 12-bit camera must not be read as
10-bit on a dark part and as 12-bit on a bright one. The price is that 10-bit pictures come out at a quarter
of their brightness, all of them alike. Rule 5 is not comparable between pictures. Pictures of one series are
read through its window instead (`assistant.images.window`), which guesses nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ImageError, told

DEPTHS = (8, 12, 16)
_LARGEST = 2 ** DEPTHS[-1] - 1
_ROWS = 64


def to_8_bit(
    samples: NDArray[Any], name: str, bit_depth: int | None = None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Samples of any shape and number type as uint8 of the same shape, and what was guessed on the way.

    ImageError for NaN, infinity, values outside a stated `bit_depth`, and what is not a real number.
    """
    kind = samples.dtype.kind
    if kind == "b":
        return samples.astype(np.uint8) * np.uint8(255), ()
    if samples.dtype == np.uint8:
        return samples, ()
    if kind not in "uif":
        raise ImageError(f"{name} holds values of type {samples.dtype}, which are not pixels")
    low, high = _range(samples, name)
    if bit_depth is not None:
        full = 2**bit_depth - 1
        if low < 0 or high > full:
            raise ImageError(f"{name} holds values from {low:g} to {high:g}, which are not {bit_depth}-bit")
        return _divide(samples, full), ()
    guessed = _full_scale(samples, low, high)
    if guessed is None:
        notice = told(f"values from {low:g} to {high:g} stretched to black and white, unlike any other picture's")
        return _stretch(samples, low, high, name), (notice,)
    if guessed == 1:
        return _divide(samples, 1), ()
    bits = guessed.bit_length()
    notice = told(f"read as {bits}-bit because its largest value is {high:g}")
    return _divide(samples, guessed), (notice,)


def opacity_to_8_bit(alpha: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """An alpha plane as uint8, 255 opaque, by the same rule but never stretched: ImageError instead."""
    if alpha.dtype.kind in "uif" and alpha.dtype != np.uint8:
        if _full_scale(alpha, *_range(alpha, name)) is None:
            raise ImageError(f"{name} has transparency values that are neither 0 to 1 nor whole numbers")
    return to_8_bit(alpha, name)[0]


def full_scale(samples: NDArray[Any], name: str) -> int | None:
    """The value that means white in a picture whose depth is not known; None where the rule stretches it.

    ImageError for NaN and infinity.
    """
    return _full_scale(samples, *_range(samples, name))


def _range(samples: NDArray[Any], name: str) -> tuple[float, float]:
    low, high = float(samples.min()), float(samples.max())  # both carry a NaN along
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ImageError(f"{name} holds values that are not finite numbers (NaN or infinity)")
    return low, high


def _full_scale(samples: NDArray[Any], low: float, high: float) -> int | None:
    """The value that means white, or None where no depth fits."""
    floating = samples.dtype.kind == "f"
    if floating and 0 <= low and high <= 1:
        return 1
    if low < 0 or high > _LARGEST or (floating and not np.array_equal(samples, np.rint(samples))):
        return None
    return next(int(2**bits - 1) for bits in DEPTHS if high < 2**bits)


def _divide(samples: NDArray[Any], full: int) -> NDArray[np.uint8]:
    if samples.dtype.kind == "f":
        scaled = np.multiply(samples, 255 / full, dtype=np.float32, casting="same_kind")
        return _rounded(scaled)
    # A table, a few rows at a time, keeps 50 million pixels from passing through numbers of 8 bytes each.
    table = _rounded(np.arange(full + 1) * (255 / full))
    scaled = np.empty(samples.shape, np.uint8)
    for row in range(0, len(samples), _ROWS):
        scaled[row : row + _ROWS] = table[samples[row : row + _ROWS]]
    return scaled


def _stretch(samples: NDArray[Any], low: float, high: float, name: str) -> NDArray[np.uint8]:
    if high == low:
        return np.zeros(samples.shape, np.uint8)
    if not math.isfinite(high - low):
        raise ImageError(f"{name} holds values too far apart to be a picture")
    scaled = samples.astype(np.float64)
    scaled -= low
    scaled /= high - low
    scaled *= 255
    return _rounded(scaled)


def _rounded(scaled: NDArray[Any]) -> NDArray[np.uint8]:
    """In place, for the arrays are large."""
    np.rint(scaled, out=scaled)
    return scaled.astype(np.uint8)
