"""What an answer says, read by rules of its own: claims about the verdict, places, counts, types, and honesty.

It shares no rule with the room that words the facts, so that it can judge what that says. It reads
English, knows no record, and takes what it does not understand for silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from assistant.prompts.defects import DEFECTS

Claim = Literal["good", "defect", "open"]

_FLAW = r"(?:defects?|anomal(?:y|ies)|flaws?|faults?|damages?|problems?|issues?)"
_BAD = r"(?:defective|faulty|damaged|broken|bad|flawed|anomalous|abnormal|rejected|defect|fault|flaw|anomaly)"
_FINE = r"(?:good|fine|ok|okay|acceptable|accepted|normal|sound|perfect|flawless|intact|in order|passed)"
_IS = r"\b(?:is|are|was|were|looks?|seems?|am)"
_HOW = r"(?:an? |very |clearly |definitely |really |quite |indeed |considered |perfectly |all |also )*"
_PLACED = r"(?![^.]*\b(?:on|in|at) the (?:top|bottom|upper|lower|left|right|cent|middle))"
_VERDICT = re.compile(
    r"\bverdict[ ,:=]*(?:it )?(?P<to>to|as)?(?:is|was|stays?|remains?|says|reads|of)?[ ,:]*"
    r"(?P<not>not )?(?:still |set to |a |the |indeed |clearly |therefore |thus |also )*"
    r"(?P<word>good|defect(?:ive)?|review)\b"
)
_FIRM: tuple[tuple[Claim, re.Pattern[str]], ...] = (
    ("defect", re.compile(rf"{_IS} (?:not|no longer) {_HOW}{_FINE}\b")),
    ("good", re.compile(rf"{_IS} (?:not|no longer) {_HOW}{_BAD}\b")),
    ("good", re.compile(rf"\b(?:no|free of|free from|without)(?: any| visible| obvious)* {_FLAW}\b{_PLACED}")),
    ("good", re.compile(rf"\bnot (?:have|show|contain|find|see|detect) (?:an?|any) (?:\w+ )?{_FLAW}\b{_PLACED}")),
    ("defect", re.compile(rf"{_IS} {_HOW}{_BAD}\b")),
    ("good", re.compile(rf"{_IS} {_HOW}{_FINE}\b")),
    ("defect", re.compile(rf"\b(?:there is|there are|has|have|shows?|contains?|found|detected|see) "
                          rf"(?:an?|one|two|three|some|several|the|\d+) (?:\w+ )?{_FLAW}\b")),
    ("defect", re.compile(rf"(?<!no )\b{_FLAW} (?:was|were|is|are|has been|have been) (?:\w+ly )?"
                          r"(?:found|detected|present|visible|seen|identified)\b")),
)  # fmt: skip
_SOFT: tuple[tuple[Claim, re.Pattern[str]], ...] = (
    ("open", re.compile(r"above the review limit but not above the threshold")),
    ("good", re.compile(r"nothing stands out|no region|nothing exceed|let it pass|within (?:its|the) limit"
                        r"|\bnot above|\bbelow the")),
    ("defect", re.compile(r"\baside\b|not pass it|above the threshold|\breject")),
    ("open", re.compile(r"\bopen\b|perhaps|maybe|not settled|unsettled|undecided|uncertain|unclear|not surely"
                        r"|borderline|\breview\b|person")),
    ("defect", re.compile(r"stands? out")),
)  # fmt: skip
_SUPPOSED = re.compile(r"\b(?:whether|if|would|could|may|might|should|unless)\b")
_DENIES = re.compile(
    r"\b(?:no|not|nothing|none|nowhere|never|neither|nor|without|whether|unknown|if|cannot|otherwise|only)\b"
)
_ASSENT = re.compile(
    r"\W*(?:yes|yeah|yep|correct|right|sure|certainly|of course|ok|okay|done|agreed|indeed"
    r"|that is (?:right|correct)|i agree|you are right|that agrees|that fits|the inspection agrees)\b(?! that)"
)
_DISSENT = re.compile(
    r"\W*(?:no|nope)\b(?=\s*(?:[,.:;!-]|$))|\W*that does not agree|the inspection says otherwise"
)

_PLACE = re.compile(
    r"\b(?P<down>top|upper|bottom|lower|middle|cent(?:er|re))[ -](?P<across>left|right|cent(?:er|re)|middle)\b"
    r"|\b(?P<side>left|right)[ -](?P<end>top|bottom)\b"
    r"|(?:(?:\b(?:on|in|at|to|near|of|and|towards?) (?:the )?(?:far |very )?|\] )(?P<one>top|bottom|left|right"
    r"|cent(?:er|re)|middle)(?![ -](?:left|right|top|bottom|middle|cent))"
    r"|\b(?P<named>top|upper|bottom|lower|left|right|central|middle) "
    r"(?:side|edge|half|third|corner|part|area|border))\b"
    r"(?! (?:of \[?r\d|of the cent|line|word|or\b))"
)
_NUMBERS = {
    **dict.fromkeys(("no", "none", "zero", "nothing", "nowhere"), 0),
    **{w: n for n, w in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), 1)},
    **{"a": 1, "single": 1},
}
_N = rf"\d+|{'|'.join(_NUMBERS)}"
_COUNTED = re.compile(
    rf"\b(?P<n>{_N})(?: (?!more|other|further|such)[a-z]+){{0,2}} "
    rf"(?:regions?|areas?|spots?|places?|findings?|marks?|{_FLAW})\b"
)
_TALLY = re.compile(r"\bregions?\s*[:=]\s*(\d+)\b|\bregions (?:is|are) (\d+)\b")
_OPENING = re.compile(rf"\W*(?P<n>{_N.replace('|a|', '|')})\b(?! (?:px|%|x))")
_ID = re.compile(r"\[?\br(\d+)\b\]?")

_EVERYDAY = {"spot", "short", "open", "split", "gap", "flash", "crush", "spike", "knot", "fading", "chip", "void"}
_NAMES = {word: d.name for d in DEFECTS for word in (d.name, *d.words) if word not in _EVERYDAY}
_KIND = re.compile(rf"\b({'|'.join(sorted(_NAMES, key=len, reverse=True))})(?:e?s)?\b")

_DECLINES = re.compile(
    r"\b(?:can not|could not|unable to|impossible to|no way to) (?:be )?(?:know|tell|told|say|said|see|seen|answer"
    r"|help|prove|determine|judge|work out|speak|name)|\b(?:is|are|it) unknown|\bunknown\b|\bnot known"
    r"|\b(?:does|do|did) not (?:say|state|hold|know|tell|contain|show|record|include|reveal|provide|give|mention"
    r"|name|have|specify)|\bknows? (?:of )?(?:nothing|only|pixels|this picture only)|\bi cannot|\bnothing (?:is "
    r"|can be )?(?:known|said)|\bpixels only|\bnot (?:in|part of) the (?:record|evidence|picture)|\bsays nothing"
    r"|\bno (?:scale|information|data|mention|type|cause|proof|depth|past)\b|\bonly (?:what|speak|about|with)\b"
    r"|\bnothing to do with|\bnot (?:available|given|recorded|stated|provided|specified|mentioned|shown)"
    r"|\babout this one picture|\bi can not\b"
)
_NOTHING = re.compile(
    rf"nothing stands out|no region|nothing exceed|no (?:such )?{_FLAW}|nothing to|nowhere|none\b"
)
_INVENTS = {
    "millimetres": r"\d\s?(?:mm|cm|\u00b5m|um|nm|microns?|millimet\w+|centimet\w+|inch(?:es)?)\b",
    "depth": r"\d\s?(?:mm|cm|\u00b5m|um|microns?|millimet\w+)\b|\bit is (?:very )?(?:deep|shallow)|\bdeeper",
    "price": r"[$\u20ac\u00a3]\s?\d|\d\s?(?:dollars|euros|usd|eur|cents)\b|\b(?:cheap|expensive)\b",
    "maker": r"\b(?:made|produced|supplied|caused|manufactured) by\b|\bto blame\b",
    "when": r"\b(?:19|20)\d\d\b|\b\d+ (?:minutes?|hours?|days?|weeks?|months?|years?)\b|yesterday|\w+ shift\b",
    "consequence": r"\bwill (?:\w+ )?(?:fail|break|last|hold|work|leak|crack|spread)|\bit (?:still )?works\b",
    "material": r"\bmade (?:of|from)\b|\b(?:steel|alumini?um|plastic|copper|brass|titanium|ceramic|rubber)\b",
    "back": r"\b(?:back|inside|other side|rear) (?:\w+ )?(?:is|looks|has)\b",
    "batch_others": r"\brate (?:is|of) \d|\b(?:all|most|other) parts (?:are|have)\b",
}
"""What may not be said to a question on each topic of `dialogue_questions.BEYOND`."""

_CELLS = {"upper": "top", "lower": "bottom", "middle": "center", "centre": "center", "central": "center"}


def hear_verdict(text: str) -> frozenset[Claim]:
    """What a text states outright about the part, whatever was asked: a good one, a defect, or left open."""
    found: set[Claim] = set()
    for clause in _clauses(_spell(text)):
        rest = clause
        for said in _VERDICT.finditer(clause):
            refused = said["to"] and _DENIES.search(clause[: said.start()])
            if not refused and not _SUPPOSED.search(clause[: said.start()]):
                found.add(_turn("open" if said["word"] == "review" else _side(said["word"]), bool(said["not"])))
            rest = rest.replace(said[0], " ")
        if _SUPPOSED.search(rest):
            continue
        for claim, rule in _FIRM:
            if rule.search(rest):
                found.add(claim)
                rest = rule.sub(" ", rest)
    return frozenset(found)


def hear_claims(text: str, premise: str = "") -> frozenset[Claim]:
    """What an answer claims about the part; `premise` is what a "yes" means, "good" or "defect".

    Hints such as "let it pass" count only where nothing is stated outright.
    """
    words, found = _spell(text), set(hear_verdict(text))
    if premise and _ASSENT.match(words):
        found.add(_side(premise))
    elif premise and _DISSENT.match(words):
        found.add(_turn(_side(premise), True))
    if found:
        return frozenset(found)
    return frozenset(next(([claim] for claim, rule in _SOFT if rule.search(words)), []))


def hear_places(text: str) -> list[tuple[str, bool]]:
    """(place, denied) for each of the 3x3 places in a text, in its order."""
    found = []
    for clause in _clauses(_spell(text), commas=False):
        for said in _PLACE.finditer(clause):
            parts = [_CELLS.get(word, word) for word in said.groups() if word]
            down = next((word for word in parts if word in ("top", "bottom")), "")
            across = next((word for word in parts if word in ("left", "right")), "")
            place = " ".join(word for word in (down, across) if word) or "center"
            found.append((place, bool(_DENIES.search(clause[: said.start()]))))
    return found


def hear_count(text: str) -> int | None:
    """How many regions a text says there are; where it says no number, how many it names; None where neither."""
    spelled = _spell(text)
    if tally := _TALLY.search(spelled):
        return int(tally[1] or tally[2])
    words = " ".join(_ID.sub(" ", spelled).split())
    if re.search(r"\bthe only\b", words):
        return 1
    if said := _COUNTED.search(words) or _OPENING.match(words):
        return int(said["n"]) if said["n"].isdecimal() else _NUMBERS[said["n"]]
    if _NOTHING.search(words):
        return 0
    return len(set(_ID.findall(spelled))) or None


def hear_types(text: str) -> frozenset[str]:
    """The types of defect, by their names in the vocabulary, that a text says something is or is like."""
    return frozenset(
        _NAMES[said[1]]
        for clause in _clauses(_spell(text))
        if not _DENIES.search(clause) and not _DECLINES.search(clause)
        for said in _KIND.finditer(clause)
    )


def hear_ids(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The ids of regions that a text speaks of, and those that it only denies."""
    spoken: set[str] = set()
    denied: set[str] = set()
    for clause in _clauses(_spell(text)):
        (denied if _DENIES.search(clause) else spoken).update(f"R{n}" for n in _ID.findall(clause))
    return frozenset(spoken), frozenset(denied - spoken)


