"""What a file holds before anyone decides how it looks: PNG, JPEG, BMP, TIFF or WebP as planes of samples.

It knows formats, caps and where Pillow 12.3 is lossy or wrong: it cuts 16-bit colour to 8 bits, and makes
noise of TIFFs with 16-bit colours in separate planes, or with compressed floats or signed numbers, high byte
first. It knows nothing of folders, brightness or display.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from assistant.errors import ImageError

_ORIENTATION = 0x0112
_NEW_SUBFILE_TYPE = 254
_COMMON_TILE = 1024 * 1024
# The readers are called by class and not through `Image.open`: that would check every size against a limit of
# the host program's and may warn, which no thread can silence for itself alone.
_SIGNATURES: tuple[tuple[bytes, type[ImageFile.ImageFile]], ...] = (
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    (b"II*\0", TiffImagePlugin.TiffImageFile),
    (b"MM\0*", TiffImagePlugin.TiffImageFile),
    (b"II+\0", TiffImagePlugin.TiffImageFile),
    (b"MM\0+", TiffImagePlugin.TiffImageFile),
)
_PILLOW_FORMATS = (None, "PNG", "JPEG", "MPO", "BMP", "TIFF", "WEBP")  # None: made or changed in memory
_SCALAR_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_COLOUR_MODES = ("P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")


@dataclass(frozen=True)
class Limits:
    """What is refused before it is decoded: file size in bytes, one side and the area in pixels.

    The defaults (64 MB, 20,000, 50 million) let the largest area cameras and line scans in, and keep one
    picture under about 1 GB of memory while it is read. TIFF also obeys Pillow's own limit where the host
    program has set it lower.
    """

    max_bytes: int = 64_000_000
    max_side: int = 20_000
    max_pixels: int = 50_000_000

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_side", "max_pixels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, which lets no picture in")


@dataclass(frozen=True)
class Planes:
    """Samples as stored: `colour` [H, W] or [H, W, 3], `alpha` [H, W], of any number type."""

    colour: NDArray[Any]
    alpha: NDArray[Any] | None = None
    bits: int | None = None
    inverted: bool = False
    orientation: int = 1
    notices: tuple[str, ...] = ()


def read_pillow(image: Image.Image, name: str, limits: Limits) -> Planes:
    """The samples of a Pillow image as Pillow holds them; ImageError for other formats, modes and sizes."""
    if image.format not in _PILLOW_FORMATS:
        raise ImageError(f"{name} is {image.format}, not PNG, JPEG, BMP, TIFF or WebP")
    check_size(*image.size, name, limits)
    with _decoding(name):
        image.load()
        return _split(image, name)


def read_bytes(data: bytes, name: str, limits: Limits) -> Planes:
    """The samples of a picture file at full depth; ImageError where it is damaged, foreign or too large."""
    if not data:
        raise ImageError(f"{name} is empty")
    if len(data) > limits.max_bytes:
        raise ImageError(f"{name} is larger than the limit of {limits.max_bytes} bytes")
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        # Half a part must never pass as a good one, and the switch belongs to the host program.
        raise ImageError(f"{name} may be cut short, and ImageFile.LOAD_TRUNCATED_IMAGES hides that")
    with _decoding(name):
        image = _open(data, name)
        check_size(*image.size, name, limits)
        rawmode = _rawmode(image)
        traits: dict[str, Any] = {}
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            traits = _tiff_traits(image, name, limits)
        wide = _sixteen_bit_colour(image, data, rawmode)
        image.load()
        notices = []
        if getattr(image, "is_animated", False):
            notices.append("only the first of its frames was read")
        if wide is None and image.mode not in _SCALAR_MODES and rawmode.endswith((";16L", ";16B", ";16N")):
            notices.append("only the upper 8 of its 16 bits were read")
        return _split(image, name, wide, tuple(notices), **traits)


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    """The picture's header, by its content alone."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    for signature, reader in _SIGNATURES:
        if data.startswith(signature):
            return reader(io.BytesIO(data))
    raise ImageError(f"{name} is not a PNG, JPEG, BMP, TIFF or WebP picture")


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turn whatever a reader raises over a bad file into one sentence; its own words may hold addresses."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name} has more pixels than this program lets Pillow read") from error
    except Exception as error:
        raise ImageError(f"{name} is damaged or cut short and cannot be read") from error


def check_size(width: int, height: int, name: str, limits: Limits) -> None:
    """ImageError for a picture of no pixels or of too many."""
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels")
    if max(width, height) > limits.max_side:
        raise ImageError(f"{name} is {width} x {height} pixels, over the limit of {limits.max_side} on a side")
    if width * height > limits.max_pixels:
        raise ImageError(f"{name} is {width} x {height}, over the limit of {limits.max_pixels} pixels")


