"""Rarity: equal to a slow loop, high at the odd patch, silent where nothing can be said."""

import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.rarity import rarity


def slow_rarity(tokens, neighbours, apart):
    h, w, _ = tokens.shape
    cells = [(y, x) for y in range(h) for x in range(w)]
    far = {(y, x): [c for c in cells if max(abs(c[0] - y), abs(c[1] - x)) > apart] for y, x in cells}
    count = min(neighbours, min(len(others) for others in far.values()))
    found = torch.zeros(h, w)
    for cell, others in far.items():
        distances = sorted(float(1 - tokens[cell] @ tokens[other]) for other in others)
        found[cell] = sum(distances[:count]) / count
    return found


@pytest.mark.parametrize(("h", "w"), [(6, 7), (2, 9), (5, 5)])
@pytest.mark.parametrize(("neighbours", "apart"), [(8, 2), (1, 0), (3, 1)])
def test_rarity_equals_a_slow_loop(h, w, neighbours, apart):
    torch.manual_seed(h * w)
    tokens = normalize(torch.randn(2, h, w, 5), dim=-1)
    if (h, w, apart) == (5, 5, 2):
        pytest.skip("the patch in the middle has no other at a distance")
    found = rarity(tokens, neighbours, apart)
    assert found.shape == (2, h, w) and found.dtype == torch.float32
    for one, expected in zip(found, tokens, strict=True):
        assert torch.allclose(one, slow_rarity(expected, neighbours, apart), atol=0.006)  # bfloat16


@pytest.mark.parametrize("most", [1, 9, 20])
def test_a_grid_that_is_done_in_parts_gives_the_same(monkeypatch, most):
    tokens = normalize(torch.randn(2, 7, 6, 5, generator=torch.Generator().manual_seed(0)), dim=-1)
    whole = rarity(tokens)
    monkeypatch.setattr("assistant.adapters.rarity._PATCHES", most)
    assert torch.allclose(rarity(tokens), whole, atol=1e-3)


def test_the_odd_patch_is_the_rarest_even_if_there_are_two_of_it():
    torch.manual_seed(0)
    tokens = normalize(torch.tensor([1.0, 0, 0]) + 0.05 * torch.randn(1, 10, 12, 3), dim=-1)
    tokens[0, 2, 3] = tokens[0, 7, 10] = torch.tensor([0.0, 1.0, 0.0])
    top = rarity(tokens)[0].flatten().topk(2).indices.sort().values.tolist()
    assert top == [2 * 12 + 3, 7 * 12 + 10]


def test_a_picture_of_one_kind_of_patch_has_nothing_rare():
    tokens = normalize(torch.ones(1, 6, 6, 4), dim=-1)
    assert rarity(tokens).abs().max() < 0.006


@pytest.mark.parametrize(("h", "w"), [(1, 1), (2, 3), (5, 5)])
def test_a_grid_without_distance_says_nothing(h, w):
    assert rarity(normalize(torch.randn(1, h, w, 4), dim=-1)).tolist() == torch.zeros(1, h, w).tolist()
