"""A layout that is not read is named and not called damaged, and what is read keeps its sign."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from assistant.errors import ImageError
from assistant.images.load import load_image


def tiff(samples: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, samples, **options)
    return out.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        load_image(data, name="part.tif")
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("f8", {}, "64-bit floats"),
        (">f8", {"byteorder": ">"}, "64-bit floats"),
        ("f2", {}, "16-bit floats"),
        ("u8", {}, "64-bit whole numbers"),
        ("i8", {}, "64-bit signed whole numbers"),
        ("c8", {}, "64-bit complex numbers"),
        ("f8", {"compression": "zlib"}, "64-bit floats"),
        ("f8", {"tile": (16, 16)}, "64-bit floats"),
        ("u4", {"byteorder": ">"}, "32-bit whole numbers, high byte first"),
        ("u2", {"byteorder": ">", "photometric": "miniswhite"}, "16-bit whole numbers, white as zero"),
    ],
)
def test_numbers_that_are_not_read(kind: str, options: dict[str, Any], words: str) -> None:
    data = tiff(np.ones((20, 30)).astype(kind), **options)
    assert refused(data) == f"part.tif holds {words}, a layout that is not read"


@pytest.mark.parametrize(
    ("kind", "channels", "words"),
    [
        ("f4", 3, "colours of 32-bit floats"),
        ("i2", 3, "colours of 16-bit signed whole numbers"),
        ("i1", 3, "colours of 8-bit signed whole numbers"),
        ("u4", 4, "colours of 32-bit whole numbers"),
    ],
)
def test_colours_that_are_not_read(kind: str, channels: int, words: str) -> None:
    data = tiff(np.ones((20, 30, channels)).astype(kind), photometric="rgb")
    assert refused(data) == f"part.tif holds {words}, a layout that is not read"


def test_channels_that_are_not_read() -> None:
    data = tiff(np.ones((20, 30, 5), np.uint8), photometric="minisblack", planarconfig="contig")
    assert "5 channels of 8-bit whole numbers" in refused(data)
    data = tiff(np.ones((20, 30, 2), np.uint16), photometric="minisblack", planarconfig="contig")
    assert "2 channels of 16-bit whole numbers" in refused(data)


@pytest.mark.parametrize(("code", "words"), [(34887, "LERC data"), (34712, "JPEG 2000 data"), (61234, "61234")])
def test_compressions_that_are_not_read(code: int, words: str) -> None:
    data = bytearray(tiff(np.ones((20, 30), np.uint8)))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        struct.pack_into("<H", data, file.pages[0].tags["Compression"].valueoffset, code)
    assert words in refused(bytes(data))


@pytest.mark.parametrize(
    ("marker", "bits", "words"), [(0xC3, 8, "lossless JPEG"), (0xC1, 12, "12 bits"), (0xF7, 8, "JPEG-LS")]
)
def test_jpegs_that_are_not_read(marker: int, bits: int, words: str) -> None:
    frame = struct.pack(">BHHB3s", bits, 16, 16, 1, b"\1\x11\0")
    data = b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"
    assert words in refused(data) and "damaged" not in refused(data)


def test_a_jpeg_inside_a_bmp() -> None:
    head = struct.pack("<IiiHHIIiiII", 40, 9, 9, 1, 24, 4, 99, 0, 0, 0, 0)
    data = b"BM" + struct.pack("<IHHI", 153, 0, 0, 54) + head + bytes(99)
    assert "JPEG inside a BMP" in refused(data)


def test_a_damaged_file_of_a_common_layout_is_called_damaged() -> None:
    for samples in (np.ones((90, 90), np.uint8), np.ones((90, 90), np.float32), np.ones((90, 90, 3), np.uint16)):
        data = tiff(samples, compression="zlib")
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            start = file.pages[0].dataoffsets[0]
        broken = data[: start + 4] + b"\xff" * 8 + data[start + 12 :]
        assert refused(broken).endswith("is damaged or cut short and cannot be read")


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_signed_bytes_do_not_wrap(options: dict[str, Any]) -> None:
    samples = np.array([[-128, -1, 0, 1, 127]], np.int8)
    loaded = load_image(tiff(samples, **options))
    np.testing.assert_array_equal(loaded.pixels[0, :, 0], load_image(samples).pixels[0, :, 0])
    assert (np.diff(loaded.pixels[0, :, 0].astype(int)) >= 0).all() and loaded.notices
    np.testing.assert_array_equal(load_image(tiff(np.int8([[0, 5, 9]]))).pixels[0, :, 0], [0, 5, 9])


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_large_unsigned_numbers_do_not_wrap(compression: str | None) -> None:
    samples = np.array([[0, 1_000_000_000, 3_000_000_000, 4_294_967_295]], np.uint32)
    loaded = load_image(tiff(samples, compression=compression))
    np.testing.assert_array_equal(loaded.pixels[0, :, 0], [0, 59, 178, 255])
    assert "4.29497e+09" in loaded.notices[0]
    small = tiff(np.array([[0, 200]], np.uint32))
    assert load_image(small).pixels[0, 1, 0] == 200


def test_compressions_of_this_build_of_pillow_are_damaged_where_they_are_damaged() -> None:
    out = io.BytesIO()
    Image.fromarray(np.ones((90, 90), np.uint8)).save(out, "TIFF", compression="lzma")
    with tifffile.TiffFile(io.BytesIO(out.getvalue())) as file:
        start = file.pages[0].dataoffsets[0]
    data = out.getvalue()
    assert load_image(data).width == 90
    assert "damaged" in refused(data[:start] + bytes(20) + data[start + 20 :])


def test_a_bmp_of_black_and_white_bytes_is_not_taken_for_packed_bits() -> None:
    image = Image.new("P", (40, 20), 0)
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.paste(1, (3, 4, 17, 9))
    out = io.BytesIO()
    image.save(out, "BMP")
    np.testing.assert_array_equal(load_image(out.getvalue()).pixels, np.asarray(image.convert("RGB")))
