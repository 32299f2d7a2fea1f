"""What makes a whole answer of a language model unfit to be shown: loops, refusals, too long, not English.

This is looked for before anything in the answer is compared with the record.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from assistant.language.question_clauses import is_foreign
from assistant.language.sentences import HIDDEN

LONGEST = 4000
"""Characters; a longer answer has lost its thread."""

_REFUSAL = re.compile(
    r"(?i)\bas an? (?:ai|artificial|language model|assistant\b(?!'s))|\b(?:i am|i'm) (?:sorry|an ai"
    r"|a language model|just an?)"
    r"|\b(?:i|we) (?:can not|cannot|can't|am not able to|will not|won't|am unable to|'m unable to)"
    r" (?:assist|help|comply|fulfil|answer that|answer this|discuss|do that|process|view|see|access|open)\b"
    r"|\b(?:against my|content policy|my (?:programming|guidelines|training data))\b|\bi apologi[sz]e\b"
)
_FOREIGN_MARKUP = re.compile(
    r"(?im)<\|?/?\s?[a-z_!|][^>\n]{0,80}>|<\||\|>|\[/?inst\]|<<sys>>|```|://|\]\(|\[(?:im|eos|bos|pad"
    r"|unk)[^\]]*\]|[{}\\]"
    r"|^\s*#*\s*(?:user|assistant|system|human|question|instruction|response|ai)\s*:|\x00|\ufffd"
)


def find_fault(masked: str) -> str:
    """Why a text whose names are masked cannot be shown: a few words, or "" where nothing is wrong."""
    bare = masked.replace(HIDDEN, " ")
    if not bare.strip():
        return "was empty" if not masked.strip() else ""
    if len(masked) > LONGEST:
        return "was too long"
    if _FOREIGN_MARKUP.search(bare):
        return "could not be read"
    letters = [c for c in bare if c.isalpha()]
    if not letters and HIDDEN in masked:
        return ""
    if not letters or sum(not unicodedata.name(c, "").startswith("LATIN") for c in letters) * 5 > len(letters):
        return "could not be read"
    if is_looping(bare):
        return "went round in circles"
    if _REFUSAL.search(bare.replace("\u2019", "'")):
        return "was a refusal"
    return "was not in English" if is_foreign(bare) else ""


def is_looping(text: str) -> bool:
    """Whether a text says the same thing over and over."""
    words = re.findall(r"[^\W_]+(?:\.\d+)?|[%\[\]]", text.casefold())
    if re.search(r"(\S{1,12}?)\1{11,}", text):
        return True
    for size in range(1, 13):  # the same words three times running
        for start in range(len(words) - 3 * size + 1):
            block = words[start : start + size]
            if block == words[start + size : start + 2 * size] == words[start + 2 * size : start + 3 * size]:
                if any(word.isalpha() for word in block):
                    return True
    grams = Counter(zip(*(words[n:] for n in range(12)), strict=False))
    return bool(grams) and grams.most_common(1)[0][1] >= 5
