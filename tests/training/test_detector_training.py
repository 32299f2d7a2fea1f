"""A training run: it learns, ends the same whether or not it was stopped, and refuses bad data beforehand."""

import json
import sys
from dataclasses import replace

import pytest
import torch

from assistant.adapters.patches import join_layers
from assistant.errors import TrainingError
from assistant.models.backbone import Backbone
from assistant.training import losses
from assistant.training.dataset import TrainingData, split_kinds
from assistant.training.detector_branches import compare
from assistant.training.detector_training import WORDS, TrainConfig, train_detector
from assistant.training.picture_features import ViewConfig, adapter_shares, gather_views

CONFIG = TrainConfig(epochs=3, batch=4, width=8, checkpoint_every=2, views=ViewConfig(simulated=1))


@pytest.fixture(params=["tiny-cnn", "tiny-vit"])
def backbone(request, backbones):
    return backbones[request.param]


def weights(learned):
    return [*learned.adapter.state_dict().values(), learned.directions, *learned.layers]


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


class Stopped(Exception):
    """Somebody pulled the plug."""


def stop_at(step):
    def tell(message, fraction):
        if message.startswith(f"Step {step} "):
            raise Stopped

    return tell


@pytest.mark.parametrize("words", WORDS)
def test_a_resumed_run_equals_an_unbroken_one_exactly(backbone, sample, tmp_path, words):
    data, heard, config = sample("masks"), [], replace(CONFIG, words=words)
    whole = train_detector(backbone, data, tmp_path / "whole", config)
    for step in (2, 4):
        with pytest.raises(Stopped):
            train_detector(backbone, data, tmp_path / "broken", config, stop_at(step))
    resumed = train_detector(backbone, data, tmp_path / "broken", config, lambda m, f: heard.append((m, f)))
    assert len(whole.layers) == (2 if words == "layers" else 0)
    assert equal(whole, resumed)
    assert resumed.types == whole.types and resumed.card == whole.card
    steps = [m for m, _ in heard if m.startswith(("Step", "Going"))]
    assert steps[0].startswith("Going on after step 4 of ") and steps[1].startswith("Step 6 of ")
    assert heard[-1][1] == 1.0 and "held-out kinds: image AUROC" in heard[-1][0]


def test_one_seed_gives_the_same_weights_and_another_others(backbone, sample, tmp_path):
    data = sample()
    one, same = (train_detector(backbone, data, tmp_path / name, CONFIG) for name in ("one", "same"))
    other = train_detector(backbone, data, tmp_path / "one", replace(CONFIG, seed=1))
    assert equal(one, same)
    assert not equal(one, other) and not torch.equal(one.directions, other.directions)


def test_whether_the_text_tower_was_already_loaded_makes_no_difference(tiny_home, sample, tmp_path):
    data, backbone = sample(), Backbone.load("tiny-cnn", device="cpu", runtime="torch")
    first, second = (train_detector(backbone, data, tmp_path / name, CONFIG) for name in ("first", "second"))
    assert equal(first, second)


def test_training_lowers_the_loss_and_leaves_the_towers_alone(backbone, sample, tmp_path):
    data = sample("masks")
    towers = [backbone.runtime.tower, backbone.text_tower[0]]
    before = [p.clone() for tower in towers for p in tower.state_dict().values()]
    hard = replace(CONFIG, epochs=12, rate=1e-2, dropout=0.0)
    short, long = (
        train_detector(backbone, data, tmp_path, replace(hard, epochs=e, rate=r))
        for e, r in ((1, 1e-9), (12, 1e-2))
    )
    after = [p for tower in towers for p in tower.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))

    taught, _ = split_kinds(data, CONFIG.held_out, CONFIG.seed)
    views = gather_views(backbone, taught, CONFIG.views, tmp_path / "features", lambda *_: None)

    def loss(learned):
        adapter, vector = learned.adapter, views.vector.float()
        seen = adapter.evidence(adapter.read(views.inputs(adapter_shares(backbone))))
        parts = (
            losses.outline(seen, views.masks.float()),
            losses.verdict(adapter.judge(vector), views.labels),
            losses.verdict(compare(vector, learned.directions), views.labels),
        )
        return torch.stack(parts)

    assert torch.all(loss(long) < loss(short))


