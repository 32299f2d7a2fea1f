"""The numbers of a text, and whether a record holds them, after rounding to the digits given.

A number with a unit is looked for among those of that unit only. It knows nothing of what a sentence means.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from assistant.inspection import Inspection, Region
from assistant.language.statements import numbers

_NUMBER = r"\d{1,3}(?:,\d{3})+(?![\d,])|\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_FIGURE = re.compile(
    rf"(?<![\w.])(?P<value>{_NUMBER})(?P<unit>\s?%|\s?percent\b|\s?(?:px|pixels?)\b|\s?times\b|(?:st|nd|rd|th)\b)?"
)
_COUNTED = re.compile(r"\s*(?:good |more |different )*(?:references?|pictures?)\b")
_LABELLED = re.compile(
    r"\b(?P<label>score|threshold|review (?:limit|threshold)|p ?value|peak)s?\b"
    r"(?:\s+(?:of|is|was|at|as|equals|set|to|here|lies|sits|being|about|roughly|approximately|just|only|value|r\d+"
    r"|its|has|a|exactly|\[r\d+\])){0,4}\s*[:=(]?\s*"
    rf"(?P<value>{_NUMBER})(?!\.?\d|\s?(?:%|percent|times|x\b|px|in\b))"
)
_WORDS = "two three four five six seven eight nine ten eleven twelve".split()


@dataclass(frozen=True)
class Figures:
    """What a record can say in numbers, by unit; all values positive or zero."""

    plain: tuple[float, ...] = ()
    percents: tuple[float, ...] = ()
    pixels: tuple[float, ...] = ()
    ratios: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(a + b for a, b in zip(self._all, other._all, strict=True)))

    @property
    def _all(self) -> tuple[tuple[float, ...], ...]:
        return (self.plain, self.percents, self.pixels, self.ratios, self.counts)

    def of(self, unit: str) -> tuple[float, ...]:
        """The values that a number with this unit may have."""
        units = {"%": self.percents, "px": self.pixels, "times": self.ratios, "n": self.counts, "in": self.plain}
        return units.get(unit, self.plain + self.ratios + self.counts)


def figures_of(i: Inspection) -> Figures:
    """All the numbers of an inspection, regions left out, with the shares and quotients that follow."""
    if i.status == "error":
        return Figures()
    score, p, threshold, review = numbers(i)
    ratios = [score / limit for limit in (threshold, review, score) if limit] + [1.0]
    gaps = [abs(score - limit) for limit in (threshold, review)]
    shares = [p, *ratios]
    rare = [1 / p, float(round(1 / p))] if p > 1e-9 else []
    counts = [float(i.references), float(len(i.regions))]
    if e := i.evidence:
        shares += [e.target_false_alarm, e.smallest_p]
        rare += [1 / value for value in (e.smallest_p, e.target_false_alarm) if value]
        counts += [e.n, e.n + 1]
    inverse = [1 / ratio for ratio in ratios if ratio]
    sides = [float(side) for side in (i.width, i.height) if side]
    return Figures(
        plain=_positive(
            [score, p, threshold, review, *gaps, *rare, *([i.ms, i.ms / 1000] if i.ms else []), *shares]
        ),
        percents=_positive(100 * share for share in [*shares, *inverse]),
        pixels=_positive([*sides, math.prod(sides)]),
        ratios=_positive([*ratios, *inverse]),
        counts=_positive(counts),
    )


def figures_of_regions(regions: Sequence[Region], limits: Sequence[float] = ()) -> Figures:
    """All the numbers of some regions and of all of them together; `limits` are what peaks are compared with."""
    spans = [(x1 - x0, y1 - y0) for x0, y0, x1, y1 in (r.box for r in regions)]
    edges = [edge for r in regions for edge in r.box]
    centres = [(a + b) / 2 for r in regions for a, b in (r.box[::2], r.box[1::2])]
    areas = [float(r.area) for r in regions]
    shares = [r.area_fraction for r in regions]
    likely = [t.probability for r in regions for t in r.defect_types]
    peaks = [r.peak for r in regions]
    return Figures(
        plain=_positive([*peaks, *shares, sum(shares), *likely]),
        percents=_positive(100 * share for share in [*shares, sum(shares), *likely]),
        pixels=_positive([*areas, sum(areas), *edges, *centres, *(side for pair in spans for side in pair)]),
        ratios=_positive(peak / limit for peak in peaks for limit in limits if limit),
    )


def find_numbers(words: str) -> Iterator[tuple[str, str]]:
    """(number, unit) for each number in spelled-out words, ids left out.

    The unit is "%", "px", "times", "n" for a count of pictures, "in" for N in "1 in N", or "".
    """
    words = re.sub(r"\[?\br\d+\b\]?|\b3 by 3\b", " ", re.sub(r"(?<=\d) ?[x\u00d7] ?(?=\d)", " by ", words))
    for rarity in re.findall(rf"\b(?:1|one) (?:in|out of) ({_NUMBER})", words):
        yield rarity, "in"
    words = re.sub(rf"\b(?:1|one) (?:in|out of) (?:{_NUMBER})", " ", words)
    for found in _FIGURE.finditer(words):
        unit = (found["unit"] or "").strip()
        if unit in ("st", "nd", "rd", "th"):
            continue
        named = {"percent": "%", "pixel": "px", "pixels": "px"}.get(unit, unit)
        yield found["value"], named or ("n" if _COUNTED.match(words, found.end()) else "")
    for word, unit in re.findall(
        rf"\b({'|'.join(_WORDS)}) (px|pixels|percent|times|(?:good )?references?)\b", words
    ):
        named = {"percent": "%", "times": "times", "px": "px", "pixels": "px"}.get(unit, "n")
        yield str(_WORDS.index(word) + 2), named


def find_labelled(words: str) -> Iterator[tuple[str, str]]:
    """(label, number) where words call a number a score, threshold, review limit, p-value or peak."""
    for found in _LABELLED.finditer(words):
        label = "review" if found["label"].startswith("review") else found["label"].replace(" ", "")
        yield label, found["value"]


def holds(values: Iterable[float], written: str) -> bool:
    """Whether a written number is one of the values, rounded to the digits that are written."""
    if "," in written:
        pieces = written.split(",")
        known = tuple(values)
        return holds(known, "".join(pieces)) or all(holds(known, str(int(piece))) for piece in pieces)
    return any(_rounds_to(value, written) for value in values)


def _rounds_to(value: float, written: str) -> bool:
    stated = float(written)
    if math.isclose(stated, value, rel_tol=1e-9, abs_tol=1e-15):
        return True
    digits, _, exponent = written.partition("e")
    whole, _, decimals = digits.partition(".")
    scale = 10.0 ** int(exponent or 0)
    if decimals:
        unit = 10.0 ** -len(decimals)
    else:
        # 1230 may stand for 1234, to three digits; a count or 1 for 0.83 is no rounding
        zeros = len(whole) - len(whole.rstrip("0"))
        unit = 10.0 ** min(zeros, max(0, len(whole) - 2))
        if not exponent and value < 1:
            return abs(value - stated) <= 0.005 * stated
    return abs(value - stated) <= unit * scale / 2 * (1 + 1e-6)


def _positive(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(abs(float(value)) for value in values if math.isfinite(value))
