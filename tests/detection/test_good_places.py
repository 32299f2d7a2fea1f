"""Regions get the place of a good part beside them, in that part's own pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.dictionary import Dictionary
from assistant.detection.good_places import place_beside
from assistant.inspection import GoodPlace, Inspection, Region


class Parts:
    """What placing asks a product for."""

    def __init__(self, grids, sizes, kept):
        self.dictionary = Dictionary.build(grids)
        self.references = [Part(i, *size) for i, size in sizes.items()]
        self.pictures = dict.fromkeys(kept)
        self.registration = None


class Part:
    def __init__(self, id, width, height):
        self.id, self.name, self.digest, self.width, self.height = id, f"{id}.png", f"d{id}", width, height


def region(box):
    return Region("R1", box, 100, 0.01, 0.5, "center", "slight")


def grid(seed):
    return normalize(torch.randn(20, 20, 24, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_the_box_is_in_the_pixels_of_the_reference():
    parts = Parts({4: grid(1), 7: grid(2)}, {4: (400, 200), 7: (1000, 500)}, (4, 7))
    moved = torch.roll(grid(2), (-1, -2), dims=(0, 1))
    [placed] = place_beside([region((50, 50, 70, 90))], moved, parts, (200, 200), None)
    place = placed.reference
    assert (place.id, place.name, place.digest) == (7, "7.png", "d7")
    assert place.moved == (100, 25)  # two of 20 cells in 1000 pixels, one in 500
    assert place.box == (350, 150, 450, 250)
    assert place.distance < 0.01 and replace(placed, reference=None) == region((50, 50, 70, 90))


def test_a_reference_whose_picture_is_gone_is_not_chosen():
    parts = Parts({0: grid(1), 1: grid(2)}, {0: (200, 200), 1: (200, 200)}, (0,))
    [placed] = place_beside([region((50, 50, 70, 90))], grid(2), parts, (200, 200), None)
    assert placed.reference.id == 0


@pytest.mark.parametrize("size", [(1, 1), (7, 900), (3000, 40)])
def test_boxes_of_any_picture_lie_on_the_reference(size):
    parts = Parts({0: grid(1)}, {0: (33, 21)}, (0,))
    for box in ((0, 0, 1, 1), (0, 0, *size), (size[0] - 1, size[1] - 1, *size)):
        [placed] = place_beside([region(box)], grid(3), parts, size, None)
        x0, y0, x1, y1 = placed.reference.box
        assert 0 <= x0 < x1 <= 33 and 0 <= y0 < y1 <= 21


def test_a_region_of_a_product_names_the_good_part_that_it_was_made_of(inspector, good, planted):
    references = [good(i) for i in range(3)]
    product = inspector.learn("cloth", references)
    spoiled, _ = planted(references[1], 0.6, 0.4)
    found = inspector.inspect(spoiled, product)
    assert found.regions
    for one in found.regions:
        assert one.reference.id == 1 and one.reference.moved == (0, 0) and one.reference.box == one.box
        assert one.reference.digest == product.references[1].digest
    assert Inspection.from_json(found.to_json()).regions == found.regions


def test_without_a_product_or_places_there_is_none(inspector, good, planted):
    spoiled, _ = planted(good(5), 0.6, 0.4)
    alone = inspector.inspect(spoiled)
    together = list(inspector.inspect([good(1), good(2), good(3), spoiled], mode="mutual"))
    turned = inspector.inspect(spoiled, inspector.learn("cloth", [good(1), good(2)], views="turns"))
    for row in (alone, *together, turned):
        assert all(one.reference is None for one in row.regions)
    assert alone.regions and turned.regions


def test_rows_from_before_there_were_references_are_read():
    row = Inspection(
        "a.png", mode="few-shot", score=1.0, p_value=0.1, threshold=0.5, review_threshold=0.4, verdict="defect",
        regions=(region((1, 2, 3, 4)),), width=9, height=9,
    ).to_dict()  # fmt: skip
    del row["regions"][0]["reference"]
    assert Inspection.from_dict(row).regions == (region((1, 2, 3, 4)),)


@pytest.mark.parametrize("changes", [{"box": (3, 0, 3, 4)}, {"box": (-1, 0, 3, 4)}, {"distance": np.nan}])
def test_a_place_that_makes_no_sense_is_refused(changes):
    with pytest.raises(ValueError, match="reference 3"):
        GoodPlace(**{"id": 3, "name": "a", "digest": "", "box": (0, 0, 1, 1), "distance": 0.1, **changes})
