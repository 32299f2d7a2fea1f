"""Whether limits from unlabelled parts hold while some are bad: `python -m assistant.eval.research.production`.

In simulation, where the truth is known, and on sets that are named: a product is learned from four good pictures,
limits are worked out from other ones, some of them defective, and judged on the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from assistant.commands import console
from assistant.detection.calibration import Calibration
from assistant.detection.production_limits import calibrate_production
from assistant.eval.datasets import Dataset, open_datasets
from assistant.inspector import Inspector

SHARES = (0.0, 0.05, 0.1, 0.2)
"""Of the unlabelled parts so many are defective."""

REFERENCES = 4
MOST = 24
"""Good pictures, and as many defective ones, that are looked at in a set."""

DRAWS = 5
"""Draws of unlabelled parts from those pictures."""

WIDTH = 0.12
"""Standard deviation of the log-scores of good parts in simulation; defects lie 0 to 10 of them above."""

Values = NDArray[np.float64]
Rates = tuple[float, float, float]


def rates(limits: Calibration, good: Values, bad: Values) -> Rates:
    """The shares of good parts called defective, of bad ones called good, and of good ones that go to a person."""
    over = float(np.mean(good > limits.threshold))
    return (
        over,
        float(np.mean(bad <= limits.review_threshold)),
        float(np.mean(good > limits.review_threshold)) - over,
    )


def simulate(share: float, count: int, random: np.random.Generator) -> Rates:
    """The rates of limits from so many parts, in the mean of 50 products whose truth is known."""

    def draw(good: int, bad: int) -> tuple[Values, Values]:
        return np.exp(random.normal(-1.6, WIDTH, good)), np.exp(-1.6 + WIDTH * random.gamma(2.0, 2.0, bad))

    found = []
    for _ in range(50):
        mixed = np.concatenate(draw(count - round(share * count), round(share * count)))
        found.append(rates(calibrate_production(mixed.tolist()), *draw(2000, 2000)))
    over, missed, review = np.mean(found, axis=0)
    return float(over), float(missed), float(review)


def measure(dataset: Dataset, inspector: Inspector) -> Iterator[tuple[str, Rates]]:
    """What limits do on a set: those of the references, and those of parts of which some are defective."""
    random = np.random.default_rng(0)
    pool = [dataset.train_good[i] for i in random.permutation(len(dataset.train_good))]
    product = inspector.learn("product", [one.image for one in pool[:REFERENCES]])
    prior = inspector.teacher.prior()

    def score(samples: Sequence[object]) -> Values:
        chosen = [samples[i] for i in random.permutation(len(samples))[:MOST]]
        return np.array([one.score for one in inspector.inspect([s.image for s in chosen], product)])  # type: ignore[attr-defined]

    good = np.concatenate([score(pool[REFERENCES:]), score([s for s in dataset.test if s.label == 0])])
    bad = score([s for s in dataset.test if s.label == 1])
    found: dict[str, list[Rates]] = {}
    for _ in range(DRAWS):
        good, bad = random.permutation(good), random.permutation(bad)
        unlabelled, half = 2 * len(good) // 3, len(bad) // 2
        found.setdefault("references", []).append(rates(product.calibration, good[unlabelled:], bad[half:]))
        for share in SHARES:
            count = min(half, round(unlabelled * share / (1 - share)))
            mixed = [*good[:unlabelled], *bad[:count]]
            limits = calibrate_production(mixed, prior=prior)
            found.setdefault(f"{share:.0%} defective", []).append(rates(limits, good[unlabelled:], bad[half:]))
    for name, rows in found.items():
        over, missed, review = np.mean(rows, axis=0)
        yield name, (float(over), float(missed), float(review))


def main(specs: Annotated[list[str] | None, typer.Argument(help="Sets, as for `looktwice eval`.")] = None) -> None:
    """Print, in percent, good called defective, bad called good, and good sent to a person."""
    table = Table("parts", "limits from", "overkill", "escape", "review")
    for count in (40, 200):
        for share in SHARES:
            row = simulate(share, count, np.random.default_rng(count))
            table.add_row(f"simulated, {count}", f"{share:.0%} defective", *(f"{100 * v:.1f}" for v in row))
    for dataset in open_datasets(specs or []):
        console.say(f"Measuring {dataset.name}.")
        for name, row in measure(dataset, Inspector.from_pretrained("pocket")):
            table.add_row(dataset.name, name, *(f"{100 * v:.1f}" for v in row))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
