"""What a "yes" or a "no" at the start of a sentence says, which depends on the question.

What the reply claims of the verdict is settled here; any other claim is spelled out, for the rules that check
plain sentences.
"""

from __future__ import annotations

import re

from assistant.inspection import Inspection
from assistant.language import intents, verdict_words
from assistant.language.intents import match_intent
from assistant.language.question_clauses import normalize, split_clauses
from assistant.language.question_reading import read_clause
from assistant.language.replacements import NO_WAY
from assistant.language.sentences import clean, mask, spell
from assistant.language.unanswerable_questions import NO_PICTURE

_THEY = r"(?:it|this|that|there|they|i|we|you|he|she|the \w+|this \w+)"
_AUX = (
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|may|might|should|shall|must|will|would|am"
    r"|need|seems?|looks?)"
)
_SURE = r"(?:of course|certainly|definitely|absolutely|surely|most likely|probably)"
_REPLIES = {
    "no": rf"(?:{_SURE} not|no way|not at all|by no means|not really|nope|nah|no|never|negative|wrong"
    r"|incorrect|false|i (?:do not think|would not say) so|i (?:am afraid|think|believe) not"
    rf"|(?:it|this|that|there) {_AUX} not(?= ?[.,;:!-]|$))",
    "agree": r"(?:exactly|correct|right|true|indeed|precisely|agreed|i agree"
    r"|(?:that|this|it) is (?:\w+ly )?(?:right|correct|true|so)|you are (?:\w+ly )?(?:right|correct))",
    "yes": rf"(?:yes|yeah|yep|yup|yea|aye|affirmative|sure|naturally|obviously|by all means|{_SURE}"
    rf"|i (?:think|believe|am afraid|would say) so|(?:it|this|that|there) {_AUX}(?= ?[.,;:!-]|$))",
}
_LEAD = (
    r"^\W*(?:(?:well|oh|ah|hm+|um|so|ok|okay|then|and|(?:the|my) (?:short )?answer is|in short|i would say"
    r"|i say)[ ,.:!]+)*"
)
_OPENING = re.compile(
    rf"{_LEAD}(?:{'|'.join(f'(?P<{name}>{rule})' for name, rule in _REPLIES.items())})"
    r"(?:\s*[,.!:;-]+\s*|\s*[\u2013\u2014]\s*|$|\s+(?=(?:it|this|that|the|there|i|we|you|they|as|because|since|but"
    r"|and|sir|\[?r\d+)\b))"
)
_PLAIN = re.compile(rf"{_LEAD}(?:yes|no|yeah|yep|nope)\b")
_TAG = re.compile(
    rf"(?:{_AUX} (?:not )?(?:it|this|that|they|there|we|i|you)(?: not)?"
    rf"|(?:is|am|are|was) {_THEY} (?:right|correct|true|not so)|true|or not|agreed|huh|eh|do you agree"
    r"|(?:do not )?you (?:agree|think)|yes or no|tell me|honestly)"
)
_ASKED_BACK = re.compile(rf"{_AUX} (?:it|this|that|they|there|we|i|you)")  # ", is it?"
_WHY = re.compile(r"(?:and |so |but |then |or )*(?:what|which|where|who|whose|why|how|when)\b")
_INVERTED = re.compile(rf"(?:and |so |but |then |or |tell me )*{_AUX}\b")
_DONE = (
    r"ship(?:ped)?|used?|keep|kept|sell|sold|release[d]?|deliver(?:ed)?|forward(?:ed)?|accept(?:ed)?|pass(?:ed)?"
    r"|approved?|let (?:it|this|them) (?:pass|through|go)|go (?:on|out|through)"
    r"|sent?|send|(?:get|have) (?:it|this)"
)
_UNDONE = (
    r"scrap(?:ped)?|reject(?:ed)?|bin|throw|thrown|discard(?:ed)?|rework(?:ed)?|repair(?:ed)?|quarantined?"
    r"|set (?:it |this )?aside|stop(?:ped)?|hold (?:it )?back|pull(?:ed)?|remove[d]?|sort(?:ed)? out"
)
_MAY = (
    rf"(?:can|may|should|shall|must|could|would|to) (?:{_THEY} )?(?:still |better )?(?:have to |need to )?(?:be )?"
)
_GOOD = re.compile(
    rf"\b(?:{intents.GOOD}|{verdict_words.GOOD}|safe|approved|passing|as it should be|in order"
    rf"|(?:meets?|fulfils?|satisf(?:y|ies)|conforms? to|compl(?:y|ies) with)(?: \w+){{0,3}}? {verdict_words.NORM}"
    rf"|{_MAY}(?:{_DONE}))\b"
)
_BAD = re.compile(
    rf"\b(?:{intents.BAD}|{verdict_words.BAD}|{verdict_words.STRONG}|{verdict_words.WEAK}"
    rf"|{_MAY}(?:{_UNDONE})|amiss|worr(?:y|ied|ying))\b"
)
_REVIEW = re.compile(r"\b(?:review(?:ed)?|borderline|undecided|unclear|inconclusive|uncertain|close call)\b")
_FREE = re.compile(r"\b(?:defect|flaw|fault|damage|anomaly) free\b")
_NON = re.compile(r"\bnon ?(?:conform|compl)\w+")
_WITHOUT = re.compile(r"\b(?:without|free (?:of|from)|devoid of|lack(?:s|ing)?|far from|anything but)\b")
_NONE = re.compile(r"\b(?:no|nothing|none|never|nobody)\b")
_GIVEN = re.compile(
    r"\b(?:the|its) (?:\w+ )?(?:defects?|flaws?|faults?|damages?|anomal(?:y|ies)|problems?|issues?)\b(?!$)"
)
_NOT_ASKED = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|\d+|several|multiple|many|only|other|others|another|more|else"
    r"|second|third|same|largest|biggest|smallest|worst|strongest|weakest|larger|bigger|smaller)\b"
    r"|\b(?:verdict|detector|inspection|decision|result|you) (?:\w+ )*(?:wrong|right|correct|mistaken)\b"
)
_ELSEWHERE = frozenset(
    "score beyond cause why compared type millimetres record size severity count where notices help".split()
)
_STATEMENT = re.compile(
    r"(?:so,? |and |but )*(is|are|was|were) (there|it|this|that|these|they|\[?r\d+\]?|(?:the|this|that)"
    r" (?:review limit|[\w\u00a4]+)) (.+)"
)
_UNTOLD = re.compile(
    r"\b(?:can not|could not|unable to|impossible to|no way to|not (?:possible|able) to|nobody can) (?:\w+ ){0,3}?"
    r"(?:tell|told|say|said|know|known|see|seen|show|shown|judged?|determined?|answer\w*|give"
    r"|be (?:read|derived|found|measured|estimated))\b"
    r"|\bdo(?:es)? not (?:\w+ )?(?:tell|say|know|hold|state|contain|include|give|have|reveal)\b"
    r"|\b(?:says?|holds?|knows?|tells?) (?:nothing|no (?!regions?|defects?))\b|\b(?:unknown|not known|no idea"
    r"|no information|no scale|pixels only"
    r"|not (?:in|part of|recorded|stated|measured|given|available|something|visible))\b"
    r"|\bno (?:picture|image|photo|record) (?:can|could|tells?|shows?|says?)\b|\b(?:a|this|the)"
    r" (?:picture|image|photo|record)(?: alone)? can not\b"
)
_UNTOLD_SENTENCES = (NO_PICTURE, NO_WAY["millimetres"])


