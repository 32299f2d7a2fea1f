"""Published recipes on seeded random towers: the same inputs give the maps of the papers' formulas.

What is compared is written here in plain numpy, and shares no code with the library. Where we differ from a paper
on purpose, the test says by which setting its formula is reached, or `docs/bundles.md` says how we differ. Maps
may differ by `CLOSE`. What meets a memory or other pictures is rounded to bfloat16, here as there.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from shaken_towers import shake

from assistant.adapters.fusion import harmonic
from assistant.adapters.mutual import rescore
from assistant.adapters.text_map import text_map
from assistant.adapters.visual import AdapterConfig, VisualAdapter
from assistant.detection.config import SHIPPED, ScoringConfig
from assistant.detection.detector import Detector
from assistant.eval.seeded import load_seeded, write_towers
from assistant.images.load import load_image
from assistant.models.backbone import Backbone
from assistant.models.card import load_card
from assistant.models.runtime import TorchRuntime
from assistant.models.towers import PatchTower, _build_timm, build_image_tower
from assistant.models.trained_adapter import TrainedAdapter, TypeScale
from assistant.products.config import LearnConfig
from assistant.products.learning import learn_product
from assistant.prompts.defects import DEFECTS
from assistant.prompts.learnable import ContextConfig, LearnableContext
from assistant.prompts.states import compose

CLOSE = 1e-4
PAPERS_TEMPERATURE = 0.07  # AnomalyCLIP's and AdaptCLIP's; ours for what is learned is 0.05


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def rounded(rows):
    """The numbers in bfloat16, as memories hold them."""
    return torch.from_numpy(rows).float().to(torch.bfloat16).double().numpy()


def spotted(seed, width=160, height=160, cell=16):
    """A picture of squares of random colours: patches of a random tower lie apart in nothing else."""
    drawn = np.random.default_rng(seed).integers(0, 256, (height // cell, width // cell, 3), dtype=np.uint8)
    return np.kron(drawn, np.ones((cell, cell, 1), np.uint8))


@pytest.fixture(autouse=True)
def in_float32(monkeypatch):
    """Products are those of every processor: some have quick ones in bfloat16."""
    monkeypatch.setattr("assistant.adapters.similarity.product_type", lambda device: torch.float32)


def softmax_second(cosines, temperature):
    """The probability of the second of two cosines."""
    raised = np.exp((cosines - cosines.max(axis=-1, keepdims=True)) / temperature)
    return raised[..., 1] / raised.sum(axis=-1)


def layer_of(features, number=-1):
    """A layer's patches [h, w, C]."""
    return features.layers[number][0].numpy().astype(np.float64)


def strangest(distances, share=0.01):
    """The mean of the largest `share`, at least one."""
    ordered = np.sort(np.asarray(distances).ravel())[::-1]
    return ordered[: max(1, round(share * len(ordered)))].mean()


def one_layer(count, **fields):
    """The score rule reduced to the last layer, and to what a paper has."""
    shares = (*(0.0 for _ in range(count - 1)), 1.0)
    return ScoringConfig(layer_shares=shares, strength_weight=0.0, whole_weight=0.0, memory_share=1.0, **fields)


@pytest.fixture(params=["small", pytest.param("whole", marks=pytest.mark.slow)])
def clip(request, tiny_home, backbones, tmp_path, monkeypatch):
    """A CLIP of random weights: the tiny one, or ViT-B/16 as in `standard`, without its second tower."""
    if request.param == "small":
        return backbones["tiny-vit"]
    monkeypatch.undo()  # the shipped cards again
    card = replace(load_card("standard"), patch_tower=None)
    write_towers(card, tmp_path)
    return load_seeded(card, tmp_path, torch.device("cpu"))


