"""Scores as a chart with the limits as lines, as SVG for light and dark pages.

Positions are shares of the width, so that words keep their size on any screen. Colours are those of
`assistant.face.theme`, by kind ("good", "review", "defect") and by limit ("threshold", "review").
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.face.verdicts import outcome_word
from assistant.language.catalogue import ENGLISH_WORDS, Wording, message
from assistant.language.wording import number
from assistant.records.what_if import VERDICTS, Judging

FEWEST_IN_BARS = 8
"""Fewer scores are shown one by one."""

BINS = 24
"""Bars that an axis has room for."""

_BASE, _TALLEST = 132, 78  # where bars stand and how high they grow, in pixels
_LIMITS = {
    "threshold": (message("defect above {limit}"), 12, 60),
    "review": (message("review above {limit}"), 30, 35),
}
"""What a limit is called, how high its words stand, and from which share of the width they stand at its left."""


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
        return cls(min(low, max(0.0, low - air)), high + air)

    def at(self, value: float) -> float:
        """Where a score lies, in per cent of the width; those beyond the ends lie on them."""
        return round(100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low))), 2)


def draw_limits(
    scores: Sequence[tuple[str, float]],
    review: float,
    threshold: float,
    axis: Axis,
    w: Wording = ENGLISH_WORDS,
) -> str:
    """The scores of good pictures, as (name, score), and the two limits: bars, or dots where there are few.

    The axis is given, so that it stays where it is while the limits move.
    """
    values = [score for _, score in scores]
    marks = _draw_bars({"good": values}, axis, w) if len(scores) >= FEWEST_IN_BARS else _draw_dots(scores, axis)
    told = w("Good pictures: {scores}", scores=_tell(values, w))
    return _frame(told, *marks, {"threshold": threshold, "review": review}, axis, w)


def draw_histogram(
    scores: Mapping[str, Sequence[float]], limits: Mapping[str, float], w: Wording = ENGLISH_WORDS
) -> str:
    """A histogram of scores by kind, drawn on top of each other in this order; "" where there is no score.

    Numbers that are not finite are left out.
    """
    groups = {kind: [float(s) for s in some if math.isfinite(s)] for kind, some in scores.items()}
    every = [score for some in groups.values() for score in some]
    if not every:
        return ""
    axis = Axis.around([*every, *limits.values()])
    return _frame(_tell(every, w), *_draw_bars(groups, axis, w), limits, axis, w)


def draw_judged(scores: Sequence[float], limits: Judging, w: Wording = ENGLISH_WORDS) -> str:
    """A histogram of scores by what limits make of them, with these limits."""
    groups = {str(verdict): [one for one in scores if limits.verdict(one) == verdict] for verdict in VERDICTS}
    return draw_histogram(groups, {"threshold": limits.threshold, "review": limits.review_threshold}, w)


def _tell(values: Sequence[float], w: Wording) -> str:
    if not values:
        return w.count("{n} score", "{n} scores", 0)
    ends = {"low": number(min(values)), "high": number(max(values))}
    return w.count("{n} score from {low} to {high}", "{n} scores from {low} to {high}", len(values), **ends)


def _frame(told: str, marks: str, counts: str, limits: Mapping[str, float], axis: Axis, w: Wording) -> str:
    """The whole chart: the counts of bars stand before the lines of limits, and those before the marks."""
    middle = (axis.low + axis.high) / 2
    ends = "".join(
        f'<text x="{x}%" y="{_BASE + 17}" text-anchor="{anchor}">{number(value)}</text>'
        for x, anchor, value in ((0, "start", axis.low), (50, "middle", middle), (100, "end", axis.high))
    )
    known = [kind for kind in _LIMITS if kind in limits]
    told = "; ".join([told, *(w(_LIMITS[kind][0], limit=number(limits[kind])) for kind in reversed(known))])
    return (
        f'<svg class="scores" role="img" width="100%" height="{_BASE + 24}" aria-label="{html.escape(told)}">'
        f'{marks}<line x1="0" x2="100%" y1="{_BASE}" y2="{_BASE}"/>{ends}'
        f"{''.join(_draw_limit(kind, limits[kind], axis, w) for kind in known)}{counts}</svg>"
    )


def _draw_bars(groups: Mapping[str, Sequence[float]], axis: Axis, w: Wording) -> tuple[str, str]:
    """Bars of each kind on those of the one before, and how many there are above them, where there is room."""
    edges = np.linspace(axis.low, axis.high, BINS + 1)
    split = {
        kind: np.histogram(np.clip(some, *edges[[0, -1]]), edges)[0].tolist() for kind, some in groups.items()
    }
    totals = [sum(some) for some in zip(*split.values(), strict=True)]
    width = 100 / BINS
    bars, counts = [], []
    for i, total in enumerate(totals):
        top, ends = _BASE, {"low": number(edges[i]), "high": number(edges[i + 1])}
        for kind, some in split.items():
            if n := some[i]:
                tall = max(2, round(_TALLEST * n / max(totals)))
                top -= tall
                title = html.escape(w("{n} {kind}: {low} to {high}", n=n, kind=outcome_word(w, kind), **ends))
                bars.append(
                    f'<rect class="bar {html.escape(kind)}" x="{i * width:.2f}%" width="{width - 0.2:.2f}%" '
                    f'y="{top}" height="{tall}"><title>{title}</title></rect>'
                )
        if total and _has_room(totals, i):
            middle = (i + 0.5) * width
            counts.append(
                f'<text class="count" x="{middle:.2f}%" y="{top - 3}" text-anchor="middle">{total:,}</text>'
            )
    return "".join(bars), "".join(counts)


def _has_room(totals: Sequence[int], place: int) -> bool:
    """Whether a bar's count touches no other: those of one digit, else of peaks, else of the tallest one."""
    most = max(totals)
    if most < 10:
        return True
    if most >= 100:
        return place == totals.index(most)
    before, after = totals[max(0, place - 2) : place], totals[place + 1 : place + 3]
    return all(totals[place] > n for n in before) and all(totals[place] >= n for n in after)


def _draw_dots(scores: Sequence[tuple[str, float]], axis: Axis) -> tuple[str, str]:
    """A dot for each score, and no counts."""
    dots = (
        f'<circle class="bar good" cx="{axis.at(score)}%" cy="{_BASE - 14}" r="7">'
        f"<title>{html.escape(name)}: {number(score)}</title></circle>"
        for name, score in scores
    )
    return "".join(dots), ""


def _draw_limit(kind: str, value: float, axis: Axis, w: Wording) -> str:
    words, height, turn = _LIMITS[kind]
    told = w(words, limit=number(value))
    x = axis.at(value)
    anchor, shift = ("end", -5) if x > turn else ("start", 5)  # away from each other, where there is room
    return (
        f'<g class="{kind}"><line x1="{x}%" x2="{x}%" y1="{height - 9}" y2="{_BASE}"/>'
        f'<text x="{x}%" dx="{shift}" y="{height}" text-anchor="{anchor}">{told}</text></g>'
    )
