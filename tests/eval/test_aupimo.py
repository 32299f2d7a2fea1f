"""AUPIMO: by hand, in any order, and as anomalib computes it on the same maps."""

import importlib
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from assistant.eval.aupimo import Aupimo

ANOMALIB = {
    (1e-4, 1e-2): (0.7905, 0.8028, 0.0812, 0.2936, 0.9005, 0.9334, 0.3927, 0.0886, 0.0097, 0.2624)
    + (0.0218, 0.9152, 0.8708, 0.5773, 0.0746),
}
"""What anomalib 2.7.0 gave for `hilly` with 100,000 thresholds; it leaves a little out at both ends."""


def hilly(count=40, bad=15, side=96):
    """Maps and masks of `count` pictures, the first `bad` of them with a square that rises more or less."""
    rng = np.random.default_rng(0)
    maps = np.stack([ndimage.gaussian_filter(rng.normal(size=(side, side)), 3) for _ in range(count)])
    masks = np.zeros((count, side, side), int)
    for i in range(bad):
        y, x = rng.integers(10, 60, 2)
        masks[i, y : y + 20, x : x + 20] = 1
        maps[i] += ndimage.gaussian_filter(masks[i].astype(float), 4) * rng.uniform(0.1, 1.0)
    return maps, masks


def measured(maps, masks, bounds, order=None):
    measure = Aupimo(int(sum(not mask.any() for mask in masks)), bounds)
    for i in range(len(maps)) if order is None else order:
        measure.add(maps[i], masks[i])
    return measure.results()


def test_what_anomalib_gave_is_met():
    maps, masks = hilly()
    for bounds, expected in ANOMALIB.items():
        assert np.abs(np.array(measured(maps, masks, bounds).scores) - expected).max() < 5e-4


def test_anomalib_gives_the_same_on_the_same_maps():
    spec = importlib.util.find_spec("anomalib")
    if spec is None:
        pytest.skip("anomalib is not installed")
    torch = pytest.importorskip("torch")
    # Its own modules for this metric need torch alone, and the whole package a trainer.
    alone = types.ModuleType("pimo_alone")
    alone.__path__ = [str(Path(spec.submodule_search_locations[0]) / "metrics" / "pimo")]
    sys.modules["pimo_alone"] = alone
    pimo = importlib.import_module("pimo_alone.functional")
    maps, masks = hilly()
    for bounds in ((1e-4, 1e-2), (1e-3, 1e-1)):
        told = pimo.aupimo_scores(
            torch.tensor(maps), torch.tensor(masks), num_thresholds=100_000, fpr_bounds=bounds
        )
        expected = told[4][told[3] == 1].numpy()
        assert np.abs(np.array(measured(maps, masks, bounds).scores) - expected).max() < 1e-3


def test_a_small_one_by_hand():
    good = np.array([[9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]])
    bad, mask = np.array([[8.5, 7.5, 6.5, 0.5]]), np.ones((1, 4))
    # Rates 0.1 to 0.3 at thresholds 9, 8 and 7: one defective pixel lies above 8, two above 7.
    steps = np.log([2.0, 1.5])
    expected = (steps[0] * 0.25 + steps[1] * 0.5) / np.log(3)
    scores = measured([good, bad], [np.zeros((1, 10)), mask], (0.1, 0.3)).scores
    assert scores == pytest.approx([expected])


def test_a_perfect_map_has_all_and_a_hopeless_one_nothing():
    good = np.arange(100.0).reshape(10, 10)
    mask = np.zeros((10, 10))
    mask[:3] = 1
    found = measured([good, good + 1000, good - 1000], [0 * mask, mask, mask], (0.02, 0.5))
    assert found.scores == pytest.approx((1.0, 0.0)) and found.mean == pytest.approx(0.5)


def test_a_tie_counts_one_half():
    good = np.concatenate([np.full(2, 9.0), np.full(8, 5.0), np.full(10, 0.0)])[None]
    bad = np.full((1, 4), 5.0)
    found = measured([good, bad], [np.zeros((1, 20)), np.ones((1, 4))], (0.1, 0.5))
    assert found.scores == pytest.approx([0.5])
    # Between 0.2 and 0.4 the line from nothing at 0.1 to all at 0.5 is higher than in its middle.
    inner = measured([good, bad], [np.zeros((1, 20)), np.ones((1, 4))], (0.2, 0.4))
    assert inner.scores == pytest.approx([(np.log(0.08**0.5) - np.log(0.1)) / np.log(5)])


def test_the_order_of_pictures_and_how_many_were_announced_change_nothing():
    maps, masks = hilly()
    first = measured(maps, masks, (1e-3, 1e-2)).scores
    many = Aupimo(500, (1e-3, 1e-2))
    for one, mask in zip(maps[::-1], masks[::-1], strict=True):
        many.add(one, mask)
    assert many.results().scores[::-1] == pytest.approx(first, abs=1e-12)


def test_little_is_kept_of_good_pictures():
    maps, masks = hilly()
    measure = Aupimo(25, (1e-4, 1e-3))
    for one, mask in zip(maps, masks, strict=True):
        measure.add(one, mask)
    assert measure._values.size < 0.002 * 25 * maps[0].size


def test_it_cannot_be_told_without_enough_good_pixels_or_any():
    bad, mask = np.ones((4, 4)), np.ones((4, 4))
    few = measured([np.arange(16.0).reshape(4, 4), bad], [0 * mask, mask], (1e-5, 1e-4))
    assert np.isnan(few.scores).all() and np.isnan(few.mean)
    assert np.isnan(measured([bad], [mask], (1e-5, 1e-4)).mean)


def test_a_defect_without_an_outline_is_left_out():
    measure = Aupimo(1)
    measure.add(np.ones((3, 3)), None)
    assert measure.results().left_out == 1 and measure.results().scores == ()


@pytest.mark.parametrize(
    ("map", "mask"), [(np.ones((2, 3)), np.ones((3, 2))), (np.full((2, 2), np.nan), np.zeros((2, 2)))]
)
def test_what_does_not_fit_is_refused(map, mask):
    with pytest.raises(ValueError):
        Aupimo(3).add(map, mask)
    with pytest.raises(ValueError):
        Aupimo(3, (0.1, 0.01))
