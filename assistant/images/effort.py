"""The work that a file asks for, counted before it is decoded: scans, chunks, tiles, tags and runs.

A small file can ask for much: a JPEG may send the same picture again and again, the tiles of a TIFF may share one
block of data, and a PNG may consist of a million empty chunks. Each count is read from the bytes as they lie.
Work is counted in pixels that decoding goes over; a core of 2024 goes over 30 to 100 million in a second.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from assistant.errors import ImageError
from assistant.images.caps import SizeCaps
from assistant.images.tags import Directory, read_directory

_SCANNED_AREAS = 24  # so many times the largest picture may be gone over, all scans of a JPEG together
_TILED_AREAS = 2  # tiles reach over the edges, but not by more than a picture
_TAG_BYTES = 16_000_000
_PROFILES = 16
_RUN_PIXELS = 4_000_000  # Pillow reads run lengths pixel by pixel in Python
_COMMON_TILE = 1024 * 1024
_OF_A_PIECE = 500  # pixels that are gone over in the time that one chunk, segment, strip or tile takes

_MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
_BARE = (0x01, 0xD8)
_END, _SCAN, _EXIF = 0xD9, 0xDA, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

_WIDTH, _HEIGHT, _COMPRESSION, _SAMPLES, _PLANAR = 256, 257, 259, 277, 284
_STRIPS, _STRIP_ROWS, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325
_JPEG_IN_TIFF = (6, 7)


LITTLE_WORK = 16_000_000
"""A picture of so much work is decoded in less than half a second."""

MUCH_WORK = 500_000_000
"""No ordinary picture asks for more: ten scans of the largest one that is read."""


def check_effort(data: bytes, name: str, caps: SizeCaps) -> int | None:
    """The work that the bytes of a PNG, JPEG or TIFF file ask for, in pixels; None where it is not counted.

    ImageError where such a file, a BMP or a WebP, asks for more than the caps allow.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return _check_jpeg(data, name, caps)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _check_png(data, name, caps)
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _check_tiff(data, name, caps)
    if data.startswith(b"BM"):
        _check_bmp(data, name)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        _check_webp(data, name, caps)
    return None


def asks_little(data: bytes, work: int | None) -> bool:
    """Whether a file is a JPEG or a PNG that is decoded in a moment, whoever made it."""
    return work is not None and work <= LITTLE_WORK and data.startswith((b"\xff\xd8\xff", b"\x89PNG"))


def check_exif(data: bytes, name: str) -> None:
    """ImageError where the tags of EXIF data share so many bytes that reading them would take gigabytes."""
    while data.startswith(b"Exif\0\0"):
        data = data[6:]
    directory = read_directory(data)
    if directory is not None:
        _check_tags(directory, name)


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The marker of each segment of a JPEG up to its end, and where the segment's content begins and ends."""
    at = 2
    while marker := _MARKER.search(data, at):
        code, at = data[marker.end() - 1], marker.end()
        if code == _END:
            return
        length = 0 if code in _BARE else int.from_bytes(data[at : at + 2], "big")
        yield code, at + 2, max(at + 2, at + length)
        at += length


def _check_jpeg(data: bytes, name: str, caps: SizeCaps) -> int:
    exif = bytearray()
    number = scans = area = filled = 0
    before = 2
    for number, (code, start, end) in enumerate(jpeg_segments(data), 1):
        if scans == 0:  # Pillow reads a header's filling byte by byte in Python
            filled, before = filled + start - before - 4, end
        if max(number, filled) > caps.max_pieces:
            raise ImageError(f"{name} has more than {caps.max_pieces} segments or bytes between them")
        if code in _FRAMES and len(data) >= start + 5:
            area = max(area, _product(struct.unpack_from(">HH", data, start + 1)))
        elif code == _EXIF and data[start : start + 6] == b"Exif\0\0":
            exif += data[start + 6 * bool(exif) : end]  # as Pillow joins them
        scans += code == _SCAN
        _check_scans(scans, scans * area, name, caps)
    check_exif(bytes(exif), name)
    return max(1, scans) * area + number * _OF_A_PIECE


def _check_scans(scans: int, work: int, name: str, caps: SizeCaps) -> None:
    if scans > caps.max_scans:
        raise ImageError(f"{name} has more than {caps.max_scans} scans")
    if scans > 1 and work > _SCANNED_AREAS * caps.max_pixels:
        raise ImageError(f"{name} has {scans} scans, too many for a picture of its size")


