"""The table of limits and their promise: shares by hand, and a prior that never saw the product it judges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from assistant.detection.calibration import calibrate
from assistant.eval.draws import Draw, write_draws
from assistant.eval.prior_fit import fit_prior, refit
from assistant.eval.research.promise import Rates, app, least_review, leave_out, summarise


def draw(product: str, spread: float, seed: int, consecutive: bool = False) -> Draw:
    rng = np.random.default_rng(seed)
    made = calibrate(np.exp(-1 + spread * rng.normal(size=4)).tolist())
    good, bad = np.exp(-1 + spread * rng.normal(size=30)), np.exp(-0.5 + spread * rng.normal(size=20))
    return Draw(product, 4, consecutive, seed, made, tuple(good.tolist()), tuple(bad.tolist()))


def test_shares_are_those_of_verdicts() -> None:
    one = draw("a", 0.1, 1)
    limits = one.calibration
    verdicts = [[limits.verdict(score) for score in scores] for scores in (one.good, one.bad)]
    rates = Rates.of(one, limits)
    assert rates.overkill == pytest.approx(verdicts[0].count("defect") / 30)
    assert rates.escape == pytest.approx(verdicts[1].count("good") / 20)
    assert rates.review == pytest.approx((verdicts[0] + verdicts[1]).count("review") / 50)


def test_the_least_review_is_what_lies_between_limits_that_know_the_scores() -> None:
    apart = replace(draw("a", 0.1, 1), good=tuple(range(20)), bad=tuple(range(30, 50)))
    assert least_review(apart, 0.05, 0.0) == 0
    mixed = replace(apart, bad=tuple(range(10, 30)))
    # Above 19 nothing good is called defective; below 10 no defect is called good: 10 to 19 of each remain.
    assert least_review(mixed, 0.0, 0.0) == pytest.approx((9 + 9) / 40)
    assert least_review(mixed, 0.0, 0.3) < least_review(mixed, 0.0, 0.0)
    assert least_review(mixed, 0.2, 0.0) < least_review(mixed, 0.0, 0.0)


def test_the_prior_never_saw_the_product() -> None:
    draws = [draw(name, spread, i) for i, (name, spread) in enumerate((("a", 0.02), ("b", 0.02), ("c", 0.4)))]
    limits = leave_out(draws, 0.05)
    assert limits[2] == refit(draws[2].calibration, fit_prior(draws[:2]), 0.05)
    assert limits[2] != refit(draws[2].calibration, fit_prior(draws), 0.05)


def test_products_count_alike_however_many_draws_they_have() -> None:
    draws = [draw("a", 0.1, 1), draw("a", 0.1, 2), draw("b", 0.1, 3), draw("b", 0.1, 4, consecutive=True)]
    rows = summarise(draws, [d.calibration for d in draws])
    assert {key: [*products] for key, products in rows.items()} == {(4, False): ["a", "b"], (4, True): ["b"]}
    apart = [Rates.of(d, d.calibration).escape for d in draws]
    assert rows[4, False]["a"].escape == pytest.approx(np.mean(apart[:2]))


def test_the_table_is_printed(tmp_path) -> None:
    write_draws(
        tmp_path / "d.json", [draw(n, 0.1, i) for i, n in enumerate("ab")] + [replace(draw("a", 0.1, 5), bad=())]
    )
    told = CliRunner().invoke(app, ["table", str(tmp_path / "d.json")])
    assert told.exit_code == 0, told.output
    assert "leave product out" in told.output and "4 at random" in told.output
