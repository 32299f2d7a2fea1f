"""Our towers against transformers' own code of the same architectures, layer by layer, on seeded random weights.

Both read the same numbers and share no code. In float32 the two differ by how sums are ordered, which grows with
depth: a layer may differ by `CLOSE` of its largest value. Towers of full size are slow.
"""

from dataclasses import replace

import open_clip
import pytest
import torch
from open_clip.model import CLIP
from shaken_towers import agree, shake
from timm.layers import resample_abs_pos_embed
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
)

from assistant.models.card import load_card
from assistant.models.towers import ClipText, PatchTower, _build_timm, fit_positions

SENTENCES = [
    "a photo of a scratched bottle",
    "Flawless, unbroken weave: 3.5 mm!",
    "damaged",
    "a " * 90,  # longer than what the tower reads
    "naïve façade — 50 % «rusty»",
]


def small_clip(quick):
    vision = {"image_size": 64, "patch_size": 16, "width": 64, "layers": 3, "head_width": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 48, "heads": 4, "layers": 3}
    return CLIP(32, vision, text, quick_gelu=quick)


def block(tensors, ours, theirs):
    """The weights of one layer of open_clip's, by their names in transformers."""
    there = {}
    for kind in ("weight", "bias"):
        parts = tensors[f"{ours}.attn.in_proj_{kind}"].chunk(3)
        there |= {f"{theirs}.self_attn.{n}_proj.{kind}": part for n, part in zip("qkv", parts, strict=True)}
        names = {"attn.out_proj": "self_attn.out_proj", "ln_1": "layer_norm1", "ln_2": "layer_norm2"}
        names |= {"mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
        there |= {f"{theirs}.{b}.{kind}": tensors[f"{ours}.{a}.{kind}"] for a, b in names.items()}
    return there


def theirs_of(clip, quick):
    """transformers' image tower with the weights of an open_clip model."""
    visual = clip.visual
    depth, width = len(visual.transformer.resblocks), visual.conv1.out_channels
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=depth,
        num_attention_heads=visual.transformer.resblocks[0].attn.num_heads,
        image_size=visual.image_size[0],
        patch_size=visual.patch_size[0],
        projection_dim=visual.proj.shape[1],
        hidden_act="quick_gelu" if quick else "gelu",
    )
    tensors = visual.state_dict()
    root = "vision_model."
    there = {
        f"{root}embeddings.class_embedding": tensors["class_embedding"],
        f"{root}embeddings.patch_embedding.weight": tensors["conv1.weight"],
        f"{root}embeddings.position_embedding.weight": tensors["positional_embedding"],
        "visual_projection.weight": tensors["proj"].T,
    }
    for ours, name in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
        there |= {f"{root}{name}.{kind}": tensors[f"{ours}.{kind}"] for kind in ("weight", "bias")}
    for i in range(depth):
        there |= block(tensors, f"transformer.resblocks.{i}", f"{root}encoder.layers.{i}")
    model = CLIPVisionModelWithProjection(config).eval()
    model.load_state_dict(there)
    return model


def compare_images(clip, quick, size):
    visual = clip.visual
    depth = len(visual.transformer.resblocks)
    ours = PatchTower(visual, tuple(range(depth)))
    theirs = theirs_of(clip, quick)
    pixels = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        *maps, text_patches, vector = ours(pixels)
        if size != visual.image_size:  # at other sizes only what is between the patches is asked of them
            theirs.vision_model.embeddings.position_embedding.weight.data = fit_positions(visual, *size)
            theirs.vision_model.embeddings.position_ids = torch.arange(1 + maps[0][0, ..., 0].numel())[None]
            theirs.vision_model.embeddings.image_size = size
            theirs.vision_model.embeddings.forward = lambda seen, **_: embed(theirs.vision_model.embeddings, seen)
        found = theirs(pixels, output_hidden_states=True)
        last = theirs.visual_projection(theirs.vision_model.post_layernorm(found.hidden_states[-1][:, 1:]))
    assert len(maps) == depth == len(found.hidden_states) - 1
    for i, layer in enumerate(maps):
        agree(layer.flatten(1, 2), found.hidden_states[i + 1][:, 1:])
    agree(text_patches.flatten(1, 2), last)
    agree(vector, found.image_embeds)


def embed(embeddings, pixels):
    """Patches, the class and their places, row by row as the picture has them."""
    patches = embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)
    classes = embeddings.class_embedding.expand(len(pixels), 1, -1)
    return torch.cat([classes, patches], dim=1) + embeddings.position_embedding.weight


