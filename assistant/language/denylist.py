"""The small check of what a model says it sees: a line that judges, counts, allows or explains is dropped.

A model's own look is shown apart, and marked as not checked. What only the record may say has no place in it:
verdicts, numbers, what may be done with a part, whether it is safe, and causes. The words stand in
`denied_words.toml`, in four languages, and are all looked for in every line, since a model may answer in another
language than it was asked in. It reads single lines and no records, so it can err either way: a line
dropped for nothing is told of, and a line that passes is still marked as not checked.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from assistant.inspection import Seen
from assistant.language.catalogue import Wording
from assistant.language.plan import ELSEWHERE, MOST_SEEN, WHOLE, cut_words

ABOUT = {
    "verdict": "a verdict",
    "permission": "what may be done",
    "safety": "safety or function",
    "address": "an address",
    "number": "a number",
    "cause": "a cause",
}
"""What a dropped line spoke of, by topic, as its notice says it; the first that is found is told."""

IN_ENGLISH = Wording()

MOST_LINES = 2 * MOST_SEEN
"""Lines that are taken of a text without a plan."""

ONE_LEFT_OUT = "One line of what the model sees was left out: it spoke of {what}."
SOME_LEFT_OUT = "{n} lines of what the model sees were left out: they spoke of {what}."
UNSAID = "Its reason is not shown."
"""What stands for the reason of a disagreement that may not be shown."""

REASON_LEFT_OUT = "Why it disagrees was left out: it spoke of {what}."

_QUOTED = re.compile(
    r"[\"“”„«»「『‘](?P<said>[^\"“”„«»」』’]{1,200})[\"“”»«」』’]|(?<!\w)'(?P<plain>[^']{1,200})'(?!\w)"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_MARKUP = re.compile(r"^(?:[-*+#>•]+|\d{1,2}[.)])\s+|\*\*|__|`+|</?[A-Za-z][^>]*>")
_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|(?<=[。！？])|\n+|;\s+")
_CITED = re.compile(r"\[?(?<![A-Za-z0-9])((?:P\d{1,3}\.)?R\d{1,3}|P\d{1,3})(?![A-Za-z0-9])\]?", re.IGNORECASE)
_UNSURE = re.compile(
    r"\b(?:may|might|could|maybe|perhaps|possibly|probably|seems?|unclear|not sure|vielleicht|könnte|wohl|"
    r"eventuell|möglicherweise|quizás?|tal vez|podría|puede ser|posiblemente)\b|可能|也许|或许|似乎|不确定",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OwnLook:
    """What may be shown of a model's own look: lines, its disagreement, and what was left out, in sentences."""

    seen: tuple[Seen, ...] = ()
    disagrees: str = ""
    notices: tuple[str, ...] = ()


def find_denied(line: str) -> str:
    """What a line speaks of that only the record may say, a key of `ABOUT`; "" where it may be shown."""
    text = unicodedata.normalize("NFKC", line).casefold().replace("ß", "ss").replace("’", "'")
    text = _words()["allowed"].sub(" · ", " ".join(_CITED.sub("it", text).split()))
    return next((topic for topic in ABOUT if _words()[topic].search(text)), "")


def own_look(seen: Sequence[Seen], disagrees: str = "", wording: Wording = IN_ENGLISH) -> OwnLook:
    """A model's own look without what only the record may say; notices, in `wording`, tell what was left out.

    A disagreement stays one where its reason is left out.
    """
    kept: dict[tuple[str, str], Seen] = {}
    dropped: Counter[str] = Counter()
    for one in seen:
        text = show_plainly(one.text)
        if topic := find_denied(text):
            dropped[topic] += 1
        elif re.search(r"\w", text):
            kept.setdefault((one.where, text.casefold()), replace(one, text=text))
    notices = [_tell(dropped, wording)] if dropped else []
    reason = show_plainly(disagrees)
    if topic := find_denied(reason):
        notices.append(wording(REASON_LEFT_OUT, what=wording(ABOUT[topic])))
        reason = wording(UNSAID)
    return OwnLook(tuple(kept.values()), reason, tuple(notices))


def as_seen(text: str, ids: Sequence[str] = ()) -> tuple[Seen, ...]:
    """A text that is no plan, as what its writer sees: a line a sentence, at the region that it cites."""
    lines = [line for line in map(show_plainly, _END.split(text)) if re.search(r"\w{2}|[\u3400-\u9fff]", line)]
    seen = []
    for line in lines[:MOST_LINES]:
        cited = [id for id in map(str.upper, _CITED.findall(line)) if id in ids]
        where = cited[0] if cited else (WHOLE if not _CITED.search(line) else ELSEWHERE)
        seen.append(Seen(where, cut_words(line), "maybe" if _UNSURE.search(line) else "clear"))
    return tuple(seen)


def show_plainly(text: str) -> str:
    """One line without markup, and with what is written in the picture only pointed out: it may say anything."""
    text = _MARKUP.sub("", " ".join(_CONTROL.sub(" ", text).split())).strip()
    if _words()["writing"].search(text.casefold()):
        text = _QUOTED.sub("“…”", text)
    return text


def _tell(dropped: Counter[str], wording: Wording) -> str:
    topics = [wording(ABOUT[topic]) for topic in ABOUT if dropped[topic]]
    what = wording("{names} or {last}", names=", ".join(topics[:-1]), last=topics[-1]) if topics[1:] else topics[0]
    return wording.count(ONE_LEFT_OUT, SOME_LEFT_OUT, dropped.total(), what=what)


@cache
def _words() -> dict[str, re.Pattern[str]]:
    """The patterns of `denied_words.toml`, by topic, and those for "allowed" and "writing"."""
    tables = tomllib.loads((files(__package__) / "denied_words.toml").read_text(encoding="utf-8"))
    actions = tables.pop("actions")
    found = {}
    for topic, table in tables.items():
        parts = [rf"\b(?:{'|'.join(table['words'])})\b"] if table["words"] else []
        text = "|".join([*parts, *table["patterns"]])
        for language, verbs in actions.items():
            text = text.replace(f"<{language}>", f"(?:{'|'.join(verbs)})")
        found[topic] = re.compile(text)
    return found
