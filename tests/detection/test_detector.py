"""The detector: planted defects light up where they are, and map, score and region of interest agree."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from assistant.adapters.patches import top_mean
from assistant.adapters.rarity import rarity
from assistant.adapters.strength import strength
from assistant.adapters.text_map import text_map
from assistant.detection.detector import MEMORY_SHARE, STRENGTH_SHARE, WHOLE_SHARE, Detector, fit_roi
from assistant.images.load import load_image
from assistant.products.learning import learn_product

SIZES = [(640, 200), (97, 301), (333, 333), (160, 160)]
SPOTS = [(0.25, 0.3), (0.8, 0.6), (0.5, 0.85)]


@pytest.fixture(params=["tiny-cnn", "tiny-vit"])
def detector(request, backbones):
    return Detector(backbones[request.param])


def learn(detector, pictures, **settings):
    return learn_product(detector, "cloth", [load_image(p) for p in pictures], **settings)


def see(detector, pixels):
    (features,) = detector.backbone.encode([pixels])
    return features


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_planted_defect_is_the_patch_farthest_from_memory(detector, good, planted, width, height):
    product = learn(detector, [good(i, width, height) for i in range(4)])
    for x, y in SPOTS:
        spoiled, (x0, y0, x1, y1) = planted(good(9, width, height), x, y)
        found = product.dictionary.lookup(detector.tokens(see(detector, spoiled)))[0]
        row, column = divmod(int(found.argmax()), found.shape[1])
        # The middle of the highest cell, with the half cell that random strides may be off.
        cell = width / found.shape[1], height / found.shape[0]
        assert x0 - cell[0] / 2 <= (column + 0.5) * cell[0] <= x1 + cell[0] / 2
        assert y0 - cell[1] / 2 <= (row + 0.5) * cell[1] <= y1 + cell[1] / 2
        clean = product.dictionary.lookup(detector.tokens(see(detector, good(9, width, height))))[0]
        assert found.max() > 1.2 * clean.max()


def test_a_few_shot_map_is_the_stated_mean_of_distance_and_rarity(detector, good):
    product = learn(detector, [good(0), good(1)])
    features = see(detector, good(2))
    tokens = detector.tokens(features)
    for without in (None, 1):
        distance = product.dictionary.lookup(tokens, without)
        expected = MEMORY_SHARE * distance + (1 - MEMORY_SHARE) * rarity(tokens)
        assert torch.allclose(detector.few_shot(features, product.dictionary, without), expected)


def test_the_zero_shot_map_is_rarity_and_words_where_patches_speak_them(detector, good):
    features = see(detector, good(2, 97, 301))
    rare = rarity(detector.tokens(features))
    found = detector.zero_shot(features)
    if features.aligned is None:
        assert torch.equal(found, rare)
        return
    words = text_map(features.aligned, detector._states)
    assert words.shape == rare.shape  # one grid for both here, so that nothing is resized
    assert torch.allclose(found, (rare + words) / 2, atol=1e-6)


def test_maps_against_many_products_are_the_maps_against_each(detector, good):
    roi = np.zeros((40, 40), dtype=bool)
    roi[:20] = True
    products = [None, learn(detector, [good(0)]), learn(detector, [good(1), good(2)], roi=roi), None]
    features = see(detector, good(3))
    together = detector.maps(features, products)
    for product, found in zip(products, together, strict=True):
        assert torch.equal(found, detector.maps(features, [product])[0])
    assert torch.equal(together[0], detector.zero_shot(features))
    assert torch.equal(together[1], detector.few_shot(features, products[1].dictionary))
    assert (
        together[2][0, : together[2].shape[1] // 2].min() > 0 == together[2][0, together[2].shape[1] // 2 :].max()
    )


def test_what_lies_outside_the_region_of_interest_has_no_say(detector, good, planted):
    roi = np.zeros((32, 32), dtype=bool)
    roi[:, :16] = True
    product = learn(detector, [good(i) for i in range(3)], roi=roi)
    clean = good(5)
    outside, _ = planted(clean, 0.9, 0.5)
    inside, _ = planted(clean, 0.2, 0.5)
    scores = []
    for pixels in (clean, outside, inside):
        maps = detector.maps(see(detector, pixels), [product])[0]
        scores.append(float(detector.score(maps, product.roi)[0]))
        h, w = maps.shape[1:]
        assert float(maps[0, :, math.ceil(w / 2) :].max()) == 0
        assert scores[-1] == pytest.approx(float(top_mean(maps[:, :, : w // 2], 0.01)[0]))
    assert scores[2] > 1.3 * max(scores[:2]) and scores[1] < 1.3 * scores[0]


def test_a_batch_keeps_map_and_score_in_one_unit(detector, good, planted):
    sizes = [(160, 160)] * 5 + [(97, 301), (320, 100)]
    pictures = [good(i, w, h) for i, (w, h) in enumerate(sizes)]
    pictures[3], _ = planted(pictures[3], 0.5, 0.5)
    seen = [see(detector, p) for p in pictures]
    tokens = [detector.coarse_tokens(f)[0] for f in seen]
    rare = [detector.zero_shot(f)[0] for f in seen]
    maps, scores = detector.batch(tokens, rare, torch.cat([f.vector for f in seen]))
    assert scores.shape == (7,)
    for found, score, own in zip(maps, scores, rare, strict=True):
        assert found.shape == own.shape
        assert float(detector.score(found[None])[0]) == pytest.approx(float(score), rel=1e-5)
    unexplained = [beyond_rarity(m, r) for m, r in zip(maps, rare, strict=True)]
    if not detector.backbone.aligned:
        assert max(range(5), key=lambda i: unexplained[i]) == 3
    apart = detector.batch(tokens, rare, torch.eye(7))[1]
    # Only where vectors tell products apart do pictures that look alike share their scores.
    assert torch.allclose(scores, apart) == (not detector.backbone.aligned)


def beyond_rarity(found, rare):
    """The largest part of a map that its picture's own rarity does not explain."""
    return float((found - (1 - MEMORY_SHARE) * rare).max())