@pytest.fixture(scope="module")
def dino():
    """DINOv2 ViT-S/14 whole, of random weights, on pictures of 224 pixels: 16 x 16 patches."""
    pocket = load_card("pocket")
    part = replace(
        pocket.image,
        architecture="vit_small_patch14_dinov2",
        image_size=224,
        multiple=14,
        layers=(5, 8, 11),
        shares=(),
    )
    visual = _build_timm(part)
    shake(visual.trunk)
    runtime = TorchRuntime(PatchTower(visual, part.layers), torch.device("cpu"))
    return Backbone(replace(pocket, image=part), runtime, part=part, digest="shaken")


def test_winclip_zero_shot(clip, good):
    """Jeong et al. 2023: prompts averaged to two directions, a softmax at temperature 0.01 at each place.

    The paper also reads windows of 2 x 2 and 3 x 3 patches, masked and encoded anew, and joins them by their
    harmonic mean; ours reads single patches. `text_share=1` takes rarity away.
    """
    prompts, means = compose(), []
    for sentences in (prompts.normal, prompts.abnormal):
        means.append(unit(unit(clip.encode_text(list(sentences)).numpy()).mean(axis=0)))
    (features,) = clip.encode([good(1, 160, 112)])
    cosines = features.text_patches[0].numpy().astype(np.float64) @ np.stack(means).T
    found = Detector(clip, ScoringConfig(text_share=1.0)).score(features, None)
    expected = softmax_second(cosines, 0.01)
    assert found.map.shape != found.map.T.shape, "not square"
    assert np.abs(found.map.numpy() - expected).max() < 10 * CLOSE  # cosines times 100
    assert found.value == pytest.approx(strangest(expected), abs=10 * CLOSE)
    windows = np.random.default_rng(0).uniform(0.01, 1, (2, 5))
    joined = harmonic(*map(torch.from_numpy, windows))
    assert np.allclose(joined, 2 / (1 / windows).sum(axis=0), atol=1e-9), "as it joins the windows of a place"


def test_winclip_few_shot(clip):
    """At each place half the distance to the nearest reference patch; ours is the whole distance."""
    references = [spotted(i) for i in range(2)]
    config = one_layer(len(clip.part.layers))
    product = learn(Detector(clip, config), references)
    (features,) = clip.encode([spotted(9)])
    rows = [layer_of(f).reshape(-1, layer_of(f).shape[-1]) for f in clip.encode(references)]
    memory = rounded(unit(np.concatenate(rows)))
    expected = 0.5 * (1 - (unit(layer_of(features)) @ memory.T).max(axis=-1))
    found = Detector(clip, config).score(features, product)
    assert expected.std() > 20 * CLOSE, "there is something to tell apart"
    assert np.abs(found.map.numpy() / 2 - expected).max() < CLOSE


def learn(detector, pictures):
    """A product that compares patches with nothing but its memory, from anywhere."""
    loaded = [load_image(pixels) for pixels in pictures]
    product = learn_product(detector, "cloth", loaded, LearnConfig(aligned=False, registered=False))
    return replace(product, strengths=None, wholes=None)


def value_patches(visual, pixels):
    """AnomalyCLIP's patches of the last layer: values attend to values in the last blocks, without their MLPs."""
    blocks, entered = list(visual.transformer.resblocks), []
    hooks = [b.register_forward_pre_hook(lambda _, given: entered.append(given[0])) for b in blocks]
    with torch.no_grad():
        visual(pixels)
    for hook in hooks:
        hook.remove()
    first = len(blocks) - len(blocks) * 4 // 5
    path = entered[first].double().numpy()
    for block, given in zip(blocks[first:], entered[first:], strict=True):
        given = given.double().numpy()
        mean, spread = given.mean(axis=-1, keepdims=True), given.var(axis=-1, keepdims=True)
        scaled = (given - mean) / np.sqrt(spread + block.ln_1.eps) * array(block.ln_1.weight) + array(
            block.ln_1.bias
        )
        width, heads = scaled.shape[-1], block.attn.num_heads
        attention = block.attn
        weight, bias = (array(t)[2 * width :] for t in (attention.in_proj_weight, attention.in_proj_bias))
        values = scaled @ weight.T + bias
        size, out = width // heads, []
        for head in range(heads):
            own = values[..., head * size : (head + 1) * size]
            alike = np.exp(own @ own.swapaxes(1, 2) / math.sqrt(size))
            out.append(alike / alike.sum(axis=-1, keepdims=True) @ own)
        path = path + np.concatenate(out, axis=-1) @ array(block.attn.out_proj.weight).T
        path = path + array(block.attn.out_proj.bias)
    mean, spread = path.mean(axis=-1, keepdims=True), path.var(axis=-1, keepdims=True)
    last = (path - mean) / np.sqrt(spread + visual.ln_post.eps) * array(visual.ln_post.weight)
    projected = (last + array(visual.ln_post.bias)) @ array(visual.proj)
    return unit(projected[:, 1:])


