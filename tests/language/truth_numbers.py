"""Which numbers a sentence may hold: those of the records, as they are or rounded, each beside its own word."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

from truth_words import Words

from assistant.detection.counting import parts_missing, parts_needed
from assistant.inspection import Inspection, Region

PRODUCT = {4, 45, 230, 22, 114, 8, 16, 500, 20, 90, 100, 30, 0.9, 0.02, 0.01, 0.05, 0.1, 0.3, 0.001, 2, 1, 3}
"""Numbers of how the product works, as its pages tell them: parts that promise a rate, rules of severity."""

NUMBER = re.compile(
    r"(?<![A-Za-z\d_.,])[-+−]?(?:[1-9]\d{0,2}(?:[ ,.]\d{3})+|\d+)(?:[.,]\d+)?(?:e-?\d+)?(?![A-Za-z\d_])"
)

_UNITS = {
    "percent": r"\s?(?:%|per ?cent|percent|prozent|por ciento)",
    "pixel": r"\s?(?:x|×|by|bis|a|to)\s?\d|\s?(?:pixels?|px|píxeles|像素)",
    "region": r"\s(?:\w+ )?(?:regions?|bereiche?|regiones|región)\b",
    "part": r"\s(?:(?:more|good|different|unlabelled|reference|other) ){0,2}(?:pictures?|parts?|references?)\b",
    "times": r"\s?times\b",
    "ms": r"\s?(?:ms\b|milliseconds?)",
}
_OF_PICTURE = r"\b(?:of (?:the |its )?(?:picture|image|frame|photo)|des bildes|de la imagen)|的(?:图像|画面)"
_RULES = {v for v in PRODUCT if v < 1}
_CUES = {
    "en": {
        "review": r"review (?:limit|threshold)|limit for review|review (?:starts|begins)",
        "threshold": r"threshold|limit",
        "p": r"p-value|\bp\b",
        "peak": r"peak|peaks at",
        "score": r"score",
    },
    "de": {
        "review": r"prüfgrenze|grenze (?:für|zur) (?:die )?\w*prüfung",
        "threshold": r"grenzwert|schwelle|schwellenwert|grenze",
        "p": r"p-wert",
        "score": r"bewertung|punktzahl|punktwert|\bscore",
    },
    "es": {
        "review": r"(?:límite|umbral) de revisión",
        "threshold": r"umbral|límite",
        "p": r"valor p",
        "score": r"puntuación|puntaje",
    },
    "zh": {
        "review": r"复[核检查](?:阈值|界限|限)",
        "threshold": r"阈值|界限",
        "p": r"p ?值",
        "score": r"分数|得分|评分",
    },
}
"""Words after which a number is a certain one; the last before it counts."""


def false_numbers(
    sentence: str, about: list[Inspection], records: Sequence[Inspection], words: Words, language: str, asked: str
) -> Iterator[str]:
    """Numbers that are none of the records', or not the one that the word before them calls for."""
    known = numbers_of(about, records)
    known["pixel"] |= _together(sentence, about, lambda region: region.area)
    every = {value for values in known.values() for value in values} | PRODUCT
    echoed = {_read(token, language) for token in NUMBER.findall(asked)}
    sentence = re.sub(words.one_in, " ", sentence, flags=re.IGNORECASE)
    sentence = re.sub(r"\b\d+-(?:shot|bit)\b|https?://\S+|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d\S*)?", " ", sentence)
    last = 0
    for match in NUMBER.finditer(sentence):
        value, after = _read(match[0], language), sentence[match.end() :]
        unit = next((name for name, rule in _UNITS.items() if re.match(rule, after, re.IGNORECASE)), "")
        cue = "" if unit else _cue(sentence[last : match.start()], language)
        last = match.end()
        if unit == "percent":
            fit = fits(match[0], value, _percents(sentence, match.start(), match.end(), about, known), 1)
        elif cue:
            fit = fits(match[0], value, known[cue], 2)
        elif unit == "part":
            fit = fits(match[0], value, known["part"] | known["quoted"] | {v for v in PRODUCT if v > 3}, 2)
        else:
            fit = fits(match[0], value, every, 2)
        if not fit and not fits(match[0], value, echoed, 2):
            yield f"{match[0]} is no {cue or unit or 'number'} of the record"


def _percents(
    sentence: str, start: int, end: int, about: list[Inspection], known: dict[str, set[float]]
) -> set[float]:
    """What a percentage may be: of the picture, the share of the region named before it or of all together; else
    any share or rate there is."""
    if not re.search(_OF_PICTURE, sentence[start : end + 40], re.IGNORECASE) or "severe" in sentence:
        wanted = {v for kind in ("share", "rate", "p", "ratio") for v in known[kind]} | _RULES
        wanted |= _together(sentence, about, lambda region: region.area_fraction)
        return {100 * v for v in wanted} | known["quoted"] | {90.0}
    ids = re.findall(r"(?<![A-Za-z])R\d+(?!\d)", sentence[:start])[-1:]
    shares = {r.area_fraction for record in about for r in record.regions if not ids or r.id in ids}
    shares |= _together(sentence, about, lambda region: region.area_fraction)
    return {100 * v for v in shares | {sum(r.area_fraction for r in record.regions) for record in about}}


def _together(sentence: str, about: list[Inspection], size: Callable[[Region], float]) -> set[float]:
    """What the regions that a sentence names take together, where it names several."""
    ids = set(re.findall(r"(?<![A-Za-z])R\d+(?!\d)", sentence))
    return (
        {float(sum(size(r) for r in record.regions if r.id in ids)) for record in about} if len(ids) > 1 else set()
    )


