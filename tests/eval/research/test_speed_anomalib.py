"""The other tool's time: references learn, the next pictures are timed, each at the size of the graph."""

import json
import sys
import types

import numpy as np
import pytest
from PIL import Image

from assistant.eval.research import speed_anomalib


@pytest.fixture
def seen(monkeypatch):
    """What a stand-in for anomalib was shown: pictures learned from, and sizes of pictures scored."""
    seen = {"learned": [], "scored": []}

    class Model:
        model = types.SimpleNamespace(memory_bank=np.zeros((7, 3)))

        def to_openvino(self, folder, input_size, onnx_kwargs):
            assert onnx_kwargs == {"dynamic_axes": None, "dynamic_shapes": None}
            seen["size"] = input_size
            return f"{folder}/model.xml"

    class Inferencer:
        def __init__(self, path, device):
            assert device == "CPU"

        def predict(self, image):
            seen["scored"].append(image.size)

    def learn(backbone, side, references):
        seen["learned"] = references
        return Model()

    deploy = types.ModuleType("anomalib.deploy")
    deploy.OpenVINOInferencer = Inferencer
    monkeypatch.setitem(sys.modules, "anomalib", types.ModuleType("anomalib"))
    monkeypatch.setitem(sys.modules, "anomalib.deploy", deploy)
    monkeypatch.setattr(speed_anomalib, "learn", learn)
    return seen


def make(folder, count):
    for i in range(count):
        Image.fromarray(np.full((20, 30, 3), i, np.uint8)).save(folder / f"{i:02d}.png")
    (folder / "notes.txt").write_text("no picture")


def test_the_first_pictures_are_references_and_the_next_are_timed(seen, tmp_path, capsys, monkeypatch):
    make(tmp_path, 12)
    monkeypatch.setattr(sys, "argv", ["speed", str(tmp_path), "--side", "64", "--backbone", "resnet18"])
    speed_anomalib.main()
    row = json.loads(capsys.readouterr().out)
    assert [path.stem for path in seen["learned"]] == ["00", "01", "02", "03"]
    assert seen["size"] == (64, 64) and set(seen["scored"]) == {(64, 64)}
    assert (row["pictures"], row["entries"], row["side"]) == (8, 7, 64)
    assert len(seen["scored"]) == 8 + speed_anomalib.WARM_UP
    assert 0 <= row["median_ms"] <= row["slow_ms"]


def test_too_few_pictures_are_said(seen, tmp_path, capsys, monkeypatch):
    make(tmp_path, 5)
    monkeypatch.setattr(sys, "argv", ["speed", str(tmp_path)])
    with pytest.raises(SystemExit):
        speed_anomalib.main()
    assert "holds 5 pictures; at least 7" in capsys.readouterr().err
