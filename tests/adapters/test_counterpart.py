"""Counterparts: one reference and one offset for a whole place, whatever the nearest patches of each cell are."""

import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.counterpart import SHORTLIST, find_counterpart, find_expected
from assistant.adapters.dictionary import Dictionary


def grids(count, h=16, w=20, seed=0):
    return normalize(torch.randn(count, h, w, 24, generator=torch.Generator().manual_seed(seed)), dim=-1)


def memory_of(made, **how):
    return Dictionary.build(dict(enumerate(made)), **how)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, -1), (-3, 4)])
def test_a_moved_copy_of_a_reference_is_found_with_its_offset(down, right):
    made = grids(SHORTLIST + 3)
    for owner in (0, SHORTLIST + 2):
        moved = torch.roll(made[owner], (-down, -right), dims=(0, 1))
        found = find_counterpart(moved, memory_of(made), (6, 8, 9, 12))
        assert (found.owner, found.down, found.right) == (owner, down, right)
        assert found.distance < 0.01


def test_what_surrounds_a_defect_decides_and_not_the_defect():
    made = grids(3)
    part = made[1].clone()
    part[6:8, 8:11] = made[2][2:4, 3:6]  # the region itself looks like a place elsewhere on another reference
    found = find_counterpart(part, memory_of(made), (6, 8, 8, 11))
    assert (found.owner, found.down, found.right) == (1, 0, 0)
    assert found.distance > 0.5


def test_it_is_one_place_and_no_patchwork():
    made = grids(2)
    part = made[0].clone()
    part[:, 10:] = made[1][:, 10:]
    found = find_counterpart(part, memory_of(made), (4, 2, 10, 9))
    assert (found.owner, found.distance < 0.01) == (0, True)
    assert find_counterpart(part, memory_of(made), (4, 12, 10, 19)).owner == 1


def test_reach_bounds_the_offset_and_the_whole_box_stays_on_the_reference():
    made = grids(1)
    moved = torch.roll(made[0], (-5, 0), dims=(0, 1))
    assert find_counterpart(moved, memory_of(made), (4, 4, 7, 8)).down == 5
    near = find_counterpart(moved, memory_of(made), (4, 4, 7, 8), reach=2)
    assert max(abs(near.down), abs(near.right)) <= 2
    whole = find_counterpart(moved, memory_of(made), (0, 0, 16, 20))
    assert (whole.down, whole.right) == (0, 0)
    for box in ((0, 0, 2, 2), (13, 17, 16, 20)):
        found = find_counterpart(grids(1, seed=9)[0], memory_of(made), box)
        assert 0 <= box[0] + found.down and box[2] + found.down <= 16
        assert 0 <= box[1] + found.right and box[3] + found.right <= 20


def test_on_a_ground_that_is_alike_everywhere_the_same_place_is_meant():
    ground = normalize(torch.ones(16, 20, 24) + 0.05 * grids(1)[0], dim=-1)
    part = ground.clone()
    part[3:5, 3:5] = grids(1, seed=4)[0, :2, :2]
    found = find_counterpart(part, memory_of([ground]), (3, 3, 5, 5))
    assert (found.down, found.right) == (0, 0)


def test_only_references_that_may_be_chosen_are():
    made = grids(4)
    assert find_counterpart(made[2], memory_of(made), (5, 5, 8, 8), among=(0, 3)).owner in (0, 3)
    assert find_counterpart(made[2], memory_of(made), (5, 5, 8, 8), among=(2, 3)).owner == 2
    assert find_counterpart(made[2], memory_of(made), (5, 5, 8, 8), among=(7,)) is None


def test_a_thinned_memory_still_tells_and_one_without_places_does_not():
    made = grids(3)
    thin = memory_of(made, capacity=400)
    found = find_counterpart(made[1], thin, (5, 5, 9, 9))
    assert (found.owner, found.down, found.right) == (1, 0, 0)
    assert find_counterpart(made[1], memory_of([g.flatten(0, 1) for g in made]), (5, 5, 9, 9)) is None


def test_references_of_another_shape_are_compared_by_their_share_of_the_picture():
    made = grids(1, h=16, w=16)
    part = made[0].repeat_interleave(2, dim=0).repeat_interleave(2, dim=1)  # the same at twice the grid
    found = find_counterpart(part, memory_of(made), (10, 10, 18, 18))
    assert (found.owner, abs(found.down) <= 1, abs(found.right) <= 1) == (0, True, True)


def test_what_is_missing_is_shown_by_a_reference_of_the_middle_at_the_same_place():
    ground = normalize(torch.ones(16, 20, 24) + 0.05 * grids(1)[0], dim=-1)
    made = [ground.clone() for _ in range(4)]
    for number, reference in enumerate(made[1:], start=1):
        reference[4:7, 4:7] = grids(1, seed=5)[0, 4:7, 4:7]
        if number == 3:
            reference[4:7, 4:7] *= -1  # an odd one
    found = find_expected(ground, memory_of(made), (4, 4, 7, 7))
    assert found.owner in (1, 2) and (found.down, found.right) == (0, 0)
    assert find_expected(ground, memory_of(made), (4, 4, 7, 7), among=(0,)).owner == 0
    assert find_expected(ground, memory_of([g.flatten(0, 1) for g in made]), (4, 4, 7, 7)) is None
