"""What every test stands on: no network, folders of its own, tiny towers and pictures made on the spot."""

import contextlib
import functools
import hashlib
import ipaddress
import json
import math
import os
import socket

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("here", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("here")

CARDS = {
    "tiny-cnn": {
        "image": {"kind": "timm", "architecture": "test_efficientnet", "layers": [1, 2], "multiple": 32},
        "text": {"kind": "sentence", "dimensions": 24, "pooler": "mean"},
    },
    "tiny-vit": {
        "image": {"kind": "open_clip", "architecture": "tiny-vit", "layers": [1, 2], "multiple": 16},
        "text": {"kind": "open_clip", "dimensions": 24, "pooler": "argmax"},
    },
}
VIT = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": 4, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@functools.cache
def _pocket_is_missing():
    from assistant.errors import WeightsError
    from assistant.models.cache import bundle_folder

    try:
        bundle_folder("pocket")
    except WeightsError as error:
        return str(error)
    return ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.get_closest_marker("weights") and (why := _pocket_is_missing()):
        pytest.skip(why)


@pytest.fixture(scope="session", autouse=True)
def offline():
    """Nobody talks to another machine."""
    connect = socket.socket.connect

    def only_here(self, address):
        if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
            raise RuntimeError(f"a test wants to talk to {address!r}, and tests run offline")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", only_here)
        patch.setattr(socket.socket, "connect_ex", only_here)
        yield


@pytest.fixture(autouse=True)
def own_folders(request, tmp_path_factory, monkeypatch):
    """No test sees the user's bundles or products, but for those that are about the bundle."""
    folder = (
        tmp_path_factory.getbasetemp() / "home" / hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    )
    monkeypatch.setenv("LOOKTWICE_PRODUCTS", str(folder / "products"))
    if not request.node.get_closest_marker("weights"):
        monkeypatch.setenv("LOOKTWICE_CACHE", str(folder / "cache"))


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server for this run of the tests; what needs it is skipped where there can be none.

    LOOKTWICE_POSTGRES_TESTS=required makes a failure of that.
    """
    from assistant.eval.research.postgres import Unavailable, serve

    with contextlib.ExitStack() as stack:
        try:
            pytest.importorskip("psycopg", exc_type=ImportError)
            server = stack.enter_context(serve())
        except (Unavailable, pytest.skip.Exception) as why:
            if os.environ.get("LOOKTWICE_POSTGRES_TESTS") == "required":
                pytest.fail(str(why))
            pytest.skip(str(why))
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """Where a new store is to be: a file, and a database of a server."""
    if request.param == "sqlite":
        return tmp_path / "store" / "history.sqlite"
    return request.getfixturevalue("postgres").url()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A cache with two pulled bundles of random weights, "tiny-cnn" and "tiny-vit"; `tiny_home` moves in."""
    import torch

    torch.set_num_threads(1)  # tiny towers lose more time in waiting for each other than they gain
    folder = tmp_path_factory.mktemp("tiny")
    _register_vit(folder / "configs")
    (folder / "cards").mkdir()
    for name, card in CARDS.items():
        (folder / "cards" / f"{name}.toml").write_text(_card_text(name, card))
        (folder / "bundles" / name).mkdir(parents=True)
    _fill_cnn(folder / "bundles" / "tiny-cnn")
    _fill_vit(folder / "bundles" / "tiny-vit")
    with pytest.MonkeyPatch.context() as patch:
        _move_in(patch, folder)
        _finish(folder)
    return folder


@pytest.fixture
def tiny_home(tiny_folder, monkeypatch):
    """The tiny bundles take the place of the shipped ones for one test."""
    _move_in(monkeypatch, tiny_folder)
    return tiny_folder


@pytest.fixture(scope="session")
def backbones(tiny_folder):
    """{"tiny-cnn": ..., "tiny-vit": ...}: backbones in torch on the CPU, safe to share."""
    from assistant.models.backbone import Backbone

    with pytest.MonkeyPatch.context() as patch:
        _move_in(patch, tiny_folder)
        return {name: Backbone.load(name, device="cpu", runtime="torch") for name in CARDS}


@pytest.fixture
def inspector(tiny_home, tmp_path, backbones):
    """A fresh inspector with the convolutional tower."""
    from assistant.inspector import Inspector
    from assistant.products.store import ProductStore

    return Inspector(backbones["tiny-cnn"], ProductStore(tmp_path / "products"))


@pytest.fixture
def train_lookup(tiny_home, backbones, tmp_path, monkeypatch):
    """train_lookup(seed): keep a dictionary for the convolutional tower as a user's own, by default untrained."""
    from assistant.models.trained_dictionary import TrainedDictionary

    monkeypatch.setattr("assistant.models.trained.cache_root", lambda: tmp_path / "cache")

    def keep(seed=None):
        made = _make_dictionary(backbones["tiny-cnn"], seed)
        return made.save(TrainedDictionary.user_path("tiny-cnn"))

    return keep


@pytest.fixture(params=sorted(CARDS))
def either_inspector(request, tiny_home, tmp_path, backbones):
    """A fresh inspector with each kind of tower in turn."""
    from assistant.inspector import Inspector
    from assistant.products.store import ProductStore

    return Inspector(backbones[request.param], ProductStore(tmp_path / "products"))


@pytest.fixture(scope="session")
def good():
    """good(seed, width, height): a woven texture [H, W, 3] uint8, never twice the same, never defective."""
    return _weave


@pytest.fixture(scope="session")
def planted():
    """planted(pixels, x, y): a copy with a blot around that point, in shares of the sides, and the blot's box."""
    return _plant


@pytest.fixture(scope="session")
def mixed():
    """mixed(seed, share): a cloth of square pieces, `share` of them with lying threads and the rest upright."""
    return _mix


def _mix(seed, share, side=160, piece=16):
    rng = np.random.default_rng(seed)
    count = side // piece
    lying = rng.permutation(np.arange(count**2) < round(share * count**2)).reshape(count, count)
    rows, columns = np.mgrid[:side, :side]
    along = np.where(np.kron(lying, np.ones((piece, piece))) > 0, rows, columns)
    cloth = 128 + 60 * np.sin(2 * np.pi * along / 8) + rng.normal(0, 3, (side, side))
    return np.repeat(cloth.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _weave(seed, width=160, height=160):
    rng = np.random.default_rng(seed)
    period = math.sqrt(width * height) / 12
    x = 2 * np.pi * (np.arange(width)[None] / period + rng.random())
    y = 2 * np.pi * (np.arange(height)[:, None] / period + rng.random())
    cloth = 128 + 35 * np.sin(x) * np.cos(y) + rng.normal(0, 4, (height, width))
    colours = cloth[..., None] * np.array([1.0, 0.95, 0.85])
    return colours.clip(0, 255).astype(np.uint8)


def _plant(pixels, x, y):
    height, width = pixels.shape[:2]
    half = max(2, round(0.09 * math.sqrt(width * height)))
    cx, cy = round(x * width), round(y * height)
    rows, columns = np.mgrid[:height, :width]
    share = np.exp(-((columns - cx) ** 2 + (rows - cy) ** 2) / (0.5 * half**2))[..., None]
    spoiled = (1 - share) * pixels + share * np.array([230, 20, 10])
    box = max(0, cx - half), max(0, cy - half), min(width, cx + half), min(height, cy + half)
    return spoiled.astype(np.uint8), box


def _is_loopback(host):
    try:
        return host in ("", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _make_dictionary(backbone, seed):
    """A small dictionary of random weights; without a seed one that asks for the nearest patch."""
    import torch

    from assistant.adapters.sparse import SparseConfig, SparseDictionary
    from assistant.detection.detector import Detector
    from assistant.models.trained_dictionary import TrainedDictionary

    channels = Detector(backbone).tokens(backbone.encode([_weave(0)])[0]).shape[-1]
    torch.manual_seed(seed or 0)
    made = SparseDictionary(SparseConfig((channels,), width=8, heads=2, scales=(1,)))
    for name, weight in made.named_parameters():
        if seed is None and name.endswith("log_sharpness"):
            weight.data.fill_(8.0)
        elif seed is not None and name.endswith("up.weight"):
            torch.nn.init.normal_(weight, std=0.1)
    made.eval().requires_grad_(False)
    return TrainedDictionary(made, bundle=backbone.card.name, weights=backbone.digest)


def _move_in(patch, folder):
    patch.setenv("LOOKTWICE_CACHE", str(folder))
    patch.setattr("assistant.models.card.card_folder", lambda: folder / "cards")
    patch.setattr("assistant.detection.built_in.card_folder", lambda: folder / "cards")


def _card_text(name, card):
    source = {
        "package": "tiny",
        "version": "1.0",
        "sha256": "a" * 64,
        "size": 1,
        "member": "tiny/tower",
        "licence": "MIT",
    }
    image = card["image"] | {"image_size": 128, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    sections = {"image": image, "image.source": source, "text": card["text"]}
    if card["text"]["kind"] == "sentence":
        sections["text.source"] = source
    top = {"schema": 1, "name": name, "title": "Random weights", "licence": "MIT", "measured": False}
    lines = [f"{key} = {json.dumps(value)}" for key, value in top.items()]
    for section, row in sections.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in row.items())]
    return "\n".join(lines)


def _register_vit(folder):
    import open_clip

    folder.mkdir()
    (folder / "tiny-vit.json").write_text(json.dumps(VIT))
    open_clip.add_model_config(folder)


def _fill_cnn(folder):
    """image.safetensors, a sentence tower, class names, and the compiled tower."""
    import torch
    from open_clip.timm_model import TimmModel
    from safetensors.torch import save_file

    from assistant.models.runtime import GRAPH, export_graph
    from assistant.models.towers import CLASSES, build_image_tower

    torch.manual_seed(11)
    trunk = TimmModel("test_efficientnet", embed_dim=0, image_size=128, pool="avg", proj="none").trunk
    names = torch.nn.functional.normalize(torch.randn(6, 24), dim=-1)
    weights = {name: t.contiguous() for name, t in trunk.state_dict().items()}
    weights |= {"classifier.weight": torch.randn(6, 256), "classifier.bias": torch.zeros(6)}
    save_file(weights, folder / "image.safetensors")
    save_file({"names": names}, folder / CLASSES)
    (folder / "classes.json").write_text(json.dumps(["bolt", "cable", "cloth", "screw", "tile", "wafer"]))
    _fill_sentences(folder / "text")
    from assistant.models.card import read_card

    card = read_card(_card_text("tiny-cnn", CARDS["tiny-cnn"]))
    export_graph(build_image_tower(card, folder), folder / GRAPH)


def _fill_sentences(folder):
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir()
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789,.-'"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(12)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        pad_token_id=0,
    )
    BertModel(config).save_pretrained(folder)


def _fill_vit(folder):
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(13)
    model = open_clip.create_model("tiny-vit", load_weights=False)
    save_file({n: t.clone().contiguous() for n, t in model.state_dict().items()}, folder / "image.safetensors")


def _finish(folder):
    """Manifests, as a pull leaves them, and built-in limits from woven pictures."""
    from assistant.detection.built_in import BuiltInLimits, user_limits
    from assistant.detection.detector import Detector
    from assistant.models.backbone import Backbone
    from assistant.models.cache import write_manifest
    from assistant.models.card import load_card

    for name in CARDS:
        write_manifest(folder / "bundles" / name, load_card(name), {})
        backbone = Backbone.load(name, device="cpu", runtime="torch")
        detector = Detector(backbone)
        seen = backbone.encode([_weave(1000 + i) for i in range(39)])
        scores = tuple(detector.score(features, None).value for features in seen)
        BuiltInLimits(name, backbone.digest, "39 woven pictures", scores).save(user_limits(name))