@pytest.mark.parametrize("defects", ["", "labels", "masks"])
@pytest.mark.parametrize("simulated", [0, 1])
def test_masks_labels_and_good_pictures_alone_all_train(backbones, sample, tmp_path, defects, simulated):
    backbone, heard = backbones["tiny-cnn"], []
    config = replace(CONFIG, views=ViewConfig(simulated=simulated))
    data = sample(defects)
    if not defects and not simulated:
        with pytest.raises(TrainingError, match="one class"):
            train_detector(backbone, data, tmp_path / "work", config)
        return
    learned = train_detector(backbone, data, tmp_path / "work", config, lambda m, f: heard.append(m))
    assert all(bool(tensor.isfinite().all()) for tensor in weights(learned))
    assert not any(p.requires_grad for p in learned.adapter.parameters()) and not learned.adapter.training
    assert ("no outline to judge maps by" in heard[-1]) == (defects == "labels" and not simulated)
    assert learned.types.count == (0 if defects != "masks" and not simulated else learned.types.count)
    assert (learned.bundle, learned.weights) == ("tiny-cnn", backbone.digest)
    assert json.loads(learned.card["config"])["views"]["simulated"] == simulated


def test_what_is_learned_reads_what_the_tower_shows(backbone, sample, tmp_path, good):
    learned = train_detector(backbone, sample(), tmp_path, CONFIG)
    seen = backbone.encode([good(3, 100, 60)])[0]
    tokens = (
        seen.text_patches if seen.text_patches is not None else join_layers(seen.layers, shares=backbone.shares)
    )
    evidence = learned.evidence(learned.adapter.read(tokens))
    assert evidence.shape == tokens.shape[:3] and bool(evidence.isfinite().all())


def test_a_checkpoint_of_other_pictures_is_not_taken_up(backbones, sample, tmp_path):
    backbone, heard = backbones["tiny-cnn"], []
    train_detector(backbone, sample(), tmp_path / "work", CONFIG)
    other = train_detector(backbone, sample(first=500), tmp_path / "work", CONFIG, lambda m, f: heard.append(m))
    assert not any(m.startswith("Going") for m in heard)
    assert equal(other, train_detector(backbone, sample(first=500), tmp_path / "clean", CONFIG))


def test_bad_data_end_before_anything_is_looked_at(backbones, sample, tmp_path, monkeypatch):
    backbone, data = backbones["tiny-cnn"], sample("masks")
    monkeypatch.setattr(backbone, "encode_image", lambda batch: pytest.fail("looked at a picture"))
    nothing = replace(CONFIG, views=ViewConfig(simulated=0))
    cases = [
        (TrainingData(data.normals), nothing, "all of one class"),
        (TrainingData(data.defects), CONFIG, "all of one class"),
        (TrainingData(tuple(e for e in data.examples if e.kind == "k/0")), CONFIG, "one kind"),
        (data, replace(CONFIG, precision="fp16"), "precision fp16"),
    ]
    for examples, config, words in cases:
        with pytest.raises(TrainingError, match=words) as caught:
            train_detector(backbone, examples, tmp_path / "work", config)
        assert str(caught.value).count(".") == 1
    assert not (tmp_path / "work").exists()


def test_pictures_that_turn_out_unreadable_end_in_a_sentence(backbones, sample, tmp_path):
    data = sample("masks")
    for example in data.normals:
        example.image.write_text("not a picture")
    with pytest.raises(TrainingError, match="all of one class"):
        train_detector(backbones["tiny-cnn"], data, tmp_path / "work", CONFIG)


def test_without_accelerate_the_extra_is_named(backbones, sample, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(TrainingError, match=r"looktwice\[train\]"):
        train_detector(backbones["tiny-cnn"], sample(), tmp_path, CONFIG)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch": 0},
        {"width": 0},
        {"checkpoint_every": 0},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"dropout": 1.0},
        {"held_out": 1.0},
        {"precision": "int4"},
        {"words": "songs"},
    ],
    ids=str,
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(TrainingError):
        TrainConfig(**wrong)
