"""The paired bootstrap: figures, intervals and p-values of two sides over the same pictures."""

import numpy as np
import pytest

from assistant.eval.metrics import image_auroc, verdict_rates
from assistant.eval.paired import Side, compare


def sides(seed, better=0.0, size=200):
    """Labels and two sides that see the same noise; the second sees defects `better` more clearly."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(size) % 2).astype(int)
    shared = rng.normal(size=size)
    scores = [shared + 0.5 * rng.normal(size=size) + gain * labels for gain in (1.0, 1.0 + better)]
    verdicts = [np.where(s > 1.2, "defect", np.where(s > 0.9, "review", "good")) for s in scores]
    return labels.tolist(), *(Side(s.tolist(), v.tolist()) for s, v in zip(scores, verdicts, strict=True))


def test_figures_are_those_of_the_metrics():
    labels, first, second = sides(1, 0.5)
    rows = {row.figure: row for row in compare(labels, first, second, draws=200)}
    for name, get in (
        ("image AUROC", lambda side: image_auroc(labels, side.scores)),
        ("overkill", lambda side: verdict_rates(labels, side.verdicts).overkill),
        ("escape", lambda side: verdict_rates(labels, side.verdicts).escape),
        ("review", lambda side: verdict_rates(labels, side.verdicts).review),
    ):
        row = rows[name]
        assert (row.first, row.second) == pytest.approx((get(first), get(second)))
        assert row.difference == pytest.approx(row.second - row.first) and row.low <= row.difference <= row.high


def test_a_draw_is_what_the_pictures_drawn_would_give():
    labels, first, second = sides(2, 0.3, 60)
    truth = np.array(labels)
    rng = np.random.default_rng(0)
    weights = np.zeros((1, 60))
    for label in (0, 1):
        places = np.flatnonzero(truth == label)
        weights[:, places] = rng.multinomial(places.size, np.full(places.size, 1 / places.size), 1)
    drawn = np.repeat(np.arange(60), weights[0].astype(int))
    expected = image_auroc(truth[drawn], np.array(second.scores)[drawn]) - image_auroc(
        truth[drawn], np.array(first.scores)[drawn]
    )
    (row, *_) = compare(labels, first, second, draws=1, seed=0)
    assert row.low == row.high == pytest.approx(expected)


def test_a_side_against_itself_differs_by_nothing():
    labels, first, _ = sides(3)
    for row in compare(labels, first, first, draws=300):
        assert (row.difference, row.low, row.high, row.p) == (0, 0, 0, 1)


def test_a_better_side_is_found_out_and_equal_ones_seldom():
    labels, first, second = sides(4, 0.8)
    found = {row.figure: row for row in compare(labels, first, second, draws=2000)}
    assert found["image AUROC"].low > 0 and found["image AUROC"].p < 0.01
    assert found["escape"].high < 0 and found["escape"].p < 0.01
    by_chance = [compare(*sides(seed), draws=400)[0] for seed in range(100, 200)]
    assert np.mean([row.p < 0.05 for row in by_chance]) < 0.12
    assert np.mean([row.low <= 0 <= row.high for row in by_chance]) > 0.88


def test_it_is_the_pairing_that_tells_them_apart():
    labels, first, second = sides(5, 0.3)
    paired = compare(labels, first, second, draws=1000)[0]
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(np.flatnonzero(np.array(labels) == k)) for k in (0, 1)])
    back = np.concatenate([np.flatnonzero(np.array(labels) == k) for k in (0, 1)])
    mixed = np.empty(len(labels), int)
    mixed[back] = order
    shuffled = Side([second.scores[i] for i in mixed], [second.verdicts[i] for i in mixed])
    loose = compare(labels, first, shuffled, draws=1000)[0]
    assert loose.difference == pytest.approx(paired.difference)
    assert paired.high - paired.low < 0.8 * (loose.high - loose.low)


def test_unrated_sides_have_an_auroc_and_nothing_else():
    labels, first, second = sides(6)
    unrated = Side(first.scores, ["unrated"] * len(labels))
    rows = {row.figure: row for row in compare(labels, unrated, second, draws=100)}
    assert np.isfinite(rows["image AUROC"].p)
    assert all(np.isnan([rows[name].difference, rows[name].p]).all() for name in ("overkill", "escape", "review"))


def test_what_cannot_be_compared_is_refused():
    labels, first, second = sides(7)
    with pytest.raises(ValueError, match="same pictures"):
        compare(labels[:-1], first, second)
    with pytest.raises(ValueError, match="good and defective"):
        compare([0] * len(labels), first, second)
    with pytest.raises(ValueError, match="no such verdict"):
        compare(labels, Side(first.scores, ["bad"] * len(labels)), second)
