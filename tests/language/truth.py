"""An independent reader of answers: which sentences say what the records do not support.

It is written from what an `Inspection` is, and knows nothing of how answers are made. It reads numbers, ids,
places, counts, verdicts and comparisons, and finds words that no record supports. What it cannot read it lets
pass, so it proves nothing; what it finds is false. English is read most closely, the other languages by the tables
of `truth_words`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from truth_numbers import PRODUCT, false_numbers, fits, numbers_of
from truth_words import LANGUAGES, POSITIONS, Words

from assistant.images.geometry import position_of
from assistant.inspection import Inspection, Region

_ENDS = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!\bz\.)(?<!B\.)[\"')\]»“]*\s+|(?<=[。！？])|\n+")
_ID = r"(?<![A-Za-z])R\d+(?!\d)"
_MORE = (
    r"(?:above|over|exceeds?|exceeded|higher than|greater than|more than|beyond|past|larger than|surpass(?:es)?)"
)
_LESS = r"(?:below|under|lower than|less than|smaller than|beneath|short of|not reach(?:ing)?)"
_LARGER = r"larger|bigger|wider|greater in area"
_SMALLER = r"smaller|less large"
_STRONGER = r"stronger|stranger|worse|higher|more severe"
_WEAKER = r"weaker|milder|lower|less strong"


def false_sentences(
    text: str, records: Sequence[Inspection], language: str = "en", asked: str = ""
) -> list[tuple[str, str]]:
    """(sentence, what is wrong) of each sentence that the records contradict or do not support.

    `asked`: the question, whose numbers may be repeated in a comparison. Quotations, names of files and products,
    labels and code in backticks count for nothing.
    """
    words = LANGUAGES[language]
    found = []
    for whole in split(text):
        about = meant(whole, records)
        sentence = _plain(whole, records)
        for fault in _faults(sentence, about, records, words, language, asked):
            found.append((whole, fault))
    return found


def false_values(text: str, records: Sequence[Inspection], asked: str = "") -> list[tuple[str, str]]:
    """(value, what is wrong) of each number and verdict in an answer as JSON that is none of the records'."""
    known = numbers_of(list(records), records)
    wanted = {value for values in known.values() for value in values} | PRODUCT
    wanted |= {100 * value for kind in ("share", "rate", "p", "ratio") for value in known[kind]}
    wanted |= {float(token) for token in re.findall(r"\d+(?:\.\d+)?", asked)}
    told = {record.outcome for record in records}
    return [
        (str(value), f"{name} of no record")
        for name, value in _leaves(json.loads(text))
        if (is_number(value) and not fits(str(value), abs(float(value)), wanted, 2))
        or (name == "verdict" and value not in told)
    ]


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, name)
    else:
        yield name, value


