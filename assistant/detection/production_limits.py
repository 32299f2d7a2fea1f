"""Limits from unsorted parts of a product, as a person would set a line on a histogram of their scores."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.detection.calibration import FADE, Calibration, check_target, log_score
from assistant.detection.contamination import FREEDOM, estimate_contamination
from assistant.detection.mutual_limits import say_share
from assistant.detection.prior import Prior
from assistant.errors import CalibrationError

LEAST = 20
"""Fewer unlabelled parts say no more than the references do."""


def calibrate_production(
    scores: Sequence[float], *, target: float = 0.05, prior: Prior | None = None
) -> Calibration:
    """A calibration from scores of unlabelled parts against a product, of which a fifth may be defective.

    Centre and spread of good parts are the middle ones by an estimate of how many parts stand apart, see
    `contamination`; `source` says how many. Other moments add variance as they do to as many references.
    CalibrationError under `LEAST` parts.
    """
    check_target(target)
    n = len(scores)
    if n < LEAST:
        raise CalibrationError(f"Limits from unlabelled parts take at least {LEAST} of them, and here are {n}.")
    found = estimate_contamination([log_score(v) for v in scores])
    center = found.limit(0.5, 0.5)
    between = (prior or Prior()).between * FADE / (FADE + n)
    kept = tuple(sorted(map(float, scores)))
    return Calibration(
        "production", target, kept, n, center, found.spread(center, 0.5), FREEDOM, say_share(found, n), between
    )