def _rawmode(image: ImageFile.ImageFile) -> str:
    """How the samples lie in the file, in Pillow's words; empty where there is nothing to tell."""
    args: Any = image.tile[0].args if image.tile else ""
    return str(args if isinstance(args, str) else args[0])


def _tiff_traits(image: TiffImagePlugin.TiffImageFile, name: str, limits: Limits) -> dict[str, Any]:
    """What only a TIFF can say about its samples, and the layouts that Pillow would read wrongly."""
    tags = image.tag_v2
    bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    if bits > 8 and tags.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == 2:
        raise ImageError(f"{name} keeps {bits}-bit colours in separate planes, which is not supported")
    if bits > 8 and image.tile[0].codec_name == "libtiff" and _rawmode(image).endswith(("BF", "BS")):
        raise ImageError(f"{name} is compressed with the high byte first, which is not supported")
    if tags.get(_NEW_SUBFILE_TYPE, 0) & 1:
        raise ImageError(f"{name} begins with a small preview, as camera raw files do")
    # One tile may claim to be far larger than the picture, and is decoded whole.
    tile = tags.get(TiffImagePlugin.TILEWIDTH, 1) * tags.get(TiffImagePlugin.TILELENGTH, 1)
    if tile > max(limits.max_pixels, _COMMON_TILE):
        raise ImageError(f"{name} is cut into tiles over the limit of {limits.max_pixels} pixels")
    white_is_zero = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    return {
        "bits": bits if 8 < bits < 16 else None,
        "inverted": white_is_zero and image.mode in _SCALAR_MODES,
    }


def _sixteen_bit_colour(image: ImageFile.ImageFile, data: bytes, rawmode: str) -> NDArray[np.uint16] | None:
    """All 16 bits of a colour picture [H, W, 2, 3 or 4], or None for any other picture.

    Pillow has no 16-bit colour mode and keeps the upper byte of each sample. Told the opposite byte order, it
    keeps the lower one: the same file is opened a second time and read that way.
    """
    if rawmode != "LA;16B" and rawmode[:-1] not in ("RGB;16", "RGBA;16", "RGBX;16"):
        return None
    twin = type(image)(io.BytesIO(data))
    if rawmode == "LA;16B":  # four bytes a pixel, and Pillow's grey with alpha has no other order
        twin.tile = [twin.tile[0]._replace(args="RGBA")]
        pairs: NDArray[np.uint16] = np.array(twin).view(">u2")
        return pairs
    native = "L" if sys.byteorder == "little" else "B"
    stored = rawmode[-1].replace("N", native)
    other = rawmode[:-1] + ("B" if stored == "L" else "L")
    for i, tile in enumerate(twin.tile):
        args = other if isinstance(tile.args, str) else (other, *(tile.args or ())[1:])
        twin.tile[i] = tile._replace(args=args)
    wide: NDArray[np.uint16] = np.asarray(image).astype(np.uint16) << np.uint16(8)
    wide |= np.asarray(twin)
    return wide


def _split(
    image: Image.Image,
    name: str,
    wide: NDArray[np.uint16] | None = None,
    notices: tuple[str, ...] = (),
    **traits: Any,
) -> Planes:
    """Colour, alpha and orientation of a decoded picture; `wide` are its samples where Pillow lost some."""
    alpha: NDArray[Any] | None = None
    key = image.info.get("transparency")
    if wide is not None:
        colour: NDArray[Any] = wide[..., 0] if wide.shape[2] == 2 else wide[..., :3]
        alpha = wide[..., -1] if wide.shape[2] in (2, 4) else None
        if alpha is None and key is not None:
            alpha = (colour != np.array(key)).any(axis=2)
    elif image.mode in _SCALAR_MODES:
        colour = np.asarray(image)
        alpha = colour != key if isinstance(key, int) else None
    elif image.mode in _ALPHA_MODES or key is not None:
        rgba = np.asarray((image.convert("LA") if image.mode == "La" else image).convert("RGBA"))
        colour, alpha = rgba[..., :3], rgba[..., 3]
    elif image.mode in ("1", "L"):
        colour = np.asarray(image.convert("L"))
    elif image.mode in _COLOUR_MODES:
        colour = np.asarray(image.convert("RGB"))
    else:
        raise ImageError(f"{name} has the colour mode {image.mode}, which is not supported")
    orientation, said = _orientation(image)
    return Planes(colour, alpha, orientation=orientation, notices=notices + said, **traits)


def _orientation(image: Image.Image) -> tuple[int, tuple[str, ...]]:
    """The EXIF orientation 1 to 8. Asked after decoding: PNG may keep it behind the pixels, and Pillow has
    turned a TIFF by then and forgotten it."""
    try:
        value = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1, ("its EXIF data is damaged, so it is shown as stored",)
    return (value if 1 <= value <= 8 else 1), ()
