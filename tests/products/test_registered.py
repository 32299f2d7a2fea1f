"""Products whose parts are brought to one pose: kept, taught, zoned, and answered in the picture's coordinates."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_parts import SIDE, draw_part
from PIL import Image, ImageDraw

from assistant.detection.built_in import BuiltInLimits
from assistant.detection.prior import Prior
from assistant.detection.registration import NOT_FOUND
from assistant.errors import ProductError
from assistant.eval.prior_fit import refit
from assistant.inspector import Inspector
from assistant.products.product import Product


@pytest.fixture
def inspector(backbones):
    return Inspector(backbones["tiny-cnn"])


@pytest.fixture
def references():
    return [draw_part(angle, angle % 13, -(angle % 7), seed=angle)[0] for angle in (20, 95, 170, 300)]


@pytest.fixture
def product(inspector, references):
    return inspector.learn("lever", references)


def test_parts_at_any_angle_are_found_out(product):
    assert product.registration is not None
    assert product.registration.picture == (SIDE, SIDE)
    assert len(product.groups) == 4  # different parts in one pose are no copies of each other


def test_parts_that_lie_alike_and_fill_the_picture_are_left_as_they_are(inspector):
    large = [Image.fromarray(draw_part(0, seed=s)[0]).crop((55, 105, 235, 235)) for s in range(3)]
    assert inspector.learn("large", [np.asarray(p) for p in large]).registration is None


def test_pictures_without_a_part_before_a_ground_are_left_as_they_are(inspector, good):
    product = inspector.learn("cloth", [good(i) for i in range(3)])
    assert product.registration is None
    assert not any(NOT_FOUND in row.notices for row in inspector.inspect([good(5)], product))
    with pytest.raises(ProductError, match="plain ground"):
        inspector.learn("cloth", [good(0)], registered=True)


def test_somebody_may_say_so(inspector, references):
    assert inspector.learn("lever", references, registered=False).registration is None
    assert inspector.learn("lever", references[:1], registered=True).registration is not None
    with pytest.raises(ProductError):
        inspector.learn("lever", references, registered=True, views="turns")


def test_a_registered_product_comes_back_from_its_file(product, inspector, tmp_path):
    product.save(tmp_path / "lever.safetensors")
    again = Product.load(tmp_path / "lever.safetensors")
    again.check_seal()
    picture = draw_part(250, seed=77)[0]
    ours, theirs = inspector.inspect([picture], product)[0], inspector.inspect([picture], again)[0]
    assert ours.score == theirs.score
    assert np.array_equal(ours.coarse_map, theirs.coarse_map)


def test_the_seal_covers_the_registration(product):
    other = replace(product, registration=replace(product.registration, picture=(SIDE + 1, SIDE)))
    with pytest.raises(ProductError):
        replace(other).check_seal()


@pytest.mark.parametrize("angle", [60, 200])
def test_a_mark_on_a_turned_part_is_found_at_its_own_place(inspector, product, angle):
    marked, place = draw_part(angle, 4, 9, seed=31, mark=(95.0, 140.0))
    plain = draw_part(angle, 4, 9, seed=31)[0]
    rows = inspector.inspect([marked, plain], product)
    assert all(NOT_FOUND not in row.notices for row in rows)
    assert rows[0].score > rows[1].score
    more = rows[0].anomaly_map - rows[1].anomaly_map
    y, x = np.unravel_index(int(more.argmax()), more.shape)
    assert np.hypot(x - place[0], y - place[1]) < 25
    assert (rows[0].width, rows[0].height) == (SIDE, SIDE)


def test_a_zone_drawn_on_the_first_reference_follows_the_part(inspector, references, product):
    first, place = draw_part(20, 20 % 13, -(20 % 7), seed=20, mark=(95.0, 140.0))
    y, x = np.mgrid[:SIDE, :SIDE]
    ignore = np.hypot(x - place[0], y - place[1]) < 22
    zoned = inspector.teacher.remask(product, ignore=ignore)
    marked, place = draw_part(130, 4, 9, seed=31, mark=(95.0, 140.0))
    shown = inspector.inspect([marked], zoned)[0].anomaly_map
    near = np.hypot(x - place[0], y - place[1])
    assert shown[near < 8].max() == 0
    assert shown[(near > 40) & (near < 60)].max() > 0


def test_a_picture_that_lies_in_no_known_pose_is_compared_as_it_lies(inspector, product):
    other = Image.new("RGB", (SIDE, SIDE), (180, 178, 170))
    ImageDraw.Draw(other).ellipse([90, 90, 210, 210], fill=(70, 80, 110))
    row = inspector.inspect([np.asarray(other)], product)[0]
    assert NOT_FOUND in row.notices
    assert row.coarse_map.min() >= 0


def test_teaching_and_recalibrating_go_the_same_way(inspector, product):
    more = draw_part(222, 3, 3, seed=50)[0]
    taught = inspector.teach(product, [more], confirm=True)
    assert len(taught.groups) == 5
    registration = taught.registration
    assert registration is product.registration
    # In the frame it differs from the others by noise alone; as it lies, by its turn too.
    plain = inspector.detector.encode([more])[0]
    brought = inspector.detector.encode_brought([more], 1, registration)[0]
    memory = product.dictionary
    far = [float(memory.lookup(inspector.detector.tokens(f)).mean()) for f in (plain, brought)]
    assert far[1] < far[0]
    again = inspector.teacher.recalibrate(taught)
    assert again.calibration.threshold == pytest.approx(taught.calibration.threshold, rel=1e-3)


def test_the_mask_of_a_defect_is_drawn_on_the_picture_as_it_lies(inspector, product):
    marked, place = draw_part(110, 4, 9, seed=31, mark=(95.0, 140.0))
    y, x = np.mgrid[:SIDE, :SIDE]
    mask = np.hypot(x - place[0], y - place[1]) < 10
    taught = inspector.teach(product, [marked], "defect", "spot", mask)
    other, place = draw_part(290, 4, 9, seed=32, mark=(95.0, 140.0))
    row = inspector.inspect([other], taught)[0]
    hot = row.anomaly_map
    y, x = np.unravel_index(int(hot.argmax()), hot.shape)
    assert np.hypot(x - place[0], y - place[1]) < 30
    with pytest.raises(ProductError, match="beside the part"):
        beside = np.zeros((SIDE, SIDE), bool)
        beside[:8, :8] = True
        inspector.teach(product, [draw_part(45, seed=99)[0]], "defect", "dirt", beside)


def test_one_picture_is_compared_with_registered_and_plain_products_at_once(inspector, references, product):
    plain = inspector.learn("plain", references, registered=False)
    picture = draw_part(75, seed=4)[0]
    [rows] = inspector.inspect_many([picture], [product, None, plain])
    alone = [inspector.inspect([picture], p)[0].score for p in (product, None, plain)]
    assert [row.score for row in rows] == alone


def test_pictures_of_a_batch_are_brought_to_one_pose_before_they_score_each_other(inspector):
    marked, place = draw_part(140, seed=70, mark=(95.0, 140.0))
    pictures = [draw_part(47 * i, i % 5, -i % 7, seed=i)[0] for i in range(7)] + [marked]
    other = Image.new("RGB", (SIDE, SIDE), (180, 178, 170))
    ImageDraw.Draw(other).ellipse([90, 90, 210, 210], fill=(70, 80, 110))
    rows = inspector.inspect([*pictures, np.asarray(other)], mode="mutual")
    assert [NOT_FOUND in row.notices for row in rows] == [False] * 8 + [True]
    unmarked = inspector.inspect([*pictures[:7], draw_part(140, seed=70)[0]], mode="mutual")[7]
    more = rows[7].anomaly_map - unmarked.anomaly_map
    y, x = np.unravel_index(int(more.argmax()), more.shape)
    assert np.hypot(x - place[0], y - place[1]) < 40


def test_a_batch_without_a_part_before_a_ground_is_left_as_it_is(inspector, good):
    rows = inspector.inspect([good(i) for i in range(4)], mode="mutual")
    assert not any(NOT_FOUND in row.notices for row in rows)


def test_limits_of_registered_parts_rest_on_what_such_products_teach(backbones, references):
    taught = Prior(gap=0.9, between=0.1, registered=Prior(gap=0.05, between=0.7))
    inspector = Inspector(backbones["tiny-cnn"])
    inspector.__dict__["limits"] = BuiltInLimits(
        "tiny-cnn", inspector.backbone.digest, "things", (0.1,) * 40, taught
    )
    for count in (1, 4):
        for registered, prior in ((True, taught.registered), (False, taught)):
            made = inspector.learn("lever", references[:count], registered=registered).calibration
            assert made == refit(made, prior) and made != refit(made, taught.of(not registered))
    plain = replace(taught, registered=None)
    assert taught.of(True) == taught.registered and taught.of(False) == plain and plain.of(True) == plain
