"""Towers of one's own: a TOML card beside their files, pulled by copying, and used by its path everywhere."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from assistant.errors import WeightsError
from assistant.models.backbone import Backbone
from assistant.models.cache import bundle_folder, read_manifest, status, verify, weights_digest
from assistant.models.card import load_any_card, load_card, own_names
from assistant.models.digests import hash_file
from assistant.models.plan import plan_pull
from assistant.models.pull import pull_bundle
from assistant.models.runtime import GRAPH
from assistant.models.weights import load_tensors

DOCS = Path(__file__).parents[2] / "docs" / "bundles.md"

CARD = """
schema = 1
name = "my-tower"
title = "A seeded tower"
licence = "mine"
measured = false

[image]
kind = "timm"
architecture = "test_efficientnet"
layers = [1, 2]
image_size = 128
multiple = 32
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[image.source]
path = "weights/tower.safetensors"
licence = "mine"

[text]
kind = "sentence"
dimensions = 24
pooler = "mean"

[text.source]
path = "words"
licence = "mine"
"""


@pytest.fixture
def own(tiny_folder, tmp_path):
    """own(old, new, ...) -> the path of a card of one's own, with such changes, beside its files."""
    home = tmp_path / "own"
    (home / "weights").mkdir(parents=True)
    made = tiny_folder / "bundles" / "tiny-cnn"
    shutil.copy(made / "image.safetensors", home / "weights" / "tower.safetensors")
    shutil.copytree(made / "text", home / "words")

    def write(*changes):
        text = CARD
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        (home / "card.toml").write_text(text)
        return str(home / "card.toml")

    return write


def test_a_tower_of_ones_own_is_pulled_by_copying_and_runs(own, tiny_folder):
    path = own()
    with pytest.raises(WeightsError, match=f"run `looktwice pull {re.escape(path)}`"):
        Backbone.load(path, device="cpu")
    plan = plan_pull(path)
    size = (Path(path).parent / "weights" / "tower.safetensors").stat().st_size
    assert plan.parts[0].size == size and plan.sentences[0].startswith("To copy: own files")
    folder = pull_bundle(path)
    verify(path)
    assert folder == bundle_folder(path) and folder.name == "my-tower" and status(path).state == "ready"
    assert plan_pull(path).complete and "whole" in plan_pull(path).sentences[0]
    assert own_names() == ["my-tower"] and load_card("my-tower").tower_digest == load_card(path).tower_digest
    assert weights_digest("my-tower") == weights_digest(path)
    backbone = Backbone.load(path, device="cpu", runtime="torch")
    theirs = load_tensors(tiny_folder / "bundles" / "tiny-cnn" / "image.safetensors")
    assert torch.equal(
        backbone.runtime.tower.visual.trunk.state_dict()["conv_stem.weight"], theirs["conv_stem.weight"]
    )
    [features] = backbone.encode([np.full((96, 160, 3), 90, np.uint8)])
    assert features.vector.shape == (1, 256) and len(features.layers) == 2
    assert backbone.encode_text(["a bolt"]).shape == (1, 24)


def test_a_transformer_of_ones_own_runs_at_any_shape_and_is_not_compiled_for_one(own):
    import timm
    from safetensors.torch import save_file

    path = own('"test_efficientnet"', '"test_vit"', "multiple = 32", "multiple = 16")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        weights = timm.create_model("test_vit", num_classes=0).state_dict()
    save_file(weights, Path(path).parent / "weights" / "tower.safetensors")
    assert not (pull_bundle(path) / GRAPH).exists()
    backbone = Backbone.load(path, device="cpu")
    assert [type(backbone.runtime).__name__, backbone.recognise(torch.ones(64))] == ["TorchRuntime", ()]
    [features] = backbone.encode([np.full((96, 192, 3), 90, np.uint8)])
    height, width = features.layers[0].shape[1:3]
    assert width > height and all(bool(layer.isfinite().all()) for layer in features.layers)


