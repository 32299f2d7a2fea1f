"""The ablation and the profile run on the tiny tower and look at what they say they look at."""

import json
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from torch.nn.functional import normalize

from assistant.adapters.patches import neighbourhood, top_mean
from assistant.adapters.strength import Strengths
from assistant.adapters.whole import Wholes
from assistant.detection.detector import MEMORY_SHARE, Detector
from assistant.eval.datasets import read_mvtec
from assistant.eval.profile import peak_memory, time_stages
from assistant.eval.research import ablation
from assistant.eval.research.ablation import METRICS, ablate, main, mean_of, print_table
from assistant.eval.research.variants import DESCRIPTORS, VARIANTS, Draw, Picture
from assistant.images.load import load_image
from assistant.images.views import memory_views

AUTO = "alignment auto"


@pytest.fixture
def folder(tmp_path, good, planted):
    """A category with outlined blots."""
    root = tmp_path / "set" / "cloth"

    def keep(pixels, name):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name)

    for i in range(5):
        keep(good(i), f"train/good/{i}.png")
    for i in range(3):
        keep(good(20 + i), f"test/good/{i}.png")
        spoiled, (x0, y0, x1, y1) = planted(good(30 + i), 0.5, 0.5)
        mask = np.zeros(spoiled.shape[:2], np.uint8)
        mask[y0:y1, x0:x1] = 255
        keep(spoiled, f"test/blot/{i}.png")
        keep(mask, f"ground_truth/blot/{i}_mask.png")
    return root


@pytest.fixture
def category(folder):
    return read_mvtec(folder)


@pytest.fixture
def drawn(backbones, category):
    """drawn(picture=..., count=2): a test picture and a draw of references."""
    backbone = backbones["tiny-cnn"]

    def look(sample, views):
        return backbone.encode(memory_views(load_image(sample.image).pixels, views))

    def make(pixels=None, count=2):
        seen = load_image(category.test[-1].image).pixels if pixels is None else pixels
        features = backbone.encode([seen])[0]
        return Picture(backbone, features), Draw(Detector(backbone), category.references(count), look), features

    return make


def blend(pair):
    return MEMORY_SHARE * pair[0] + (1 - MEMORY_SHARE) * pair[1]


def test_every_variant_is_measured_in_every_draw_and_a_plain_blot_is_found(backbones, category):
    found = ablate(backbones["tiny-cnn"], category, seeds=2)
    assert set(found) == {(v, m, k) for v in VARIANTS for m in (1.0, MEMORY_SHARE) for k in (1, 4)}
    for rows in found.values():
        assert len(rows) == 2
        assert all(set(row) == set(METRICS) and all(0 <= v <= 1 for v in row.values()) for row in rows)
    assert all(row["image AUROC"] > 0.8 for row in found["nearest neighbour", 1.0, 4])
    # The maximum looks at the same map.
    for key, rows in found.items():
        if key[0].startswith("maximum"):
            same = found["nearest neighbour", *key[1:]]
            assert [r["pixel AP"] for r in rows] == [r["pixel AP"] for r in same]


def test_the_shipped_map_and_its_rivals_are_those_of_the_detector(backbones, drawn):
    picture, draw, features = drawn()
    detector, memory = Detector(backbones["tiny-cnn"]), draw.memory("shipped", "plain")
    for name, settings in (
        ("nearest neighbour", {}),
        ("alignment on", {"aligned": True}),
        (AUTO, {"aligned": draw.lies_alike()}),
        ("strength", {"strengths": draw.strengths()}),
        ("as shipped", {"aligned": draw.lies_alike(), "strengths": draw.strengths()}),
    ):
        expected = detector.few_shot(features, memory, **settings)
        found = blend(VARIANTS[name].compare(picture, draw))
        assert torch.allclose(found, expected, atol=1e-6)
        assert torch.equal(VARIANTS[name].score(found), top_mean(found))
    assert not torch.allclose(
        detector.few_shot(features, memory, aligned=True), detector.few_shot(features, memory)
    )


def test_each_variant_changes_the_map_or_the_score(drawn):
    picture, draw, _ = drawn()
    plain = VARIANTS["nearest neighbour"]
    base = plain.compare(picture, draw)[0]
    for name, variant in VARIANTS.items():
        found = variant.compare(picture, draw)[0]
        if name in ("nearest neighbour", "foreground", "strength", "whole", "as shipped", AUTO):
            continue  # those depend on the set
        same = torch.equal(found, base) and torch.equal(variant.score(found), plain.score(base))
        assert not same, name
    highest = VARIANTS["maximum for the top 1 %"]
    assert float(highest.score(base)) == float(base.max()) > float(plain.score(base))