def array(tensor):
    return tensor.detach().double().numpy()


def sentence_vectors(clip, context, words):
    """What the text tower makes of learned tokens before words, by its own call with its embedding replaced."""
    text, tokenize = clip.text_tower
    text, found = text.model, []
    embedding, length = text.token_embedding, len(context[0])
    for own, word in zip(context, words, strict=True):
        ids = tokenize([word])
        with torch.no_grad():
            given = embedding(ids)
        room, free = ids.shape[1], torch.ones(1, length, dtype=ids.dtype)
        joined = torch.cat([given[:, :1], own[None], given[:, 1:]], dim=1)[:, :room]
        moved = torch.cat([ids[:, :1], free, ids[:, 1:]], dim=1)[:, :room]
        text.token_embedding = torch.nn.Embedding(1, 1)
        text.token_embedding.forward = lambda _, joined=joined: joined
        with torch.no_grad():
            found.append(text.encode_text(moved)[0].numpy())
        text.token_embedding = embedding
    return unit(np.stack(found))


@pytest.fixture
def value_clip(clip, tiny_home, tmp_path):
    """The same tower, whose card asks for attention of values to values."""
    part = replace(clip.card.image, attention="vv")
    folder = tiny_home / "bundles" / "tiny-vit" if clip.card.name == "tiny-vit" else tmp_path
    card = replace(clip.card, image=part)
    runtime = TorchRuntime(build_image_tower(card, folder), torch.device("cpu"))
    return Backbone(card, runtime, part=part, aligns_text=True, text=lambda: clip.text_tower, digest=clip.digest)


def learned_for(clip, directions):
    """What was trained for a tower, with a visual branch that has not learned anything yet."""
    torch.manual_seed(0)
    space = directions.shape[1]
    states, types = directions.flip(0), directions[:1].expand(len(DEFECTS), -1)
    adapter = VisualAdapter(AdapterConfig(space, space, 8), states, types).eval().requires_grad_(False)
    made_for = {"bundle": clip.card.name, "weights": clip.digest}
    return TrainedAdapter(adapter, directions, TypeScale(), **made_for)


