"""What the language model sees: the tower's vectors, weighted by the map and by the regions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from assistant.adapters.patches import join_layers
from assistant.inspection import Inspection, Region
from assistant.language.visual_tokens import VisualTokens, see, sizes_of


def inspect(boxes=(), coarse=None, side=160):
    regions = tuple(Region(f"R{n}", box, 10, 0.1, 0.5, "center", "slight") for n, box in enumerate(boxes, start=1))
    return Inspection(
        "a.png",
        mode="zero-shot",
        score=0.5,
        p_value=0.1,
        threshold=0.4,
        review_threshold=0.3,
        verdict="defect",
        regions=regions,
        width=side,
        height=side,
        coarse_map=coarse,
    )


@pytest.fixture(scope="module")
def eye(backbones):
    return backbones["tiny-cnn"]


def patches(eye, picture):
    return join_layers(eye.encode([picture])[0].layers, shares=eye.shares)[0]


def test_shapes_follow_the_tower_and_the_regions(eye, good):
    vector, patch = sizes_of(eye)
    for boxes in ((), ((0, 0, 30, 30),), ((0, 0, 9, 9),) * 5):
        tokens = see(eye, good(1), inspect(boxes))
        count = min(3, len(boxes))
        shapes = [tuple(row.shape) for row in tokens.rows]
        assert shapes == [(1, vector), (16, patch), (1, patch), (count, patch), (count, patch)]
        assert len(tokens) == 18 + 2 * count and all(row.dtype == torch.float16 for row in tokens.rows)


def test_no_picture_and_a_failed_inspection_give_nothing_to_see(eye, good):
    assert see(eye, None, inspect()) is None
    assert see(eye, good(1), Inspection("a.png", "error", "It is broken.")) is None


def test_looking_twice_follows_the_map(eye, good):
    picture = good(2)
    h, w = patches(eye, picture).shape[:2]
    coarse = np.full((h, w), 0.2, np.float32)
    coarse[1, 2] = 0.9
    tokens = see(eye, picture, inspect(coarse=coarse))
    assert torch.allclose(tokens.whole[0].float(), patches(eye, picture)[1, 2], atol=2e-3)
    flat = see(eye, picture, inspect(coarse=np.full((h, w), 0.2, np.float32)))
    assert torch.allclose(flat.whole[0].float(), patches(eye, picture).mean(dim=(0, 1)), atol=2e-3)


def test_a_region_is_pooled_inside_its_box_only(eye, good):
    picture = good(3)
    grid = patches(eye, picture)
    h, w = grid.shape[:2]
    coarse = np.zeros((h, w), np.float32)
    coarse[0, 0], coarse[-1, -1] = 1.0, 9.0
    corner = (0, 0, 160 // w, 160 // h)
    tokens = see(eye, picture, inspect((corner,), coarse))
    assert torch.allclose(tokens.regions[0].float(), grid[0, 0], atol=2e-3)
    unmapped = see(eye, picture, inspect((corner,)))
    assert torch.allclose(unmapped.whole[0].float(), grid[0, 0], atol=2e-3)


def test_the_grid_is_the_picture_in_rows(eye, good):
    picture = good(4)
    grid = patches(eye, picture)
    h, w = grid.shape[:2]
    assert h % 4 == 0 and w % 4 == 0
    second = grid[: h // 4, w // 4 : w // 2].mean(dim=(0, 1))
    assert torch.allclose(see(eye, picture, inspect()).grid[1].float(), second, atol=2e-3)


def test_a_crop_shows_its_region_and_nothing_far_from_it(eye, good):
    picture, boxes = good(5, 400, 400), ((40, 40, 80, 80),)
    far, near = picture.copy(), picture.copy()
    far[300:, 300:] = 0
    near[50:60, 50:60] = 0
    shown = inspect(boxes, side=400)
    before, after, changed = (see(eye, p, shown).crops[0].float() for p in (picture, far, near))
    assert torch.equal(before, after) and not torch.allclose(before, changed, atol=1e-3)


def test_a_region_at_the_edge_of_a_narrow_picture_has_a_crop(eye, good):
    picture = good(6, 300, 20)
    edge = replace(inspect(((290, 10, 300, 20),)), width=300, height=20)
    assert see(eye, picture, edge).crops.isfinite().all()


def test_packed_tokens_come_back(eye, good):
    tokens = see(eye, good(7), inspect(((0, 0, 30, 30),)))
    again = VisualTokens.unpack(tokens.pack("a"), "a")
    assert all(torch.equal(one, two) for one, two in zip(tokens.rows, again.rows, strict=True))
