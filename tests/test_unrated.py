"""Without references, other pictures or limits of one's own nothing is decided: score, map, regions, rank."""

import json
import math

import numpy as np
import pytest

from assistant.detection.built_in import BuiltInLimits
from assistant.detection.calibration import built_in
from assistant.detection.unrated import RISING, Unrated
from assistant.errors import CalibrationError
from assistant.inspection import UNRATED, Inspection, rank_unrated, say_rank

SCORES = tuple(float(v) for v in np.linspace(0.001, 0.002, 40))  # all that these towers score is far above


@pytest.fixture
def pictures(good, planted):
    """Three woven pictures, the last with a blot."""
    return [good(1), good(2), planted(good(3), 0.3, 0.6)[0]]


@pytest.fixture
def own(monkeypatch, tmp_path):
    """Where a user's own limits are kept for now: none are."""
    for module in ("detection.built_in", "inspector"):
        monkeypatch.setattr(f"assistant.{module}.user_limits", lambda name: tmp_path / name)
    return tmp_path


@pytest.fixture
def lost(inspector, own):
    """An inspector of a bundle that nobody measured limits for."""
    return inspector


@pytest.fixture
def shipped(lost):
    """An inspector whose bundle ships limits, by which every picture would be a defect."""
    lost.__dict__["limits"] = BuiltInLimits("tiny", lost.backbone.digest, "40 other things", SCORES)
    return lost


def _is_unrated(row):
    limits = (row.threshold, row.review_threshold, row.p_value)
    return row.verdict == "unrated" and all(map(math.isnan, limits)) and math.isfinite(row.score)


def test_shipped_limits_of_other_products_decide_nothing(shipped, pictures):
    rows = shipped.inspect(pictures)
    assert all(map(_is_unrated, rows))
    assert {row.evidence.method for row in rows} == {"none"} and rows[0].evidence.origin == UNRATED
    assert all(region.severity == "unrated" for row in rows for region in row.regions)
    assert len({row.scale for row in rows}) == 1, "one colour means one value in all pictures"


def test_they_do_where_they_are_asked_to(shipped, pictures):
    row = shipped.inspect(pictures[0], zero_shot_limits=True)
    assert (row.verdict, row.evidence.method) == ("defect", "built-in")
    [[one]] = shipped.inspect_many(pictures[:1], [None], zero_shot_limits=True)
    assert one.verdict == "defect"
    [[one]] = shipped.inspect_many(pictures[:1], [None])
    assert one.verdict == "unrated"


def test_a_bundle_without_limits_works_the_same_way(lost, pictures):
    row = lost.inspect(pictures[0])
    assert _is_unrated(row) and row.regions, "the strangest place is always one"
    assert row.scale[0] < row.coarse_map.max()
    with pytest.raises(CalibrationError, match="no limits"):
        lost.inspect(pictures[0], zero_shot_limits=True)


def test_limits_of_ones_own_decide(inspector, pictures):
    assert inspector.inspect(pictures[0]).evidence.method == "built-in"


def test_own_limits_that_are_stale_are_not_passed_over(inspector, own, pictures):
    name = inspector.backbone.card.name
    BuiltInLimits(name, "not these", "mine", SCORES).save(own / name)
    with pytest.raises(CalibrationError, match="other weights"):
        inspector.inspect(pictures[0])


def test_the_rank_is_that_of_a_finished_run(shipped, pictures):
    rows = shipped.inspect(pictures)
    by_score = sorted(rows, key=lambda row: -row.score)
    assert [row.rank for row in by_score] == [(place, len(rows)) for place in range(1, len(rows) + 1)]
    assert {row.rank for row in shipped.inspect(iter(pictures))} == {None}
    assert shipped.inspect(pictures[:1])[0].rank is None, "one picture has no place among others"


def test_ranks_of_other_runs_are_forgotten(shipped, pictures):
    first = shipped.inspect(pictures)
    assert rank_unrated(first[:1])[0].rank is None
    assert {say_rank(row.rank) for row in rank_unrated(first[:2])} == {"1 of 2", "2 of 2"}


def test_json_has_null_where_nothing_is_known(shipped, pictures):
    row = shipped.inspect(pictures)[0]
    kept = json.loads(row.to_json())
    assert kept["threshold"] is kept["review_threshold"] is kept["p_value"] is None
    again = Inspection.from_json(row.to_json())
    assert _is_unrated(again) and again.rank == row.rank and again.to_json() == row.to_json()


def test_an_unrated_inspection_has_no_limits():
    with pytest.raises(ValueError, match="no limits"):
        Inspection("a.png", mode="zero-shot", score=0.1, threshold=0.2, verdict="unrated")


def test_known_numbers_cut_and_colour_and_nothing_else_does():
    usual = built_in([0.1 + i / 1000 for i in range(60)], "sixty things")
    known, unknown = Unrated(0.05, usual), Unrated(0.05)
    assert known.cut(10.0) == usual.threshold and known.cut(0.05) == pytest.approx(RISING * 0.05)
    assert unknown.cut(10.0) == pytest.approx(RISING * 10)
    assert known.colour(10.0) == known.colour(0.05) == usual.threshold and unknown.colour(0.0) > 0
    assert known.verdict(1e9) == known.verdict(0.0) == "unrated"


def test_a_target_that_the_shipped_limits_cannot_support_is_no_error(shipped, pictures):
    assert shipped.inspect(pictures[0], target_false_alarm=1e-5).verdict == "unrated"
    with pytest.raises(CalibrationError, match="cannot support"):
        shipped.inspect(pictures[0], target_false_alarm=1e-5, zero_shot_limits=True)
