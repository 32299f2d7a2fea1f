"""What a question asks for: a table of phrases for each intent, and the regions that its words point at.

It matches words and learns nothing. It knows no facts about the inspection other than the regions that it
may be asked about, and it writes no answers.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.inspection import Region
from assistant.prompts.defects import DEFECTS

History = Sequence[tuple[str, str]]

LONGEST = 500  # characters of a question that are read


def _either(*words: str) -> str:
    return f"(?:{'|'.join(words)})"


_NOT_A_KIND = {"spot", "short", "open", "split", "gap", "flash", "crush", "spike"}  # everyday words first
_NAMES = {name for defect in DEFECTS for name in (defect.name, *defect.words)} - _NOT_A_KIND
_KIND = _either(*(rf"{name}(?:e?s)?" for name in sorted(_NAMES, key=len, reverse=True)))
_GOOD = _either(
    r"good|fine|ok|okay|pass(?:es|ed)?|acceptable|accept(?:ed)?|alright|all right|clean|sound|normal|healthy"
)
_BAD = _either(
    r"bad|ng|defect(?:s|ive)?|fault(?:s|y)?|broken|damaged?|wrong|flaw(?:s|ed)?|reject(?:ed)?|fail(?:s|ed)?",
    r"scrap|anomal(?:y|ies|ous)|abnormal|problems?|issues?|trash",
)
_THING = _either(r"picture|image|photo|part|piece|product|item|object|thing|cell|component|sample")
_PLACE = _either(r"one|region|box|spot|defect|area|place|mark|finding|anomaly")
_IT = _either(r"it|this|that|they|there|these|those|r ?\d+|(?:the|my|this|that|your) \w+")
_BE = _either(r"is|are|was|were")
_DID = _either(r"do|does|did|could|can")

# Intent -> (phrases that settle it, words that only hint at it). A phrase beats a hint and an upper row a
# lower one, so a row stands above those whose words it also uses.
INTENTS: dict[str, tuple[str, str]] = {
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
            rf"(?<!you )say (?:that )?(?:(?:it|this) is )?(?:just )?(?:{_GOOD}|{_BAD}|yes|no)",
            rf"(?:answer|respond|reply|output|print|write|report)(?: only| just| with)* (?:{_GOOD}|{_BAD})",
            r"(?:change|set|flip|mark|switch|lower|raise|increase|reduce|adjust|make|call) "
            rf".*(?:verdict|threshold|limit|score|decision|{_GOOD}|{_BAD})",
        ),
        r"approve|confirm",
    ),
    "cause": (
        _either(
            rf"caus\w*|(?:why|how) {_DID} {_IT} (?:happen|occur|appear|break|form|come|get|arise)|come from",
            rf"why (?:is|are) there .*(?:{_KIND}|{_BAD})|(?:who|what) (?:did|broke) (?:it|this)",
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
        r"batch|mode|method",
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
            rf"what {_BE} (?:the|this|that) (?:{_BAD}|{_KIND})",
            rf"(?:name|classify|identify) (?:it|(?:the|this) {_BAD})",
            rf"{_BE} {_IT} (?:\w+ )?(?:a|an|some|any) (?:\w+ )?{_KIND}|{_BE} there (?:\w+ )?{_KIND}",
            rf"(?:any|see|find|detect|found) (?:a |an |any |the )?{_KIND}",
        ),
        rf"types?|kinds?|category|{_KIND}",
    ),
    "millimetres": (
        r"mm|cm|millimet\w*|centimet\w*|micron\w*|micromet\w*|inch(?:es)?|deep|depth",
        r"",
    ),
    "record": (
        _either(
            r"(?:which|what) (?:model|bundle|version|weights|software|network|file)|file ?names?|resolution",
            rf"how (?:long|fast) (?:did|does|was) .*|name of (?:the|this) {_THING}|(?:picture|image) size",
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
            rf"what is (?:it|this|that)(?: {_THING})?$|what is (?:in|on|(?:the|this) {_THING})|looks? like",
            rf"what (?:am i|are we) looking|(?:what|which) {_THING}|what does .* show|recogni[sz]e",
            rf"what (?:kind|type|sort) of {_THING}",
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
            rf"(?:{_BE}|does|did|has|have) {_IT}.*(?:{_GOOD}|{_BAD}|perfect|flawless)|verdict|decision",
            rf"any(?:thing)? (?:\w+ )?{_BAD}|{_IT} (?:is|looks|seems) (?:\w+ )?(?:{_GOOD}|{_BAD})|{_GOOD} or",
            r"pass or|(?:does|did|will) (?:it|this) (?:pass|fail)",
        ),
        rf"{_GOOD}|{_BAD}|perfect|flawless|result|status|right|correct",
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
_BY_PLACE = frozenset("unknown verdict where count identity summary region".split())  # "anything at the top?"

_RULES = {
    intent: [re.compile(rf"\b(?:{rule})(?!\w)") if rule else None for rule in row]
    for intent, row in INTENTS.items()
}

_SHORT = {
    "its": "it is", "whats": "what is", "wheres": "where is", "hows": "how is", "thats": "that is",
    "isnt": "is not", "arent": "are not", "dont": "do not", "cant": "can not", "cannot": "can not",
    "im": "i am", "wat": "what", "waht": "what", "wher": "where", "whre": "where", "hwo": "how",
    "wich": "which", "szie": "size", "teh": "the", "lage": "large", "larg": "large", "bigg": "big",
    "u": "you", "ur": "your",
}  # fmt: skip
_KEYWORDS = """where location position large largest biggest smallest severe severity serious defect defects
defective broken threshold score verdict region regions reference references compared certain confident
confidence reliable summary explain recommend scratch scratches crack cracks stain stains bottom
worst""".split()
_NEVER_MENDED = set("there these three their track detect detected store certainly composition".split())
_FOREIGN = set("""wo wie ist der das ein eine und warum nicht welche gibt ou est le les la un une quel quelle
pourquoi comment donde el es una los que cual porque como esta hay dov il che quanto perche dove onde qual
waar hoe wat het een van gdzie jest czy""".split())  # fmt: skip


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


def normalize(text: str) -> str:
    """Lower case words with single spaces: contractions spelled out, accents dropped, likely typos mended."""
    folded = unicodedata.normalize("NFKD", text[:LONGEST].replace("\u2019", "'")).casefold()
    folded = re.sub(r"(\w)n't\b", r"\1 not", folded)
    folded = re.sub(r"'(s|re|m)\b", lambda end: {"s": " is", "re": " are", "m": " am"}[end[1]], folded)
    words = re.findall(r"[a-z]+|\d+", re.sub(r"[^a-z0-9\s\-/_.,#'\[\]()]", "", folded))
    return " ".join(_mend(word) for word in words)


def _mend(word: str) -> str:
    if word in _SHORT or len(word) < 5 or word in _NEVER_MENDED:
        return _SHORT.get(word, word)
    close = difflib.get_close_matches(word, _KEYWORDS, n=1, cutoff=0.8)
    return close[0] if close else word


def split_clauses(question: str) -> list[str]:
    """The parts of a question that can each be asked alone, without filler words; never empty."""
    parts = re.split(r"[?!;,\n]+|\.(?!\d)|\band\b|&", question[:LONGEST], flags=re.IGNORECASE)
    filler = {"", "so", "ok", "okay", "right", "yes", "no", "well", "please", "correct", "hm", "now", "then"}
    clauses = [part.strip() for part in parts if normalize(part) not in filler]
    return clauses or [question[:LONGEST].strip()]


def is_foreign(question: str) -> bool:
    """Whether a question is written in another language than English, as far as a few words can tell."""
    letters = [c for c in question[:LONGEST] if c.isalpha()]
    if sum(not unicodedata.name(c, "").startswith("LATIN") for c in letters) * 2 > len(letters):
        return True
    plain = unicodedata.normalize("NFKD", question[:LONGEST]).encode("ascii", "ignore").decode().casefold()
    words = re.findall(r"[a-z]+", plain)
    return sum(word in _FOREIGN for word in words) >= 2


def match_intent(words: str) -> str:
    """The first intent with a phrase in the normalised words, else the first with a hint, else "unknown"."""
    for strength in (0, 1):
        for intent, rules in _RULES.items():
            if (rule := rules[strength]) and rule.search(words):
                return intent
    return "unknown"


def read_clause(clause: str, history: History, regions: Sequence[Region]) -> Ask:
    """What a clause asks, with its references resolved against the regions and the conversation so far."""
    words = normalize(clause)
    intent = match_intent(words)
    focus, missing = _point_at(words, intent, history, regions)
    position = _read_position(words)
    kind = re.search(rf"\b{_KIND}\b", words)
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


_PRONOUN = re.compile(
    rf"(?<!in )(?<!on )\b(?:it|this|that)\b(?! {_THING})|\b(?:this|that|same|latter) {_PLACE}\b|\bthe same\b"
)
_ALL = re.compile(r"\b(?:all|each|every|both|they|them|these|those|regions|ones)\b")
_COUNTED = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_CARDINAL = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_RANKS = {word: n for words in (_COUNTED, _CARDINAL) for n, word in enumerate(words, 1)}
_NUMBERED = re.compile(
    rf"\br ?(\d+)\b|\b(?:{_PLACE}|number|nr) (\d+|{'|'.join(_CARDINAL)})\b|(?:^|about )(\d+)$"
    rf"|\b(\d+|{'|'.join(_COUNTED)})(?: (?:st|nd|rd|th))? {_PLACE}\b"
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


def _point_at(
    words: str, intent: str, history: History, regions: Sequence[Region]
) -> tuple[tuple[str, ...], bool]:
    ids = [region.id for region in regions]
    if numbers := [next(filter(None, found)) for found in _NUMBERED.findall(words)]:
        asked = [f"R{_RANKS.get(number) or int(number[:9])}" for number in numbers]
        known = tuple(id for id in dict.fromkeys(asked) if id in ids)
        return known, len(known) < len(set(asked))
    if re.search(rf"\blast {_PLACE}\b", words) and ids:
        return (ids[-1],), False
    for pattern, choose, field in _SUPERLATIVES:
        if regions and re.search(pattern, words):
            return (choose(regions, key=lambda region: float(getattr(region, field))).id,), False
    cited = _last_cited(history, ids)
    if re.search(r"\bothers?\b", words) and cited and (intent in PER_REGION or intent == "unknown"):
        return tuple(id for id in ids if id not in cited), False
    if re.search(rf"\b(?:that|this|same|latter) {_PLACE}\b|\bthe same\b", words):
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
    good, bad = re.search(rf"\b{_GOOD}\b", words), re.search(rf"\b{_BAD}\b", words)
    if re.search(r"\b(?:not|no|nothing|never|without|free|none|you)\b", words) or bool(good) == bool(bad):
        return ""
    return "good" if good else "bad"
