"""The one place through which every picture enters: anything a user may hand over becomes upright 8-bit RGB."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assistant.errors import told
from assistant.images.caps import DEFAULT_CAPS, SizeCaps
from assistant.images.decoding import ChannelOrder, PictureFile, Planes, Source, is_8_bit, name_of, read_planes
from assistant.images.depth import opacity_to_8_bit, to_8_bit
from assistant.images.memory import MEMORY
from assistant.images.sources import shown_name
from assistant.images.window import Window

__all__ = [
    "DEFAULT_CAPS",
    "ChannelOrder",
    "LoadedImage",
    "PictureFile",
    "SizeCaps",
    "Source",
    "Window",
    "load_image",
    "load_through",
]


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """A picture as it is displayed: `pixels` [H, W, 3] uint8 RGB, C-contiguous and its own copy.

    `name` is the base name, safe to print. `notices` say what was guessed or left out while reading. `window` is
    what it was read through, and `deep` whether it had more than 8 bits, so that this made a difference. `folder`
    is where its file lies, "" for what is no file; it is not for display.
    """

    pixels: NDArray[np.uint8]
    name: str
    notices: tuple[str, ...] = ()
    window: Window = Window()
    deep: bool = False
    folder: str = ""

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
    caps: SizeCaps = DEFAULT_CAPS,
    channel_order: ChannelOrder | None = None,
    bit_depth: int | None = None,
    window: Window | None = None,
    name: str | None = None,
) -> LoadedImage:
    """Read one picture into upright 8-bit RGB, in the coordinates that a viewer displays.

    `source` is a path, the bytes of a file, with a name as a `PictureFile`, a Pillow image, or an array with the
    channels last: [H, W], [H, W, 1], [H, W, 3] or [H, W, 4] of bool, integers or floats. Files are PNG, JPEG, BMP,
    TIFF or WebP by their content, whatever the extension; of several frames the first is read, with a notice. EXIF
    orientation is applied, colour profiles are not, transparency is put on white.

    `channel_order` is the order of an array's channels, "rgb" unless it or the window says "bgr" (as OpenCV has
    it); files and Pillow images know their own. Samples wider than 8 bits go through `window`, which is that of
    their series. Without one they follow the rule in `assistant.images.depth`: `bit_depth` (8 to 16) states their
    depth, and otherwise it is guessed from the largest value, with a notice. 16-bit colour files keep all 16 bits
    up to that scaling, though Pillow on its own reads only the upper 8; CMYK and premultiplied alpha are read at
    those 8, with a notice. A Pillow image comes at the depth at which Pillow holds it. `name` is how to call a
    source that has no file name. Large pictures are decoded one after another, whatever thread asks.

    Raises ImageError, one plain sentence without a path, for everything that is wrong with the source. ValueError
    for a `bit_depth` beside a window that has levels.
    """
    window = window or Window()
    order = channel_order or window.channel_order
    if order not in get_args(ChannelOrder):
        raise ValueError(f"no such channel order as {order!r}: 'rgb' or 'bgr'")
    if bit_depth is not None and not 8 <= bit_depth <= 16:
        raise ValueError(f"bit_depth is {bit_depth}, not 8 to 16")
    if bit_depth is not None and window.levels is not None:
        raise ValueError("a picture is read by a bit depth or through a window, not both")
    shown = shown_name(name) if name is not None else name_of(source)
    with MEMORY.claim() as claim:
        planes = read_planes(source, shown, caps, order, claim)
        return _develop(planes, shown, bit_depth, window, _folder_of(source))


def load_through(source: Source, windows: Sequence[Window]) -> tuple[LoadedImage, ...]:
    """One picture as it is read through each of several windows, decoded once; ImageError as for `load_image`."""
    shown = name_of(source)
    own = isinstance(source, np.ndarray)  # the order of channels is said of arrays alone
    orders: list[ChannelOrder] = [window.channel_order if own else "rgb" for window in windows]
    with MEMORY.claim() as claim:
        planes = {order: read_planes(source, shown, DEFAULT_CAPS, order, claim) for order in set(orders)}
        rows, folder = zip(orders, windows, strict=True), _folder_of(source)
        return tuple(_develop(planes[o], shown, None, w, folder) for o, w in rows)


def read_samples(data: bytes, name: str = "the picture") -> Planes:
    """The samples of a picture file, which `load_image` takes for a source too; ImageError as there."""
    with MEMORY.claim() as claim:
        return read_planes(data, name, DEFAULT_CAPS, "rgb", claim)


def colours_of(
    planes: Planes, name: str, bit_depth: int | None = None, window: Window | None = None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """The colours of stored samples [H, W, 3] uint8, neither turned nor put on white, and what was guessed."""
    if window is not None and window.levels is not None:
        pixels, guessed = window.apply(planes.colour, name)
    else:
        pixels, guessed = to_8_bit(planes.colour, name, bit_depth or planes.bits)
    if planes.inverted:
        pixels = np.uint8(255) - pixels
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return pixels, guessed


def _develop(planes: Planes, name: str, bit_depth: int | None, window: Window, folder: str) -> LoadedImage:
    """Samples as stored -> the picture as displayed."""
    pixels, guessed = colours_of(planes, name, bit_depth, window)
    notices = planes.notices + guessed
    if planes.alpha is not None:
        alpha = opacity_to_8_bit(planes.alpha, name)
        if alpha.min() < 255:
            pixels = _on_white(pixels, alpha)
            notices += (told("its transparent parts are shown on white"),)
    shown = np.array(upright(pixels, planes.orientation), order="C")
    return LoadedImage(shown, name, notices, window, not is_8_bit(planes.colour), folder)


def _folder_of(source: Source) -> str:
    return os.path.dirname(os.path.abspath(source)) if isinstance(source, str | os.PathLike) else ""


def _on_white(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=Image.fromarray(np.ascontiguousarray(alpha)))
    return np.asarray(white)


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo the EXIF orientation: 5 to 8 swap the axes, then rows and columns are reversed as it says."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
