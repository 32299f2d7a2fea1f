"""A cache of the test's own, and a bundle in it."""

import pytest
import torch
from safetensors.torch import save_file

from assistant.models import cache
from assistant.models.card import load_card


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKTWICE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pocket(home):
    """A folder that looks as `pull` leaves it, with tiny weights."""
    folder = home / "bundles" / "pocket"
    (folder / "text").mkdir(parents=True)
    (folder / "language").mkdir()
    save_file({"stem": torch.arange(6.0)}, folder / "image.safetensors")
    save_file({"words": torch.ones(3)}, folder / "text" / "model.safetensors")
    save_file({"head": torch.ones(2)}, folder / "language" / "model.safetensors")
    (folder / "image.xml").write_text("<net/>")
    cache.write_manifest(folder, load_card("pocket"), {})
    return folder
