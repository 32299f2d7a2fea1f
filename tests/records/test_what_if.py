"""What-if: the verdicts of recent inspections by other limits, counted from their scores alone."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from assistant.errors import LooktwiceError
from assistant.inspection import Inspection
from assistant.products.summary import summary_of
from assistant.records.history import History
from assistant.records.what_if import (
    Limits,
    describe,
    judged_earlier,
    other_limits,
    recent_inspections,
    what_if,
)


@pytest.fixture
def product(inspector, good):
    return inspector.learn("cloth", [good(i) for i in range(4)])


def judged(product, score, **fields):
    """An inspection by the limits of a product, of that score."""
    limits = product.calibration
    given = {
        "mode": "few-shot",
        "p_value": 0.5,
        "threshold": limits.threshold,
        "review_threshold": limits.review_threshold,
        "verdict": limits.verdict(score),
        "product": product.name,
        "references": len(product.references),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Inspection("part.png", score=score, **given | fields)


def test_each_verdict_is_counted_before_and_after(product):
    now = Limits.of(product.calibration)
    low, high = now.review_threshold, now.threshold
    inside = (low + high) / 2
    rows = [judged(product, score) for score in (0.5 * low, 0.9 * low, inside, high, 1.2 * high, 9 * high)]
    rows.append(Inspection("broken.png", "error", "It is broken."))
    rows.append(replace(rows[0], product="another"))
    unrated = dict.fromkeys(("p_value", "threshold", "review_threshold"), math.nan)
    rows.append(replace(rows[0], verdict="unrated", **unrated))
    effect = what_if(product, Limits(1.5 * high, 1.1 * high), rows)
    assert (effect.recent, effect.changed, effect.earlier) == (6, 3, 0)
    assert effect.verdicts == {
        "good": {"good": 2, "review": 0, "defect": 0},
        "review": {"good": 2, "review": 0, "defect": 0},
        "defect": {"good": 0, "review": 1, "defect": 1},
    }
    assert (effect.before, effect.after) == (now, Limits(1.5 * high, 1.1 * high))
    told = describe(effect)
    assert "of the last 6 inspections" in told and "3 would change: 2 from review to good, 1 from defect" in told
    assert "no recent inspection" in describe(what_if(product, now, []))
    assert "none would change" in describe(what_if(product, now, rows))


def test_limits_move_by_a_target_or_a_score_and_nothing_else(product):
    limits = product.calibration
    by_target = other_limits(product, target=0.2)
    assert Limits.of(by_target) == Limits.of(limits.at(0.2)) and by_target.threshold < limits.threshold
    moved = other_limits(product, limit=2 * limits.threshold)
    assert moved.threshold == 2 * limits.threshold
    assert moved.review_threshold == pytest.approx(2 * limits.review_threshold)
    for wrong in ({}, {"target": 0.1, "limit": 0.4}, {"limit": 0.0}, {"limit": math.nan}, {"target": 0.7}):
        with pytest.raises(LooktwiceError):
            other_limits(product, **wrong)


def test_a_result_knows_that_its_product_has_changed_since(inspector, product, good):
    row = inspector.inspect(good(9), product)
    assert not judged_earlier(row, product) and not judged_earlier(row, summary_of(product))
    for changed in (inspector.teach(product, good(5)), product.with_target(0.2)):
        assert judged_earlier(row, changed) and judged_earlier(row, summary_of(changed))
        assert what_if(changed, changed.calibration, [row]).earlier == 1
        now = inspector.inspect(good(9), changed)
        assert not judged_earlier(now, changed) and not judged_earlier(
            Inspection.from_json(now.to_json()), changed
        )
    assert not judged_earlier(row, inspector.teach(product, good(5)).undo())


def test_a_history_gives_the_newest_of_this_product_alone(product, place):
    history = History(place)
    earlier = datetime.fromisoformat(product.created) - timedelta(hours=1)
    history.add(judged(product, 0.1, created=earlier.isoformat(timespec="seconds")))  # another one of that name
    history.add(judged(replace(product, name="linen"), 0.2))
    kept = [judged(product, score) for score in (0.3, 0.4)]
    for row in kept:
        history.add(row)
    assert [row.score for row in recent_inspections(history, product)] == [0.4, 0.3]
    history.close()
