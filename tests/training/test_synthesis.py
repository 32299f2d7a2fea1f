"""Simulated anomalies: seen, labelled where they are, repeatable; unusual pictures: unusual, labelled normal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy import ndimage

from assistant.prompts.defects import DEFECTS
from assistant.training.noise import draw_fractal, extend_border
from assistant.training.scene import survey
from assistant.training.synthesis import KINDS, NOTICEABLE, NUISANCES, Simulated, disturb, simulate

TYPES = {"", *(defect.name for defect in DEFECTS)}


def make_part(height=160, width=200, seed=0):
    """A metal-like part with lines and holes on a plain bright ground."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), (232, 230, 226))
    pen = ImageDraw.Draw(image)
    pen.rectangle((width * 0.15, height * 0.2, width * 0.85, height * 0.8), fill=(120, 105, 84))
    for i in range(5):
        x = width * (0.25 + 0.12 * i)
        pen.line((x, height * 0.25, x, height * 0.75), fill=(190, 170, 120), width=max(1, width // 60))
    pen.ellipse((width * 0.4, height * 0.4, width * 0.55, height * 0.6), fill=(40, 38, 36))
    return np.clip(np.asarray(image) + rng.normal(0, 2, (height, width, 1)), 0, 255).astype(np.uint8)


def make_surface(height=160, width=160, seed=0):
    """A grainy grey surface without an object: all channels alike."""
    rng = np.random.default_rng(seed)
    plane = 125 + 50 * draw_fractal((height, width), rng, 12, 3) + rng.normal(0, 5, (height, width))
    return np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def make_plain(height=64, width=64, level=255):
    return np.full((height, width, 3), level, np.uint8)


def change_of(before, after):
    return np.abs(after.astype(int) - before.astype(int)).max(axis=2)


def check_simulated(before, made):
    change = change_of(before, made.pixels)
    assert made.pixels.dtype == np.uint8 and made.pixels.shape == before.shape
    assert made.mask.dtype == bool and made.mask.any() and not made.mask.all()
    assert made.kind in KINDS and made.type in TYPES
    assert change[made.mask].mean() >= 4, "visible inside the mask"
    assert (change[~made.mask] < NOTICEABLE).all(), "nothing to be noticed outside it"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [make_part, make_surface], ids=["part", "surface"])
def test_every_kind_is_visible_and_labelled_where_it_is(kind, make):
    before = make()
    kept = before.copy()
    made = [simulate(before, np.random.default_rng(seed), kind=kind) for seed in range(8)]
    for one in made:
        check_simulated(before, one)
    assert np.array_equal(before, kept), "the normal picture itself is not touched"
    assert sum(one.kind == kind for one in made) >= 7
    assert len({one.mask.sum() for one in made}) > 4, "sizes vary"


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(32, 130),
    width=st.integers(32, 130),
    kind=st.sampled_from(KINDS),
    most=st.integers(1, 4),
)
def test_any_size_and_seed(seed, height, width, kind, most):
    before = make_part(height, width, seed % 7)
    check_simulated(before, simulate(before, np.random.default_rng(seed), kind=kind, most=most))


@pytest.mark.parametrize("shape", [(32, 32), (33, 700), (900, 41), (1301, 977)])
def test_odd_sizes(shape):
    before = make_part(*shape)
    for seed, kind in enumerate(KINDS if max(shape) < 1000 else KINDS[::4]):
        check_simulated(before, simulate(before, np.random.default_rng(seed), kind=kind))
    for kind in NUISANCES:
        assert disturb(before, np.random.default_rng(1), kind=kind).pixels.shape == before.shape


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("kind", KINDS)
def test_plain_pictures_still_get_something_visible(level, kind):
    before = make_plain(level=level)
    made = simulate(before, np.random.default_rng(3), kind=kind)
    check_simulated(before, made)
    if kind in ("blur", "warp", "missing part", "misplaced part"):
        assert made.kind != kind, "there is nothing to change, and the result says what was made instead"


@pytest.mark.parametrize("kind", KINDS)
def test_grey_stays_grey(kind):
    for seed in range(3):
        made = simulate(make_surface(), np.random.default_rng(seed), kind=kind, other=make_part())
        assert (np.ptp(made.pixels, axis=2) == 0).all()


