"""Zones: how they are written, what is refused, and where they lie in a picture of another size or pose."""

import numpy as np
import pytest

from assistant.errors import ProductError
from assistant.images.pose import Pose
from assistant.images.zones import Zone, read_zones


def test_a_zone_is_written_as_a_box_or_by_its_corners():
    box = Zone.read("top pins = 8@40,60,300.5,200")
    assert (box.name, box.expected, box.outline) == ("top pins", 8, (40.0, 60.0, 300.5, 200.0))
    ring = Zone.read("a=b=3@0,0,50,0,25,40")
    assert ring.name == "a=b" and ring.bounds == (0, 0, 50, 40)
    inside = ring.inside()
    assert inside[0].mean() > 0.9 and inside[-1].mean() < 0.2


@pytest.mark.parametrize(
    "text",
    ["pins", "pins=8", "pins=8@1,2,3", "pins=x@0,0,50,50", "=8@0,0,50,50", "pins=0@0,0,50,50", "pins=8@50,0,9,50",
     "pins=8@0,0,4,50", "pins=8@0,0,nan,50", "pins=501@0,0,50,50", "pins=2@0,0,50,50,9"],
)  # fmt: skip
def test_what_is_no_zone_is_one_sentence(text):
    with pytest.raises(ProductError, match=r"\.$"):
        Zone.read(text)


def test_several_zones_have_names_of_their_own():
    two = read_zones(["a=1@0,0,20,20; b=2@0,0,30,30", Zone("c", 3, (0, 0, 40, 40))])
    assert [zone.name for zone in two] == ["a", "b", "c"]
    with pytest.raises(ProductError, match="same name"):
        read_zones("a=1@0,0,20,20;a=2@0,0,30,30")


def test_a_zone_lies_alike_in_a_larger_picture_and_on_a_turned_part():
    zone = Zone("a", 1, (20, 10, 60, 40))
    larger = zone.seen_from(None, (200, 160), (100, 80), None)
    assert np.allclose(larger.matrix @ [40, 20, 1], [0, 0]) and larger.frame == (40, 30)
    home, pose = Pose((50, 50), 0.0, 1.0, (-10, -5)), Pose((50, 50), 90.0, 1.0, (60, 0))
    turned = zone.seen_from(pose, (100, 80), (100, 80), home)
    there = pose.inverse @ [*(home.matrix @ [20, 10, 1]), 1]  # the same place of the part
    assert np.allclose(turned.matrix @ [*there, 1], [0, 0])
