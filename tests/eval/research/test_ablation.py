"""The ablation runs on the tiny tower and looks at what it says it looks at."""

import json
from dataclasses import replace

import numpy as np
import pytest
import typer
from PIL import Image

from assistant.detection.config import SHIPPED
from assistant.detection.detector import Detector
from assistant.eval.datasets import read_mvtec
from assistant.eval.research import ablation
from assistant.eval.research.ablation import METRICS, PLAIN, ablate, main, mean_of, print_table, variants_for
from assistant.images.load import load_image
from assistant.products.learning import learn_product

NAMES = set(variants_for((0.5, 0.5)))
NEAREST = {"nearest neighbour": variants_for((0.5, 0.5))["nearest neighbour"]}


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
def detector(backbones):
    return Detector(backbones["tiny-cnn"])


def test_every_variant_is_measured_in_every_draw_and_a_plain_blot_is_found(detector, category):
    figures = ablate(detector, category, shots=(1, 3), seeds=1)
    assert set(figures) == {(v, m, k) for v in NAMES for m in (1.0, SHIPPED.memory_share) for k in (1, 3)}
    for rows in figures.values():
        assert len(rows) == 1
        assert all(set(row) == set(METRICS) and all(0 <= v <= 1 for v in row.values()) for row in rows)
    assert all(row["image AUROC"] > 0.8 for row in figures["nearest neighbour", 1.0, 3])
    # The maximum looks at the same map.
    for key, rows in figures.items():
        if key[0].startswith("maximum"):
            same = figures["nearest neighbour", *key[1:]]
            assert [r["pixel AP"] for r in rows] == [r["pixel AP"] for r in same]


def test_what_ships_is_what_an_inspector_learns_and_each_variant_is_another_score(detector, inspector, category):
    pictures = [load_image(sample.image) for sample in category.references(3)]
    (features,) = detector.encode([load_image(category.test[-1].image).pixels])
    scores = {}
    for name, config in variants_for(ablation.shares_of(detector)).items():
        scored = detector.score(features, learn_product(detector, "draw", pictures, config))
        scores[name] = scored.value, scored.map.sum().item()
    shipped = inspector.learn("draw", [sample.image for sample in category.references(3)])
    assert scores["as shipped"] == (
        detector.score(features, shipped).value,
        detector.score(features, shipped).map.sum(),
    )
    own = {"alignment auto", "strength", "whole", "as shipped", "nearest neighbour"}  # those depend on the set
    for name in NAMES - own:
        assert scores[name] != scores["nearest neighbour"], name
    assert scores["maximum for the top 1 %"][0] > scores["nearest neighbour"][0]


def test_shares_leave_the_coarsest_layer_out_and_keep_the_proportion_of_the_others():
    variants = variants_for((0.2, 0.6, 0.2))
    finer = variants["coarsest layer left out"].scoring.layer_shares
    assert finer == pytest.approx((0.25, 0.75, 0)) and PLAIN.layer_shares == ()
    assert variants["coarsest layer left out, others alike"].scoring.layer_shares == (0.5, 0.5, 0)


def test_every_test_picture_is_encoded_once(detector, category, monkeypatch):
    seen, encode = [], detector.encode
    monkeypatch.setattr(detector, "encode", lambda pictures, tiles=1: [seen.extend(pictures), encode(pictures)][1])
    ablate(detector, category, shots=(2,), seeds=1, variants=NEAREST, memory=(1.0, 0.6))
    assert len(seen) == len(category.test)  # references are seen by the detector of their own product


def test_without_outlines_there_are_no_pixel_figures(detector, folder, capsys):
    for mask in (folder / "ground_truth" / "blot").iterdir():
        mask.unlink()
    figures = ablate(detector, read_mvtec(folder), shots=(1,), seeds=1, variants=NEAREST)
    assert all(set(row) == {"image AUROC"} for rows in figures.values() for row in rows)
    print_table("cloth", figures)
    assert capsys.readouterr().out.count(" - ") == 4


def test_the_command_prints_each_set_and_their_mean_and_keeps_every_draw(
    backbones, folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("assistant.eval.research.ablation.Backbone.load", lambda name: backbones[name])
    out = tmp_path / "out.json"
    (folder.parent / "again").symlink_to(folder)
    specs = [str(folder), str(folder.parent / "again")]
    monkeypatch.setattr(ablation, "open_datasets", lambda _: [_named(spec) for spec in specs])
    main(specs, [1, 2], seeds=2, only=["layers", "flips"], bundle="tiny-cnn", memory=[1.0], out=out)
    shown = capsys.readouterr().out
    assert "mean of 2" in shown and shown.count("│ flips ") == 3
    kept = json.loads(out.read_text())
    assert kept["seeds"] == 2 and set(kept["sets"]) == {*specs, "mean"}
    assert kept["sets"]["mean"] == kept["sets"][specs[0]]
    assert {(row["variant"], row["shots"], len(row["draws"])) for row in kept["sets"]["mean"]} == {
        (name, k, 2) for name in NAMES if name.startswith(("layers", "flips")) for k in (1, 2)
    }


def _named(path):
    return replace(read_mvtec(path), name=path)


def test_an_unknown_variant_is_refused_before_anything_is_loaded():
    with pytest.raises(typer.BadParameter, match="alignment auto"):
        main(["textiles"], only=["no such"])


def test_a_mean_is_over_the_sets_that_have_the_figure():
    key = ("flips", 1.0, 4)
    sets = [
        {key: [{"image AUROC": 0.8, "AUPRO": 0.3}, {"image AUROC": 0.9, "AUPRO": 0.4}]},
        {key: [{"image AUROC": 0.6}, {"image AUROC": 0.5}]},
    ]
    [rows] = mean_of(sets).values()
    assert [row["image AUROC"] for row in rows] == pytest.approx([0.7, 0.7])
    assert [row["AUPRO"] for row in rows] == [0.3, 0.4] and "pixel AP" not in rows[0]
