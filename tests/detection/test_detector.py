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
from assistant.detection.config import SHIPPED, ScoringConfig
from assistant.detection.detector import Detector
from assistant.images.load import load_image
from assistant.products.config import LearnConfig
from assistant.products.learning import learn_product

SIZES = [(640, 200), (97, 301), (333, 333), (160, 160)]
SPOTS = [(0.25, 0.3), (0.8, 0.6), (0.5, 0.85)]


@pytest.fixture(params=["tiny-cnn", "tiny-vit"])
def detector(request, backbones):
    return Detector(backbones[request.param])


def learn(detector, pictures, **fields):
    return learn_product(detector, "cloth", [load_image(p) for p in pictures], LearnConfig(**fields))


def bare(product, **fields):
    """The product without what adds to a map or a score, and with these numbers of its score rule."""
    return dataclasses.replace(
        product, strengths=None, wholes=None, aligned=False, scoring=dataclasses.replace(SHIPPED, **fields)
    )


def see(detector, pixels):
    (features,) = detector.encode([pixels])
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
    learned = learn(detector, [good(0), good(1)])
    features = see(detector, good(2))
    tokens = detector.tokens(features)
    for share in (SHIPPED.memory_share, 0.25, 0.0, 1.0):
        product = bare(learned, memory_share=share)
        for without in (None, 1):
            distance = product.dictionary.lookup(tokens, without)
            expected = share * distance + (1 - share) * rarity(tokens)
            scored = detector.score(features, product, without=without)
            assert torch.allclose(scored.map, expected[0])
            assert scored.value == pytest.approx(float(top_mean(expected, 0.01)[0]), abs=1e-6)
            assert (scored.whole, scored.usual, scored.contrast) == (0.0, 0.0, None)


def test_the_zero_shot_map_is_rarity_and_words_where_patches_speak_them(detector, good):
    features = see(detector, good(2, 97, 301))
    rare = rarity(detector.tokens(features))
    scored = detector.score(features, None)
    assert scored.value == pytest.approx(float(top_mean(scored.map[None], 0.01)[0]))
    if features.text_patches is None:
        assert torch.equal(scored.map, rare[0])
        return
    words = text_map(features.text_patches, detector.words._states)
    assert words.shape == rare.shape  # one grid for both here, so that nothing is resized
    assert torch.allclose(scored.map, (rare + words)[0] / 2, atol=1e-6)
    quiet = Detector(detector.backbone, ScoringConfig(text_share=0.2)).score(features, None)
    assert torch.allclose(quiet.map, (0.8 * rare + 0.2 * words)[0], atol=1e-6)


