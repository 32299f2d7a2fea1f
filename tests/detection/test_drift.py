"""Limits that have stopped fitting are found by many parts that are moved, not by a few that are bad."""

import numpy as np
import pytest

from assistant.detection.drift import (
    MAY_BE_BAD,
    PARTS_PER_FALSE_ALARM,
    SETTLED,
    DriftTest,
    allowed_share,
    is_odd_run,
)


def feed(test, p_values):
    """Add p-values until an alarm is raised, and return how many it took; None for no alarm."""
    for number, p in enumerate(p_values, start=1):
        test.add(float(p))
        if test.alarm:
            return number
    return None


def uniform(seed, count):
    return 1 - np.random.default_rng(seed).random(count)


def moved(seed, count, most):
    """P-values of parts all of which are moved: none is above `most`."""
    return most * uniform(seed, count)


@pytest.mark.parametrize("n", [1, 4, 20, 60, 500])
def test_undisturbed_parts_raise_no_alarm_for_long(n):
    assert feed(DriftTest(n), uniform(n, 20_000)) is None


def test_bets_gain_no_more_than_one_a_part_where_nothing_has_changed():
    """What is at stake, less the number of parts, is a supermartingale: so false alarms have a stated rate."""
    gains = []
    for seed in range(300):
        test = DriftTest(200)
        draw = np.random.default_rng(seed)
        bad = draw.random(50) < MAY_BE_BAD
        feed(test, np.where(bad, 1e-9, 1 - draw.random(50)))
        gains.append(test.evidence * PARTS_PER_FALSE_ALARM)
    assert 0 < np.mean(gains) <= 50


@pytest.mark.parametrize("n", [4, 20, 60])
def test_a_fifth_of_bad_parts_is_no_alarm_whenever_they_begin_to_come(n):
    draw = np.random.default_rng(3)
    p = uniform(4, 6000)
    p[1000:][draw.random(5000) < MAY_BE_BAD] = 1e-12
    assert feed(DriftTest(n), p) is None


def test_one_part_counts_as_one_however_extreme_it_is():
    mild, wild = DriftTest(20), DriftTest(20)
    for p in uniform(5, 100):
        mild.add(float(p))
        wild.add(float(p))
    mild.add(0.2)
    wild.add(1e-12)
    assert not wild.alarm
    assert wild.evidence == pytest.approx(mild.evidence, rel=0.8)


@pytest.mark.parametrize(("n", "most", "within"), [(4, 0.1, 40), (20, 0.15, 40), (60, 0.2, 40)])
def test_many_parts_that_are_moved_a_little_are_an_alarm_that_says_from_where_on(n, most, within):
    test = DriftTest(n)
    assert feed(test, uniform(6, 300)) is None
    assert feed(test, moved(7, 1000, most)) <= within
    assert test.alarm.direction == "higher"
    assert test.alarm.part == test.parts
    assert abs(test.alarm.began - 301) <= 10


def test_scores_that_fall_are_an_alarm_too():
    test = DriftTest(60)
    feed(test, uniform(8, 300))
    assert feed(test, 1 - moved(9, 1000, 0.2)) <= 60
    assert test.alarm.direction == "lower"


def test_limits_that_never_fitted_are_found_by_the_references_where_these_are_many():
    test = DriftTest(60)
    assert feed(test, moved(10, 1000, 0.3)) is not None
    assert test.alarm.against == "good parts"


def test_a_slow_drift_within_the_limits_of_one_reference_is_found_by_earlier_parts():
    steps = np.linspace(1, 0.4, 2000)
    test = DriftTest(1)
    assert feed(test, np.minimum(1, steps * (0.5 + uniform(11, 2000) / 2))) is not None
    assert test.alarm.against == "earlier parts"


def test_an_alarm_ends_once_parts_fit_again_and_another_may_follow():
    test = DriftTest(60)
    feed(test, uniform(12, 200))
    feed(test, moved(13, 200, 0.1))
    for p in moved(14, 200, 0.1):
        test.add(float(p))
    assert test.alarm and test.evidence == 1
    for p in uniform(15, 2 * SETTLED):
        test.add(float(p))
    assert test.alarm is None and test.alarms == 1
    assert feed(test, moved(16, 200, 0.1)) is not None
    assert test.alarms == 2


@pytest.mark.parametrize("n", [4, 10, 60])
def test_parts_that_all_score_low_by_cautious_limits_are_no_drift(n):
    assert feed(DriftTest(n), 0.85 + 0.15 * uniform(18, 5000)) is None


def test_ties_and_coarse_p_values_only_delay():
    assert feed(DriftTest(60), np.full(5000, 0.5)) is None
    coarse = np.ceil(uniform(17, 20_000) * 5) / 5
    assert feed(DriftTest(4), coarse) is None


@pytest.mark.parametrize("p", [0.0, -0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(p):
    with pytest.raises(ValueError, match="no p-value"):
        DriftTest(4).add(p)


def test_fewer_references_leave_more_open():
    shares = [allowed_share(n) for n in (1, 2, 3, 4, 10, 20, 45, 60, 200)]
    assert shares == sorted(shares, reverse=True)
    assert 0.5 <= min(shares) and max(shares) < 1


@pytest.mark.parametrize(
    ("rare", "common", "odd"), [(20, 20, True), (19, 21, False), (9, 9, False), (0, 40, False), (40, 0, True)]
)
def test_a_run_is_odd_where_half_of_enough_parts_are_rare(rare, common, odd):
    assert is_odd_run(rare, rare + common) is odd
