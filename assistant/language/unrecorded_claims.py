"""What a sentence claims that no record of one picture holds: causes, materials, prices, certainty, other parts.

Spelled-out words (`sentences.spell`) go in; what is left open is told from what is claimed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

CLAUSES = re.compile(
    r";|\bbut\b|\bhowever\b|\balthough\b|\bthough\b|\u2014|\u2013|\bbecause\b|\bsince\b|\bdue to\b"
    r"|\bdespite\b"
)
SPLIT = re.compile(r";|\bbut\b|\bhowever\b|\balthough\b|\bthough\b|\u2014|\u2013")
CANNOT_TELL = re.compile(
    r"\b(?:can not|unable to|not possible|impossible to|no way to|does not (?:say|tell|hold|record"
    r"|contain|know|state|reveal|show)"
    r"|do not (?:know|say|have|hold|tell)|unknown|not known|not (?:in|part of) the (?:record|evidence)"
    r"|has no scale|no information|not something"
    r"|nothing (?:in the (?:record|evidence)|is known)|not (?:recorded|stated|measured|given|available)"
    r"|no (?:proof|scale|measure))\b"
)
_BEYOND = {
    "cause": re.compile(
        r"\b(?:caused (?:by|during)|due to|led to|introduced (?:by|during|in)|explains? (?:the|this|it"
        r"|\[?r\d)|must have"
        r"|(?:is|are|lies|stands) behind (?:this|it|the (?:defect|mark|region|anomaly|damage))|came about"
        r"|happened|because of|results? (?:from|of)|resulted from|stems? from"
        r"|originat\w+ (?:from|in)"
        r"|comes? from\b(?! (?:the |a |an )?(?:picture|record|evidence|top|left|right|center|bottom"
        r"|[\w ]*(?:batch|references?"
        r"|good|scores?)\b))(?= \w)"
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
        r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half a|a) (?:millimet\w+"
        r"|centimet\w+|microns?|inch(?:es)?)\b"
        r"|\b(?:deep|shallow|depth of \d|penetrat\w+)\b"
    ),
    "price": re.compile(
        r"[$\u20ac\u00a3]\s?\d|\d\s?(?:dollars?|euros?|usd|eur|cents|pounds)\b|\b(?:cheap|expensive"
        r"|costs? (?:about|around|roughly|\d)"
        r"|price (?:is|of)|worth (?:about|around|\d)|repair costs?)\b"
    ),
    "future": re.compile(r"\bwill (?:\w+ )?(?:fail|break|last|grow|spread|leak|hold|work|crack|get worse)\b"),
    "certainty": re.compile(
        r"\b(?:absolutely|definitely|certainly|undoubtedly|unquestionably|guarantee\w*|no doubts?"
        r"|without (?:a |any )?doubt"
        r"|beyond (?:any |all )?(?:doubt|question)|confirmed|(?:completely|fully|totally|entirely|very"
        r"|quite|absolutely|i am|we are"
        r"|i'm) (?:sure|certain|confident)|proves?|proven"
        r"|can not be wrong|impossible|infallible|never wrong|zero (?:chance|risk)|no (?:chance|risk))\b"
        r"|\d ?(?:%|percent) (?:\w+ )?(?:sure|certain|certainty|confiden\w+|accura\w+|chance|probability"
        r"|likely|safe)\b"
        r"|\bconfidence (?:is|of|level)\b"
        r"|\b(?:chance|probability|likelihood|odds) (?:that|of) (?:the|this|it|a|an"
        r"|being)\b[^,;]*?\b(?:good|bad|defective|faulty"
        r"|fine|wrong|ok|okay|defect)\b(?! (?:part|picture))[^,;]*\d"
    ),
}
_GENERALLY = re.compile(
    r"\b(?:often|usually|typically|commonly|generally|in general|tends? to|can (?:come|be|result|arise)"
    r"|frequently)\b"
)
_DENIED = re.compile(r"\b(?:not|no|never|nobody|can not|neither)\b(?: \w+){0,2} ?$")
_COMPARED = re.compile(
    r"\bcompar\w+ (?:it |this |the picture )?(?:with|to|against) (?:[\w%\u00a4]+ ){0,5}?(?:references?\b"
    r"|(?:good|golden|normal|perfect|known) (?:\w+ )?\w+)"
    r"|\b(?:the|its|\d+|one|two|three|four|five|six|these|good|several|many) (?:good )?(?:references?"
    r"|reference (?:pictures?|images?))\b"
)
_BATCHED = re.compile(r"\b(?:its|the|this) (?:own )?batch\b")
_OTHERS = re.compile(
    r"\b(?:all|the|most|every|many|no) (?:the )?(?:other|remaining) (?!regions?|places?|areas?|spots?"
    r"|corners?|sides?|defects?)[\w\u00a4]+"
    r"(?: (?:of|in|from) (?:the|its|this) batch)? (?:is|are|was|were|look|show|have|has)\b"
)
_ALONE = re.compile(r"\b(?:with|to|against) itself\b|\bitself only\b|\bonly (?:with )?itself\b")
_WITHOUT = re.compile(
    r"\bno (?:good )?references?\b(?! (?:show|differ|match))|\bwithout (?:a |any )?(?:\w+ )?references?\b"
)


def read_beyond(words: str) -> Iterator[tuple[str, str]]:
    """(topic, words) for each claim that no record can hold, unless it is said that nobody can tell."""
    for part in SPLIT.split(words):
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


def read_comparison(words: str) -> set[str]:
    """ "references", "mutual", "alone", "none" or "others", for what a sentence says of other pictures."""
    claims = {"alone"} if _ALONE.search(words) else set()
    claims |= {"none"} if _WITHOUT.search(words) else set()
    claims |= {"others"} if _OTHERS.search(words) else set()
    for claim, rule in (("references", _COMPARED), ("mutual", _BATCHED)):
        for found in rule.finditer(words):
            if not re.search(r"\b(?:not|no|never|without|nothing|whether)\b", words[: found.end()]):
                claims.add(claim)
    return claims
