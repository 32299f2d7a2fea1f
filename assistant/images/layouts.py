"""Layouts of samples that are not read, each by its name, so that nobody takes such a file for damaged."""

from __future__ import annotations

import io
import struct

from PIL import Image

from assistant.errors import told
from assistant.images.effort import jpeg_segments
from assistant.images.tags import Directory, read_directory

_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _FORMAT = 258, 259, 262, 277, 339
_COMPLEX = told("{bits}-bit complex numbers")
_NUMBERS = {
    1: told("{bits}-bit whole numbers"),
    2: told("{bits}-bit signed whole numbers"),
    3: told("{bits}-bit floats"),
    5: _COMPLEX,
    6: _COMPLEX,
}
_SAMPLES_OF = told("{bits}-bit samples")
_PACKED = {
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy raw JPEG",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_OPTIONAL = {34925: ("LZMA", "lzma"), 50000: ("Zstandard", "zstd"), 50001: ("WebP", "webp")}
_READ_PACKED = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32809, 32946, 34676, 34677}
_READ_BITS = {1: (1, 2, 4, 8, 12, 16, 32), 2: (8, 16, 32), 3: (32,)}
_LAB = told("L*a*b* colours")
_COLOURS = {32803: told("a colour filter array"), 34892: told("linear raw colours"), 8: _LAB, 9: _LAB}
_LOSSLESS, _HIERARCHICAL = told("lossless JPEG data"), told("hierarchical JPEG data")
_FRAMES = {
    0xC3: _LOSSLESS,
    0xC5: _HIERARCHICAL,
    0xC6: _HIERARCHICAL,
    0xC7: _LOSSLESS,
    0xCB: _LOSSLESS,
    0xCD: _HIERARCHICAL,
    0xCE: _HIERARCHICAL,
    0xCF: _LOSSLESS,
    0xF7: told("JPEG-LS data"),
}


def unread_layout(data: bytes) -> str | None:
    """What a file that could not be decoded holds, such as "64-bit floats"; None for a common layout."""
    if data[:2] in (b"II", b"MM"):
        directory = read_directory(data)
        return None if directory is None else _tiff(directory)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(b"BM") and len(data) >= 34 and int.from_bytes(data[14:18], "little") >= 40:
        return _bmp(data)
    return None


def _tiff(directory: Directory) -> str | None:
    bits = directory.whole(_BITS, (1,))[:64] or (1,)
    samples = directory.first(_SAMPLES, len(bits))
    form = directory.first(_FORMAT, 1)
    packed = directory.first(_COMPRESSION, 1)
    numbers = _NUMBERS.get(form, _SAMPLES_OF).format(bits=bits[0])
    if packed in _OPTIONAL:
        word, codec = _OPTIONAL[packed]
        if not _is_built_in(codec):
            return told(f"{word} data in a TIFF")
    elif packed not in _READ_PACKED:
        if packed not in _PACKED:
            return told(f"TIFF compression {packed}")
        word = _PACKED[packed]
        return told(f"{word} data in a TIFF")
    if bits[0] not in _READ_BITS.get(form, ()) or len(set(bits)) > 1:
        several = ", ".join(map(str, sorted(set(bits))))
        return numbers if len(set(bits)) == 1 else told(f"samples of {several} bits")
    if samples > 1 and (form != 1 or bits[0] not in (8, 16)):
        return told(f"colours of {numbers}")
    photometric = directory.first(_PHOTOMETRIC, 1)
    if photometric in _COLOURS:
        return _COLOURS[photometric]
    if samples == 2 and bits[0] == 16 or samples > 6 or (samples > 1 and photometric in (0, 1) and samples > 2):
        return told(f"{samples} channels of {numbers}")
    if photometric == 0 and (form == 2 or (bits[0] in (12, 16, 32) and directory.order == ">" and form == 1)):
        return told(f"{numbers}, white as zero")
    if bits[0] in (12, 32) and form == 1 and directory.order == ">":
        return told(f"{numbers}, high byte first")
    return None


def _is_built_in(codec: str) -> bool:
    """Whether this build of Pillow has a compression of TIFF, which can only be told by trying."""
    try:
        Image.new("L", (1, 1)).save(io.BytesIO(), "TIFF", compression=codec)
    except Exception:
        return False
    return True


def _jpeg(data: bytes) -> str | None:
    for code, start, _ in jpeg_segments(data):
        if code in _FRAMES:
            return _FRAMES[code]
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            bits = data[start] if start < len(data) else 8
            return told(f"JPEG samples of {bits} bits") if bits != 8 else None
    return None


def _bmp(data: bytes) -> str | None:
    bits, packed = struct.unpack_from("<HI", data, 28)
    if packed in (4, 5):
        return told("a JPEG inside a BMP") if packed == 4 else told("a PNG inside a BMP")
    if bits not in (1, 4, 8, 16, 24, 32):
        return told(f"{bits}-bit pixels in a BMP")
    return None
