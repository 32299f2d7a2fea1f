"""The shapes of regions, and what `supervision` gets of them."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from assistant.detection.regions import find_regions
from assistant.errors import LooktwiceError
from assistant.inspection import DefectType, Evidence, Inspection
from assistant.outlines import category_of, outlines_of

WIDTH, HEIGHT = 320, 200


@pytest.fixture
def spoiled():
    """An inspection with two regions of a map; the second has a type."""
    rows, columns = np.mgrid[:20, :32]
    coarse = np.exp(-((rows - 6) ** 2 + (columns - 8) ** 2) / 9) + 0.8 * np.exp(
        -((rows - 14) ** 2 + (columns - 24) ** 2) / 6
    )
    coarse = coarse.astype(np.float32)
    first, second = find_regions(coarse, 0.5, WIDTH, HEIGHT, lambda peak: 0.001)
    second = replace(second, defect_types=(DefectType("Kratzer ä", 0.7, "known"), DefectType("stain", 0.2)))
    return Inspection(
        path="part.png",
        mode="few-shot",
        score=0.9,
        p_value=0.01,
        threshold=0.5,
        review_threshold=0.4,
        verdict="defect",
        regions=(first, second),
        width=WIDTH,
        height=HEIGHT,
        evidence=Evidence("predictive", "made up", 4, 0.05, 0.2),
        coarse_map=coarse,
    )


def test_shapes_lie_in_their_boxes_and_fill_the_areas(spoiled):
    for shape, region in zip(outlines_of(spoiled), spoiled.regions, strict=True):
        x0, y0, x1, y1 = region.box
        mask = shape.mask
        assert not shape.is_box and mask.shape == (HEIGHT, WIDTH)
        assert mask[y0:y1, x0:x1].sum() == mask.sum() == region.area
        assert mask.sum() < 0.9 * (x1 - x0) * (y1 - y0)
        low, high = shape.polygon.min(axis=0), shape.polygon.max(axis=0)
        assert np.abs(np.concatenate([low, high]) - region.box).max() < 1.5


def test_without_a_map_the_shape_is_the_box_and_says_so(spoiled):
    row = Inspection.from_json(spoiled.to_json())
    for shape, region in zip(outlines_of(row), row.regions, strict=True):
        x0, y0, x1, y1 = region.box
        assert shape.is_box and shape.mask.sum() == (x1 - x0) * (y1 - y0) and len(shape.polygon) == 4


def test_a_region_of_another_map_is_a_box(spoiled):
    elsewhere = replace(spoiled.regions[0], id="R3", kind="count", box=(200, 20, 260, 60), area=2400)
    shapes = outlines_of(replace(spoiled, regions=(*spoiled.regions, elsewhere)))
    assert [shape.is_box for shape in shapes] == [False, False, True]


def test_a_category_is_the_type_or_else_the_kind(spoiled):
    first, second = spoiled.regions
    unknown = replace(first, kind="missing", defect_types=(DefectType("unknown", 0.9),))
    assert [category_of(one) for one in (first, second, unknown)] == ["strange", "Kratzer ä", "missing"]


def test_supervision_gets_boxes_masks_names_and_peaks(spoiled):
    supervision = pytest.importorskip("supervision")
    found = spoiled.to_supervision()
    assert isinstance(found, supervision.Detections) and len(found) == 2
    assert found.xyxy.tolist() == [list(map(float, region.box)) for region in spoiled.regions]
    assert found.area.tolist() == [region.area for region in spoiled.regions]
    assert found.confidence.tolist() == pytest.approx([region.peak for region in spoiled.regions])
    assert found.data["class_name"].tolist() == ["strange", "Kratzer ä"] and found.class_id.tolist() == [0, 1]
    assert found.metadata["verdict"] == "defect" and found.metadata["threshold"] == 0.5
    assert found[found.confidence > 0.9].data["region"].tolist() == ["R1"]
    fixed = spoiled.to_supervision(["stain", "Kratzer ä"])
    assert fixed.class_id.tolist() == [2, 1]


def test_a_good_picture_has_no_detections_and_an_unread_one_says_why(spoiled):
    pytest.importorskip("supervision")
    none = replace(spoiled, verdict="good", score=0.1, regions=()).to_supervision()
    assert len(none) == 0 and none.metadata["verdict"] == "good"
    with pytest.raises(LooktwiceError, match="is no picture"):
        Inspection("a.png", "error", "a.png is no picture").to_supervision()


def test_where_supervision_is_missing_that_is_one_sentence(spoiled, monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(LooktwiceError, match=r"install looktwice\[annotations\]"):
        spoiled.to_supervision()
