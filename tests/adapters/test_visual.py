"""Visual adapters: a tower that aligns text starts unchanged; a focused map keeps its score and moves weight."""

import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.patches import top_mean
from assistant.adapters.visual import TEMPERATURE, AdapterConfig, Bottleneck, VisualAdapter, centre, focus


def units(*shape, seed=0):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def adapter(inputs=6, space=4):
    torch.manual_seed(0)
    return VisualAdapter(AdapterConfig(inputs, space, 8), units(2, space), units(5, space, seed=1)).eval()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("weight", [0.01, 0.3, 5.0])
def test_focus_keeps_the_score_of_every_picture(seed, weight):
    torch.manual_seed(seed)
    maps, evidence = torch.rand(4, 14, 11), centre(torch.randn(4, 14, 11) * 3)
    focused = focus(maps, evidence, weight)
    assert torch.allclose(top_mean(focused), top_mean(maps), atol=1e-5)
    assert float(focused.min()) >= 0 and not torch.allclose(focused, maps, atol=1e-3)


def test_focus_leaves_zero_where_the_map_is_zero_however_strong_the_evidence():
    maps = torch.rand(2, 10, 10) + 0.1
    maps[:, :, :4] = 0
    evidence = torch.zeros(2, 10, 10)
    evidence[:, :, :4] = 100
    evidence[:, 5, 7] = 1
    focused = focus(maps, evidence, 0.5)
    assert not focused[:, :, :4].any()
    assert torch.allclose(top_mean(focused), top_mean(maps), atol=1e-5)


def test_focus_moves_the_weight_to_the_evidence():
    maps = torch.full((1, 8, 8), 0.2)
    maps[0, 1, 1] = 0.4
    evidence = torch.zeros(1, 8, 8)
    evidence[0, 6, 6] = 8
    focused = focus(maps, evidence, 0.05)
    assert focused.flatten().argmax() == 6 * 8 + 6
    # 0.2 + 0.05 * 8 = 0.6 is scaled down to the score of 0.4, and all else with it.
    assert focused[0, 6, 6].item() == pytest.approx(0.4) and focused[0, 0, 0].item() == pytest.approx(0.2 / 1.5)


def test_focus_keeps_a_map_that_the_evidence_would_wipe_out_and_an_empty_one():
    maps = torch.stack([torch.full((6, 6), 0.1), torch.zeros(6, 6)])
    assert torch.equal(focus(maps, torch.full((2, 6, 6), -9.0), 1.0), maps)
    assert torch.equal(focus(maps, torch.zeros(2, 6, 6), 1.0), maps)


def test_centre_puts_the_ground_of_each_picture_at_zero():
    evidence = torch.arange(100.0).reshape(1, 10, 10).repeat(2, 1, 1)
    evidence[1] += 50
    centred = centre(evidence, 0.5)
    assert torch.allclose(centred[0], centred[1])
    assert float(centred[0].median()) == pytest.approx(-0.5)
    assert float((centre(evidence)[0] > 0).float().mean()) == pytest.approx(0.1)


def test_a_residual_bottleneck_starts_as_the_identity_and_another_does_not():
    tokens = units(2, 3, 3, 6)
    assert torch.allclose(Bottleneck(AdapterConfig(6, 6, 4))(tokens), tokens, atol=1e-6)
    other = Bottleneck(AdapterConfig(6, 4, 4)).eval()(tokens)
    assert other.shape == (2, 3, 3, 4) and torch.allclose(other.norm(dim=-1), torch.ones(2, 3, 3))


def test_log_odds_are_differences_of_cosines_over_the_temperature():
    one = adapter()
    words = one.read(units(2, 3, 5, 6))
    cosines = words @ one.states.T
    assert words.shape == (2, 3, 5, 4)
    expected = (cosines[..., 1] - cosines[..., 0]) / TEMPERATURE - 2
    assert torch.allclose(one.evidence(words), expected, atol=1e-5)
    assert torch.allclose(one.type_logits(words), words @ one.types.T / TEMPERATURE)
    vector = units(2, 4, seed=3)
    fresh = vector @ (one.states[1] - one.states[0]) / TEMPERATURE - 2
    assert torch.allclose(one.judge(vector), fresh, atol=1e-5)  # the whole picture's adapter is residual


def test_sentences_belong_to_the_adapter_and_are_not_learned():
    one = adapter()
    assert {"states", "types"} <= set(one.state_dict())
    assert not {"states", "types"} & {name for name, _ in one.named_parameters()}


@pytest.mark.parametrize("numbers", [(0, 4, 8), (4, 0, 8), (4, 4, 0), (4, 4, 8, 1.0), (4, 4, 8, -0.1)], ids=str)
def test_shapes_that_make_no_sense_are_refused(numbers):
    with pytest.raises(ValueError):
        AdapterConfig(*numbers)


def test_sentences_of_another_space_are_refused():
    for states, types in ((units(2, 5), units(3, 4)), (units(2, 4), units(3, 5)), (units(3, 4), units(3, 4))):
        with pytest.raises(ValueError, match="spaces"):
            VisualAdapter(AdapterConfig(6, 4), states, types)
