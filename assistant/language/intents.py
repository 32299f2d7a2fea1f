"""What a question can ask for: a table of phrases and hints for each intent."""

from __future__ import annotations

import re

from assistant.language.unanswerable_questions import BEYOND
from assistant.prompts.defects import DEFECTS


def _either(*words: str) -> str:
    return f"(?:{'|'.join(words)})"


_NOT_A_KIND = {"spot", "short", "open", "split", "gap", "flash", "crush", "spike"}  # everyday words first
_NAMES = {name for defect in DEFECTS for name in (defect.name, *defect.words)} - _NOT_A_KIND
KIND = _either(*(rf"{name}(?:e?s)?" for name in sorted(_NAMES, key=len, reverse=True)))
GOOD = _either(
    r"good|fine|ok|okay|pass(?:es|ed)?|acceptable|accept(?:ed)?|alright|all right|clean|sound|normal|healthy"
)
BAD = _either(
    r"bad|ng|defect(?:s|ive)?|fault(?:s|y)?|broken|damaged?|wrong|flaw(?:s|ed)?|reject(?:ed)?|fail(?:s|ed)?",
    r"scrap|anomal(?:y|ies|ous)|abnormal|problems?|issues?|trash",
)
THING = _either(r"picture|image|photo|part|piece|product|item|object|thing|cell|component|sample")
PLACE = _either(r"one|region|box|spot|defect|area|place|mark|finding|anomaly")
_IT = _either(r"it|this|that|they|there|these|those|r ?\d+|(?:the|my|this|that|your) \w+")
_BE = _either(r"is|are|was|were")
_GIVEN = _either(r"references?|(?:good )?(?:parts?|pictures?|images?|photos?|samples?|examples?)")
_SURE = r"sure|certain|confident|reliable|safe|good|exact|accurate|precise"
_DID = _either(r"do|does|did|could|can")

