"""A picture's samples as they are stored: the planes of a PNG, JPEG, BMP, TIFF or WebP file, or of an array.

Where Pillow 12.3 is lossy or wrong, the file is read in another way or refused: it cuts 16-bit colour to 8 bits,
takes signed bytes for unsigned ones, and makes noise of TIFFs with 16-bit colours in separate planes, or with
compressed floats or signed numbers, high byte first, or of a BMP of 8 bits with a palette of black and white.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    ImagePalette,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from assistant.errors import ImageError, told
from assistant.images.caps import DEFAULT_CAPS, SizeCaps, check_size
from assistant.images.decoders import DECODERS
from assistant.images.effort import check_effort, check_exif
from assistant.images.kinds import PEEKED
from assistant.images.layouts import unread_layout
from assistant.images.memory import Budget, Claim
from assistant.images.sources import read_file, shown_name


@dataclass(frozen=True, eq=False)
class PictureFile:
    """A picture file that lies in memory: its name, and its bytes."""

    name: str
    data: bytes


Source: TypeAlias = str | Path | bytes | PictureFile | Image.Image | NDArray[Any]
ChannelOrder = Literal["rgb", "bgr"]

_ORIENTATION = 0x0112
_NEW_SUBFILE_TYPE = 254
_SAMPLE_FORMAT = 339
# Bytes a pixel that decoding takes at its peak, measured on 49 megapixels; the picture that remains takes 3.
_PEAK, _PEAK_OF_WEBP, _PEAK_WITH_ALPHA, _PEAK_OF_WIDE_COLOUR = 10, 16, 18, 20
# The readers are called by class and not through `Image.open`: that would check every size against a limit of
# the host program's and may warn, which no thread can silence for itself alone.
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SIGNATURES: tuple[tuple[bytes, type[ImageFile.ImageFile]], ...] = (
    (_PNG, PngImagePlugin.PngImageFile),
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    *((signature, TiffImagePlugin.TiffImageFile) for signature in _TIFF),
)
_PILLOW_FORMATS = (None, "PNG", "JPEG", "MPO", "BMP", "TIFF", "WEBP")  # None: made or changed in memory
_SCALAR_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_COLOUR_MODES = ("P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")


@dataclass(frozen=True)
class Planes:
    """Samples as stored: `colour` [H, W] or [H, W, 3], `alpha` [H, W], of any number type."""

    colour: NDArray[Any]
    alpha: NDArray[Any] | None = None
    bits: int | None = None
    inverted: bool = False
    orientation: int = 1
    notices: tuple[str, ...] = ()


def name_of(source: object) -> str:
    """What to call a source: the last part of its path, fit to print, or "the picture"."""
    if isinstance(source, Image.Image):
        source = getattr(source, "filename", "")
    if isinstance(source, PictureFile):
        source = source.name
    if isinstance(source, bytes) or not isinstance(source, str | os.PathLike):
        return "the picture"
    return shown_name(os.fsdecode(source))


def read_planes(source: Source | Planes, name: str, caps: SizeCaps, order: ChannelOrder, claim: Claim) -> Planes:
    """The samples of any source; ImageError, one sentence, for what is no picture or cannot be read.

    `order` is that of an array's channels. `claim` takes the memory that decoding needs, once it is known.
    """
    if isinstance(source, np.ndarray):
        return _read_array(np.asarray(source), name, caps, order)
    if isinstance(source, Planes):
        return source
    if isinstance(source, Image.Image):
        return _read_pillow(source, name, caps, claim)
    if isinstance(source, str | Path):
        return _read_bytes(read_file(Path(source), caps.max_bytes), name, caps, claim)
    if isinstance(source, bytes | PictureFile):
        return _read_bytes(_data_of(source), name, caps, claim)
    raise ImageError(f"a {type(source).__name__} is not a picture: give a path, bytes, a Pillow image or an array")


def is_deep(source: Source, caps: SizeCaps) -> bool:
    """Whether a source has samples of more than 8 bits, told from its header; False for what cannot be read."""
    if isinstance(source, np.ndarray):
        return not is_8_bit(source)
    if isinstance(source, Image.Image):
        return source.mode in _SCALAR_MODES
    try:
        start = read_file(Path(source), PEEKED) if isinstance(source, str | Path) else _data_of(source)[:PEEKED]
        if start.startswith(_PNG):
            return start[24:25] == b"\x10"  # the bit depth, which always lies there
        return start.startswith(_TIFF) and _is_deep_tiff(source, name_of(source), caps)
    except (ImageError, TypeError):
        return False


def is_8_bit(samples: NDArray[Any]) -> bool:
    """Whether samples are black and white, or greys of 8 bits, which nothing has to scale."""
    return samples.dtype == np.uint8 or samples.dtype.kind == "b"


def _data_of(source: bytes | PictureFile) -> bytes:
    return source.data if isinstance(source, PictureFile) else source


def _is_deep_tiff(source: str | Path | bytes | PictureFile, name: str, caps: SizeCaps) -> bool:
    data = read_file(Path(source), caps.max_bytes) if isinstance(source, str | Path) else _data_of(source)
    with _decoding(name, data):
        check_effort(data, name, caps)
        image = _open(data, name)
        signed = isinstance(image, TiffImagePlugin.TiffImageFile) and 2 in image.tag_v2.get(_SAMPLE_FORMAT, (1,))
        return signed or image.mode in _SCALAR_MODES or _is_wide_colour(_rawmode(image))


def _read_array(array: NDArray[Any], name: str, caps: SizeCaps, order: ChannelOrder) -> Planes:
    shape = array.shape
    if array.ndim == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        raise ImageError(
            f"{name} is an array of {_times(shape)}, channels first it seems: "
            f"put them last with array.transpose(1, 2, 0)"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise ImageError(f"{name} is an array of {_times(shape)}, not height x width (x 1, 3 or 4 channels)")
    check_size(shape[1], shape[0], name, caps)
    if array.ndim == 2 or shape[2] == 1:
        return Planes(array.reshape(shape[:2]))
    colour = array[..., 2::-1] if order == "bgr" else array[..., :3]
    return Planes(colour, array[..., 3] if shape[2] == 4 else None)


def _read_pillow(image: Image.Image, name: str, caps: SizeCaps, claim: Claim) -> Planes:
    """The samples of a Pillow image as Pillow holds them; ImageError for other formats, modes and sizes."""
    if image.format not in _PILLOW_FORMATS:
        raise ImageError(f"{name} is {image.format}, not PNG, JPEG, BMP, TIFF or WebP")
    check_size(*image.size, name, caps)
    with _decoding(name):
        claim.take(_peak(image, None))
        image.load()
        return _split(image, name)


def _read_bytes(data: bytes, name: str, caps: SizeCaps, claim: Claim) -> Planes:
    """The samples of a picture file at full depth; ImageError where it is damaged, foreign or too large."""
    if not data:
        raise ImageError(f"{name} is empty")
    if len(data) > caps.max_bytes:
        raise ImageError(f"{name} is larger than the limit of {caps.max_bytes} bytes")
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        # Half a part must never pass as a good one, and the switch belongs to the host program.
        raise ImageError(f"{name} may be cut short, and ImageFile.LOAD_TRUNCATED_IMAGES hides that")
    with _decoding(name, data):
        work = check_effort(data, name, caps)
    if DECODERS.want(data, work):
        return Planes(**DECODERS.decode(data, name, caps, claim))
    return decode_file(data, name, caps, claim)


def takes_long(data: bytes) -> bool:
    """Whether a picture file is one that is decoded in a process here."""
    try:
        with _decoding("the picture", data):
            return DECODERS.want(data, check_effort(data, "the picture", DEFAULT_CAPS))
    except ImageError:
        return False  # as is said at once when it is read


def decode_file(data: bytes, name: str, caps: SizeCaps, budget: Budget) -> Planes:
    """The samples of a file whose effort was checked; ImageError where it is damaged, foreign or too large."""
    with _decoding(name, data):
        image = _open(data, name)
        check_size(*image.size, name, caps)
        rawmode = _rawmode(image)
        traits: dict[str, Any] = {}
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            traits = _tiff_traits(image, name)
        if isinstance(image, BmpImagePlugin.BmpImageFile):
            _mend_bmp(image, data, name)
        budget.take(_peak(image, rawmode))
        wide = _sixteen_bit_colour(image, data, rawmode)
        image.load()
        notices = []
        if getattr(image, "is_animated", False):
            notices.append(told("only the first of its frames was read"))
        if wide is None and image.mode not in _SCALAR_MODES and rawmode.endswith((";16L", ";16B", ";16N")):
            notices.append(told("only the upper 8 of its 16 bits were read"))
        if isinstance(image, WebPImagePlugin.WebPImageFile):
            del image._decoder  # two whole pictures that nobody needs any more
        return _split(image, name, wide, tuple(notices), **traits)


def _peak(image: Image.Image, rawmode: str | None) -> int:
    """About how many bytes decoding and converting a picture takes at most."""
    each = _PEAK_OF_WEBP if image.format == "WEBP" else _PEAK
    if image.mode in _ALPHA_MODES:
        each = _PEAK_WITH_ALPHA
    if rawmode is not None and _is_wide_colour(rawmode):
        each = _PEAK_OF_WIDE_COLOUR
    return image.width * image.height * each


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    """The picture's header, by its content alone."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    for signature, reader in _SIGNATURES:
        if data.startswith(signature):
            return reader(io.BytesIO(data))
    raise ImageError(f"{name} is not a PNG, JPEG, BMP, TIFF or WebP picture")


