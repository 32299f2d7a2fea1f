"""The comparison with rivals: what is handed to them, what is measured of them, and that it can go on."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from assistant.adapters.patches import top_mean
from assistant.errors import LooktwiceError
from assistant.eval.datasets import Dataset, read_mvtec
from assistant.eval.research import rivals_anomalib
from assistant.eval.research.rivals import export_rivals, score_restated
from assistant.eval.research.rivals_anomalib import (
    Variant,
    run_path,
    score_dataset,
    time_path,
    variants,
    write_json,
    write_run,
)
from assistant.eval.research.rivals_report import NOT_A_NUMBER, report_rivals, to_markdown

SHOTS, SEEDS = (1, 2), 2


@pytest.fixture
def category(tmp_path, good, planted) -> Dataset:
    """Four good and four spoiled pictures of cloth, one of them of another shape, and six to learn from."""
    pictures = {f"train/good/{i}": good(i) for i in range(6)}
    pictures |= {f"test/good/{i}": good(20 + i, 200 if i else 160) for i in range(4)}
    folder = tmp_path / "set" / "cloth"
    for i in range(4):
        spoiled, (x0, y0, x1, y1) = planted(good(30 + i), 0.4, 0.6)
        pictures[f"test/blot/{i}"] = spoiled
        mask = np.zeros(spoiled.shape[:2], dtype=np.uint8)
        mask[y0:y1, x0:x1] = 255
        pictures[f"ground_truth/blot/{i}"] = mask
    for name, pixels in pictures.items():
        file = folder / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    return read_mvtec(folder)


@pytest.fixture
def exported(inspector, category, tmp_path) -> Path:
    out = tmp_path / "out"
    export_rivals(inspector, [category], out, shots=SHOTS, seeds=SEEDS)
    return out


class Tower:
    """What anomalib's extractor of features is: the tower inside, and features [B, C, h, w] by layer."""

    def __init__(self, backbone: Any, layers: list[int]) -> None:
        self.feature_extractor = torch.nn.Linear(1, 1)
        self.backbone, self.layers = backbone, layers

    def __call__(self, pixels: torch.Tensor) -> dict[int, torch.Tensor]:
        found = self.backbone.encode_image(pixels).layers
        return {n: found[i].permute(0, 3, 1, 2) for i, n in enumerate(self.backbone.part.layers)}


class Mean:
    """A rival: the squared distance of each place to the mean of the references', as PaDiM wants places alike."""

    def __init__(self, backbone: Any, variant: Variant) -> None:
        self.layer = variant.layers[0] if variant.layers else 1
        self.feature_extractor: Any = Tower(backbone, list(variant.layers))
        self.embedding_store: list[torch.Tensor] = []
        self.learning = False

    def train(self) -> None:
        self.learning = True

    def eval(self) -> None:
        self.learning = False

    def fit(self) -> None:
        self.mean = torch.cat(self.embedding_store).mean(dim=0)
        if len(self.embedding_store) == 1:
            self.mean = self.mean * float("nan")

    def subsample_embedding(self, ratio: float) -> None:
        self.mean = torch.cat(self.embedding_store).mean(dim=(0, 2, 3))[:, None, None]

    def __call__(self, pixels: torch.Tensor) -> Any:
        seen = self.feature_extractor(pixels)[self.layer]
        if self.learning:
            self.embedding_store.append(seen)
            return None
        far = (seen - self.mean).square().mean(dim=1, keepdim=True)
        return SimpleNamespace(pred_score=top_mean(far[:, 0]), anomaly_map=far)


@pytest.fixture
def fake_anomalib(backbones, monkeypatch) -> list[Variant]:
    """Models that need no anomalib; gives the list of those built."""
    built: list[Variant] = []

    def build(variant: Variant, settings: Any, seed: int = 0) -> Mean:
        built.append(variant)
        return Mean(backbones["tiny-cnn"], variant)

    monkeypatch.setattr(rivals_anomalib, "build", build)
    return built


RIVALS = [Variant("patchcore", (1,), 0.1), Variant("padim", (1,))]


def run_rivals(out: Path) -> None:
    settings = json.loads((out / "settings.json").read_text())
    for index in out.glob("*/index.json"):
        score_dataset(index.parent, settings, RIVALS)


