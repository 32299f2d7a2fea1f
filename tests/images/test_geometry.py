"""Resizing against torch, places in words, and sizes for the tower."""

from __future__ import annotations

import tracemalloc
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.images.geometry import Position, fit_size, position_of, to_picture
from assistant.inspection import Inspection


@pytest.mark.parametrize(
    ("grid", "size"),
    [
        ((10, 10), (97, 61)),
        ((7, 13), (7, 13)),
        ((40, 40), (3, 5)),
        ((1, 1), (9, 4)),
        ((5, 1), (1, 5000)),
        ((2, 64), (5000, 1)),
        ((33, 20), (300, 700)),
    ],
)
def test_resizing_is_what_torch_does(grid: tuple[int, int], size: tuple[int, int]) -> None:
    coarse = np.random.default_rng(0).normal(size=grid).astype(np.float32)
    width, height = size
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(coarse)[None, None], (height, width), mode="bilinear", align_corners=False
    )[0, 0].numpy()
    picture = to_picture(coarse, width, height)
    assert picture.shape == (height, width) and picture.dtype == np.float32
    np.testing.assert_allclose(picture, expected, atol=2e-4)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 600), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_resizing_never_leaves_the_range(h: int, w: int, height: int, width: int, seed: int) -> None:
    coarse = np.random.default_rng(seed).random((h, w), dtype=np.float32) * 1e-3 + 1
    picture = to_picture(coarse, width, height)
    assert coarse.min() <= picture.min() and picture.max() <= coarse.max()


def test_a_hot_cell_lands_in_its_own_place() -> None:
    coarse = np.zeros((4, 8), dtype=np.float32)
    coarse[3, 1] = 1
    y, x = np.unravel_index(to_picture(coarse, 800, 200).argmax(), (200, 800))
    assert 100 <= x < 200 and 150 <= y < 200


def test_resizing_needs_little_memory_beside_the_result() -> None:
    coarse = np.random.default_rng(0).random((40, 40), dtype=np.float32)
    tracemalloc.start()
    picture = to_picture(coarse, 3000, 3000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.6 * picture.nbytes


@pytest.mark.parametrize(("shape", "size"), [((0, 3), (4, 4)), ((3, 3), (0, 4)), ((3, 3, 1), (4, 4))])
def test_empty_maps_and_pictures_are_refused(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        to_picture(np.zeros(shape, dtype=np.float32), *size)


def test_an_inspection_shows_its_map_in_picture_pixels() -> None:
    coarse = np.array([[0.0, 1.0]], dtype=np.float32)
    inspection = Inspection(
        path="a.png",
        mode="few-shot",
        score=1.0,
        p_value=0.1,
        threshold=0.5,
        review_threshold=0.4,
        verdict="defect",
        width=40,
        height=20,
        coarse_map=coarse,
    )
    np.testing.assert_array_equal(inspection.anomaly_map, to_picture(coarse, 40, 20))


def test_every_cell_has_its_word() -> None:
    centers = [(x, y) for y in (50, 150, 250) for x in (100, 300, 500)]
    assert tuple(position_of(center, 600, 300) for center in centers) == get_args(Position)


@pytest.mark.parametrize(
    ("place", "word"),
    [
        ((0, 0, 600, 300), "center"),
        ((0, 0, 10, 300), "left"),
        ((590, 290, 600, 300), "bottom right"),
        ((199.9, 150), "left"),
        ((200, 150), "center"),
        ((-5, 1e9), "bottom left"),
        ((600, 0), "top right"),
    ],
)
def test_boxes_and_points_have_a_position(place: tuple[float, ...], word: str) -> None:
    assert position_of(place, 600, 300) == word


def test_one_pixel_is_the_center() -> None:
    assert position_of((0, 0, 1, 1), 1, 1) == "center"
    assert position_of((0, 4999, 1, 5000), 1, 5000) == "bottom"


@pytest.mark.parametrize("place", [(1.0,), (1, 2, 3), (float("nan"), 2.0)])
def test_what_is_no_place_is_refused(place: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="place"):
        position_of(place, 10, 10)


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        ((300, 300), (320, 320)),
        ((4000, 4000), (320, 320)),
        ((1, 1), (320, 320)),
        ((640, 480), (384, 288)),
        ((480, 640), (288, 384)),
        ((1, 5000), (64, 1024)),
    ],
)
def test_known_sizes(picture: tuple[int, int], shown: tuple[int, int]) -> None:
    assert fit_size(*picture) == shown


def test_vit_patches() -> None:
    assert fit_size(700, 700, area_side=518, multiple=14) == (518, 518)


@given(
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.sampled_from([(320, 32), (518, 14), (224, 16), (64, 32), (30, 32)]),
)
def test_any_picture_gets_a_fitting_size(width: int, height: int, tower: tuple[int, int]) -> None:
    area_side, multiple = tower
    shown_width, shown_height = fit_size(width, height, area_side, multiple)
    assert shown_width % multiple == 0 and shown_height % multiple == 0
    assert min(shown_width, shown_height) >= 2 * multiple
    assert shown_width * shown_height <= max(1.3 * area_side**2, 4 * multiple**2)
    assert (shown_width >= shown_height) is (width >= height) or shown_width == shown_height
    assert fit_size(height, width, area_side, multiple) == (shown_height, shown_width)


@given(st.integers(100, 5000), st.integers(100, 5000))
def test_ordinary_pictures_keep_their_aspect_and_area(width: int, height: int) -> None:
    ratio = width / height
    shown_width, shown_height = fit_size(width, height)
    assert 0.6 * 320**2 <= shown_width * shown_height
    if 1 / 3 <= ratio <= 3:
        assert abs(np.log(shown_width / shown_height / ratio)) < 0.1


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="one pixel"):
        fit_size(0, 10)
