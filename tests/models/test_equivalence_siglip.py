"""SigLIP 2 and C-RADIO: timm's towers against transformers' own code of the same architectures.

See `test_equivalence`. Of SigLIP 2 the towers of one fixed size are compared, whose architecture is
that of SigLIP.
"""

from dataclasses import replace
from functools import partial

import pytest
import timm
import torch
from shaken_towers import CLOSE, agree, shake
from timm.layers import resample_abs_pos_embed
from transformers import SiglipVisionConfig, SiglipVisionModel

from assistant.models.card import load_card
from assistant.models.towers import PatchTower, _build_timm

FULL = {"embed_dim": 768, "depth": 12, "num_heads": 12}
SMALL = {"embed_dim": 96, "depth": 3, "num_heads": 4}
SHAPES = [pytest.param(SMALL, id="small"), pytest.param(FULL, id="whole", marks=pytest.mark.slow)]


@pytest.fixture
def build(monkeypatch):
    """build(card, shape) -> our tower of a card's patches for squares of 64 pixels, with shaken weights."""

    def make(name, shape):
        monkeypatch.setattr(timm, "create_model", partial(timm.create_model, **shape))
        monkeypatch.setattr("open_clip.timm_model.timm.create_model", timm.create_model)
        part = replace(load_card(name).patch_tower, image_size=64, layers=layers_of(shape), shares=())
        visual = _build_timm(part)
        shake(visual.trunk)
        assert len(visual.trunk.blocks) == shape["depth"]
        return visual

    return make


def layers_of(shape):
    return (0, shape["depth"] // 2, shape["depth"] - 1)


def pixels_of(size):
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(4))


def split(tensors, name, parts):
    """{q: ..., k: ..., v: ...} of a weight or bias that holds several one after the other."""
    return dict(zip(parts, tensors[name].chunk(len(parts)), strict=True))


