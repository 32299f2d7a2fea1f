"""Weights: tensors come back as they were saved, damage is refused, and nothing but safetensors is ever opened."""

import ast
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
from assistant.models import cache
from assistant.models.weights import load_tensors, read_checkpoint

PROJECT = Path(assistant.__file__).parent.parent


def test_tensors_come_back_as_they_were_saved(tmp_path):
    saved = {"a": torch.randn(3, 4), "n": torch.tensor(7), "b": torch.ones(2, dtype=torch.bfloat16)}
    save_file(saved, tmp_path / "w.safetensors")
    loaded = load_tensors(tmp_path / "w.safetensors")
    assert loaded.keys() == saved.keys()
    assert all(torch.equal(loaded[k], saved[k]) and loaded[k].dtype == saved[k].dtype for k in saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_that_are_not_finite_are_refused(tmp_path, value, dtype):
    save_file({"ok": torch.ones(2), "bad": torch.tensor([1.0, value], dtype=dtype)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="bad holds NaN or infinity"):
        load_tensors(tmp_path / "w.safetensors")


def test_a_truncated_file_is_refused_wherever_it_is_cut(tmp_path):
    save_file({"a": torch.randn(8)}, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="cut.safetensors is damaged"):
            load_tensors(tmp_path / "cut.safetensors")


def test_a_header_that_claims_too_much_is_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    with pytest.raises(WeightsError, match="is damaged"):
        load_tensors(tmp_path / "w.safetensors")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="is missing"):
        load_tensors(tmp_path / "w.safetensors")
    (tmp_path / "d.safetensors").mkdir()
    with pytest.raises(WeightsError, match="d.safetensors"):
        load_tensors(tmp_path / "d.safetensors")


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_our_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("random") / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsError):
        load_tensors(path)


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
    cache.verify("pocket")
    cache.status("pocket")
    cache.weights_digest("pocket")
    folder = cache.bundle_folder("pocket")
    load_tensors(folder / "image.safetensors")
    for name in planted:
        with pytest.raises(WeightsError, match="not a safetensors file"):
            load_tensors(folder / name)
    (pocket / "image.safetensors").write_bytes(poison)
    with pytest.raises(WeightsError, match="image.safetensors is damaged"):
        load_tensors(pocket / "image.safetensors")
    assert not dead.exists()


def test_a_checkpoint_with_code_in_it_is_refused_unrun(tmp_path):
    torch.save({"a": Canary(tmp_path / "dead")}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="cannot be read as plain tensors"):
        read_checkpoint(tmp_path / "w.pth")
    assert not (tmp_path / "dead").exists()


@pytest.mark.parametrize("content", [[torch.ones(1)], {"epoch": 3}])
def test_a_checkpoint_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="something other than tensors"):
        read_checkpoint(tmp_path / "w.pth")


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
    assert found == ["assistant/models/weights.py"]


def _name(node):
    return node.id if isinstance(node, ast.Name) else None
