"""What learning brings: the shipped way keeps every score, files of one name make a mean, and sets one as well."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from assistant.adapters.patches import join_layers, top_mean
from assistant.adapters.rarity import rarity
from assistant.adapters.visual import AdapterConfig, VisualAdapter
from assistant.eval.datasets import read_mvtec
from assistant.eval.learned import FREE, METRICS, main, mean_of, measure, to_markdown, variants
from assistant.models.trained_adapter import TrainedAdapter, TypeScale

SHIPPED = "evidence moves the map, score stays (shipped)"


@pytest.fixture
def folder(tmp_path, good, planted):
    """A category with outlined blots."""
    root = tmp_path / "set" / "cloth"

    def keep(pixels, name):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name)

    keep(good(0), "train/good/0.png")
    for i in range(4):
        keep(good(20 + i), f"test/good/{i}.png")
        spoiled, (x0, y0, x1, y1) = planted(good(30 + i), 0.3 + 0.1 * i, 0.5)
        mask = np.zeros(spoiled.shape[:2], np.uint8)
        mask[y0:y1, x0:x1] = 255
        keep(spoiled, f"test/blot/{i}.png")
        keep(mask, f"ground_truth/blot/{i}_mask.png")
    return root


def learn(backbone, seed):
    torch.manual_seed(seed)
    (features,) = backbone.encode([np.zeros((128, 128, 3), np.uint8)])
    inputs, space = sum(layer.shape[-1] for layer in features.layers), features.vector.shape[-1]
    states, types, directions = (normalize(torch.randn(n, space), dim=-1) for n in (2, 3, 2))
    adapter = VisualAdapter(AdapterConfig(inputs, space, 8), states, types).eval()
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return TrainedAdapter(adapter, directions, TypeScale(), bundle=backbone.card.name, weights=backbone.digest)


def test_the_shipped_way_has_the_training_free_scores_and_another_map(backbones, folder):
    backbone = backbones["tiny-cnn"]
    one, other = learn(backbone, 1), learn(backbone, 2)
    found = measure(backbone, read_mvtec(folder), {"a": [one, one], "b": [other]})
    [free] = found[FREE, "rarity"]
    assert set(free) == set(METRICS) and all(0 <= value <= 100 for value in free.values())
    assert free["image AUROC"] > 80, "a plain blot is rare"
    assert len(found["a", SHIPPED]) == 2 and len(found["b", SHIPPED]) == 1
    for name in ("a", "b"):
        for row in found[name, SHIPPED]:
            assert row["image AUROC"] == free["image AUROC"]
            assert row["pixel AP"] != free["pixel AP"]
    assert found["a", SHIPPED][0] == found["a", SHIPPED][1]
    assert found["a", "adapter alone"] != found["b", "adapter alone"] * 2
    # Sentences look at the vector and leave the map as it is.
    [words] = found["b", "learned sentences on the vector"]
    assert {m: words[m] for m in METRICS[1:]} == {m: free[m] for m in METRICS[1:]}


def test_the_shipped_way_keeps_each_pictures_own_score(backbones, good, planted):
    backbone = backbones["tiny-cnn"]
    (features,) = backbone.encode([planted(good(3), 0.4, 0.6)[0]])
    rare = rarity(join_layers(features.layers, shares=backbone.shares))
    with torch.inference_mode():
        ways = dict(variants(features, rare, learn(backbone, 1), backbone.shares))
    found, score = ways[SHIPPED]
    assert score == float(top_mean(rare)[0])
    assert float(top_mean(found[None])[0]) == pytest.approx(score, abs=1e-5)
    assert ways["evidence added, score moves"][1] != score
    assert len(ways) == 6 and all(shown.shape == rare[0].shape for shown, _ in ways.values())


def test_without_outlines_there_are_no_pixel_figures(backbones, folder):
    for mask in (folder / "ground_truth" / "blot").iterdir():
        mask.unlink()
    found = measure(backbones["tiny-cnn"], read_mvtec(folder), {})
    assert [set(row) for row in found[FREE, "rarity"]] == [{"image AUROC"}]


def test_the_command_prints_each_name_once_with_its_spread(
    tiny_home, backbones, folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("assistant.eval.learned.Backbone.load", lambda name: backbones[name])
    file = learn(backbones["tiny-cnn"], 1).save(tmp_path / "a.safetensors")
    out = tmp_path / "out.json"
    main([str(folder)], [f"twice={file}", f"twice={file}", str(file)], bundle="tiny-cnn", only="evidence", out=out)
    shown = capsys.readouterr().out
    lines = [line for line in shown.splitlines() if SHIPPED in line]
    assert [line.split(":")[0] for line in lines] == ["| twice", "| learned"] * 2  # the set, and the mean
    assert lines[0].count("± 0.0") == 4 and "±" not in lines[1]
    assert "adapter alone" not in shown and shown.count("training-free: rarity") == 2
    [rows] = json.loads(out.read_text()).values()
    assert rows[f"twice | {SHIPPED}"] == rows[f"learned | {SHIPPED}"] * 2


def test_a_mean_is_over_the_sets_that_have_the_figure():
    key = ("learned", "way")
    sets = [
        {key: [{"image AUROC": 80.0, "AUPRO": 30.0}, {"image AUROC": 90.0, "AUPRO": 40.0}]},
        {key: [{"image AUROC": 60.0}, {"image AUROC": 50.0}]},
    ]
    found = mean_of(sets)
    assert found == {key: [{"image AUROC": 70.0, "AUPRO": 30.0}, {"image AUROC": 70.0, "AUPRO": 40.0}]}
    assert to_markdown(found).splitlines()[-1] == "| learned: way | 70.0 ± 0.0 | – | 35.0 ± 7.1 | – |"
