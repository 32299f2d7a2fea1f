"""A way of scoring is chosen where it ranks held-out parts better for sure, and seldom by chance."""

import numpy as np
import pytest

from assistant.detection.held_out import FEWEST, choose_way


def parts(seed, good, bad, apart, ways=4, shared=0.5):
    """Scores of one set of parts in several ways, of which the last sets bad parts so far apart; they resemble."""
    generator = np.random.default_rng(seed)
    base = generator.normal(size=good + bad)
    rows = {}
    for way in range(ways):
        score = shared * base + (1 - shared**2) ** 0.5 * generator.normal(size=good + bad)
        score[good:] += apart if way == ways - 1 else 1.0
        rows[f"way {way}"] = (score[:good], score[good:])
    return rows


def test_a_way_that_ranks_far_better_is_chosen_and_its_gain_is_stated():
    found = choose_way(parts(1, 30, 30, 4.0), "way 0")
    assert found.chosen == found.best == "way 3"
    assert 0 < found.low < found.gain < found.high
    assert found.auroc["way 3"] > found.auroc["way 0"] + 0.1


@pytest.mark.parametrize("count", [FEWEST, 20, 60])
def test_of_ways_that_are_worth_the_same_hardly_ever_another_one_is_chosen(count):
    chosen = [choose_way(parts(seed, count, count, 1.0), "way 0").chosen != "way 0" for seed in range(100)]
    assert np.mean(chosen) <= 0.08


def test_the_stated_gain_is_what_other_parts_show_in_the_mean_and_not_what_the_chosen_ones_show():
    stated, apparent, true = [], [], []
    for seed in range(60):
        known, others = (parts(seed + shift, 20, 20, 1.0) for shift in (0, 1000))
        found = choose_way(known, "way 0")
        stated.append(found.gain)
        apparent.append(found.auroc[found.best] - found.auroc["way 0"])
        auroc = choose_way(others, "way 0").auroc
        true.append(auroc[found.best] - auroc["way 0"])
    assert abs(np.mean(stated) - np.mean(true)) < 0.02 < np.mean(apparent) - np.mean(true)


def test_of_fewer_parts_nothing_is_chosen_however_clear_it_looks():
    good, bad = np.arange(FEWEST - 1.0), np.arange(30.0)
    found = choose_way({"now": (good, bad - 100), "other": (good, bad + 100)}, "now")
    assert found.chosen == "now" and found.best == "other" and str(FEWEST) in found.reason


def test_where_nothing_is_better_that_is_said():
    scores = (np.arange(10.0), np.arange(10.0) + 20)
    found = choose_way({"now": scores, "same": scores}, "now")
    assert found.chosen == found.best == "now" and found.gain == 0 and "no other way" in found.reason


def test_ways_score_the_same_parts():
    with pytest.raises(ValueError, match="same"):
        choose_way({"now": ([1.0], [2.0]), "other": ([1.0, 2.0], [3.0])}, "now")
    with pytest.raises(ValueError, match="now"):
        choose_way({"other": ([1.0], [2.0])}, "now")
