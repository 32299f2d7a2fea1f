"""Limits from unlabelled parts hold while up to a fifth of them are defective."""

import numpy as np
import pytest

from assistant.detection.calibration import Calibration
from assistant.detection.production_limits import LEAST, calibrate_production
from assistant.errors import CalibrationError

GOOD, WIDTH = -1.6, 0.12
"""Mean and standard deviation of the log-scores of good parts, as of four references of real sets."""


def draw(random, count, share):
    """Scores of unlabelled parts: good ones, and defects 0 to 10 deviations above them, most of them far."""
    bad = round(share * count)
    logs = random.normal(GOOD, WIDTH, count - bad), GOOD + WIDTH * random.gamma(2.0, 2.0, bad)
    return np.exp(np.concatenate(logs))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("count", [40, 200])
def test_good_parts_are_turned_away_at_about_the_rate_asked_for(share, count):
    random = np.random.default_rng(round(100 * share) + count)
    found = [calibrate_production(draw(random, count, share)) for _ in range(60)]
    good = np.exp(random.normal(GOOD, WIDTH, 4000))
    bad = np.exp(GOOD + WIDTH * random.gamma(2.0, 2.0, 4000))
    overkill = np.mean([np.mean(good > one.threshold) for one in found])
    escape = np.mean([np.mean(bad <= one.review_threshold) for one in found])
    assert 0.005 < overkill < 0.075
    assert 0.005 < escape < 0.06


def test_a_quantile_of_all_parts_would_let_defects_set_the_limit():
    random = np.random.default_rng(5)
    scores = draw(random, 200, 0.2)
    found = calibrate_production(scores)
    assert np.quantile(scores, 0.95) > 1.3 * found.threshold


def test_evidence_says_what_the_parts_were():
    found = calibrate_production(draw(np.random.default_rng(1), 200, 0.1))
    evidence = found.evidence
    assert evidence.method == "production" and evidence.n == 200 and evidence.upper_rate == 1
    assert "from 200 unlabelled parts, taken as mostly good" in evidence.origin
    assert Calibration.from_dict(found.to_dict()) == found
    assert found.at(0.01).threshold > found.threshold > found.review_threshold
    assert found.at(0.01).method == "production"


def test_too_few_parts_say_nothing():
    scores = draw(np.random.default_rng(1), LEAST, 0.0)
    assert calibrate_production(scores).n == LEAST
    with pytest.raises(CalibrationError, match="at least 20"):
        calibrate_production(scores[1:])