def test_a_score_is_the_same_whatever_was_scored_before_with_the_same_features(detector, good, planted):
    roi = np.zeros((40, 40), dtype=bool)
    roi[:20] = True
    first = learn(detector, [good(0)])
    second = learn(detector, [good(1), good(2)], roi=roi)
    products = [None, first, second, bare(first, rarity_neighbours=3), bare(second, rarity_apart=4), None, first]
    products += [bare(second, neighbourhood=3), bare(second, scale_layers=False), bare(second, rim=5), second]
    pixels, _ = planted(good(3), 0.4, 0.3)
    shared = see(detector, pixels)
    for product in products:
        alone, again = (detector.score(f, product) for f in (see(detector, pixels), shared))
        assert torch.equal(alone.map, again.map)
        assert (alone.value, alone.whole, alone.usual) == (again.value, again.whole, again.usual)
    lower = detector.score(shared, second).map
    assert float(lower[lower.shape[0] // 2 :].max()) == 0 < float(lower[: lower.shape[0] // 2].min())


def test_what_is_kept_with_features_is_of_the_numbers_that_are_asked_for(detector, good):
    learned = learn(detector, [good(0), good(1)])
    features = see(detector, good(2))
    tokens = detector.tokens(features)
    for neighbours, apart in ((8, 2), (3, 2), (8, 1), (8, 2)):
        product = bare(learned, rarity_neighbours=neighbours, rarity_apart=apart, memory_share=0.0)
        assert torch.allclose(detector.score(features, product).map, rarity(tokens, neighbours, apart)[0])
    other = Detector(detector.backbone, ScoringConfig(rarity_neighbours=3, text_share=0.0))
    assert torch.allclose(other.score(features, None).map, rarity(tokens, 3)[0])


def test_what_lies_outside_the_region_of_interest_has_no_say(detector, good, planted):
    roi = np.zeros((32, 32), dtype=bool)
    roi[:, :16] = True
    product = dataclasses.replace(learn(detector, [good(i) for i in range(3)], roi=roi), wholes=None)
    clean = good(5)
    outside, _ = planted(clean, 0.9, 0.5)
    inside, _ = planted(clean, 0.2, 0.5)
    scores = []
    for pixels in (clean, outside, inside):
        scored = detector.score(see(detector, pixels), product)
        scores.append(scored.value)
        w = scored.map.shape[1]
        assert float(scored.map[:, math.ceil(w / 2) :].max()) == 0
        assert scored.value == pytest.approx(float(top_mean(scored.map[None, :, : w // 2], 0.01)[0]))
    assert scores[2] > 1.3 * max(scores[:2]) and scores[1] < 1.3 * scores[0]


def test_mutual_scoring_keeps_map_and_score_in_one_unit(detector, good, planted):
    sizes = [(160, 160)] * 5 + [(97, 301), (320, 100)]
    pictures = [good(i, w, h) for i, (w, h) in enumerate(sizes)]
    pictures[3], _ = planted(pictures[3], 0.5, 0.5)
    seen = [see(detector, p) for p in pictures]
    tokens = [detector.coarse_tokens(f)[0] for f in seen]
    rare = [detector.score(f, None).map for f in seen]
    rows = detector.mutual(tokens, rare, torch.cat([f.vector for f in seen]))
    assert len(rows) == 7
    for row, own in zip(rows, rare, strict=True):
        assert row.map.shape == own.shape and (row.whole, row.usual, row.contrast) == (0.0, 0.0, None)
        assert float(top_mean(row.map[None], 0.01)[0]) == pytest.approx(row.value, rel=1e-5)
    unexplained = [beyond_rarity(row.map, own) for row, own in zip(rows, rare, strict=True)]
    if not detector.backbone.aligns_text:
        assert max(range(5), key=lambda i: unexplained[i]) == 3
    apart = [row.value for row in detector.mutual(tokens, rare, torch.eye(7))]
    # Only where vectors tell products apart do pictures that look alike share their scores.
    assert np.allclose([row.value for row in rows], apart) == (not detector.backbone.aligns_text)


@pytest.mark.parametrize(
    "change",
    [
        {"mutual_sizes": (1,)},
        {"mutual_interval": 1.0},
        {"mutual_others": 2},
        {"memory_share": 0.3},
        {"top_share": 0.2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_number_of_mutual_scoring_is_honoured(detector, good, change):
    seen = [see(detector, good(i)) for i in range(5)]
    shown, vectors = [detector.coarse_tokens(f)[0] for f in seen], torch.eye(5)
    rare = [detector.score(f, None).map for f in seen]
    other = Detector(detector.backbone, ScoringConfig(**change))
    usual, changed = (d.mutual(shown, rare, vectors) for d in (detector, other))
    assert any(abs(one.value - two.value) > 1e-4 for one, two in zip(usual, changed, strict=True))


def test_the_grid_of_mutual_scoring_is_the_finest_of_few_enough_patches(backbones, good):
    backbone = backbones["tiny-cnn"]
    for most, side in ((600, 16), (5000, 32), (256, 16), (255, 16)):  # where all are finer, the coarsest
        found = Detector(backbone, ScoringConfig(mutual_patches=most))
        assert found.coarse_tokens(see(found, good(0))).shape[1:3] == (side, side)


def beyond_rarity(found, rare):
    """The largest part of a map that its picture's own rarity does not explain."""
    return float((found - (1 - SHIPPED.memory_share) * rare).max())


@pytest.mark.parametrize("value", [0, 127, 255])
def test_flat_pictures_have_finite_maps(detector, good, value):
    product = learn(detector, [good(0), good(1)])
    for shape in [(160, 160, 3), (1, 1, 3), (5000, 1, 3), (3, 3, 3)]:
        features = see(detector, np.full(shape, value, dtype=np.uint8))
        for known in (None, product):
            scored = detector.score(features, known)
            assert bool(torch.isfinite(scored.map).all()) and float(scored.map.min()) >= 0
            assert math.isfinite(scored.value)
    flat = learn(detector, [np.full((60, 60, 3), value, dtype=np.uint8)])
    assert bool(torch.isfinite(detector.score(see(detector, good(0)), flat).map).all())


def test_a_picture_against_itself_scores_its_rarity_alone(detector, good):
    product = bare(learn(detector, [good(0), good(1)]))
    features = see(detector, good(1))
    tokens = detector.tokens(features)
    own = detector.score(features, product).map - (1 - SHIPPED.memory_share) * rarity(tokens)[0]
    assert float(own.abs().max()) < SHIPPED.memory_share * 0.006


def test_a_reference_is_left_out_of_all_that_its_product_knows(backbones, good):
    detector = Detector(backbones["tiny-cnn"])
    pictures = [good(i) for i in range(3)]
    product = learn(detector, pictures)
    features = see(detector, pictures[1])
    kept, out = detector.score(features, product), detector.score(features, product, without=1)
    assert out.whole > kept.whole and out.value > kept.value and bool((out.map >= kept.map - 1e-6).all())
    expected = dataclasses.replace(product, wholes=product.wholes.drop(1), strengths=product.strengths.drop(1))
    expected.dictionary.remove(1)
    alone = detector.score(features, expected)
    assert torch.equal(alone.map, out.map) and alone.whole == out.whole and alone.value == out.value
    with pytest.raises(ValueError, match="no entry"):
        detector.score(features, learn(detector, pictures[:1]), without=0)


def test_a_cloth_of_another_mixture_is_raised_as_a_whole_and_a_blot_is_not(backbones, mixed, planted):
    detector = Detector(backbones["tiny-cnn"])
    product = learn(detector, [mixed(i, 0.5) for i in range(4)])
    raised = {}
    for name, pixels in {
        "same": mixed(9, 0.5),
        "other": mixed(9, 0.1),
        "blot": planted(mixed(9, 0.5), 0.5, 0.5)[0],
        "known": mixed(2, 0.5),
    }.items():
        features = see(detector, pixels)
        scored = detector.score(features, product)
        raised[name] = scored.whole
        distance = float(product.wholes.distance(detector.signature(features))[0])
        assert scored.whole == pytest.approx(SHIPPED.whole_weight * min(distance, SHIPPED.whole_cap))
        assert scored.usual == pytest.approx(SHIPPED.whole_weight * product.wholes.spread)
        by_map = float(top_mean(scored.map[None], 0.01)[0])
        assert scored.value - scored.whole == pytest.approx(by_map, abs=1e-6)
        loose = detector.score(features, dataclasses.replace(product, wholes=None))
        assert (loose.whole, loose.usual) == (0.0, 0.0) and loose.value == pytest.approx(by_map, abs=1e-6)
    most = SHIPPED.whole_weight * SHIPPED.whole_cap
    assert raised["other"] == pytest.approx(most) and most > raised["blot"] > raised["same"] > raised["known"]
    assert raised["known"] < 1e-6
    assert detector.score(see(detector, mixed(2, 0.5)), product, without=2).whole > 1e-4


def test_a_patch_that_responds_too_strongly_is_farther_from_the_memory(backbones, good, planted):
    detector = Detector(backbones["tiny-cnn"])
    product = learn(detector, [good(i) for i in range(4)], aligned=False)
    silent = dataclasses.replace(product, strengths=None)
    pixels, _ = planted(good(9), 0.5, 0.5)
    features = see(detector, pixels)
    loud = dataclasses.replace(features, layers=tuple(_louder(layer, 0.5) for layer in features.layers))
    excess = product.strengths.excess(strength(loud.layers), detector.backbone.shares)[0]
    assert float(excess.max()) > 0.5
    plain, found = (detector.score(loud, one).map for one in (silent, product))
    memory = product.dictionary.lookup(detector.tokens(loud))[0]
    factor = SHIPPED.memory_share * SHIPPED.strength_weight
    assert torch.allclose(found, plain + factor * memory * excess, atol=1e-5)
    unweighted = dataclasses.replace(product, scoring=ScoringConfig(strength_weight=0.0))
    assert torch.equal(detector.score(loud, unweighted).map, plain)
    same = see(detector, good(2))  # nothing to multiply
    assert torch.allclose(detector.score(same, product).map, detector.score(same, silent).map, atol=1e-2)


def _louder(layer, at):
    layer = layer.clone()
    row, column = (int(at * size) for size in layer.shape[1:3])
    layer[:, row, column] *= 20
    return layer


def test_what_lies_outside_of_what_is_looked_at_does_not_raise_the_whole(backbones, mixed):
    detector = Detector(backbones["tiny-cnn"])
    roi = np.zeros((160, 160), dtype=bool)
    roi[:, :80] = True
    product = learn(detector, [mixed(i, 0.5) for i in range(4)], roi=roi)
    clean, other = mixed(9, 0.5), mixed(10, 0.0)
    outside, inside = (np.where(side[..., None], other, clean) for side in (~roi, roi))
    raised = [detector.score(see(detector, pixels), product).whole for pixels in (clean, outside, inside)]
    assert raised[2] > 0.06 > 0.05 > raised[1] and raised[0] < 0.05
    known = learn(detector, [mixed(i, 0.5) for i in range(4)])
    assert detector.score(see(detector, outside), known).whole > 1.5 * raised[1]


def test_the_score_is_the_mean_of_the_strangest_hundredth(backbones, good):
    detector = Detector(backbones["tiny-cnn"])
    roi = np.zeros((32, 32), dtype=bool)
    roi[:2] = True
    whole, top = (bare(learn(detector, [good(0), good(1)], roi=mask)) for mask in (None, roi))
    features = see(detector, good(2))
    found = detector.score(features, whole).map.flatten().sort(descending=True).values
    assert found.numel() == 1024
    for share, count in ((0.01, 10), (0.5, 512), (1.0, 1024), (1e-6, 1)):
        of_all, of_two_rows = (
            dataclasses.replace(p, scoring=ScoringConfig(top_share=share)) for p in (whole, top)
        )
        assert detector.score(features, of_all).value == pytest.approx(float(found[:count].mean()), abs=1e-6)
        rows = detector.score(features, whole).map[:2].flatten().sort(descending=True).values
        expected = float(rows[: max(1, round(share * 64))].mean())
        assert detector.score(features, of_two_rows).value == pytest.approx(expected, abs=1e-6)


def test_in_tiles_as_many_patches_count_as_in_a_whole_picture(backbones, good):
    detector = Detector(backbones["tiny-cnn"])
    product = learn(detector, [good(0), good(1)], tiles=2)
    (features,) = detector.encode([good(2)], 2)
    scored = detector.score(features, product)
    assert scored.map.shape == (56, 56) and detector.top_share(product) == pytest.approx(0.01 / 1.75**2)
    assert detector.top_share(None) == 0.01
    highest = scored.map.flatten().topk(10).values.mean()
    assert scored.value - scored.whole == pytest.approx(float(highest), abs=1e-6)


@pytest.mark.weights
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_pocket_tower_finds_planted_defects(good, planted, pocket_detector, width, height):
    detector = pocket_detector
    product = learn(detector, [good(i, width, height) for i in range(4)])
    for x, y in SPOTS:
        spoiled, (x0, y0, x1, y1) = planted(good(9, width, height), x, y)
        for known in (None, product):
            found = detector.score(see(detector, spoiled), known).map
            row, column = divmod(int(found.argmax()), found.shape[1])
            assert x0 <= (column + 0.5) * width / found.shape[1] <= x1
            assert y0 <= (row + 0.5) * height / found.shape[0] <= y1


@pytest.fixture(scope="module")
def pocket_detector():
    from assistant.models.backbone import Backbone

    return Detector(Backbone.load("pocket", device="cpu"))