def is_number(value: object) -> bool:
    """Whether a value is a number and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def split(text: str) -> list[str]:
    """The sentences of a text, with the marks that end them."""
    return [sentence.strip() for sentence in _ENDS.split(text) if sentence and sentence.strip()]


def opens(text: str, language: str = "en") -> str:
    """ "yes" or "no" where a sentence of the text opens with it, the first such one; "" where none does.

    A file's name is no answer, whatever it reads.
    """
    words = LANGUAGES[language]
    for sentence in split(re.sub(r'"[^"\n]*"', '""', text)):
        bare = re.sub(r"^[\s\W\d_]+(?=\w)", "", sentence)
        for name, rule in (("yes", words.yes), ("no", words.no)):
            if re.match(rule, bare, re.IGNORECASE):
                return name
    return ""


def meant(sentence: str, records: Sequence[Inspection]) -> list[Inspection]:
    """The records that a sentence names by file, or by number in a row; all where it names none."""
    stems = [PurePath(r.path).stem for r in records]
    if len(records) == 1:
        return list(records)
    numbers = {
        int(n)
        for n in re.findall(
            r"(?<![A-Za-z])P(\d+)|[Pp]icture (\d+)|Bild (\d+)|[Ii]magen (\d+)|图片? ?(\d+)", sentence
        )
        for n in n
        if n
    }
    if numbers and max(numbers) <= len(records):
        return [records[n - 1] for n in sorted(numbers)]
    named = [
        r
        for r, stem in zip(records, stems, strict=True)
        if re.search(rf"(?<![\w-]){re.escape(stem)}(?!\w)", sentence)
    ]
    return named or list(records)


def _plain(sentence: str, records: Sequence[Inspection]) -> str:
    """The sentence without quotations, code, and names that somebody gave."""
    names = {r.path for r in records} | {
        *(PurePath(r.path).name for r in records),
        *(PurePath(r.path).stem for r in records),
    }
    names |= {t.name for r in records for region in r.regions for t in region.defect_types}
    names |= {region.reference.name for r in records for region in r.regions if region.reference}
    names |= {
        name for r in records for name in (r.product, r.bundle, r.weights, r.group, r.error, r.created) if name
    }
    names |= {note for r in records for note in (*r.notices, *r.looks_like)}
    names |= {r.created[:10] for r in records if r.created}
    for name in sorted(names - {"", "good", "unknown", "defect"}, key=len, reverse=True):
        sentence = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", sentence, flags=re.IGNORECASE)
    return re.sub(r"`[^`]*`|\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|「[^」]*」|(?<!\w)'[^']*'(?!\w)", "…", sentence)


def _faults(
    sentence: str, about: list[Inspection], records: Sequence[Inspection], words: Words, language: str, asked: str
) -> Iterator[str]:
    ids = {region.id for record in about for region in record.regions}
    for name in dict.fromkeys(re.findall(_ID, sentence)):
        if name not in ids and not re.search(words.denies, sentence, re.IGNORECASE):
            yield f"there is no {name}"
    yield from false_numbers(sentence, about, records, words, language, asked)
    yield from _false_verdicts(sentence, about, words, language)
    yield from _false_places(sentence, about, words)
    yield from _false_counts(sentence, about, words)
    yield from _false_rarity(sentence, about, words)
    yield from _false_severities(sentence, about, words)
    yield from _false_denials(sentence, about, words)
    yield from _false_superlatives(sentence, about, words)
    for clause in re.split(r"[;:，；：]|, (?:but|and|so|aber|und|pero|y)\b", sentence):
        word = re.search(words.forbidden, clause, re.IGNORECASE)
        if word and not re.search(words.cannot, clause, re.IGNORECASE):
            yield f"no record tells of {word[0]!r}"
    if language == "en":
        yield from _false_limits(sentence, about)
        yield from _false_comparisons(sentence, about)
        yield from _false_origin(sentence, about)
        for name in re.findall(r"\b(R\d+)\]?[^;.:]{0,40}?\b(?:missing|absent)\b", sentence):
            kinds = {region.kind for record in about for region in record.regions if region.id == name}
            if kinds == {"strange"} and not re.search(words.denies, sentence, re.IGNORECASE):
                yield f"{name} is not a place where something is missing"


_SUPPOSED = (
    r"\b(?:chance that|nor that|if|where|whether|when|would|could|should|until|unless|may|might|each|every|any|"
    r"a (?:picture|score|part)|pictures|scores|parts)\b"
)
"""Words before what is only supposed, or said of pictures in general."""


def _false_verdicts(sentence: str, about: list[Inspection], words: Words, language: str) -> Iterator[str]:
    """Verdicts that are named as such, or said of the picture with "is"."""
    every = "|".join(words.verdicts.values())
    rules = [words.named.replace("{words}", every)]
    if language == "en":
        rules.append(
            r"\b(?:it|part|picture|image|one|this|that|piece|(?<!\w)…) (?:is|was|counts as|looks) "
            r"(?:clearly |still )?"
            rf"(?P<not>not |no )?(?:a |an |judged |rated |called )?(?P<word>{every})\b"
            r"(?! (?:pictures?|parts? (?:do|score|reach|differ)|references?|ones))"
        )
        rules.append(rf"^(?P<not>not )?(?P<word>{every})\b(?=[:.,;!]|$)")
    for rule in rules:
        for match in re.finditer(rule, sentence, re.IGNORECASE):
            before = sentence[max(0, match.start() - 40) : match.start()]
            if language == "en" and re.search(_SUPPOSED, before, re.IGNORECASE):
                continue
            word = match["word"]
            kinds = {kind for kind, rule in words.verdicts.items() if re.fullmatch(rule, word, re.IGNORECASE)}
            told = {record.outcome for record in about}
            denied = bool(match["not"])
            if (denied and told <= kinds) or (not denied and not told & kinds):
                yield f"the verdict is {' and '.join(sorted(told))}"


def supported_places(region: Region, record: Inspection) -> set[str]:
    """The places in words that a region's box and position support; none for a box that spans the picture."""
    x0, y0, x1, y1 = region.box
    wide, high = (x1 - x0) >= 0.9 * record.width, (y1 - y0) >= 0.9 * record.height
    found: set[str] = set()
    for place in {region.position, position_of(region.box, record.width, record.height)}:
        parts = set(place.split())
        if (wide and parts & {"left", "right"}) or (high and parts & {"top", "bottom"}) or (wide and high):
            continue
        found |= {place}
    return found


