"""Where a picture's score comes from decides what is cut out of its map."""

import numpy as np
import pytest

from assistant.detection.calibration import Calibration
from assistant.detection.scored import Scored

LIMITS = Calibration("predictive", 0.05, (0.2,), 1, float(np.log(0.2)), 0.2, 5.0)
SIZE = (160, 160)


def with_spot(ground=0.05, spot=0.05):
    found = np.full((16, 16), ground, np.float32)
    found[4:6, 8:10] = spot
    return found


def test_a_good_picture_has_no_region_however_hot_a_place_is():
    assert LIMITS.verdict(0.1) == "good"
    assert Scored(0.1).regions(with_spot(spot=0.9), LIMITS, SIZE, None) == ()


def test_without_a_lift_the_place_above_the_limit_is_cut_out():
    (region,) = Scored(0.6).regions(with_spot(spot=0.6), LIMITS, SIZE, None)
    x0, y0, x1, y1 = region.box
    assert x0 < 90 < x1 and y0 < 50 < y1 and region.area_fraction < 0.1
    assert region.peak == pytest.approx(0.6, abs=0.05)


def test_a_picture_that_differs_as_a_whole_alone_is_one_region():
    score = Scored(0.05 + 0.5, lift=0.5, usual=0.01)
    assert LIMITS.verdict(score.value) == "defect" and score.whole_differs(LIMITS)
    (region,) = score.regions(with_spot(), LIMITS, SIZE, None)
    assert region.box == (0, 0, *SIZE) and region.area_fraction == pytest.approx(1.0)


def test_a_place_that_is_strange_by_itself_stays_small_where_the_whole_differs_too():
    score = Scored(0.6 + 0.5, lift=0.5, usual=0.01)
    assert not score.whole_differs(LIMITS)
    (region,) = score.regions(with_spot(spot=0.6), LIMITS, SIZE, None)
    assert region.area_fraction < 0.1
    assert region.peak == pytest.approx(0.6 + 0.5, abs=0.05)  # compares with the limit


def test_what_is_not_looked_at_is_in_no_region():
    found = with_spot()
    found[:, :8] = 0
    (region,) = Scored(0.05 + 0.5, lift=0.5).regions(found, LIMITS, SIZE, None)
    assert region.box[0] >= 70
