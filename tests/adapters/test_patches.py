"""Patch descriptors: every layer has the same say, places stay where they are, and means are means."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.patches import join_layers, neighbourhood, top_mean


@pytest.fixture
def layers():
    torch.manual_seed(0)
    return torch.randn(2, 8, 6, 5), torch.randn(2, 4, 3, 7)


def test_joined_tokens_have_unit_length_on_the_finest_grid(layers):
    joined = join_layers(layers)
    assert joined.shape == (2, 8, 6, 12) and joined.dtype == torch.float32
    assert torch.allclose(joined.norm(dim=-1), torch.ones(2, 8, 6), atol=1e-6)


@pytest.mark.parametrize("factors", [(1000.0, 1.0), (1.0, 1e-4), (0.01, 50.0)])
def test_the_scale_of_a_layer_has_no_say(layers, factors):
    scaled = [layer * factor for layer, factor in zip(layers, factors, strict=True)]
    assert torch.allclose(join_layers(scaled), join_layers(layers), atol=1e-5)


def test_a_dot_product_is_the_mean_cosine_over_layers():
    torch.manual_seed(1)
    layers = torch.randn(1, 2, 2, 5), torch.randn(1, 2, 2, 9)
    joined = join_layers(layers)[0].flatten(0, 1)
    cosines = [normalize(x[0].flatten(0, 1), dim=-1) for x in layers]
    expected = sum(c @ c.T for c in cosines) / 2
    assert torch.allclose(joined @ joined.T, expected, atol=1e-6)


def test_a_place_stays_where_it_is_on_a_coarser_and_a_finer_grid():
    fine = torch.zeros(1, 8, 8, 2)
    fine[..., 0] = 1.0
    fine[0, 5, 2] = torch.tensor([0.0, 1.0])
    assert join_layers([fine], (4, 4))[0, ..., 1].argmax() == 2 * 4 + 1
    finer = join_layers([fine], (16, 16))[0, ..., 1]
    assert {tuple(p) for p in (finer > 0.6).nonzero().tolist()} == {(10, 4), (10, 5), (11, 4), (11, 5)}


def test_finer_layers_are_averaged_and_not_sampled():
    layer = torch.ones(1, 2, 2, 2)
    layer[0, 0, 0] = torch.tensor([1.0, -7.0])
    assert torch.allclose(join_layers([layer], (1, 1))[0, 0, 0], normalize(torch.tensor([1.0, -1.0]), dim=0))


def test_shares_say_how_much_each_layer_counts(layers):
    small = [layer[:, :2, :2] for layer in layers]
    joined = join_layers(small, shares=(0.8, 0.2))[0].flatten(0, 1)
    cosines = [normalize(x[0].flatten(0, 1), dim=-1) for x in small]
    expected = 0.8 * cosines[0] @ cosines[0].T + 0.2 * cosines[1] @ cosines[1].T
    assert torch.allclose(joined @ joined.T, expected, atol=1e-6)
    assert torch.allclose(join_layers(layers, shares=(0.5, 0.5)), join_layers(layers))


def test_a_share_of_nothing_leaves_a_layer_out_and_unscaled_layers_are_joined_as_they_come(layers):
    assert torch.equal(join_layers(layers, shares=(1.0, 0.0)), join_layers(layers[:1]))
    loud = [layers[0], layers[1] * 1000]
    size = layers[0].shape[-1]
    assert join_layers(loud, scaled=False)[..., size:].norm(dim=-1).min() > 0.99
    assert torch.allclose(join_layers(loud), join_layers(layers), atol=1e-5)


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.6), (1.5, -0.5), (0.4, 0.3, 0.3)])
def test_shares_that_do_not_divide_the_layers_are_refused(layers, shares):
    with pytest.raises(ValueError, match="do not divide"):
        join_layers(layers, shares=shares)


def test_no_layer_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        join_layers([])


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("shape", [(5, 4), (1, 6), (2, 2)])
def test_a_neighbourhood_is_the_mean_of_the_patches_that_exist(size, shape):
    torch.manual_seed(2)
    tokens = normalize(torch.randn(2, *shape, 3), dim=-1)
    found = neighbourhood(tokens, size)
    reach = size // 2
    for y in range(shape[0]):
        for x in range(shape[1]):
            around = tokens[:, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
            expected = normalize(around.mean(dim=(1, 2)), dim=-1)
            assert torch.allclose(found[:, y, x], expected, atol=1e-5)


@pytest.mark.parametrize("size", [0, 2, -1])
def test_a_neighbourhood_without_a_middle_is_refused(size):
    with pytest.raises(ValueError, match="odd side"):
        neighbourhood(torch.ones(1, 3, 3, 2), size)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.37, 1.0])
def test_top_mean_is_the_mean_of_the_largest_values_of_each_map(share):
    maps = torch.from_numpy(np.random.default_rng(3).random((4, 13, 9), dtype=np.float32))
    kept = max(1, round(share * 117))
    expected = [np.sort(m.numpy().ravel())[-kept:].mean() for m in maps]
    assert np.allclose(top_mean(maps, share), expected, atol=1e-6)


def test_top_mean_of_a_tiny_map_is_its_maximum():
    assert top_mean(torch.tensor([[[0.1, 0.9], [0.3, 0.2]]])).tolist() == pytest.approx([0.9])


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        top_mean(torch.ones(1, 2, 2), share)
