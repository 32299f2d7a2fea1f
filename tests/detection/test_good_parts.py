"""What a score knows of a product: masks on a grid of patches."""

import pytest
import torch

from assistant.detection.good_parts import fit_mask


@pytest.mark.parametrize("grid", [(4, 4), (7, 3), (1, 1), (40, 40)])
def test_a_region_of_interest_covers_the_cells_that_are_mostly_in_it(grid):
    roi = torch.zeros(60, 80)
    roi[:, :40] = 1
    fitted = fit_mask(roi, *grid)
    assert fitted.shape == grid and set(fitted.unique().tolist()) <= {0.0, 1.0}
    for column in range(grid[1]):
        covered = min(1.0, max(0.0, grid[1] / 2 - column))
        if abs(covered - 0.5) > 0.05:
            assert bool((fitted[:, column] == float(covered > 0.5)).all())


def test_a_tiny_region_of_interest_is_not_lost():
    roi = torch.zeros(100, 100)
    roi[33, 71] = 1
    assert fit_mask(roi, 10, 10).nonzero().tolist() == [[3, 7]]
