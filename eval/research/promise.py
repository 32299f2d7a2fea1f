"""Whether limits keep their promise on products that taught them nothing.

`python -m assistant.eval.research.promise` has two commands.

`measure FILE SPEC ...` draws references of every dataset, at random and as consecutive files, and scores its test
pictures against them; a run that was stopped goes on. `table FILE` fits the prior on all other products, for each,
and shows how often good parts are called defective (overkill), defects good (escape), and how many go to review.
Beside it stands the review that is left to the best limits of all, set on the very scores that they judge: what
lies above it is the price of not knowing them, and what is in it is left to the ranking.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from assistant.commands import console
from assistant.detection.calibration import Calibration
from assistant.detection.prior import Prior
from assistant.eval.datasets import open_datasets
from assistant.eval.draws import Draw, evenly, measure_draws, read_draws, write_draws
from assistant.eval.prior_fit import START, fit_prior, fit_registered, refit
from assistant.inspector import Inspector

PLAN = {1: 4, 2: 3, 4: 4, 10: 3, 20: 2, 50: 1}
MOST = 60
"""Pictures from which references are drawn, the first so many of a set."""

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Rates:
    """Shares in [0, 1]: good parts called defective, defects called good, parts of both kinds sent to review."""

    overkill: float
    escape: float
    review: float

    @classmethod
    def of(cls, draw: Draw, limits: Calibration) -> Rates:
        """How a draw's pictures are judged by limits."""
        good, bad = np.array(draw.good), np.array(draw.bad)
        both = np.concatenate([good, bad])
        between = (both > limits.review_threshold) & (both <= limits.threshold)
        escape = float(np.mean(bad <= limits.review_threshold)) if len(bad) else math.nan
        return cls(float(np.mean(good > limits.threshold)), escape, float(np.mean(between)))


def leave_out(draws: Sequence[Draw], target: float, plain: Prior = START) -> list[Calibration]:
    """For each draw, limits whose prior was fitted on all other products whose parts are registered as its are.

    `plain` is what products teach whose parts are not, for what is not fitted on those that are.
    """

    def fit(name: str, registered: bool) -> Prior:
        others = [draw for draw in draws if draw.product != name and draw.registered == registered]
        return fit_registered(others, plain) if registered else fit_prior(others)

    kinds = {(draw.product, draw.registered) for draw in draws}
    priors = {kind: fit(*kind) for kind in kinds}
    return [refit(draw.calibration, priors[draw.product, draw.registered], target) for draw in draws]


def summarise(draws: Sequence[Draw], limits: Sequence[Calibration]) -> dict[tuple[int, bool], dict[str, Rates]]:
    """By number of references and whether consecutive, then by product: the mean over draws."""
    rows: defaultdict[tuple[int, bool], defaultdict[str, list[Rates]]] = defaultdict(lambda: defaultdict(list))
    for draw, made in zip(draws, limits, strict=True):
        rows[draw.references, draw.consecutive][draw.product].append(Rates.of(draw, made))
    return {
        key: {name: _mean(found) for name, found in products.items()} for key, products in sorted(rows.items())
    }


def least_review(draw: Draw, target: float, escape: float) -> float:
    """The share that goes to review by limits set on the draw's own pictures, at these rates of both mistakes."""
    good, bad = np.array(draw.good), np.array(draw.bad)
    if not len(bad) or math.isnan(escape):
        return math.nan
    threshold = float(np.quantile(good, 1 - target, method="higher"))
    start = min(threshold, float(np.quantile(bad, escape, method="lower")))
    both = np.concatenate([good, bad])
    return float(np.mean((both > start) & (both <= threshold)))


@app.command()
def measure(file: Path, specs: list[str]) -> None:
    """Draw references of every dataset and score its test pictures against them."""
    inspector = Inspector.from_pretrained("pocket")
    draws = read_draws(file)
    for dataset in open_datasets(specs):
        if any(draw.product == dataset.name for draw in draws):
            continue
        good, bad = ([s.image for s in dataset.test if s.label == label] for label in (0, 1))
        pool = [s.image for s in dataset.train_good][:MOST]
        draws += measure_draws(inspector, dataset.name, pool, evenly(good), evenly(bad), PLAN)
        write_draws(file, draws)
        console.say(f"{dataset.name}: {sum(d.product == dataset.name for d in draws)} draws.")


@app.command()
def table(file: Path, target: Annotated[float, typer.Option(help="The rate asked for.")] = 0.05) -> None:
    """Leave-product-out limits on the draws of a file, and the limits that the draws were made with."""
    draws = read_draws(file)
    ways = {"as made": [d.calibration.at(target) for d in draws], "leave product out": leave_out(draws, target)}
    for name, limits in ways.items():
        shown = Table(title=f"{name}, target {100 * target:g} %", caption="percent; means over products")
        for column in ("references", "overkill", "worst product", "escape", "review", "least review"):
            shown.add_column(column, justify="right")
        for (n, consecutive), products in summarise(draws, limits).items():
            all_of = _mean([*products.values()])
            worst = max(rates.overkill for rates in products.values())
            how = "consecutive" if consecutive else "at random"
            least = _least(draws, n, consecutive, target, all_of.escape)
            numbers = (all_of.overkill, worst, all_of.escape, all_of.review, least)
            shown.add_row(f"{n} {how}", *(f"{100 * v:.1f}" for v in numbers))
        Console(width=100).print(shown)


def _least(draws: Sequence[Draw], n: int, consecutive: bool, target: float, escape: float) -> float:
    """`least_review` of a kind of draws: the mean over products of the mean over draws."""
    shares: defaultdict[str, list[float]] = defaultdict(list)
    for draw in draws:
        if (draw.references, draw.consecutive) == (n, consecutive):
            shares[draw.product].append(least_review(draw, target, escape))
    return mean(mean(row) for row in shares.values())


def _mean(rates: Sequence[Rates]) -> Rates:
    return Rates(*(mean(getattr(rate, name) for rate in rates) for name in ("overkill", "escape", "review")))


if __name__ == "__main__":
    app()
