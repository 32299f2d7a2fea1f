"""Alike things are counted in the way that references show, in changing light, and not where no way holds."""

import numpy as np
import pytest

from assistant.detection.counted import view_of
from assistant.detection.things import find_way
from assistant.eval.research.counted_drawn import HIGH, SCENES, WIDE, draw_scene
from assistant.images.zones import Zone


def shown(zone, pixels):
    return view_of(zone, zone.seen_from(None, (WIDE, HIGH), (WIDE, HIGH), None), pixels)


@pytest.mark.parametrize("name", ["blister", "loose pills", "holes", "screws"])
def test_one_too_few_and_one_too_many_are_counted(name):
    expected, box = SCENES[name]
    zone, random = Zone(name, expected, box), np.random.default_rng(40)
    way = find_way([shown(zone, draw_scene(name, random)) for _ in range(3)], expected)
    for more in (0, -1, 1):
        found = [way.find(shown(zone, draw_scene(name, random, more))) for _ in range(4)]
        sure = [one for one in found if one.sure]
        assert len(sure) >= 2 and all(one.count == expected + more == len(one.boxes) for one in sure)


def test_things_that_touch_come_apart_or_are_told_as_doubtful():
    expected, box = SCENES["touching pills"]
    zone, random = Zone("pills", expected, box), np.random.default_rng(41)
    way = find_way([shown(zone, draw_scene("touching pills", random)) for _ in range(3)], expected)
    assert way.kind.core > 0
    found = [way.find(shown(zone, draw_scene("touching pills", random, -1))) for _ in range(4)]
    assert all(one.count == expected - 1 for one in found if one.sure)


def test_another_number_than_the_references_show_has_no_way():
    expected, box = SCENES["holes"]
    random = np.random.default_rng(42)
    pictures = [draw_scene("holes", random) for _ in range(2)] + [draw_scene("holes", random, -1)]
    zone = Zone("holes", expected, box)
    assert find_way([shown(zone, pixels) for pixels in pictures], expected) is None
    assert find_way([shown(zone, pixels) for pixels in pictures[:2]], expected + 1) is None


def test_noise_shows_no_number():
    random = np.random.default_rng(43)
    zone = Zone("noise", 5, (0, 0, 120, 90))
    noise = [random.integers(90, 160, (90, 120, 3), dtype=np.uint8) for _ in range(3)]
    views = [view_of(zone, zone.seen_from(None, (120, 90), (120, 90), None), one) for one in noise]
    assert find_way(views, 5) is None
