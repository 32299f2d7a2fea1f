"""What a sentence claims of regions: places, how many, how severe, of what type, on which side of a limit.

Spelled-out words (`sentences.spell`) go in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.language.comparison_claims import drop_relations
from assistant.language.intents import KIND
from assistant.language.unrecorded_claims import CANNOT_TELL, CLAUSES

_SIDE = r"(?:top|bottom|upper|lower|left|right|cent(?:er|re)|middle|cent(?:er|re)d)"
_SIDE_NAMES = {"upper": "top", "lower": "bottom", "middle": "center", "centre": "center", "centered": "center",
               "centred": "center"}  # fmt: skip
_PLACE = re.compile(
    rf"\b(?:(?:in|on|at|to|near|of|towards?|toward|from|around|into|along|by) (?:the |its |this |very "
    rf"|far |extreme ){{0,3}}"
    rf"(?P<after>{_SIDE}(?: (?:hand )?{_SIDE})*)"
    r"|the (?P<core>top|bottom|center|centre|middle)(?= of (?:the|this|its) (?!region))"
    rf"|(?P<named>{_SIDE}(?: (?:hand )?{_SIDE})*) (?:hand |most )?(?:side|corner|edge|half|border|area"
    rf"|region|part|portion"
    rf"|quadrant|third|margin)\b"
    rf"|(?P<both>(?:top|bottom|upper|lower|middle|cent(?:er|re)) (?:left|right)|top cent(?:er|re)"
    rf"|bottom cent(?:er|re)))\b"
    r"(?! (?:word|way|track|time|answer|thing|decision|call|direction|verdict|of(?: the)?(?: (?:that|this"
    r"|all|it|\[?r\d)| ?$)|to))"
)
_EMPTY = re.compile(
    rf"(?: (?:(?:corner|side|half|part|area|edge|third|quadrant|region|border)s?|of the (?:picture|image"
    rf"|part)"
    rf"|and(?: the)?(?: {_SIDE})+))*"
    r" (?:is|are|looks?|appears?|seems?|remains?) (?:all |quite |entirely |completely |also )?"
    r"(?:clear|empty|free|normal|fine|good|clean|unaffected|unremarkable|ok|okay|intact|in order)\b"
)
_EVERY = re.compile(
    r"\b(?:all (?:of )?(?:the |these |\w+ )?(?:regions|places|spots|defects|anomalies|areas|of them)|both"
    r"|each|every|(?:the|these) "
    r"(?:two |three |four )?(?:regions|places|spots|anomalies|defects) (?:are|lie|sit|is|were|cluster\w*)"
    r"|(?:regions|they|these|three|them|two) all|they (?:are|lie))\b"
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
             "critical": "severe", "major": "severe", "dangerous": "severe", "grave": "severe",
             "considerable": "severe", "extreme": "severe", "trivial": "slight", "insignificant": "slight",
             "weak": "slight", "barely noticeable": "slight", "barely visible": "slight", "cosmetic": "slight",
             "moderately": "moderate", "harmless": "slight"}  # fmt: skip
_GRADE = re.compile(
    rf"(?<!how )(?<!more )(?<!most )(?<!less )(?<!least )(?<!as )(?<!than )"
    rf"\b({'|'.join(_SEVERITY)})\b(?! (?:of|regions? or))"
)
_MOST = re.compile(
    r"(?<!second )(?<!third )\b(largest|biggest|smallest|tiniest|strongest|worst|most (?:severe|serious"
    r"|critical)|weakest|least severe|(?:larger|bigger|smaller|stronger|weaker|(?:higher|lower)(?= peak))"
    r"(?= (?:\w+ )?(?:of|among) (?:the|these) (?:two|both))|(?:highest|lowest)(?= peak))\b"
)
_MORE_KINDS = (
    r"delaminations?|wrinkles?|tears?|leaks?|creases?|cracked|scratched|dented|rusty|corroded|burnt"
    r"|burned|bent"
    r"|cracking|scratching|stained"
)
_KINDS = re.compile(rf"\b({KIND}|{_MORE_KINDS})\b")
_NOT = re.compile(
    r"\b(?:no|not|never|without|neither|nor|none|unlikely|free of|rather than"
    r"|nothing like)\b(?: [\w,]+){0,6} ?$"
)

EXAMPLE = re.compile(r"\b(?:an?|the|one|its) known (?:\w+ )?(?:defects?|examples?|flaws?|types?)\b")
TYPE_UNKNOWN = re.compile(
    r"\b(?:types?|kinds?|sort)\b(?: of (?:defect|flaw|damage|anomaly))?[^,;.]*\b(?:unknown|undetermined"
    r"|unclear|not (?:known|named|given"
    r"|determined)|(?:can|could) not be (?:told|said|named|known|determined|identified))\b"
    r"|\bnever (?:been )?seen\b|\bnot (?:been )?seen before\b|\bnot among the (?:known )?(?:examples"
    r"|defects)\b"
    r"|\b(?:unknown|undetermined) (?:type|kind)|\b(?:no|without a) type\b"
)
_SIDED = re.compile(
    r"\b(?P<over>above|over|exceed(?:s|ed|ing)?|beyond|higher than|greater than|larger than|past"
    r"|cross(?:es|ed))?"
    r"(?P<under>below|under|lower than|less than|within|beneath|smaller than|short of)?"
    r" (?:the |its |this |that |a |their |all |any )?(?P<limit>both limits|threshold|review (?:limit"
    r"|threshold)|limits?)\b"
)
_REVERSED = re.compile(
    r"\b(?P<limit>threshold|review (?:limit|threshold)|limit)\b[^,;]*?\b(?:is|lies"
    r"|was) (?P<not>not )?(?:\w+ly |well |far )?"
    r"(?:(?P<over>above|over|higher than|greater than|larger than)|below|under|lower than|less than"
    r"|smaller than) (?:the |its )?score\b"
)
_PAST_NUMBER = re.compile(
    r"\bscore\b[^,;]*\b(?:(?P<over>above|over|exceeds|higher than|greater than)|(?P<under>below|under"
    r"|lower than|less than))"
    r" (?P<number>\d+\.\d+)(?! ?(?:%|px|times|in))"
)


@dataclass(frozen=True)
class Count:
    """So many regions: exactly `n`, at least `n` or at most `n`; `more` counts only those not named yet."""

    n: int
    at_least: bool
    more: bool
    words: str
    at_most: bool = False


def read_places(words: str) -> Iterator[tuple[str, bool]]:
    """(place, denied) for each of the 3x3 places that a sentence speaks of, sides such as "left" included."""
    for part in CLAUSES.split(drop_relations(words)):
        for found in _PLACE.finditer(part):
            named = (found["after"] or found["core"] or found["named"] or found["both"]).split()
            sides = [_SIDE_NAMES.get(word, word) for word in named if word != "hand"]
            denied = re.search(r"\b(?:nothing|no|not|none|without|neither|nor)\b", part[: found.start()])
            yield _join(sides), bool(denied) or bool(_EMPTY.match(part, found.end()))


def speaks_of_all(words: str) -> bool:
    """Whether something is said of all regions and not of some of them."""
    return bool(_EVERY.search(words))


def read_counts(words: str) -> Iterator[Count]:
    """How many regions or defects a sentence speaks of."""
    whole, words = words, re.sub(r"\[?\br\d+\b\]?", " ", words)
    for found in _COUNT.finditer(words):
        if re.search(r"(?:region|defect|picture)s? *$", words[: found.start()]) or _says_none(found):
            continue
        before, clause = words[: found.start()], _clause_at(words, found.start())
        if found["n"] == "one" and re.search(r"\b(?:this|that|the|which|each|any|other|no)\s*$", before):
            continue
        denied = re.search(r"\b(?:no|not)\s*(?:a\s*)?$", before)
        n = found["n"]
        if denied and n in ("single", "one"):
            yield Count(0, False, False, clause)
        elif re.search(r"\b(?:at least|no fewer than|no less than)\s*$", before):
            yield Count(int(n) if n.isdigit() else _FEW.get(n, 1), True, False, clause)
        elif bound := re.search(r"\b(more|fewer|less) than\s*$", before):
            limit, more = int(n) if n.isdigit() else _FEW.get(n, 1), bound[1] == "more"
            yield Count(limit + (1 if more else -1), more, False, clause, not more)
        elif n in _AT_LEAST:
            yield Count(_AT_LEAST[n] * (not denied), not denied, bool(found["more"]), clause)
        elif not denied:
            yield Count(int(n) if n.isdigit() else _FEW[n], False, bool(found["more"]), clause)
    for digits, word in _COUNT_AFTER.findall(words):
        if (digits or word).isdigit() or word in _FEW:
            yield Count(int(digits) if digits else int(word) if word.isdigit() else _FEW[word], False, False, "")
    if only := re.search(r"\bonly \[?r\d+\b\]? (?:\w+)", whole):
        yield Count(0, False, True, _clause_at(whole, only.start()))
    if re.search(
        r"\b(?:the|its|an?) (?:only|sole) (?:\w+ )?(?:one\b|region|spot|place|defect|anomaly|area)", words
    ):
        yield Count(0, False, True, _clause_at(words, words.index(" only " if " only " in words else "sole")))
    if there := _THERE.search(words):
        yield Count(1, True, False, there[0])
    if more := re.search(r"\band (\d+) more\b", words):
        yield Count(int(more[1]), False, True, words)


_THERE = re.compile(
    r"\bthere (?:are|were)(?: (?!no\b|not\b|hardly\b)\w+){0,3}? (?:regions|spots|marks|places|patches)\b"
    r"|\b(?:there (?:is|was)|shows?|has|contains?|apart from|except for|see|found|detected|marked"
    r"|flagged) (?:a|an|some)"
    r"(?: (?!no\b|not\b)\w+){0,2}? (?:regions?|spots?|marks?|places?|patch(?:es)?)\b"
)


def _clause_at(words: str, start: int) -> str:
    """The part between commas or "and" that holds what starts there."""
    before = re.split(r"[,;]|\band\b(?! (?:left|right|bottom|top))", words[:start])[-1]
    return before + re.split(r"[,;]|\band\b(?! (?:left|right|bottom|top))", words[start:])[0]


def _says_none(found: re.Match[str]) -> bool:
    """Whether it is "no defect" or "no place", which speaks of the verdict or of nothing at all."""
    return (
        not found["more"]
        and found["n"] in ("no", "zero", "0")
        and not re.match(r"regions?$|spots?$|areas?$", found["spot"])
    )


def read_severities(words: str) -> Iterator[tuple[str, bool]]:
    """(severity, denied) for each grade that a sentence gives."""
    for found in _GRADE.finditer(words):
        yield (
            _SEVERITY[found[1]],
            bool(
                re.search(
                    r"\b(?:no|not|nothing|never|neither|none"
                    r"|without)\b(?: \w+){0,2} ?$",
                    words[: found.start()],
                )
            ),
        )


def read_superlatives(words: str) -> Iterator[str]:
    """ "largest", "smallest", "strongest" or "weakest", for each superlative."""
    for found in _MOST.findall(words):
        large = {"biggest": "largest", "tiniest": "smallest", "largest": "largest", "smallest": "smallest",
                 "larger": "largest", "bigger": "largest", "smaller": "smallest"}  # fmt: skip
        weak = ("weakest", "least severe", "weaker", "lower", "lowest")
        yield large.get(found, "weakest" if found in weak else "strongest")


def read_kinds(words: str) -> Iterator[tuple[str, bool]]:
    """(word for a type of defect, denied) for each that a sentence does not leave open."""
    for part in CLAUSES.split(words):
        if re.search(r"\b(?:whether|if|can not|would)\b", part):
            continue
        for found in _KINDS.finditer(part):
            if not CANNOT_TELL.search(part[: found.start()]):
                yield found[1], bool(_NOT.search(part[: found.start()]))


def read_sides(words: str) -> Iterator[tuple[str, str, bool]]:
    """("above" or "below", which limit, denied) where a score is set against a limit."""
    if re.search(r"\b(?:regions?|anywhere|would|if|whether|peak)\b|\br\d", words):
        return
    for found in _REVERSED.finditer(words):
        limit = "review" if found["limit"].startswith("review") else found["limit"]
        yield ("below" if found["over"] else "above"), limit, bool(found["not"])
    for found in _PAST_NUMBER.finditer(words):
        yield ("above" if found["over"] else "below"), found["number"], False
    for found in _SIDED.finditer(words):
        if found["over"] or found["under"]:
            denied = re.search(r"\b(?:not|nothing|never|no)\b(?: \w+){0,3} ?$", words[: found.start()])
            limit = "review" if found["limit"].startswith("review") else found["limit"]
            yield ("above" if found["over"] else "below"), limit, bool(denied)


def _join(sides: list[str]) -> str:
    down = next((side for side in sides if side in ("top", "bottom")), "")
    across = next((side for side in sides if side in ("left", "right")), "")
    return " ".join(side for side in (down, across) if side) or "center"