@pytest.mark.parametrize("value", [0, 127, 255])
def test_flat_pictures_have_finite_maps(detector, good, value):
    product = learn(detector, [good(0), good(1)])
    for shape in [(160, 160, 3), (1, 1, 3), (5000, 1, 3), (3, 3, 3)]:
        features = see(detector, np.full(shape, value, dtype=np.uint8))
        for found in detector.maps(features, [None, product]):
            assert bool(torch.isfinite(found).all()) and float(found.min()) >= 0
            assert math.isfinite(float(detector.score(found)[0]))
    flat = learn(detector, [np.full((60, 60, 3), value, dtype=np.uint8)])
    assert bool(torch.isfinite(detector.few_shot(see(detector, good(0)), flat.dictionary)).all())


def test_a_picture_against_itself_scores_its_rarity_alone(detector, good):
    product = learn(detector, [good(0), good(1)])
    features = see(detector, good(1))
    tokens = detector.tokens(features)
    own = detector.few_shot(features, product.dictionary) - (1 - MEMORY_SHARE) * rarity(tokens)
    assert float(own.abs().max()) < MEMORY_SHARE * 0.006


def test_a_cloth_of_another_mixture_is_lifted_and_a_blot_is_not(backbones, mixed, planted):
    detector = Detector(backbones["tiny-cnn"])
    product = learn(detector, [mixed(i, 0.5) for i in range(4)])
    lifts = {}
    for name, pixels in {
        "same": mixed(9, 0.5),
        "other": mixed(9, 0.1),
        "blot": planted(mixed(9, 0.5), 0.5, 0.5)[0],
        "known": mixed(2, 0.5),
    }.items():
        features = see(detector, pixels)
        lifts[name] = float(detector.lift(features, product.wholes)[0])
        distance = product.wholes.distance(detector.signature(features))
        assert lifts[name] == pytest.approx(WHOLE_SHARE * float(distance[0]))
        assert detector.lift(features, None).tolist() == [0.0]
    assert lifts["other"] > 0.2 > 0.1 > lifts["blot"] > lifts["same"] and lifts["known"] < 1e-6
    features = see(detector, mixed(2, 0.5))
    assert float(detector.lift(features, product.wholes, without=2)[0]) > 1e-4


