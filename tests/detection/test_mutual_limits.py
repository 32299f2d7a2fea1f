import math
import re

import numpy as np
import pytest

from assistant.detection.calibration import Calibration
from assistant.detection.mutual_limits import calibrate_mutual
from assistant.errors import CalibrationError


def batch(good, bad, seed, apart=0.4, spread=0.08):
    """Scores of good pictures, and of defective ones that lie above them by so much in log-scores."""
    random = np.random.default_rng(seed)
    return (
        np.exp(random.normal(-1.7, spread, good)).tolist(),
        np.exp(random.normal(-1.7 + apart, 1.5 * spread, bad)).tolist(),
    )


def rates(good, bad, draws=20, **settings):
    """Good pictures called defect, defects called good, and pictures sent to review, over draws."""
    counts = np.zeros(3)
    for seed in range(draws):
        fine, defective = batch(good, bad, seed, **settings)
        made = calibrate_mutual(fine + defective)
        verdicts = [made.verdict(s) for s in fine + defective]
        counts += [verdicts[:good].count("defect"), verdicts[good:].count("good"), verdicts.count("review")]
    return counts / draws / [good, max(1, bad), good + bad]


@pytest.mark.parametrize("bad", [0, 2, 4, 8, 20])
def test_few_and_many_defects_are_held_and_good_pictures_pass(bad):
    overkill, escape, review = rates(40 - bad, bad)
    assert overkill <= 0.05 and review <= 0.35
    assert escape <= 0.05


def test_half_a_batch_of_weak_defects_does_not_pass_as_good():
    _, escape, _ = rates(20, 20, apart=0.25)
    assert escape <= 0.25


@pytest.mark.parametrize("good, bad", [(3, 1), (5, 1), (8, 2)])
def test_few_pictures_condemn_no_good_one_and_send_what_is_odd_to_a_person(good, bad):
    overkill, escape, review = rates(good, bad)
    assert overkill <= 0.02 and escape <= 0.1 and review >= 0.15


def test_the_band_to_review_is_as_wide_as_what_is_not_known():
    def width(good, bad, **settings):
        made = [calibrate_mutual(sum(batch(good, bad, seed, **settings), [])) for seed in range(10)]
        return np.mean([math.log(m.threshold / m.review_threshold) for m in made])

    assert width(5, 0) > 1.5 * width(40, 0) > 1.5 * width(400, 0)
    assert width(20, 20, apart=0.25) > 1.5 * width(20, 20, apart=1.0)


def test_the_evidence_says_which_share_stands_apart():
    told = calibrate_mutual(sum(batch(35, 5, 3), [])).evidence.origin
    found = re.search(r"about (\d+) % of the 40 pictures stand apart \((\d+) to (\d+) %\)", told)
    assert found
    middle, low, high = map(int, found.groups())
    assert low < 12.5 < high and 8 <= middle <= 17


@pytest.mark.parametrize("n", [5, 20, 300])
def test_a_batch_of_good_pictures_does_not_come_out_defective(n):
    overkill, _, review = rates(n, 0, spread=0.15)
    assert overkill <= 0.06 and review <= 0.45


def test_a_batch_finds_the_few_that_stick_out():
    rng = np.random.default_rng(0)
    made = calibrate_mutual([*np.exp(-2 + 0.1 * rng.normal(size=60)), 0.4, 0.5, 0.6])
    assert [made.verdict(s) for s in (0.4, 0.5, 0.6)] == ["defect"] * 3
    assert made.verdict(math.exp(-2)) == "good"
    assert made.evidence.n == 63 and "63 pictures" in made.evidence.origin


def test_a_picture_of_score_zero_and_a_strange_one_spoil_no_limit():
    fine, _ = batch(30, 0, 1)
    made = calibrate_mutual([0.0, *fine, 3.0])
    assert made.verdict(3.0) == "defect" and sum(s > made.threshold for s in fine) <= 1


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_batch_of_fewer_than_three_is_refused(count):
    with pytest.raises(CalibrationError, match="at least three"):
        calibrate_mutual([0.1] * count)


def test_a_batch_of_equal_pictures_is_good():
    made = calibrate_mutual([0.3] * 10)
    assert made.verdict(0.3) == "good" and math.isfinite(made.threshold)


@pytest.mark.parametrize("target", [0.001, 0.05, 0.3, 0.5])
def test_every_target_has_two_limits_in_order(target):
    for seed in range(20):
        random = np.random.default_rng(seed)
        scores = np.exp(random.normal(-1, random.uniform(0, 1.5), random.integers(3, 30)))
        made = calibrate_mutual(scores.tolist(), target=target)
        assert 0 < made.review_threshold < made.threshold < math.inf
        assert made.p_value(made.threshold) == pytest.approx(target)


def test_the_earlier_name_of_the_mutual_method_is_still_read():
    made = calibrate_mutual([0.1, 0.2, 0.3, 0.1])
    assert made.method == "mutual" == made.evidence.method
    assert Calibration.from_dict(made.to_dict() | {"method": "batch"}) == made
