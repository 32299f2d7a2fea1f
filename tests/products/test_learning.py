"""Learning: what goes into memory, what the limits rest on, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from assistant.detection.calibration import calibrate
from assistant.detection.config import SHIPPED, ScoringConfig
from assistant.detection.detector import Detector
from assistant.detection.prior import Prior
from assistant.errors import ProductError, WeightsError
from assistant.images.load import load_image
from assistant.products import learning
from assistant.products.config import LearnConfig
from assistant.products.learning import calibrate_again


def learn_product(detector, name, pictures, *, prior=None, tell=None, **fields):
    return learning.learn_product(detector, name, pictures, LearnConfig(**fields), prior=prior, tell=tell)


@pytest.fixture
def detector(backbones):
    return Detector(backbones["tiny-cnn"])


@pytest.fixture
def pictures(good):
    return [load_image(good(i), name=f"part {i}.png") for i in range(4)]


def test_a_product_says_what_it_was_made_of(detector, pictures):
    product = learn_product(detector, "cloth", pictures)
    assert [r.name for r in product.references] == [f"part {i}.png" for i in range(4)]
    assert [r.id for r in product.references] == [0, 1, 2, 3] == product.dictionary.ids()
    assert (product.bundle, product.weights) == ("tiny-cnn", detector.backbone.digest)
    assert (product.side, product.views, product.roi) == (128, "plain", None)
    assert len(product.dictionary) == 4 * 32 * 32


def test_the_limits_rest_on_each_reference_without_itself(detector, pictures):
    product = learn_product(detector, "cloth", pictures, target_false_alarm=0.1, prior=Prior(spread=0.3))

    def score(picture, *left_out):
        kept = [p for p in pictures if p is not picture and not any(p is one for one in left_out)]
        others = learn_product(detector, "others", kept, aligned=product.aligned)
        (features,) = detector.encode([picture.pixels])
        judging = replace(others, strengths=product.strengths, wholes=product.wholes and others.wholes)
        return detector.score(features, judging).value

    alone = [score(picture) for picture in pictures]
    assert [r.score for r in product.references] == pytest.approx(alone, abs=1e-4)
    assert product.calibration.scores == pytest.approx(sorted(alone), abs=1e-4)
    ring = [pictures[r.id] for r in sorted(product.references, key=lambda r: r.digest)]
    thinned = [score(ring[i - step], ring[i]) for i in range(4) for step in (1, 2)]
    assert np.mean(thinned) > np.mean(alone)
    expected = calibrate(alone, thinned=thinned, target=0.1, prior=Prior(spread=0.3))
    assert product.calibration.threshold == pytest.approx(expected.threshold, rel=1e-3)
    assert product.calibration.threshold < calibrate(alone, target=0.1, prior=Prior(spread=0.3)).threshold
    assert product.calibration.n == 4 and product.alike


def test_one_reference_is_stood_in_for_by_its_changed_views(detector, pictures):
    product = learn_product(detector, "cloth", pictures[:1])
    assert product.references[0].score is None and product.calibration.n == 1
    assert product.calibration.method == "predictive" and product.calibration.threshold > 0
    assert product.calibration.evidence.smallest_p == 0.5


def test_the_order_of_references_changes_no_score(detector, pictures, good):
    forward = learn_product(detector, "cloth", pictures)
    back = learn_product(detector, "cloth", pictures[::-1])
    (features,) = detector.encode([good(9)])
    one, other = (detector.score(features, product) for product in (forward, back))
    assert (one.map - other.map).abs().max() < 1e-6
    assert one.value == pytest.approx(other.value, abs=1e-6) and one.whole == pytest.approx(other.whole, abs=1e-6)
    assert forward.calibration.scores == pytest.approx(back.calibration.scores, abs=1e-6)


def test_copies_of_a_reference_teach_nothing(detector, pictures):
    once = learn_product(detector, "cloth", pictures[:2])
    copies = [load_image(pictures[0].pixels.copy(), name="copy.png"), *pictures[:2], pictures[1]]
    again = learn_product(detector, "cloth", copies)
    assert again.calibration == once.calibration and again.calibration.n == 2
    assert torch.equal(again.dictionary.entries, once.dictionary.entries)
    alone = learn_product(detector, "cloth", [pictures[0]] * 5)
    assert alone.calibration == learn_product(detector, "cloth", pictures[:1]).calibration


@pytest.mark.parametrize(("views", "count"), [("plain", 1), ("flips", 4), ("turns", 8)])
def test_views_go_into_memory_under_their_reference(detector, pictures, views, count):
    product = learn_product(detector, "cloth", pictures[:2], views=views)
    assert len(product.dictionary) == 2 * count * 32 * 32 and product.dictionary.ids() == [0, 1]
    assert product.views == views and len(product.references) == 2


def test_turned_views_know_a_turned_part(detector):
    ramp = np.linspace(40, 220, 160)[:, None] * np.ones((1, 160))
    stripes = np.where(np.arange(160)[None] % 16 < 8, 1.0, 0.6)
    pixels = (ramp * stripes)[..., None].repeat(3, axis=2).astype(np.uint8)
    (turned,) = detector.encode([np.rot90(pixels).copy()])
    plain, turns = (
        learn_product(detector, "cloth", [load_image(pixels)], views=views).dictionary
        for views in ("plain", "turns")
    )
    tokens = detector.tokens(turned)
    assert turns.lookup(tokens).max() < 0.01 < 0.05 < plain.lookup(tokens).max()


def test_progress_is_told(detector, pictures):
    heard = []
    learn_product(detector, "cloth", pictures, tell=lambda message, fraction: heard.append((message, fraction)))
    assert [f for _, f in heard] == sorted(f for _, f in heard) and heard[-1][1] == 1.0
    assert all(0 <= f <= 1 and message for message, f in heard)


def test_what_makes_no_sense_is_refused_before_any_work(pictures):
    blind = Detector(backbone=None)
    for name, given, sentence in [
        ("../up", pictures, "cannot be a product's name"),
        ("cloth", [], "at least one good picture"),
    ]:
        with pytest.raises(ProductError, match=sentence):
            learn_product(blind, name, given)


def _part(seed, *, disc=True, shift=0):
    """A printed plate with a bright disc on it, always in the same place, with wear and the grain of a camera.

    No two places of the print are the same, so that parts lie alike in whatever precision patches are compared.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:160, :160]
    plate = 90 + np.kron(np.random.default_rng(0).normal(0, 30, (20, 20)), np.ones((8, 8)))
    plate += rng.normal(0, 3, (160, 160)) + np.kron(rng.normal(0, 5, (40, 40)), np.ones((4, 4)))
    if disc:
        plate[(rows - 60) ** 2 + (columns - 100 - shift) ** 2 < 24**2] += 100
    return np.repeat(plate.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_a_missing_and_a_moved_part_show_where_parts_lie_alike(detector):
    product = learn_product(detector, "plate", [load_image(_part(i)) for i in range(4)])
    assert product.aligned

    def score(pixels, aligned):
        (features,) = detector.encode([pixels])
        return detector.score(features, replace(product, aligned=aligned, strengths=None, wholes=None)).value

    whole, missing, moved = _part(9), _part(9, disc=False), _part(9, shift=-50)
    for spoiled in (missing, moved):
        assert score(spoiled, True) > 2 * score(whole, True)
        assert score(spoiled, True) > 1.5 * score(spoiled, False)  # anywhere else it has a match
    (features,) = detector.encode([missing])
    found = detector.score(features, product).map
    row, column = divmod(int(found.argmax()), found.shape[1])
    assert abs(row / found.shape[0] - 60 / 160) < 0.2 and abs(column / found.shape[1] - 100 / 160) < 0.2


def test_parts_that_lie_anyhow_are_compared_with_the_whole_memory(detector, pictures):
    places = [_part(i, shift=s) for i, s in enumerate((-60, 0, 35, -25))]
    assert not learn_product(detector, "loose", [load_image(p) for p in places]).aligned
    same = [load_image(_part(i)) for i in range(3)]
    assert not learn_product(detector, "one", same[:1]).aligned
    assert not learn_product(detector, "turned", same, views="turns").aligned
    assert learn_product(detector, "said", same[:1], aligned=True).aligned
    assert not learn_product(detector, "denied", same, aligned=False).aligned


def test_the_gates_of_alignment_and_the_reach_are_honoured(detector):
    same = [load_image(_part(i)) for i in range(3)]
    wandering = [load_image(_part(i, shift=s)) for i, s in enumerate((-60, 0, 35))]
    assert learn_product(detector, "plate", same).aligned
    assert not learn_product(detector, "loose", wandering).aligned
    assert learn_product(detector, "lax", wandering, scoring=ScoringConfig(aligned_gates=((0.5, 99.0),))).aligned
    assert learn_product(detector, "far", wandering, scoring=ScoringConfig(reach=32)).aligned


def test_alignment_is_kept_with_the_product(detector, tmp_path):
    product = learn_product(detector, "plate", [load_image(_part(i)) for i in range(3)])
    assert product.load(product.save(tmp_path / "plate.safetensors")).aligned


def test_references_are_alike_as_wholes_or_they_are_not(detector, pictures, mixed):
    assert learn_product(detector, "cloth", pictures).alike
    same = [load_image(mixed(i, 0.5)) for i in range(4)]
    assert learn_product(detector, "mixed", same).alike and learn_product(detector, "two", same[:2]).alike
    assert not learn_product(detector, "one", same[:1]).alike
    other = [load_image(mixed(i, i / 3)) for i in range(4)]
    assert not learn_product(detector, "unlike", other).alike
    copies = [load_image(same[0].pixels.copy()), same[0]]
    assert not learn_product(detector, "copies", copies).alike


def test_a_tower_with_one_grid_for_all_layers_tells_no_wholes(backbones, pictures):
    assert not learn_product(Detector(backbones["tiny-vit"]), "cloth", pictures).alike


def test_a_tower_with_one_grid_for_all_layers_knows_no_strengths(backbones, pictures):
    assert learn_product(Detector(backbones["tiny-vit"]), "cloth", pictures).strengths is None
    assert learn_product(Detector(backbones["tiny-cnn"]), "cloth", pictures[:1]).strengths is None


def test_strengths_come_from_what_is_looked_at(detector, mixed):
    clean, other = mixed(0, 0.5), mixed(1, 0.0)
    half = np.zeros((160, 160), dtype=bool)
    half[:, :80] = True
    spoiled = np.where(half[..., None], clean, np.uint8(255) - other)
    plain, looked = (
        learn_product(detector, "cloth", [load_image(spoiled), load_image(mixed(2, 0.5))], roi=roi)
        for roi in (None, half)
    )
    (features,) = detector.encode([spoiled])
    for product, others in ((plain, looked), (looked, plain)):
        assert torch.equal(product.strengths.rows[0], detector.usual_strength(features, product))
        assert not torch.equal(product.strengths.rows[0], others.strengths.rows[0])
    fewer = replace(looked, scoring=ScoringConfig(strength_quantile=0.5))
    assert bool((detector.usual_strength(features, fewer) < detector.usual_strength(features, looked)).all())


def test_limits_hold_how_each_reference_differs_as_a_whole_from_the_others(detector, mixed):
    pictures = [load_image(mixed(i, share)) for i, share in enumerate((0.5, 0.5, 0.5, 0.35))]
    product = learn_product(detector, "mixed", pictures)
    assert product.alike
    for i, picture in enumerate(pictures):
        (features,) = detector.encode([picture.pixels])
        by_map = detector.score(features, replace(product, wholes=None), without=i)
        own = product.references[i].score - by_map.value
        others = product.wholes.distance(detector.signature(features), without=i)
        counted = min(float(others[0]), SHIPPED.whole_cap)
        assert by_map.whole == 0 and own == pytest.approx(SHIPPED.whole_weight * counted, abs=1e-5)
        assert own > 0.02 if i == 3 else own < 0.01


def test_a_picture_of_another_moment_differs_as_a_whole_only_so_far(detector, mixed):
    pictures = [load_image(mixed(i, 0.5)) for i in range(3)]
    product = learn_product(detector, "mixed", pictures)
    (features,) = detector.encode([load_image(mixed(9, 0.1)).pixels])
    scored = detector.score(features, product)
    distance = float(product.wholes.distance(detector.signature(features))[0])
    assert distance > SHIPPED.whole_cap
    assert scored.whole == pytest.approx(SHIPPED.whole_weight * SHIPPED.whole_cap, rel=1e-5)
    uncapped = replace(product, scoring=replace(SHIPPED, whole_cap=1e9))
    assert detector.score(features, uncapped).whole == pytest.approx(SHIPPED.whole_weight * distance, rel=1e-5)


def test_untrained_a_trained_memory_scores_and_limits_as_the_nearest_does(detector, pictures, good, train_lookup):
    train_lookup()
    nearest, trained = (learn_product(detector, "cloth", pictures, memory=m) for m in ("nearest", "trained"))
    assert torch.equal(trained.dictionary.entries, nearest.dictionary.entries)
    assert trained.alike == nearest.alike and trained.strengths is not None
    assert trained.calibration.scores == pytest.approx(nearest.calibration.scores, abs=0.01)
    (features,) = detector.encode([good(9)])
    one, other = (detector.score(features, product).map for product in (nearest, trained))
    assert not torch.equal(one, other)
    assert (one - other).abs().mean() < 0.002 and (one - other).abs().max() < 0.05
    assert calibrate_again(detector, trained) == trained


def test_trained_limits_rest_on_each_reference_without_itself(detector, pictures, train_lookup):
    train_lookup(1)
    product = learn_product(detector, "cloth", pictures, memory="trained")
    assert product.calibration.scores != learn_product(detector, "cloth", pictures).calibration.scores
    for i, picture in enumerate(pictures):
        others = learn_product(detector, "o", [p for p in pictures if p is not picture], memory="trained")
        (features,) = detector.encode([picture.pixels])
        whole = detector.score(features, product, without=i).whole
        alone = detector.score(features, replace(others, wholes=None))
        assert product.references[i].score == pytest.approx(alone.value + whole, abs=5e-3)


def test_a_trained_memory_reads_whole_pictures_as_they_are(detector, pictures, train_lookup, monkeypatch):
    with pytest.raises(WeightsError, match="no trained dictionary.*`looktwice train dictionary`"):
        learn_product(detector, "cloth", pictures, memory="trained")
    train_lookup(1)
    same = [load_image(_part(i)) for i in range(3)]
    assert learn_product(detector, "plate", same).aligned
    assert not learn_product(detector, "plate", same, memory="trained").aligned
    monkeypatch.setattr("assistant.products.learning.CAPACITY", 4000)
    with pytest.raises(ProductError, match="no room for so many"):
        learn_product(detector, "cloth", pictures, memory="trained")


def test_limits_are_scores_by_the_rule_of_the_product(detector, pictures, good):
    scoring = ScoringConfig(memory_share=0.9, top_share=0.05, whole_weight=0.5, neighbourhood=3)
    own, shipped = (learn_product(detector, "cloth", pictures, scoring=chosen) for chosen in (scoring, None))
    assert own.scoring == scoring and shipped.scoring == SHIPPED == detector.config
    assert not torch.equal(own.dictionary.entries, shipped.dictionary.entries)
    assert own.calibration.scores != shipped.calibration.scores
    for i, picture in enumerate(pictures):
        (features,) = detector.encode([picture.pixels])
        expected = detector.score(features, own, without=i).value
        assert own.references[i].score == pytest.approx(expected, abs=1e-6)
    other = learn_product(Detector(detector.backbone, scoring), "cloth", pictures)
    assert other.scoring == scoring and other.calibration == own.calibration
    assert calibrate_again(detector, own) == own


def test_the_gate_of_wholes_is_the_products_own(detector, pictures):
    spread = learn_product(detector, "cloth", pictures).wholes.spread
    assert learn_product(detector, "cloth", pictures, scoring=ScoringConfig(whole_gate=spread + 1e-6)).alike
    assert not learn_product(detector, "cloth", pictures, scoring=ScoringConfig(whole_gate=spread - 1e-6)).alike


def _frame(picture, seed=0):
    """The next frame of the camera: the same part with other noise, a little darker."""
    noise = np.random.default_rng(seed).normal(0, 1.0, picture.pixels.shape)
    return load_image((picture.pixels * 0.98 + noise).clip(0, 255).astype(np.uint8), name=f"frame {seed}.png")


def test_near_copies_count_as_one(detector, pictures, tmp_path):
    frames = [_frame(pictures[1], i) for i in range(3)]
    product = learn_product(detector, "cloth", [*pictures, *frames])
    assert [r.like for r in product.references] == [None, None, None, None, 1, 1, 1]
    assert product.calibration.n == 4 == len(product.calibration.scores) and len(product.wholes.rows) == 4
    alone = learn_product(detector, "cloth", pictures)
    scores = [r.score for r in product.references]
    assert scores[1] == pytest.approx(alone.references[1].score, abs=1e-3)  # no frame of it beside it
    assert scores[4] > 0.8 * scores[1]
    assert product.calibration.threshold == pytest.approx(alone.calibration.threshold, rel=0.05)
    (said,) = product.remarks
    assert said == "4 of the 7 references are nearly one picture: they count as one."
    kept = product.load(product.save(tmp_path / "cloth.safetensors"))
    assert kept.remarks == product.remarks and kept == product
    kept.check_seal()
    again = calibrate_again(detector, kept)
    assert again.calibration.scores == pytest.approx(product.calibration.scores, abs=1e-4)


def test_a_single_part_in_many_frames_is_a_single_reference(detector, pictures):
    product = learn_product(detector, "cloth", [pictures[0], *(_frame(pictures[0], i) for i in range(5))])
    assert (product.calibration.n, product.calibration.scores) == (1, ())
    assert product.wholes is None and product.strengths is None and not product.aligned
    assert product.remarks == ("All 6 references are nearly one picture: they count as one.",)


def test_a_reference_far_from_the_others_is_named(detector, good, planted):
    usual = [load_image(good(i), name=f"{i}.png") for i in range(6)]
    assert learn_product(detector, "cloth", usual).remarks == ()
    spoiled = good(20)
    spoiled[40:120, 40:120] = np.random.default_rng(0).integers(0, 255, (80, 80, 3))
    (said,) = learn_product(detector, "cloth", [*usual, load_image(spoiled, name="odd.png")]).remarks
    assert said.startswith("odd.png may be no good part")


def test_a_dataset_given_as_references_is_noticed(detector, good, tmp_path):
    from PIL import Image

    root = tmp_path / "nut"
    files = ["train/good/0.png", "test/good/1.png", "test/bent/2.png", "ground_truth/bent/2_mask.png"]
    for i, name in enumerate(files):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(good(i)).save(root / name)
    product = learn_product(detector, "nut", [load_image(root / name) for name in files])
    assert [bool(r.doubt) for r in product.references] == [False, False, True, True]
    (said,) = [s for s in product.remarks if "folder" in s]
    assert said.startswith("2 of the 4 references") and "2.png, 2_mask.png" in said
    mask = np.zeros((160, 160, 3), np.uint8)
    mask[20:60, 30:90] = 255
    plain = [load_image(good(i)) for i in range(3)]
    told = learn_product(detector, "nut", [*plain, load_image(mask, name="m.png")]).remarks
    assert any(s == "m.png may be no good part: it looks like a mask." for s in told)
