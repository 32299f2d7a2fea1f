"""Changed views: which they are, that they keep every pixel or nearly so, and that nothing is random."""

import numpy as np
import pytest

from assistant.errors import ProductError
from assistant.images.views import jittered_views, memory_views


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def same(views, expected):
    return {v.tobytes() + bytes(v.shape) for v in views} == {v.tobytes() + bytes(v.shape) for v in expected}


def test_the_picture_itself_comes_first(pixels):
    for views in ("plain", "flips", "turns"):
        assert np.array_equal(memory_views(pixels, views)[0], pixels)
    assert len(memory_views(pixels, "plain")) == 1


def test_flips_are_the_four_mirrorings(pixels):
    expected = [pixels, np.fliplr(pixels), np.flipud(pixels), np.rot90(pixels, 2)]
    views = memory_views(pixels, "flips")
    assert len(views) == 4 and same(views, expected)


def test_turns_are_the_eight_ways_to_lay_it_down(pixels):
    quarter = [np.rot90(pixels, k) for k in range(4)]
    expected = quarter + [np.fliplr(v) for v in quarter]
    views = memory_views(pixels, "turns")
    assert len(views) == 8 and same(views, expected)
    assert len({v.tobytes() for v in views}) == 8


@pytest.mark.parametrize("views", ["", "all", "Plain", None])
def test_other_views_are_refused_in_one_sentence(pixels, views):
    with pytest.raises(ProductError, match="plain, flips and turns"):
        memory_views(pixels, views)


@pytest.mark.parametrize("shape", [(60, 90), (1, 1), (1, 200), (3, 3), (97, 31)])
def test_jittered_views_have_the_size_of_the_picture(shape):
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    views = jittered_views(pixels)
    assert len(views) == 4
    assert all(v.shape == pixels.shape and v.dtype == np.uint8 for v in views)


def test_jittered_views_are_close_to_the_picture_but_not_the_same(good):
    pixels = good(0, 120, 80)
    views = jittered_views(pixels)
    for view in views:
        assert not np.array_equal(view, pixels)
        assert abs(float(view.mean()) - float(pixels.mean())) < 0.08 * float(pixels.mean())
    assert len({v.tobytes() for v in views}) == 4


def test_no_black_border_comes_in():
    pale = np.full((50, 70, 3), 200, dtype=np.uint8)
    assert all(v.min() >= 185 for v in jittered_views(pale))


def test_nothing_is_random(good):
    first, second = jittered_views(good(3)), jittered_views(good(3))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