def test_alignment_follows_what_the_references_say(drawn):
    picture, draw, _ = drawn()
    auto, on, off = (VARIANTS[n].compare for n in (AUTO, "alignment on", "nearest neighbour"))
    for alike, expected in ((True, on), (False, off)):
        draw.lies_alike = lambda alike=alike: alike
        assert torch.equal(auto(picture, draw)[0], expected(picture, draw)[0])
    assert (on(picture, draw)[0] >= off(picture, draw)[0] - 1e-3).all()


def test_strength_and_the_picture_as_a_whole_count_as_they_do_for_a_product(drawn):
    picture, draw, features = drawn()
    base = VARIANTS["nearest neighbour"].compare(picture, draw)[0]
    usual = draw.strengths()
    weak = Strengths(usual.limits - 1.0, usual.owners)  # good patches that respond far less
    draw.strengths = lambda: weak
    for name in ("strength", "as shipped"):
        assert float((VARIANTS[name].compare(picture, draw)[0] - base).mean()) > 0
    signatures = draw.detector.signature(features)
    other = normalize(torch.rand(2, signatures.shape[1], generator=torch.Generator().manual_seed(0)), dim=1)
    alike = Wholes(other.half(), (0, 1))
    draw.wholes = lambda: alike
    for name in ("whole", "as shipped"):
        lifted = VARIANTS[name].lift(picture, draw)
        assert float(lifted) > 0 and torch.equal(lifted, draw.detector.lift(features, alike))
    assert float(VARIANTS["strength"].lift(picture, draw)) == 0


def test_a_foreground_blanks_distance_and_rarity(drawn):
    picture, draw, _ = drawn()
    distance, rare = VARIANTS["nearest neighbour"].compare(picture, draw)
    mask = torch.zeros_like(rare)
    mask[:, 1:3] = 1
    draw.foreground = lambda: type("Ground", (), {"mask": lambda self, tokens: mask})()
    found = VARIANTS["foreground"].compare(picture, draw)
    assert torch.equal(found[0], distance * mask) and torch.equal(found[1], rare * mask)


def test_views_know_a_turned_reference_and_plain_memories_do_not(category, drawn):
    pixels = load_image(category.references(1)[0].image).pixels
    for pictured, knows in ((pixels[:, ::-1], ("flips", "turns")), (np.rot90(pixels), ("turns",))):
        picture, draw, _ = drawn(np.ascontiguousarray(pictured), count=1)
        for name in ("nearest neighbour", "flips", "turns"):
            far = float(VARIANTS[name].compare(picture, draw)[0].max())
            assert (far < 0.01) == (name in knows), name


def test_descriptors_are_what_they_say(backbones, drawn):
    _, _, features = drawn()
    shares = (0.2, 0.8)
    made = {name: make(features.layers, shares) for name, make in DESCRIPTORS.items()}
    assert torch.equal(made["3x3"], neighbourhood(made["shipped"], 3))
    for tokens in made.values():
        assert torch.allclose(tokens.norm(dim=-1), torch.ones(()), atol=1e-4)
    sizes = [layer.shape[-1] for layer in features.layers]
    assert made["naive"].shape[-1] == made["finer"].shape[-1] == sizes[0]
    # Not normalised, the louder layer decides; normalised, its share does.
    loud = (features.layers[0], features.layers[1] * 1000)
    assert DESCRIPTORS["raw"](loud, shares)[..., sizes[0] :].norm(dim=-1).min() > 0.99
    assert torch.allclose(DESCRIPTORS["shipped"](loud, shares), made["shipped"], atol=1e-5)


def test_of_three_layers_the_finer_two_keep_their_proportion():
    layers = [torch.randn(1, n, n, 4, generator=torch.Generator().manual_seed(n)) for n in (8, 4, 2)]
    parts = DESCRIPTORS["finer"](layers, (0.2, 0.6, 0.2))
    assert parts[..., :4].square().sum(-1).mean() == pytest.approx(0.25, abs=1e-5)
    alike = DESCRIPTORS["naive"](layers, (0.2, 0.6, 0.2))
    assert alike[..., :4].square().sum(-1).mean() == pytest.approx(0.5, abs=1e-5)


