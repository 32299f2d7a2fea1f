"""What so many good parts promise, as in docs/good-parts.md: `python -m assistant.eval.research.good_parts`.

A limit at the highest of n scores of good parts is exceeded by a share of later ones. It is 1 / (n + 1) on average
and, with 90 % confidence, at most the upper quantile of Beta(1, n), where references are made and photographed as
later parts are. Where all come from one moment, later parts differ by what other moments add, too: that is
simulated, with normal log-scores and the variance that a prior holds for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.stats import norm

from assistant.detection.counting import CONFIDENCE, parts_needed, percent, upper_rate
from assistant.detection.prior import Prior
from assistant.eval.research.house import HERE

SHOWN = (4, 10, 19, 45, 59)
"""Numbers of good parts in the table."""

DRAWS = 20_000
MOST = 200  # good parts on the axis
TARGET = 0.05
LEFT, TOP, WIDE, TALL, HIGHEST = 50, 76, 410, 260, 0.7  # of the plot: pixels, and the share at its upper edge
INK, SOFT, LINE, PAPER = "#1c2127", "#5b6570", "#d5dae0", "#ffffff"
DAYS, SURE, BURST = "#0b6e4f", "#1f5fae", "#b3401f"
LEGEND = (
    ("dashed: from one moment, at most", BURST),
    ("from several days, at most", SURE),
    ("from several days, on average", DAYS),
)


def mean_rate(n: int) -> float:
    """The share of later good parts above the highest of n that come from as many moments, on average."""
    return 1 / (n + 1)


def burst_rate(n: int, between: float = Prior().between, seed: int = 0) -> float:
    """The share of good parts of a later moment above the highest of n of one moment, at most, in 9 of 10 cases.

    `between`: the variance that other moments add, as a multiple of that within one.
    """
    rng = np.random.default_rng(seed)
    highest = norm.ppf(rng.random(DRAWS) ** (1 / n))
    moments = rng.normal(0, math.sqrt(between), DRAWS)
    return float(np.quantile(norm.sf(highest - moments), CONFIDENCE))


def tabulate(numbers: Sequence[int] = SHOWN) -> str:
    """The rates for some numbers of good parts, as a Markdown table."""
    lines = [
        "| good parts | from several days, on average | at most, 90 % sure | from one moment, at most |",
        "|--:|--:|--:|--:|",
    ]
    for n in numbers:
        rates = (mean_rate(n), upper_rate(n, 0), burst_rate(n))
        lines.append(f"| {n} | {' | '.join(map(percent, rates))} |")
    return "\n".join(lines)


def draw() -> str:
    """The same as a picture, SVG: three curves over the number of good parts, and where 5 % is promised."""
    needed = parts_needed(TARGET)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 400" font-family="sans-serif" font-size="15" '
        f'fill="{INK}"><title>Good parts that a limit turns away, by the number of references</title>',
        f'<rect width="480" height="400" fill="{PAPER}"/>',
        '<text x="12" y="26" font-size="17" font-weight="bold">Good parts turned away by a limit</text>',
        '<text x="12" y="47" font-size="17" font-weight="bold">at the highest score of n references</text>',
    ]
    for share in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
        y = _y(share)
        parts.append(f'<path d="M{LEFT} {y:.1f}h{WIDE}" stroke="{LINE}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 5:.1f}" text-anchor="end">{100 * share:.0f} %</text>')
    for n in (1, 2, 4, 10, 20, needed, 100, MOST):
        weight = ' font-weight="bold"' if n == needed else ""
        parts.append(f'<text x="{_x(n):.1f}" y="{TOP + TALL + 20}" text-anchor="middle"{weight}>{n}</text>')
    parts.append(f'<text x="{LEFT + WIDE / 2}" y="{TOP + TALL + 46}" text-anchor="middle">good parts</text>')
    x, y = _x(needed), _y(TARGET)
    parts.append(
        f'<path d="M{LEFT} {y:.1f}H{x:.1f}V{TOP + TALL}" fill="none" stroke="{SOFT}" stroke-dasharray="4 4"/>'
    )
    parts += [_curve(burst_rate, BURST, "8 4"), _curve(lambda n: upper_rate(n, 0), SURE), _curve(mean_rate, DAYS)]
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{SURE}"/>')
    for row, (words, ink) in enumerate(LEGEND):
        place = f'x="{LEFT + WIDE}" y="{TOP + 18 + 22 * row}" text-anchor="end"'
        parts.append(f'<text {place} fill="{ink}">{words}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _x(n: float) -> float:
    return LEFT + WIDE * math.log(n) / math.log(MOST)


def _y(share: float) -> float:
    return TOP + TALL * (1 - share / HIGHEST)


def _curve(rate: Callable[[int], float], ink: str, dashes: str = "none") -> str:
    numbers = sorted({round(v) for v in np.geomspace(1, MOST, 60)})
    points = [(_x(n), _y(rate(n))) for n in numbers if rate(n) <= HIGHEST]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="3" stroke-dasharray="{dashes}"/>'


def main(
    out: Annotated[Path, typer.Argument(help="The SVG file to write.")] = HERE / "docs" / "good-parts.svg",
) -> None:
    """Draw the picture of docs/good-parts.md, and print its table."""
    out.write_text(draw(), encoding="utf-8")
    print(tabulate())


if __name__ == "__main__":
    typer.run(main)
