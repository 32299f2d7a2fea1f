"""One score that stands out among those of good pictures: named where it does, and nothing said of usual ones."""

import numpy as np
import pytest

from assistant.detection.outlier import find_outlier


@pytest.mark.parametrize("count", [5, 7, 20])
def test_a_score_far_above_the_others_is_found_wherever_it_stands(count):
    scores = list(0.2 * np.exp(np.random.default_rng(count).normal(0, 0.08, count)))
    assert find_outlier(scores) is None
    for place in (0, count // 2, count - 1):
        spoiled = [*scores[:place], 0.55, *scores[place + 1 :]]
        assert find_outlier(spoiled) == place


@pytest.mark.parametrize("count", [3, 4, 10])
def test_usual_scores_are_seldom_suspected(count):
    rng = np.random.default_rng(1)
    draws = [0.3 * np.exp(rng.normal(0, 0.08, count)) for _ in range(400)]
    assert sum(find_outlier(list(draw)) is not None for draw in draws) <= 8


def test_a_low_score_and_too_few_say_nothing():
    assert find_outlier([0.2, 0.21, 0.19, 0.2, 0.02]) is None
    assert find_outlier([0.2, 0.9]) is None and find_outlier([]) is None
