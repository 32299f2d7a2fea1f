"""Results to the last digit: the same code gives the same, and one changed number shows."""

from dataclasses import replace

import pytest
from PIL import Image

from assistant.detection.config import SHIPPED
from assistant.detection.detector import Detector
from assistant.eval.datasets import read_mvtec
from assistant.eval.research import fingerprint as study


@pytest.fixture
def category(tmp_path, good, planted):
    for kind, count in (("train/good", 6), ("test/good", 2), ("test/blot", 2)):
        folder = tmp_path / "cloth" / kind
        folder.mkdir(parents=True)
        for i in range(count):
            pixels = planted(good(40 + i), 0.5, 0.5)[0] if kind.endswith("blot") else good(10 * count + i)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    return read_mvtec(tmp_path / "cloth")


def test_two_runs_agree_and_another_share_of_memory_does_not(inspector, category, monkeypatch):
    monkeypatch.setattr(study, "WAYS", {"2, tiles": (2, {"tiles": 2}), "1, memory": (1, {"memory": "no such"})})
    before, again = (dict(study.fingerprint(inspector, category)) for _ in range(2))
    assert set(before) == {
        "zero-shot",
        "mutual",
        "2, tiles",
        "2, tiles: limits",
        "1, memory",
        "taught",
        "taught: limits",
    }
    assert study.compare(before, again) == [] and "nearest or trained" in before["1, memory"]
    monkeypatch.setattr(inspector, "detector", Detector(inspector.backbone, replace(SHIPPED, memory_share=0.61)))
    other = dict(study.fingerprint(inspector, category))
    assert {sentence.split(":")[0] for sentence in study.compare(before, other)} >= {"2, tiles", "taught"}


def test_what_one_side_lacks_is_said():
    assert study.compare({"a": [1], "b": [1, 2]}, {"b": [1, 3]}) == ["a is on one side only", "b: 1 of 2 differ"]
