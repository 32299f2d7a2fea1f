"""What a sentence claims by comparing: regions with each other, and a score with its limits, by degree.

Spelled-out, rephrased words (`paraphrases.rephrase`) and one record go in; what is not so comes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from assistant.inspection import Inspection, Region
from assistant.language.picture_statements import numbers

_ID = r"\[?\br(\d+)\b\]?"
_THAN = re.compile(
    rf"{_ID}(?P<how>(?:(?!\br\d)[^.;])*?)\bthan (?:the |that of |those of |in )*{_ID}(?P<rest>[^.;]*)"
)
_ALIKE = re.compile(
    rf"{_ID} and {_ID}[^.;]*?\b(?:equal(?:ly)?|the same|similar(?:ly)?|identical|alike)\b(?P<what>[^.;]*)"
)
_AS = re.compile(rf"{_ID}(?P<how>(?:(?!\br\d)[^.;])*?)\bas (?P<what>\w+) as (?:the |that of )*{_ID}")
_RELATION = re.compile(
    r"\b(?P<how>left of|right of|above|below|under|over|beneath"
    r"|underneath) (?:of )?(?:the )?(?:region )?" + _ID
)
_HOW = {"left of": "left", "right of": "right", "under": "below", "beneath": "below", "underneath": "below",
        "over": "above"}  # fmt: skip
_MEASURES: tuple[tuple[str, str, int], ...] = (
    (
        "area",
        r"larger|bigger|greater (?:area|size)|more (?:extended|extensive|area|space|of the)|covers more"
        r"|takes up more",
        1,
    ),
    ("area", r"smaller|tinier|less (?:extended|extensive|area|space|of the)|covers less|takes up less", -1),
    ("width", r"wider|broader", 1),
    ("width", r"narrower", -1),
    ("height", r"taller", 1),
    (
        "peak",
        r"stronger|more (?:severe|serious|critical|pronounced|intense|prominent)|worse|higher peak"
        r"|peaks higher",
        1,
    ),
    ("peak", r"weaker|less (?:severe|serious|critical|pronounced|intense)|milder|fainter|lower peak", -1),
)
_VALUES: dict[str, Callable[[Region], float]] = {
    "area": lambda r: r.area,
    "width": lambda r: r.box[2] - r.box[0],
    "height": lambda r: r.box[3] - r.box[1],
    "peak": lambda r: r.peak,
}
_NOUN = r"(?:regions?|one|spot|place|area|defect|anomaly|mark|finding)"
_NAMED = re.compile(
    rf"\bthe (?:(?P<most>largest|biggest|smallest|tiniest|strongest|weakest|worst|most severe)"
    rf"|(?P<grade>slight|moderate|severe)"
    rf"|(?P<nth>first|second|third|fourth|fifth)) {_NOUN}\b(?! (?:of|in the picture of))"
)
_CHOICES: dict[str, tuple[str, int]] = {
    **dict.fromkeys(("largest", "biggest"), ("area", 1)),
    **dict.fromkeys(("smallest", "tiniest"), ("area", -1)),
    **dict.fromkeys(("strongest", "worst", "most severe"), ("peak", 1)),
    "weakest": ("peak", -1),
}
_MULTIPLE = re.compile(
    r"\b(?P<n>\d+(?:\.\d+)?) times (?:as (?:large|big) as|the (?:area|size) of|larger than"
    r"|bigger than)(?: the)?"
)
_DEGREE = re.compile(
    r"\b(?P<not>not |never )?(?:(?:very|quite|so|rather|only|just) )*(?P<how>exactly|equal|equals"
    r"|identical|close|near|nearly|almost|slightly|barely|marginally"
    r"|narrowly|hardly|just|a little|well|far|clearly|comfortably|considerably|significantly"
    r"|substantially|way|much)"
    r"(?: (?P<to>to|at|reaches|meets|above|below|over|under|beyond|past|exceed(?:s|ed|ing)?|within"
    r"|surpass\w*|higher than"
    r"|lower than))?"
    r" (?:the |its |this |both )?(?P<limit>threshold|review (?:limit|threshold)|limits?)\b"
)
_ALL_ALIKE = re.compile(
    r"\b(?:regions|places|spots|both|all|they)\b[^,;]*?\b(?:the same|equal(?:ly)?|similar"
    r"|identical) (?:in )?(size|severity|peak|area|large|severe)"
)
_TOGETHER = re.compile(
    r"\b(?:close together|(?:near|beside|next to|close to) (?:each other|one another)|side by side)\b"
)
_ASIDE = re.compile(r"\b(?:region|anywhere|would|if|whether|peak)\b|\br\d")


def find_mismatch(words: str, i: Inspection) -> Iterator[tuple[str, tuple[str, str]]]:
    """(topic, both ids) for each comparison of regions that is not so; topics are "place" and "superlative"."""
    by_id = {r.id: r for r in i.regions}
    for found in _THAN.finditer(words):
        one, other = by_id[f"R{int(found[1])}"], by_id[f"R{int(found[3])}"]
        said = f"{found['how']} {found['rest']}"
        sign = -1 if re.search(r"\b(?:not|no|never)\b", found["how"]) else 1
        for measure, rule, way in _MEASURES:
            value = _VALUES[measure]
            if re.search(rf"\b(?:{rule})\b", said) and sign * way * (value(one) - value(other)) <= 0:
                yield "superlative", (one.id, other.id)
    for found in _MULTIPLE.finditer(words):
        ids = re.findall(_ID, words[: found.start()])[-1:] + re.findall(_ID, words[found.end() :])[:1]
        pair = [by_id[f"R{int(n)}"] for n in ids]
        if len(pair) < 2 or not _is_multiple(pair[0], pair[1], float(found["n"])):
            yield "superlative", (i.regions[0].id, i.regions[-1].id)
    words = drop_multiples(words)
    for found in _AS.finditer(words):
        one, other = by_id[f"R{int(found[1])}"], by_id[f"R{int(found[4])}"]
        if "not " not in found["how"] and not _is_alike(one, other, found["what"]):
            yield "superlative", (one.id, other.id)
    for found in _ALIKE.finditer(words):
        one, other = by_id[f"R{int(found[1])}"], by_id[f"R{int(found[2])}"]
        if not re.search(r"\bnot\b", found[0]) and not _is_alike(one, other, found["what"]):
            yield "superlative", (one.id, other.id)
    if (alike := _ALL_ALIKE.search(words)) and not re.search(r"\bnot\b", words):
        if not all(_is_alike(i.regions[0], r, alike[1]) for r in i.regions[1:]):
            yield "superlative", (i.regions[0].id, i.regions[-1].id)
    if len(i.regions) > 1 and _TOGETHER.search(words) and not re.search(r"\bnot\b", words):
        if any(_is_apart(i.regions[0], r, i) for r in i.regions[1:]):
            yield "place", (i.regions[0].id, i.regions[1].id)
    for id, how, other_id in read_relations(words):
        if not _relates(by_id[id], how, by_id[other_id]):
            yield "place", (id, other_id)


def name_regions(words: str, i: Inspection) -> str:
    """The words with the id of a region for "the largest region", "the severe one" and "the second region".

    Where a sentence cites an id itself, or nothing tells which of several is meant, it stays as it is.
    """
    if re.search(_ID, words) or len(i.regions) < 2:
        return words

    def name(found: re.Match[str]) -> str:
        if found["most"]:
            measure, way = _CHOICES[found["most"]]
            meant = [max(i.regions, key=lambda r: way * _VALUES[measure](r))]
        elif found["grade"]:
            meant = [r for r in i.regions if r.severity == found["grade"]]
        else:
            nth = ("first", "second", "third", "fourth", "fifth").index(found["nth"])
            meant = list(i.regions[nth : nth + 1])
        return f"[{meant[0].id.casefold()}]" if len(meant) == 1 else found[0]

    return _NAMED.sub(name, words)


def drop_multiples(words: str) -> str:
    """The words without "2.5 times as large as", which `find_mismatch` holds against two regions."""
    return _MULTIPLE.sub(" ", words)


def read_relations(words: str) -> Iterator[tuple[str, str, str]]:
    """(id, relation, id) for "[R1] is left of [R2] and above [R3]" and its like."""
    objects = {found.start(2) for found in _RELATION.finditer(words)}
    for found in _RELATION.finditer(words):
        before = [m for m in re.finditer(_ID, words[: found.start()]) if m.start(1) not in objects]
        if before and not re.search(r"\bnot\b", words[before[-1].end() : found.start()]):
            yield f"R{int(before[-1][1])}", _HOW.get(found["how"], found["how"]), f"R{int(found[2])}"


def drop_relations(words: str) -> str:
    """The words without what is said of places relative to a region."""
    return _RELATION.sub(" ", words)


def is_off_by_degree(words: str, i: Inspection) -> bool:
    """Whether a score is called close to a limit, slightly or far over it, and is not."""
    if _ASIDE.search(words):
        return False
    score, _, threshold, review = numbers(i)
    for found in _DEGREE.finditer(words):
        if i.verdict == "unrated":
            return True
        limits = [review] if found["limit"].startswith("review") else [threshold]
        limits = [threshold, review] if found["limit"].startswith("limit") else limits
        gaps = [abs(score - limit) / abs(limit) for limit in limits if limit]
        if gaps and not _is_so_far(found["how"], found["to"] or "", bool(found["not"]), gaps):
            return True
    return False


def _is_so_far(how: str, to: str, denied: bool, gaps: list[float]) -> bool:
    if how in ("exactly", "equal", "equals", "identical"):
        return denied or to not in ("", "to", "at") or min(gaps) <= 0.0005
    if how in ("close", "near", "nearly", "almost"):
        return max(gaps) > 0.03 if denied else min(gaps) <= 0.1
    if how in ("slightly", "barely", "marginally", "narrowly", "hardly", "just", "a little"):
        return not to or denied or min(gaps) <= 0.25
    return not to or denied or max(gaps) >= 0.1


def _is_alike(one: Region, other: Region, what: str) -> bool:
    if re.search(r"severe|severity|serious|critical|grade", what):
        return one.severity == other.severity
    value = _VALUES["area" if re.search(r"big|large|small|size|area|extend|extensive", what) else "peak"]
    return abs(value(one) - value(other)) <= 0.15 * max(value(one), value(other))


def _is_multiple(one: Region, other: Region, n: float) -> bool:
    return abs(one.area / other.area - n) <= 0.1 * n


def _is_apart(one: Region, other: Region, i: Inspection) -> bool:
    """Whether two regions lie more than a fifth of the picture from each other, by their centers."""
    (ax, ay), (bx, by) = (((r.box[0] + r.box[2]) / 2, (r.box[1] + r.box[3]) / 2) for r in (one, other))
    return abs(ax - bx) > i.width / 5 or abs(ay - by) > i.height / 5


def _relates(one: Region, how: str, other: Region) -> bool:
    (ax, ay), (bx, by) = (((r.box[0] + r.box[2]) / 2, (r.box[1] + r.box[3]) / 2) for r in (one, other))
    return {"left": ax < bx, "right": ax > bx, "above": ay < by, "below": ay > by}[how]
