"""A small file may not ask for much work, and no file of an ordinary program is taken for such a one."""

from __future__ import annotations

import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFile

from assistant.errors import ImageError
from assistant.images.load import SizeCaps, load_image

SMALL = SizeCaps(max_pixels=100_000, max_scans=40, max_pieces=500)


def refused(data: bytes, caps: SizeCaps | None = None) -> str:
    start = time.perf_counter()
    with pytest.raises(ImageError) as caught:
        load_image(data, caps=caps or SizeCaps())
    assert time.perf_counter() - start < 2, "refused only after the work was done"
    assert "\n" not in str(caught.value)
    return str(caught.value)


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8))


def repeated_scan(width: int, height: int, times: int) -> bytes:
    data = encode(Image.new("RGB", (width, height), (90, 90, 99)), "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:last] + data[last:-2] * times + data[-2:]


def png(*chunks: tuple[bytes, bytes], side: int = 8) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(side)) * side)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts
    )


def directory(entries: list[tuple[int, int, int, int]], before: bytes = b"") -> bytes:
    """A little-endian TIFF whose directory comes last."""
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    start = 8 + len(before)
    return b"II*\0" + struct.pack("<I", start) + before + struct.pack("<H", len(entries)) + rows + bytes(4)


# Scans


def test_a_progressive_jpeg_of_the_largest_size_is_read() -> None:
    assert (
        load_image(encode(noise(300, 300), "JPEG", progressive=True), caps=SizeCaps(max_pixels=90_000)).width
        == 300
    )


@pytest.mark.parametrize("times", [100, 3000])
def test_a_scan_that_is_sent_again_and_again_is_refused(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    assert "more than 100 scans" in refused(repeated_scan(1500, 900, times))


def test_fewer_scans_are_allowed_the_larger_the_picture_is() -> None:
    assert load_image(repeated_scan(90, 60, 30), caps=SMALL).width == 90
    assert "scans, too many for a picture of its size" in refused(repeated_scan(350, 280, 30), SMALL)
    assert "more than 40 scans" in refused(repeated_scan(9, 6, 40), SMALL)


def test_a_thumbnail_is_no_scan_of_the_picture() -> None:
    inside = b"Exif\0\0" + directory([(0x0112, 3, 1, 1)]) + b"\xff\xda\0\2" * 200
    data = encode(noise(20, 10), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(inside) + 2) + inside
    assert load_image(data[:2] + segment + data[2:]).width == 20


def test_a_jpeg_of_a_million_segments_is_refused() -> None:
    data = encode(noise(20, 10), "JPEG")
    assert "more than 100000 segments" in refused(data[:2] + b"\xff\xe5\0\2" * 1_000_000 + data[2:])


@pytest.mark.parametrize("filling", [b"\xff", b"\xff\x00"])
def test_a_jpeg_header_of_filling_is_refused(filling: bytes) -> None:
    data = encode(noise(20, 10), "JPEG")
    assert "bytes between them" in refused(data[:2] + filling * 1_000_000 + data[2:])
    assert load_image(data[:2] + b"\xff" * 1000 + data[2:]).width == 20


def test_a_jpeg_inside_a_tiff_is_counted_too() -> None:
    scans = repeated_scan(350, 280, 45)
    tags = {256: 350, 257: 280, 259: 7, 262: 6, 273: 8, 277: 3, 278: 280, 279: len(scans)}
    entries = [(tag, 4, 1, value) for tag, value in tags.items()]
    assert "too many scans" in refused(directory([*entries, (258, 3, 1, 8)], scans), SMALL)


# Chunks


def test_many_empty_chunks_are_refused() -> None:
    assert "more than 100000 chunks" in refused(png(*[(b"tESt", b"")] * 120_000))
    assert load_image(png(*[(b"tESt", b"")] * 90_000)).width == 8
    assert "more than 500 chunks" in refused(png(*[(b"tESt", b"")] * 500), SMALL)


def test_many_colour_profiles_are_refused() -> None:
    profile = (b"iCCP", b"x\0\0" + zlib.compress(bytes(1_000_000), 9))
    assert "colour profiles" in refused(png(*[profile] * 400))
    assert load_image(png(profile)).width == 8


def test_a_webp_of_many_chunks_is_refused() -> None:
    data = encode(noise(20, 10), "WEBP")
    longer = data + b"tESt\0\0\0\0" * 600
    longer = longer[:4] + struct.pack("<I", len(longer) - 8) + longer[8:]
    assert "more than 500 chunks" in refused(longer, SMALL)


# Tiles, strips, tags


def tiled(width: int, height: int, side: int) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((height, width), np.uint8), tile=(side, side), compression="zlib")
    return out.getvalue()