@pytest.mark.parametrize("kind", NUISANCES)
def test_unusual_pictures_are_normal(kind):
    before = make_part()
    for seed in range(4):
        made = disturb(before, np.random.default_rng(seed), kind=kind)
        assert made.kind == made.type == "" and not made.mask.any()
        assert made.pixels.dtype == np.uint8 and made.pixels.shape == before.shape
        assert np.array_equal(made.pixels, disturb(before, np.random.default_rng(seed), kind=kind).pixels)
        assert (np.ptp(disturb(make_surface(), np.random.default_rng(seed), kind=kind).pixels, axis=2) == 0).all()
    changes = [
        change_of(before, disturb(before, np.random.default_rng(seed), kind=kind).pixels) for seed in range(9)
    ]
    assert np.median([change.mean() for change in changes]) > 1


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_same_seed_same_picture(kind):
    before = make_part()
    first, second = (simulate(before, np.random.default_rng(7), kind=kind) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels) and np.array_equal(first.mask, second.mask)
    third = simulate(before, np.random.default_rng(8), kind=kind)
    assert not np.array_equal(first.pixels, third.pixels)


def test_random_kinds_sizes_and_strengths_vary():
    before = make_part()
    made = [simulate(before, np.random.default_rng(seed), most=1) for seed in range(150)]
    assert len({one.kind for one in made}) > 15
    shares = np.array([one.mask.mean() for one in made])
    assert np.quantile(shares, 0.1) < 0.004 and np.quantile(shares, 0.9) > 0.03
    strengths = np.array([change_of(before, one.pixels)[one.mask].mean() for one in made])
    assert 0.1 < (strengths < 18).mean() < 0.55 and (strengths > 40).mean() > 0.2


def test_most_bounds_the_number():
    before = make_surface(256, 256)
    single = [
        ndimage.label(simulate(before, np.random.default_rng(s), kind="dent", most=1).mask)[1] for s in range(12)
    ]
    several = [
        ndimage.label(simulate(before, np.random.default_rng(s), kind="dent", most=6).mask)[1] for s in range(12)
    ]
    assert np.mean(several) > np.mean(single) + 0.5


def test_texture_comes_from_the_other_picture():
    other = make_plain(80, 50, 0)
    other[:, :, 1] = 250
    made = [
        simulate(make_part(), np.random.default_rng(s), kind="cut paste", other=other, most=1) for s in range(9)
    ]
    red, green, blue = np.median([one.pixels[one.mask].mean(axis=0) for one in made], axis=0)
    assert green > red + 60 and green > blue + 60


def test_defects_lie_on_the_object():
    before = make_part()
    rows, columns = np.mgrid[0:160, 0:200]
    on_part = (abs(rows - 80) < 56) & (abs(columns - 100) < 78)
    made = [simulate(before, np.random.default_rng(seed), kind="hole", most=1) for seed in range(30)]
    assert np.mean([on_part[one.mask].mean() > 0.5 for one in made]) > 0.85
    assert survey(before, None).split and not survey(make_surface(), None).split


def test_a_broken_edge_takes_the_grounds_tone():
    before = make_part()
    made = [simulate(before, np.random.default_rng(seed), kind="broken edge", most=1) for seed in range(10)]
    bitten = np.concatenate([one.pixels[one.mask] for one in made if one.kind == "broken edge"])
    assert np.median(bitten.mean(axis=1)) > 200


def test_a_dent_has_a_light_and_a_dark_side():
    before = make_plain(128, 128, 128)
    for seed in range(6):
        made = simulate(before, np.random.default_rng(seed), kind="dent", most=1)
        level = made.pixels[made.mask].mean(axis=1)
        assert level.min() < 124 and level.max() > 132


def test_errors():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="unknown kind 'rust'"):
        simulate(make_part(), rng, kind="rust")
    with pytest.raises(ValueError, match="unknown kind 'scratch'"):
        disturb(make_part(), rng, kind="scratch")
    with pytest.raises(ValueError, match="most is 0"):
        simulate(make_part(), rng, most=0)
    with pytest.raises(ValueError, match="not uint8"):
        simulate(make_part().astype(np.float32), rng)
    with pytest.raises(ValueError, match="not uint8"):
        simulate(make_part(), rng, other=make_part()[:, :, 0])
    with pytest.raises(ValueError, match="too small"):
        disturb(make_plain(8, 200), rng)
    with pytest.raises(ValueError, match="needs a mask"):
        Simulated(make_plain(), np.zeros((64, 64), bool), "hole", "hole")


def test_the_extended_border_is_harmonic():
    y, x = np.mgrid[0:17, 0:23].astype(np.float32)
    plane = np.stack([x * y, x * x - y * y], axis=2)
    border = plane.copy()
    border[1:-1, 1:-1] = 99
    assert np.allclose(extend_border(border), plane, atol=0.05)
