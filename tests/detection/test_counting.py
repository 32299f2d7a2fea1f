"""What counting says of a limit, in numbers and in words."""

import numpy as np
import pytest

from assistant.detection.calibration import built_in, calibrate
from assistant.detection.counting import parts_missing, parts_needed, say_missing, say_promise, upper_rate
from assistant.detection.mutual_limits import calibrate_mutual
from assistant.detection.production_limits import calibrate_production
from assistant.inspection import Evidence


def scores(n, seed=0):
    return [float(v) for v in 0.3 * np.exp(np.random.default_rng(seed).normal(0, 0.1, n))]


@pytest.mark.parametrize("target", [0.01, 0.02, 0.05, 0.1, 0.3])
def test_so_many_parts_as_are_missing_are_enough_and_one_fewer_is_not(target):
    seen = calibrate(scores(3), target=target).evidence
    enough = 3 + parts_missing(seen)
    assert upper_rate(enough, 0) <= target < upper_rate(enough - 1, 0)
    assert calibrate(scores(enough), target=target).method == "conformal"
    assert calibrate(scores(enough - 1), target=target).method == "predictive"
    assert parts_missing(calibrate(scores(enough), target=target).evidence) == 0


def test_the_rate_above_the_highest_of_n_is_what_the_words_say():
    rng = np.random.default_rng(5)
    for n in (4, 19, 45):
        beyond = 1 - np.max(rng.random((20_000, n)), axis=1)  # the share of good parts above the highest of n
        assert np.mean(beyond) == pytest.approx(1 / (n + 1), rel=0.05)
        assert np.mean(beyond <= upper_rate(n, 0)) == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("n", [45, 60, 230])
def test_a_counted_p_value_is_no_rarer_than_its_parts_can_show(n):
    limits = calibrate(scores(n))
    assert limits.method == "conformal" and limits.evidence.smallest_p == pytest.approx(1 / (n + 1))
    for score in (0.1, 0.3, 0.5, 5.0, 1e6):
        assert limits.p_value(score) >= limits.evidence.smallest_p


@pytest.mark.parametrize("n", [1, 2, 12, 44, 45, 100])
def test_words_hold_the_expected_rate_the_promise_and_how_many_more_from_where(n):
    seen = calibrate(scores(n) if n > 1 else [], [] if n > 1 else [scores(4)]).evidence
    said = say_promise(seen)
    assert f"{100 * seen.expected_rate:.2g} % of good parts are expected" in said
    assert (f"{100 * seen.upper_rate:.2g} % at most" in said) == (n > 1)
    told = say_missing(seen)
    assert (f"{45 - n} more good part" in told and "several days" in told) == (n < 45)
    assert ("enough" in told) == (n >= 45)


def test_unlabelled_pictures_and_other_things_count_for_nothing():
    for limits in (calibrate_mutual(scores(300)), calibrate_production(scores(300))):
        assert parts_missing(limits.evidence) == parts_needed(0.05) == 45
        assert "nothing can be counted" in say_promise(limits.evidence)
    assert parts_missing(built_in(scores(300), "other things").evidence) == 45


def test_parts_that_are_enough_promise_nothing_of_a_limit_set_for_something_else():
    chosen = Evidence("checked", "set on 60 good and 9 bad parts", 60, 0.05, 1 / 61, 0.1, 0.19)
    assert say_missing(chosen) == "" and "19 % at most" in say_promise(chosen)
    kept = Evidence("conformal", "set by counting", 24, 0.05, 1 / 25)  # by an earlier version
    assert say_promise(kept) == "" and "21 more" in say_missing(kept)
