"""Thresholds: good pictures are rejected at the stated rate and no more, and every number says what it means."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assistant.detection.calibration import (
    FADE,
    NARROWEST,
    REVIEW_RATE,
    Calibration,
    built_in,
    calibrate,
    check_target,
)
from assistant.detection.counting import counted_rank, parts_needed
from assistant.detection.mutual_limits import calibrate_mutual
from assistant.detection.prior import Prior
from assistant.errors import CalibrationError

PRIOR = Prior(pull=1.0, fall=0.0)
SCORES = st.lists(st.floats(0.001, 5.0), min_size=1, max_size=60)
TARGETS = st.floats(0.005, 0.5)


def slack(rate, trials):
    """Room for chance: beyond it, one honest test in ten thousand fails."""
    return float(stats.binom.isf(1e-4, trials, rate)) / trials


def false_alarms(rng, n, target, spread, trials=300, fresh=20):
    """Shares of good parts called defective, one for each of many products with n good pictures."""
    shares = []
    for _ in range(trials):
        center = rng.normal(-2, 0.5)
        if n == 1:
            views = np.exp(center + 0.03 * rng.normal(size=4))
            made = calibrate([], [views.tolist()], target=target, prior=PRIOR)
            center += rng.normal(PRIOR.gap, PRIOR.gap_spread)
        else:
            made = calibrate(
                np.exp(center + spread(rng) * rng.normal(size=n)).tolist(), target=target, prior=PRIOR
            )
        new = np.exp(center + PRIOR.spread * rng.normal(size=fresh))
        shares.append(float(np.mean(new > made.threshold)))
    return np.array(shares)


@pytest.mark.parametrize("n", [1, 2, 4, 8, 30, 100])
@pytest.mark.parametrize("target", [0.01, 0.05, 0.2])
def test_good_pictures_are_called_defective_at_most_at_the_target_rate(n, target):
    rng = np.random.default_rng(1000 * n + round(1000 * target))
    shares = false_alarms(rng, n, target, lambda _: PRIOR.spread)
    # Pictures of one product share a threshold, so the products are the sample and not the pictures.
    room = 3.9 * shares.std() / math.sqrt(len(shares))
    assert shares.mean() <= target + max(room, 0.002)


def rejected(n, dimensions, prior, thin=True, trials=400, fresh=10):
    """The share of fresh good parts called defective where a score is the distance to the nearest of n references.

    Parts are points; each reference is scored against the others, as a product does it. Also the mean spread of
    the fresh parts' log-scores.
    """
    rng = np.random.default_rng(100 * n + dimensions)
    shares, spreads = [], []
    for _ in range(trials):
        parts, new = rng.normal(size=(n, dimensions)), rng.normal(size=(fresh, dimensions))
        apart = np.linalg.norm(parts[:, None] - parts[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        thinned = [np.delete(apart[i], j).min() for i in range(n) for j in range(n) if i != j] if n > 2 else []
        made = calibrate(apart.min(axis=1).tolist(), thinned=thinned if thin else (), prior=prior)
        scores = np.linalg.norm(new[:, None] - parts[None], axis=2).min(axis=1)
        assert made.method == "predictive"
        shares.append(np.mean(scores > made.threshold))
        spreads.append(np.log(scores).std(ddof=1))
    return float(np.mean(shares)), float(np.mean(spreads))


@pytest.mark.parametrize("dimensions", [4, 30])
@pytest.mark.parametrize("n", [2, 3, 4, 8, 15])
def test_parts_of_one_moment_that_are_compared_with_each_other_keep_the_rate(n, dimensions):
    prior = Prior(spread=rejected(4, dimensions, PRIOR)[1], weight=2.0, between=0.0)
    share, _ = rejected(n, dimensions, prior)
    assert (0.01 if n > 2 else 0.0) <= share <= 0.065


def other_moments(n, between, target, prior, trials=3000, fresh=5):
    """Shares of good parts of new moments called defective, where references show one and the truth is known.

    A product's spread varies from product to product; moments shift its parts with `between` times its variance.
    """
    rng = np.random.default_rng((n, round(10 * between), round(1000 * target)))
    shares = []
    for _ in range(trials):
        spread = prior.spread * math.exp(0.4 * rng.normal())
        moments = spread * math.sqrt(between) * rng.normal(size=fresh + 1)
        made = calibrate(
            np.exp(-1 + moments[0] + spread * rng.normal(size=n)).tolist(), target=target, prior=prior
        )
        parts = np.exp(-1 + moments[1:] + spread * rng.normal(size=fresh))
        shares.append(np.mean(parts > made.threshold))
    return float(np.mean(shares))


@pytest.mark.parametrize("n", [4, 10, 20, 60])
@pytest.mark.parametrize("target", [0.01, 0.05, 0.1])
def test_good_parts_of_other_moments_keep_the_rate(n, target):
    prior = Prior(between=1.5)
    assert other_moments(n, 0.5, target, prior) <= 1.3 * target + 0.005
    assert other_moments(n, 0.5, target, replace(prior, between=0.0)) > other_moments(n, 0.5, target, prior)


def test_counting_does_not_know_of_other_moments():
    narrow = Prior(weight=1e-3, between=0.0)
    assert other_moments(60, 2.0, 0.05, narrow) > 0.06


def test_without_the_trend_the_limit_is_too_high():
    prior = Prior(spread=rejected(4, 30, PRIOR)[1], weight=2.0)
    assert rejected(4, 30, prior, thin=False)[0] < 0.75 * rejected(4, 30, prior)[0]


def test_the_trend_goes_on_as_the_logarithm_of_the_number_of_references():
    scores, prior = [0.2, 0.21, 0.22, 0.23], Prior()
    plain, carried = (calibrate(scores, thinned=t, prior=prior) for t in ((), [1.1 * s for s in scores]))
    step = math.log(1.1) * math.log(4 / 3) / math.log(3 / 2)
    assert math.log(plain.threshold / carried.threshold) == pytest.approx(step)
    rising = calibrate(scores, thinned=[0.9 * s for s in scores], prior=prior)
    assert rising.threshold == plain.threshold  # more references never raise scores
    assert (
        calibrate(scores[:2], thinned=[9.0], prior=prior).threshold == calibrate(scores[:2], prior=prior).threshold
    )


@pytest.mark.parametrize("n", [2, 4, 8, 30, 100])
def test_p_values_are_valid(n):
    rng = np.random.default_rng(n)
    found = []
    for _ in range(1500):
        scores = np.exp(-2 + PRIOR.spread * rng.normal(size=n + 1))
        found.append(calibrate(scores[:-1].tolist(), target=0.05, prior=PRIOR).p_value(scores[-1]))
    for rate in (0.02, 0.05, 0.1, 0.3):
        assert np.mean(np.array(found) <= rate) <= slack(rate, 1500)


@pytest.mark.parametrize("n", [45, 77, 99])
@pytest.mark.parametrize("grid", [1, 3, 10])
def test_the_counted_rate_holds_with_ties(n, grid):
    rng = np.random.default_rng(n + grid)
    scores = (1 + rng.integers(0, grid, size=(3000, n + 1))) / 10
    hits = [calibrate(row[:-1].tolist()).verdict(row[-1]) == "defect" for row in scores]
    assert np.mean(hits) <= slack(0.05, 3000)


@given(SCORES, TARGETS)
def test_a_set_of_good_pictures_does_not_come_out_defective(scores, target):
    made = calibrate(scores, target=target, prior=PRIOR)
    called = [made.verdict(s) for s in scores]
    assert called.count("defect") <= max(0.5, 2 * target) * len(scores)
    if made.method == "conformal":
        assert called.count("defect") <= target * (len(scores) + 1) + 1e-9


@given(SCORES, TARGETS, st.floats(0.0, 6.0))
def test_verdict_and_p_value_never_contradict_each_other(scores, target, score):
    made = calibrate(scores, target=target)
    p = made.p_value(score)
    assert 0 < p <= 1
    if made.verdict(score) == "defect":
        assert p <= target * (1 + 1e-9)
    if made.method == "predictive" and p < target * (1 - 1e-6):
        assert made.verdict(score) == "defect"


@given(SCORES, TARGETS, TARGETS)
def test_a_lower_target_never_lowers_the_threshold(scores, one, other):
    low, high = sorted((one, other))
    strict, loose = calibrate(scores, target=low).at(low), calibrate(scores, target=low).at(high)
    if strict.method == loose.method:
        assert strict.threshold >= loose.threshold * (1 - 1e-9)
    assert strict.review_threshold <= strict.threshold


@given(SCORES, st.lists(st.floats(0.0, 6.0), min_size=2, max_size=2))
def test_a_higher_score_never_has_a_higher_p_value(scores, pair):
    made = calibrate(scores)
    assert made.p_value(min(pair)) >= made.p_value(max(pair))


@given(st.permutations([0.1 + 0.037 * i**1.5 for i in range(7)]))
def test_the_order_of_good_pictures_does_not_matter_to_the_last_bit(scores):
    assert calibrate(scores) == calibrate(sorted(scores))


def test_the_counted_threshold_is_an_order_statistic_that_keeps_the_rate_with_confidence():
    scores = [0.3 + i / 10_000 for i in range(200)]
    made = calibrate(scores[::-1], target=0.05, prior=Prior(between=0.0))
    assert (made.method, made.n) == ("conformal", 200)
    rank = counted_rank(200, 0.05)
    assert rank == 6 and stats.beta(rank, 201 - rank).ppf(0.9) <= 0.05 < stats.beta(rank + 1, 200 - rank).ppf(0.9)
    assert made.threshold >= scores[-rank] and made.p_value(0.0) == 1.0
    spiky = [0.3] * 50 + [0.9]  # the curve cannot know of a part that is far from the others
    assert calibrate(spiky, prior=Prior(between=0.0)).threshold == 0.9


@pytest.mark.parametrize(("n", "method"), [(44, "predictive"), (45, "conformal")])
def test_counting_starts_where_it_can_promise_the_rate(n, method):
    made = calibrate([0.1 + i / 1000 for i in range(n)], target=0.05)
    assert made.method == method == made.evidence.method
    assert parts_needed(0.05) == 45 and parts_needed(0.01) == 230


def test_evidence_says_what_is_expected_and_what_counting_can_promise():
    four = calibrate([0.2, 0.21, 0.22, 0.2]).evidence
    assert four.expected_rate == 0.05 and four.upper_rate == pytest.approx(1 - 0.1**0.25)  # none of four beyond it
    assert "44 % at most with 90 % confidence" in four.origin and "45 from several days" in four.origin
    many = calibrate([0.2 + i / 1e4 for i in range(60)]).evidence
    assert many.expected_rate == pytest.approx(counted_rank(60, 0.05) / 61) and many.upper_rate <= 0.05
    assert "at most 5 % false alarms with 90 % confidence by 60 good pictures" in many.origin
    one = calibrate([], [[0.1, 0.12]]).evidence
    assert one.upper_rate == 1.0 and "nothing can be counted from one" in one.origin


@given(SCORES, TARGETS)
def test_the_review_band_never_vanishes(scores, target):
    made = calibrate(scores, target=target)
    assert made.review_threshold <= (1 - NARROWEST) * made.threshold
    assert made.verdict(0.99 * made.threshold) != "good"


def test_twenty_parts_that_are_all_alike_leave_a_band():
    made = calibrate([0.4] * 20, prior=Prior(spread=1e-6, weight=1.0))
    assert made.review_threshold < 0.985 * made.threshold


def test_limits_rise_with_what_other_moments_add_and_less_with_many_parts():
    few, many = ([0.2, 0.22, 0.24, 0.21], [0.2 + i / 1000 for i in range(40)])
    plain, wide = Prior(between=0.0), Prior(between=2.0)
    rise = [calibrate(s, prior=wide).threshold / calibrate(s, prior=plain).threshold for s in (few, many)]
    assert rise[0] > rise[1] > 1
    assert calibrate(few, prior=wide).review_threshold == calibrate(few, prior=plain).review_threshold


def test_the_curve_is_a_predictive_t_widened_by_other_moments():
    logs = np.log([0.1, 0.12, 0.15])
    prior = Prior(spread=0.2, weight=3.0, freedom=6.0, between=0.5)
    made = calibrate([0.12, 0.1, 0.15], target=0.05, prior=prior)
    variance = (3.0 * 0.04 + logs.var(ddof=1)) / 4.0 * (1 + 1 / 3)  # three scores tell one difference
    wide = variance * (1 + 0.5 * FADE / (FADE + 3))
    expected = stats.t(6.0, logs.mean(), math.sqrt(wide))
    assert made.threshold == pytest.approx(math.exp(expected.isf(0.05)))
    assert made.p_value(0.2) == pytest.approx(expected.sf(math.log(0.2)))
    assert made.p_value(made.threshold) == pytest.approx(0.05)
    within = stats.t(6.0, logs.mean(), math.sqrt(variance))
    assert made.review_threshold == pytest.approx(math.exp(within.isf(REVIEW_RATE)))


def test_of_two_references_each_scores_higher_against_the_other_than_a_third_against_both():
    made = calibrate([0.2, 0.2], prior=Prior(fall=0.1))
    assert made.center == pytest.approx(math.log(0.2) - 0.1)


def test_one_reference_lends_its_changed_views_and_the_gap_of_other_products():
    made = calibrate([], [[0.1, 0.1]], target=0.05, prior=PRIOR)
    assert (made.method, made.n, made.evidence.smallest_p) == ("predictive", 1, 0.5)
    assert made.p_value(0.1 * math.exp(PRIOR.gap)) == pytest.approx(0.5)
    assert made.threshold > 0.1 * math.exp(PRIOR.gap)


@pytest.mark.parametrize("target", [0.3, 0.5])
def test_one_reference_is_enough_at_any_target(target):
    made = calibrate([], [[0.1, 0.12]], target=target)
    assert made.method == "predictive" and math.isfinite(made.threshold)


@pytest.mark.parametrize("n", [2, 3])
def test_a_limit_is_finite_at_the_smallest_target_and_the_lightest_prior(n):
    made = calibrate([0.1 + i / 10 for i in range(n)], target=1e-6, prior=Prior(spread=0.5, weight=1.0))
    assert math.isfinite(made.threshold) and made.verdict(2.0) != "defect"


def test_equal_scores_are_all_good():
    for n in (1, 2, 5, 50):
        made = calibrate([0.2] * n)
        assert made.verdict(0.2) == "good" and made.p_value(0.2) > 0.05


def test_a_score_of_nothing_is_allowed():
    for n in (1, 3, 30):
        made = calibrate([0.0] * n)
        assert made.verdict(0.0) == "good" and math.isfinite(made.threshold) and made.p_value(0.0) > 0.05


@pytest.mark.parametrize("scores", [[], [float("nan")], [0.1, float("inf")], [0.1, -0.1]])
def test_scores_that_say_nothing_are_refused(scores):
    with pytest.raises(CalibrationError):
        calibrate(scores)
    with pytest.raises(CalibrationError):
        calibrate([], [scores])


@pytest.mark.parametrize("target", [0.0, -0.1, 0.51, 1.0, float("nan"), float("inf"), 1e-246])
def test_a_target_out_of_range_is_refused_everywhere(target):
    for ask in (
        lambda: check_target(target),
        lambda: calibrate([0.1], target=target),
        lambda: calibrate_mutual([0.1] * 5, target=target),
        lambda: built_in([0.1] * 500, "things", target=target),
        lambda: calibrate([0.1]).at(target),
    ):
        with pytest.raises(CalibrationError, match="between one in a million and 0.5"):
            ask()


def test_at_another_rate_the_rule_is_chosen_again():
    scores = [0.1 + i / 1000 for i in range(60)]
    for low, high in [(0.01, 0.05), (0.2, 0.001)]:
        assert calibrate(scores, target=low).at(high) == calibrate(scores, target=high)
    strict = calibrate(scores, target=0.05).at(0.001)
    assert strict.method == "predictive" and strict.threshold > max(scores)
    with pytest.raises(CalibrationError, match="cannot support"):
        built_in(scores, "things").at(0.001)
    assert built_in(scores, "things").at(0.1) == built_in(scores, "things", target=0.1)


def test_built_in_limits_count_and_claim_nothing_about_the_product():
    made = built_in([0.3, 0.1, *([0.2] * 37)], "39 good pictures of 2 kinds", target=0.05)
    assert made.threshold == 0.2 and made.p_value(0.25) == 2 / 40
    assert (made.n, made.evidence.n, made.evidence.smallest_p) == (0, 0, 1 / 40)
    assert "39 good pictures of 2 kinds" in made.evidence.origin and "knows nothing" in made.evidence.origin
    with pytest.raises(CalibrationError, match="18 pictures and cannot support a target of 0.05"):
        built_in([0.1] * 18, "things", target=0.05)


@pytest.mark.parametrize(
    "made",
    [
        calibrate([0.1, 0.2, 0.15]),
        calibrate([0.1 + i / 100 for i in range(50)]),
        calibrate([], [[0.1, 0.2]]),
        calibrate_mutual([0.1, 0.2, 0.3, 0.1]),
        built_in([0.1] * 40, "things"),
    ],
    ids=lambda made: made.method,
)
def test_a_calibration_survives_the_way_through_a_file(made):
    assert Calibration.from_dict(made.to_dict()) == made
    assert "5 % false alarms" in made.evidence.origin and made.evidence.target_false_alarm == 0.05


@pytest.mark.parametrize(
    "spoil",
    [
        {"method": "guess"},
        {"width": 0.0},
        {"freedom": -1.0},
        {"scores": [0.2, 0.1]},
        {"method": "conformal"},
        {"surprise": 1},
    ],
    ids=lambda spoil: next(iter(spoil)),
)
def test_a_calibration_that_makes_no_sense_is_refused(spoil):
    with pytest.raises((ValueError, TypeError)):
        Calibration.from_dict(calibrate([0.1, 0.2]).to_dict() | spoil)


@pytest.mark.parametrize("name", ["center", "width", "freedom"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_calibration_with_a_number_that_is_none_is_refused(name, value):
    with pytest.raises(CalibrationError, match="not finite"):
        Calibration.from_dict(calibrate([0.1, 0.2]).to_dict() | {name: value})
    with pytest.raises(ValueError, match="positive"):
        Prior(weight=0.0)


def test_a_strong_defect_is_as_rare_against_sixty_good_pictures_as_against_four():
    random = np.random.default_rng(3)
    for seed in range(5):
        scores = np.exp(np.random.default_rng(seed).normal(-1.2, 0.08, 60)).tolist()
        few, many = calibrate(scores[:4]), calibrate(scores)
        assert (few.method, many.method) == ("predictive", "conformal")
        strong = 3 * max(scores) * float(random.uniform(1, 1.5))
        assert many.p_value(strong) == pytest.approx(1 / 61)  # what counting can say at most
        assert many.curve_p(strong) < 0.001 and few.curve_p(strong) < 0.01
        assert few.curve_p(strong) == few.p_value(strong)
        assert many.curve_p(float(np.median(scores))) > 0.2


def test_without_a_curve_the_p_value_is_counted():
    limits = built_in([0.1 + i / 1000 for i in range(60)], "sixty things")
    assert limits.curve_p(0.13) == limits.p_value(0.13)
