"""The file of a trained dictionary: comes back as it was, for the towers it was made for, or not at all."""

import dataclasses
import gc
import json
import weakref

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import normalize

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.sparse import SparseConfig, SparseDictionary
from assistant.errors import ProductError, WeightsError
from assistant.inspector import Inspector
from assistant.models.card import card_folder
from assistant.models.trained_dictionary import TrainedDictionary

CONFIG = SparseConfig((6, 4), width=8, heads=2, nearest=5, scales=(1, 3))


def trained(seed=0, weights="abc"):
    torch.manual_seed(seed)
    dictionary = SparseDictionary(CONFIG).eval()
    for parameter in dictionary.parameters():
        if parameter.ndim:
            torch.nn.init.normal_(parameter, std=0.3)
    return TrainedDictionary(dictionary, bundle="toy", weights=weights, card={"data": "weave"})


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Where the shipped file of the bundle "toy" lies."""
    monkeypatch.setattr("assistant.models.trained.card_folder", lambda: tmp_path)
    monkeypatch.setattr("assistant.models.trained.cache_root", lambda: tmp_path / "cache")
    return tmp_path / "toy.dictionary.safetensors"


def looked_up(dictionary):
    torch.manual_seed(9)
    references, queries = (normalize(torch.randn(2, 5, 4, 10), dim=-1) for _ in range(2))
    with torch.no_grad():
        return dictionary.look_up(queries, dictionary.remember(references))


def test_saved_and_loaded_look_up_the_same(tmp_path):
    one = trained()
    other = TrainedDictionary.load(one.save(tmp_path / "new" / "toy.dictionary.safetensors"))
    assert torch.equal(looked_up(one.dictionary), looked_up(other.dictionary))
    assert other.dictionary.config == CONFIG
    assert (other.bundle, other.weights, other.card) == ("toy", "abc", one.card)
    assert not other.dictionary.training and not any(p.requires_grad for p in other.dictionary.parameters())


def test_the_same_content_is_the_same_file(tmp_path):
    one, same = trained().save(tmp_path / "a"), trained().save(tmp_path / "b")
    assert one.read_bytes() == same.read_bytes()


@pytest.mark.parametrize("damage", ["cut", "schema", "empty", "foreign", "no tensor", "shape", "configuration"])
def test_a_damaged_or_foreign_file_is_one_sentence(tmp_path, damage):
    path = trained().save(tmp_path / "toy.dictionary.safetensors")
    content = path.read_bytes()
    shape = {"layers": [6, 4], "width": 8, "heads": 2}
    header = {"schema": 1, "dictionary": shape, "bundle": "toy", "weights": "abc", "card": {}}
    state = dict(trained().dictionary.state_dict())
    match damage:
        case "cut":
            path.write_bytes(content[:-9])
        case "schema":
            path.write_bytes(content.replace(b'\\"schema\\": 1', b'\\"schema\\": 9'))
            assert path.read_bytes() != content
        case "empty":
            path.write_bytes(b"")
        case "foreign":
            save_file({"a": torch.zeros(2)}, path)
        case "no tensor":
            state.pop("layers.0.log_sharpness")
        case "shape":
            state["layers.1.query.up.bias"] = torch.zeros(3)
        case "configuration":
            shape["heads"] = 3
    if damage in ("no tensor", "shape", "configuration"):
        save_file(state, path, {"looktwice": json.dumps(header)})
    with pytest.raises(WeightsError, match=r"dictionary 'toy.dictionary.safetensors' is damaged; train or fetch"):
        TrainedDictionary.load(path)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(WeightsError, match="There is no file 'a.safetensors'"):
        TrainedDictionary.load(tmp_path / "a.safetensors")


def test_a_users_own_goes_before_the_shipped_one_and_there_may_be_none(shipped):
    assert TrainedDictionary.find("toy", "abc") is None
    trained(1).save(shipped)
    assert TrainedDictionary.find("toy", "abc").digest == trained(1).digest
    trained(2).save(TrainedDictionary.user_path("toy"))
    assert TrainedDictionary.find("toy", "abc").digest == trained(2).digest


def test_what_was_made_for_other_weights_is_not_used(shipped):
    trained(weights="old").save(shipped)
    with pytest.raises(WeightsError, match="made for other weights.*looktwice train dictionary") as caught:
        TrainedDictionary.find("toy", "new")
    assert str(shipped) in str(caught.value)


def test_a_bundle_without_a_dictionary_says_how_to_make_one(shipped):
    with pytest.raises(WeightsError, match="no trained dictionary.*`looktwice train dictionary`"):
        TrainedDictionary.require("toy", "abc")
    trained(1).save(shipped)
    assert TrainedDictionary.require("toy", "abc").digest == trained(1).digest


def test_a_digest_tells_weights_and_shapes_apart_and_nothing_else(tmp_path):
    one, other = trained(1), trained(2)
    assert len({one.digest, other.digest}) == 2
    assert TrainedDictionary.load(one.save(tmp_path / "a.safetensors")).digest == one.digest
    shape = dataclasses.replace(one.dictionary.config, nearest=7)
    sharper = SparseDictionary(shape).eval()
    sharper.load_state_dict(one.dictionary.state_dict())
    assert dataclasses.replace(one, dictionary=sharper).digest != one.digest


def test_a_memory_is_read_once_for_what_it_holds():
    made = trained(1)
    memory = Dictionary.build({0: torch.randn(3, 4, 10), 1: torch.randn(4, 3, 10)})
    first = made.recall(memory)
    assert made.recall(memory) is first
    memory.remove(0)
    assert made.recall(memory) is not first
    with pytest.raises(ProductError, match="no room for so many"):
        made.recall(Dictionary.build({0: torch.randn(12, 10)}))
    with pytest.raises(ProductError, match="reads other patches"):
        made.recall(Dictionary.build({0: torch.randn(3, 4, 9)}))


def test_what_was_read_goes_with_its_memory():
    made = trained(1)
    memory = Dictionary.build({0: torch.randn(3, 4, 10)})
    found = weakref.ref(made.recall(memory))
    del memory
    gc.collect()
    assert found() is None


def test_the_shipped_one_is_small_and_its_card_says_what_made_it():
    path = card_folder() / TrainedDictionary.file_name("pocket")
    assert path.stat().st_size < 8_000_000
    shipped = TrainedDictionary.load(path)
    made = json.loads(shipped.card["config"])
    assert shipped.bundle == "pocket" and made["views"]["anomalies"] and made["seed"] == 0
    assert shipped.card["held_out"].startswith("image AUROC")
    patches = normalize(torch.randn(1, 6, 6, shipped.dictionary.config.channels), dim=-1)
    found = shipped.dictionary.look_up(patches, shipped.dictionary.remember(patches))
    assert found.shape == (1, 6, 6) and float(found.mean()) < 0.2


@pytest.mark.weights
def test_the_shipped_one_fits_the_shipped_towers():
    detector = Inspector.from_pretrained("pocket").detector
    assert TrainedDictionary.require("pocket", detector.backbone.digest).dictionary.config.channels == 472
