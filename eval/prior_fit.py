"""What draws of several products teach about few references: the prior of `assistant.detection.prior`.

A curve is fitted to how good pictures score that come after a draw (maximum likelihood, every product worth the
same), then widened until good pictures that come after consecutive references exceed the limit as often as is
asked for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln

from assistant.detection.calibration import Calibration, calibrate
from assistant.detection.prior import Prior
from assistant.eval.draws import Draw

START = Prior()
"""Where the fit begins, and what it is drawn to where products say little."""

PULL = 0.01
"""How strongly, in log-likelihood for each squared unit of a parameter."""

TARGET = 0.05
"""The rate for which curves are widened."""

WIDEST = 4.0

SLOPE = 0.15
"""How strongly `pull` is drawn to where the fit begins, in squared log-scores by which products' views differ."""

Numbers = NDArray[np.float64]


def fit_prior(draws: Sequence[Draw], start: Prior = START) -> Prior:
    """The prior that draws of several products teach; what they say nothing about stays as in `start`.

    References that are nearly one picture count as one.
    """
    prior = start
    if several := [draw for draw in draws if draw.calibration.n > 1 and draw.good]:
        prior = _fit_fall(prior, several)
        prior = _fit_spread(prior, several)
        prior = _fit_between(prior, several)
    if alone := [draw for draw in draws if draw.calibration.n == 1 and draw.good]:
        prior = _fit_alone(prior, alone)
    return prior


def fit_registered(draws: Sequence[Draw], plain: Prior) -> Prior:
    """What draws of products teach whose parts are brought to one pose; a single reference stays as in `plain`.

    What changed views of one show of others differs too much between such products; several references that are
    nearly one picture count as one here too.
    """
    return fit_prior([draw for draw in draws if draw.calibration.n > 1], plain.of(False))


def refit(made: Calibration, prior: Prior, target: float | None = None) -> Calibration:
    """The same scores of references, their limits by another prior."""
    views = [made.views] if made.views else []
    return calibrate(made.scores, views, thinned=made.thinned, target=target or made.target, prior=prior)


def false_alarms(draws: Sequence[Draw], prior: Prior, target: float = TARGET) -> dict[str, float]:
    """For each product, the share of good pictures beyond the threshold, the mean over its draws."""
    return _by_product(
        draws, lambda draw: float(np.mean(_good(draw) > refit(draw.calibration, prior, target).threshold))
    )


def _fit_fall(prior: Prior, draws: Sequence[Draw]) -> Prior:
    two = [draw for draw in draws if draw.calibration.n == 2 and not draw.consecutive]
    if not two:
        return prior
    level = replace(prior, fall=0.0)
    changes = _by_product(two, lambda d: float(np.log(_good(d)).mean()) - refit(d.calibration, level).center)
    return replace(prior, fall=_short(max(0.0, -float(np.mean([*changes.values()])))))


def _fit_spread(prior: Prior, draws: Sequence[Draw]) -> Prior:
    """`spread`, `weight` and `freedom`, by likelihood, moments and all that one moment shows together."""
    weights = _weights(draws)
    centers = np.array([refit(draw.calibration, prior).center for draw in draws])
    counts = np.array([len(draw.calibration.scores) for draw in draws], float)
    told = np.maximum(counts - 2, 0)
    spreads = [
        np.var(np.log(draw.calibration.scores), ddof=1) if t else 0.0 for draw, t in zip(draws, told, strict=True)
    ]
    size = max(len(draw.good) for draw in draws)
    logs = np.array([np.pad(np.log(_good(d)), (0, size - len(d.good)), constant_values=np.nan) for d in draws])
    start = np.log([prior.spread, prior.weight, prior.freedom])

    def loss(point: Numbers) -> float:
        spread, weight, freedom = np.exp(point)
        variance = (weight * spread**2 + told * np.array(spreads)) / (weight + told)
        width = np.sqrt(variance * (1 + 1 / counts))[:, None]
        each = np.nanmean(_log_t((logs - centers[:, None]) / width, freedom) - np.log(width), axis=1)
        return float(-(weights * each).sum() + PULL * ((point - start) ** 2).sum())

    found = np.exp(minimize(loss, start, method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-3}).x)
    spread, weight, freedom = map(_short, found)
    return replace(prior, spread=spread, weight=weight, freedom=freedom)


def _fit_between(prior: Prior, draws: Sequence[Draw]) -> Prior:
    """The smallest `between` by which good pictures after consecutive references keep the rate."""
    following = [draw for draw in draws if draw.consecutive]
    if not following:
        return prior
    steps = (replace(prior, between=float(step)) for step in np.round(np.arange(0.0, WIDEST, 0.1), 1))
    return next((wider for wider in steps if _keeps(following, wider)), replace(prior, between=WIDEST))


def _keeps(draws: Sequence[Draw], prior: Prior) -> bool:
    """Whether good pictures keep the rate, in the mean over products."""
    return float(np.mean([*false_alarms(draws, prior).values()])) <= TARGET


def _fit_alone(prior: Prior, draws: Sequence[Draw]) -> Prior:
    """`gap`, `gap_spread`, `pull` and `usual`: a line through products from their views to other good parts."""
    rows = defaultdict(list)
    for draw in draws:
        rows[draw.product].append((float(np.log(draw.calibration.views).mean()), np.log(_good(draw))))
    views = np.array([np.mean([view for view, _ in row]) for row in rows.values()])
    good = np.array([np.mean([logs.mean() for _, logs in row]) for row in rows.values()])
    within = float(np.mean([logs.var() for row in rows.values() for _, logs in row]))
    usual = float(views.mean())
    apart = views - usual
    slope = float(((good * apart).sum() + SLOPE * prior.pull) / ((apart**2).sum() + SLOPE))
    pull, gap = float(np.clip(slope, 0, 1)), float((good - views).mean())
    around = good - (usual + pull * apart + gap)
    between = float((around**2).sum() / max(1, len(rows) - 1))
    gap, spread, pull, usual = map(_short, (gap, math.sqrt(between + within), pull, usual))
    prior = replace(prior, gap=gap, pull=pull, usual=usual)
    steps = (replace(prior, gap_spread=_short(spread * step)) for step in np.arange(1.0, 3.0, 0.1))
    return next((wider for wider in steps if _keeps(draws, wider)), replace(prior, gap_spread=_short(3 * spread)))


def _good(draw: Draw) -> Numbers:
    return np.maximum(np.array(draw.good, float), 1e-9)


def _weights(draws: Sequence[Draw]) -> Numbers:
    counts: defaultdict[str, int] = defaultdict(int)
    for draw in draws:
        counts[draw.product] += 1
    return np.array([1 / counts[draw.product] for draw in draws])


def _by_product(draws: Sequence[Draw], value: Callable[[Draw], float]) -> dict[str, float]:
    """For each product, the mean of a value over its draws."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for draw in draws:
        values[draw.product].append(value(draw))
    return {product: float(np.mean(row)) for product, row in values.items()}


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _log_t(z: Numbers, freedom: float) -> Numbers:
    """The logarithm of the density of a Student t."""
    shape = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    return np.asarray(shape - (freedom + 1) / 2 * np.log1p(z * z / freedom))
