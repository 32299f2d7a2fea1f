"""What a sentence claims of the verdict: good, review or defect, with negation, doubt and reported speech.

Spelled-out words (`sentences.spell`) go in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.language.sentences import NAME
from assistant.language.verdict_words import (
    ALONE,
    ARTICLE_GOOD,
    ATTRIBUTE_BAD,
    CLASSES,
    DOUBT,
    ELSEWHERE,
    FAILING,
    FALSE_ALARM,
    GENERAL,
    GOOD,
    LIKE_OTHERS,
    MISJUDGED,
    NEEDED,
    NEEDLESS,
    NO,
    NORMS,
    NOTHING,
    NOUN,
    OPEN,
    PARTS,
    PASSING,
    PERSON,
    PLACED,
    PREDICATE,
    REVIEW,
    TYPICAL,
    UNDECIDED,
    UNTYPICAL,
    UNUSUAL,
    VERDICT,
    WRONG,
)


@dataclass(frozen=True)
class Stance:
    """One thing said of the verdict: "good", "review", "defect", "unusual" for a part or a place that is only
    called so, or "other" for a word that is no verdict.

    `firm` is false where it is only held possible.
    """

    verdict: str
    firm: bool = True


def read_stances(words: str) -> Iterator[Stance]:
    """What a sentence says of the verdict, part by part; nothing for what it leaves open or says of others."""
    for rule, meant, denied in ((TYPICAL, "good", "defect"), (UNTYPICAL, "possible", "good")):
        if (found := rule.search(words)) and not OPEN.search(words[: found.end()].replace("would", "")):
            yield Stance(denied if re.search(r"\bnot\b", words[: found.end()]) else meant)
    if MISJUDGED.search(words):
        yield Stance("other")
    if FALSE_ALARM.search(words) and not OPEN.search(words):
        yield Stance("good" if not re.search(r"\bnot\b", words) else "defect", not DOUBT.search(words))
    words = re.sub(r"^((?:except|apart|aside|besides|other than)\b[^,]*),", r"\1", words)
    words = GENERAL.sub(" ", re.sub(r"\breview (?:limit|threshold)s?\b", "limit", words))
    for found in VERDICT.finditer(words):
        if stance := _name_verdict(found):
            yield stance
    words = VERDICT.sub(" , ", words)
    for part in PARTS.split(words):
        part = " ".join(part.split())
        if part and not OPEN.search(part):
            firm = not DOUBT.search(part)
            yield from (Stance(verdict, firm) for verdict in _read_part(part))


def lets_pass(words: str) -> bool:
    """Whether a sentence says that the part may go on."""
    for part in PARTS.split(words):
        for found in PASSING.finditer(part):
            if not re.search(rf"\b{NO}\b(?: \w+){{0,3}} ?$", part[: found.start()]) and not OPEN.search(part):
                return True
    return False


def _name_verdict(found: re.Match[str]) -> Stance | None:
    meant = CLASSES.get(found["word"])
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
    elsewhere = bool(ELSEWHERE.search(part))
    refused = bool(re.search(rf"\b{NO}\b", part))
    if NOTHING.search(part):
        if not elsewhere and not _is_placed(part):
            yield "good"
        return
    if WRONG.search(part):
        yield "good" if refused else "defect"
        return
    if NEEDLESS.search(part) and not re.search(r"\b(?:else|other|rest|elsewhere)\b", part):
        yield "good"
        return
    if (NEEDED.search(part) or PERSON.search(part)) and not refused:
        yield "possible"
    if UNUSUAL.search(part) and not refused:
        yield "unusual"
    for rule, meant, denied in NORMS:
        for found in rule.finditer(part):
            no = re.search(rf"\b{NO}\b(?: \w+){{0,5}} ?$", part[: found.start()])
            if rule is LIKE_OTHERS or not (elsewhere or _is_placed(part[: found.start()])):
                yield denied if no else meant
    if REVIEW.search(part) and not refused:
        yield "review"
    if alone := ALONE.match(part):
        good = bool(re.fullmatch(rf"{GOOD}|pass(?:ed)?|approved?|accept(?:ed)?", alone[1]))
        yield "good" if good != bool(re.search(r"\b(?:no|not)\b", part)) else "defect"
        return
    for found in PREDICATE.finditer(part):
        if UNDECIDED.search(found[1]):
            yield "review"
            continue
        said_not = bool(re.search(r"\b(?:not|never|no longer|far from|anything but)\b", found[1])) or bool(
            re.search(r"\b(?:not|never|nothing|none|neither|no \w+)\s*$", part[: found.start()])
        )
        good = bool(re.fullmatch(GOOD, found[2])) != said_not
        if not (good and (elsewhere or _is_placed(part[: found.start()]))):
            yield "good" if good else "defect"
    if article := ARTICLE_GOOD.search(part):
        yield "defect" if refused and "not" in part[: article.start(1)] else "good"
    if attribute := ATTRIBUTE_BAD.search(part):
        if not re.search(rf"\b{NO}\b", part[: attribute.start()]):
            yield "defect"
    yield from _read_nouns(part, elsewhere)
    for rule, meant, denied in ((PASSING, "good", "defect"), (FAILING, "defect", "good")):
        for found in rule.finditer(part):
            no = re.search(rf"\b{NO}\b(?: \w+){{0,3}} ?$", part[: found.start()])
            yield denied if no else meant


def _read_nouns(part: str, elsewhere: bool) -> Iterator[str]:
    for found in NOUN.finditer(part):
        no = re.search(rf"\b{NO}\b(?: \w+){{0,8}} ?$", part[: found.start("noun")])
        if not no:
            yield "defect" if found["strong"] else "possible"
        elif not elsewhere and not _is_placed(part):
            yield "good"


def _is_placed(part: str) -> bool:
    return bool(PLACED.search(part))