def _check_png(data: bytes, name: str, caps: SizeCaps) -> int:
    at, number, profiles = 8, 0, 0
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        number, profiles = number + 1, profiles + (kind == b"iCCP")
        if number > caps.max_pieces:
            raise ImageError(f"{name} has more than {caps.max_pieces} chunks")
        if profiles > _PROFILES:
            raise ImageError(f"{name} has more than {_PROFILES} colour profiles")
        if kind == b"eXIf":
            check_exif(data[at + 8 : at + 8 + length], name)
        at += length + 12
    area = _product(struct.unpack_from(">II", data, 16)) if len(data) >= 24 else 0
    return area + number * _OF_A_PIECE


def _check_webp(data: bytes, name: str, caps: SizeCaps) -> None:
    at, number = 12, 0
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        number += 1
        if number > caps.max_pieces:
            raise ImageError(f"{name} has more than {caps.max_pieces} chunks")
        if kind == b"EXIF":
            check_exif(data[at + 8 : at + 8 + length], name)
        at += 8 + length + length % 2


def _check_bmp(data: bytes, name: str) -> None:
    if len(data) < 34 or int.from_bytes(data[14:18], "little") < 40:
        return
    width, height = struct.unpack_from("<ii", data, 18)
    runs = int.from_bytes(data[30:34], "little") in (1, 2)
    if runs and max(abs(width * height), len(data) // 2) > _RUN_PIXELS:
        raise ImageError(f"{name} is run-length compressed and over the limit of {_RUN_PIXELS} pixels for that")


def _check_tiff(data: bytes, name: str, caps: SizeCaps) -> int | None:
    directory = read_directory(data, caps.max_pieces)
    if directory is None:
        return None
    counts = tuple(directory.count(tag) for tag in (_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES))
    if max(directory.length, *counts) > caps.max_pieces:
        raise ImageError(f"{name} has more than {caps.max_pieces} strips, tiles or tags")
    _check_tags(directory, name)
    width, height = directory.first(_WIDTH, 0), directory.first(_HEIGHT, 0)
    planes = directory.first(_SAMPLES, 1) if directory.first(_PLANAR, 1) == 2 else 1
    across, down = directory.first(_TILE_WIDTH, 0), directory.first(_TILE_HEIGHT, 0)
    work = width * height * planes + max(counts) * _OF_A_PIECE
    if across and down:
        count = max(directory.count(_TILES), _parts(width, across) * _parts(height, down) * planes)
        if across * down > max(caps.max_pixels, _COMMON_TILE):
            raise ImageError(f"{name} is cut into tiles over the limit of {caps.max_pixels} pixels")
        if count * across * down > max(_TILED_AREAS * caps.max_pixels * planes, _COMMON_TILE):
            raise ImageError(f"{name} is cut into {count} tiles of {across} x {down}, too many for its size")
        work = max(work, count * across * down)
    else:
        across, down = width, min(height, directory.first(_STRIP_ROWS, height))
    if directory.first(_COMPRESSION, 1) in _JPEG_IN_TIFF:
        work = max(work, _check_tiff_scans(directory, across * down, name, caps))
    return work


def _check_tiff_scans(directory: Directory, area: int, name: str, caps: SizeCaps) -> int:
    """The work of the JPEGs inside a TIFF, whose scans are counted in each part of the data once."""
    starts = directory.whole(_TILES) or directory.whole(_STRIPS)
    sizes = directory.whole(_TILE_BYTES) or directory.whole(_STRIP_BYTES)
    blocks = list(zip(starts, sizes, strict=False))
    if sum(size for _, size in set(blocks)) > 2 * len(directory.data):
        raise ImageError(f"{name} has tiles that lie across each other")
    scans = {
        (start, size): sum(code == _SCAN for code, _, _ in jpeg_segments(directory.data[start : start + size]))
        for start, size in set(blocks)
    }
    most, work = max(scans.values(), default=0), sum(scans[block] for block in blocks) * area
    if most > caps.max_scans or (most > 1 and work > _SCANNED_AREAS * caps.max_pixels):
        raise ImageError(f"{name} has too many scans for a picture of its size")
    return work


def _check_tags(directory: Directory, name: str) -> None:
    if directory.claimed > _TAG_BYTES + 2 * len(directory.data):
        raise ImageError(f"{name} has tags that share their values, which would take too much memory")


def _parts(whole: int, part: int) -> int:
    return -(-whole // part)


def _product(sides: tuple[int, ...]) -> int:
    return sides[0] * sides[1]
