"""The brightness of a series: one scale for all of its pictures, learned from its references."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from assistant.errors import ImageError
from assistant.images.decoding import Planes
from assistant.images.load import load_image
from assistant.images.window import Window

rng = np.random.default_rng(7)


def ramp(low: float, high: float, kind: type = np.uint16, side: int = 64) -> np.ndarray:
    return np.linspace(low, high, side * side).reshape(side, side).astype(kind)


def grey(samples: np.ndarray, window: Window) -> np.ndarray:
    return load_image(samples, window=window).pixels[..., 0]


def file(samples: np.ndarray, form: str) -> bytes:
    out = io.BytesIO()
    if form == "PNG":
        Image.fromarray(samples).save(out, "PNG")
    else:
        tifffile.imwrite(out, samples, photometric="rgb" if samples.ndim == 3 else "minisblack")
    return out.getvalue()


def same_value_same_grey(series: list[np.ndarray], window: Window, value: float) -> None:
    """Without the window they differ, or the case shows nothing; with it a value has one grey everywhere."""
    for window_, alike in ((Window(), False), (window, True)):
        shades = set()
        for picture in series:
            changed = picture.copy()
            changed[3, 5] = value
            shades.add(int(grey(changed, window_)[3, 5]))
        assert (len(shades) == 1) is alike, shades


# One scale


@pytest.mark.parametrize("highest", [(180, 251, 259, 300), (3100, 3847, 4123, 4300), (240, 900, 4000, 4200)])
def test_a_camera_whose_pictures_cross_a_depth_keeps_one_scale(highest: tuple[int, ...]) -> None:
    series = [ramp(12, high) for high in highest]
    same_value_same_grey(series, Window.learn(series), 150)


@pytest.mark.parametrize(("low", "high"), [(29_000, 30_500), (12_000, 12_200), (60_000, 65_000)])
def test_a_narrow_series_uses_its_range(low: int, high: int) -> None:
    series = [ramp(low + 10 * i, high - 7 * i) for i in range(4)]
    assert len(np.unique(grey(series[0], Window()))) <= 21
    shown = grey(series[0], window := Window.learn(series))
    assert len(np.unique(shown)) > 150
    assert 5 < shown.min() < 40 and 215 < shown.max() < 250, "room on both sides"
    assert window.levels is not None and window.levels[0] < low and window.levels[1] > high


@pytest.mark.parametrize(
    ("dead", "kind"), [(1e6, np.float32), (-9999.0, np.float64), (1e30, np.float32), (0.0, "f2")]
)
def test_a_dead_pixel_of_a_height_map_stretches_nothing(dead: float, kind: Any) -> None:
    height = 12.5 + rng.random((80, 90)).astype(kind)
    spoiled = height.copy()
    spoiled[40, 44] = dead
    window = Window.learn([height, spoiled, height])
    seen, clean = load_image(spoiled, window=window), load_image(height, window=window)
    assert np.count_nonzero(seen.pixels != clean.pixels) <= 3 and seen.notices == ()
    assert np.abs(load_image(spoiled).pixels.astype(int) - load_image(height).pixels).max() > 100
    learned = Window.learn([height]).levels
    assert window.levels == pytest.approx(learned, rel=0.01)


@pytest.mark.parametrize("hot", [65_535, 50_000])
def test_a_hot_pixel_of_a_camera_does_not_change_its_depth(hot: int) -> None:
    series = [ramp(0, 4000) for _ in range(3)]
    series[1][0, 0] = hot
    assert Window.learn(series) == Window(bit_depth=12)


@pytest.mark.parametrize(("low", "high", "bits"), [(0, 250, 8), (5, 2100, 12), (90, 40_000, 16)])
def test_a_series_that_uses_its_depth_is_shown_as_before(low: int, high: int, bits: int) -> None:
    series = [ramp(low, high), ramp(low, high - 3)]
    window = Window.learn(series)
    assert window == Window(bit_depth=bits) and window.levels == (0, 2**bits - 1)
    np.testing.assert_array_equal(grey(series[0], window), load_image(series[0], bit_depth=bits).pixels[..., 0])


def test_floats_of_the_unit_range_stay_where_one_picture_exceeds_it() -> None:
    window = Window.learn([ramp(0, 0.97, np.float32), ramp(0.1, 1, np.float32)])
    assert window.levels == (0, 1)
    same_value_same_grey([ramp(0, 0.98, np.float32), ramp(0, 1.3, np.float32)], window, 0.25)


def test_a_constant_series_has_a_window_too() -> None:
    assert Window.learn([np.full((4, 4), 300, np.uint16)]) == Window(bit_depth=12)
    assert Window.learn([np.full((4, 4), -3.5)]).levels == (-4, -3)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_files_and_colours_go_through_the_same_window(form: str, tmp_path: Path) -> None:
    samples = ramp(20_000, 21_000)
    (tmp_path / "a").write_bytes(file(samples, form))
    window = Window.learn([tmp_path / "a", file(samples, form), samples])
    assert window == Window.learn([samples])
    np.testing.assert_array_equal(load_image(tmp_path / "a", window=window).pixels[..., 0], grey(samples, window))
    colour = np.dstack([samples, samples + 100, samples + 200]).astype(np.uint16)
    shown = load_image(file(colour, "TIFF"), window=window).pixels
    np.testing.assert_array_equal(shown, load_image(colour, window=window).pixels)
    np.testing.assert_array_equal(shown[..., 0], grey(samples, window))


def test_white_is_zero_is_turned_after_the_window() -> None:
    out = io.BytesIO()
    tifffile.imwrite(out, np.array([[1000, 2000]], np.uint16), photometric="miniswhite")
    assert load_image(out.getvalue(), window=Window(1000, 2000)).pixels[0, :, 0].tolist() == [255, 0]


# What is left alone


def test_eight_bits_are_untouched(tmp_path: Path) -> None:
    picture = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(file(picture, "PNG"))
    assert Window.learn([picture, tmp_path / "a.png", Image.fromarray(picture), picture[..., 0] > 9]) == Window()
    for window in (Window(), Window(3, 9), Window(bit_depth=12)):
        np.testing.assert_array_equal(load_image(picture, window=window).pixels, picture)
    assert load_image(picture, window=Window()).notices == ()
    assert "has 8 bits" in load_image(picture, window=Window(3, 9)).notices[0]


def test_a_window_without_levels_scales_each_picture_by_itself() -> None:
    picture = ramp(0, 3000)
    alone, seen = load_image(picture), load_image(picture, window=Window())
    assert alone.notices == seen.notices and np.array_equal(alone.pixels, seen.pixels)


def test_what_cannot_be_read_teaches_nothing(tmp_path: Path) -> None:
    good, nan = ramp(0, 3000), np.full((4, 4), np.nan)
    assert Window.learn([b"", tmp_path / "gone.png", b"text", nan, good]) == Window.learn([good])
    assert Window.learn([]) == Window()


# Notices


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (40_000, 41_000, "100 %"),
        (0, 900, "100 %"),
        (20_900, 22_000, "% of its samples"),
        (20_500, 20_505, "almost"),
    ],
)
def test_a_picture_far_outside_the_window_gets_a_notice(low: int, high: int, word: str) -> None:
    window = Window.learn([ramp(20_000, 21_000)])
    [notice] = load_image(ramp(low, high), window=window).notices
    assert word in notice and "19901 to 21098" in notice


def test_a_picture_of_the_series_gets_none() -> None:
    series = [ramp(20_000 + i, 21_000 + 2 * i) for i in range(9)]
    window = Window.learn(series[:4])
    assert not any(load_image(picture, window=window).notices for picture in series)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    samples = ramp(0, 9, np.float32)
    samples[1, 1] = bad
    with pytest.raises(ImageError, match="not finite"):
        load_image(samples, window=Window(0, 9))
    with pytest.raises(ImageError, match="not pixels"):
        load_image(samples.astype(np.complex64), window=Window(0, 9))


# The type


def test_the_channel_order_is_that_of_arrays() -> None:
    bgr = rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)
    window = Window.learn([bgr], channel_order="bgr")
    np.testing.assert_array_equal(load_image(bgr, window=window).pixels, bgr[..., ::-1])
    np.testing.assert_array_equal(load_image(bgr, window=window, channel_order="rgb").pixels, bgr)
    np.testing.assert_array_equal(load_image(file(bgr, "PNG"), window=window).pixels, bgr)


def test_json_there_and_back() -> None:
    for window in (Window(), Window(1.5, 9e3), Window(bit_depth=10, channel_order="bgr")):
        assert Window.from_dict(json.loads(json.dumps(window.to_dict()))) == window
    assert [str(w) for w in (Window(), Window(1.5, 9e3), Window(bit_depth=10))] == [
        "8-bit",
        "1.5 to 9000",
        "0 to 1023 (10-bit)",
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"black": 1},
        {"black": 2, "white": 2},
        {"black": 2, "white": float("nan")},
        {"black": "0", "white": "9"},
        {"black": False, "white": True},
        {"bit_depth": 7},
        {"bit_depth": 12.0},
        {"bit_depth": 12, "black": 0, "white": 4095},
        {"channel_order": "gbr"},
        {"gamma": 2.2},
    ],
)
def test_a_window_that_makes_no_sense_is_an_error(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Window.from_dict(row)


def test_a_bit_depth_beside_a_window_is_an_error() -> None:
    with pytest.raises(ValueError, match="not both"):
        load_image(ramp(0, 9), bit_depth=12, window=Window(0, 9))
    with pytest.raises(ValueError, match="without levels"):
        Window().apply(ramp(0, 9), "x")


def test_planes_teach_as_their_files_do() -> None:
    assert Window.learn([Planes(ramp(0, 500), bits=12)]) == Window.learn([ramp(0, 500)])
    assert Window.learn([Planes(ramp(0, 900), bits=10)]) == Window(bit_depth=10)
