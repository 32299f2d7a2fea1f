"""A decision that was recorded is the library's own, on pictures that it never saw."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from assistant.adapters import similarity
from assistant.detection.suitability import evenness
from assistant.errors import ProductError
from assistant.export.card import VERDICTS
from assistant.export.decision import Decision, is_even, size_of

SIZE = 160, 160


def decide(inspector, product, size=None):
    """A function from pixels to map, score and verdict in words."""
    module = Decision(inspector.backbone, product, size or size_of(product)).record()

    def run(pixels):
        with torch.no_grad():
            shown, score, verdict = module(torch.from_numpy(np.ascontiguousarray(pixels)))
        return shown.numpy(), float(score), VERDICTS[int(verdict)]

    return run


def pictures(good, planted, size=SIZE):
    """Good and spoiled ones, and some in which nothing is to be seen."""
    width, height = size
    spoiled = [planted(good(90 + i, *size), x, 0.4)[0] for i, x in enumerate((0.1, 0.5, 0.8))]
    faint = (0.8 * good(95, *size) + 0.2 * spoiled[0]).astype(np.uint8)
    dark = np.random.default_rng(3).integers(0, 9, (height, width, 3), dtype=np.uint8)
    return [good(80, *size), good(81, *size), faint, *spoiled, dark]


def agree(inspector, product, rows, run):
    verdicts = set()
    for pixels in rows:
        expected = inspector.inspect(pixels, product)
        shown, score, verdict = run(pixels)
        assert score == pytest.approx(expected.score, abs=2e-6)
        assert np.abs(shown - expected.coarse_map).max() < 5e-6
        assert verdict == expected.verdict
        verdicts.add(verdict)
    return verdicts


@pytest.mark.parametrize(
    "fields",
    [
        {"registered": False},
        {"registered": False, "aligned": True},
        {"registered": False, "aligned": False, "views": "flips"},
        {"registered": False, "tiles": 2},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_map_score_and_verdict_are_the_inspectors(either_inspector, good, planted, fields):
    product = either_inspector.learn("cloth", [good(i) for i in range(4)], **fields)
    verdicts = agree(either_inspector, product, pictures(good, planted), decide(either_inspector, product))
    assert len(verdicts) > 1


def test_masks_and_known_defects_are_inside(inspector, good, planted):
    looked = np.zeros((160, 160), bool)
    looked[30:150, 20:120] = True
    product = inspector.learn("cloth", [good(i) for i in range(3)], registered=False, roi=looked)
    product = inspector.teach(product, planted(good(50), 0.5, 0.5)[0], "defect", "blot", confirm=True)
    assert product.known
    agree(inspector, product, pictures(good, planted), decide(inspector, product))


def test_pictures_of_another_shape_and_size_are_exported_at_theirs(inspector, good, planted):
    size = 250, 140
    product = inspector.learn("cloth", [good(i, *size) for i in range(2)], registered=False)
    agree(inspector, product, pictures(good, planted, size), decide(inspector, product))


def test_something_missing_goes_to_a_person(inspector):
    """A part of which something is missing looks like plain ground: only the references tell."""

    def board(seed, without=False):
        rng = np.random.default_rng(seed)
        board = np.full((160, 160, 3), 90.0)
        for i, (x, y) in enumerate(((20, 20), (100, 30), (40, 100), (110, 110))):
            if not (without and i == 3):
                board[y : y + 30, x : x + 30] = (220, 60 + 40 * i, 30)
        return (board + rng.normal(0, 2, board.shape)).clip(0, 255).astype(np.uint8)

    product = inspector.learn("board", [board(i) for i in range(3)], registered=False, aligned=True)
    agree(inspector, product, [board(9), board(10, without=True)], decide(inspector, product))


def test_products_in_bfloat16_are_rounded_alike(inspector, good, planted, monkeypatch):
    """On processors with bfloat16 the library rounds, and what is exported there does too."""
    monkeypatch.setattr(similarity, "product_type", lambda device: torch.bfloat16)
    product = inspector.learn("cloth", [good(i) for i in range(3)], registered=False)
    run = decide(inspector, product)
    for pixels in pictures(good, planted):
        expected = inspector.inspect(pixels, product)
        _, score, verdict = run(pixels)
        assert score == pytest.approx(expected.score, abs=5e-4)
        assert verdict == expected.verdict


def test_deep_pictures_go_through_the_window(inspector, good):
    rows = [(good(i)[..., :1].astype(np.uint16) * 40 + 2000).repeat(3, axis=2) for i in range(4)]
    product = inspector.learn("deep", [row[..., 0] for row in rows[:3]], registered=False)
    assert product.window.levels
    decision = Decision(inspector.backbone, product, size_of(product))
    assert decision.example.dtype == torch.uint16
    with torch.no_grad():
        _, score, _ = decision.record()(torch.from_numpy(rows[3]))
    assert float(score) == pytest.approx(inspector.inspect(rows[3][..., 0], product).score, abs=2e-6)


@pytest.mark.parametrize("spread", [0, 6, 14, 18, 60])
@pytest.mark.parametrize("size", [(160, 160), (60, 40), (333, 150)])
def test_nothing_to_see_is_told_alike(spread, size):
    width, height = size
    ramp = np.linspace(100, 100 + spread, width * height).reshape(height, width, 1)
    pixels = np.repeat(ramp, 3, axis=2).astype(np.uint8)
    assert bool(is_even(torch.from_numpy(pixels), size)) == bool(evenness(pixels))


def test_a_pose_is_refused_with_what_to_do(inspector, good):
    product = inspector.learn("cloth", [good(i) for i in range(2)], registered=False)
    turned = replace(product, registration=object())
    with pytest.raises(ProductError, match="--unregistered"):
        Decision(inspector.backbone, turned, SIZE)
    trained = replace(product, memory="trained")
    with pytest.raises(ProductError, match="--memory nearest"):
        Decision(inspector.backbone, trained, SIZE)
    counting = replace(product, counted=(object(),))
    with pytest.raises(ProductError, match="without --count"):
        Decision(inspector.backbone, counting, SIZE)


def test_references_of_several_sizes_ask_for_one(inspector, good):
    product = inspector.learn("cloth", [good(0), good(1, 200, 150)], registered=False)
    with pytest.raises(ProductError, match="2 sizes.*--size"):
        size_of(product)


def test_pictures_smaller_than_the_grid_are_refused(inspector, good):
    product = inspector.learn("cloth", [good(i) for i in range(2)], registered=False)
    with pytest.raises(ProductError, match="too small"):
        Decision(inspector.backbone, product, (6, 6)).record()


def test_a_picture_is_read_from_a_file_as_it_lies(inspector, good, tmp_path):
    """The graph takes what the door gives: pixels, and no file."""
    product = inspector.learn("cloth", [good(i) for i in range(2)], registered=False)
    Image.fromarray(good(7)).save(tmp_path / "a.png")
    _, score, _ = decide(inspector, product)(good(7))
    assert score == pytest.approx(inspector.inspect(tmp_path / "a.png", product).score, abs=2e-6)