def _false_places(sentence: str, about: list[Inspection], words: Words) -> Iterator[str]:
    """Places of a region that lies elsewhere; a place belongs to the nearest id before it, else to any region."""
    rule = re.compile(words.at.replace("{words}", "|".join(words.positions)), re.IGNORECASE)
    for match in rule.finditer(sentence):
        place = next(
            name
            for name, one in zip(POSITIONS, words.positions, strict=True)
            if re.search(one, match[0], re.IGNORECASE)
        )
        ids = re.findall(_ID, sentence[: match.start()]) or re.findall(_ID, sentence)
        shared = _listed(sentence, match.start())
        named = shared or (ids[-1:] if re.search(_ID, sentence[: match.start()]) else ids[:1])
        regions = [(r, record) for record in about for r in record.regions if not named or r.id in named]
        denied = re.search(words.denies, sentence[: match.start()][-25:], re.IGNORECASE)
        if not regions or denied:
            continue
        supported = set.union(*(supported_places(r, record) for r, record in regions))
        if place not in supported and not _within(place, supported):
            where = "/".join(sorted(supported)) or "across the picture"
            yield f"{'/'.join(named) or 'a region'} lies {where}, not {place}"


def _listed(sentence: str, end: int) -> list[str]:
    """Ids that are told together, as in "R1 and R2 lie ..."."""
    listed = re.findall(r"((?:\[?R\d+\]?(?:, | and | und | y |、|和))+\[?R\d+\]?)[^R]*$", sentence[:end])
    return re.findall(r"R\d+", listed[-1]) if listed else []


def _within(place: str, supported: set[str]) -> bool:
    """Whether a place of one word, as in "at the top", is half of a supported one."""
    return place in ("top", "bottom", "left", "right") and any(place in other.split() for other in supported)


def _false_counts(sentence: str, about: list[Inspection], words: Words) -> Iterator[str]:
    """How many regions there are, in digits or words."""
    if re.search(
        _SUPPOSED + r"|more than|at most|over|than|of the|others?|further|mehr|más|超过", sentence, re.IGNORECASE
    ):
        return
    told = {len(record.regions) for record in about} | {sum(len(record.regions) for record in about)}
    numeral = "|".join(words.numerals)
    for match in re.finditer(
        rf"(?<![A-Za-z\d.,%])(\d{{1,2}}|{numeral}) ?{words.regions}", sentence, re.IGNORECASE
    ):
        known = (i for i, word in enumerate(words.numerals) if re.fullmatch(word, match[1], re.IGNORECASE))
        number = int(match[1]) if match[1].isdigit() else next(known)
        if number not in told and not re.search(r"R\d+", match[0]) and not _partial(match[0], sentence):
            yield f"there are {'/'.join(map(str, sorted(told)))} regions, not {number}"


