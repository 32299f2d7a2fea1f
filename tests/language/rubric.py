"""Judges an answer by a rubric: true, answers what was asked, and no longer than the form allows.

What an answer has to hold is named by short words ("score", "place:R1", "which:2"), each read from the record; `|`
parts alternatives. Nothing here knows how answers are made.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from asked_records import RECORDS
from truth import false_sentences, false_values, supported_places
from truth_numbers import NUMBER
from truth_words import LANGUAGES, POSITIONS

from assistant.detection.counting import parts_missing, parts_needed
from assistant.inspection import Inspection

MOST = 35
"""Words that may be shown at first, unless more was asked for."""

WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Asked:
    """A question at the end of a conversation, what it is about, and what a right answer holds."""

    question: str
    records: tuple[Inspection, ...]
    needs: tuple[str, ...]
    by: str
    language: str = "en"
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Marks:
    """What an answer lacks, what is false in it, and how many words it shows at first."""

    missing: tuple[str, ...] = ()
    false: tuple[tuple[str, str], ...] = field(default=())
    words: int = 0
    too_long: bool = False

    @property
    def right(self) -> bool:
        """Whether the answer is true, answers the question, and is short enough."""
        return not (self.missing or self.false or self.too_long)


def read_asked(path: Path) -> list[Asked]:
    """The questions of a file as `asked.toml`, in its order."""
    found = []
    for group in tomllib.loads(path.read_text(encoding="utf-8"))["group"]:
        names = group.get("records") or [group["about"]]
        for question, *needs in group["ask"]:
            *before, last = [question] if isinstance(question, str) else question
            records = tuple(RECORDS[name] for name in names)
            found.append(Asked(last, records, tuple(needs), group["by"], group.get("lang", "en"), tuple(before)))
    return found


def mark(shown: str, asked: Asked, whole: str = "") -> Marks:
    """Judge an answer by what it shows at first; `whole`, with what is folded, has to be true too."""
    most = next((int(need.split(":")[1]) for need in asked.needs if need.startswith("most:")), MOST)
    missing = tuple(need for need in asked.needs if not _held(need, shown, asked))
    if re.match(WORDS["unable"], shown, re.IGNORECASE) and not re.search("cannot|absent", " ".join(asked.needs)):
        missing += ("an answer",)
    false = tuple(false_sentences(whole or shown, asked.records, asked.language, asked.question))
    if "json" in asked.needs and _json(shown, ""):
        false = tuple(false_values(shown, asked.records, asked.question))
    length = count_words(shown)
    return Marks(missing, false, length, length > most)


def count_words(text: str) -> int:
    """Words that a reader reads; two Chinese characters are taken as one."""
    chinese = len(re.findall(r"[\u4e00-\u9fff]", text))
    return len(re.findall(r"[^\s\u4e00-\u9fff]*[^\W_\u4e00-\u9fff][^\s\u4e00-\u9fff]*", text)) + math.ceil(
        chinese / 2
    )


def _held(needs: str, text: str, asked: Asked) -> bool:
    if needs.startswith("says:"):
        return bool(re.search(needs[5:], text, re.IGNORECASE))
    if "|says:" in needs:
        plain, rule = needs.split("|says:")
        return _held(plain, text, asked) or bool(re.search(rule, text, re.IGNORECASE))
    return any(_holds_one(need, text, asked) for need in needs.split("|"))


def _holds_one(need: str, text: str, asked: Asked) -> bool:
    name, _, subject = need.partition(":")
    records, words = asked.records, LANGUAGES[asked.language]
    record = records[int(subject) - 1] if subject.isdigit() and name in ("score", "verdict") else records[0]
    region = next((r for r in record.regions if r.id == subject), None)
    rests = record.evidence
    if name in _FORMS:
        return _FORMS[name](text, subject)
    if name == "verdict":
        return _says_verdict(record.outcome, text, asked.language)
    if name == "how":
        return bool(re.search(WORDS["how"][subject], text, re.IGNORECASE))
    if name == "cannot":
        return bool(re.search(f"{words.denies}|{WORDS['unsure']}", text, re.IGNORECASE))
    if name == "advice":
        return bool(re.search(WORDS["advice"], text, re.IGNORECASE))
    if name == "place":
        return bool(region) and (
            _says_place(supported_places(region, record), text, asked.language) or _has_box(text, region.box)
        )
    if name == "box":
        return bool(region) and _has_box(text, region.box)
    if name in ("which", "order"):
        stems = [PurePath(records[int(i) - 1].path).stem for i in subject.split(",")]
        places = [_place_of(stem, records, text) for stem in stems]
        return all(p >= 0 for p in places) and places == sorted(places)
    if name == "id":
        return subject in text
    if name == "count":
        number = len(record.regions)
        return _has_number(text, number) or bool(
            re.search(rf"(?<!\w)(?:{_numeral(number, words.numerals)})", text, re.IGNORECASE)
        )
    if name == "severity":
        return bool(region) and bool(re.search(WORDS["severities"][region.severity], text, re.IGNORECASE))
    if name == "type":
        return bool(region) and region.defect_types[0].name in text
    if name == "absent":
        return bool(re.search(words.denies + "|" + words.cannot, text, re.IGNORECASE))
    if name == "places":
        return _says_places(records, text, asked.language)
    if name in WORDS["told"]:
        return bool(re.search(WORDS["told"][name], text, re.IGNORECASE))
    if name == "file":
        return PurePath(record.path).name in text
    if name == "rarity":
        return bool(re.search(words.one_in, text, re.IGNORECASE))
    if name == "rank":
        return bool(record.rank) and _has_number(text, record.rank[0]) and _has_number(text, record.rank[1])
    values = list(_values(name, subject, asked, region, record, rests))
    if not values:
        raise ValueError(f"no such need as {need!r}")
    return any(_has_number(text, value) for value in values)


def _values(name: str, subject: str, asked: Asked, region, record: Inspection, rests) -> Iterator[float]:
    """The values that a need stands for, any of which an answer may hold."""
    limits = {
        "score": record.score,
        "threshold": record.threshold,
        "review": record.review_threshold,
        "p": record.p_value,
    }
    if name in limits:
        yield limits[name]
        if name == "p":
            yield 100 * record.p_value
    elif name == "gap":
        for a in limits.values():
            for b in limits.values():
                yield from ((abs(a - b), 100 * a / b) if b and a != b else ())
    elif name == "factor":
        yield from (record.score / record.threshold, 100 * record.score / record.threshold)
        yield 100 * (record.score / record.threshold - 1)
    elif name == "total":
        yield 100 * sum(r.area_fraction for r in record.regions)
        yield sum(r.area for r in record.regions)
    elif name == "ms":
        yield record.ms or math.nan
    elif name in ("size", "pixels", "peak") and region:
        if name == "size":
            yield 100 * region.area_fraction
        yield region.peak if name == "peak" else region.area
    elif rests and name in ("n", "missing", "target", "rate"):
        rate = [100 * rests.target_false_alarm, 100 * rests.expected_rate, 100 * rests.upper_rate]
        parts = [parts_missing(rests), parts_needed(rests.target_false_alarm)]
        yield from {"n": [rests.n], "missing": parts, "target": rate[:1], "rate": rate}[name]


def _has_number(text: str, value: float) -> bool:
    """Whether a text holds a value, as it is or rounded to two digits or more; one digit where it has no more."""
    for token in NUMBER.findall(text):
        told = (
            float(token.replace("−", "-").replace(",", ".").replace(" ", ""))
            if token.count(",") + token.count(".") < 2
            else math.nan
        )
        whole = float(re.sub(r"[,. ]", "", token)) if re.fullmatch(r"\d{1,3}(?:[,. ]\d{3})+", token) else told
        decimals = len(token.split(".")[-1].split(",")[-1]) if re.search("[.,]", token) else 0
        loosest = 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) - 1) * 1.001 if value else 0.0
        if whole == value or (abs(told - value) <= min(0.5 * 10.0**-decimals * 1.001, loosest)):
            return True
        if abs(told - value) <= 0.5 and value > 20 and not decimals:
            return True
    return False


def _says_verdict(outcome: str, text: str, language: str) -> bool:
    words = dict(
        LANGUAGES[language].verdicts,
        error=r"could not be read|cannot be read|cut off|error|Fehler|no se pudo|无法读取",
    )
    edge = "" if language == "zh" else r"\b"
    return bool(re.search(f"{edge}(?:{words[outcome]}){edge}", text, re.IGNORECASE))


def _says_place(places: set[str], text: str, language: str) -> bool:
    words = LANGUAGES[language]
    return any(re.search(words.positions[POSITIONS.index(place)], text, re.IGNORECASE) for place in places)


def _says_places(records: Sequence[Inspection], text: str, language: str) -> bool:
    """Whether an answer on the same place names a place of any region, or says that it is the same or not."""
    places = {p for record in records for r in record.regions for p in supported_places(r, record)}
    return _says_place(places, text, language) or bool(re.search(r"same|different|overlap", text, re.IGNORECASE))


def _has_box(text: str, box: tuple[int, int, int, int]) -> bool:
    return all(re.search(rf"(?<![\d.]){side}(?![\d.]*\d)", text) for side in box)


def _place_of(stem: str, records: Sequence[Inspection], text: str) -> int:
    """Where a text first names a picture, by its file or as "picture 2" or among "pictures 3, 2"; -1 where not."""
    number = next(i for i, r in enumerate(records, start=1) if PurePath(r.path).stem == stem)
    ordinal = ("first", "second", "third", "fourth")[number - 1]
    word = r"(?:pictures?|bild(?:er)?|im[aá]gen(?:es)?|fotos?|图片?|第)"
    listed = rf"{word} ?(?:\d+(?:, | and | und | y |、|和|，))*{number}(?!\d)"
    rule = rf"{re.escape(stem)}(?![\w-])|{listed}|\b{ordinal} (?:picture|one)\b|(?<![A-Za-z])P{number}(?!\d)"
    found = re.search(rule, text, re.IGNORECASE)
    return found.end() if found else -1


def _numeral(number: int, numerals: Sequence[str]) -> str:
    return numerals[number] if number < len(numerals) else r"\d{9}"


def _json(text: str, _: str) -> bool:
    fenced = re.search(r"[\[{].*[\]}]", text, re.DOTALL)
    try:
        return bool(fenced) and json.loads(fenced[0]) is not None
    except ValueError:
        return False


_FORMS = {
    "most": lambda text, _: True,
    "short": lambda text, most: count_words(text) <= int(most),
    "json": _json,
    "table": lambda text, _: len(re.findall(r"^\s*\|.*\|\s*$|\t", text, re.MULTILINE)) >= 2,
    "bullets": lambda text, _: len(re.findall(r"^\s*(?:[-*•]|\d\.) ", text, re.MULTILINE)) >= 2,
    "lines": lambda text, most: len(text.strip().splitlines()) <= int(most),
}
