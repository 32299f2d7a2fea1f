"""Multiple-choice questions: answered from one Inspection by rules, and letters read out of a model's answer.

The rules use what the record holds: verdict, places, counts, severities, types, and what the picture looks like.
Where none applies they guess, and say so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from assistant.images.geometry import position_of
from assistant.inspection import UNKNOWN, Inspection
from assistant.prompts.defects import find_defect

Options = Mapping[str, str]
"""The text of each option by its letter, in the order in which they are offered."""

GUESS = "guess"

_AXES = {  # word -> (down, across), each -1, 0 or 1, None where the word leaves it open
    **dict.fromkeys(("top", "upper", "above"), (-1, None)),
    **dict.fromkeys(("bottom", "lower", "below"), (1, None)),
    "left": (None, -1),
    "right": (None, 1),
    **dict.fromkeys(("center", "centre", "middle", "central", "centrally"), (0, 0)),
}
_NUMBERS = {word: n for n, word in enumerate("zero one two three four five six seven eight nine ten".split())}
_LEVELS = {
    **dict.fromkeys(("slight", "minor", "mild", "light", "negligible"), "slight"),
    **dict.fromkeys(("moderate", "medium", "noticeable"), "moderate"),
    **dict.fromkeys(("severe", "serious", "major", "critical", "heavy"), "severe"),
}
_NOTHING = re.compile(
    r"\b(?:no|without|free of|free from|not any) (?:\w+ )?(?:defects?|anomal\w+|damages?|flaws?)\b"
    r"|\b(?:defect|damage|flaw)[- ]free\b|^none\b|\bnothing\b|\bintact\b|\bnot (?:defective|damaged)\b"
    r"|^(?:it is |the \w+ is )?(?:normal|good|flawless)\b"
)
_SOUND = re.compile(r"\b(?:good|normal|intact|flawless|acceptable|fine|undamaged)\b")
_WHERE = re.compile(r"\b(?:where|located|location|locate|position|positioned|area|side|corner)\b")
_COUNT = re.compile(r"\bhow many\b|\bnumber of\b|\bcount\b")
_TYPE = re.compile(r"\b(?:types?|kinds?|category|classif\w+|sorts?|what (?:is|are) the (?:defects?|anomal\w+))\b")
_DEFECT = re.compile(r"\b(?:defect\w*|anomal\w+|flaws?|faults?|damage\w*|abnormal\w*)\b")
_HOW_BAD = re.compile(r"\b(?:sever\w+|serious\w*|how bad)\b")
_OBJECT = re.compile(r"\b(?:object|product|item|shown|picture|image)\b")

_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_STATED = re.compile(r"(?i:answer|option|choice)\W{0,3}(?i:is|would be)?\W{0,4}([A-Z])(?![\w'])")
_ALONE = re.compile(r"(?<![\w'])(?!A\s+(?!and\b|or\b|is\b)[a-z])([A-Z])(?![\w'])")  # "A dent" is an article


@dataclass(frozen=True)
class Choice:
    """A letter, and the rule that found it: presence, place, count, severity, type, object, or guess."""

    letter: str
    rule: str


def choose(inspection: Inspection, question: str, options: Options) -> str:
    """The letter of the option that fits the record best; see `decide`."""
    return decide(inspection, question, options).letter


def decide(inspection: Inspection, question: str, options: Options) -> Choice:
    """The option that fits the record best, by the first rule that applies.

    A part is defective where its verdict is "defect", and for this yes or no "review" counts as good, as it is
    not turned away. Of an unrated part neither is said. Places are those of the strongest region, or of the
    strangest place where there is no region. The guess is the first option that the verdict does not rule out.
    ValueError where nothing is offered.
    """
    if not options:
        raise ValueError("a choice has at least one option")
    asked = " ".join(question.casefold().split())
    if inspection.status == "ok":
        for rule, apply in _RULES:
            if letter := apply(inspection, asked, options):
                return Choice(letter, rule)
    left = [letter for letter in options if not _ruled_out(inspection, options[letter])]
    return Choice((left or list(options))[0], GUESS)


def read_letter(said: str, options: Options) -> str:
    """The letter that an answer chooses, or "" where it cannot be told.

    Read in this order: a letter alone or before a mark ("B", "B.", "(b)", "B: text"); "the answer is B"; the
    text of one option and of no other; the one capital letter that stands alone. What stands between <think> and
    </think> is left out. No likeness of texts is tried, so that an answer about nothing scores nothing.
    """
    text = _THOUGHTS.sub(" ", said).strip()
    known = {letter.upper(): letter for letter in options}
    if leading := re.match(r"\W*([A-Za-z])(?:\W*$|\W{0,2}[.:)\],\n])", text):
        return known.get(leading[1].upper(), "")
    if stated := [known[letter] for letter in _STATED.findall(text) if letter in known]:
        return stated[-1]
    words = _words(text)
    named = [
        letter for letter, option in options.items() if _words(option) and f" {_words(option)} " in f" {words} "
    ]
    longest = [a for a in named if not any(a != b and _words(options[a]) in _words(options[b]) for b in named)]
    if len(longest) == 1:
        return longest[0]
    alone = {letter for letter in _ALONE.findall(text) if letter in known}
    return known[alone.pop()] if len(alone) == 1 else ""


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _ruled_out(i: Inspection, option: str) -> bool:
    return i.verdict == "defect" and bool(_NOTHING.search(option.casefold()))


def _presence(i: Inspection, asked: str, options: Options) -> str:
    """Yes or no, to whether there is a defect, or one at a place."""
    says = {_words(text).partition(" ")[0]: letter for letter, text in reversed(list(options.items()))}
    if not {"yes", "no"} <= says.keys():
        return ""
    there = i.verdict == "defect"
    if i.verdict == "unrated":
        return ""
    if _place(asked) != (None, None):
        there = there and any(_lies(_place(r.position), _place(asked)) for r in i.regions)
    elif _NOTHING.search(asked) or (_SOUND.search(asked) and not _DEFECT.search(asked)):
        there = not there
    elif not _DEFECT.search(asked):
        return ""
    return says["yes" if there else "no"]


def _nothing(i: Inspection, asked: str, options: Options) -> str:
    """The one option that says that nothing is wrong, where the verdict is not "defect"."""
    if i.verdict in ("defect", "unrated") or not _DEFECT.search(asked):
        return ""
    clean = [letter for letter, text in options.items() if _NOTHING.search(text.casefold())]
    return clean[0] if len(clean) == 1 else ""


def _where(i: Inspection, asked: str, options: Options) -> str:
    places = {letter: place for letter, text in options.items() if (place := _place(text)) != (None, None)}
    here = _strongest(i)
    if not _WHERE.search(asked) or len(places) < 2 or here is None:
        return ""
    return min(places, key=lambda letter: _distance(places[letter], here))


def _count(i: Inspection, asked: str, options: Options) -> str:
    if not _COUNT.search(asked) or not _DEFECT.search(asked):
        return ""
    counts: dict[str, int] = {}
    for letter, text in options.items():
        words = _words(text).split()
        numbers = [int(w) if w.isdecimal() else _NUMBERS[w] for w in words if w.isdecimal() or w in _NUMBERS]
        if numbers:
            counts[letter] = numbers[0]
    return min(counts, key=lambda letter: abs(counts[letter] - len(i.regions)), default="")


def _how_bad(i: Inspection, asked: str, options: Options) -> str:
    if not _HOW_BAD.search(asked) or not i.regions:
        return ""
    levels = {letter: {_LEVELS.get(word) for word in _words(text).split()} for letter, text in options.items()}
    return next((letter for letter, said in levels.items() if i.regions[0].severity in said), "")


def _type(i: Inspection, asked: str, options: Options) -> str:
    """The option that names the likeliest type of the strongest region that has one."""
    if not _TYPE.search(asked) or not _DEFECT.search(asked):
        return ""
    ranked = [t for r in i.regions for t in sorted(r.defect_types, key=lambda t: -t.probability)]
    for likely in (t for t in ranked if t.name != UNKNOWN):
        known = find_defect(likely.name)
        names = {likely.name, *((known.name, *known.words) if known else ())}
        for letter, text in options.items():
            if any(_mentions(text, name) for name in names):
                return letter
    return ""


def _mentions(text: str, name: str) -> bool:
    """Whether a text holds every word of a name, with endings of up to three letters."""
    words = _words(text).split()
    return all(any(w.startswith(n) and len(w) - len(n) <= 3 for w in words) for n in _words(name).split())


def _object(i: Inspection, asked: str, options: Options) -> str:
    """The option that shares a word with what the picture as a whole looks like."""
    if not _OBJECT.search(asked) or _DEFECT.search(asked):
        return ""
    for name in i.looks_like:
        words = set(_words(name).split())
        shared = {letter: len(words & set(_words(text).split())) for letter, text in options.items()}
        best = max(shared.values())
        if best and list(shared.values()).count(best) == 1:
            return max(shared, key=lambda letter: shared[letter])
    return ""


_Rule = Callable[[Inspection, str, Options], str]
_RULES: tuple[tuple[str, _Rule], ...] = (
    ("presence", _presence),
    ("count", _count),
    ("presence", _nothing),
    ("place", _where),
    ("severity", _how_bad),
    ("type", _type),
    ("object", _object),
)

_Place = tuple[int | None, int | None]


def _place(text: str) -> _Place:
    """Down and across, -1, 0 or 1 each, as the words of a text say them; None where they leave it open."""
    down = across = None
    for word in _words(text).split():
        v, h = _AXES.get(word, (None, None))
        if (v, h) == (0, 0):  # "the center left": the middle gives way to what is said more exactly
            v, h = (0 if down is None else None), (0 if across is None else None)
        down, across = (down if v is None else v), (across if h is None else h)
    return down, across


def _distance(said: _Place, is_at: _Place) -> float:
    """How far apart two places are; what a text leaves open costs half."""
    total = 0.0
    for one, other in zip(said, is_at, strict=True):
        total += abs((one or 0) - (other or 0)) * (0.5 if one is None else 1.0)
    return total


def _lies(is_at: _Place, said: _Place) -> bool:
    return all(one is None or one == (other or 0) for one, other in zip(said, is_at, strict=True))


def _strongest(i: Inspection) -> _Place | None:
    if i.regions:
        return _place(i.regions[0].position)
    if i.coarse_map is None:
        return None
    rows, columns = i.coarse_map.shape
    row, column = np.unravel_index(int(np.argmax(i.coarse_map)), (rows, columns))
    return _place(position_of((float(column) + 0.5, float(row) + 0.5), columns, rows))
