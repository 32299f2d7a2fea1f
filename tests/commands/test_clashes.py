"""No output touches an input, nor becomes one: refused in one sentence before anything is opened."""

import hashlib
import os
import sys

import pytest
from PIL import Image

from assistant.commands import main
from assistant.commands.clashes import check_outputs
from assistant.errors import LooktwiceError


@pytest.fixture
def shop(tmp_path):
    """Two folders of pictures, one of them reached through a link too."""
    for folder in ("new", "new/deep", "good"):
        (tmp_path / folder).mkdir()
        for i in range(2):
            Image.new("RGB", (30 + i, 20)).save(tmp_path / folder / f"part{i}.png")
    (tmp_path / "alias").symlink_to(tmp_path / "new")
    return tmp_path


def check(shop, named=("new", "good"), **outputs):
    named = [shop / name for name in named]
    inputs = [path for one in named for path in (sorted(one.rglob("*.png")) if one.is_dir() else [one])]
    files = {f"--{name}": path for name, path in outputs.items() if name != "overlays"}
    check_outputs(files, {"--overlays": outputs.get("overlays")}, inputs, named)


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [
        ({"overlays": "new"}, "--overlays is the folder of the picture part"),
        ({"overlays": "good"}, "--overlays is the folder of the picture part"),
        ({"overlays": "alias"}, "--overlays is the folder of the picture part"),
        ({"overlays": "new/drawn"}, "--overlays lies in new, whose pictures are read"),
        ({"overlays": "alias/deep/../drawn"}, "--overlays lies in new"),
        ({"overlays": "good/../new/deep"}, "--overlays is the folder of the picture part"),
        ({"out": "new/part0.png"}, "--out would replace the picture part0.png"),
        ({"csv": "alias/deep/part1.png"}, "--csv would replace the picture part1.png"),
        ({"report": "good/part1.png"}, "--report would replace the picture part1.png"),
        ({"out": "new/fresh.PNG"}, "--out writes no picture"),
        ({"csv": "elsewhere.tiff"}, "--csv writes no picture"),
        ({"out": "rows.txt", "csv": "rows.txt"}, "--out and --csv name one file"),
        ({"out": "rows.txt", "report": "new/../rows.txt"}, "--out and --report name one file"),
    ],
)
def test_an_output_that_is_or_becomes_an_input_is_refused(shop, outputs, sentence):
    with pytest.raises(LooktwiceError, match=sentence):
        check(shop, **{name: shop / path for name, path in outputs.items()})


def test_two_names_of_one_file_are_one_file(shop):
    os.link(shop / "new" / "part1.png", shop / "rows.jsonl")
    with pytest.raises(LooktwiceError, match="--out would replace the picture part1.png"):
        check(shop, out=shop / "rows.jsonl")
    (shop / "table.csv").symlink_to(shop / "good" / "part0.png")
    with pytest.raises(LooktwiceError, match="--csv would replace the picture part0.png"):
        check(shop, csv=shop / "table.csv")
    (shop / "one.txt").touch()
    os.link(shop / "one.txt", shop / "two.txt")
    with pytest.raises(LooktwiceError, match="name one file"):
        check(shop, out=shop / "one.txt", csv=shop / "two.txt")


def test_outputs_beside_the_inputs_are_taken(shop):
    (shop / "old.jsonl").write_text("before")
    check(
        shop, overlays=shop / "drawn", out=shop / "old.jsonl", csv=shop / "new" / "t.csv", report=shop / "r.html"
    )
    check(shop, named=("new/part0.png",), overlays=shop / "new" / "drawn")  # one picture was named, not its folder


@pytest.fixture
def run(monkeypatch, capfd):
    """run(*arguments) -> (exit status, standard error); there is no model, and none is asked for."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["looktwice", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main.main()
        return stopped.value.code, capfd.readouterr().err

    return call


@pytest.mark.parametrize(
    "outputs",
    [["--overlays", "new"], ["--overlays", "good"], ["--out", "new/part1.png"], ["--csv", "good/part0.png"]],
)
def test_the_command_refuses_and_every_picture_keeps_its_checksum(shop, run, outputs):
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in shop.rglob("*.png")}
    option, path = outputs
    status, said = run("inspect", shop / "new", "--references", shop / "good", option, shop / path)
    assert status == 2 and len(said.strip().splitlines()) == 1
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in shop.rglob("*.png")} == before
