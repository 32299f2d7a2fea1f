"""What a clause of a question asks: its intent, and the regions, the place and the premise in its words.

References such as "it" are resolved by the regions that may be asked about and the conversation so far.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.inspection import Region
from assistant.language.intents import BAD, GOOD, KIND, PER_REGION, PLACE, THING, match_intent
from assistant.language.question_clauses import normalize, split_clauses

History = Sequence[tuple[str, str]]

_BY_PLACE = frozenset("unknown verdict where count identity summary region".split())  # "anything at the top?"

_PRONOUN = re.compile(
    rf"(?<!in )(?<!on )\b(?:it|this|that)\b(?! {THING})|\b(?:this|that|same|latter) {PLACE}\b|\bthe same\b"
)
_ALL = re.compile(r"\b(?:all|each|every|both|they|them|these|those|regions|ones)\b")
_COUNTED = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_CARDINAL = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_RANKS = {word: n for words in (_COUNTED, _CARDINAL) for n, word in enumerate(words, 1)}
_NUMBERED = re.compile(
    rf"\br ?(\d+)\b|\b(?:{PLACE}|number|nr) (\d+|{'|'.join(_CARDINAL)})\b|(?:^|about )(\d+)$"
    rf"|\b(\d+|{'|'.join(_COUNTED)})(?: (?:st|nd|rd|th))? {PLACE}\b"
    rf"|(?:^|\bthe )(\d+|{'|'.join(_COUNTED)})(?: (?:st|nd|rd|th))?$"
)
_SUPERLATIVES = (
    (r"\b(?:largest|biggest|widest)\b", max, "area"),
    (r"\b(?:smallest|tiniest)\b", min, "area"),
    (r"\b(?:weakest|mildest|least (?:severe|serious|bad))\b", min, "peak"),
    (r"\b(?:worst|strongest|strangest|most (?:severe|serious|critical|suspicious|important))\b", max, "peak"),
)
_SIDES = {"upper": "top", "lower": "bottom", "middle": "center", "centre": "center"}
_PLACED = re.compile(
    r"\b(?:in|on|at|to|near|of|about) (?:the )?(?:very |far )?(?:top|bottom|left|right|center)\b"
    r"|\b(?:top|bottom|left|right|center) (?:left|right|side|corner|edge|half|border|area|region|one)\b"
    r"|^(?:the )?(?:top|bottom|left|right|center)$|\b(?:left|right) (?:top|bottom)\b"
)


@dataclass(frozen=True)
class Ask:
    """One clause of a question: `intent` is a key of `INTENTS`, or "unknown".

    `focus` holds the ids of the regions it points at, empty for all of them. `missing` is true where it
    points at a region that the inspection does not have. `position` is a place such as "top left", `kind`
    the name of a defect it takes for granted, `premise` "good" or "bad" where it asks for a yes to either.
    """

    intent: str
    focus: tuple[str, ...] = ()
    missing: bool = False
    position: str = ""
    kind: str = ""
    premise: str = ""


def read_clause(clause: str, history: History, regions: Sequence[Region]) -> Ask:
    """What a clause asks, with its references resolved against the regions and the conversation so far."""
    words = normalize(clause)
    intent = match_intent(words)
    focus, missing = _point_at(words, intent, history, regions)
    position = _read_position(words)
    kind = re.search(rf"\b{KIND}\b", words)
    named = bool(focus or missing) and not _PRONOUN.search(words)
    if intent == "unknown" and (focus or missing):
        intent = _earlier_intent(history)
    elif intent in ("summary", "count", "verdict") and named:
        intent = "region"
    elif intent == "identity" and words in ("what is it", "what is that", "what is this") and focus:
        intent = "type"
    if position and not focus and intent in _BY_PLACE:
        intent = "position"
    return Ask(intent, focus, missing, position, kind[0] if kind else "", _read_premise(words))


def _point_at(
    words: str, intent: str, history: History, regions: Sequence[Region]
) -> tuple[tuple[str, ...], bool]:
    ids = [region.id for region in regions]
    if numbers := [next(filter(None, found)) for found in _NUMBERED.findall(words)]:
        asked = [f"R{_RANKS.get(number) or int(number[:9])}" for number in numbers]
        known = tuple(id for id in dict.fromkeys(asked) if id in ids)
        return known, len(known) < len(set(asked))
    if re.search(rf"\blast {PLACE}\b", words) and ids:
        return (ids[-1],), False
    for pattern, choose, field in _SUPERLATIVES:
        if regions and re.search(pattern, words):
            return (choose(regions, key=lambda region: float(getattr(region, field))).id,), False
    cited = _last_cited(history, ids)
    if re.search(r"\bothers?\b", words) and cited and (intent in PER_REGION or intent == "unknown"):
        return tuple(id for id in ids if id not in cited), False
    if re.search(rf"\b(?:that|this|same|latter) {PLACE}\b|\bthe same\b", words):
        return tuple(cited[-1:] or (ids if len(ids) == 1 else ())), False
    follows_up = _PRONOUN.search(words) or len(words.split()) <= 3
    if follows_up and len(cited) == 1 and not _ALL.search(words) and intent in PER_REGION | {"identity"}:
        return tuple(cited), False
    return (), False


def _last_cited(history: History, ids: Sequence[str]) -> list[str]:
    """The ids in the latest answer that cites any, in its order."""
    for _, said in reversed(history):
        if cited := [id for id in dict.fromkeys(re.findall(r"\[(R\d+)\]", said)) if id in ids]:
            return cited
    return []


def _earlier_intent(history: History) -> str:
    """The intent that "and the second one?" goes on with."""
    for question, _ in reversed(history):
        intent = match_intent(normalize(split_clauses(question)[-1]))
        if intent != "unknown":
            return intent if intent in PER_REGION else "region"
    return "region"


def _read_position(words: str) -> str:
    words = " ".join(_SIDES.get(word, word) for word in words.split())
    if not _PLACED.search(words):
        return ""
    down, across = re.search(r"\b(?:top|bottom)\b", words), re.search(r"\b(?:left|right)\b", words)
    return " ".join(word[0] for word in (down, across) if word) or "center"


def _read_premise(words: str) -> str:
    """What a yes would say: "good", "bad", or "" where that is open, negated or both."""
    good, bad = re.search(rf"\b{GOOD}\b", words), re.search(rf"\b{BAD}\b", words)
    if re.search(r"\b(?:not|no|nothing|never|without|free|none|you)\b", words) or bool(good) == bool(bad):
        return ""
    return "good" if good else "bad"
