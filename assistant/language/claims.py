"""What a sentence says of regions and of the world: places, how many, how severe, of what type, and beyond.

It reads spelled-out words (`sentences.spell`) and knows no record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.language.intents import KIND

_SIDE = r"(?:top|bottom|upper|lower|left|right|cent(?:er|re)|middle|cent(?:er|re)d)"
_SIDE_NAMES = {"upper": "top", "lower": "bottom", "middle": "center", "centre": "center", "centered": "center",
               "centred": "center"}  # fmt: skip
_PLACE = re.compile(
    rf"\b(?:(?:in|on|at|to|near|of|towards?|toward|from|around|into|along|by) (?:the |its |this |very "
    rf"|far |extreme ){{0,3}}"
    rf"(?P<after>{_SIDE}(?: (?:hand )?{_SIDE})*)"
    rf"|(?P<named>{_SIDE}(?: (?:hand )?{_SIDE})*) (?:hand |most )?(?:side|corner|edge|half|border|area"
    rf"|region|part|portion"
    rf"|quadrant|third|margin)\b"
    rf"|(?P<both>(?:top|bottom|upper|lower|middle|cent(?:er|re)) (?:left|right)|top cent(?:er|re)"
    rf"|bottom cent(?:er|re)))\b"
    r"(?! (?:word|way|track|time|answer|thing|decision|call|direction|verdict|of (?:that|this|all|it|\[?r\d)|to))"
)
_RELATIVE = re.compile(
    r"\[?\br(\d+)\b\]?(?: (?:is|lies|sits|are|and|located|just|directly|found|to|the|on|further|both)){0,6}? "
    r"(left of|right of|above|below|under|over|beneath) (?:of )?(?:the )?\[?\br(\d+)\b\]?"
)
_FEW = {"no": 0, "zero": 0, "one": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
        "seven": 7,
        "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}  # fmt: skip
_AT_LEAST = {"several": 2, "multiple": 2, "many": 3, "numerous": 3, "few": 2, "couple": 2, "both": 2, "various": 2}
_SPOT = rf"(?:regions?|spots?|places?|areas?|marks?|defects?|flaws?|faults?|anomal(?:y|ies)|findings?|{KIND})"
_COUNT = re.compile(
    rf"\b(?P<n>\d+|{'|'.join([*_FEW, *_AT_LEAST])})(?P<more> more| other| others| further| additional)?"
    rf"(?: (?!of\b|in\b|at\b|such\b|good\b|per\b|px\b|pixels\b|is\b|was\b|has\b|percent\b"
    rf"|who\b)[a-z]+){{0,2}}? (?P<spot>{_SPOT})\b"
)
_COUNT_AFTER = re.compile(
    r"\b(?:regions|defects)\s*(?:is|=|:)\s*(\d+)\b|\bnumber of (?:regions|defects) is (\w+)\b"
)
_SEVERITY = {"slight": "slight", "minor": "slight", "mild": "slight", "faint": "slight", "negligible": "slight",
             "moderate": "moderate", "medium": "moderate", "severe": "severe", "serious": "severe",
             "critical": "severe", "major": "severe", "dangerous": "severe"}  # fmt: skip
_GRADE = re.compile(rf"(?<!how )(?<!more )(?<!most )(?<!less )(?<!least )(?<!as )\b({'|'.join(_SEVERITY)})\b")
_MOST = re.compile(
    r"(?<!second )(?<!third )\b(largest|biggest|smallest|tiniest|strongest|worst|most (?:severe|serious"
    r"|critical)|weakest|least severe)\b"
)
_MORE_KINDS = (
    r"delaminations?|wrinkles?|tears?|leaks?|creases?|cracked|scratched|dented|rusty|corroded|burnt|burned|bent"
    r"|cracking|scratching|stained"
)
_KINDS = re.compile(rf"\b({KIND}|{_MORE_KINDS})\b")
_NOT = re.compile(
    r"\b(?:no|not|never|without|neither|nor|none|free of|rather than|nothing like)\b(?: [\w,]+){0,6} ?$"
)

CANNOT_TELL = re.compile(
    r"\b(?:can not|unable to|not possible|impossible to|no way to|does not (?:say|tell|hold|record"
    r"|contain|know|state|reveal|show)"
    r"|do not (?:know|say|have|hold|tell)|unknown|not known|not (?:in|part of) the (?:record|evidence)"
    r"|has no scale|no information"
    r"|nothing (?:in the (?:record|evidence)|is known)|not (?:recorded|stated|measured|given|available)"
    r"|no (?:proof|scale|measure))\b"
)
_BEYOND = {
    "cause": re.compile(
        r"\b(?:caused (?:by|during)|due to|because of|results? (?:from|of)|resulted from|stems? from"
        r"|originat\w+ (?:from|in)"
        r"|comes? from (?:the|a|an)\b(?! (?:picture|record|evidence|top|left|right|center|bottom))"
        r"|came from|brought about"
        r"|happened (?:when|during|because|in)|is to blame|are to blame|responsible for|the (?:operator"
        r"|supplier|worker|machine|tool) "
        r"(?:did|has|was|must|dropped|made|damaged|scratched))"
        r"(?! (?:the |its |their |a |this )?(?:\w+ )?(?:score|threshold|limit|region|peak|p value"
        r"|evidence|\[?r\d|map|verdict))"
    ),
    "material": re.compile(
        r"\b(?:made (?:of|from|out of)|the material is|consists of|alumini?um|steel|plastic|rubber"
        r"|ceramic|copper|leather"
        r"|wooden|silicon|brass|titanium|polymer|alloy|nylon|carbon fib(?:er|re))\b"
    ),
    "millimetres": re.compile(
        r"\d\s?(?:mm|cm|\u00b5m|um|nm|microns?|millimet\w+|centimet\w+|micromet\w+|inch(?:es)?|in\.|mils?)\b"
        rf"|\b(?:{'|'.join(list(_FEW)[2:])}|half a|a) (?:millimet\w+|centimet\w+|microns?|inch(?:es)?)\b"
        r"|\b(?:deep|shallow|depth of \d|penetrat\w+)\b"
    ),
    "price": re.compile(
        r"[$\u20ac\u00a3]\s?\d|\d\s?(?:dollars?|euros?|usd|eur|cents|pounds)\b|\b(?:cheap|expensive"
        r"|costs? (?:about|around|roughly|\d)"
        r"|price (?:is|of)|worth (?:about|around|\d)|repair costs?)\b"
    ),
    "future": re.compile(r"\bwill (?:\w+ )?(?:fail|break|last|grow|spread|leak|hold|work|crack|get worse)\b"),
    "certainty": re.compile(
        r"\b(?:absolutely|definitely|certainly|undoubtedly|unquestionably|guarantee\w*|no doubt"
        r"|without (?:a |any )?doubt"
        r"|beyond doubt|(?:completely|fully|totally|entirely|very|quite|absolutely|i am|we are"
        r"|i'm) (?:sure|certain|confident)|proves?|proven"
        r"|can not be wrong|impossible|infallible|never wrong|zero (?:chance|risk)|no (?:chance|risk))\b"
        r"|\d ?(?:%|percent) (?:\w+ )?(?:sure|certain|certainty|confiden\w+|accura\w+|chance|probability"
        r"|likely|safe)\b"
        r"|\bconfidence (?:is|of|level)\b"
    ),
}
_GENERALLY = re.compile(
    r"\b(?:often|usually|typically|commonly|generally|in general|tends? to|can (?:come|be|result|arise)"
    r"|frequently)\b"
)
_SPLIT = re.compile(r";|\bbut\b|\bhowever\b|\balthough\b|\bthough\b|\u2014|\u2013")
_DENIED = re.compile(r"\b(?:not|no|never|nobody|can not|neither)\b(?: \w+){0,2} ?$")
_COMPARED = re.compile(
    r"\bcompar\w+ (?:it |this |the picture )?(?:with|to|against) (?:[\w%]+ ){0,5}?(?:references?"
    r"|good (?:\w+ )?(?:parts?|pictures?))"
)
_ALONE = re.compile(
    r"\bitself only\b|\bonly (?:with )?itself\b|\bno references?\b|\bwithout (?:a |any )?references?\b"
)
_SIDED = re.compile(
    r"\b(?P<over>above|over|exceed(?:s|ed|ing)?|beyond|higher than|greater than|larger than|past|cross(?:es|ed))?"
    r"(?P<under>below|under|lower than|less than|within|beneath|smaller than|short of)?"
    r" (?:the |its |this |that |a )?(?P<limit>threshold|review (?:limit|threshold)|limit)\b"
)


@dataclass(frozen=True)
class Count:
    """So many regions: exactly `n`, or at least `n`; `more` counts only those not named yet."""

    n: int
    at_least: bool
    more: bool
    words: str


def read_places(words: str) -> Iterator[tuple[str, bool]]:
    """(place, denied) for each of the 3x3 places that a sentence speaks of, sides such as "left" included."""
    for part in _SPLIT.split(_RELATIVE.sub(" ", words)):
        for found in _PLACE.finditer(part):
            named = (found["after"] or found["named"] or found["both"]).split()
            sides = [_SIDE_NAMES.get(word, word) for word in named if word != "hand"]
            denied = re.search(r"\b(?:nothing|no|not|none|without|neither|nor)\b", part[: found.start()])
            yield _join(sides), bool(denied)


def read_relations(words: str) -> Iterator[tuple[str, str, str]]:
    """(id, relation, id) for "[R1] is left of [R2]" and its like."""
    for one, how, other in _RELATIVE.findall(words):
        meant = {"under": "below", "beneath": "below", "over": "above", "left of": "left", "right of": "right"}
        yield f"R{int(one)}", meant.get(how, how), f"R{int(other)}"


def read_counts(words: str) -> Iterator[Count]:
    """How many regions or defects a sentence speaks of."""
    words = re.sub(r"\[?\br\d+\b\]?", " ", words)
    for found in _COUNT.finditer(words):
        if re.search(r"(?:region|defect|picture)s? *$", words[: found.start()]) or _says_none(found):
            continue
        before = words[: found.start()]
        if found["n"] == "one" and re.search(r"\b(?:this|that|the|which|each|any|other|no)\s*$", before):
            continue
        denied = re.search(r"\b(?:no|not)\s*(?:a\s*)?$", before)
        n = found["n"]
        if denied and n in ("single", "one"):
            yield Count(0, False, False, words)
        elif n in _AT_LEAST:
            yield Count(_AT_LEAST[n] * (not denied), not denied, bool(found["more"]), words)
        elif not denied:
            yield Count(int(n) if n.isdigit() else _FEW[n], False, bool(found["more"]), words)
    for digits, word in _COUNT_AFTER.findall(words):
        if (digits or word).isdigit() or word in _FEW:
            yield Count(int(digits) if digits else int(word) if word.isdigit() else _FEW[word], False, False, "")
    if more := re.search(r"\band (\d+) more\b", words):
        yield Count(int(more[1]), False, True, words)


def _says_none(found: re.Match[str]) -> bool:
    """Whether it is "no defect" or "no place", which speaks of the verdict or of nothing at all."""
    return found["n"] in ("no", "zero", "0") and not re.match(r"regions?$|spots?$|areas?$", found["spot"])


def read_severities(words: str) -> Iterator[tuple[str, bool]]:
    """(severity, denied) for each grade that a sentence gives."""
    for found in _GRADE.finditer(words):
        yield (
            _SEVERITY[found[1]],
            bool(re.search(r"\b(?:no|not|nothing|never)\b(?: \w+){0,2} ?$", words[: found.start()])),
        )


def read_superlatives(words: str) -> Iterator[str]:
    """ "largest", "smallest", "strongest" or "weakest", for each superlative."""
    for found in _MOST.findall(words):
        large = {"biggest": "largest", "tiniest": "smallest", "largest": "largest", "smallest": "smallest"}
        yield large.get(found, "weakest" if found in ("weakest", "least severe") else "strongest")


def read_kinds(words: str) -> Iterator[tuple[str, bool]]:
    """(word for a type of defect, denied) for each that a sentence does not leave open."""
    for part in _SPLIT.split(words):
        if re.search(r"\b(?:whether|if|can not|would)\b", part):
            continue
        for found in _KINDS.finditer(part):
            yield found[1], bool(_NOT.search(part[: found.start()]))


def read_beyond(words: str) -> Iterator[tuple[str, str]]:
    """(topic, words) for each claim that no record can hold, unless it is said that nobody can tell."""
    for part in _SPLIT.split(words):
        for topic, rule in _BEYOND.items():
            for found in rule.finditer(part):
                if CANNOT_TELL.search(part) and not re.match(r"\d", found[0]):
                    continue
                if _DENIED.search(part[: found.start()]) and topic in ("certainty", "future", "material", "cause"):
                    continue
                yield topic, part


def speaks_generally(words: str) -> bool:
    """Whether something is said of such defects in general and not of this one."""
    return bool(_GENERALLY.search(words))


def read_comparison(words: str) -> str:
    """ "references" or "alone" where a sentence says what the picture was compared with, else ""."""
    if _ALONE.search(words):
        return "alone"
    found = _COMPARED.search(words)
    return "references" if found and not re.search(r"\b(?:not|no|never)\b", words[: found.end()]) else ""


def read_sides(words: str) -> Iterator[tuple[str, str, bool]]:
    """("above" or "below", which limit, denied) where a score is set against a limit."""
    if re.search(r"\b(?:regions?|anywhere|would|if|whether|peak)\b|\br\d", words):
        return
    for found in _SIDED.finditer(words):
        if found["over"] or found["under"]:
            denied = re.search(r"\b(?:not|nothing|never|no)\b(?: \w+){0,3} ?$", words[: found.start()])
            limit = "review" if found["limit"].startswith("review") else found["limit"]
            yield ("above" if found["over"] else "below"), limit, bool(denied)


def _join(sides: list[str]) -> str:
    down = next((side for side in sides if side in ("top", "bottom")), "")
    across = next((side for side in sides if side in ("left", "right")), "")
    return " ".join(side for side in (down, across) if side) or "center"
