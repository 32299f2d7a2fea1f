"""What stands in for limits where nothing is known of a product: it orders and colours, and decides nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from assistant.detection.calibration import Calibration
from assistant.inspection import UNRATED, Evidence, Verdict

RISING = 0.9
"""Where nothing else is known, regions start at this share of the map's own peak."""


@dataclass(frozen=True)
class Unrated:
    """No limits at all; limits and p-values are NaN, and the verdict is "unrated".

    `usual`: limits from good pictures of other products, where a bundle has some. They tell from which value on a
    map is coloured and cut into regions, and never what is a defect.
    """

    target: float
    usual: Calibration | None = None

    threshold = math.nan
    review_threshold = math.nan

    def p_value(self, score: float) -> float:
        """How often a good picture scores so high: nobody knows, NaN."""
        return math.nan

    curve_p = p_value

    def verdict(self, score: float) -> Verdict:
        """ "unrated", whatever the score."""
        return "unrated"

    @property
    def evidence(self) -> Evidence:
        """That nothing is known, and what would change that."""
        return Evidence("none", UNRATED, 0, self.target, 1.0)

    def cut(self, peak: float) -> float:
        """The value above which places of a map with this highest value are regions: there is always one."""
        own = RISING * peak
        return min(self.usual.threshold, own) if self.usual else own

    def colour(self, peak: float) -> float:
        """The value that the colours of a map lie around, of other products' good pictures where known."""
        return self.usual.threshold if self.usual else max(self.cut(peak), 1e-6)