def _partial(found: str, sentence: str) -> bool:
    """Whether a number of regions is that of some: "the two largest regions", "one region in the center"."""
    return bool(
        re.search(r"strong|larg|small|severe|moderate|slight|biggest|first|last", found + sentence, re.IGNORECASE)
    )


def _false_rarity(sentence: str, about: list[Inspection], words: Words) -> Iterator[str]:
    """ "1 in N" told rarer than so many good pictures can show, without the curve, or as if it were counted."""
    for match in re.finditer(words.one_in, sentence, re.IGNORECASE):
        told = float(re.sub(r"[, ]", "", match["n"]) or 0)
        fits = []
        for record in about:
            rests = record.evidence
            if not rests or record.verdict == "unrated" or not told:
                continue
            rarest = 1 / rests.smallest_p
            curve = bool(re.search(words.curve, sentence, re.IGNORECASE))
            fewer = bool(re.search(words.fewer, sentence[: match.end() + 12], re.IGNORECASE))
            at_limit = abs(told - rarest) <= 0.5 and record.by_curve
            fits.append(
                (curve or not record.by_curve or told <= rarest + 0.5) and (not at_limit or fewer or curve)
            )
        if fits and not any(fits):
            yield f"1 in {told:g} is rarer than counting can show, or is at most that"


def _false_severities(sentence: str, about: list[Inspection], words: Words) -> Iterator[str]:
    """Severities that are told of a region that has another: the first one after its id."""
    every = "|".join(words.severities)
    for match in re.finditer(rf"(R\d+)\]?(?:(?!R\d|[.;:,。；，]).){{0,25}}?({every})", sentence, re.IGNORECASE):
        told = next(i for i, rule in enumerate(words.severities) if re.fullmatch(rule, match[2], re.IGNORECASE))
        held = {region.severity for record in about for region in record.regions if region.id == match[1]}
        if re.search(words.denies, match[0], re.IGNORECASE):
            continue
        if held and ("slight", "moderate", "severe")[told] not in held:
            yield f"{match[1]} is {'/'.join(sorted(held))}"


def _false_superlatives(sentence: str, about: list[Inspection], words: Words) -> Iterator[str]:
    """Regions that are called the largest or the strongest right behind their id, and are not."""
    if len(about) > 1:
        return
    regions = about[0].regions
    for match in re.finditer(r"(R\d+)\]?((?:(?!R\d|[;:。；]|\.(?!\d)).){0,70})", sentence):
        called = next((region for region in regions if region.id == match[1]), None)
        if not called or re.search(words.denies, match[2], re.IGNORECASE):
            continue
        after = r")(?! (?:is|ist|es|region is)\b|是|:)"
        if re.search(f"(?:{words.largest}{after}", match[2], re.IGNORECASE) and called.area < max(
            r.area for r in regions
        ):
            yield f"{called.id} is not the largest"
        if re.search(f"(?:{words.strongest}{after}", match[2], re.IGNORECASE) and called.peak < max(
            r.peak for r in regions
        ):
            yield f"{called.id} is not the strongest"


def _false_denials(sentence: str, about: list[Inspection], words: Words) -> Iterator[str]:
    """That there is no region, or no limit, where there is one."""
    place = words.at.replace("{words}", "|".join(words.positions))
    if re.search(words.nothing, sentence, re.IGNORECASE) and not re.search(place, sentence, re.IGNORECASE):
        if all(record.regions and record.outcome in ("defect", "review") for record in about):
            yield "there are regions"
    if re.search(words.unlimited, sentence, re.IGNORECASE):
        if all(math.isfinite(record.threshold) for record in about):
            yield "there is a limit"


