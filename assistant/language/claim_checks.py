"""Whether one inspection bears out what a sentence claims: each rule compares one kind of claim with the record.

Spelled-out words (`sentences.spell`) go in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assistant.detection.drift import has_drifted
from assistant.inspection import UNKNOWN, Inspection, Region
from assistant.language.comparison_claims import drop_multiples, find_mismatch, is_off_by_degree, name_regions
from assistant.language.evidence_text import state_hint
from assistant.language.figures import (
    figures_of,
    figures_of_regions,
    find_labelled,
    find_numbers,
    find_pairs,
    find_sides,
    holds,
)
from assistant.language.picture_statements import numbers
from assistant.language.region_claims import (
    EXAMPLE,
    TYPE_UNKNOWN,
    Count,
    read_counts,
    read_kinds,
    read_places,
    read_severities,
    read_sides,
    read_superlatives,
    speaks_of_all,
)
from assistant.language.sentences import bind_regions, cite
from assistant.language.unrecorded_claims import read_beyond, read_comparison, speaks_generally
from assistant.language.verdict_claims import Stance, lets_pass, read_stances
from assistant.prompts.defects import find_defect

Finding = tuple[str, tuple[str, ...]]
"""A topic that the record contradicts, and the ids of the regions that it was said of."""


def judge(words: str, i: Inspection) -> Iterator[Finding]:
    """The topics on which a sentence contradicts an inspection, each with the regions concerned."""
    words = name_regions(words, i)
    cited = tuple(cite(words))
    if i.status == "error":
        if any(read_stances(words)) or cited or any(find_numbers(words)) or any(read_places(words)):
            yield "verdict", ()
        return
    known = {r.id for r in i.regions}
    if any(id not in known for id in cited):
        yield "region", ()
        return
    if (
        any(not _agrees(stance, i) for stance in read_stances(words))
        or _on_wrong_side(words, i)
        or is_off_by_degree(words, i)
    ):
        yield "verdict", ()
    elif has_drifted(i.notices) and lets_pass(words):
        yield "action", ()
    for ids, said in bind_regions(words):
        group = [r for r in i.regions if r.id in ids]
        for topic in _judge_segment(said, i, group):
            yield topic, ids
    yield from _judge_whole(words, i, cited)


def _judge_segment(said: str, i: Inspection, group: Sequence[Region]) -> Iterator[str]:
    """Claims about the regions that a part of a sentence is bound to, or about any where it is bound to none."""
    regions = list(group) or list(i.regions)
    everyone = len(regions) > 1 and (bool(group) or speaks_of_all(said))
    places = list(read_places(said))
    asserted = [place for place, denied in places if not denied]
    if not all(_lies(place, denied, regions, i) for place, denied in places):
        yield "place"
    elif everyone and asserted and not all(any(_within(p, r.position) for p in asserted) for r in regions):
        yield "place"
    grades = [grade for grade, denied in read_severities(said) if not denied]
    held = {r.severity for r in regions}
    if re.search(r"\bmost (?:of )?(?:the |these )?(?:regions|places|spots|defects)\b", said):
        graded = [r for r in regions if not grades or r.severity in grades]
        if 2 * len([r for r in graded if all(_within(p, r.position) for p in asserted)]) <= len(regions):
            yield "severity" if grades else "place"
    if not set(grades) <= held or (everyone and grades and not held <= set(grades)):
        yield "severity"
    if not all(_is_of_type(kind, denied, said, regions, bool(group)) for kind, denied in read_kinds(said)):
        yield "type"
    elif EXAMPLE.search(said) and not re.search(r"\b(?:not|no|never|none)\b", said) and not _has_example(regions):
        yield "type"
    elif regions and all(r.has_type for r in regions) and TYPE_UNKNOWN.search(said):
        yield "type"
    if not _numbers_hold(said, i, group):
        yield "number" if not group else "size"


def _judge_whole(words: str, i: Inspection, cited: tuple[str, ...]) -> Iterator[Finding]:
    """Claims that need the whole sentence: counts, regions set against each other, and what no record holds."""
    if not all(_is_counted(count, i, cited) for count in read_counts(words)):
        yield "count", ()
    by_id = {r.id: r for r in i.regions}
    yield from find_mismatch(words, i)
    if len(cited) == 1 and not all(_leads(by_id[cited[0]], most, i) for most in read_superlatives(words)):
        yield "superlative", cited
    own = {"few-shot": "references", "mutual": "mutual", "zero-shot": "alone"}.get(i.mode or "", "")
    if read_comparison(words) - {own} - ({"none"} if i.mode != "few-shot" else set()):
        yield "comparison", ()
    rare = numbers(i)[1] < 1e-6
    for higher in _MOST_GOOD.findall(words):
        if i.verdict == "unrated" or (numbers(i)[1] > 0.5) != (higher not in ("lower", "below", "less")):
            yield "number", ()
    if any(hint in words and hint not in state_hint(i) for hint in _HINTS) or (
        "in a million" in words and not rare
    ):
        yield "number", ()
    for topic, part in read_beyond(words):
        if topic == "material" and _is_named(part, i):
            continue
        if topic == "cause" and speaks_generally(part) and any(r.has_type for r in i.regions):
            continue
        yield topic, cited


# One rule for each kind of claim

_ORDINALS = ("second", "third", "fourth", "fifth", "sixth")
_MOST_GOOD = re.compile(
    r"\bmost (?:of the )?good \w+ (?:would )?scor\w+ (higher|lower|this high|as high|below|above|less|more)\b"
)
_HINTS = (
    "hardly any good part",
    "in a few hundred",
    "good parts in a hundred",
    "some good parts",
    "many good parts",
)
_MEASURED = re.compile(r"\b(?:box|x|y|px|pixels?|coordinates?|wide|tall|high|width|height|area|by|size|large)\b")


def _agrees(stance: Stance, i: Inspection) -> bool:
    if stance.verdict == "unusual":
        return i.verdict != "good" or bool(i.regions)
    if i.verdict == "unrated":
        return stance.verdict == "unrated"
    if i.verdict == "review":
        return stance.verdict in ("review", "possible") or (not stance.firm and stance.verdict != "other")
    return stance.verdict == i.verdict or (stance.verdict == "possible" and i.verdict == "defect")


def _on_wrong_side(words: str, i: Inspection) -> bool:
    score, _, threshold, review = numbers(i)
    for side, limit, denied in read_sides(words):
        limits = {"threshold": [threshold], "review": [review]}.get(limit, [threshold, review])
        limits = [float(limit)] if limit[0].isdigit() else limits
        above = (side == "above") != denied
        if limit == "both limits" and not all((score > value) == above for value in limits):
            return True
        if not any(score > value if above else score <= value for value in limits):
            return True
    return False


def _lies(place: str, denied: bool, regions: Sequence[Region], i: Inspection) -> bool:
    inside = [_within(place, r.position) for r in regions]
    if denied:
        return i.verdict in ("good", "unrated") or not any(inside)
    return any(inside)


def _within(place: str, position: str) -> bool:
    return set(place.split()) <= set(position.split())


def _is_of_type(kind: str, denied: bool, said: str, regions: Sequence[Region], bound: bool) -> bool:
    ranked = [[t.name for t in r.defect_types if t.name != UNKNOWN] for r in regions if r.has_type]
    best = any(_same_kind(kind, names[0]) for names in ranked)
    if denied:
        return not best
    if best:
        return True
    likeness = any(word in said for word in ("like", "or ", "possibl", "may ", "might ", "could ", "resembl", "%"))
    return likeness and any(_same_kind(kind, name) for names in ranked for name in names)


def _has_example(regions: Sequence[Region]) -> bool:
    return any(t.source == "known" for r in regions for t in r.defect_types)


def _same_kind(word: str, name: str) -> bool:
    stems = {"cracked": "crack", "cracking": "crack", "scratched": "scratch", "scratching": "scratch",
             "dented": "dent", "rusty": "rust", "corroded": "corrosion", "burnt": "burn", "burned": "burn",
             "bent": "bend", "stained": "stain"}  # fmt: skip
    said = find_defect(stems.get(word, word))
    singular = word.removesuffix("s")
    known = find_defect(name)
    return (said is not None and said == known) or singular in name.casefold() or name.casefold() in word


def _numbers_hold(said: str, i: Inspection, group: Sequence[Region]) -> bool:
    score, p, threshold, review = numbers(i)
    regions = list(group) or list(i.regions)
    for label, written in find_labelled(said):
        values = {"score": [score], "threshold": [threshold], "review": [review], "pvalue": [p]}.get(
            label, [r.peak for r in regions]
        )
        if not holds([abs(value) for value in values], written):
            return False
    said = drop_multiples(said)
    if not _measures_hold(said, i, regions):
        return False
    known = figures_of(i, fitted=bool(_FITTED.search(said)))
    known += figures_of_regions(regions, (threshold, review, score))
    # two or more are summed and counted by pairs too, as in "together"
    for r in regions if len(regions) > 1 else ():
        known = known + figures_of_regions([r], (threshold, review, score))
    rest = tuple(float(n) for n in range(1, len(i.regions)))
    bare = known.of("") + rest + (known.pixels if _MEASURED.search(said) else ())
    return all(
        holds(known.of(unit) if unit else bare, written, hedge, unit)
        for written, unit, hedge in find_numbers(said)
    )


_FITTED = re.compile(r"\bcurves?\b|\bp value (?:(?:of|is|was|at|equals) |[=:] ?)?[\d.]+ ?(?:%|percent)(?! of)")
_P = re.compile(
    r"\bp(?: value)?(?: is)? ?(<|>|\u2264|\u2265|less than|below|under|above|over"
    r"|greater than)=? ?(\d*\.?\d+)"
)


def _measures_hold(said: str, i: Inspection, regions: Sequence[Region]) -> bool:
    """Whether "160 x 60", "160 px wide" and "p < 0.01" are so."""
    boxes = [(r.box[2] - r.box[0], r.box[3] - r.box[1]) for r in regions]
    boxes += [(i.width, i.height)] if i.width and i.height else []
    if not set(find_pairs(said)) <= set(boxes):
        return False
    for side, (written, _, hedge) in find_sides(said):
        sides = {"width": [w for w, _ in boxes], "height": [h for _, h in boxes]}.get(
            side, [max(b) for b in boxes]
        )
        if not holds(map(float, sides), written, hedge):
            return False
    p = numbers(i)[1]
    return all(
        (p <= float(n)) == (how in "<\u2264" or how in ("less than", "below", "under"))
        for how, n in _P.findall(said)
    )


def _is_counted(count: Count, i: Inspection, cited: tuple[str, ...]) -> bool:
    total = len(i.regions)
    if count.n == 0 and (nth := re.search(rf"\b({'|'.join(_ORDINALS)})\b", count.words)):
        return total < 2 + _ORDINALS.index(nth[1])
    if count.more and count.n == 0:
        grades = [grade for grade, _ in read_severities(count.words)]
        places = [place for place, _ in read_places(count.words)]
        return total <= max(1, len(cited)) or bool(grades or places)
    if count.more:
        return count.n < total
    if count.at_most:
        return total <= count.n
    if count.at_least:
        return total >= count.n
    if count.n == total:
        return True
    places = [place for place, _ in read_places(count.words)]
    grades = [grade for grade, _ in read_severities(count.words)]
    kinds = [kind for kind, _ in read_kinds(count.words)]
    quiet = i.verdict == "good" and re.search(r"\b(?:stands? out|exceed\w*|worse|above)\b", count.words)
    if count.n == 0 and (places or grades or kinds or quiet):
        return True  # "no region in the top left" is a claim on places, and judged there
    if places or grades:
        chosen = [
            r
            for r in i.regions
            if all(_within(place, r.position) for place in places) and (not grades or r.severity in grades)
        ]
        return count.n == len(chosen)
    return count.n == len(cited) > 0


def _leads(region: Region, most: str, i: Inspection) -> bool:
    field, choose = {
        "largest": ("area", max),
        "smallest": ("area", min),
        "strongest": ("peak", max),
        "weakest": ("peak", min),
    }[most]
    return bool(getattr(region, field) == choose(getattr(r, field) for r in i.regions))


def _is_named(part: str, i: Inspection) -> bool:
    """Whether a material is part of a name that the record holds."""
    names = " ".join((i.product or "", *i.looks_like)).casefold()
    return any(len(word) > 3 and word in part for word in names.split())
