"""Overkill against escape: shares and exact intervals for every threshold."""

import numpy as np
import pytest
from scipy.stats import binomtest

from assistant.eval.decision_curves import Rate, at_escape, decision_curve
from assistant.eval.metrics import image_auroc, overkill_at_escape

RNG = np.random.default_rng(4)
LABELS = (RNG.random(120) < 0.4).astype(int)
SCORES = (RNG.normal(size=120) + LABELS).round(1)


@pytest.mark.parametrize(("count", "total"), [(0, 1), (0, 30), (3, 30), (30, 30), (17, 400)])
def test_an_interval_is_the_exact_one(count, total):
    rate = Rate.of(count, total)
    exact = binomtest(count, total).proportion_ci(0.95, "exact")
    assert (rate.low, rate.high) == pytest.approx((exact.low, exact.high))
    assert rate.share == count / total


def test_an_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for truth in (0.02, 0.1, 0.5):
        counts = rng.binomial(40, truth, 4000)
        rates = [Rate.of(int(count), 40) for count in counts]
        assert np.mean([rate.low <= truth <= rate.high for rate in rates]) >= 0.945


def test_nothing_counted_tells_nothing():
    rate = Rate.of(0, 0)
    assert np.isnan([rate.share, rate.low, rate.high]).all() and str(rate) == "-"
    with pytest.raises(ValueError):
        Rate.of(4, 3)


def test_each_point_counts_what_its_threshold_makes_of_the_scores():
    curve = decision_curve(LABELS, SCORES)
    assert len(curve) == len(np.unique(SCORES)) + 1
    for point in curve:
        called = SCORES > point.threshold
        assert point.overkill.count == (called & (LABELS == 0)).sum()
        assert point.escape.count == (~called & (LABELS == 1)).sum()
    first, last = curve[0], curve[-1]
    assert (first.overkill.share, first.escape.share, last.overkill.share, last.escape.share) == (1, 0, 0, 1)


def test_the_curve_runs_one_way_and_encloses_the_auroc():
    curve = decision_curve(LABELS, SCORES)
    over, out = ([getattr(point, name).share for point in curve] for name in ("overkill", "escape"))
    assert (np.diff(over) <= 0).all() and (np.diff(out) >= 0).all()
    assert np.trapezoid(1 - np.array(out[::-1]), over[::-1]) == pytest.approx(image_auroc(LABELS, SCORES))


@pytest.mark.parametrize("escape", [0.0, 0.02, 0.1, 0.5, 1.0])
def test_the_least_overkill_at_an_escape_is_that_of_the_metric(escape):
    point = at_escape(decision_curve(LABELS, SCORES), escape)
    assert point.escape.share <= escape
    assert point.overkill.share == pytest.approx(overkill_at_escape(LABELS, SCORES, escape))


def test_no_pictures_make_no_curve_and_bad_labels_are_refused():
    assert decision_curve([], []) == () and at_escape((), 0.1) is None
    for labels, scores in (([0, 2], [1, 2]), ([0], [1, 2]), ([0, 1], [1, np.nan])):
        with pytest.raises(ValueError):
            decision_curve(labels, scores)
