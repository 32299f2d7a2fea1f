"""Masks: what is fit to say where to look, and what two of them leave."""

import numpy as np
import pytest
import torch

from assistant.errors import ProductError
from assistant.products.masks import check_mask, check_masks, is_share, look_at


@pytest.mark.parametrize("roi", [np.zeros((3, 3)), np.ones((3, 3, 3)), np.ones(3), np.ones((0, 3))])
def test_a_region_of_interest_that_shows_nothing_is_refused(roi):
    with pytest.raises(ProductError, match="region of interest"):
        check_mask(roi)
    with pytest.raises(ProductError, match="ignore mask"):
        check_masks(None, roi)


def test_a_region_of_interest_may_be_of_any_number():
    assert check_mask(np.array([[0, 255], [0, 3]], dtype=np.uint8)).tolist() == [[0, 1], [0, 1]]
    assert check_mask(np.array([[True, False]])).dtype == torch.float32


def test_what_to_ignore_is_left_out_of_what_to_look_at_on_the_finer_grid():
    roi, ignore = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1]])
    assert look_at(None, None) is None and look_at(roi, None) is roi
    assert look_at(None, ignore).tolist() == [[0, 1, 1, 1], [1, 1, 1, 0]]
    assert look_at(roi, ignore).tolist() == [[0, 1, 0, 0], [1, 1, 0, 0]]
    with pytest.raises(ProductError, match="leaves nothing to look at"):
        check_masks(np.array([[1, 0]]), np.array([[1, 1, 0, 0], [1, 1, 0, 1]]))


def test_a_share_is_a_map_of_numbers_from_0_to_1():
    assert is_share(torch.tensor([[0.0, 0.5, 1.0]]))
    for wrong in (torch.ones(3), torch.empty(0, 2), torch.tensor([[1.1]]), torch.tensor([[float("nan")]])):
        assert not is_share(wrong)


def test_a_mask_of_another_shape_is_refused_and_a_coarse_one_of_the_same_is_taken(inspector, good):
    wide = np.concatenate([good(0), good(1)], axis=1)
    height, width = wide.shape[:2]
    inside = np.zeros((height // 4, width // 4), dtype=bool)
    inside[2:-2, 2:-2] = True
    assert inspector.learn("cloth", [wide], roi=inside).roi is not None
    for field in ("roi", "ignore"):
        with pytest.raises(ProductError, match="another shape than the picture of"):
            inspector.learn("cloth", [wide], **{field: inside[:, : width // 8]})
    product = inspector.learn("cloth", [wide, wide[::-1].copy()])
    with pytest.raises(ProductError, match="mask of a defect is"):
        inspector.teach(product, wide[:, ::-1].copy(), "defect", mask=inside.T)
