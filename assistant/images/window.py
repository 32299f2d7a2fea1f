"""The window of a series: which sample value is black and which is white, the same in all of its pictures.

A camera with more than 8 bits writes dark and bright parts on one scale, and so they have to be read. Pictures of
8 bits need no window and are never changed by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ImageError, told
from assistant.images.caps import DEFAULT_CAPS, SizeCaps
from assistant.images.decoding import ChannelOrder, Planes, Source, is_8_bit, is_deep, name_of, read_planes
from assistant.images.depth import DEPTHS, full_scale
from assistant.images.memory import MEMORY

_TRIMMED = 0.001  # share of a picture's samples, at either end, that may be dead or hot
_LOOKED_AT = 1_000_000  # samples of each picture
_WELL_USED = 0.25  # a series that fills so much of its full scale is read on that scale
_MARGIN = 0.1  # of the range of the references, on either side
_OUTSIDE = 0.05  # share of samples beyond the window from which a picture is far outside
_FLAT = 0.02  # share of the window that a picture has to fill
_ROWS = 64


@dataclass(frozen=True)
class Window:
    """Black and white level in sample units, or the bit depth that sets them; the channel order of arrays.

    `Window()` has no levels: each picture is scaled by itself, as without a window. `bit_depth` (8 to 16) means
    black at 0 and white at 2^bits - 1. `channel_order` is "rgb" or "bgr" and is that of arrays, for files know
    their own. ValueError for levels that are not finite, not in order, alone, or beside a bit depth.
    """

    black: float | None = None
    white: float | None = None
    bit_depth: int | None = None
    channel_order: ChannelOrder = "rgb"

    def __post_init__(self) -> None:
        if self.channel_order not in get_args(ChannelOrder):
            raise ValueError(f"no such channel order as {self.channel_order!r}: 'rgb' or 'bgr'")
        if (self.black is None) != (self.white is None):
            raise ValueError("a window has a black and a white level, or neither")
        if self.bit_depth is not None and not 8 <= self.bit_depth <= 16:
            raise ValueError(f"bit_depth is {self.bit_depth}, not 8 to 16")
        if self.bit_depth is not None and self.black is not None:
            raise ValueError("a window has a bit depth or two levels, not both")
        if self.black is not None and self.white is not None:
            if not (math.isfinite(self.black) and math.isfinite(self.white) and self.black < self.white):
                raise ValueError(f"a window runs upwards, not from {self.black:g} to {self.white:g}")
            if not 0 < 255 / (self.white - self.black) < math.inf:
                raise ValueError(f"a window from {self.black:g} to {self.white:g} is too wide or too narrow")

    @property
    def levels(self) -> tuple[float, float] | None:
        """The sample values that are shown as black and as white."""
        if self.bit_depth is not None:
            return 0.0, float(2**self.bit_depth - 1)
        return None if self.black is None or self.white is None else (self.black, self.white)

    def __str__(self) -> str:
        if self.levels is None:
            return "8-bit"
        return f"{self.levels[0]:g} to {self.levels[1]:g}" + (f" ({self.bit_depth}-bit)" if self.bit_depth else "")

    @classmethod
    def learn(
        cls,
        series: Iterable[Source | Planes],
        *,
        caps: SizeCaps = DEFAULT_CAPS,
        channel_order: ChannelOrder = "rgb",
    ) -> Window:
        """The window of a series, worked out from its references; without levels where all have 8 bits.

        A series that fills a quarter of its full scale (1 for floats, else 8, 12 or 16 bits, or the depth that its
        files state) is read on that scale, any other from its least to its greatest sample with a tenth to spare.
        The most extreme thousandth of each picture does not count. Pictures that cannot be read are passed over.
        """
        ranges = [one for source in series if (one := _measure(source, caps, channel_order)) is not None]
        if not ranges:
            return cls(channel_order=channel_order)
        low, high = min(one.low for one in ranges), max(one.high for one in ranges)
        whole, stated = all(one.whole for one in ranges), {one.bits for one in ranges}
        bits = stated.pop() if len(stated) == 1 else None
        full = _full_scale(low, high, whole, all(one.floating for one in ranges), bits)
        if full is not None and (high - low >= _WELL_USED * full or low == high):
            return cls._of_scale(full, channel_order)
        margin = _MARGIN * (high - low) or 0.5
        black = max(0.0, low - margin) if low >= 0 else low - margin
        white = high + margin
        if whole:
            black, white = float(math.floor(black)), float(math.ceil(white))
        return cls(black, white, channel_order=channel_order)

    @classmethod
    def of_single(
        cls, source: Source, *, caps: SizeCaps = DEFAULT_CAPS, channel_order: ChannelOrder = "rgb"
    ) -> Window:
        """The depth at which a single picture is read, for those to come; without levels where it is stretched.

        One picture does not show how far a series reaches, so nothing is narrowed. ImageError as for `load_image`.
        """
        name = name_of(source)
        with MEMORY.claim() as claim:
            planes = read_planes(source, name, caps, channel_order, claim)
            full = None if is_8_bit(planes.colour) else full_scale(planes.colour, name)
        if planes.bits is not None:
            return cls(bit_depth=planes.bits, channel_order=channel_order)
        if full is None:
            return cls(channel_order=channel_order)
        return cls._of_scale(full, channel_order)

    @classmethod
    def _of_scale(cls, full: int, order: ChannelOrder) -> Window:
        """The window of a full scale, 1 for floats."""
        if full > 1:
            return cls(bit_depth=full.bit_length(), channel_order=order)
        return cls(0.0, 1.0, channel_order=order)

    def apply(self, samples: NDArray[Any], name: str) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
        """Samples of any shape as uint8 of the same shape, and a notice where they lie far outside the window.

        bool and uint8 are taken as they are. ImageError for NaN, infinity and what is not a real number;
        ValueError for a window without levels.
        """
        if self.levels is None:
            raise ValueError("a window without levels cannot be applied")
        if samples.dtype.kind == "b":
            return samples.astype(np.uint8) * np.uint8(255), ()
        if is_8_bit(samples):
            return samples, (f"has 8 bits and was not read through the window of its series, {self}",)
        if samples.dtype.kind not in "uif":
            raise ImageError(f"{name} holds values of type {samples.dtype}, which are not pixels")
        black, white = self.levels
        # As the depth rule has it, so that a window of a full scale gives the very same greys.
        kind = np.float32 if samples.dtype.kind == "f" and black == 0 else np.float64
        scaled, outside = np.empty(samples.shape, np.uint8), 0
        low, high = math.inf, -math.inf
        for row in range(0, len(samples), _ROWS):
            part = samples[row : row + _ROWS].astype(np.float64)
            if not np.isfinite(part).all():
                raise ImageError(f"{name} holds values that are not finite numbers (NaN or infinity)")
            low, high = min(low, float(part.min())), max(high, float(part.max()))
            outside += int(np.count_nonzero((part < black) | (part > white)))
            part = np.clip(part, black, white, out=part).astype(kind, copy=False)
            part -= black
            part *= 255 / (white - black)
            scaled[row : row + _ROWS] = np.rint(part, out=part)
        return scaled, self._notices(low, high, outside / samples.size)

    def _notices(self, low: float, high: float, outside: float) -> tuple[str, ...]:
        black, white = self.levels or (0.0, 0.0)
        if outside > _OUTSIDE:
            return (told(f"{100 * outside:.0f} % of its samples lie outside the window of its series, {self}"),)
        if high - low < _FLAT * (white - black):
            return (
                told(f"values from {low:g} to {high:g} fill almost nothing of the window of its series, {self}"),
            )
        return ()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_dict` reverses it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Window:
        """Rebuild from `to_dict`; ValueError for an unknown key or a value of another type."""
        if unknown := sorted(set(row) - {field.name for field in fields(cls)}):
            raise ValueError(f"unknown keys in a window: {', '.join(unknown)}")
        for key in ("black", "white", "bit_depth"):
            value = row.get(key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise ValueError(f"{key} is {value!r}, not a number")
        if isinstance(row.get("bit_depth"), float):
            raise ValueError(f"bit_depth is {row['bit_depth']}, not a whole number")
        return cls(**row)


@dataclass(frozen=True)
class _Range:
    """The range of one picture's samples without its extremes, what numbers they are, and their stated depth."""

    low: float
    high: float
    whole: bool
    floating: bool
    bits: int | None


