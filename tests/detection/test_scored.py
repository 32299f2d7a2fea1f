"""Where a picture's score comes from decides what is cut out of its map."""

import numpy as np
import pytest
import torch

from assistant.detection.calibration import Calibration
from assistant.detection.scored import Scored

LIMITS = Calibration("predictive", 0.05, (0.2,), 1, float(np.log(0.2)), 0.2, 5.0)
SIZE = (160, 160)


def with_spot(ground=0.05, spot=0.05):
    found = np.full((16, 16), ground, np.float32)
    found[4:6, 8:10] = spot
    return found


def regions(shown, value, **parts):
    return Scored(torch.from_numpy(shown), value, **parts).regions(shown, LIMITS, SIZE, None)


def test_a_good_picture_has_no_region_however_hot_a_place_is():
    assert LIMITS.verdict(0.1) == "good"
    assert regions(with_spot(spot=0.9), 0.1) == ()


def test_where_the_whole_is_usual_the_place_above_the_limit_is_cut_out():
    (region,) = regions(with_spot(spot=0.6), 0.6)
    x0, y0, x1, y1 = region.box
    assert x0 < 90 < x1 and y0 < 50 < y1 and region.area_fraction < 0.1
    assert region.peak == pytest.approx(0.6, abs=0.05)


def test_a_picture_that_differs_as_a_whole_alone_is_one_region():
    scored = Scored(torch.from_numpy(with_spot()), 0.05 + 0.5, whole=0.5, usual=0.01)
    assert LIMITS.verdict(scored.value) == "defect" and scored.whole_differs(LIMITS)
    (region,) = scored.regions(with_spot(), LIMITS, SIZE, None)
    assert region.box == (0, 0, *SIZE) and region.area_fraction == pytest.approx(1.0)


def test_a_place_that_is_strange_by_itself_stays_small_where_the_whole_differs_too():
    scored = Scored(torch.from_numpy(with_spot(spot=0.6)), 0.6 + 0.5, whole=0.5, usual=0.01)
    assert not scored.whole_differs(LIMITS)
    (region,) = scored.regions(with_spot(spot=0.6), LIMITS, SIZE, None)
    assert region.area_fraction < 0.1
    assert region.peak == pytest.approx(0.6 + 0.5, abs=0.05)  # compares with the limit


def test_regions_are_those_of_the_map_that_is_shown_and_not_of_the_one_that_was_scored():
    scored = Scored(torch.from_numpy(with_spot(spot=0.6)), 0.6)
    moved = with_spot(spot=0.6)[::-1].copy()
    (region,) = scored.regions(moved, LIMITS, SIZE, None)
    assert region.box[1] > 80


def test_what_is_not_looked_at_is_in_no_region():
    found = with_spot()
    found[:, :8] = 0
    (region,) = regions(found, 0.05 + 0.5, whole=0.5)
    assert region.box[0] >= 70
