"""A mask selects what was painted, however it was painted, and what is no mask is refused with the reason."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw, ImageFilter

from assistant.errors import ImageError
from assistant.images.masks import check_shape, load_mask

WIDTH, HEIGHT = 96, 64
BOX = (20, 10, 59, 39)


def painted() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[BOX[1] : BOX[3] + 1, BOX[0] : BOX[2] + 1] = True
    return mask


def layer(color: Any, mode: str = "RGBA", ground: Any = 0) -> Image.Image:
    image = Image.new(mode, (WIDTH, HEIGHT), ground)
    ImageDraw.Draw(image).rectangle(BOX, fill=color)
    return image


def encode(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def palette(colours: list[int], ground: int = 0, paint: int = 1) -> Image.Image:
    image = Image.new("P", (WIDTH, HEIGHT), ground)
    image.putpalette(colours)
    ImageDraw.Draw(image).rectangle(BOX, fill=paint)
    return image


def refused(source: Any, size: tuple[int, int] | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        load_mask(source, size, name="mask.png")
    sentence = str(caught.value)
    assert sentence.startswith("mask.png ") and "\n" not in sentence
    return sentence


def photograph() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rng = np.random.default_rng(3)
    light = 90 + 60 * np.sin(x / 17) + 40 * np.cos(y / 11) + rng.normal(0, 9, (HEIGHT, WIDTH))
    return np.stack([light, light * 0.9, light * 0.7], axis=2).clip(0, 255).astype(np.uint8)


# What is painted


@pytest.mark.parametrize(
    "color", [(255, 0, 0, 255), (255, 255, 255, 255), (0, 0, 0, 255), (40, 90, 160, 200), (255, 255, 0, 255)]
)
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_any_paint_on_a_transparent_layer(color: tuple[int, ...], form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    np.testing.assert_array_equal(load_mask(encode(layer(color), form, **options)), painted())


def test_other_kinds_of_transparency() -> None:
    grey = layer((0, 255), "LA")
    clear = palette([9, 9, 9, 200, 10, 20])
    for data in (
        encode(grey),
        encode(clear, transparency=0),
        encode(layer(77, "L", 200), transparency=200),
        np.dstack([np.zeros((HEIGHT, WIDTH, 3), np.uint8), painted() * np.uint8(255)]),
    ):
        np.testing.assert_array_equal(load_mask(data), painted())


@pytest.mark.parametrize("strength", [3, 40, 90, 127])
def test_paint_that_shines_through_is_paint(strength: int) -> None:
    np.testing.assert_array_equal(load_mask(encode(layer((0, 200, 0, strength)))), painted())
    soft = layer(strength, "L").filter(ImageFilter.GaussianBlur(1))
    brush = Image.new("RGBA", soft.size, (255, 220, 0))
    brush.putalpha(soft)
    assert np.count_nonzero(load_mask(encode(brush)) != painted()) <= 60
    both = layer((255, 0, 0, strength))
    ImageDraw.Draw(both).rectangle((2, 2, 9, 9), fill=(0, 0, 255, 255))
    assert np.count_nonzero(load_mask(encode(both))) == np.count_nonzero(painted()) + 64


def test_an_empty_layer_marks_nothing_and_alpha_that_hides_nothing_does_not_count() -> None:
    assert not load_mask(encode(Image.new("RGBA", (9, 9)))).any()
    nearly = layer((255, 255, 255, 254), ground=(0, 0, 0, 254))
    np.testing.assert_array_equal(load_mask(encode(nearly)), painted())


@pytest.mark.parametrize("paint", [1, 2, 7, 100, 128, 254, 255])
def test_two_values_are_ground_and_paint(paint: int) -> None:
    np.testing.assert_array_equal(load_mask(encode(layer(paint, "L"))), painted())
    np.testing.assert_array_equal(load_mask(painted().astype(np.uint16) * paint), painted())


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32, np.uint16, np.float32, np.float64])
def test_zero_and_one_of_any_type(kind: type) -> None:
    np.testing.assert_array_equal(load_mask(painted().astype(kind)), painted())


def test_sixteen_bits_one_bit_and_white_as_zero() -> None:
    one = Image.fromarray(painted())
    wide = Image.fromarray(painted().astype(np.uint16) * 65535)
    out = io.BytesIO()
    tifffile.imwrite(out, 255 * (~painted()).astype(np.uint8), photometric="miniswhite")
    for data in (encode(one), encode(wide), encode(wide, "TIFF"), encode(one, "BMP"), out.getvalue()):
        np.testing.assert_array_equal(load_mask(data), painted())


@pytest.mark.parametrize(
    "colours",
    [
        [0, 0, 0, 128, 0, 0],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 0, 128],
        [0, 0, 0, 250, 240, 10],
        [0, 0, 0, 255, 255, 255],
    ],
)
def test_palettes(colours: list[int]) -> None:
    for form in ("PNG", "BMP", "TIFF"):
        np.testing.assert_array_equal(load_mask(encode(palette(colours), form)), painted())


def test_a_palette_that_begins_with_white() -> None:
    np.testing.assert_array_equal(load_mask(encode(palette([255] * 3 + [0] * 3, 1, 0))), painted())


def test_numbers_of_things() -> None:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[10:20, 10:30], labels[40:50, 5:90], labels[30:35, 50:60] = 1, 2, 5
    np.testing.assert_array_equal(load_mask(labels), labels > 0)
    image = Image.fromarray(labels).convert("P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 9, 9, 9, 9, 9, 9, 192, 128, 64])
    np.testing.assert_array_equal(load_mask(encode(image)), labels > 0)
    with_border = labels.copy()
    with_border[labels == 5] = 255
    np.testing.assert_array_equal(load_mask(with_border), labels > 0)


@pytest.mark.parametrize("blur", [0, 1, 2])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_soft_edges_and_compression(form: str, blur: int) -> None:
    soft = layer(255, "L").filter(ImageFilter.GaussianBlur(blur))
    mask = load_mask(encode(soft, form))
    assert np.count_nonzero(mask != painted()) <= 60


def test_a_coloured_brush_on_black() -> None:
    soft = layer((255, 40, 30), "RGB").filter(ImageFilter.GaussianBlur(1))
    assert np.count_nonzero(load_mask(encode(soft)) != painted()) <= 60


@pytest.mark.parametrize("value", [0, 1, 255])
def test_nothing_and_everything(value: int) -> None:
    assert load_mask(np.full((8, 9), value, np.uint8)).all() == (value > 0)


def test_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = load_mask(encode(layer(255, "L"), exif=exif))
    np.testing.assert_array_equal(turned, np.rot90(painted(), -1))
    turned = load_mask(encode(layer((9, 9, 9, 255)), exif=exif))
    np.testing.assert_array_equal(turned, np.rot90(painted(), -1))
    assert turned.flags.c_contiguous and turned.dtype == bool


def test_a_path_gives_its_name(tmp_path: Path) -> None:
    (tmp_path / "roi.png").write_bytes(encode(Image.fromarray(photograph())))
    with pytest.raises(ImageError, match=r"^roi\.png is not a mask: "):
        load_mask(tmp_path / "roi.png")


# What is no mask


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_photograph_is_refused(form: str) -> None:
    assert "is not a mask" in refused(encode(Image.fromarray(photograph()), form))


def test_other_photographs_are_refused() -> None:
    grey = photograph()[..., 0]
    dark = (grey * 0.2).astype(np.uint8)
    bright = np.uint8(200) + (grey // 6)
    few = Image.fromarray(photograph()).quantize(64)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    gradient = (x * 255 // WIDTH).astype(np.uint8)
    lit = np.where((x - 48) ** 2 + (y - 32) ** 2 < 400, grey, 4).astype(np.uint8)
    wide = grey.astype(np.uint16) * 200
    for source in (grey, dark, bright, encode(few), gradient, lit, wide, np.full((9, 9), 90, np.uint8)):
        assert "is not a mask" in refused(source)


@pytest.mark.parametrize("ground", [(255, 255, 255), (90, 120, 200)])
def test_colours_that_stand_on_no_black_ground_are_refused(ground: tuple[int, int, int]) -> None:
    for color in ((255, 0, 0), (20, 160, 60)):
        assert "paint white on black" in refused(encode(layer(color, "RGB", ground)))


def test_paint_over_the_photograph_itself_is_refused() -> None:
    for color in ((255, 255, 255), (255, 0, 0)):
        image = Image.fromarray(photograph())
        ImageDraw.Draw(image).rectangle(BOX, fill=color)
        assert "is not a mask" in refused(encode(image))


def test_what_cannot_be_read_is_refused() -> None:
    assert "damaged" in refused(encode(layer(255, "L"))[:60])
    assert "empty" in refused(b"")


# Shape


@pytest.mark.parametrize("size", [(96, 64), (960, 640), (48, 32), (4000, 2667), (953, 640), (9, 6)])
def test_a_mask_may_be_smaller_or_larger(size: tuple[int, int]) -> None:
    assert load_mask(encode(layer(255, "L")), size).shape == (64, 96)


@pytest.mark.parametrize("size", [(64, 96), (64, 64), (100, 50), (1920, 1080), (960, 600)])
def test_a_mask_of_another_shape_is_refused(size: tuple[int, int]) -> None:
    sentence = refused(encode(layer(255, "L")), size)
    assert sentence == f"mask.png is 96 x 64, another shape than the picture of {size[0]} x {size[1]}"
    with pytest.raises(ImageError, match="another shape"):
        check_shape(painted(), size, "the drawing")