def _measure(source: Source | Planes, caps: SizeCaps, order: ChannelOrder) -> _Range | None:
    """The range of a reference; None for one of 8 bits, or one that cannot be read."""
    if isinstance(source, Planes):
        return _range_of(source)
    if not is_deep(source, caps):
        return None
    try:
        with MEMORY.claim() as claim:
            return _range_of(read_planes(source, name_of(source), caps, order, claim))
    except ImageError:
        return None


def _range_of(planes: Planes) -> _Range | None:
    samples = planes.colour
    if is_8_bit(samples) or samples.dtype.kind not in "uif" or samples.size == 0:
        return None
    flat = samples.reshape(-1)[:: max(1, samples.size // _LOOKED_AT)].astype(np.float64)
    flat = flat[np.isfinite(flat)]
    if flat.size == 0:
        return None
    trimmed = min(max(1, math.ceil(_TRIMMED * flat.size)), (flat.size - 1) // 2)
    flat.sort()
    kept = flat[trimmed : flat.size - trimmed]
    whole = bool(np.array_equal(kept, np.rint(kept)))
    return _Range(float(kept[0]), float(kept[-1]), whole, samples.dtype.kind == "f", planes.bits)


def _full_scale(low: float, high: float, whole: bool, floating: bool, bits: int | None) -> int | None:
    """The value that means white in a series of this range, or None where no depth fits."""
    if low < 0:
        return None
    if bits is not None and high < 2**bits:
        return 2**bits - 1
    if floating and high <= 1:
        return 1
    return next((2**depth - 1 for depth in DEPTHS if high < 2**depth), None) if whole else None
