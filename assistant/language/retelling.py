"""Sentences that are kept in English, told in another language: notices, origins of limits, errors.

The catalogues list the very templates that make them (see `assistant.language.messages`), so a sentence is known
by the template that it fits, and what fills its gaps is carried over: numbers, names and ids as they are, and what
is a sentence of the catalogue itself in words of the language. A sentence that no template fits stays English.
"""

from __future__ import annotations

import re
from functools import lru_cache

from assistant.language.catalogue import ENGLISH, Wording, read_messages

DEEPEST = 3
"""Sentences that are told inside of one another, at most."""

FEWEST_LETTERS = 6
"""A template with gaps and fewer letters of its own would fit sentences that it does not make."""

_GAP = re.compile(r"\{(\w+)\}")


def retell(w: Wording, sentence: str, depth: int = DEEPEST) -> str:
    """A sentence in the language of `w`; a full stop at its end stays, and so does what nothing fits."""
    said = sentence.strip()
    if w.language == ENGLISH or not said or not depth:
        return sentence
    for text, end in ((said, ""), (said.removesuffix("."), "." if said.endswith(".") else "")):
        for message, pattern, letters in _templates():
            if letters in text and (found := pattern.fullmatch(text)):
                gaps = {name: _fill(w, part or "", depth) for name, part in found.groupdict().items()}
                return w(message, **gaps) + (w(".") if end else "")
    return sentence


def _fill(w: Wording, part: str, depth: int) -> str:
    """What fills a gap: retold where it is a sentence, else as it is: a name may be a word of the catalogue."""
    return retell(w, part, depth - 1) if len(part.split()) > 2 else part


@lru_cache(maxsize=1)
def _templates() -> list[tuple[str, re.Pattern[str], str]]:
    """Every message as a pattern with its longest own text, those with most words of their own first."""
    messages = [one for one, many in read_messages(ENGLISH) if one and not many]
    own = {message: re.split(_GAP, message)[::2] for message in messages}
    known = [one for one in messages if len(own[one]) == 1 or _letters(own[one]) >= FEWEST_LETTERS]
    known.sort(key=lambda one: (len(own[one]) > 1, -_letters(own[one])))
    return [(one, _pattern(one), max(own[one], key=len)) for one in known]


def _letters(parts: list[str]) -> int:
    return sum(letter.isalpha() for part in parts for letter in part)


def _pattern(message: str) -> re.Pattern[str]:
    parts = re.split(_GAP, message)
    drawn = [f"(?P<{part}>.*?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)]
    for i in range(3, len(parts), 2):
        if parts[i] in parts[1:i:2]:  # the same gap once more is filled by the same
            drawn[i] = f"(?P={parts[i]})"
    return re.compile("".join(drawn), re.DOTALL)
