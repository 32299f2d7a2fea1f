"""Limits from unlabelled pictures that were compared with each other: how many of them are taken as good."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.detection.calibration import REVIEW_FACTORS, Calibration, check_target, log_score
from assistant.detection.contamination import FITTED, FREEDOM, Contamination, estimate_contamination
from assistant.detection.counting import CONFIDENCE
from assistant.errors import CalibrationError, told

INTERVAL = (0.05, 0.5, 0.95)
"""The quantiles of the share of pictures that stand apart which people are told."""


def calibrate_mutual(scores: Sequence[float], *, target: float = 0.05) -> Calibration:
    """A calibration from unlabelled pictures, of which an estimated share is defective.

    The share, and the centre and spread of good pictures, are known as far as the scores tell; see
    `contamination`. The threshold is as high as it may have to be, with 90 % confidence, so that good pictures
    exceed it at the target rate. Review starts as low as the limit at twice the rate may lie: the less is
    known, the more goes to a person. `source` says the share. CalibrationError under three pictures.
    """
    check_target(target)
    require_several(len(scores))
    found = estimate_contamination([log_score(v) for v in scores])
    center = found.limit(0.5, 1 - CONFIDENCE)
    width = found.spread(center, 1 - CONFIDENCE, REVIEW_FACTORS["mutual"] * FITTED)
    wide = found.spread(center, CONFIDENCE)
    between = max(0.0, (wide / width) ** 2 - 1)
    kept, n = tuple(float(v) for v in sorted(scores)), len(scores)
    return Calibration("mutual", target, kept, n, center, width, FREEDOM, say_share(found, n), between)


def say_share(found: Contamination, count: int) -> str:
    """The share for people: "about 12 % of the 40 pictures stand apart (5 to 22 %)"."""
    low, middle, high = (round(100 * found.share(q)) for q in INTERVAL)
    return told(f"about {middle} % of the {count} pictures stand apart ({low} to {high} %)")


def require_several(count: int) -> None:
    """CalibrationError unless there are enough pictures to compare with each other."""
    if count < 3:
        raise CalibrationError("Mutual mode compares pictures with each other and needs at least three.")
