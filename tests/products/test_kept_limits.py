"""Limits that follow from other parts than references are kept as one change, and undone to the byte."""

from dataclasses import replace

import pytest

from assistant.detection.production_limits import calibrate_production
from assistant.errors import ProductError
from assistant.products.changes import compare, last_changes
from assistant.products.product import Product


@pytest.fixture
def product(inspector, good):
    return inspector.learn("cloth", [good(i) for i in range(3)])


def checked(product, review, threshold):
    return replace(product.calibration, method="checked", limits=(review, threshold), source="parts of a test")


def test_kept_limits_decide_survive_the_file_and_can_be_undone(inspector, product, good, tmp_path):
    score = inspector.inspect(good(9), product).score
    kept = inspector.teacher.keep_limits(product, checked(product, 0.5 * score, 0.9 * score), "by 5 good parts")
    row = inspector.inspect(good(9), kept)
    assert (row.score, row.verdict, row.evidence.method) == (score, "defect", "checked")
    read = Product.load(kept.save(tmp_path / "cloth.safetensors"))
    assert read == kept and read.calibration == kept.calibration
    assert inspector.inspect(good(9), read).verdict == "defect"
    assert read.undo() == product and read.undo().state()[0] == product.state()[0]
    (change,) = last_changes(kept)
    assert (change.what, change.name) == ("recalibrated", "by 5 good parts")
    assert compare(product, kept).action == "recalibrate"


def test_teaching_and_recalibrating_go_back_to_the_references(inspector, product, good):
    kept = inspector.teacher.keep_limits(product, checked(product, 0.001, 0.002), "by a test")
    assert inspector.teacher.recalibrate(kept).calibration == product.calibration
    taught = inspector.teach(kept, good(7), confirm=True)
    assert taught.calibration.method == "predictive" and taught.calibration.limits is None
    assert inspector.teacher.retarget(kept, 0.2).calibration.limits is None


def test_limits_are_not_kept_for_a_product_whose_own_are_stale(inspector, product):
    stale = replace(product, seal="another")
    with pytest.raises(ProductError, match="recalibrate"):
        inspector.teacher.keep_limits(stale, checked(product, 0.1, 0.2), "by a test")


def test_limits_from_production_judge_at_another_target_too(inspector, product, good):
    found = calibrate_production([inspector.inspect(good(40 + i), product).score for i in range(20)])
    kept = inspector.teacher.keep_limits(product, found, "by 20 unlabelled parts")
    wider = inspector.teacher.retarget(kept, 0.2)
    assert wider.calibration.method == "production" and wider.calibration.threshold < kept.calibration.threshold
