"""Text against patches: the softmax of two cosines, by hand."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.text_map import text_map


def test_the_map_is_the_softmax_of_two_cosines():
    states = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    patches = torch.tensor([[[[1.0, 0.0], [0.6, 0.8]]]])
    found = text_map(patches, states, temperature=0.1)
    assert found.shape == (1, 1, 2)
    expected = [1 / (1 + math.exp((1.0 - 0.6) / 0.1)), 1 / (1 + math.exp((0.6 - 1.0) / 0.1))]
    assert found[0, 0].tolist() == pytest.approx(expected, rel=1e-5)


def test_values_are_probabilities_and_swapping_the_states_mirrors_them():
    torch.manual_seed(0)
    patches = normalize(torch.randn(2, 5, 4, 8), dim=-1)
    states = normalize(torch.randn(2, 8), dim=-1)
    found = text_map(patches.bfloat16(), states)
    assert found.dtype == torch.float32 and 0 <= float(found.min()) and float(found.max()) <= 1
    assert torch.allclose(text_map(patches, states) + text_map(patches, states.flip(0)), torch.ones(2, 5, 4))
