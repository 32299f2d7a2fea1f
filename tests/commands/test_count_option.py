"""--count: things in a zone are counted with `learn` and with `inspect --references`, and belong to these."""

import json

import numpy as np
import pytest
from PIL import Image

from assistant.eval.research.counted_drawn import draw_scene

ZONE = "holes=8@60,60,340,240"


@pytest.fixture
def plates(tmp_path):
    random = np.random.default_rng(1)
    (tmp_path / "good").mkdir()
    for i in range(2):
        Image.fromarray(draw_scene("holes", random)).save(tmp_path / "good" / f"{i}.png")
    Image.fromarray(draw_scene("holes", random, -1)).save(tmp_path / "few.png")
    return tmp_path


def test_counts_come_out_in_rows_and_tables(run, plates):
    table = plates / "table.csv"
    status, out, err = run(
        "inspect", plates / "few.png", "--references", plates / "good", "--count", ZONE, "--csv", table
    )
    row = json.loads(out)
    assert status == 0 and row["verdict"] == "defect" and "8 are counted in every reference" in err
    assert row["counts"] == [{"zone": "holes", "expected": 8, "counted": 7}]
    assert "7 counted, 8 expected" in table.read_text(encoding="utf-8-sig")


def test_a_kept_product_has_its_own_zones(run, plates):
    assert run("learn", "plate", "--references", plates / "good", "--count", ZONE)[0] == 0
    assert json.loads(run("inspect", plates / "few.png", "--product", "plate")[1])["counts"][0]["counted"] == 7
    status, _, err = run("inspect", plates / "few.png", "--product", "plate", "--count", ZONE)
    assert status == 2 and "--count belongs to --references" in err
