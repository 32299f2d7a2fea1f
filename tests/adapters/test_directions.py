"""Directions without a text tower: unsure at the start, a pair for each layer, and one for the picture."""

import pytest
import torch
from torch.nn.functional import interpolate, normalize

from assistant.adapters.directions import LayerDirections, direction_map, lean
from assistant.adapters.visual import TEMPERATURE


def units(*shape, seed=0):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_pairs_have_the_sizes_of_their_layers_and_unit_length():
    made = LayerDirections([5, 7], 4, seed=3)
    assert [tuple(pair.shape) for pair in made.pairs] == [(2, 5), (2, 7)] and made().shape == (2, 4)
    assert all(torch.allclose(pair.norm(dim=-1), torch.ones(2)) for pair in (*made.pairs, made()))


def test_nothing_is_sure_before_anything_was_learned():
    made = LayerDirections([384], 512)
    said = torch.sigmoid(lean(10 * torch.randn(2, 9, 9, 384), made.pairs[0])).detach()
    assert float((said - 0.5).abs().max()) < 0.25


def test_a_seed_decides_where_they_start():
    one, same, other = (LayerDirections([5], 4, seed) for seed in (1, 1, 2))
    assert torch.equal(one.pairs[0], same.pairs[0]) and torch.equal(one(), same())
    assert not torch.equal(one.pairs[0], other.pairs[0])


def test_each_layer_learns_from_what_it_says_and_from_nothing_else():
    made = LayerDirections([5, 7], 4)
    lean(units(1, 3, 3, 7), made.pairs[1]).sum().backward()
    assert [bool(turn.grad.any()) if turn.grad is not None else False for turn in made.turns] == [
        False,
        True,
        False,
    ]


def test_the_map_is_the_mean_of_the_layers_on_the_finest_grid():
    layers, pairs = (3 * torch.randn(2, 4, 6, 5), torch.randn(2, 2, 3, 7)), (units(2, 5), units(2, 7))
    said = []
    for layer, pair in zip(layers, pairs, strict=True):
        cosines = normalize(layer, dim=-1) @ pair.T
        said.append((cosines / TEMPERATURE).softmax(dim=-1)[..., 1])
    coarse = interpolate(said[1][:, None], (4, 6), mode="bilinear", align_corners=False)[:, 0]
    assert torch.allclose(direction_map(layers, pairs), (said[0] + coarse) / 2, atol=1e-5)
    assert direction_map(layers, pairs, (8, 8)).shape == (2, 8, 8)


def test_pairs_for_other_layers_are_refused():
    with pytest.raises(ValueError):
        direction_map([torch.randn(1, 2, 2, 5)], [units(2, 5), units(2, 5)])
