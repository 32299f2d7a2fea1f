"""Pictures that show nothing, something else, or too little: what is said of them, and what is never good."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from assistant.detection.suitability import Look, evenness, find_faults
from assistant.images.load import load_image
from assistant.inspection import NOTHING_SHOWN

GRID = (40, 40)


@dataclass(frozen=True)
class Part:
    name: str = "a.png"
    digest: str = "d"
    width: int = 400
    height: int = 300
    distance: float | None = 0.05
    even: bool = False


@dataclass(frozen=True)
class Defect:
    label: str
    extent: float


class Known:
    def __init__(self, *defects):
        self.defects = defects


class Parts:
    def __init__(self, *references, tiles=1, known=None):
        self.references, self.tiles, self.known = references, tiles, known or Known()


USUAL = Parts(Part(), Part("b.png", "e"))
CLEAR = Look("x", "")


def faults(look=CLEAR, size=(400, 300), grid=GRID, distance=0.06, product=USUAL):
    return find_faults(look, size, grid, distance, product)


def grain(level, spread, shape=(240, 320, 3)):
    values = np.random.default_rng(3).normal(level, spread, shape)
    return values.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("pixels", "even"),
    [
        (grain(4, 4), "dark"),
        (np.full((50, 70, 3), 255, np.uint8), "white"),
        (grain(128, 6), "of one colour"),
        (np.full((1, 1, 3), 90, np.uint8), "of one colour"),
        (np.repeat(np.linspace(60, 120, 300).astype(np.uint8)[None], 200, 0)[..., None].repeat(3, 2), ""),
    ],
)
def test_pictures_without_anything_to_see_are_told_by_their_colour(pixels, even):
    assert evenness(pixels) == even
    said = faults(Look("x", even))
    assert bool(said) == bool(even) and all(s.startswith(NOTHING_SHOWN) and even in s for s in said)


def test_a_product_whose_references_are_even_may_be_so():
    assert faults(Look("x", "dark"), product=Parts(Part(even=True))) == ()
    assert faults(Look("x", "dark"), product=None) != ()


def test_a_picture_smaller_than_the_grid_shows_nothing():
    (said,) = faults(size=(39, 400), product=Parts(Part(width=39, height=400)))
    assert said.startswith(NOTHING_SHOWN) and "39 x 400" in said and "40 x 40" in said
    assert faults(size=(40, 40), product=Parts(Part(width=40, height=40))) == ()


@pytest.mark.parametrize(("size", "word"), [((400, 200), "shape"), ((900, 675), "size"), ((160, 120), "size")])
def test_another_shape_or_size_than_all_references_is_told(size, word):
    (said,) = faults(size=size)
    assert f"another {word}" in said and "400 x 300" in said
    assert faults(size=(430, 300)) == ()
    mixed = Parts(Part(), Part(width=size[0], height=size[1]))
    assert faults(size=size, product=mixed) == () and faults(size=size, product=Parts(Part(width=0))) == ()


def test_one_of_the_references_itself_is_named():
    (said,) = faults(Look("e", ""))
    assert "b.png" in said and not said.startswith(NOTHING_SHOWN)


def test_a_picture_as_far_as_another_product_shows_nothing_of_this_one():
    assert faults(distance=0.19) == ()
    assert [s.startswith(NOTHING_SHOWN) for s in faults(distance=0.21)] == [True]
    assert faults(distance=0.3, product=Parts(Part(distance=0.2))) == ()
    assert len(faults(distance=0.46, product=Parts(Part(distance=0.2)))) == 1
    assert faults(distance=0.9, product=Parts(Part(distance=None))) == ()


def test_a_known_defect_smaller_than_a_patch_asks_for_tiles():
    known = Known(Defect("scratch", 0.02), Defect("dent", 0.3), Defect("anything", 0.0))
    parts = Parts(Part(width=3840, height=2160), known=known)
    (said,) = faults(size=(3840, 2160), product=parts)
    assert "--tiles 2" in said and "'scratch'" in said and "72 pixels" in said and "58" in said
    fine = Parts(*parts.references, tiles=2, known=known)
    assert faults(size=(3840, 2160), grid=(70, 70), product=fine) == ()
    tiny = Parts(*parts.references, known=Known(Defect("scratch", 0.002)))
    assert "--tiles 4" in faults(size=(3840, 2160), product=tiny)[0]


def test_what_shows_nothing_is_never_good(inspector, good):
    product = inspector.learn("cloth", [good(i) for i in range(4)])
    assert inspector.inspect(good(9), product).notices == ()
    generous = replace(
        product, calibration=replace(product.calibration, scores=(90.0, 91.0, 92.0, 93.0), center=4.5)
    ).sealed()
    for pixels in (grain(4, 2), np.full((2, 2, 3), 200, np.uint8), np.full((90, 90, 3), 255, np.uint8)):
        row = inspector.inspect(pixels, generous)
        assert row.score < row.review_threshold and row.verdict == "review"
        assert any(notice.startswith(NOTHING_SHOWN) for notice in row.notices)
        assert "not called good" in inspector.ask(row, "Why?").text
    clear = np.zeros((200, 200, 4), np.uint8)
    assert inspector.inspect(clear, generous).verdict == "review"
    seen = inspector.inspect(load_image(good(0)).pixels, generous)
    assert seen.verdict == "good" and "one of the references itself" in seen.notices[0]
