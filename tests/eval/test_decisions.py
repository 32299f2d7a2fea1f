"""`looktwice eval decisions`: from labelled pictures to AUPIMO, curves, and which of two is better."""

import json
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image

from assistant.commands import main as cli
from assistant.errors import LooktwiceError
from assistant.eval.aupimo import Aupimo
from assistant.eval.datasets import open_datasets
from assistant.eval.decisions import Contender, measure_decisions
from assistant.products.store import ProductStore


@pytest.fixture(scope="module")
def cloth(tmp_path_factory, good, planted):
    """A data set of cloth in the MVTec layout: six to learn from, five good and five spoiled ones, outlined."""
    folder = tmp_path_factory.mktemp("sets") / "shop" / "cloth"

    def save(pixels, *name):
        path = folder.joinpath(*name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)

    for i in range(6):
        save(good(i), "train", "good", f"{i}.png")
    for i in range(5):
        save(good(10 + i), "test", "good", f"{i}.png")
        pixels, (x0, y0, x1, y1) = planted(good(20 + i), 0.2 + 0.15 * i, 0.5)
        save(pixels, "test", "blot", f"{i}.png")
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[y0:y1, x0:x1] = 255
        save(mask, "ground_truth", "blot", f"{i}_mask.png")
    return folder.parent


@pytest.fixture
def looktwice(tiny_home, monkeypatch, capfd, tmp_path):
    """looktwice(*arguments) -> (exit status, standard output, standard error), with the tiny tower."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        chosen = [
            "looktwice",
            "eval",
            "decisions",
            *map(str, arguments),
            "--bundle",
            "tiny-cnn",
            "--device",
            "cpu",
        ]
        monkeypatch.setattr(sys, "argv", chosen)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        return stopped.value.code or 0, out, " ".join(err.split())

    return call


def test_one_side_has_its_figures_and_its_curve(inspector, cloth, monkeypatch):
    monkeypatch.setattr("assistant.eval.decisions.Aupimo", partial(Aupimo, bounds=(0.01, 0.1)))
    [(name, [one], differences)] = measure_decisions(
        open_datasets([str(cloth)]), [Contender("tiny", inspector)], shots=3
    )
    assert name == "shop/cloth" and not differences
    assert one.labels == [*[1] * 5, *[0] * 5] or one.labels == [*[0] * 5, *[1] * 5]
    assert 0.2 < one.aupimo <= 1 and one.unread == 0
    row = json.loads(json.dumps(one.to_dict(), allow_nan=False))
    shipped = min(row["curve"], key=lambda point: abs(point["threshold"] - one.threshold))
    assert row["good"] == row["defects"] == shipped["overkill"]["total"] == 5
    called = sum(s > one.threshold for s, label in zip(one.scores, one.labels, strict=True) if not label)
    assert row["overkill"]["count"] == called == one.rate(0, "defect").count


def test_few_good_pictures_do_not_tell_what_one_pixel_in_a_million_does(looktwice, cloth):
    status, out, err = looktwice(cloth, "--out", "-", "--shots", 2)
    assert status == 0 and json.loads(out)["rows"][0]["sides"][0]["aupimo"] is None


def test_a_defect_whose_outline_is_lost_on_a_smaller_copy_is_no_good_part(inspector, cloth, monkeypatch):
    monkeypatch.setattr("assistant.eval.decisions.Aupimo", partial(Aupimo, bounds=(0.01, 0.1)))
    monkeypatch.setattr("assistant.eval.decisions.mask_of", lambda sample, found: np.zeros((40, 40), bool))
    [(_, [one], _)] = measure_decisions(open_datasets([str(cloth)]), [Contender("tiny", inspector)], shots=2)
    assert np.isnan(one.aupimo) and one.labels.count(1) == 5


def test_a_picture_that_cannot_be_read_is_left_out_of_both_sides(inspector, cloth, tmp_path):
    import shutil

    copy = tmp_path / "sets"
    shutil.copytree(cloth, copy / "shop")
    (copy / "shop" / "cloth" / "test" / "good" / "0.png").write_bytes(b"no picture")
    contenders = [Contender("one", inspector), Contender("other", inspector)]
    [(_, decided, differences)] = measure_decisions(open_datasets([str(copy / "shop")]), contenders, shots=2)
    assert [one.unread for one in decided] == [1, 1] and len(decided[0].labels) == 9
    assert [row.difference for row in differences] == [0, 0, 0, 0]


def test_two_products_are_compared_in_the_shell(looktwice, inspector, cloth, tmp_path, monkeypatch):
    store = tmp_path / "kept"
    monkeypatch.setenv("LOOKTWICE_PRODUCTS", str(store))
    kept = ProductStore(store)
    good = sorted((cloth / "cloth" / "train" / "good").iterdir())
    for name, count in (("few", 1), ("many", 6)):
        kept.save(inspector.learn(name, good[:count]))
    status, out, err = looktwice(cloth, "--product", "few", "--product", "many", "--out", tmp_path / "d.json")
    assert status == 0, err
    assert "many less few, the same pictures" in out and "AUPIMO" in out and "escape at most" in out
    told = json.loads((tmp_path / "d.json").read_text())
    assert told["settings"]["sides"] == ["few", "many"]
    [row] = told["rows"]
    assert [one["figure"] for one in row["differences"]] == ["image AUROC", "overkill", "escape", "review"]
    assert len(row["sides"]) == 2 and all(len(side["curve"]) > 2 for side in row["sides"])
    again = looktwice(cloth, "--out", tmp_path / "d.json")
    assert again[0] == 2 and "is there already" in again[2]


def test_two_bundles_are_compared_by_the_same_references(looktwice, cloth, tmp_path):
    status, out, err = looktwice(cloth, "--shots", 2, "--against", "tiny-vit", "--out", "-")
    assert status == 0, err
    told = json.loads(out)
    assert told["settings"] == {"sides": ["tiny-cnn", "tiny-vit"], "references": 2, "limit": None}
    first, second = told["rows"][0]["sides"]
    assert first["threshold"] != second["threshold"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "Say where the pictures are"),
        (("x", "--seeds", 2), "leave out --seeds"),
        (("x", "--product", "a", "--against", "b"), "A product is measured as it is"),
        (("x", "--product", "a", "--shots", 2), "A product is measured as it is"),
        (("x", "--product", "a", "--product", "b", "--product", "c"), "two products at most"),
        (("x", "--shots", 1, "--shots", 2), "one number of references"),
    ],
)
def test_what_makes_no_sense_is_refused(looktwice, more, said):
    status, _, err = looktwice(*more)
    assert status == 2 and said in err


def test_requests_from_python_are_refused_too(inspector, cloth):
    sets = open_datasets([str(cloth)])
    for contenders, shots in (([], 4), ([Contender("a", inspector)] * 3, 4), ([Contender("a", inspector)], 0)):
        with pytest.raises(LooktwiceError):
            list(measure_decisions(sets, contenders, shots=shots))
    with pytest.raises(LooktwiceError, match="good training pictures"):
        list(measure_decisions(sets, [Contender("a", inspector)], shots=50))