def test_a_patch_that_responds_too_strongly_is_farther_from_the_memory(backbones, good, planted):
    detector = Detector(backbones["tiny-cnn"])
    product = learn(detector, [good(i) for i in range(4)])
    pixels, _ = planted(good(9), 0.5, 0.5)
    features = see(detector, pixels)
    loud = dataclasses.replace(features, layers=tuple(_louder(layer, 0.5) for layer in features.layers))
    excess = product.strengths.excess(strength(loud.layers), detector.backbone.shares)
    assert float(excess.max()) > 0.5
    plain = detector.few_shot(loud, product.dictionary)
    found = detector.few_shot(loud, product.dictionary, strengths=product.strengths)
    memory = product.dictionary.lookup(detector.tokens(loud))
    assert torch.allclose(found, plain + MEMORY_SHARE * STRENGTH_SHARE * memory * excess, atol=1e-5)
    assert torch.equal(found, detector.maps(loud, [product])[0])
    same = see(detector, good(2))
    own = detector.few_shot(same, product.dictionary, strengths=product.strengths)
    assert torch.allclose(own, detector.few_shot(same, product.dictionary), atol=1e-2)  # nothing to multiply


def _louder(layer, at):
    layer = layer.clone()
    row, column = (int(at * size) for size in layer.shape[1:3])
    layer[:, row, column] *= 20
    return layer


def test_what_lies_outside_of_what_is_looked_at_does_not_lift(backbones, mixed):
    detector = Detector(backbones["tiny-cnn"])
    roi = np.zeros((160, 160), dtype=bool)
    roi[:, :80] = True
    product = learn(detector, [mixed(i, 0.5) for i in range(4)], roi=roi)
    clean, other = mixed(9, 0.5), mixed(10, 0.0)
    outside, inside = (np.where(side[..., None], other, clean) for side in (~roi, roi))
    lifts = [
        float(detector.lift(see(detector, pixels), product.wholes, product.looked_at)[0])
        for pixels in (clean, outside, inside)
    ]
    assert lifts[2] > 0.1 > 0.05 > lifts[1] and lifts[0] < 0.05
    known = learn(detector, [mixed(i, 0.5) for i in range(4)])
    assert float(detector.lift(see(detector, outside), known.wholes)[0]) > 2 * lifts[1]


@pytest.mark.parametrize("grid", [(4, 4), (7, 3), (1, 1), (40, 40)])
def test_a_region_of_interest_covers_the_cells_that_are_mostly_in_it(grid):
    roi = torch.zeros(60, 80)
    roi[:, :40] = 1
    fitted = fit_roi(roi, *grid)
    assert fitted.shape == grid and set(fitted.unique().tolist()) <= {0.0, 1.0}
    for column in range(grid[1]):
        covered = min(1.0, max(0.0, grid[1] / 2 - column))
        if abs(covered - 0.5) > 0.05:
            assert bool((fitted[:, column] == float(covered > 0.5)).all())


def test_a_tiny_region_of_interest_is_not_lost():
    roi = torch.zeros(100, 100)
    roi[33, 71] = 1
    assert fit_roi(roi, 10, 10).nonzero().tolist() == [[3, 7]]


def test_the_score_is_the_mean_of_the_strangest_hundredth():
    maps = torch.arange(400.0).view(1, 20, 20)
    detector = Detector(backbone=None)
    assert detector.score(maps).tolist() == [397.5]
    assert dataclasses.replace(detector, share=0.5).score(maps).tolist() == [299.5]
    roi = torch.zeros(20, 20)
    roi[0] = 1
    assert detector.score(maps, roi).tolist() == [19.0]


@pytest.mark.weights
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_pocket_tower_finds_planted_defects(good, planted, pocket_detector, width, height):
    detector = pocket_detector
    product = learn(detector, [good(i, width, height) for i in range(4)])
    for x, y in SPOTS:
        spoiled, (x0, y0, x1, y1) = planted(good(9, width, height), x, y)
        for found in detector.maps(see(detector, spoiled), [None, product]):
            row, column = divmod(int(found.argmax()), found.shape[2])
            assert x0 <= (column + 0.5) * width / found.shape[2] <= x1
            assert y0 <= (row + 0.5) * height / found.shape[1] <= y1


@pytest.fixture(scope="module")
def pocket_detector():
    from assistant.models.backbone import Backbone

    return Detector(Backbone.load("pocket", device="cpu"))