def test_card_and_files_may_move_together(own, tmp_path):
    path = own()
    pull_bundle(path)
    before = weights_digest(path)
    moved = Path(shutil.move(Path(path).parent, tmp_path / "elsewhere")) / "card.toml"
    assert weights_digest(str(moved)) == before and plan_pull(str(moved)).complete


def test_changed_weights_are_copied_again_and_products_of_the_old_ones_know(own):
    path = own()
    pull_bundle(path)
    before = weights_digest(path)
    file = Path(path).parent / "weights" / "tower.safetensors"
    from safetensors.torch import save_file

    save_file(
        {name: tensor + 0.01 * (tensor.dtype == torch.float32) for name, tensor in load_tensors(file).items()},
        file,
    )
    assert not plan_pull(path).complete
    pull_bundle(path)
    assert weights_digest(path) != before
    assert read_manifest(bundle_folder(path)).files["image.safetensors"][0] == hash_file(file)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "my-tower"', 'name = "pocket"', "'pocket' is the name of a bundle that ships"),
        ("image_size = 128", "image_size = 100", "not a multiple of 32"),
        ("layers = [1, 2]", "layers = [1, 9]", "test_efficientnet has layers 0 to 4, and no layer 9"),
        ("multiple = 32", "multiple = 2", "multiple is 2, and a patch of test_efficientnet"),
        ('"test_efficientnet"', '"test_nothing"', "timm knows no architecture 'test_nothing'"),
        ('path = "words"', 'path = "words"\nsize = 3', "unknown keys in text.source: size"),
        ('path = "words"', 'path = ""', "path is empty"),
        ('path = "words"', 'path = "nowhere"', "There is no .*nowhere, which the card names"),
        ('path = "words"', 'path = "card.toml"', "is no folder, which this part needs"),
        ('path = "words"', 'path = "weights"', "is no model with a tokenizer"),
        ('path = "weights/tower.safetensors"', 'path = "card.toml"', "is no .safetensors file"),
        ('path = "weights/tower.safetensors"', 'path = "words"', "is no .safetensors file"),
        (
            'tower.safetensors"',
            f'tower.safetensors"\nsha256 = "{"a" * 64}"',
            "is not the file that the card names",
        ),
        ("schema = 1", "schema = [", "is not right"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing_behind(own, old, new, said):
    path = own(old, new)
    with pytest.raises(WeightsError, match=said) as raised:
        pull_bundle(path)
    assert "\n" not in str(raised.value)
    assert not (bundle_folder_of("my-tower")).exists()


def bundle_folder_of(name):
    from assistant.models.places import cached_bundles

    return cached_bundles() / name


def test_a_card_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        load_card(str(tmp_path / "none.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(WeightsError, match="cannot be read"):
        load_card(str(tmp_path / "folder.toml"))


def test_an_inspector_learns_and_inspects_with_it_and_keeps_what_it_learned(own, tmp_path, good):
    from assistant.inspector import Inspector
    from assistant.products.store import ProductStore

    path = own()
    pull_bundle(path)
    store = ProductStore(tmp_path / "products")
    inspector = Inspector.from_pretrained(path, device="cpu", runtime="torch", store=store)
    inspector.save(inspector.learn("weave", [good(i) for i in range(3)]))
    again = Inspector.from_pretrained(path, device="cpu", runtime="torch", store=store)
    found = again.inspect(good(3), "weave")
    assert found.status == "ok" and found.bundle == "my-tower"


def test_the_example_of_the_docs_is_a_card():
    [text] = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    from assistant.models.card import read_card
    from assistant.models.fit import check_towers

    card = read_card(text, DOCS.parent)
    check_towers(card)
    assert card.name not in ("pocket", "standard") and card.sources


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_part_of_the_program_is_tried_with_it(own):
    from assistant.doctor import examine

    path = own()
    assert not examine(path, device="cpu").works
    pull_bundle(path)
    found = examine(path, device="cpu")
    assert found.works, [one for one in found.findings if one.state not in ("works", "note")]
    assert load_any_card(path).name in found["bundle"].said