@pytest.mark.parametrize("quick", [True, False], ids=["quickgelu", "gelu"])
@pytest.mark.parametrize("size", [(64, 64), (96, 160)], ids=str)
def test_every_layer_of_a_clip_tower_is_transformers_own(quick, size):
    compare_images(shake(small_clip(quick)), quick, size)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "quick"), [("ViT-B-16-quickgelu", True), ("ViT-B-16", False)])
def test_every_layer_of_a_full_clip_tower_is_transformers_own(name, quick):
    compare_images(shake(open_clip.create_model(name, load_weights=False)), quick, (224, 224))


def test_the_two_activations_are_told_apart():
    clip = shake(small_clip(True))
    with pytest.raises(AssertionError):
        compare_images(clip, False, (64, 64))


def test_places_between_the_learned_ones_are_those_of_timm():
    """Which of the usual cubics it is: timm and open_clip take the one of Pillow, transformers a steeper one."""
    visual = shake(small_clip(True)).visual
    learned = visual.positional_embedding.detach()
    for h, w in ((6, 10), (4, 8), (2, 3)):
        theirs = resample_abs_pos_embed(learned[None], [h, w], num_prefix_tokens=1)
        agree(fit_positions(visual, 16 * h, 16 * w), theirs[0])
    embeddings = theirs_of(small_clip(True), True).vision_model.embeddings
    embeddings.position_embedding.weight.data = learned
    steeper = embeddings.interpolate_pos_encoding(torch.zeros(1, 61, 64), 96, 160)[0].detach()
    apart = (fit_positions(visual, 96, 160) - steeper).abs().max() / steeper.abs().max()
    assert 0.001 < apart.item() < 0.15


@pytest.mark.parametrize("quick", [True, False], ids=["quickgelu", "gelu"])
def test_the_text_tower_is_transformers_own(quick):
    clip = shake(small_clip(quick))
    config = CLIPTextConfig(
        hidden_size=48,
        intermediate_size=192,
        num_hidden_layers=3,
        num_attention_heads=4,
        projection_dim=32,
        hidden_act="quick_gelu" if quick else "gelu",
        eos_token_id=49407,
    )
    tensors, root = clip.state_dict(), "text_model."
    there = {
        f"{root}embeddings.token_embedding.weight": tensors["token_embedding.weight"],
        f"{root}embeddings.position_embedding.weight": tensors["positional_embedding"],
        "text_projection.weight": tensors["text_projection"].T,
    }
    there |= {f"{root}final_layer_norm.{kind}": tensors[f"ln_final.{kind}"] for kind in ("weight", "bias")}
    for i in range(3):
        there |= block(tensors, f"transformer.resblocks.{i}", f"{root}encoder.layers.{i}")
    model = CLIPTextModelWithProjection(config).eval()
    model.load_state_dict(there)
    tokens = open_clip.get_tokenizer("ViT-B-16")(SENTENCES)
    with torch.no_grad():
        agree(ClipText(clip)(tokens), model(tokens).text_embeds)


def test_the_tokenizer_is_transformers_own():
    ours = open_clip.get_tokenizer("ViT-B-16")
    ends = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    words = {ends.get(word, word): number for word, number in ours.encoder.items()}
    theirs = CLIPTokenizer(vocab=words, merges=list(ours.bpe_ranks))
    for sentence in SENTENCES:
        expected = theirs(sentence, truncation=True, max_length=77).input_ids
        found = ours([sentence])[0].tolist()
        assert found[: len(expected)] == expected and not any(found[len(expected) :])


DINO = {
    "vit_small_patch14_dinov2": (Dinov2Config, Dinov2Model, {}),
    "vit_small_patch14_reg4_dinov2": (
        Dinov2WithRegistersConfig,
        Dinov2WithRegistersModel,
        {"num_register_tokens": 4},
    ),
}