def test_a_rival_gets_the_very_pictures_that_we_judge(exported, inspector, category):
    folder = exported / "set_cloth"
    index = json.loads((folder / "index.json").read_text())
    pictures = load_file(folder / "pictures.safetensors")
    assert index["labels"] == list(category.labels) and index["outlined"] and index["mixed_sizes"]
    from assistant.images.load import load_image

    for i, sample in enumerate(category.test):
        planes = inspector.backbone.fit(load_image(sample.image).pixels)
        assert np.array_equal(pictures[f"test/{i}"], planes.numpy())
    for seed, draw in enumerate(index["draws"]):
        drawn = [str(sample.image) for sample in category.references(max(SHOTS), seed)]
        assert [index["references"][i] for i in draw] == drawn
    masks = np.load(folder / "masks.npz")
    assert len(masks.files) == 8
    assert all(masks[str(i)].any() == bool(label) for i, label in enumerate(category.labels))


def test_our_scores_are_those_of_an_ordinary_inspection(exported, inspector, category):
    for k, seed in itertools.product(SHOTS, range(SEEDS)):
        run = load_file(run_path(exported / "set_cloth", "ours", k, seed))
        product = inspector.learn("cloth", [s.image for s in category.references(k, seed)])
        found = inspector.inspect([s.image for s in category.test], product)
        assert run["scores"] == pytest.approx([row.score for row in found], abs=1e-6)


def test_a_second_export_repeats_nothing_and_refuses_other_settings(exported, inspector, category, monkeypatch):
    missing = run_path(exported / "set_cloth", "ours", 2, 1)
    missing.unlink()
    learned = []
    learn = type(inspector).learn
    monkeypatch.setattr(type(inspector), "learn", lambda *a, **k: learned.append(a) or learn(*a, **k))
    export_rivals(inspector, [category], exported, shots=SHOTS, seeds=SEEDS)
    assert missing.is_file() and len(learned) == 1
    with pytest.raises(LooktwiceError, match="other settings"):
        export_rivals(inspector, [category], exported, shots=SHOTS, seeds=SEEDS + 1)


def test_both_halves_make_one_table(exported, fake_anomalib):
    run_rivals(exported)
    write_json(
        time_path(exported / "set_cloth", "ours", 1),
        {"ms": 12.0, "tower_ms": 5.0, "peak_mb": 300.0, "imports_mb": 200.0, "threads": 1},
    )
    content = report_rivals(exported)
    rows = {(row["method"], row["shots"]): row for row in content["rows"]}
    assert content["chosen"] == ["ours", "padim_4", "patchcore_4_c0.1"]
    assert content["mean_of"] == ["set/cloth"] and not content["unfinished"]
    assert rows["ours", 2]["image_auroc"]["mean"] > 0.9
    assert rows["padim_4", 1]["image_auroc"] == rows["padim_4", 1]["aupro"] == NOT_A_NUMBER
    assert 0 <= rows["padim_4", 2]["image_auroc"]["mean"] <= 1
    assert 0 <= rows["patchcore_4_c0.1", 1]["pixel_ap"]["mean"] <= 1
    text = to_markdown(content)
    assert "| 1 | padim_4 | not a number | not a number | not a number | not a number |" in text
    assert "12 (5) | 300 (200)" in text
    json.dumps(content, allow_nan=False)


def test_what_is_restated_here_joins_the_table(exported, inspector):
    folder = exported / "set_cloth"
    score_restated(inspector.backbone, folder, SHOTS, SEEDS)
    content = report_rivals(exported)
    assert {name.split("_")[0] for name in content["chosen"]} == {"ours", "rad", "mhpatchcore", "superadd"}
    rows = {(row["method"], row["shots"]): row for row in content["rows"]}
    for name in ("rad_r1", "mhpatchcore_two", "superadd_all"):
        assert rows[name, 2]["image_auroc"]["mean"] > 0.7 and 0 <= rows[name, 2]["aupro"]["mean"] <= 1
    rates = json.loads((folder / "runs" / "superadd-2-0.rates.json").read_text())
    assert set(rates) == {"overkill", "escape"} and not (folder / "runs" / "superadd-1-0.rates.json").exists()
    kept = run_path(folder, "rad_r1", 1, 0).stat().st_mtime_ns
    score_restated(inspector.backbone, folder, SHOTS, SEEDS)
    assert run_path(folder, "rad_r1", 1, 0).stat().st_mtime_ns == kept


