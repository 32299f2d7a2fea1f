"""The metrics against hand-computed cases, scikit-learn, brute force and their own invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from assistant.eval.metrics import average_precision, f1_max, image_auroc, overkill_at_escape, verdict_rates

RANKINGS = (image_auroc, average_precision, overkill_at_escape, lambda *pair: f1_max(*pair)[0])

# Few distinct scores, so that ties are the rule.
TIED = st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=1, max_size=40)
BOTH = TIED.filter(lambda rows: len({label for label, _ in rows}) == 2)


def columns(rows):
    return np.array([label for label, _ in rows]), np.array([score for _, score in rows], dtype=float)


# ---- image metrics


def test_hand_computed_ranking():
    labels, scores = [0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9]
    assert image_auroc(labels, scores) == pytest.approx(3 / 4)
    assert average_precision(labels, scores) == pytest.approx((1 + 2 / 3) / 2)
    value, threshold = f1_max(labels, scores)
    assert value == pytest.approx(4 / 5)  # 0.4, 0.5 and 0.9 are called defects
    assert threshold == pytest.approx(0.25)


def test_hand_computed_tie():
    labels, scores = [0, 0, 1, 1], [1, 2, 2, 3]
    assert image_auroc(labels, scores) == pytest.approx(3.5 / 4)
    assert average_precision(labels, scores) == pytest.approx((1 + 2 / 3) / 2)
    assert f1_max(labels, scores) == pytest.approx((4 / 5, 1.5))
    assert overkill_at_escape(labels, scores, 0) == 0.5


def test_all_scores_equal():
    labels, scores = [0, 0, 0, 1], [7.0] * 4
    assert image_auroc(labels, scores) == 0.5
    assert average_precision(labels, scores) == 0.25
    value, threshold = f1_max(labels, scores)
    assert value == pytest.approx(0.4)
    assert threshold < 7.0
    assert overkill_at_escape(labels, scores) == 1.0


@pytest.mark.parametrize("labels", [[], [0], [1], [0, 0], [1, 1]])
def test_one_class_absent_is_nan(labels):
    scores = np.arange(len(labels))
    assert all(math.isnan(metric(labels, scores)) for metric in RANKINGS)
    assert math.isnan(f1_max(labels, scores)[1])


@given(BOTH)
def test_agrees_with_scikit_learn(rows):
    labels, scores = columns(rows)
    assert image_auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    expected = average_precision_score(labels, scores)
    assert average_precision(labels, scores) == pytest.approx(expected, abs=1e-12)
    precision, recall, _ = precision_recall_curve(labels, scores)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300))
    assert f1_max(labels, scores)[0] == pytest.approx(best, abs=1e-12)


@given(BOTH)
def test_f1_threshold_gives_the_f1(rows):
    labels, scores = columns(rows)
    value, threshold = f1_max(labels, scores)
    called = scores > threshold
    assert value == pytest.approx(2 * (called & (labels == 1)).sum() / (called.sum() + labels.sum()))


def test_f1_threshold_between_neighbouring_floats():
    step = np.finfo(float).eps
    assert f1_max([0, 1], [1.0, 1.0 + step]) == (1.0, 1.0)
    assert f1_max([0, 1], [1.0 + step, 1.0 + 2 * step]) == (1.0, 1.0 + step)  # the middle rounds up


@given(BOTH)
def test_rising_transformation_changes_nothing(rows):
    labels, scores = columns(rows)
    for metric in RANKINGS:
        assert metric(labels, np.exp(scores / 2) - 3) == pytest.approx(metric(labels, scores), abs=1e-12)


@given(BOTH, st.randoms(use_true_random=False))
def test_order_of_pictures_changes_nothing(rows, random):
    labels, scores = columns(rows)
    random.shuffle(rows)
    for metric in RANKINGS:
        assert metric(*columns(rows)) == pytest.approx(metric(labels, scores), abs=1e-12)


@given(BOTH)
def test_reversed_scores_mirror_auroc(rows):
    labels, scores = columns(rows)
    assert image_auroc(labels, -scores) == pytest.approx(1 - image_auroc(labels, scores))


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([0, 1], [0.0]), ([0, 2], [0.0, 1.0]), ([0, 1], [0.0, math.nan]), ([0, 1], [0.0, math.inf])],
)
def test_bad_input_is_refused(labels, scores):
    for metric in RANKINGS:
        with pytest.raises(ValueError):
            metric(labels, scores)


# ---- overkill, escape, verdicts


def test_overkill_at_escape_by_hand():
    labels = [1] * 5 + [0] * 4
    scores = [1, 3, 5, 7, 9] + [0, 2, 4, 6]
    assert overkill_at_escape(labels, scores, 0.0) == 3 / 4  # reject from 1 up
    assert overkill_at_escape(labels, scores, 0.19) == 3 / 4  # still no whole defect
    assert overkill_at_escape(labels, scores, 0.2) == 2 / 4  # from 3 up
    assert overkill_at_escape(labels, scores, 0.6) == 0.0
    assert overkill_at_escape(labels, scores, 1.0) == 0.0


def test_escape_of_exactly_n_defects():
    labels = [1] * 100 + [0]
    scores = list(range(100)) + [28.5]
    assert overkill_at_escape(labels, scores, 0.28) == 1.0
    assert overkill_at_escape(labels, scores, 0.29) == 0.0  # 0.29 * 100 is 28.999... as a float


@given(BOTH, st.floats(0, 1))
def test_overkill_is_the_best_that_any_threshold_gives(rows, escape):
    labels, scores = columns(rows)
    limits = np.append(np.unique(scores) - 0.5, scores.max())
    allowed = [t for t in limits if (scores[labels == 1] <= t).mean() <= escape + 1e-12]
    best = min((scores[labels == 0] > t).mean() for t in allowed)
    assert overkill_at_escape(labels, scores, escape) == pytest.approx(best)


def test_escape_must_be_a_share():
    with pytest.raises(ValueError, match="2"):
        overkill_at_escape([0, 1], [0, 1], escape=2)


def test_verdict_rates_by_hand():
    labels = [0, 0, 0, 0, 1, 1]
    verdicts = ["good", "good", "review", "defect", "defect", "good"]
    rates = verdict_rates(labels, verdicts)
    assert rates.overkill == 1 / 4
    assert rates.escape == 1 / 2
    assert rates.review == pytest.approx(1 / 6)
    assert rates.balanced_accuracy == (2 / 4 + 1 / 2) / 2


def test_verdict_rates_of_one_class():
    rates = verdict_rates([0], ["defect"])
    assert (rates.overkill, rates.review) == (1.0, 0.0)
    assert math.isnan(rates.escape) and math.isnan(rates.balanced_accuracy)


def test_unknown_verdict_is_refused():
    with pytest.raises(ValueError, match="fine"):
        verdict_rates([0, 1], ["fine", "defect"])