@pytest.mark.parametrize("name", DINO)
@pytest.mark.parametrize("size", [(56, 56), (84, 56)], ids=str)
def test_every_layer_of_a_dino_tower_is_transformers_own(name, size):
    """DINOv2 small with and without registers, of full depth and width: twelve layers of 384."""
    Config, Model, more = DINO[name]
    pocket = load_card("pocket").image
    part = replace(pocket, architecture=name, image_size=56, multiple=14, layers=(0, 5, 11), shares=())
    visual = _build_timm(part)
    trunk = shake(visual.trunk)
    config = Config(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=56, patch_size=14, **more
    )
    tensors = trunk.state_dict()
    there = {
        "embeddings.cls_token": tensors["cls_token"],
        "embeddings.mask_token": torch.zeros(1, 384),
        "layernorm.weight": tensors["norm.weight"],
        "layernorm.bias": tensors["norm.bias"],
        "embeddings.patch_embeddings.projection.weight": tensors["patch_embed.proj.weight"],
        "embeddings.patch_embeddings.projection.bias": tensors["patch_embed.proj.bias"],
    }
    places = trunk.pos_embed.detach()
    classes, grid = (places[:, :1], places[:, 1:]) if not more else (torch.zeros(1, 1, 384), places)
    there["embeddings.position_embeddings"] = torch.cat([classes, grid], dim=1)
    if more:
        there["embeddings.register_tokens"] = tensors["reg_token"]
    for i in range(12):
        a, b = f"blocks.{i}", f"encoder.layer.{i}"
        there |= {f"{b}.layer_scale{n}.lambda1": tensors[f"{a}.ls{n}.gamma"] for n in (1, 2)}
        for kind in ("weight", "bias"):
            parts = tensors[f"{a}.attn.qkv.{kind}"].chunk(3)
            there |= {f"{b}.attention.{n}_proj.{kind}": part for n, part in zip("qkv", parts, strict=True)}
            there[f"{b}.attention.o_proj.{kind}"] = tensors[f"{a}.attn.proj.{kind}"]
            there |= {
                f"{b}.{n}.{kind}": tensors[f"{a}.{n}.{kind}"] for n in ("norm1", "norm2", "mlp.fc1", "mlp.fc2")
            }
    model = Model(config).eval()
    model.load_state_dict(there)
    if size != (56, 56):
        shape = [side // 14 for side in size]
        grown = resample_abs_pos_embed(grid, shape, num_prefix_tokens=0)
        model.embeddings.interpolate_pos_encoding = lambda *_: torch.cat([classes, grown], dim=1)
    pixels = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        *maps, vector = PatchTower(visual, part.layers)(pixels)
        found = model(pixels, output_hidden_states=True)
    extra = 1 + more.get("num_register_tokens", 0)
    for layer, number in zip(maps, part.layers, strict=True):
        agree(layer.flatten(1, 2), found.hidden_states[number + 1][:, extra:])
    agree(vector, found.last_hidden_state[:, 0])


@pytest.mark.parametrize("size", [(64, 64), (96, 64)], ids=str)
def test_every_layer_of_a_dino_v3_tower_is_transformers_own(size):
    """DINOv3 small, of full depth and width; its places are turned angles, which both work out for any size."""
    pocket = load_card("pocket").image
    layers = (0, 5, 11)
    part = replace(
        pocket, architecture="vit_small_patch16_dinov3", image_size=64, multiple=16, layers=layers, shares=()
    )
    visual = _build_timm(part)
    tensors = shake(visual.trunk).state_dict()
    config = DINOv3ViTConfig(
        hidden_size=384, intermediate_size=1536, num_hidden_layers=12, num_attention_heads=6, num_register_tokens=4
    )
    model = DINOv3ViTModel(config).eval()
    there = {
        name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()
    }  # biases that timm lacks
    names = {"cls_token": "embeddings.cls_token", "reg_token": "embeddings.register_tokens"}
    for kind in ("weight", "bias"):
        names |= {
            f"norm.{kind}": f"norm.{kind}",
            f"patch_embed.proj.{kind}": f"embeddings.patch_embeddings.{kind}",
        }
    for i in range(12):
        a, b = f"blocks.{i}", f"model.layer.{i}"
        names |= {f"{a}.gamma_{n}": f"{b}.layer_scale{n}.lambda1" for n in (1, 2)}
        for kind in ("weight", "bias"):
            names |= {f"{a}.norm{n}.{kind}": f"{b}.norm{n}.{kind}" for n in (1, 2)}
            names |= {
                f"{a}.mlp.fc1.{kind}": f"{b}.mlp.up_proj.{kind}",
                f"{a}.mlp.fc2.{kind}": f"{b}.mlp.down_proj.{kind}",
            }
            names[f"{a}.attn.proj.{kind}"] = f"{b}.attention.o_proj.{kind}"
        parts = tensors.pop(f"{a}.attn.qkv.weight").chunk(3)
        there |= {f"{b}.attention.{n}_proj.weight": part for n, part in zip("qkv", parts, strict=True)}
    assert set(tensors) == set(names)
    model.load_state_dict(there | {names[name]: tensor for name, tensor in tensors.items()})
    pixels = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        *maps, vector = PatchTower(visual, layers)(pixels)
        found = model(pixels, output_hidden_states=True)
    for layer, number in zip(maps, layers, strict=True):
        agree(layer.flatten(1, 2), found.hidden_states[number + 1][:, 5:])
    agree(vector, found.last_hidden_state[:, 5:].mean(dim=1))
