"""A picture's score, and the regions that it has by its limits.

Where references are alike as whole pictures, a part of the score belongs to no place in the map. This module
says what is cut out then. It knows limits and maps, and no pictures or products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.detection.calibration import Calibration
from assistant.detection.reader import Types
from assistant.detection.regions import find_regions
from assistant.inspection import Region


@dataclass(frozen=True)
class Scored:
    """A raw score. `lift`: how much of it comes from the picture as a whole; `usual`: how much of it good pictures
    have in the mean, since no two are the same."""

    value: float
    lift: float = 0.0
    usual: float = 0.0

    def whole_differs(self, calibration: Calibration) -> bool:
        """Whether the map alone would give another verdict."""
        return calibration.verdict(self.value - self.lift) != calibration.verdict(self.value)

    def regions(
        self, found: NDArray[np.float32], calibration: Calibration, size: tuple[int, int], types: Types | None
    ) -> tuple[Region, ...]:
        """What is strange in a map [h, w] of a picture of `size` (width, height); nothing in a good one.

        Places that are strange by themselves are cut out as in a picture that is usual as a whole. Where there is
        none, all that the whole lifts over the limit is one.
        """
        verdict = calibration.verdict(self.value)
        if verdict == "good":
            return ()
        own = min(self.lift, self.usual)
        local = calibration.verdict(self.value - self.lift + own)
        if local == "good":
            own, local = self.lift, verdict
        limit = calibration.threshold if local == "defect" else calibration.review_threshold
        raised = np.where(found > 0, found + np.float32(own), found)  # what is not looked at stays 0
        return find_regions(raised, limit, *size, calibration.p_value, types, self.lift - own)
