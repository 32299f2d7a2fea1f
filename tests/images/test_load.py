"""Whatever a user may hand over becomes upright 8-bit RGB or one plain sentence."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from assistant.errors import ImageError
from assistant.images.load import LoadedImage, SizeCaps, load_image

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
WHITE = (255, 255, 255)


def picture(height: int = 23, width: int = 37) -> Image.Image:
    """Smooth and without symmetry, so that every turn and every lost row shows."""
    y, x = np.mgrid[:height, :width]
    red, green = x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1)
    return Image.fromarray(np.stack([red, green, (red + green) // 3], axis=2).astype(np.uint8))


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    if form == "WEBP":
        options = {"lossless": True, "exact": True} | options
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png(samples: np.ndarray, bits: int, colour_type: int, *extra: tuple[bytes, bytes], size: Any = None) -> bytes:
    """A PNG written by hand: Pillow writes neither 16-bit colour nor false headers."""
    height, width = samples.shape[:2] if size is None else size
    rows = samples.astype(">u2" if bits == 16 else np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    parts = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(samples: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def refused(source: Any, **options: Any) -> str:
    with pytest.raises(ImageError) as caught:
        load_image(source, **options)
    sentence = str(caught.value)
    assert sentence and "\n" not in sentence and " 0x" not in sentence and "Traceback" not in sentence
    return sentence


# Files of every format


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_whatever_its_extension(form: str, tmp_path: Path) -> None:
    path = tmp_path / "part.txt"
    path.write_bytes(encode(picture(), form))
    loaded = load_image(path)
    tolerance = 40 if form == "JPEG" else 0
    assert loaded.name == "part.txt" and loaded.notices == ()
    assert (loaded.width, loaded.height) == (37, 23)
    assert np.abs(loaded.pixels.astype(int) - np.asarray(picture())).max() <= tolerance
    for other in (str(path), path.read_bytes(), Image.open(path)):
        np.testing.assert_array_equal(load_image(other).pixels, loaded.pixels)


@pytest.mark.parametrize("form", ["GIF", "PPM", "ICO", "TGA", "PDF", "EPS", "JPEG2000"])
def test_other_formats_are_refused_under_a_picture_extension(form: str, tmp_path: Path) -> None:
    path = tmp_path / "part.png"
    path.write_bytes(encode(picture(), form))
    assert refused(path) == "part.png is not a PNG, JPEG, BMP, TIFF or WebP picture"


@pytest.mark.parametrize(
    "data",
    [
        b"8BPS\0\1" + bytes(40),
        b"SIMPLE  =" + b" " * 71,
        b"<svg xmlns='x'/>",
        b"<html>",
        b"hello",
        b"\0" * 100,
    ],
)
def test_text_and_foreign_headers_are_refused(data: bytes) -> None:
    assert "is not a PNG, JPEG, BMP, TIFF or WebP picture" in refused(data)


def test_a_pillow_image_of_another_format_is_refused() -> None:
    assert "is GIF, not PNG" in refused(Image.open(io.BytesIO(encode(picture(), "GIF"))))


def test_an_empty_file_says_so() -> None:
    assert refused(b"", name="C:\\Users\\me\\part.png") == "part.png is empty"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_file_cut_short_is_refused_or_whole(form: str) -> None:
    data = encode(picture(64, 96), form, **({"compression": "tiff_lzw"} if form == "TIFF" else {}))
    whole = load_image(data).pixels
    for length in range(0, len(data), max(1, len(data) // 60)):
        try:
            loaded = load_image(data[:length])
        except ImageError:
            continue
        # Only what follows the pixels may be missing.
        np.testing.assert_array_equal(loaded.pixels, whole)
    assert "damaged or cut short" in refused(data[: len(data) // 2])


def test_the_host_cannot_make_us_read_half_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(picture(), "JPEG")
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert "LOAD_TRUNCATED_IMAGES" in refused(data[: len(data) * 3 // 4])


def test_trailing_data_is_nobodys_business() -> None:
    data = encode(picture(), "PNG")
    np.testing.assert_array_equal(load_image(data + b"\0trailing" * 500).pixels, load_image(data).pixels)


def test_only_the_first_frame_is_read_and_said() -> None:
    first, second = picture(), picture().transpose(Image.Transpose.ROTATE_180)
    for form in ("TIFF", "WEBP", "PNG"):
        loaded = load_image(encode(first, form, save_all=True, append_images=[second]))
        np.testing.assert_array_equal(loaded.pixels, np.asarray(first), err_msg=form)
        assert loaded.notices == ("only the first of its frames was read",), form


# Caps


def test_a_bomb_is_refused_from_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = png(np.zeros((100, 100), np.uint8), 8, 0, size=(60_000, 60_000))
    assert len(bomb) < 10_000
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    assert "60000 x 60000" in refused(bomb) and "20000" in refused(bomb)
    assert "50000000" in refused(png(np.zeros((9, 9), np.uint8), 8, 0, size=(10_000, 10_000)))


def test_each_cap_holds_for_each_kind_of_source() -> None:
    data, array = encode(picture(), "PNG"), np.asarray(picture())
    for source in (data, array, picture()):
        assert load_image(source, caps=SizeCaps(max_side=37, max_pixels=37 * 23)).width == 37
        assert "36 on a side" in refused(source, caps=SizeCaps(max_side=36))
        assert "850 pixels" in refused(source, caps=SizeCaps(max_pixels=850))
    assert "bytes" in refused(data, caps=SizeCaps(max_bytes=len(data) - 1))
    assert load_image(data, caps=SizeCaps(max_bytes=len(data))).width == 37


def test_a_file_over_the_cap_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert refused(path) == "huge.png is larger than the limit of 64000000 bytes"


def test_a_tiff_tile_larger_than_its_picture_is_refused() -> None:
    data = bytearray(tiff(np.zeros((64, 64), np.uint8), tile=(64, 64), compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for name in ("TileWidth", "TileLength"):
            tag = file.pages[0].tags[name]
            struct.pack_into("<H" if tag.dtype == 3 else "<I", data, tag.valueoffset, 30_000)
    assert "tiles" in refused(bytes(data))


def test_pillows_own_limit_and_warning_filters_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)  # the picture has 851: Pillow would warn
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for form in ("PNG", "JPEG", "BMP", "WEBP"):
            assert load_image(encode(picture(), form)).width == 37
    assert caught == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(encode(picture(), "PNG")).width == 37
        assert "lets Pillow read" in refused(encode(picture(), "TIFF"))
    assert Image.MAX_IMAGE_PIXELS == 600


def test_many_threads_read_alike_while_filters_change() -> None:
    sources = [encode(picture(40, 30), form) for form in FORMATS]
    expected = [load_image(s).pixels for s in sources]
    wrong: list[object] = []

    def read() -> None:
        for _ in range(20):
            for source, pixels in zip(sources, expected, strict=True):
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    if not np.array_equal(load_image(source).pixels, pixels):
                        wrong.append(source)

    threads = [threading.Thread(target=read) for _ in range(8)]
    with warnings.catch_warnings():  # what the threads leave behind ends here
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


@pytest.mark.parametrize("field", ["max_bytes", "max_side", "max_pixels", "max_scans", "max_pieces"])
def test_caps_that_let_nothing_in_are_an_error(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        SizeCaps(**{field: 0})


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_all_orientations_give_the_same_pixels(form: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = picture(32, 48)
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(stored, form, exif=exif, **({"quality": 95, "subsampling": 0} if form == "JPEG" else {}))
    for source in (data, Image.open(io.BytesIO(data))):
        loaded = load_image(source)
        assert (loaded.width, loaded.height) == (48, 32)
        assert np.abs(loaded.pixels.astype(int) - np.asarray(upright)).max() <= (12 if form == "JPEG" else 0)
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(load_image(turned).pixels, load_image(data).pixels)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_sixteen_bit_colour_tiff_is_turned_too(compression: str | None) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (6, 9, 3), dtype=np.uint16)
    data = tiff(samples, photometric="rgb", compression=compression, extratags=[(274, 3, 1, 6, True)])
    np.testing.assert_array_equal(load_image(data).pixels, load_image(np.rot90(samples, -1)).pixels)


def test_damaged_exif_keeps_no_picture_out() -> None:
    loaded = load_image(encode(picture(), "PNG", exif=b"MM\0*\xff\xff\xff"))
    np.testing.assert_array_equal(loaded.pixels, np.asarray(picture()))


# Modes


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_becomes_three_equal_channels(mode: str, form: str) -> None:
    grey = picture().convert(mode)
    loaded = load_image(encode(grey, form))
    np.testing.assert_array_equal(loaded.pixels, np.asarray(grey.convert("RGB")))


def test_alpha_is_put_on_white() -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 0], rgba[0, :, 3] = 200, (255, 51, 0)
    expected = [[(200, 0, 0), (244, 204, 204), WHITE]]
    image = Image.fromarray(rgba)
    for source in (rgba, image, image.convert("RGBa"), encode(image, "PNG"), encode(image, "TIFF")):
        loaded = load_image(source)
        assert np.abs(loaded.pixels.astype(int) - expected).max() <= 2  # premultiplied alpha rounds twice
        assert loaded.notices == ("its transparent parts are shown on white",)
    grey = Image.new("LA", (2, 1), (10, 0))
    grey.putpixel((0, 0), (10, 255))
    for source in (grey, encode(grey, "PNG")):
        np.testing.assert_array_equal(load_image(source).pixels, [[(10, 10, 10), WHITE]])


def test_an_opaque_alpha_changes_nothing() -> None:
    loaded = load_image(picture().convert("RGBA"))
    np.testing.assert_array_equal(loaded.pixels, np.asarray(picture()))
    assert loaded.notices == ()


def test_palette_with_and_without_transparency() -> None:
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    np.testing.assert_array_equal(
        load_image(encode(palette, "PNG")).pixels, [[(10, 20, 30), (40, 50, 60), (70, 80, 90)]]
    )
    for key in (1, b"\xff\0\xff"):
        loaded = load_image(encode(palette, "PNG", transparency=key))
        np.testing.assert_array_equal(loaded.pixels, [[(10, 20, 30), WHITE, (70, 80, 90)]])


def test_a_transparent_colour_at_eight_and_sixteen_bits() -> None:
    rgb = np.array([[(300, 2, 3), (300, 2, 4)]], np.uint16)
    for samples, bits in ((rgb, 16), (rgb % 256, 8)):
        data = png(samples, bits, 2, (b"tRNS", struct.pack(">HHH", *samples[0, 0])))
        assert (load_image(data).pixels[0] == 255).all(axis=1).tolist() == [True, False]
    grey = png(np.array([[4000, 4001]]), 16, 0, (b"tRNS", struct.pack(">H", 4000)))
    np.testing.assert_array_equal(load_image(grey).pixels[0, :, 0], [255, 249])


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "RGBX"])
def test_other_colour_modes_are_converted(mode: str) -> None:
    image = picture().convert(mode)
    np.testing.assert_array_equal(load_image(image).pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_a_cmyk_file_keeps_its_colours(form: str) -> None:
    pixels = load_image(encode(picture().convert("CMYK"), form)).pixels
    assert np.abs(pixels.astype(int) - np.asarray(picture())).max() <= (40 if form == "JPEG" else 1)


def test_a_mode_without_a_conversion_is_refused() -> None:
    assert "colour mode LAB" in refused(Image.new("LAB", (4, 4)))


# Depth


def test_twelve_bits_in_sixteen_are_not_clipped_and_not_black() -> None:
    ramp = np.linspace(0, 4095, 64).astype(np.uint16).reshape(8, 8)
    expected = np.rint(ramp / 4095 * 255)
    for source in (ramp, png(ramp, 16, 0), tiff(ramp), tiff(ramp, byteorder=">"), Image.fromarray(ramp)):
        loaded = load_image(source)
        np.testing.assert_array_equal(loaded.pixels[..., 0], expected)
        assert loaded.notices == ("read as 12-bit because its largest value is 4095",)


@pytest.mark.parametrize(
    ("largest", "white"), [(200, 255), (255, 255), (256, 4095), (1023, 4095), (4096, 65535), (65535, 65535)]
)
def test_the_smallest_depth_that_holds_the_largest_value(largest: int, white: int) -> None:
    samples = np.array([[0, largest]], np.uint16)
    loaded = load_image(samples)
    assert loaded.pixels[0, 1, 0] == round(largest * 255 / white)
    for wider in (samples.astype(np.int64), samples.astype(np.float64), samples.astype(">u2")):
        np.testing.assert_array_equal(load_image(wider).pixels, loaded.pixels)


def test_a_stated_depth_keeps_a_series_comparable() -> None:
    dark, bright = np.full((2, 2), 200, np.uint16), np.full((2, 2), 4000, np.uint16)
    assert load_image(dark).pixels[0, 0, 0] == 200  # read as 8-bit: brighter than it is in its series
    assert load_image(dark, bit_depth=12).pixels[0, 0, 0] == round(200 * 255 / 4095)
    assert load_image(bright, bit_depth=12).notices == ()
    assert load_image(dark / np.float32(3), bit_depth=10).pixels[0, 0, 0] == round(200 / 3 * 255 / 1023)
    assert load_image(np.array([[1023]]), bit_depth=10).pixels[0, 0, 0] == 255
    assert "not 10-bit" in refused(np.array([[1024]]), bit_depth=10)
    assert "not 12-bit" in refused(-dark.astype(int), bit_depth=12)
    assert load_image(np.uint8([[7]]), bit_depth=12).pixels[0, 0, 0] == 7
    with pytest.raises(ValueError, match="bit_depth"):
        load_image(dark, bit_depth=17)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bit_colour_keeps_its_lower_byte(channels: int) -> None:
    samples = np.random.default_rng(channels).integers(0, 4096, (13, 11, channels), dtype=np.uint16)
    if channels != 3:
        samples[..., -1] = 65535
    colour = samples[..., :1] if channels == 2 else samples[..., :3]
    expected = np.broadcast_to(np.rint(colour / 4095 * 255), (13, 11, 3))
    sources = [png(samples, 16, {2: 4, 3: 2, 4: 6}[channels])]
    if channels > 2:
        extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
        for order in "<>":
            for compression in (None, "zlib"):
                options = {"byteorder": order, "compression": compression, "rowsperstrip": 4, **extra}
                sources.append(tiff(samples, photometric="rgb", **options))
        sources.append(samples)
    for source in sources:
        loaded = load_image(source)
        np.testing.assert_array_equal(loaded.pixels, expected)
        assert loaded.notices[0].startswith("read as 12-bit")


def test_a_half_transparent_sixteen_bit_pixel() -> None:
    data = png(np.array([[(0, 0, 0, 32768), (65535, 0, 0, 65535)]]), 16, 6)
    np.testing.assert_array_equal(load_image(data).pixels, [[(127, 127, 127), (255, 0, 0)]])


def test_sixteen_bits_that_pillow_cannot_keep_are_said_or_refused() -> None:
    cmyk = tiff(np.full((4, 4, 4), 30_000, np.uint16), photometric="separated")
    assert "only the upper 8 of its 16 bits were read" in load_image(cmyk).notices
    planes = np.zeros((3, 40, 40), np.uint16)
    for compression in (None, "zlib"):
        data = tiff(planes, photometric="rgb", planarconfig="separate", compression=compression)
        assert "separate planes" in refused(data)
    assert "high byte first" in refused(tiff(np.ones((4, 4), np.float32), byteorder=">", compression="zlib"))


def test_a_declared_depth_needs_no_guess() -> None:
    ramp = np.array([[0, 1000, 2000, 3000]], np.uint16)
    bits = "".join(f"{v:012b}" for v in ramp[0])
    packed = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    tags = [
        (256, 4),
        (257, 1),
        (258, 12),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, 1),
        (279, len(packed)),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    loaded = load_image(b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory)
    np.testing.assert_array_equal(loaded.pixels[0, :, 0], np.rint(ramp[0] / 4095 * 255))
    assert loaded.notices == ()


def test_white_is_zero_is_shown_as_viewers_do() -> None:
    for samples in (np.array([[0, 65535]], np.uint16), np.array([[0, 1]], np.float32), np.uint8([[0, 255]])):
        data = tiff(samples, photometric="miniswhite")
        np.testing.assert_array_equal(load_image(data).pixels[0, :, 0], [255, 0])


def test_a_preview_is_not_taken_for_the_picture() -> None:
    assert "preview" in refused(tiff(np.zeros((4, 4), np.uint8), subfiletype=1))


def test_floats_in_the_unit_range_are_taken_as_such() -> None:
    samples = np.array([[0.0, 0.25, 0.5]])
    for source in (samples, samples.astype(np.float16), samples.astype(np.float32)[..., None]):
        loaded = load_image(source)
        assert loaded.pixels[0, :, 0].tolist() == [0, 64, 128] and loaded.notices == ()
    assert load_image(tiff(samples.astype(np.float32))).pixels[0, :, 0].tolist() == [0, 64, 128]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_anything_else_is_stretched_and_said(dtype: type) -> None:
    samples = np.array([[-2, 0, 2, 8]]).astype(dtype)
    loaded = load_image(samples)
    assert loaded.pixels[0, :, 0].tolist() == [0, 51, 102, 255]
    assert loaded.notices[0].startswith("values from -2 to 8 stretched")
    assert load_image(np.full((2, 2), -3.5)).pixels.max() == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nan_and_infinity_are_refused(bad: float, dtype: type) -> None:
    samples = np.full((5, 5), 0.5, dtype)
    samples[3, 2] = bad
    assert "not finite" in refused(samples) and "not finite" in refused(samples, bit_depth=12)
    if dtype is np.float32:
        assert "not finite" in refused(tiff(samples)) and "not finite" in refused(Image.fromarray(samples))


def test_values_too_far_apart_are_refused() -> None:
    assert "too far apart" in refused(np.array([[-1.7e308, 1.7e308]]))


def test_odd_transparency_is_refused() -> None:
    rgba = np.full((2, 2, 4), 0.5)
    rgba[..., 3] = 1.5
    assert "transparency" in refused(rgba)


# Arrays


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 3), (4, 3), (101, 103)])
def test_odd_sizes(shape: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_array_equal(load_image(rgb).pixels, rgb)
    np.testing.assert_array_equal(load_image(encode(Image.fromarray(rgb), "PNG")).pixels, rgb)


def test_grey_rgb_and_rgba_arrays_agree() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    rgba = np.dstack([rgb, np.full_like(grey, 255)])
    for source in (grey, grey[..., None], rgb, rgba, rgb / 255.0):
        np.testing.assert_array_equal(load_image(source).pixels, rgb)
    np.testing.assert_array_equal(load_image(grey > 5).pixels[..., 0], (grey > 5) * 255)


def test_bgr_arrays() -> None:
    rgb = np.asarray(picture())
    np.testing.assert_array_equal(load_image(rgb[..., ::-1], channel_order="bgr").pixels, rgb)
    bgra = np.dstack([rgb[..., ::-1], np.full(rgb.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(load_image(bgra, channel_order="bgr").pixels, rgb)
    np.testing.assert_array_equal(load_image(picture(), channel_order="bgr").pixels, rgb)
    with pytest.raises(ValueError, match="channel order"):
        load_image(rgb, channel_order="rbg")  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 32, 32), (4, 9, 7)])
def test_channels_first_is_refused_with_the_cure(shape: tuple[int, ...]) -> None:
    assert "array.transpose(1, 2, 0)" in refused(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(), (5,), (5, 5, 2), (5, 5, 5), (1, 5, 5, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    refused(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0, 3)])
def test_no_pixels_are_refused(shape: tuple[int, ...]) -> None:
    assert "no pixels" in refused(np.zeros(shape, np.uint8))
    assert "no pixels" in refused(Image.new("RGB", (0, 7)))


@pytest.mark.parametrize("dtype", ["complex64", "U3", "object", "datetime64[s]"])
def test_what_is_not_a_number_is_refused(dtype: str) -> None:
    refused(np.zeros((3, 3), dtype))


@pytest.mark.parametrize("source", [None, 3, ["a.png"], bytearray(b"x"), io.BytesIO(b"x")])
def test_other_sources_are_refused(source: object) -> None:
    assert "is not a picture" in refused(source)


def test_strided_and_read_only_arrays_and_a_copy_of_ones_own() -> None:
    base = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for view in (base[::2, ::-3], base.transpose(1, 0, 2), np.asfortranarray(base)):
        np.testing.assert_array_equal(load_image(view).pixels, view)
    base.flags.writeable = False
    loaded = load_image(base)
    assert loaded.pixels.flags.c_contiguous and not np.shares_memory(loaded.pixels, base)
    loaded.pixels[0, 0] = 1


def test_a_loaded_image_is_checked() -> None:
    for wrong in (np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3)), np.zeros((0, 2, 3), np.uint8)):
        with pytest.raises(ValueError, match="pixels"):
            LoadedImage(wrong, "x")


# Names and places


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.timeout(20)
def test_what_is_not_a_file_is_refused_without_hanging(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert refused(tmp_path / "pipe.png") == "pipe.png is a pipe, a device or a socket, not a picture file"
    assert refused("/dev/zero") == "zero is a pipe, a device or a socket, not a picture file"
    assert refused(tmp_path) == f"{tmp_path.name} is a folder, not a picture"
    assert refused(tmp_path / "none.png") == "none.png does not exist"
    assert "loop.png cannot be opened" in refused(tmp_path / "loop.png")
    assert "cannot be opened" in refused(tmp_path / ("x" * 400))
    assert "cannot be the name of a file" in refused("a\0b.png")
    assert refused("http://169.254.169.254/latest.png") == "latest.png does not exist"


@pytest.mark.parametrize("name", ["größe.png", "📷 1.png", "-rf.png", "a b.png", "=1+1.png", "x" * 251 + ".png"])
def test_unusual_names(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(encode(picture(), "PNG"))
    assert load_image(tmp_path / name).name == name


def test_a_name_never_breaks_its_sentence(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines\x1b[31m\u202e.png"
    path.write_bytes(b"nothing")
    assert refused(path).startswith("two\\nlines\\x1b[31m\\u202e.png is not")
    assert refused(b"x", name="/etc/secret/part.png").startswith("part.png is not")


def test_no_sentence_tells_a_path(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tif"
    for data in (b"", b"II*\0" + bytes(20), encode(picture(), "PNG")[:60], encode(picture(), "WEBP")[:60]):
        broken.write_bytes(data)
        sentence = refused(broken)
        assert sentence.startswith("broken.tif ") and str(tmp_path) not in sentence and "/" not in sentence


# Anything at all

_TIGHT = SizeCaps(max_bytes=100_000, max_side=2_000, max_pixels=500_000)
_SEEDS = [
    encode(picture(), "PNG"),
    png(np.asarray(picture(9, 7)).astype(np.uint16) * 257, 16, 2),
    encode(picture(), "JPEG"),
    encode(picture(), "JPEG", progressive=True),
    encode(picture(), "TIFF"),
    encode(picture(), "TIFF", compression="tiff_lzw"),
    encode(picture().convert("I;16"), "TIFF"),
    encode(picture(), "WEBP"),
    encode(picture().convert("RGBA"), "WEBP", save_all=True, append_images=[picture()]),
    encode(picture().convert("P"), "BMP"),
]
_budget = settings(max_examples=300, deadline=timedelta(seconds=5), suppress_health_check=[HealthCheck.too_slow])


def loads_or_refuses(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded = load_image(data, caps=_TIGHT)
        except ImageError as error:
            assert str(error) and "\n" not in str(error) and " 0x" not in str(error)
        else:
            assert loaded.pixels.size <= 3 * _TIGHT.max_pixels


@_budget
@given(
    st.sampled_from([b"", b"BM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0+"]),
    st.binary(max_size=600),
)
def test_random_bytes_raise_nothing_but_image_error(start: bytes, rest: bytes) -> None:
    loads_or_refuses(start + rest)


@_budget
@given(st.sampled_from(_SEEDS), st.data())
def test_mutated_files_raise_nothing_but_image_error(seed: bytes, data: st.DataObject) -> None:
    mutated = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        # Headers lie at the front: half of the changes go there.
        end = data.draw(st.sampled_from([min(120, len(mutated)), len(mutated)]))
        at = data.draw(st.integers(0, end))
        gone = data.draw(st.integers(0, 8))
        mutated[at : at + gone] = data.draw(st.binary(max_size=8))
    loads_or_refuses(bytes(mutated))


@_budget
@given(st.binary(max_size=60), st.sampled_from(["u1", "?", "u2", "i4", "f2", "f4", "f8"]), st.integers(1, 4))
def test_arrays_of_any_bits_raise_nothing_but_image_error(data: bytes, dtype: str, width: int) -> None:
    values = np.frombuffer(data[: len(data) // 8 * 8], dtype)
    array = values[: values.size // width * width].reshape(-1, width)
    try:
        assert load_image(array).pixels.shape == (*array.shape, 3)
    except ImageError as error:
        assert "not finite" in str(error) or "no pixels" in str(error) or "too far apart" in str(error)