def opens_with_reply(sentence: str) -> bool:
    """Whether a sentence starts with a plain yes or no, which replies to a question even further on."""
    return bool(_PLAIN.match(spell(clean(sentence))))


def resolve(words: str, question: str, i: Inspection) -> tuple[str, str]:
    """(the topic that an opening "yes" or "no" gets wrong, or "", and the words with what it says spelled out)."""
    opening = _OPENING.match(words)
    if not opening or not question:
        return "", words
    reply = next(name for name in ("no", "agree", "yes") if opening[name])
    rest = words[opening.end() :]
    clauses = [clause.rsplit(":", 1)[-1] for clause in split_clauses(question)]
    tags = [clause for clause in clauses if _TAG.fullmatch(normalize(clause))]
    asked = [clause for clause in clauses if clause not in tags and not _WHY.match(normalize(clause))]
    if not asked:
        return "", words
    placed = [clause for clause in asked if read_clause(clause, (), i.regions).position]
    about = [clause for clause in asked if clause not in placed and _read_premise(clause)]
    if about:
        tagged = any(_ASKED_BACK.fullmatch(normalize(tag)) for tag in tags)
        # on a record in review, neither word answers whether a part is good, and neither may stand there
        claims = {_meant(reply, clause, tagged) for clause in about}
        if all(claim is None for claim in claims):
            return ("verdict" if i.verdict in ("review", "unrated") or i.status == "error" else ""), rest
        return ("" if any(_holds(claim, i) for claim in claims if claim) else "verdict"), rest
    if len(asked) > 1:
        return "", words
    if match_intent(normalize(asked[0])) in ("beyond", "millimetres") and not tells_not(words):
        return "beyond", rest
    return _spell_out(reply != "no", asked[0], rest, words, i)


