"""What was learned for a bundle: comes back as it was, for the towers it was made for, or not at all."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import normalize

from assistant.adapters.visual import AdapterConfig, VisualAdapter, centre
from assistant.errors import WeightsError
from assistant.models.backbone import Features
from assistant.models.trained_adapter import TrainedAdapter, TypeScale


def units(*shape):
    return normalize(torch.randn(*shape), dim=-1)


def learned(seed=0, weights="abc"):
    torch.manual_seed(seed)
    adapter = VisualAdapter(AdapterConfig(10, 6, 4), units(2, 6), units(3, 6)).eval()
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    types = TypeScale(1.4, 0.3, 0.6, 50)
    return TrainedAdapter(adapter, units(2, 6), types, bundle="toy", weights=weights, card={"data": "weave"})


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Where the shipped file of the bundle "toy" lies."""
    monkeypatch.setattr("assistant.models.trained.card_folder", lambda: tmp_path)
    return tmp_path / "toy.detector.safetensors"


def test_saved_and_loaded_score_the_same(tmp_path):
    one = learned()
    other = TrainedAdapter.load(one.save(tmp_path / "new" / "toy.detector.safetensors"))
    tokens, vector = units(2, 5, 4, 10), units(2, 6)
    with torch.no_grad():
        words, again = one.adapter.read(tokens), other.adapter.read(tokens)
        assert torch.allclose(one.evidence(words), other.evidence(again), atol=1e-5)
        assert torch.allclose(one.adapter.judge(vector), other.adapter.judge(vector), atol=1e-5)
        assert torch.allclose(one.adapter.type_logits(words), other.adapter.type_logits(again), atol=1e-5)
    assert torch.equal(one.directions, other.directions)
    assert (other.types, other.bundle, other.weights, other.card) == (one.types, "toy", "abc", one.card)


def test_directions_for_layers_come_back_in_their_order(tmp_path):
    one = dataclasses.replace(learned(), layers=tuple(units(2, 3 + k) for k in range(12)))
    other = TrainedAdapter.load(one.save(tmp_path / "toy.detector.safetensors"))
    assert len(other.layers) == 12
    assert all(torch.equal(a, b) for a, b in zip(one.layers, other.layers, strict=True))
    assert learned().layers == ()


def test_it_decides_where_patches_speak_or_layers_were_learned():
    plain = learned()
    assert plain.decides(aligns_text=True) and not plain.decides(aligns_text=False)
    assert dataclasses.replace(plain, layers=(units(2, 3),)).decides(aligns_text=False)
    with pytest.raises(ValueError, match="aligned"):
        plain.say(Features((units(1, 2, 2, 10),), units(1, 6)))


def test_its_digest_tells_what_was_learned_and_not_what_made_it(tmp_path):
    one = learned()
    again = TrainedAdapter.load(one.save(tmp_path / "toy.detector.safetensors"))
    assert one.digest == again.digest == dataclasses.replace(one, card={"data": "other"}).digest
    others = [learned(1), dataclasses.replace(one, directions=-one.directions)]
    others.append(dataclasses.replace(one, layers=(units(2, 3),)))
    assert len({one.digest, *(other.digest for other in others)}) == 4


def test_what_is_loaded_is_frozen_and_drops_nothing(tmp_path):
    adapter = TrainedAdapter.load(learned().save(tmp_path / "a.safetensors")).adapter
    assert not adapter.training and not any(p.requires_grad for p in adapter.parameters())


def test_evidence_lies_above_each_pictures_own_ground():
    one = learned()
    with torch.no_grad():
        words = one.adapter.read(units(2, 6, 6, 10))
        assert torch.equal(one.evidence(words), centre(one.adapter.evidence(words)))


def test_the_same_content_is_the_same_file(tmp_path):
    one, same = learned().save(tmp_path / "a"), learned().save(tmp_path / "b")
    assert one.read_bytes() == same.read_bytes()


@pytest.mark.parametrize("damage", ["cut", "flipped header", "empty", "text", "foreign", "no tensor", "shape"])
def test_a_damaged_or_foreign_file_is_one_sentence(tmp_path, damage):
    path = learned().save(tmp_path / "toy.detector.safetensors")
    content = path.read_bytes()
    header = {"schema": 1, "adapter": {"inputs": 10, "space": 6, "width": 4, "dropout": 0.1}, "types": {}}
    header |= {"bundle": "toy", "weights": "abc", "card": {}}
    state = {f"adapter.{name}": tensor for name, tensor in learned().adapter.state_dict().items()}
    match damage:
        case "cut":
            path.write_bytes(content[:-9])
        case "flipped header":
            path.write_bytes(content.replace(b'\\"schema\\": 1', b'\\"schema\\": 9'))
            assert path.read_bytes() != content
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("weights, honestly")
        case "foreign":
            save_file({"a": torch.zeros(2)}, path)
        case "no tensor":
            save_file(state, path, {"looktwice": json.dumps(header)})  # the directions are missing
        case "shape":
            state["adapter.offset"] = torch.zeros(3)
            save_file(state | {"directions": units(2, 6)}, path, {"looktwice": json.dumps(header)})
    with pytest.raises(WeightsError, match=r"'toy.detector.safetensors' is damaged; train or fetch it again\.$"):
        TrainedAdapter.load(path)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(WeightsError, match="There is no file 'a.safetensors'"):
        TrainedAdapter.load(tmp_path / "a.safetensors")


def test_without_a_file_nothing_was_learned(shipped):
    assert TrainedAdapter.find("toy", "abc") is None


def test_a_users_own_goes_before_the_shipped_one(shipped):
    learned(1).save(shipped)
    assert torch.equal(TrainedAdapter.find("toy", "abc").directions, learned(1).directions)
    learned(2).save(TrainedAdapter.user_path("toy"))
    assert torch.equal(TrainedAdapter.find("toy", "abc").directions, learned(2).directions)


def test_what_was_made_for_other_weights_is_not_used(shipped):
    learned(weights="old").save(shipped)
    with pytest.raises(WeightsError, match="made for other weights") as caught:
        TrainedAdapter.find("toy", "new")
    assert str(shipped) in str(caught.value)


def test_the_users_own_lies_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKTWICE_CACHE", str(tmp_path))
    assert TrainedAdapter.user_path("toy").is_relative_to(tmp_path)
