"""The figures of speed are of what they say: stages, sizes, tiles and arithmetic."""

import json

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from assistant.commands.main import app
from assistant.errors import LooktwiceError
from assistant.eval import speed
from assistant.eval.speed import arithmetic_of, find_pictures, measure_speed, print_speed, rate_of, time_stages


@pytest.fixture
def folder(tmp_path, good):
    for i in range(7):
        Image.fromarray(good(i)).save(tmp_path / f"{i}.png")
    return tmp_path


def test_every_stage_is_timed(inspector, folder):
    paths = find_pictures([str(folder)])
    times = time_stages(inspector, inspector.learn("cloth", paths[:2], registered=False), paths[2:])
    assert {"read and decode", "image tower", "memory lookup", "rarity", "regions"} <= set(times)
    assert all(ms > 0 for ms in times.values())


def test_drawn_pictures_of_each_size_are_inspected_and_large_ones_in_tiles(inspector, monkeypatch, capsys):
    monkeypatch.setattr(speed, "TILED", 300)
    monkeypatch.setattr(speed, "TILES", 2)
    said = []
    small, large = measure_speed(inspector, tell=said.append, count=5, sizes=((160, 120), (320, 160)))
    assert (small.size, small.pictures, small.tiles) == ((160, 120), 5, 1) and small.stages
    assert (large.size, large.pictures, large.tiles) == ((320, 160), speed.FEW, 2) and not large.stages
    assert 0 < small.one[0] <= small.one[1] and 0 < small.many[0] <= small.many[1]
    assert large.memory >= small.memory > 50
    assert said == ["Inspecting pictures of 160 x 120.", "Inspecting pictures of 320 x 160."]
    print_speed([small, large], "tiny")
    shown = capsys.readouterr().out
    assert "image tower" in shown and "2 x 2 tiles" in shown and "times the arithmetic" in shown


def test_arithmetic_grows_with_what_the_tower_sees(inspector, monkeypatch):
    monkeypatch.setattr(speed, "rate_of", lambda device: 1e9)
    square, wide = (arithmetic_of(inspector.backbone, *size) for size in ((160, 160), (640, 160)))
    assert wide == pytest.approx(square, rel=0.5) and square > 0  # both are brought to about as many patches
    monkeypatch.setattr(speed, "rate_of", lambda device: 2e9)
    assert arithmetic_of(inspector.backbone, 160, 160) == pytest.approx(square / 2)


def test_the_rate_is_of_this_machine():
    assert 1e8 < rate_of(torch.device("cpu")) < 1e14


def test_too_few_pictures_are_refused(inspector, folder):
    with pytest.raises(LooktwiceError, match="more than 4 pictures"):
        list(measure_speed(inspector, find_pictures([str(folder)])[:4]))


@pytest.mark.weights
@pytest.mark.slow
def test_the_command_times_a_folder_and_writes_what_it_found(folder, tmp_path):
    out = tmp_path / "figures" / "speed.json"
    result = CliRunner().invoke(app, ["eval", "speed", str(folder), "--out", str(out)])
    assert result.exit_code == 0, result.output
    [row] = json.loads(out.read_text())
    assert row["pictures"] == 3 and row["arithmetic"] > 0 and "image tower" in row["stages"]
    refused = CliRunner().invoke(app, ["eval", "speed", "--shots", "1"])
    assert refused.exit_code != 0
