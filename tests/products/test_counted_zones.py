"""Products with zones in which things are counted: learned, kept, judged, taught, turned along with the part."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from assistant.errors import ProductError
from assistant.eval.research.counted_drawn import draw_scene
from assistant.images.pose import Pose
from assistant.inspection import Count, Inspection
from assistant.inspector import Inspector
from assistant.language import answer
from assistant.products.product import Product
from assistant.products.teaching import DoubtfulTeaching

ZONE = "holes=8@60,60,340,240"


@pytest.fixture(scope="module")
def inspector(backbones):
    return Inspector(backbones["tiny-cnn"])


@pytest.fixture(scope="module")
def product(inspector):
    random = np.random.default_rng(1)
    return inspector.learn("plate", [draw_scene("holes", random) for _ in range(3)], counts=[ZONE])


def judge(inspector, product, more, seed=5):
    return inspector.inspect([draw_scene("holes", np.random.default_rng(seed), more)], product)[0]


def test_a_wrong_number_is_a_defect_whatever_the_score_is(inspector, product):
    right, few, many = (judge(inspector, product, more) for more in (0, -1, 1))
    assert right.counts == (Count("holes", 8, 8),) and not any("zone" in notice for notice in right.notices)
    assert (few.verdict, many.verdict) == ("defect", "defect")
    assert "zone 'holes': 7 counted, 8 expected" in few.notices
    assert "zone 'holes': 9 counted, 8 expected" in many.notices
    assert "missing" in {region.kind for region in few.regions}  # each hole has its place in all references
    assert "count" in {region.kind for region in many.regions}
    assert [region.id for region in many.regions] == [f"R{i + 1}" for i in range(len(many.regions))]


def test_what_cannot_be_counted_for_sure_is_for_review(inspector, product):
    pixels = draw_scene("holes", np.random.default_rng(6))
    pixels[90:170, 80:200] = 40  # hides two holes and joins them
    row = inspector.inspect([pixels], product)[0]
    assert row.counts[0].counted is None and row.verdict in ("review", "defect")
    assert any("cannot be counted for sure" in notice for notice in row.notices)


def test_counts_are_in_the_json_where_there_are_any(inspector, product):
    row = judge(inspector, product, -1)
    assert Inspection.from_json(row.to_json()) == row
    assert json.loads(row.to_json())["counts"] == [{"zone": "holes", "expected": 8, "counted": 7}]
    assert "counts" not in replace(row, counts=()).to_dict()


def test_answers_tell_the_number(inspector, product):
    few, right = judge(inspector, product, -1), judge(inspector, product, 0)
    assert "7 counted, 8 expected" in answer(few, "Is it defective?").whole
    assert "8 counted, 8 expected" in answer(right, "How many are there?").whole


def test_zones_are_kept_and_sealed_and_a_product_without_them_is_as_before(inspector, product, tmp_path):
    again = Product.load(product.save(tmp_path / "plate.safetensors"))
    again.check_seal()
    assert again.counted == product.counted
    with pytest.raises(ProductError, match="recalibrate"):
        replace(again, counted=()).check_seal()
    plain = inspector.learn("plain", [draw_scene("holes", np.random.default_rng(1))])
    assert "counted" not in json.loads(plain.state()[0])


def test_learning_refuses_a_number_that_is_not_there_in_one_sentence(inspector):
    random = np.random.default_rng(2)
    pictures = [draw_scene("holes", random) for _ in range(2)]
    with pytest.raises(
        ProductError, match=r"counts 9 alike things in the zone 'holes' of each of the 2 references"
    ):
        inspector.learn("plate", pictures, counts=["holes=9@60,60,340,240"])
    with pytest.raises(ProductError, match="reaches beyond the first reference"):
        inspector.learn("plate", pictures, counts=["holes=8@60,60,440,240"])


def test_a_good_part_with_another_number_is_asked_about(inspector, product):
    odd = draw_scene("holes", np.random.default_rng(8), -1)
    taught = product
    with pytest.raises(DoubtfulTeaching):
        taught = inspector.teach(product, odd)
    assert taught is product
    assert len(inspector.teach(product, odd, confirm=True).references) == 4


def turned_plate(angle, gone=False, seed=0):
    """A long plate with five holes, turned before a plain ground."""
    big = Image.new("RGB", (900, 900), (60, 62, 66))
    pen = ImageDraw.Draw(big)
    pen.polygon([(150, 330), (700, 330), (780, 450), (700, 570), (150, 570)], fill=(190, 186, 170))
    for i in range(5):
        if not (gone and i == 2):
            pen.ellipse([210 + 90 * i, 410, 260 + 90 * i, 460], fill=(30, 30, 30))
    turn = Pose((300, 300), angle)
    shift = np.array([150, 150]) - turn.matrix[:, :2] @ np.array([150, 150])
    pixels = Pose((300, 300), angle, 1 / 3, (float(shift[0]), float(shift[1]))).warp(np.asarray(big))
    return (pixels + np.random.default_rng(seed).normal(0, 3, pixels.shape)).clip(0, 255).astype(np.uint8)


def test_zones_turn_along_with_a_registered_part(inspector):
    pictures = [turned_plate(angle, seed=angle) for angle in (0, 70, 200)]
    product = inspector.learn("plate", pictures, registered=True, counts=["holes=5@55,125,230,165"])
    rows = inspector.inspect([turned_plate(130, gone, seed=9) for gone in (False, True)], product)
    assert [row.counts[0].counted for row in rows] == [5, 4]
    lacking = next(region for region in rows[1].regions if region.kind == "missing")
    middle = np.array([415 / 3, 435 / 3])  # of the third hole, before it is turned
    turn = Pose((300, 300), 130).matrix[:, :2]
    x, y = turn @ (middle - 150) + 150
    x0, y0, x1, y1 = lacking.box
    assert x0 - 8 <= x <= x1 + 8 and y0 - 8 <= y <= y1 + 8