def test_scaled_residuals_are_as_large_as_rarity_on_the_references(backbones, category, drawn):
    _, draw, _ = drawn(count=3)
    pairs = []
    for sample in category.references(3):
        picture, _, _ = drawn(load_image(sample.image).pixels)
        pairs.append(VARIANTS["subspace, scaled to rarity"].compare(picture, draw))
    distance, rare = (float(torch.stack([p[i] for p in pairs]).mean()) for i in (0, 1))
    assert distance == pytest.approx(rare, rel=1e-3)


def test_every_picture_is_encoded_once(backbones, category, monkeypatch):
    backbone, seen = backbones["tiny-cnn"], []
    encode = backbone.encode
    monkeypatch.setattr(backbone, "encode", lambda pictures: [seen.extend(pictures), encode(pictures)][1])
    names = ("nearest neighbour", "neighbourhood 3x3", "subspace", "flips")
    ablate(backbone, category, shots=(1, 2), seeds=1, variants={name: VARIANTS[name] for name in names})
    references = 2 * (1 + 4)  # as they are, and with their flips
    assert len(seen) == len(category.test) + references


def test_without_outlines_there_are_no_pixel_figures(backbones, folder, capsys):
    for mask in (folder / "ground_truth" / "blot").iterdir():
        mask.unlink()
    chosen = {"nearest neighbour": VARIANTS["nearest neighbour"]}
    found = ablate(backbones["tiny-cnn"], read_mvtec(folder), shots=(1,), seeds=1, variants=chosen)
    assert all(set(row) == {"image AUROC"} for rows in found.values() for row in rows)
    print_table("cloth", found)
    assert capsys.readouterr().out.count(" - ") == 4


def test_the_command_prints_each_set_and_their_mean_and_keeps_every_draw(
    backbones, folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("assistant.eval.research.ablation.Backbone.load", lambda name: backbones[name])
    out = tmp_path / "out.json"
    (folder.parent / "again").symlink_to(folder)
    specs = [str(folder), str(folder.parent / "again")]
    monkeypatch.setattr(ablation, "open_datasets", lambda _: [_named(spec) for spec in specs])
    main(specs, [1, 2], seeds=2, only=["subspace", "flips"], bundle="tiny-cnn", memory=[1.0], out=out)
    shown = capsys.readouterr().out
    assert "mean of 2" in shown and shown.count("│ flips ") == 3 and "foreground" not in shown
    kept = json.loads(out.read_text())
    assert kept["seeds"] == 2 and set(kept["sets"]) == {*specs, "mean"}
    assert kept["sets"]["mean"] == kept["sets"][specs[0]]
    assert {(row["variant"], row["shots"], len(row["draws"])) for row in kept["sets"]["mean"]} == {
        (name, k, 2) for name in VARIANTS if name.startswith(("subspace", "flips")) for k in (1, 2)
    }


def _named(path):
    return replace(read_mvtec(path), name=path)


def test_an_unknown_variant_is_refused_before_anything_is_loaded():
    with pytest.raises(typer.BadParameter, match="alignment auto"):
        main(["textiles"], only=["no such"])


def test_memories_go_when_their_draw_does(drawn):
    picture, draw, _ = drawn()
    VARIANTS["subspace, scaled to rarity"].compare(picture, draw)
    VARIANTS[AUTO].compare(picture, draw)
    memory = weakref.ref(draw.memory("shipped", "plain"))
    assert memory() is not None
    del draw, picture
    assert memory() is None


def test_a_mean_is_over_the_sets_that_have_the_figure():
    key = ("flips", 1.0, 4)
    sets = [
        {key: [{"image AUROC": 0.8, "AUPRO": 0.3}, {"image AUROC": 0.9, "AUPRO": 0.4}]},
        {key: [{"image AUROC": 0.6}, {"image AUROC": 0.5}]},
    ]
    [rows] = mean_of(sets).values()
    assert [row["image AUROC"] for row in rows] == pytest.approx([0.7, 0.7])
    assert [row["AUPRO"] for row in rows] == [0.3, 0.4] and "pixel AP" not in rows[0]


def test_the_profile_times_every_stage_of_every_picture(inspector, category):
    product = inspector.learn("cloth", [s.image for s in category.references(2)])
    times = time_stages(inspector, product, [s.image for s in category.test]).times
    assert {"read and decode", "image tower", "memory lookup", "rarity", "regions"} <= set(times)
    assert all(len(row) == 6 and np.all(np.array(row) > 0) for row in times.values())
    assert peak_memory() > 50