def test_the_figures_are_those_of_hand_made_runs(exported):
    folder = exported / "set_cloth"
    labels = np.array(json.loads((folder / "index.json").read_text())["labels"])
    masks = np.load(folder / "masks.npz")
    maps = [masks[str(i)].astype(np.float32) for i in range(len(labels))]
    for k, seed in itertools.product(SHOTS, range(SEEDS)):
        write_run(run_path(folder, "patchcore_perfect", k, seed), labels + 0.25 * seed, maps)
        wrong = labels.astype(float) if seed else 1.0 - labels
        write_run(run_path(folder, "padim_odd", k, seed), wrong, [1 - one for one in maps])
    rows = {(r["method"], r["shots"]): r for r in report_rivals(exported)["rows"]}
    for name in ("image_auroc", "pixel_ap", "aupro"):
        assert rows["patchcore_perfect", 1][name] == pytest.approx({"mean": 1.0, "std": 0.0})
    assert rows["patchcore_perfect", 1]["overkill_at_2pct_escape"]["mean"] == 0
    assert rows["padim_odd", 2]["image_auroc"] == pytest.approx({"mean": 0.5, "std": 0.5**0.5})
    assert rows["padim_odd", 2]["aupro"]["mean"] < 0.1
    best = [line for line in to_markdown(report_rivals(exported)).splitlines() if "patchcore_perfect" in line]
    assert best and all("100.0 ± 0.0 *" in line for line in best)


def test_the_better_way_to_set_up_a_rival_is_the_one_shown(exported):
    folder = exported / "set_cloth"
    labels = np.array(json.loads((folder / "index.json").read_text())["labels"])
    maps = [np.eye(4)] * len(labels)
    for k, seed in itertools.product(SHOTS, range(SEEDS)):
        write_run(run_path(folder, "patchcore_a", k, seed), 1 - labels, maps)
        write_run(run_path(folder, "patchcore_b", k, seed), labels, maps)
    assert report_rivals(exported)["chosen"] == ["ours", "patchcore_b"]
    run_path(folder, "patchcore_b", 1, 0).unlink()
    assert report_rivals(exported)["chosen"] == ["ours", "patchcore_a"]


def test_slim_keeps_the_figures_and_drops_the_maps(exported):
    before = report_rivals(exported)
    path = run_path(exported / "set_cloth", "ours", 1, 0)
    assert len(load_file(path)) == 9
    assert report_rivals(exported, slim=True) == before
    assert list(load_file(path)) == ["scores"]
    assert report_rivals(exported) == before


def test_a_rival_repeats_nothing_and_padim_sees_one_size(exported, fake_anomalib):
    run_rivals(exported)
    done = len(fake_anomalib)
    maps = load_file(run_path(exported / "set_cloth", "padim_4", 2, 0))
    assert len({maps[f"map/{i}"].shape for i in range(8)}) == 1
    kept = load_file(run_path(exported / "set_cloth", "patchcore_4_c0.1", 2, 0))
    assert len({kept[f"map/{i}"].shape for i in range(8)}) == 2
    run_rivals(exported)
    assert len(fake_anomalib) == done


def test_another_tower_is_refused(exported, fake_anomalib, monkeypatch):
    plain = Tower.__call__
    monkeypatch.setattr(Tower, "__call__", lambda self, x: {n: 1.01 * f for n, f in plain(self, x).items()})
    with pytest.raises(SystemExit, match="not what it was"):
        run_rivals(exported)


def test_maps_are_kept_within_one_part_in_65535_of_their_range(tmp_path):
    rng = np.random.default_rng(0)
    maps = [rng.normal(5, 2, (6, 7)), rng.normal(5, 2, (3, 4)), np.full((2, 2), 5.0)]
    path = tmp_path / "runs" / "x-1-0.safetensors"
    write_run(path, [1, 2, 3], maps)
    run = load_file(path)
    low, high = min(m.min() for m in maps), max(m.max() for m in maps)
    for i, one in enumerate(maps):
        assert run[f"map/{i}"] / 65535 * (high - low) + low == pytest.approx(one, abs=(high - low) / 65535)
    write_run(path, [1, float("nan"), 3], [np.full((2, 2), np.nan)])
    assert list(load_file(path)) == ["scores"]


def test_the_rival_half_needs_nothing_of_this_package(tmp_path):
    import subprocess

    file = Path(rivals_anomalib.__file__)
    script = "import runpy, sys; runpy.run_path(sys.argv[1]); print([m for m in sys.modules if 'assistant' in m])"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, str(file)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0 and done.stdout.strip() == "[]", done.stderr


def test_the_ways_a_rival_is_set_up_have_names_of_their_own():
    names = [one.name for one in variants([2, 3, 4])]
    assert names[0] == "patchcore_8-16_c0.1" and "padim_8-16-32" in names
    assert len(set(names)) == len(names) == 6


def test_a_report_without_an_export_says_so(tmp_path):
    with pytest.raises(LooktwiceError, match="no comparison"):
        report_rivals(tmp_path)