def shared_tiles(width: int, height: int, across: int, down: int) -> bytes:
    """A TIFF whose tiles all are the same block of zeros."""
    count = -(-width // across) * -(-height // down)
    block = zlib.compress(bytes(across * down), 9)
    offsets = struct.pack(f"<{count}I", *[8] * count)
    sizes = struct.pack(f"<{count}I", *[len(block)] * count)
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    entries += [(277, 3, 1, 1), (322, 4, 1, across), (323, 4, 1, down)]
    entries += [(324, 4, count, 8 + len(block)), (325, 4, count, 8 + len(block) + len(offsets))]
    return directory(entries, block + offsets + sizes)


def test_tiles_that_share_a_block_and_reach_far_over_the_edge_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = shared_tiles(20_000, 16, 16, 65_536)
    assert len(data) < 60_000
    with monkeypatch.context() as patch:
        patch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
        assert "1250 tiles of 16 x 65536, too many for its size" in refused(data)
        assert "tiles" in refused(shared_tiles(16, 19_000, 40_000, 16))
    assert load_image(shared_tiles(64, 48, 16, 16)).width == 64


@pytest.mark.parametrize(("width", "height", "side"), [(310, 300, 256), (16, 16, 512), (100, 900, 112)])
def test_ordinary_tiles_are_read(width: int, height: int, side: int) -> None:
    assert load_image(tiled(width, height, side), caps=SMALL).height == height


def test_many_strips_are_refused() -> None:
    count = 200_000
    offsets = struct.pack(f"<{count}I", *[8] * count)
    entries = [(256, 4, 1, 4), (257, 4, 1, 4), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    entries += [(273, 4, count, 24), (278, 4, 1, 4), (279, 4, 1, 16)]
    assert "more than 100000 strips" in refused(directory(entries, bytes(16) + offsets))


def _sharing(size: int, count: int) -> bytes:
    base = [(256, 4, 1, 4), (257, 4, 1, 4), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    base += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 4), (279, 4, 1, 16)]
    return directory([*base, *((1000 + i, 1, size, 8) for i in range(count))], bytes(size))


def test_tags_that_share_one_large_value_are_refused() -> None:
    assert "tags that share their values" in refused(_sharing(60_000, 20_000))
    assert load_image(_sharing(60_000, 100)).width == 4


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_exif_tags_that_share_one_large_value_are_refused(form: str) -> None:
    exif = b"Exif\0\0" + _sharing(16_000, 3_500)
    assert len(exif) < 65_000
    assert "tags that share their values" in refused(encode(noise(20, 10), form, exif=exif))


# Runs


def run_lengths(width: int, height: int) -> bytes:
    """A BMP of four bits a pixel in runs, as small as they come."""
    row = b"".join(bytes([min(255, width - x), 0x12]) for x in range(0, width, 255)) + b"\0\0"
    data = row * height + b"\0\1"
    start = 14 + 40 + 64
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 4, 2, len(data), 0, 0, 16, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + bytes(64) + data


def test_run_lengths_of_many_pixels_are_refused() -> None:
    assert load_image(run_lengths(300, 200)).width == 300
    assert "run-length compressed" in refused(run_lengths(6000, 4000))