def find_untold(template: str) -> str:
    """The sentence of the template's answer that says that no picture can tell what was asked, or ""."""
    return next((said for said in _UNTOLD_SENTENCES if said in template), "")


def tells_not(sentence: str) -> bool:
    """Whether a sentence says that something cannot be told."""
    return bool(_UNTOLD.search(spell(sentence)))


def _read_premise(clause: str) -> str:
    """What a clause puts up for a yes: "good", "defect", "review", "either", or "" where it asks for none."""
    words = _NON.sub("bad", _FREE.sub("good", normalize(clause)))
    if match_intent(words) in _ELSEWHERE or _NOT_ASKED.search(words):
        return ""
    words = _GIVEN.sub(" ", words)
    if _REVIEW.search(words):
        return "review"
    bad = bool(_BAD.search(words))
    good = bool(_GOOD.search(_BAD.sub(" ", words)))
    return "either" if good and bad else "good" if good else "defect" if bad else ""


def _meant(reply: str, clause: str, tagged: bool) -> str | None:
    """The verdict that a reply stands for, None where it can be taken in two ways; `tagged` as in ", is it?"."""
    premise, words = _read_premise(clause), _FREE.sub("good", normalize(clause))
    if premise == "either":
        return None
    yes = reply != "no"
    if match_intent(words) == "certainty" and not yes:
        return "unsure"
    if _NONE.search(words):
        if not yes and not tagged:
            return None
        yes = reply == "yes" and tagged
    elif re.search(r"\bnot\b", words) and not _INVERTED.match(words):
        if reply == "yes" and not tagged:
            return None
        yes = reply == "yes"
    if _WITHOUT.search(words):
        yes = not yes
    if premise == "review":
        return "review" if yes else "settled"
    return "good" if (premise == "good") == yes else "defect"


def _holds(claim: str, i: Inspection) -> bool:
    return claim == "unsure" or claim == i.verdict or (claim == "settled" and i.verdict in ("good", "defect"))


def _spell_out(yes: bool, clause: str, rest: str, words: str, i: Inspection) -> tuple[str, str]:
    """The same as `resolve`, for a question on a place, a type, or anything else than the verdict."""
    ask = read_clause(clause, (), i.regions)
    if ask.position:
        if ask.premise == "bad" and yes and i.verdict != "defect":
            return "verdict", rest
        claim = f"{'something' if yes != (ask.premise == 'good') else 'nothing'} lies in the {ask.position}"
        rest = re.sub(r"\bthere(?! (?:is|are))\b", f"in the {ask.position}", rest)
    elif ask.kind and ask.intent in ("type", "verdict"):
        claim = f"it is {'a' if yes else 'not a'} {ask.kind}"
    elif (found := _STATEMENT.match(spell(mask(clean(clause), [i])))) and (yes or ask.intent == "score"):
        claim = f"{found[2]} {found[1]} {'' if yes else 'not '}{found[3].rstrip(' ?.!')}"
    else:
        return "", words
    return "", f"{claim}; {rest}" if rest else claim
