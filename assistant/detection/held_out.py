"""Which way of scoring ranks known good and bad parts best, judged on parts that the choice did not see.

Of several ways the best one on some parts looks better than it is. So parts are divided: the way that is best on
most of them is judged on the rest, over and over, and nothing is chosen unless that gain is above 0 with 90 %
confidence. The uncertainty is that of the difference of two areas under the ROC curve on the same parts (DeLong,
DeLong and Clarke-Pearson 1988). Knows scores: no products, no pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST = 8
"""So many good parts, and as many bad ones, are needed to choose: of fewer, differences are mere chance."""

FOLDS = 4
REPEATS = 10

CONFIDENCE_STEPS = 1.645
"""So many standard errors above and below lie 90 % of what a gain may be."""

Scores = NDArray[np.float64]
Known = tuple[Sequence[float], Sequence[float]]
"""Scores of good parts and of bad ones, in one order for all ways."""


@dataclass(frozen=True)
class Gain:
    """What it brings to score parts in another way: `chosen`, or the way of now where nothing is gained for sure.

    `best`: the way that ranks all parts best. `auroc` of every way: how often a bad part scores above a good one.
    `gain`: the AUROC that choosing so has brought on parts held out, which lies from `low` to `high` with 90 %
    confidence. `good`, `bad`: how many parts. `reason`: why it is so, in a sentence.
    """

    chosen: str
    best: str
    auroc: Mapping[str, float]
    gain: float
    low: float
    high: float
    good: int
    bad: int
    reason: str


def choose_way(scores: Mapping[str, Known], now: str) -> Gain:
    """The way of scoring that ranks known parts best, by held-out parts; `now` unless it gains for sure.

    ValueError where ways do not score the same parts, or `now` is none of them.
    """
    rows = {name: tuple(np.asarray(kind, np.float64) for kind in known) for name, known in scores.items()}
    shapes = {(len(good), len(bad)) for good, bad in rows.values()}
    if now not in rows or len(shapes) != 1 or 0 in next(iter(shapes)):
        raise ValueError("every way, the one of now too, has a score for each of the same good and bad parts")
    ((good, bad),) = shapes
    wins = {name: _wins(*row) for name, row in rows.items()}
    auroc = {name: float(table.mean()) for name, table in wins.items()}
    best = _best(auroc, now)
    few = min(good, bad) < FEWEST
    gain = 0.0 if few else _held_out_gain(wins, now)
    error = 0.0 if best == now else _error(wins[best] - wins[now])
    low, high = gain - CONFIDENCE_STEPS * error, gain + CONFIDENCE_STEPS * error
    chosen = best if not few and low > 0 else now
    return Gain(chosen, best, auroc, gain, low, high, good, bad, _reason(chosen, best, now, few, good, bad))


def _wins(good: Scores, bad: Scores) -> Scores:
    """For each good part (a row) and each bad one, 1 where the bad one scores higher, 0.5 where they are level."""
    return np.asarray((bad > good[:, None]) + 0.5 * (bad == good[:, None]), np.float64)


def _best(auroc: Mapping[str, float], now: str) -> str:
    """The best way; of equals that of now, then the first."""
    return max(auroc, key=lambda name: (auroc[name], name == now))


def _held_out_gain(wins: Mapping[str, Scores], now: str) -> float:
    """The mean gain on parts held out of the way that is best on the others."""
    shape = wins[now].shape
    gains = []
    for good_out, bad_out in _folds(*shape):
        others = {name: float(table[~good_out][:, ~bad_out].mean()) for name, table in wins.items()}
        picked = _best(others, now)
        gains.append(float((wins[picked] - wins[now])[good_out][:, bad_out].mean()))
    return float(np.mean(gains))


def _folds(good: int, bad: int) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Which good and which bad parts are held out, each part as often; always the same draws."""
    generator = np.random.default_rng(0)
    for _ in range(REPEATS):
        places = [generator.permutation(count) % FOLDS for count in (good, bad)]
        for fold in range(FOLDS):
            yield places[0] == fold, places[1] == fold


def _error(difference: Scores) -> float:
    """The standard error of the mean of a table of differences, whose rows and columns are parts."""
    good, bad = difference.mean(axis=1), difference.mean(axis=0)
    if min(len(good), len(bad)) < 2:
        return math.inf
    return math.sqrt(float(good.var(ddof=1)) / len(good) + float(bad.var(ddof=1)) / len(bad))


def _reason(chosen: str, best: str, now: str, few: bool, good: int, bad: int) -> str:
    if few:
        return f"{good} good and {bad} bad parts are too few to choose by: {FEWEST} of each are needed"
    if best == now:
        return f"no other way ranks these {good} good and {bad} bad parts better"
    if chosen == now:
        return f"{best} ranks these {good} good and {bad} bad parts better, by no more than chance may do"
    return f"{best} ranks parts better that were held out when it was chosen"
