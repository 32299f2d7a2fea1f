"""The prior that draws teach is the one that they were drawn from, and it keeps the rate for the next product."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from assistant.detection.calibration import calibrate
from assistant.detection.prior import Prior
from assistant.eval.draws import Draw
from assistant.eval.prior_fit import START, TARGET, false_alarms, fit_prior, refit


def simulate(products: int, between: float, seed: int = 0, spread: float = 0.08, counts=(2, 4, 10)) -> list[Draw]:
    """Draws of products whose parts differ within a moment and, `between` times that variance, between moments."""
    rng = np.random.default_rng(seed)
    draws = []
    for product in range(products):
        own = spread * math.exp(0.3 * rng.normal())
        for n in counts:
            for consecutive in (False, True):
                moment = own * math.sqrt(between) * rng.normal() if consecutive else 0.0
                references = np.exp(-1 + moment + own * rng.normal(size=n))
                good = np.exp(-1 + own * rng.normal(size=30))
                made = calibrate(references.tolist())
                draws.append(Draw(str(product), n, consecutive, 0, made, tuple(good.tolist())))
    return draws


def alone(level: float, gap: float, product: str) -> Draw:
    rng = np.random.default_rng(round(1000 * level) % 97)
    made = calibrate([], [np.exp(level + 0.01 * rng.normal(size=4)).tolist()])
    return Draw(product, 1, False, 0, made, tuple(np.exp(level + gap + 0.05 * rng.normal(size=40)).tolist()))


def test_the_spread_is_that_of_the_products() -> None:
    prior = fit_prior(simulate(40, 0.0))
    assert prior.spread == pytest.approx(0.08, rel=0.25)
    assert prior.between <= 0.3
    assert fit_prior(simulate(40, 0.0, spread=0.2)).spread > 1.8 * prior.spread


def test_products_that_differ_between_moments_make_limits_wider() -> None:
    calm, restless = (fit_prior(simulate(25, between)) for between in (0.0, 3.0))
    assert restless.between > calm.between
    following = [draw for draw in simulate(60, 3.0, seed=9) if draw.consecutive]
    kept = np.mean([*false_alarms(following, restless).values()])
    assert kept <= 1.5 * TARGET < np.mean([*false_alarms(following, replace(restless, between=0.0)).values()])


def test_the_line_from_views_to_other_parts() -> None:
    prior = fit_prior([alone(level, 0.3, str(level)) for level in (-2.0, -1.5, -1.0, -0.5)])
    assert prior.gap == pytest.approx(0.3, abs=0.03) and prior.usual == pytest.approx(-1.25, abs=0.02)
    assert prior.pull > 0.9, "good parts lie as far above their views whatever these score"
    level = fit_prior([alone(level, -0.5 - level, str(level)) for level in (-2.0, -1.5, -1.0, -0.5)])
    assert level.pull < 0.1, "good parts score the same whatever their views score"
    assert level.gap_spread < 0.3


def test_two_references_are_told_by_how_much_a_third_is_below() -> None:
    rng = np.random.default_rng(2)
    draws = [
        Draw(
            str(i),
            2,
            False,
            0,
            calibrate([0.4, 0.4]),
            tuple(np.exp(math.log(0.4) - 0.12 + 0.02 * rng.normal(size=20))),
        )
        for i in range(5)
    ]
    assert fit_prior(draws).fall == pytest.approx(0.12, abs=0.01)
    higher = [replace(d, good=tuple(2 * g for g in d.good)) for d in draws]
    assert fit_prior(higher).fall == 0, "it is a fall and no rise"


def test_what_draws_say_nothing_about_stays() -> None:
    assert fit_prior([]) == START
    one = fit_prior([alone(-1.0, 0.2, "a")])
    assert (one.spread, one.between, one.fall) == (START.spread, START.between, START.fall)
    assert one.pull == pytest.approx(START.pull), "one product shows no line"


def test_refitting_changes_limits_and_keeps_scores() -> None:
    made = calibrate([0.2, 0.22, 0.24], thinned=[0.3, 0.31, 0.3])
    wide = refit(made, Prior(spread=0.5, weight=20.0))
    assert (wide.scores, wide.thinned) == (made.scores, made.thinned) and wide.threshold > made.threshold
    assert refit(made, Prior()) == made and refit(made, Prior(), 0.01) == made.at(0.01)
    single = calibrate([], [[0.1, 0.12]])
    assert refit(single, Prior()) == single


def test_near_copies_among_references_count_as_one() -> None:
    draws = simulate(12, 0.0)
    copies = [replace(alone(-1.0, 0.2, str(i)), references=2, consecutive=True) for i in range(3)]
    prior = fit_prior([*draws, *copies])
    assert (prior.spread, prior.weight) == (fit_prior(draws).spread, fit_prior(draws).weight)
    assert prior.gap == pytest.approx(0.2, abs=0.03)
