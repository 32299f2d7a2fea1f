"""What a sentence says of the verdict: good, review or defect, with negation, doubt and reported speech.

It reads spelled-out words (`sentences.spell`) and knows no record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.language.sentences import NAME

_GOOD = (
    r"good|fine|ok|okay|acceptable|flawless|perfect|(?:defect|flaw|fault|damage|anomaly) free|intact|undamaged"
    r"|unremarkable|sound|healthy|normal|clean|spotless|faultless|conforming|all right|alright"
    r"|unblemished|harmless"
)
_BAD = (
    r"defective|faulty|bad|broken|damaged|flawed|abnormal|anomalous|unacceptable|unsafe|nonconforming"
    r"|non conforming"
    r"|ng|defect|rejected|scrap|unusable|unfit"
)
_STRONG = r"defects?|flaws?|faults?|damages?|fails?|failures?"
_WEAK = r"anomal(?:y|ies)|abnormalit(?:y|ies)|problems?|issues?|irregularit(?:y|ies)|imperfections?|blemish(?:es)?"
_ADVERB = (
    r"(?:not|never|no longer|to|be|a|an|the|in|fact|very|quite|all|just|still|also|indeed|as|like|so|too"
    r"|far|from|fully"
    r"|anything|but|perhaps|maybe|of|course|been|being|[a-z]+ly|most likely)"
)
_BE = (
    r"(?:is|are|was|were|be|being|been|looks?|seems?|appears?|remains?|stays?|considered|deemed|judged"
    r"|rated|called"
    r"|declared|found|it's|classified|graded|marked)"
)
_NO = (
    r"(?:no|not|never|nothing|without|zero|neither|nor|none|hardly|free (?:of|from)|lacks?|absence of"
    r"|devoid of|nowhere)"
)
_PREDICATE = re.compile(
    rf"\b({_BE}(?: {_ADVERB}){{0,4}}?) ({_GOOD}|{_BAD})\b(?! (?:line|jagged|thread|detail|grain))"
)
_ALONE = re.compile(
    rf"^\W*(?:(?:all|yes|no|not|so|still|clearly|overall|it|part|this|picture) )*({_GOOD}|{_BAD}|pass"
    rf"|passed|fail|failed"
    r"|reject|approved?|accept(?:ed)?)\W*$"
)
_ARTICLE_GOOD = re.compile(
    rf"\b{_BE} (?:\w+ly )?(?:a|an) (?:\w+ly )?({_GOOD}) (?:part|picture|piece|product|item|cell|one|sample)\b"
)
_NOUN = re.compile(
    rf"(?:^|\b(?:a|an|the|this|that|these|those|one|two|three|\d+|has|have|had|shows?|contains?|with"
    rf"|some|several|many|its"
    rf"|multiple|any|found|detected|is|are|of|and|no|not|without|see|sees|from|zero|be)\b)(?: [a-z]+){{0,2}}? ?"
    rf"\b(?P<noun>(?P<strong>{_STRONG})|{_WEAK})\b"
)
_NOTHING = re.compile(
    r"\bnothing (?:[a-z]+ ){0,2}?(?:wrong|unusual|abnormal|suspicious|defective|bad|anomalous|worr\w+"
    r"|stands? out|stood out"
    r"|found|exceed\w*|is there|visible|strange|odd|asks for more|of concern|out of the ordinary"
    r"|to report|to see|amiss)"
)
_WRONG = re.compile(
    r"\b(?:something|somewhat|anything) (?:is |looks? |seems? )?(?:\w+ )?(?:wrong|off|amiss|defective|broken)\b"
)
_PASSING = re.compile(
    r"\b(?:pass(?:es|ed)?|accept(?:ed|s)?|approve[ds]?|ship(?:ped|s)?|let (?:it|this|the \w+) (?:pass"
    r"|through)|safe to \w+"
    r"|use (?:it|this|the part)|used as it is|released?)\b"
)
_FAILING = re.compile(
    r"\b(?:reject(?:s|ed)?|fail(?:s|ed)?|scrap(?:ped)?|discard(?:ed)?|set (?:it|this|the \w+) aside"
    r"|throw (?:it|this) away"
    r"|bin it|pull (?:it|this) out|quarantine[ds]?)\b"
)
_VERDICT = re.compile(
    r"(?<!no )\bverdict\b(?:\s*(?:itself|here|in the record|for this (?:part|picture)|on this (?:part"
    r"|picture)))?\s*"
    r"(?P<be>(?:is|was|are|of|as|stays?|remains?|says?|reads?|should be|must be|has been|stands at"
    r"|changed to|set to|would be"
    rf"|be|becomes?|equals|=|:|-|\u2013)?)\s*(?P<not>(?:not|no longer|never|no)?)\s*(?:a |an |at "
    rf"|\w+ly )*\W?(?P<word>[a-z]+|{NAME})"
)
_CLASSES = {
    **dict.fromkeys(
        "good pass passed passing ok okay fine acceptable accept accepted normal clean perfect".split(), "good"
    ),
    **dict.fromkeys(
        "defect defective defects reject rejected fail failed bad ng faulty anomalous scrap".split(), "defect"
    ),
    **dict.fromkeys("review borderline unclear uncertain unknown undecided inconclusive".split(), "review"),
}
_REVIEW = re.compile(
    r"\b(?:(?:needs?|requires?|asks for|sent (?:to|for)|marked for|under|up for|flagged for) (?:a "
    r"|an )?(?:manual |human |closer )?"
    r"review|borderline|undecided|inconclusive)\b"
)
_OPEN = re.compile(
    r"\b(?:whether|if|unless|in case|would|had it|you (?:say|said|think|claim|asked|ask|believe|call)"
    r"|words can not"
    r"|(?:can not|unable to|impossible to|hard to|do not|does not) (?:tell|say|know|judge|see what"
    r"|change|alter|set|override))\b"
)
_DOUBT = re.compile(
    r"\b(?:may|might|could|possibl[ye]|perhaps|maybe|potential(?:ly)?|suspected|suspicion|candidate)\b"
)
_ELSEWHERE = re.compile(
    r"\b(?:rest of|elsewhere|other(?:wise)?|others|remaining|remainder|outside|apart from|except|besides"
    r"|aside from|more|else"
    r"|second|further|additional)\b"
)
_GENERAL = re.compile(
    r"examples? of (?:a |the )?defects?|types? of (?:the |a )?(?:defects?|flaws?|damage)|(?:defect"
    r"|flaw) (?:types?|class\w*)"
    r"|anomaly (?:scores?|maps?|values?|detect\w+)|false alarms?|wrong verdict|not only"
    r"|kinds? of (?:defects?|flaws?)"
    r"|(?:than|from|to|as|like|unlike|against|with) (?:a |an |the )?(?:normal|good|perfect"
    r"|clean)(?: \w+)?(?: (?:parts?|pictures?))?"
    r"|(?:good|normal|clean) (?:reference |looking )?(?:parts|pictures|references|pieces|products|cells"
    r"|items|samples|ones|images)"
    r"|(?:no|any|each|every|one|1|\d+|hardly any) (?:good|normal) (?:reference )?(?:part|picture|piece|reference)"
    r"|(?:a|the) good (?:part|picture|piece|reference) (?=(?:would|scores?|has|looks?|that)\b)"
)
_PARTS = re.compile(
    r"[;:,()\u2013\u2014]|\bbut\b|\bhowever\b|\balthough\b|\bthough\b|\bwhile\b|\band\b|\bso\b"
    r"|\bbecause\b|\bsince\b"
)


@dataclass(frozen=True)
class Stance:
    """One thing said of the verdict: "good", "review", "defect", or "other" for a word that is no verdict.

    `firm` is false where it is only held possible.
    """

    verdict: str
    firm: bool = True


def read_stances(words: str) -> Iterator[Stance]:
    """What a sentence says of the verdict, part by part; nothing for what it leaves open or says of others."""
    words = _GENERAL.sub(" ", re.sub(r"\breview (?:limit|threshold)s?\b", "limit", words))
    for found in _VERDICT.finditer(words):
        if stance := _name_verdict(found):
            yield stance
    words = _VERDICT.sub(" , ", words)
    for part in _PARTS.split(words):
        part = " ".join(part.split())
        if part and not _OPEN.search(part):
            firm = not _DOUBT.search(part)
            yield from (Stance(verdict, firm) for verdict in _read_part(part))


def is_open(words: str) -> bool:
    """Whether words leave open what they speak of: "whether", "if", "cannot tell", "you said"."""
    return bool(_OPEN.search(words))


def _name_verdict(found: re.Match[str]) -> Stance | None:
    meant = _CLASSES.get(found["word"])
    if meant is None:
        known = (
            found["be"] in ("is", "was", ":", "=", "should be", "must be", "has been") and found["word"] == NAME
        )
        return Stance("other") if known else None
    if not found["not"]:
        return Stance(meant)
    return Stance({"good": "defect", "defect": "good"}.get(meant, "other"))


def _read_part(part: str) -> Iterator[str]:
    """The verdicts that one part of a sentence speaks for."""
    elsewhere = bool(_ELSEWHERE.search(part))
    refused = bool(re.search(rf"\b{_NO}\b", part))
    if _NOTHING.search(part):
        if not elsewhere and not _is_placed(part):
            yield "good"
        return
    if _WRONG.search(part):
        yield "good" if refused else "defect"
        return
    if _REVIEW.search(part) and not refused:
        yield "review"
    if alone := _ALONE.match(part):
        good = bool(re.fullmatch(rf"{_GOOD}|pass(?:ed)?|approved?|accept(?:ed)?", alone[1]))
        yield "good" if good != bool(re.search(r"\b(?:no|not)\b", part)) else "defect"
        return
    for found in _PREDICATE.finditer(part):
        said_not = bool(re.search(r"\b(?:not|never|no longer|far from|anything but)\b", found[1])) or bool(
            re.search(r"\b(?:not|never|nothing|none|neither|no \w+)\s*$", part[: found.start()])
        )
        good = bool(re.fullmatch(_GOOD, found[2])) != said_not
        if not (good and elsewhere):
            yield "good" if good else "defect"
    if article := _ARTICLE_GOOD.search(part):
        yield "defect" if refused and "not" in part[: article.start(1)] else "good"
    yield from _read_nouns(part, elsewhere)
    for rule, meant, denied in ((_PASSING, "good", "defect"), (_FAILING, "defect", "good")):
        for found in rule.finditer(part):
            no = re.search(rf"\b{_NO}\b(?: \w+){{0,3}} ?$", part[: found.start()])
            yield denied if no else meant


def _read_nouns(part: str, elsewhere: bool) -> Iterator[str]:
    for found in _NOUN.finditer(part):
        no = re.search(rf"\b{_NO}\b(?: \w+){{0,6}} ?$", part[: found.start("noun")])
        if not no:
            yield "defect" if found["strong"] else "possible"
        elif not elsewhere and not _is_placed(part):
            yield "good"


def _is_placed(part: str) -> bool:
    return bool(re.search(r"\b(?:top|bottom|left|right|center|centre|middle|upper|lower|corner|edge)\b", part))
