"""A folder is written whole, decides the same in other runtimes, and its card says what was measured."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant.commands.export import _read_size
from assistant.errors import LooktwiceError
from assistant.export import formats
from assistant.export.card import CARD, TEXT, ExportCard
from assistant.export.parity import measure_parity

for needed in formats.NEEDED:
    pytest.importorskip(needed)

pytestmark = pytest.mark.slow


@pytest.fixture
def product(inspector, good):
    made = inspector.learn("cloth", [good(i) for i in range(3)], registered=False)
    inspector.save(made)
    return made


@pytest.fixture
def pictures(good, planted, tmp_path):
    """Files of the kinds that a runner has to read as the library does."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    spoiled = planted(good(90), 0.5, 0.4)[0]
    Image.fromarray(good(80)).save(folder / "good.png")
    Image.fromarray(spoiled).save(folder / "spoiled.jpg", quality=90)
    Image.fromarray(spoiled[..., 0]).save(folder / "grey.png")
    Image.fromarray(spoiled).quantize(32).save(folder / "palette.png")
    alpha = np.full((160, 160, 1), 255, np.uint8)
    alpha[20:60] = 90
    Image.fromarray(np.concatenate([good(81), alpha], axis=2)).save(folder / "clear.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(spoiled).save(folder / "turned.jpg", exif=turned, quality=95)
    Image.fromarray(spoiled).save(folder / "lines.bmp")
    return folder


def run(folder, *arguments):
    """Rows of the runner in an interpreter of its own, which sees neither torch nor this library."""
    code = (
        "import runpy, sys; sys.modules['torch'] = None; sys.modules['assistant'] = None; "
        f"sys.argv = ['run.py', *{list(map(str, arguments))!r}]; "
        f"runpy.run_path({str(folder / 'run.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_a_folder_decides_the_same_without_the_library(inspector, product, pictures, tmp_path, format):
    files = sorted(pictures.iterdir())
    card = inspector.export("cloth", tmp_path / "out", format, verify=files)
    assert card == ExportCard.read(tmp_path / "out")
    assert (card.parity.pictures, card.parity.left_out, card.parity.flips) == (7, 0, ())
    assert 0 <= card.parity.score_median <= card.parity.score_max < 1e-4
    assert card.parity.map_max < 1e-4
    rows = inspector.inspect(files, product)
    for (verdict, score, name), row, file in zip(run(tmp_path / "out", *files), rows, files, strict=True):
        assert (verdict, name) == (row.verdict, str(file))
        assert float(score) == pytest.approx(row.score, abs=1e-4)
    assert {row.verdict for row in rows} > {"defect"}


def test_the_card_says_what_it_is(inspector, product, tmp_path):
    card = inspector.export(product, tmp_path / "out")
    row = json.loads((tmp_path / "out" / CARD).read_text())
    assert row["digests"] == {
        "product": product.seal,
        "bundle": "tiny-cnn",
        "weights": product.weights,
        "scoring": product.scoring.digest,
    }
    assert row["limits"]["threshold"] == product.calibration.threshold
    assert row["limits"]["origin"] == product.calibration.evidence.origin
    assert row["picture"] == {"width": 160, "height": 160, "channels": "RGB", "layout": "HWC", "type": "uint8"}
    assert set(row["files"]) == {"graph.onnx", "run.py", "run.cpp"}
    assert {"onnxruntime", "torch", "looktwice"} <= set(row["versions"])
    assert card.parity is None and "not measured yet" in (tmp_path / "out" / TEXT).read_text()


def test_what_is_there_is_neither_replaced_nor_taken_for_another_state(
    inspector, product, pictures, good, tmp_path
):
    out, files = tmp_path / "out", sorted(pictures.iterdir())
    inspector.export(product, out)
    with pytest.raises(LooktwiceError, match="there already"):
        inspector.export(product, out)
    taught = inspector.teach(product, good(40), confirm=True)
    with pytest.raises(LooktwiceError, match="earlier state"):
        inspector.verify_export(taught, out, files)
    with (out / "graph.onnx").open("ab") as graph:
        graph.write(b"more")
    with pytest.raises(LooktwiceError, match=r"graph\.onnx .* has changed"):
        inspector.verify_export(product, out, files)
    shutil.rmtree(out)
    with pytest.raises(LooktwiceError, match="no exported product"):
        inspector.verify_export(product, out, files)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".export")]


