"""How long until limits that have stopped fitting are noticed: `python -m assistant.eval.research.drift SPEC ...`.

Simulated streams of p-values show false alarms and new lots. A light that falls by 1 % a day is measured: a few
good pictures of a set are darkened step by step and scored by the detector, and a stream is drawn from their
scores. docs/drift.md has what came of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from assistant.detection.calibration import Calibration, calibrate, log_score
from assistant.detection.drift import MAY_BE_BAD, DriftTest
from assistant.eval.datasets import Dataset, open_datasets
from assistant.eval.draws import read_draws
from assistant.images.load import load_image
from assistant.inspector import Inspector

COUNTS = (4, 20, 60)
"""References behind the limits of simulated products."""

PRODUCTS = 20
PARTS = 5_000
"""Products and parts of each: 100,000 in all."""

MOVES = (1.0, 1.5, 2.0, 3.0)
"""How far a new lot scores higher, in standard deviations of good parts."""

DAYS = (0, 20, 40, 80, 120, 180, 240)
"""Days after which pictures are darkened and scored; those between lie on lines."""

FADES = 0.01
"""The share of its light that a lamp loses in a day."""

GAMMA = 2.2
SPREAD = 0.1

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """What came of one stream: the part that raised an alarm, None for none, and how many alarms there were."""

    part: int | None
    alarms: int


def follow(n: int, p_values: Iterable[float], stop: bool = False) -> Course:
    """The course of a stream by the limits of `n` good pictures, to its end or, with `stop`, to an alarm."""
    test, first = DriftTest(n), None
    for p in p_values:
        test.add(float(p))
        if test.alarm and first is None:
            first = test.alarm.part
            if stop:
                break
    return Course(first, test.alarms)


def p_values(calibration: Calibration, logs: Scores) -> list[float]:
    """The p-values of log-scores."""
    return [calibration.p_value(math.exp(score)) for score in logs]


def simulate(n: int, draw: np.random.Generator) -> Calibration:
    """The limits of a product whose good parts have normal log-scores around -1, from `n` of them."""
    return calibrate(np.exp(draw.normal(-1.0, SPREAD, n)).tolist())


def show_false_alarms(out: Console) -> None:
    """Streams that nothing disturbed, of one moment with the references or of another, and with bad parts."""
    table = Table("references", "parts as the references", "with 20 % bad from part 1,001 on", "of another moment")
    for n in COUNTS:
        cells = []
        for kind in range(3):
            draw = np.random.default_rng(kind)
            courses = []
            for _ in range(PRODUCTS):
                calibration = simulate(n, draw)
                moved = draw.normal(0, SPREAD * math.sqrt(calibration.between)) if kind == 2 else 0.0
                logs = draw.normal(-1.0 + moved, SPREAD, PARTS)
                if kind == 1:
                    logs[1000:][draw.random(PARTS - 1000) < MAY_BE_BAD] += 1.0
                courses.append(follow(n, p_values(calibration, logs)))
            products = sum(course.part is not None for course in courses)
            cells.append(f"{sum(course.alarms for course in courses)} in {products} of {PRODUCTS} products")
        table.add_row(str(n), *cells)
    out.print("Alarms in 100,000 parts:", table)


def show_lots(out: Console) -> None:
    """A new lot after 200 parts: how many of its parts pass until the alarm."""
    table = Table(
        "references", "moved by (sd)", "good called defect", "products with an alarm", "parts, median", "most"
    )
    for n in COUNTS:
        for move in MOVES:
            draw = np.random.default_rng(7)
            courses, rates = [], []
            for _ in range(PRODUCTS):
                calibration = simulate(n, draw)
                new = draw.normal(-1.0 + move * SPREAD, SPREAD, 1000)
                rates.append(np.mean([calibration.verdict(math.exp(score)) == "defect" for score in new]))
                stream = np.concatenate([draw.normal(-1.0, SPREAD, 200), new])
                courses.append(follow(n, p_values(calibration, stream), stop=True))
            after = [course.part - 200 for course in courses if course.part]
            times = (f"{np.median(after):.0f}", str(max(after))) if after else ("-", "-")
            table.add_row(
                str(n), f"{move:g}", f"{100 * np.mean(rates):.0f} %", f"{len(after)} of {PRODUCTS}", *times
            )
    out.print("A new lot, within its first 1,000 parts:", table)


def darken(pixels: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """A picture [h, w, 3] as it were with that share of its light, by a camera that sets nothing by itself."""
    return np.rint(pixels * share ** (1 / GAMMA)).astype(np.uint8)


def measure_fading(inspector: Inspector, dataset: Dataset, n: int, pictures: int) -> tuple[Calibration, Scores]:
    """The limits of the first `n` good pictures, and log-scores [pictures, days] of others whose light falls."""
    first = [sample.image for sample in dataset.train_good[: n + pictures]]
    product = inspector.learn("fading", first[:n])
    loaded = [load_image(path).pixels for path in first[n:]]
    rows = [
        [
            log_score(row.score)
            for row in inspector.inspect([darken(one, (1 - FADES) ** day) for day in DAYS], product)
        ]
        for one in loaded
    ]
    return product.calibration, np.array(rows)


def show_fading(
    out: Console,
    inspector: Inspector,
    datasets: Sequence[Dataset],
    shots: Sequence[int],
    pictures: int,
    parts: int,
) -> None:
    """Light that falls by 1 % a day: the day of the alarm, and how many good parts are called defects then."""
    kinds = ("before", "on that day", f"after {DAYS[-1]} days")
    table = Table("set", "references", "alarm on day", "light", *(f"good called defect {kind}" for kind in kinds))
    table.add_column("moved by (sd)")
    for dataset in datasets:
        for n in shots:
            calibration, measured = measure_fading(inspector, dataset, n, pictures)
            draw = np.random.default_rng(11)
            days = np.arange(DAYS[-1] + 1)
            courses = np.array([np.interp(days, DAYS, row) for row in measured])
            spread = float(measured[:, 0].std(ddof=1))
            chosen = draw.integers(len(courses), size=(len(days), parts))
            logs = courses[chosen, days[:, None]] + draw.normal(0, spread / 3, chosen.shape)
            rates = [np.mean([calibration.verdict(math.exp(s)) == "defect" for s in row]) for row in logs]
            found = follow(calibration.n, p_values(calibration, logs.ravel()), stop=True).part
            day = (found - 1) // parts if found else None
            when = ("none", "-") if day is None else (str(day), f"{(1 - FADES) ** day:.0%}")
            then = "-" if day is None else f"{rates[day]:.0%}"
            moved = (measured[:, -1] - measured[:, 0]).mean() / spread
            table.add_row(
                dataset.name, str(n), *when, f"{rates[0]:.0%}", then, f"{rates[-1]:.0%}", f"{moved:+.1f}"
            )
    out.print(f"Light that falls by {FADES:.0%} a day, {parts} parts a day:", table)


def show_draws(out: Console, file: Path) -> None:
    """Draws of real references: good parts that came later, drawn again and again as a stream of 1,000."""
    table = Table("references", "drawn", "good called defect", "draws", "with an alarm in 1,000 parts")
    groups: dict[tuple[int, bool, int], list[bool]] = {}
    bounds = (0.05, 0.15, 0.3, 1.0)
    for number, one in enumerate(read_draws(file)):
        logs = np.random.default_rng(number).choice([log_score(score) for score in one.good], 1000)
        rate = np.mean([one.calibration.verdict(score) == "defect" for score in one.good])
        bound = next(i for i, most in enumerate(bounds) if rate <= most)
        alarm = follow(one.calibration.n, p_values(one.calibration, logs), stop=True).part is not None
        groups.setdefault((one.references, one.consecutive, bound), []).append(alarm)
    for (n, consecutive, bound), alarms in sorted(groups.items()):
        drawn = "one after the other" if consecutive else "at random"
        table.add_row(str(n), drawn, f"up to {bounds[bound]:.0%}", str(len(alarms)), f"{np.mean(alarms):.0%}")
    out.print("Limits on real sets, and later good parts:", table)


def main(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="As for `looktwice eval`; none: simulations alone.")
    ] = None,
    shots: Annotated[list[int] | None, typer.Option(help="References: --shots 4 --shots 20.")] = None,
    pictures: Annotated[int, typer.Option(min=2, help="Good pictures of each set that are darkened.")] = 10,
    parts: Annotated[int, typer.Option(min=1, help="Parts a day.")] = 200,
    draws: Annotated[Path | None, typer.Option(help="A file of draws, see `assistant.eval.draws`.")] = None,
    simulated: Annotated[bool, typer.Option(help="Show the simulations.")] = True,
    bundle: str = "pocket",
) -> None:
    """Print false alarms, and the time to an alarm for a new lot and for light that falls."""
    out = Console(width=130)
    if simulated:
        show_false_alarms(out)
        show_lots(out)
    if draws:
        show_draws(out, draws)
    if datasets:
        inspector = Inspector.from_pretrained(bundle)
        show_fading(out, inspector, open_datasets(datasets), shots or (4, 20), pictures, parts)


if __name__ == "__main__":
    typer.run(main)
