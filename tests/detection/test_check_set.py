"""Shares with intervals, what limits make of known parts, and the limits that cost least."""

import json

import numpy as np
import pytest
from scipy.stats import binom

from assistant.detection.calibration import NARROWEST, Calibration, calibrate
from assistant.detection.check_set import REVIEW_COST, CheckSet, Share, cheapest_limits
from assistant.detection.prior import Prior
from assistant.errors import CalibrationError
from assistant.inspection import Inspection

LIMITS = calibrate([0.18, 0.2, 0.21, 0.22])


def part(score, name="part.png", limits=LIMITS):
    """An inspection of that score by some limits."""
    return Inspection(
        name,
        mode="few-shot",
        score=score,
        p_value=limits.p_value(score),
        threshold=limits.threshold,
        review_threshold=limits.review_threshold,
        verdict=limits.verdict(score),
    )


def check_set(good, bad, limits=LIMITS, **fields):
    rows = [
        [part(s, f"{kind} {i}.png", limits) for i, s in enumerate(scores)]
        for kind, scores in (("g", good), ("b", bad))
    ]
    return CheckSet.of(limits, *rows, **fields)


@pytest.mark.parametrize(("count", "of"), [(0, 12), (1, 12), (6, 12), (11, 12), (12, 12), (3, 200)])
def test_an_interval_holds_in_nine_of_ten_cases_by_the_binomial_itself(count, of):
    share = Share(count, of)
    assert share.low <= count / of <= share.high
    if count:
        assert binom.sf(count - 1, of, share.low) == pytest.approx(0.05, abs=1e-6)
    else:
        assert share.low == 0
    if count < of:
        assert binom.cdf(count, of, share.high) == pytest.approx(0.05, abs=1e-6)
    else:
        assert share.high == 1


def test_twelve_parts_without_a_miss_promise_little_and_it_is_said():
    assert str(Share(0, 12)) == "0 of 12 (0 % to 22 %)"


def test_what_is_wrong_is_counted_by_the_verdicts_of_the_product():
    high, low = LIMITS.threshold, LIMITS.review_threshold
    between = (low + high) / 2
    found = check_set(
        [0.5 * low, 0.6 * low, between, 1.1 * high], [0.9 * low, between, between, 2 * high, 3 * high]
    )
    now = found.now
    assert (now.overkill.count, now.overkill.of) == (1, 4)
    assert (now.escape.count, now.escape.of) == (1, 5)
    assert (now.review.count, now.review.of) == (3, 9)
    assert [one.path for one in found.wrong] == ["g 3.png", "b 0.png"]


def brute_cost(good, bad, limits, escape_cost):
    review, threshold = limits
    parts = [*good, *bad]
    return (
        np.mean([s > threshold for s in good])
        + escape_cost * np.mean([s <= review for s in bad])
        + REVIEW_COST * np.mean([review < s <= threshold for s in parts])
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("escape_cost", [0.3, 1.0, 5.0, 40.0])
def test_no_other_two_limits_cost_less(seed, escape_cost):
    random = np.random.default_rng(seed)
    good = np.exp(random.normal(-1.6, 0.2, 3 + 4 * seed))
    bad = np.exp(random.normal(-1.2, 0.5, 14 - seed))
    found = brute_cost(good, bad, cheapest_limits(good, bad, escape_cost), escape_cost)
    cuts = np.exp(np.linspace(-4, 2, 200))
    best = min(brute_cost(good, bad, (r, t), escape_cost) for t in cuts for r in cuts if r <= t)
    assert found <= best + 1e-9


def test_where_all_is_told_apart_parts_of_the_empty_middle_go_to_a_person():
    review, threshold = cheapest_limits([0.1, 0.11, 0.12], [0.96, 1.0, 1.5])
    assert (review, threshold) == pytest.approx((0.24, 0.48))


def test_limits_keep_a_band_however_near_good_and_bad_lie():
    review, threshold = cheapest_limits([0.2, 0.3], [0.3000001, 0.4])
    assert review <= (1 - NARROWEST) * threshold


def test_a_dearer_miss_never_lets_more_bad_parts_through():
    random = np.random.default_rng(3)
    good, bad = np.exp(random.normal(-1.6, 0.2, 40)), np.exp(random.normal(-1.4, 0.3, 25))
    missed = [np.sum(bad <= cheapest_limits(good, bad, cost)[0]) for cost in (0.1, 1, 5, 50)]
    assert missed == sorted(missed, reverse=True) and missed[0] > missed[-1] == 0


def test_what_is_recommended_is_kept_with_what_it_rests_on():
    found = check_set([0.25, 0.26, 0.3, 0.31], [0.9, 1.0, 0.28])
    assert found.better.cost() < found.now.cost()
    kept = found.calibrated
    assert (kept.review_threshold, kept.threshold) == found.better.limits
    assert [kept.verdict(s) for s in (0.1, 2.0)] == ["good", "defect"]
    evidence = kept.evidence
    assert evidence.method == "checked" and evidence.n == 4
    assert "4 good and 3 bad parts that were checked" in evidence.origin
    assert 0 < evidence.expected_rate < evidence.upper_rate < 1
    assert Calibration.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept
    moved = kept.at(0.2)  # another target is set by the curve of the good parts that were checked
    assert moved.method == "predictive" and moved.threshold != kept.threshold


@pytest.mark.parametrize("prior", [Prior(spread=0.02, freedom=30.0), Prior(spread=0.3, between=2.0)])
def test_the_curve_of_kept_limits_follows_what_other_products_teach(prior):
    found = check_set([0.25, 0.26, 0.3, 0.31], [0.9, 1.0, 0.28], prior=prior)
    kept, curve = found.calibrated, calibrate([0.25, 0.26, 0.3, 0.31], prior=prior)
    assert [kept.p_value(s) for s in (0.27, 0.4, 0.7)] == [curve.p_value(s) for s in (0.27, 0.4, 0.7)]
    assert kept.p_value(0.4) != check_set([0.25, 0.26, 0.3, 0.31], [0.9]).calibrated.p_value(0.4)


def test_limits_that_nothing_betters_stay():
    limits = calibrate([0.2] * 4)
    found = check_set([0.1, 0.12], [5.0, 6.0], limits)
    assert found.now.cost() == 0 and found.better.limits == found.now.limits


def test_the_table_has_the_limits_of_targets_and_both_ends():
    found = check_set([0.25, 0.26, 0.3, 0.31], [0.9, 1.0, 0.28])
    rows = {one.name: one for one in found.tried}
    assert rows["no good part called defect"].overkill.count == 0
    assert rows["no bad part called good"].escape.count == 0
    assert rows["target 5 %"].threshold == LIMITS.at(0.05).threshold
    assert json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(("good", "bad"), [([], [1.0]), ([0.1], [])])
def test_parts_of_both_kinds_are_needed(good, bad):
    with pytest.raises(CalibrationError, match="good and bad"):
        check_set(good, bad)


def test_what_cannot_be_read_counts_nowhere():
    rows = [part(0.1), Inspection("broken.png", "error", "It is broken.")]
    found = CheckSet.of(LIMITS, rows, [part(1.0)])
    assert found.now.overkill.of == 1 and [one.path for one in found.unread] == ["broken.png"]


@pytest.mark.parametrize("cost", [0, -1, float("nan"), float("inf")])
def test_what_a_miss_costs_is_a_number(cost):
    with pytest.raises(CalibrationError, match="above 0"):
        check_set([0.1], [1.0], escape_cost=cost)
