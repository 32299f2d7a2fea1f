"""From a name to an explainer."""

import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

from assistant.errors import ExplainerError, WeightsError
from assistant.language import load_explainer
from assistant.language.openai import OpenAIExplainer
from assistant.language.transformers import TransformersExplainer
from assistant.models.card import load_card


@pytest.fixture
def pocket(monkeypatch):
    """A stand-in for the pocket model; what it was loaded with."""
    given = []

    class PocketExplainer:
        @classmethod
        def load(cls, backbone):
            given.append(backbone)
            return cls()

    module = ModuleType("assistant.language.pocket")
    module.PocketExplainer = PocketExplainer
    monkeypatch.setitem(sys.modules, "assistant.language.pocket", module)
    return given


@pytest.fixture
def read(monkeypatch):
    """What `TransformersExplainer.load` was asked for."""
    asked = []
    monkeypatch.setattr(
        TransformersExplainer, "load", lambda folder, **how: asked.append((folder, how)) or "large"
    )
    return asked


def test_the_template_needs_no_model():
    assert load_explainer("template") is None


def test_pocket_sees_with_the_backbone_at_hand(pocket, backbones):
    load_explainer("pocket", backbones["tiny-cnn"])
    assert pocket == [backbones["tiny-cnn"]]


def test_pocket_without_a_fitting_backbone_loads_its_own(pocket, monkeypatch):
    monkeypatch.setattr("assistant.models.backbone.Backbone.load", lambda name, device=None: f"{name} on {device}")
    load_explainer("pocket", device="cpu")
    load_explainer("pocket", SimpleNamespace(card=load_card("standard")))
    assert pocket == ["pocket on cpu", "pocket on None"]


def test_a_bundle_gives_its_large_model(read, monkeypatch, tmp_path):
    monkeypatch.setattr("assistant.language.loading.bundle_folder", lambda name: tmp_path / name)
    assert load_explainer("standard", adapter="lora", device="cpu") == "large"
    ((folder, how),) = read
    assert folder == tmp_path / "standard" / "language"
    assert how == {"adapter": "lora", "device": "cpu", "name": "SmolVLM2-2.2B-Instruct"}


def test_a_bundle_that_is_not_there_says_how_to_get_it():
    with pytest.raises(WeightsError, match="looktwice pull max"):
        load_explainer("max")


def test_a_bundle_without_a_large_model_says_so(tiny_home):
    with pytest.raises(ExplainerError, match="no language model that reads pictures"):
        load_explainer("tiny-cnn")


def test_a_folder_is_read(read, tmp_path):
    assert load_explainer(str(tmp_path)) == "large"
    assert read == [(tmp_path, {"adapter": None, "device": None})]


def test_an_empty_folder_is_one_sentence(tmp_path):
    with pytest.raises(ExplainerError, match="config.json"):
        load_explainer(str(tmp_path))


def test_a_url_is_an_endpoint_with_a_model(monkeypatch):
    monkeypatch.setenv("MY_KEY", "a key that is none")
    one = load_explainer("http://localhost:11434/v1#llava:7b")
    assert isinstance(one, OpenAIExplainer) and one.name == "llava:7b at localhost:11434"
    for name, words in (
        ("http://localhost:11434/v1", "which model"),
        ("http://localhost:11434/v1#", "which model"),
        ("http://example.com/v1#m", "https"),
        ("gopher://example.com#m", "https"),
    ):
        with pytest.raises(ExplainerError, match=words):
            load_explainer(name)
    with pytest.raises(ExplainerError, match="MY_KEY"):
        load_explainer("https://example.com/v1#m", key_variable="MY_KEY")


def test_an_unknown_name_is_one_sentence_with_the_choices():
    with pytest.raises(ExplainerError) as raised:
        load_explainer("gpt")
    for choice in ("template", "pocket", "standard", "max", "folder", "https://"):
        assert choice in str(raised.value)


def test_importing_the_words_imports_no_model():
    code = "import sys, assistant.language as l; l.load_explainer; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {name.split(".")[0] for name in found.stdout.split()}
    assert not modules & {"transformers", "torch", "httpx2", "peft"}
