"""Training views: labels and outlines are right, work that was done is not done again, bad pictures are named."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from assistant.adapters.patches import join_layers
from assistant.errors import TrainingError
from assistant.models.backbone import Backbone
from assistant.prompts.defects import DEFECTS
from assistant.training import outlines, picture_features
from assistant.training.dataset import Example, TrainingData
from assistant.training.picture_features import ViewConfig, adapter_shares, gather_views, views_key


def quiet(message, fraction):
    """Hear nothing."""


@pytest.fixture
def cnn(backbones):
    return backbones["tiny-cnn"]


@pytest.fixture
def looks(cnn, monkeypatch):
    """How many pictures the tower looked at in each call."""
    seen, encode = [], cnn.encode_image
    monkeypatch.setattr(cnn, "encode_image", lambda batch: seen.append(len(batch)) or encode(batch))
    return seen


def same(one, other):
    pairs = [(getattr(one, n), getattr(other, n)) for n in ("vector", "masks", "labels", "types", "examples")]
    return all(torch.equal(a, b) for a, b in [*pairs, *zip(one.layers, other.layers, strict=True)])


@pytest.mark.parametrize("name", ["tiny-cnn", "tiny-vit"])
def test_each_picture_gives_its_views_with_labels_outlines_and_types(backbones, name, sample, tmp_path):
    data = sample("masks")
    views = gather_views(backbones[name], data, ViewConfig(simulated=2), tmp_path / "work", quiet)
    assert len(views) == 6 * 3 + 6
    for i, example in enumerate(data.examples):
        rows = views[(views.examples == i).nonzero()[:, 0]]
        assert rows.labels.tolist() == ([1] if example.label else [0, 1, 1])
        if example.label:
            assert rows.types.tolist() == [[d.name for d in DEFECTS].index("stain")]
        else:
            assert rows.types[0] == -1 and not rows.masks[0].any()
            assert rows.masks[1:].flatten(1).amax(1).gt(0).all()
    assert views.outlined.all() and 0 <= views.masks.min() and views.masks.max() <= 1
    tokens = views.inputs(adapter_shares(backbones[name]))
    assert tokens.shape[:3] == views.masks.shape and tokens.dtype == torch.float32
    assert torch.allclose(tokens.norm(dim=-1), torch.ones(tokens.shape[:3]), atol=1e-4)
    assert (len(views.layers) == 1) == (name == "tiny-vit")


def test_an_adapter_reads_what_the_tower_says_without_training(cnn, tmp_path, good, monkeypatch):
    monkeypatch.setattr(picture_features, "GREY", 0.0)
    Image.fromarray(good(1, 90, 90)).save(tmp_path / "a.png")
    data = TrainingData((Example(tmp_path / "a.png", "k", 1),))  # a defect that nobody outlined is shown whole
    views = gather_views(cnn, data, ViewConfig(), tmp_path / "work", quiet)
    seen = cnn.encode_image(cnn.fit(good(1, 90, 90))[None])
    tokens = views.inputs(adapter_shares(cnn))
    assert torch.allclose(tokens, join_layers(seen.layers, shares=cnn.shares), atol=2e-3)
    assert torch.allclose(views.vector.float(), seen.vector, atol=2e-3)
    assert views.labels.tolist() == [1] and views.outlined.tolist() == [0] and views.types.tolist() == [-1]


@pytest.fixture
def second(cnn):
    """Another convolutional tower, which sees pictures at another size."""
    return Backbone(cnn.card, cnn.runtime, part=replace(cnn.part, image_size=96))


def test_the_layers_are_kept_beside_text_patches_where_they_are_wanted(backbones, second, sample, tmp_path):
    vit, data = backbones["tiny-vit"], sample()
    both = Backbone(vit.card, vit.runtime, aligns_text=True, patch_tower=second, digest="both")
    plain, more, of_one = (
        gather_views(b, data, ViewConfig(simulated=1), tmp_path / "work", quiet, beside=beside)
        for b, beside in ((both, False), (both, True), (vit, True))
    )
    assert same(plain, more) and plain.beside == () and plain.deep == plain.layers
    channels = [layer.shape[-1] for layer in second.encode_image(torch.zeros(1, 3, 96, 96)).layers]
    assert [tuple(layer.shape[1:]) for layer in more.deep] == [(8, 8, c) for c in channels], "the second tower's"
    assert [tuple(layer.shape[1:]) for layer in of_one.deep] == [(8, 8, 32), (8, 8, 32)]
    assert more[torch.arange(2)].beside[1].shape[0] == 2


def test_of_two_towers_without_text_an_adapter_learns_what_it_will_read(cnn, second, sample, tmp_path):
    both = Backbone(cnn.card, cnn.runtime, patch_tower=second, digest="both")
    views = gather_views(both, sample(), ViewConfig(simulated=1), tmp_path / "work", quiet)
    assert [tuple(layer.shape[1:3]) for layer in views.layers] == [(24, 24), (12, 12)]
    assert views.masks.shape[1:] == (24, 24) and adapter_shares(both) == both.shares


@pytest.mark.parametrize(
    ("white", "left", "right"), [(np.s_[:], 1, 1), (np.s_[:, :40], 1, 0)], ids=["all", "left"]
)
def test_outlines_lie_where_the_mask_is(cnn, tmp_path, good, monkeypatch, white, left, right):
    monkeypatch.setattr(outlines, "CLOSEST", 1.0)
    Image.fromarray(good(0, 80, 80)).save(tmp_path / "a.png")
    mask = np.zeros((80, 80), np.uint8)
    mask[white] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    data = TrainingData((Example(tmp_path / "a.png", "k", 1, tmp_path / "m.png"),))
    masks = gather_views(cnn, data, ViewConfig(), tmp_path / "work", quiet).masks[0]
    half = masks.shape[1] // 2
    assert torch.all(masks[:, :half] == left) and torch.all(masks[:, half:] == right)


def test_an_interrupted_run_goes_on_with_the_next_shard(cnn, sample, tmp_path, looks, monkeypatch):
    monkeypatch.setattr(picture_features, "SHARD", 2)
    data = sample()
    whole = gather_views(cnn, data, ViewConfig(simulated=1), tmp_path / "unbroken", quiet)
    assert sum(looks) == 12

    def stop(message, fraction):
        if fraction > 0.5:
            raise KeyboardInterrupt

    looks.clear()
    with pytest.raises(KeyboardInterrupt):
        gather_views(cnn, data, ViewConfig(simulated=1), tmp_path / "broken", stop)
    assert sum(looks) == 8
    looks.clear()
    assert same(gather_views(cnn, data, ViewConfig(simulated=1), tmp_path / "broken", quiet), whole)
    assert sum(looks) == 4
    looks.clear()
    assert same(gather_views(cnn, data, ViewConfig(simulated=1), tmp_path / "broken", quiet), whole)
    assert not looks


def test_a_picture_that_cannot_be_read_is_left_out_with_a_sentence(cnn, sample, tmp_path):
    data = sample()
    bad = data.examples[2].image
    bad.write_text("not a picture")
    heard = []
    views = gather_views(cnn, data, ViewConfig(simulated=1), tmp_path / "work", lambda m, f: heard.append(m))
    assert set(views.examples.tolist()) == {0, 1, 3, 4, 5}
    assert any(bad.name in sentence for sentence in heard)


def test_where_no_picture_can_be_read_there_is_a_sentence(cnn, sample, tmp_path):
    data = sample(kinds=1)
    for example in data.examples:
        example.image.write_text("not a picture")
    with pytest.raises(TrainingError, match="can be read"):
        gather_views(cnn, data, ViewConfig(), tmp_path / "work", quiet)


def test_what_views_depend_on_is_in_their_key(backbones, sample):
    cnn, data, config = backbones["tiny-cnn"], sample("masks"), ViewConfig()
    others = [
        views_key(backbones["tiny-vit"], data, config),
        views_key(cnn, TrainingData(data.examples[1:]), config),
        views_key(cnn, TrainingData((replace(data.examples[1], mask=None), *data.examples[2:])), config),
        *(
            views_key(cnn, data, ViewConfig(**changed))
            for changed in ({"seed": 1}, {"simulated": 1}, {"anomalies": ("crack",)}, {"disturbed": False})
        ),
    ]
    assert len({views_key(cnn, data, config), *others}) == 1 + len(others)
    assert views_key(cnn, TrainingData(data.examples), ViewConfig()) == views_key(cnn, data, config)


def test_only_the_anomalies_asked_for_are_simulated(cnn, sample, tmp_path):
    views = gather_views(cnn, sample(), ViewConfig(anomalies=("crack",)), tmp_path / "work", quiet)
    crack = [d.name for d in DEFECTS].index("crack")
    assert set(views.types[views.labels == 1].tolist()) == {crack}


@pytest.mark.parametrize("wrong", [{"simulated": -1}, {"seed": -1}, {"anomalies": ("gremlin",)}], ids=str)
def test_views_that_cannot_be_made_are_refused(wrong):
    with pytest.raises(TrainingError):
        ViewConfig(**wrong)
