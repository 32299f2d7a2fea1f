"""Pictures are resized by whole numbers as Pillow resizes them, to the last grey level."""

import numpy as np
import pytest
import torch
from PIL import Image

from assistant.export import resizing
from assistant.models import backbone

SIZES = [
    ((640, 640), (320, 320)),
    ((113, 288), (192, 512)),  # grows
    ((768, 313), (512, 192)),
    ((320, 320), (320, 320)),  # stays
    ((320, 90), (320, 96)),  # one side stays
    ((2371, 1063), (224, 384)),  # boxes are averaged first, and the last ones are cut
    ((1500, 333), (64, 320)),  # along one side alone
]


def picture(size, seed, hard):
    width, height = size
    rng = np.random.default_rng(seed)
    if hard:  # edges from black to white overshoot
        blocks = rng.integers(0, 2, (height // 8 + 1, width // 8 + 1, 3)) * 255
        return np.kron(blocks, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def planes(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize(("size", "wanted"), SIZES)
def test_a_picture_is_resized_as_the_library_does(size, wanted, hard):
    pixels = picture(size, sum(size), hard)
    expected = np.asarray(backbone.resize(pixels, wanted))
    found = resizing.resize(planes(pixels), wanted).permute(1, 2, 0).numpy()
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("factors", [(1, 1), (2, 2), (3, 3), (5, 1), (2, 7), (16, 13)])
def test_means_of_boxes_are_rounded_as_pillow_rounds_them(factors):
    pixels = np.concatenate([picture((203, 60), 1, False), picture((203, 61), 2, True)])
    expected = np.asarray(Image.fromarray(pixels).reduce(factors))
    found = resizing.reduce(planes(pixels), factors).permute(1, 2, 0).numpy()
    assert np.array_equal(found, expected)


def test_nothing_between_whole_numbers_reaches_a_product():
    """So that the order of sums cannot matter: all weights and all their sums fit into float32."""
    weights = resizing._weights(1918, 1918, 320)
    assert torch.equal(weights, weights.round())
    assert float((weights.abs().sum(dim=1) * 255).max()) < 2**24
