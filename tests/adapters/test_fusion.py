"""The harmonic mean of two maps: between them, nearer to the lower one, and at its ends either alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from assistant.adapters.fusion import harmonic

NUMBER = st.floats(1e-3, 2.0)


@given(NUMBER, NUMBER, st.floats(0, 1))
def test_it_lies_between_its_parts_and_below_their_mean(one, other, share):
    found = float(harmonic(torch.tensor(one).double(), torch.tensor(other).double(), share))
    assert min(one, other) - 1e-6 <= found <= (1 - share) * one + share * other + 1e-6


def test_it_is_what_its_name_says():
    one, other = torch.tensor([0.2, 0.5, 1.0]), torch.tensor([0.6, 0.5, 0.25])
    assert torch.allclose(harmonic(one, other), 2 * one * other / (one + other))
    assert torch.allclose(harmonic(one, other, 0.25), 1 / (0.75 / one + 0.25 / other))


def test_a_share_of_all_or_nothing_is_one_of_the_two():
    one, other = torch.rand(2, 3), torch.rand(2, 3)
    assert torch.allclose(harmonic(one, other, 0.0), one) and torch.allclose(harmonic(one, other, 1.0), other)


@pytest.mark.parametrize("pair", [(0.0, 0.9), (0.9, 0.0), (0.0, 0.0)])
def test_what_is_nothing_to_one_is_nothing(pair):
    one, other = map(torch.tensor, pair)
    assert 0 <= float(harmonic(one, other)) < 1e-9
