"""Other ways to look at a product: learned again from what it keeps, tried on known parts, chosen if better."""

import numpy as np
import pytest
from drawn_parts import draw_part

from assistant.detection.config import ScoringConfig
from assistant.errors import CalibrationError, ProductError
from assistant.products.config import LearnConfig
from assistant.products.ways import NOW, learn_again, ways_of

ANGLES = (20, 95, 170, 300)
SPOTS = [(0.2 + 0.06 * i, 0.8 - 0.06 * i) for i in range(10)]


@pytest.fixture
def cloth(inspector, good):
    return inspector.learn("cloth", [good(i) for i in range(3)], target_false_alarm=0.1)


def faint(pixels, marked):
    """The picture with half of its mark."""
    return ((pixels.astype(np.uint16) + marked) // 2).astype(np.uint8)


def way(product, name, shares=(), larger=False):
    return next(way for way in ways_of(product, shares, larger) if way.name == name)


def test_the_way_of_now_gives_the_very_same_scores_again(inspector, cloth, good):
    again = learn_again(inspector.detector, cloth, way(cloth, NOW))
    rows = [inspector.inspect(good(9), product) for product in (cloth, again)]
    assert rows[0].score == rows[1].score and again.calibration == cloth.calibration


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("turned", {"views": "turns"}),
        ("mirrored", {"views": "flips"}),
        ("2 x 2 tiles", {"tiles": 2}),
    ],
)
def test_another_way_is_what_learning_so_would_have_given(inspector, good, planted, name, fields):
    pictures = {i: good(i, 200, 200) for i in range(3)}
    plain = inspector.learn("cloth", list(pictures.values()), aligned=False)
    other = inspector.learn("cloth", list(pictures.values()), LearnConfig(aligned=False, **fields))
    again = learn_again(inspector.detector, plain, way(plain, name, larger=True), originals=pictures)
    scores = [inspector.inspect(planted(good(8), 0.4, 0.4)[0], one).score for one in (plain, other, again)]
    assert scores[2] == pytest.approx(scores[1], abs=1e-6) and scores[2] != pytest.approx(scores[0], abs=1e-6)
    assert again.calibration.threshold == pytest.approx(other.calibration.threshold, rel=1e-5)


def test_what_is_looked_at_and_known_is_kept(inspector, cloth, planted, good):
    taught = inspector.teach(cloth, planted(good(7), 0.5, 0.5)[0], "defect", "blot")
    names = [one.name for one in ways_of(taught, (0.2, 0.3, 0.5), larger=True)]
    assert "turned" in names and not any("tiles" in name or "layers" in name for name in names)
    again = learn_again(inspector.detector, taught, way(taught, "turned"))
    assert [defect.label for defect in again.known.defects] == ["blot"]
    assert again.calibration.target == 0.1


def test_a_registered_product_is_learned_again_in_its_pose(inspector):
    pictures = {i: draw_part(angle, angle % 13, -(angle % 7), seed=angle)[0] for i, angle in enumerate(ANGLES)}
    lever, other = inspector.learn("lever", list(pictures.values())), draw_part(40, 3, -2, seed=9)[0]
    assert lever.registration and not {"turned", "mirrored"} & {one.name for one in ways_of(lever, ())}
    scores = [inspector.inspect(other, lever).score]
    for originals in (None, pictures):
        again = learn_again(inspector.detector, lever, way(lever, NOW), originals=originals)
        scores.append(inspector.inspect(other, again).score)
    assert scores[0] == scores[1] == pytest.approx(scores[2], abs=1e-5)
    assert inspector.choose(lever, [pictures[0]], [other]).gain.auroc[NOW] == 1.0  # both are brought to its pose


def test_layers_may_speak_otherwise_where_there_are_three(cloth):
    names = {one.name: one.shares for one in ways_of(cloth, (0.25, 0.6, 0.15))}
    assert names["finer layers"] == (0.5, 0.5, 0.0) and names["coarser layers"] == pytest.approx((0, 0.8, 0.2))
    assert "finer layers" not in {one.name for one in ways_of(cloth, (0.5, 0.5))}


def test_a_way_that_ranks_held_out_parts_better_is_chosen_and_kept_as_one_change(inspector, good, planted):
    fields = {"aligned": True, "scoring": ScoringConfig(memory_share=1.0)}
    marked = inspector.learn("cloth", [planted(good(i), 0.3, 0.3)[0] for i in range(3)], **fields)
    # A good part bears its mark anywhere, a bad one half a mark.
    known = [planted(good(20 + i), *spot)[0] for i, spot in enumerate(SPOTS)]
    bad = [faint(good(50 + i), planted(good(50 + i), *spot)[0]) for i, spot in enumerate(SPOTS)]
    chosen = inspector.choose(marked, known, bad)
    found = chosen.to_dict()
    name = chosen.gain.chosen
    assert not chosen.product.aligned and found["auroc"][name] > found["auroc"][NOW] + 0.3
    assert 0 < found["low"] <= found["gain"] <= found["high"]
    after = chosen.follow(marked)
    after.check_seal()
    assert not after.aligned and after.history[-1].name == f"{name}, by 10 good and 10 bad parts"
    assert inspector.inspect(known[0], after).score < 0.8 * inspector.inspect(known[0], marked).score
    assert after.undo() == marked and after.undo().aligned


def test_where_nothing_is_gained_for_sure_the_product_stays_as_it_is(inspector, cloth, good, planted):
    known = [good(20 + i) for i in range(8)]
    bad = [planted(good(50 + i), *spot)[0] for i, spot in enumerate(SPOTS[:8])]
    for parts in ((known, bad), (known[:3], bad[:3])):
        chosen = inspector.choose(cloth, *parts)
        assert chosen.product is None and chosen.gain.chosen == NOW and chosen.follow(cloth) is cloth
        assert "more tiles" in " ".join(chosen.left_out).lower()


def test_references_that_are_not_at_hand_are_asked_for(inspector, cloth, good):
    with pytest.raises(ProductError, match="give the reference pictures again"):
        learn_again(inspector.detector, cloth, way(cloth, "turned"), originals={0: good(0)})
    with pytest.raises(CalibrationError, match="known|good and on bad"):
        inspector.choose(cloth, [good(9)], [b"no picture"])