def test_anomalyclip(value_clip, good):
    """Zhou et al. 2024: learned object-agnostic sentences on the patches of the value path.

    Its map is (p_abnormal + 1 - p_normal) / 2, of the last layer alone as its published weights are used. Its
    temperature is 0.07. Its picture's score is that of the class token alone: `text_whole=1`, of which our visual
    branch is the other half. Deep tokens are off by default: `ContextConfig(deep=9)`.
    """
    pixels = good(3, 160, 112)
    (features,) = value_clip.encode([pixels])
    tower = value_clip.runtime.tower
    patches = features.text_patches[0].numpy().reshape(-1, features.text_patches.shape[-1])
    square = value_clip.fit(good(3, 160, 160))[None]
    (of_square,) = value_clip.encode([good(3, 160, 160)])
    assert tuple(tower.visual.image_size) == tuple(square.shape[2:]), "no place is interpolated"
    by_hand = value_patches(tower.visual, square)[0]
    assert np.abs(of_square.text_patches[0].flatten(0, 1).numpy() - by_hand).max() < CLOSE
    context = LearnableContext(*value_clip.text_tower, ContextConfig(seed=3))
    context.context.data *= 20  # as far from fresh as training may bring it
    directions = context().detach()
    words = sentence_vectors(value_clip, context.context.detach(), context.config.words)
    assert np.abs(directions.numpy() - words).max() < CLOSE
    cosines = patches.astype(np.float64) @ words.T
    abnormal = softmax_second(cosines, PAPERS_TEMPERATURE)
    normal = softmax_second(cosines[:, ::-1], PAPERS_TEMPERATURE)
    paper = (abnormal + 1 - normal) / 2
    found = text_map(features.text_patches, directions, PAPERS_TEMPERATURE)[0].flatten().numpy()
    assert np.abs(found - paper).max() < 10 * CLOSE
    learned = learned_for(value_clip, directions)
    said, whole = learned.say(features)
    read = learned.adapter.read(features.text_patches)
    seen = torch.sigmoid(learned.adapter.evidence(read))[0]
    ours = (2 * said[0] - seen).flatten().numpy()  # the textual half of what is said
    assert np.abs(ours - softmax_second(cosines, 0.05)).max() < 10 * CLOSE
    detector = Detector(value_clip, ScoringConfig(text_share=1.0, text_whole=1.0))
    detector.words.__dict__["learned"] = learned
    assert detector.score(features, None).value == pytest.approx(float(whole), rel=1e-4)


def test_adaptclip_fusion(clip, good):
    """Gao et al. 2025: the heads' maps averaged, the harmonic mean with the distances, and again for the score.

    The paper joins them with distances to references, and takes the map's maximum: `top_share` next to 0. Ours
    joins them with rarity where there is no reference, and leaves words out where there are some.
    """
    (features,) = clip.encode([good(5)])
    generator = torch.Generator().manual_seed(1)
    directions = torch.nn.functional.normalize(
        torch.randn(2, features.vector.shape[-1], generator=generator), dim=-1
    )
    learned = learned_for(clip, directions)
    patches, vector = array(features.text_patches[0]), array(features.vector[0])
    text, text_whole = (softmax_second(v @ array(directions).T, 0.05) for v in (patches, vector))
    adapter = learned.adapter
    states = array(adapter.states)

    def seen_by(module, rows, offset):
        moved = array(module(torch.from_numpy(rows).float()))
        return 1 / (1 + np.exp(-(moved @ (states[1] - states[0]) / 0.05 + float(adapter.offset[offset]))))

    visual = seen_by(adapter.patches, patches, 0)
    heads = (text + visual) / 2
    whole = (text_whole + seen_by(adapter.whole, vector, 1)) / 2
    config = ScoringConfig(top_share=1e-6)
    detector = Detector(clip, config)
    distance = array(detector._rarity(features, detector.tokens(features), config)[0])
    detector.words.__dict__["learned"] = learned
    found = detector.score(features, None)
    joined = 2 / (1 / distance + 1 / heads)
    score = 2 / (1 / joined.max() + 1 / whole)
    assert found.value == pytest.approx(score, rel=1e-3)
    assert np.abs(found.map.numpy() - joined * score / joined.max()).max() < 10 * CLOSE


