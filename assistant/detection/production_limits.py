"""Limits from unsorted parts of a product, as a person would set a line on a histogram of their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assistant.detection.calibration import FADE, Calibration
from assistant.detection.mutual_limits import calibrate_mutual
from assistant.detection.prior import Prior
from assistant.errors import CalibrationError

LEAST = 20
"""Fewer unlabelled parts say no more than the references do."""


def calibrate_production(
    scores: Sequence[float], *, target: float = 0.05, prior: Prior | None = None
) -> Calibration:
    """A calibration from scores of unlabelled parts against a product, of which a fifth may be defective.

    What is good among them is found as among pictures that were compared with each other: the lower or commonest
    kind, whose spread shows below its centre, where no defect is. Other moments add variance as they do to as many
    references. CalibrationError under `LEAST` parts.
    """
    if len(scores) < LEAST:
        raise CalibrationError(
            f"Limits from unlabelled parts take at least {LEAST} of them, and here are {len(scores)}."
        )
    found = calibrate_mutual(scores, target=target)
    return replace(found, method="production", between=(prior or Prior()).between * FADE / (FADE + len(scores)))
