"""A region beside its good part: aligned, evened out in brightness, and different where the defect is."""

import dataclasses

import numpy as np
import pytest
from drawn_parts import draw_part
from PIL import Image, ImageFilter

from assistant.errors import ImageError
from assistant.inspection import Inspection, Region
from assistant.products.pairs import SCALES, draw_pair, draw_pairs, find_product, pairs_of


def scene(seed, side=128):
    """Soft blobs that look alike nowhere, [side, side, 3]."""
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 255, (side, side, 3), dtype=np.uint8))
    soft = np.asarray(noise.filter(ImageFilter.GaussianBlur(3)), float)
    return (128 + 4 * (soft - 128)).clip(30, 220).astype(np.uint8)


def blot(pixels, box):
    spoiled = pixels.copy()
    x0, y0, x1, y1 = box
    spoiled[y0:y1, x0:x1] = (250, 20, 10)
    return spoiled


BOX = (60, 50, 76, 66)


@pytest.fixture
def product(inspector):
    return inspector.learn("bracket", [scene(1), scene(2)])


def judged(pixels, product, place, box=BOX):
    region = Region("R1", box, 100, 0.01, 0.5, "center", "slight", reference=place)
    return Inspection(
        "a.png", mode="few-shot", score=1.0, p_value=0.1, threshold=0.5, review_threshold=0.4, verdict="defect",
        regions=(region,), width=pixels.shape[1], height=pixels.shape[0], product=product.name,
    )  # fmt: skip


def place_on(product, number, **changes):
    from assistant.inspection import GoodPlace

    known = product.references[number]
    return GoodPlace(**{"id": known.id, "name": known.name, "digest": known.digest, "box": BOX, "distance": 0.4}
                     | changes)  # fmt: skip


def only(pairs):
    """The pair of the only region, None where it has none."""
    assert len(pairs) <= 1
    return pairs[0] if pairs else None


def pair(product, pixels, box=BOX, number=0, **changes):
    found = judged(pixels, product, place_on(product, number, **changes), box)
    return only(pairs_of(found, product, Image.fromarray(pixels)))


