"""The one score among those of good pictures that stands out from all the others. Knows numbers only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr

from assistant.detection.prior import Prior

FEWEST = 3
"""Of two pictures that differ nobody can tell which is the odd one."""

RARE = 5e-3
"""So rare is a score as high, by the curve that the others make, where it stands out; see `find_outlier`."""


def find_outlier(scores: Sequence[float], prior: Prior | None = None, rare: float = RARE) -> int | None:
    """The place of the score that is far above all others, None for none.

    The logarithms of the others are taken as normal, their spread pulled towards that which other products show,
    as limits are; the highest stands out where, allowing for its being the highest, it is too `rare`.
    """
    count = len(scores)
    if count < FEWEST:
        return None
    prior, logs = prior or Prior(), np.log(np.maximum(scores, 1e-9))
    place = int(np.argmax(logs))
    others = np.delete(logs, place)
    told = len(others) - 1
    freedom = prior.weight + told
    variance = (prior.weight * prior.spread**2 + told * float(np.var(others, ddof=1))) / freedom
    far = (float(logs[place]) - float(others.mean())) / math.sqrt(variance * (1 + 1 / len(others)))
    return place if count * float(stdtr(freedom, -far)) < rare else None
