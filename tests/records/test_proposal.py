"""Limits that unlabelled parts suggest: from a folder, from a history, and with what people signed off."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from assistant.errors import CalibrationError
from assistant.inspection import Inspection
from assistant.records.history import History
from assistant.records.proposal import judged_alike, propose, propose_from_history, signed_parts


@pytest.fixture
def product(inspector, good):
    return inspector.learn("cloth", [good(i) for i in range(4)])


def judged(product, score, name="part.png", **fields):
    """An inspection by a product, of that score."""
    limits = product.calibration
    given = {
        "mode": "few-shot",
        "p_value": 0.5,
        "threshold": limits.threshold,
        "review_threshold": limits.review_threshold,
        "verdict": limits.verdict(score),
        "product": product.name,
        "weights": product.weights,
        "references": len(product.references),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Inspection(name, score=score, **given | fields)


def several(product, seed=0, count=36, bad=4):
    """Parts of which the last ones are defects, at three times the scores of good ones."""
    logs = np.random.default_rng(seed).normal(-2, 0.1, count)
    logs[count - bad :] += np.log(3)
    return [judged(product, float(s), f"{i}.png") for i, s in enumerate(np.exp(logs))]


def test_what_becomes_of_the_parts_is_counted_and_drawn(product):
    rows = several(product)
    found = propose(product, [*rows, Inspection("broken.png", "error", "It is broken.")])
    assert found.parts == 36 == sum(found.would_be.values()) == sum(one.parts for one in found.bins)
    assert found.would_be["defect"] >= 4
    limits = found.calibration
    assert found.would_be["good"] == sum(row.score <= limits.review_threshold for row in rows)
    assert limits.target == product.calibration.target and found.name == "by 36 unlabelled parts"
    assert all(one.high == other.low for one, other in zip(found.bins, found.bins[1:], strict=False))
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_a_part_that_was_inspected_twice_counts_once(product):
    rows = several(product, count=20, bad=0)
    assert propose(product, rows + rows).parts == 20
    with pytest.raises(CalibrationError, match="at least 20"):
        propose(product, rows[1:] + rows[1:])


def test_only_scores_that_the_product_would_give_today_count(inspector, product, good):
    now, hour = datetime.now(UTC), timedelta(hours=1)
    product = replace(product, created=(now - 9 * hour).isoformat(timespec="seconds"))
    fresh = judged(product, 0.1)
    older = replace(fresh, created=(now - 12 * hour).isoformat(timespec="seconds"))
    other = [replace(fresh, references=3), replace(fresh, weights="other"), replace(fresh, product="plate")]
    assert judged_alike(product, [fresh, older, *other]) == [fresh]
    limits = product.with_target(0.2).calibration
    kept = inspector.teacher.keep_limits(product.sealed(), limits, "by 20 unlabelled parts")
    early = replace(fresh, created=(now - hour).isoformat(timespec="seconds"))
    assert judged_alike(kept, [early]) == [early], "moved limits change no score"
    masked = inspector.teacher.remask(kept, ignore=np.eye(160, dtype=bool))
    assert judged_alike(masked, [early]) == [], "a mask changes scores"


def test_what_people_signed_off_as_defective_is_left_out(product, place):
    product = replace(product, created="2020-01-01T00:00:00+00:00")
    history = History(place)
    ids = [history.add(row) for row in several(product)]
    for id in ids[-3:]:
        history.sign_offs.add(id, "defect", "a hole", "Eva", log=None)
    history.sign_offs.add(ids[0], "good", "looked at it", "Eva", log=None)
    found = propose_from_history(history, product)
    assert (found.parts, found.left_out) == (33, 3)
    good, bad = signed_parts(history, product)
    assert [one.path for one in good] == ["0.png"] and {one.path for one in bad} == {"33.png", "34.png", "35.png"}
    assert all(one.verdict == product.calibration.verdict(one.score) for one in [*good, *bad])
