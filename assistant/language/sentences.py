"""Free text made ready to be checked: names masked, sentences cut out, words spelled plainly, regions bound."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from assistant.inspection import Inspection
from assistant.language.picture_statements import state_promise
from assistant.language.wording import base_name, plain, quote
from assistant.prompts.defects import DEFECTS

HIDDEN = "\ue000"
"""Stands in for each masked character, so that places in masked and in original text are the same."""

NAME = "¤"
"""What a masked name is in spelled-out text."""

_DECISIVE = re.compile(
    r"(?i)\b(?:good|fine|ok|okay|pass\w*|accept\w*|normal|clean|intact|perfect|no|not|defect\w*|fault\w*"
    r"|bad|ng|reject\w*"
    r"|fail\w*|broken|damage\w*|review|verdict|score|threshold|limit|p.?value|anomal\w*|flaw\w*)\b|\d %"
)
_INTRODUCED = re.compile(
    rf"(?i)(?:\b(?:named|called|product|bundle|like|file|labell?ed|of)|\bpicture \d+,"
    rf"|[\"%){HIDDEN}] ?(?:,|and))\s*$"
)
_END = re.compile(r".+?(?:[.!?]+[\"')\]]*(?=\s|$)|\n|$)", re.DOTALL)
_ID = r"\[?\br(\d+)\b\]?"
_GROUP = re.compile(rf"{_ID}(?:(?:\s|,|\band\b|\bor\b|\bwith\b)*{_ID})*")


def clean(text: str) -> str:
    """The text without light markup, list marks and invisible signs, which some models write; lines stay lines."""
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    lines = (re.sub(r"^\s*(?:[-*\u2022#>]+|\d{1,2}[.)])\s+", "", line) for line in text.splitlines())
    return re.sub(r"\*\*|__|`", "", "\n".join(line.strip() for line in lines)).strip()


def mask(text: str, inspections: Sequence[Inspection]) -> str:
    """The text with names and sentences repeated from the records hidden, character for character.

    A name that could be read as a verdict is hidden only where words introduce it as a name.
    """
    for i in inspections:
        for passage in _passages(i):
            text = text.replace(passage, HIDDEN * len(passage))
        for name in sorted(_names(i), key=len, reverse=True):
            text = _hide_name(text, quote(name), bool(_DECISIVE.search(name)))
            if re.search(r"\d", name) and len(name) > 2 and not _DECISIVE.search(re.sub(r"[-_.]", " ", name)):
                text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda m: HIDDEN * len(m[0]), text)
    return text


def split_sentences(text: str, inspections: Sequence[Inspection]) -> list[str]:
    """The sentences as they stand, in order; what a record says with a full stop inside is not cut."""
    masked = mask(text, inspections)
    cut = (text[m.start() : m.end()].strip() for m in _END.finditer(masked))
    return [sentence for sentence in cut if sentence]


def spell(text: str) -> str:
    """Lower-case words: names as one sign, contractions spelled out, hyphens between words opened.

    Wide, raised and foreign forms of letters and digits become plain ones; table bars become commas.
    """
    text = _fold(text)
    text = re.sub(f'"?{HIDDEN}+"?', f" {NAME} ", text).replace("\u2019", "'").casefold()
    text = re.sub(r"\bcan(?:'t|not)\b", "can not", text)
    text = re.sub(r"(\w)n't\b", r"\1 not", text)
    text = re.sub(r"\b(it|that|there|what|this|he|she)'s\b", r"\1 is", text)
    text = re.sub(r"(?<=[a-z])[-_](?=[a-z])", " ", text).replace('"', " ")
    text = re.sub(r"\bregions? (?:number |no\.? ?|#)?(\d+)(?: and (\d+))?\b(?! %)", _name_regions, text)
    return " ".join(text.split())


def _fold(text: str) -> str:
    text = unicodedata.normalize("NFKC", re.sub("[\u00b2\u00b3]", "", text))
    text = "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in text)
    text = re.sub("[\u2010-\u2012\u2212]", "-", text).replace("\u2044", "/")
    return re.sub(r"\s*\|\s*", ", ", text)


def bind_regions(words: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """(ids, words about them): all of a sentence that cites one group of regions, else what follows each group.

    What stands before the first of several groups comes with no id.
    """
    groups = list(_GROUP.finditer(words))
    ids = [tuple(f"R{n}" for n in re.findall(r"\br(\d+)\b", m[0])) for m in groups]
    if len(set(ids)) <= 1:
        yield (ids[0] if ids else ()), words
        return
    yield (), words[: groups[0].start()]
    ends = [m.start() for m in groups[1:]] + [len(words)]
    subject: tuple[str, ...] = ()
    for group, cited, end in zip(groups, ids, ends, strict=True):
        # in "[R1] is larger than [R2] and severe", what follows is said of the first
        beside = subject and re.search(
            r"\b(?:than|to|of|from|beside|near|like|as) (?:the |that of )?$", words[: group.start()]
        )
        subject = subject if beside else cited
        yield subject, words[group.end() : end]


def cite(words: str) -> list[str]:
    """The ids of regions in spelled-out words, in order, each once."""
    return list(dict.fromkeys(f"R{int(n)}" for n in re.findall(r"\br(\d+)\b", words)))


def _name_regions(found: re.Match[str]) -> str:
    return " and ".join(f"[r{n}]" for n in found.groups() if n)


def _hide_name(text: str, quoted: str, decisive: bool) -> str:
    start = text.find(quoted)
    while start >= 0:
        if not decisive or _INTRODUCED.search(text[:start]):
            text = text[:start] + HIDDEN * len(quoted) + text[start + len(quoted) :]
        start = text.find(quoted, start + len(quoted))
    return text


def _names(i: Inspection) -> set[str]:
    types = (t.name for r in i.regions for t in r.defect_types)
    return {name for name in (base_name(i.path), i.product, i.bundle, *i.looks_like, *types) if name}


def list_words(inspections: Sequence[Inspection]) -> set[str]:
    """What the records call things: products, types, likenesses and file names, without the file's ending."""
    return {name.rsplit(".", 1)[0] for i in inspections for name in _names(i)}


def _passages(i: Inspection) -> Iterator[str]:
    """Sentences of the record that the template repeats as they are, in the frames it repeats them in."""
    yield from (f"Note: {plain(notice).rstrip('.')}" for notice in i.notices)
    if i.evidence:
        yield f"Where the threshold comes from: {plain(i.evidence.origin).rstrip('.')}"
        yield from (sentence.rstrip(".") for sentence in state_promise(i))
    if i.error:
        yield f"{plain(i.error.replace(i.path or HIDDEN, base_name(i.path))).rstrip('.')}"
    yield from (defect.description for defect in DEFECTS)