@contextmanager
def _decoding(name: str, data: bytes = b"") -> Iterator[None]:
    """Turn whatever a reader raises over a bad file into one sentence; its own words may hold addresses.

    `data` is the file, which may be whole and hold what is not read.
    """
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name} has more pixels than this program lets Pillow read") from error
    except Exception as error:
        if (layout := unread_layout(data)) is not None:
            raise ImageError(f"{name} holds {layout}, a layout that is not read") from error
        raise ImageError(f"{name} is damaged or cut short and cannot be read") from error


def _rawmode(image: ImageFile.ImageFile) -> str:
    """How the samples lie in the file, in Pillow's words; empty where there is nothing to tell."""
    args: Any = image.tile[0].args if image.tile else ""
    return str(args if isinstance(args, str) else args[0])


def _tiff_traits(image: TiffImagePlugin.TiffImageFile, name: str) -> dict[str, Any]:
    """What only a TIFF can say about its samples, and the layouts that Pillow would read wrongly."""
    tags = image.tag_v2
    bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    if bits > 8 and tags.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == 2:
        raise ImageError(f"{name} keeps {bits}-bit colours in separate planes, which is not supported")
    if bits > 8 and image.tile[0].codec_name == "libtiff" and _rawmode(image).endswith(("BF", "BS")):
        raise ImageError(f"{name} is compressed with the high byte first, which is not supported")
    if tags.get(_NEW_SUBFILE_TYPE, 0) & 1:
        raise ImageError(f"{name} begins with a small preview, as camera raw files do")
    signed = 2 in tags.get(_SAMPLE_FORMAT, (1,))
    stored: type[np.generic] | None = None
    if image.mode == "L" and bits == 8 and signed:
        stored = np.int8
    elif image.mode == "I" and bits == 32 and not signed:
        stored = np.uint32
    white_is_zero = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    return {
        "bits": bits if 8 < bits < 16 else None,
        "inverted": white_is_zero and image.mode in _SCALAR_MODES,
        "stored": stored,
    }