def _false_limits(sentence: str, about: list[Inspection]) -> Iterator[str]:
    """Scores that are said to lie on a side of a limit on which they do not lie."""
    rule = (
        rf"\bscores?\b[^;:.]{{0,40}}?(?P<not>\bnot |n't |no )?\b(?P<how>{_MORE}|{_LESS})[^;:]{{0,25}}?"
        r"(?P<limit>review limit|review threshold|limit for review|review|threshold|limit)\b"
    )
    for match in re.finditer(rule, re.sub(r"(?<=\d)\.(?=\d)", "·", sentence), re.IGNORECASE):
        if re.search(_SUPPOSED, sentence[: match.end()], re.IGNORECASE):
            continue
        more = bool(re.fullmatch(_MORE, match["how"], re.IGNORECASE)) != bool(match["not"])
        limits = [r.review_threshold if "review" in match["limit"].lower() else r.threshold for r in about]
        if not any((record.score > limit) == more for record, limit in zip(about, limits, strict=True)):
            yield f"the score is not {match['how']} the {match['limit']}"


def _false_comparisons(sentence: str, about: list[Inspection]) -> Iterator[str]:
    """Regions compared with each other, and the largest or strongest of them."""
    for record in about:
        if len(about) > 1:
            return  # ids of several pictures are the same words
        by_id = {region.id: region for region in record.regions}
        rule = (
            rf"\b(R\d+)\]?[^;.]{{0,30}}?\b(not |n't )?({_LARGER}|{_SMALLER}|{_STRONGER}|{_WEAKER}) than"
            r"[^;.]{0,20}?\b(R\d+)"
        )
        for one, denied, how, other in re.findall(rule, sentence, re.IGNORECASE):
            if one in by_id and other in by_id:
                area = re.fullmatch(f"{_LARGER}|{_SMALLER}", how, re.IGNORECASE)
                size = [by_id[name].area if area else by_id[name].peak for name in (one, other)]
                more = bool(re.fullmatch(f"{_LARGER}|{_STRONGER}", how, re.IGNORECASE))
                if ((size[0] > size[1]) if more else (size[0] < size[1])) == bool(denied):
                    yield f"{one} is not {how} than {other}"
        for how, key in (("largest|biggest", lambda r: r.area), ("strongest|strangest|worst", lambda r: r.peak)):
            for name in _called(sentence, how):
                best = max((key(r) for r in record.regions), default=math.nan)
                if name in by_id and key(by_id[name]) < best:
                    yield f"{name} is not the {how.split('|')[0]}"
        for how, key in (("smallest", lambda r: r.area), ("weakest|mildest", lambda r: r.peak)):
            for name in _called(sentence, how):
                least = min((key(r) for r in record.regions), default=math.nan)
                if name in by_id and key(by_id[name]) > least:
                    yield f"{name} is not the {how.split('|')[0]}"


def _called(sentence: str, how: str) -> list[str]:
    after = re.findall(
        rf"\b(R\d+)\]?(?: is| has| was|,) (?:by far )?(?:the )?(?:{how})\b", sentence, re.IGNORECASE
    )
    before = re.findall(
        rf"\b(?:{how})(?: (?:region|place|area|one|of (?:them|all)))*(?: is|:) \[?(R\d+)\b",
        sentence,
        re.IGNORECASE,
    )
    return after + before


def _false_origin(sentence: str, about: list[Inspection]) -> Iterator[str]:
    """Limits that are said to be counted or estimated and are not, and drift that nobody has noticed."""
    methods = {record.evidence.method for record in about if record.evidence}
    named = r"\b(?:threshold|limit)s?\b (?:is|are|was|were|comes?|rests?)[^;:.]{0,12}?"
    if re.search(named + r"(?:set by counting|counted)", sentence, re.IGNORECASE) and "conformal" not in methods:
        yield "the limit is not counted"
    if re.search(named + r"(?:estimated|an estimate)", sentence, re.IGNORECASE) and methods <= {
        "conformal",
        "none",
    }:
        yield "the limit is not estimated"
    notices = " ".join(note for record in about for note in record.notices)
    if re.search(r"\b(?:has|have) (?:drifted|changed)\b", sentence) and "changed" not in notices:
        if not re.search(_SUPPOSED + r"|\bno\b|\bnot\b", sentence):
            yield "no notice tells of a change"
    if re.search(r"\b(?:no|without) (?:notices?|warnings?)\b", sentence, re.IGNORECASE) and notices:
        yield "there is a notice"
