"""Whether one product or bundle is better than another on the same pictures: a paired bootstrap.

Pictures are drawn anew, good and defective ones each among themselves, the same draw for both sides, so that what
is hard in a picture is hard for both (Efron and Tibshirani 1993). The difference is the second less the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.eval.metrics import image_auroc, verdict_rates

DRAWS = 10_000
AT_ONCE = 250
"""Draws that are worked out together."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """What one product or bundle says of pictures: scores [N] and verdicts, in the order of the labels."""

    scores: Sequence[float]
    verdicts: Sequence[str]


@dataclass(frozen=True)
class Difference:
    """A figure of both sides, their difference with an interval, and how likely as large a one is by chance.

    `p` is two-sided, and no smaller than the number of draws can tell. All NaN where the figure cannot be told.
    """

    figure: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


def compare(
    labels: Sequence[int],
    first: Side,
    second: Side,
    *,
    draws: int = DRAWS,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """The differences of image AUROC, overkill, escape and review between two sides over the same N pictures.

    `labels` are 1 for a defect and 0 for good. Overkill, escape and review are those of the verdicts; they are NaN
    where a side is unrated. ValueError where the numbers of pictures differ, or a class is absent.
    """
    truth = np.asarray(labels)
    if not len(truth) == len(first.scores) == len(second.scores) == len(first.verdicts) == len(second.verdicts):
        raise ValueError("both sides have to be about the same pictures")
    if not {0, 1} <= set(truth.tolist()):
        raise ValueError("a comparison needs good and defective pictures")
    sides = [_prepare(truth, side) for side in (first, second)]
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[Floats]] = {name: [] for name in FIGURES}
    for start in range(0, draws, AT_ONCE):
        weights = _draw(truth, min(AT_ONCE, draws - start), generator)
        one, other = (_figures(truth, side, weights) for side in sides)
        for name in FIGURES:
            drawn[name].append(other[name] - one[name])
    once = np.ones((1, truth.size))
    values = [{name: float(v[0]) for name, v in _figures(truth, side, once).items()} for side in sides]
    tail = (1 - confidence) / 2
    return tuple(
        _difference(name, values[0][name], values[1][name], np.concatenate(drawn[name]), tail) for name in FIGURES
    )


FIGURES = ("image AUROC", "overkill", "escape", "review")


def _difference(name: str, first: float, second: float, drawn: Floats, tail: float) -> Difference:
    if not np.isfinite(second - first):
        return Difference(name, first, second, *[float("nan")] * 4)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    # A draw that shows no difference counts for both sides; so does the one that was measured.
    rest = (1 + min(int(np.sum(drawn <= 0)), int(np.sum(drawn >= 0)))) / (drawn.size + 1)
    return Difference(name, first, second, second - first, float(low), float(high), min(1.0, 2 * rest))


@dataclass(frozen=True)
class _Prepared:
    ranks: NDArray[np.intp]  # [N]: the place of each score among the distinct ones
    wrong: dict[str, Floats]  # [N]: 1 where a verdict counts for a figure


def _prepare(truth: NDArray[np.int_], side: Side) -> _Prepared:
    verdicts = np.asarray(side.verdicts, dtype=object)
    verdict_rates(truth, side.verdicts)  # says which word is no verdict
    image_auroc(truth, side.scores)
    unrated = np.where(verdicts == "unrated", np.nan, 0.0)
    wrong = {
        "overkill": unrated + (verdicts == "defect"),
        "escape": unrated + (verdicts == "good"),
        "review": unrated + (verdicts == "review"),
    }
    return _Prepared(np.unique(np.asarray(side.scores), return_inverse=True)[1], wrong)


def _draw(truth: NDArray[np.int_], draws: int, generator: np.random.Generator) -> Floats:
    """How often each picture is drawn [draws, N], as many of each class as there are."""
    weights = np.zeros((draws, truth.size))
    for label in (0, 1):
        places = np.flatnonzero(truth == label)
        weights[:, places] = generator.multinomial(places.size, np.full(places.size, 1 / places.size), draws)
    return weights


def _figures(truth: NDArray[np.int_], side: _Prepared, weights: Floats) -> dict[str, Floats]:
    """Each figure [draws] of weighted pictures [draws, N]."""
    good, bad = weights[:, truth == 0], weights[:, truth == 1]
    size = int(side.ranks.max()) + 1
    at = [np.zeros((len(weights), size)) for _ in range(2)]
    for sums, label, some in zip(at, (0, 1), (good, bad), strict=True):
        np.add.at(sums.T, side.ranks[truth == label], some.T)
    below = np.cumsum(at[0], axis=1) - at[0] / 2
    total = good.sum(axis=1) * bad.sum(axis=1)
    return {
        "image AUROC": (at[1] * below).sum(axis=1) / total,
        "overkill": good @ side.wrong["overkill"][truth == 0] / good.sum(axis=1),
        "escape": bad @ side.wrong["escape"][truth == 1] / bad.sum(axis=1),
        "review": weights @ side.wrong["review"] / weights.sum(axis=1),
    }
