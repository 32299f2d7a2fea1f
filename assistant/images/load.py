"""The one place through which every picture enters: anything a user may hand over becomes upright 8-bit RGB.

It knows how a picture is displayed: channel order, transparency, orientation. It knows nothing of formats and
caps (`assistant.images.decoding`), numbers (`assistant.images.depth`) or folders (`assistant.images.sources`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assistant.errors import ImageError
from assistant.images.decoding import Limits, Planes, check_size, read_bytes, read_pillow
from assistant.images.depth import opacity_to_8_bit, to_8_bit
from assistant.images.sources import read_file, shown_name

__all__ = ["DEFAULT_LIMITS", "ChannelOrder", "Limits", "LoadedImage", "Source", "load_image"]

Source: TypeAlias = str | Path | bytes | Image.Image | NDArray[Any]
ChannelOrder = Literal["rgb", "bgr"]

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """A picture as it is displayed: `pixels` [H, W, 3] uint8 RGB, C-contiguous and its own copy.

    `name` is the base name, safe to print. `notices` say what was guessed or left out while reading.
    """

    pixels: NDArray[np.uint8]
    name: str
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(f"{self.name}: pixels are {self.pixels.dtype} {self.pixels.shape}, not uint8 RGB")
        if not self.pixels.flags.c_contiguous or self.pixels.size == 0:
            raise ValueError(f"{self.name}: pixels are empty or not C-contiguous")

    @property
    def width(self) -> int:
        """Pixels from left to right as displayed."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom as displayed."""
        return int(self.pixels.shape[0])


def load_image(
    source: Source,
    *,
    limits: Limits = DEFAULT_LIMITS,
    channel_order: ChannelOrder = "rgb",
    bit_depth: int | None = None,
    name: str | None = None,
) -> LoadedImage:
    """Read one picture into upright 8-bit RGB, in the coordinates that a viewer displays.

    `source` is a path, the bytes of a file, a Pillow image, or an array with the channels last: [H, W],
    [H, W, 1], [H, W, 3] or [H, W, 4] of bool, integers or floats. Files are PNG, JPEG, BMP, TIFF or WebP by
    their content, whatever the extension; of several frames the first is read, with a notice. EXIF
    orientation is applied, colour profiles are not, transparency is put on white.

    `channel_order` is the order of an array's channels ("bgr" for OpenCV); files and Pillow images know
    their own. Samples wider than 8 bits follow the rule in `assistant.images.depth`: `bit_depth` (8 to 16) states
    their depth, so that all pictures of a series are scaled alike; without it the depth is guessed from the
    largest value, with a notice. 16-bit colour files keep all 16 bits up to that scaling, though Pillow on
    its own reads only the upper 8; CMYK and premultiplied alpha are read at those 8, with a notice. A Pillow
    image comes at the depth at which Pillow holds it. `name` is how to call a source that has no file name.

    Raises ImageError, one plain sentence without a path, for everything that is wrong with the source.
    """
    if channel_order not in get_args(ChannelOrder):
        raise ValueError(f"no such channel order as {channel_order!r}: 'rgb' or 'bgr'")
    if bit_depth is not None and not 8 <= bit_depth <= 16:
        raise ValueError(f"bit_depth is {bit_depth}, not 8 to 16")
    shown = shown_name(name) if name is not None else _name_of(source)
    if isinstance(source, np.ndarray):
        planes = _read_array(np.asarray(source), shown, limits, channel_order)
    elif isinstance(source, Image.Image):
        planes = read_pillow(source, shown, limits)
    elif isinstance(source, str | Path):
        planes = read_bytes(read_file(Path(source), limits.max_bytes), shown, limits)
    elif isinstance(source, bytes):
        planes = read_bytes(source, shown, limits)
    else:
        raise ImageError(
            f"a {type(source).__name__} is not a picture: give a path, bytes, a Pillow image or an array"
        )
    return _develop(planes, shown, bit_depth)


def _name_of(source: object) -> str:
    if isinstance(source, Image.Image):
        source = getattr(source, "filename", "")
    if isinstance(source, bytes) or not isinstance(source, str | os.PathLike):
        return "the picture"
    return shown_name(os.fsdecode(source))


def _read_array(array: NDArray[Any], name: str, limits: Limits, order: ChannelOrder) -> Planes:
    shape = array.shape
    if array.ndim == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        raise ImageError(
            f"{name} is an array of {_times(shape)}, channels first it seems: "
            f"put them last with array.transpose(1, 2, 0)"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise ImageError(f"{name} is an array of {_times(shape)}, not height x width (x 1, 3 or 4 channels)")
    check_size(shape[1], shape[0], name, limits)
    if array.ndim == 2 or shape[2] == 1:
        return Planes(array.reshape(shape[:2]))
    colour = array[..., 2::-1] if order == "bgr" else array[..., :3]
    return Planes(colour, array[..., 3] if shape[2] == 4 else None)


def _develop(planes: Planes, name: str, bit_depth: int | None) -> LoadedImage:
    """Samples as stored -> the picture as displayed."""
    pixels, guessed = to_8_bit(planes.colour, name, bit_depth or planes.bits)
    notices = planes.notices + guessed
    if planes.inverted:
        pixels = np.uint8(255) - pixels
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if planes.alpha is not None:
        alpha = opacity_to_8_bit(planes.alpha, name)
        if alpha.min() < 255:
            pixels = _on_white(pixels, alpha)
            notices += ("its transparent parts are shown on white",)
    return LoadedImage(np.array(_upright(pixels, planes.orientation), order="C"), name, notices)


def _on_white(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=Image.fromarray(np.ascontiguousarray(alpha)))
    return np.asarray(white)


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo the EXIF orientation: 5 to 8 swap the axes, then rows and columns are reversed as it says."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "no dimension"
