"""Regions: where the map is above the limit, as large as it is, in order, inside the picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assistant.detection.regions import EXTENT, MOST, find_regions, judge_severity
from assistant.images.geometry import to_picture
from assistant.inspection import DefectType


def common(peak):
    return 0.5


@pytest.fixture
def two_blobs():
    """Two blocks on a grid of 20 x 40: the stronger one of 3 x 4 cells, the other one of 5 x 2."""
    coarse = np.full((20, 40), 0.1, dtype=np.float32)
    coarse[12:15, 30:34] = 0.9
    coarse[3:8, 5:7] = 0.6
    return coarse


def test_two_blobs_give_two_regions_in_their_places_from_the_highest_peak_down(two_blobs):
    first, second = find_regions(two_blobs, 0.35, 800, 400, common)
    assert (first.id, second.id) == ("R1", "R2")
    assert first.peak == pytest.approx(0.9) and second.peak == pytest.approx(0.6)
    for region, box in ((first, (600, 240, 680, 300)), (second, (100, 60, 140, 160))):
        assert np.abs(np.array(region.box) - box).max() <= 20  # one cell
        cells = (box[2] - box[0]) * (box[3] - box[1]) / 400
        rim = 2 * (box[2] - box[0] + box[3] - box[1]) / 20
        assert abs(region.area / 400 - cells) <= rim / 2
        assert region.area_fraction == pytest.approx(region.area / (800 * 400), abs=1e-5)
    assert (first.position, second.position) == ("bottom right", "top left")


@pytest.mark.parametrize(("width", "height"), [(800, 400), (97, 301), (3000, 1000), (40, 20)])
def test_regions_agree_with_the_full_map(two_blobs, width, height):
    full = to_picture(two_blobs, width, height) > EXTENT * 0.35
    for region in find_regions(two_blobs, 0.35, width, height, common):
        x0, y0, x1, y1 = region.box
        inside = full[y0:y1, x0:x1].sum()
        assert inside == pytest.approx(region.area, rel=0.1, abs=3)
    boxes = np.zeros_like(full)
    for x0, y0, x1, y1 in (r.box for r in find_regions(two_blobs, 0.35, width, height, common)):
        boxes[y0:y1, x0:x1] = True
    assert (full & ~boxes).sum() <= 0.01 * full.sum()


def test_a_limit_above_everything_gives_none(two_blobs):
    assert find_regions(two_blobs, 0.9, 800, 400, common) == ()
    assert find_regions(two_blobs, 5.0, 800, 400, common) == ()


def test_a_limit_below_everything_gives_the_whole_picture(two_blobs):
    (whole,) = find_regions(two_blobs, 0.05, 97, 301, common)
    assert whole.box == (0, 0, 97, 301) and whole.area == 97 * 301 and whole.area_fraction == 1.0
    assert (whole.position, whole.severity) == ("center", "severe")


def test_a_region_reaches_over_a_dip_and_starts_only_above_the_limit():
    coarse = np.full((20, 40), 0.1, dtype=np.float32)
    coarse[10, 5:12] = (0.6, 0.6, 0.6, 0.46, 0.6, 0.6, 0.6)
    coarse[4:8, 25:30] = 0.46
    (one,) = find_regions(coarse, 0.5, 400, 200, common)
    assert one.box[0] <= 60 and one.box[2] >= 110 and one.position == "left"
    coarse[10, 8] = 0.3
    assert len(find_regions(coarse, 0.5, 400, 200, common)) == 2


def test_corners_that_touch_are_one_region():
    coarse = np.zeros((32, 32), dtype=np.float32)
    coarse[8:12, 8:12] = coarse[12:16, 12:16] = 1.0
    assert len(find_regions(coarse, 0.2, 32, 32, common)) == 1


def test_specks_are_dropped_unless_there_is_nothing_else():
    coarse = np.zeros((64, 64), dtype=np.float32)
    coarse[50:54, 50:54] = 0.5
    coarse[5, 5] = 0.5005
    limit = 0.4999
    both = find_regions(coarse, limit, 768, 768, common)
    assert len(both) == 1 and both[0].id == "R1" and both[0].position == "bottom right"
    coarse[50:54, 50:54] = 0.0
    assert [r.position for r in find_regions(coarse, limit, 768, 768, common)] == ["top left"]


@pytest.mark.parametrize(("width", "height"), [(160, 160), (3, 3), (97, 301), (10, 7), (1, 5000)])
def test_a_cell_above_the_limit_always_has_a_region(width, height):
    coarse = np.zeros((8, 8), dtype=np.float32)
    coarse[4, 4] = 0.3
    (region,) = find_regions(coarse, 0.2999, width, height, common)
    x0, y0, x1, y1 = region.box
    assert x0 <= 4.5 * width / 8 + 1 and x1 >= 4.5 * width / 8 - 1
    assert y0 <= 4.5 * height / 8 + height / 768 + 1 and y1 >= 4.5 * height / 8 - height / 768 - 1
    assert region.peak <= 0.3


def test_at_most_so_many_regions_and_the_highest_ones():
    coarse = np.zeros((40, 40), dtype=np.float32)
    peaks = iter(np.linspace(0.5, 0.9, 100))
    for y in range(2, 40, 4):
        for x in range(2, 40, 4):
            coarse[y, x] = next(peaks)
    found = find_regions(coarse, 0.2, 400, 400, common)
    assert len(found) == MOST
    assert [r.id for r in found] == [f"R{i}" for i in range(1, MOST + 1)]
    assert [r.peak for r in found] == sorted((r.peak for r in found), reverse=True)
    assert min(r.peak for r in found) > 0.755  # the seventeenth, after resizing, is at 0.754


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.floats(0, 1, width=32)),
    st.integers(1, 2000),
    st.integers(1, 2000),
    st.floats(0, 1),
)
def test_boxes_lie_inside_the_picture_and_hold_their_areas(coarse, width, height, limit):
    found = find_regions(coarse, limit, width, height, common)
    assert bool(found) == bool(coarse.max() > limit)
    for region in found:
        x0, y0, x1, y1 = region.box
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        assert 0 < region.area <= width * height and 0 < region.area_fraction <= 1
        assert region.peak <= coarse.max()


@pytest.mark.parametrize(("width", "height"), [(1, 5000), (5000, 1), (1, 1)])
def test_a_strip_of_one_pixel_has_its_regions_inside(width, height):
    coarse = np.zeros((2, 32) if width > height else (32, 2), dtype=np.float32)
    coarse.ravel()[40:44] = 1.0
    for region in find_regions(coarse, 0.5, width, height, common):
        x0, y0, x1, y1 = region.box
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height


@pytest.mark.parametrize(
    ("p", "fraction", "severity"),
    [
        (0.5, 0.001, "slight"),
        (0.01, 0.0099, "slight"),
        (0.0099, 0.0001, "moderate"),
        (0.0001, 0.0099, "moderate"),
        (0.5, 0.01, "moderate"),
        (0.001, 0.02, "moderate"),
        (0.00099, 0.01, "severe"),
        (0.5, 0.05, "severe"),
        (1.0, 1.0, "severe"),
    ],
)
def test_severity_follows_its_rule(p, fraction, severity):
    assert judge_severity(p, fraction) == severity


def test_the_p_value_of_the_peak_decides_the_severity(two_blobs):
    first, second = find_regions(two_blobs, 0.35, 800, 400, lambda peak: 1e-4 if peak > 0.8 else 0.5)
    assert (first.severity, second.severity) == ("severe", "moderate")


def test_types_are_asked_for_with_the_cells_of_the_region(two_blobs):
    asked = []

    def types(mask):
        asked.append(mask)
        return (DefectType("scratch", 0.5),)

    found = find_regions(two_blobs, 0.35, 800, 400, common, types)
    assert [r.defect_types for r in found] == [(DefectType("scratch", 0.5),)] * 2
    for mask, block in zip(asked, (np.s_[12:15, 30:34], np.s_[3:8, 5:7]), strict=True):
        assert mask.shape == two_blobs.shape and mask[block].all()
        rows, columns = mask.nonzero()
        assert rows.min() >= block[0].start - 1 and rows.max() <= block[0].stop
        assert columns.min() >= block[1].start - 1 and columns.max() <= block[1].stop