def _mend_bmp(image: BmpImagePlugin.BmpImageFile, data: bytes, name: str) -> None:
    """Have palettes of black and white, or of greys, read by the bits that their pixels have in the file."""
    bits = int.from_bytes(data[28:30], "little") if data[14:18] != b"\x0c\0\0\0" else 0
    if bits == 4 and image.mode in ("1", "L"):
        raise ImageError(f"{name} holds greys of 4 bits in a BMP, a layout that is not read")
    if bits == 8 and image.mode == "1":  # which Pillow would take for packed bits
        image._mode, image.palette = "P", ImagePalette.raw("RGB", bytes([0, 0, 0, 255, 255, 255]))
        args: Any = image.tile[0].args
        image.tile = [image.tile[0]._replace(args=("P", *args[1:]))]


def _is_wide_colour(rawmode: str) -> bool:
    return rawmode == "LA;16B" or rawmode[:-1] in ("RGB;16", "RGBA;16", "RGBX;16")


def _sixteen_bit_colour(image: ImageFile.ImageFile, data: bytes, rawmode: str) -> NDArray[np.uint16] | None:
    """All 16 bits of a colour picture [H, W, 2, 3 or 4], or None for any other picture.

    Pillow has no 16-bit colour mode and keeps the upper byte of each sample. Told the opposite byte order, it
    keeps the lower one: the same file is opened a second time and read that way.
    """
    if not _is_wide_colour(rawmode):
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
    stored: type[np.generic] | None = None,
    **traits: Any,
) -> Planes:
    """Colour, alpha and orientation of a decoded picture.

    `wide` are its samples where Pillow lost some, `stored` is their type where Pillow took it for another.
    """
    alpha: NDArray[Any] | None = None
    key = image.info.get("transparency")
    if wide is not None:
        colour: NDArray[Any] = wide[..., 0] if wide.shape[2] == 2 else wide[..., :3]
        alpha = wide[..., -1] if wide.shape[2] in (2, 4) else None
        if alpha is None and key is not None:
            alpha = (colour != np.array(key)).any(axis=2)
    elif image.mode in _SCALAR_MODES:
        colour = np.asarray(image) if stored is None else np.asarray(image).view(stored)
        alpha = colour != key if isinstance(key, int) else None
    elif stored is not None:
        colour = np.asarray(image).view(stored)
    elif image.mode in _ALPHA_MODES or key is not None:
        rgba = np.asarray((image.convert("LA") if image.mode == "La" else image).convert("RGBA"))
        colour, alpha = rgba[..., :3], rgba[..., 3]
    elif image.mode in ("1", "L"):
        colour = np.asarray(image if image.mode == "L" else image.convert("L"))
    elif image.mode in _COLOUR_MODES:
        colour = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    else:
        raise ImageError(f"{name} has the colour mode {image.mode}, which is not supported")
    orientation, said = _orientation(image)
    return Planes(colour, alpha, orientation=orientation, notices=notices + said, **traits)


def _orientation(image: Image.Image) -> tuple[int, tuple[str, ...]]:
    """The EXIF orientation 1 to 8. Asked after decoding: PNG may keep it behind the pixels, and Pillow has
    turned a TIFF by then and forgotten it."""
    try:
        check_exif(_exif(image), "the picture")
        value = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1, (told("its EXIF data is damaged, so it is shown as stored"),)
    return (value if 1 <= value <= 8 else 1), ()


def _exif(image: Image.Image) -> bytes:
    """The EXIF data that Pillow is going to read."""
    exif = image.info.get("exif")
    if exif is None and "Raw profile type exif" in image.info:
        exif = bytes.fromhex("".join(image.info["Raw profile type exif"].split("\n")[3:]))
    return exif if isinstance(exif, bytes) else b""


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "no dimension"
