"""Signatures of whole pictures: the stated second moments, whose distances mind neither order nor copies."""

import numpy as np
import pytest
import torch

from assistant.adapters.whole import Wholes, signature


def layers(seed, batch=1, spread=1.0):
    generator = torch.Generator().manual_seed(seed)
    sizes = [(6, 5, 4), (3, 2, 7)]
    return [1 + spread * torch.randn(batch, *size, generator=generator) for size in sizes]


def moments(layer):
    """U^T U of one layer [h, w, C] at length 1, by the definition."""
    patches = layer.reshape(-1, layer.shape[-1]).double().numpy()
    unit = patches / np.linalg.norm(patches, axis=1, keepdims=True)
    found = sum(np.outer(u, u) for u in unit)
    return found / np.linalg.norm(found)


def wholes(*seeds):
    return Wholes.of({i: signature(layers(seed))[0] for i, seed in enumerate(seeds)})


def test_a_distance_is_the_mean_over_layers_of_cosine_distances_of_second_moments():
    one, other = layers(0), layers(1)
    expected = np.mean([1 - (moments(a[0]) * moments(b[0])).sum() for a, b in zip(one, other, strict=True)])
    far = signature(layers(7, spread=9.0))[0]
    found = Wholes.of({3: signature(other)[0], 5: far}).distance(signature(one))
    assert found.dtype == torch.float32 and float(found[0]) == pytest.approx(expected, abs=2e-4)
    assert 0.01 < expected < float(Wholes.of({3: far, 5: far}).distance(signature(one))[0])


def test_a_signature_is_half_a_matrix_of_each_layer_at_length_one():
    found = signature(layers(2, batch=3))
    assert found.shape == (3, 4 * 5 // 2 + 7 * 8 // 2) and found.dtype == torch.float16
    assert found.float().norm(dim=1).tolist() == pytest.approx([1, 1, 1], abs=1e-3)
    for i in range(3):
        assert torch.equal(signature([layer[i : i + 1] for layer in layers(2, batch=3)])[0], found[i])


def test_places_lengths_and_the_number_of_patches_play_no_part():
    first, second = layers(3)
    shuffled = first.flatten(1, 2)[:, torch.randperm(30, generator=torch.Generator().manual_seed(0))]
    other = [torch.cat([shuffled] * 2, dim=1).view(1, 10, 6, 4) * 3, second.flip(1, 2)]
    assert torch.allclose(signature(other).float(), signature([first, second]).float(), atol=1e-3)


def test_what_is_not_shown_has_no_say():
    first, second = layers(4)
    shown = [torch.ones(1, 6, 5), torch.ones(1, 3, 2)]
    assert torch.equal(signature([first, second], shown), signature([first, second]))
    shown[0][:, :, 3:] = 0
    expected = signature([first[:, :, :3], second])
    assert torch.allclose(signature([first, second], shown).float(), expected.float(), atol=1e-3)


def test_the_same_picture_is_at_no_distance_and_the_nearest_reference_counts():
    known = wholes(10, 11, 12)
    for i, seed in enumerate((10, 11, 12)):
        own = signature(layers(seed))
        assert float(known.distance(own)) == pytest.approx(0, abs=1e-6)
        assert float(known.distance(own, without=i)) > 0.01
    query = signature(layers(20))
    each = [float(wholes(seed, seed + 100).distance(query, without=1)) for seed in (10, 11, 12)]
    assert float(known.distance(query)) == pytest.approx(min(each), abs=1e-6)


def test_neither_the_order_of_references_nor_copies_change_a_distance():
    queries = torch.cat([signature(layers(seed)) for seed in range(30, 34)])
    found = wholes(10, 11, 12).distance(queries)
    for seeds in [(12, 10, 11), (10, 11, 12, 11, 10)]:
        assert torch.allclose(wholes(*seeds).distance(queries), found, atol=1e-6)
    assert wholes(12, 10, 11).spread == pytest.approx(wholes(10, 11, 12).spread, abs=1e-6)


def test_the_spread_is_the_mean_distance_to_the_nearest_other():
    known = wholes(10, 11, 12)
    each = [float(known.distance(signature(layers(10 + i)), without=i)) for i in range(3)]
    assert known.spread == pytest.approx(sum(each) / 3, abs=1e-6)
    assert wholes(10, 10).spread == pytest.approx(0, abs=1e-6)


def test_signatures_survive_their_tensors_and_damaged_ones_are_refused():
    known = wholes(10, 11)
    state = known.state_dict()
    again = Wholes.from_state_dict(state)
    assert torch.equal(again.rows, known.rows) and again.owners == known.owners == (0, 1)
    assert again.nbytes == 2 * 38 * 2
    rows = state["signatures"]
    for change in (
        {"signatures": rows.float()},
        {"signatures": rows[0]},
        {"signatures": rows * float("nan")},
        {"signatures": rows[:1]},
        {"owners": torch.tensor([1, 1])},
        {"owners": torch.tensor([[0], [1]])},
        {"surprise": rows},
    ):
        with pytest.raises(ValueError, match="signatures"):
            Wholes.from_state_dict(state | change)
    with pytest.raises(ValueError, match="signatures"):
        Wholes.from_state_dict({"signatures": rows})
    with pytest.raises(ValueError, match="two signatures"):
        Wholes.from_state_dict({"signatures": rows[:1], "owners": torch.tensor([0])})
    with pytest.raises(ValueError, match="one layer"):
        signature([])