def test_anomalydino(dino):
    """Damm et al. 2025: 1 - cosine to the nearest reference patch, and the mean of the strangest hundredth.

    `one_layer` takes the other layers, rarity and what we add away. The paper reads patches after the tower's last
    norm, ours before it, and it masks the background of some products.
    """
    references, detector = [spotted(i) for i in range(2)], Detector(dino, one_layer(3))
    product = learn(detector, references)
    (features,) = dino.encode([spotted(9)])
    rows = [layer_of(f).reshape(-1, 384) for f in dino.encode(references)]
    distances = 1 - (unit(layer_of(features)) @ rounded(unit(np.concatenate(rows))).T).max(axis=-1)
    found = detector.score(features, product)
    assert found.map.shape == distances.shape == (16, 16)
    assert distances.std() > 20 * CLOSE
    assert np.abs(found.map.numpy() - distances).max() < CLOSE
    assert found.value == pytest.approx(strangest(distances), abs=CLOSE)


def pooled(tokens, size):
    """Each patch as the mean of a square around it, of those that exist, of unit length."""
    h, w, _ = tokens.shape
    r = size // 2
    rows = [
        [tokens[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1].mean(axis=(0, 1)) for x in range(w)]
        for y in range(h)
    ]
    return unit(rows)


def test_musc(dino):
    """Li et al. 2024: the mean of the smallest 30 % of a patch's distances to the others, over three sizes.

    The paper takes Euclidean distances of features that are scaled by layer, and the mean over layers; ours takes
    cosine distances of unit vectors, which are d^2 / 2, of layers that are joined. `one_layer` leaves one layer
    and no rarity. With one picture kept the nearest is the same, and of each size the paper's is reached by a
    root.
    """
    pictures = [spotted(i, 160, 112) for i in range(5)]
    seen = dino.encode(pictures)
    config = one_layer(3)
    tokens = [unit(layer_of(f)) for f in seen]
    sizes, others = (1, 3, 5), len(seen) - 1
    kept = max(1, round(0.3 * others))
    expected = []
    for i in range(len(seen)):
        maps, roots = [], []
        for size in sizes:
            rows = [rounded(pooled(t, size)) for t in tokens]
            flat = [r.reshape(-1, 384) for j, r in enumerate(rows) if j != i]
            far = np.sort([1 - (rows[i] @ f.T).max(axis=-1) for f in flat], axis=0)
            squares = [(rows[i] ** 2).sum(-1, keepdims=True) + (f**2).sum(-1) - 2 * rows[i] @ f.T for f in flat]
            straight = np.sort([np.sqrt(square.min(axis=-1)) for square in squares], axis=0)
            maps.append(far[:kept].mean(axis=0))
            roots.append(straight[:kept].mean(axis=0))
        assert kept == 1
        assert np.abs(np.sqrt(2 * np.array(maps)) - roots).max() < 0.02, "of unit length but for rounding"
        expected.append(np.mean(maps, axis=0))
        assert expected[-1].std() > 20 * CLOSE
    detector = Detector(dino, config)
    found = detector.mutual(
        [detector.coarse_tokens(f)[0] for f in seen],
        [torch.zeros(t.shape[:2]) for t in tokens],
        torch.cat([f.vector for f in seen]),
    )
    assert SHIPPED.mutual_interval == 0.3 and SHIPPED.mutual_sizes == sizes
    for one, by_hand in zip(found, expected, strict=True):
        assert np.abs(one.map.numpy() - by_hand).max() < CLOSE


def test_musc_rescoring():
    """Scores become means over the most alike pictures, weighted by likeness, a picture's own being one of them.

    The paper averages three neighbourhoods, of 1, 2 and 3 pictures, weighted by the cosine; ours is one of five,
    weighted by its square. It needs no scores between 0 and 1: what is a mean of them has their unit.
    """
    random = np.random.default_rng(0)
    vectors, scores = unit(random.normal(size=(9, 6)) + 1), random.uniform(0.1, 0.9, 9)
    alike = vectors @ vectors.T
    expected = []
    for row in alike:
        nearest = np.argsort(-row)[:5]
        weights = row[nearest].clip(0) ** 2
        expected.append((weights * scores[nearest]).sum() / weights.sum())
    found = rescore(torch.from_numpy(scores), torch.from_numpy(vectors))
    assert np.allclose(found, expected, atol=1e-9)