def numbers_of(about: list[Inspection], records: Sequence[Inspection]) -> dict[str, set[float]]:
    """All numbers of the records by what they are; those of `records` only where they count pictures."""
    known: dict[str, set[float]] = {
        name: set() for name in (*_CUES["en"], "share", "pixel", "rate", "part", "ratio", "quoted")
    }
    for record in about:
        limits = {"score": record.score, "threshold": record.threshold, "review": record.review_threshold}
        for name, value in {**limits, "p": record.p_value}.items():
            known[name].add(value)
        for region in record.regions:
            x0, y0, x1, y1 = region.box
            known["peak"].add(region.peak)
            known["share"].add(region.area_fraction)
            known["pixel"] |= {*region.box, region.area, x1 - x0, y1 - y0, (x0 + x1) / 2, (y0 + y1) / 2}
            if good := region.reference:
                known["pixel"] |= {*good.box, *good.moved, *(abs(step) for step in good.moved)}
                known["pixel"] |= {good.box[2] - good.box[0], good.box[3] - good.box[1]}
                known["ratio"] |= {good.distance, float(good.id)}
            known["share"] |= {kind.probability for kind in region.defect_types}
        _add_parts(known, record)
        values = [v for v in (*limits.values(), *known["peak"]) if math.isfinite(v) and v]
        known["ratio"] |= {a / b for a in values for b in values} | {abs(a - b) for a in values for b in values}
        known["ratio"] |= {abs(1 - a / b) for a in values for b in values}
        sizes = [region.area for region in record.regions]
        known["ratio"] |= {a / b for a in sizes for b in sizes} | {1 - a / b for a in sizes for b in sizes}
        known["share"].add(sum(region.area_fraction for region in record.regions))
        known["pixel"] |= {record.width, record.height, sum(sizes), record.width * record.height}
        texts = (*record.notices, record.error, record.evidence.origin if record.evidence else "")
        known["quoted"] |= {float(token) for text in texts for token in re.findall(r"\d+(?:\.\d+)?", text or "")}
    scores = [record.score for record in about if math.isfinite(record.score)]
    known["ratio"] |= {a - b for a in scores for b in scores} | {a / b for a in scores for b in scores if b}
    known["part"] |= {float(i) for i in range(len(records) + 1)} | {float(sum(len(r.regions) for r in about))}
    return {name: {float(v) for v in values if math.isfinite(v)} for name, values in known.items()}


def _add_parts(known: dict[str, set[float]], record: Inspection) -> None:
    """How many parts there are, are needed and are missing, and the rates of a limit."""
    rests = record.evidence
    known["part"] |= {record.references, len(record.regions), *(record.rank or ()), record.ms or 0, *record.scale}
    if rests:
        needed = parts_needed(rests.target_false_alarm)
        known["part"] |= {rests.n, rests.n + 1, needed, parts_missing(rests), 1 / rests.smallest_p}
        known["rate"] |= {rests.target_false_alarm, rests.expected_rate, rests.upper_rate, rests.smallest_p, 0.9}
    if record.p_value > 0:
        known["part"].add(1 / record.p_value)
        known["ratio"] |= {record.p_value * 100, 1 - record.p_value}


def _cue(before: str, language: str) -> str:
    """What the words before a number, after the number before, say that it is; "" where they say nothing."""
    if re.search(r"\b(?:from|of|by|for|with|than|in|aus|con) (?:the |its )?$|由$|从$", before) and not re.search(
        r"(?:score|threshold|limit|p-value|peak|review)\w* (?:\w+ )?(?:of|at) (?:the )?$", before, re.IGNORECASE
    ):
        return ""
    found = [
        (match.end(), name)
        for name, rule in _CUES[language].items()
        for match in re.finditer(rule, before, re.IGNORECASE)
        if len(re.findall(r"[\u4e00-\u9fff]", before[match.end() :])) <= 2
        and len(before[match.end() :].split()) <= 3
        and not re.search(
            r"\b(?:by|and|pictures?|um|und|bild(?:er)?|y|por|imagen|imágenes)\b|图|[;:]\s*\w|times",
            before[match.end() :],
            re.IGNORECASE,
        )
    ]
    if not found:
        return ""
    furthest = max(end for end, _ in found)
    return next(name for end, name in found if end == furthest)


def _read(token: str, language: str) -> float:
    token = token.replace("−", "-").lstrip("+").replace(" ", "").replace(" ", "")
    if language in ("de", "es") and re.fullmatch(r"-?\d+,\d+", token):
        return float(token.replace(",", "."))
    if re.fullmatch(r"-?[1-9]\d{0,2}(?:[,.]\d{3})+", token) and (language in ("en", "zh")) == ("," in token):
        return float(re.sub(r"[,.]", "", token))
    return float(token.replace(",", "") if language in ("en", "zh") else token.replace(",", "."))


def fits(token: str, value: float, wanted: set[float], digits: int) -> bool:
    """Whether a value, written as `token`, is one of those wanted, as it is or rounded to `digits` or more."""
    decimals = (
        len(re.split(r"[.,]", token)[-1]) if re.search(r"[.,]\d{1,2}$|[.,]\d{4,}$|^-?0[.,]\d+$", token) else 0
    )
    decimals = max(decimals, len(token.rsplit(".", 1)[-1]) if re.search(r"\.\d{3}$", token) else 0)
    step = 0.5 * 10.0**-decimals * 1.0001
    for one in wanted:
        if value == one or (abs(value - abs(one)) <= step and abs(value - abs(one)) <= _loosest(abs(one), digits)):
            return True
    return False


def _loosest(value: float, digits: int) -> float:
    """How far a value may be rounded that keeps so many digits."""
    return 0.5 * 10.0 ** (math.floor(math.log10(value)) - digits + 1) * 1.0001 if value else 0.0
