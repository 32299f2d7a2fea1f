"""What a large model is shown: the right pictures, in the right order, never too large or too thin."""

from dataclasses import replace

import numpy as np
import pytest

from assistant.inspection import GoodPlace, Inspection, Region
from assistant.language.captioned_pictures import CROPS, MOST, NARROWEST, show
from assistant.language.explainer import Subject
from assistant.products.pairs import Pair


def region(n, box):
    return Region(f"R{n}", box, 100, 0.01, 9.0 - n, "center", "severe")


def inspection(width, height, regions=(), path="part.png"):
    return Inspection(
        path=path,
        mode="zero-shot",
        score=9.0,
        p_value=0.001,
        threshold=5.0,
        review_threshold=4.0,
        verdict="defect",
        regions=tuple(regions),
        width=width,
        height=height,
    )


def subject(pixels, *boxes, reference=None, **how):
    found = inspection(pixels.shape[1], pixels.shape[0], [region(n, box) for n, box in enumerate(boxes, 1)], **how)
    return Subject(found, pixels, reference)


@pytest.fixture
def pixels(good):
    return good(1, 1200, 900)


def test_one_inspection_is_shown_whole_boxed_compared_and_enlarged(pixels, good):
    boxes = [(100 * n, 50, 100 * n + 60, 90) for n in range(1, 6)]
    views = show((subject(pixels, *boxes, reference=good(2)),), side=600)
    captions = [caption for caption, _ in views]
    assert len(views) == 3 + CROPS
    assert "inspected" in captions[0] and "boxed" in captions[1] and "good part" in captions[2]
    assert ["[R1]" in captions[3], "[R2]" in captions[4], "[R3]" in captions[5]] == [True] * 3
    assert all(picture.mode == "RGB" and max(picture.size) <= 600 for _, picture in views)
    assert views[0][1].size == (600, 450) and views[2][1].size == (160, 160)
    assert np.abs(np.asarray(views[0][1], float) - np.asarray(views[1][1], float)).max() > 100


def test_a_region_is_cut_out_at_full_resolution(pixels):
    x0, y0, x1, y1 = box = (700, 300, 820, 380)
    pixels[y0:y1, x0:x1] = (255, 0, 0)
    (_, cut) = show((subject(pixels, box),), side=600)[-1]
    seen = np.asarray(cut)
    red = (seen == (255, 0, 0)).all(axis=2)
    assert cut.size == (240, 240) and red.sum() == 120 * 80  # twice the longer side, not one pixel scaled
    ys, xs = np.nonzero(red)
    assert abs(xs.mean() - 120) < 2 and abs(ys.mean() - 120) < 2


def test_a_region_in_a_corner_is_cut_inside_the_picture_and_a_small_one_enlarged(pixels):
    pixels[:8, :8] = 255
    (_, cut) = show((subject(pixels, (0, 0, 8, 8)),))[-1]
    assert cut.size == (224, 224) and np.asarray(cut)[5, 5].min() > 240 and np.asarray(cut)[100, 100].min() < 240


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (3, 5)])
def test_tiny_pictures_and_strips_are_padded(good, size):
    for _, picture in show((subject(good(1, *size), (0, 0, 1, 1)),), side=500):
        assert min(picture.size) >= NARROWEST and max(picture.size) <= 500


def test_several_inspections_are_shown_boxed_once_each_and_not_without_end(good):
    many = tuple(subject(good(n), (10, 10, 40, 40), path=f"/secret/part{n}.png") for n in range(MOST + 2))
    views = show(many)
    assert len(views) == MOST
    assert (
        'Picture 2, "part1.png"' in views[1][0] and "secret" not in views[1][0] and "1 region boxed" in views[1][0]
    )


def test_what_has_no_picture_is_not_shown(good):
    assert show((Subject(inspection(10, 10)),)) == []
    assert show((Subject(Inspection("x", "error", "It is gone."), good(1)),)) == []
    assert len(show((Subject(inspection(10, 10)), subject(good(1))))) == 1


def test_a_picture_of_another_inspection_is_a_mistake(good):
    with pytest.raises(ValueError, match="not the one"):
        show((Subject(inspection(10, 10), good(1)),))
    with pytest.raises(ValueError, match="shows nothing"):
        show((subject(good(1)),), side=5)


def test_a_region_with_a_counterpart_is_shown_beside_it(pixels, good):
    boxes = [(100, 50, 160, 90), (700, 300, 820, 380)]
    place = GoodPlace(0, "good.png", "d", boxes[0], 0.4)
    crop = good(3, 60, 40)
    pair = Pair("R1", place, crop, good(4, 60, 40), np.ones((40, 60), np.float32), 32, (15, 10, 45, 30))
    beside = show((replace(subject(pixels, *boxes), pairs=(pair,)),), side=900)
    alone = show((subject(pixels, *boxes),), side=900)
    assert len(beside) == len(alone) == 4  # in place of the crop: no further picture takes room
    assert "[R1]" in beside[2][0] and "good part" in beside[2][0] and "good part" not in beside[3][0]
    assert beside[2][1].width > 2.5 * beside[2][1].height
    assert np.array_equal(np.asarray(beside[3][1]), np.asarray(alone[3][1]))
