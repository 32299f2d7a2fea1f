"""A picture's map and raw score, and the regions that it has by its limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from assistant.detection.calibration import Calibration
from assistant.detection.reader import Types
from assistant.detection.regions import find_regions
from assistant.detection.unrated import Unrated
from assistant.inspection import Region

JUST_ABOVE = 1.0001
"""Where no place is strange by itself, all of a picture that differs as a whole lies so much above its limit."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A map [h, w] float32 on the grid of the patches, a raw score in the same unit, and what was added to each.

    Where references are alike as whole pictures, `whole` is how much of `value` comes from the picture as a whole
    and so from no place in the map, and `usual` how much of it good pictures have in the mean, since no two are
    the same. Where a product knows defects, `contrast` [h, w] in [-1, 1] says how much nearer a patch is to one of
    them than to anything good; the map was raised where it is positive. `distance`: how far half of what is
    looked at is from good parts at least; a defect takes less, so it tells of the whole. NaN without a product.
    """

    map: Tensor
    value: float
    whole: float = 0.0
    usual: float = 0.0
    contrast: Tensor | None = None
    distance: float = math.nan

    def whole_differs(self, calibration: Calibration | Unrated) -> bool:
        """Whether the map alone would give another verdict."""
        return calibration.verdict(self.value - self.whole) != calibration.verdict(self.value)

    def regions(
        self,
        shown: NDArray[np.float32],
        calibration: Calibration | Unrated,
        size: tuple[int, int],
        types: Types | None,
    ) -> tuple[Region, ...]:
        """What is strange in a picture of `size` (width, height), by the map [h, w] as shown; none in a good one.

        Places that are strange by themselves are cut out as in a picture that is usual as a whole. Where there is
        none, all that is looked at is one. Where nothing is known of the product, the strangest
        places are regions, whatever they may be.
        """
        if isinstance(calibration, Unrated):
            return find_regions(shown, calibration.cut(float(shown.max())), *size, calibration.curve_p, types)
        verdict = calibration.verdict(self.value)
        if verdict == "good":
            return ()
        own = min(self.whole, self.usual)
        local = calibration.verdict(self.value - self.whole + own)
        everywhere = local == "good"
        if everywhere:
            own, local = self.whole, verdict
        limit = calibration.threshold if local == "defect" else calibration.review_threshold
        raised = shown + np.float32(own)
        if everywhere:
            raised = np.maximum(raised, np.float32(JUST_ABOVE * limit))
        raised = np.where(shown > 0, raised, shown)  # what is not looked at stays 0
        return find_regions(raised, limit, *size, calibration.curve_p, types, self.whole - own)


@dataclass(frozen=True, eq=False)
class Compared:
    """What a picture's `Scored` against a product is made of, still as tensors.

    `top` and `whole` are single numbers that the score is the sum of, and `distance` is another; the others are
    those of `Scored`.
    """

    map: Tensor
    top: Tensor
    whole: Tensor
    usual: float
    contrast: Tensor | None
    distance: Tensor

    @property
    def scored(self) -> Scored:
        """The same in numbers."""
        whole = float(self.whole)
        value = float(self.top) + whole
        return Scored(self.map, value, whole, self.usual, self.contrast, float(self.distance))
