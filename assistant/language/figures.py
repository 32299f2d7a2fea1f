"""The numbers of a text, and whether a record holds them, after rounding to the digits given.

A number with a unit is looked for among those of that unit only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assistant.inspection import Inspection, Region
from assistant.language.picture_statements import numbers

_NUMBER = r"\d{1,3}(?:,\d{3})+(?![\d,])|\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_FIGURE = re.compile(
    rf"(?<![\w.])(?P<value>{_NUMBER})(?P<unit>\s?%|\s?percent\b|\s?(?:px|pixels?)\b|\s?times\b|(?:st|nd"
    rf"|rd|th)\b)?"
)
_COUNTED = re.compile(
    r"\s*(?:good |more |different |golden |known |reference |normal |defect free |\u00a4 )*"
    r"(?:references?|pictures?|samples?|parts|images?|examples?|photos?|pieces|products|units)\b(?! would)"
)
_LABELLED = re.compile(
    r"\b(?P<label>score|threshold|review (?:limit|threshold)|p ?value|peak)s?\b"
    r"(?:\s+(?:of|is|was|at|as|equals|set|to|here|lies|sits|being|about|roughly|approximately|just|only"
    r"|value|r\d+"
    r"|its|has|a|exactly|\[r\d+\])){0,4}\s*[:=(]?\s*"
    rf"(?P<value>{_NUMBER})(?!\.?\d|\s?(?:%|percent|times|x\b|px|in\b|above|over|below|under|higher|lower"
    rf"|more|less))"
)
_HEDGE = re.compile(
    r"\b(?:(?P<under>less than|fewer than|below|just under|under|not quite|at most|no more than|up to|within)"
    r"|(?P<over>more than|over|just over|at least|no less than|upwards of|exceeds|above)"
    r"|(?P<short>almost|nearly|close to)"
    r"|(?P<about>about|around|roughly|approximately|some|circa|or so))(?: (?:only|just|about|a|the))? ?$"
)
_AREA = re.compile(
    r"\b(?:cover|occup|take|span|fill|area|share)\w*\b|\bof the (?:whole |entire |total )?(?:picture"
    r"|image|photo|frame)"
)
_AREA_AFTER = re.compile(
    r" ?of (?:the |this |its |that |all )?(?:whole |entire |total |full )?(?:picture|image|photo|frame)"
)
_RARE = re.compile(r"\b(?:p value|scor\w+ (?:this|as|that|so|at least))\b")
_ALARM = re.compile(r"\b(?:false alarms?|turn(?:ed|s)? away|of (?:the )?good)\b")
_LIMIT = re.compile(
    r"^ ?(?:of|above|over|below|under|beyond|past|higher|lower|more|less|as)\b.*?\b(?P<limit>threshold"
    r"|limit|it\b)"
)
_LIMIT_BEFORE = re.compile(
    r"\b(?:above|over|exceeds?|exceeded|below|under|past|beyond|surpass\w*)\b.*\b(?:threshold"
    r"|limit)\b.*\bby\b"
)
_BATCH = re.compile(r"^ ?of (?:the |its )?(?:\w+ )?(?:batch|regions|pictures|parts in)\b")
_WORDS = "two three four five six seven eight nine ten eleven twelve".split()


@dataclass(frozen=True)
class Figures:
    """What a record can say in numbers, by unit; all values positive or zero."""

    plain: tuple[float, ...] = ()
    percents: tuple[float, ...] = ()
    pixels: tuple[float, ...] = ()
    ratios: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()
    areas: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    alarms: tuple[float, ...] = ()
    margins: tuple[float, ...] = ()

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(a + b for a, b in zip(self._all, other._all, strict=True)))

    @property
    def _all(self) -> tuple[tuple[float, ...], ...]:
        kept = (self.plain, self.percents, self.pixels, self.ratios, self.counts)
        return (*kept, self.areas, self.rates, self.alarms, self.margins)

    def of(self, unit: str) -> tuple[float, ...]:
        """The values that a number with this unit may have."""
        units = {"%": self.percents, "px": self.pixels, "times": self.ratios, "n": self.counts, "in": self.plain,
                 "area": self.areas, "rate": self.rates, "alarm": self.alarms, "margin": self.margins,
                 "nothing": ()}  # fmt: skip
        return units.get(unit, self.plain + self.ratios + self.counts)


def figures_of(i: Inspection, *, fitted: bool = False) -> Figures:
    """All the numbers of an inspection, regions left out, with the shares and quotients that follow.

    The share of good parts that score as high is no smaller than counting supports, unless what is said is
    `fitted`: names the curve, or the p-value itself.
    """
    if i.status == "error":
        return Figures()
    score, p, threshold, review = numbers(i)
    ratios = [score / limit for limit in (threshold, review, score) if limit] + [1.0]
    gaps = [abs(score - limit) for limit in (threshold, review)]
    counted = [i.evidence.smallest_p] if i.evidence and i.by_curve else [p]
    rates = [p, *counted] if fitted else counted
    shares = [*rates, *ratios]
    rare = [value for rate in rates if rate > 1e-9 for value in (1 / rate, float(round(1 / rate)))]
    counts = [float(i.references), float(len(i.regions)), *map(float, i.rank or ())]
    place = [i.rank[0] / i.rank[1]] if i.rank else []
    if e := i.evidence:
        shares += [e.target_false_alarm, e.smallest_p]
        rare += [1 / value for value in (e.smallest_p, e.target_false_alarm) if value]
        counts.append(e.n)
    sides = [float(side) for side in (i.width, i.height) if side]
    return Figures(
        plain=_positive(
            [score, p, threshold, review, *gaps, *rare, *([i.ms, i.ms / 1000] if i.ms else []), *shares]
        ),
        percents=_positive(100 * share for share in (*shares, *place)),
        pixels=_positive([*sides, math.prod(sides)]),
        ratios=_positive(ratios),
        counts=_positive(counts),
        rates=_positive(100 * rate for rate in rates),
        alarms=_positive(100 * rate for rate in (*shares[len(rates) + len(ratios) :], *rates)),
        margins=_positive(m for ratio in ratios for m in (100 * ratio, 100 * abs(ratio - 1))),
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
        areas=_positive(100 * share for share in [*shares, sum(shares)]),
        margins=_positive(
            m
            for peak in peaks
            for limit in limits
            if limit
            for m in (100 * peak / limit, 100 * abs(peak / limit - 1))
        ),
    )


class Figure(NamedTuple):
    """A number as written, its unit as in `find_numbers`, and its `hedge`, as in `holds`, or ""."""

    written: str
    unit: str
    hedge: str = ""


def find_numbers(words: str) -> Iterator[Figure]:
    """Each number in spelled-out words, ids left out.

    The unit is "%", "px", "times", "n" for a count of pictures, "in" for N in "1 in N", or ""; and where the
    words around a percentage tell of what it is, "area" of the picture, "rate" of good parts that score as
    high, "alarm" for those turned away, "margin" of a limit, or "nothing" for a share that no record holds.
    """
    words = re.sub(r"\[?\br\d+\b\]?|\b3 by 3\b", " ", re.sub(r"(?<=\d) ?[x\u00d7] ?(?=\d)", " by ", words))
    for rarity in re.findall(rf"\b(?:1|one)(?: \w+){{0,2}} (?:in|out of) ({_NUMBER})", words):
        yield Figure(rarity, "in", "about")
    words = re.sub(rf"\b(?:1|one)(?: \w+){{0,2}} (?:in|out of) (?:{_NUMBER})", " ", words)
    for word in _WORDS:
        words = re.sub(
            rf"\b{word}(?= (?:px|pixels|percent|times|(?:good )?(?:reference )?(?:references?|samples?"
            rf"|pictures"
            r"|examples?|parts|images)))",
            str(_WORDS.index(word) + 2),
            words,
        )
    for found in _FIGURE.finditer(words):
        unit = (found["unit"] or "").strip()
        if unit in ("st", "nd", "rd", "th"):
            continue
        before, after = words[: found.start()], words[found.end() :]
        named = {"percent": "%", "pixel": "px", "pixels": "px"}.get(unit, unit)
        named = named or ("n" if _COUNTED.match(words, found.end()) else "")
        hedge = _HEDGE.search(before)
        kind = next((name for name, said in hedge.groupdict().items() if said), "") if hedge else ""
        yield Figure(found["value"], _share_of(before, after) if named == "%" else named, kind)


def _share_of(before: str, after: str) -> str:
    """What a percentage is of, as far as the words around it tell."""
    after = re.split(r"[,;:()]| and (?!above|over|below)", after)[0]
    before = re.split(r"[,;:(]", before)[-1]
    if _BATCH.match(after):
        return "nothing"
    if _RARE.search(after):
        return "rate"
    if _ALARM.search(after):
        return "rate" if re.search(r"\bwould score\b", after) else "alarm"
    if _LIMIT_BEFORE.search(before) or (_LIMIT.match(after) and not _AREA_AFTER.match(after)):
        return "margin"
    if _AREA_AFTER.match(after) or _AREA.search(before):
        return "area"
    return "rate" if _RARE.search(before) else "%"


def find_labelled(words: str) -> Iterator[tuple[str, str]]:
    """(label, number) where words call a number a score, threshold, review limit, p-value or peak."""
    for found in _LABELLED.finditer(words):
        label = "review" if found["label"].startswith("review") else found["label"].replace(" ", "")
        yield label, found["value"]


def find_pairs(words: str) -> Iterator[tuple[int, int]]:
    """(width, height) for each "160 x 60" in spelled-out words."""
    for width, height in re.findall(
        r"(?<![\w.])(\d+)(?: ?px| pixels)? ?(?:x|\u00d7|by) ?(\d+)(?![\w.]*\d)", words
    ):
        if (width, height) != ("3", "3"):
            yield int(width), int(height)


def find_sides(words: str) -> Iterator[tuple[str, Figure]]:
    """("width", "height" or "length", number) for "160 px wide" and its like."""
    rule = r"(\d+)(?: ?px| pixels?)? (?:in )?(wide|width|across|broad|tall|high|height|long|length)\b"
    for found in re.finditer(rule, words):
        side = {"wid": "width", "acr": "width", "bro": "width", "lon": "length", "len": "length"}.get(
            found[2][:3], "height"
        )
        hedge = _HEDGE.search(words[: found.start()])
        yield side, Figure(found[1], "px", "about" if hedge else "")


def holds(values: Iterable[float], written: str, hedge: str = "", unit: str = "") -> bool:
    """Whether a written number is one of the values, rounded to the digits that are written.

    A hedge of `find_numbers` gives it room: "about" 7 %, "short" up to 10 % less, "under" and "over" half, or any
    where the unit tells what the number is of.
    """
    if "," in written:
        pieces = written.split(",")
        known = tuple(values)
        return holds(known, "".join(pieces), hedge) or all(holds(known, str(int(piece))) for piece in pieces)
    known, stated = tuple(values), float(written)
    told = unit in ("area", "rate", "margin")  # what the number is of is known, so a loose bound may be far off
    low, high = {
        "about": (0.93, 1.07),
        "short": (0.9, 1.005),
        "under": (0 if told else 0.5, 1),
        "over": (1, math.inf if told else 1.5),
    }.get(hedge, (1, 1))
    if hedge and any(low * stated <= value <= high * stated for value in known):
        return True
    if unit == "times" and "." not in written:
        return any(abs(value - stated) <= 0.08 * stated for value in known)
    return any(_rounds_to(value, written) for value in known)


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
