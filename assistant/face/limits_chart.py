"""The scores of a product's good pictures as a chart, with the two limits as lines. It draws, and decides nothing.

Positions are shares of the width, so that words keep their size on any screen. The axis is given, so that it
stays where it is while the limits move.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assistant.language.wording import count, number

FEWEST_IN_BARS = 8
"""Fewer scores are shown one by one."""

_BASE, _TALLEST = 132, 78  # where bars stand and how high they grow, in pixels


@dataclass(frozen=True)
class Axis:
    """From which score to which the chart runs."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float]) -> Axis:
        """An axis that shows all of these, with some air at the ends."""
        low, high = min(values), max(values)
        air = 0.05 * ((high - low) or abs(high) or 1.0)
        return cls(max(0.0, low - air), high + air)

    def at(self, value: float) -> float:
        """Where a score lies, in per cent of the width; those beyond the ends lie on them."""
        return round(100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low))), 2)


def draw_limits(scores: Sequence[tuple[str, float]], review: float, threshold: float, axis: Axis) -> str:
    """The chart as SVG, of (name, score) pairs and the two limits: bars, or dots where there are few."""
    values = [score for _, score in scores]
    told = f"{count(len(scores), 'score')} of good pictures" + (
        f" from {number(min(values))} to {number(max(values))}" if values else ""
    )
    marks = _draw_bars(values, axis) if len(scores) >= FEWEST_IN_BARS else _draw_dots(scores, axis)
    middle = (axis.low + axis.high) / 2
    ends = "".join(
        f'<text x="{x}%" y="{_BASE + 17}" text-anchor="{anchor}">{number(value)}</text>'
        for x, anchor, value in ((0, "start", axis.low), (50, "middle", middle), (100, "end", axis.high))
    )
    return (
        f'<svg class="scores" role="img" width="100%" height="{_BASE + 24}" '
        f'aria-label="{told}; review above {number(review)}, defect above {number(threshold)}">'
        f'{marks}<line x1="0" x2="100%" y1="{_BASE}" y2="{_BASE}"/>{ends}'
        f"{_draw_limit('threshold', 'defect above', threshold, 12, axis)}"
        f"{_draw_limit('review', 'review above', review, 30, axis)}</svg>"
    )


def _draw_bars(values: Sequence[float], axis: Axis) -> str:
    counts, edges = np.histogram(values, bins=min(24, max(6, round(2 * len(values) ** 0.5))))
    drawn = []
    for n, start, end in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if n:
            x, tall = axis.at(start), max(2, round(_TALLEST * n / counts.max()))
            width = max(0.4, round(axis.at(end) - x - 0.2, 2))
            title = f"<title>{count(n, 'good picture')} from {number(start)} to {number(end)}</title>"
            top, middle = _BASE - tall, round(x + width / 2, 2)
            drawn.append(
                f'<rect class="bar" x="{x}%" width="{width}%" y="{top}" height="{tall}">{title}</rect>'
                f'<text class="count" x="{middle}%" y="{top - 3}" text-anchor="middle">{n}</text>'
            )
    return "".join(drawn)


def _draw_dots(scores: Sequence[tuple[str, float]], axis: Axis) -> str:
    return "".join(
        f'<circle class="bar" cx="{axis.at(score)}%" cy="{_BASE - 14}" r="7">'
        f"<title>{html.escape(name)}: {number(score)}</title></circle>"
        for name, score in scores
    )


def _draw_limit(kind: str, words: str, value: float, height: int, axis: Axis) -> str:
    x = axis.at(value)
    leftwards = x > (35 if kind == "review" else 60)  # away from each other, where there is room
    anchor, shift = ("end", -5) if leftwards else ("start", 5)
    return (
        f'<g class="{kind}"><line x1="{x}%" x2="{x}%" y1="{height - 9}" y2="{_BASE}"/>'
        f'<text x="{x}%" dx="{shift}" y="{height}" text-anchor="{anchor}">{words} {number(value)}</text></g>'
    )