# Intent -> (phrases that settle it, words that only hint at it). A phrase beats a hint and an upper row a
# lower one, so a row stands above those whose words it also uses.
INTENTS: dict[str, tuple[str, str]] = {
    "promise": (
        _either(
            rf"(?:enough|sufficient|too few|(?:any|many|few|need) more|another) (?:\w+ ){{0,2}}{_GIVEN}",
            rf"{_GIVEN} (?:\w+ )?(?:enough|sufficient|too few|(?:is|are) (?:needed|missing|required|necessary))",
            rf"how many (?:\w+ ){{0,3}}{_GIVEN} (?:do|does|should|would|must) (?:i|we|it|you) \w+",
            rf"how (?:\w+ )?(?:{_SURE}) (?:is|are) (?:the|this|that|your) (?:threshold|limits?)",
            r"(?:trust|rely on|believe) (?:the|this|that) (?:threshold|limits?)",
            r"(?:threshold|limits?) (?:\w+ )?(?:promises?|guarantees?|keep|hold)",
        ),
        r"",
    ),
    "action": (
        _either(
            r"what (?:should|can|must|do|shall) (?:i|we) do|what (?:now|next)|what to do|next steps?",
            r"recommend\w*|advi[cs]e|safe to|(?:should|may|must|ought) (?:i|we)|(?:can|should) it (?:be|go)",
            r"(?:can|do) (?:i|we) (?:ship|pass|use|keep|reject|scrap|bin|accept|sell|repair|ignore)",
            r"how (?:do|can|to) .*(?:fix|repair)|throw (?:it|this) away|(?:ship|scrap|repair) (?:it|this)",
        ),
        r"actions?|ship|rework|repair",
    ),
    "score": (
        _either(
            r"(?:what|which|tell|show|give) .*(?:score|threshold|limit|margin)|how (?:high|far|close)",
            r"by how much",
            r"(?:how|where) .*(?:threshold|limit)|(?:above|over|below|exceeds?) the (?:threshold|limit)",
        ),
        r"scores?|thresholds?|limits?|cut ?off|margin|ratio|means?",
    ),
    "command": (
        _either(
            r"(?:ignore|disregard|forget|skip) (?:the|all|any|your|previous|that|what|everything)|overrid\w*",
            r"overrul\w*|pretend|system prompt|you are now|new instructions?|(?:verdict|score|threshold) to",
            rf"(?<!you )say (?:that )?(?:(?:it|this) is )?(?:just )?(?:{GOOD}|{BAD}|yes|no)",
            rf"(?:answer|respond|reply|output|print|write|report)(?: only| just| with)* (?:{GOOD}|{BAD})",
            r"(?:change|set|flip|mark|switch|lower|raise|increase|reduce|adjust|make|call) "
            rf".*(?:verdict|threshold|limit|score|decision|{GOOD}|{BAD})",
        ),
        r"approve|confirm",
    ),
    "beyond": (_either(*BEYOND.values()), r""),
    "cause": (
        _either(
            rf"caus\w*|(?:why|how) {_DID} {_IT} (?:happen|occur|appear|break|form|come|get|arise)|come from",
            rf"why (?:is|are) there .*(?:{KIND}|{BAD})|(?:who|what) (?:did|broke) (?:it|this)",
            r"responsible|blame",
            r"(?:which|what) (?:machine|process|tool|step|operator)|(?:how|what) .*(?:happen\w*|caused)",
        ),
        r"process|machine|origin",
    ),
    "why": (
        _either(
            r"why|reasons?|what (?:makes|made)|how come|on what (?:basis|grounds)|justif\w*|evidence",
            r"proof|prove",
            rf"how {_DID} you (?:know|decide|tell|find|detect|judge|conclude)|how {_DID} (?:it|this) work",
            rf"how {_BE} (?:it|this) (?:decided|judged|found)",
        ),
        r"basis",
    ),
    "compared": (
        _either(
            r"compar\w*|references?|baseline|(?:against|with|to) what|what .*against$|relative to",
            r"how many good|trained on",
            r"(?:few|zero) shot|what (?:data|pictures|images) (?:did|do|were|was)|learn(?:ed|t)? from",
        ),
        r"batch|mutual|mode|method",
    ),
    "certainty": (
        _either(
            r"how (?:\w+ )?(?:sure|certain|confident|reliable|likely|accurate|probable)|confidence|odds",
            r"(?:are|be) you (?:\w+ )?(?:sure|certain|confident|positive)|p ?values?|probab\w*|trust|rely",
            r"false alarms?|chances?|significan\w*|false positives?",
            r"could (?:it|this|you) be (?:wrong|mistaken|a mistake)",
        ),
        r"sure|certain\w*|confident|doubt\w*|really|reliab\w*|mistaken?",
    ),
    "type": (
        _either(
            r"(?:what|which) (?:kind|type|sort|class|category|defect|fault|flaw|damage|anomaly)",
            rf"what {_BE} (?:the|this|that) (?:{BAD}|{KIND})",
            rf"(?:name|classify|identify) (?:it|(?:the|this) {BAD})",
            rf"{_BE} {_IT} (?:\w+ )?(?:a|an|some|any) (?:\w+ )?{KIND}|{_BE} there (?:\w+ )?{KIND}",
            rf"(?:any|see|find|detect|found) (?:a |an |any |the )?{KIND}",
            r"(?:know|tell|say|sure) (?:me )?what (?:it|this|that|r ?\d+|the \w+) is",
        ),
        rf"types?|kinds?|category|{KIND}",
    ),
    "millimetres": (
        _either(
            r"mm|cm|millimet\w*|centimet\w*|micron\w*|micromet\w*|inch(?:es)?",
            r"deep\w*|depths?|thick\w*|(?:real|physical) (?:units?|sizes?)",
        ),
        r"",
    ),
    "record": (
        _either(
            r"(?:which|what) (?:model|bundle|version|weights|software|network|file)|file ?names?|resolution",
            rf"how (?:long|fast) (?:did|does|was) .*|name of (?:the|this) {THING}|(?:picture|image) size",
            r"(?:big|large|size|width|height|pixels) (?:is|of|in) (?:the |this )?(?:picture|image|photo)",
            r"when was|pixels (?:\w+ )*(?:picture|image|photo)",
        ),
        r"model|bundle|weights|file|when",
    ),
    "size": (
        _either(
            r"how (?:big|large|small|wide|tall|long|much (?:of|area|space)|extensive)",
            r"how many (?:px|pixels?)|percent\w*",
            r"(?:what|which|tell|give) .*(?:size|area|extent|dimensions?|width|height)",
            rf"{_BE} {_IT} (?:very )?(?:big|large|small|tiny|huge)",
        ),
        r"size|area|big|large|small|dimensions?|width|height|px|pixels?|extent",
    ),
    "severity": (
        _either(
            r"how (?:severe|serious|bad|critical|strong|grave|dangerous)|severity",
            rf"{_BE} {_IT} (?:very |really )?(?:severe|serious|critical|minor|major|slight|mild|harmless)",
        ),
        r"severe|serious\w*|critical|minor|major|slight|moderate|mild|harmless|dangerous",
    ),
    "count": (
        _either(
            r"how many|(?:number|count) of|more than one|(?:only|just) one|any (?:others?|more)",
            rf"{_BE} there (?:others?|more)",
        ),
        r"count|number|several|multiple|amount",
    ),
    "where": (
        _either(
            r"where\w*|locat\w*|which (?:part|side|corner)|position|coordinates?|bounding",
            r"(?:show|point) .*(?:the|it|where|to).*",
        ),
        r"box(?:es)?|place|side|corner|spot",
    ),
    "region": (
        r"which (?:one|of|region|is|place|spot|area)|(?:details?|more) (?:of|on|about) (?:r ?\d+|the \w+)",
        r"which|regions?",
    ),
    "identity": (
        _either(
            rf"what is (?:it|this|that)(?: {THING})?$|what is (?:in|on|(?:the|this) {THING})|looks? like",
            rf"what (?:am i|are we) looking|(?:what|which) {THING}|what does .* show|recogni[sz]e",
            rf"what (?:kind|type|sort) of {THING}",
        ),
        r"object|product",
    ),
    "notices": (
        r"warnings?|notices?|caveats?|limitations?|(?:anything|something) (?:else )?(?:i|we) should know",
        r"",
    ),
    "summary": (
        _either(
            r"summar\w*|overview|explain|describe|tell me (?:more|everything|all|about)|in short|findings",
            r"what (?:do|can|did|have) you (?:see|find|found|notice)|anything else|what else",
            r"everything|short version|tl ?dr",
            rf"what {_BE} (?:wrong|found|up|going on|the (?:matter|problem|issue))",
        ),
        r"report|details?|more|result",
    ),
    "verdict": (
        _either(
            rf"(?:{_BE}|does|did|has|have) {_IT}.*(?:{GOOD}|{BAD}|perfect|flawless)|verdict|decision",
            rf"any(?:thing)? (?:\w+ )?{BAD}|{_IT} (?:is|looks|seems) (?:\w+ )?(?:{GOOD}|{BAD})|{GOOD} or",
            r"pass or|(?:does|did|will) (?:it|this) (?:pass|fail)",
        ),
        rf"{GOOD}|{BAD}|perfect|flawless|result|status|right|correct",
    ),
    "help": (
        _either(
            r"help|what can (?:you|i|we) (?:do|ask|answer|tell)|who made you|(?:who|what) are you",
            r"how (?:do|can) i use",
        ),
        r"commands?|options?",
    ),
    "greeting": (r"(?:hi|hello|hey|howdy|greetings|good (?:morning|day|afternoon|evening))(?: \w+)?$", r""),
    "thanks": (r"thank\w*|thx|cheers|good ?bye|bye|(?:good|nice|great) (?:job|work)|well done", r""),
}
PER_REGION = frozenset({"where", "size", "millimetres", "severity", "type", "region"})

_RULES = {
    intent: [re.compile(rf"\b(?:{rule})(?!\w)") if rule else None for rule in row]
    for intent, row in INTENTS.items()
}


def match_intent(words: str) -> str:
    """The first intent with a phrase in the normalised words, else the first with a hint, else "unknown"."""
    for strength in (0, 1):
        for intent, rules in _RULES.items():
            if (rule := rules[strength]) and rule.search(words):
                return intent
    return "unknown"