def assents(text: str) -> bool:
    """Whether a text opens with a yes."""
    return bool(_ASSENT.match(_spell(text)))


def denies(text: str) -> bool:
    """Whether a text says of anything that it is not so, or not known."""
    return bool(_DENIES.search(_spell(text)))


def finds_nothing(text: str) -> bool:
    """Whether a text says that nothing is there."""
    return bool(_NOTHING.search(_spell(text)))


def declines(text: str) -> bool:
    """Whether a text says that something cannot be told."""
    return bool(_DECLINES.search(_spell(text)))


def invents(text: str, topic: str) -> bool:
    """Whether a text tells what no picture shows, on a topic of `dialogue_questions.BEYOND`."""
    rule = _INVENTS.get(topic, r"(?!)")
    return any(re.search(rule, clause) and not _DENIES.search(clause) for clause in _clauses(_spell(text)))


def _spell(text: str) -> str:
    words = text.replace("\u2019", "'").casefold().replace('"', "").replace("*", "")
    words = re.sub(r"\bcan(?:not|'t)\b", "can not", words)
    words = re.sub(r"(\w)n't\b", r"\1 not", words)
    words = re.sub(r"\b(it|that|there|this)'s\b", r"\1 is", words)
    words = re.sub(r"\bregions? (\d+)\b", r"[r\1]", words)
    return " ".join(words.split())


def _clauses(words: str, commas: bool = True) -> Iterator[str]:
    """Parts of a text that are judged on their own; a full stop inside a number ends nothing."""
    opened = re.sub(r"^\W*(?:no|yes)\s*[,:.;!-]\s*", "", words)
    cut = rf"[.!?;:{',' if commas else ''}]+(?=\s|$)|\bbut\b|\bhowever\b"
    if re.search(r"\bverdict\s*:", opened):  # "the verdict: it is good" is one thing said
        opened = re.sub(r"\bverdict\s*:", "verdict", opened)
    yield from (part for part in re.split(cut, opened) if part.strip())


def _side(word: str) -> Claim:
    return "good" if word == "good" else "defect"


def _turn(claim: Claim, turned: bool) -> Claim:
    if not turned or claim == "open":
        return claim
    return "defect" if claim == "good" else "good"
