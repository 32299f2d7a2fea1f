"""The second path of a ViT against plain matrix products, and the original path, which must not notice it."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from open_clip.transformer import VisionTransformer

from assistant.adapters.attention import attend_values, read_values, value_blocks
from assistant.errors import WeightsError
from assistant.models.towers import PatchTower, build_image_tower

BLOCKS, WIDTH, HEADS, PATCH = 5, 32, 2, 8


def make_vit(seed=3, **options):
    torch.manual_seed(seed)
    settings = {"image_size": 32, "patch_size": PATCH, "width": WIDTH, "layers": BLOCKS, "heads": HEADS}
    vit = VisionTransformer(**(settings | {"mlp_ratio": 2.0, "output_dim": 12} | options))
    for name, part in vit.named_parameters():
        if name.endswith(("bias", "gamma")):  # fresh ones are constant, which would hide that they are left out
            torch.nn.init.normal_(part, std=0.3)
    return vit.eval().requires_grad_(False)


def pictures(*shape, seed=5):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def block_inputs(vit, pixels):
    """What enters each block [B, L, C], and what leaves the last, caught while the tower runs on its own."""
    caught = []
    hooks = [
        b.register_forward_pre_hook(lambda _, given: caught.append(given[0])) for b in vit.transformer.resblocks
    ]
    hooks.append(vit.transformer.register_forward_hook(lambda *given: caught.append(given[2])))
    vit(pixels)
    for hook in hooks:
        hook.remove()
    first = vit.transformer.batch_first
    return [c if first or i == BLOCKS else c.transpose(0, 1) for i, c in enumerate(caught)]


def by_hand(block, tokens):
    """v-v attention of one block, written out for one head after the other."""
    x = torch.nn.functional.layer_norm(tokens, (WIDTH,), block.ln_1.weight, block.ln_1.bias)
    weight, bias = block.attn.in_proj_weight[-WIDTH:], block.attn.in_proj_bias[-WIDTH:]
    values = x @ weight.T + bias
    size = WIDTH // HEADS
    heads = []
    for head in range(HEADS):
        v = values[..., head * size : (head + 1) * size]
        likeness = (v @ v.transpose(1, 2)) / math.sqrt(size)
        heads.append(torch.softmax(likeness, dim=-1) @ v)
    out = torch.cat(heads, dim=-1) @ block.attn.out_proj.weight.T + block.attn.out_proj.bias
    return out * block.ls_1.gamma if hasattr(block.ls_1, "gamma") else out


@pytest.mark.parametrize("options", [{}, {"ls_init_value": 0.5}], ids=["plain", "layer scale"])
@pytest.mark.parametrize("depth", [None, 2])
@pytest.mark.parametrize("batch_first", [True, False])
def test_the_path_is_the_one_written_out_by_hand(options, depth, batch_first):
    vit = make_vit(**options)
    vit.transformer.batch_first = batch_first
    for block in vit.transformer.resblocks:
        block.attn.batch_first = batch_first
    pixels = pictures(2, 3, 32, 32)
    inputs = block_inputs(vit, pixels)
    maps, _ = read_values(vit, pixels, range(BLOCKS), depth)
    first = BLOCKS - (depth or 4)
    path = inputs[first]
    for i, found in enumerate(maps):
        if i < first:
            expected = inputs[i + 1]
        else:
            path = path + by_hand(vit.transformer.resblocks[i], inputs[i])
            expected = path
        assert found.shape == (2, 4, 4, WIDTH)
        assert torch.allclose(found.flatten(1, 2), expected[:, 1:], atol=1e-5)


def test_a_block_without_biases_is_followed_too():
    block = make_vit().transformer.resblocks[0]
    tokens = pictures(1, 6, WIDTH)
    torch.nn.init.zeros_(block.attn.in_proj_bias)
    expected = by_hand(block, tokens)
    block.attn.in_proj_bias = None
    assert torch.allclose(attend_values(block, tokens), expected, atol=1e-5)


def test_layers_are_asked_for_one_by_one_and_come_back_the_same():
    vit, pixels = make_vit(), pictures(1, 3, 32, 32)
    together, _ = read_values(vit, pixels, range(BLOCKS))
    for i in range(BLOCKS):
        (alone,), _ = read_values(vit, pixels, [i])
        assert torch.equal(alone, together[i])


def test_each_layer_is_a_tensor_of_its_own():
    maps, _ = read_values(make_vit(), pictures(1, 3, 32, 32), range(BLOCKS))
    assert len({m.untyped_storage().data_ptr() for m in maps}) == BLOCKS
    for i, one in enumerate(maps):
        for other in maps[i + 1 :]:
            assert float((one - other).abs().mean()) > 0.01


def test_the_original_path_does_not_notice():
    vit, pixels = make_vit(), pictures(2, 3, 32, 32)
    before = {name: tensor.clone() for name, tensor in vit.state_dict().items()}
    plain, values = PatchTower(vit, (0, 2, 4)), PatchTower(vit, (0, 2, 4), "vv")
    first = plain(pixels)
    read = values(pixels)
    again = plain(pixels)
    assert torch.equal(read[-1], vit(pixels)) and torch.equal(read[-1], first[-1])
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(torch.equal(tensor, before[name]) for name, tensor in vit.state_dict().items())
    assert torch.equal(read[0], first[0])  # before the second path
    assert not any(torch.allclose(a, b, atol=0.01) for a, b in zip(read[1:-1], first[1:-1], strict=True))


@pytest.mark.parametrize("layers", [(0, 2), (1, 4)])
def test_text_patches_are_the_last_layer_of_the_second_path(layers):
    vit, pixels = make_vit(), pictures(2, 3, 32, 32)
    *maps, text_patches, vector = PatchTower(vit, layers, "vv")(pixels)
    assert len(maps) == 2 and vector.shape == (2, 12)
    (last,), _ = read_values(vit, pixels, [BLOCKS - 1])
    assert torch.allclose(text_patches, vit.ln_post(last) @ vit.proj, atol=1e-6)


def test_two_sizes_in_turn_are_as_good_as_two_fresh_towers():
    tower = PatchTower(make_vit(), (1, 4), "vv")
    sizes = [(32, 32), (16, 48), (32, 32), (64, 24), (16, 48)]
    for height, width in sizes:
        pixels = pictures(1, 3, height, width)
        found, expected = tower(pixels), PatchTower(make_vit(), (1, 4), "vv")(pixels)
        assert found[0].shape == (1, height // PATCH, width // PATCH, WIDTH)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert torch.equal(tower.visual.positional_embedding, make_vit().positional_embedding)


def test_gradient_passes_through_the_second_path_to_the_pixels():
    pixels = pictures(1, 3, 32, 32).requires_grad_()
    maps, _ = read_values(make_vit(), pixels, [4])
    maps[0].square().sum().backward()
    assert float(pixels.grad.abs().sum()) > 0


@pytest.mark.parametrize("depth", [0, BLOCKS])
def test_a_path_that_does_not_fit_the_tower_is_refused(depth):
    with pytest.raises(ValueError, match=f"{depth} blocks does not fit a tower of {BLOCKS}"):
        read_values(make_vit(), pictures(1, 3, 32, 32), [4], depth)


@pytest.mark.parametrize("options", [{"layers": 1}, {"qk_norm": True}])
def test_a_tower_without_such_blocks_is_refused(options):
    with pytest.raises(ValueError, match="only in a tower of plain attention blocks"):
        value_blocks(make_vit(**options))
    with pytest.raises(ValueError, match="only in a tower of plain attention blocks"):
        PatchTower(torch.nn.Conv2d(3, 8, 3), (0,), "vv")


def test_a_card_switches_the_path_on(backbones, tiny_home):
    folder, card = tiny_home / "bundles" / "tiny-vit", backbones["tiny-vit"].card
    towers = [
        build_image_tower(replace(card, image=replace(card.image, attention=attention)), folder)
        for attention in ("plain", "vv")
    ]
    pixels = pictures(1, 3, 64, 128)
    plain, values = (tower(pixels) for tower in towers)
    assert torch.equal(plain[-1], values[-1])
    expected, _ = read_values(build_image_tower(card, folder).visual, pictures(1, 3, 128, 128), card.image.layers)
    assert torch.equal(towers[1](pictures(1, 3, 128, 128))[0], expected[0])
    assert not torch.allclose(plain[0], values[0], atol=1e-3)


def test_a_card_that_asks_for_a_path_that_the_tower_lacks_ends_in_one_sentence(backbones, tiny_home, monkeypatch):
    folder, card = tiny_home / "bundles" / "tiny-vit", backbones["tiny-vit"].card
    image = replace(card.image, attention="vv")
    resnet = SimpleNamespace(visual=torch.nn.Conv2d(3, 8, 3))
    monkeypatch.setattr("assistant.models.towers._build_clip", lambda *_: resnet)
    with pytest.raises(WeightsError, match="The tower tiny-vit has no path for attention 'vv'"):
        build_image_tower(replace(card, image=image), folder)
