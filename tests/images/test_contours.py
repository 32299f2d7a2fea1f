"""A place is found again by its box and its size: the cells that it was cut out of, and the line around them."""

import numpy as np
import pytest
from scipy import ndimage

from assistant.detection.regions import find_regions
from assistant.images.contours import find_place, grid_size, join_rings, ring_area

pycocotools = pytest.importorskip("pycocotools.mask")


def rough(seed):
    """A map of soft hills, and a picture's size."""
    rng = np.random.default_rng(seed)
    coarse = ndimage.gaussian_filter(rng.random(rng.integers(8, 48, 2)).astype(np.float32), 1.5)
    return (coarse / coarse.max()).astype(np.float32), *(int(side) for side in rng.integers(30, 2500, 2))


def found(coarse, width, height, share=0.93):
    return find_regions(coarse, float(np.quantile(coarse, share)), width, height, lambda peak: 0.01)


def drawn(polygon, width, height):
    """A polygon as another program fills it."""
    rows = pycocotools.frPyObjects([polygon.ravel().tolist()], height, width)
    return pycocotools.decode(pycocotools.merge(rows)).astype(bool)


@pytest.mark.parametrize("half", [False, True], ids=["as judged", "as kept in a history"])
@pytest.mark.parametrize("seed", range(12))
def test_each_region_gets_its_shape_back(seed, half):
    coarse, width, height = rough(seed)
    kept = (coarse.astype("<f2")).astype(np.float32) if half else coarse
    regions = found(coarse, width, height)
    assert regions
    for region in regions:
        place = find_place(kept, region.box, region.area_fraction, width, height)
        mask = place.mask(width, height)
        rows, columns = np.nonzero(mask)
        box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        near = 2 * max(width, height) / 768 + 1 if half else 1 + max(width, height) / 768
        assert np.abs(np.array(box) - region.box).max() <= near
        assert mask.sum() == pytest.approx(region.area, rel=0.06)
        line = join_rings(place.rings)
        assert ring_area(line) == pytest.approx(region.area, rel=0.07)
        shown = drawn(line, width, height)
        assert (shown & mask).sum() / (shown | mask).sum() > 0.8


def test_the_cells_are_those_that_the_region_was_cut_out_of():
    coarse = np.zeros((10, 10), np.float32)
    coarse[2:4, 3:6] = 1.0
    (region,) = find_regions(coarse, 0.5, 10, 10, lambda peak: 0.01)
    place = find_place(coarse, region.box, region.area_fraction, 10, 10)
    expected = np.zeros((10, 10), bool)
    expected[2:4, 3:6] = True
    assert (place.mask(10, 10) == expected).all() and region.box == (3, 2, 6, 4)


def test_a_ring_keeps_its_hole_in_mask_and_line():
    rows, columns = np.mgrid[:40, :40]
    away = np.hypot(rows - 19.5, columns - 19.5)
    coarse = np.exp(-((away - 11) ** 2) / 8).astype(np.float32)
    (region,) = find_regions(coarse, 0.6, 400, 400, lambda peak: 0.01)
    place = find_place(coarse, region.box, region.area_fraction, 400, 400)
    mask = place.mask(400, 400)
    assert not mask[200, 200] and len(place.rings) == 2
    shown = drawn(join_rings(place.rings), 400, 400)
    assert not shown[200, 200] and (shown & mask).sum() / (shown | mask).sum() > 0.95


def test_what_is_touched_with_a_corner_alone_is_left_out_as_the_region_leaves_it_out():
    coarse = np.zeros((40, 40), np.float32)
    coarse[10:20, 10:20] = 1.0
    coarse[20:30, 20:30] = 0.9  # above the extent of the limit, and nowhere above the limit
    (region,) = find_regions(coarse, 0.95, 40, 40, lambda peak: 0.01)
    assert region.box == (10, 10, 20, 20)
    place = find_place(coarse, region.box, region.area_fraction, 40, 40)
    assert place is not None and place.mask(40, 40).sum() == region.area
    assert ring_area(join_rings(place.rings)) == pytest.approx(region.area, rel=0.2)


def test_a_place_that_reaches_the_edge_is_drawn_to_the_edge():
    coarse = np.zeros((20, 20), np.float32)
    coarse[:6, :6] = 1.0
    (region,) = find_regions(coarse, 0.5, 200, 100, lambda peak: 0.01)
    line = join_rings(find_place(coarse, region.box, region.area_fraction, 200, 100).rings)
    assert line.min() == 0 and (line >= 0).all() and (line <= (200, 100)).all()


def test_a_whole_picture_is_a_rectangle():
    coarse = np.linspace(0.5, 1, 64, dtype=np.float32).reshape(8, 8)
    place = find_place(coarse, (0, 0, 300, 200), 1.0, 300, 200)
    assert place.mask(300, 200).all() and ring_area(join_rings(place.rings)) == 300 * 200


def test_what_is_looked_at_is_a_place_where_all_of_it_differs():
    coarse = np.zeros((16, 16), np.float32)
    coarse[4:12, 4:12] = np.random.default_rng(0).random((8, 8)) + 0.1
    level = np.where(coarse > 0, np.maximum(coarse, 3), 0).astype(np.float32)
    (region,) = find_regions(level, 2.9, 320, 320, lambda peak: 0.01)
    place = find_place(coarse, region.box, region.area_fraction, 320, 320)
    assert place is not None and place.mask(320, 320).sum() == pytest.approx(region.area, rel=0.05)


def test_a_box_that_no_level_of_the_map_makes_has_no_place():
    coarse, width, height = rough(3)
    assert find_place(coarse, (5, 5, 9, 9), 16 / (width * height), width, height) is None
    flat = np.full((8, 8), 0.3, np.float32)
    assert find_place(flat, (10, 10, 40, 40), 0.09, 100, 100) is None


def test_the_grid_is_never_finer_than_the_picture():
    assert (
        grid_size(100, 40) == (100, 40) and grid_size(1536, 300) == (768, 150) and grid_size(5000, 1) == (768, 1)
    )
