"""Training a dictionary: it learns, ends the same whether or not it was stopped, and refuses bad data."""

import json
import math
from dataclasses import replace

import pytest
import torch

from assistant.errors import TrainingError
from assistant.training.dataset import TrainingData
from assistant.training.dictionary_training import DictionaryConfig, DictionaryRun, train_dictionary
from assistant.training.picture_features import ViewConfig, adapter_shares, gather_views
from assistant.training.picture_pairs import ReferenceConfig, draw_references, pair_views

CONFIG = DictionaryConfig(epochs=3, batch=4, width=8, heads=2, checkpoint_every=2, views=ViewConfig(simulated=1))


@pytest.fixture(params=["tiny-cnn", "tiny-vit"])
def backbone(request, backbones):
    return backbones[request.param]


def quiet(message, fraction):
    """Hear nothing."""


def equal(one, other):
    pairs = zip(one.dictionary.state_dict().values(), other.dictionary.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class Stopped(Exception):
    """Somebody pulled the plug."""


def stop_at(step):
    def tell(message, fraction):
        if message.startswith(f"Step {step} "):
            raise Stopped

    return tell


def test_a_resumed_run_equals_an_unbroken_one_exactly(backbone, sample, tmp_path):
    data, heard = sample("masks"), []
    whole = train_dictionary(backbone, data, tmp_path / "whole", CONFIG)
    for step in (2, 6):  # before and after the values are let go
        with pytest.raises(Stopped):
            train_dictionary(backbone, data, tmp_path / "broken", CONFIG, stop_at(step))
    resumed = train_dictionary(backbone, data, tmp_path / "broken", CONFIG, lambda m, f: heard.append((m, f)))
    assert equal(whole, resumed) and resumed.card == whole.card
    steps = [m for m, _ in heard if m.startswith(("Step", "Going"))]
    assert steps[0].startswith("Going on after step 6 of 9") and steps[1].startswith("Step 8 of 9")
    assert heard[-1][1] == 1.0 and "held-out kinds: image AUROC" in heard[-1][0]
    assert ("text" in heard[-1][0]) == backbone.aligns_text


def test_one_seed_gives_the_same_weights_and_another_others(backbones, sample, tmp_path):
    data, backbone = sample(), backbones["tiny-cnn"]
    one, same = (train_dictionary(backbone, data, tmp_path / name, CONFIG) for name in ("one", "same"))
    other = train_dictionary(backbone, data, tmp_path / "one", replace(CONFIG, seed=1))
    assert equal(one, same) and not equal(one, other)
    assert (one.bundle, one.weights) == ("tiny-cnn", backbone.digest)
    assert json.loads(one.card["config"])["views"]["simulated"] == 1
    assert not any(p.requires_grad for p in one.dictionary.parameters()) and not one.dictionary.training


@pytest.fixture
def pairs(backbones, sample, tmp_path):
    backbone, data = backbones["tiny-cnn"], sample("masks")
    queries = gather_views(backbone, data, CONFIG.views, tmp_path, quiet)
    references = gather_views(backbone, data, ReferenceConfig(0), tmp_path, quiet, draw_references)
    return pair_views(data, queries, references)


def test_training_lowers_the_loss(backbones, pairs, tmp_path):
    config = replace(CONFIG, epochs=10, rate=5e-3, dropout=0.0, checkpoint_every=1000)
    run = DictionaryRun(backbones["tiny-cnn"], pairs, pairs, config, quiet)
    index = torch.arange(len(pairs))

    @torch.no_grad()
    def loss():
        torch.manual_seed(0)
        shares = adapter_shares(backbones["tiny-cnn"])
        return float(sum(run.trainable.eval()(pairs, index, pairs.first(index), shares).values()))

    before = loss()
    run.go(tmp_path / "state.safetensors")
    assert loss() < 0.8 * before


@pytest.mark.parametrize("frozen", [0.0, 0.5, 1.0])
def test_values_stay_as_they_are_for_the_frozen_share(backbones, pairs, tmp_path, frozen):
    changed = []
    run = DictionaryRun(
        backbones["tiny-cnn"], pairs, pairs, replace(CONFIG, frozen=frozen, checkpoint_every=1000), quiet
    )
    layer = run.trainable.dictionary.layers[0]
    was = [p.detach().clone() for p in layer.value.parameters()]
    learn = run._learn

    def watch(step, index):
        parts = learn(step, index)
        now = list(layer.value.parameters())
        changed.append(any(not torch.equal(a, b) for a, b in zip(was, now, strict=True)))
        return parts

    run._learn = watch
    run.go(tmp_path / "state.safetensors")
    assert changed.index(True) == math.ceil(frozen * run.steps) if frozen < 1 else not any(changed)
    assert float(layer.query.up.weight.detach().abs().max()) > 0


@pytest.mark.parametrize("defects", ["labels", "masks"])
def test_real_defects_alone_are_compared_with_good_pictures_of_their_kind(backbones, sample, tmp_path, defects):
    heard, config = [], replace(CONFIG, epochs=1, views=ViewConfig(simulated=0))
    made = train_dictionary(backbones["tiny-cnn"], sample(defects), tmp_path, config, lambda m, f: heard.append(m))
    assert all(bool(t.isfinite().all()) for t in made.dictionary.state_dict().values())
    assert ("picture" in heard[-1]) and heard[-1].endswith("no outline to judge maps by") == (defects == "labels")


def test_without_weight_for_text_none_is_read(backbones, sample, tmp_path):
    heard = []
    config = replace(CONFIG, epochs=1, text=0.0)
    train_dictionary(backbones["tiny-vit"], sample(), tmp_path, config, lambda m, f: heard.append(m))
    assert "loss discrimination" in heard[-1] and "text" not in heard[-1]


def test_bad_data_end_before_anything_is_looked_at(backbones, sample, tmp_path, monkeypatch):
    backbone, data = backbones["tiny-cnn"], sample("masks")
    monkeypatch.setattr(backbone, "encode_image", lambda batch: pytest.fail("looked at a picture"))
    nothing = replace(CONFIG, views=ViewConfig(simulated=0))
    cases = [
        (TrainingData(data.normals), nothing, "all of one class"),
        (TrainingData(data.defects), CONFIG, "all of one class"),
        (TrainingData(tuple(e for e in data.examples if e.kind == "k/0")), CONFIG, "one kind"),
    ]
    for examples, config, words in cases:
        with pytest.raises(TrainingError, match=words) as caught:
            train_dictionary(backbone, examples, tmp_path / "work", config)
        assert str(caught.value).count(".") == 1
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch": 0},
        {"width": 0},
        {"heads": 3},
        {"checkpoint_every": 0},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"dropout": 1.0},
        {"frozen": 1.1},
        {"text": -1.0},
        {"held_out": 1.0},
    ],
    ids=str,
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(TrainingError):
        replace(CONFIG, **wrong)
