"""How often a type is named rightly: counted inside the outline, in words that mean the folder's."""

from dataclasses import dataclass

import numpy as np
import pytest
import typer
from PIL import Image

from assistant.eval import types
from assistant.inspection import UNKNOWN, DefectType
from assistant.models.trained_adapter import TypeScale
from assistant.prompts.defects import DEFECTS

NAMES = ("crack", "scratch", "hole", UNKNOWN)


@pytest.fixture
def folder(tmp_path, good):
    """Four outlined defects called "crack", which SAME translates, and one called "blot", which it does not."""
    root = tmp_path / "set" / "tile"

    def keep(pixels, name):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name)

    keep(good(0), "train/good/0.png")
    keep(good(1), "test/good/0.png")
    mask = np.zeros((160, 160), np.uint8)
    mask[:80, :80] = 255
    for defect, count in {"crack": 4, "blot": 1}.items():
        for i in range(count):
            keep(good(10 + i), f"test/{defect}/{i}.png")
            keep(mask, f"ground_truth/{defect}/{i}_mask.png")
    return root


@pytest.fixture
def bundle(tiny_home, backbones, monkeypatch):
    monkeypatch.setattr(types.Backbone, "load", lambda name: backbones[name])


def test_the_words_are_in_the_vocabulary():
    assert set().union(*types.SAME.values()) <= {defect.name for defect in DEFECTS}


def test_right_wrong_and_unknown_answers_are_counted(bundle, folder, capsys, monkeypatch):
    said, masks = iter(NAMES), []

    def ranker(self, reading):
        def rank(mask):
            masks.append(mask)
            return (DefectType(next(said), 0.5),)

        return rank

    monkeypatch.setattr(types.Reader, "ranker", ranker)
    types.main([str(folder)], bundle="tiny-vit")
    shown = capsys.readouterr().out
    assert "right 50 %, wrong 25 %, unknown 25 %" in shown
    [row] = [line for line in shown.splitlines() if ": crack" in line]
    assert [cell.strip() for cell in row.split("│")][2:6] == ["4", "50 %", "25 %", "25 %"]
    assert "blot" not in shown
    for mask in masks:  # the outline is the upper left quarter
        h, w = mask.shape
        assert mask[: h // 2, : w // 2].all() and not mask[h // 2 + 1 :].any() and not mask[:, w // 2 + 1 :].any()


def test_types_are_measured_whether_or_not_they_are_trusted(bundle, folder, monkeypatch, capsys):
    seen = []

    class Watch(types.Reader):
        def __init__(self, backbone, learned):
            seen.append(learned.types.trusted)
            super().__init__(backbone, None)

    @dataclass
    class Nothing:
        types: TypeScale

    monkeypatch.setattr(types, "Reader", Watch)
    monkeypatch.setattr(types.TrainedAdapter, "find", lambda name, digest: Nothing(TypeScale()))
    types.main([str(folder)], bundle="tiny-vit")
    assert seen == [True] and "tile: crack" in capsys.readouterr().out


def test_a_bundle_that_names_no_types_is_refused(bundle, folder):
    with pytest.raises(typer.BadParameter, match="tiny-cnn cannot name types"):
        types.main([str(folder)], bundle="tiny-cnn")