def siglip_of(trunk, shape, act):
    """transformers' SigLIP with the weights of timm's."""
    tensors, kinds = trunk.state_dict(), ("weight", "bias")
    there = {f"embeddings.patch_embedding.{k}": tensors[f"patch_embed.proj.{k}"] for k in kinds}
    there["embeddings.position_embedding.weight"] = tensors["pos_embed"][0]
    there |= {f"post_layernorm.{k}": tensors[f"norm.{k}"] for k in kinds}
    names = {"norm1": "layer_norm1", "norm2": "layer_norm2", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
    names["attn.proj"] = "self_attn.out_proj"
    for i in range(shape["depth"]):
        a, b = f"blocks.{i}", f"encoder.layers.{i}"
        for k in kinds:
            there |= {f"{b}.{theirs}.{k}": tensors[f"{a}.{ours}.{k}"] for ours, theirs in names.items()}
            parts = split(tensors, f"{a}.attn.qkv.{k}", "qkv")
            there |= {f"{b}.self_attn.{n}_proj.{k}": part for n, part in parts.items()}
    there["head.probe"] = tensors["attn_pool.latent"]
    for k in kinds:
        there[f"head.attention.in_proj_{k}"] = torch.cat(
            [tensors[f"attn_pool.q.{k}"], *split(tensors, f"attn_pool.kv.{k}", "kv").values()]
        )
        there[f"head.attention.out_proj.{k}"] = tensors[f"attn_pool.proj.{k}"]
        there[f"head.layernorm.{k}"] = tensors[f"attn_pool.norm.{k}"]
        there |= {f"head.mlp.{n}.{k}": tensors[f"attn_pool.mlp.{n}.{k}"] for n in ("fc1", "fc2")}
    width = shape["embed_dim"]
    config = SiglipVisionConfig(
        image_size=64,
        hidden_act=act,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=shape["depth"],
        num_attention_heads=shape["num_heads"],
    )
    model = SiglipVisionModel(config).eval()
    inside = any(name.startswith("vision_model.") for name in model.state_dict())
    model.load_state_dict({f"vision_model.{n}" if inside else n: tensor for n, tensor in there.items()})
    return model


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(64, 64), (64, 96)], ids=str)
def test_every_layer_of_a_siglip_tower_is_transformers_own(build, shape, size):
    """The card `siglip2-b`: each layer, and the vector that its attention pools."""
    visual = build("siglip2-b", shape)
    model = siglip_of(visual.trunk, shape, "gelu")
    seen = pixels_of(size)
    if size != (64, 64):
        inner = getattr(model, "vision_model", model).embeddings
        grown = resample_abs_pos_embed(visual.trunk.pos_embed, [s // 16 for s in size], num_prefix_tokens=0)
        inner.interpolate_pos_encoding = lambda *_: grown
    with torch.no_grad():
        *maps, vector = PatchTower(visual, layers_of(shape))(seen)
        found = model(seen, output_hidden_states=True, interpolate_pos_encoding=size != (64, 64))
    for layer, number in zip(maps, layers_of(shape), strict=True):
        agree(layer.flatten(1, 2), found.hidden_states[number + 1])
    agree(vector, found.pooler_output)


@pytest.mark.parametrize("shape", SHAPES)
def test_how_far_the_activation_of_the_original_is_from_timms(build, shape):
    """SigLIP was trained with an approximation of GELU, and timm has GELU itself: the towers nearly agree."""
    visual = build("siglip2-b", shape)
    model, seen = siglip_of(visual.trunk, shape, "gelu_pytorch_tanh"), pixels_of((64, 64))
    with torch.no_grad():
        *maps, _ = PatchTower(visual, layers_of(shape))(seen)
        found = model(seen, output_hidden_states=True).hidden_states[-1]
    apart = agree(maps[-1].flatten(1, 2), found, 5e-3)
    assert apart > CLOSE


def radio_of(trunk, shape):
    """transformers' C-RADIO with the weights of timm's, and without a normalisation of its own."""
    radio = pytest.importorskip("transformers.models.radio", reason="this version of transformers has no RADIO")
    tensors, kinds = trunk.state_dict(), ("weight", "bias")
    width = shape["embed_dim"]
    there = {
        "summary_idxs": torch.tensor([0, 1]),
        "input_conditioner.norm_mean": torch.zeros(3, 1, 1),
        "input_conditioner.norm_std": torch.ones(3, 1, 1),
        "embeddings.position_embedding": tensors["pos_embed"],
        "embeddings.cls_register_token": torch.cat([tensors["cls_token"], tensors["reg_token"]], dim=1)[0],
        "embeddings.patch_projection.weight": tensors["patch_embed.proj.weight"].flatten(1),
    }
    assert not tensors["patch_embed.proj.bias"].any(), "the original has none"
    names = {"norm1": "norm1", "norm2": "norm2", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
    names["attn.proj"] = "attention.o_proj"
    for i in range(shape["depth"]):
        a, b = f"blocks.{i}", f"encoder.layer.{i}"
        there |= {f"{b}.layer_scale{n}.lambda1": tensors[f"{a}.ls{n}.gamma"] for n in (1, 2)}
        for k in kinds:
            there |= {f"{b}.{theirs}.{k}": tensors[f"{a}.{ours}.{k}"] for ours, theirs in names.items()}
            parts = split(tensors, f"{a}.attn.qkv.{k}", "qkv")
            there |= {f"{b}.attention.{n}_proj.{k}": part for n, part in parts.items()}
    config = radio.RadioConfig(
        hidden_size=width,
        num_hidden_layers=shape["depth"],
        num_attention_heads=shape["num_heads"],
        image_size=64,
        max_img_size=64,
        num_cls_tokens=3,
        num_registers=5,
    )
    model = radio.RadioModel(config).eval()
    model.load_state_dict(there)
    return model


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(64, 64), (96, 64)], ids=str)
def test_every_layer_of_a_radio_tower_is_transformers_own(build, shape, size):
    """The card `radio-b`: each layer, and the class token; eight tokens stand before the patches."""
    visual = build("radio-b", shape)
    with torch.no_grad():
        visual.trunk.patch_embed.proj.bias.zero_()
    model, seen = radio_of(visual.trunk, shape), pixels_of(size)
    if size != (64, 64):
        grown = resample_abs_pos_embed(visual.trunk.pos_embed, [s // 16 for s in size], num_prefix_tokens=0)
        model.embeddings._interpolate_position_embedding = lambda *_: grown
    with torch.no_grad():
        *maps, vector = PatchTower(visual, layers_of(shape))(seen)
        found = model(seen, output_hidden_states=True)
    for layer, number in zip(maps, layers_of(shape), strict=True):
        agree(layer.flatten(1, 2), found.hidden_states[number + 1][:, 8:])
    agree(vector, found.last_hidden_state[:, 0])
