"""A histogram of scores, as plain SVG that fits light and dark pages. It decides nothing."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

import numpy as np

from assistant.language.wording import number

WIDTH, HEIGHT = 400, 170
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 34, 24
MOST_BARS = 32

FILLS = {"good": "#2a9d7f", "review": "#e3a21a", "defect": "#d6404c"}
"""Seen well on white and on black; any other kind is blue."""

BLUE = "#4a8fd9"


def draw_histogram(scores: Mapping[str, Sequence[float]], limits: Mapping[str, float]) -> str:
    """A histogram as SVG, "" where there is no score.

    `scores` by kind ("good", "review", "defect", or any other name), drawn on top of each other in this order.
    `limits` are lines across it, by their names. Names are escaped; numbers that are not finite are left out.
    """
    groups = {kind: [float(s) for s in some if math.isfinite(s)] for kind, some in scores.items()}
    every = [score for some in groups.values() for score in some]
    if not every:
        return ""
    low, high = _span([*every, *limits.values()])
    bars = int(min(MOST_BARS, max(12, 2 * math.sqrt(len(every)))))
    edges = np.linspace(low, high, bars + 1)
    counts = {kind: np.histogram(some, edges)[0] for kind, some in groups.items()}
    most = int(sum(counts.values()).max())  # type: ignore[union-attr]  # there is at least one kind
    said = f"Histogram of {len(every)} scores from {number(min(every))} to {number(max(every))}. "
    said += " ".join(f"{name.capitalize()} {number(value)}." for name, value in limits.items())
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(said)}" '
        f'style="width:100%;max-width:{WIDTH + 180}px;height:auto;display:block" font-size="12" '
        'font-family="system-ui,sans-serif" fill="currentColor">',
        *_bars(counts, edges, most),
        *_axes(low, high, most),
        *_lines(limits, low, high),
        "</svg>",
    ]
    return "".join(parts)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.03 * (high - low) or max(abs(high), 1e-6) / 2
    return low - room, high + room


def _x(value: float, low: float, high: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)


def _bars(counts: Mapping[str, np.ndarray], edges: np.ndarray, most: int) -> list[str]:
    low, high = float(edges[0]), float(edges[-1])
    unit = (HEIGHT - TOP - BOTTOM) / most
    base = np.zeros(len(edges) - 1)
    parts = []
    for kind, some in counts.items():
        for i, count in enumerate(some):
            if not count:
                continue
            x, wide = _x(edges[i], low, high), _x(edges[i + 1], low, high) - _x(edges[i], low, high)
            y = HEIGHT - BOTTOM - unit * (base[i] + count)
            name = f"{count} {kind}: {number(float(edges[i]))} to {number(float(edges[i + 1]))}"
            parts.append(
                f'<rect x="{x + 0.5:.1f}" y="{y:.1f}" width="{wide - 1:.1f}" height="{unit * count:.1f}" '
                f'fill="{FILLS.get(kind, BLUE)}"><title>{html.escape(name)}</title></rect>'
            )
        base = base + some
    return parts


def _axes(low: float, high: float, most: int) -> list[str]:
    floor, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    inside = (low + 0.03 / 1.06 * (high - low), high - 0.03 / 1.06 * (high - low))
    return [
        f'<line x1="{LEFT}" y1="{floor}" x2="{end}" y2="{floor}" stroke="currentColor" opacity="0.5"/>',
        f'<text x="{LEFT - 5}" y="{TOP + 9}" text-anchor="end" opacity="0.8">{most}</text>',
        f'<text x="{LEFT - 5}" y="{floor}" text-anchor="end" opacity="0.8">0</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 7}" opacity="0.8">{number(inside[0])}</text>',
        f'<text x="{end}" y="{HEIGHT - 7}" text-anchor="end" opacity="0.8">{number(inside[1])}</text>',
        f'<text x="{(LEFT + end) / 2}" y="{HEIGHT - 7}" text-anchor="middle" opacity="0.8">score</text>',
    ]


def _lines(limits: Mapping[str, float], low: float, high: float) -> list[str]:
    """The limits, their names in two rows, over all lines and on ground of their own, so that they can be read."""
    lines, names = [], []
    for row, (name, value) in enumerate(sorted(limits.items(), key=lambda pair: -pair[1])):
        x, y = _x(value, low, high), 12 + 15 * (row % 2)
        anchor, away = ("end", -4) if x > WIDTH - 120 else ("start", 4)
        lines.append(
            f'<line x1="{x:.1f}" y1="{y - 10}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="currentColor" '
            'stroke-width="1.5" stroke-dasharray="4 3"/>'
        )
        names.append(
            f'<text x="{x + away:.1f}" y="{y}" text-anchor="{anchor}" stroke="var(--body-background-fill)" '
            f'stroke-width="5" paint-order="stroke">{html.escape(name)} {number(value)}</text>'
        )
    return [*lines, *names]