def test_a_picture_of_another_size_is_an_error_and_not_a_verdict(inspector, product, good, pictures, tmp_path):
    inspector.export(product, tmp_path / "out")
    Image.fromarray(good(3, 150, 160)).save(tmp_path / "wide.png")
    deep = np.full((160, 160), 4000, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    given = [tmp_path / "wide.png", tmp_path / "deep.png", tmp_path / "none.png", pictures / "good.png"]
    rows = run(tmp_path / "out", *given)
    assert [row[0] for row in rows[:3]] == ["error"] * 3 and rows[3][0] != "error"
    assert "160 x 160" in rows[0][2] and "uint8" in rows[1][2]
    with pytest.raises(LooktwiceError, match="takes none"):
        inspector.verify_export(product, tmp_path / "out", given[:2])


def test_flips_are_counted_and_named(inspector, product, pictures, tmp_path):
    out, files = tmp_path / "out", sorted(pictures.iterdir())
    inspector.export(product, out)
    (row,) = inspector.inspect([files[0]], product)
    other = "defect" if row.verdict == "good" else "good"
    lying = replace(row, verdict=other, score=row.score + 0.25)
    found = measure_parity(out, files[:1], lambda path: lying)
    assert found.flips == ((files[0].name, other, row.verdict),)
    assert found.score_max == pytest.approx(0.25, abs=1e-4)


def test_an_int8_tower_is_smaller_in_numbers_and_said(inspector, product, pictures, tmp_path):
    import onnx

    card = inspector.export(product, tmp_path / "out", int8=True, verify=sorted(pictures.iterdir()))
    operations = {node.op_type for node in onnx.load(tmp_path / "out" / "graph.onnx").graph.node}
    assert "QuantizeLinear" in operations
    assert card.int8 and card.parity.pictures == 7
    assert "int8" in (tmp_path / "out" / TEXT).read_text()


def test_a_missing_writer_is_named(inspector, product, tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(LooktwiceError, match=r"needs onnxscript: .*looktwice\[export\]"):
        inspector.export(product, tmp_path / "out")
    with pytest.raises(LooktwiceError, match="no format 'tflite'"):
        inspector.export(product, tmp_path / "out", "tflite")
    assert not (tmp_path / "out").exists()


def test_a_size_is_read_as_people_write_it():
    assert (_read_size(None), _read_size("640x480"), _read_size(" 8X9 ")) == (None, (640, 480), (8, 9))
    for text in ("640", "640x", "0x3", "a x b", "640x480x3"):
        with pytest.raises(LooktwiceError, match="no size"):
            _read_size(text)


def test_the_runner_for_onnxruntime_in_cpp_knows_the_names_of_the_graph():
    """It takes onnxruntime's headers to build it, which no Python package holds."""
    text = (Path(formats.__file__).parent / "runners" / "onnx.cpp").read_text()
    assert '"picture"' in text and all(f'"{name}"' in text for name in (*formats.OUTPUTS, "good", "defect"))


@pytest.mark.skipif(shutil.which("g++") is None, reason="takes a C++ compiler")
def test_the_runner_in_cpp_decides_the_same(inspector, product, pictures, good, tmp_path):
    """Against the headers and libraries that OpenVINO's own package holds."""
    inspector.export(product, tmp_path / "out", "openvino")
    home = Path(find_spec("openvino").origin).parent
    [library] = (home / "libs").glob("libopenvino.so.*")
    linked = ["-L", home / "libs", f"-l:{library.name}", f"-Wl,-rpath,{home / 'libs'}"]
    source = [tmp_path / "out" / "run.cpp", "-I", home / "include"]
    subprocess.run(["g++", "-std=c++17", *map(str, [*source, *linked, "-o", tmp_path / "run"])], check=True)
    originals = [pictures / "good.png", pictures / "spoiled.jpg"]
    files = [tmp_path / f"{path.stem}.ppm" for path in originals]
    for path, file in zip(originals, files, strict=True):
        Image.open(path).save(file)
    call = [tmp_path / "run", tmp_path / "out" / "graph.xml"]
    done = subprocess.run([*call, *files], capture_output=True, text=True, check=True)
    told = [line.split("\t") for line in done.stdout.splitlines()]
    for (verdict, score, _), row in zip(told, inspector.inspect(originals, product), strict=True):
        assert verdict == row.verdict and float(score) == pytest.approx(row.score, abs=1e-4)
    Image.fromarray(good(3, 150, 160)).save(tmp_path / "wide.ppm")
    refused = subprocess.run([*call, tmp_path / "wide.ppm"], capture_output=True, text=True)
    assert refused.returncode == 1 and "another size" in refused.stderr
