"""Limits from unlabelled pictures that were compared with each other: which of them are taken as good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from assistant.detection.calibration import Calibration, check_target, log_score
from assistant.errors import CalibrationError

APART = 4.0
"""Two groups of scores are told apart where their means differ by this many of their pooled spreads.

Normal scores split in the middle come to 2.6, so one kind is not taken for two."""

WIDE = 0.13
"""The spread of log-scores that good pictures among unlabelled ones are taken to have, worth `WIDE_WEIGHT` scores:
what lies below its centre makes a limit that is too low by itself."""

WIDE_WEIGHT = 5.0


def calibrate_mutual(scores: Sequence[float], *, target: float = 0.05) -> Calibration:
    """A calibration from unlabelled pictures, of which the lower or commonest kind is taken as good.

    Where the log-scores fall into two groups that stand apart, the lower one is good, however small. Else the
    centre is the mean of their shortest half (Andrews et al. 1972), which holds while good pictures are the
    commonest kind. The spread is that of the scores below the centre, where no defect is, pulled towards `WIDE`.
    CalibrationError under three pictures.
    """
    check_target(target)
    require_several(len(scores))
    logs = _lower_group(np.sort([log_score(v) for v in scores]), WIDE)
    center = _shorth(logs)
    below = center - logs[logs < center]
    freedom = WIDE_WEIGHT + below.size
    width = math.sqrt((WIDE_WEIGHT * WIDE**2 + float(np.sum(below**2))) / freedom)
    kept = tuple(float(v) for v in sorted(scores))
    return Calibration("mutual", target, kept, len(scores), float(center), width, freedom)


def require_several(count: int) -> None:
    """CalibrationError unless there are enough pictures to compare with each other."""
    if count < 3:
        raise CalibrationError("Mutual mode compares pictures with each other and needs at least three.")


def _lower_group(logs: np.ndarray[Any, Any], spread: float) -> np.ndarray[Any, Any]:
    """The lower of two groups of sorted values where the best split sets them well apart, else all of them.

    Groups are taken to be at least as wide as good pictures of one product are, `spread`, and to hold a fifth
    of all, and three: a few good pictures that are all too much alike are not the only good ones.
    """
    best, lower = APART, logs
    least = max(3, math.ceil(len(logs) / 5))
    for cut in range(least, len(logs) - least + 1):
        low, high = logs[:cut], logs[cut:]
        pooled = math.sqrt((low.var() * len(low) + high.var() * len(high)) / len(logs))
        apart = float(high.mean() - low.mean()) / max(pooled, spread)
        if apart > best:
            best, lower = apart, low
    return lower


def _shorth(values: np.ndarray[Any, Any]) -> float:
    """The mean of the shortest interval that holds half of the sorted values."""
    half = len(values) // 2 + 1
    widths = values[half - 1 :] - values[: len(values) - half + 1]
    start = int(np.argmin(widths))
    return float(values[start : start + half].mean())