def inside(found):
    x0, y0, x1, y1 = found.box
    mask = np.zeros(found.difference.shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_the_difference_is_where_the_defect_is(product):
    found = pair(product, blot(scene(1), BOX))
    mask = inside(found)
    assert found.part.shape == found.good.shape == (*found.difference.shape, 3)
    assert found.difference[mask].mean() > 60 and found.difference[~mask].mean() < 6
    assert np.abs(found.good.astype(float) - found.part)[~mask].mean() < 6
    assert (found.region, found.reference.id) == ("R1", 0)


@pytest.mark.parametrize(("down", "right"), [(3, -4), (-7, 5), (0, 2)])
def test_a_part_that_lies_a_little_off_is_brought_to_its_place(product, down, right):
    shifted = np.roll(scene(1), (down, right), axis=(0, 1))
    found = pair(product, blot(shifted, BOX))
    mask = inside(found)
    assert found.difference[~mask].mean() < 6 < 60 < found.difference[mask].mean()


@pytest.mark.parametrize(("gain", "more"), [(0.85, 0), (1.1, 12)])
def test_brightness_is_no_difference_and_a_defect_stays_one(product, gain, more):
    relit = (scene(1) * gain + more).clip(0, 255).astype(np.uint8)
    found = pair(product, blot(relit, BOX))
    mask = inside(found)
    assert found.difference[~mask].mean() < 8 < 60 < found.difference[mask].mean()
    dark = pair(product, np.zeros_like(scene(1)))  # too far for a change of light
    assert dark.difference.mean() > 60


def test_a_counterpart_elsewhere_is_cut_out_there(product):
    moved = np.roll(scene(2), (20, -30), axis=(0, 1))
    found = pair(product, blot(moved, BOX), number=1, moved=(30, -20))
    mask = inside(found)
    assert found.difference[~mask].mean() < 6 < 60 < found.difference[mask].mean()


@pytest.mark.parametrize("box", [(0, 0, 9, 9), (120, 0, 128, 128), (0, 0, 128, 128), (127, 127, 128, 128)])
def test_regions_at_edges_and_of_the_whole_picture_have_pairs(product, box):
    found = pair(product, blot(scene(1), box), box=box)
    x0, y0, x1, y1 = found.box
    assert 0 <= x0 < x1 <= found.part.shape[1] and 0 <= y0 < y1 <= found.part.shape[0]
    assert found.difference[inside(found)].mean() > 40


def test_crops_of_a_large_picture_are_as_sharp_as_it_is_and_no_larger_than_needed(product):
    large = np.asarray(Image.fromarray(blot(scene(1), BOX)).resize((1280, 1280), Image.Resampling.NEAREST))
    found = pair(product, large, box=tuple(10 * v for v in BOX))
    assert 300 <= max(found.part.shape) <= 768
    assert found.difference[inside(found)].mean() > 60


def test_the_scale_holds_nearly_all_of_the_difference_and_is_said(product):
    faint = scene(1).copy()
    faint[50:66, 60:76] = (faint[50:66, 60:76] * 0.9).astype(np.uint8)
    scales = [pair(product, pixels).scale for pixels in (faint, blot(scene(1), BOX))]
    assert scales[0] == SCALES[0] < scales[1] and scales[1] in SCALES
    found = pair(product, faint)
    assert found.colours.shape == found.part.shape and found.colours.dtype == np.uint8
    drawn = draw_pair(found)
    assert drawn.mode == "RGB" and drawn.width > 3 * 250


def test_there_is_none_where_the_reference_is_not_what_it_was(product):
    pixels = blot(scene(1), BOX)
    assert pair(product, pixels, digest="another") is None
    assert pair(dataclasses.replace(product, pictures={}), pixels) is None
    found = judged(pixels, product, None)
    assert pairs_of(found, product, Image.fromarray(pixels)) == []
    assert only(pairs_of(found, None)) is None


def test_a_picture_that_is_gone_is_said_and_draws_nothing(product, tmp_path):
    found = judged(scene(1), product, place_on(product, 0))
    found = dataclasses.replace(found, path=str(tmp_path / "gone.png"))
    with pytest.raises(ImageError):
        pairs_of(found, product)
    assert draw_pairs(found, product) == {}


def test_pairs_follow_from_an_inspection_as_it_comes(inspector, good, planted):
    product = inspector.learn("cloth", [good(i) for i in range(3)])
    found = inspector.inspect(planted(good(1), 0.6, 0.4)[0], product)
    drawn = draw_pairs(found, product)
    assert list(drawn) == [one.id for one in found.regions] and drawn
    assert list(draw_pairs(found, product, most=1)) == ["R1"]
    assert pairs_of(found, product)[0].reference.id == 1


def test_the_product_of_an_inspection_is_found_by_its_name(inspector, product):
    found = judged(scene(1), product, None)
    assert find_product(found, inspector.store.load) is None and inspector.product_of(found) is None
    inspector.save(product)
    assert inspector.product_of(found).references == product.references
    assert find_product(dataclasses.replace(found, product=None), inspector.store.load) is None


def test_deep_pictures_are_compared_through_the_window_of_the_product(inspector, tmp_path):
    for n in (1, 2, 3):
        deep = scene(n)[..., 0].astype(np.uint16) * 4
        if n == 3:
            deep = scene(1)[..., 0].astype(np.uint16) * 4
            deep[50:66, 60:76] = 900
        Image.fromarray(deep).save(tmp_path / f"{n}.png")
    product = inspector.learn("deep", [tmp_path / "1.png", tmp_path / "2.png"])
    found = inspector.inspect([tmp_path / "3.png"], product)[0]
    regions = judged(scene(1), product, place_on(product, 0)).regions
    again = Inspection.from_json(dataclasses.replace(found, regions=regions).to_json())
    near = only(pairs_of(again, product))
    assert again.window and near.difference[~inside(near)].mean() < 8 < 40 < near.difference[inside(near)].mean()


@pytest.mark.parametrize("angle", [60, 200])
def test_a_turned_part_is_shown_in_the_pose_of_its_reference(inspector, angle):
    turned = [draw_part(a, a % 13, -(a % 7), seed=a)[0] for a in (20, 95, 170, 300)]
    product = inspector.learn("lever", turned)
    assert product.registration
    marked, (x, y) = draw_part(angle, 4, 9, seed=31, mark=(95.0, 140.0))
    found = inspector.inspect([marked], product)[0]
    box = tuple(round(v) for v in (x - 12, y - 12, x + 12, y + 12))
    beside = place_on(product, 0, box=(0, 0, 9, 9), moved=(0, 0))
    region = Region("R1", box, 100, 0.01, 0.5, "center", "slight", reference=beside)
    near = only(pairs_of(dataclasses.replace(found, regions=(region,)), product))
    mask = inside(near)
    assert near.difference[mask].max() > 80 and near.difference[mask].mean() > 2 * near.difference[~mask].mean()
    width, height = product.registration.frame
    for one in found.regions:
        assert one.reference.box[2] <= width and one.reference.box[3] <= height
    assert len(pairs_of(found, product)) == len(found.regions)
